//! The one way from Python into long work.
//!
//! A binding turns its arguments into core types, makes a [`Gateway`] and calls [`Gateway::run`]. Inside, the
//! GIL is released; on the calling thread the core's observer polls the interpreter's signals and calls the
//! caller's callback; errors and panics become exceptions. Nothing else in this crate detaches.

use crate::errors::{Raise, bug};
use pyo3::exceptions::{PyAttributeError, PyStopIteration};
use pyo3::prelude::*;
use solvent_core::base::error::{Aborted, ArgumentError};
use solvent_core::base::monitor::{self, Observer, Signal};
use solvent_core::base::pool;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

/// Holds the exception that made the work stop, while the core unwinds with [`Aborted`]. A caller's operator
/// that is called from the core keeps a clone and puts its exception here.
#[derive(Clone, Default)]
pub struct Failure(Arc<Mutex<Option<PyErr>>>);

impl Failure {
    /// Keeps the exception (the first one, if there are several) and says so in the core's words.
    pub fn hold(&self, error: PyErr) -> Aborted {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        Aborted
    }

    fn take(&self) -> Option<PyErr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// One call into long work.
pub struct Gateway {
    callback: Option<Py<PyAny>>,
    workers: Option<usize>,
    failure: Failure,
}

impl Gateway {
    /// A call with the caller's `callback` and `workers`, both as the common contract defines them.
    pub fn new(callback: Option<Py<PyAny>>, workers: Option<usize>) -> PyResult<Self> {
        if workers == Some(0) {
            return Err(ArgumentError::value("workers", 0_usize, "None or an integer >= 1").raise());
        }
        Ok(Self { callback, workers, failure: Failure::default() })
    }

    /// Where operators that call Python put their exceptions.
    pub fn failure(&self) -> Failure {
        self.failure.clone()
    }

    /// Runs `work` without the GIL. An exception from the callback, from a signal handler or from an
    /// operator is raised as it is; `StopIteration` from the callback ends the run well.
    pub fn run<T: Send, E: Raise + Send>(
        self,
        py: Python<'_>,
        work: impl FnOnce(&mut dyn Observer) -> Result<T, E> + Send,
    ) -> PyResult<T> {
        let Self { callback, workers, failure } = self;
        let watch = failure.clone();
        let worked = py.detach(move || {
            let mut observer = Interpreter { callback, failure: watch };
            let work = AssertUnwindSafe(|| pool::run(workers, || work(&mut observer)));
            catch_unwind(work)
        });
        // A held exception comes first: an abort that a solver overlooked must not be lost.
        match (failure.take(), worked) {
            (_, Err(panic)) => Err(bug(panic.as_ref())),
            (Some(error), Ok(_)) => Err(error),
            (None, Ok(Ok(value))) => Ok(value),
            (None, Ok(Err(error))) => Err(error.raise()),
        }
    }
}

/// The interpreter and the caller's callback, as the core sees them.
struct Interpreter {
    callback: Option<Py<PyAny>>,
    failure: Failure,
}

impl Interpreter {
    fn abort(&self, error: PyErr) -> Signal {
        self.failure.hold(error);
        Signal::Abort
    }
}

impl Observer for Interpreter {
    fn poll(&mut self) -> Signal {
        match Python::attach(|py| py.check_signals()) {
            Ok(()) => Signal::Continue,
            Err(error) => self.abort(error),
        }
    }

    fn report(&mut self, info: &monitor::Info<'_>) -> Signal {
        let Some(callback) = &self.callback else { return Signal::Continue };
        let called = Python::attach(|py| match callback.call1(py, (Info::from(info),)) {
            Ok(_) => Ok(Signal::Continue),
            Err(error) if error.is_instance_of::<PyStopIteration>(py) => Ok(Signal::Stop),
            Err(error) => Err(error),
        });
        called.unwrap_or_else(|error| self.abort(error))
    }
}

/// What a callback is given after each unit of work.
///
/// Attributes
/// ----------
/// nit : int
///     Units of work done.
/// bound : float
///     Best bound so far; nan before the first.
/// elapsed : float
///     Seconds since the start.
/// index : int or None
///     Which problem of a batch; None where there is one only.
///
/// The solver's extras are attributes too; ``dir(info)`` and ``info.names()`` list them.
#[pyclass(frozen, module = "solvent._core")]
pub struct Info {
    #[pyo3(get)]
    nit: u64,
    #[pyo3(get)]
    bound: f64,
    #[pyo3(get)]
    elapsed: f64,
    #[pyo3(get)]
    index: Option<usize>,
    extras: Vec<(&'static str, f64)>,
}

impl From<&monitor::Info<'_>> for Info {
    fn from(info: &monitor::Info<'_>) -> Self {
        let extras = info.names.iter().copied().zip(info.values.iter().copied()).collect();
        Self { nit: info.nit, bound: info.bound, elapsed: info.elapsed, index: info.index, extras }
    }
}

#[pymethods]
impl Info {
    /// Names of all fields, extras last.
    fn names(&self) -> Vec<&'static str> {
        let common = ["nit", "bound", "elapsed"].into_iter();
        let common = common.chain(self.index.map(|_| "index"));
        common.chain(self.extras.iter().map(|&(name, _)| name)).collect()
    }

    fn __getattr__(&self, name: &str) -> PyResult<f64> {
        let found = self.extras.iter().find(|(key, _)| *key == name).map(|&(_, value)| value);
        found.ok_or_else(|| {
            PyAttributeError::new_err(format!(
                "info has no field '{name}'; it has {}",
                self.names().join(", ")
            ))
        })
    }

    fn __dir__(&self) -> Vec<&'static str> {
        self.names()
    }

    fn __repr__(&self) -> String {
        let extras = self.extras.iter().map(|(name, value)| format!(", {name}={value:?}"));
        let extras: String = extras.collect();
        format!("Info(nit={}, bound={:?}, elapsed={:?}{extras})", self.nit, self.bound, self.elapsed)
    }
}
