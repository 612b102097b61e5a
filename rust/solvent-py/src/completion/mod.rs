//! `solvent._core.completion`. Python has validated shapes and scalars, and made the entries canonical.

#![allow(clippy::too_many_arguments, reason = "Python's keywords, one by one")]

mod data;
mod derived;
mod implicit;
mod solve;
mod spectrum;

/// Low-rank matrix completion by robust alternating minimization.
#[pyo3::pymodule(submodule)]
pub mod completion {
    #[pymodule_export]
    use super::derived::{half_sweep, recommend, variances};
    #[pymodule_export]
    use super::implicit::{certify_implicit, solve_implicit};
    #[pymodule_export]
    use super::solve::{certify, solve};
    #[pymodule_export]
    use super::spectrum::{leading, weighted_mean};
}
