//! What a caller of least squares chooses.

use crate::sketch::Name;

/// From so many unknowns on, conjugate gradients take the place of a second Gram matrix: `2 n d²` flops against about
/// forty passes, at the ratio of arithmetic to bandwidth of today's cores; a hundred and more where the condition is 1e10.
pub const GRADIENTS_FROM: usize = 600;

/// What the certificate shall bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accuracy {
    /// The backward error.
    Backward,
    /// Every coefficient's error, by residuals in double-double.
    High,
}

/// How the factor of the rows is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// By the conditioning that the first pass shows.
    Auto,
    /// From the Gram matrix.
    Gram,
    /// A preconditioner, then the Gram matrix of the preconditioned rows.
    SketchGram,
    /// A preconditioner, then conjugate gradients.
    SketchCg,
}

/// Everything but the data and the budget.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is bounded.
    pub accuracy: Accuracy,
    /// How the factor is made.
    pub route: Route,
    /// Which sketch preconditions.
    pub sketch: Name,
    /// Its seed.
    pub seed: u64,
    /// Singular values up to this share of the greatest count as zero.
    pub rcond: f64,
    /// Where the refinement starts: raw coefficients side by side, the intercept last.
    pub start: Option<Vec<Vec<f64>>>,
    /// Whether coefficients are stored as singles.
    pub single: bool,
}

impl Options {
    /// The largest eta at which a factor is good enough.
    pub fn eta(&self) -> f64 {
        // Refinement converges at the rate of the true error, far below this bound of it.
        match self.accuracy {
            Accuracy::Backward => 0.45,
            Accuracy::High => 0.1,
        }
    }
}
