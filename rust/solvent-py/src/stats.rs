//! `solvent._core.stats`: the von Mises-Fisher family. Python has validated shapes and scalars; rows and weights are
//! checked by the core on its pass over them.

use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvent_core::base::monitor::{Budget, Monitor};
use solvent_core::stats::vmf::VmfError;
use solvent_core::stats::vmf::mixture::model::Model;
use solvent_core::stats::vmf::mixture::options::{Assignment, Concentration, Init, Rule};
use solvent_core::stats::vmf::rows::Rows;

use crate::arrays::{Either, Matrix, choice};
use crate::errors::Raise;

impl Raise for VmfError {
    fn raise(self) -> PyErr {
        match self {
            Self::Argument(e) => e.raise(),
            Self::Aborted(e) => e.raise(),
        }
    }
}

/// Rows of either precision, borrowed or copied once.
enum Held<'a> {
    Double(Matrix<'a, f64>),
    Single(Matrix<'a, f32>),
}

impl<'a> Held<'a> {
    fn new(x: &'a Either<'_>) -> Self {
        match x {
            Either::Double(array) => Self::Double(Matrix::new(array)),
            Either::Single(array) => Self::Single(Matrix::new(array)),
        }
    }

    fn rows(&self) -> PyResult<Rows<'_>> {
        Ok(match self {
            Self::Double(matrix) => Rows::F64(matrix.view()?),
            Self::Single(matrix) => Rows::F32(matrix.view()?),
        })
    }
}

/// Row weights as the core takes them.
type Weights<'py> = Option<PyReadonlyArray1<'py, f64>>;

fn copied(weights: &Weights<'_>) -> Option<Vec<f64>> {
    weights.as_ref().map(|w| w.as_array().to_vec())
}

/// A budget for work that has no tolerance of its own.
fn books<'a>(observer: &'a mut dyn solvent_core::base::monitor::Observer) -> Monitor<'a> {
    Monitor::new(Budget::new(0.0, 1), observer, &[])
}

fn rule(assignment: &str, concentration: &str, kappa_max: f64) -> PyResult<Rule> {
    let assignments = [("soft", Assignment::Soft), ("hard", Assignment::Hard)];
    let concentrations = [("full", Concentration::Full), ("tied", Concentration::Tied)];
    Ok(Rule {
        assignment: choice("assignment", assignment, &assignments)?,
        concentration: choice("concentration", concentration, &concentrations)?,
        kappa_max,
    })
}

/// (weights, means, concentrations) of a mixture.
type Parts<'py> = (PyReadonlyArray1<'py, f64>, PyReadonlyArray2<'py, f64>, PyReadonlyArray1<'py, f64>);

fn model(parts: &Parts<'_>) -> Model {
    let (weights, means, concentrations) = parts;
    let means = means.as_array();
    Model {
        d: means.ncols(),
        weights: weights.as_array().to_vec(),
        means: means.iter().copied().collect(),
        concentrations: concentrations.as_array().to_vec(),
        degenerate: vec![false; means.nrows()],
    }
}

fn matrix<'py>(py: Python<'py>, data: Vec<f64>, columns: usize) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let rows = data.len() / columns.max(1);
    PyArray1::from_vec(py, data).reshape([rows, columns])
}

fn set_model<'py>(py: Python<'py>, dict: &Bound<'py, PyDict>, model: Model) -> PyResult<()> {
    dict.set_item("means", matrix(py, model.means, model.d)?)?;
    dict.set_item("weights", PyArray1::from_vec(py, model.weights))?;
    dict.set_item("concentrations", PyArray1::from_vec(py, model.concentrations))?;
    dict.set_item("degenerate", PyArray1::from_vec(py, model.degenerate))
}

fn init(kind: &str, means: Option<&PyReadonlyArray2<'_, f64>>) -> PyResult<Init> {
    match means {
        Some(means) => Ok(Init::Means(means.as_array().iter().copied().collect())),
        None if kind == "random" => Ok(Init::Random),
        None => choice("init", kind, &[("k-means++", ()), ("random", ())]).map(|()| Init::KMeansPlusPlus),
    }
}

/// Von Mises-Fisher distributions and mixtures.
#[pyo3::pymodule(submodule)]
pub mod stats {
    use super::*;
    use numpy::PyArray1;
    use solvent_core::stats::vmf::mixture::{expectation as e, options, problem::Problem, solve, step};
    use solvent_core::stats::vmf::{cosine, density, fit, sample, variance};

    use crate::gateway::Gateway;
    use crate::outcome::{certificate, outcome};

    type Vector<'py> = Bound<'py, PyArray1<f64>>;

    fn each<'py>(
        py: Python<'py>,
        d: usize,
        kappa: &PyReadonlyArray1<'py, f64>,
        f: impl Fn(usize, f64) -> f64,
    ) -> Vector<'py> {
        PyArray1::from_iter(py, kappa.as_array().iter().map(|&k| f(d, k)))
    }

    /// log C_d(kappa) + kappa, the log-density at the mode.
    #[pyfunction]
    fn vmf_log_peak<'py>(py: Python<'py>, d: usize, kappa: PyReadonlyArray1<'py, f64>) -> Vector<'py> {
        each(py, d, &kappa, density::log_peak)
    }

    /// -log C_d(kappa) - kappa A_d(kappa).
    #[pyfunction]
    fn vmf_entropy<'py>(py: Python<'py>, d: usize, kappa: PyReadonlyArray1<'py, f64>) -> Vector<'py> {
        each(py, d, &kappa, density::entropy)
    }

    /// A_d(kappa).
    #[pyfunction]
    fn vmf_mean_resultant_length<'py>(
        py: Python<'py>,
        d: usize,
        kappa: PyReadonlyArray1<'py, f64>,
    ) -> Vector<'py> {
        each(py, d, &kappa, density::mean_resultant_length)
    }

    /// A_d'(kappa).
    #[pyfunction]
    fn vmf_variance<'py>(py: Python<'py>, d: usize, kappa: PyReadonlyArray1<'py, f64>) -> Vector<'py> {
        each(py, d, &kappa, variance::variance)
    }

    /// KL divergences; `chord2` holds |mu - mu2|^2. Equal lengths.
    #[pyfunction]
    fn vmf_kl_divergence<'py>(
        py: Python<'py>,
        d: usize,
        kappa: PyReadonlyArray1<'py, f64>,
        kappa2: PyReadonlyArray1<'py, f64>,
        chord2: PyReadonlyArray1<'py, f64>,
    ) -> Vector<'py> {
        let (k1, k2, c) = (kappa.as_array(), kappa2.as_array(), chord2.as_array());
        let triples = k1.iter().zip(k2.iter()).zip(c.iter());
        PyArray1::from_iter(py, triples.map(|((&a, &b), &c)| density::kl_divergence(d, a, b, c)))
    }

    /// mu.x for every row of x, which must be finite and unit.
    #[pyfunction]
    fn vmf_cosines<'py>(
        py: Python<'py>,
        x: Either<'py>,
        mu: PyReadonlyArray1<'py, f64>,
    ) -> PyResult<Vector<'py>> {
        let (held, mu) = (Held::new(&x), mu.as_array().to_vec());
        let rows = held.rows()?;
        let t = Gateway::new(None, None)?.run(py, |o| cosine::cosines(&rows, &mu, &mut books(o)))?;
        Ok(PyArray1::from_vec(py, t))
    }

    /// Maximum likelihood: an outcome with mu, kappa, mean_resultant_length, log_likelihood, kappa_interval.
    #[pyfunction]
    fn vmf_fit<'py>(
        py: Python<'py>,
        x: Either<'py>,
        weights: Weights<'py>,
        tol: f64,
        maxiter: u64,
        workers: Option<usize>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (held, weights) = (Held::new(&x), copied(&weights));
        let rows = held.rows()?;
        let options = fit::Options { tol, maxiter };
        let f = Gateway::new(None, workers)?.run(py, |o| fit::fit(&rows, weights.as_deref(), options, o))?;
        let dict = outcome(py, f.outcome)?;
        dict.set_item("mu", PyArray1::from_vec(py, f.mu))?;
        dict.set_item("kappa", f.kappa)?;
        dict.set_item("mean_resultant_length", f.mean_resultant_length)?;
        dict.set_item("log_likelihood", f.log_likelihood)?;
        dict.set_item("kappa_interval", f.interval)?;
        Ok(dict)
    }

    /// The certificate of any mu and kappa on these rows.
    #[pyfunction]
    fn vmf_certify<'py>(
        py: Python<'py>,
        x: Either<'py>,
        weights: Weights<'py>,
        mu: PyReadonlyArray1<'py, f64>,
        kappa: f64,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (held, weights, mu) = (Held::new(&x), copied(&weights), mu.as_array().to_vec());
        let rows = held.rows()?;
        let run = Gateway::new(None, None)?;
        let (judged, _) = run.run(py, |o| fit::certify(&rows, weights.as_deref(), &mu, kappa, o))?;
        certificate(py, &judged)
    }

    /// n unit rows around mu: a function of (seed, stream) and the row's index alone.
    #[pyfunction]
    fn vmf_sample<'py>(
        py: Python<'py>,
        mu: PyReadonlyArray1<'py, f64>,
        kappa: f64,
        n: usize,
        seed: u64,
        stream: u32,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let mu = mu.as_array().to_vec();
        let d = mu.len();
        let rows = Gateway::new(None, None)?.run(py, |o| -> Result<_, VmfError> {
            let mut rows = vec![0.0; n * d];
            sample::sample(&mu, kappa, (seed, stream), &mut rows, &mut books(o))?;
            Ok(rows)
        })?;
        PyArray1::from_vec(py, rows).reshape([n, d])
    }

    /// EM: an outcome with weights, means, concentrations, degenerate, lower_bounds.
    #[pyfunction]
    #[pyo3(signature = (x, sample_weight, *, normalize, n_components, assignment, concentration, kappa_max, init,
                        means_init, n_init, max_iter, tol, min_weight, seed, warm, workers, callback))]
    #[allow(clippy::too_many_arguments, reason = "the estimator's parameters, one to one")]
    fn mixture_fit<'py>(
        py: Python<'py>,
        x: Either<'py>,
        sample_weight: Weights<'py>,
        normalize: bool,
        n_components: usize,
        assignment: &str,
        concentration: &str,
        kappa_max: f64,
        init: &str,
        means_init: Option<PyReadonlyArray2<'py, f64>>,
        n_init: u32,
        max_iter: u64,
        tol: f64,
        min_weight: f64,
        seed: u64,
        warm: Option<Parts<'py>>,
        workers: Option<usize>,
        callback: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (held, weights) = (Held::new(&x), copied(&sample_weight));
        let rows = held.rows()?;
        let options = options::Options {
            components: n_components,
            rule: rule(assignment, concentration, kappa_max)?,
            init: super::init(init, means_init.as_ref())?,
            n_init,
            max_iter,
            tol,
            min_weight,
            seed,
        };
        let warm = warm.as_ref().map(model);
        let found = Gateway::new(callback, workers)?.run(py, |o| {
            let problem = Problem::new(rows, weights.as_deref(), normalize, &mut books(o))?;
            solve::fit(&problem, &options, warm.as_ref(), o)
        })?;
        let dict = outcome(py, found.outcome)?;
        dict.set_item("lower_bounds", PyArray1::from_vec(py, found.lower_bounds))?;
        set_model(py, &dict, found.model)?;
        Ok(dict)
    }

    /// The first model of a fit, as `mixture_fit` makes it.
    #[pyfunction]
    #[pyo3(signature = (x, sample_weight, *, normalize, n_components, assignment, concentration, kappa_max, init,
                        means_init, seed, workers))]
    #[allow(clippy::too_many_arguments, reason = "the estimator's parameters, one to one")]
    fn mixture_init<'py>(
        py: Python<'py>,
        x: Either<'py>,
        sample_weight: Weights<'py>,
        normalize: bool,
        n_components: usize,
        assignment: &str,
        concentration: &str,
        kappa_max: f64,
        init: &str,
        means_init: Option<PyReadonlyArray2<'py, f64>>,
        seed: u64,
        workers: Option<usize>,
    ) -> PyResult<Bound<'py, PyDict>> {
        use solvent_core::stats::vmf::mixture::init::first_model;
        let (held, weights) = (Held::new(&x), copied(&sample_weight));
        let rows = held.rows()?;
        let options = options::Options {
            components: n_components,
            rule: rule(assignment, concentration, kappa_max)?,
            init: super::init(init, means_init.as_ref())?,
            n_init: 1,
            max_iter: 1,
            tol: 0.0,
            min_weight: 0.0,
            seed,
        };
        let first = Gateway::new(None, workers)?.run(py, |o| {
            let mut monitor = books(o);
            let problem = Problem::new(rows, weights.as_deref(), normalize, &mut monitor)?;
            first_model(&problem, &options, 0, &mut monitor)
        })?;
        let dict = PyDict::new(py);
        set_model(py, &dict, first)?;
        Ok(dict)
    }

    /// One E step: S (k, d), N (k,), the total weight and the weighted log-likelihood.
    #[pyfunction]
    fn mixture_expectation<'py>(
        py: Python<'py>,
        x: Either<'py>,
        sample_weight: Weights<'py>,
        normalize: bool,
        assignment: &str,
        parts: Parts<'py>,
        workers: Option<usize>,
    ) -> PyResult<(Bound<'py, PyArray2<f64>>, Vector<'py>, f64, f64)> {
        let (held, weights, model) = (Held::new(&x), copied(&sample_weight), model(&parts));
        let rows = held.rows()?;
        let assignment = rule(assignment, "full", 0.0)?.assignment;
        let (found, total) = Gateway::new(None, workers)?.run(py, |o| -> Result<_, VmfError> {
            let mut monitor = books(o);
            let problem = Problem::new(rows, weights.as_deref(), normalize, &mut monitor)?;
            Ok((e::expectation(&problem, &model, assignment, &mut monitor)?, problem.total))
        })?;
        let sums = matrix(py, found.sums, model.d)?;
        Ok((sums, PyArray1::from_vec(py, found.counts), total, found.log_likelihood))
    }

    /// One M step from S and N; the model held before names what a component without share keeps.
    #[pyfunction]
    fn mixture_maximization<'py>(
        py: Python<'py>,
        sums: PyReadonlyArray2<'py, f64>,
        counts: PyReadonlyArray1<'py, f64>,
        parts: Parts<'py>,
        concentration: &str,
        kappa_max: f64,
    ) -> PyResult<Bound<'py, PyDict>> {
        let statistics = e::Statistics {
            sums: sums.as_array().iter().copied().collect(),
            counts: counts.as_array().to_vec(),
            log_likelihood: 0.0,
            worst: (0.0, 0),
        };
        let rule = rule("soft", concentration, kappa_max)?;
        let dict = PyDict::new(py);
        set_model(py, &dict, step::maximization(&statistics, &model(&parts), &rule))?;
        Ok(dict)
    }

    /// The change that one more sweep over these rows would make of a model.
    #[pyfunction]
    #[pyo3(signature = (x, sample_weight, *, normalize, assignment, concentration, kappa_max, parts, workers))]
    #[allow(clippy::too_many_arguments, reason = "the estimator's parameters, one to one")]
    fn mixture_certify<'py>(
        py: Python<'py>,
        x: Either<'py>,
        sample_weight: Weights<'py>,
        normalize: bool,
        assignment: &str,
        concentration: &str,
        kappa_max: f64,
        parts: Parts<'py>,
        workers: Option<usize>,
    ) -> PyResult<Bound<'py, PyDict>> {
        use solvent_core::stats::vmf::mixture::certify::certify;
        let (held, weights, model) = (Held::new(&x), copied(&sample_weight), model(&parts));
        let rows = held.rows()?;
        let rule = rule(assignment, concentration, kappa_max)?;
        let judged = Gateway::new(None, workers)?.run(py, |o| {
            let mut monitor = books(o);
            let problem = Problem::new(rows, weights.as_deref(), normalize, &mut monitor)?;
            certify(&problem, &model, &rule, &mut monitor)
        })?;
        certificate(py, &judged)
    }

    /// Log-density of every row and, if asked for, the posteriors (n, k).
    #[pyfunction]
    fn mixture_evaluate<'py>(
        py: Python<'py>,
        x: Either<'py>,
        normalize: bool,
        parts: Parts<'py>,
        posteriors: bool,
        workers: Option<usize>,
    ) -> PyResult<(Vector<'py>, Option<Bound<'py, PyArray2<f64>>>)> {
        let (held, model) = (Held::new(&x), model(&parts));
        let rows = held.rows()?;
        let k = model.components();
        let (density, shares) = Gateway::new(None, workers)?.run(py, |o| -> Result<_, VmfError> {
            let mut monitor = books(o);
            let mut density = vec![0.0; rows.len()];
            let mut shares = vec![0.0; if posteriors { rows.len() * k } else { 0 }];
            if !rows.is_empty() {
                let problem = Problem::new(rows, None, normalize, &mut monitor)?;
                e::evaluate(&problem, &model, Assignment::Soft, &mut density, &mut shares, &mut monitor)?;
            }
            Ok((density, shares))
        })?;
        let shares = if posteriors { Some(matrix(py, shares, k)?) } else { None };
        Ok((PyArray1::from_vec(py, density), shares))
    }
}
