//! The common fields of a result on their way to Python, the same for all families.

use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvent_core::base::certificate::Certificate;
use solvent_core::base::monitor::History;
use solvent_core::base::outcome::Outcome;

/// `{"success", "status", "message", "nit", "elapsed", "certificate", "history"}`, which
/// `solvent._result` turns into the fields of a result. Certificate and history may be None.
pub fn outcome(py: Python<'_>, outcome: Outcome) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("success", outcome.success)?;
    dict.set_item("status", outcome.status.as_str())?;
    dict.set_item("message", outcome.message)?;
    dict.set_item("nit", outcome.nit)?;
    dict.set_item("elapsed", outcome.elapsed)?;
    dict.set_item("certificate", outcome.certificate.map(|it| certificate(py, &it)).transpose()?)?;
    dict.set_item("history", outcome.history.map(|it| history(py, &it)).transpose()?)?;
    Ok(dict)
}

/// `{"kind", "bound", "relative", "rigorous", "failure_probability", "parts"}`.
pub fn certificate<'py>(py: Python<'py>, certificate: &Certificate) -> PyResult<Bound<'py, PyDict>> {
    let parts = PyDict::new(py);
    for (name, value) in &certificate.parts {
        parts.set_item(name.as_ref(), value)?;
    }
    let dict = PyDict::new(py);
    dict.set_item("kind", certificate.kind.as_str())?;
    dict.set_item("bound", certificate.bound)?;
    dict.set_item("relative", certificate.relative)?;
    dict.set_item("rigorous", certificate.rigorous)?;
    dict.set_item("failure_probability", certificate.failure_probability)?;
    dict.set_item("parts", parts)?;
    Ok(dict)
}

/// A dict of equally long float64 arrays.
fn history<'py>(py: Python<'py>, history: &History) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, column) in history.columns() {
        dict.set_item(name, PyArray1::from_slice(py, column))?;
    }
    Ok(dict)
}
