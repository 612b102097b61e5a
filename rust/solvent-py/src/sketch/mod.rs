//! `solvent._core.sketch`. Python has validated shapes and scalars.

mod operators;
mod scores;
mod solve;

/// Random linear maps that keep the geometry of tall matrices, and what is computed through them.
#[pyo3::pymodule(submodule)]
pub mod sketch {
    #[pymodule_export]
    use super::operators::{
        sketch_adjoint, sketch_apply, sketch_apply_sparse, sketch_dense, tensor_dense, tensor_pair,
        tensor_vector,
    };
    #[pymodule_export]
    use super::scores::{leverage_scores, lewis_weights, sample_rows, scores_certify, sensitivity_bounds};
    #[pymodule_export]
    use super::solve::{sketch_and_solve, sketch_certify, sketch_rows};
}
