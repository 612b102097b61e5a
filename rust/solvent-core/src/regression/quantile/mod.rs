//! Quantile regression, exact: `min sum w_i rho_tau(b_i - a_i x) + alpha |x|_1`, `rho_tau(t) = max(tau t, (tau - 1) t)`
//! (Koenker & Bassett, Econometrica 46 (1978) 33).
//!
//! It is a linear program with the dual `max b^T a, A^T a = 0, w (tau - 1) <= a <= w tau`; the penalty is d rows more,
//! `alpha e_j`, with right side 0 and the box [-1, 1]. Four stages: an interior point for a sample of the rows; the rows
//! that are far from its fit, added up to two (Portnoy & Koenker, Statist. Sci. 12 (1997) 279); an interior point for the
//! small program that is left; from there to a vertex, by exchanges if need be. Its certificate holds for any (x, a).
//!
//! | room | what lives there |
//! |---|---|
//! | [`design`] | rows however they are stored, as panels of columns |
//! | [`problem`] | the data in scaled units |
//! | [`factor`] | columns made nearly orthonormal, rank, and eta |
//! | [`kernels`], [`exact`] | vector code: passes over a panel, in double and in double-double |
//! | [`interior`] | the program and its interior point |
//! | [`reduce`] | samples, bands, globs |
//! | [`polish`] | the vertex |
//! | [`certify`] | what (x, a) prove |
//! | [`solve`] | stages, and sequences of levels |

pub mod certify;
pub mod design;
pub(crate) mod exact;
pub mod factor;
pub(crate) mod interior;
pub(crate) mod kernels;
mod polish;
pub mod problem;
mod reduce;
pub mod solve;

pub use certify::{Judgement, certify};
pub use design::{Design, Rows};
pub use factor::Frame;
pub use problem::Problem;
pub use solve::{Answer, Route, Solution, Start, solve};

use crate::base::dense::DenseError;
use crate::base::error::{Aborted, ArgumentError};

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum QuantileError {
    /// An argument was refused before any work.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The observer abandoned the work; it holds the reason.
    #[error(transparent)]
    Aborted(#[from] Aborted),
    /// A factorisation met what validated data do not hold.
    #[error(transparent)]
    Dense(#[from] DenseError),
}
