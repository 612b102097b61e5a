//! Zero-sum matrix games `min_x max_y xᵀ M y` over mixed strategies, solved to a gap of rounding size.
//!
//! 1. Nothing to do: a saddle point in pure strategies is found by comparing entries ([`problem`]).
//! 2. Dense games: an interior point method that uses the structure of the two linear programs ([`ipm`], [`normal`]);
//!    its first steps in single precision, the rest in double.
//! 3. [`polish`]: once the supports can be read off, two bordered square systems give the vertex itself, and the gap
//!    falls from 1e-7 to rounding.
//! 4. Huge, sparse or implicit games: reflected Halpern iterations in the metric of the primal-dual hybrid gradient
//!    method ([`halpern`]), which cost two products each; polished where entries are known.
//!
//! The certificate ([`certify`]) reads the payoffs and the two strategies, and nothing of the solver's state.

pub mod basis;
pub mod certify;
pub mod halpern;
pub mod ipm;
pub mod normal;
pub mod pair;
pub mod pivot;
pub mod polish;
pub mod problem;
pub mod products;
pub mod simplex;
pub mod solve;

pub use certify::{Judged, judge};
pub use problem::{Compressed, Dense, Opaque, Operator, Payoff};
pub use solve::{Game, Options, Route, Solution, default_maxiter, solve};

use crate::base::error::{Aborted, ArgumentError};

/// What can go wrong with a game.
#[derive(Debug, thiserror::Error)]
pub enum GameError {
    /// An argument was refused.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The observer abandoned the work; it holds the reason.
    #[error(transparent)]
    Aborted(#[from] Aborted),
}
