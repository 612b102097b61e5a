//! What is known of a point, and what a solver returns.

use super::certify::Judgement;
use super::reading::Points;
use crate::base::dense::Matrix;
use crate::base::outcome::Outcome;

/// What one pass says about points.
#[derive(Debug, Clone, Default)]
pub struct Finding {
    /// Where.
    pub points: Points,
    /// Judgements, one a right side.
    pub judged: Vec<Judgement>,
    /// Balanced gradients with the ridge.
    pub gradients: Vec<Vec<f64>>,
    /// `|b' - A' y|` without the ridge rows.
    pub residuals: Vec<f64>,
    /// The same with them.
    pub lengths: Vec<f64>,
    /// A better point, where one was needed to judge this one.
    pub ahead: Option<Points>,
    /// Whether one was looked for.
    pub looked: bool,
    /// Where it was read, if not at its points.
    pub base: Option<Box<Finding>>,
    /// Judgements without the d³ work stand in for better ones.
    pub hasty: bool,
}

impl Finding {
    /// The worst of the right sides' bounds.
    pub fn bound(&self) -> f64 {
        // A nan must not hide behind a smaller number.
        self.judged
            .iter()
            .fold(0.0, |most, j| if j.bound >= most || j.bound.is_nan() { j.bound } else { most })
    }

    /// Where `tol` is not proven: takes what is estimated, and says so.
    pub fn estimate(&mut self, tol: f64) {
        for judged in self.judged.iter_mut().filter(|j| j.bound > tol && j.estimate < j.bound) {
            (judged.bound, judged.rigorous) = (judged.estimate, false);
        }
    }
}

/// A solved problem.
#[derive(Debug, Clone)]
pub struct Solution {
    /// Coefficients, one vector a right side.
    pub x: Vec<Vec<f64>>,
    /// What x lacks, for the high accuracy.
    pub x_lo: Option<Vec<Vec<f64>>>,
    /// Coefficients of the column of ones.
    pub intercepts: Vec<f64>,
    /// Norms of the residuals (weighted, without ridge rows).
    pub residual_norms: Vec<f64>,
    /// Gradients `Aᵀ W (b - A x) - alpha x` without the intercept's.
    pub gradients: Vec<Vec<f64>>,
    /// Error bounds of the coefficients, for the high accuracy.
    pub coefficient_bounds: Option<Vec<Vec<f64>>>,
    /// Columns that count.
    pub rank: usize,
    /// The point whose pass certifies x, if that is not x: coefficients side by side, the intercept last.
    pub base: Option<Vec<Vec<f64>>>,
    /// A factor of A with its scale: `A ~ Q R` in raw columns over `2^scale`.
    pub r: Matrix<f64>,
    /// The power of two that R is to be multiplied by.
    pub scale: i32,
    /// How the factor was found.
    pub method: &'static str,
    /// Reads of all rows.
    pub passes: u64,
    /// Rows read in a pass.
    pub rows: usize,
    /// How it ended, with the certificate.
    pub outcome: Outcome,
}
