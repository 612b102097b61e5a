//! `solvent._core.regression`. Python has validated shapes and scalars.

mod design;
mod least_squares;
mod lp;
mod quantile;
mod state;

/// Certified least squares, lp and quantile regression.
#[pyo3::pymodule(submodule)]
pub mod regression {
    #[pymodule_export]
    use super::lp::{certify_lp, lp_regression};
    #[pymodule_export]
    use super::quantile::{certify_quantile, quantile_regression};
    #[pymodule_export]
    use super::state::RowState;

    use super::least_squares as ls;
    use numpy::{PyArray1, PyReadonlyArray2};
    use pyo3::prelude::*;
    use pyo3::types::PyDict;

    /// Least squares: an outcome with the fields of `LstsqResult`, one row a right side.
    #[pyfunction]
    #[allow(clippy::too_many_arguments, reason = "the keywords of the common contract")]
    fn lstsq<'py>(
        py: Python<'py>,
        data: ls::Data<'py>,
        setting: ls::Setting<'py>,
        start: Option<PyReadonlyArray2<'py, f64>>,
        tol: f64,
        maxiter: u64,
        maxtime: Option<f64>,
        history: bool,
        callback: Option<Py<PyAny>>,
        workers: Option<usize>,
    ) -> PyResult<Bound<'py, PyDict>> {
        ls::run(py, &data, &setting, start, tol, maxiter, maxtime, history, callback, workers)
    }

    /// The certificate of any coefficients on these rows; intercepts are the last column of `x`.
    #[pyfunction]
    fn lstsq_certify<'py>(
        py: Python<'py>,
        data: ls::Data<'py>,
        setting: ls::Setting<'py>,
        x: PyReadonlyArray2<'py, f64>,
        x_lo: Option<PyReadonlyArray2<'py, f64>>,
        tol: f64,
    ) -> PyResult<Bound<'py, PyDict>> {
        ls::judge(py, &data, &setting, &x, x_lo, tol)
    }

    /// Singular values, descending, of a matrix given by its transpose in C order.
    #[pyfunction]
    fn singular_values<'py>(
        py: Python<'py>,
        r: PyReadonlyArray2<'py, f64>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        ls::singular_values(py, &r)
    }
}
