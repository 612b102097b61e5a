//! The vocabulary every family speaks, one noun a file.
//!
//! | noun | what it settles |
//! |---|---|
//! | [`error`] | misuse: which argument, what it was, what was expected |
//! | [`status`] | how a run ended; never an error |
//! | [`certificate`] | what a bound proves, and how |
//! | [`monitor`] | the one loop: budget, history, callback, cancellation, termination |
//! | [`outcome`] | what every solver returns beside its payload |
//! | [`lbfgs`] | the quasi-Newton minimiser, for functions with kinks too |
//! | [`pool`] | threads: lazy, per process, the same bits for any number of them |
//! | [`rng`] | Philox4x32-10 streams, and the distributions drawn from them |
//! | [`buffer`] | scratch that begins at a cache line |
//! | [`view`] | arrays as slice + shape + strides |
//! | [`sparse`] | compressed rows, as SciPy keeps them |
//! | [`dense`] | factorisations of small dense matrices |
//! | [`gram`] | Gram matrices of many rows: the symmetric rank-k kernel |
//! | [`sum`] | error-free transformations, compensated sums, double-double |
//!
//! How a family uses them: [`monitor::Method`] is the contract, one page of trait; [`probe`] the smallest solver.

pub mod buffer;
pub mod certificate;
pub mod dense;
mod elementary;
pub mod error;
pub mod gram;
pub mod lbfgs;
pub mod monitor;
pub mod outcome;
pub mod pool;
pub mod probe;
pub mod rng;
pub mod sparse;
pub mod status;
pub mod sum;
pub mod view;
mod ziggurat;
