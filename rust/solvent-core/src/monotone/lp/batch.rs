//! Many linear programs with one matrix: in lockstep, sixteen at a time, so that an entry of the matrix is read once for
//! sixteen problems and nothing is gathered.
//!
//! A group of sixteen (of eight, where no more are left) is iterated by one thread. After each block of iterations every
//! problem is looked at as if it were alone, and those that have ended leave: the next groups are made of those that still
//! run. Each problem has the bits that a call of its own (without presolve) would give it.

use super::LpError;
use super::lift::Lift;
use super::lockstep::lockstep;
use super::pdhg::{EXTRAS, Pdhg};
use super::problem::Problem;
use super::run::Run;
use super::solve::{Counts, Options, Solution, finish, gather};
use super::step::Engine;
use crate::base::error::Aborted;
use crate::base::monitor::{Budget, Info, Method, Monitor, Observer, Signal};
use crate::base::pool;
use crate::base::status::Status;
use std::sync::{Arc, Mutex, PoisonError};

/// Problems side by side, and where there are no more than half as many.
const MANY: usize = 16;
const FEW: usize = 8;
/// Products of entries and vectors between polls.
const PATIENCE: usize = 1 << 24;

/// What the problems of a batch share of the observer.
struct Shared<'a> {
    observer: &'a mut dyn Observer,
    stopped: bool,
}

/// The observer of one problem.
struct Relay<'a, 'b> {
    index: usize,
    shared: &'a Mutex<Shared<'b>>,
}

impl Observer for Relay<'_, '_> {
    fn poll(&mut self) -> Signal {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.observer.poll()
    }

    fn report(&mut self, info: &Info<'_>) -> Signal {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.stopped {
            return Signal::Stop;
        }
        let signal = shared.observer.report(&Info { index: Some(self.index), ..*info });
        shared.stopped = signal == Signal::Stop;
        signal
    }
}

/// Solves problems that share their matrix and bounds (made by [`Problem::with`]); solutions in order.
pub fn solve_batch(
    problems: &[Problem],
    options: Options,
    budget: Budget,
    observer: &mut dyn Observer,
) -> Result<Vec<Solution>, LpError> {
    let Some(first) = problems.first() else { return Ok(Vec::new()) };
    if first.nnz() == 0 {
        return problems.iter().map(|lp| super::solve(lp, options, None, budget, observer)).collect();
    }
    pool::run(Some(pool::num_threads()), || {
        let shared = Mutex::new(Shared { observer, stopped: false });
        let mut relays: Vec<_> = (0..problems.len()).map(|index| Relay { index, shared: &shared }).collect();
        let mut monitors: Vec<_> =
            relays.iter_mut().map(|relay| Monitor::new(budget, relay, &EXTRAS)).collect();
        let engine = Arc::new(Engine::new(first, options.mixed, &mut monitors[0])?);
        let lifts: Vec<_> = problems.iter().map(|original| Lift { original, reductions: None }).collect();
        let make = |lift| Pdhg::new(lift, Arc::clone(&engine), None, options, budget.tol);
        let mut methods: Vec<_> = lifts.iter().map(make).collect();
        let mut ended = Vec::with_capacity(methods.len());
        for (method, monitor) in methods.iter_mut().zip(&mut monitors) {
            let bound = method.init(monitor)?;
            ended.push(monitor.start(bound));
        }
        while ended.iter().any(Option::is_none) {
            block(&mut methods, &mut monitors, &mut ended, options.check_every)?;
        }
        let mut solutions = Vec::with_capacity(problems.len());
        let rest = methods.into_iter().zip(monitors).zip(ended);
        for (((method, monitor), status), (problem, lift)) in rest.zip(problems.iter().zip(&lifts)) {
            let mut counts = Counts::default();
            let reached = gather(lift, method, status.unwrap_or(Status::Stalled), &mut counts);
            solutions.push(finish(problem, options, reached, counts, monitor)?);
        }
        Ok(solutions)
    })
}

/// A block of iterations of all that still run, and a look at each.
fn block(
    methods: &mut [Pdhg<'_>],
    monitors: &mut [Monitor<'_>],
    ended: &mut [Option<Status>],
    check_every: u64,
) -> Result<(), LpError> {
    let Some(leader) = ended.iter().position(Option::is_none) else { return Ok(()) };
    let units = check_every.min(monitors[leader].remaining()).max(1);
    for single in [true, false] {
        let mut engine = None;
        let mut runs: Vec<&mut Run> = Vec::new();
        for (method, _) in methods.iter_mut().zip(&*ended).filter(|(_, ended)| ended.is_none()) {
            if method.engine.single == single {
                engine.get_or_insert_with(|| Arc::clone(&method.engine));
                runs.push(&mut method.run);
            }
        }
        if let Some(engine) = engine {
            advance(&engine, &mut runs, units, &mut monitors[leader])?;
        }
    }
    for ((method, monitor), ended) in methods.iter_mut().zip(monitors).zip(ended) {
        if ended.is_some() {
            continue;
        }
        let progress = method.look(units, monitor)?;
        let verdict = monitor.record(progress.units, progress.bound, &progress.extras)?;
        if monitor.improved() {
            method.keep();
        }
        *ended = match verdict {
            Some(Status::Converged) => verdict,
            other => method.terminate(monitor).or(other),
        };
    }
    Ok(())
}

/// `count` iterations of every run, in groups.
fn advance(
    engine: &Engine,
    runs: &mut [&mut Run],
    count: u64,
    monitor: &mut Monitor<'_>,
) -> Result<(), Aborted> {
    let size = (engine.rows.padded() + engine.columns.padded() + engine.entries) * MANY;
    let most = (PATIENCE / size.max(1)).max(1) as u64;
    let mut left = count;
    while left > 0 {
        let now = left.min(most);
        monitor.map_items(runs.chunks_mut(MANY), |group| {
            if group.len() > FEW {
                lockstep::<MANY>(engine, group, now);
            } else {
                lockstep::<FEW>(engine, group, now);
            }
        })?;
        left -= now;
    }
    Ok(())
}
