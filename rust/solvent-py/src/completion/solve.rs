//! Completions and their certificates.

use numpy::{Element, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvent_core::base::monitor::{Budget, Monitor};
use solvent_core::completion::CompletionError;
use solvent_core::completion::certify::{Depth, Evidence, certify as judge};
use solvent_core::completion::engine::solve as run;
use solvent_core::completion::entry::Entry;
use solvent_core::completion::factor::Factor;
use solvent_core::completion::options::{Certify, Engine, Held as HeldOut, Init, Options, Solver};
use solvent_core::completion::problem::{Penalty, Problem};

use super::data::{Entries, Held, PyPenalty, Rows, put};
use crate::arrays::choice;
use crate::gateway::Gateway;
use crate::outcome::{certificate, outcome};

/// A budget for work that has no tolerance of its own.
const BOOKS: Budget = Budget::new(0.0, 1);

/// Factors to start from: `(U, V)`, float64, biases as a last column.
type Start<'py> = Option<(PyReadonlyArray2<'py, f64>, PyReadonlyArray2<'py, f64>)>;
/// Held-out rows, columns and values.
type HeldEntries<'py> =
    Option<(PyReadonlyArray1<'py, i32>, PyReadonlyArray1<'py, i32>, PyReadonlyArray1<'py, f64>)>;

/// How a run is done.
#[derive(FromPyObject)]
pub struct Run<'py> {
    #[pyo3(item, default = "als".to_owned())]
    engine: String,
    #[pyo3(item, default)]
    split: bool,
    #[pyo3(item)]
    rank: usize,
    #[pyo3(item)]
    grow: Option<usize>,
    #[pyo3(item)]
    inner: String,
    #[pyo3(item)]
    cg_steps: usize,
    #[pyo3(item)]
    init: String,
    #[pyo3(item)]
    start: Start<'py>,
    #[pyo3(item)]
    held: HeldEntries<'py>,
    #[pyo3(item)]
    held_stop: bool,
    #[pyo3(item)]
    certify: String,
    #[pyo3(item)]
    seed: u64,
    #[pyo3(item)]
    mean: Option<f64>,
}

/// The word for thoroughness.
fn depth_of(word: &str) -> PyResult<Certify> {
    choice("certify", word, &[("none", Certify::None), ("basic", Certify::Basic), ("full", Certify::Full)])
}

impl Run<'_> {
    pub fn options<T: Entry>(&self) -> PyResult<Options<T>> {
        let factor = |x: &PyReadonlyArray2<'_, f64>| {
            let x = x.as_array();
            Factor::from_fn(x.nrows(), x.ncols(), |i, l| T::from_f64(x[[i, l]]))
        };
        let line = |x: &PyReadonlyArray1<'_, i32>| x.as_array().iter().map(|&i| i as u32).collect();
        Ok(Options {
            engine: choice(
                "engine",
                &self.engine,
                &[("auto", Engine::Auto), ("als", Engine::Als), ("irls", Engine::Irls), ("ram", Engine::Ram)],
            )?,
            split: self.split,
            rank: self.rank,
            grow: self.grow,
            solver: choice(
                "inner",
                &self.inner,
                &[
                    ("auto", Solver::Auto),
                    ("cholesky", Solver::Cholesky),
                    ("cg", Solver::Cg),
                    ("sketch", Solver::Auto),
                ],
            )?,
            sketch: self.inner == "sketch",
            cg_steps: self.cg_steps,
            init: choice(
                "init",
                &self.init,
                &[("auto", Init::Auto), ("spectral", Init::Spectral), ("random", Init::Random)],
            )?,
            start: self.start.as_ref().map(|(u, v)| (factor(u), factor(v))),
            held: self.held.as_ref().map(|(rows, columns, values)| HeldOut {
                rows: line(rows),
                columns: line(columns),
                values: values.as_array().to_vec(),
            }),
            held_stop: self.held_stop,
            certify: depth_of(&self.certify)?,
            seed: self.seed,
        })
    }
}

fn solve_rows<'py, T: Entry + Element>(
    py: Python<'py>,
    rows: &Rows<'py, T>,
    penalty: Penalty,
    how: &Run<'py>,
    budget: Budget,
    gateway: Gateway,
) -> PyResult<Bound<'py, PyDict>> {
    let (view, weights, options) = (rows.view()?, rows.weights()?, how.options::<T>()?);
    let mean = how.mean;
    let (found, deviation) = gateway.run(py, |observer| {
        let problem = Problem::new(view, weights, penalty, mean)?;
        let found = run(&problem, &options, budget, observer)?;
        // A certificate has it among its parts.
        let deviation = match options.certify {
            Certify::None => Some(found.payload.deviation(view, &mut Monitor::new(BOOKS, observer, &[]))?),
            _ => None,
        };
        Ok::<_, CompletionError>((found, deviation))
    })?;
    let dict = outcome(py, found.outcome)?;
    dict.set_item("deviation", deviation)?;
    put(py, &dict, found.payload)?;
    dict.set_item("held_rmse", found.held_rmse)?;
    Ok(dict)
}

/// An outcome with `U, S, V, bias_row, bias_col, mean, held_rmse`, and without a certificate `deviation`.
#[pyfunction]
#[pyo3(signature = (*, A, penalty, run, tol, maxiter, maxtime, history, workers, callback))]
#[allow(non_snake_case, reason = "the matrix is called A")]
pub fn solve<'py>(
    py: Python<'py>,
    A: Entries<'py>,
    penalty: PyPenalty,
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
    let penalty = Penalty::from(&penalty);
    match &A {
        Entries::Double(rows) => solve_rows(py, rows, penalty, &run, budget, gateway),
        Entries::Single(rows) => solve_rows(py, rows, penalty, &run, budget, gateway),
    }
}

fn certify_rows<'py, T: Entry + Element>(
    py: Python<'py>,
    rows: &Rows<'py, T>,
    payload: &Held<'py, T>,
    penalty: Penalty,
    depth: Depth,
    gateway: Gateway,
) -> PyResult<Bound<'py, PyDict>> {
    let evidence = Evidence { entries: rows.view()?, weights: rows.weights()?, penalty };
    let payload = payload.payload();
    let judged = gateway.run(py, |observer| {
        let mut monitor = Monitor::new(BOOKS, observer, &[]);
        judge(&evidence, &payload, depth, &mut monitor)
    })?;
    certificate(py, &judged)
}

/// The certificate of a payload, as Python holds it; its arrays have the dtype of the entries.
#[pyfunction]
#[pyo3(signature = (*, A, payload, penalty, full, seed, evaluation, tol, workers))]
#[allow(non_snake_case, reason = "the matrix is called A")]
pub fn certify<'py>(
    py: Python<'py>,
    A: Entries<'py>,
    payload: Bound<'py, PyDict>,
    penalty: PyPenalty,
    full: bool,
    seed: u64,
    evaluation: u32,
    tol: f64,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let gateway = Gateway::new(None, workers)?;
    let depth = Depth { full, seed, evaluation, tol };
    let penalty = Penalty::from(&penalty);
    match &A {
        Entries::Double(rows) => certify_rows(py, rows, &payload.extract()?, penalty, depth, gateway),
        Entries::Single(rows) => certify_rows(py, rows, &payload.extract()?, penalty, depth, gateway),
    }
}
