//! `solvent._core.monotone`. Python has validated shapes and scalars.

mod game;

/// Monotone inclusions, fixed points, matrix games and linear programs by Halpern iterations.
#[pyo3::pymodule(submodule)]
pub mod monotone {
    #[pymodule_export]
    use super::game::{game, game_certify};
}
