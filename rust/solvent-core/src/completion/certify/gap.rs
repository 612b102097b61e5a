//! The duality gap of the weighted nuclear-norm problem.
//!
//! `min over U V^T = X of (sum a_i |u_i|² + sum b_j |v_j|²)/2 = |D_a^1/2 X D_b^1/2|_*`, so that the factored problem is
//! F(X, beta, gamma) = sum w l(r)/2 + lam |D_a^1/2 X D_b^1/2|_* + lam/2 (sum a beta² + sum b gamma²) with a cap on the
//! rank. For every Z on the pattern with |D_a^-1/2 Z D_b^-1/2|_2 <= lam and, for a robust loss, |z| <= w delta,
//!
//! D(Z) = <Z, Y - mean> - sum z²/(2 w) - [sum_i (Z 1)_i²/a_i + sum_j (Z^T 1)_j²/b_j]/(2 lam) <= min F
//!
//! (without the bracket where there are no biases). Here Z = t w psi(R), and D is a quadratic in t.
//!
//! The bound is relative to max(F, u sum w y²/2): an objective below the rounding of the data is not told from zero.
//!
//! F is bounded from above in factored form: with X = U S V^T, u = U S^1/2 G and v = V S^1/2 H the nuclear norm is at most
//! (sum a |u|² + sum b |v|²)/2 + |I - G H^T|_F |D_a^1/2 U S^1/2|_F |D_b^1/2 V S^1/2|_F.

use super::matrix::Dual;
use super::norm::{DENSE, DENSE_AGAIN, DENSE_FULL, NormBound, Purpose, dense, lanczos};
use super::residual::Residuals;
use super::{Depth, Evidence, U, gamma};
use crate::base::certificate::{Certificate, Kind};
use crate::base::dense::{Matrix, Onto, Qr, Triangle, gemm, solve_triangular, svd};
use crate::base::monitor::Monitor;
use crate::base::sparse::SparseView;
use crate::base::sum::{Sum, two_sum};
use crate::completion::CompletionError;
use crate::completion::entry::Entry;
use crate::completion::factor::Factor;
use crate::completion::payload::Payload;

/// Directions of the factors below this part of the largest are not deflated.
const DIRECTION: f64 = 1e-7;
/// A norm no further above lam says that no direction is missing.
const SUFFICIENT: f64 = 1e-6;
/// Multiplications that the dense Gram matrix may cost.
const DENSE_WORK: f64 = 4e9;

/// What the factors span, and their nuclear norm from above.
pub struct Span {
    /// Orthonormal basis of the left factor, scaled by the penalties.
    pub qu: Matrix<f64>,
    /// Of the right one.
    pub qv: Matrix<f64>,
    /// The singular values that belong to them.
    pub s: Vec<f64>,
    /// The nuclear norm, from above.
    pub nuclear: f64,
}

/// The penalties of rows and columns.
pub fn penalties<T: Entry>(evidence: &Evidence<'_, T>) -> (Vec<f64>, Vec<f64>) {
    let entries = &evidence.entries;
    if !evidence.penalty.count {
        return (vec![1.0; entries.rows()], vec![1.0; entries.columns()]);
    }
    let rows = (0..entries.rows()).map(|i| entries.range(i).len() as f64).collect();
    let columns = super::pattern::column_counts(entries).into_iter().map(|c| c as f64).collect();
    (rows, columns)
}

/// `sum_i a_i |x_i|²` with a relative error below (k + 24) u.
fn weighted_square(a: &[f64], x: &Factor<f64>) -> f64 {
    let mut sum = Sum::new();
    for (i, &a) in a.iter().enumerate() {
        // A row's squares are all positive: plain sums of them are good to k u.
        let mut squares = [0.0; 8];
        for line in x.row(i).chunks_exact(8) {
            for l in 0..8 {
                squares[l] += line[l] * line[l];
            }
        }
        sum.add_product(a, squares.into_iter().sum::<f64>());
    }
    sum.value()
}

fn frobenius(x: &Matrix<f64>) -> f64 {
    crate::base::sum::norm2(x.as_slice())
}

impl Span {
    /// The balanced factors of `D_a^1/2 U S V^T D_b^1/2`.
    pub fn new(u: &Factor<f64>, v: &Factor<f64>, a: &[f64], b: &[f64]) -> Result<Self, CompletionError> {
        let k = u.width();
        let relative = 1.0 + (k as f64 + 32.0) * U;
        let plain = 0.5 * (weighted_square(a, u) + weighted_square(b, v)) * relative;
        let none = |x: &Factor<f64>| Matrix::zeros(x.rows(), 0);
        if k == 0 {
            return Ok(Self { qu: none(u), qv: none(v), s: Vec::new(), nuclear: 0.0 });
        }
        let rooted =
            |w: &[f64], x: &Factor<f64>| Matrix::from_fn(x.rows(), k, |i, l| w[i].sqrt() * x.row(i)[l]);
        let (left, right) = match (Qr::new(rooted(a, u).view()), Qr::new(rooted(b, v).view())) {
            (Ok(left), Ok(right)) => (left, right),
            _ => return Ok(Self { qu: none(u), qv: none(v), s: Vec::new(), nuclear: plain }),
        };
        let (ra, rb) = (left.r(), right.r());
        let mut core = Matrix::zeros(ra.rows(), rb.rows());
        gemm(&mut core, Onto::Replace, 1.0, ra.view(), rb.view().transpose());
        let parts = svd(core.view())?;
        let first = parts.s.first().copied().unwrap_or(0.0);
        let kept = parts.s.iter().filter(|&&s| s > DIRECTION * first).count();
        let basis = |q: Matrix<f64>, x: &Matrix<f64>| {
            let x = Matrix::from_fn(x.rows(), kept, |i, l| x.get(i, l));
            let mut out = Matrix::zeros(q.rows(), kept);
            gemm(&mut out, Onto::Replace, 1.0, q.view(), x.view());
            out
        };
        let (qu, qv) = (basis(left.q(), &parts.u), basis(right.q(), &parts.v));
        let mut nuclear = plain;
        if ra.rows() == k && rb.rows() == k {
            let balanced = balanced(u, v, (a, b), (&ra, &rb), (&parts.u, &parts.s, &parts.v));
            if balanced < nuclear {
                nuclear = balanced;
            }
        }
        Ok(Self { qu, qv, s: parts.s[..kept].to_vec(), nuclear })
    }
}

/// The nuclear norm from above by the balancing pair `G = Ra^-1 P Sigma^1/2`, `H = Rb^-1 Q Sigma^1/2`.
fn balanced(
    u: &Factor<f64>,
    v: &Factor<f64>,
    (a, b): (&[f64], &[f64]),
    (ra, rb): (&Matrix<f64>, &Matrix<f64>),
    (p, s, q): (&Matrix<f64>, &[f64], &Matrix<f64>),
) -> f64 {
    let k = u.width();
    let pair = |r: &Matrix<f64>, x: &Matrix<f64>| {
        let mut g = Matrix::from_fn(k, k, |i, l| x.get(i, l) * s[l].max(0.0).sqrt());
        solve_triangular(r.view(), Triangle::Upper, &mut g);
        g
    };
    let (g, h) = (pair(ra, p), pair(rb, q));
    let mut lack = Matrix::identity(k);
    gemm(&mut lack, Onto::Add, -1.0, g.view(), h.view().transpose());
    let (gn, hn) = (frobenius(&g), frobenius(&h));
    let order = k as f64;
    let up = 1.0 + (order + 32.0) * U;
    let (un, vn) = ((weighted_square(a, u) * up).sqrt(), (weighted_square(b, v) * up).sqrt());
    // Rounding: of G H^T, gamma_k |G|_F |H|_F; of u = (U S^1/2) G, gamma_(k+4) |U S^1/2|_F |G|_F.
    let lack = frobenius(&lack) * up + gamma(order + 4.0) * (gn * hn + order.sqrt());
    let side = |w: &[f64], x: &Factor<f64>, g: &Matrix<f64>, norm: f64, gn: f64| {
        let turned = (weighted_square(w, &x.times(g)) * up).sqrt() + gamma(order + 4.0) * norm * gn;
        turned * turned
    };
    let sum = 0.5 * (side(a, u, &g, un, gn) + side(b, v, &h, vn, hn)) + lack * un * vn;
    let bound = sum * (1.0 + 16.0 * U);
    if bound.is_finite() { bound } else { f64::INFINITY }
}

/// `sum_i (Z 1)_i² / a_i` over the rows of `z`, whose entries stand at these places, from above.
fn row_sums(entries: &SparseView<'_, f64>, order: Option<&[usize]>, z: &[f64], a: &[f64]) -> f64 {
    let mut total = 0.0;
    for i in 0..entries.rows() {
        let range = entries.range(i);
        if range.is_empty() {
            continue;
        }
        // The errors of the additions are known exactly; only their own sum is rounded.
        let (mut sum, mut error, mut moduli) = (0.0, 0.0, 0.0);
        for e in range.clone() {
            let (next, lost) = two_sum(sum, z[order.map_or(e, |order| order[e])]);
            (sum, error, moduli) = (next, error + lost, moduli + lost.abs());
        }
        let value = (sum + error).abs() * (1.0 + 4.0 * U) + 2.0 * gamma(range.len() as f64) * moduli;
        total += value * value / a[i];
    }
    total * (1.0 + 2.0 * gamma(entries.rows() as f64 + 8.0))
}

/// Chooses how the norm is bounded.
fn norm_bound(
    dual: &Dual,
    span: &Span,
    purpose: &Purpose<'_>,
    depth: Depth,
    monitor: &mut Monitor<'_>,
) -> Result<NormBound, CompletionError> {
    let small = dual.rows.columns.min(dual.columns.columns);
    let by_rows = dual.rows.columns <= dual.columns.columns;
    let lines = if by_rows { &dual.rows } else { &dual.columns };
    let work: f64 = lines.indptr.windows(2).map(|p| ((p[1] - p[0]) as f64).powi(2)).sum();
    let affordable = work <= DENSE_WORK;
    if affordable && (small <= DENSE || (depth.full && small <= DENSE_FULL)) {
        return dense(dual);
    }
    let bases = (&span.qu, &span.qv);
    let random = (depth.seed, depth.evaluation);
    let again = affordable && small <= DENSE_AGAIN;
    match lanczos(dual, bases, purpose, random, again, monitor)? {
        Some(found) => Ok(found),
        None => dense(dual),
    }
}

/// Both sides of the gap, where the dual's is still to be scaled by a norm.
pub struct Sides {
    /// The objective, from above.
    pub primal: f64,
    /// `<Z, Y - mean>` from below and `sum z²/w`, with the bracket of the biases, from above.
    inner: f64,
    quadratic: f64,
    /// What the norm should not exceed.
    pub lam: f64,
    /// Whether |z| <= w delta is at its limit.
    capped: bool,
    /// Objectives below it are all alike.
    floor: f64,
}

impl Sides {
    /// From the sums over the entries and the nuclear norm.
    pub fn new<T: Entry>(
        evidence: &Evidence<'_, T>,
        payload: &Payload<T>,
        residuals: &Residuals,
        (a, b): (&[f64], &[f64]),
        (dual, nuclear): (&Dual, f64),
    ) -> Self {
        let penalty = &evidence.penalty;
        let unit = residuals.unit;
        // Scaling the data by s scales F by s²: the nuclear norm's weight by s, the biases' not at all.
        let (lam, ridge) = (penalty.lam * unit, penalty.lam);
        let mut primal = residuals.loss + residuals.loss_slack + lam * nuclear * (1.0 + 4.0 * U);
        let mut quadratic = residuals.quadratic;
        if let Some((row, column)) = &payload.bias {
            let square = |w: &[f64], x: &[T]| -> f64 {
                let mut sum = Sum::new();
                for (&w, x) in w.iter().zip(x) {
                    let x = x.to_f64() * unit;
                    sum.add_product(w * x, x);
                }
                sum.value() * (1.0 + 32.0 * U)
            };
            primal += 0.5 * ridge * (square(a, row) + square(b, column));
            let z = &residuals.z;
            let sums = row_sums(&dual.rows.view(), None, z, a)
                + row_sums(&dual.columns.view(), Some(&dual.order), z, b);
            quadratic += sums / ridge * (1.0 + 8.0 * U);
        }
        Self {
            primal: primal * (1.0 + 16.0 * U),
            inner: residuals.inner - residuals.inner_slack,
            quadratic,
            lam,
            capped: penalty.delta.is_some(),
            floor: U * residuals.energy,
        }
    }

    /// The dual's value where the norm is at most this.
    pub fn dual(&self, norm: f64) -> f64 {
        let mut most = if norm > 0.0 { self.lam / norm * (1.0 - 4.0 * U) } else { f64::INFINITY };
        if self.capped {
            most = most.min(1.0);
        }
        let best = if self.quadratic > 0.0 { (self.inner / self.quadratic).max(0.0) } else { 0.0 };
        let t = if best.is_finite() { best.min(most) } else { 0.0 };
        let (gain, cost) = (t * self.inner, 0.5 * t * t * self.quadratic);
        // Z = 0 is always admissible; `max` takes 0 where the sum is nan.
        (gain - cost - 8.0 * U * (gain.abs() + cost)).max(0.0)
    }

    /// The gap beside this value, and its part of the objective.
    pub fn gap(&self, dual: f64) -> (f64, f64) {
        let value = self.primal.max(self.floor).max(f64::MIN_POSITIVE);
        let gap = (self.primal - dual) * (1.0 + 4.0 * U);
        let relative = if self.primal > 0.0 { gap / value * (1.0 + 4.0 * U) } else { 0.0 };
        (gap, if relative.is_nan() { f64::INFINITY } else { relative })
    }
}

/// The certificate.
pub fn certificate<T: Entry>(
    evidence: &Evidence<'_, T>,
    payload: &Payload<T>,
    residuals: &Residuals,
    depth: Depth,
    monitor: &mut Monitor<'_>,
) -> Result<Certificate, CompletionError> {
    let (a, b) = penalties(evidence);
    let span = Span::new(&residuals.u, &residuals.v, &a, &b)?;
    let dual = Dual::new(&evidence.entries, &residuals.z, (&a, &b));
    let sides = Sides::new(evidence, payload, residuals, (&a, &b), (&dual, span.nuclear));
    let (lam, unit) = (sides.lam, residuals.unit);
    // The entries of the scaled dual were rounded three times.
    let stored = 4.0 * U * dual.norm;
    let relative = |norm: f64| sides.gap(sides.dual(norm + stored)).1;
    let slack = depth.tol.max(SUFFICIENT);
    let purpose = Purpose { gap: &relative, tol: depth.tol, lam, slack };
    let norm = norm_bound(&dual, &span, &purpose, depth, monitor)?;
    let bound = norm.bound + stored;
    let lower = sides.dual(bound);
    let (gap, relative) = sides.gap(lower);
    let squared = unit * unit;
    let distance = if evidence.penalty.delta.is_none() { (2.0 * gap).sqrt() / unit } else { f64::NAN };
    let ratio = bound / lam;
    let first = norm.mixed.max((norm.inside - lam).max(0.0)) / lam;
    let certificate = Certificate::new(Kind::NuclearGap, relative)
        .failing_with(norm.failure)
        .part("residual", relative_norm(residuals))
        .part("first_order", first)
        .part("gap", gap / squared)
        .part("norm_ratio", ratio)
        .part("deflated_ratio", norm.rest / lam)
        .part("primal", sides.primal / squared)
        .part("dual", lower / squared)
        .part("seed", depth.seed as f64)
        .part("evaluation", f64::from(depth.evaluation))
        .part("distance_bound", distance)
        .part("rank_sufficient", if ratio <= 1.0 + slack { 1.0 } else { 0.0 });
    Ok(certificate)
}

/// `|r| / |P(Y)|`, floored.
pub fn relative_norm(residuals: &Residuals) -> f64 {
    residuals.norm / residuals.data.max(f64::MIN_POSITIVE)
}
