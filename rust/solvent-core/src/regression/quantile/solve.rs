//! Stages: a sample, the rows near its fit, a vertex, its certificate; all levels of a sequence, each from its neighbour.

use super::QuantileError;
use super::certify::{Judgement, certify};
use super::factor::Frame;
use super::interior::Interior;
use super::polish::{Vertex, polish};
use super::problem::Problem;
use super::reduce::{Origin, Selection};
use crate::base::certificate::{Certificate, Kind};
use crate::base::monitor::{Budget, Method, Monitor, Observer, Progress, drive};
use crate::base::outcome::Outcome;
use crate::base::status::Status;
use crate::base::sum::Dd;

/// Relative gap at which a sample's fit is good enough: this share of what the sample itself leaves open, d/m.
const PILOT: f64 = 0.3;
/// mu of a start from a fit, in mean absolute residuals and standard errors of the fit, `sqrt(d/m)`.
const WARM: f64 = 0.35;
/// The same of a start from a neighbouring level.
const NEIGHBOUR: f64 = 0.05;
/// Relative gaps at which a vertex is looked for.
const LEVELS: [f64; 5] = [1e-5, 1e-6, 1e-8, 1e-10, 1e-12];
/// Rows that stay out of the globs, in sample sizes: 3.7 standard errors of the sample's fit on either side, mostly.
const BAND: f64 = 1.4;
/// Wrong signs that are put right without a new sample, as a share of those rows.
const WRONG: f64 = 0.1;
/// Wrong signs that are put right by exchanges.
const FEW: usize = 2;
/// Rounds of putting right.
const ROUNDS: u32 = 6;

/// How a problem is gone about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Globs where there are rows enough.
    Auto,
    /// All rows in one program.
    Interior,
    /// Globs wherever the sample leaves rows out.
    Globs,
}

/// Where to start.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// Coefficients, the intercept last, in the caller's units.
    pub x: Vec<f64>,
    /// Rows that it interpolates, if that is known.
    pub basis: Option<Vec<usize>>,
    /// The level that it is the fit of, if that is known.
    pub tau: Option<f64>,
}

/// A fit at one level.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Coefficients, the intercept last.
    pub x: Vec<f64>,
    /// One a row.
    pub dual: Vec<f64>,
    /// Rows that are interpolated, ascending; `None` where the answer is no vertex.
    pub basis: Option<Vec<usize>>,
    /// What they prove.
    pub judgement: Judgement,
}

/// Fits at all levels.
#[derive(Debug, Clone)]
pub struct Solution {
    /// In the caller's order.
    pub answers: Vec<Answer>,
    /// Columns that were kept.
    pub rank: usize,
    /// The largest bound, and how the run ended.
    pub outcome: Outcome,
}

/// What the program at hand is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A sample, whose fit says where the rows are.
    Sample,
    /// The rows near it and two globs, or all of them.
    Whole,
}

/// The descent at one level.
struct Descent<'a, 'p> {
    problem: &'a Problem<'p>,
    frame: &'a Frame,
    tau: f64,
    tol: f64,
    start: Option<Start>,
    stage: Stage,
    selection: Selection,
    program: Interior,
    /// Rows of a sample.
    m: usize,
    globs: bool,
    rounds: u32,
    samples: u32,
    /// Of [`LEVELS`], the next.
    level: usize,
    /// The basis of the program before this one.
    basis: Option<Vec<Origin>>,
    best: Option<Answer>,
    end: Option<Status>,
}

impl<'a, 'p> Descent<'a, 'p> {
    fn new(
        problem: &'a Problem<'p>,
        frame: &'a Frame,
        tau: f64,
        tol: f64,
        route: Route,
        start: Option<Start>,
    ) -> Self {
        let (n, d) = (problem.count() as f64, frame.rank() as f64);
        let own = problem.sample_size(frame.rank());
        let m = own.unwrap_or_else(|| (d.sqrt() * n.powf(2.0 / 3.0)).ceil() as usize);
        let globs = match route {
            Route::Auto => own.is_some(),
            Route::Interior => false,
            Route::Globs => true,
        };
        Self {
            problem,
            frame,
            tau,
            tol,
            start,
            stage: Stage::Whole,
            selection: Selection { class: Vec::new(), middle: Vec::new(), globs: Vec::new(), share: 1.0 },
            program: Interior::new(0, 0),
            m,
            globs,
            rounds: 0,
            samples: 0,
            level: 0,
            basis: None,
            best: None,
            end: None,
        }
    }

    /// How far from the boundary the interior point starts near the fit of a sample.
    fn near(&self) -> f64 {
        WARM * (self.frame.rank() as f64 / self.m.max(1) as f64).sqrt().clamp(0.005, 0.15)
    }

    /// Whether nothing is left to be done: no column, no row, no right side.
    fn trivial(&self) -> bool {
        let zero = |k: usize| self.problem.b[self.problem.index(k)] == 0.0;
        self.frame.rank() == 0 || (0..self.problem.count()).all(zero)
    }

    /// Draws a sample, or takes all rows where that would be half of them.
    fn sample(&mut self, monitor: &mut Monitor<'_>) -> Result<(), QuantileError> {
        let (problem, frame) = (self.problem, self.frame);
        self.level = 0;
        self.rounds = 0;
        self.basis = None;
        if self.globs && self.m <= problem.count() / 2 {
            self.stage = Stage::Sample;
            self.selection = Selection::sample(problem, self.m, self.samples);
            self.samples += 1;
        } else {
            self.stage = Stage::Whole;
            self.selection = Selection::all(problem);
        }
        self.program = self.selection.program(problem, frame, self.tau, monitor)?;
        self.program.start(None, monitor)
    }

    /// Globs the rows that are far from the fit x (in the frame).
    fn glob(
        &mut self,
        x: &[f64],
        sampled: &[u32],
        shift: f64,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), QuantileError> {
        let (problem, frame) = (self.problem, self.frame);
        let coefficients = frame.coefficients(x, problem.width());
        let most = (BAND * self.m as f64) as usize;
        self.selection = Selection::banded(problem, frame, &coefficients, sampled, (most, shift), monitor)?;
        self.stage = Stage::Whole;
        self.level = 0;
        self.program = self.selection.program(problem, frame, self.tau, monitor)?;
        let near = if shift == 0.0 { self.near() } else { NEIGHBOUR };
        self.program.start(Some((x, near)), monitor)
    }

    /// Begins from an earlier answer: its basis where all rows are there, else its band.
    fn warm(&mut self, start: &Start, monitor: &mut Monitor<'_>) -> Result<(), QuantileError> {
        let (problem, frame) = (self.problem, self.frame);
        let x = frame.from_coefficients(&problem.from_caller(&start.x));
        if self.globs && self.m <= problem.count() / 2 {
            let sampled = Selection::sample(problem, self.m, 0).middle;
            let shift = start.tau.map_or(0.0, |tau| self.tau - tau);
            self.glob(&x, &sampled, shift, monitor)?;
        } else {
            self.sample(monitor)?;
            self.program.start(Some((&x, NEIGHBOUR)), monitor)?;
        }
        self.basis = start.basis.as_ref().map(|rows| rows.iter().map(|&i| Origin::Row(i as u32)).collect());
        Ok(())
    }

    /// A vertex of the program as an answer to the problem.
    fn judge(
        &mut self,
        x: &[f64],
        dual: impl Fn(usize) -> f64,
        monitor: &mut Monitor<'_>,
    ) -> Result<(Vec<f64>, Vec<f64>, Judgement), QuantileError> {
        let problem = self.problem;
        let x = problem.to_caller(&self.frame.coefficients(x, problem.width()));
        let dual = self.selection.dual(problem, self.tau, dual);
        let judgement = certify(problem, self.frame, self.tau, &x, &dual, monitor)?;
        Ok((x, dual, judgement))
    }

    /// How a run ends that has found a vertex: with `tol = 0` that is all that was asked for.
    fn done(&self) -> Status {
        if self.tol == 0.0 { Status::Converged } else { Status::RoundingFloor }
    }

    fn keep(&mut self, answer: Answer) {
        let better = |old: &Answer| answer.judgement.certificate.bound < old.judgement.certificate.bound;
        if self.best.as_ref().is_none_or(better) {
            self.best = Some(answer);
        }
    }

    /// Judges a vertex. Rows with the wrong sign go back into the program; what rounding left of A^T a is taken off the
    /// basis once.
    fn settle(&mut self, vertex: &Vertex, monitor: &mut Monitor<'_>) -> Result<f64, QuantileError> {
        let (x, mut dual, mut judgement) = self.judge(&vertex.x, |k| vertex.dual[k], monitor)?;
        let origins = self.selection.origins(self.problem, self.frame, &vertex.basis);
        if self.tol == 0.0 || judgement.certificate.bound > self.tol {
            let wrong = self.selection.wrong(self.problem, &judgement.residual);
            if !wrong.is_empty() {
                let bound = judgement.certificate.bound;
                self.keep(Answer { x, dual, basis: None, judgement });
                self.repair(&wrong, origins, monitor)?;
                return Ok(bound);
            }
            let improved = self.balanced(vertex, &origins, &dual, &judgement);
            let again = certify(self.problem, self.frame, self.tau, &x, &improved, monitor)?;
            if again.certificate.bound < judgement.certificate.bound {
                (dual, judgement) = (improved, again);
            }
        }
        let bound = judgement.certificate.bound;
        let mut basis: Vec<usize> = origins.iter().filter_map(Origin::row).collect();
        basis.sort_unstable();
        self.keep(Answer { x, dual, basis: Some(basis), judgement });
        self.end = Some(self.done());
        Ok(bound)
    }

    /// The dual with A^T a taken off the basis.
    fn balanced(&self, vertex: &Vertex, origins: &[Origin], dual: &[f64], judgement: &Judgement) -> Vec<f64> {
        let gradient = self.frame.gradient(&judgement.gradient);
        let mut dual = dual.to_vec();
        for (k, origin) in origins.iter().enumerate() {
            if let Origin::Row(i) = origin {
                let column = vertex.inverse.column(k).iter().zip(&gradient);
                let excess = column.fold(Dd::ZERO, |s, (n, g)| s + Dd::from(*n) * *g).to_f64();
                let weight = self.problem.weight(*i as usize) / self.problem.unit_w;
                dual[*i as usize] -= weight * excess;
            }
        }
        dual
    }

    /// Puts rows back into the program, or draws a larger sample where there are too many.
    fn repair(
        &mut self,
        wrong: &[u32],
        basis: Vec<Origin>,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), QuantileError> {
        self.rounds += 1;
        if wrong.len() as f64 > WRONG * BAND * self.m as f64 || self.rounds > ROUNDS {
            self.m *= 2;
            return self.sample(monitor);
        }
        let x = self.program.x.clone();
        self.selection.release(self.problem, wrong);
        self.program = self.selection.program(self.problem, self.frame, self.tau, monitor)?;
        self.program.start(Some((&x, self.near())), monitor)?;
        self.level = 0;
        // Each wrong sign moves the dual on the whole basis: exchanges pay for a few only.
        self.basis = (wrong.len() <= FEW).then_some(basis);
        Ok(())
    }

    /// Looks for a vertex: near the basis held, if there is one, else near the interior point.
    fn vertex(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<Vertex>, QuantileError> {
        let rank = self.frame.rank();
        let held = self.basis.take();
        let first = held.and_then(|origins| self.selection.places(self.problem, self.frame, &origins));
        let last = self.level + 1 == LEVELS.len() || self.program.stuck;
        let pivots = if last { 2 * rank } else { rank / 2 + 10 };
        polish(&self.program, self.selection.special(), first, pivots, monitor)
    }

    /// What is reached so far, as an answer.
    fn answer(mut self, monitor: &mut Monitor<'_>) -> Result<(Answer, Option<Status>), QuantileError> {
        if self.best.is_none() {
            let x = self.program.x.clone();
            let (x, dual) = if self.program.width == 0 {
                (vec![0.0; self.problem.width()], vec![0.0; self.problem.rows()])
            } else if self.stage == Stage::Sample {
                let x = self.frame.coefficients(&x, self.problem.width());
                (self.problem.to_caller(&x), vec![0.0; self.problem.rows()])
            } else {
                let x = self.frame.coefficients(&x, self.problem.width());
                let dual = self.selection.dual(self.problem, self.tau, |k| interior_dual(&self.program, k));
                (self.problem.to_caller(&x), dual)
            };
            let judgement = certify(self.problem, self.frame, self.tau, &x, &dual, monitor)?;
            self.keep(Answer { x, dual, basis: None, judgement });
        }
        Ok((self.best.expect("kept above"), self.end))
    }
}

/// The dual of row k of a program, in the middle of things.
fn interior_dual(program: &Interior, k: usize) -> f64 {
    let (slab, at) = program.place(k);
    let slab = &program.slabs[slab];
    (slab.p[at] + slab.lo[at]).clamp(slab.lo[at], slab.hi[at])
}

impl Method<2> for Descent<'_, '_> {
    type Solution = (Answer, Outcome);
    type Error = QuantileError;
    const EXTRAS: [&'static str; 2] = ["objective", "gap"];

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, QuantileError> {
        if self.trivial() {
            let problem = self.problem;
            let x = vec![0.0; problem.width()];
            let caller = |i: usize| problem.weight(i) / problem.unit_w;
            let end = |(i, b): (usize, &f64)| {
                if *b == 0.0 { 0.0 } else { caller(i) * if *b > 0.0 { self.tau } else { self.tau - 1.0 } }
            };
            let dual: Vec<f64> = problem.b.iter().enumerate().map(end).collect();
            let judgement = certify(problem, self.frame, self.tau, &x, &dual, monitor)?;
            let bound = judgement.certificate.bound;
            self.keep(Answer { x, dual, basis: Some(Vec::new()), judgement });
            self.end = Some(self.done());
            return Ok(Some(bound));
        }
        match self.start.take() {
            Some(start) => self.warm(&start, monitor)?,
            None => self.sample(monitor)?,
        }
        Ok(None)
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<2>, QuantileError> {
        let mut bound = None;
        if self.end.is_none() {
            bound = self.advance(monitor)?;
        }
        let units = |value: f64| self.problem.objective(value);
        let judged = self.best.as_ref().filter(|_| self.end.is_some()).map(|best| &best.judgement);
        let extras = judged.map_or([units(self.program.objective), units(self.program.gap)], |judged| {
            [judged.objective, judged.gap]
        });
        Ok(Progress { units: 1, bound, extras })
    }

    fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
        self.end
    }

    fn finish(self, status: Status, mut monitor: Monitor<'_>) -> Result<Self::Solution, QuantileError> {
        let (answer, _) = self.answer(&mut monitor)?;
        let outcome = Outcome::new(monitor.end(status), Some(answer.judgement.certificate.clone()));
        Ok((answer, outcome))
    }
}

impl Descent<'_, '_> {
    /// One step of the interior point, and what its gap allows.
    fn advance(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, QuantileError> {
        if self.basis.is_some() {
            // An exchange or a few from the basis of a neighbour costs less than an interior point.
            if let Some(vertex) = self.vertex(monitor)? {
                return self.settle(&vertex, monitor).map(Some);
            }
        }
        self.program.step(monitor)?;
        let scale = self.program.objective + 1e-15 * self.program.size;
        let relative = self.program.gap / scale;
        if self.stage == Stage::Sample {
            let pilot = (PILOT * self.frame.rank() as f64 / self.m as f64).clamp(1e-6, 1e-3);
            if relative <= pilot || self.program.stuck {
                let sampled = std::mem::take(&mut self.selection.middle);
                let x = self.program.x.clone();
                self.glob(&x, &sampled, 0.0, monitor)?;
            }
            return Ok(None);
        }
        if relative > LEVELS[self.level] && !self.program.stuck {
            return Ok(None);
        }
        if let Some(vertex) = self.vertex(monitor)? {
            return self.settle(&vertex, monitor).map(Some);
        }
        self.level += 1;
        if self.level < LEVELS.len() && !self.program.stuck {
            return Ok(None);
        }
        // No vertex: the interior point is the answer.
        let program = std::mem::replace(&mut self.program, Interior::new(0, 0));
        let (x, dual, judgement) = self.judge(&program.x, |k| interior_dual(&program, k), monitor)?;
        self.program = program;
        let bound = judgement.certificate.bound;
        let wrong = self.selection.wrong(self.problem, &judgement.residual);
        self.keep(Answer { x, dual, basis: None, judgement });
        if !wrong.is_empty() && bound > self.tol {
            self.repair(&wrong, Vec::new(), monitor)?;
            self.basis = None;
            return Ok(Some(bound));
        }
        if !self.selection.globs.is_empty() && bound > self.tol {
            // Nothing that a sample can see, weights of a few rows for instance: all rows, one by one.
            self.globs = false;
            self.sample(monitor)?;
            return Ok(Some(bound));
        }
        self.end = Some(Status::Stalled);
        Ok(Some(bound))
    }
}

/// Fits at every level of `taus`, which are strictly between 0 and 1, in ascending order, each from the one before.
pub fn solve(
    problem: &mut Problem<'_>,
    taus: &[f64],
    route: Route,
    start: Option<Start>,
    budget: Budget,
    observer: &mut dyn Observer,
) -> Result<Solution, QuantileError> {
    let mut monitor = Monitor::new(budget, observer, &["objective", "gap"]);
    let frame = Frame::new(problem, &mut monitor)?;
    let problem = &*problem;
    let mut order: Vec<usize> = (0..taus.len()).collect();
    order.sort_by(|&i, &j| taus[i].total_cmp(&taus[j]));
    let mut answers: Vec<Option<Answer>> = vec![None; taus.len()];
    let (mut start, mut ending) = (start, None);
    for (k, &i) in order.iter().enumerate() {
        if k > 0 {
            monitor.begin_stage();
        }
        let mut descent = Descent::new(problem, &frame, taus[i], budget.tol, route, start.take());
        let status = drive(&mut descent, &mut monitor)?;
        let (answer, _) = descent.answer(&mut monitor)?;
        if status != Status::Converged && ending.is_none() {
            ending = Some(status);
        }
        start = Some(Start { x: answer.x.clone(), basis: answer.basis.clone(), tau: Some(taus[i]) });
        answers[i] = Some(answer);
    }
    let answers: Vec<Answer> = answers.into_iter().flatten().collect();
    let certificate = joined(&answers, &frame);
    let outcome = Outcome::new(monitor.end(ending.unwrap_or(Status::Converged)), Some(certificate));
    let outcome = explained(outcome, problem, &frame);
    Ok(Solution { answers, rank: frame.rank(), outcome })
}

/// One certificate for all levels: the only one's, or the largest bound with every level's in its parts.
fn joined(answers: &[Answer], frame: &Frame) -> Certificate {
    match answers {
        [] => Certificate::new(Kind::DualityGap, 0.0),
        [one] => one.judgement.certificate.clone(),
        many => join(many.iter().map(|answer| &answer.judgement.certificate), frame.proven),
    }
}

/// The largest bound, with every one in the parts. Exact fits beside gaps prove no gap of their own.
pub fn join<'a>(certificates: impl Iterator<Item = &'a Certificate> + Clone, proven: bool) -> Certificate {
    let largest = certificates.clone().map(|c| c.bound).fold(0.0f64, f64::max);
    let mut exact = certificates.clone().map(|c| c.kind == Kind::BackwardError);
    let (some, all) = (exact.clone().any(|exact| exact), exact.all(|exact| exact));
    let whole = Certificate::new(if all { Kind::BackwardError } else { Kind::DualityGap }, largest);
    let proven = all || (proven && !some);
    let whole = if proven { whole } else { whole.estimate() };
    certificates.enumerate().fold(whole, |whole, (k, c)| whole.part(format!("bound_{k}"), c.bound))
}

fn explained(outcome: Outcome, problem: &Problem<'_>, frame: &Frame) -> Outcome {
    let (rank, width) = (frame.rank(), problem.width());
    let bound = outcome.certificate.as_ref().map_or(f64::NAN, |c| c.bound);
    let exact = outcome.certificate.as_ref().is_some_and(|c| c.kind == Kind::BackwardError);
    let mut message = match outcome.status {
        Status::RoundingFloor => format!(
            "rounding allows no smaller bound than {bound:.1e} for these data; raise tol, or pass float64 arrays if they \
             are float32"
        ),
        Status::Stalled => format!(
            "no vertex was found near the interior point, whose bound is {bound:.1e}; raise tol, or scale the columns"
        ),
        _ => outcome.message.clone(),
    };
    if rank < width {
        message += &format!("; rank {rank} of {width}: dependent columns have coefficient 0");
    }
    if exact {
        message += "; the fit is exact to the rounding of the data";
    } else if !frame.proven {
        message +=
            "; the columns are too dependent in float64 for a proof: the bound is that of the kept columns";
    }
    outcome.with_message(message)
}
