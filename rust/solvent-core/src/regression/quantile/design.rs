//! The rows of a design, however they are stored, as panels: columns of a few hundred rows, one after the other.
//!
//! Lanes of a register are rows there. What happens to a row alone (weights, steps, signs) then needs no horizontal
//! operation, the Gram matrix of a panel is made of long dot products, and every storage order costs the same.

use crate::base::sparse::SparseView;
use crate::base::view::{MatrixView, Real};

/// Rows of a panel are a multiple of this, the most lanes of a register.
pub const TILE: usize = 8;
/// Panels that are worked on one after the other by one thread.
pub const GROUP: usize = 8;

/// Rows of a panel: with its columns some 128 KiB. An odd number of cache lines, so that equal rows of neighbouring
/// columns lie in different cache sets.
pub fn panel_rows(width: usize) -> usize {
    (16_384 / width.max(1)).clamp(256, 1024) / (2 * TILE) * (2 * TILE) + TILE
}

/// `n` rounded up to whole tiles.
pub fn padded(n: usize) -> usize {
    n.next_multiple_of(TILE)
}

/// The caller's array.
#[derive(Debug, Clone, Copy)]
pub enum Rows<'a> {
    /// float64, any order.
    Double(MatrixView<'a, f64>),
    /// float32, any order; widened as it is read.
    Single(MatrixView<'a, f32>),
    /// Compressed rows.
    Sparse(SparseView<'a, f64>),
}

/// A design: the caller's columns, perhaps a column of ones behind them, each times a power of two.
#[derive(Debug, Clone)]
pub struct Design<'a> {
    rows: Rows<'a>,
    intercept: bool,
    /// One power of two a column; `None` where all are 1.
    scale: Option<Vec<f64>>,
}

impl<'a> Design<'a> {
    /// The columns as they are.
    pub fn new(rows: Rows<'a>, intercept: bool) -> Self {
        Self { rows, intercept, scale: None }
    }

    /// The same columns, each times a power of two.
    #[must_use]
    pub fn scaled(mut self, scale: Vec<f64>) -> Self {
        self.scale = Some(scale);
        self
    }

    /// What column `j` is multiplied by.
    pub fn scale(&self, j: usize) -> f64 {
        self.scale.as_ref().map_or(1.0, |scale| scale[j])
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        match &self.rows {
            Rows::Double(a) => a.rows(),
            Rows::Single(a) => a.rows(),
            Rows::Sparse(a) => a.rows(),
        }
    }

    /// Number of columns, the intercept's included.
    pub fn width(&self) -> usize {
        self.columns() + usize::from(self.intercept)
    }

    /// Number of the caller's columns.
    pub fn columns(&self) -> usize {
        match &self.rows {
            Rows::Double(a) => a.columns(),
            Rows::Single(a) => a.columns(),
            Rows::Sparse(a) => a.columns(),
        }
    }

    /// Whether there is a column of ones behind the caller's.
    pub fn intercept(&self) -> bool {
        self.intercept
    }

    /// Writes the rows `index(0), ..., index(count - 1)` as a panel: column `j` at `out[j stride..]`, zeros up to the
    /// next whole tile.
    pub fn fill(&self, index: impl Fn(usize) -> usize, count: usize, stride: usize, out: &mut [f64]) {
        let d = self.columns();
        match &self.rows {
            Rows::Double(a) => fill_dense(a, &index, count, stride, out),
            Rows::Single(a) => fill_dense(a, &index, count, stride, out),
            Rows::Sparse(a) => {
                for j in 0..d {
                    out[j * stride..j * stride + padded(count)].fill(0.0);
                }
                for i in 0..count {
                    let (columns, values) = a.row(index(i));
                    for (&j, &value) in columns.iter().zip(values) {
                        out[j as usize * stride + i] += value;
                    }
                }
            }
        }
        if self.intercept {
            let ones = &mut out[d * stride..d * stride + padded(count)];
            ones[..count].fill(1.0);
            ones[count..].fill(0.0);
        }
        if let Some(scale) = &self.scale {
            for (j, &factor) in scale.iter().enumerate().filter(|(_, factor)| **factor != 1.0) {
                // Two factors: the power itself may lie beyond the range that a product may have.
                let half = half_power(factor);
                out[j * stride..j * stride + count].iter_mut().for_each(|v| *v = *v * half * (factor / half));
            }
        }
    }
}

/// A power of two near the square root of a power of two.
fn half_power(factor: f64) -> f64 {
    let exponent = (factor.to_bits() >> 52) as i32 - 1023;
    2f64.powi(exponent / 2)
}

fn fill_dense<T: Real>(
    a: &MatrixView<'_, T>,
    index: &impl Fn(usize) -> usize,
    count: usize,
    stride: usize,
    out: &mut [f64],
) {
    let d = a.columns();
    if !a.has_contiguous_rows() {
        for j in 0..d {
            let column = a.column(j);
            let out = &mut out[j * stride..j * stride + padded(count)];
            match column.as_contiguous() {
                Some(slice) => (0..count).for_each(|i| out[i] = slice[index(i)].to_f64()),
                None => (0..count).for_each(|i| out[i] = column.get(index(i)).to_f64()),
            }
            out[count..].fill(0.0);
        }
        return;
    }
    // Rows one after the other are found without a view each.
    let whole = a.as_row_major();
    let row = |i: usize| match whole {
        Some(data) => &data[index(i) * d..(index(i) + 1) * d],
        None => a.row_slice(index(i)).expect("rows are contiguous"),
    };
    let mut i = 0;
    while i + TILE <= count {
        let rows: [&[T]; TILE] = std::array::from_fn(|k| row(i + k));
        turn(&rows, d, stride, &mut out[i..]);
        i += TILE;
    }
    if i < count {
        for j in 0..d {
            out[j * stride + i..j * stride + padded(count)].fill(0.0);
        }
        for k in i..count {
            let row = row(k);
            for j in 0..d {
                out[j * stride + k] = row[j].to_f64();
            }
        }
    }
}

/// A tile of rows as the columns of a panel: squares of eight by eight, so that it is done in registers.
#[inline(always)]
fn turn<T: Real>(rows: &[&[T]; TILE], d: usize, stride: usize, out: &mut [f64]) {
    let whole = d / TILE * TILE;
    for j in (0..whole).step_by(TILE) {
        let square: [&[T; TILE]; TILE] =
            std::array::from_fn(|k| rows[k][j..j + TILE].try_into().expect("eight of them"));
        for c in 0..TILE {
            let to: &mut [f64; TILE] =
                (&mut out[(j + c) * stride..(j + c) * stride + TILE]).try_into().expect("eight of them");
            for k in 0..TILE {
                to[k] = square[k][c].to_f64();
            }
        }
    }
    for j in whole..d {
        let to = &mut out[j * stride..j * stride + TILE];
        for k in 0..TILE {
            to[k] = rows[k][j].to_f64();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_are_the_rows_in_every_order() {
        let (n, d) = (21, 3);
        let dense: Vec<f64> = (0..n * d).map(|k| (k as f64 * 0.7).sin()).collect();
        let fortran: Vec<f64> = (0..n * d).map(|k| dense[(k % n) * d + k / n]).collect();
        let indptr: Vec<i64> = (0..=n as i64).map(|i| i * d as i64).collect();
        let indices: Vec<i32> = (0..(n * d) as i32).map(|k| k % d as i32).collect();
        let stored = [
            Rows::Double(MatrixView::row_major(&dense, n, d).unwrap()),
            Rows::Double(MatrixView::column_major(&fortran, n, d).unwrap()),
            Rows::Sparse(SparseView::new(&indptr, &indices, &dense, d).unwrap()),
        ];
        for rows in stored {
            let design = Design::new(rows, true).scaled(vec![1.0, 0.25, 2f64.powi(40), 1.0]);
            assert_eq!((design.rows(), design.width()), (n, 4));
            let mut out = vec![f64::NAN; 4 * 64];
            design.fill(|i| 20 - i, 19, 64, &mut out);
            for i in 0..24 {
                let expected =
                    |j: usize| if i < 19 { dense[(20 - i) * d + j] * design.scale(j) } else { 0.0 };
                assert!((0..3).all(|j| out[j * 64 + i] == expected(j)));
                assert_eq!(out[3 * 64 + i], if i < 19 { 1.0 } else { 0.0 });
            }
        }
    }
}
