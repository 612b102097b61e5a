//! Passes over rows that lie elsewhere: what a pass is told and what it adds up, as numbers.
//!
//! Sums of parts of the rows are a commutative monoid up to rounding, so another process may absorb a part ([`part`]),
//! a tree of them may merge what came out ([`merge`]), and only the last sum travels here ([`Remote`]).

use super::Pass;
use super::gram::{Augmented, Preconditioned};
use super::precise::Precise;
use super::residual::Residual;
use super::scan::Scan;
use crate::base::error::{Aborted, ArgumentError};
use crate::base::monitor::{Budget, Monitor, Silent};
use crate::regression::error::RegressionError;
use crate::regression::problem::Problem;

/// A pass that can be told as numbers, and whose sums can.
pub trait Portable: Pass + Sized {
    /// Its name.
    const NAME: &'static str;
    /// What it is told.
    fn numbers(&self) -> Vec<f64>;
    /// From what [`numbers`](Self::numbers) gave.
    fn told(numbers: &[f64]) -> Option<Self>;
    /// A sum as numbers.
    fn pack(&self, sum: Self::Sum) -> Vec<f64>;
    /// From what [`pack`](Self::pack) gave.
    fn unpack(&self, numbers: &[f64]) -> Option<Self::Sum>;
    /// Row numbers in a sum begin at `first`.
    fn shift(&self, _sum: &mut Self::Sum, _first: usize) {}
}

/// Rows in other processes.
pub trait Remote: Send {
    /// The sum of one pass over all of them.
    fn pass(&mut self, name: &str, numbers: Vec<f64>) -> Result<Vec<f64>, Aborted>;
}

fn unknown(name: &str) -> RegressionError {
    ArgumentError::new("name", format!("{name:?}"), "a pass and its numbers as the solver gave them").into()
}

/// Does something with the pass of a name.
macro_rules! with_pass {
    ($name:expr, $numbers:expr, $pass:ident => $work:expr) => {
        match $name {
            Augmented::NAME => with_pass!(@ Augmented, $name, $numbers, $pass => $work),
            Preconditioned::NAME => with_pass!(@ Preconditioned, $name, $numbers, $pass => $work),
            Residual::NAME => with_pass!(@ Residual, $name, $numbers, $pass => $work),
            Precise::NAME => with_pass!(@ Precise, $name, $numbers, $pass => $work),
            Scan::NAME => with_pass!(@ Scan, $name, $numbers, $pass => $work),
            _ => Err(unknown($name)),
        }
    };
    (@ $kind:ty, $name:expr, $numbers:expr, $pass:ident => $work:expr) => {{
        let $pass = <$kind>::told($numbers).ok_or_else(|| unknown($name))?;
        $work
    }};
}

/// The sum over the rows of one part, which begin at row `first` of the whole.
pub fn part(
    name: &str,
    numbers: &[f64],
    rows: &mut Problem<'_>,
    first: usize,
) -> Result<Vec<f64>, RegressionError> {
    let mut silent = Silent;
    let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut silent, &[]);
    with_pass!(name, numbers, pass => {
        let mut sum = rows.pass(&pass, &mut monitor)?.expect("rows in memory can always be read");
        pass.shift(&mut sum, first);
        Ok(pass.pack(sum))
    })
}

/// The sum of several sums, in their order.
pub fn merge(name: &str, numbers: &[f64], parts: &[Vec<f64>]) -> Result<Vec<f64>, RegressionError> {
    with_pass!(name, numbers, pass => {
        let mut total = pass.begin();
        for (i, part) in parts.iter().enumerate() {
            let part = pass.unpack(part).ok_or_else(|| unknown(name))?;
            if i == 0 { total = part } else { pass.merge(&mut total, part) }
        }
        Ok(pass.pack(total))
    })
}
