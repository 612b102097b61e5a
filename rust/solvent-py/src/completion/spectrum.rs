//! Singular triples of the zero-filled matrix, and the weighted mean.

use numpy::{Element, PyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvent_core::base::monitor::{Budget, Monitor};
use solvent_core::completion::CompletionError;
use solvent_core::completion::entry::Entry;
use solvent_core::completion::init::Operator;
use solvent_core::completion::payload::Payload;
use solvent_core::completion::problem::{Penalty, Problem, weighted_mean as mean_of};

use super::data::{Entries, Rows, put};
use crate::gateway::Gateway;

fn leading_rows<'py, T: Entry + Element>(
    py: Python<'py>,
    rows: &Rows<'py, T>,
    (rank, iters): (usize, usize),
    gateway: Gateway,
) -> PyResult<Bound<'py, PyDict>> {
    let view = rows.view()?;
    let (payload, s) = gateway.run(py, |observer| {
        let mut monitor = Monitor::new(Budget::new(0.0, 1), observer, &[]);
        let problem = Problem::new(view, None, Penalty::ridge(0.0), Some(0.0))?;
        let found = Operator::centred(&problem).leading(rank, iters, &mut monitor)?;
        let k = found.s.len();
        let flat = |x: &solvent_core::completion::factor::Factor<T>| -> Vec<T> {
            (0..x.rows()).flat_map(|i| x.row(i)[..k].to_vec()).collect()
        };
        let s: Vec<f64> = found.s.iter().map(|s| s / problem.unit).collect();
        let (m, n) = problem.shape();
        let payload = Payload {
            m,
            n,
            u: flat(&found.u),
            s: s.iter().map(|&s| T::from_f64(s)).collect(),
            v: flat(&found.v),
            bias: None,
            mean: 0.0,
        };
        Ok::<_, CompletionError>((payload, s))
    })?;
    let dict = PyDict::new(py);
    put(py, &dict, payload)?;
    dict.set_item("S", PyArray1::from_vec(py, s))?;
    Ok(dict)
}

/// `U, S, V` of the `rank` leading triples; S in float64.
#[pyfunction]
#[pyo3(signature = (*, A, rank, iters, workers))]
#[allow(non_snake_case, reason = "the matrix is called A")]
pub fn leading<'py>(
    py: Python<'py>,
    A: Entries<'py>,
    rank: usize,
    iters: usize,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let gateway = Gateway::new(None, workers)?;
    match &A {
        Entries::Double(rows) => leading_rows(py, rows, (rank, iters), gateway),
        Entries::Single(rows) => leading_rows(py, rows, (rank, iters), gateway),
    }
}

/// The weighted mean of the entries, by compensated sums.
#[pyfunction]
#[pyo3(signature = (*, A))]
#[allow(non_snake_case, reason = "the matrix is called A")]
pub fn weighted_mean(A: Entries<'_>) -> PyResult<f64> {
    match &A {
        Entries::Double(rows) => Ok(mean_of(rows.view()?.data(), rows.weights()?)),
        Entries::Single(rows) => Ok(mean_of(rows.view()?.data(), rows.weights()?)),
    }
}
