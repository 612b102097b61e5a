//! Sketch and solve.

use numpy::{PyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvent_core::regression::sketch_solve::{self as core, Request, Rule};
use solvent_core::sketch::Name;

use super::operators::{books, matrix};
use super::scores::{Data, with_table};
use crate::arrays::{Matrix, choice};
use crate::gateway::Gateway;
use crate::outcome::{certificate, outcome};

fn name(sketch: &str) -> PyResult<Name> {
    choice("sketch", sketch, &Name::ALL.map(|name| (name.as_str(), name)))
}

/// Rows of the sketch; None where it would have half of n or more.
#[pyfunction]
pub fn sketch_rows(rule: &str, n: usize, d: usize, eps: f64, delta: f64) -> PyResult<Option<usize>> {
    let rules = [("practical", Rule::Practical), ("theory", Rule::Theory)];
    Ok(choice("rule", rule, &rules)?.rows((n, d), eps, delta))
}

/// An outcome with x, error_bars (d by k), residual_norms, m.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "the keywords, one to one")]
pub fn sketch_and_solve<'py>(
    py: Python<'py>,
    data: Data<'py>,
    b: PyReadonlyArray2<'py, f64>,
    sketch: &str,
    m: Option<usize>,
    delta: f64,
    seed: u64,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let request = Request { sketch: name(sketch)?, m, delta, seed };
    let right = Matrix::new(&b);
    let right = right.view()?;
    let gateway = Gateway::new(None, workers)?;
    let found = with_table(py, &data, gateway, |t, o| core::solve(t, right, request, books(o)))?;
    let k = right.columns();
    let d = found.x.len() / k.max(1);
    let dict = outcome(py, found.outcome)?;
    dict.set_item("x", matrix(py, found.x, (d, k))?)?;
    dict.set_item("error_bars", matrix(py, found.error_bars, (d, k))?)?;
    dict.set_item("residual_norms", PyArray1::from_vec(py, found.residual_norms))?;
    dict.set_item("m", found.m)?;
    Ok(dict)
}

/// The certificate of coefficients that are given, d by k.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "the data and the payload, one to one")]
pub fn sketch_certify<'py>(
    py: Python<'py>,
    data: Data<'py>,
    b: PyReadonlyArray2<'py, f64>,
    x: PyReadonlyArray2<'py, f64>,
    sketch: &str,
    m: Option<usize>,
    delta: f64,
    seed: u64,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let request = Request { sketch: name(sketch)?, m, delta, seed };
    let (right, x) = (Matrix::new(&b), Matrix::new(&x));
    let (right, x) = (right.view()?, x.view()?);
    let gateway = Gateway::new(None, workers)?;
    let judged = with_table(py, &data, gateway, |t, o| core::certify(t, right, x, request, &mut books(o)))?;
    certificate(py, &judged)
}
