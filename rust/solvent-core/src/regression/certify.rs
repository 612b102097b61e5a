//! What a point proves about itself: bounds on its backward and forward error from one pass over the rows.
//!
//! With `theta = |A|_F/|b|`, `t = 1/hypot(1/theta, |x|)`, `phi = t |r|`, `g = Aᵀ r`, `w_0 = t |(Aᵀ A + phi² I)^(-1/2) g|`:
//! the smallest `|[dA, theta db]|_F` for which x is an exact solution lies in `[w_0, w_0 / sqrt(1 - w_0²/phi²)]`, at most
//! `sqrt 2 w_0`, and is at most `min(phi, |g|/|r|)` (Walden, Karlson & Sun, Numer. Linear Algebra Appl. 2 (1995) 271;
//! Gratton, Jiránek & Titley-Peloquin, SIAM J. Matrix Anal. Appl. 33 (2012) 822). The derivation with every allowance is
//! in `docs/derivations/regression.md`.
//!
//! All numbers are in global coordinates (see [`scaling`](super::scaling)).

use super::factor::Factor;
use super::minimum_norm::Range;
use super::passes::residual::{GRADIENT_TERMS, dot_terms};
use super::scaling::{Moments, gamma};
use crate::base::dense::{Matrix, Qr, Triangle, solve_triangular};
use crate::base::sum::{Dd, norm2};

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
    /// The part of the bound that holds without any factor.
    pub rigorous_bound: f64,
    /// `t w / |A|_F` from the computed gradient alone.
    pub measured: f64,
    /// What rounding may add to it.
    pub allowance: f64,
    /// Bound on `|A (x - x*)|`, in the right side's scale; infinite where none is known.
    pub energy: f64,
    /// Bounds of the coefficients, balanced; for the forward error.
    pub coefficients: Vec<f64>,
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
fn global_norm(moments: &Moments, g: &[f64]) -> f64 {
    g.iter().enumerate().map(|(j, g)| (g * moments.weight(j)).powi(2)).sum::<f64>().sqrt()
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn norm_dd(v: &[Dd]) -> f64 {
    v.iter().map(|v| v.hi * v.hi).sum::<f64>().sqrt()
}

/// The backward error. `thorough` = false leaves out the d³ work: a valid, larger bound.
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
        let open = f64::INFINITY;
        return Judgement {
            bound: open,
            rigorous_bound: open,
            rigorous: true,
            energy: open,
            ..Judgement::default()
        };
    }
    let dots = dot_terms(columns) + 2;
    let dr = gamma(dots) * s.reach + 3.0 * U * s.b;
    let c = gamma(GRADIENT_TERMS + 3);
    let (low, high) = (((e.residual * (1.0 - c)) - dr).max(0.0), e.residual * (1.0 + c) + dr);
    let g = global_norm(moments, e.gradient);
    let sum_error = c * s.frobenius * e.residual;
    let first = s.t * high;
    let second = if low > 0.0 { (g + s.frobenius * dr + sum_error) / low } else { f64::INFINITY };
    let proven = UP * first.min(second) / s.frobenius;
    let mut out = Judgement { bound: proven, rigorous_bound: proven, rigorous: true, ..Judgement::default() };
    out.energy = f64::INFINITY;
    let (whitened, eta, damped) = match core {
        Core::Empty => return out,
        Core::Full(factor) => {
            let g: Vec<Dd> = e.gradient.iter().map(|&g| Dd::from(g)).collect();
            let whitened = norm_dd(&factor.whiten(&g)) * UP;
            let spread = factor.spread(&moments.norms);
            if factor.eta < 0.5 {
                let rest = (1.0 + factor.eta).sqrt() * dr + c * e.residual * spread;
                out.energy = UP * (whitened + rest) / (1.0 - factor.eta).sqrt();
            }
            let damped = thorough && low > 0.0;
            (whitened, factor.eta, damped.then(|| damp(factor, moments, e.gradient, s.t * low)).flatten())
        }
        // The whitened gradient knows nothing of directions that were given up: only what is proven counts.
        Core::Dependent(_) => return out,
    };
    if low > 0.0 {
        let rigorous = eta < 0.5;
        let eta = if rigorous { eta } else { 0.75 };
        let gradient = g / (s.t * low);
        let w = damped.unwrap_or(f64::INFINITY).min(whitened).min(gradient) * UP;
        let allowance = dr + sum_error / (s.t * low);
        let total = w / (1.0 - eta).sqrt() + allowance;
        let ratio = total / low;
        let factor = if ratio < std::f64::consts::FRAC_1_SQRT_2 {
            1.0 / (1.0 - ratio * ratio).sqrt()
        } else {
            std::f64::consts::SQRT_2
        };
        out.measured = s.t * w / s.frobenius;
        out.allowance = s.t * allowance / s.frobenius;
        let third = UP * factor * s.t * total / s.frobenius;
        if third < out.bound {
            (out.bound, out.rigorous) = (third, rigorous);
        }
    }
    out
}

/// `|H⁻ᵀ T''ᵀ g''|`, H the triangular factor of `[R1; mu T'']`: the gradient in the norm of `(Aᵀ A + mu² I)^(-1/2)`.
fn damp(factor: &Factor, moments: &Moments, g: &[f64], mu: f64) -> Option<f64> {
    let n = factor.order();
    let identity = |i: usize, j: usize| if i == j { 1.0 } else { 0.0 };
    let t = |i: usize, j: usize| factor.preconditioner.as_ref().map_or(identity(i, j), |t| t.get(i, j));
    let weights: Vec<f64> = (0..n).map(|j| moments.weight(j)).collect();
    let stacked = Matrix::from_fn(2 * n, n, |i, j| match i {
        i if i < n => factor.r1.get(i, j),
        i => mu * t(i - n, j) / weights[i - n],
    });
    let h = Qr::new(stacked.view()).ok()?.r();
    let product = |k: usize| match &factor.preconditioner {
        None => g[k],
        Some(t) => t.column(k).iter().zip(g).map(|(t, g)| t * g).sum(),
    };
    let mut v = Matrix::from_fn(n, 1, |k, _| product(k));
    solve_triangular(h.view().transpose(), Triangle::Lower, &mut v);
    Some(norm(v.as_slice())).filter(|v| v.is_finite())
}

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
    let eta = if rigorous { factor.eta } else { 0.75 };
    let lanes = columns.div_ceil(2).min(dot_terms(columns));
    let u2 = U * U;
    let c2 = ((lanes as f64 + 16.0).powi(2) + columns as f64 + 8.0) * u2;
    let c3 = (72f64.powi(2) + 3.0 * flushes as f64 + 64.0) * u2;
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
    let bound = if error == 0.0 { 0.0 } else { UP * error / x };
    Judgement {
        bound,
        rigorous,
        rigorous_bound: bound,
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
            sum = sum - Dd::product(moments.gram.get(j, k), x);
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
        energy: f64::INFINITY,
        coefficients: Vec::new(),
    };
    (judgement, gradient, residual)
}
