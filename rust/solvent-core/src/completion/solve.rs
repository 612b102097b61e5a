//! The sweeps: alternating minimization with a falling ridge and extrapolation.
//!
//! A sweep solves all rows for V, then all columns for U. Four devices outside the row solves:
//!
//! * **Continuation** (lam = 0 or small): the ridge falls from 0.3 sigma_1 of the zero-filled matrix with the residual, the
//!   faster the more it is the ridge that holds it. It stands in for the full column rank that the theory asks of every
//!   row's design; without it short rows blow up.
//! * **Extrapolation** of V: V + beta (V - V_prev), beta rising while the progress measure falls.
//! * **Polish** (lam = 0): Gauss-Newton steps where the residual is small, or no longer falls ([`polish`](super::polish)).
//! * **Inexact rows**: conjugate gradients from the row's last solution, to an accuracy tied to the outer residual.
//!   A row solved to (1 + eps) in objective is off by sqrt(3 eps) |V_i x - y| / sigma_min(V_i): as the residual shrinks
//!   with the outer error, constant relative accuracy keeps the linear rate.

use std::collections::VecDeque;

use super::CompletionError;
use super::align::{basis, moment};
use super::ending::Ending;
use super::entry::Entry;
use super::factor::Factor;
use super::kernels::row::{Half, Inner, Tally};
use super::looks::Looks;
use super::options::{Certify, Options, Solver};
use super::payload::{Payload, payload};
use super::polish::Polish;
use super::problem::{GAUGE, Problem};
use super::progress::{SLOW_DECAY, TRAIL};
use super::step::{gram, half_sweep, sketched_half_sweep};
use crate::base::error::Aborted;
use crate::base::monitor::{Method, Monitor, Progress};
use crate::base::outcome::Outcome;
use crate::base::status::Status;

/// Up to so many columns a Gram matrix is cheaper than a few passes over the panel.
pub const DIRECT: usize = 24;
/// With a ridge to aim at, a row's residual falls by this factor: less moves the objective of a sweep, more hardly does.
const REDUCTION: f64 = 0.3;
/// Directions of an answer with a ridge below this part of the largest are left out.
const CUT: f64 = 1e-7;
/// Sweeps without progress that end a run.
pub(super) const PATIENCE: usize = 20;
/// Sweeps over which a residual that no longer falls is noise.
pub(super) const NOISE_WINDOW: usize = 5;

/// What every iteration reports.
pub const EXTRAS: [&str; 5] = ["objective", "residual", "lam", "holdout", "cg_steps"];

/// A completed matrix.
#[derive(Debug, Clone)]
pub struct Solution<T> {
    /// The factors and biases.
    pub payload: Payload<T>,
    /// How the run ended.
    pub outcome: Outcome,
    /// Root mean square error at the held-out entries.
    pub held_rmse: Option<f64>,
}

/// The state of the sweeps.
pub struct Als<'a, T: Entry> {
    pub(super) problem: &'a Problem<'a, T>,
    pub(super) options: &'a Options<T>,
    pub(super) tol: f64,
    /// Columns of the factors without the bias.
    pub(super) k: usize,
    pub(super) u: Factor<T>,
    pub(super) v: Factor<T>,
    /// What the next half-sweep for U takes as V.
    pub(super) ahead: Factor<T>,
    beta: f64,
    /// What the constant column of the designs holds.
    pub(super) constant: f64,
    /// Norm of the zero-filled matrix, scaled.
    pub(super) sigma: f64,
    pub(super) ridge: f64,
    /// What the ridge is multiplied by after a sweep.
    pub(super) decay: f64,
    pub(super) target: f64,
    /// Relative residual.
    pub(super) rel: f64,
    objective: f64,
    pub(super) measure: f64,
    pub(super) recent: VecDeque<f64>,
    pub(super) sweeps: u64,
    /// How it ends.
    pub(super) ending: Ending<'a, T>,
    pub(super) looked: u64,
    zero: bool,
    /// Whether a run that hardly advances ends early, for another iteration to try.
    pub hand_over: bool,
    pub(super) polish: Option<Polish<'a>>,
    /// Whether the last step was one of Gauss-Newton or Newton.
    pub(super) polishing: bool,
    /// The sweep before which no Gauss-Newton step is tried again.
    pub(super) polish_from: u64,
    /// By how much the last sweep lowered the progress measure, relatively.
    pub(super) decrease: f64,
    /// Relative residuals of the last sweeps.
    pub(super) trail: VecDeque<f64>,
    /// The bound after the last real progress, looks since then, and the sweep it was found at.
    pub(super) least: f64,
    pub(super) stuck: usize,
    fresh: u64,
    /// Multiplications so far,
    pub(super) work: f64,
    /// and what looks at the gap have to wait for.
    pub(super) looks: Looks,
    /// Room: V before the sweep, and the designs of both halves.
    before: Factor<T>,
    designs: [Factor<T>; 2],
}

impl<'a, T: Entry> Als<'a, T> {
    /// Nothing is computed yet.
    pub fn new(problem: &'a Problem<'a, T>, options: &'a Options<T>, tol: f64) -> Self {
        let (m, n) = problem.shape();
        let bias = problem.penalty.bias;
        let width = options.rank + usize::from(bias);
        let lam = problem.penalty.lam;
        // With lam = 0 the scaled problem has the ridge of the gauge alone.
        let constant = if lam > 0.0 { problem.unit.sqrt() } else { 1.0 };
        Self {
            problem,
            options,
            tol,
            k: options.rank,
            u: Factor::zeros(m, width),
            v: Factor::zeros(n, width),
            ahead: Factor::zeros(n, width),
            beta: 0.5,
            constant,
            sigma: 0.0,
            ridge: 0.0,
            decay: SLOW_DECAY,
            target: problem.ridge(),
            rel: 1.0,
            objective: f64::INFINITY,
            measure: f64::INFINITY,
            recent: VecDeque::new(),
            sweeps: 0,
            ending: Ending::new(problem, options, tol, 0),
            looked: 0,
            zero: false,
            hand_over: false,
            polish: None,
            polishing: false,
            polish_from: 0,
            decrease: f64::INFINITY,
            trail: VecDeque::new(),
            least: f64::INFINITY,
            stuck: 0,
            fresh: 0,
            work: 0.0,
            looks: Looks::default(),
            before: Factor::zeros(0, 0),
            designs: [Factor::zeros(0, 0), Factor::zeros(0, 0)],
        }
    }

    pub(super) fn bias(&self) -> bool {
        self.problem.penalty.bias
    }

    /// The ridge below which it does not fall.
    pub(super) fn floor(&self) -> f64 {
        let gauge = if self.bias() { GAUGE } else { 0.0 };
        if self.target > 0.0 { self.target } else { (1e-15 * 0.3 * self.sigma).max(gauge) }
    }

    /// Makes a factor the other side's design: the constant in place of its biases, which become an offset.
    fn make_design(&self, x: &Factor<T>, design: &mut Factor<T>) -> Option<Vec<T>> {
        design.clone_from(x);
        if !self.bias() {
            return None;
        }
        let c = T::from_f64(self.constant);
        let mut offset = Vec::with_capacity(x.rows());
        for i in 0..x.rows() {
            let row = design.row_mut(i);
            offset.push(row[self.k] * c);
            row[self.k] = c;
        }
        Some(offset)
    }

    pub(super) fn inner(&self) -> Inner {
        let direct = match self.options.solver {
            Solver::Auto => self.u.width() <= DIRECT,
            Solver::Cholesky => true,
            Solver::Cg => false,
        };
        if direct {
            Inner::Cholesky
        } else if self.target > 0.0 {
            Inner::Cg { steps: self.options.cg_steps, eta: REDUCTION }
        } else {
            // Without a ridge to aim at, rows follow the residual.
            let eta = self.rel.clamp(1e-14, 0.1);
            Inner::Cg { steps: 10 * self.options.cg_steps, eta }
        }
    }

    /// Brings both factors into a basis in which the design's columns are orthogonal, for conjugate gradients.
    fn align(&mut self, monitor: &mut Monitor<'_>) -> Result<(), CompletionError> {
        let problem = self.problem;
        if problem.penalty.nonneg || self.inner() == Inner::Cholesky {
            return Ok(());
        }
        let squares = gram(&self.ahead, monitor)?;
        let (m, n) = problem.shape();
        // Next to the sum over all columns: what stands beside the entries of a row of mean length.
        let length = if problem.penalty.count { 1.0 } else { problem.rows.nnz() as f64 / m as f64 };
        let ridge = self.ridge * n as f64 / length;
        if let Some(basis) = basis(&squares, self.ahead.stride(), self.k, ridge)? {
            for x in [&mut self.u, &mut self.v, &mut self.ahead] {
                x.turn(&basis);
            }
        }
        Ok(())
    }

    /// One half: rows (for `self.ahead`) or columns (for U).
    fn half(&mut self, rows: bool, monitor: &mut Monitor<'_>) -> Result<Tally, Aborted> {
        let problem = self.problem;
        let room = &mut self.designs[usize::from(rows)];
        let mut design = std::mem::replace(room, Factor::zeros(0, 0));
        let offset = self.make_design(if rows { &self.ahead } else { &self.u }, &mut design);
        let inner = self.inner();
        let moment = matches!(inner, Inner::Cg { .. }).then(|| moment(&design));
        let half = Half {
            entries: if rows { problem.rows } else { problem.columns() },
            weights: if rows { problem.weights } else { problem.column_weights() },
            design: &design,
            offset: offset.as_deref(),
            mean: T::from_f64(problem.mean),
            unit: T::from_f64(problem.unit),
            ridge: self.ridge,
            count: problem.penalty.count,
            delta: problem.delta().map(T::from_f64),
            nonneg: problem.penalty.nonneg.then_some(self.k),
            inner,
            measure: !rows,
            base: None,
            constant: self.bias().then(|| T::from_f64(self.constant)),
            moment: moment.as_deref(),
        };
        let out = if rows { &mut self.u } else { &mut self.v };
        let tally = if self.options.sketch {
            sketched_half_sweep(&half, out, monitor)
        } else {
            half_sweep(&half, out, monitor)
        };
        self.designs[usize::from(rows)] = design;
        tally
    }

    pub(super) fn payload(&self) -> Result<Payload<T>, CompletionError> {
        let problem = self.problem;
        if self.zero {
            return Ok(Payload::zero(problem.shape(), self.bias(), problem.mean));
        }
        let constant = self.bias().then_some(self.constant);
        let cut = if problem.penalty.lam > 0.0 { CUT } else { 0.0 };
        payload(&self.u, &self.v, self.k, constant, problem.penalty.nonneg, (problem.unit, problem.mean, cut))
    }

    /// Extrapolates V where the last sweep made progress.
    fn extrapolate(&mut self, before: &Factor<T>, progress: bool) {
        if !progress {
            self.ahead.clone_from(&self.v);
            self.beta = (0.5 * self.beta).max(0.1);
            return;
        }
        let beta = T::from_f64(self.beta);
        let (now, before) = (self.v.as_slice(), before.as_slice());
        for ((x, &v), &p) in self.ahead.as_mut_slice().iter_mut().zip(now).zip(before) {
            *x = v + beta * (v - p);
        }
        if self.problem.penalty.nonneg {
            let k = self.k;
            for i in 0..self.ahead.rows() {
                for x in &mut self.ahead.row_mut(i)[..k] {
                    if *x < T::ZERO {
                        *x = T::ZERO;
                    }
                }
            }
        }
        self.beta = (1.08 * self.beta).min(3.0);
    }

    /// Root mean square error at the held-out entries.
    fn held_rmse(&self) -> f64 {
        let Some(held) = &self.options.held else { return f64::NAN };
        let (problem, c) = (self.problem, self.constant);
        let mut sum = 0.0;
        for ((&i, &j), &y) in held.rows.iter().zip(&held.columns).zip(&held.values) {
            let (u, v) = (self.u.row(i as usize), self.v.row(j as usize));
            let mut x: f64 = (0..self.k).map(|l| u[l].to_f64() * v[l].to_f64()).sum();
            if self.bias() {
                x += c * (u[self.k].to_f64() + v[self.k].to_f64());
            }
            let r = (y - problem.mean) - x / problem.unit;
            sum += r * r;
        }
        (sum / held.values.len().max(1) as f64).sqrt()
    }
}

impl<T: Entry> Method<5> for Als<'_, T> {
    type Solution = Solution<T>;
    type Error = CompletionError;
    const EXTRAS: [&'static str; 5] = EXTRAS;

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, CompletionError> {
        if self.sweeps > 0 {
            // The run goes on after another iteration has had its try.
            self.ending.reopen();
            return Ok(None);
        }
        if self.problem.squares == 0.0 {
            self.zero = true;
            if self.tol > 0.0 && self.options.certify != Certify::None {
                return Ok(Some(self.ending.judge(self.payload()?, monitor)?));
            }
            self.ending.status = Some(Status::Converged);
            return Ok(None);
        }
        if self.problem.penalty.lam > 0.0
            && !self.bias()
            && !self.problem.penalty.nonneg
            && self.options.start.is_none()
            && self.tol > 0.0
            && self.options.certify != Certify::None
        {
            // A ridge so large that nothing is left: no sweep would ever reach zero exactly.
            self.zero = true;
            let payload = self.payload()?;
            let (residuals, glance) = self.ending.glance(&payload, monitor)?;
            if glance.gap <= self.tol {
                let bound = self.ending.judge_with(&payload, &residuals, monitor)?;
                if bound <= self.tol {
                    return Ok(Some(bound));
                }
                self.ending.judged = None;
            }
            self.zero = false;
        }
        self.begin(monitor)?;
        Ok(None)
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<5>, CompletionError> {
        if self.zero {
            return Ok(Progress {
                units: 1,
                bound: None,
                extras: [0.0, 0.0, self.problem.penalty.lam, f64::NAN, 0.0],
            });
        }
        self.ending.judged = None;
        self.align(monitor)?;
        let mut before = std::mem::replace(&mut self.before, Factor::zeros(0, 0));
        before.clone_from(&self.v);
        let polished = self.polished(monitor)?;
        self.polishing = polished.is_some();
        let (rows, columns) = match polished {
            Some(both) => (Tally::NONE, both),
            None => (self.half(true, monitor)?, self.half(false, monitor)?),
        };
        self.sweeps += 1;
        let problem = self.problem;
        let settled = self.ridge <= self.floor() * (1.0 + 1e-12) && self.target > 0.0;
        self.objective = columns.loss + self.ridge * (rows.penalty + columns.penalty);
        self.rel = (columns.squares / problem.squares.max(f64::MIN_POSITIVE)).sqrt();
        self.trail.push_back(self.rel);
        if self.trail.len() > TRAIL + 1 {
            self.trail.pop_front();
        }
        // What has to fall: the objective once the ridge stands, the loss while it moves.
        let measure = if settled { self.objective } else { columns.loss };
        let comparable = self.measure.is_finite() && (settled || self.target == 0.0);
        let decrease = (self.measure - measure) / measure.max(f64::MIN_POSITIVE);
        self.decrease = decrease;
        let progress = measure <= self.measure;
        self.recent.push_back(if settled { measure } else { measure.sqrt() });
        if self.recent.len() > PATIENCE + 1 {
            self.recent.pop_front();
        }
        self.extrapolate(&before, progress && self.sweeps > 1);
        self.before = before;
        self.work += self.work_of(self.polishing, (rows.steps + columns.steps, rows.rows + columns.rows));
        self.measure = measure;
        let lam = self.ridge / problem.unit;
        if self.ridge > self.floor() {
            self.lower_ridge();
            if self.ridge <= self.floor() && self.target > 0.0 {
                // Another measure from here on.
                self.measure = f64::INFINITY;
                self.recent.clear();
            }
        }
        if !self.u.is_finite() || !self.v.is_finite() {
            self.ending.status = Some(Status::Diverged);
        }

        let held = self.held_rmse();
        if self.options.held.is_some() {
            self.ending.hold(held, self.payload()?);
        }
        let mut bound = None;
        if self.is_due(decrease.abs()) {
            self.looked = self.sweeps;
            if self.closes_gap() {
                bound = self.look(monitor)?;
            } else {
                let found = self.ending.judge(self.payload()?, monitor)?;
                bound = Some(found);
                if found <= 0.99 * self.least {
                    (self.least, self.fresh) = (found, self.sweeps);
                }
            }
        }
        if self.tol > 0.0
            && self.options.certify == Certify::None
            && comparable
            && self.options.held.is_none()
        {
            let small = if self.target > 0.0 {
                decrease.abs() <= self.tol
            } else {
                self.rel <= self.tol || decrease.abs() <= self.tol
            };
            if small {
                self.ending.converge("the objective's relative decrease in a sweep is at most tol");
            }
        }
        // With a gap to close, looks at it that bring nothing end the run: the objective stands still long before. So it does
        // before a gradient vanishes: it is off by the square of that.
        let gap = self.closes_gap() && self.options.certify != Certify::None;
        let flat = self.tol > 0.0
            && !gap
            && self.recent.len() > PATIENCE
            && self.is_still()
            && self.sweeps >= self.fresh + PATIENCE as u64
            && self.ridge <= self.floor() * (1.0 + 1e-12);
        let slow = self.hand_over && self.is_slow();
        if self.ending.status.is_none() && (flat || slow) {
            self.ending.status = Some(Status::Stalled);
        }
        let (steps, solved) = (rows.steps + columns.steps, (rows.rows + columns.rows).max(1));
        let squared = problem.unit * problem.unit;
        let extras = [self.objective / squared, self.rel, lam, held, steps as f64 / solved as f64];
        Ok(Progress { units: 1, bound, extras })
    }

    fn keep(&mut self) {
        self.ending.keep();
    }

    fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
        self.ending.status
    }

    fn finish(mut self, status: Status, monitor: Monitor<'_>) -> Result<Solution<T>, CompletionError> {
        let capped = self.k >= self.options.grow.unwrap_or(self.options.rank);
        self.ending.take().finish(status, capped, || self.payload(), monitor)
    }
}
