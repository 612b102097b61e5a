//! `solvent._core.regression`. Python has validated shapes and scalars.

/// Certified least squares, lp and quantile regression.
#[pyo3::pymodule(submodule)]
pub mod regression {}
