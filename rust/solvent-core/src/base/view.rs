//! Arrays as they cross into the core: a slice, a shape, strides. Nothing is copied until a kernel that
//! needs contiguous memory asks for it ([`VectorView::to_contiguous`], [`MatrixView::row_in`]).
//!
//! Strides are in elements and may be zero (a broadcast axis) or negative (`offset` is then where the first
//! element lies). Every element the view can reach is checked to lie in the slice when the view is made.

use super::error::ArgumentError;
use std::borrow::Cow;

/// The element types of the package, as arrays hold them: `f32` and `f64`, and none outside. It has no arithmetic: for
/// kernels see `solvent_simd::Real`, for factorisations [`dense::Field`](super::dense::Field).
pub trait Real:
    Copy + Default + PartialOrd + std::fmt::Debug + Send + Sync + 'static + sealed::Element
{
    /// Unit roundoff of the type, `2^-24` or `2^-53`.
    const UNIT: f64;
    /// The NumPy name.
    const NAME: &'static str;
    /// Exact.
    fn to_f64(self) -> f64;
    /// Rounded to nearest.
    fn from_f64(x: f64) -> Self;
}

mod sealed {
    pub trait Element {}
    impl Element for f32 {}
    impl Element for f64 {}
}

impl Real for f64 {
    const UNIT: f64 = 1.1102230246251565e-16;
    const NAME: &'static str = "float64";
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x
    }
}

impl Real for f32 {
    const UNIT: f64 = 5.960464477539063e-8;
    const NAME: &'static str = "float32";
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x as Self
    }
}

/// A one-dimensional view.
#[derive(Debug, Clone, Copy)]
pub struct VectorView<'a, T> {
    data: &'a [T],
    offset: usize,
    len: usize,
    stride: isize,
}

impl<'a, T: Copy> VectorView<'a, T> {
    /// A view of `len` elements at `offset`, `stride` apart.
    pub fn new(data: &'a [T], offset: usize, len: usize, stride: isize) -> Result<Self, ArgumentError> {
        check_reach(data.len(), offset, &[len], &[stride])?;
        Ok(Self { data, offset, len, stride })
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The element at `i`.
    #[inline(always)]
    pub fn get(&self, i: usize) -> T {
        assert!(i < self.len, "index {i} of a view of {} elements", self.len);
        self.data[self.offset.wrapping_add_signed(i as isize * self.stride)]
    }

    /// The elements in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = T> + '_ {
        (0..self.len).map(|i| self.get(i))
    }

    /// The elements as a slice, if they lie one after the other.
    pub fn as_contiguous(&self) -> Option<&'a [T]> {
        match (self.len, self.stride) {
            (0, _) => Some(&[]),
            (1, _) | (_, 1) => Some(&self.data[self.offset..self.offset + self.len]),
            _ => None,
        }
    }

    /// The elements as a slice; copied only if they do not lie one after the other.
    pub fn to_contiguous(&self) -> Cow<'a, [T]> {
        match self.as_contiguous() {
            Some(slice) => Cow::Borrowed(slice),
            None => Cow::Owned(self.iter().collect()),
        }
    }
}

impl<'a, T: Copy> From<&'a [T]> for VectorView<'a, T> {
    fn from(data: &'a [T]) -> Self {
        Self { data, offset: 0, len: data.len(), stride: 1 }
    }
}

/// A two-dimensional view.
#[derive(Debug, Clone, Copy)]
pub struct MatrixView<'a, T> {
    data: &'a [T],
    offset: usize,
    rows: usize,
    columns: usize,
    row_stride: isize,
    column_stride: isize,
}

impl<'a, T: Copy> MatrixView<'a, T> {
    /// A view of `shape = (rows, columns)` whose first element lies at `offset`; `strides` likewise.
    pub fn new(
        data: &'a [T],
        offset: usize,
        shape: (usize, usize),
        strides: (isize, isize),
    ) -> Result<Self, ArgumentError> {
        check_reach(data.len(), offset, &[shape.0, shape.1], &[strides.0, strides.1])?;
        let ((rows, columns), (row_stride, column_stride)) = (shape, strides);
        Ok(Self { data, offset, rows, columns, row_stride, column_stride })
    }

    /// Rows one after the other (C order).
    pub fn row_major(data: &'a [T], rows: usize, columns: usize) -> Result<Self, ArgumentError> {
        Self::new(data, 0, (rows, columns), (columns as isize, 1))
    }

    /// Columns one after the other (Fortran order).
    pub fn column_major(data: &'a [T], rows: usize, columns: usize) -> Result<Self, ArgumentError> {
        Self::new(data, 0, (rows, columns), (1, rows as isize))
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// `(rows, columns)`.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// `(row stride, column stride)`, in elements.
    pub fn strides(&self) -> (isize, isize) {
        (self.row_stride, self.column_stride)
    }

    /// The element at `(i, j)`.
    #[inline(always)]
    pub fn get(&self, i: usize, j: usize) -> T {
        assert!(
            i < self.rows && j < self.columns,
            "index ({i}, {j}) of a view of shape ({}, {})",
            self.rows,
            self.columns
        );
        let step = i as isize * self.row_stride + j as isize * self.column_stride;
        self.data[self.offset.wrapping_add_signed(step)]
    }

    /// Row `i` as a view.
    pub fn row(&self, i: usize) -> VectorView<'a, T> {
        assert!(i < self.rows, "row {i} of {}", self.rows);
        let offset = self.offset.wrapping_add_signed(i as isize * self.row_stride);
        let offset = if self.columns == 0 { 0 } else { offset };
        VectorView { data: self.data, offset, len: self.columns, stride: self.column_stride }
    }

    /// Column `j` as a view.
    pub fn column(&self, j: usize) -> VectorView<'a, T> {
        self.transpose().row(j)
    }

    /// The transpose, without a copy.
    #[must_use]
    pub fn transpose(&self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..*self
        }
    }

    /// Rows `from..to` as a view.
    #[must_use]
    pub fn row_range(&self, from: usize, to: usize) -> Self {
        assert!(from <= to && to <= self.rows, "rows {from}..{to} of {}", self.rows);
        let empty = from == to || self.columns == 0;
        let offset = if empty { 0 } else { self.offset.wrapping_add_signed(from as isize * self.row_stride) };
        Self { offset, rows: to - from, ..*self }
    }

    /// Whether each row lies one element after the other, so that [`row_slice`](Self::row_slice) is free.
    pub fn has_contiguous_rows(&self) -> bool {
        self.column_stride == 1 || self.columns <= 1
    }

    /// Row `i` as a slice, if it lies one element after the other.
    pub fn row_slice(&self, i: usize) -> Option<&'a [T]> {
        self.row(i).as_contiguous()
    }

    /// The rows in order; each a slice into the data where that is possible, else a copy in `scratch`.
    pub fn row_in<'b>(&self, i: usize, scratch: &'b mut Vec<T>) -> &'b [T]
    where
        'a: 'b,
    {
        let row = self.row(i);
        match row.as_contiguous() {
            Some(slice) => slice,
            None => {
                scratch.clear();
                scratch.extend(row.iter());
                scratch
            }
        }
    }

    /// The whole matrix as one slice in C order, if it lies so.
    pub fn as_row_major(&self) -> Option<&'a [T]> {
        let dense =
            self.has_contiguous_rows() && (self.rows <= 1 || self.row_stride == self.columns as isize);
        match self.rows * self.columns {
            0 => Some(&[]),
            n if dense => Some(&self.data[self.offset..self.offset + n]),
            _ => None,
        }
    }

    /// `(slice, stride)` with row i at `slice[i * stride..][..columns]`, if the rows are contiguous and lie in order.
    pub fn as_rows(&self) -> Option<(&'a [T], usize)> {
        let stride = if self.rows <= 1 { self.columns } else { usize::try_from(self.row_stride).ok()? };
        if self.rows * self.columns == 0 {
            return Some((&[], self.columns));
        }
        let length = (self.rows - 1) * stride + self.columns;
        (self.has_contiguous_rows() && stride >= self.columns)
            .then(|| (&self.data[self.offset..self.offset + length], stride))
    }

    /// The whole matrix as one slice in Fortran order, if it lies so.
    pub fn as_column_major(&self) -> Option<&'a [T]> {
        self.transpose().as_row_major()
    }

    /// The whole matrix in C order; copied only if it does not lie so.
    pub fn to_row_major(&self) -> Cow<'a, [T]> {
        match self.as_row_major() {
            Some(slice) => Cow::Borrowed(slice),
            None => {
                let mut copy = Vec::with_capacity(self.rows * self.columns);
                (0..self.rows).for_each(|i| copy.extend(self.row(i).iter()));
                Cow::Owned(copy)
            }
        }
    }

    /// The whole matrix in Fortran order; copied only if it does not lie so.
    pub fn to_column_major(&self) -> Cow<'a, [T]> {
        self.transpose().to_row_major()
    }
}

/// Refuses a view any element of which lies outside the slice.
fn check_reach(
    available: usize,
    offset: usize,
    shape: &[usize],
    strides: &[isize],
) -> Result<(), ArgumentError> {
    if shape.contains(&0) {
        return Ok(());
    }
    let (mut low, mut high) = (offset as i128, offset as i128);
    for (&n, &stride) in shape.iter().zip(strides) {
        let reach = (n as i128 - 1) * stride as i128;
        if reach < 0 { low += reach } else { high += reach }
    }
    if low < 0 || high >= available as i128 {
        let was = format!("the view reaches elements {low} to {high}");
        return Err(ArgumentError::new("view", was, format!("elements of a buffer of {available}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: [f64; 12] = [0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11.];

    #[test]
    fn vectors_of_any_stride() {
        let every = |offset, len, stride| VectorView::new(&DATA, offset, len, stride).unwrap();
        assert_eq!(every(1, 4, 3).iter().collect::<Vec<_>>(), [1., 4., 7., 10.]);
        assert_eq!(every(11, 3, -5).iter().collect::<Vec<_>>(), [11., 6., 1.]);
        assert_eq!(every(2, 3, 0).iter().collect::<Vec<_>>(), [2., 2., 2.]);
        assert_eq!(every(3, 4, 1).as_contiguous(), Some(&DATA[3..7]));
        assert!(every(1, 4, 3).as_contiguous().is_none() && every(9, 1, -4).as_contiguous() == Some(&[9.]));
        assert!(matches!(every(3, 4, 1).to_contiguous(), Cow::Borrowed(_)));
        assert!(matches!(every(11, 3, -5).to_contiguous(), Cow::Owned(copy) if copy == [11., 6., 1.]));
        assert!(VectorView::new(&DATA, 99, 0, 7).unwrap().is_empty());
    }

    #[test]
    fn a_view_that_leaves_its_buffer_is_refused() {
        assert!(VectorView::new(&DATA, 0, 13, 1).is_err());
        assert!(VectorView::new(&DATA, 1, 3, -1).is_err());
        assert!(VectorView::new(&DATA, 0, usize::MAX, isize::MAX).is_err());
        let error = MatrixView::new(&DATA, 0, (3, 5), (5, 1)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the view reaches elements 0 to 14; expected elements of a buffer of 12"
        );
        assert!(MatrixView::new(&DATA, 11, (3, 4), (-4, -1)).is_ok());
        assert!(MatrixView::new(&DATA, 10, (3, 4), (-4, -1)).is_err());
    }

    #[test]
    fn matrices_of_any_layout() {
        let c = MatrixView::row_major(&DATA, 3, 4).unwrap();
        let f = MatrixView::column_major(&DATA, 3, 4).unwrap();
        assert_eq!((c.get(2, 1), f.get(2, 1)), (9., 5.));
        assert_eq!((c.shape(), c.transpose().shape(), c.transpose().get(1, 2)), ((3, 4), (4, 3), 9.));
        assert_eq!(c.row_slice(1), Some(&DATA[4..8]));
        assert_eq!(c.column(1).iter().collect::<Vec<_>>(), [1., 5., 9.]);
        assert!(c.has_contiguous_rows() && !f.has_contiguous_rows() && f.row_slice(0).is_none());
        assert!(c.as_rows() == Some((&DATA, 4)) && f.as_rows().is_none());
        let window = MatrixView::new(&DATA, 1, (3, 2), (4, 1)).unwrap();
        assert_eq!(window.as_rows(), Some((&DATA[1..11], 4)));
        assert!(c.as_row_major().is_some() && c.as_column_major().is_none() && f.as_column_major().is_some());
        assert!(matches!(c.to_row_major(), Cow::Borrowed(_)) && matches!(f.to_row_major(), Cow::Owned(_)));
        assert_eq!(&*f.to_row_major(), [0., 3., 6., 9., 1., 4., 7., 10., 2., 5., 8., 11.]);
        let flipped = MatrixView::new(&DATA, 11, (3, 4), (-4, -1)).unwrap();
        assert_eq!(flipped.row(0).iter().collect::<Vec<_>>(), [11., 10., 9., 8.]);
        assert_eq!(flipped.row_range(1, 3).get(1, 3), 0.);
        let broadcast = MatrixView::new(&DATA, 4, (3, 2), (0, 1)).unwrap();
        assert_eq!(&*broadcast.to_row_major(), [4., 5., 4., 5., 4., 5.]);
        let mut scratch = Vec::new();
        assert_eq!(f.row_in(1, &mut scratch), [1., 4., 7., 10.]);
        assert_eq!(c.row_in(1, &mut scratch), &DATA[4..8]);
    }

    #[test]
    fn empty_matrices_have_shapes() {
        let empty: [f64; 0] = [];
        let view = MatrixView::row_major(&empty, 3, 0).unwrap();
        assert!(
            view.row(2).is_empty() && view.as_row_major() == Some(&[]) && view.to_column_major().is_empty()
        );
        assert_eq!(view.row_range(1, 3).shape(), (2, 0));
        assert!(MatrixView::row_major(&empty, 0, 5).unwrap().column(4).is_empty());
    }
}
