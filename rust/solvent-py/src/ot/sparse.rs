//! Transport with few arcs a column.

use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvent_core::base::monitor::{Budget, Monitor, Observer};
use solvent_core::base::view::MatrixView;
use solvent_core::ot::OtError;
use solvent_core::ot::cardinality::certify::Judgement;
use solvent_core::ot::cardinality::{Plan, Problem, Solution, certify, solve};
use solvent_core::ot::entry::Entry;

use crate::arrays::{Either, Matrix};
use crate::gateway::Gateway;
use crate::outcome::{certificate, outcome};

/// A budget for work that has no tolerance of its own.
const BOOKS: Budget = Budget::new(0.0, 1);

/// Everything but the cost that makes the problem.
struct Data {
    a: Vec<f64>,
    b: Vec<f64>,
    max_nnz: usize,
    gamma: f64,
}

impl Data {
    fn problem<'a, T: Entry>(
        &'a self,
        cost: MatrixView<'a, T>,
        observer: &mut dyn Observer,
    ) -> Result<Problem<'a, T>, OtError> {
        let mut monitor = Monitor::new(BOOKS, observer, &[]);
        Problem::new(cost, &self.a, &self.b, self.max_nnz, self.gamma, &mut monitor)
    }

    fn solve<T: Entry>(
        &self,
        cost: MatrixView<'_, T>,
        x0: Option<&[f64]>,
        budget: Budget,
        observer: &mut dyn Observer,
    ) -> Result<Solution, OtError> {
        let problem = self.problem(cost, observer)?;
        solve(&problem, x0, budget, observer)
    }

    fn certify<T: Entry>(
        &self,
        cost: MatrixView<'_, T>,
        plan: &Plan,
        (alpha, beta): (&[f64], &[f64]),
        observer: &mut dyn Observer,
    ) -> Result<Judgement, OtError> {
        let problem = self.problem(cost, observer)?;
        let mut monitor = Monitor::new(BOOKS, observer, &[]);
        certify(&problem, plan, alpha, beta, &mut monitor)
    }
}

/// An outcome with the coupling in compressed columns (data, indices, indptr), value, lower, row_error, alpha, beta,
/// evaluations and passes.
#[pyfunction]
#[pyo3(signature = (*, C, a, b, max_nnz, gamma, tol, maxiter, maxtime, history, x0, workers, callback))]
#[allow(non_snake_case, clippy::too_many_arguments, reason = "one keyword each")]
pub fn solve_sparse<'py>(
    py: Python<'py>,
    C: Either<'py>,
    a: PyReadonlyArray1<'py, f64>,
    b: PyReadonlyArray1<'py, f64>,
    max_nnz: usize,
    gamma: f64,
    tol: f64,
    maxiter: u64,
    maxtime: Option<f64>,
    history: bool,
    x0: Option<PyReadonlyArray1<'py, f64>>,
    workers: Option<usize>,
    callback: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let data = Data { a: a.as_array().to_vec(), b: b.as_array().to_vec(), max_nnz, gamma };
    let x0 = x0.map(|x| x.as_array().to_vec());
    let budget = Budget { tol, maxiter, maxtime, history };
    let gateway = Gateway::new(callback, workers)?;
    let found = match &C {
        Either::Double(array) => {
            let held = Matrix::new(array);
            let view = held.view()?;
            gateway.run(py, |o| data.solve(view, x0.as_deref(), budget, o))?
        }
        Either::Single(array) => {
            let held = Matrix::new(array);
            let view = held.view()?;
            gateway.run(py, |o| data.solve(view, x0.as_deref(), budget, o))?
        }
    };
    let dict = outcome(py, found.outcome)?;
    dict.set_item("data", PyArray1::from_vec(py, found.plan.data))?;
    dict.set_item("indices", PyArray1::from_vec(py, found.plan.indices))?;
    dict.set_item("indptr", PyArray1::from_vec(py, found.plan.indptr))?;
    dict.set_item("value", found.value)?;
    dict.set_item("lower", found.lower)?;
    dict.set_item("row_error", found.row_error)?;
    dict.set_item("alpha", PyArray1::from_vec(py, found.alpha))?;
    dict.set_item("beta", PyArray1::from_vec(py, found.beta))?;
    dict.set_item("evaluations", found.evaluations)?;
    dict.set_item("passes", found.passes)?;
    Ok(dict)
}

/// The certificate of a coupling in compressed columns and of potentials, all as Python holds them.
#[pyfunction]
#[pyo3(signature = (*, C, a, b, data, indices, indptr, alpha, beta, max_nnz, gamma, workers))]
#[allow(non_snake_case, clippy::too_many_arguments, reason = "one keyword each")]
pub fn certify_sparse<'py>(
    py: Python<'py>,
    C: Either<'py>,
    a: PyReadonlyArray1<'py, f64>,
    b: PyReadonlyArray1<'py, f64>,
    data: PyReadonlyArray1<'py, f64>,
    indices: PyReadonlyArray1<'py, i32>,
    indptr: PyReadonlyArray1<'py, i64>,
    alpha: PyReadonlyArray1<'py, f64>,
    beta: PyReadonlyArray1<'py, f64>,
    max_nnz: usize,
    gamma: f64,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let plan = Plan {
        data: data.as_array().to_vec(),
        indices: indices.as_array().to_vec(),
        indptr: indptr.as_array().to_vec(),
    };
    let data = Data { a: a.as_array().to_vec(), b: b.as_array().to_vec(), max_nnz, gamma };
    let (alpha, beta) = (alpha.as_array().to_vec(), beta.as_array().to_vec());
    let gateway = Gateway::new(None, workers)?;
    let judged = match &C {
        Either::Double(array) => {
            let held = Matrix::new(array);
            let view = held.view()?;
            gateway.run(py, |o| data.certify(view, &plan, (&alpha, &beta), o))?
        }
        Either::Single(array) => {
            let held = Matrix::new(array);
            let view = held.view()?;
            gateway.run(py, |o| data.certify(view, &plan, (&alpha, &beta), o))?
        }
    };
    certificate(py, &judged.certificate)
}
