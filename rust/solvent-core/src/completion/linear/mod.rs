//! The map `(dU, dV) -> sqrt(w) P(dU V^T + U dV^T)`, what a product of two factors changes by to first order at the
//! observed entries, and its adjoint. Gauss-Newton steps ([`gauss_newton`]), reweighted least squares
//! ([`irls`](super::irls)) and the test of identifiability ([`identify`]) are made of it.

pub mod coordinates;
pub mod gauss_newton;
mod grams;
pub mod identify;
mod kernel;

use std::ops::Range;

use self::kernel::{Back, Forward};
use super::entry::{Entry, run_double};
use super::factor::Factor;
use super::step::{chunks, split};
use crate::base::error::{Aborted, ArgumentError};
use crate::base::monitor::Monitor;
use crate::base::sparse::{Sparse, SparseView};

/// Values of a pattern that has none; they take no memory.
pub const UNITS: &[()] = &[(); usize::MAX >> 1];

/// Directions of both factors, or what the adjoint makes of entries.
pub type Pair = (Factor<f64>, Factor<f64>);

/// The pattern of the observed entries by rows and by columns, with the square roots of the weights.
pub struct Pattern<'a> {
    rows: SparseView<'a, ()>,
    columns: Sparse<()>,
    order: Vec<usize>,
    roots: Option<Vec<f64>>,
    row_cuts: Vec<Range<usize>>,
    column_cuts: Vec<Range<usize>>,
}

impl<'a> Pattern<'a> {
    /// Of these entries, without weights.
    pub fn plain(rows: SparseView<'a, ()>) -> Self {
        let (columns, order) = rows.transpose();
        let (row_cuts, column_cuts) = (chunks(&rows), chunks(&columns.view()));
        Self { rows, columns, order, roots: None, row_cuts, column_cuts }
    }

    /// Of the entries of a problem.
    pub fn new<T: Entry>(rows: SparseView<'a, T>, weights: Option<&[T]>) -> Result<Self, ArgumentError> {
        let view = SparseView::new(rows.indptr(), rows.indices(), &UNITS[..rows.nnz()], rows.columns())?;
        let roots = weights.map(|w| w.iter().map(|w| w.to_f64().sqrt()).collect());
        Ok(Self { roots, ..Self::plain(view) })
    }

    /// Rows and columns of the matrix.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows.rows(), self.rows.columns())
    }

    /// Number of entries.
    pub fn nnz(&self) -> usize {
        self.rows.nnz()
    }

    /// Entries by rows.
    pub fn rows(&self) -> SparseView<'a, ()> {
        self.rows
    }

    /// Entries by columns.
    pub fn columns(&self) -> SparseView<'_, ()> {
        self.columns.view()
    }

    /// Where each entry of the columns stands among the rows.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Square roots of the weights, in the order of the rows.
    pub fn roots(&self) -> Option<&[f64]> {
        self.roots.as_deref()
    }

    /// `values = J d` and `out = J^T J d` at the factors `at`; with `z` also less `(Z dV, Z^T dU)`.
    pub fn normal(
        &self,
        at: (&Factor<f64>, &Factor<f64>),
        (d, z): (&Pair, Option<&[f64]>),
        values: &mut [f64],
        out: &mut Pair,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let (entries, roots) = (self.rows, self.roots());
        let stride = at.0.stride();
        let mut rest = &mut *values;
        let parts: Vec<_> = split(&self.row_cuts, out.0.as_mut_slice(), stride)
            .into_iter()
            .map(|(rows, out)| {
                let count = entries.range(rows.end - 1).end - entries.range(rows.start).start;
                let (head, tail) = std::mem::take(&mut rest).split_at_mut(count);
                rest = tail;
                (rows, head, out)
            })
            .collect();
        let along = (&d.0, &d.1);
        monitor.map_items(parts.into_iter(), |(rows, values, out)| {
            run_double(Forward { entries, roots, z, at, along, rows, values, out });
        })?;
        self.back_columns_with(values, at.0, z.map(|z| (z, &d.0)), &mut out.1, monitor)
    }

    /// The adjoint's row side, `out = P(root t) V`.
    pub fn back_rows(
        &self,
        values: &[f64],
        v: &Factor<f64>,
        out: &mut Factor<f64>,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let (entries, roots) = (self.rows, self.roots());
        let stride = v.stride();
        let parts = split(&self.row_cuts, out.as_mut_slice(), stride);
        monitor.map_items(parts.into_iter(), |(rows, out)| {
            run_double(Back { entries, order: None, roots, values, x: v, bend: None, rows, out });
        })?;
        Ok(())
    }

    /// Its column side, `out = P(root t)^T U`.
    pub fn back_columns(
        &self,
        values: &[f64],
        u: &Factor<f64>,
        out: &mut Factor<f64>,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        self.back_columns_with(values, u, None, out, monitor)
    }

    fn back_columns_with(
        &self,
        values: &[f64],
        u: &Factor<f64>,
        bend: Option<(&[f64], &Factor<f64>)>,
        out: &mut Factor<f64>,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let (entries, roots, order) = (self.columns.view(), self.roots(), Some(self.order.as_slice()));
        let stride = u.stride();
        let parts = split(&self.column_cuts, out.as_mut_slice(), stride);
        monitor.map_items(parts.into_iter(), |(rows, out)| {
            run_double(Back { entries, order, roots, values, x: u, bend, rows, out });
        })?;
        Ok(())
    }
}

/// `x · y` over all rows, padding included (it is zero), in an order that does not depend on the machine.
pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (xs, ys) = (x.chunks_exact(8), y.chunks_exact(8));
    let rest: f64 = xs.remainder().iter().zip(ys.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in xs.zip(ys) {
        for l in 0..8 {
            sums[l] += a[l] * b[l];
        }
    }
    sums.into_iter().sum::<f64>() + rest
}

/// `y += s x`.
pub fn add(s: f64, x: &[f64], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += s * x;
    }
}
