//! What a point proves about itself: bounds on its backward and forward error from one pass over the rows.
//!
//! With `theta = |A|_F/|b|`, `t = 1/hypot(1/theta, |x|)`, `phi = t |r|`, `g = Aᵀ r`, `w_0 = t |(Aᵀ A + phi² I)^(-1/2) g|`:
//! the smallest `|[dA, theta db]|_F` for which x is an exact solution lies in `[w_0, w_0 / sqrt(1 - w_0²/phi²)]`, at most
//! `sqrt 2 w_0`, and is at most `min(phi, |g|/|r|)` (Walden, Karlson & Sun, Numer. Linear Algebra Appl. 2 (1995) 271;
//! Gratton, Jiránek & Titley-Peloquin, SIAM J. Matrix Anal. Appl. 33 (2012) 822). The derivation with every allowance is
//! in `docs/derivations/regression.md`.
//!
//! All numbers are in global coordinates (see [`scaling`](super::scaling)).

use super::factor::{Factor, SUPPOSED};
use super::minimum_norm::Range;
use super::passes::residual::{GRADIENT_TERMS, dot_terms};
use super::scaling::{Moments, gamma};
use crate::base::dense::{Cholesky, Matrix, Qr, Triangle, solve_triangular};
use crate::base::sum::{Dd, dot2, norm2, two_prod, two_sum};

/// Half an ulp of 1.
const U: f64 = 0.5 * f64::EPSILON;

/// Covers roundings of the certificate's own evaluation.
const UP: f64 = 1.0 + 1e-6;

/// What is known of A beside the Gram matrix.
#[derive(Debug, Clone)]
pub enum Core {
    /// A factor of all columns.
    Full(Factor),
    /// Dependent columns: the range of A.
    Dependent(Range),
    /// Nothing was to be factorised.
    Empty,
}

/// One right side's point with its residual and gradient, balanced.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The point.
    pub y: &'a [f64],
    /// `A'ᵀ (b' - A' y)`, ridge included.
    pub gradient: &'a [f64],
    /// `|b' - A' y|`, ridge included.
    pub residual: f64,
    /// The right side's index.
    pub side: usize,
}

/// A judgement of one right side.
#[derive(Debug, Clone, Default)]
pub struct Judgement {
    /// The bound.
    pub bound: f64,
    /// Whether theorem and allowances cover it.
    pub rigorous: bool,
    /// The part of the bound that is proven.
    pub rigorous_bound: f64,
    /// What the bound would be if the factor were as good as they usually are; infinite where nothing is gained.
    pub estimate: f64,
    /// `t w / |A|_F` from the computed gradient alone.
    pub measured: f64,
    /// What rounding may add to it.
    pub allowance: f64,
    /// Bound on `|A (x - x*)|`, in the right side's scale; infinite where none is known.
    pub energy: f64,
    /// Bounds of the coefficients, balanced; for the forward error.
    pub coefficients: Vec<f64>,
}

impl Judgement {
    /// Nothing is known.
    fn open() -> Self {
        let open = f64::INFINITY;
        Self {
            bound: open,
            rigorous_bound: open,
            estimate: open,
            rigorous: true,
            energy: open,
            ..Self::default()
        }
    }
}

/// Norms that the bounds share.
struct Sizes {
    x: f64,
    /// `sum_j |x_j| |a_j|`.
    reach: f64,
    b: f64,
    frobenius: f64,
    t: f64,
}

impl Sizes {
    fn new(moments: &Moments, y: &[f64], side: usize) -> Self {
        let x = global_size(moments, y);
        let reach = y.iter().zip(&moments.norms).map(|(y, n)| y.abs() * n).sum::<f64>() * UP;
        let (b, frobenius) = (moments.side_norms[side], moments.frobenius);
        // |x| enters below: rounded down, t comes out too large, never too small.
        let t = 1.0 / (b / frobenius).hypot(x * (1.0 - 1e-12));
        Self { x, reach, b, frobenius, t }
    }
}

/// Norm of balanced coefficients in global coordinates, where they may be huge.
fn global_size(moments: &Moments, y: &[f64]) -> f64 {
    let global: Vec<f64> = y.iter().enumerate().map(|(j, y)| y / moments.weight(j)).collect();
    norm2(&global)
}

/// Norm of a balanced gradient in global coordinates.
pub(super) fn global_norm(moments: &Moments, g: &[f64]) -> f64 {
    g.iter().enumerate().map(|(j, g)| (g * moments.weight(j)).powi(2)).sum::<f64>().sqrt()
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn norm_dd(v: &[Dd]) -> f64 {
    v.iter().map(|v| v.hi * v.hi).sum::<f64>().sqrt()
}

/// The backward error. `thorough` = false leaves out the d³ work: a valid, larger bound.
///
/// Its third term bounds `w = |(Aᵀ A + mu² I)^(-1/2) g|` by any vector z at all: with `g = Aᵀ p + q`, `p = A z` and
/// `q = g - Aᵀ A z`, `w² <= |p|² + |q|²/mu²`, because `[Aᵀ, mu I]` has norm 1 in that metric. Both come from the Gram matrix of
/// the first pass, whose rounding counts times the small z. A correction is a good z; the best one solves
/// `(Aᵀ A + mu² I) z = g`.
pub fn backward(
    moments: &Moments,
    core: &Core,
    columns: usize,
    e: Evidence<'_>,
    thorough: bool,
) -> Judgement {
    let s = Sizes::new(moments, e.y, e.side);
    if s.x == 0.0 && (s.b == 0.0 || s.frobenius == 0.0) {
        // x = 0 solves it exactly: b is zero, or every column is.
        return Judgement { rigorous: true, ..Judgement::default() };
    }
    if !(s.t > 0.0 && s.x.is_finite()) {
        // Coefficients beyond the range of doubles: nothing can be said.
        return Judgement::open();
    }
    let (dr, c) = allowances(&s, columns);
    let (low, high) = (((e.residual * (1.0 - c)) - dr).max(0.0), e.residual * (1.0 + c) + dr);
    let g = global_norm(moments, e.gradient);
    let sum_error = c * s.frobenius * e.residual;
    let first = s.t * high;
    let second = if low > 0.0 { (g + s.frobenius * dr + sum_error) / low } else { f64::INFINITY };
    let proven = UP * first.min(second) / s.frobenius;
    let mut out = Judgement { bound: proven, rigorous_bound: proven, ..Judgement::open() };
    if low == 0.0 {
        return out;
    }
    let mu = s.t * low;
    let mut w = g / mu;
    let correction = match core {
        Core::Empty => None,
        Core::Full(factor) => Some(factor.solve(e.gradient)),
        Core::Dependent(range) => Some(range.solve(e.gradient, moments)),
    };
    if let Some(z) = correction.filter(|_| moments.gram.is_some()) {
        w = w.min(parted(moments, e.gradient, &z, mu));
    }
    let measured = match core {
        Core::Full(factor) if factor.eta < 0.5 => Some(factor),
        _ => None,
    };
    let over = |v: f64, factor: &Factor| v * UP / (1.0 - factor.eta).sqrt();
    let whitened = |factor: &Factor| {
        let g: Vec<Dd> = e.gradient.iter().map(|&g| Dd::from(g)).collect();
        norm_dd(&factor.whiten(&g)) * UP
    };
    let allowance = dr + sum_error / mu;
    if let Some(factor) = measured.filter(|_| moments.gram.is_none()) {
        w = w.min(over(whitened(factor), factor));
    }
    // What the allowance lets through no better z can mend.
    if thorough
        && w > 0.01 * allowance
        && let Some(z) = damped_step(moments, e.gradient, mu)
    {
        w = w.min(parted(moments, e.gradient, &z, mu));
    }
    if thorough
        && w > 0.01 * allowance
        && let Some(factor) = measured
    {
        let damped = damp(factor, moments, e.gradient, mu).unwrap_or(f64::INFINITY);
        w = w.min(over(damped.min(whitened(factor)), factor));
    }
    let bound = |w: f64| {
        let total = w * UP + allowance;
        let ratio = total / low;
        let damping = if ratio < std::f64::consts::FRAC_1_SQRT_2 {
            1.0 / (1.0 - ratio * ratio).sqrt()
        } else {
            std::f64::consts::SQRT_2
        };
        UP * damping * s.t * total / s.frobenius
    };
    out.measured = s.t * w / s.frobenius;
    out.allowance = s.t * allowance / s.frobenius;
    let third = bound(w);
    // Not where it is nan.
    if third < out.bound {
        (out.bound, out.rigorous_bound) = (third, third);
    }
    if thorough
        && let Core::Full(factor) = core
        && factor.eta >= 0.5
    {
        let damped = damp(factor, moments, e.gradient, mu).unwrap_or(f64::INFINITY);
        out.estimate = bound(damped.min(whitened(factor)) / (1.0 - SUPPOSED).sqrt());
    }
    out
}

/// A point near one that was read, judged without a pass of its own.
#[derive(Debug, Clone)]
pub struct Near {
    /// Its judgement.
    pub judged: Judgement,
    /// Its gradient.
    pub gradient: Vec<f64>,
    /// The norm of its residual.
    pub length: f64,
}

/// The backward error of a point a step z away from the one of the evidence: `g - Aᵀ A z` is its gradient. With the full
/// correction `zeta` the parts of that are `p = A (zeta - z)`, of the size of the point's rounding, and `q = g - Aᵀ A zeta`. So the
/// pass of a refinement step certifies where the step leads, once steps are so small that the rounding of the Gram matrix
/// times them is nothing. `None` where they are not.
pub fn backward_near(
    moments: &Moments,
    factor: &Factor,
    columns: usize,
    e: Evidence<'_>,
    point: &[f64],
) -> Option<Near> {
    moments.gram.as_ref()?;
    let s = Sizes::new(moments, point, e.side);
    let (dr, c) = allowances(&Sizes::new(moments, e.y, e.side), columns);
    let z: Vec<f64> = point.iter().zip(e.y).map(|(x, y)| x - y).collect();
    let zeta = factor.solve(e.gradient);
    let rest: Vec<f64> = zeta.iter().zip(&z).map(|(a, b)| a - b).collect();
    let gz = product(moments, &z);
    let step = moved(moments, &z, &gz);
    let low = e.residual * (1.0 - c) - dr - step;
    // Also where something is not a number.
    if !(low > 0.5 * e.residual && s.t > 0.0 && s.t.is_finite() && s.x.is_finite() && s.b > 0.0) {
        return None;
    }
    let mu = s.t * low;
    let (_, q) = parts(moments, e.gradient, &zeta, |j| moments.weight(j), moments.frobenius);
    // The differences were rounded.
    let off = 2.0 * U * (reach(moments, &z) + reach(moments, &rest));
    let left = moved(moments, &rest, &product(moments, &rest)) + off;
    let w = UP * left.hypot(q / mu);
    let allowance = dr + c * s.frobenius * e.residual / mu;
    let total = w + allowance;
    let ratio = total / low;
    // Only what is as good as another pass could make it: the rest of the bound is that of the pass.
    if ratio.is_nan() || ratio > 0.5 || w > allowance {
        return None;
    }
    let bound = UP * s.t * total / (1.0 - ratio * ratio).sqrt() / s.frobenius;
    let gradient: Vec<f64> = e.gradient.iter().zip(&gz).map(|(g, p)| g - p).collect();
    let square = e.residual * e.residual - 2.0 * dot2(&z, e.gradient) + dot2(&z, &gz);
    let judged = Judgement {
        bound,
        rigorous_bound: bound,
        measured: s.t * w / s.frobenius,
        allowance: s.t * allowance / s.frobenius,
        ..Judgement::open()
    };
    Some(Near { judged, gradient, length: square.max(0.0).sqrt() })
}

/// What a plain pass may be off by: the residual's norm, and a component of the gradient relative to `|a_j| |r|`.
fn allowances(s: &Sizes, columns: usize) -> (f64, f64) {
    (gamma(dot_terms(columns) + 2) * s.reach + 3.0 * U * s.b, gamma(GRADIENT_TERMS + 3))
}

/// `G z` as computed in twice the precision and rounded: off by `gamma_(terms + 3) |a_j| sum_k |a_k| |z_k|` for what it is to be.
fn product(moments: &Moments, z: &[f64]) -> Vec<f64> {
    let (n, gram) = (moments.order(), moments.whole());
    let (mut head, mut tail) = (vec![0.0; n], vec![0.0; n]);
    for (k, &z) in z.iter().enumerate() {
        for ((h, t), &a) in head.iter_mut().zip(&mut tail).zip(gram.column(k)) {
            let (p, low) = two_prod(a, z);
            let (sum, error) = two_sum(*h, p);
            *h = sum;
            *t += error + low;
        }
    }
    head.iter().zip(&tail).map(|(h, t)| h + t).collect()
}

/// Bound of `sum_j |z_j| |a_j|`.
fn reach(moments: &Moments, z: &[f64]) -> f64 {
    z.iter().zip(&moments.norms).map(|(z, n)| z.abs() * n).sum::<f64>() * UP
}

/// Bound of `|A z|` from `G z`.
fn moved(moments: &Moments, z: &[f64], gz: &[f64]) -> f64 {
    let square = dot2(z, gz);
    UP * (square.max(0.0) + gamma(moments.terms + 4) * reach(moments, z).powi(2)).sqrt()
}

/// Bounds of `|A z|` and of `|g - Aᵀ A z|` by the Gram matrix, the second in the weights given, `size` the norm of the column
/// norms in them.
fn parts(moments: &Moments, g: &[f64], z: &[f64], weight: impl Fn(usize) -> f64, size: f64) -> (f64, f64) {
    let gz = product(moments, z);
    let error = gamma(moments.terms + 4) * reach(moments, z);
    let norm =
        |v: &dyn Fn(usize) -> f64| (0..g.len()).map(|j| (v(j) * weight(j)).powi(2)).sum::<f64>().sqrt();
    let rest = norm(&|j| g[j] - gz[j]) + 2.0 * U * norm(&|j| g[j]) + error * size;
    (moved(moments, z, &gz), UP * rest)
}

/// Bound on `|(Aᵀ A + mu² I)^(-1/2) g|` by a vector z; nan or infinite where z is, and infinite without a Gram matrix.
fn parted(moments: &Moments, g: &[f64], z: &[f64], mu: f64) -> f64 {
    if moments.gram.is_none() {
        return f64::INFINITY;
    }
    let (moved, rest) = parts(moments, g, z, |j| moments.weight(j), moments.frobenius);
    UP * moved.hypot(rest / mu)
}

/// `(G + mu² I)⁻¹ g`, in global coordinates the best step, returned in balanced ones; `None` where the matrix is singular
/// to rounding.
fn damped_step(moments: &Moments, g: &[f64], mu: f64) -> Option<Vec<f64>> {
    let n = moments.order();
    let mut gram = moments.gram.clone()?;
    for j in 0..n {
        let damping = (mu / moments.weight(j)).powi(2);
        gram.set(j, j, gram.get(j, j) + damping);
    }
    let factor = Cholesky::in_place(gram).ok()?;
    let mut z = Matrix::from_column_major(g.to_vec(), n, 1);
    factor.solve(&mut z);
    Some(z.into_vec()).filter(|z| z.iter().all(|z| z.is_finite()))
}

/// What the Gram matrix proves of the least singular value of A', and `|E|` of its Cholesky factor.
///
/// A Cholesky factor of `G - s I` that exists proves that the least eigenvalue of G is at least `s` but for the factor's own
/// rounding (Rump, BIT 46 (2006) 433), and that of `Aᵀ A` but for that of G.
pub fn least(moments: &Moments, core: &Core) -> (f64, f64) {
    let Core::Full(factor) = core else { return (0.0, f64::INFINITY) };
    let Some(mut gram) = moments.gram.clone() else { return (0.0, factor.eta) };
    let n = moments.order();
    let trace: f64 = (0..n).map(|j| gram.get(j, j)).sum::<f64>() * UP;
    let own = gamma(n + 2) * trace;
    let slack = gamma(moments.terms) * trace + own;
    let shift = 0.5 * factor.least(|_| 1.0).powi(2);
    (0..n).for_each(|j| gram.set(j, j, gram.get(j, j) - shift));
    if shift <= 4.0 * slack || Cholesky::in_place(gram).is_err() {
        return (0.0, factor.eta);
    }
    let eta =
        if factor.preconditioner.is_none() { UP * slack / (shift - 2.0 * slack) } else { f64::INFINITY };
    (((shift - slack) * (1.0 - 1e-12)).sqrt(), factor.eta.min(eta))
}

/// Bound on `|A (x* - x)|` for x at `point`, from the evidence of the same or another one and a proven least singular value of
/// A': the correction less the way to the point, and what the correction leaves.
pub fn energy(
    moments: &Moments,
    core: &Core,
    columns: usize,
    e: Evidence<'_>,
    point: &[f64],
    least: f64,
) -> f64 {
    let s = Sizes::new(moments, e.y, e.side);
    if s.b == 0.0 && s.x == 0.0 && point.iter().all(|&x| x == 0.0) {
        return 0.0;
    }
    let Core::Full(factor) = core else { return f64::INFINITY };
    let (dr, c) = allowances(&s, columns);
    let z: Vec<f64> = point.iter().zip(e.y).map(|(x, y)| x - y).collect();
    let (mut bound, mut way) = (f64::INFINITY, 0.0);
    if moments.gram.is_some() {
        let size = norm(&moments.norms) * UP;
        let zeta = factor.solve(e.gradient);
        let (_, q) = parts(moments, e.gradient, &zeta, |_| 1.0, size);
        let rest: Vec<f64> = zeta.iter().zip(&z).map(|(a, b)| a - b).collect();
        let off = 2.0 * U * (reach(moments, &z) + reach(moments, &rest));
        let left = moved(moments, &rest, &product(moments, &rest)) + off;
        bound = UP * (left + dr + (q + c * size * e.residual) / least);
        way = moved(moments, &z, &product(moments, &z)) + off;
    } else if z.iter().any(|&z| z != 0.0) {
        // Without a Gram matrix a point is judged by its own pass.
        return f64::INFINITY;
    }
    if factor.eta < 0.5 {
        let whitened = norm(&factor.down(e.gradient)) * UP;
        let rest = (1.0 + factor.eta).sqrt() * dr + c * e.residual * factor.spread(&moments.norms);
        bound = bound.min(UP * (whitened + rest) / (1.0 - factor.eta).sqrt() + way);
    }
    if bound.is_nan() { f64::INFINITY } else { bound }
}

/// The backward error of y from what a double-double pass found at `y + lo`: residual and gradient of the evidence are
/// those of `y + lo`. No factor enters, so it holds for dependent columns too.
///
/// As in [`backward`], with `z = lo`: `p = A lo`, and q is the gradient at `y + lo`, zero but for rounding where that point
/// solves the problem to twice the precision.
pub fn by_companion(
    moments: &Moments,
    columns: usize,
    e: Evidence<'_>,
    lo: &[f64],
    flushes: usize,
) -> Judgement {
    let s = Sizes::new(moments, e.y, e.side);
    if !(s.t > 0.0 && s.t.is_finite() && s.x.is_finite() && s.frobenius > 0.0) {
        return Judgement::open();
    }
    let away = lo.iter().zip(&moments.norms).map(|(l, n)| l.abs() * n).sum::<f64>() * UP;
    let (c2, c3) = doubled(columns, flushes);
    let c = gamma(GRADIENT_TERMS + 3);
    let dr = c2 * (s.reach + away + s.b);
    let low = (e.residual * (1.0 - c) - dr - away).max(0.0);
    let high = e.residual * (1.0 + c) + dr + away;
    let mu = s.t * low;
    let g = global_norm(moments, e.gradient) * UP;
    let allowance = dr + c3 * s.frobenius * (high + away) / mu;
    let w = away.hypot(g / mu) + allowance;
    let ratio = w / low;
    let damped = if ratio < std::f64::consts::FRAC_1_SQRT_2 {
        w / (1.0 - ratio * ratio).sqrt()
    } else {
        std::f64::consts::SQRT_2 * w
    };
    // Where the residual may be zero the first term is all there is: `f64::min` passes a nan over.
    let bound = UP * s.t * high.min(damped) / s.frobenius;
    if bound.is_nan() {
        return Judgement::open();
    }
    Judgement {
        bound,
        rigorous_bound: bound,
        measured: s.t * away.hypot(g / mu) / s.frobenius,
        allowance: s.t * allowance / s.frobenius,
        ..Judgement::open()
    }
}

/// What double-double passes may be off by: a residual, relative to `sum_j |a_j x_j| + |b|`; a component of the
/// gradient, relative to `|a_j| |r|`.
fn doubled(columns: usize, flushes: usize) -> (f64, f64) {
    let lanes = columns.div_ceil(2).min(dot_terms(columns)) as f64;
    let residual = (lanes + 16.0).powi(2) + columns as f64 + 8.0;
    let gradient = 72f64.powi(2) + 3.0 * flushes as f64 + 64.0;
    (residual * U * U, gradient * U * U)
}

/// Bound on `|H⁻ᵀ h|`, `h = T''ᵀ g''`, H the triangular factor of `[R1; mu T'']`: the gradient in the norm of
/// `(Aᵀ A + mu² I)^(-1/2)`.
///
/// With `v` near `(Hᵀ H)⁻¹ h`, `a ~ R1 v` and `c ~ mu T'' v` as rounded, `h = R1ᵀ a + mu T''ᵀ c + s` defines s, and the norm is at most
/// `|[a + R1⁻ᵀ s; c]|`, because `[R1ᵀ, mu T''ᵀ]` has norm 1 in that metric. So it does not matter how well v was found.
fn damp(factor: &Factor, moments: &Moments, g: &[f64], mu: f64) -> Option<f64> {
    let n = factor.order();
    let weights: Vec<f64> = (0..n).map(|j| moments.weight(j)).collect();
    // T'' exactly: weights are powers of two.
    let t = match &factor.preconditioner {
        None => Matrix::from_fn(n, n, |i, j| if i == j { 1.0 / weights[i] } else { 0.0 }),
        Some(t) => Matrix::from_fn(n, n, |i, j| t.get(i, j) / weights[i]),
    };
    let stacked =
        Matrix::from_fn(2 * n, n, |i, j| if i < n { factor.r1.get(i, j) } else { mu * t.get(i - n, j) });
    let upper = Qr::new(stacked.view()).ok()?.r();
    let h: Vec<Dd> = match &factor.preconditioner {
        None => g.iter().map(|&g| Dd::from(g)).collect(),
        Some(t) => (0..n).map(|k| dot_dd(t.column(k), g)).collect(),
    };
    let mut v = Matrix::from_fn(n, 1, |k, _| h[k].hi);
    solve_triangular(upper.view().transpose(), Triangle::Lower, &mut v);
    solve_triangular(upper.view(), Triangle::Upper, &mut v);
    let times = |m: &Matrix<f64>| {
        let mut out = vec![0.0; n];
        for (k, &v) in v.as_slice().iter().enumerate() {
            out.iter_mut().zip(m.column(k)).for_each(|(o, m)| *o += m * v);
        }
        out
    };
    let (a, mut c) = (times(&factor.r1), times(&t));
    c.iter_mut().for_each(|c| *c *= mu);
    let products = |k: usize| dot_dd(factor.r1.column(k), &a) + dot_dd(t.column(k), &c) * Dd::from(mu);
    let left: Vec<f64> = (0..n).map(|k| (h[k] - products(k)).hi).collect();
    // What is left is rounding, and so small that its own need not be known well.
    let mut rest = Matrix::from_column_major(left, n, 1);
    solve_triangular(factor.r1.view().transpose(), Triangle::Lower, &mut rest);
    let rest = 2.0 * norm(rest.as_slice());
    Some((norm(&a) + rest).hypot(norm(&c)) * UP).filter(|v| v.is_finite())
}

/// A dot product in twice the precision.
fn dot_dd(a: &[f64], b: &[f64]) -> Dd {
    a.iter().zip(b).fold(Dd::ZERO, |sum, (&a, &b)| sum + Dd::product(a, b))
}

/// Where the factor's Gram matrix may be off by this much, relatively, it says nothing of the columns' independence.
/// (Measured: up to 20 at a condition of 1e15, from 4000 on where columns are dependent.)
const SINGULAR: f64 = 100.0;

/// The forward error at `y + lo` from a double-double gradient: bounds of all coefficients, and the largest relative to
/// the norm.
pub fn forward(
    moments: &Moments,
    factor: &Factor,
    columns: usize,
    e: Evidence<'_>,
    lo: &[f64],
    gradient: &[Dd],
    flushes: usize,
) -> Judgement {
    let s = Sizes::new(moments, e.y, e.side);
    let rigorous = factor.eta < 0.5;
    let eta = if rigorous { factor.eta } else { SUPPOSED };
    let (c2, c3) = doubled(columns, flushes);
    // The plain residual norm is only a size here.
    let high = e.residual * (1.0 + gamma(GRADIENT_TERMS + 3)) + c2 * (s.reach + s.b);
    let spread = factor.spread(&moments.norms);
    let dg = (1.0 + eta).sqrt() * c2 * (s.reach + s.b) + c3 * high * spread;
    let white = factor.whiten(gradient);
    let whitened = norm_dd(&white) * UP;
    let correction = factor.unwhiten(&white);
    let tail = (eta * whitened + dg) / (1.0 - eta) + 1e-9 * whitened;
    let rows = factor.row_norms();
    let each = |j: usize| UP * (correction[j].hi.abs() + rows[j] * tail + lo[j].abs());
    let coefficients: Vec<f64> = (0..e.y.len()).map(each).collect();
    let size =
        |v: &[f64]| v.iter().enumerate().map(|(j, v)| (v / moments.weight(j)).powi(2)).sum::<f64>().sqrt();
    let (error, x) = (size(&coefficients[..columns]), size(&e.y[..columns]));
    // x = 0 is exact where the correction is.
    let bound = match error {
        // Columns that may as well be dependent: no solution stands out.
        _ if factor.eta > SINGULAR => f64::INFINITY,
        0.0 => 0.0,
        _ => UP * error / x,
    };
    Judgement {
        bound,
        rigorous,
        rigorous_bound: bound,
        estimate: f64::INFINITY,
        measured: whitened,
        allowance: dg,
        energy: if rigorous { UP * (whitened + dg) / (1.0 - eta).sqrt() } else { f64::INFINITY },
        coefficients,
    }
}

/// The backward error from moments alone: `g = Aᵀ b - G x`, `|r|² = bᵀ b - 2 xᵀ Aᵀ b + xᵀ G x`, with what their
/// roundings may hide. Returns the gradient and the residual's norm too.
pub fn from_moments(moments: &Moments, y: &[f64], side: usize) -> (Judgement, Vec<f64>, f64) {
    let n = moments.order();
    let products = &moments.products[side];
    let mut square = Dd::from(moments.side_squares[side]);
    let mut gradient = Vec::with_capacity(n);
    for j in 0..n {
        let mut sum = Dd::from(products[j]);
        for (k, &x) in y.iter().enumerate() {
            sum = sum - Dd::product(moments.whole().get(j, k), x);
        }
        square = square - Dd::from(y[j]) * (Dd::from(products[j]) + sum);
        gradient.push(sum.hi);
    }
    let s = Sizes::new(moments, y, side);
    let size = s.b + s.reach;
    let allowance = gamma(moments.terms + 2 * n + 4);
    let error = allowance * size * size;
    let (low, high) = ((square.hi - error).max(0.0).sqrt(), (square.hi.max(0.0) + error).sqrt());
    let residual = square.hi.max(0.0).sqrt();
    if s.x == 0.0 && (s.b == 0.0 || s.frobenius == 0.0) {
        return (Judgement { rigorous: true, ..Judgement::default() }, gradient, residual);
    }
    let g = global_norm(moments, &gradient);
    let second = (g + allowance * s.frobenius * size) / low;
    let bound = UP * (s.t * high).min(second) / s.frobenius;
    let judgement = Judgement {
        bound,
        rigorous: true,
        rigorous_bound: bound,
        measured: if low > 0.0 { g / low / s.frobenius } else { f64::INFINITY },
        allowance: allowance * size / low,
        estimate: f64::INFINITY,
        energy: f64::INFINITY,
        coefficients: Vec::new(),
    };
    (judgement, gradient, residual)
}
