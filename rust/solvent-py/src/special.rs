//! The ufuncs of `solvent.special`.

use std::ffi::CStr;

use solvent_core::special as core;

use crate::ufunc::{Elementwise, SliceFunction};

/// A function with one result in the common form.
macro_rules! single {
    ($name:ident, $doc:literal) => {
        describe(name_of!($name), $doc, false, false, |v, x, y, _| core::$name(v, x, y))
    };
}

/// A pair in the common form.
macro_rules! pair {
    ($name:ident, $doc:literal, bounded = $bounded:literal) => {
        describe(name_of!($name), $doc, true, $bounded, core::$name)
    };
}

/// An identifier as a C string.
macro_rules! name_of {
    ($name:ident) => {
        match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
            Ok(name) => name,
            Err(_) => unreachable!(),
        }
    };
}

fn describe(
    name: &'static CStr,
    doc: &'static CStr,
    pair: bool,
    bounded: bool,
    function: SliceFunction,
) -> Elementwise {
    Elementwise { name, doc, pair, bounded, function }
}

/// The functions, in the order of the documentation.
fn functions() -> [Elementwise; 14] {
    [
        single!(log_iv, c"log I_v(x); nan where I_v(x) < 0."),
        single!(log_kv, c"log K_v(x), even in v."),
        single!(log_ive, c"log I_v(x) - x."),
        single!(log_kve, c"log K_v(x) + x."),
        pair!(log_ivk, c"(log I_v(x), log K_v(x)).", bounded = false),
        pair!(log_abs_iv, c"(log |I_v(x)|, sign of I_v(x)).", bounded = false),
        pair!(log_iv_grad, c"(d/dv, d/dx) of log I_v(x).", bounded = false),
        pair!(log_kv_grad, c"(d/dv, d/dx) of log K_v(x).", bounded = false),
        pair!(log_iv_certified, c"(log I_v(x), bound on its absolute error).", bounded = true),
        pair!(log_kv_certified, c"(log K_v(x), bound on its absolute error).", bounded = true),
        single!(iv_ratio, c"I_v(x) / I_{v-1}(x), v >= 0."),
        single!(iv_ratio_c, c"1 - I_v(x) / I_{v-1}(x), v >= 0."),
        single!(iv_ratio_inv, c"The x with I_v(x) / I_{v-1}(x) = r, v >= 1/2."),
        single!(kv_ratio, c"K_v(x) / K_{v-1}(x)."),
    ]
}

/// Logs of modified Bessel functions as ufuncs.
#[pyo3::pymodule(submodule)]
pub mod special {
    use pyo3::prelude::*;
    use pyo3::types::{PyDict, PyList};

    /// Where the certified functions' bounds are proven and where they are estimates.
    #[pyfunction]
    fn certified_regions(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
        let rows = PyList::empty(py);
        for region in solvent_core::special::certified_regions() {
            let row = PyDict::new(py);
            row.set_item("function", region.function)?;
            row.set_item("region", region.region)?;
            row.set_item("bounds", region.bounds)?;
            row.set_item("status", if region.proven { "proven" } else { "estimate" })?;
            rows.append(row)?;
        }
        Ok(rows)
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        for function in super::functions() {
            let name = function.name.to_string_lossy().into_owned();
            let ufunc = crate::ufunc::create(module.py(), function)?;
            module.add(name, ufunc)?;
        }
        Ok(())
    }
}
