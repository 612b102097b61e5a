//! Regression in an lp norm, 1 < p < inf: `min |b - A x|_p`, `|r|_p = (sum w_i |r_i|^p)^(1/p)`.
//!
//! p >= 2: Newton's method on `sum |r_i|^p`, `A^T W A dx = A^T y/(p - 1)` with `y = sign(r) |r|^(p-1)`, `W = |r|^(p-2)`,
//! along a path in p that begins at least squares (Adil, Peng & Sachdeva, NeurIPS 2019, section 3, for the damping). The
//! same system gives the dual: `y - (p - 1) W A dx` is orthogonal to A, and its gap is of second order in the step.
//! p < 2: an interior point for residuals split in two. Rows carry `w_i^(1/p)`. p = 1 is
//! [`quantile`](super::quantile) at level 1/2.
//!
//! | room | what lives there |
//! |---|---|
//! | [`passes`] | products with A in the frame, a weighted Gram matrix, sums of powers |
//! | [`certify`] | the lower bound that a dual proves |
//! | [`record`] | the best pair so far, judged, and how a run ends |
//! | [`interior`] | p < 2 |
//! | [`newton`] | p >= 2 |
//! | [`solve`] | which of them, from where |

pub mod certify;
mod interior;
mod newton;
mod passes;
mod record;
pub mod solve;

pub use certify::{Judgement, certify};
pub use solve::{Solution, solve};
