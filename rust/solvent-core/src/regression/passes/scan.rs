//! Largest entries of the columns and of the right sides, and the first entry that is not finite.

use super::{Entry, Pass, Share};
use crate::base::error::ArgumentError;

/// The pass.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Columns of A.
    pub columns: usize,
    /// Right sides.
    pub sides: usize,
    /// Whether a right side is a vector, for the message.
    pub vector: bool,
}

/// What it finds.
#[derive(Debug, Clone)]
pub struct Extremes {
    /// `max |a_ij|` by column, over rows of positive weight.
    pub columns: Vec<f64>,
    /// `max |b_ij|` by right side.
    pub sides: Vec<f64>,
    /// Least index of a value that is not finite: row, column (right sides after the columns), value.
    bad: Option<(usize, usize, f64)>,
}

impl Extremes {
    /// An error that names the first entry that is not finite.
    pub fn check(&self, pass: &Scan) -> Result<(), ArgumentError> {
        let Some((row, column, value)) = self.bad else { return Ok(()) };
        let expected = "finite values";
        Err(if column < pass.columns {
            ArgumentError::element("a", &[row, column], value, expected)
        } else if pass.vector {
            ArgumentError::element("b", &[row], value, expected)
        } else {
            ArgumentError::element("b", &[row, column - pass.columns], value, expected)
        })
    }
}

impl Pass for Scan {
    type Sum = Extremes;

    fn begin(&self) -> Extremes {
        Extremes { columns: vec![0.0; self.columns], sides: vec![0.0; self.sides], bad: None }
    }

    fn bytes(&self) -> usize {
        (self.columns + self.sides) * size_of::<f64>()
    }

    fn absorb<T: Entry>(&self, sum: &mut Extremes, share: &Share<'_, T>) {
        for i in 0..share.count {
            let counts = share.weight(i) > 0.0;
            let row = share.rows[i * share.stride..][..self.columns].iter().map(|a| a.to_f64());
            let sides = share.b[i * self.sides..][..self.sides].iter().copied();
            for (j, value) in row.chain(sides).enumerate() {
                if !value.is_finite() {
                    let found = (share.first + i, j, value);
                    if sum.bad.is_none_or(|(row, column, _)| (found.0, found.1) < (row, column)) {
                        sum.bad = Some(found);
                    }
                } else if counts {
                    let largest = match j < self.columns {
                        true => &mut sum.columns[j],
                        false => &mut sum.sides[j - self.columns],
                    };
                    *largest = largest.max(value.abs());
                }
            }
        }
    }

    fn merge(&self, total: &mut Extremes, part: Extremes) {
        let largest = |into: &mut Vec<f64>, from: Vec<f64>| {
            into.iter_mut().zip(from).for_each(|(a, b)| *a = a.max(b));
        };
        largest(&mut total.columns, part.columns);
        largest(&mut total.sides, part.sides);
        total.bad = match (total.bad, part.bad) {
            (Some(a), Some(b)) => Some(if (b.0, b.1) < (a.0, a.1) { b } else { a }),
            (a, b) => a.or(b),
        };
    }
}
