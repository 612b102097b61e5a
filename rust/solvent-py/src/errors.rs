//! Core errors become Python exceptions here, and nowhere else.

use pyo3::PyErr;
use pyo3::exceptions::{PyArithmeticError, PyRuntimeError, PyTypeError, PyValueError};
use solvent_core::base::dense::DenseError;
use solvent_core::base::error::{Aborted, ArgumentError, Misuse};

/// An error of the core as the exception a caller of the package meets. Each family's enum implements it:
/// `Argument(e) => e.raise(), Aborted(e) => e.raise()`, then its own variants.
pub trait Raise {
    /// The exception.
    fn raise(self) -> PyErr;
}

impl Raise for PyErr {
    fn raise(self) -> PyErr {
        self
    }
}

impl Raise for std::convert::Infallible {
    fn raise(self) -> PyErr {
        match self {}
    }
}

impl Raise for ArgumentError {
    fn raise(self) -> PyErr {
        match self.misuse() {
            Misuse::Value => PyValueError::new_err(self.to_string()),
            Misuse::Type => PyTypeError::new_err(self.to_string()),
        }
    }
}

/// Only reached if nothing holds the reason, which the gateway looks for first.
impl Raise for Aborted {
    fn raise(self) -> PyErr {
        PyRuntimeError::new_err(self.to_string())
    }
}

impl Raise for DenseError {
    fn raise(self) -> PyErr {
        match self {
            Self::NotFinite | Self::NotPositiveDefinite { .. } => PyValueError::new_err(self.to_string()),
            Self::NoConvergence => PyArithmeticError::new_err(self.to_string()),
        }
    }
}

/// A panic is a bug of ours; its message asks for a report.
pub fn bug(panic: &(dyn std::any::Any + Send)) -> PyErr {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    PyRuntimeError::new_err(format!(
        "solvent met a bug of its own ({}); please report it with the call that led here",
        text.as_deref().unwrap_or("no message")
    ))
}
