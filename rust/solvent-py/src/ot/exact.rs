//! Transport without regularisation. Python has validated shapes, weights and scalars; the core checks the costs on its
//! first pass over them.

use numpy::{PyArray1, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvent_core::base::error::ArgumentError;
use solvent_core::base::monitor::{Budget, Monitor};
use solvent_core::ot::exact::{self as core, Coupling, Depth, Payload};

use crate::arrays::Matrix;
use crate::errors::Raise;
use crate::gateway::Gateway;
use crate::outcome::{certificate, outcome};

/// A cost of either precision.
#[derive(FromPyObject)]
pub enum Costs<'py> {
    /// float64.
    Double(PyReadonlyArray2<'py, f64>),
    /// float32.
    Single(PyReadonlyArray2<'py, f32>),
}

type Vector<'py> = PyReadonlyArray1<'py, f64>;

/// The elements of a vector.
fn copied(x: &Vector<'_>) -> Vec<f64> {
    x.as_array().to_vec()
}

/// Exact transport: an outcome with data, indices, indptr (the coupling by rows), cost, f, g, pivots, priced_in, rounds,
/// passes, ray.
#[pyfunction]
#[pyo3(signature = (*, C, a, b, method, tol, maxiter, maxtime, history, x0, workers, callback))]
#[allow(non_snake_case, reason = "the name the caller knows")]
#[allow(clippy::too_many_arguments, reason = "the function's parameters, one to one")]
pub fn exact<'py>(
    py: Python<'py>,
    C: Costs<'py>,
    a: Vector<'py>,
    b: Vector<'py>,
    method: &str,
    tol: f64,
    maxiter: Option<u64>,
    maxtime: Option<f64>,
    history: bool,
    x0: Option<(Vector<'py>, Vector<'py>)>,
    workers: Option<usize>,
    callback: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let depth = match method {
        "auto" => Depth::Optimum,
        "anneal" => Depth::Anneal,
        other => return Err(ArgumentError::value("method", other, "'auto' or 'anneal'").raise()),
    };
    let (a, b) = (copied(&a), copied(&b));
    let start = x0.as_ref().map(|(f, g)| (copied(f), copied(g)));
    let given = start.as_ref().map(|(f, g)| (f.as_slice(), g.as_slice()));
    let maxiter = maxiter.unwrap_or_else(|| core::default_maxiter(a.len(), b.len()));
    let budget = Budget { tol, maxiter, maxtime, history };
    let gateway = Gateway::new(callback, workers)?;
    let found = match &C {
        Costs::Double(array) => {
            let held = Matrix::new(array);
            let view = held.view()?;
            gateway.run(py, |o| core::solve(view, &a, &b, depth, given, budget, o))?
        }
        Costs::Single(array) => {
            let held = Matrix::new(array);
            let view = held.view()?;
            gateway.run(py, |o| core::solve(view, &a, &b, depth, given, budget, o))?
        }
    };
    let dict = outcome(py, found.outcome)?;
    dict.set_item("data", PyArray1::from_vec(py, found.coupling.data))?;
    dict.set_item("indices", PyArray1::from_vec(py, found.coupling.indices))?;
    dict.set_item("indptr", PyArray1::from_vec(py, found.coupling.indptr))?;
    dict.set_item("cost", found.cost)?;
    dict.set_item("f", PyArray1::from_vec(py, found.f))?;
    dict.set_item("g", PyArray1::from_vec(py, found.g))?;
    dict.set_item("pivots", found.pivots)?;
    dict.set_item("priced_in", found.priced_in)?;
    dict.set_item("rounds", found.rounds)?;
    dict.set_item("passes", found.passes)?;
    let ray = found.ray.map(|(u, v)| (PyArray1::from_vec(py, u), PyArray1::from_vec(py, v)));
    dict.set_item("ray", ray)?;
    Ok(dict)
}

/// The certificate of any coupling (by rows) and potentials on these data.
#[pyfunction]
#[pyo3(signature = (*, C, a, b, data, indices, indptr, f, g, ray, workers))]
#[allow(non_snake_case, reason = "the name the caller knows")]
#[allow(clippy::too_many_arguments, reason = "the data and the payload, one to one")]
pub fn exact_certify<'py>(
    py: Python<'py>,
    C: Costs<'py>,
    a: Vector<'py>,
    b: Vector<'py>,
    data: Vector<'py>,
    indices: PyReadonlyArray1<'py, i32>,
    indptr: PyReadonlyArray1<'py, i64>,
    f: Vector<'py>,
    g: Vector<'py>,
    ray: Option<(Vector<'py>, Vector<'py>)>,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let (a, b, f, g) = (copied(&a), copied(&b), copied(&f), copied(&g));
    let coupling = Coupling {
        data: copied(&data),
        indices: indices.as_array().to_vec(),
        indptr: indptr.as_array().to_vec(),
    };
    let ray = ray.as_ref().map(|(u, v)| (copied(u), copied(v)));
    let ray = ray.as_ref().map(|(u, v)| (u.as_slice(), v.as_slice()));
    let payload = Payload { coupling: &coupling, f: &f, g: &g, ray };
    let gateway = Gateway::new(None, workers)?;
    let budget = Budget::new(0.0, 1);
    let judged = match &C {
        Costs::Double(array) => {
            let held = Matrix::new(array);
            let view = held.view()?;
            gateway.run(py, |o| core::certify(view, &a, &b, payload, &mut Monitor::new(budget, o, &[])))?
        }
        Costs::Single(array) => {
            let held = Matrix::new(array);
            let view = held.view()?;
            gateway.run(py, |o| core::certify(view, &a, &b, payload, &mut Monitor::new(budget, o, &[])))?
        }
    };
    certificate(py, &judged)
}
