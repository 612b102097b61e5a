//! The ascent: annealed stages, each begun by Sinkhorn's iteration and ended by Newton's.
//!
//! Written as a state machine so that the one loop of the house drives it: a step is one pass, or one Newton step.

use super::OtError;
use super::anneal::{STAGE_ERROR, Schedule};
use super::certify::{Bracket, judge};
use super::newton::{self, Point, Trial, exact_columns};
use super::passes::{Swept, column_minima, columns, start, sweep};
use super::problem::Problem;
use super::side::Side;
use crate::base::monitor::{Method, Monitor, Progress};
use crate::base::status::Status;
use crate::base::sum::dot2;

/// What is reported of each step.
pub const EXTRAS: [&str; 3] = ["marginal_error", "value", "reg"];

/// How the stages end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// By Newton's method.
    Newton,
    /// By Sinkhorn's iteration alone.
    Sinkhorn,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Passes over the cost.
    pub passes: u64,
    /// Newton steps.
    pub newton_steps: u64,
    /// Iterations of conjugate gradients.
    pub cg_steps: u64,
    /// Halvings of Newton steps.
    pub backtracks: u64,
    /// Steps that Sinkhorn's iteration had to take in Newton's place.
    pub rescues: u64,
    /// Values of reg.
    pub stages: u64,
}

/// A Newton step costs about as much as so many sweeps: it takes over where more would be needed.
const WORTH: f64 = 3.0;
/// In single precision entries of weights below e^this, of a mass of 1, could vanish.
const LIGHT: f64 = -50.0;
/// Rescues in a row after which a stage is begun again from the last good one, and in all before Newton is given up.
const IN_A_ROW: u64 = 2;
/// See there.
const IN_ALL: u64 = 5;
/// How often the target is tightened because the certificate did not hold.
const TIGHTENINGS: u32 = 5;
/// Single precision does while it blurs entries by no more than this share.
const BLUR: f64 = 1e-3;
/// Passes without one per cent of progress.
const PATIENCE: u64 = 200;

enum State {
    /// A stage begins at these column potentials.
    Begin,
    /// Sinkhorn's iteration has taken so many steps; the error of the last but one.
    Sweep { taken: u64, before: f64 },
    /// Newton begins.
    Enter,
    /// Newton goes on from here.
    Newton(Box<Point>),
    /// The certificate is due.
    Judge,
}

/// The iteration's state. Potentials are folded.
pub struct Ascent<'p, 'a> {
    problem: &'p Problem<'a>,
    schedule: Schedule,
    finish: Finish,
    state: State,
    f: Vec<f64>,
    g: Vec<f64>,
    error: f64,
    goal: f64,
    tightened: u32,
    in_a_row: u64,
    /// How far a Newton step goes along what hangs by a thread.
    bend: f64,
    /// The best error at the last reg, and the pass it was reached in; the last pass with progress.
    best: (f64, u64),
    /// Steps at the last reg that did not lower the error.
    idle: u64,
    given: Option<(Vec<f64>, Vec<f64>)>,
    judged: Option<Judged>,
    verdict: Option<Status>,
    counts: Counts,
}

/// Potentials (not folded, of positive weights) and what they prove.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The rows'.
    pub f: Vec<f64>,
    /// The columns'.
    pub g: Vec<f64>,
    /// Partial transport: the level; 0 elsewhere.
    pub lam: f64,
    /// What they prove.
    pub bracket: Bracket,
}

impl<'p, 'a> Ascent<'p, 'a> {
    /// From `given` (not folded), or from the first reg of the schedule.
    pub fn new(
        problem: &'p Problem<'a>,
        finish: Finish,
        first: Option<f64>,
        given: Option<(Vec<f64>, Vec<f64>)>,
        tol: f64,
    ) -> Self {
        let mass = problem.a.mass();
        // Without a target: as far as rounding allows.
        let goal = if tol > 0.0 { 0.8 * tol * mass } else { 1e-11 * mass };
        Self {
            problem,
            schedule: Schedule::new(problem.reg, first, problem.spread()),
            finish,
            state: State::Begin,
            f: vec![0.0; problem.a.len()],
            g: vec![0.0; problem.b.len()],
            error: f64::NAN,
            goal,
            tightened: 0,
            in_a_row: 0,
            bend: newton::BEND,
            best: (f64::INFINITY, 0),
            idle: 0,
            given,
            judged: None,
            verdict: None,
            counts: Counts { stages: 1, ..Counts::default() },
        }
    }

    fn reg(&self) -> f64 {
        self.schedule.reg()
    }

    /// The error at which the stage ends.
    fn stage_goal(&self) -> f64 {
        if self.schedule.at_end() { self.goal } else { STAGE_ERROR * self.problem.a.mass() }
    }

    /// The share by which single precision may blur entries, where it does for a pass; 0 where double is due. The end of a
    /// schedule is double's but for its first passes, which `begins` says.
    fn blur(&self, begins: bool) -> f64 {
        let (a, b) = (&self.problem.a, &self.problem.b);
        let size = |p: &[f64]| p.iter().fold(0.0_f64, |m, p| m.max(p.abs()));
        let light = |side: &Side| side.logs().iter().any(|&l| l < LIGHT + side.mass().ln());
        let blur = 4.0 * f64::from(f32::EPSILON) * (size(&self.f) + size(&self.g) + self.problem.largest())
            / self.reg();
        if blur > BLUR || self.schedule.at_end() && !begins || light(a) || light(b) { 0.0 } else { blur }
    }

    /// Takes a row update and makes the columns exact for it; where their sums are out of range, from scratch.
    fn accept(&mut self, swept: Swept, monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        let (problem, reg) = (self.problem, self.reg());
        self.f = swept.f;
        self.g = match exact_columns(&problem.b, &self.g, &swept.columns, reg) {
            Some((g, _)) => g,
            None => {
                self.counts.passes += 2;
                safe_columns(problem, &self.f, reg, monitor)?
            }
        };
        Ok(())
    }

    /// The first pass of a stage.
    fn begin(&mut self, monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        let (problem, reg) = (self.problem, self.reg());
        let swept = if self.blur(true) > 0.0 {
            start::<f32>(problem.cost(), &problem.a, &self.g, reg, monitor)?
        } else {
            start::<f64>(problem.cost(), &problem.a, &self.g, reg, monitor)?
        };
        self.counts.passes += 1;
        self.accept(swept, monitor)?;
        self.state = State::Sweep { taken: 0, before: f64::INFINITY };
        Ok(())
    }

    fn sweep(&mut self, taken: u64, before: f64, monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        let (problem, reg) = (self.problem, self.reg());
        let single = self.blur(taken == 0) > 0.0;
        let swept = if single {
            sweep::<f32>(problem.cost(), &problem.a, &self.f, &self.g, reg, monitor)?
        } else {
            sweep::<f64>(problem.cost(), &problem.a, &self.f, &self.g, reg, monitor)?
        };
        self.counts.passes += 1;
        self.error = problem.a.error(&self.f, &swept.sums, reg);
        if !self.error.is_finite() {
            self.state = State::Begin;
            self.counts.rescues += 1;
            return Ok(());
        }
        let reached = self.error <= self.stage_goal() && !(single && self.schedule.at_end());
        self.accept(swept, monitor)?;
        // How many more sweeps it takes at the present rate.
        let more = (self.stage_goal() / self.error).ln() / (self.error / before).min(1.0).ln();
        let slow = taken > 0 && more > WORTH;
        self.state = if reached {
            State::Judge
        } else if self.finish == Finish::Newton && slow {
            State::Enter
        } else {
            State::Sweep { taken: taken + 1, before: self.error }
        };
        Ok(())
    }

    fn enter(&mut self, monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        let (problem, reg) = (self.problem, self.reg());
        let hoped = self.error / problem.a.mass();
        let (f, g) = (self.f.clone(), self.g.clone());
        self.counts.passes += 1;
        match Point::at(problem, reg, f, g, hoped, self.blur(false), monitor)? {
            Trial::Point(point) => self.arrive(point),
            Trial::OutOfRange => self.rescue(monitor)?,
            Trial::TooLarge => {
                self.finish = Finish::Sinkhorn;
                self.state = State::Sweep { taken: 0, before: f64::INFINITY };
            }
        }
        Ok(())
    }

    fn arrive(&mut self, point: Box<Point>) {
        self.f.clone_from(&point.f);
        self.g.clone_from(&point.g);
        let doubtful = point.doubt > 0.3 * point.error.max(self.stage_goal());
        self.error = point.error;
        self.state = if doubtful {
            State::Enter
        } else if self.error <= self.stage_goal() {
            State::Judge
        } else {
            State::Newton(point)
        };
    }

    fn newton(&mut self, from: &Point, monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        let step = newton::step(self.problem, self.reg(), from, self.stage_goal(), &mut self.bend, monitor)?;
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
            None => {
                if step.too_large {
                    self.finish = Finish::Sinkhorn;
                }
                self.rescue(monitor)
            }
        }
    }

    /// One full Sinkhorn step, which always ascends; after too many, smaller steps in reg, and in the end no Newton.
    fn rescue(&mut self, monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        self.counts.rescues += 1;
        self.in_a_row += 1;
        if self.counts.rescues >= IN_ALL {
            self.finish = Finish::Sinkhorn;
        } else if self.in_a_row >= IN_A_ROW
            && let Some(g) = self.schedule.retreat()
        {
            self.g = g;
            self.in_a_row = 0;
            self.counts.stages += 1;
        }
        self.begin(monitor)
    }

    /// The end of a stage.
    fn end_stage(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, OtError> {
        if !self.schedule.at_end() {
            self.g = self.schedule.advance(&self.g);
            self.bend = newton::BEND;
            self.counts.stages += 1;
            self.state = State::Begin;
            self.begin(monitor)?;
            return Ok(None);
        }
        let judged = self.judge(monitor)?;
        let bound = judged.bracket.bound(self.problem.spread());
        let at_floor = judged.bracket.error() <= 4.0 * judged.bracket.doubt;
        if self.judged.as_ref().is_none_or(|old| bound < old.bracket.bound(self.problem.spread())) {
            self.judged = Some(judged);
        }
        self.tightened += 1;
        self.goal *= 0.1;
        self.verdict = if at_floor {
            Some(Status::RoundingFloor)
        } else if self.tightened > TIGHTENINGS {
            Some(Status::Stalled)
        } else {
            None
        };
        self.state = State::Enter;
        if self.finish == Finish::Sinkhorn {
            self.state = State::Sweep { taken: 0, before: f64::INFINITY };
        }
        Ok(Some(bound))
    }

    /// Unfolds the potentials, fixes their gauge and judges them at the reg that was asked for.
    fn judge(&mut self, monitor: &mut Monitor<'_>) -> Result<Judged, OtError> {
        let (f, g) = self.unfolded();
        self.counts.passes += 2;
        let bracket = judge(self.problem, &f, &g, monitor)?;
        Ok(Judged { f, g, lam: 0.0, bracket })
    }

    fn unfolded(&self) -> (Vec<f64>, Vec<f64>) {
        let (a, b, reg) = (&self.problem.a, &self.problem.b, self.problem.reg);
        let unfold = |p: &[f64], logs: &[f64]| p.iter().zip(logs).map(|(p, l)| p - reg * l).collect();
        let mut f: Vec<f64> = unfold(&self.f, a.logs());
        let mut g: Vec<f64> = unfold(&self.g, b.logs());
        if self.problem.balanced() {
            let shift = (dot2(&g, b.weights()) - dot2(&f, a.weights())) / (2.0 * a.mass());
            f.iter_mut().for_each(|f| *f += shift);
            g.iter_mut().for_each(|g| *g -= shift);
        }
        (f, g)
    }

    /// The dual at the stage's reg.
    fn value(&self) -> f64 {
        let reg = self.reg();
        let (a, b) = (&self.problem.a, &self.problem.b);
        let zero = |side: &Side| side.logs().iter().map(|l| reg * l).collect::<Vec<f64>>();
        let total =
            if b.hard() { b.mass() } else { (0..self.g.len()).map(|j| b.target(j, self.g[j], reg)).sum() };
        a.gain(&zero(a), &self.f, reg) + b.gain(&zero(b), &self.g, reg) - reg * (total - a.mass() * b.mass())
    }

    /// Brings the potentials of an earlier stage to the reg that was asked for.
    fn settle(&mut self, monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        if !self.schedule.at_end() || matches!(self.state, State::Begin) {
            self.g = safe_columns(self.problem, &self.f, self.problem.reg, monitor)?;
        }
        Ok(())
    }

    /// Whether the last stage has stopped moving.
    fn watch(&mut self) {
        if !self.schedule.at_end() || self.verdict.is_some() {
            return;
        }
        if self.error < 0.99 * self.best.0 {
            self.best = (self.error, self.counts.passes);
            self.idle = 0;
            return;
        }
        self.idle += 1;
        let newton = matches!(self.state, State::Newton(_) | State::Enter);
        if newton && self.idle >= 6 && self.error < 1e-6 * self.problem.a.mass() {
            // Rounding is all that is left.
            self.state = State::Judge;
            self.idle = 0;
        } else if self.counts.passes > self.best.1 + PATIENCE {
            self.verdict = Some(Status::Stalled);
        }
    }

    /// Begins at the smallest reg of the schedule at which the given potentials are of use.
    fn resume(&mut self, f: &[f64], g: &[f64], monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        let problem = self.problem;
        let regs: Vec<f64> = {
            let mut schedule = self.schedule.clone();
            let mut regs = vec![schedule.reg()];
            while !schedule.at_end() {
                schedule.advance(&[]);
                regs.push(schedule.reg());
            }
            regs
        };
        for (later, &reg) in regs.iter().rev().enumerate() {
            let fold = |p: &[f64], logs: &[f64]| p.iter().zip(logs).map(|(p, l)| p + reg * l).collect();
            let (f, g): (Vec<f64>, Vec<f64>) = (fold(f, problem.a.logs()), fold(g, problem.b.logs()));
            let first = later + 1 == regs.len();
            let sums = columns(problem.cost(), &f, &g, reg, monitor)?;
            self.counts.passes += 1;
            let Some((g, _)) = exact_columns(&problem.b, &g, &sums, reg) else {
                if first {
                    break;
                }
                continue;
            };
            let swept = sweep::<f64>(problem.cost(), &problem.a, &f, &g, reg, monitor)?;
            self.counts.passes += 1;
            let error = problem.a.error(&f, &swept.sums, reg);
            if error < 0.5 * problem.a.mass() || first && error.is_finite() {
                self.schedule = Schedule::new(problem.reg, Some(reg), problem.spread());
                (self.f, self.g, self.error) = (f, g, error);
                self.state = if error <= self.stage_goal() {
                    State::Judge
                } else {
                    self.accept(swept, monitor)?;
                    State::Sweep { taken: 0, before: error }
                };
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The columns' potentials that are exact for f, each begun at its largest exponent.
pub fn safe_columns(
    problem: &Problem<'_>,
    f: &[f64],
    reg: f64,
    monitor: &mut Monitor<'_>,
) -> Result<Vec<f64>, OtError> {
    let least = column_minima(problem.cost(), f, monitor)?;
    let sums = columns(problem.cost(), f, &least, reg, monitor)?;
    Ok((0..least.len()).map(|j| problem.b.exact(j, least[j], sums[j], reg).0).collect())
}

impl Method<3> for Ascent<'_, '_> {
    type Solution = (Judged, Counts);
    type Error = OtError;
    const EXTRAS: [&'static str; 3] = EXTRAS;

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, OtError> {
        if let Some((f, g)) = self.given.take() {
            self.resume(&f, &g, monitor)?;
        }
        Ok(None)
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<3>, OtError> {
        let before = self.counts.passes;
        let mut bound = None;
        match std::mem::replace(&mut self.state, State::Begin) {
            State::Begin => self.begin(monitor)?,
            State::Sweep { taken, before } => self.sweep(taken, before, monitor)?,
            State::Enter => self.enter(monitor)?,
            State::Newton(from) => self.newton(&from, monitor)?,
            State::Judge => bound = self.end_stage(monitor)?,
        }
        if matches!(self.state, State::Judge) {
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

impl Ascent<'_, '_> {
    /// The answer: what was judged, or else what there is, judged now.
    pub fn conclude(&mut self, monitor: &mut Monitor<'_>) -> Result<(Judged, Counts), OtError> {
        let judged = match self.judged.take() {
            Some(judged) => judged,
            None => {
                self.settle(monitor)?;
                self.judge(monitor)?
            }
        };
        Ok((judged, self.counts))
    }
}
