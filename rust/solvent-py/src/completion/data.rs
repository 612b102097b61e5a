//! Entries, penalties and payloads on their way in and out.

use numpy::{Element, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvent_core::base::sparse::SparseView;
use solvent_core::completion::CompletionError;
use solvent_core::completion::entry::Entry;
use solvent_core::completion::payload::Payload;
use solvent_core::completion::problem::Penalty;

use crate::arrays::CompressedRows;
use crate::errors::Raise;

impl Raise for CompletionError {
    fn raise(self) -> PyErr {
        match self {
            Self::Argument(error) => error.raise(),
            Self::Aborted(error) => error.raise(),
            Self::Dense(error) => error.raise(),
        }
    }
}

/// Canonical compressed rows and weights, as Python holds them.
#[derive(FromPyObject)]
pub struct Rows<'py, T: Element> {
    #[pyo3(item)]
    indptr: PyReadonlyArray1<'py, i64>,
    #[pyo3(item)]
    indices: PyReadonlyArray1<'py, i32>,
    #[pyo3(item)]
    data: PyReadonlyArray1<'py, T>,
    #[pyo3(item)]
    weights: Option<PyReadonlyArray1<'py, T>>,
    #[pyo3(item)]
    columns: usize,
}

impl<'py, T: Element + Copy> Rows<'py, T> {
    /// The entries.
    pub fn view(&self) -> PyResult<SparseView<'_, T>> {
        CompressedRows::new(&self.indptr, &self.indices, &self.data, self.columns)?.view()
    }

    /// The weights.
    pub fn weights(&self) -> PyResult<Option<&[T]>> {
        Ok(match &self.weights {
            Some(weights) => Some(weights.as_slice()?),
            None => None,
        })
    }
}

/// Entries of either precision.
#[derive(FromPyObject)]
pub enum Entries<'py> {
    /// float64.
    Double(Rows<'py, f64>),
    /// float32.
    Single(Rows<'py, f32>),
}

/// What is minimised beside the data.
#[derive(FromPyObject)]
pub struct PyPenalty {
    #[pyo3(item)]
    lam: f64,
    #[pyo3(item)]
    count: bool,
    #[pyo3(item)]
    bias: bool,
    #[pyo3(item)]
    nonneg: bool,
    #[pyo3(item)]
    delta: Option<f64>,
}

impl From<&PyPenalty> for Penalty {
    fn from(p: &PyPenalty) -> Self {
        Self { lam: p.lam, count: p.count, bias: p.bias, nonneg: p.nonneg, delta: p.delta }
    }
}

/// A payload as Python holds it.
#[derive(FromPyObject)]
pub struct Held<'py, T: Element> {
    #[pyo3(item("U"))]
    u: PyReadonlyArray2<'py, T>,
    #[pyo3(item("S"))]
    s: PyReadonlyArray1<'py, T>,
    #[pyo3(item("V"))]
    v: PyReadonlyArray2<'py, T>,
    #[pyo3(item)]
    bias_row: Option<PyReadonlyArray1<'py, T>>,
    #[pyo3(item)]
    bias_col: Option<PyReadonlyArray1<'py, T>>,
    #[pyo3(item)]
    mean: f64,
}

impl<'py, T: Element + Copy> Held<'py, T> {
    /// The payload.
    pub fn payload(&self) -> Payload<T> {
        let flat = |x: &PyReadonlyArray2<'py, T>| x.as_array().iter().copied().collect();
        let line = |x: &PyReadonlyArray1<'py, T>| x.as_array().iter().copied().collect();
        let bias = self.bias_row.as_ref().zip(self.bias_col.as_ref());
        Payload {
            m: self.u.shape()[0],
            n: self.v.shape()[0],
            u: flat(&self.u),
            s: line(&self.s),
            v: flat(&self.v),
            bias: bias.map(|(row, column)| (line(row), line(column))),
            mean: self.mean,
        }
    }
}

/// Writes a payload into a dict: `U, S, V, bias_row, bias_col, mean`.
pub fn put<T: Entry + Element>(
    py: Python<'_>,
    dict: &Bound<'_, PyDict>,
    payload: Payload<T>,
) -> PyResult<()> {
    let r = payload.rank();
    let matrix = |data: Vec<T>, rows: usize| -> PyResult<Bound<'_, PyArray2<T>>> {
        use numpy::PyArrayMethods;
        PyArray1::from_vec(py, data).reshape([rows, r])
    };
    dict.set_item("U", matrix(payload.u, payload.m)?)?;
    dict.set_item("S", PyArray1::from_vec(py, payload.s))?;
    dict.set_item("V", matrix(payload.v, payload.n)?)?;
    let (row, column) = match payload.bias {
        Some((row, column)) => (Some(PyArray1::from_vec(py, row)), Some(PyArray1::from_vec(py, column))),
        None => (None, None),
    };
    dict.set_item("bias_row", row)?;
    dict.set_item("bias_col", column)?;
    dict.set_item("mean", payload.mean)
}
