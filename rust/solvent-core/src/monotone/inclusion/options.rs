//! The problem, and how it is solved.

use crate::base::monitor::Budget;
use crate::monotone::operator::{Kind, Operator};
use crate::monotone::prox::Prox;

/// `0 ∈ F(u) + G(u)`.
#[derive(Clone, Copy)]
pub struct Problem<'a> {
    /// F.
    pub operator: &'a dyn Operator,
    /// The resolvent of G; `None`: G = 0.
    pub prox: Option<&'a dyn Prox>,
    /// What is known of F.
    pub kind: Kind,
}

/// Which method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// By n and kind.
    Auto,
    /// Halpern's iteration, deterministic.
    Halpern,
    /// Halpern's iteration, variance reduced.
    VrHalpern,
    /// Loopless SVRG.
    LSvrg,
    /// Extragradient; variance reduced where n > 1.
    Extragradient,
    /// Optimistic gradient descent-ascent.
    Ogda,
}

/// When an anchored method takes a new anchor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Restart {
    /// Never.
    Off,
    /// At the method's own factor.
    Default,
    /// Where the residual is this many times that at the anchor.
    Factor(f64),
}

impl Restart {
    /// The factor, where `default` is the method's own.
    pub fn factor(self, default: f64) -> Option<f64> {
        match self {
            Self::Off => None,
            Self::Default => Some(default),
            Self::Factor(factor) => Some(factor),
        }
    }
}

/// How to solve it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which method.
    pub method: Method,
    /// Lipschitz (cocoercivity) constant of F.
    pub lipschitz: Option<f64>,
    /// That of the components on average.
    pub average: Option<f64>,
    /// Strong monotonicity, for the certificate.
    pub mu: Option<f64>,
    /// Components of a batch.
    pub batch: Option<usize>,
    /// Restarts.
    pub restart: Restart,
    /// Step of the method.
    pub eta: Option<f64>,
    /// Whether the bound is relative to the start.
    pub relative: bool,
    /// The scale of an earlier run that this one goes on with.
    pub earlier: Option<f64>,
    /// The published constants in place of the tuned ones.
    pub paper: bool,
    /// Refreshes of the estimator are `c/√n` frequent; `None`: 1, or 4 where restarts come quickly.
    pub c: Option<f64>,
    /// Bytes for a copy of the data in the order of the batches.
    pub memory_limit: usize,
    /// Whether the operator may choose its coordinates: G is then the set that it is made for.
    pub rescale: bool,
    /// Seed of batches and refreshes.
    pub seed: u64,
    /// A point to begin at in place of the start, which then only fixes the scale of relative bounds.
    pub guess: Option<Vec<f64>>,
    /// Whether the answer is rounded to single precision before it is judged.
    pub single: bool,
    /// Budget, in passes.
    pub budget: Budget,
}
