//! Solving and certifying inclusions.

use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use solvent_core::base::monitor::Budget;
use solvent_core::monotone::inclusion::certify::{Payload, Terms};
use solvent_core::monotone::inclusion::options::{Method, Options, Problem, Restart};
use solvent_core::monotone::inclusion::{self as core, InclusionError};
use solvent_core::monotone::operator::Kind;

use super::{operator, prox};
use crate::arrays::choice;
use crate::errors::Raise;
use crate::gateway::Gateway;
use crate::outcome::{certificate, outcome};

impl Raise for InclusionError {
    fn raise(self) -> PyErr {
        match self {
            Self::Argument(e) => e.raise(),
            Self::Aborted(e) => e.raise(),
        }
    }
}

const KINDS: [(&str, Kind); 3] =
    [("gradient", Kind::Gradient), ("cocoercive", Kind::Cocoercive), ("monotone", Kind::Monotone)];

const METHODS: [(&str, Method); 6] = [
    ("auto", Method::Auto),
    ("halpern", Method::Halpern),
    ("vr-halpern", Method::VrHalpern),
    ("l-svrg", Method::LSvrg),
    ("extragradient", Method::Extragradient),
    ("ogda", Method::Ogda),
];

/// An outcome with x, g, residual, nfev, passes, matvecs, restarts, method, L, L_avg and eta. `restart`: None is the
/// method's own factor, 0 none.
#[pyfunction]
#[pyo3(signature = (operator, prox, x0, *, kind, method, L, L_avg, mu, batch, restart, eta, relative, earlier, paper, c,
                    memory_limit, rescale, seed, guess, single, tol, maxiter, maxtime, history, workers, callback))]
#[allow(
    non_snake_case,
    clippy::too_many_arguments,
    reason = "one keyword each, by the names of the mathematics"
)]
pub fn solve_inclusion<'py>(
    py: Python<'py>,
    operator: &Bound<'py, PyTuple>,
    prox: Option<Bound<'py, PyTuple>>,
    x0: PyReadonlyArray1<'py, f64>,
    kind: &str,
    method: &str,
    L: Option<f64>,
    L_avg: Option<f64>,
    mu: Option<f64>,
    batch: Option<usize>,
    restart: Option<f64>,
    eta: Option<f64>,
    relative: bool,
    earlier: Option<f64>,
    paper: bool,
    c: Option<f64>,
    memory_limit: usize,
    rescale: bool,
    seed: u64,
    guess: Option<PyReadonlyArray1<'py, f64>>,
    single: bool,
    tol: f64,
    maxiter: u64,
    maxtime: Option<f64>,
    history: bool,
    workers: Option<usize>,
    callback: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let gateway = Gateway::new(callback, workers)?;
    let failure = gateway.failure();
    let (held, held_prox) = hold(operator, prox.as_ref())?;
    let operator = held.operator(py, failure.clone())?;
    let prox = held_prox.as_ref().map(|held| held.prox(py, &failure)).transpose()?;
    let problem =
        Problem { operator: &*operator, prox: prox.as_deref(), kind: choice("kind", kind, &KINDS)? };
    let options = Options {
        method: choice("method", method, &METHODS)?,
        lipschitz: L,
        average: L_avg,
        mu,
        batch,
        restart: match restart {
            None => Restart::Default,
            Some(0.0) => Restart::Off,
            Some(factor) => Restart::Factor(factor),
        },
        eta,
        relative,
        earlier,
        paper,
        c,
        memory_limit,
        rescale,
        seed,
        guess: guess.map(|guess| guess.as_array().to_vec()),
        single,
        budget: Budget { tol, maxiter, maxtime, history },
    };
    let start = x0.as_array().to_vec();
    let n = problem.operator.components() as f64;
    let found = gateway.run(py, |observer| core::solve(problem, &options, start, observer))?;
    let dict = outcome(py, found.outcome)?;
    dict.set_item("x", PyArray1::from_vec(py, found.x))?;
    dict.set_item("g", found.g.map(|g| PyArray1::from_vec(py, g)))?;
    dict.set_item("residual", found.residual)?;
    dict.set_item("nfev", found.evaluations)?;
    dict.set_item("passes", found.evaluations as f64 / n)?;
    dict.set_item("matvecs", found.products)?;
    dict.set_item("restarts", found.restarts)?;
    dict.set_item("method", found.method)?;
    dict.set_item("L", found.constants.full)?;
    dict.set_item("L_avg", found.constants.average)?;
    dict.set_item("eta", found.eta)?;
    Ok(dict)
}

type Pair<'py> = (operator::Held<'py>, Option<prox::Held<'py>>);

fn hold<'py>(operator: &Bound<'py, PyTuple>, prox: Option<&Bound<'py, PyTuple>>) -> PyResult<Pair<'py>> {
    Ok((operator::Held::new(operator)?, prox.map(prox::Held::new).transpose()?))
}

/// The certificate of any pair (x, g).
#[pyfunction]
#[pyo3(signature = (operator, prox, x, g, *, h, scale, relative, mu, workers))]
#[allow(clippy::too_many_arguments, reason = "one keyword each")]
pub fn certify_inclusion<'py>(
    py: Python<'py>,
    operator: &Bound<'py, PyTuple>,
    prox: Option<Bound<'py, PyTuple>>,
    x: PyReadonlyArray1<'py, f64>,
    g: Option<PyReadonlyArray1<'py, f64>>,
    h: f64,
    scale: f64,
    relative: bool,
    mu: Option<f64>,
    workers: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let gateway = Gateway::new(None, workers)?;
    let failure = gateway.failure();
    let (held, held_prox) = hold(operator, prox.as_ref())?;
    let operator = held.operator(py, failure.clone())?;
    let prox = held_prox.as_ref().map(|held| held.prox(py, &failure)).transpose()?;
    // The certificate asks nothing of F but values.
    let problem = Problem { operator: &*operator, prox: prox.as_deref(), kind: Kind::Monotone };
    let (x, g) = (x.as_array().to_vec(), g.map(|g| g.as_array().to_vec()));
    let terms = Terms { scale, relative, mu };
    let judged = gateway.run(py, |observer| {
        let payload = Payload { x: &x, g: g.as_deref(), h, known: None };
        core::certificate(problem, payload, terms, observer)
    })?;
    certificate(py, &judged)
}
