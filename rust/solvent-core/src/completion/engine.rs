//! Which iteration solves a problem.
//!
//! Sweeps first. Where no noise explains why they hardly advance, where noise would have let them meet a critical point long
//! ago, or where they end at one that nearly meets the entries, the problem may be exact and badly conditioned or scarcely
//! sampled: reweighted least squares get what is left of the budget, and the sweeps go on if these end no better.

use super::CompletionError;
use super::entry::Entry;
use super::irls::Irls;
use super::options::{Engine, Options};
use super::problem::Problem;
use super::ram::Ram;
use super::solve::{Als, EXTRAS, Solution};
use crate::base::certificate::Kind;
use crate::base::monitor::{Budget, Method, Monitor, Observer, drive, solve as run};
use crate::base::status::Status;

/// More entries than this are left to the sweeps.
const ENTRIES: usize = 5_000_000;

/// Solves the problem.
pub fn solve<T: Entry>(
    problem: &Problem<'_, T>,
    options: &Options<T>,
    budget: Budget,
    observer: &mut dyn Observer,
) -> Result<Solution<T>, CompletionError> {
    match options.engine {
        Engine::Als => run(Als::new(problem, options, budget.tol), budget, observer),
        Engine::Irls => run(Irls::new(problem, options, budget.tol, 0)?, budget, observer),
        Engine::Ram => run(Ram::new(problem, options, budget.tol), budget, observer),
        Engine::Auto => staged(problem, options, budget, observer),
    }
}

/// Sweeps, and what helps where they stall.
fn staged<T: Entry>(
    problem: &Problem<'_, T>,
    options: &Options<T>,
    budget: Budget,
    observer: &mut dyn Observer,
) -> Result<Solution<T>, CompletionError> {
    let plain = problem.penalty.is_plain() && options.start.is_none() && options.held.is_none();
    let mut als = Als::new(problem, options, budget.tol);
    if !plain || problem.rows.nnz() > ENTRIES || budget.tol == 0.0 {
        return run(als, budget, observer);
    }
    als.hand_over = true;
    let mut monitor = Monitor::new(budget, observer, const { &EXTRAS });
    let status = drive(&mut als, &mut monitor)?;
    if !als.leaves_open(status) || monitor.remaining() == 0 || monitor.expired() {
        return als.finish(status, monitor);
    }
    monitor.begin_stage();
    let mut irls = Irls::new(problem, options, budget.tol, als.ending.evaluations)?;
    let end = drive(&mut irls, &mut monitor)?;
    let met = irls.ending.best_bound(Kind::Interpolation) <= budget.tol
        || irls.rel() < 0.1 * als.rel()
        || end == Status::Converged && irls.rel() <= als.rel();
    if met || als.is_settled(status) || monitor.remaining() == 0 || monitor.expired() {
        return if met { irls.finish(end, monitor) } else { als.finish(status, monitor) };
    }
    als.hand_over = false;
    als.ending.evaluations = irls.ending.evaluations;
    drop(irls);
    monitor.begin_stage();
    let status = drive(&mut als, &mut monitor)?;
    als.finish(status, monitor)
}
