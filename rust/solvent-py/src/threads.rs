//! How many threads a call uses.

use crate::errors::Raise;
use pyo3::prelude::*;
use solvent_core::base::error::ArgumentError;
use solvent_core::base::pool;

/// Set the default number of threads of this process; None returns to the environment's or the machine's.
#[pyfunction]
pub fn set_num_threads(n: Option<usize>) -> PyResult<()> {
    if n == Some(0) {
        return Err(ArgumentError::value("n", 0_usize, "None or an integer >= 1").raise());
    }
    pool::set_num_threads(n);
    Ok(())
}

/// Number of threads a call uses that does not say `workers=`.
///
/// Raises ValueError if SOLVENT_NUM_THREADS decides and is not a count.
#[pyfunction]
pub fn get_num_threads() -> PyResult<usize> {
    pool::environment().map_err(Raise::raise)?;
    Ok(pool::num_threads())
}

/// Threads this process may use: CPU affinity and the cgroup's quota, whichever is less.
#[pyfunction]
pub fn available_threads() -> usize {
    pool::available_threads()
}
