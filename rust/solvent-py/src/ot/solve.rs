//! Solving and certifying.

use numpy::{PyArray1, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvent_core::base::certificate::Certificate;
use solvent_core::base::monitor::Budget;
use solvent_core::base::view::MatrixView;
use solvent_core::ot::OtError;
use solvent_core::ot::problem::{Ground, Terms};
use solvent_core::ot::solve::{self as core, Figures, Method, Options, Transport};

use super::ground::{Held, Points};
use crate::arrays::{Either, choice};
use crate::errors::Raise;
use crate::gateway::Gateway;
use crate::outcome::{certificate, outcome};

impl Raise for OtError {
    fn raise(self) -> PyErr {
        match self {
            Self::Argument(e) => e.raise(),
            Self::Aborted(e) => e.raise(),
        }
    }
}

/// Potentials of both sides.
pub type Pair<'py> = (PyReadonlyArray1<'py, f64>, PyReadonlyArray1<'py, f64>);

fn pair(potentials: &Pair<'_>) -> (Vec<f64>, Vec<f64>) {
    (potentials.0.as_array().to_vec(), potentials.1.as_array().to_vec())
}

fn set_figures(dict: &Bound<'_, PyDict>, it: &Figures) -> PyResult<()> {
    dict.set_item("value", it.value)?;
    dict.set_item("cost", it.cost)?;
    dict.set_item("marginal_error_a", it.error_a)?;
    dict.set_item("marginal_error_b", it.error_b)
}

/// The dict of one solution.
pub fn solution(py: Python<'_>, it: Transport) -> PyResult<Bound<'_, PyDict>> {
    let dict = outcome(py, it.outcome)?;
    dict.set_item("f", PyArray1::from_vec(py, it.f))?;
    dict.set_item("g", PyArray1::from_vec(py, it.g))?;
    set_figures(&dict, &it.figures)?;
    dict.set_item("lam", it.lam)?;
    dict.set_item("passes", it.counts.passes)?;
    dict.set_item("newton_steps", it.counts.newton_steps)?;
    dict.set_item("cg_steps", it.counts.cg_steps)?;
    dict.set_item("backtracks", it.counts.backtracks)?;
    dict.set_item("rescues", it.counts.rescues)?;
    dict.set_item("stages", it.counts.stages)?;
    let ray = it.obstruction.map(|it| (PyArray1::from_vec(py, it.u), PyArray1::from_vec(py, it.v)));
    dict.set_item("ray", ray)?;
    Ok(dict)
}

/// Annealed Sinkhorn-Newton, or Sinkhorn: an outcome with potentials, figures and counts.
#[pyfunction]
#[pyo3(signature = (*, C, points, a, b, reg, tau_a, tau_b, mass, method, anneal, density, n_sinkhorn, tol, maxiter,
                    maxtime, history, x0, workers, callback))]
#[allow(non_snake_case, reason = "the name of the mathematics")]
pub fn solve<'py>(
    py: Python<'py>,
    C: Option<Either<'py>>,
    points: Option<Points<'py>>,
    a: PyReadonlyArray1<'py, f64>,
    b: PyReadonlyArray1<'py, f64>,
    reg: f64,
    tau_a: f64,
    tau_b: f64,
    mass: Option<f64>,
    method: &str,
    anneal: Option<f64>,
    density: Option<f64>,
    n_sinkhorn: Option<u64>,
    tol: f64,
    maxiter: u64,
    maxtime: Option<f64>,
    history: bool,
    x0: Option<Pair<'py>>,
    workers: Option<usize>,
    callback: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let held = Held::new(C.as_ref(), points.as_ref())?;
    let ground = held.ground()?;
    let (a, b) = (a.as_array().to_vec(), b.as_array().to_vec());
    let sns = Method::Sns { density, n_sinkhorn };
    let methods = [("auto", Method::Auto), ("sinkhorn", Method::Sinkhorn), ("sns", sns)];
    let options = Options {
        method: choice("method", method, &methods)?,
        first: anneal,
        start: x0.as_ref().map(pair),
        budget: Budget { tol, maxiter, maxtime, history },
    };
    let terms = Terms { reg, tau_a, tau_b, mass };
    let solved = Gateway::new(callback, workers)?
        .run(py, |observer| core::solve(ground, &a, &b, terms, &options, observer))?;
    solution(py, solved)
}

/// The certificate of any potentials on these data, and what they say: `(certificate, figures)`.
#[pyfunction]
#[pyo3(signature = (*, C, points, a, b, f, g, lam, reg, tau_a, tau_b, mass, workers))]
#[allow(non_snake_case, reason = "the name of the mathematics")]
pub fn certify<'py>(
    py: Python<'py>,
    C: Option<Either<'py>>,
    points: Option<Points<'py>>,
    a: PyReadonlyArray1<'py, f64>,
    b: PyReadonlyArray1<'py, f64>,
    f: PyReadonlyArray1<'py, f64>,
    g: PyReadonlyArray1<'py, f64>,
    lam: f64,
    reg: f64,
    tau_a: f64,
    tau_b: f64,
    mass: Option<f64>,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let held = Held::new(C.as_ref(), points.as_ref())?;
    let ground = held.ground()?;
    let (a, b) = (a.as_array().to_vec(), b.as_array().to_vec());
    let (f, g) = (f.as_array().to_vec(), g.as_array().to_vec());
    let terms = Terms { reg, tau_a, tau_b, mass };
    let (judged, _): (Certificate, Figures) = Gateway::new(None, workers)?
        .run(py, |observer| core::certify(ground, &a, &b, terms, &f, &g, lam, observer))?;
    certificate(py, &judged)
}

/// Many problems of one shape: a list of what `solve` returns. `C` is (B, n, m), `a` (B, n), `b` (B, m), `reg` (B,).
#[pyfunction]
#[pyo3(signature = (*, C, a, b, reg, tau_a, tau_b, method, anneal, tol, maxiter, maxtime, history, x0, workers, callback,
                    mass=None, density=None, n_sinkhorn=None))]
#[allow(non_snake_case, reason = "the name of the mathematics")]
pub fn solve_batch<'py>(
    py: Python<'py>,
    C: Stack<'py>,
    a: PyReadonlyArray2<'py, f64>,
    b: PyReadonlyArray2<'py, f64>,
    reg: PyReadonlyArray1<'py, f64>,
    tau_a: f64,
    tau_b: f64,
    method: &str,
    anneal: Option<f64>,
    tol: f64,
    maxiter: u64,
    maxtime: Option<f64>,
    history: bool,
    x0: Option<Pair<'py>>,
    workers: Option<usize>,
    callback: Option<Py<PyAny>>,
    mass: Option<f64>,
    density: Option<f64>,
    n_sinkhorn: Option<u64>,
) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let sns = Method::Sns { density, n_sinkhorn };
    let methods = [("auto", Method::Auto), ("sinkhorn", Method::Sinkhorn), ("sns", sns)];
    let options = Options {
        method: choice("method", method, &methods)?,
        first: anneal,
        start: x0.as_ref().map(pair),
        budget: Budget { tol, maxiter, maxtime, history },
    };
    let rows = |array: &PyReadonlyArray2<'py, f64>| -> Vec<Vec<f64>> {
        array.as_array().rows().into_iter().map(|row| row.to_vec()).collect()
    };
    let (a, b) = (rows(&a), rows(&b));
    let regs = reg.as_array().to_vec();
    let held = match &C {
        Stack::Double(c) => Slices::Double(c.as_array().iter().copied().collect(), c.shape()),
        Stack::Single(c) => Slices::Single(c.as_array().iter().copied().collect(), c.shape()),
    };
    let mut items = Vec::with_capacity(regs.len());
    for (i, &reg) in regs.iter().enumerate() {
        let terms = Terms { reg, tau_a, tau_b, mass };
        items.push(core::Item { ground: held.ground(i)?, a: &a[i], b: &b[i], terms });
    }
    let solved =
        Gateway::new(callback, workers)?.run(py, |observer| core::solve_batch(&items, &options, observer))?;
    solved.into_iter().map(|it| solution(py, it)).collect()
}

/// Costs of either precision.
#[derive(FromPyObject)]
pub enum Stack<'py> {
    /// float64.
    Double(PyReadonlyArray3<'py, f64>),
    /// float32.
    Single(PyReadonlyArray3<'py, f32>),
}

/// The same in C order, with their shape.
enum Slices<'a> {
    Double(Vec<f64>, &'a [usize]),
    Single(Vec<f32>, &'a [usize]),
}

impl Slices<'_> {
    fn ground(&self, i: usize) -> PyResult<Ground<'_>> {
        match self {
            Self::Double(data, shape) => slice(data, shape, i).map(Ground::F64),
            Self::Single(data, shape) => slice(data, shape, i).map(Ground::F32),
        }
    }
}

fn slice<'a, T: Copy>(data: &'a [T], shape: &[usize], i: usize) -> PyResult<MatrixView<'a, T>> {
    let size = shape[1] * shape[2];
    MatrixView::row_major(&data[i * size..(i + 1) * size], shape[1], shape[2]).map_err(Raise::raise)
}
