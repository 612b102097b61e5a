//! Least squares.

use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvent_core::base::dense::svd;
use solvent_core::base::error::{Aborted, ArgumentError};
use solvent_core::base::monitor::{Budget, Observer};
use solvent_core::base::view::MatrixView;
use solvent_core::regression::RegressionError;
use solvent_core::regression::options::{Accuracy, Options, Route};
use solvent_core::regression::passes::portable::{self, Remote};
use solvent_core::regression::problem::{Batch, Problem, Rows, Stream};
use solvent_core::regression::solve::{Solution, certify, solve};
use solvent_core::sketch::Name;

use crate::arrays::{CompressedRows, Matrix, choice};
use crate::errors::Raise;
use crate::gateway::{Failure, Gateway};
use crate::outcome::{certificate, outcome};

impl Raise for RegressionError {
    fn raise(self) -> PyErr {
        match self {
            Self::Argument(e) => e.raise(),
            Self::Aborted(e) => e.raise(),
            Self::Dense(e) => e.raise(),
        }
    }
}

/// Compressed rows as Python hands them over: `(indptr, indices, data, columns)`.
type Compressed<'py, T> =
    (PyReadonlyArray1<'py, i64>, PyReadonlyArray1<'py, i32>, PyReadonlyArray1<'py, T>, usize);

/// Where the rows are.
#[derive(FromPyObject)]
pub enum Data<'py> {
    /// A float64 array.
    Double(PyReadonlyArray2<'py, f64>),
    /// A float32 array.
    Single(PyReadonlyArray2<'py, f32>),
    /// Compressed rows of float64.
    Sparse64(Compressed<'py, f64>),
    /// Compressed rows of float32.
    Sparse32(Compressed<'py, f32>),
    /// `(blocks, columns)`: an object with `restart()` and `next()`.
    Blocks((Py<PyAny>, usize)),
    /// `(rows, columns, count)`: an object with `sum(name, numbers)`.
    Remote((Py<PyAny>, usize, usize)),
}

/// Everything but the rows that makes a problem.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Setting<'py> {
    b: Option<PyReadonlyArray2<'py, f64>>,
    sides: usize,
    vector: bool,
    weights: Option<PyReadonlyArray1<'py, f64>>,
    weighted: bool,
    alpha: Vec<f64>,
    intercept: bool,
    accuracy: String,
    method: String,
    sketch: String,
    seed: u64,
    rcond: f64,
    single: bool,
}

/// Rows that a Python object yields: `next()` returns None at the end or `(a, b, weights)`, validated, as float64.
struct Blocks {
    object: Py<PyAny>,
    failure: Failure,
}

impl Stream for Blocks {
    fn restart(&mut self) -> Result<bool, Aborted> {
        Python::attach(|py| self.object.call_method0(py, "restart")?.extract(py))
            .map_err(|error| self.failure.hold(error))
    }

    fn next(&mut self, batch: &mut Batch) -> Result<bool, Aborted> {
        type Block<'py> =
            (PyReadonlyArray2<'py, f64>, PyReadonlyArray2<'py, f64>, Option<PyReadonlyArray1<'py, f64>>);
        let pull = |py: Python<'_>| -> PyResult<bool> {
            let Some((a, b, weights)) =
                self.object.call_method0(py, "next")?.extract::<Option<Block<'_>>>(py)?
            else {
                return Ok(false);
            };
            batch.rows.extend_from_slice(a.as_slice()?);
            batch.b.extend_from_slice(b.as_slice()?);
            if let Some(weights) = weights {
                batch.weights.extend_from_slice(weights.as_slice()?);
            }
            Ok(true)
        };
        Python::attach(pull).map_err(|error| self.failure.hold(error))
    }
}

/// Rows in other processes: `sum(name, numbers)` is that of a pass over all of them.
struct Elsewhere {
    object: Py<PyAny>,
    failure: Failure,
}

impl Remote for Elsewhere {
    fn pass(&mut self, name: &str, numbers: Vec<f64>) -> Result<Vec<f64>, Aborted> {
        let ask = |py: Python<'_>| -> PyResult<Vec<f64>> {
            let told = PyArray1::from_vec(py, numbers);
            let sum = self.object.call_method1(py, "sum", (name, told))?;
            Ok(sum.extract::<PyReadonlyArray1<'_, f64>>(py)?.as_slice()?.to_vec())
        };
        Python::attach(ask).map_err(|error| self.failure.hold(error))
    }
}

impl Setting<'_> {
    fn options(&self, start: Option<Vec<Vec<f64>>>) -> PyResult<Options> {
        let accuracies = [("backward", Accuracy::Backward), ("high", Accuracy::High)];
        let routes = [
            ("auto", Route::Auto),
            ("gram", Route::Gram),
            ("sketch-gram", Route::SketchGram),
            ("sketch-cg", Route::SketchCg),
        ];
        Ok(Options {
            accuracy: choice("accuracy", &self.accuracy, &accuracies)?,
            route: choice("method", &self.method, &routes)?,
            sketch: choice("sketch", &self.sketch, &Name::ALL.map(|name| (name.as_str(), name)))?,
            seed: self.seed,
            rcond: self.rcond,
            start,
            single: self.single,
        })
    }
}

/// What stands beside rows in memory.
struct Parts<'a> {
    b: &'a [f64],
    sides: usize,
    vector: bool,
    weights: Option<&'a [f64]>,
    alpha: &'a [f64],
    intercept: bool,
}

impl<'a> Parts<'a> {
    fn problem(&self, rows: Rows<'a>) -> PyResult<Problem<'a>> {
        let alpha = self.alpha.to_vec();
        let made = Problem::new(rows, self.b, self.sides, self.weights, alpha, self.intercept);
        let mut problem = made.map_err(Raise::raise)?;
        problem.vector = self.vector;
        Ok(problem)
    }
}

/// Runs `work` on the problem, wherever its rows are.
fn with_problem<T: Send>(
    py: Python<'_>,
    data: &Data<'_>,
    setting: &Setting<'_>,
    gateway: Gateway,
    work: impl FnOnce(&mut Problem<'_>, &mut dyn Observer) -> Result<T, RegressionError> + Send,
) -> PyResult<T> {
    let weights = setting.weights.as_ref().map(|w| w.as_slice()).transpose()?;
    let b = match &setting.b {
        Some(b) => b.as_slice()?,
        None => &[],
    };
    let (sides, vector, alpha) = (setting.sides, setting.vector, setting.alpha.clone());
    let (intercept, weighted) = (setting.intercept, setting.weighted);
    let parts = Parts { b, sides, vector, weights, alpha: &alpha, intercept };
    match data {
        Data::Double(array) => {
            let held = Matrix::new(array);
            let mut problem = parts.problem(Rows::F64(held.view()?))?;
            gateway.run(py, move |o| work(&mut problem, o))
        }
        Data::Single(array) => {
            let held = Matrix::new(array);
            let mut problem = parts.problem(Rows::F32(held.view()?))?;
            gateway.run(py, move |o| work(&mut problem, o))
        }
        Data::Sparse64((indptr, indices, data, columns)) => {
            let rows = CompressedRows::new(indptr, indices, data, *columns)?;
            let mut problem = parts.problem(Rows::Sparse64(rows.view()?))?;
            gateway.run(py, move |o| work(&mut problem, o))
        }
        Data::Sparse32((indptr, indices, data, columns)) => {
            let rows = CompressedRows::new(indptr, indices, data, *columns)?;
            let mut problem = parts.problem(Rows::Sparse32(rows.view()?))?;
            gateway.run(py, move |o| work(&mut problem, o))
        }
        Data::Blocks((object, columns)) => {
            let mut stream = Blocks { object: object.clone_ref(py), failure: gateway.failure() };
            let columns = *columns;
            gateway.run(py, move |o| {
                let mut problem =
                    Problem::stream(&mut stream, columns, sides, weighted, alpha.clone(), intercept);
                problem.vector = vector;
                work(&mut problem, o)
            })
        }
        Data::Remote((object, columns, count)) => {
            let mut remote = Elsewhere { object: object.clone_ref(py), failure: gateway.failure() };
            let (columns, count) = (*columns, *count);
            gateway.run(py, move |o| {
                let alpha = alpha.clone();
                let mut problem =
                    Problem::remote(&mut remote, count, columns, sides, weighted, alpha, intercept);
                problem.vector = vector;
                work(&mut problem, o)
            })
        }
    }
}

/// What a pass adds up over one part of the rows, for rows that lie in several processes.
pub fn part<'py>(
    py: Python<'py>,
    name: &str,
    numbers: &[f64],
    data: &Data<'py>,
    setting: &Setting<'py>,
    first: usize,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let gateway = Gateway::new(None, None)?;
    let sum = with_problem(py, data, setting, gateway, |rows, _| portable::part(name, numbers, rows, first))?;
    Ok(PyArray1::from_vec(py, sum))
}

/// What several of those make together.
pub fn merge<'py>(
    py: Python<'py>,
    name: &str,
    numbers: &[f64],
    parts: &[PyReadonlyArray1<'py, f64>],
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let parts: Vec<Vec<f64>> = parts.iter().map(|p| Ok(p.as_slice()?.to_vec())).collect::<PyResult<_>>()?;
    Ok(PyArray1::from_vec(py, portable::merge(name, numbers, &parts).map_err(Raise::raise)?))
}

/// Vectors side by side as one array, a row each.
pub fn rows<'py>(py: Python<'py>, data: &[Vec<f64>], columns: usize) -> PyResult<Bound<'py, PyArray2<f64>>> {
    PyArray1::from_vec(py, data.concat()).reshape([data.len(), columns])
}

fn vectors(array: &PyReadonlyArray2<'_, f64>) -> Vec<Vec<f64>> {
    array.as_array().rows().into_iter().map(|row| row.to_vec()).collect()
}

/// A solution as a dict.
pub fn solution(py: Python<'_>, s: Solution) -> PyResult<Bound<'_, PyDict>> {
    let d = s.x.first().map_or(0, Vec::len);
    let dict = outcome(py, s.outcome)?;
    dict.set_item("x", rows(py, &s.x, d)?)?;
    dict.set_item("x_lo", s.x_lo.map(|x| rows(py, &x, d)).transpose()?)?;
    dict.set_item(
        "coef_bound",
        s.coefficient_bounds
            .map(|x| rows(py, &x.iter().map(|x| x[..d].to_vec()).collect::<Vec<_>>(), d))
            .transpose()?,
    )?;
    dict.set_item("intercept", PyArray1::from_vec(py, s.intercepts))?;
    dict.set_item("residual_norm", PyArray1::from_vec(py, s.residual_norms))?;
    dict.set_item("gradient", rows(py, &s.gradients, d)?)?;
    dict.set_item("rank", s.rank)?;
    dict.set_item("method", s.method)?;
    dict.set_item("n_passes", s.passes)?;
    dict.set_item("n_rows", s.rows)?;
    let (m, n) = (s.r.rows(), s.r.columns());
    dict.set_item("r", PyArray1::from_vec(py, s.r.into_vec()).reshape([n, m])?)?;
    dict.set_item("scale", s.scale)?;
    let order = s.base.as_ref().and_then(|b| b.first()).map_or(0, Vec::len);
    dict.set_item("base", s.base.map(|b| rows(py, &b, order)).transpose()?)?;
    Ok(dict)
}

/// Solves.
#[allow(clippy::too_many_arguments, reason = "the keywords of the common contract")]
pub fn run<'py>(
    py: Python<'py>,
    data: &Data<'py>,
    setting: &Setting<'py>,
    start: Option<PyReadonlyArray2<'py, f64>>,
    tol: f64,
    maxiter: u64,
    maxtime: Option<f64>,
    history: bool,
    callback: Option<Py<PyAny>>,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let options = setting.options(start.as_ref().map(vectors))?;
    let budget = Budget { tol, maxiter, maxtime, history };
    let gateway = Gateway::new(callback, workers)?;
    let solved = with_problem(py, data, setting, gateway, |problem, o| solve(problem, &options, budget, o))?;
    solution(py, solved)
}

/// Judges given coefficients.
pub fn judge<'py>(
    py: Python<'py>,
    data: &Data<'py>,
    setting: &Setting<'py>,
    x: &PyReadonlyArray2<'py, f64>,
    x_lo: Option<PyReadonlyArray2<'py, f64>>,
    base: Option<PyReadonlyArray2<'py, f64>>,
    tol: f64,
) -> PyResult<Bound<'py, PyDict>> {
    let options = setting.options(None)?;
    let (x, x_lo, base) = (vectors(x), x_lo.as_ref().map(vectors), base.as_ref().map(vectors));
    let gateway = Gateway::new(None, None)?;
    let judged = with_problem(py, data, setting, gateway, |problem, o| {
        certify(problem, &options, &x, x_lo.as_deref(), base.as_deref(), tol, o)
    })?;
    certificate(py, &judged)
}

/// Singular values, descending, of a matrix given by its transpose in C order.
pub fn singular_values<'py>(
    py: Python<'py>,
    r: &PyReadonlyArray2<'py, f64>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let (n, m) = (r.shape()[0], r.shape()[1]);
    if n.min(m) == 0 {
        return Ok(PyArray1::from_vec(py, vec![0.0; n]));
    }
    let view = MatrixView::column_major(r.as_slice()?, m, n)
        .map_err(|_: ArgumentError| ArgumentError::new("r", "not contiguous", "C order").raise())?;
    Ok(PyArray1::from_vec(py, svd(view).map_err(Raise::raise)?.s))
}
