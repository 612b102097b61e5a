//! Which method, from where.

use super::certify::Judgement;
use super::interior::Interior;
use super::newton::Newton;
use super::record::Record;
use crate::base::monitor::{Budget, Monitor, Observer, solve as drive};
use crate::base::outcome::Outcome;
use crate::regression::quantile::{Frame, Problem, QuantileError};

/// A fit.
#[derive(Debug, Clone)]
pub struct Solution {
    /// Coefficients, the intercept last.
    pub x: Vec<f64>,
    /// One a row: `A^T a = 0` but for rounding, `|a/w^(1/p)|_q = 1`.
    pub dual: Vec<f64>,
    /// What they prove.
    pub judgement: Judgement,
    /// Columns that were kept.
    pub rank: usize,
    /// How the run ended.
    pub outcome: Outcome,
}

/// Solves the problem, whose weights are `w^(1/p)`, 1 < p < inf, perhaps from x as the caller has it.
pub fn solve(
    problem: &mut Problem<'_>,
    p: f64,
    start: Option<&[f64]>,
    budget: Budget,
    observer: &mut dyn Observer,
) -> Result<Solution, QuantileError> {
    let frame = {
        let mut monitor = Monitor::new(Budget::new(0.0, 1), observer, &[]);
        Frame::new(problem, &mut monitor)?
    };
    let problem = &*problem;
    let x = start.map(|x| frame.from_coefficients(&problem.from_caller(x)));
    let (record, tol) = (Record::new(problem, &frame, p), budget.tol);
    if p < 2.0 {
        drive(Interior::new(record, x, tol), budget, observer)
    } else {
        drive(Newton::new(record, x, tol), budget, observer)
    }
}
