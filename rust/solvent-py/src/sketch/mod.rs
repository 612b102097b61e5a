//! `solvent._core.sketch`. Python has validated shapes and scalars.

/// Random linear maps that keep the geometry of tall matrices.
#[pyo3::pymodule(submodule)]
pub mod sketch {}
