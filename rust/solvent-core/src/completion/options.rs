//! What a run is told beside the data.

use super::factor::Factor;

/// The row solver that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Solver {
    /// By the number of columns.
    Auto,
    /// Gram matrices.
    Cholesky,
    /// Conjugate gradients.
    Cg,
}

/// The iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Alternating minimization, then reweighting where an exact problem does not yield to it.
    Auto,
    /// Alternating minimization.
    Als,
    /// Reweighted least squares.
    Irls,
    /// Alternating minimization as in theory.
    Ram,
}

/// Where a run without a warm start begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Init {
    /// Spectral without a ridge or without biases, else random.
    Auto,
    /// Leading singular triples of the zero-filled matrix.
    Spectral,
    /// Normal numbers.
    Random,
}

/// Entries that are kept from the fit, and judge it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Held {
    /// Rows,
    pub rows: Vec<u32>,
    /// columns
    pub columns: Vec<u32>,
    /// and values of the entries.
    pub values: Vec<f64>,
}

/// How far a certificate goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certify {
    /// None is computed; the run stops by its own rule.
    None,
    /// Residual or gap.
    Basic,
    /// Also what costs more.
    Full,
}

/// The options of a run.
pub struct Options<T> {
    /// The iteration.
    pub engine: Engine,
    /// Whether every half-step of the theory's iteration sees entries of its own.
    pub split: bool,
    /// Columns of the factors; where it grows, at the start.
    pub rank: usize,
    /// The rank up to which columns are added until the gap closes; `None`: it does not grow.
    pub grow: Option<usize>,
    /// The row solver.
    pub solver: Solver,
    /// Whether long rows are solved through a sketch of their design.
    pub sketch: bool,
    /// Steps of conjugate gradients a row at most.
    pub cg_steps: usize,
    /// The start, where none is given.
    pub init: Init,
    /// Factors to start from, in the units of the data, biases last.
    pub start: Option<(Factor<T>, Factor<T>)>,
    /// Held-out entries.
    pub held: Option<Held>,
    /// Whether the run stops once they are met no better.
    pub held_stop: bool,
    /// The certificate.
    pub certify: Certify,
    /// The key of all random numbers.
    pub seed: u64,
}
