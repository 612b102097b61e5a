//! What is computed from a completion: variances of its entries, its largest entries; and one half of a sweep.

use numpy::{Element, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvent_core::base::monitor::{Budget, Monitor};
use solvent_core::base::sparse::SparseView;
use solvent_core::completion::CompletionError;
use solvent_core::completion::entry::Entry;
use solvent_core::completion::factor::Factor;
use solvent_core::completion::kernels::row::{Half, Inner};
use solvent_core::completion::recommend::recommend as best;
use solvent_core::completion::step::half_sweep as sweep;
use solvent_core::completion::variance::{Jacobian, Way};

use super::data::{Entries, Held, PyPenalty, Rows};
use crate::arrays::choice;
use crate::gateway::Gateway;

/// A budget for work that has no tolerance of its own.
const BOOKS: Budget = Budget::new(0.0, 1);

fn variances_of<'py, T: Entry + Element>(
    py: Python<'py>,
    data: &Rows<'py, T>,
    payload: &Held<'py, T>,
    (rows, columns): (&[u32], &[u32]),
    (way, tol): (Way, f64),
    gateway: Gateway,
) -> PyResult<Vec<f64>> {
    let (view, weights, payload) = (data.view()?, data.weights()?, payload.payload());
    gateway.run(py, |observer| {
        let mut monitor = Monitor::new(BOOKS, observer, &[]);
        Jacobian::new(view, weights, &payload, &mut monitor)?.variances(rows, columns, way, tol, &mut monitor)
    })
}

/// `a^T (J^T J)^+ a` at each position, float64.
#[pyfunction]
#[pyo3(signature = (*, A, payload, rows, cols, method, tol, workers))]
#[allow(non_snake_case, reason = "the matrix is called A")]
pub fn variances<'py>(
    py: Python<'py>,
    A: Entries<'py>,
    payload: Bound<'py, PyDict>,
    rows: PyReadonlyArray1<'py, u32>,
    cols: PyReadonlyArray1<'py, u32>,
    method: &str,
    tol: f64,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let way = choice("method", method, &[("joint", Way::Joint), ("gram", Way::Gram)])?;
    let gateway = Gateway::new(None, workers)?;
    let at = (rows.as_slice()?, cols.as_slice()?);
    let found = match &A {
        Entries::Double(data) => variances_of(py, data, &payload.extract()?, at, (way, tol), gateway)?,
        Entries::Single(data) => variances_of(py, data, &payload.extract()?, at, (way, tol), gateway)?,
    };
    Ok(PyArray1::from_vec(py, found))
}

/// A payload of either precision.
#[derive(FromPyObject)]
enum EitherHeld<'py> {
    Double(Held<'py, f64>),
    Single(Held<'py, f32>),
}

/// Offsets and columns of what must not be named.
type Excluded<'py> = Option<(PyReadonlyArray1<'py, i64>, PyReadonlyArray1<'py, i32>)>;

/// Columns (int64) and scores of the largest entries.
#[pyfunction]
#[pyo3(signature = (*, payload, rows, count, exclude, items, columns, workers))]
pub fn recommend<'py>(
    py: Python<'py>,
    payload: Bound<'py, PyDict>,
    rows: PyReadonlyArray1<'py, i64>,
    count: usize,
    exclude: Excluded<'py>,
    items: Option<PyReadonlyArray1<'py, u32>>,
    columns: usize,
    workers: Option<usize>,
) -> PyResult<(Bound<'py, PyArray2<i64>>, Bound<'py, PyAny>)> {
    let rows: Vec<usize> = rows.as_array().iter().map(|&i| i as usize).collect();
    let nothing = vec![0.0; exclude.as_ref().map_or(0, |(_, indices)| indices.as_array().len())];
    let excluded = match &exclude {
        Some((indptr, indices)) => Some(
            SparseView::new(indptr.as_slice()?, indices.as_slice()?, &nothing, columns)
                .map_err(crate::errors::Raise::raise)?,
        ),
        None => None,
    };
    let items = match &items {
        Some(items) => Some(items.as_slice()?),
        None => None,
    };
    let gateway = Gateway::new(None, workers)?;
    match payload.extract::<EitherHeld<'py>>()? {
        EitherHeld::Double(held) => named(py, &held, &rows, count, excluded, items, gateway),
        EitherHeld::Single(held) => named(py, &held, &rows, count, excluded, items, gateway),
    }
}

fn named<'py, T: Entry + Element>(
    py: Python<'py>,
    held: &Held<'py, T>,
    rows: &[usize],
    count: usize,
    exclude: Option<SparseView<'_, f64>>,
    items: Option<&[u32]>,
    gateway: Gateway,
) -> PyResult<(Bound<'py, PyArray2<i64>>, Bound<'py, PyAny>)> {
    let payload = held.payload();
    let (columns, scores) = gateway.run(py, |observer| {
        let mut monitor = Monitor::new(BOOKS, observer, &[]);
        best(&payload, rows, count, exclude, items, &mut monitor).map_err(CompletionError::from)
    })?;
    let shape = [rows.len(), count];
    let columns = PyArray1::from_vec(py, columns).reshape(shape)?;
    Ok((columns, PyArray1::from_vec(py, scores).reshape(shape)?.into_any()))
}

/// How a half-sweep is done.
#[derive(FromPyObject)]
pub struct How {
    #[pyo3(item)]
    inner: String,
    #[pyo3(item)]
    cg_steps: usize,
    #[pyo3(item)]
    mean: f64,
}

/// The arrays of a half-sweep: the other side's factor, its biases, the present solutions.
#[derive(FromPyObject)]
struct Sides<'py, T: Element> {
    #[pyo3(item("V"))]
    v: PyReadonlyArray2<'py, T>,
    #[pyo3(item)]
    offset: Option<PyReadonlyArray1<'py, T>>,
    #[pyo3(item("U0"))]
    start: Option<PyReadonlyArray2<'py, T>>,
}

fn sweep_rows<'py, T: Entry + Element>(
    py: Python<'py>,
    data: &Rows<'py, T>,
    sides: &Sides<'py, T>,
    penalty: &PyPenalty,
    how: &How,
    gateway: Gateway,
) -> PyResult<Bound<'py, PyDict>> {
    let (view, weights) = (data.view()?, data.weights()?);
    let factor = |x: &PyReadonlyArray2<'py, T>| {
        let x = x.as_array();
        Factor::from_fn(x.nrows(), x.ncols(), |i, l| x[[i, l]])
    };
    let design = factor(&sides.v);
    let k = design.width();
    let mut u = sides.start.as_ref().map_or_else(|| Factor::zeros(view.rows(), k), factor);
    let offset = sides.offset.as_ref().map(|b| b.as_array().to_vec());
    let cg = Inner::Cg { steps: how.cg_steps, eta: 0.0 };
    let inner = match how.inner.as_str() {
        "auto" if k <= 24 => Inner::Cholesky,
        word => choice("inner", word, &[("auto", cg), ("cg", cg), ("cholesky", Inner::Cholesky)])?,
    };
    let penalty = solvent_core::completion::problem::Penalty::from(penalty);
    let half = Half {
        entries: view,
        weights,
        design: &design,
        offset: offset.as_deref(),
        mean: T::from_f64(how.mean),
        unit: T::ONE,
        ridge: penalty.lam,
        count: penalty.count,
        delta: penalty.delta.map(T::from_f64),
        nonneg: penalty.nonneg.then_some(k),
        inner,
        measure: true,
        base: None,
        constant: None,
        moment: None,
    };
    let tally = gateway.run(py, |observer| {
        let mut monitor = Monitor::new(BOOKS, observer, &[]);
        sweep(&half, &mut u, &mut monitor).map_err(CompletionError::from)
    })?;
    let flat: Vec<T> = (0..u.rows()).flat_map(|i| u.row(i)[..k].to_vec()).collect();
    let dict = PyDict::new(py);
    dict.set_item("U", PyArray1::from_vec(py, flat).reshape([u.rows(), k])?)?;
    dict.set_item("loss", tally.loss)?;
    dict.set_item("squares", tally.squares)?;
    dict.set_item("penalty", tally.penalty)?;
    dict.set_item("min_pivot_ratio", tally.pivot)?;
    dict.set_item("cg_steps", tally.steps)?;
    dict.set_item("rows", tally.rows)?;
    Ok(dict)
}

/// `U` and what was found on the way: `loss, squares, penalty, min_pivot_ratio, cg_steps, rows`.
#[pyfunction]
#[pyo3(signature = (*, A, sides, penalty, how, workers))]
#[allow(non_snake_case, reason = "the matrix is called A")]
pub fn half_sweep<'py>(
    py: Python<'py>,
    A: Entries<'py>,
    sides: Bound<'py, PyDict>,
    penalty: PyPenalty,
    how: How,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let gateway = Gateway::new(None, workers)?;
    match &A {
        Entries::Double(data) => sweep_rows(py, data, &sides.extract()?, &penalty, &how, gateway),
        Entries::Single(data) => sweep_rows(py, data, &sides.extract()?, &penalty, &how, gateway),
    }
}
