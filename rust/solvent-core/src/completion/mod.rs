//! Low-rank matrix completion by robust alternating minimization.
//!
//! The observed entries y_ij, (i, j) in Ω, are fitted by a matrix of low rank, X = U V^T, and biases:
//!
//! ```text
//! min 1/2 sum_Ω w_ij l(y_ij - mu - beta_i - gamma_j - u_i·v_j)
//!     + lam/2 [ sum_i a_i (|u_i|² + beta_i²) + sum_j b_j (|v_j|² + gamma_j²) ]
//! ```
//!
//! * [`problem`]: the entries by rows and by columns. [`step`]: one half of a sweep, row by row ([`kernels`]).
//! * [`solve`]: sweeps with a falling ridge and extrapolation. Rows are solved approximately, to an accuracy that follows
//!   the outer progress: Gu, Song, Yin & Zhang, *Low Rank Matrix Completion via Robust Alternating Minimization in Nearly
//!   Linear Time*, arXiv 2302.11068.
//! * [`align`]: the basis of the factors in which few steps of conjugate gradients solve a row.
//! * [`irls`]: exact problems that sweeps do not solve, by reweighted least squares. [`ram`]: the iteration of the paper as it
//!   stands in theory. [`engine`] chooses. [`polish`]: the last digits, by Gauss-Newton steps ([`linear`]).
//! * [`certify`]: what the answer proves. With lam > 0 the factored problem is a weighted nuclear-norm problem, whose dual
//!   bounds the optimum over matrices of any rank.

pub mod align;
pub mod certify;
mod ending;
pub mod engine;
pub mod entry;
pub mod factor;
pub mod growth;
pub mod implicit;
pub mod init;
pub mod irls;
pub mod kernels;
pub mod linear;
mod looks;
pub mod options;
pub mod payload;
pub mod polish;
pub mod problem;
mod progress;
pub mod ram;
pub mod recommend;
pub mod sketch;
pub mod solve;
mod start;
pub mod step;
pub mod variance;
mod verdict;

use crate::base::dense::DenseError;
use crate::base::error::{Aborted, ArgumentError};

/// What can go wrong with a completion.
#[derive(Debug, thiserror::Error)]
pub enum CompletionError {
    /// An argument was refused.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The observer abandoned the work; it holds the reason.
    #[error(transparent)]
    Aborted(#[from] Aborted),
    /// A small dense factorisation failed.
    #[error(transparent)]
    Dense(#[from] DenseError),
}
