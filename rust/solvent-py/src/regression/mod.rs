//! `solvent._core.regression`. Python has validated shapes and scalars.

mod design;
mod lp;
mod quantile;

/// Certified least squares, lp and quantile regression.
#[pyo3::pymodule(submodule)]
pub mod regression {
    #[pymodule_export]
    use super::lp::{certify_lp, lp_regression};
    #[pymodule_export]
    use super::quantile::{certify_quantile, quantile_regression};
}
