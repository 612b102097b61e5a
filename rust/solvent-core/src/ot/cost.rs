//! The ground cost as the passes read it: a few rows at a time, each one element after the other.

use super::passes::{Entry, Extent, GROUP, RowExtent, together};
use super::points::Points;
use crate::base::view::MatrixView;
use solvent_simd::dispatch;

/// A stored cost with contiguous rows.
#[derive(Debug, Clone)]
pub enum Dense<'a, T> {
    /// The caller's own memory.
    Borrowed(MatrixView<'a, T>),
    /// A part of it, or its transpose, in row-major order.
    Owned {
        /// The entries.
        data: Vec<T>,
        /// How many a row.
        columns: usize,
    },
}

impl<'a, T: Entry> Dense<'a, T> {
    /// Borrows where rows or columns are contiguous; the flag says that it is the transpose that was borrowed.
    pub fn new(view: MatrixView<'a, T>) -> (Self, bool) {
        if view.has_contiguous_rows() {
            (Self::Borrowed(view), false)
        } else if view.transpose().has_contiguous_rows() {
            (Self::Borrowed(view.transpose()), true)
        } else {
            (Self::Owned { columns: view.columns(), data: view.to_row_major().into_owned() }, false)
        }
    }

    /// `(rows, columns)`.
    pub fn shape(&self) -> (usize, usize) {
        match self {
            Self::Borrowed(view) => view.shape(),
            Self::Owned { data, columns } => (data.len().checked_div(*columns).unwrap_or(0), *columns),
        }
    }

    /// Row i.
    pub fn row(&self, i: usize) -> &[T] {
        match self {
            Self::Borrowed(view) => view.row_slice(i).unwrap_or(&[]),
            Self::Owned { data, columns } => &data[i * columns..(i + 1) * columns],
        }
    }

    fn select(&self, rows: &[usize], columns: &[usize]) -> Dense<'static, T> {
        let data = rows.iter().flat_map(|&i| {
            let row = self.row(i);
            columns.iter().map(move |&j| row[j])
        });
        Dense::Owned { data: data.collect(), columns: columns.len() }
    }

    fn transpose(&self) -> Dense<'static, T> {
        let (n, m) = self.shape();
        let mut data = Vec::with_capacity(n * m);
        // Sixteen columns at a time, so that what is read of a row is used while it is in cache.
        let mut strip = vec![T::PAD; 16 * n];
        for first in (0..m).step_by(16) {
            let width = (m - first).min(16);
            for i in 0..n {
                for (k, &c) in self.row(i)[first..first + width].iter().enumerate() {
                    strip[k * n + i] = c;
                }
            }
            data.extend_from_slice(&strip[..width * n]);
        }
        Dense::Owned { data, columns: n }
    }
}

/// A ground cost of n rows and m columns.
#[derive(Debug, Clone)]
pub enum Cost<'a> {
    /// Stored in double precision.
    F64(Dense<'a, f64>),
    /// Stored in single precision; the numbers given are meant exactly.
    F32(Dense<'a, f32>),
    /// Computed from points.
    Points(Points),
}

/// What is done with a group of rows of the cost.
pub trait Visit {
    /// `first` is the index of the first row.
    fn group<T: Entry>(&mut self, first: usize, rows: &[&[T]]);

    /// All rows of the block were shown: gives back the memory that only took them in. (Blocks wait to be folded.)
    fn release(&mut self) {}
}

/// Scratch of the costs that are computed.
#[derive(Debug, Default)]
pub struct Scratch(Vec<f64>);

impl Cost<'_> {
    /// `(rows, columns)`.
    pub fn shape(&self) -> (usize, usize) {
        match self {
            Self::F64(dense) => dense.shape(),
            Self::F32(dense) => dense.shape(),
            Self::Points(points) => (points.rows(), points.columns()),
        }
    }

    /// Shows the rows `range` to `visitor`, as many as [`together`] at a time (fewer at the end).
    pub fn visit(&self, range: std::ops::Range<usize>, scratch: &mut Scratch, visitor: &mut impl Visit) {
        match self {
            Self::F64(dense) => visit_dense(dense, range, visitor),
            Self::F32(dense) => visit_dense(dense, range, visitor),
            Self::Points(points) => {
                let m = points.columns();
                let group = together(m);
                scratch.0.resize(group * m, 0.0);
                for first in range.clone().step_by(group) {
                    let count = (range.end - first).min(group);
                    points.fill(first, count, &mut scratch.0);
                    let mut rows: [&[f64]; GROUP] = [&[]; GROUP];
                    for (r, row) in rows[..count].iter_mut().enumerate() {
                        *row = &scratch.0[r * m..(r + 1) * m];
                    }
                    visitor.group(first, &rows[..count]);
                }
            }
        }
    }

    /// These rows and columns only, copied.
    #[must_use]
    pub fn select(&self, rows: &[usize], columns: &[usize]) -> Cost<'static> {
        match self {
            Self::F64(dense) => Cost::F64(dense.select(rows, columns)),
            Self::F32(dense) => Cost::F32(dense.select(rows, columns)),
            Self::Points(points) => Cost::Points(points.select(rows, columns)),
        }
    }

    /// The transpose, copied.
    #[must_use]
    pub fn transpose(&self) -> Cost<'static> {
        match self {
            Self::F64(dense) => Cost::F64(dense.transpose()),
            Self::F32(dense) => Cost::F32(dense.transpose()),
            Self::Points(points) => Cost::Points(points.transpose()),
        }
    }

    /// A bound on the error of each entry as it is read here: 0 where it is stored.
    pub fn rounding(&self, largest: f64) -> f64 {
        match self {
            Self::F64(_) | Self::F32(_) => 0.0,
            Self::Points(points) => points.rounding(largest),
        }
    }
}

fn visit_dense<T: Entry>(dense: &Dense<'_, T>, range: std::ops::Range<usize>, visitor: &mut impl Visit) {
    let group = together(dense.shape().1);
    for first in range.clone().step_by(group) {
        let count = (range.end - first).min(group);
        let mut rows: [&[T]; GROUP] = [&[]; GROUP];
        for (r, row) in rows[..count].iter_mut().enumerate() {
            *row = dense.row(first + r);
        }
        visitor.group(first, &rows[..count]);
    }
}

/// The extents of rows, in order.
#[derive(Debug, Default)]
pub struct Extents(pub Vec<Extent>);

impl Visit for Extents {
    fn group<T: Entry>(&mut self, _: usize, rows: &[&[T]]) {
        self.0.extend(rows.iter().map(|row| dispatch(RowExtent(row))));
    }
}
