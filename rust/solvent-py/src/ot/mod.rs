//! `solvent._core.ot`: entropic optimal transport. Python has validated shapes, weights and scalars; the core checks the
//! entries of the cost on its first pass.

#![allow(clippy::too_many_arguments, reason = "Python's keywords, one by one")]

mod barycenter;
mod exact;
mod ground;
mod plan;
mod solve;
mod sparse;

/// Entropic optimal transport.
#[pyo3::pymodule(submodule)]
pub mod ot {
    #[pymodule_export]
    use super::barycenter::{barycenter, certify_barycenter};
    #[pymodule_export]
    use super::exact::{exact, exact_certify};
    #[pymodule_export]
    use super::plan::{apply, cost_slopes, plan, plan_adjoint, plan_sparse, rounded};
    #[pymodule_export]
    use super::solve::{certify, solve, solve_batch};
    #[pymodule_export]
    use super::sparse::{certify_sparse, solve_sparse};
}
