//! Plans of given potentials: dense, sparse, applied, rounded; derivatives.

use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvent_core::base::monitor::{Budget, Monitor, Observer};
use solvent_core::ot::OtError;
use solvent_core::ot::derivative::adjoint;
use solvent_core::ot::plan::{Csr, Plan};
use solvent_core::ot::problem::{Ground, Problem, Terms};
use solvent_core::ot::slopes;
use solvent_core::ot::solve as core;

use super::ground::{Held, Points, metric};
use crate::arrays::{Either, Matrix};
use crate::gateway::Gateway;

type Vector<'py> = PyReadonlyArray1<'py, f64>;

/// What a plan is made of: the data and the potentials.
struct Given {
    a: Vec<f64>,
    b: Vec<f64>,
    f: Vec<f64>,
    g: Vec<f64>,
    terms: Terms,
    shift: f64,
}

impl Given {
    fn new(a: &Vector<'_>, b: &Vector<'_>, f: &Vector<'_>, g: &Vector<'_>, reg: f64, shift: f64) -> Self {
        let copied = |v: &Vector<'_>| v.as_array().to_vec();
        let terms = Terms { reg, tau_a: f64::INFINITY, tau_b: f64::INFINITY, mass: None };
        Self { a: copied(a), b: copied(b), f: copied(f), g: copied(g), terms, shift }
    }

    /// With marginals held as the problem holds them: two hard ones scale b to the total of a.
    fn held(mut self, tau_a: f64, tau_b: f64) -> Self {
        (self.terms.tau_a, self.terms.tau_b) = (tau_a, tau_b);
        self
    }

    fn with<T>(
        &self,
        ground: Ground<'_>,
        observer: &mut dyn Observer,
        work: impl FnOnce(&Plan<'_, '_>, &mut Monitor<'_>) -> Result<T, OtError>,
    ) -> Result<T, OtError> {
        let mut monitor = Monitor::new(Budget::new(0.0, 1), observer, &[]);
        let problem = Problem::new(ground, &self.a, &self.b, self.terms, &mut monitor)?;
        work(&Plan::new(&problem, &self.f, &self.g, self.shift), &mut monitor)
    }
}

/// The whole plan, in the dtype of the cost.
#[pyfunction]
#[pyo3(signature = (*, C, points, a, b, f, g, lam, reg, tau_a, tau_b, workers))]
#[allow(non_snake_case, reason = "the name of the mathematics")]
pub fn plan<'py>(
    py: Python<'py>,
    C: Option<Either<'py>>,
    points: Option<Points<'py>>,
    a: Vector<'py>,
    b: Vector<'py>,
    f: Vector<'py>,
    g: Vector<'py>,
    lam: f64,
    reg: f64,
    tau_a: f64,
    tau_b: f64,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyAny>> {
    let single =
        matches!((&C, &points), (Some(Either::Single(_)), _) | (None, Some((Either::Single(_), ..))));
    let held = Held::new(C.as_ref(), points.as_ref())?;
    let (ground, given) = (held.ground()?, Given::new(&a, &b, &f, &g, reg, lam).held(tau_a, tau_b));
    let shape = [given.a.len(), given.b.len()];
    let entries = Gateway::new(None, workers)?
        .run(py, |o| given.with(ground, o, |plan, monitor| plan.dense(monitor)))?;
    if single {
        let narrow: Vec<f32> = entries.iter().map(|&p| p as f32).collect();
        return Ok(PyArray1::from_vec(py, narrow).reshape(shape)?.into_any());
    }
    Ok(PyArray1::from_vec(py, entries).reshape(shape)?.into_any())
}

/// `(data, indices, indptr, dropped)` of the plan in CSR form.
type Sparse<'py> = (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<i32>>, Bound<'py, PyArray1<i64>>, f64);

/// The plan without its least entries, which weigh `drop` of it at most.
#[pyfunction]
#[pyo3(signature = (*, C, points, a, b, f, g, lam, reg, tau_a, tau_b, drop, workers))]
#[allow(non_snake_case, reason = "the name of the mathematics")]
pub fn plan_sparse<'py>(
    py: Python<'py>,
    C: Option<Either<'py>>,
    points: Option<Points<'py>>,
    a: Vector<'py>,
    b: Vector<'py>,
    f: Vector<'py>,
    g: Vector<'py>,
    lam: f64,
    reg: f64,
    tau_a: f64,
    tau_b: f64,
    drop: f64,
    workers: Option<usize>,
) -> PyResult<Sparse<'py>> {
    let held = Held::new(C.as_ref(), points.as_ref())?;
    let (ground, given) = (held.ground()?, Given::new(&a, &b, &f, &g, reg, lam).held(tau_a, tau_b));
    let Csr { data, indices, starts, dropped } = Gateway::new(None, workers)?
        .run(py, |o| given.with(ground, o, |plan, monitor| plan.sparse(drop, monitor)))?;
    let (data, indices) = (PyArray1::from_vec(py, data), PyArray1::from_vec(py, indices));
    Ok((data, indices, PyArray1::from_vec(py, starts), dropped))
}

/// P V, or P^T V.
#[pyfunction]
#[pyo3(signature = (*, C, points, a, b, f, g, lam, reg, tau_a, tau_b, V, transpose, workers))]
#[allow(non_snake_case, reason = "the name of the mathematics")]
pub fn apply<'py>(
    py: Python<'py>,
    C: Option<Either<'py>>,
    points: Option<Points<'py>>,
    a: Vector<'py>,
    b: Vector<'py>,
    f: Vector<'py>,
    g: Vector<'py>,
    lam: f64,
    reg: f64,
    tau_a: f64,
    tau_b: f64,
    V: PyReadonlyArray2<'py, f64>,
    transpose: bool,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let held = Held::new(C.as_ref(), points.as_ref())?;
    let (ground, given) = (held.ground()?, Given::new(&a, &b, &f, &g, reg, lam).held(tau_a, tau_b));
    let (k, v) = (V.shape()[1], V.as_array().iter().copied().collect::<Vec<f64>>());
    let rows = if transpose { given.b.len() } else { given.a.len() };
    let product = Gateway::new(None, workers)?
        .run(py, |o| given.with(ground, o, |plan, monitor| plan.apply(&v, k, transpose, monitor)))?;
    PyArray1::from_vec(py, product).reshape([rows, k])
}

/// A feasible plan: `theta a b exp((f + g - C)/reg) + u w^T + flows`; f and g are -inf where the weight is 0.
#[pyfunction]
#[pyo3(signature = (*, C, points, a, b, f, g, lam, reg, tau_a, tau_b, mass, workers))]
#[allow(non_snake_case, reason = "the name of the mathematics")]
pub fn rounded<'py>(
    py: Python<'py>,
    C: Option<Either<'py>>,
    points: Option<Points<'py>>,
    a: Vector<'py>,
    b: Vector<'py>,
    f: Vector<'py>,
    g: Vector<'py>,
    lam: f64,
    reg: f64,
    tau_a: f64,
    tau_b: f64,
    mass: Option<f64>,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let held = Held::new(C.as_ref(), points.as_ref())?;
    let (ground, mut given) = (held.ground()?, Given::new(&a, &b, &f, &g, reg, 0.0).held(tau_a, tau_b));
    given.terms.mass = mass;
    let it = Gateway::new(None, workers)?
        .run(py, |o| core::feasible(ground, &given.a, &given.b, given.terms, &given.f, &given.g, lam, o))?;
    let dict = PyDict::new(py);
    dict.set_item("f", PyArray1::from_vec(py, it.f))?;
    dict.set_item("g", PyArray1::from_vec(py, it.g))?;
    dict.set_item("theta", it.theta)?;
    dict.set_item("u", PyArray1::from_vec(py, it.u))?;
    dict.set_item("w", PyArray1::from_vec(py, it.w))?;
    dict.set_item("flows", it.flows)?;
    Ok(dict)
}

/// The solution of the adjoint system for the row and column sums of `P o V`: `x, y, a, b, residual`.
#[pyfunction]
#[pyo3(signature = (*, C, points, a, b, f, g, reg, tau_a, tau_b, w1, w2, workers))]
#[allow(non_snake_case, reason = "the name of the mathematics")]
pub fn plan_adjoint<'py>(
    py: Python<'py>,
    C: Option<Either<'py>>,
    points: Option<Points<'py>>,
    a: Vector<'py>,
    b: Vector<'py>,
    f: Vector<'py>,
    g: Vector<'py>,
    reg: f64,
    tau_a: f64,
    tau_b: f64,
    w1: Vector<'py>,
    w2: Vector<'py>,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let held = Held::new(C.as_ref(), points.as_ref())?;
    let (ground, given) = (held.ground()?, Given::new(&a, &b, &f, &g, reg, 0.0).held(tau_a, tau_b));
    let (w1, w2) = (w1.as_array().to_vec(), w2.as_array().to_vec());
    let it = Gateway::new(None, workers)?
        .run(py, |o| given.with(ground, o, |plan, monitor| adjoint(plan, &w1, &w2, monitor)))?;
    let dict = PyDict::new(py);
    dict.set_item("x", PyArray1::from_vec(py, it.x))?;
    dict.set_item("y", PyArray1::from_vec(py, it.y))?;
    dict.set_item("a", PyArray1::from_vec(py, it.a))?;
    dict.set_item("b", PyArray1::from_vec(py, it.b))?;
    dict.set_item("residual", it.residual)?;
    Ok(dict)
}

/// `[sum_j W_ij d c(x_i, y_j)/d x_i, sum_i W_ij d c(x_i, y_j)/d y_j]`.
#[pyfunction]
#[allow(non_snake_case, reason = "the names of the mathematics")]
pub fn cost_slopes<'py>(
    py: Python<'py>,
    X: PyReadonlyArray2<'py, f64>,
    Y: PyReadonlyArray2<'py, f64>,
    cost: &str,
    p: f64,
    W: PyReadonlyArray2<'py, f64>,
    workers: Option<usize>,
) -> PyResult<[Bound<'py, PyArray2<f64>>; 2]> {
    let d = X.shape()[1];
    let (n, m) = (X.shape()[0], Y.shape()[0]);
    let (x, y): (Vec<f64>, Vec<f64>) =
        (X.as_array().iter().copied().collect(), Y.as_array().iter().copied().collect());
    let (metric, weights) = (metric(cost, p)?, Matrix::new(&W));
    let weights = weights.view()?;
    let (of_x, of_y) = Gateway::new(None, workers)?.run(py, |observer| -> Result<_, OtError> {
        let mut monitor = Monitor::new(Budget::new(0.0, 1), observer, &[]);
        Ok(slopes::slopes(&x, &y, d, metric, weights, &mut monitor)?)
    })?;
    Ok([PyArray1::from_vec(py, of_x).reshape([n, d])?, PyArray1::from_vec(py, of_y).reshape([m, d])?])
}
