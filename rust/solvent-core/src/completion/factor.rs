//! Tall matrices of few columns, row by row, each row a whole number of cache lines: what kernels gather from.

use super::entry::Entry;
use crate::base::dense::{Matrix, Onto, Qr, gemm};
use crate::base::view::MatrixView;

/// Values that begin at a cache line.
#[derive(Debug)]
pub struct Lines<T> {
    data: Vec<T>,
    from: usize,
    len: usize,
}

impl<T: Entry> Lines<T> {
    /// All zeros.
    pub fn zeros(len: usize) -> Self {
        let data = vec![T::ZERO; len + T::LINE];
        // The allocator aligns to the element at least, so whole elements are missing to the next line.
        let past = data.as_ptr() as usize % 64;
        let from = if past == 0 { 0 } else { (64 - past) / size_of::<T>() };
        Self { data, from, len }
    }

    /// The values.
    #[inline(always)]
    pub fn as_slice(&self) -> &[T] {
        &self.data[self.from..self.from + self.len]
    }

    /// The values, to be written.
    #[inline(always)]
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.data[self.from..self.from + self.len]
    }
}

impl<T: Entry> Clone for Lines<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.len);
        copy.as_mut_slice().copy_from_slice(self.as_slice());
        copy
    }

    fn clone_from(&mut self, source: &Self) {
        if self.len == source.len {
            self.as_mut_slice().copy_from_slice(source.as_slice());
        } else {
            *self = source.clone();
        }
    }
}

/// `rows` by `width`, row-major; the columns from `width` to `stride` are zero.
#[derive(Debug)]
pub struct Factor<T> {
    lines: Lines<T>,
    rows: usize,
    width: usize,
    stride: usize,
}

impl<T: Entry> Clone for Factor<T> {
    fn clone(&self) -> Self {
        Self { lines: self.lines.clone(), ..*self }
    }

    fn clone_from(&mut self, source: &Self) {
        self.lines.clone_from(&source.lines);
        (self.rows, self.width, self.stride) = (source.rows, source.width, source.stride);
    }
}

impl<T: Entry> Factor<T> {
    /// All zeros.
    pub fn zeros(rows: usize, width: usize) -> Self {
        let stride = width.max(1).next_multiple_of(T::LINE);
        Self { lines: Lines::zeros(rows * stride), rows, width, stride }
    }

    /// Element by element.
    pub fn from_fn(rows: usize, width: usize, f: impl Fn(usize, usize) -> T) -> Self {
        let mut factor = Self::zeros(rows, width);
        for i in 0..rows {
            for (l, x) in factor.row_mut(i)[..width].iter_mut().enumerate() {
                *x = f(i, l);
            }
        }
        factor
    }

    /// A copy of a matrix.
    pub fn from_matrix(matrix: &Matrix<T>) -> Self {
        Self::from_fn(matrix.rows(), matrix.columns(), |i, l| matrix.get(i, l))
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// From one row to the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Row `i`, padding included.
    #[inline(always)]
    pub fn row(&self, i: usize) -> &[T] {
        &self.as_slice()[i * self.stride..(i + 1) * self.stride]
    }

    /// Row `i`, to be written; the padding must stay zero.
    #[inline(always)]
    pub fn row_mut(&mut self, i: usize) -> &mut [T] {
        let stride = self.stride;
        &mut self.as_mut_slice()[i * stride..(i + 1) * stride]
    }

    /// All rows with their padding.
    #[inline(always)]
    pub fn as_slice(&self) -> &[T] {
        self.lines.as_slice()
    }

    /// All rows, to be written; the padding must stay zero.
    #[inline(always)]
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        self.lines.as_mut_slice()
    }

    /// The first `width` columns, column-major.
    pub fn to_matrix(&self, width: usize) -> Matrix<T> {
        let mut matrix = Matrix::zeros(self.rows, width);
        for l in 0..width {
            for (i, x) in matrix.column_mut(l).iter_mut().enumerate() {
                *x = self.row(i)[l];
            }
        }
        matrix
    }

    /// A copy with `width` columns: cut off, or filled up with zeros.
    #[must_use]
    pub fn with_width(&self, width: usize) -> Self {
        let mut copy = Self::zeros(self.rows, width);
        let kept = width.min(self.width);
        for i in 0..self.rows {
            copy.row_mut(i)[..kept].copy_from_slice(&self.row(i)[..kept]);
        }
        copy
    }

    /// `self · b`, `b` of `self.width()` rows or fewer (the columns beyond count as zero).
    #[must_use]
    pub fn times(&self, b: &Matrix<T>) -> Self {
        // Whole lines, from the left: a line is a column of the transpose.
        let mut product = Self::zeros(self.rows, b.columns());
        let whole = Matrix::from_fn(product.stride, self.stride, |l, p| {
            if p < b.rows() && l < b.columns() { b.get(p, l) } else { T::ZERO }
        });
        let mut lines = Matrix::zeros(product.stride, self.rows);
        gemm(&mut lines, Onto::Replace, T::ONE, whole.view(), self.transposed());
        product.as_mut_slice().copy_from_slice(lines.as_slice());
        product
    }

    /// The transpose, padding included.
    fn transposed(&self) -> MatrixView<'_, T> {
        MatrixView::column_major(self.as_slice(), self.stride, self.rows).expect("rows of whole lines")
    }

    /// Another basis for the first columns: these times a square matrix.
    pub fn turn(&mut self, basis: &Matrix<T>) {
        let (k, stride, rows) = (basis.rows(), self.stride, self.rows);
        // Whole lines, from the left: a line is a column of the transpose.
        let whole = Matrix::from_fn(stride, stride, |l, i| {
            if i < k && l < k {
                basis.get(i, l)
            } else if i == l {
                T::ONE
            } else {
                T::ZERO
            }
        });
        let mut turned = Matrix::zeros(stride, rows);
        gemm(&mut turned, Onto::Replace, T::ONE, whole.view(), self.transposed());
        self.as_mut_slice().copy_from_slice(turned.as_slice());
    }

    /// `self^T · other`, both with their first `width` columns.
    pub fn cross(&self, other: &Self) -> Matrix<T> {
        let mut product = Matrix::zeros(self.stride, other.stride);
        gemm(&mut product, Onto::Replace, T::ONE, self.transposed(), other.transposed().transpose());
        Matrix::from_fn(self.width, other.width, |i, j| product.get(i, j))
    }

    /// The sum of the squares.
    pub fn norm2(&self) -> f64 {
        (0..self.rows).map(|i| self.row(i).iter().map(|x| x.to_f64() * x.to_f64()).sum::<f64>()).sum()
    }

    /// Whether every element is finite.
    pub fn is_finite(&self) -> bool {
        self.as_slice().iter().all(|x| x.to_f64().is_finite())
    }

    /// Orthonormal columns that span these, and the triangle that leads back; `None` where an element is not finite.
    pub fn orthonormal(&self, width: usize) -> Option<(Matrix<T>, Matrix<T>)> {
        let qr = Qr::new(self.to_matrix(width).view()).ok()?;
        Some((qr.q(), qr.r()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_begin_at_cache_lines_and_products_agree() {
        let a = Factor::<f64>::from_fn(5, 3, |i, l| (i * 3 + l) as f64);
        assert_eq!((a.stride(), a.as_slice().as_ptr() as usize % 64), (8, 0));
        assert_eq!(a.clone().as_slice().as_ptr() as usize % 64, 0);
        let b = Matrix::from_fn(3, 2, |i, j| (i as f64) - (j as f64));
        let product = a.times(&b);
        assert_eq!(product.row(2)[..2], [6.0 * 0.0 + 7.0 + 8.0 * 2.0, -6.0 + 0.0 + 8.0]);
        let gram = a.cross(&a);
        assert_eq!(gram.get(0, 1), (0..5).map(|i| f64::from(i * 3 * (i * 3 + 1))).sum::<f64>());
        assert_eq!(a.with_width(10).row(4)[..4], [12.0, 13.0, 14.0, 0.0]);
        let mut turned = a.clone();
        turned.turn(&Matrix::from_fn(2, 2, |i, l| if i == l { 0.6 } else { 0.8 * (i as f64 - l as f64) }));
        let row = turned.row(4);
        assert!(
            (row[0] - (0.6 * 12.0 + 0.8 * 13.0)).abs() < 1e-14
                && (row[1] - (0.6 * 13.0 - 0.8 * 12.0)).abs() < 1e-14
        );
        assert_eq!(row[2..], [14.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
