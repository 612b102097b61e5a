//! Certified least squares, lp and quantile regression.
//!
//! Least squares: minimise `sum_i w_i (b_i - a_i x - x_0)² + sum_j alpha_j x_j²`. One pass gives `G = Aᵀ W A` and `Aᵀ W b`
//! ([`passes::gram`]); the Cholesky factor of G, or of the Gram matrix of preconditioned rows, is measured by `eta`
//! ([`factor`]); refinement `x += (Rᵀ R)⁻¹ Aᵀ W (b - A x)` then converges at the rate of the true error of R, and each of
//! its passes yields what the certificate needs ([`certify`]), so that the certificate costs no pass of its own.
//!
//! | file | what it settles |
//! |---|---|
//! | [`problem`] | where the rows lie, and the one way to read them |
//! | [`passes`] | what is added up in a read |
//! | [`reading`] | what a pass finds at given points |
//! | [`scaling`] | powers of two that bring every quantity to order one |
//! | [`route`] | which factor: Gram, preconditioned, or a sketch's |
//! | [`factor`], [`minimum_norm`] | the factor and its measure; dependent columns |
//! | [`gradients`] | corrections by conjugate gradients, for many columns |
//! | [`wide`] | more columns than rows |
//! | [`finding`] | what is known of a point; what is returned |
//! | [`certify`] | backward and forward error |
//! | [`solve`], [`message`] | the refinement; what is said of its end |
//! | [`state`] | a mergeable state of one pass |
//! | [`quantile`], [`lp`] | other losses, certified by a duality gap |
//! | [`sketch_solve`], [`scores`] | least squares on a sketch alone; how much a row matters |

pub mod certify;
pub mod error;
pub mod factor;
pub mod finding;
pub mod gradients;
pub mod lp;
pub mod message;
pub mod minimum_norm;
pub mod options;
pub mod passes;
pub mod problem;
pub mod quantile;
pub mod reading;
pub mod route;
pub mod scaling;
pub mod scores;
pub mod sketch_solve;
pub mod solve;
pub mod state;
pub mod wide;

pub use error::RegressionError;
