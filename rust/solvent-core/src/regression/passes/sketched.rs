//! `S [A 1 b]` for a sketch S, the rows weighted.

use std::borrow::Cow;

use super::{Entry, PAD, Pass, Share, padded};
use crate::base::dense::Matrix;
use crate::base::error::Aborted;
use crate::base::gram::gram;
use crate::base::monitor::Monitor;
use crate::base::view::MatrixView;
use crate::regression::scaling::ldexp;
use crate::sketch::{Operator, Rows, Sketch};

/// The pass.
#[derive(Debug, Clone)]
pub struct Sketched {
    /// Columns of A.
    pub columns: usize,
    /// Whether a column of ones follows.
    pub intercept: bool,
    /// How many right sides are sketched too.
    pub sides: usize,
    /// S.
    pub operator: Operator,
}

/// Running sums, with scratch.
#[derive(Debug, Clone)]
pub struct RunningSketch {
    a: Vec<f64>,
    ones: Vec<f64>,
    sides: Vec<f64>,
    rows: Vec<f64>,
    roots: Vec<f64>,
    unit: Vec<f64>,
}

impl Sketched {
    /// `S [A 1] D⁻¹` for column exponents D, and `S b 2^e` for those of the right sides.
    pub fn matrices(
        &self,
        sum: &RunningSketch,
        exponents: &[i32],
        sides: &[i32],
    ) -> (Matrix<f64>, Matrix<f64>) {
        let (m, scale) = (self.operator.rows(), self.operator.scale());
        let a =
            Matrix::from_fn(m, exponents.len(), |i, j| ldexp(self.entry(sum, i, j) * scale, -exponents[j]));
        let width = padded(self.sides);
        let b = Matrix::from_fn(m, self.sides, |i, c| ldexp(sum.sides[i * width + c] * scale, sides[c]));
        (a, b)
    }

    fn entry(&self, sum: &RunningSketch, i: usize, j: usize) -> f64 {
        if j < self.columns { sum.a[i * padded(self.columns) + j] } else { sum.ones[i * PAD] }
    }

    /// `(S [A 1] D⁻¹)ᵀ (S [A 1] D⁻¹)`.
    pub fn gram(
        &self,
        sum: &RunningSketch,
        exponents: &[i32],
        monitor: &mut Monitor<'_>,
    ) -> Result<Matrix<f64>, Aborted> {
        let (m, n, scale) = (self.operator.rows(), exponents.len(), self.operator.scale());
        let rows = if self.intercept {
            let row = |i: usize| (0..n).map(move |j| self.entry(sum, i, j));
            Cow::Owned((0..m).flat_map(row).collect::<Vec<f64>>())
        } else {
            Cow::Borrowed(&sum.a[..])
        };
        let stride = if self.intercept { n } else { padded(self.columns) };
        let view = MatrixView::new(&rows, 0, (m, n), (stride as isize, 1)).expect("rows of a sketch");
        let gram = gram(view, None, monitor)?;
        Ok(Matrix::from_fn(n, n, |i, j| {
            ldexp(gram.get(i, j) * scale * scale, -(exponents[i] + exponents[j]))
        }))
    }

    /// `(S [A 1] D⁻¹)ᵀ S b 2^e`, one vector a right side.
    pub fn products(&self, sum: &RunningSketch, exponents: &[i32], sides: &[i32]) -> Vec<Vec<f64>> {
        let (m, d, scale) = (self.operator.rows(), self.columns, self.operator.scale());
        let (width, pitch) = (padded(d), padded(self.sides));
        let mut out = vec![vec![0.0; exponents.len()]; self.sides];
        for i in 0..m {
            for (c, out) in out.iter_mut().enumerate() {
                let b = sum.sides[i * pitch + c];
                out.iter_mut().zip(&sum.a[i * width..][..d]).for_each(|(o, a)| *o += a * b);
                if self.intercept {
                    out[d] += sum.ones[i * PAD] * b;
                }
            }
        }
        for (c, out) in out.iter_mut().enumerate() {
            for (o, &e) in out.iter_mut().zip(exponents) {
                *o = ldexp(ldexp(*o * scale * scale, -e), sides[c]);
            }
        }
        out
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
            sides: vec![0.0; m * padded(self.sides)],
            rows: Vec::new(),
            roots: Vec::new(),
            unit: Vec::new(),
        }
    }

    fn bytes(&self) -> usize {
        self.operator.rows() * (padded(self.columns) + padded(self.sides)) * size_of::<f64>()
    }

    fn absorb<T: Entry>(&self, sum: &mut RunningSketch, share: &Share<'_, T>) {
        let RunningSketch { a, ones, sides, rows, roots, unit } = sum;
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
        if self.sides > 0 {
            self.operator.add(&Rows::new(share.b, n, self.sides).times(factors), share.first, sides);
        }
    }

    fn merge(&self, total: &mut RunningSketch, part: RunningSketch) {
        total.a.iter_mut().zip(part.a).for_each(|(t, p)| *t += p);
        total.ones.iter_mut().zip(part.ones).for_each(|(t, p)| *t += p);
        total.sides.iter_mut().zip(part.sides).for_each(|(t, p)| *t += p);
    }
}
