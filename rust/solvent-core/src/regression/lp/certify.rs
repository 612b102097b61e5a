//! The bound that (x, a) prove, for any a whatever.
//!
//! With rows weighted by `v_i = w_i^(1/p)`, `y = a/v`, q = p/(p - 1), r = b - A x, P = |v r|_p and s = A^T a,
//!
//! `|y|_q OPT >= a^T (b - A x*) = a^T r - s^T (x* - x)` (Hölder), `|s^T z| <= K(s) |v A z|_2 <= K(s) c_p |v A z|_p <=
//! K(s) c_p 2 P`, `c_p = 1` (p <= 2), `n^(1/2 - 1/p)` (p > 2); so `P - OPT <= P - (a^T r - 2 c_p K(s) P)/|y|_q`.
//!
//! Rounding, relative to P: residuals in double-double and then rounded, 1 u; a power, its argument's quotient and its
//! exponent, `(1 + 3/p + ln(n)/p + 2) u` after the root, the same for |y|_q, where q is rounded down, which makes the norm
//! larger; a^T r by Hölder 2 u; weights, `(4 + max |ln w|) u`, twice. [`ALLOWANCE`] and the logarithms cover them.

use crate::base::buffer::Buffer;
use crate::base::certificate::{Certificate, Kind};
use crate::base::monitor::Monitor;
use crate::base::sum::{Dd, Sum};
use crate::regression::quantile::certify::exact;
use crate::regression::quantile::design::{GROUP, TILE, padded, panel_rows};
use crate::regression::quantile::exact::{Expose, chain};
use crate::regression::quantile::factor::U;
use crate::regression::quantile::kernels::Panel;
use crate::regression::quantile::{Frame, Problem, QuantileError};
use solvent_simd::dispatch;

/// Roundings of the two norms and the product, but for logarithms.
const ALLOWANCE: f64 = 40.0;

/// What (x, a) prove.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The norm of the residual, in the caller's units.
    pub objective: f64,
    /// It is at most this above the least one.
    pub gap: f64,
    /// The bound and what it was made of.
    pub certificate: Certificate,
    /// Weighted residuals in the problem's units.
    pub residual: Vec<f64>,
}

/// `(sum |x_i|^p)^(1/p)`, scaled by the largest; each power by the platform's, accurate to an ulp.
fn norm(x: &[f64], p: f64) -> f64 {
    let largest = x.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    if largest == 0.0 || p.is_infinite() || !largest.is_finite() {
        return largest;
    }
    let sum: Sum = x.iter().map(|v| (v.abs() / largest).powf(p)).collect();
    largest * sum.value().powf(1.0 / p)
}

/// Judges x and a as the caller has them. `problem` holds the weights `w^(1/p)`.
pub fn certify(
    problem: &Problem<'_>,
    frame: &Frame,
    p: f64,
    x: &[f64],
    dual: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<Judgement, QuantileError> {
    let (n, width) = (problem.rows(), problem.width());
    let x = problem.from_caller(x);
    let stride = panel_rows(width);
    let mut gradient = vec![Dd::ZERO; width];
    let mut residual = Vec::with_capacity(n);
    let part = |rows: std::ops::Range<usize>| {
        let mut gradient = vec![Dd::ZERO; width];
        let mut residual = vec![0.0; padded(rows.len())];
        let mut panel = Buffer::zeros(stride * width);
        let (mut y, mut own, rest) = (vec![0.0; stride], vec![0.0; stride], vec![0.0; stride]);
        for start in rows.clone().step_by(stride) {
            let count = (rows.end - start).min(stride);
            let m = padded(count);
            problem.design.fill(|i| start + i, count, stride, &mut panel);
            y[..count].copy_from_slice(&problem.b[start..start + count]);
            for i in 0..count {
                // Rows without weight have no dual.
                own[i] = if problem.weight(start + i) > 0.0 { dual[start + i] } else { 0.0 };
            }
            y[count..m].fill(0.0);
            own[count..m].fill(0.0);
            let at = start - rows.start;
            dispatch(Expose {
                panel: Panel { x: &panel, stride, m, d: width },
                x: &x,
                y: &y,
                dual: &own,
                rest: &rest,
                residual: &mut residual[at..at + m],
                gradient: &mut gradient,
            });
        }
        residual.truncate(rows.len());
        (gradient, residual)
    };
    monitor.fold_blocks(n, stride * GROUP, 64, part, |own| -> Result<(), QuantileError> {
        let (g, r): (Vec<Dd>, Vec<f64>) = own;
        gradient.iter_mut().zip(g).for_each(|(t, g)| *t = *t + g);
        residual.extend_from_slice(&r);
        Ok(())
    })?;

    // q, rounded down.
    let conjugate = if p == 1.0 { f64::INFINITY } else { (p / (p - 1.0) * (1.0 - 4.0 * U)).max(1.0) };
    let mut product = Sum::new();
    let mut scaled = vec![0.0; n];
    let mut logarithm = 0.0f64;
    for i in 0..n {
        let weight = problem.weight(i);
        if weight > 0.0 {
            product.add_product(dual[i], residual[i]);
            scaled[i] = dual[i] / weight;
            logarithm = logarithm.max((weight / problem.unit_w).ln().abs());
        }
        residual[i] *= weight;
    }
    let objective = norm(&residual, p);
    let sides: Vec<f64> = (0..n).map(|i| problem.weight(i) * problem.b[i]).collect();
    let size = norm(&sides, p);
    let length = norm(&scaled, conjugate);
    let (product, largest) = (product.value(), objective * (1.0 + 1e-13));

    let groups = n.div_ceil(stride * GROUP) as f64;
    let additions = groups + (n.div_ceil(stride) * TILE) as f64;
    // |ds_j| <= share sum |a_i a_ij| <= share |a/v|_2 |v a_j|_2.
    let share = (2.0 * (chain(stride) + 16.0).powi(2) + 3.0 * (additions + 8.0)) * U * U;
    let spread = norm(&scaled, 2.0) * (1.0 + 1e-12);
    let doubt: Vec<f64> = frame.norms.iter().map(|norm| share * spread * norm).collect();
    let factor = if p > 2.0 { (n as f64).powf(0.5 - 1.0 / p) } else { 1.0 };
    let infeasibility = frame.dual_norm(&gradient, &doubt) * 2.0 * factor * largest * (1.0 + 1e-12);

    let through: f64 = x.iter().zip(&frame.norms).map(|(x, norm)| x.abs() * norm).sum();
    let root = (n as f64).sqrt();
    let weights = if problem.w.is_some() { 2.0 * (4.0 + logarithm * p.max(1.0)) } else { 0.0 };
    let roundings = ALLOWANCE + 2.0 * (n.max(1) as f64).ln() + weights;
    // |v dr|_p <= n^max(0, 1/p - 1/2) |v dr|_2 <= sqrt(n) |v dr|_2.
    let residuals = 4.0 * ((width + 16) as f64 * U).powi(2) * root * (root * size + through);
    let allowance = roundings * U * objective + residuals;
    let lower = if length > 0.0 { (product - infeasibility) / length } else { 0.0 };
    let below = objective - lower;
    let gap = if objective == 0.0 {
        allowance
    } else if below.is_finite() {
        below.max(0.0).min(largest) + allowance
    } else {
        largest + allowance
    };
    let scale = objective.max(U * size);
    let bound = if gap == 0.0 { 0.0 } else { gap / scale * (1.0 + 16.0 * U) };
    let bound = if bound.is_nan() { f64::INFINITY } else { bound };
    let units = |value: f64| problem.objective(value);
    // As for quantiles: the right sides that x fits exactly.
    let change = (largest * (1.0 + roundings * U) + residuals) / size * (1.0 + roundings * U);
    let (kind, bound) = if exact(problem, change) && !exact(problem, bound) {
        (Kind::BackwardError, change)
    } else {
        (Kind::DualityGap, bound)
    };
    let certificate = Certificate::new(kind, bound)
        .part("gap", units(gap))
        .part("infeasibility", units(if length > 0.0 { infeasibility / length } else { 0.0 }))
        .part("allowance", units(allowance))
        .part("eta", frame.eta);
    let proven = frame.proven || kind == Kind::BackwardError;
    let certificate = if proven { certificate } else { certificate.estimate() };
    Ok(Judgement { objective: units(objective), gap: units(gap), certificate, residual })
}
