//! The sketches as maps: made anew at every call from what names them, which is cheap.

use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use solvent_core::base::error::{Aborted, ArgumentError};
use solvent_core::base::monitor::{Budget, Monitor, Observer};
use solvent_core::sketch::{
    BlockHadamard, Gaussian, Key, Operator, SparseSign, Srht, TensorSrht, apply, apply_adjoint, apply_sparse,
    to_dense,
};

use crate::arrays::{CompressedRows, Either, Matrix};
use crate::errors::Raise;
use crate::gateway::Gateway;

/// What names a sketch: (kind, m, n, entries a column or copies, seed).
type Named = (String, usize, usize, usize, u64);

fn operator((kind, m, n, count, seed): &Named) -> PyResult<Operator> {
    let (m, n, key) = (*m, *n, Key::new(*seed));
    Ok(match kind.as_str() {
        "block-hadamard" => Operator::BlockHadamard(BlockHadamard::new(m, key).mixing(*count)),
        "sparse-sign" => Operator::SparseSign(SparseSign::new(m, *count, key)),
        "srht" => Operator::Srht(Srht::new(m, n, key)),
        "gaussian" => Operator::Gaussian(Gaussian::new(m, key)),
        other => return Err(ArgumentError::value("sketch", other, "the name of a sketch").raise()),
    })
}

pub(super) fn books(observer: &mut dyn Observer) -> Monitor<'_> {
    Monitor::new(Budget::new(0.0, 1), observer, &[])
}

pub(super) fn matrix<'py>(
    py: Python<'py>,
    data: Vec<f64>,
    shape: (usize, usize),
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    PyArray1::from_vec(py, data).reshape([shape.0, shape.1])
}

/// S A, float64.
#[pyfunction]
pub fn sketch_apply<'py>(
    py: Python<'py>,
    named: Named,
    a: Either<'py>,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let sketch = operator(&named)?;
    let gateway = Gateway::new(None, workers)?;
    let (found, d) = match &a {
        Either::Double(array) => {
            let held = Matrix::new(array);
            let view = held.view()?;
            (gateway.run(py, |o| apply(&sketch, view, None, &mut books(o)))?, view.columns())
        }
        Either::Single(array) => {
            let held = Matrix::new(array);
            let view = held.view()?;
            (gateway.run(py, |o| apply(&sketch, view, None, &mut books(o)))?, view.columns())
        }
    };
    matrix(py, found, (named.1, d))
}

/// S A of compressed rows, float64.
#[pyfunction]
pub fn sketch_apply_sparse<'py>(
    py: Python<'py>,
    named: Named,
    indptr: PyReadonlyArray1<'py, i64>,
    indices: PyReadonlyArray1<'py, i32>,
    data: PyReadonlyArray1<'py, f64>,
    columns: usize,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let sketch = operator(&named)?;
    let held = CompressedRows::new(&indptr, &indices, &data, columns)?;
    let view = held.view()?;
    let found = Gateway::new(None, workers)?.run(py, |o| apply_sparse(&sketch, view, &mut books(o)))?;
    matrix(py, found, (named.1, columns))
}

/// S^T Y.
#[pyfunction]
pub fn sketch_adjoint<'py>(
    py: Python<'py>,
    named: Named,
    y: PyReadonlyArray2<'py, f64>,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let sketch = operator(&named)?;
    let held = Matrix::new(&y);
    let (view, n) = (held.view()?, named.2);
    let found = Gateway::new(None, workers)?.run(py, |o| apply_adjoint(&sketch, n, view, &mut books(o)))?;
    matrix(py, found, (n, view.columns()))
}

/// S itself.
#[pyfunction]
pub fn sketch_dense(py: Python<'_>, named: Named) -> PyResult<Bound<'_, PyArray2<f64>>> {
    let sketch = operator(&named)?;
    let dense = Gateway::new(None, None)?.run(py, |_| Ok::<_, Aborted>(to_dense(&sketch, named.2)))?;
    matrix(py, dense, (named.1, named.2))
}

/// (m, (n1, n2), seed) of a sketch of Kronecker products.
type Kronecker = (usize, (usize, usize), u64);

fn kronecker((m, shape, seed): Kronecker) -> TensorSrht {
    TensorSrht::new(m, shape, Key::new(seed))
}

/// S (x_c (x) y_c) for k pairs of columns: m by k.
#[pyfunction]
pub fn tensor_pair<'py>(
    py: Python<'py>,
    named: Kronecker,
    x: PyReadonlyArray2<'py, f64>,
    y: PyReadonlyArray2<'py, f64>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let (x, y) = (Matrix::new(&x), Matrix::new(&y));
    let (x, y) = (x.view()?, y.view()?);
    let k = x.columns();
    let (x, y) = (x.to_row_major(), y.to_row_major());
    let work = |_: &mut dyn Observer| Ok::<_, Aborted>(kronecker(named).apply_pair(&x, &y, k));
    let found = Gateway::new(None, None)?.run(py, work)?;
    matrix(py, found, (named.0, k))
}

/// S v or S^T v of one vector.
#[pyfunction]
pub fn tensor_vector<'py>(
    py: Python<'py>,
    named: Kronecker,
    v: PyReadonlyArray1<'py, f64>,
    adjoint: bool,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let v = v.as_array().to_vec();
    let work = |_: &mut dyn Observer| {
        let sketch = kronecker(named);
        Ok::<_, Aborted>(if adjoint { sketch.apply_adjoint(&v) } else { sketch.apply(&v) })
    };
    Ok(PyArray1::from_vec(py, Gateway::new(None, None)?.run(py, work)?))
}

/// S itself.
#[pyfunction]
pub fn tensor_dense(py: Python<'_>, named: Kronecker) -> PyResult<Bound<'_, PyArray2<f64>>> {
    let dense = Gateway::new(None, None)?.run(py, |_| Ok::<_, Aborted>(kronecker(named).to_dense()))?;
    matrix(py, dense, (named.0, named.1.0 * named.1.1))
}
