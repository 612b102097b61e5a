//! Regression in an lp norm, p > 1.

use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvent_core::base::monitor::{Budget, Monitor, Observer};
use solvent_core::regression::lp::{Judgement, Solution, certify, solve};
use solvent_core::regression::quantile::{Design, Frame, Problem, QuantileError, Rows};

use super::design::Stored;
use crate::gateway::Gateway;
use crate::outcome::{certificate, outcome};

/// A budget for work that has no tolerance of its own.
const BOOKS: Budget = Budget::new(0.0, 1);

/// What makes the problem, beside the design; weights are those of rows, `w^(1/p)`.
struct Data {
    b: Vec<f64>,
    weights: Option<Vec<f64>>,
    intercept: bool,
    single: bool,
    p: f64,
}

impl Data {
    fn problem<'a>(&self, rows: Rows<'a>) -> Result<Problem<'a>, QuantileError> {
        let design = Design::new(rows, self.intercept);
        Problem::new(design, &self.b, self.weights.as_deref(), 0.0, self.single)
    }

    fn solve(
        &self,
        rows: Rows<'_>,
        start: Option<&[f64]>,
        budget: Budget,
        observer: &mut dyn Observer,
    ) -> Result<Solution, QuantileError> {
        solve(&mut self.problem(rows)?, self.p, start, budget, observer)
    }

    fn certify(
        &self,
        rows: Rows<'_>,
        x: &[f64],
        dual: &[f64],
        observer: &mut dyn Observer,
    ) -> Result<Judgement, QuantileError> {
        let mut problem = self.problem(rows)?;
        let mut monitor = Monitor::new(BOOKS, observer, &[]);
        let frame = Frame::new(&mut problem, &mut monitor)?;
        certify(&problem, &frame, self.p, x, dual, &mut monitor)
    }
}

/// An outcome with x, objective, gap, dual and rank.
#[pyfunction]
#[pyo3(signature = (*, a, b, p, weights, fit_intercept, single, tol, maxiter, maxtime, history, x0, workers, callback))]
#[allow(clippy::too_many_arguments, reason = "one keyword each")]
pub fn lp_regression<'py>(
    py: Python<'py>,
    a: Stored<'py>,
    b: PyReadonlyArray1<'py, f64>,
    p: f64,
    weights: Option<PyReadonlyArray1<'py, f64>>,
    fit_intercept: bool,
    single: bool,
    tol: f64,
    maxiter: u64,
    maxtime: Option<f64>,
    history: bool,
    x0: Option<Vec<f64>>,
    workers: Option<usize>,
    callback: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let weights = weights.map(|w| w.as_array().to_vec());
    let data = Data { b: b.as_array().to_vec(), weights, intercept: fit_intercept, single, p };
    let budget = Budget { tol, maxiter, maxtime, history };
    let gateway = Gateway::new(callback, workers)?;
    let found = a.with(|rows| gateway.run(py, |o| data.solve(rows, x0.as_deref(), budget, o)))?;
    let dict = outcome(py, found.outcome)?;
    dict.set_item("x", PyArray1::from_vec(py, found.x))?;
    dict.set_item("objective", found.judgement.objective)?;
    dict.set_item("gap", found.judgement.gap)?;
    dict.set_item("dual", PyArray1::from_vec(py, found.dual))?;
    dict.set_item("rank", found.rank)?;
    Ok(dict)
}

/// The certificate of x and dual as Python holds them.
#[pyfunction]
#[pyo3(signature = (*, a, b, p, x, dual, weights, fit_intercept, workers))]
#[allow(clippy::too_many_arguments, reason = "one keyword each")]
pub fn certify_lp<'py>(
    py: Python<'py>,
    a: Stored<'py>,
    b: PyReadonlyArray1<'py, f64>,
    p: f64,
    x: PyReadonlyArray1<'py, f64>,
    dual: PyReadonlyArray1<'py, f64>,
    weights: Option<PyReadonlyArray1<'py, f64>>,
    fit_intercept: bool,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let weights = weights.map(|w| w.as_array().to_vec());
    let data = Data { b: b.as_array().to_vec(), weights, intercept: fit_intercept, single: false, p };
    let (x, dual) = (x.as_array().to_vec(), dual.as_array().to_vec());
    let gateway = Gateway::new(None, workers)?;
    let judged = a.with(|rows| gateway.run(py, |o| data.certify(rows, &x, &dual, o)))?;
    certificate(py, &judged.certificate)
}
