//! From a problem and a start to an answer, and the certificate of any pair.

use super::InclusionError;
use super::certify::{Payload, Terms, judge};
use super::engine::{Engine, Run};
use super::options::{Options, Problem};
use crate::base::certificate::Certificate;
use crate::base::monitor::{self, Budget, Monitor, Observer, drive};
use crate::base::outcome::Outcome;
use crate::monotone::operator::Constants;
use crate::monotone::prox::{Prox, Rescaled};

/// An answer.
#[derive(Debug, Clone)]
pub struct Solution {
    /// x.
    pub x: Vec<f64>,
    /// An element of G(x); none where G = 0.
    pub g: Option<Vec<f64>>,
    /// Norm of an element of F(x) + G(x).
    pub residual: f64,
    /// Evaluations of components.
    pub evaluations: u64,
    /// Products of the data with a vector.
    pub products: f64,
    /// New anchors.
    pub restarts: u64,
    /// The method that ran last.
    pub method: &'static str,
    /// Constants as used at the end.
    pub constants: Constants,
    /// Step of the resolvent that g belongs to.
    pub eta: f64,
    /// The common fields.
    pub outcome: Outcome,
}

/// Solves `0 ∈ F(u) + G(u)` from `start`.
pub fn solve(
    problem: Problem<'_>,
    options: &Options,
    start: Vec<f64>,
    observer: &mut dyn Observer,
) -> Result<Solution, InclusionError> {
    let mut monitor =
        Monitor::new(options.budget, observer, const { &<Engine<'_> as monitor::Method<3>>::EXTRAS });
    let rescaled = if options.rescale { problem.operator.rescaled() } else { None };
    let (inner, scale) = match &rescaled {
        Some((operator, scale)) => (&**operator, Some(scale.as_slice())),
        None => (problem.operator, None),
    };
    let prox = match (problem.prox, scale) {
        (Some(prox), Some(scale)) => Some(Rescaled::new(prox, scale)),
        _ => None,
    };
    let prox = prox.as_ref().map_or(problem.prox, |it| Some(it as &dyn Prox));
    let run = Run { caller: problem, inner: Problem { operator: inner, prox, ..problem }, scale };
    let mut engine = Engine::prepare(run, options, start, &mut monitor)?;
    let status = drive(&mut engine, &mut monitor)?;
    monitor::Method::finish(engine, status, monitor)
}

/// A certificate of any pair, for the bindings.
pub fn certificate(
    problem: Problem<'_>,
    payload: Payload<'_>,
    terms: Terms,
    observer: &mut dyn Observer,
) -> Result<Certificate, InclusionError> {
    let mut monitor = Monitor::new(Budget::new(0.0, 1), observer, &[]);
    Ok(judge(problem.operator, problem.prox, payload, terms, &mut monitor)?.certificate)
}
