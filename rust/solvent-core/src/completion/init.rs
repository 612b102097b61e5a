//! Where a run begins: the leading singular triples of the zero-filled matrix, or noise.

use super::CompletionError;
use super::entry::Entry;
use super::factor::Factor;
use super::problem::Problem;
use super::step::product;
use crate::base::dense::{Matrix, svd};
use crate::base::monitor::Monitor;
use crate::base::rng::Philox;
use crate::base::sparse::SparseView;

/// More columns than asked for: the last of the block converge slowly.
const EXTRA: usize = 6;
/// The subspace iteration only preconditions: its noise is always the same.
const SEED: u64 = 0x5eed_c0de;

/// The leading singular triples of a sparse matrix.
pub struct Triples<T> {
    /// Left vectors.
    pub u: Factor<T>,
    /// Singular values, descending.
    pub s: Vec<f64>,
    /// Right vectors.
    pub v: Factor<T>,
}

/// A sparse matrix by rows and by columns, its values apart.
pub struct Operator<'a, T> {
    /// Pattern by rows.
    pub rows: SparseView<'a, T>,
    /// Values in the order of the rows.
    pub values: Vec<T>,
    /// Pattern by columns.
    pub columns: SparseView<'a, T>,
    /// Values in the order of the columns.
    pub column_values: Vec<T>,
}

impl<'a, T: Entry> Operator<'a, T> {
    /// The observed entries less the mean, scaled.
    pub fn centred(problem: &'a Problem<'_, T>) -> Self {
        let (mean, unit) = (T::from_f64(problem.mean), T::from_f64(problem.unit));
        let centre = |values: &[T]| values.iter().map(|&y| (y - mean) * unit).collect();
        let (rows, columns) = (problem.rows, problem.columns());
        Self { rows, values: centre(rows.data()), columns, column_values: centre(columns.data()) }
    }

    /// The `k` leading triples by block iteration of `iters` rounds.
    pub fn leading(
        &self,
        k: usize,
        iters: usize,
        monitor: &mut Monitor<'_>,
    ) -> Result<Triples<T>, CompletionError> {
        let (m, n) = (self.rows.rows(), self.rows.columns());
        let block = (k + EXTRA).min(m).min(n);
        let mut rng = Philox::new(SEED, 0, 0);
        let mut y = Factor::zeros(n, block);
        for j in 0..n {
            for x in &mut y.row_mut(j)[..block] {
                *x = T::from_f64(rng.normal());
            }
        }
        let orthonormal = |x: &Factor<T>| -> Result<Factor<T>, CompletionError> {
            let (q, _) = x.orthonormal(block).ok_or(crate::base::dense::DenseError::NotFinite)?;
            Ok(Factor::from_matrix(&q))
        };
        y = orthonormal(&y)?;
        let mut q = Factor::zeros(m, block);
        for _ in 0..iters.max(1) {
            q = orthonormal(&product(self.rows, &self.values, &y, monitor)?)?;
            y = product(self.columns, &self.column_values, &q, monitor)?;
            monitor.poll()?;
            if iters > 1 {
                y = orthonormal(&y)?;
            }
        }
        // One more pass, so that the values belong to the vectors.
        let b = product(self.columns, &self.column_values, &q, monitor)?;
        let parts = svd(b.to_matrix(block).view())?;
        let cut = |x: &Matrix<T>| Matrix::from_fn(x.rows(), k.min(block), |i, l| x.get(i, l));
        Ok(Triples {
            u: q.times(&cut(&parts.v)),
            s: parts.s[..k.min(block)].iter().map(|s| s.to_f64()).collect(),
            v: Factor::from_matrix(&cut(&parts.u)),
        })
    }
}

/// Normal numbers of this size; stream 1 of the seed.
pub fn noise<T: Entry>(rows: usize, width: usize, size: f64, seed: u64) -> Factor<T> {
    let mut rng = Philox::new(seed, 1, 0);
    let mut out = Factor::zeros(rows, width);
    for i in 0..rows {
        for x in &mut out.row_mut(i)[..width] {
            *x = T::from_f64(size * rng.normal());
        }
    }
    out
}
