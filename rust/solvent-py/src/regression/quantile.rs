//! Quantile regression.

use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use solvent_core::base::certificate::Certificate;
use solvent_core::base::monitor::{Budget, Monitor, Observer};
use solvent_core::regression::quantile::{
    Design, Frame, Problem, QuantileError, Route, Rows, Solution, Start, certify, solve,
};

use super::design::Stored;
use crate::arrays::choice;
use crate::errors::Raise;
use crate::gateway::Gateway;
use crate::outcome::{certificate, outcome};

/// A budget for work that has no tolerance of its own.
const BOOKS: Budget = Budget::new(0.0, 1);

impl Raise for QuantileError {
    fn raise(self) -> PyErr {
        match self {
            Self::Argument(error) => error.raise(),
            Self::Aborted(error) => error.raise(),
            Self::Dense(error) => error.raise(),
        }
    }
}

/// What makes the problem, beside the design.
struct Data {
    b: Vec<f64>,
    weights: Option<Vec<f64>>,
    alpha: f64,
    intercept: bool,
    single: bool,
}

impl Data {
    fn problem<'a>(&self, rows: Rows<'a>) -> Result<Problem<'a>, QuantileError> {
        let design = Design::new(rows, self.intercept);
        Problem::new(design, &self.b, self.weights.as_deref(), self.alpha, self.single)
    }

    fn solve(
        &self,
        rows: Rows<'_>,
        taus: &[f64],
        route: Route,
        start: Option<Start>,
        budget: Budget,
        observer: &mut dyn Observer,
    ) -> Result<Solution, QuantileError> {
        solve(&mut self.problem(rows)?, taus, route, start, budget, observer)
    }

    fn certify(
        &self,
        rows: Rows<'_>,
        given: &[(f64, Vec<f64>, Vec<f64>)],
        observer: &mut dyn Observer,
    ) -> Result<Vec<Certificate>, QuantileError> {
        let mut problem = self.problem(rows)?;
        let mut monitor = Monitor::new(BOOKS, observer, &[]);
        let frame = Frame::new(&mut problem, &mut monitor)?;
        let judge = |(tau, x, dual): &(f64, Vec<f64>, Vec<f64>)| {
            certify(&problem, &frame, *tau, x, dual, &mut monitor).map(|judged| judged.certificate)
        };
        given.iter().map(judge).collect()
    }
}

/// An outcome with `rank` and, one for each tau, `answers`: (x, objective, gap, dual, basis or None).
#[pyfunction]
#[pyo3(signature = (*, a, b, tau, weights, alpha, fit_intercept, single, method, tol, maxiter, maxtime, history, x0, basis0, tau0, workers, callback))]
#[allow(clippy::too_many_arguments, reason = "one keyword each")]
pub fn quantile_regression<'py>(
    py: Python<'py>,
    a: Stored<'py>,
    b: PyReadonlyArray1<'py, f64>,
    tau: Vec<f64>,
    weights: Option<PyReadonlyArray1<'py, f64>>,
    alpha: f64,
    fit_intercept: bool,
    single: bool,
    method: &str,
    tol: f64,
    maxiter: u64,
    maxtime: Option<f64>,
    history: bool,
    x0: Option<Vec<f64>>,
    basis0: Option<Vec<usize>>,
    tau0: Option<f64>,
    workers: Option<usize>,
    callback: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let routes = [("auto", Route::Auto), ("interior-point", Route::Interior), ("preprocess", Route::Globs)];
    let route = choice("method", method, &routes)?;
    let weights = weights.map(|w| w.as_array().to_vec());
    let data = Data { b: b.as_array().to_vec(), weights, alpha, intercept: fit_intercept, single };
    let start = x0.map(|x| Start { x, basis: basis0, tau: tau0 });
    let budget = Budget { tol, maxiter, maxtime, history };
    let gateway = Gateway::new(callback, workers)?;
    let found = a.with(|rows| gateway.run(py, |o| data.solve(rows, &tau, route, start, budget, o)))?;
    let dict = outcome(py, found.outcome)?;
    dict.set_item("rank", found.rank)?;
    let answers = PyList::empty(py);
    for answer in found.answers {
        let judged = answer.judgement;
        let basis =
            answer.basis.map(|rows| PyArray1::from_vec(py, rows.into_iter().map(|i| i as i64).collect()));
        let x = PyArray1::from_vec(py, answer.x);
        let dual = PyArray1::from_vec(py, answer.dual);
        answers.append((x, judged.objective, judged.gap, dual, basis))?;
    }
    dict.set_item("answers", answers)?;
    Ok(dict)
}

/// The certificates of (tau, x, dual), one after the other.
#[pyfunction]
#[pyo3(signature = (*, a, b, given, weights, alpha, fit_intercept, workers))]
#[allow(clippy::too_many_arguments, reason = "one keyword each")]
pub fn certify_quantile<'py>(
    py: Python<'py>,
    a: Stored<'py>,
    b: PyReadonlyArray1<'py, f64>,
    given: Vec<(f64, PyReadonlyArray1<'py, f64>, PyReadonlyArray1<'py, f64>)>,
    weights: Option<PyReadonlyArray1<'py, f64>>,
    alpha: f64,
    fit_intercept: bool,
    workers: Option<usize>,
) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let weights = weights.map(|w| w.as_array().to_vec());
    let data = Data { b: b.as_array().to_vec(), weights, alpha, intercept: fit_intercept, single: false };
    let given: Vec<_> =
        given.iter().map(|(tau, x, dual)| (*tau, x.as_array().to_vec(), dual.as_array().to_vec())).collect();
    let gateway = Gateway::new(None, workers)?;
    let judged = a.with(|rows| gateway.run(py, |o| data.certify(rows, &given, o)))?;
    judged.iter().map(|it| certificate(py, it)).collect()
}
