//! Directions, one a row: the data of a fit, a mixture or a density.

use std::ops::Range;

use crate::base::view::MatrixView;

/// Rows of `f64` or `f32` with any strides. `f64` rows that lie one after the other are used where they are; any other
/// layout is brought into a small block of scratch when its turn comes, never as a whole.
#[derive(Debug, Clone, Copy)]
pub enum Rows<'a> {
    /// Double precision.
    F64(MatrixView<'a, f64>),
    /// Single precision; widened exactly, block by block.
    F32(MatrixView<'a, f32>),
}

/// Elements of a block: 256 KiB of doubles, a quarter of a usual L2.
const BLOCK_ELEMENTS: usize = 32_768;

impl Rows<'_> {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::F64(view) => view.rows(),
            Self::F32(view) => view.rows(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Dimension of the space.
    pub fn dimension(&self) -> usize {
        match self {
            Self::F64(view) => view.columns(),
            Self::F32(view) => view.columns(),
        }
    }

    /// How far the norm of a row may be from 1.
    pub fn norm_tolerance(&self) -> f64 {
        match self {
            Self::F64(_) => 1e-5,
            Self::F32(_) => 1e-3,
        }
    }

    /// Rows that fit into L2 together; a multiple of 8.
    pub fn block_rows(&self) -> usize {
        (BLOCK_ELEMENTS / self.dimension().max(1)).clamp(8, 512) / 8 * 8
    }

    /// One element, widened.
    pub fn get(&self, i: usize, j: usize) -> f64 {
        match self {
            Self::F64(view) => view.get(i, j),
            Self::F32(view) => f64::from(view.get(i, j)),
        }
    }

    /// One row, widened.
    pub fn row(&self, i: usize) -> Vec<f64> {
        let mut scratch = Vec::new();
        self.block(i..i + 1, &mut scratch).to_vec()
    }

    /// The rows of a range one after the other: borrowed, or packed into `scratch`.
    pub fn block<'b>(&'b self, range: Range<usize>, scratch: &'b mut Vec<f64>) -> &'b [f64] {
        match self {
            Self::F64(view) => {
                let part = view.row_range(range.start, range.end);
                if let Some(slice) = part.as_row_major() {
                    return slice;
                }
                pack(&part, scratch, |x| x);
            }
            Self::F32(view) => pack(&view.row_range(range.start, range.end), scratch, f64::from),
        }
        scratch
    }
}

fn pack<T: Copy>(part: &MatrixView<'_, T>, scratch: &mut Vec<f64>, widen: impl Fn(T) -> f64) {
    let (rows, columns) = part.shape();
    scratch.clear();
    if part.has_contiguous_rows() {
        for i in 0..rows {
            scratch.extend(part.row_slice(i).unwrap_or_default().iter().map(|&x| widen(x)));
        }
        return;
    }
    // Fortran order: walk down the columns, which are what lies together.
    scratch.resize(rows * columns, 0.0);
    for j in 0..columns {
        let column = part.column(j);
        for i in 0..rows {
            scratch[i * columns + j] = widen(column.get(i));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_gives_the_same_block() {
        let c: Vec<f64> = (0..12).map(f64::from).collect();
        let f: Vec<f64> = (0..12).map(|i| c[i % 4 * 3 + i / 4]).collect();
        let single: Vec<f32> = c.iter().map(|&x| x as f32).collect();
        let views = [
            Rows::F64(MatrixView::row_major(&c, 4, 3).unwrap()),
            Rows::F64(MatrixView::column_major(&f, 4, 3).unwrap()),
            Rows::F32(MatrixView::row_major(&single, 4, 3).unwrap()),
        ];
        for rows in views {
            let mut scratch = Vec::new();
            assert_eq!(rows.block(1..3, &mut scratch), &c[3..9]);
            assert_eq!(rows.row(3), &c[9..]);
            assert_eq!(rows.get(2, 1), 7.0);
        }
    }
}
