//! Monotone inclusions `0 ∈ F(u) + G(u)`, `F = (1/n) Σ F_i` monotone and Lipschitz, G with a resolvent.
//!
//! | method | step | file |
//! |---|---|---|
//! | halpern | reflected resolvent, pulled to an anchor, restarted | [`halpern`](crate::monotone::halpern) |
//! | vr-halpern | the same with a recursive estimator of F; for F that is only monotone, on the resolvent of F + G | [`variance`](crate::monotone::variance) |
//! | l-svrg, extragradient, ogda | variance reduction or extrapolation without an anchor | [`variance`](crate::monotone::variance) |
//!
//! A [`Scheme`](crate::monotone::scheme::Scheme) works from one exact evaluation of the full F to the next; the [`engine`](solve()) measures
//! the residual there (it is free), repairs constants, watches for stalls, and asks the
//! [certificate](certify::judge) where the residual is small enough.
//!
//! X. Cai, A. Alacaoglu, J. Diakonikolas, Variance Reduced Halpern Iteration for Finite-Sum Monotone Inclusions,
//! arXiv 2310.02987 (ICLR 2024).

pub mod certify;
pub mod constants;
mod engine;
pub mod options;
mod solve;
mod stages;

pub use solve::{Solution, certificate, solve};

use crate::base::error::{Aborted, ArgumentError};

/// What can go wrong in an inclusion.
#[derive(Debug, thiserror::Error)]
pub enum InclusionError {
    /// An argument was refused before any work.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The observer abandoned the work, or a caller's operator raised; it holds the reason.
    #[error(transparent)]
    Aborted(#[from] Aborted),
}
