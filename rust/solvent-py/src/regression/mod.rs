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
    use numpy::{PyArray1, PyReadonlyArray1, PyReadonlyArray2};
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
        base: Option<PyReadonlyArray2<'py, f64>>,
        tol: f64,
    ) -> PyResult<Bound<'py, PyDict>> {
        ls::judge(py, &data, &setting, &x, x_lo, base, tol)
    }

    /// What a pass adds up over one part of the rows, the first of which is row `first` of all.
    #[pyfunction]
    fn pass_part<'py>(
        py: Python<'py>,
        name: &str,
        numbers: PyReadonlyArray1<'py, f64>,
        data: ls::Data<'py>,
        setting: ls::Setting<'py>,
        first: usize,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        ls::part(py, name, numbers.as_slice()?, &data, &setting, first)
    }

    /// What the sums of several parts make together.
    #[pyfunction]
    fn pass_merge<'py>(
        py: Python<'py>,
        name: &str,
        numbers: PyReadonlyArray1<'py, f64>,
        parts: Vec<PyReadonlyArray1<'py, f64>>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        ls::merge(py, name, numbers.as_slice()?, &parts)
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
