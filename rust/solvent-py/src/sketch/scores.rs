//! Scores of rows, and samples drawn by them.

use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvent_core::base::error::Aborted;
use solvent_core::base::monitor::{Budget, Observer};
use solvent_core::regression::RegressionError;
use solvent_core::regression::scores::leverage::{self, Method};
use solvent_core::regression::scores::table::Table;
use solvent_core::regression::scores::{Scores, lewis, sample, sensitivity};

use super::operators::books;
use crate::arrays::{CompressedRows, Either, Matrix};
use crate::gateway::Gateway;
use crate::outcome::{certificate, outcome};

/// (indptr, indices, data, columns) of compressed rows.
type Compressed<'py> =
    (PyReadonlyArray1<'py, i64>, PyReadonlyArray1<'py, i32>, PyReadonlyArray1<'py, f64>, usize);

/// A matrix in memory.
#[derive(FromPyObject)]
pub enum Data<'py> {
    /// Dense, of either precision.
    Dense(Either<'py>),
    /// Compressed rows.
    Sparse(Compressed<'py>),
}

/// Runs `work` without the GIL on the table that the arrays hold.
pub(super) fn with_table<T: Send>(
    py: Python<'_>,
    data: &Data<'_>,
    gateway: Gateway,
    work: impl FnOnce(&Table<'_>, &mut dyn Observer) -> Result<T, RegressionError> + Send,
) -> PyResult<T> {
    match data {
        Data::Dense(Either::Double(array)) => {
            let held = Matrix::new(array);
            let table = Table::Double(held.view()?);
            gateway.run(py, move |o| work(&table, o))
        }
        Data::Dense(Either::Single(array)) => {
            let held = Matrix::new(array);
            let table = Table::Single(held.view()?);
            gateway.run(py, move |o| work(&table, o))
        }
        Data::Sparse((indptr, indices, values, columns)) => {
            let held = CompressedRows::new(indptr, indices, values, *columns)?;
            let table = Table::Sparse(held.view()?);
            gateway.run(py, move |o| work(&table, o))
        }
    }
}

fn given(py: Python<'_>, found: Scores) -> PyResult<Bound<'_, PyDict>> {
    let dict = outcome(py, found.outcome)?;
    dict.set_item("scores", PyArray1::from_vec(py, found.scores))?;
    dict.set_item("total", found.total)?;
    dict.set_item("rank", found.rank)?;
    Ok(dict)
}

/// Leverage scores: an outcome with scores, total, rank. `sketched` is (eps, delta).
#[pyfunction]
pub fn leverage_scores<'py>(
    py: Python<'py>,
    data: Data<'py>,
    sketched: Option<(f64, f64)>,
    seed: u64,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let method = sketched.map_or(Method::Exact, |(eps, delta)| Method::Sketch { eps, delta });
    let gateway = Gateway::new(None, workers)?;
    given(py, with_table(py, &data, gateway, |t, o| leverage::leverage(t, method, seed, books(o)))?)
}

/// Lewis weights: likewise.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "the keywords of the common contract")]
pub fn lewis_weights<'py>(
    py: Python<'py>,
    data: Data<'py>,
    p: f64,
    seed: u64,
    tol: f64,
    maxiter: u64,
    maxtime: Option<f64>,
    history: bool,
    callback: Option<Py<PyAny>>,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let budget = Budget { tol, maxiter, maxtime, history };
    let gateway = Gateway::new(callback, workers)?;
    given(py, with_table(py, &data, gateway, |t, o| lewis::lewis(t, p, seed, budget, o))?)
}

/// Upper bounds of lp sensitivities: likewise.
#[pyfunction]
pub fn sensitivity_bounds<'py>(
    py: Python<'py>,
    data: Data<'py>,
    p: f64,
    seed: u64,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let gateway = Gateway::new(None, workers)?;
    given(py, with_table(py, &data, gateway, |t, o| sensitivity::bounds(t, p, seed, books(o)))?)
}

/// The certificate of given leverage scores (p = None), Lewis weights, or bounds of sensitivities.
#[pyfunction]
pub fn scores_certify<'py>(
    py: Python<'py>,
    data: Data<'py>,
    kind: &str,
    scores: PyReadonlyArray1<'py, f64>,
    p: f64,
    seed: u64,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let scores = scores.as_array().to_vec();
    let gateway = Gateway::new(None, workers)?;
    let judged = with_table(py, &data, gateway, |t, o| match kind {
        "lewis" => lewis::certify(t, &scores, p, seed, &mut books(o)),
        "sensitivity" => sensitivity::certify(t, &scores, p, seed, &mut books(o)),
        _ => leverage::certify(t, &scores, seed, &mut books(o)),
    })?;
    certificate(py, &judged)
}

/// Probabilities, indices, weights.
type Drawn<'py> = (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<f64>>);

/// (probabilities, indices, weights) of `size` draws.
#[pyfunction]
pub fn sample_rows<'py>(
    py: Python<'py>,
    scores: PyReadonlyArray1<'py, f64>,
    size: usize,
    p: f64,
    seed: u64,
) -> PyResult<Drawn<'py>> {
    let scores = scores.as_array().to_vec();
    let work = |_: &mut dyn Observer| {
        let probabilities = sample::probabilities(&scores);
        let (indices, weights) = sample::draw(&probabilities, size, p, seed);
        Ok::<_, Aborted>((probabilities, indices, weights))
    };
    let (probabilities, indices, weights) = Gateway::new(None, None)?.run(py, work)?;
    let vector = |x| PyArray1::from_vec(py, x);
    Ok((vector(probabilities), PyArray1::from_vec(py, indices), vector(weights)))
}
