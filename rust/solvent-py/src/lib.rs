//! The extension module `solvent._core`: bindings, no numerics. It mirrors the core's module names; each
//! file holds one family's or one noun's functions, and long work passes through `gateway` alone.
//!
//! To add a family: `mod <family>;`, one line in `_core`, and a `#[pymodule(submodule)]` in its file.

mod arrays;
mod completion;
mod errors;
mod gateway;
mod monotone;
mod ot;
mod outcome;
mod probe;
mod regression;
mod rng;
mod sketch;
mod special;
mod stats;
mod threads;
mod ufunc;

/// The compiled core of solvent.
#[pyo3::pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::completion::completion;
    #[pymodule_export]
    use crate::gateway::Info;
    #[pymodule_export]
    use crate::monotone::monotone;
    #[pymodule_export]
    use crate::ot::ot;
    #[pymodule_export]
    use crate::probe::probe;
    #[pymodule_export]
    use crate::regression::regression;
    #[pymodule_export]
    use crate::rng::rng;
    #[pymodule_export]
    use crate::sketch::sketch;
    #[pymodule_export]
    use crate::special::special;
    #[pymodule_export]
    use crate::stats::stats;
    #[pymodule_export]
    use crate::threads::{available_threads, get_num_threads, set_num_threads};

    /// The SIMD level in use: "v2", "v3", "v4" or "neon".
    #[pyfunction]
    fn simd_level() -> &'static str {
        solvent_simd::level().name()
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
