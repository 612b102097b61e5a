//! Methods that evaluate differences of F over batches: the recursive estimator (PAGE) inside Halpern's iteration,
//! loopless SVRG, loopless variance-reduced extragradient; and the two deterministic extrapolations.

mod extragradient;
mod lsvrg;
mod ogda;
mod page;

pub use extragradient::{Extragradient, ReducedExtragradient};
pub use lsvrg::LSvrg;
pub use ogda::Ogda;
pub use page::Page;

use crate::monotone::scheme::Context;

/// `b = (L_avg/L)²` between 1 and √n: the batch whose noise is as large as F's own slope.
pub(super) fn inner_batch(context: &Context<'_>) -> usize {
    let ratio = (context.constants.average / context.constants.full).powi(2).round();
    (ratio.max(1.0) as usize).min(context.root())
}

/// How often w is moved: exact evaluations take half of the work.
pub(super) fn frequency(b: usize, n: usize) -> f64 {
    (2.0 * b as f64 / n as f64).min(0.5)
}

/// `0.99 √(p/(L² + L_avg²/b))`: the extrapolation uses the stale F(w), so that the step times L is at most √p even
/// without noise.
pub(super) fn reduced_step(p: f64, b: usize, context: &Context<'_>) -> f64 {
    let constants = context.constants;
    0.99 * (p / (constants.full.powi(2) + constants.average.powi(2) / b as f64)).sqrt()
}
