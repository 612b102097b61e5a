//! An upper bound of a spectral norm that holds: by a verified Cholesky factorisation, or by deflated block Lanczos steps with
//! a probability that is stated.

use super::krylov::{Krylov, WIDTH};
use super::matrix::{Dual, Linear};
use super::{U, gamma};
use crate::base::dense::{Cholesky, Matrix, Onto, eigh, gemm};
use crate::base::monitor::Monitor;
use crate::base::rng::Philox;
use crate::completion::CompletionError;
use crate::completion::factor::Factor;

/// An upper bound of `|M|_2`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormBound {
    /// The bound.
    pub bound: f64,
    /// Bound of the part outside the factors' subspace.
    pub rest: f64,
    /// What leads out of the factors' subspaces, the larger of both ways.
    pub mixed: f64,
    /// Norm on the factors' subspace.
    pub inside: f64,
    /// Probability that it is too small.
    pub failure: f64,
}

/// Smaller side up to which the norm is computed from the dense Gram matrix.
pub const DENSE: usize = 200;
/// The same, where Lanczos would need more than the usual number of steps,
pub const DENSE_AGAIN: usize = 600;
/// and where thoroughness was asked for.
pub const DENSE_FULL: usize = 2000;
/// Block steps before the first look at what they give, between two looks, as a rule at most, and at most.
const FIRST: usize = 6;
const EVERY: usize = 2;
const STEPS: usize = 20;
const MOST_STEPS: usize = 120;
/// A bound is settled where the norm itself, as far as it is known, would make it smaller by this part at most.
const SETTLED: f64 = 0.1;
/// And the norm's bound is within this part of what is known of the norm.
const CLOSE: f64 = 0.05;

/// What a bound of a norm is for.
pub struct Purpose<'a> {
    /// The relative gap that a norm stands for.
    pub gap: &'a dyn Fn(f64) -> f64,
    /// The gap that is asked for.
    pub tol: f64,
    /// What the norm should not exceed.
    pub lam: f64,
    /// By what part it may.
    pub slack: f64,
}

impl Purpose<'_> {
    /// Whether more steps are worth nothing, with the norm between `low` and `high`; `late`: whether they are many already.
    fn is_met(&self, low: f64, high: f64, late: bool) -> bool {
        if high.is_nan() || high > (1.0 + CLOSE) * low {
            return false;
        }
        let (best, now) = ((self.gap)(low), (self.gap)(high));
        let limit = (1.0 + self.slack) * self.lam;
        let told = high <= limit || low > limit;
        now <= (1.0 + SETTLED) * best && told || late && (now <= self.tol || now <= (1.0 + SETTLED) * best)
    }
}

/// `|M|_2` from the Gram matrix of the smaller side.
///
/// Rump, *Verification of positive definiteness*, BIT 46 (2006) 433: where floating-point Cholesky of A of order n runs to
/// completion, lambda_min(A) >= -gamma_(n+1)/(1 - gamma_(n+1)) tr(A). With A = theta I - G that bounds lambda_max(G).
pub fn dense(m: &Dual) -> Result<NormBound, CompletionError> {
    let (rows, columns) = (m.rows.view(), m.columns.view());
    let (a, terms) =
        if rows.columns() <= rows.rows() { (rows, m.longest_column) } else { (columns, m.longest_row) };
    let n = a.columns();
    let none = NormBound { bound: 0.0, rest: 0.0, mixed: 0.0, inside: 0.0, failure: 0.0 };
    if n == 0 || m.norm == 0.0 {
        return Ok(none);
    }
    // Scaled so that squares are of order one.
    let scale = 2f64.powi(-(m.norm.log2().floor() as i32).clamp(-1000, 1000));
    let mut gram = Matrix::<f64>::zeros(n, n);
    for i in 0..a.rows() {
        let (indices, values) = a.row(i);
        for (&j, x) in indices.iter().zip(values) {
            let x = x * scale;
            let column = gram.column_mut(j as usize);
            for (&l, y) in indices.iter().zip(values) {
                column[l as usize] += x * (y * scale);
            }
        }
    }
    let frobenius2 = (m.norm * scale) * (m.norm * scale) * (1.0 + 8.0 * U);
    // Elementwise the Gram matrix is off by gamma |M|^T |M|, whose norm is at most |M|_F²; 1e-300 is for underflow.
    let formed = gamma(terms as f64 + 2.0) * frobenius2 + 1e-280;
    let top = eigh(gram.view())?.values.last().copied().unwrap_or(0.0);
    let order = n as f64;
    let mut shift = 4.0 * order * U * top.max(f64::MIN_POSITIVE);
    let mut theta;
    loop {
        theta = top + shift;
        let shifted = Matrix::from_fn(n, n, |i, j| {
            let g = gram.get(i.max(j), i.min(j));
            if i == j { theta - g } else { -g }
        });
        if Cholesky::new(shifted.view()).is_ok() {
            break;
        }
        shift *= 4.0;
    }
    let g = gamma(order + 1.0);
    let trace = order * theta + frobenius2;
    let verified = theta + g / (1.0 - g) * trace * (1.0 + 8.0 * U) + 2.0 * U * (theta + frobenius2);
    let bound = (verified + formed).sqrt() * (1.0 + 4.0 * U) / scale;
    Ok(NormBound { bound, rest: bound, inside: bound, ..none })
}

/// The largest eigenvalue of `x^T x`.
fn top_square(x: &Matrix<f64>) -> Result<f64, CompletionError> {
    let mut gram = Matrix::zeros(x.columns(), x.columns());
    gemm(&mut gram, Onto::Replace, 1.0, x.view().transpose(), x.view());
    Ok(eigh(gram.view())?.values.last().map_or(0.0, |&x| x.max(0.0)))
}

/// What is known of `M^T M = [[G, K^T], [K, E^T E]]`, in the basis of the factors' subspace Q and its complement, beside a
/// bound of |E|: G = Q^T M^T M Q and K = (I - Q Q^T) M^T M Q are computed as they are, so that |M|² is at most the norm of
/// a symmetric 2 by 2 matrix. E is M on the complement of Q, whatever its images are: nothing is asked of the other factor.
struct Corner {
    /// Norm of G.
    own: f64,
    /// Norm of K.
    coupling: f64,
    /// What M Q has outside the other factor's subspace.
    away: f64,
}

impl Corner {
    fn new<M: Linear>(
        m: &M,
        flip: bool,
        (near, far): (&Matrix<f64>, &Matrix<f64>),
        monitor: &mut Monitor<'_>,
    ) -> Result<Self, CompletionError> {
        let k = near.columns();
        if k == 0 {
            return Ok(Self { own: 0.0, coupling: 0.0, away: 0.0 });
        }
        let near_rows = Factor::from_matrix(near);
        let image = if flip { m.adjoint(&near_rows, monitor)? } else { m.times(&near_rows, monitor)? };
        let back = if flip { m.times(&image, monitor)? } else { m.adjoint(&image, monitor)? };
        let (mut image, mut back) = (image.to_matrix(k), back.to_matrix(k));
        let own = top_square(&image)?;
        for (x, basis) in [(&mut back, near), (&mut image, far)] {
            let mut along = Matrix::zeros(basis.columns(), k);
            gemm(&mut along, Onto::Replace, 1.0, basis.view().transpose(), x.view());
            gemm(x, Onto::Add, -1.0, basis.view(), along.view());
        }
        Ok(Self { own, coupling: top_square(&back)?.sqrt(), away: top_square(&image)?.sqrt() })
    }

    /// The norm of the whole for this |E|².
    fn norm(&self, rest: f64) -> f64 {
        if !rest.is_finite() {
            return f64::INFINITY;
        }
        let (p, q) = (self.own, self.coupling);
        (0.5 * (p + rest) + (0.5 * (p - rest)).hypot(q)).sqrt()
    }
}

/// `|M|_2` with the subspace of `qu` or `qv`, that of the smaller side, deflated: the rest is bounded by block Lanczos steps
/// from a random start. `None` where they do not settle it within the usual number and `again` allows the dense way.
pub fn lanczos<M: Linear>(
    m: &M,
    (qu, qv): (&Matrix<f64>, &Matrix<f64>),
    purpose: &Purpose<'_>,
    (seed, evaluation): (u64, u32),
    again: bool,
    monitor: &mut Monitor<'_>,
) -> Result<Option<NormBound>, CompletionError> {
    let flip = m.shape().1 > m.shape().0;
    let (near, far) = if flip { (qu, qv) } else { (qv, qu) };
    let k = near.columns();
    let corner = Corner::new(m, flip, (near, far), monitor)?;
    let e = f64::from(evaluation);
    let delta = 1e-10 / (e * (e + 1.0));
    let rounding = |steps: usize| {
        let terms = m.terms() + k + WIDTH * steps + 8;
        4.0 * gamma(terms as f64) * m.norm()
    };
    let whole = |rest: f64, steps: usize| {
        // The corner and the coupling are products of products: their errors are sqrt(k) larger at most.
        corner.norm(rest) * (1.0 + 16.0 * U) + (1.0 + (k as f64).sqrt()) * rounding(steps)
    };
    let (mut rest, mut failure, mut steps) = (0.0, 0.0, 0);
    if near.rows() > k {
        failure = delta;
        // Block 1: random starts of a run use block 0 of the same streams.
        let noise = 4.0 * U * m.norm() * m.norm();
        let mut krylov = Krylov::new(near, noise, &mut Philox::new(seed, evaluation, 1));
        rest = f64::INFINITY;
        loop {
            let block = krylov.block();
            let image = if flip { m.adjoint(&block, monitor)? } else { m.times(&block, monitor)? };
            krylov.step(&if flip { m.times(&image, monitor)? } else { m.adjoint(&image, monitor)? });
            steps = krylov.steps();
            let last = krylov.is_closed() || steps >= MOST_STEPS;
            if !last && (steps < FIRST || !(steps - FIRST).is_multiple_of(EVERY)) {
                continue;
            }
            rest = krylov.above(delta, 2.0 * rounding(steps)).min(rest);
            let (low, high) = (whole(krylov.top().0, steps), whole(rest, steps));
            if last || purpose.is_met(low, high, steps >= STEPS) {
                break;
            }
            if steps >= STEPS && again {
                return Ok(None);
            }
        }
    }
    let bound = whole(rest, steps);
    let inside = corner.own.sqrt();
    let mixed = if inside > 0.0 { corner.away.max(corner.coupling / inside) } else { 0.0 };
    Ok(Some(NormBound { bound, rest: rest.sqrt(), mixed, inside, failure }))
}
