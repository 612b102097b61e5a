//! Linear programs. Python has validated shapes, limits and scalars.

use numpy::{PyArray1, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvent_core::base::monitor::{Budget, Monitor};
use solvent_core::monotone::lp::{self as core, Limits, LpError, Options, Pair, Polish, Problem, Solution};

use crate::arrays::{CompressedRows, choice};
use crate::errors::Raise;
use crate::gateway::Gateway;
use crate::outcome::{certificate, outcome};

type Vector<'py> = PyReadonlyArray1<'py, f64>;
/// `indptr`, `indices`, `data`, number of columns.
type Csr<'py> = (PyReadonlyArray1<'py, i64>, PyReadonlyArray1<'py, i32>, Vector<'py>, usize);

impl Raise for LpError {
    fn raise(self) -> PyErr {
        match self {
            Self::Argument(error) => error.raise(),
            Self::Aborted(error) => error.raise(),
        }
    }
}

/// The elements of a vector.
fn copied(x: &Vector<'_>) -> Vec<f64> {
    x.as_array().to_vec()
}

/// The problem that the arrays describe.
fn problem(
    c: &Vector<'_>,
    a: &Csr<'_>,
    (lc, uc): (&Vector<'_>, &Vector<'_>),
    (lv, uv): (&Vector<'_>, &Vector<'_>),
) -> PyResult<Problem> {
    let rows = CompressedRows::new(&a.0, &a.1, &a.2, a.3)?;
    let limits = |l: &Vector<'_>, u: &Vector<'_>| Limits { lower: copied(l), upper: copied(u) };
    Problem::new(copied(c), rows.view()?, limits(lc, uc), limits(lv, uv)).map_err(Raise::raise)
}

/// An outcome with x, y, reduced_costs, activity, fun, dual_fun, kkt, ray, restarts, matvecs.
#[pyfunction]
#[pyo3(signature = (*, c, A, lc, uc, lv, uv, x0, presolve, polish, mixed, check_every, tol, maxiter, maxtime, history, workers, callback))]
#[allow(non_snake_case, reason = "the name the caller knows")]
pub fn linprog<'py>(
    py: Python<'py>,
    c: Vector<'py>,
    A: Csr<'py>,
    lc: Vector<'py>,
    uc: Vector<'py>,
    lv: Vector<'py>,
    uv: Vector<'py>,
    x0: Option<(Vector<'py>, Vector<'py>)>,
    presolve: bool,
    polish: &str,
    mixed: bool,
    check_every: u64,
    tol: f64,
    maxiter: u64,
    maxtime: Option<f64>,
    history: bool,
    workers: Option<usize>,
    callback: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let lp = problem(&c, &A, (&lc, &uc), (&lv, &uv))?;
    let start = x0.as_ref().map(|(x, y)| Pair { x: copied(x), y: copied(y) });
    let options = Options { presolve, polish: words(polish)?, mixed, check_every };
    let budget = Budget { tol, maxiter, maxtime, history };
    let gateway = Gateway::new(callback, workers)?;
    let found = gateway.run(py, |observer| core::solve(&lp, options, start, budget, observer))?;
    told(py, found)
}

/// A solution as Python takes it.
fn told(py: Python<'_>, found: Solution) -> PyResult<Bound<'_, PyDict>> {
    let dict = outcome(py, found.outcome)?;
    dict.set_item("x", PyArray1::from_vec(py, found.x))?;
    dict.set_item("y", PyArray1::from_vec(py, found.y))?;
    dict.set_item("reduced_costs", PyArray1::from_vec(py, found.reduced_costs))?;
    dict.set_item("activity", PyArray1::from_vec(py, found.activity))?;
    dict.set_item("fun", found.objective)?;
    dict.set_item("dual_fun", found.dual_objective)?;
    dict.set_item("kkt", found.kkt)?;
    dict.set_item("ray", found.ray.map(|ray| PyArray1::from_vec(py, ray)))?;
    dict.set_item("restarts", found.restarts)?;
    dict.set_item("matvecs", found.products)?;
    Ok(dict)
}

/// As [`linprog`] for every row of `C`, `LC` and `UC`, with one matrix and one set of bounds; a list.
#[pyfunction]
#[pyo3(signature = (*, C, A, LC, UC, lv, uv, polish, mixed, check_every, tol, maxiter, maxtime, history, workers, callback))]
#[allow(non_snake_case, reason = "the names the caller knows")]
pub fn linprog_batch<'py>(
    py: Python<'py>,
    C: PyReadonlyArray2<'py, f64>,
    A: Csr<'py>,
    LC: PyReadonlyArray2<'py, f64>,
    UC: PyReadonlyArray2<'py, f64>,
    lv: Vector<'py>,
    uv: Vector<'py>,
    polish: &str,
    mixed: bool,
    check_every: u64,
    tol: f64,
    maxiter: u64,
    maxtime: Option<f64>,
    history: bool,
    workers: Option<usize>,
    callback: Option<Py<PyAny>>,
) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let rows = CompressedRows::new(&A.0, &A.1, &A.2, A.3)?;
    let (costs, lower, upper) = (C.as_array(), LC.as_array(), UC.as_array());
    let limits = |k: usize| Limits { lower: lower.row(k).to_vec(), upper: upper.row(k).to_vec() };
    let bounds = Limits { lower: copied(&lv), upper: copied(&uv) };
    let first = Problem::new(costs.row(0).to_vec(), rows.view()?, limits(0), bounds).map_err(Raise::raise)?;
    let others = (1..costs.nrows()).map(|k| first.with(costs.row(k).to_vec(), limits(k)));
    let others = others.collect::<Result<Vec<_>, _>>().map_err(Raise::raise)?;
    let problems: Vec<_> = std::iter::once(first).chain(others).collect();
    let options = Options { presolve: false, polish: words(polish)?, mixed, check_every };
    let budget = Budget { tol, maxiter, maxtime, history };
    let gateway = Gateway::new(callback, workers)?;
    let found = gateway.run(py, |observer| core::solve_batch(&problems, options, budget, observer))?;
    found.into_iter().map(|solution| told(py, solution)).collect()
}

/// When to polish.
fn words(polish: &str) -> PyResult<Polish> {
    let words = [("never", Polish::Never), ("auto", Polish::Auto), ("always", Polish::Always)];
    choice("polish", polish, &words)
}

/// The certificate of a pair, or of a ray where there is one, on these data.
#[pyfunction]
#[pyo3(signature = (*, c, A, lc, uc, lv, uv, x, y, ray, kind, workers))]
#[allow(non_snake_case, reason = "the name the caller knows")]
pub fn linprog_certify<'py>(
    py: Python<'py>,
    c: Vector<'py>,
    A: Csr<'py>,
    lc: Vector<'py>,
    uc: Vector<'py>,
    lv: Vector<'py>,
    uv: Vector<'py>,
    x: Vector<'py>,
    y: Vector<'py>,
    ray: Option<Vector<'py>>,
    kind: &str,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let lp = problem(&c, &A, (&lc, &uc), (&lv, &uv))?;
    let (x, y) = (copied(&x), copied(&y));
    let ray = ray.as_ref().map(copied);
    let gateway = Gateway::new(None, workers)?;
    let judged = gateway.run(py, |observer| {
        let mut monitor = Monitor::new(Budget::new(0.0, 1), observer, &[]);
        match (&ray, kind) {
            (Some(y), "farkas") => Ok(core::certify_farkas(&lp, y).certificate),
            (Some(d), "recession-ray") => Ok(core::certify_recession(&lp, d).certificate),
            _ => core::certify(&lp, &x, &y, &mut monitor).map(|judged| judged.certificate),
        }
    })?;
    certificate(py, &judged)
}
