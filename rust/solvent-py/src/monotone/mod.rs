//! `solvent._core.monotone`. Python has validated shapes and scalars.

mod fixed_point;
mod game;

/// Monotone inclusions, fixed points, matrix games and linear programs by Halpern iterations.
#[pyo3::pymodule(submodule)]
pub mod monotone {
    #[pymodule_export]
    use super::fixed_point::{fixed_point, fixed_point_certify};
    #[pymodule_export]
    use super::game::{game, game_certify};
}
