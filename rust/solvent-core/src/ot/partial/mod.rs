//! Partial transport: `P 1 <= a`, `P^T 1 <= b`, a given mass.
//!
//! The dual's variables are `f <= 0`, `g <= 0` and the level lambda: `<f, a> + <g, b> + lambda mass - reg sum P` with
//! `P = a b^T exp((f + g + lambda - C)/reg)`. The ascent is by exact blocks: the rows, each `f = min(0, ..)`, in one
//! fused pass; then the columns and the level *together*, which needs the columns' sums alone ([`level`]) and contains
//! both of the separate updates. It is annealed as the balanced problem is, and each stage ends with the semismooth
//! Newton steps of [`newton`]; one that does not ascend is replaced by a block update.
//!
//! Where the mass is all of the rows' or of the columns', that side is met exactly: f or g loses its sign in favour of
//! lambda.

pub mod certify;
mod level;
mod newton;
#[cfg(test)]
mod tests;

use super::OtError;
use super::anneal::{STAGE_ERROR, Schedule};
use super::auto::{Counts, EXTRAS, Judged};
use super::passes::{column_minima, columns, start, sweep};
use super::problem::Problem;
use super::side::Side;
use crate::base::monitor::{Method, Monitor, Progress};
use crate::base::status::Status;
use crate::base::sum::dot2;
use newton::{Columns, Point, Setting};

/// Block updates that begin a stage, at most.
const WARMING: u64 = 3;
/// Newton takes over once an error is more than this share of the one before.
const SLOW: f64 = 0.3;
/// Rescues in a row after which a stage is begun again from the last good one, and in all before Newton is given up.
const IN_A_ROW: u64 = 2;
/// See there.
const IN_ALL: u64 = 6;
/// How often the target is tightened because the certificate did not hold.
const TIGHTENINGS: u32 = 5;
/// Passes without one per cent of progress.
const PATIENCE: u64 = 400;

enum State {
    /// A stage begins at these columns.
    Begin,
    /// So many block updates were taken; the error of the last but one.
    Sweep { taken: u64, before: f64 },
    /// Newton begins.
    Enter,
    /// Newton goes on from here.
    Newton(Box<Point>),
    /// The stage's goal is reached.
    Reached,
}

/// The iteration's state.
pub struct Ascent<'p, 'a> {
    setting: Setting<'p, 'a>,
    /// The rows' side as the passes take it.
    rows: Side,
    schedule: Schedule,
    newton: bool,
    state: State,
    f: Vec<f64>,
    columns: Columns,
    error: f64,
    goal: f64,
    tightened: u32,
    in_a_row: u64,
    bend: f64,
    best: (f64, u64),
    given: Option<Vec<f64>>,
    judged: Option<Judged>,
    verdict: Option<Status>,
    counts: Counts,
}

/// Units in the last place within which a mass is all of a side's.
const ALL: f64 = 2.0 * f64::EPSILON;

impl<'p, 'a> Ascent<'p, 'a> {
    /// From the columns' potentials `given` (not folded), or from the first reg of the schedule. The problem has a
    /// mass. `newton`: whether stages end with Newton's method.
    pub fn new(
        problem: &'p Problem<'a>,
        newton: bool,
        first: Option<f64>,
        given: Option<Vec<f64>>,
        tol: f64,
    ) -> Self {
        let mass = problem.mass.unwrap_or_else(|| problem.a.mass());
        let all = |side: &Side| mass >= side.mass() * (1.0 - ALL);
        let setting = Setting {
            problem,
            mass,
            total: if all(&problem.b) { f64::INFINITY } else { mass },
            capped: !all(&problem.a),
        };
        let m = problem.b.len();
        Self {
            rows: if setting.capped {
                problem.a.clone()
            } else {
                Side::new(problem.a.weights().to_vec(), f64::INFINITY)
            },
            setting,
            schedule: Schedule::new(problem.reg, first, problem.spread()),
            newton,
            state: State::Begin,
            f: vec![0.0; problem.a.len()],
            columns: Columns { psi: vec![0.0; m], lam: 0.0, filled: vec![false; m] },
            error: f64::NAN,
            goal: if tol > 0.0 { 0.45 * tol * mass } else { 1e-11 * mass },
            tightened: 0,
            in_a_row: 0,
            bend: super::newton::BEND,
            best: (f64::INFINITY, 0),
            given,
            judged: None,
            verdict: None,
            counts: Counts { stages: 1, ..Counts::default() },
        }
    }

    fn reg(&self) -> f64 {
        self.schedule.reg()
    }

    fn stage_goal(&self) -> f64 {
        if self.schedule.at_end() { self.goal } else { STAGE_ERROR * self.setting.mass }
    }

    /// Makes the columns and the level exact where the columns' sums are these, or from scratch where they are out of
    /// range.
    fn settle(&mut self, sums: Option<Vec<f64>>, monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        let (problem, reg, total) = (self.setting.problem, self.reg(), self.setting.total);
        let settled = sums.and_then(|sums| self.columns.settle(&problem.b, &sums, total, reg));
        if let Some((columns, _)) = settled {
            self.columns = columns;
        } else {
            self.columns.psi = column_minima(problem.cost(), &self.f, monitor)?;
            let sums = columns(problem.cost(), &self.f, &self.columns.psi, reg, monitor)?;
            self.counts.passes += 2;
            if let Some((columns, _)) = self.columns.settle(&problem.b, &sums, total, reg) {
                self.columns = columns;
            }
        }
        self.setting.lift(&mut self.f, &mut self.columns, reg);
        Ok(())
    }

    /// The first passes of a stage: rows and level together, then columns and level.
    fn begin(&mut self, monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        let (problem, reg) = (self.setting.problem, self.reg());
        let exact = Side::new(problem.a.weights().to_vec(), f64::INFINITY);
        let swept = start::<f64>(problem.cost(), &exact, &self.columns.psi, reg, monitor)?;
        self.counts.passes += 1;
        self.f = swept.f;
        if self.setting.capped {
            let a = &problem.a;
            // The rows' sums without f, by their logarithms.
            let sizes: Vec<f64> = (0..a.len()).map(|i| 2.0 * a.logs()[i] - self.f[i] / reg).collect();
            let rise = reg * level::level(&sizes, a.weights(), a.logs(), self.setting.mass);
            self.columns.psi.iter_mut().for_each(|p| *p += rise);
            self.columns.lam += rise;
            for (f, l) in self.f.iter_mut().zip(a.logs()) {
                *f = (*f - rise).min(reg * l);
            }
        }
        let sums = columns(problem.cost(), &self.f, &self.columns.psi, reg, monitor)?;
        self.counts.passes += 1;
        self.settle(Some(sums), monitor)?;
        self.state = State::Sweep { taken: 0, before: f64::INFINITY };
        Ok(())
    }

    fn sweep(&mut self, taken: u64, before: f64, monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        let (problem, reg) = (self.setting.problem, self.reg());
        let swept = sweep::<f64>(problem.cost(), &self.rows, &self.f, &self.columns.psi, reg, monitor)?;
        self.counts.passes += 1;
        self.error = self.setting.error(&self.f, &swept.sums, reg);
        if !self.error.is_finite() {
            self.counts.rescues += 1;
            return self.begin(monitor);
        }
        if self.error <= self.stage_goal() {
            // These potentials, not the next ones, are what the error is of.
            self.state = State::Reached;
            return Ok(());
        }
        self.f = swept.f;
        self.settle(Some(swept.columns), monitor)?;
        let slow = taken >= WARMING || taken > 0 && self.error > SLOW * before;
        self.state = if self.newton && slow {
            State::Enter
        } else {
            State::Sweep { taken: taken + 1, before: self.error }
        };
        Ok(())
    }

    fn enter(&mut self, monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        let hoped = self.error / self.setting.mass;
        self.counts.passes += 1;
        match Point::at(&self.setting, self.reg(), self.f.clone(), &self.columns, hoped, monitor)? {
            Some(point) => self.arrive(point),
            None => self.rescue(monitor)?,
        }
        Ok(())
    }

    fn arrive(&mut self, point: Point) {
        self.f.clone_from(&point.f);
        self.columns.clone_from(&point.columns);
        let doubtful = point.doubt > 0.3 * point.error.max(self.stage_goal());
        self.error = point.error;
        self.state = if doubtful {
            State::Enter
        } else if self.error <= self.stage_goal() {
            State::Reached
        } else {
            State::Newton(Box::new(point))
        };
    }

    fn newton(&mut self, from: &Point, monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        let step = newton::step(&self.setting, self.reg(), from, &mut self.bend, monitor)?;
        self.counts.newton_steps += 1;
        self.counts.passes += step.passes;
        self.counts.cg_steps += step.iterations;
        self.counts.backtracks += step.halvings;
        match step.to {
            Some(point) => {
                self.in_a_row = 0;
                self.arrive(point);
                Ok(())
            }
            None => self.rescue(monitor),
        }
    }

    /// A block update, which always ascends; after too many, smaller steps in reg, and in the end no Newton.
    fn rescue(&mut self, monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        self.counts.rescues += 1;
        self.in_a_row += 1;
        if self.counts.rescues >= IN_ALL {
            self.newton = false;
        } else if self.in_a_row >= IN_A_ROW
            && let Some(g) = self.schedule.retreat()
        {
            self.restore(g);
            self.in_a_row = 0;
            self.counts.stages += 1;
            return self.begin(monitor);
        }
        self.state = State::Sweep { taken: 0, before: f64::INFINITY };
        Ok(())
    }

    /// Columns and level as one list, for the schedule's extrapolation.
    fn flat(&self) -> Vec<f64> {
        let reg = self.reg();
        let unfolded = self.columns.psi.iter().zip(self.setting.problem.b.logs()).map(|(p, l)| p - reg * l);
        unfolded.chain([self.columns.lam]).collect()
    }

    /// The inverse, at the present reg.
    fn restore(&mut self, mut flat: Vec<f64>) {
        let reg = self.reg();
        self.columns.lam = flat.pop().unwrap_or(0.0);
        let lam = if self.setting.total == f64::INFINITY { f64::INFINITY } else { self.columns.lam };
        let logs = self.setting.problem.b.logs();
        self.columns.psi = flat.iter().zip(logs).map(|(p, l)| p.min(lam) + reg * l).collect();
    }

    fn end_stage(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, OtError> {
        if !self.schedule.at_end() {
            let next = self.schedule.advance(&self.flat());
            self.restore(next);
            self.counts.stages += 1;
            self.begin(monitor)?;
            return Ok(None);
        }
        let judged = self.judge(monitor)?;
        let spread = self.setting.problem.spread();
        let bound = judged.bracket.bound(spread);
        let at_floor = judged.bracket.error() <= 4.0 * judged.bracket.doubt;
        if self.judged.as_ref().is_none_or(|old| bound < old.bracket.bound(spread)) {
            self.judged = Some(judged);
        }
        self.tightened += 1;
        self.goal *= 0.1;
        self.verdict = if at_floor {
            Some(Status::RoundingFloor)
        } else {
            (self.tightened > TIGHTENINGS).then_some(Status::Stalled)
        };
        self.state =
            if self.newton { State::Enter } else { State::Sweep { taken: 0, before: f64::INFINITY } };
        Ok(Some(bound))
    }

    /// Unfolds the potentials and judges them at the reg that was asked for.
    fn judge(&mut self, monitor: &mut Monitor<'_>) -> Result<Judged, OtError> {
        let Setting { problem, capped, .. } = self.setting;
        let (a, b, reg) = (&problem.a, &problem.b, problem.reg);
        let unfold =
            |p: &[f64], logs: &[f64]| -> Vec<f64> { p.iter().zip(logs).map(|(p, l)| p - reg * l).collect() };
        let (mut f, mut g) = (unfold(&self.f, a.logs()), unfold(&self.columns.psi, b.logs()));
        let mut lam = self.columns.lam;
        if !capped {
            // f <= 0 by giving to lambda what it has in excess.
            let rise = f.iter().fold(f64::NEG_INFINITY, |m, f| m.max(*f));
            f.iter_mut().for_each(|f| *f -= rise);
            g.iter_mut().for_each(|g| *g += rise);
            lam += rise;
        }
        f.iter_mut().for_each(|f| *f = f.min(0.0));
        g.iter_mut().for_each(|g| *g = (*g - lam).min(0.0));
        self.counts.passes += 2;
        let bracket = certify::judge(problem, &f, &g, lam, monitor)?;
        Ok(Judged { f, g, lam, bracket })
    }

    /// The dual at the stage's reg.
    fn value(&self) -> f64 {
        let (reg, mass) = (self.reg(), self.setting.mass);
        let (a, b) = (&self.setting.problem.a, &self.setting.problem.b);
        let folded =
            |p: &[f64], side: &Side| dot2(p, side.weights()) - reg * dot2(side.logs(), side.weights());
        let excess = if self.setting.total == f64::INFINITY { 0.0 } else { b.mass() - mass };
        folded(&self.f, a) + folded(&self.columns.psi, b)
            - self.columns.lam * excess
            - reg * (mass - a.mass() * b.mass())
    }

    fn watch(&mut self) {
        if !self.schedule.at_end() || self.verdict.is_some() {
            return;
        }
        if self.error < 0.99 * self.best.0 {
            self.best = (self.error, self.counts.passes);
        } else if self.counts.passes > self.best.1 + PATIENCE {
            self.verdict = Some(Status::Stalled);
        } else if self.counts.passes > self.best.1 + 12
            && matches!(self.state, State::Newton(_) | State::Enter)
            && self.error < 1e-6 * self.setting.mass
        {
            // Rounding is all that is left.
            self.state = State::Reached;
            self.best.1 = self.counts.passes;
        }
    }

    /// Begins at the smallest reg of the schedule at which the given potentials are of use.
    fn resume(&mut self, g: &[f64], monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        let mut regs = vec![self.schedule.reg()];
        let mut ahead = self.schedule.clone();
        while !ahead.at_end() {
            ahead.advance(&[]);
            regs.push(ahead.reg());
        }
        let problem = self.setting.problem;
        for (later, &reg) in regs.iter().rev().enumerate() {
            self.schedule = Schedule::new(problem.reg, Some(reg), problem.spread());
            self.columns.lam = 0.0;
            self.columns.psi = g.iter().zip(problem.b.logs()).map(|(g, l)| g + reg * l).collect();
            self.begin(monitor)?;
            self.sweep(0, f64::INFINITY, monitor)?;
            if self.error < 0.5 * self.setting.mass || later + 1 == regs.len() || monitor.expired() {
                break;
            }
        }
        Ok(())
    }

    /// The answer: what was judged, or else what there is, judged now at the reg that was asked for.
    pub fn conclude(&mut self, monitor: &mut Monitor<'_>) -> Result<(Judged, Counts), OtError> {
        if let Some(judged) = self.judged.take() {
            return Ok((judged, self.counts));
        }
        let fresh = self.error.is_nan() && matches!(self.state, State::Begin);
        if fresh || !self.schedule.at_end() {
            let flat = self.flat();
            self.schedule = Schedule::new(self.setting.problem.reg, Some(0.0), 1.0);
            self.restore(flat);
            self.begin(monitor)?;
        }
        Ok((self.judge(monitor)?, self.counts))
    }
}

impl Method<3> for Ascent<'_, '_> {
    type Solution = (Judged, Counts);
    type Error = OtError;
    const EXTRAS: [&'static str; 3] = EXTRAS;

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, OtError> {
        if let Some(g) = self.given.take() {
            self.resume(&g, monitor)?;
        }
        Ok(None)
    }

    /// A pass or two, or a Newton step.
    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<3>, OtError> {
        let before = self.counts.passes;
        let mut bound = None;
        match std::mem::replace(&mut self.state, State::Begin) {
            State::Begin => self.begin(monitor)?,
            State::Sweep { taken, before } => self.sweep(taken, before, monitor)?,
            State::Enter => self.enter(monitor)?,
            State::Newton(from) => self.newton(&from, monitor)?,
            State::Reached => bound = self.end_stage(monitor)?,
        }
        if matches!(self.state, State::Reached) {
            bound = self.end_stage(monitor)?;
        }
        self.watch();
        let extras = [self.error, self.value(), self.reg()];
        Ok(Progress { units: self.counts.passes - before, bound, extras })
    }

    fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
        self.verdict
    }

    fn finish(mut self, _: Status, mut monitor: Monitor<'_>) -> Result<Self::Solution, OtError> {
        self.conclude(&mut monitor)
    }
}
