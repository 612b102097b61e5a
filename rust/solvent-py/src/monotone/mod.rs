//! `solvent._core.monotone`. Python has validated shapes and scalars.

/// Monotone inclusions, fixed points, matrix games and linear programs by Halpern iterations.
#[pyo3::pymodule(submodule)]
pub mod monotone {}
