//! `solvent._core.completion`. Python has validated shapes and scalars.

/// Low-rank matrix completion by robust alternating minimization.
#[pyo3::pymodule(submodule)]
pub mod completion {}
