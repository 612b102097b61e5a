//! Largest entries of the columns and of the right sides, and the first entry that is not finite.

use super::portable::{Portable, Remote};
use super::{Entry, Pass, Share};
use crate::base::error::{Aborted, ArgumentError};

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

    fn remotely(&self, remote: &mut dyn Remote) -> Result<Option<Self::Sum>, Aborted> {
        Ok(self.unpack(&remote.pass(Self::NAME, self.numbers())?))
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

impl Portable for Scan {
    const NAME: &'static str = "scan";

    fn numbers(&self) -> Vec<f64> {
        vec![self.columns as f64, self.sides as f64, f64::from(u8::from(self.vector))]
    }

    fn told(numbers: &[f64]) -> Option<Self> {
        let &[columns, sides, vector] = numbers else { return None };
        Some(Self { columns: columns as usize, sides: sides as usize, vector: vector > 0.0 })
    }

    fn pack(&self, sum: Extremes) -> Vec<f64> {
        let bad = sum.bad.map(|(row, column, value)| [row as f64, column as f64, value]);
        [sum.columns, sum.sides, bad.map_or_else(Vec::new, Vec::from)].concat()
    }

    fn unpack(&self, numbers: &[f64]) -> Option<Extremes> {
        let (columns, rest) = numbers.split_at_checked(self.columns)?;
        let (sides, bad) = rest.split_at_checked(self.sides)?;
        let bad = match *bad {
            [] => None,
            [row, column, value] => Some((row as usize, column as usize, value)),
            _ => return None,
        };
        Some(Extremes { columns: columns.to_vec(), sides: sides.to_vec(), bad })
    }

    fn shift(&self, sum: &mut Extremes, first: usize) {
        if let Some((row, ..)) = &mut sum.bad {
            *row += first;
        }
    }
}
