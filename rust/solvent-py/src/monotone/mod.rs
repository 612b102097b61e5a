//! `solvent._core.monotone`. Python has validated shapes and scalars.

#![allow(clippy::too_many_arguments, reason = "Python's keywords, one by one")]

mod fixed_point;
mod game;
mod inclusion;
mod lp;
mod operator;
mod prox;

/// Monotone inclusions, fixed points, matrix games and linear programs by Halpern iterations.
#[pyo3::pymodule(submodule)]
pub mod monotone {
    #[pymodule_export]
    use super::fixed_point::{fixed_point, fixed_point_certify};
    #[pymodule_export]
    use super::game::{game, game_certify};
    #[pymodule_export]
    use super::inclusion::{certify_inclusion, solve_inclusion};
    #[pymodule_export]
    use super::lp::{linprog, linprog_batch, linprog_certify};
    #[pymodule_export]
    use super::operator::{constants, evaluate, symmetry};
    #[pymodule_export]
    use super::prox::{distance, resolve};
}
