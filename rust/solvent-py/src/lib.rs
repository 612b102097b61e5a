//! skeleton
use pyo3::prelude::*;
/// The extension module.
#[pymodule]
mod _core {
    use super::*;
    #[pymodule_init]
    fn init(_m: &Bound<'_, PyModule>) -> PyResult<()> {
        Ok(())
    }
}
