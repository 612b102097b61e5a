//! Stages, steps, and when to ask for a certificate.

use super::certify::certify;
use super::dual::Dual;
use super::passes::{Side, transform};
use super::problem::Problem;
use crate::base::lbfgs::{Lbfgs, Step};
use crate::base::monitor::{Budget, Method, Monitor, Observer, Progress, solve as drive};
use crate::base::outcome::Outcome;
use crate::base::status::Status;
use crate::ot::OtError;
use crate::ot::entry::Entry;

/// Steps that L-BFGS remembers.
const MEMORY: usize = 10;
/// reg falls by this factor from stage to stage.
const FALL: f64 = 3.0;
/// The first reg, relative to the range of the cost.
const FIRST: f64 = 0.25;
/// Row error at which a stage ends, relative to the mass.
const STAGE: f64 = 0.02;
/// A certificate that misses tol sharpens the target of the row error by this factor, so many times at most.
const SHARPEN: f64 = 0.1;
const ASKED: u32 = 8;
/// Steps over which D or the row error must have moved.
const PATIENCE: u64 = 200;

const U: f64 = 0.5 * f64::EPSILON;

/// A barycenter.
#[derive(Debug, Clone)]
pub struct Solution {
    /// The barycenter, representable in the precision of the cost.
    pub p: Vec<f64>,
    /// D.
    pub value: f64,
    /// The optimum is not below.
    pub lower: f64,
    /// The optimum is not above.
    pub upper: f64,
    /// Potentials of the rows, the caller's histograms one after the other; 0 for those of weight 0.
    pub f: Vec<f64>,
    /// Potentials of the columns; -inf where a histogram is 0.
    pub g: Vec<f64>,
    /// `sum_k w_k |P_k 1 - p|_1`
    pub marginal_error: f64,
    /// Passes over the cost that evaluate one exponential an entry and histogram; certificates not counted.
    pub passes: u64,
    /// Values of reg that were gone through.
    pub stages: u64,
    /// How the run ended.
    pub outcome: Outcome,
}

/// The potentials at the end of a stage, which the next ones are extrapolated from.
struct Mark {
    reg: f64,
    z: Vec<f64>,
}

/// The ascent.
struct Stages<'a, T: Entry> {
    problem: &'a Problem<'a, T>,
    /// The caller's histograms, for those that take no part.
    given: &'a [f64],
    dual: Dual<'a, T>,
    search: Lbfgs,
    mark: Option<Mark>,
    warm: bool,
    stages: u64,
    tol: f64,
    target: f64,
    asked: u32,
    /// -D and row error some steps ago.
    before: (f64, f64),
    steps: u64,
    end: Option<Status>,
}

impl<'a, T: Entry> Stages<'a, T> {
    fn new(problem: &'a Problem<'a, T>, given: &'a [f64], start: Option<Vec<f64>>, tol: f64) -> Self {
        let warm = start.is_some();
        let first = problem.reg.max(FIRST * problem.scale);
        let z = start.unwrap_or_else(|| vec![0.0; problem.count() * problem.n]);
        Self {
            problem,
            given,
            dual: Dual::new(problem, if warm { problem.reg } else { first }),
            search: Lbfgs::new(z, MEMORY),
            mark: None,
            warm,
            stages: 1,
            tol,
            // The gap is some half of the row error times the range of the cost, or less.
            target: tol.max(4.0 * U),
            asked: 0,
            before: (f64::INFINITY, f64::INFINITY),
            steps: 0,
            end: None,
        }
    }

    fn is_last(&self) -> bool {
        self.dual.reg <= self.problem.reg
    }

    /// The row error, relative to the mass.
    fn error(&self) -> f64 {
        self.dual.error / self.problem.mass
    }

    /// What the rounding of the exponents alone leaves of the row error.
    fn floor(&self) -> f64 {
        let largest = |x: &[f64]| x.iter().filter(|x| x.is_finite()).fold(0.0f64, |l, x| l.max(x.abs()));
        let sizes = largest(&self.dual.f) + largest(&self.dual.g) + self.problem.largest;
        8.0 * U * (1.0 + sizes / self.dual.reg)
    }

    /// Lowers reg and extrapolates the potentials.
    fn next_stage(&mut self, monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        let (old, new) = (self.dual.reg, self.problem.reg.max(self.dual.reg / FALL));
        let z = self.search.x_mut();
        let here = z.to_vec();
        if let Some(mark) = &self.mark {
            let factor = (new - old) / (old - mark.reg);
            z.iter_mut().zip(&mark.z).for_each(|(z, before)| *z += (*z - before) * factor);
        }
        self.mark = Some(Mark { reg: old, z: here });
        self.dual.reg = new;
        self.stages += 1;
        self.before = (f64::INFINITY, f64::INFINITY);
        self.steps = 0;
        self.search.start(&mut self.dual, monitor)
    }

    /// The barycenter, in the precision of the cost.
    fn p(&self) -> Vec<f64> {
        self.dual.p.iter().map(|&p| T::from_f64(p).to_f64()).collect()
    }

    /// At the final reg, with columns exact: the certificate, where the row error is what was waited for.
    fn ask(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, OtError> {
        if self.tol == 0.0 || self.error() > self.target {
            return Ok(None);
        }
        let judged = certify(self.problem, &self.p(), &self.dual.f, &self.dual.g, monitor)?;
        self.asked += 1;
        self.target *= SHARPEN;
        Ok(Some(judged.certificate.bound))
    }
}

impl<T: Entry> Method<3> for Stages<'_, T> {
    type Solution = Solution;
    type Error = OtError;
    const EXTRAS: [&'static str; 3] = ["marginal_error", "value", "reg"];

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, OtError> {
        self.search.start(&mut self.dual, monitor)?;
        // A start that is no good at the final reg is none at all, and stages are the better way.
        if self.warm && self.error() >= 0.5 {
            self.dual.reg = self.problem.reg.max(FIRST * self.problem.scale);
            self.search.start(&mut self.dual, monitor)?;
        }
        if self.is_last() { self.ask(monitor) } else { Ok(None) }
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<3>, OtError> {
        let step = self.search.step(&mut self.dual, monitor)?;
        self.steps += 1;
        let extras = [self.dual.error, -self.search.value(), self.dual.reg];
        let mut bound = None;
        if self.is_last() {
            bound = self.ask(monitor)?;
            let floor = 4.0 * self.floor();
            let done = step == Step::Stuck || self.asked >= ASKED || self.error() <= 4.0 * U;
            if done {
                let fine = self.error() <= floor || bound.is_some();
                self.end = Some(if fine { Status::RoundingFloor } else { Status::Stalled });
            }
            if self.steps.is_multiple_of(PATIENCE) {
                let (value, error) = (self.search.value(), self.error());
                let moved = 1e-12 * self.problem.scale * self.problem.mass;
                if value > self.before.0 - moved && error > 0.99 * self.before.1 {
                    let fine = error <= floor;
                    self.end = Some(if fine { Status::RoundingFloor } else { Status::Stalled });
                }
                self.before = (value, error);
            }
        } else if step == Step::Stuck || self.error() <= STAGE {
            self.next_stage(monitor)?;
        }
        Ok(Progress { units: 1, bound, extras })
    }

    fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
        self.end
    }

    fn finish(mut self, status: Status, mut monitor: Monitor<'_>) -> Result<Solution, OtError> {
        let problem = self.problem;
        if !self.is_last() {
            // The potentials of an earlier stage are judged at the final reg too.
            self.dual.reg = problem.reg;
            self.search.start(&mut self.dual, &mut monitor)?;
        }
        let p = self.p();
        let judged = certify(problem, &p, &self.dual.f, &self.dual.g, &mut monitor)?;
        let (f, g) = all_potentials(problem, self.given, &self.dual.f, &self.dual.g, &mut monitor)?;
        let (error, passes, floor) = (self.dual.error, self.dual.passes, self.floor());
        let outcome = Outcome::new(monitor.end(status), Some(judged.certificate));
        let outcome = explained(outcome, error / problem.mass, floor);
        Ok(Solution {
            p,
            value: judged.value,
            lower: judged.lower,
            upper: judged.upper,
            f,
            g,
            marginal_error: error,
            passes,
            stages: self.stages,
            outcome,
        })
    }
}

/// Potentials in the caller's order; histograms of weight 0 get `f = 0` and the g that answers it.
fn all_potentials<T: Entry>(
    problem: &Problem<'_, T>,
    given: &[f64],
    f: &[f64],
    g: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<(Vec<f64>, Vec<f64>), OtError> {
    let (n, m) = (problem.n, problem.m);
    let (mut all_f, mut all_g) = (vec![0.0; problem.given * n], vec![0.0; problem.given * m]);
    for (at, &k) in problem.active.iter().enumerate() {
        all_f[k * n..(k + 1) * n].copy_from_slice(&f[at * n..(at + 1) * n]);
        all_g[k * m..(k + 1) * m].copy_from_slice(&g[at * m..(at + 1) * m]);
    }
    if problem.active.len() < problem.given {
        let (zero, mut columns) = (vec![0.0; f.len()], vec![f64::NAN; g.len()]);
        transform(problem, Side::Columns, problem.reg, &zero, &mut columns, monitor)?;
        for k in (0..problem.given).filter(|k| !problem.active.contains(k)) {
            for j in 0..m {
                all_g[k * m + j] = columns[j] + problem.reg * given[k * m + j].ln();
            }
        }
    }
    Ok((all_f, all_g))
}

fn explained(outcome: Outcome, error: f64, floor: f64) -> Outcome {
    let bound = outcome.certificate.as_ref().map_or(f64::NAN, |c| c.bound);
    match outcome.status {
        Status::RoundingFloor => outcome.with_message(format!(
            "rounding allows no smaller bound than {bound:.3e} for these data (row sums hold to {floor:.1e}); raise reg \
             or tol, or pass float64 arrays if they are float32"
        )),
        Status::Stalled => outcome.with_message(format!(
            "the dual value and the row error {error:.3e} no longer move; raise reg, or pass this result as x0 to go on"
        )),
        _ => outcome,
    }
}

/// Solves the problem. `given` holds all of the caller's histograms, `start` potentials f of the active ones.
pub fn solve<T: Entry>(
    problem: &Problem<'_, T>,
    given: &[f64],
    start: Option<Vec<f64>>,
    budget: Budget,
    observer: &mut dyn Observer,
) -> Result<Solution, OtError> {
    let tol = budget.tol;
    drive(Stages::new(problem, given, start, tol), budget, observer)
}
