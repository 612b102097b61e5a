//! Barycenters of histograms.

use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvent_core::base::monitor::{Budget, Monitor, Observer};
use solvent_core::base::view::MatrixView;
use solvent_core::ot::OtError;
use solvent_core::ot::barycenter::certify::Judgement;
use solvent_core::ot::barycenter::{Problem, Solution, certify, solve};
use solvent_core::ot::entry::Entry;

use crate::arrays::{Either, Matrix};
use crate::gateway::Gateway;
use crate::outcome::{certificate, outcome};

/// A budget for work that has no tolerance of its own.
const BOOKS: Budget = Budget::new(0.0, 1);

/// Everything but the cost that makes the problem; histograms one after the other.
struct Data {
    b: Vec<f64>,
    weights: Vec<f64>,
    reg: f64,
}

/// The columns of a matrix, one after the other.
fn columns(matrix: &PyReadonlyArray2<'_, f64>) -> Vec<f64> {
    matrix.as_array().columns().into_iter().flat_map(|column| column.to_vec()).collect()
}

/// Of vectors one after the other, those that `which` names.
fn chosen(x: &[f64], which: &[usize], length: usize) -> Vec<f64> {
    which.iter().flat_map(|k| x[k * length..(k + 1) * length].iter().copied()).collect()
}

/// Vectors of this length as the columns of a matrix.
fn matrix<'py>(py: Python<'py>, x: Vec<f64>, length: usize) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let count = x.len() / length.max(1);
    PyArray1::from_vec(py, x).reshape([count, length])?.transpose()
}

impl Data {
    fn problem<'a, T: Entry>(
        &self,
        cost: MatrixView<'a, T>,
        observer: &mut dyn Observer,
    ) -> Result<Problem<'a, T>, OtError> {
        let mut monitor = Monitor::new(BOOKS, observer, &[]);
        Problem::new(cost, &self.b, &self.weights, self.reg, &mut monitor)
    }

    fn solve<T: Entry>(
        &self,
        cost: MatrixView<'_, T>,
        x0: Option<&[f64]>,
        budget: Budget,
        observer: &mut dyn Observer,
    ) -> Result<Solution, OtError> {
        let problem = self.problem(cost, observer)?;
        let start = x0.map(|f| chosen(f, &problem.active, problem.n));
        solve(&problem, &self.b, start, budget, observer)
    }

    fn certify<T: Entry>(
        &self,
        cost: MatrixView<'_, T>,
        p: &[f64],
        (f, g): (&[f64], &[f64]),
        observer: &mut dyn Observer,
    ) -> Result<Judgement, OtError> {
        let problem = self.problem(cost, observer)?;
        let (f, g) = (chosen(f, &problem.active, problem.n), chosen(g, &problem.active, problem.m));
        let mut monitor = Monitor::new(BOOKS, observer, &[]);
        certify(&problem, p, &f, &g, &mut monitor)
    }
}

/// An outcome with p, value, lower, upper, f (n, K), g (m, K), marginal_error, passes and stages.
#[pyfunction]
#[pyo3(signature = (*, B, C, weights, reg, tol, maxiter, maxtime, history, x0, workers, callback))]
#[allow(non_snake_case, clippy::too_many_arguments, reason = "one keyword each")]
pub fn barycenter<'py>(
    py: Python<'py>,
    B: PyReadonlyArray2<'py, f64>,
    C: Either<'py>,
    weights: PyReadonlyArray1<'py, f64>,
    reg: f64,
    tol: f64,
    maxiter: u64,
    maxtime: Option<f64>,
    history: bool,
    x0: Option<PyReadonlyArray2<'py, f64>>,
    workers: Option<usize>,
    callback: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let data = Data { b: columns(&B), weights: weights.as_array().to_vec(), reg };
    let x0 = x0.as_ref().map(columns);
    let budget = Budget { tol, maxiter, maxtime, history };
    let gateway = Gateway::new(callback, workers)?;
    let (found, n, m) = match &C {
        Either::Double(array) => {
            let held = Matrix::new(array);
            let view = held.view()?;
            let found = gateway.run(py, |o| data.solve(view, x0.as_deref(), budget, o))?;
            (found, view.rows(), view.columns())
        }
        Either::Single(array) => {
            let held = Matrix::new(array);
            let view = held.view()?;
            let found = gateway.run(py, |o| data.solve(view, x0.as_deref(), budget, o))?;
            (found, view.rows(), view.columns())
        }
    };
    let dict = outcome(py, found.outcome)?;
    dict.set_item("p", PyArray1::from_vec(py, found.p))?;
    dict.set_item("value", found.value)?;
    dict.set_item("lower", found.lower)?;
    dict.set_item("upper", found.upper)?;
    dict.set_item("f", matrix(py, found.f, n)?)?;
    dict.set_item("g", matrix(py, found.g, m)?)?;
    dict.set_item("marginal_error", found.marginal_error)?;
    dict.set_item("passes", found.passes)?;
    dict.set_item("stages", found.stages)?;
    Ok(dict)
}

/// The certificate of p, f and g as Python holds them.
#[pyfunction]
#[pyo3(signature = (*, B, C, weights, p, f, g, reg, workers))]
#[allow(non_snake_case, clippy::too_many_arguments, reason = "one keyword each")]
pub fn certify_barycenter<'py>(
    py: Python<'py>,
    B: PyReadonlyArray2<'py, f64>,
    C: Either<'py>,
    weights: PyReadonlyArray1<'py, f64>,
    p: PyReadonlyArray1<'py, f64>,
    f: PyReadonlyArray2<'py, f64>,
    g: PyReadonlyArray2<'py, f64>,
    reg: f64,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let data = Data { b: columns(&B), weights: weights.as_array().to_vec(), reg };
    let (p, f, g) = (p.as_array().to_vec(), columns(&f), columns(&g));
    let gateway = Gateway::new(None, workers)?;
    let judged = match &C {
        Either::Double(array) => {
            let held = Matrix::new(array);
            let view = held.view()?;
            gateway.run(py, |o| data.certify(view, &p, (&f, &g), o))?
        }
        Either::Single(array) => {
            let held = Matrix::new(array);
            let view = held.view()?;
            gateway.run(py, |o| data.certify(view, &p, (&f, &g), o))?
        }
    };
    certificate(py, &judged.certificate)
}
