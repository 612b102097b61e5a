//! `S [A 1]` for a sketch S, the rows weighted.

use super::{Entry, PAD, Pass, Share, padded};
use crate::base::dense::Matrix;
use crate::sketch::{Operator, Rows, Sketch};

/// The pass.
#[derive(Debug, Clone)]
pub struct Sketched {
    /// Columns of A.
    pub columns: usize,
    /// Whether a column of ones follows.
    pub intercept: bool,
    /// S.
    pub operator: Operator,
}

/// Running sums, with scratch.
#[derive(Debug, Clone)]
pub struct RunningSketch {
    a: Vec<f64>,
    ones: Vec<f64>,
    rows: Vec<f64>,
    roots: Vec<f64>,
    unit: Vec<f64>,
}

impl Sketched {
    /// `S [A 1] D⁻¹` for column exponents D.
    pub fn matrix(&self, sum: &RunningSketch, exponents: &[i32]) -> Matrix<f64> {
        let width = padded(self.columns);
        Matrix::from_fn(self.operator.rows(), exponents.len(), |i, j| {
            let value = if j < self.columns { sum.a[i * width + j] } else { sum.ones[i * PAD] };
            crate::regression::scaling::ldexp(value * self.operator.scale(), -exponents[j])
        })
    }
}

impl Pass for Sketched {
    type Sum = RunningSketch;

    fn grain(&self) -> usize {
        self.operator.grain()
    }

    fn begin(&self) -> RunningSketch {
        let m = self.operator.rows();
        RunningSketch {
            a: vec![0.0; m * padded(self.columns)],
            ones: vec![0.0; if self.intercept { m * PAD } else { 0 }],
            rows: Vec::new(),
            roots: Vec::new(),
            unit: Vec::new(),
        }
    }

    fn bytes(&self) -> usize {
        self.operator.rows() * padded(self.columns) * size_of::<f64>()
    }

    fn absorb<T: Entry>(&self, sum: &mut RunningSketch, share: &Share<'_, T>) {
        let RunningSketch { a, ones, rows, roots, unit } = sum;
        let (n, d) = (share.count, self.columns);
        roots.clear();
        roots.extend((0..n).map(|i| share.weight(i).sqrt()));
        let factors = share.weights.map(|_| &roots[..]);
        if share.stride == d {
            self.operator.add(&Rows::new(share.rows, n, d).times(factors), share.first, a);
        } else {
            rows.clear();
            for i in 0..n {
                rows.extend(share.rows[i * share.stride..][..d].iter().map(|x| x.to_f64()));
            }
            self.operator.add(&Rows::new(rows, n, d).times(factors), share.first, a);
        }
        if self.intercept {
            unit.clear();
            unit.resize(n, 1.0);
            self.operator.add(&Rows::new(unit, n, 1).times(factors), share.first, ones);
        }
    }

    fn merge(&self, total: &mut RunningSketch, part: RunningSketch) {
        total.a.iter_mut().zip(part.a).for_each(|(t, p)| *t += p);
        total.ones.iter_mut().zip(part.ones).for_each(|(t, p)| *t += p);
    }
}
