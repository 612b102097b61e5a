//! `solvent._core.monotone`. Python has validated shapes and scalars.

#![allow(clippy::too_many_arguments, reason = "Python's keywords, one by one")]

mod lp;

/// Monotone inclusions, fixed points, matrix games and linear programs by Halpern iterations.
#[pyo3::pymodule(submodule)]
pub mod monotone {
    #[pymodule_export]
    use super::lp::{linprog, linprog_batch, linprog_certify};
}
