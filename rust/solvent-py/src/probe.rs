//! Hooks for the tests of the house's promises: the smallest solver, a panic, an operator, array layouts.

/// A solver without data, through the gateway.
#[pyo3::pymodule(submodule)]
pub mod probe {
    use crate::arrays::{Matrix, Vector};
    use crate::gateway::Gateway;
    use crate::outcome::outcome;
    use numpy::{PyReadonlyArray1, PyReadonlyArray2};
    use pyo3::prelude::*;
    use pyo3::types::PyDict;
    use solvent_core::base::error::Aborted;
    use solvent_core::base::monitor::Budget;
    use solvent_core::base::probe as core;

    /// Monte-Carlo estimate of pi with its error bar: `(estimate, outcome)`.
    #[pyfunction]
    #[pyo3(signature = (seed, *, tol=0.0, maxiter=100, maxtime=None, workers=None, callback=None, history=false))]
    #[allow(clippy::too_many_arguments, reason = "the common keywords are seven")]
    fn pi<'py>(
        py: Python<'py>,
        seed: u64,
        tol: f64,
        maxiter: u64,
        maxtime: Option<f64>,
        workers: Option<usize>,
        callback: Option<Py<PyAny>>,
        history: bool,
    ) -> PyResult<(f64, Bound<'py, PyDict>)> {
        let budget = Budget { tol, maxiter, maxtime, history };
        let gateway = Gateway::new(callback, workers)?;
        let (estimate, end) = gateway.run(py, |observer| core::pi(seed, budget, observer))?;
        Ok((estimate, outcome(py, end)?))
    }

    /// Meets a bug on purpose: RuntimeError, not a crash.
    #[pyfunction]
    fn panic(py: Python<'_>) -> PyResult<()> {
        Gateway::new(None, None)?.run(py, |_| -> Result<(), Aborted> { panic!("on purpose") })
    }

    /// Calls a Python operator from inside the core, as solvers with a caller's operator do; what it raises
    /// is raised here.
    #[pyfunction]
    fn operator(py: Python<'_>, operator: Py<PyAny>, x: f64) -> PyResult<f64> {
        let gateway = Gateway::new(None, None)?;
        let failure = gateway.failure();
        gateway.run(py, move |_| -> Result<f64, Aborted> {
            let called = Python::attach(|py| operator.call1(py, (x,))?.extract::<f64>(py));
            called.map_err(|error| failure.hold(error))
        })
    }

    /// What the core sees of a vector: whether it was borrowed, and its elements.
    #[pyfunction]
    fn vector(a: PyReadonlyArray1<'_, f64>) -> (bool, Vec<f64>) {
        let vector = Vector::new(&a);
        (vector.is_borrowed(), vector.view().iter().collect())
    }

    /// What the core sees of a matrix: whether it was borrowed, and its rows.
    #[pyfunction]
    fn matrix(a: PyReadonlyArray2<'_, f32>) -> PyResult<(bool, Vec<Vec<f32>>)> {
        let matrix = Matrix::new(&a);
        let view = matrix.view()?;
        let rows = (0..view.rows()).map(|i| view.row(i).iter().collect()).collect();
        Ok((matrix.is_borrowed(), rows))
    }
}
