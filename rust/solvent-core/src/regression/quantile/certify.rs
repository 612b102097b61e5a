//! The bound that (x, a) prove, for any a whatever.
//!
//! Rows weighted by w, the penalties' rows `alpha e_j` among them (y = 0, box [-alpha, alpha]); s = A^T a for a clipped
//! into its boxes, r = b - A x, P the objective at x, P* the least:
//!
//! `P* >= a^T (b - A x*) = a^T r - s^T (x* - x)`, and `|A (x* - x)|_2 <= |A (x* - x)|_1 <= |r|_1 + |r*|_1 <=
//! 2 P/min(tau, 1 - tau)`; so `P - P* <= sum (w rho(r) - a r) + K(s) 2 P/min(tau, 1 - tau)`,
//!
//! K(s) the largest `|s^T z|/|A z|_2` ([`Frame::dual_norm`]). Every term of the sum is computed as a product of two
//! numbers >= 0: nothing cancels. Rounding: residuals and s in double-double, with
//! `|dr_i| <= 2 (d + 16)^2 u^2 (|b_i| + |a_i||x|)`, `|ds_j| <= (2 (q + 16)^2 + 3 B) u^2 sum w |a_ij|`, q the rows that one
//! lane adds up and B the double-double additions that follow (Ogita, Rump & Oishi 2005, proposition 5.5; Joldes et al.
//! 2017, theorem 3.1); sums of rows against |x| are bounded by norms of columns (Cauchy-Schwarz).
//!
//! Where b lies in the range of A, P is the rounding of x and P* less than that: no gap relative to P can be small. x is
//! then the exact fit, with objective zero, of right sides `b - r`, and `|w r|_1/|w b|_1` is what they were changed by: a
//! backward error ([`exact`]).

use super::QuantileError;
use super::design::{GROUP, TILE, padded, panel_rows};
use super::exact::{Ends, Judge, Totals, chain};
use super::factor::{Frame, U};
use super::kernels::Panel;
use super::problem::Problem;
use crate::base::buffer::Buffer;
use crate::base::certificate::{Certificate, Kind};
use crate::base::monitor::Monitor;
use crate::base::sum::{Dd, Sum};
use solvent_simd::dispatch;

/// What (x, a) prove.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The objective, in the caller's units.
    pub objective: f64,
    /// It is at most this above the least one.
    pub gap: f64,
    /// The bound and what it was made of.
    pub certificate: Certificate,
    /// Residuals in the problem's units, rounded.
    pub residual: Vec<f64>,
    /// `A^T a` less what the penalties take, in the problem's units.
    pub gradient: Vec<Dd>,
}

/// Judges x and a as the caller has them.
pub fn certify(
    problem: &Problem<'_>,
    frame: &Frame,
    tau: f64,
    x: &[f64],
    dual: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<Judgement, QuantileError> {
    let (n, width) = (problem.rows(), problem.width());
    let x = problem.from_caller(x);
    let stride = panel_rows(width);
    let ends = Ends::new(tau);
    let (mut totals, mut gradient) = (Totals::default(), vec![Dd::ZERO; width]);
    let mut residual = Vec::with_capacity(n);
    let part = |rows: std::ops::Range<usize>| {
        let mut totals = Totals::default();
        let mut gradient = vec![Dd::ZERO; width];
        let mut residual = vec![0.0; padded(rows.len())];
        let mut panel = Buffer::zeros(stride * width);
        let mut vectors = Buffer::zeros(4 * stride);
        let (y, vectors) = vectors.split_at_mut(stride);
        let (w, vectors) = vectors.split_at_mut(stride);
        let (own, rest) = vectors.split_at_mut(stride);
        for start in rows.clone().step_by(stride) {
            let count = (rows.end - start).min(stride);
            let m = padded(count);
            let range = start..start + count;
            problem.design.fill(|i| start + i, count, stride, &mut panel);
            y[..count].copy_from_slice(&problem.b[range.clone()]);
            y[count..m].fill(0.0);
            for i in 0..count {
                w[i] = problem.weight(start + i);
                own[i] = dual[start + i] * problem.unit_w;
            }
            w[count..m].fill(0.0);
            own[count..m].fill(0.0);
            let at = start - rows.start;
            totals = totals.join(dispatch(Judge {
                panel: Panel { x: &panel, stride, m, d: width },
                x: &x,
                y,
                w,
                ends,
                dual: own,
                rest,
                residual: &mut residual[at..at + m],
                gradient: &mut gradient,
            }));
        }
        residual.truncate(rows.len());
        (totals, gradient, residual)
    };
    monitor.fold_blocks(n, stride * GROUP, 64, part, |own| -> Result<(), QuantileError> {
        totals = totals.join(own.0);
        gradient.iter_mut().zip(own.1).for_each(|(g, o)| *g = *g + o);
        residual.extend_from_slice(&own.2);
        Ok(())
    })?;

    let mut slack = totals.slack * (1.0 + 1e-12);
    let mut objective = totals.objective;
    for (j, g) in gradient.iter_mut().enumerate() {
        let (penalty, x) = (problem.penalty[j], x[j]);
        if penalty == 0.0 {
            continue;
        }
        // The penalty's dual takes what it can: t = -s, clipped.
        let end = Dd::from(if g.hi > 0.0 { penalty } else { -penalty });
        let taken = if g.abs().hi <= penalty { *g } else { end };
        *g = if g.abs().hi <= penalty { Dd::ZERO } else { *g - end };
        let room = Dd::from(penalty) - if x > 0.0 { taken } else { -taken };
        slack += (room.hi.max(0.0) * x.abs()) * (1.0 + 1e-12);
        objective.add_product(penalty, x.abs());
    }
    let objective = objective.value();
    let largest = objective * (1.0 + 8.0 * U);

    let groups = n.div_ceil(stride * GROUP) as f64;
    let additions = groups + (n.div_ceil(stride) * TILE) as f64;
    let root = (n as f64).sqrt() * (1.0 + 1e-12);
    let doubt_share = (2.0 * (chain(stride) + 16.0).powi(2) + 3.0 * (additions + 8.0)) * U * U;
    let doubt: Vec<f64> = frame.norms.iter().map(|norm| doubt_share * root * norm).collect();
    let norm = frame.dual_norm(&gradient, &doubt);
    let infeasibility = norm * 2.0 * largest / tau.min(1.0 - tau) * (1.0 + 1e-12);
    let through: f64 = x.iter().zip(&frame.norms).map(|(x, norm)| x.abs() * norm).sum();
    let size = totals.size * (1.0 + 1e-12);
    // Once for the sum, once for the objective that it is measured by.
    let residual_share = 4.0 * ((width + 16) as f64 * U).powi(2);
    let allowance = residual_share * (size + root * through * (1.0 + 1e-12));
    let proof = (slack + infeasibility).min(largest);
    let gap = if proof.is_nan() { largest } else { proof } + allowance;
    let scale = objective.max(U * totals.size);
    let bound = if gap == 0.0 { 0.0 } else { gap / scale * (1.0 + 16.0 * U) };
    // Coefficients so large that a residual overflowed.
    let bound = if bound.is_nan() { f64::INFINITY } else { bound };
    let units = |value: f64| problem.objective(value);
    // P is at most |w r|_1, so that the sum is needed only where P is tiny.
    let change = if exact(problem, largest / totals.size) {
        let moved = residual.iter().enumerate().map(|(i, r)| problem.weight(i) * r.abs()).collect::<Sum>();
        (moved.value() + allowance) / totals.size * (1.0 + 1e-12)
    } else {
        f64::INFINITY
    };
    let penalised = problem.penalty.iter().any(|&penalty| penalty > 0.0);
    let (kind, bound) = if !penalised && exact(problem, change) && !exact(problem, bound) {
        (Kind::BackwardError, change)
    } else {
        (Kind::DualityGap, bound)
    };
    let certificate = Certificate::new(kind, bound)
        .part("gap", units(gap))
        .part("slack", units(slack))
        .part("infeasibility", units(infeasibility))
        .part("allowance", units(allowance))
        .part("eta", frame.eta);
    // An exact fit is one whatever the columns.
    let proven = frame.proven || kind == Kind::BackwardError;
    let certificate = if proven { certificate } else { certificate.estimate() };
    Ok(Judgement { objective: units(objective), gap: units(gap), certificate, residual, gradient })
}

/// Whether a change of the right sides by this share, of their norm, is no more than rounding x costs: an exact fit.
pub fn exact(problem: &Problem<'_>, change: f64) -> bool {
    let unit = if problem.single { 0.5 * f64::from(f32::EPSILON) } else { U };
    change <= 8.0 * (problem.width() + 4) as f64 * unit
}
