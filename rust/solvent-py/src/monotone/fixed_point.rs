//! Fixed points of a caller's map. Python has validated shapes and scalars, and looks at what the map returns.

use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvent_core::base::error::Aborted;
use solvent_core::base::monitor::Budget;
use solvent_core::monotone::fixed_point::{self as core, Map, Norm, Options, Route};

use crate::arrays::choice;
use crate::gateway::{Failure, Gateway};
use crate::outcome::{certificate, outcome};

type Vector<'py> = PyReadonlyArray1<'py, f64>;

const NORMS: [(&str, Norm); 3] = [("1", Norm::One), ("2", Norm::Two), ("inf", Norm::Infinity)];

/// The caller's map; its exceptions go where the gateway looks for them.
struct Caller<'a> {
    map: &'a Py<PyAny>,
    failure: Failure,
}

impl Map for Caller<'_> {
    fn call(&self, x: &[f64]) -> Result<Vec<f64>, Aborted> {
        let called = Python::attach(|py| -> PyResult<Vec<f64>> {
            let answer = self.map.call1(py, (PyArray1::from_slice(py, x),))?;
            Ok(answer.extract::<Vector<'_>>(py)?.as_array().to_vec())
        });
        called.map_err(|error| self.failure.hold(error))
    }
}

/// Iterates to a fixed point: an outcome with x, residual, nfev, scale.
#[pyfunction]
#[pyo3(signature = (*, T, x0, method, nonexpansive, contraction, norm, mem, relative, narrow, tol, maxiter, maxtime, history, callback))]
#[allow(non_snake_case, reason = "the name the caller knows")]
#[allow(clippy::too_many_arguments, reason = "the function's parameters, one to one")]
pub fn fixed_point<'py>(
    py: Python<'py>,
    T: Py<PyAny>,
    x0: Vector<'py>,
    method: &str,
    nonexpansive: bool,
    contraction: Option<f64>,
    norm: &str,
    mem: usize,
    relative: bool,
    narrow: bool,
    tol: f64,
    maxiter: u64,
    maxtime: Option<f64>,
    history: bool,
    callback: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let words = [("auto", Route::Auto), ("anderson", Route::Anderson), ("halpern", Route::Halpern)];
    let options = Options {
        route: choice("method", method, &words)?,
        norm: choice("norm", norm, &NORMS)?,
        nonexpansive,
        contraction,
        memory: mem,
        relative,
        narrow,
    };
    let gateway = Gateway::new(callback, Some(1))?;
    let map = Caller { map: &T, failure: gateway.failure() };
    let start = x0.as_array().to_vec();
    let budget = Budget { tol, maxiter, maxtime, history };
    let found = gateway.run(py, |observer| core::solve(&map, start, options, budget, observer))?;
    let dict = outcome(py, found.outcome)?;
    dict.set_item("x", PyArray1::from_vec(py, found.x))?;
    dict.set_item("residual", found.residual)?;
    dict.set_item("nfev", found.nfev)?;
    dict.set_item("scale", found.scale)?;
    Ok(dict)
}

/// The certificate of a point with its image.
#[pyfunction]
#[pyo3(signature = (*, x, image, scale, contraction, norm, relative))]
pub fn fixed_point_certify<'py>(
    py: Python<'py>,
    x: Vector<'py>,
    image: Vector<'py>,
    scale: f64,
    contraction: Option<f64>,
    norm: &str,
    relative: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let options = Options {
        route: Route::Auto,
        norm: choice("norm", norm, &NORMS)?,
        nonexpansive: true,
        contraction,
        memory: 1,
        relative,
        narrow: false,
    };
    let (x, image) = (x.as_array().to_vec(), image.as_array().to_vec());
    certificate(py, &core::judge(&x, &image, scale, options).1)
}
