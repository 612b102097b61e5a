//! NumPy arrays on their way into the core: contiguous ones (C or Fortran order) are borrowed, others are
//! copied once, into C order. Python's validation has settled dtype, alignment and dimension before.

use numpy::{Element, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use solvent_core::base::error::ArgumentError;
use solvent_core::base::sparse::SparseView;
use solvent_core::base::view::{MatrixView, VectorView};
use std::borrow::Cow;

use crate::errors::Raise;

/// A vector, borrowed or copied.
pub struct Vector<'a, T: Clone>(Cow<'a, [T]>);

impl<'a, T: Element + Copy> Vector<'a, T> {
    /// Borrows the array where it is contiguous.
    pub fn new(array: &'a PyReadonlyArray1<'_, T>) -> Self {
        Self(match array.as_slice() {
            Ok(slice) => Cow::Borrowed(slice),
            Err(_) => Cow::Owned(array.as_array().iter().copied().collect()),
        })
    }

    /// The elements as the core sees them.
    pub fn view(&self) -> VectorView<'_, T> {
        self.0.as_ref().into()
    }

    /// Whether nothing was copied.
    pub fn is_borrowed(&self) -> bool {
        matches!(self.0, Cow::Borrowed(_))
    }
}

/// A matrix, borrowed or copied.
pub struct Matrix<'a, T: Clone> {
    data: Cow<'a, [T]>,
    shape: (usize, usize),
    row_major: bool,
}

impl<'a, T: Element + Copy> Matrix<'a, T> {
    /// Borrows the array where it is contiguous in C or Fortran order.
    pub fn new(array: &'a PyReadonlyArray2<'_, T>) -> Self {
        let shape = (array.shape()[0], array.shape()[1]);
        match array.as_slice() {
            Ok(slice) => Self { data: Cow::Borrowed(slice), shape, row_major: array.is_c_contiguous() },
            Err(_) => {
                let copy = array.as_array().iter().copied().collect();
                Self { data: Cow::Owned(copy), shape, row_major: true }
            }
        }
    }

    /// The elements as the core sees them.
    pub fn view(&self) -> PyResult<MatrixView<'_, T>> {
        let (rows, columns) = self.shape;
        let view = if self.row_major {
            MatrixView::row_major(&self.data, rows, columns)
        } else {
            MatrixView::column_major(&self.data, rows, columns)
        };
        view.map_err(Raise::raise)
    }

    /// Whether nothing was copied.
    pub fn is_borrowed(&self) -> bool {
        matches!(self.data, Cow::Borrowed(_))
    }
}

/// Compressed rows, always borrowed: Python hands over contiguous `indptr` (int64), `indices` (int32) and `data`.
pub struct CompressedRows<'a, T> {
    indptr: &'a [i64],
    indices: &'a [i32],
    data: &'a [T],
    columns: usize,
}

impl<'a, T: Element + Copy> CompressedRows<'a, T> {
    /// Borrows the three arrays.
    pub fn new(
        indptr: &'a PyReadonlyArray1<'_, i64>,
        indices: &'a PyReadonlyArray1<'_, i32>,
        data: &'a PyReadonlyArray1<'_, T>,
        columns: usize,
    ) -> PyResult<Self> {
        Ok(Self { indptr: indptr.as_slice()?, indices: indices.as_slice()?, data: data.as_slice()?, columns })
    }

    /// The entries as the core sees them, checked.
    pub fn view(&self) -> PyResult<SparseView<'a, T>> {
        SparseView::new(self.indptr, self.indices, self.data, self.columns).map_err(Raise::raise)
    }
}

/// A matrix of either precision.
#[derive(FromPyObject)]
pub enum Either<'py> {
    /// float64.
    Double(PyReadonlyArray2<'py, f64>),
    /// float32.
    Single(PyReadonlyArray2<'py, f32>),
}

/// The value that a word stands for.
pub fn choice<T: Copy>(name: &str, value: &str, allowed: &[(&str, T)]) -> PyResult<T> {
    let found = allowed.iter().find(|(word, _)| *word == value).map(|&(_, it)| it);
    found.ok_or_else(|| {
        let words: Vec<_> = allowed.iter().map(|(word, _)| format!("'{word}'")).collect();
        ArgumentError::value(name, value, format!("one of {}", words.join(", "))).raise()
    })
}
