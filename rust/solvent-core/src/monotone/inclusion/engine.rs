//! The run: exact points from a scheme, measured, guarded and certified.

use super::InclusionError;
use super::certify::{Judged, Payload, Terms, judge};
use super::constants::{cosine, estimate, known, ratio, settle};
use super::options::{Method, Options, Problem};
use super::solve::Solution;
use super::stages::{self, Stage};
use crate::base::error::Aborted;
use crate::base::monitor::{self, Monitor, Progress};
use crate::base::outcome::Outcome;
use crate::base::status::Status;
use crate::monotone::operator::Constants;
use crate::monotone::scheme::{Context, Point, Scheme};
use crate::monotone::vector::{difference, norm};

/// The guard fires where the residual is this many times the best.
const GROWTH: f64 = 1e3;
/// How often it may.
const HALVINGS: u32 = 40;
/// Passes without a new best residual, at least; beyond that half of all so far. Deterministic methods on saddles turn
/// for hundreds of steps, bilinear ones on sets for more than two thousand, before the residual falls again.
const PATIENCE: f64 = 5000.0;
/// Passes without a new best residual after which a run is asked whether rounding is all that is left; again after each
/// doubling.
const LOOK: f64 = 200.0;
/// What counts as new. Anchored methods drift for long at almost the same residual where the solution is far.
const NEW: f64 = 1.0 - 1e-9;
/// A failed certificate is tried again where the residual has fallen by this.
const AGAIN: f64 = 0.7;

/// A pair that was judged.
struct Candidate {
    x: Vec<f64>,
    g: Option<Vec<f64>>,
    judged: Judged,
    h: f64,
}

/// The problem as the caller sees it, and in the coordinates `û = u/scale` of the run.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    /// As the caller sees it.
    pub caller: Problem<'a>,
    /// In the run's coordinates.
    pub inner: Problem<'a>,
    /// What they are scaled by.
    pub scale: Option<&'a [f64]>,
}

impl Run<'_> {
    /// `u = scale û`, or where `up` is false `û = u/scale`.
    fn convert(&self, vector: &mut [f64], up: bool) {
        let Some(scale) = self.scale else { return };
        for (x, s) in vector.iter_mut().zip(scale) {
            *x = if up { *x * s } else { *x / s };
        }
    }
}

/// A run, as the one loop sees it.
pub(super) struct Engine<'a> {
    run: Run<'a>,
    problem: Problem<'a>,
    options: &'a Options,
    context: Context<'a>,
    scheme: Box<dyn Scheme>,
    stage: Stage,
    at: Point,
    best: Point,
    /// Residual at the start.
    first: f64,
    scale: f64,
    /// Evaluations before the first step.
    prepared: u64,
    /// Passes without a new best residual at which the next look is due.
    look: f64,
    /// The best residual that counted as new, and the evaluations it took.
    landmark: (f64, u64),
    retried: bool,
    halvings: u32,
    /// Restarts of schemes that were given up.
    restarts: u64,
    /// The most negative `<F(u) - F(v), u - v>` seen.
    negative: Option<f64>,
    /// A certificate is tried below this residual.
    attempt_below: f64,
    candidate: Option<Candidate>,
    ended: Option<(Status, String)>,
}

impl<'a> Engine<'a> {
    /// Evaluates F at the start, settles constants, scale and method.
    pub fn prepare(
        run: Run<'a>,
        options: &'a Options,
        mut start: Vec<f64>,
        monitor: &mut Monitor<'_>,
    ) -> Result<Self, Aborted> {
        let problem = run.inner;
        run.convert(&mut start, false);
        let mut context = Context::new(problem.operator, problem.prox, options.eta, options.seed);
        context.metric = run.scale;
        let mut f = vec![0.0; start.len()];
        context.full(&start, &mut f, monitor)?;
        let mut ended = None;
        let mut at = Point::new(start, f, &context)?;
        let start = at.u.clone();
        let finite = at.residual.is_finite();
        if !finite {
            ended = Some((Status::Diverged, not_finite(&at, 1.0)));
        } else if at.residual == 0.0 {
            // Stationary for one step is stationary for all: nothing else has to be known.
            context.constants = known(options).unwrap_or(context.constants);
        } else {
            context.constants = settle(problem, options, &at, &mut context, monitor)?;
        }
        let (method, stage) = match options.method {
            Method::Auto => stages::first(problem, context.constants),
            method => (method, Stage::Settled),
        };
        let scheme = stages::scheme(method, problem, options);
        context.h = scheme.probe(&context);
        if finite {
            at.measure(&context)?;
        }
        if problem.operator.components() > 1 {
            let root = context.root() + 1;
            context.arrange(options.batch.unwrap_or(root).max(root), options.memory_limit);
        }
        let scale =
            if options.relative { scale(&run, options, &at, &start, &mut context, monitor)? } else { 1.0 };
        let mut engine = Self {
            run,
            problem,
            options,
            scheme,
            stage,
            best: at.clone(),
            first: at.residual,
            scale,
            prepared: context.evaluations,
            look: LOOK,
            landmark: (at.residual, context.evaluations),
            retried: false,
            halvings: 0,
            restarts: 0,
            negative: None,
            attempt_below: f64::INFINITY,
            candidate: None,
            ended,
            at,
            context,
        };
        if let Some(guess) = options.guess.clone().filter(|_| engine.ended.is_none()) {
            engine.begin_at(guess, monitor)?;
        }
        let n = engine.context.n as u64;
        engine.context.stop_at = engine.prepared.saturating_add(options.budget.maxiter.saturating_mul(n));
        engine.scheme.begin(&engine.at, &engine.context);
        Ok(engine)
    }

    /// Moves to a point that is better than the start, which has fixed constants and scale; not if it is worse.
    fn begin_at(&mut self, mut guess: Vec<f64>, monitor: &mut Monitor<'_>) -> Result<(), Aborted> {
        self.run.convert(&mut guess, false);
        let mut f = vec![0.0; guess.len()];
        self.context.full(&guess, &mut f, monitor)?;
        let point = Point::new(guess, f, &self.context)?;
        if point.residual < self.at.residual {
            self.best = point.clone();
            self.at = point;
            self.landmark = (self.at.residual, self.context.evaluations);
        }
        self.prepared = self.context.evaluations;
        Ok(())
    }

    fn passes(&self) -> f64 {
        self.context.evaluations as f64 / self.context.n as f64
    }

    /// The pair that a point stands for, judged.
    fn judge(&mut self, point: &Point, monitor: &mut Monitor<'_>) -> Result<Candidate, Aborted> {
        let h = self.context.h;
        let single = |x: &mut Vec<f64>| {
            if self.options.single {
                x.iter_mut().for_each(|x| *x = f64::from(*x as f32));
            }
        };
        let (mut x, mut g) = (point.u.clone(), None);
        if self.problem.prox.is_some() {
            x.clone_from(&point.next);
            let pull = |j: usize| (point.u[j] - h * point.f[j] - x[j]) / h;
            let mut pulls: Vec<f64> = (0..x.len()).map(pull).collect();
            self.run.convert(&mut pulls, false);
            single(&mut pulls);
            g = Some(pulls);
        }
        self.run.convert(&mut x, true);
        single(&mut x);
        let known = (self.run.scale.is_none() && x == point.u).then_some(point.f.as_slice());
        let payload = Payload { x: &x, g: g.as_deref(), h, known };
        let terms = Terms { scale: self.scale, relative: self.options.relative, mu: self.options.mu };
        let caller = self.run.caller;
        let judged = judge(caller.operator, caller.prox, payload, terms, monitor)?;
        self.context.evaluations += judged.evaluations * self.context.n as u64;
        Ok(Candidate { x, g, judged, h })
    }

    /// The bound of the current point: its certificate where that may meet the target, else what its residual allows.
    fn bound(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, Aborted> {
        let (residual, tol) = (self.at.measured, self.options.budget.tol);
        let cheap = residual / self.scale;
        if !cheap.is_finite() {
            return Ok(None);
        }
        if cheap > tol && residual > 0.0 {
            // |F(u⁺) + g| <= (1 + hL) |u - u⁺|/h where L is a Lipschitz constant.
            let factor = if self.problem.prox.is_some() {
                1.0 + self.context.h * self.context.constants.full
            } else {
                1.0
            };
            return Ok(Some(factor * cheap));
        }
        if residual > self.attempt_below {
            return Ok(None);
        }
        self.attempt_below = AGAIN * residual;
        let point = self.at.clone();
        let candidate = self.judge(&point, monitor)?;
        let (bound, judged) = (candidate.judged.certificate.bound, &candidate.judged);
        if residual == 0.0 && judged.residual == 0.0 {
            self.ended = Some((Status::Converged, Status::Converged.describe().to_owned()));
        } else if bound > tol {
            let rounded = self.options.single && judged.residual > 4.0 * residual.max(judged.noise);
            if rounded || judged.residual <= 4.0 * judged.noise {
                self.ended = Some((Status::RoundingFloor, floor(bound)));
            }
        }
        if self.candidate.as_ref().is_none_or(|old| bound < old.judged.certificate.bound) {
            self.candidate = Some(candidate);
        }
        Ok(Some(bound))
    }

    /// Back to the best point, as a new beginning.
    fn fall_back(&mut self) -> Result<(), Aborted> {
        self.context.h = self.scheme.probe(&self.context);
        self.best.measure(&self.context)?;
        self.at = self.best.clone();
        self.scheme.begin(&self.at, &self.context);
        Ok(())
    }

    /// Another method, from the best point; of methods that take turns from the current one.
    fn change(&mut self, method: Method) -> Result<(), Aborted> {
        self.restarts += self.scheme.restarts();
        self.scheme = stages::scheme(method, self.problem, self.options);
        if self.stage.takes_turns() {
            // Residuals of methods that turn say little of the distance: the best point may lie turns behind.
            self.context.h = self.scheme.probe(&self.context);
            self.best.measure(&self.context)?;
            self.at.measure(&self.context)?;
            self.scheme.begin(&self.at, &self.context);
            return Ok(());
        }
        self.landmark = (self.best.residual, self.context.evaluations);
        self.look = LOOK;
        self.fall_back()
    }

    /// What the step from `before` to the current point says of the constants; true where it had to be undone.
    fn check(&mut self, before: &Point) -> Result<bool, Aborted> {
        if !(self.at.residual.is_finite() && self.at.residual <= GROWTH * self.best.residual) {
            self.halvings += 1;
            if self.halvings > HALVINGS {
                self.ended = Some((Status::Diverged, self.grown()));
                return Ok(true);
            }
            self.context.halve();
            self.fall_back()?;
            return Ok(true);
        }
        let (change, step) = (difference(&self.at.f, &before.f), difference(&self.at.u, &before.u));
        // Differences that are mostly rounding say nothing.
        let size = norm(&before.f) + self.context.constants.full * norm(&before.u);
        if norm(&change) <= 1e-9 * size {
            return Ok(false);
        }
        let angle = cosine(&change, &step);
        if angle < -1e-8 {
            let product = angle * norm(&change) * norm(&step);
            self.negative = Some(self.negative.map_or(product, |old| old.min(product)));
        }
        let ratio = ratio(&change, &step, self.problem.kind);
        if self.options.eta.is_none() && ratio > 1.05 * self.context.constants.full {
            let raised = 1.1 * ratio;
            let average = self.context.constants.average * (raised / self.context.constants.full);
            self.context.constants = Constants { full: raised, average };
            if self.at.residual < self.best.residual {
                self.best = self.at.clone();
            }
            self.fall_back()?;
        }
        Ok(false)
    }

    /// Where patience is at an end: once more with half the step, then no more.
    fn watch(&mut self, monitor: &mut Monitor<'_>) -> Result<(), Aborted> {
        if self.best.residual < NEW * self.landmark.0 {
            self.landmark = (self.best.residual, self.context.evaluations);
            self.look = LOOK;
            return Ok(());
        }
        let n = self.context.n as f64;
        let waited = (self.context.evaluations - self.landmark.1) as f64 / n;
        if waited <= self.look {
            return Ok(());
        }
        self.look = 2.0 * waited;
        let patient = waited <= PATIENCE.max((self.context.evaluations - self.prepared) as f64 / n / 2.0);
        let point = self.best.clone();
        let candidate = self.judge(&point, monitor)?;
        let judged = &candidate.judged;
        let size = norm(&point.f) + self.context.constants.full * norm(&point.u);
        let dust = if judged.noise.is_nan() {
            16.0 * f64::EPSILON * size.max(self.context.constants.full * norm(&candidate.x))
        } else {
            4.0 * judged.noise
        };
        let rounded = self.options.single && judged.residual > 4.0 * point.measured;
        if judged.residual <= dust || rounded {
            self.ended = Some((Status::RoundingFloor, floor(judged.certificate.bound)));
        } else if patient {
            // It may go on.
        } else if self.retried {
            self.ended = Some((Status::Stalled, self.stuck(waited)));
        } else {
            self.retried = true;
            self.context.halve();
            self.landmark.1 = self.context.evaluations;
            self.look = LOOK;
            self.fall_back()?;
        }
        if self.candidate.as_ref().is_none_or(|old| judged_bound(&candidate) < judged_bound(old)) {
            self.candidate = Some(candidate);
        }
        Ok(())
    }

    fn hint(&self) -> String {
        match self.negative {
            Some(product) => format!("F is not monotone: <F(u) - F(v), u - v> = {product:.3e} was seen"),
            None => {
                "either there is no solution, or another method or a smaller eta has to be tried".to_owned()
            }
        }
    }

    fn stuck(&self, waited: f64) -> String {
        format!(
            "no new best residual in {waited:.0} passes, also with half the step; the best is {:.3e}. {}",
            self.best.measured,
            self.hint()
        )
    }

    fn grown(&self) -> String {
        if self.at.residual.is_finite() {
            format!(
                "the residual grew {GROWTH:.0e}-fold whatever the step ({HALVINGS} halvings). {}",
                self.hint()
            )
        } else {
            not_finite(&self.at, self.passes())
        }
    }
}

/// What residuals are divided by: the start's, or what rounding makes of the terms there if that is more.
fn scale(
    run: &Run<'_>,
    options: &Options,
    at: &Point,
    start: &[f64],
    context: &mut Context<'_>,
    monitor: &mut Monitor<'_>,
) -> Result<f64, Aborted> {
    let problem = run.inner;
    let (mut value, mut origin) = (at.f.clone(), start.to_vec());
    run.convert(&mut value, false);
    run.convert(&mut origin, true);
    let mut terms = vec![0.0; origin.len()];
    if run.caller.operator.terms(&origin, &mut terms, monitor)? {
        value = terms;
    }
    let reach = f64::EPSILON.sqrt() * norm(&origin);
    let mut lipschitz = context.constants.full;
    if options.lipschitz.is_some() && reach * lipschitz > at.measured {
        // A caller's constant that is far too large must not make everything small beside it.
        let own = problem.operator.constants(monitor)?.map(|own| own.full);
        let own = match own {
            Some(own) => own,
            None => estimate(problem, &at.u, &at.f, options.seed, context, monitor)?,
        };
        lipschitz = lipschitz.min(own);
    }
    let size = norm(&value) + lipschitz * norm(&origin);
    // An earlier run's scale holds on, but not beyond what these data are of the size of.
    let scale =
        at.measured.max(f64::EPSILON.sqrt() * size).max(options.earlier.map_or(0.0, |it| it.min(size)));
    Ok(if scale > 0.0 && scale.is_finite() { scale } else { 1.0 })
}

fn judged_bound(candidate: &Candidate) -> f64 {
    candidate.judged.certificate.bound
}

fn not_finite(at: &Point, passes: f64) -> String {
    if at.f.iter().all(|f| f.is_finite()) && at.next.iter().any(|x| !x.is_finite()) {
        return format!("prox returned a value that is not finite at pass {passes:.0}");
    }
    let value = at.f.iter().find(|f| !f.is_finite()).copied().unwrap_or(at.residual);
    let value = if value.is_nan() { "nan".to_owned() } else { format!("{value}") };
    format!("F returned {value} at pass {passes:.0}; lower eta or pass L")
}

fn floor(bound: f64) -> String {
    format!("rounding allows no bound much below {bound:.2e} for these data; raise tol")
}

impl monitor::Method<3> for Engine<'_> {
    type Solution = Solution;
    type Error = InclusionError;
    const EXTRAS: [&'static str; 3] = ["residual", "restarts", "eta"];

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, InclusionError> {
        Ok(self.bound(monitor)?)
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<3>, InclusionError> {
        let mut bound = None;
        if self.ended.is_none() {
            let before = self.at.clone();
            self.scheme.advance(&mut self.at, &mut self.context, monitor)?;
            if self.at.residual < self.best.residual {
                self.best = self.at.clone();
            }
            bound = self.bound(monitor)?;
            if self.ended.is_none() {
                let guarded = self.check(&before)?;
                let passes = (self.context.evaluations - self.prepared) as f64 / self.context.n as f64;
                if let Some(method) = self.stage.review(passes, self.first, self.best.residual, guarded) {
                    self.change(method)?;
                }
            }
            if self.ended.is_none() {
                self.watch(monitor)?;
            }
        }
        let done = (self.context.evaluations - self.prepared).div_ceil(self.context.n as u64);
        let restarts = (self.restarts + self.scheme.restarts()) as f64;
        let extras = [self.at.measured, restarts, self.scheme.eta(&self.context)];
        Ok(Progress { units: done - monitor.nit(), bound, extras })
    }

    fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
        self.ended.as_ref().map(|(status, _)| *status)
    }

    fn finish(mut self, status: Status, mut monitor: Monitor<'_>) -> Result<Solution, InclusionError> {
        let point = self.best.clone();
        let tol = self.options.budget.tol;
        let settled = self.candidate.as_ref().is_some_and(|it| judged_bound(it) <= tol);
        // The candidate may be older than the best point: both are judged.
        if !settled && (status != Status::RoundingFloor || self.candidate.is_none()) {
            let last = self.judge(&point, &mut monitor)?;
            if self.candidate.as_ref().is_none_or(|old| judged_bound(&last) <= judged_bound(old)) {
                self.candidate = Some(last);
            }
        }
        let Candidate { x, g, judged, h } = self.candidate.take().expect("one was just judged");
        let certificate = judged.certificate;
        let mut outcome = Outcome::new(monitor.end(status), Some(certificate));
        if let Some((ended, message)) = &self.ended
            && *ended == outcome.status
        {
            outcome.message.clone_from(message);
        }
        if let (Status::MaxIterations | Status::MaxTime, Some(_)) = (outcome.status, self.negative) {
            outcome.message = format!("{}. {}", outcome.message, self.hint());
        }
        if outcome.status == Status::RoundingFloor && self.ended.is_none() {
            let bound = outcome.certificate.as_ref().map_or(f64::NAN, |it| it.bound);
            outcome.message = floor(bound);
        }
        Ok(Solution {
            x,
            g,
            residual: judged.residual,
            evaluations: self.context.evaluations,
            products: self.problem.operator.products() * self.passes(),
            restarts: self.restarts + self.scheme.restarts(),
            method: self.scheme.name(),
            constants: self.context.constants,
            eta: h,
            outcome,
        })
    }
}
