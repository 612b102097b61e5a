//! Designs on their way into the core: a dense matrix of either precision, or compressed rows.

use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use solvent_core::regression::quantile::Rows;

use crate::arrays::{CompressedRows, Matrix};

/// A design as Python hands it over.
#[derive(FromPyObject)]
pub enum Stored<'py> {
    /// float64.
    Double(PyReadonlyArray2<'py, f64>),
    /// float32.
    Single(PyReadonlyArray2<'py, f32>),
    /// `(indptr, indices, data, columns)`
    Sparse((PyReadonlyArray1<'py, i64>, PyReadonlyArray1<'py, i32>, PyReadonlyArray1<'py, f64>, usize)),
}

impl Stored<'_> {
    /// Calls `work` with the rows as the core sees them.
    pub fn with<T>(&self, work: impl FnOnce(Rows<'_>) -> PyResult<T>) -> PyResult<T> {
        match self {
            Self::Double(array) => work(Rows::Double(Matrix::new(array).view()?)),
            Self::Single(array) => work(Rows::Single(Matrix::new(array).view()?)),
            Self::Sparse((indptr, indices, data, columns)) => {
                work(Rows::Sparse(CompressedRows::new(indptr, indices, data, *columns)?.view()?))
            }
        }
    }
}
