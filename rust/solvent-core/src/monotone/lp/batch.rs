//! Many linear programs with one matrix: in lockstep, sixteen at a time, so that an entry of the matrix is read once for
//! sixteen problems and nothing is gathered.
//!
//! A group of sixteen (of eight, where no more are left) is iterated by one thread. After each block of iterations every problem is looked at as if it were
//! alone, and those that have ended leave: the next groups are made of those that still run. Each problem has the bits
//! that a call of its own (without presolve) would give it.

use super::LpError;
use super::lift::Lift;
use super::pdhg::{EXTRAS, Pdhg};
use super::problem::Problem;
use super::run::Run;
use super::solve::{Counts, Options, Solution, finish, gather};
use super::spmv::{Store, Update};
use super::step::{Engine, Side, Steps, dual, primal};
use crate::base::error::Aborted;
use crate::base::monitor::{Budget, Info, Method, Monitor, Observer, Signal};
use crate::base::pool;
use crate::base::status::Status;
use solvent_simd::F64s;
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
            lockstep(&mut methods, &mut monitors, &mut ended, options.check_every)?;
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
fn lockstep(
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
    let mut fresh = runs.iter().any(|run| run.since == 0);
    while left > 0 {
        // The error one iteration after an anchor is needed: that iteration goes alone.
        let now = if fresh { 1 } else { left.min(most) };
        monitor.map_items(runs.chunks_mut(MANY), |group| {
            if group.len() > FEW {
                side_by_side::<MANY>(engine, group, now)
            } else {
                side_by_side::<FEW>(engine, group, now)
            }
        })?;
        for run in runs.iter_mut() {
            let first = run.since == 0;
            run.advanced(now);
            run.known = true;
            if first {
                run.restart.first = run.fixed_point_error(engine);
            }
        }
        left -= now;
        fresh = false;
    }
    Ok(())
}

/// One side of W runs, interleaved.
struct Many<const W: usize> {
    x: Vec<f64>,
    anchor: Vec<f64>,
    reflected: Vec<f64>,
    projected: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
    c: Vec<f64>,
    slack: Vec<f64>,
    /// One step a run.
    step: [f64; W],
    /// k/(k + 1) of each run.
    weight: [f64; W],
    last: bool,
}

/// Interleaves one vector of each run; where runs are missing the first stands again.
fn interleave<const W: usize>(vectors: &[&[f64]]) -> Vec<f64> {
    let lanes: [&[f64]; W] = std::array::from_fn(|lane| *vectors.get(lane).unwrap_or(&vectors[0]));
    let length = lanes[0].len();
    let mut out = Vec::with_capacity(length * W);
    for i in 0..length {
        out.extend(lanes.iter().map(|vector| vector[i]));
    }
    out
}

/// The way back.
fn separate<const W: usize>(from: &[f64], lane: usize, out: &mut [f64]) {
    out.iter_mut().zip(from.iter().skip(lane).step_by(W)).for_each(|(o, v)| *o = *v);
}

impl<const W: usize> Many<W> {
    fn new(length: usize, group: &[&mut Run], side: impl Fn(&Run) -> &Side) -> Self {
        let of = |pick: fn(&Side) -> &Vec<f64>| {
            interleave::<W>(&group.iter().map(|run| pick(side(run)).as_slice()).collect::<Vec<_>>())
        };
        Self {
            x: of(|s| &s.x),
            anchor: of(|s| &s.anchor),
            reflected: vec![0.0; length * W],
            projected: vec![0.0; length * W],
            lower: of(|s| &s.lower),
            upper: of(|s| &s.upper),
            c: Vec::new(),
            slack: Vec::new(),
            step: [1.0; W],
            weight: [0.0; W],
            last: false,
        }
    }

    fn give_back(&self, lane: usize, side: &mut Side) {
        separate::<W>(&self.x, lane, &mut side.x);
        separate::<W>(&self.reflected, lane, &mut side.reflected);
        separate::<W>(&self.projected, lane, &mut side.projected);
    }
}

/// `count` iterations of at most W runs.
fn side_by_side<const W: usize>(engine: &Engine, group: &mut [&mut Run], count: u64) {
    let (m, n) = (engine.rows.padded(), engine.columns.padded());
    let mut x = Many::<W>::new(n, group, |run| &run.point.primal);
    let mut y = Many::<W>::new(m, group, |run| &run.point.dual);
    x.c = interleave::<W>(&group.iter().map(|run| run.point.c.as_slice()).collect::<Vec<_>>());
    x.slack = vec![0.0; n * W];
    for (lane, run) in group.iter().enumerate() {
        let steps = Steps::new(engine.eta, run.weight.omega);
        (x.step[lane], y.step[lane]) = (steps.tau, steps.sigma);
    }
    for k in 1..=count {
        for (lane, run) in group.iter().enumerate() {
            let weight = ((run.since + k) as f64) / ((run.since + k + 1) as f64);
            (x.weight[lane], y.weight[lane]) = (weight, weight);
        }
        (x.last, y.last) = (k == count, k == count);
        engine.at.rows_of_many::<W, _>(&y.x, Primal(&mut x));
        engine.a.rows_of_many::<W, _>(&x.reflected, Dual(&mut y));
    }
    // What is looked at next: A x⁺, Aᵀy⁺ and Aᵀ(y − y⁺).
    let step: Vec<f64> = y.projected.iter().zip(&y.reflected).map(|(p, r)| p - r).collect();
    let (mut ax, mut aty, mut step_aty) = (vec![0.0; m * W], vec![0.0; n * W], vec![0.0; n * W]);
    engine.a.rows_of_many::<W, _>(&x.projected, Store { out: &mut ax });
    engine.at.rows_of_many::<W, _>(&y.projected, Store { out: &mut aty });
    engine.at.rows_of_many::<W, _>(&step, Store { out: &mut step_aty });
    for (lane, run) in group.iter_mut().enumerate() {
        x.give_back(lane, &mut run.point.primal);
        y.give_back(lane, &mut run.point.dual);
        separate::<W>(&x.slack, lane, &mut run.point.slack);
        separate::<W>(&ax, lane, &mut run.ax);
        separate::<W>(&aty, lane, &mut run.aty);
        separate::<W>(&step_aty, lane, &mut run.step_aty);
    }
}

/// The first half of an iteration.
struct Primal<'a, const W: usize>(&'a mut Many<W>);

impl<const W: usize> Update for Primal<'_, W> {
    #[inline(always)]
    fn apply<V: F64s>(&mut self, at: usize, sum: V) {
        let it = &mut *self.0;
        let lane = at % W;
        let tau = V::load(&it.step[lane..]);
        let lanes = primal(
            V::load(&it.x[at..]),
            sum,
            V::load(&it.c[at..]),
            V::load(&it.lower[at..]),
            V::load(&it.upper[at..]),
            V::load(&it.anchor[at..]),
            tau,
            V::load(&it.weight[lane..]),
        );
        lanes.reflected.store(&mut it.reflected[at..]);
        lanes.next.store(&mut it.x[at..]);
        if it.last {
            lanes.projected.store(&mut it.projected[at..]);
            ((lanes.projected - lanes.free) / tau).store(&mut it.slack[at..]);
        }
    }
}

/// The second half.
struct Dual<'a, const W: usize>(&'a mut Many<W>);

impl<const W: usize> Update for Dual<'_, W> {
    #[inline(always)]
    fn apply<V: F64s>(&mut self, at: usize, sum: V) {
        let it = &mut *self.0;
        let lane = at % W;
        let lanes = dual(
            V::load(&it.x[at..]),
            sum,
            V::load(&it.lower[at..]),
            V::load(&it.upper[at..]),
            V::load(&it.anchor[at..]),
            V::load(&it.step[lane..]),
            V::load(&it.weight[lane..]),
        );
        lanes.next.store(&mut it.x[at..]);
        if it.last {
            lanes.projected.store(&mut it.projected[at..]);
            lanes.reflected.store(&mut it.reflected[at..]);
        }
    }
}
