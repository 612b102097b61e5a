//! `solvent._core.ot`: entropic optimal transport. Python has validated shapes, weights and scalars; the core checks the
//! entries of the cost on its first pass.

mod ground;
mod plan;
mod solve;

/// Entropic optimal transport.
#[pyo3::pymodule(submodule)]
pub mod ot {
    #[pymodule_export]
    use super::plan::{apply, cost_slopes, plan, plan_adjoint, plan_sparse, rounded};
    #[pymodule_export]
    use super::solve::{certify, solve, solve_batch};
}
