//! Zero-sum matrix games. Python has validated shapes and scalars; the core checks the payoffs on its first pass.

use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvent_core::base::error::{Aborted, ArgumentError};
use solvent_core::base::monitor::{Budget, Monitor};
use solvent_core::base::sparse::SparseView;
use solvent_core::base::view::MatrixView;
use solvent_core::monotone::game::{
    self as core, Compressed, Dense, Game, GameError, Opaque, Operator, Options, Route,
};

use crate::arrays::{CompressedRows, Either, Matrix, choice};
use crate::errors::Raise;
use crate::gateway::{Failure, Gateway};
use crate::outcome::{certificate, outcome};

impl Raise for GameError {
    fn raise(self) -> PyErr {
        match self {
            Self::Argument(error) => error.raise(),
            Self::Aborted(error) => error.raise(),
        }
    }
}

type Vector<'py> = PyReadonlyArray1<'py, f64>;
/// indptr, indices, data, columns.
type Rows<'py> = (PyReadonlyArray1<'py, i64>, PyReadonlyArray1<'py, i32>, Vector<'py>, usize);
/// Shape, matvec, rmatvec; what these return has been checked in Python.
type Products = (usize, usize, Py<PyAny>, Py<PyAny>);

/// Payoffs, as Python hands them over.
#[derive(FromPyObject)]
pub enum Payoffs<'py> {
    /// A matrix of either precision.
    Dense(Either<'py>),
    /// Compressed rows.
    Sparse(Rows<'py>),
    /// Products only.
    Operator(Products),
}

/// A caller's operator; its exceptions go where the gateway looks for them.
struct Caller<'a> {
    shape: (usize, usize),
    matvec: &'a Py<PyAny>,
    rmatvec: &'a Py<PyAny>,
    failure: Failure,
}

impl Caller<'_> {
    fn call(&self, function: &Py<PyAny>, x: &[f64]) -> Result<Vec<f64>, Aborted> {
        let called = Python::attach(|py| -> PyResult<Vec<f64>> {
            let answer = function.call1(py, (PyArray1::from_slice(py, x),))?;
            Ok(answer.extract::<Vector<'_>>(py)?.as_array().to_vec())
        });
        called.map_err(|error| self.failure.hold(error))
    }
}

impl Operator for Caller<'_> {
    fn shape(&self) -> (usize, usize) {
        self.shape
    }

    fn matvec(&self, y: &[f64]) -> Result<Vec<f64>, Aborted> {
        self.call(self.matvec, y)
    }

    fn rmatvec(&self, x: &[f64]) -> Result<Vec<f64>, Aborted> {
        self.call(self.rmatvec, x)
    }
}

/// What the payoffs borrow from Python.
enum Held<'a> {
    Double(Matrix<'a, f64>),
    Single(Matrix<'a, f32>),
    Sparse(CompressedRows<'a, f64>),
    Operator(Caller<'a>),
}

impl<'a> Held<'a> {
    fn new(payoffs: &'a Payoffs<'_>, gateway: &Gateway) -> PyResult<Self> {
        Ok(match payoffs {
            Payoffs::Dense(Either::Double(array)) => Self::Double(Matrix::new(array)),
            Payoffs::Dense(Either::Single(array)) => Self::Single(Matrix::new(array)),
            Payoffs::Sparse((indptr, indices, data, columns)) => {
                Self::Sparse(CompressedRows::new(indptr, indices, data, *columns)?)
            }
            Payoffs::Operator((n, m, matvec, rmatvec)) => {
                Self::Operator(Caller { shape: (*n, *m), matvec, rmatvec, failure: gateway.failure() })
            }
        })
    }

    fn view(&self) -> PyResult<View<'_>> {
        Ok(match self {
            Self::Double(matrix) => View::Double(matrix.view()?),
            Self::Single(matrix) => View::Single(matrix.view()?),
            Self::Sparse(rows) => View::Sparse(rows.view()?),
            Self::Operator(caller) => View::Operator(caller),
        })
    }
}

/// The payoffs as the core sees them.
enum View<'a> {
    Double(MatrixView<'a, f64>),
    Single(MatrixView<'a, f32>),
    Sparse(SparseView<'a, f64>),
    Operator(&'a Caller<'a>),
}

impl<'a> View<'a> {
    fn game(&self) -> Result<Game<'a>, ArgumentError> {
        Ok(match *self {
            Self::Double(view) => Game::Dense(Dense::new(view)?),
            Self::Single(view) => Game::Dense(Dense::new(view)?),
            Self::Sparse(view) => Game::Sparse(Compressed::new(view)?),
            Self::Operator(caller) => Game::Operator(Opaque(caller)),
        })
    }
}

/// Solves a game: an outcome with x, y, value, lower, upper, polished, best_response, matvecs, method.
#[pyfunction]
#[pyo3(signature = (*, M, x0, method, polish, relative, mixed, narrow, tol, maxiter, maxtime, history, workers, callback))]
#[allow(non_snake_case, reason = "the name the caller knows")]
#[allow(clippy::too_many_arguments, reason = "the function's parameters, one to one")]
pub fn game<'py>(
    py: Python<'py>,
    M: Payoffs<'py>,
    x0: Option<(Vector<'py>, Vector<'py>)>,
    method: &str,
    polish: bool,
    relative: bool,
    mixed: bool,
    narrow: bool,
    tol: f64,
    maxiter: Option<u64>,
    maxtime: Option<f64>,
    history: bool,
    workers: Option<usize>,
    callback: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let words = [("auto", Route::Auto), ("ipm", Route::Ipm), ("halpern", Route::Halpern)];
    let route = choice("method", method, &words)?;
    let gateway = Gateway::new(callback, workers)?;
    let held = Held::new(&M, &gateway)?;
    let view = held.view()?;
    let options = Options { route, polish, relative, mixed, narrow };
    let start = x0.as_ref().map(|(x, y)| (x.as_array().to_vec(), y.as_array().to_vec()));
    let found = gateway.run(py, |observer| -> Result<_, GameError> {
        let game = view.game()?;
        let maxiter = maxiter.unwrap_or_else(|| core::default_maxiter(&game, options, tol));
        let budget = Budget { tol, maxiter, maxtime, history };
        let start = start.as_ref().map(|(x, y)| (x.as_slice(), y.as_slice()));
        core::solve(&game, start, options, budget, observer)
    })?;
    let dict = outcome(py, found.outcome)?;
    dict.set_item("x", PyArray1::from_vec(py, found.x))?;
    dict.set_item("y", PyArray1::from_vec(py, found.y))?;
    dict.set_item("value", found.value)?;
    dict.set_item("lower", found.bracket.0)?;
    dict.set_item("upper", found.bracket.1)?;
    dict.set_item("polished", found.polished)?;
    dict.set_item("best_response", found.best_response)?;
    dict.set_item("matvecs", found.matvecs)?;
    dict.set_item("method", found.method)?;
    Ok(dict)
}

/// The certificate of any pair of strategies and value.
#[pyfunction]
#[pyo3(signature = (*, M, x, y, value, relative, workers))]
#[allow(non_snake_case, reason = "the name the caller knows")]
pub fn game_certify<'py>(
    py: Python<'py>,
    M: Payoffs<'py>,
    x: Vector<'py>,
    y: Vector<'py>,
    value: f64,
    relative: bool,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let gateway = Gateway::new(None, workers)?;
    let held = Held::new(&M, &gateway)?;
    let view = held.view()?;
    let (x, y) = (x.as_array().to_vec(), y.as_array().to_vec());
    let judged = gateway.run(py, |observer| -> Result<_, GameError> {
        let game = view.game()?;
        let mut monitor = Monitor::new(Budget::new(0.0, 1), observer, &[]);
        Ok(core::judge(game.payoff(), &x, &y, Some(value), relative, &mut monitor)?)
    })?;
    certificate(py, &judged.certificate)
}
