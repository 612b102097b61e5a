//! Proxes as Python passes them: a tuple of a word and its parameters, or None where G = 0.

use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use solvent_core::base::error::{Aborted, ArgumentError};
use solvent_core::monotone::prox::{Bounds, L1, L2Ball, Product, Prox, SecondOrderCone, Simplex, WeightBall};

use crate::errors::Raise;
use crate::gateway::{Failure, Gateway};

/// What is held of the caller's parameters while the core reads them.
pub enum Held<'py> {
    Box { lo: PyReadonlyArray1<'py, f64>, hi: PyReadonlyArray1<'py, f64> },
    Simplex { total: f64 },
    L1 { weight: PyReadonlyArray1<'py, f64> },
    Ball { radius: f64, center: Option<PyReadonlyArray1<'py, f64>> },
    Cone,
    Weights { rho: f64 },
    Product { parts: Vec<(Option<Self>, usize)> },
    Callable { function: Py<PyAny> },
}

impl<'py> Held<'py> {
    /// Reads the tuple.
    pub fn new(spec: &Bound<'py, PyTuple>) -> PyResult<Self> {
        let word: String = spec.get_item(0)?.extract()?;
        let array = |i| -> PyResult<PyReadonlyArray1<'py, f64>> { Ok(spec.get_item(i)?.extract()?) };
        Ok(match word.as_str() {
            "box" => Self::Box { lo: array(1)?, hi: array(2)? },
            "simplex" => Self::Simplex { total: spec.get_item(1)?.extract()? },
            "l1" => Self::L1 { weight: array(1)? },
            "ball" => {
                Self::Ball { radius: spec.get_item(1)?.extract()?, center: spec.get_item(2)?.extract()? }
            }
            "cone" => Self::Cone,
            "weights" => Self::Weights { rho: spec.get_item(1)?.extract()? },
            "callable" => Self::Callable { function: spec.get_item(1)?.unbind() },
            "product" => {
                let list = spec.get_item(1)?.cast_into::<PyList>()?;
                let mut parts = Vec::with_capacity(list.len());
                for item in list.iter() {
                    let (part, size): (Option<Bound<'py, PyTuple>>, usize) = item.extract()?;
                    parts.push((part.map(|part| Self::new(&part)).transpose()?, size));
                }
                Self::Product { parts }
            }
            _ => return Err(ArgumentError::value("prox", word.as_str(), "a known prox").raise()),
        })
    }

    /// As the core takes it; exceptions of callables go to `failure`.
    pub fn prox(&self, py: Python<'_>, failure: &Failure) -> PyResult<Box<dyn Prox + '_>> {
        Ok(match self {
            Self::Box { lo, hi } => Box::new(Bounds::new(lo.as_slice()?, hi.as_slice()?)),
            Self::Simplex { total } => Box::new(Simplex::new(*total)),
            Self::L1 { weight } => Box::new(L1::new(weight.as_slice()?)),
            Self::Ball { radius, center } => {
                let center = center.as_ref().map(|c| c.as_slice()).transpose()?;
                Box::new(L2Ball::new(*radius, center))
            }
            Self::Cone => Box::new(SecondOrderCone),
            Self::Weights { rho } => Box::new(WeightBall::new(*rho)),
            Self::Callable { function } => {
                Box::new(Callable { function: function.clone_ref(py), failure: failure.clone() })
            }
            Self::Product { parts } => {
                let mut built = Vec::with_capacity(parts.len());
                for (part, size) in parts {
                    built.push((part.as_ref().map(|part| part.prox(py, failure)).transpose()?, *size));
                }
                Box::new(Product::new(built))
            }
        })
    }
}

/// A Python function `prox(v, t)`, whose result Python's own wrapper has checked.
struct Callable {
    function: Py<PyAny>,
    failure: Failure,
}

impl Prox for Callable {
    fn apply(&self, v: &[f64], t: f64, out: &mut [f64]) -> Result<(), Aborted> {
        let called = Python::attach(|py| {
            let called = self.function.bind(py).call1((PyArray1::from_slice(py, v), t))?;
            let array: PyReadonlyArray1<'_, f64> = called.extract()?;
            out.copy_from_slice(array.as_slice()?);
            Ok(())
        });
        called.map_err(|error: PyErr| self.failure.hold(error))
    }

    /// Nothing is known of its rounding; certificates with it are estimates.
    fn allowance(&self, _: &[f64], _: f64, _: &[f64]) -> f64 {
        0.0
    }
}

/// `J_{tG}(v)`.
#[pyfunction]
pub fn resolve<'py>(
    py: Python<'py>,
    prox: &Bound<'py, PyTuple>,
    v: PyReadonlyArray1<'py, f64>,
    t: f64,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let gateway = Gateway::new(None, None)?;
    let held = Held::new(prox)?;
    let built = held.prox(py, &gateway.failure())?;
    let (built, v) = (&*built, v.as_array().to_vec());
    let out = gateway.run(py, move |_| {
        let mut out = vec![0.0; v.len()];
        built.apply(&v, t, &mut out).map(|()| out)
    })?;
    Ok(PyArray1::from_vec(py, out))
}

/// Distance of x from the domain of G.
#[pyfunction]
pub fn distance<'py>(
    py: Python<'py>,
    prox: &Bound<'py, PyTuple>,
    x: PyReadonlyArray1<'py, f64>,
) -> PyResult<f64> {
    let gateway = Gateway::new(None, None)?;
    let held = Held::new(prox)?;
    let built = held.prox(py, &gateway.failure())?;
    let (built, x) = (&*built, x.as_array().to_vec());
    gateway.run(py, move |_| built.distance(&x))
}
