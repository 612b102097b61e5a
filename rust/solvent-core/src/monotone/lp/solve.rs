//! A linear program from beginning to end: presolve, iterations, polish, certificate.

use super::LpError;
use super::certify::{Judgement, certify};
use super::clean::feasible_point;
use super::lift::{Lift, Reductions};
use super::pdhg::{EXTRAS, MARGIN, Pair, Pdhg};
use super::polish::{has_far_bounds, polish};
use super::presolve::{Presolve, Verdict};
use super::problem::Problem;
use super::proximal::proximal;
use super::rays::{Proof, Ray};
use super::step::Engine;
use crate::base::certificate::Certificate;
use crate::base::monitor::{Budget, Ending, Monitor, Observer, drive};
use crate::base::outcome::Outcome;
use crate::base::pool;
use crate::base::status::Status;
use std::sync::Arc;

/// Whether to improve the point at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polish {
    /// No.
    Never,
    /// Where the iterations end without having met a tolerance of at most 1e-6.
    Auto,
    /// Yes.
    Always,
}

impl Polish {
    /// Whether for a tolerance.
    pub fn wanted(self, tol: f64) -> bool {
        match self {
            Self::Never => false,
            Self::Auto => tol <= 1e-6,
            Self::Always => true,
        }
    }
}

/// How to solve.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether to reduce the problem first.
    pub presolve: bool,
    /// Whether to improve the point at the end.
    pub polish: Polish,
    /// Whether values of the matrix may be kept in f32.
    pub mixed: bool,
    /// Iterations between looks.
    pub check_every: u64,
}

/// What a linear program came to.
#[derive(Debug, Clone)]
pub struct Solution {
    /// Variables.
    pub x: Vec<f64>,
    /// Multipliers of the rows: positive for lc, negative for uc.
    pub y: Vec<f64>,
    /// c − Aᵀy.
    pub reduced_costs: Vec<f64>,
    /// A x.
    pub activity: Vec<f64>,
    /// c·x.
    pub objective: f64,
    /// The dual's.
    pub dual_objective: f64,
    /// Relative residuals: primal, dual, gap.
    pub kkt: [f64; 3],
    /// Multipliers or a direction that say why there is no solution.
    pub ray: Option<Vec<f64>>,
    /// Restarts.
    pub restarts: u64,
    /// Products with A or Aᵀ.
    pub products: u64,
    /// How it ended, with the certificate.
    pub outcome: Outcome,
}

/// Work that was done.
#[derive(Debug, Default)]
pub(super) struct Counts {
    restarts: u64,
    products: u64,
}

/// Where a run got.
pub(super) struct Reached {
    status: Status,
    pair: Pair,
    ray: Option<Ray>,
    misfit: bool,
}

/// Solves; `start` is a primal-dual pair.
pub fn solve(
    problem: &Problem,
    options: Options,
    start: Option<Pair>,
    budget: Budget,
    observer: &mut dyn Observer,
) -> Result<Solution, LpError> {
    // The number of threads is looked up once: small problems take a microsecond an iteration.
    pool::run(Some(pool::num_threads()), || {
        let mut monitor = Monitor::new(budget, observer, &EXTRAS);
        let mut counts = Counts::default();
        let reached = reach(problem, options, start, &mut counts, &mut monitor)?;
        finish(problem, options, reached, counts, monitor)
    })
}

/// Presolve and iterations.
fn reach(
    problem: &Problem,
    options: Options,
    start: Option<Pair>,
    counts: &mut Counts,
    monitor: &mut Monitor<'_>,
) -> Result<Reached, LpError> {
    let plain = Lift { original: problem, reductions: None };
    // Without entries there is nothing to iterate on.
    if !options.presolve && problem.nnz() > 0 {
        return iterate(&plain, options, start, counts, monitor);
    }
    let (presolve, verdict) = Presolve::run(problem);
    let (reduced, rows, columns) = presolve.reduced(problem);
    let reductions = Reductions { presolve, problem: reduced, rows, columns };
    let lift = Lift { original: problem, reductions: Some(&reductions) };
    let ray = match verdict {
        Verdict::Reduced => None,
        Verdict::Infeasible { row, costs } => Some(lift.contradiction(&reductions, row, &costs, monitor)?),
        Verdict::Unbounded { column, sign } => Some(lift.descent(&reductions, column, sign, monitor)?),
    };
    if let Some(ray) = ray {
        let rounded = ray.margin.is_nan() || ray.margin < MARGIN;
        if !ray.is_exact() || ray.proof == Proof::Farkas && rounded {
            // Rounding on the way, or in the data: the iterations decide.
            return iterate(&plain, options, start, counts, monitor);
        }
        return settle(problem, options, ray, counts, monitor);
    }
    if reductions.columns.is_empty() {
        let pair = lift.pair(vec![], vec![0.0; reductions.rows.len()]);
        let bound = certify(problem, &pair.x, &pair.y, monitor)?.certificate.bound;
        if let Some(status) = monitor.start(Some(bound)) {
            return Ok(Reached { status, pair, ray: None, misfit: false });
        }
        return iterate(&plain, options, Some(pair), counts, monitor);
    }
    let reached = iterate(&lift, options, start, counts, monitor)?;
    if reached.misfit {
        monitor.begin_stage();
        return iterate(&plain, options, Some(reached.pair), counts, monitor);
    }
    Ok(reached)
}

/// The method on one problem.
fn iterate(
    lift: &Lift<'_>,
    options: Options,
    start: Option<Pair>,
    counts: &mut Counts,
    monitor: &mut Monitor<'_>,
) -> Result<Reached, LpError> {
    let engine = Engine::new(lift.iterated(), options.mixed, monitor)?;
    let tol = monitor.budget().tol;
    let mut method = Pdhg::new(lift, Arc::new(engine), start, options, tol);
    let status = drive(&mut method, monitor)?;
    Ok(gather(lift, method, status, counts))
}

/// What a finished run leaves.
pub(super) fn gather(lift: &Lift<'_>, mut method: Pdhg<'_>, status: Status, counts: &mut Counts) -> Reached {
    counts.restarts += method.run.restart.count;
    counts.products += method.run.products + method.engine.products;
    let (ray, misfit) = (method.ray.take(), method.misfit);
    let pair = match method.feasible.take().filter(|_| status == Status::Unbounded) {
        Some(x) => Pair { x, y: vec![0.0; lift.original.m()] },
        None => method.best(),
    };
    Reached { status, pair, ray, misfit }
}

/// An exact ray from presolve: infeasible, or a search for a feasible point.
fn settle(
    problem: &Problem,
    options: Options,
    ray: Ray,
    counts: &mut Counts,
    monitor: &mut Monitor<'_>,
) -> Result<Reached, LpError> {
    let zero = Pair { x: clipped(problem), y: vec![0.0; problem.m()] };
    if ray.proof == Proof::Farkas {
        return Ok(Reached { status: Status::Infeasible, pair: zero, ray: Some(ray), misfit: false });
    }
    if let Some(x) = feasible_point(problem, &zero.x, &ray, monitor)? {
        let pair = Pair { x, y: zero.y };
        return Ok(Reached { status: Status::Unbounded, pair, ray: Some(ray), misfit: false });
    }
    // Without costs: is there any feasible point?
    let mut costless = problem.clone();
    costless.c.iter_mut().for_each(|c| *c = 0.0);
    let lift = Lift { original: &costless, reductions: None };
    let mut found = iterate(&lift, options, None, counts, monitor)?;
    if found.status == Status::Infeasible {
        return Ok(found);
    }
    found.status = Status::UnboundedOrInfeasible;
    if let Some(x) = feasible_point(problem, &found.pair.x, &ray, monitor)? {
        found.pair.x = x;
        found.status = Status::Unbounded;
    }
    found.ray = Some(ray);
    Ok(found)
}

/// The point of the bounds nearest to 0.
fn clipped(problem: &Problem) -> Vec<f64> {
    (0..problem.n()).map(|j| problem.columns.clip(j, 0.0)).collect()
}

/// Polish, certificate, message.
pub(super) fn finish(
    problem: &Problem,
    options: Options,
    mut reached: Reached,
    counts: Counts,
    mut monitor: Monitor<'_>,
) -> Result<Solution, LpError> {
    let mut judged = certify(problem, &reached.pair.x, &reached.pair.y, &mut monitor)?;
    let tol = monitor.budget().tol;
    let missed = |judged: &Judgement| judged.certificate.bound > tol;
    let wanted = options.polish == Polish::Always || options.polish.wanted(tol) && missed(&judged);
    if wanted && reached.ray.is_none() && reached.status != Status::Interrupted {
        if let Some((pair, better)) = polish(problem, &reached.pair, &judged, &mut monitor)? {
            (reached.pair, judged) = (pair, better);
        }
        // The active set of a run that turned is not the solution's: exact steps find it.
        if missed(&judged)
            && let Some((pair, better)) = proximal(problem, &reached.pair, &judged, tol, &mut monitor)?
        {
            (reached.pair, judged) = (pair, better);
            if let Some((pair, better)) = polish(problem, &reached.pair, &judged, &mut monitor)? {
                (reached.pair, judged) = (pair, better);
            }
        }
    }
    // A ray is told where it decided, or where nothing else was found.
    let ray = reached.ray.take();
    if ray.as_ref().is_some_and(|ray| ray.is_exact() && ray.proof == Proof::Recession)
        && matches!(reached.status, Status::MaxIterations | Status::MaxTime | Status::Stalled)
    {
        reached.status = Status::UnboundedOrInfeasible;
    }
    // An exact proof outranks a point that is within the tolerance; an approximate one does not.
    let met = tol > 0.0 && judged.certificate.bound <= tol;
    let ray = ray.filter(|ray| match reached.status {
        Status::Infeasible | Status::Unbounded | Status::UnboundedOrInfeasible => ray.is_exact(),
        Status::Stalled => !met,
        _ => false,
    });
    let Judgement { certificate, primal, dual, gap, objective, dual_objective, .. } = judged;
    let ending = monitor.end(reached.status);
    let (outcome, ray) = match ray {
        None => (told(Outcome::new(ending, Some(certificate)), problem), None),
        Some(ray) => (unsolved(ending, &ray), Some(ray.vector)),
    };
    Ok(Solution {
        x: reached.pair.x,
        y: reached.pair.y,
        reduced_costs: judged.reduced_costs,
        activity: judged.activity,
        objective,
        dual_objective,
        kkt: [primal, dual, gap],
        ray,
        restarts: counts.restarts,
        products: counts.products,
        outcome,
    })
}

/// With the remedy where far bounds are what rounding does not bear.
fn told(outcome: Outcome, problem: &Problem) -> Outcome {
    if outcome.status != Status::RoundingFloor || !has_far_bounds(problem) {
        return outcome;
    }
    outcome.with_message(
        "the dual objective pays for the rounding of reduced costs at bounds that are finite but far; raise tol, or give inf where a bound is not meant to be reached".to_owned(),
    )
}

/// The outcome of a run that ended with a ray: never a success.
fn unsolved(ending: Ending, ray: &Ray) -> Outcome {
    let status = ending.status;
    // With a tolerance of 0 no bound, not even a proof's 0, counts as convergence.
    let mut outcome = Outcome::new(Ending { tol: 0.0, ..ending }, Some(ray.certificate.clone()));
    outcome.success = false;
    let message = match (status, ray.proof) {
        (Status::Stalled, Proof::Farkas) => {
            stalled(&ray.certificate, "no feasible point within radius", "radius")
        }
        (Status::Stalled, Proof::Recession) => {
            format!(
                "the iterates move along a direction that descends, but for a violation of {:.1e}; bound the variables or raise maxiter",
                ray.certificate.get("violation").unwrap_or(f64::NAN)
            )
        }
        (Status::UnboundedOrInfeasible, _) => {
            "dual infeasible: unbounded or infeasible; solve with c = 0 to tell them apart".to_owned()
        }
        _ => outcome.message.clone(),
    };
    outcome.with_message(message)
}

fn stalled(certificate: &Certificate, words: &str, part: &str) -> String {
    format!("{words} {:.1e}; bound the variables or raise maxiter", certificate.get(part).unwrap_or(f64::NAN))
}
