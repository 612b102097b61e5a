//! The dual variable as a sparse matrix, scaled by the penalties of rows and columns, and its products with tall matrices.

use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sparse::{Sparse, SparseView};
use crate::completion::factor::Factor;
use crate::completion::step::product;

/// What the norm bound needs of a matrix.
pub trait Linear {
    /// Rows and columns.
    fn shape(&self) -> (usize, usize);
    /// `M X`.
    fn times(&self, x: &Factor<f64>, monitor: &mut Monitor<'_>) -> Result<Factor<f64>, Aborted>;
    /// `M^T X`.
    fn adjoint(&self, x: &Factor<f64>, monitor: &mut Monitor<'_>) -> Result<Factor<f64>, Aborted>;
    /// Frobenius norm, from above.
    fn norm(&self) -> f64;
    /// Roundings on any path of both products together.
    fn terms(&self) -> usize;
}

/// A sparse matrix and its transpose.
pub struct Dual {
    /// By rows.
    pub rows: Sparse<f64>,
    /// By columns.
    pub columns: Sparse<f64>,
    /// Where each entry of the columns stands among the rows.
    pub order: Vec<usize>,
    /// Frobenius norm, from above.
    pub norm: f64,
    /// Most entries of a row.
    pub longest_row: usize,
    /// Most entries of a column.
    pub longest_column: usize,
}

impl Dual {
    /// `D_a^-1/2 Z D_b^-1/2`, a and b the penalties of rows and columns.
    pub fn new<T: Copy>(pattern: &SparseView<'_, T>, z: &[f64], (a, b): (&[f64], &[f64])) -> Self {
        let roots = |x: &[f64]| -> Vec<f64> { x.iter().map(|x| x.sqrt().max(f64::MIN_POSITIVE)).collect() };
        let roots = (roots(a), roots(b));
        let mut data = Vec::with_capacity(z.len());
        for i in 0..pattern.rows() {
            for e in pattern.range(i) {
                data.push(z[e] / (roots.0[i] * roots.1[pattern.indices()[e] as usize]));
            }
        }
        let rows = Sparse {
            indptr: pattern.indptr().to_vec(),
            indices: pattern.indices().to_vec(),
            data,
            columns: pattern.columns(),
        };
        let (columns, order) = rows.view().transpose();
        let norm = crate::base::sum::norm2(&rows.data) * (1.0 + 1e-12);
        let longest =
            |x: &Sparse<f64>| x.indptr.windows(2).map(|pair| (pair[1] - pair[0]) as usize).max().unwrap_or(0);
        Self { longest_row: longest(&rows), longest_column: longest(&columns), rows, columns, order, norm }
    }
}

impl Linear for Dual {
    fn shape(&self) -> (usize, usize) {
        (self.columns.columns, self.rows.columns)
    }

    fn times(&self, x: &Factor<f64>, monitor: &mut Monitor<'_>) -> Result<Factor<f64>, Aborted> {
        product(self.rows.view(), &self.rows.data, x, monitor)
    }

    fn adjoint(&self, x: &Factor<f64>, monitor: &mut Monitor<'_>) -> Result<Factor<f64>, Aborted> {
        product(self.columns.view(), &self.columns.data, x, monitor)
    }

    fn norm(&self) -> f64 {
        self.norm
    }

    fn terms(&self) -> usize {
        self.longest_row + self.longest_column
    }
}
