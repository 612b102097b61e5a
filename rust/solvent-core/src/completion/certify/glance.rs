//! Whether a gap may have closed, for little: a bound from below of what a certificate would say.
//!
//! A few block Lanczos steps bound the dual's norm from below, hence the dual's value from above, and Gram matrices of the
//! factors the nuclear norm from below. Where that gap is too large, so is every certificate's, and none has to be made.

use super::gap::{Sides, penalties};
use super::krylov::Krylov;
use super::matrix::{Dual, Linear};
use super::residual::Residuals;
use super::{Evidence, U};
use crate::base::dense::{Cholesky, Matrix, Onto, gemm, svd};
use crate::base::monitor::Monitor;
use crate::base::rng::Philox;
use crate::completion::CompletionError;
use crate::completion::entry::Entry;
use crate::completion::factor::Factor;
use crate::completion::payload::Payload;

/// Lanczos steps at most.
const STEPS: usize = 10;
/// Their start proves nothing: it is always the same.
const SEED: u64 = 0x91a9_ce00;
/// What roundings may add to a Ritz value or a singular value, next to the largest.
const ROUNDING: f64 = 1e-11;

/// What a glance saw.
pub struct Glance {
    /// The relative gap is at least this.
    pub gap: f64,
    /// At least this part of lam is the dual's norm.
    pub ratio: f64,
    /// Multiplications it took.
    pub work: f64,
}

/// Looks at a payload, `tol` being the gap that is asked for.
pub fn glance<T: Entry>(
    evidence: &Evidence<'_, T>,
    payload: &Payload<T>,
    residuals: &Residuals,
    tol: f64,
    monitor: &mut Monitor<'_>,
) -> Result<Glance, CompletionError> {
    let (a, b) = penalties(evidence);
    let dual = Dual::new(&evidence.entries, &residuals.z, (&a, &b));
    let nuclear = nuclear_below((&residuals.u, &residuals.v), (&a, &b))?;
    let sides = Sides::new(evidence, payload, residuals, (&a, &b), (&dual, nuclear));
    let (m, n) = dual.shape();
    let none = Matrix::zeros(m.min(n), 0);
    let noise = 4.0 * U * dual.norm() * dual.norm();
    let mut krylov = Krylov::new(&none, noise, &mut Philox::new(SEED, 0, 0));
    let mut gap = 0.0;
    let mut norm = 0.0;
    while krylov.steps() < STEPS && !(krylov.steps() > 0 && (krylov.is_closed() || gap > tol)) {
        let block = krylov.block();
        let image = if n <= m { dual.times(&block, monitor)? } else { dual.adjoint(&block, monitor)? };
        krylov.step(&if n <= m { dual.adjoint(&image, monitor)? } else { dual.times(&image, monitor)? });
        norm = krylov.top().0.sqrt() * (1.0 - ROUNDING);
        gap = sides.gap(sides.dual(norm)).1 * (1.0 - 64.0 * U);
    }
    let entries = evidence.entries.nnz() as f64;
    let work = entries * (payload.rank() as f64 + 16.0 * krylov.steps() as f64 + 16.0);
    Ok(Glance { gap, ratio: norm / sides.lam, work })
}

/// `|D_a^1/2 U V^T D_b^1/2|_*` from below, roundings aside: the singular values of the product of two triangles.
fn nuclear_below(
    (u, v): (&Factor<f64>, &Factor<f64>),
    (a, b): (&[f64], &[f64]),
) -> Result<f64, CompletionError> {
    let k = u.width();
    if k == 0 {
        return Ok(0.0);
    }
    let triangle = |w: &[f64], x: &Factor<f64>| -> Option<Matrix<f64>> {
        let mut scaled = x.clone();
        for (i, w) in w.iter().enumerate() {
            let root = w.sqrt();
            scaled.row_mut(i).iter_mut().for_each(|x| *x *= root);
        }
        Cholesky::new(scaled.cross(&scaled).view()).ok().map(|factor| factor.lower().clone())
    };
    let (Some(left), Some(right)) = (triangle(a, u), triangle(b, v)) else { return Ok(0.0) };
    let mut core = Matrix::zeros(k, k);
    gemm(&mut core, Onto::Replace, 1.0, left.view().transpose(), right.view());
    let s = svd(core.view())?.s;
    let first = s.first().copied().unwrap_or(0.0);
    // A Gram matrix is off by some u of its norm, a singular value by that over itself.
    Ok(s.iter().map(|&s| s - (ROUNDING * first * first / s).min(s)).sum())
}
