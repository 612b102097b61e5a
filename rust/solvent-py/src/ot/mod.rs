//! `solvent._core.ot`: optimal transport. Python has validated shapes, weights and scalars; entries of the cost are
//! checked by the core on its first pass.

mod barycenter;
mod sparse;

use pyo3::prelude::*;
use solvent_core::ot::OtError;

use crate::errors::Raise;

impl Raise for OtError {
    fn raise(self) -> PyErr {
        match self {
            Self::Argument(e) => e.raise(),
            Self::Aborted(e) => e.raise(),
        }
    }
}

/// Optimal transport.
#[pyo3::pymodule(submodule)]
pub mod ot {
    #[pymodule_export]
    use super::barycenter::{barycenter, certify_barycenter};
    #[pymodule_export]
    use super::sparse::{certify_sparse, solve_sparse};
}
