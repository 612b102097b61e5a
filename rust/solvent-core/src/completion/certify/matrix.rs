//! The dual variable as a sparse matrix, scaled by the penalties of rows and columns, and its products with vectors.

use crate::base::dense::Matrix;
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sparse::{Sparse, SparseView};
use crate::completion::factor::Factor;
use crate::completion::step::{chunks, product};
use solvent_simd::{F64s, Kernel, Simd, dispatch};
use std::ops::Range;

/// The most lanes that a register has.
const WIDEST: usize = 8;

/// What the norm bound needs of a matrix.
pub trait Linear {
    /// Rows and columns.
    fn shape(&self) -> (usize, usize);
    /// `M x`.
    fn times(&self, x: &[f64], monitor: &mut Monitor<'_>) -> Result<Vec<f64>, Aborted>;
    /// `M^T x`.
    fn adjoint(&self, x: &[f64], monitor: &mut Monitor<'_>) -> Result<Vec<f64>, Aborted>;
    /// `M X`, column by column where nothing better is known.
    fn times_all(&self, x: &Matrix<f64>, monitor: &mut Monitor<'_>) -> Result<Matrix<f64>, Aborted> {
        let mut out = Matrix::zeros(self.shape().0, x.columns());
        for l in 0..x.columns() {
            out.column_mut(l).copy_from_slice(&self.times(x.column(l), monitor)?);
        }
        Ok(out)
    }
    /// `M^T X`, likewise.
    fn adjoint_all(&self, x: &Matrix<f64>, monitor: &mut Monitor<'_>) -> Result<Matrix<f64>, Aborted> {
        let mut out = Matrix::zeros(self.shape().1, x.columns());
        for l in 0..x.columns() {
            out.column_mut(l).copy_from_slice(&self.adjoint(x.column(l), monitor)?);
        }
        Ok(out)
    }
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
    /// Frobenius norm, from above.
    pub norm: f64,
    /// Most entries of a row.
    pub longest_row: usize,
    /// Most entries of a column.
    pub longest_column: usize,
}

impl Dual {
    /// `D_a^-1/2 Z D_b^-1/2`; `roots` are the square roots of the penalties.
    pub fn new<T: Copy>(pattern: &SparseView<'_, T>, z: &[f64], roots: (&[f64], &[f64])) -> Self {
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
        let (columns, _) = rows.view().transpose();
        let norm = crate::base::sum::norm2(&rows.data) * (1.0 + 1e-12);
        let longest =
            |x: &Sparse<f64>| x.indptr.windows(2).map(|pair| (pair[1] - pair[0]) as usize).max().unwrap_or(0);
        Self { longest_row: longest(&rows), longest_column: longest(&columns), rows, columns, norm }
    }
}

impl Linear for Dual {
    fn shape(&self) -> (usize, usize) {
        (self.columns.columns, self.rows.columns)
    }

    fn times(&self, x: &[f64], monitor: &mut Monitor<'_>) -> Result<Vec<f64>, Aborted> {
        apply(&self.rows.view(), x, monitor)
    }

    fn adjoint(&self, x: &[f64], monitor: &mut Monitor<'_>) -> Result<Vec<f64>, Aborted> {
        apply(&self.columns.view(), x, monitor)
    }

    fn times_all(&self, x: &Matrix<f64>, monitor: &mut Monitor<'_>) -> Result<Matrix<f64>, Aborted> {
        all(&self.rows.view(), x, monitor)
    }

    fn adjoint_all(&self, x: &Matrix<f64>, monitor: &mut Monitor<'_>) -> Result<Matrix<f64>, Aborted> {
        all(&self.columns.view(), x, monitor)
    }

    fn norm(&self) -> f64 {
        self.norm
    }

    fn terms(&self) -> usize {
        self.longest_row + self.longest_column
    }
}

/// A product with all columns at once: every entry is read once.
fn all(a: &SparseView<'_, f64>, x: &Matrix<f64>, monitor: &mut Monitor<'_>) -> Result<Matrix<f64>, Aborted> {
    let out = product(*a, a.data(), &Factor::from_matrix(x), monitor)?;
    Ok(out.to_matrix(x.columns()))
}

fn apply(a: &SparseView<'_, f64>, x: &[f64], monitor: &mut Monitor<'_>) -> Result<Vec<f64>, Aborted> {
    let parts = monitor.map_items(chunks(a).into_iter(), |rows| {
        let mut out = vec![0.0; rows.len()];
        dispatch(Rows { a, rows, x, out: &mut out });
        out
    })?;
    Ok(parts.concat())
}

/// Products of these rows with x.
struct Rows<'a> {
    a: &'a SparseView<'a, f64>,
    rows: Range<usize>,
    x: &'a [f64],
    out: &'a mut [f64],
}

impl Kernel for Rows<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        for (i, out) in self.rows.zip(self.out) {
            let (columns, values) = self.a.row(i);
            *out = gathered::<S::F64>(columns, values, self.x);
        }
    }
}

/// `sum_e values_e x[columns_e]`.
#[inline(always)]
fn gathered<V: F64s>(columns: &[i32], values: &[f64], x: &[f64]) -> f64 {
    let values = &values[..columns.len()];
    let body = columns.len() - columns.len() % V::LANES;
    let (mut sum, mut at) = (V::splat(0.0), [0_u32; WIDEST]);
    let mut e = 0;
    while e < body {
        for c in 0..V::LANES {
            at[c] = columns[e + c] as u32;
        }
        sum = V::load(&values[e..e + V::LANES]).mul_add(V::gather(x, &at), sum);
        e += V::LANES;
    }
    let mut rest = 0.0;
    for e in body..columns.len() {
        rest += values[e] * x[columns[e] as usize];
    }
    sum.reduce_sum() + rest
}
