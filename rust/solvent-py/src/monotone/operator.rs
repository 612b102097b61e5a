//! Operators as Python passes them: a tuple of a word and its data, `("logistic", A, b, reg)`; arrays are borrowed.

use numpy::{PyArray1, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use solvent_core::base::error::{Aborted, ArgumentError};
use solvent_core::base::monitor::{Budget, Monitor};
use solvent_core::monotone::operator::{
    Constants, DroLogistic, Logistic, MatrixGame, Operator, Pick, Quadratic, Rows,
};
use std::borrow::Cow;

use crate::arrays::CompressedRows;
use crate::errors::Raise;
use crate::gateway::{Failure, Gateway};

/// A data matrix: in C order, or `(indptr, indices, data, columns)`.
#[derive(FromPyObject)]
pub enum Data<'py> {
    /// Row by row.
    Dense(PyReadonlyArray2<'py, f64>),
    /// Compressed rows.
    Sparse((PyReadonlyArray1<'py, i64>, PyReadonlyArray1<'py, i32>, PyReadonlyArray1<'py, f64>, usize)),
}

impl Data<'_> {
    fn rows(&self) -> PyResult<Rows<'_>> {
        Ok(match self {
            Self::Dense(array) => {
                Rows::Dense { data: Cow::Borrowed(array.as_slice()?), columns: array.shape()[1] }
            }
            Self::Sparse((indptr, indices, data, columns)) => {
                Rows::Sparse(CompressedRows::new(indptr, indices, data, *columns)?.view()?)
            }
        })
    }
}

/// What is held of the caller's data while the core reads them.
pub enum Held<'py> {
    Logistic { data: Data<'py>, labels: PyReadonlyArray1<'py, f64>, reg: f64 },
    Dro { data: Data<'py>, labels: PyReadonlyArray1<'py, f64>, rho: f64, reg: f64 },
    Game { data: Data<'py> },
    Quadratic { data: PyReadonlyArray2<'py, f64>, shift: Option<PyReadonlyArray2<'py, f64>>, constant: f64 },
    Callables { dim: usize, n: usize, full: Py<PyAny>, batch: Option<Py<PyAny>>, diff: Option<Py<PyAny>> },
}

impl<'py> Held<'py> {
    /// Reads the tuple.
    pub fn new(spec: &Bound<'py, PyTuple>) -> PyResult<Self> {
        let word: String = spec.get_item(0)?.extract()?;
        let data = |i| -> PyResult<Data<'py>> { spec.get_item(i)?.extract() };
        let labels = || -> PyResult<PyReadonlyArray1<'py, f64>> { Ok(spec.get_item(2)?.extract()?) };
        let number = |i| -> PyResult<f64> { spec.get_item(i)?.extract() };
        Ok(match word.as_str() {
            "logistic" => Self::Logistic { data: data(1)?, labels: labels()?, reg: number(3)? },
            "dro" => Self::Dro { data: data(1)?, labels: labels()?, rho: number(3)?, reg: number(4)? },
            "game" => Self::Game { data: data(1)? },
            "quadratic" => Self::Quadratic {
                data: spec.get_item(1)?.extract()?,
                shift: spec.get_item(2)?.extract()?,
                constant: number(3)?,
            },
            "callables" => Self::Callables {
                dim: spec.get_item(1)?.extract()?,
                n: spec.get_item(2)?.extract()?,
                full: spec.get_item(3)?.unbind(),
                batch: spec.get_item(4)?.extract()?,
                diff: spec.get_item(5)?.extract()?,
            },
            _ => return Err(ArgumentError::value("F", word.as_str(), "a known operator").raise()),
        })
    }

    /// As the core takes it; exceptions of callables go to `failure`.
    pub fn operator(&self, py: Python<'_>, failure: Failure) -> PyResult<Box<dyn Operator + '_>> {
        Ok(match self {
            Self::Logistic { data, labels, reg } => {
                Box::new(Logistic::new(data.rows()?, labels.as_slice()?, *reg))
            }
            Self::Dro { data, labels, rho, reg } => {
                Box::new(DroLogistic::new(data.rows()?, labels.as_slice()?, *rho, *reg))
            }
            Self::Game { data } => Box::new(MatrixGame::new(data.rows()?)),
            Self::Quadratic { data, shift, constant } => {
                let shift = shift.as_ref().map(|c| c.as_slice()).transpose()?;
                Box::new(Quadratic::new(data.as_slice()?, shift, data.shape()[1], *constant))
            }
            Self::Callables { dim, n, full, batch, diff } => Box::new(Callables {
                dim: *dim,
                n: *n,
                full: full.clone_ref(py),
                batch: batch.as_ref().map(|it| it.clone_ref(py)),
                diff: diff.as_ref().map(|it| it.clone_ref(py)),
                failure,
            }),
        })
    }
}

/// Python functions; each returns a float64 array of `dim` elements, which Python's own wrapper has checked.
struct Callables {
    dim: usize,
    n: usize,
    full: Py<PyAny>,
    batch: Option<Py<PyAny>>,
    diff: Option<Py<PyAny>>,
    failure: Failure,
}

impl Callables {
    /// `out <- call`, with the GIL; an exception is held, and the solver aborted.
    fn call(
        &self,
        out: &mut [f64],
        call: impl for<'py> FnOnce(Python<'py>) -> PyResult<Bound<'py, PyAny>>,
    ) -> Result<(), Aborted> {
        let called = Python::attach(|py| {
            let array: PyReadonlyArray1<'_, f64> = call(py)?.extract()?;
            out.copy_from_slice(array.as_slice()?);
            Ok(())
        });
        called.map_err(|error: PyErr| self.failure.hold(error))
    }

    fn indices<'py>(py: Python<'py>, pick: Pick<'_>) -> Bound<'py, PyArray1<i64>> {
        PyArray1::from_iter(py, (0..pick.len()).map(|k| pick.at(k) as i64))
    }
}

impl Operator for Callables {
    fn dim(&self) -> usize {
        self.dim
    }

    fn components(&self) -> usize {
        self.n
    }

    fn products(&self) -> f64 {
        0.0
    }

    fn full(&self, u: &[f64], out: &mut [f64], monitor: &mut Monitor<'_>) -> Result<(), Aborted> {
        // Each call gets an array of its own: a callable may keep or change it.
        self.call(out, |py| self.full.bind(py).call1((PyArray1::from_slice(py, u),)))?;
        monitor.poll()
    }

    fn batch(
        &self,
        u: &[f64],
        pick: Pick<'_>,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let Some(batch) = &self.batch else { return self.full(u, out, monitor) };
        self.call(out, |py| batch.bind(py).call1((PyArray1::from_slice(py, u), Self::indices(py, pick))))?;
        monitor.poll()
    }

    fn diff(
        &self,
        u: &[f64],
        v: &[f64],
        pick: Pick<'_>,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let Some(diff) = &self.diff else {
            let mut other = vec![0.0; v.len()];
            self.batch(u, pick, out, monitor)?;
            self.batch(v, pick, &mut other, monitor)?;
            out.iter_mut().zip(&other).for_each(|(out, other)| *out -= other);
            return Ok(());
        };
        self.call(out, |py| {
            let (u, v) = (PyArray1::from_slice(py, u), PyArray1::from_slice(py, v));
            diff.bind(py).call1((u, v, Self::indices(py, pick)))
        })?;
        monitor.poll()
    }

    fn constants(&self, _: &mut Monitor<'_>) -> Result<Option<Constants>, Aborted> {
        Ok(None)
    }

    fn allowance(&self, _: &[f64], _: &mut [f64], _: &mut Monitor<'_>) -> Result<bool, Aborted> {
        Ok(false)
    }

    fn terms(&self, _: &[f64], _: &mut [f64], _: &mut Monitor<'_>) -> Result<bool, Aborted> {
        Ok(false)
    }
}

/// Runs `work` on the operator with a monitor of no budget.
fn with<T: Send>(
    py: Python<'_>,
    spec: &Bound<'_, PyTuple>,
    workers: Option<usize>,
    work: impl FnOnce(&dyn Operator, &mut Monitor<'_>) -> Result<T, Aborted> + Send,
) -> PyResult<T> {
    let gateway = Gateway::new(None, workers)?;
    let held = Held::new(spec)?;
    let operator = held.operator(py, gateway.failure())?;
    let operator = &*operator;
    gateway.run(py, move |observer| {
        let mut monitor = Monitor::new(Budget::new(0.0, 1), observer, &[]);
        work(operator, &mut monitor)
    })
}

/// `F(u)`; with `indices` the mean over these components; with `v` too the mean of their differences.
#[pyfunction]
#[pyo3(signature = (operator, u, *, v=None, indices=None, workers=None))]
pub fn evaluate<'py>(
    py: Python<'py>,
    operator: &Bound<'py, PyTuple>,
    u: PyReadonlyArray1<'py, f64>,
    v: Option<PyReadonlyArray1<'py, f64>>,
    indices: Option<PyReadonlyArray1<'py, i64>>,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let u = u.as_array().to_vec();
    let v = v.map(|v| v.as_array().to_vec());
    let indices: Option<Vec<usize>> =
        indices.map(|list| list.as_array().iter().map(|&i| i as usize).collect());
    let out = with(py, operator, workers, move |operator, monitor| {
        let mut out = vec![0.0; u.len()];
        match (&v, &indices) {
            (None, None) => operator.full(&u, &mut out, monitor)?,
            (None, Some(list)) => operator.batch(&u, Pick::List(list), &mut out, monitor)?,
            (Some(v), Some(list)) => operator.diff(&u, v, Pick::List(list), &mut out, monitor)?,
            (Some(v), None) => {
                operator.diff(&u, v, Pick::all(operator.components()), &mut out, monitor)?;
            }
        }
        Ok(out)
    })?;
    Ok(PyArray1::from_vec(py, out))
}

/// `(L, L_avg)` from the data.
#[pyfunction]
#[pyo3(signature = (operator, *, workers=None))]
pub fn constants(
    py: Python<'_>,
    operator: &Bound<'_, PyTuple>,
    workers: Option<usize>,
) -> PyResult<Option<(f64, f64)>> {
    let found = with(py, operator, workers, |operator, monitor| operator.constants(monitor))?;
    Ok(found.map(|it| (it.full, it.average)))
}

/// `(smallest eigenvalue of the symmetric part, scale, kind, constant)` of n matrices of d by d, stacked as (n d, d).
#[pyfunction]
#[pyo3(signature = (matrices, *, workers=None))]
pub fn symmetry(
    py: Python<'_>,
    matrices: PyReadonlyArray2<'_, f64>,
    workers: Option<usize>,
) -> PyResult<(f64, f64, &'static str, f64)> {
    let (data, d) = (matrices.as_slice()?, matrices.shape()[1]);
    let found = Gateway::new(None, workers)?.run(py, |observer| {
        let mut monitor = Monitor::new(Budget::new(0.0, 1), observer, &[]);
        Quadratic::symmetry(data, d, &mut monitor)
    })?;
    let found = found.map_err(Raise::raise)?;
    Ok((found.smallest, found.scale, found.kind.as_str(), found.constant))
}
