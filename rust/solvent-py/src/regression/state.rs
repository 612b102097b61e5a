//! The mergeable state of one pass, as a Python object that keeps no data of its own kind: all of it pickles as arrays.

use numpy::{PyArray1, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvent_core::base::error::ArgumentError;
use solvent_core::base::gram::Gram;
use solvent_core::regression::scaling::ldexp;
use solvent_core::regression::state::{Shape, State};

use super::least_squares::rows;
use crate::errors::Raise;
use crate::outcome::certificate;

/// (columns, sides, intercept, m, seed).
type RawShape = (usize, usize, bool, usize, u64);
/// (stream, count, place, weighted).
type RawPlace = (u32, u64, u64, bool);
/// (shape, place, Gram sums, sketch, waiting rows).
type Stored<'py> =
    (RawShape, RawPlace, Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>);

/// Sums of rows: a Gram matrix and a sketch.
#[pyclass(module = "solvent._core.regression", name = "RowState")]
pub struct RowState(State);

fn shape((columns, sides, intercept, m, seed): RawShape) -> Shape {
    Shape { columns, sides, intercept, m, seed }
}

#[pymethods]
impl RowState {
    #[new]
    fn new(raw: RawShape, stream: u32) -> Self {
        Self(State::new(shape(raw), stream))
    }

    /// Adds rows.
    fn update(
        &mut self,
        py: Python<'_>,
        a: PyReadonlyArray2<'_, f64>,
        b: PyReadonlyArray2<'_, f64>,
        weights: Option<PyReadonlyArray1<'_, f64>>,
    ) -> PyResult<()> {
        let (a, b) = (a.as_slice()?, b.as_slice()?);
        let weights = weights.as_ref().map(|w| w.as_slice()).transpose()?;
        py.detach(|| self.0.update(a, b, weights));
        Ok(())
    }

    /// The state of both.
    fn merge(&self, other: &Self) -> Self {
        Self(self.0.merge(&other.0))
    }

    /// Rows seen.
    #[getter]
    fn count(&self) -> u64 {
        self.0.count
    }

    /// Everything, as numbers and arrays.
    fn store<'py>(&self, py: Python<'py>) -> Stored<'py> {
        let Shape { columns, sides, intercept, m, seed } = self.0.shape;
        let place = (self.0.stream, self.0.count, self.0.place, self.0.weighted);
        (
            (columns, sides, intercept, m, seed),
            place,
            PyArray1::from_vec(py, self.0.gram.to_vec()),
            PyArray1::from_slice(py, &self.0.sketch),
            PyArray1::from_slice(py, &self.0.waiting),
        )
    }

    /// The inverse of `store`.
    #[staticmethod]
    fn restore(
        raw: RawShape,
        place: RawPlace,
        gram: PyReadonlyArray1<'_, f64>,
        sketch: PyReadonlyArray1<'_, f64>,
        waiting: PyReadonlyArray1<'_, f64>,
    ) -> PyResult<Self> {
        let mut state = State::new(shape(raw), place.0);
        let fits = sketch.as_slice()?.len() == state.sketch.len();
        let gram = Gram::from_slice(state.shape.width(), gram.as_slice()?).filter(|_| fits);
        let Some(gram) = gram else {
            let was = "stored with arrays of other lengths";
            return Err(ArgumentError::new("state", was, "those of its shape").raise());
        };
        (state.count, state.place, state.weighted, state.gram) = (place.1, place.2, place.3, gram);
        state.sketch = sketch.as_slice()?.to_vec();
        state.waiting = waiting.as_slice()?.to_vec();
        Ok(Self(state))
    }

    /// Solves: x, intercept, residual_norm, gradient, rank, eta, certificate, r, scale; one row a right side.
    fn solve<'py>(&self, py: Python<'py>, alpha: Vec<f64>, rcond: f64) -> PyResult<Bound<'py, PyDict>> {
        let solved = py.detach(|| self.0.solve(&alpha, rcond)).map_err(Raise::raise)?;
        let (moments, d) = (&solved.moments, self.0.shape.columns);
        let sides = 0..solved.y.len();
        let x: Vec<Vec<f64>> =
            sides.clone().map(|c| (0..d).map(|j| moments.raw(solved.y[c][j], j, c)).collect()).collect();
        let intercept = |c: usize| solved.y[c].get(d).map_or(0.0, |&y| moments.raw(y, d, c));
        let gradient =
            |c: usize, j: usize| ldexp(solved.gradients[c][j], moments.columns[j] - moments.sides[c]);
        let gradients: Vec<Vec<f64>> =
            sides.clone().map(|c| (0..d).map(|j| gradient(c, j)).collect()).collect();
        let ridge = |c: usize| moments.alpha.iter().zip(&solved.y[c]).map(|(a, y)| a * y * y).sum::<f64>();
        let norm = |c: usize| (solved.residuals[c].powi(2) - ridge(c)).max(0.0).sqrt();
        let norms: Vec<f64> = sides.clone().map(|c| ldexp(norm(c), -moments.sides[c])).collect();
        let dict = PyDict::new(py);
        dict.set_item("x", rows(py, &x, d)?)?;
        dict.set_item("intercept", PyArray1::from_vec(py, sides.map(intercept).collect()))?;
        dict.set_item("residual_norm", PyArray1::from_vec(py, norms))?;
        dict.set_item("gradient", rows(py, &gradients, d)?)?;
        dict.set_item("rank", solved.rank)?;
        dict.set_item("eta", solved.eta)?;
        dict.set_item("certificate", certificate(py, &solved.certificate())?)?;
        let n = solved.r.columns();
        let weighted: Vec<Vec<f64>> =
            (0..n).map(|j| solved.r.column(j).iter().map(|r| r * moments.weight(j)).collect()).collect();
        dict.set_item("r", rows(py, &weighted, solved.r.rows())?)?;
        dict.set_item("scale", moments.top)?;
        Ok(dict)
    }
}
