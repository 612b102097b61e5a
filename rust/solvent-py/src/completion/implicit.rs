//! Implicit feedback.

use numpy::Element;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvent_core::base::error::ArgumentError;
use solvent_core::base::monitor::{Budget, Monitor};
use solvent_core::completion::certify::Depth;
use solvent_core::completion::certify::implicit::certificate as judge;
use solvent_core::completion::entry::Entry;
use solvent_core::completion::implicit::{Feedback, solve as run};

use super::data::{Entries, Held, Rows, put};
use super::solve::Run;
use crate::errors::Raise;
use crate::gateway::Gateway;
use crate::outcome::{certificate, outcome};

/// Feedback without weights is a bug of the caller.
fn weighted<'a, T: Element + Copy>(rows: &'a Rows<'_, T>) -> PyResult<&'a [T]> {
    let missing = || ArgumentError::new("weights", "weights = None".to_owned(), "confidences").raise();
    rows.weights()?.ok_or_else(missing)
}

fn solve_rows<'py, T: Entry + Element>(
    py: Python<'py>,
    rows: &Rows<'py, T>,
    lam: f64,
    how: &Run<'py>,
    budget: Budget,
    gateway: Gateway,
) -> PyResult<Bound<'py, PyDict>> {
    let (view, weights, options) = (rows.view()?, weighted(rows)?, how.options::<T>()?);
    let (payload, found) = gateway.run(py, |observer| {
        let feedback = Feedback::new(view, weights, lam);
        run(&feedback, &options, budget, observer)
    })?;
    let dict = outcome(py, found)?;
    put(py, &dict, payload)?;
    dict.set_item("held_rmse", None::<f64>)?;
    Ok(dict)
}

/// An outcome with `U, S, V`. The data are `c p / (c - 1)`, the weights `c - 1`.
#[pyfunction]
#[pyo3(signature = (*, A, lam, run, tol, maxiter, maxtime, history, workers, callback))]
#[allow(non_snake_case, reason = "the matrix is called A")]
pub fn solve_implicit<'py>(
    py: Python<'py>,
    A: Entries<'py>,
    lam: f64,
    run: Run<'py>,
    tol: f64,
    maxiter: u64,
    maxtime: Option<f64>,
    history: bool,
    workers: Option<usize>,
    callback: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let budget = Budget { tol, maxiter, maxtime, history };
    let gateway = Gateway::new(callback, workers)?;
    match &A {
        Entries::Double(rows) => solve_rows(py, rows, lam, &run, budget, gateway),
        Entries::Single(rows) => solve_rows(py, rows, lam, &run, budget, gateway),
    }
}

fn certify_rows<'py, T: Entry + Element>(
    py: Python<'py>,
    rows: &Rows<'py, T>,
    payload: &Held<'py, T>,
    lam: f64,
    depth: Depth,
    gateway: Gateway,
) -> PyResult<Bound<'py, PyDict>> {
    let (view, weights, payload) = (rows.view()?, weighted(rows)?, payload.payload());
    let judged = gateway.run(py, |observer| {
        let mut monitor = Monitor::new(Budget::new(0.0, 1), observer, &[]);
        judge(view, weights, &payload, lam, depth, &mut monitor)
    })?;
    certificate(py, &judged)
}

/// The certificate of a payload, as Python holds it.
#[pyfunction]
#[pyo3(signature = (*, A, payload, lam, seed, evaluation, workers))]
#[allow(non_snake_case, reason = "the matrix is called A")]
pub fn certify_implicit<'py>(
    py: Python<'py>,
    A: Entries<'py>,
    payload: Bound<'py, PyDict>,
    lam: f64,
    seed: u64,
    evaluation: u32,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let gateway = Gateway::new(None, workers)?;
    let depth = Depth { full: false, seed, evaluation, tol: 0.0 };
    match &A {
        Entries::Double(rows) => certify_rows(py, rows, &payload.extract()?, lam, depth, gateway),
        Entries::Single(rows) => certify_rows(py, rows, &payload.extract()?, lam, depth, gateway),
    }
}
