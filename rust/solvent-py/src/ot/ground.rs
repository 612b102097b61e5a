//! The ground cost as Python passes it: a matrix `C`, or `points = (X, Y, cost, p)`.

use numpy::{PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use solvent_core::base::error::ArgumentError;
use solvent_core::ot::points::Metric;
use solvent_core::ot::problem::Ground;

use crate::arrays::{Either, Matrix};
use crate::errors::Raise;

/// `(X, Y, cost, p)`.
pub type Points<'py> = (Either<'py>, Either<'py>, String, f64);

/// What is held of the caller's arrays while the core reads them.
pub enum Held<'a> {
    Double(Matrix<'a, f64>),
    Single(Matrix<'a, f32>),
    Points { x: Vec<f64>, y: Vec<f64>, d: usize, metric: Metric },
}

fn rows(array: &Either<'_>) -> Vec<f64> {
    match array {
        Either::Double(a) => a.as_array().iter().copied().collect(),
        Either::Single(a) => a.as_array().iter().map(|&x| f64::from(x)).collect(),
    }
}

fn columns<T: numpy::Element>(array: &PyReadonlyArray2<'_, T>) -> usize {
    array.shape()[1]
}

/// The metric of this name.
pub fn metric(name: &str, p: f64) -> PyResult<Metric> {
    Ok(match name {
        "sqeuclidean" => Metric::SqEuclidean,
        "euclidean" => Metric::Euclidean,
        "l1" => Metric::L1,
        "cosine" => Metric::Cosine,
        "lp" => Metric::Lp(p),
        _ => {
            let expected = "'sqeuclidean', 'euclidean', 'l1', 'cosine' or 'lp'";
            return Err(ArgumentError::value("cost", name, expected).raise());
        }
    })
}

impl<'a> Held<'a> {
    /// Exactly one of the two is given.
    pub fn new(c: Option<&'a Either<'_>>, points: Option<&Points<'_>>) -> PyResult<Self> {
        match (c, points) {
            (Some(Either::Double(c)), None) => Ok(Self::Double(Matrix::new(c))),
            (Some(Either::Single(c)), None) => Ok(Self::Single(Matrix::new(c))),
            (None, Some((x, y, name, p))) => {
                let d = match x {
                    Either::Double(x) => columns(x),
                    Either::Single(x) => columns(x),
                };
                Ok(Self::Points { x: rows(x), y: rows(y), d, metric: metric(name, *p)? })
            }
            _ => {
                Err(ArgumentError::new("C", "C and points are both given or both None", "one of them")
                    .raise())
            }
        }
    }

    /// As the core takes it.
    pub fn ground(&self) -> PyResult<Ground<'_>> {
        Ok(match self {
            Self::Double(c) => Ground::F64(c.view()?),
            Self::Single(c) => Ground::F32(c.view()?),
            Self::Points { x, y, d, metric } => {
                Ground::Points { x: x.clone(), y: y.clone(), d: *d, metric: *metric }
            }
        })
    }
}
