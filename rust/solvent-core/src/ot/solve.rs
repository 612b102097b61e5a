//! The door: from data to potentials with a certificate.

use super::OtError;
use super::auto::{Ascent, Counts, EXTRAS, Finish, Judged};
use super::certify::{Bracket, judge};
use super::problem::{Ground, Problem, Terms};
use crate::base::certificate::Certificate;
use crate::base::monitor::{Budget, Monitor, Observer, drive};
use crate::base::outcome::Outcome;
use crate::base::status::Status;

/// Which iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// Annealed Sinkhorn-Newton.
    Auto,
    /// Annealed Sinkhorn.
    Sinkhorn,
}

/// How to solve.
#[derive(Debug, Clone)]
pub struct Options {
    /// The iteration.
    pub method: Method,
    /// The first reg; `None` = by the spread of the costs; the last one or less = no annealing.
    pub first: Option<f64>,
    /// Potentials to begin with.
    pub start: Option<(Vec<f64>, Vec<f64>)>,
    /// How far to go, in passes.
    pub budget: Budget,
}

/// The answer, in the caller's order.
#[derive(Debug, Clone)]
pub struct Transport {
    /// The rows' potentials.
    pub f: Vec<f64>,
    /// The columns'.
    pub g: Vec<f64>,
    /// Value, cost and errors of the plan.
    pub figures: Figures,
    /// What was done.
    pub counts: Counts,
    /// How it ended, and what is proven.
    pub outcome: Outcome,
}

/// What is said of a plan beside its certificate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// The dual value.
    pub value: f64,
    /// `<C, P>`.
    pub cost: f64,
    /// l1 error of the rows' marginal.
    pub error_a: f64,
    /// l1 error of the columns' marginal.
    pub error_b: f64,
}

fn figures(bracket: &Bracket, transposed: bool) -> Figures {
    let (error_a, error_b) = if transposed { (bracket.errors.1, bracket.errors.0) } else { bracket.errors };
    Figures { value: bracket.value, cost: bracket.cost, error_a, error_b }
}

/// Solves one problem. O(nm) time a pass, O(n + m) memory beside the cost and the plan's support.
pub fn solve(
    ground: Ground<'_>,
    a: &[f64],
    b: &[f64],
    terms: Terms,
    options: &Options,
    observer: &mut dyn Observer,
) -> Result<Transport, OtError> {
    let mut monitor = Monitor::new(options.budget, observer, &EXTRAS);
    let problem = Problem::new(ground, a, b, terms, &mut monitor)?;
    let across = across(&problem);
    let working = across.as_ref().unwrap_or(&problem);
    let flipped = across.is_some();
    let start = options.start.as_ref().map(|(f, g)| {
        let (f, g) = problem.restrict(f, g);
        if flipped { (g, f) } else { (f, g) }
    });
    let finish = match options.method {
        Method::Auto => Finish::Newton,
        Method::Sinkhorn => Finish::Sinkhorn,
    };
    let mut ascent = Ascent::new(working, finish, options.first, start, options.budget.tol);
    let status = drive(&mut ascent, &mut monitor)?;
    let (Judged { mut f, mut g, mut bracket }, counts) = ascent.conclude(&mut monitor)?;
    if flipped {
        // The certificate is of the caller's own layout, as `certify` computes it.
        (f, g) = (g, f);
        bracket = judge(&problem, &f, &g, &mut monitor)?;
    }
    let certificate = bracket.certificate(&problem);
    let floor = bracket.floor();
    let figures = figures(&bracket, problem.transposed);
    let at_floor = bracket.error() <= 4.0 * bracket.doubt;
    let (f, g) = problem.extend(f, g, &mut monitor)?;
    let tol = options.budget.tol;
    let mut outcome = Outcome::new(monitor.end(status), Some(certificate));
    if tol == 0.0 {
        outcome.success = at_floor;
    }
    if outcome.status == Status::RoundingFloor {
        outcome.message = format!(
            "rounding allows no bound below {floor:.1e} at this reg, and the bound is {:.1e}; raise reg or tol",
            outcome.certificate.as_ref().map_or(f64::NAN, |c| c.bound)
        );
    }
    Ok(Transport { f, g, figures, counts, outcome })
}

/// The problem with rows and columns exchanged, where that makes Newton's system much smaller.
fn across<'a>(problem: &Problem<'a>) -> Option<Problem<'a>> {
    let (n, m) = problem.cost().shape();
    (2 * n > 3 * m).then(|| problem.exchanged())
}

/// The certificate of any potentials, in the caller's order, and what they say.
#[allow(clippy::too_many_arguments, reason = "the data, the potentials, the watcher")]
pub fn certify(
    ground: Ground<'_>,
    a: &[f64],
    b: &[f64],
    terms: Terms,
    f: &[f64],
    g: &[f64],
    observer: &mut dyn Observer,
) -> Result<(Certificate, Figures), OtError> {
    let mut monitor = Monitor::new(Budget::new(0.0, 1), observer, &[]);
    let problem = Problem::new(ground, a, b, terms, &mut monitor)?;
    let (f, g) = problem.restrict(f, g);
    let bracket = judge(&problem, &f, &g, &mut monitor)?;
    Ok((bracket.certificate(&problem), figures(&bracket, problem.transposed)))
}
