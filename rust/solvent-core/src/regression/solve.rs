//! Least squares: factor, then refinement, each step one pass that also certifies the point it starts from.

use super::certify::{Core, Evidence, backward, backward_near, forward, from_moments};
use super::error::RegressionError;
use super::factor::frobenius;
use super::finding::Finding;
pub use super::finding::Solution;
use super::gradients::{self, Goal};
use super::message::{Facts, describe};
use super::options::{Accuracy, Options, Route};
use super::problem::Problem;
use super::reading::{Points, Reading, read, read_precisely};
use super::route;
use super::scaling::{Moments, ldexp};
use super::wide::Wide;
use crate::base::certificate::Certificate;
use crate::base::monitor::{self, Budget, Method, Monitor, Observer, Progress};
use crate::base::outcome::Outcome;
use crate::base::status::Status;
use crate::base::sum::Dd;

/// Solves a problem.
pub fn solve(
    problem: &mut Problem<'_>,
    options: &Options,
    budget: Budget,
    observer: &mut dyn Observer,
) -> Result<Solution, RegressionError> {
    let mut monitor = Monitor::new(budget, observer, &Refinement::EXTRAS);
    if let Some(mut wide) = Wide::prepare(problem, options, &mut monitor)? {
        let status = monitor::drive(&mut wide, &mut monitor)?;
        return wide.finish(status, monitor);
    }
    let mut method = Refinement::new(problem, options);
    let status = monitor::drive(&mut method, &mut monitor)?;
    method.finish(status, monitor)
}

/// Judges coefficients as they are: the same passes and bounds as [`solve`], no step.
pub fn certify(
    problem: &mut Problem<'_>,
    options: &Options,
    x: &[Vec<f64>],
    x_lo: Option<&[Vec<f64>]>,
    base: Option<&[Vec<f64>]>,
    tol: f64,
    observer: &mut dyn Observer,
) -> Result<Certificate, RegressionError> {
    let mut monitor = Monitor::new(Budget::new(tol, 1), observer, &Refinement::EXTRAS);
    if let Some(mut wide) = Wide::prepare(problem, options, &mut monitor)? {
        return wide.certify(x, &mut monitor);
    }
    let mut method = Refinement::new(problem, options);
    method.prepare(false, &mut monitor)?;
    let moments = method.moments();
    let (n, k) = (moments.order(), x.len());
    let balance = |x: &[Vec<f64>]| -> Vec<Vec<f64>> {
        (0..k).map(|c| (0..n).map(|j| moments.balanced(x[c][j], j, c)).collect()).collect()
    };
    let lo = x_lo.map_or_else(|| vec![vec![0.0; n]; k], balance);
    let points = Points { y: balance(x), lo };
    if let Some(base) = base {
        let base = Points::plain(balance(base));
        let read = method.evaluate(base, false, &mut monitor)?;
        if let Some(finding) = method.near(&read, &points, tol) {
            return Ok(method.certificate(&finding));
        }
    }
    let mut finding = method.evaluate(points, true, &mut monitor)?;
    method.look_ahead(&mut finding, &mut monitor)?;
    finding.estimate(tol);
    Ok(method.certificate(&finding))
}

mod proof;

struct Refinement<'p, 'a> {
    problem: &'p mut Problem<'a>,
    options: &'p Options,
    moments: Option<Moments>,
    found: Option<route::Found>,
    /// Where the refinement starts, if something better than zero is known.
    start: Option<Vec<Vec<f64>>>,
    /// Rounds of corrections.
    rounds: usize,
    next: Points,
    /// Of the least bound so far.
    best: Finding,
    booked: u64,
    evaluations: usize,
    /// Whether corrections no longer change a bit of x.
    settled: bool,
    idle: usize,
    exhausted: bool,
}

/// Passes after which a factor that was expected to need four or five is measured.
const SLOW: usize = 7;

/// Passes after which the Gram matrix is read that a route did without, unless corrections take conjugate gradients: there
/// the first pass after a round already shows all that the residual alone can prove.
const BRIEF: usize = 2;

/// Bounds up to so many times the target are near it.
const CLOSE: f64 = 1e3;

/// Passes without a better bound after which rounding is blamed.
const PATIENCE: usize = 3;

/// A point ahead is looked for only once the bound is below this.
const PLAUSIBLE: f64 = 1e-6;

/// Corrections of a point ahead, at most.
const COMPANIONS: usize = 6;

/// The share of the tolerance that conjugate gradients leave in a gradient which alone certifies its point.
const SUFFICIENT: f64 = 0.25;

/// Rounding of the preconditioned rows against their condition, which is in Frobenius' norm, as it usually is.
const TYPICAL: f64 = 0.05 * f64::EPSILON;

/// Probability that a sketch of eight rows an unknown is worse than supposed.
const UNLUCKY: f64 = 1e-9;

/// Steps with the moments' own gradient, where the rows cannot be read again.
const SINGLE_PASS_STEPS: usize = 3;

impl<'p, 'a> Refinement<'p, 'a> {
    fn new(problem: &'p mut Problem<'a>, options: &'p Options) -> Self {
        Self {
            problem,
            options,
            moments: None,
            found: None,
            start: None,
            rounds: 0,
            next: Points::default(),
            best: Finding::default(),
            booked: 0,
            evaluations: 0,
            settled: false,
            idle: 0,
            exhausted: false,
        }
    }

    fn moments(&self) -> &Moments {
        self.moments.as_ref().expect("read by prepare")
    }

    fn found(&self) -> &route::Found {
        self.found.as_ref().expect("found by prepare")
    }

    fn high(&self) -> bool {
        self.options.accuracy == Accuracy::High && matches!(self.found().core, Core::Full(_))
    }

    /// A factor that was measured in place of one of which the usual was expected; it then gets its own patience.
    fn mistrust(&mut self, monitor: &mut Monitor<'_>) -> Result<(), RegressionError> {
        if self.moments().gram.is_none() && !self.high() {
            // What the Gram matrix proves is the sharpest there is.
            let mut moments = self.moments.take().expect("read by prepare");
            let read = moments.complete(self.problem, monitor);
            self.moments = Some(moments);
            read?;
            self.idle = 0;
        } else if self.found().trusted && self.options.route != Route::Gram && !self.exhausted {
            let moments = self.moments.as_ref().expect("read by prepare");
            self.found = Some(route::find(self.problem, moments, self.options, false, monitor)?);
            self.idle = 0;
        }
        Ok(())
    }

    /// Moments and factor. `brief`: without the Gram matrix where the route does not need it.
    fn prepare(&mut self, brief: bool, monitor: &mut Monitor<'_>) -> Result<(), RegressionError> {
        if brief && let Some(opening) = route::open(self.problem, self.options, monitor)? {
            let route::Opening { mut moments, r0, start } = opening;
            if let Some(found) = route::opened(self.problem, &mut moments, self.options, r0, monitor)? {
                self.start = found.iterative.then_some(start);
                (self.moments, self.found) = (Some(moments), Some(found));
                return Ok(());
            }
        }
        let moments = Moments::read(self.problem, monitor)?;
        self.found = Some(route::find(self.problem, &moments, self.options, true, monitor)?);
        self.moments = Some(moments);
        Ok(())
    }

    /// `(Aᵀ A)⁺ g` for all right sides, nearly. `lengths` are the norms of their residuals, where known.
    fn corrections(
        &mut self,
        gradients: &[Vec<f64>],
        lengths: &[f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<Vec<Vec<f64>>, RegressionError> {
        let found = self.found.as_ref().expect("found by prepare");
        let moments = self.moments.as_ref().expect("read by prepare");
        Ok(match &found.core {
            Core::Empty => vec![Vec::new(); gradients.len()],
            Core::Full(factor) if found.iterative => {
                // The first round aims at the whole answer, later ones at what rounding left of it.
                let aim = if self.rounds == 0 { 1e-10 } else { 1e-5 };
                // A round gains no more than the rounding of the preconditioned rows allows.
                let condition = frobenius(&factor.r1) / factor.least(|_| 1.0);
                let reduction = (TYPICAL * condition).clamp(aim, 0.1);
                self.rounds += 1;
                // Without a Gram matrix the gradient alone has to certify the point.
                let share = if moments.gram.is_none() {
                    SUFFICIENT * monitor.budget().tol * moments.frobenius
                } else {
                    0.0
                };
                let mut left = vec![0.0; gradients.len()];
                left.iter_mut().zip(lengths).for_each(|(left, length)| *left = share * length);
                let goal = Goal { reduction, left: &left };
                gradients::solve(self.problem, moments, factor, gradients, goal, monitor)?
            }
            Core::Full(factor) => gradients.iter().map(|g| factor.solve(g)).collect(),
            Core::Dependent(range) => gradients.iter().map(|g| range.solve(g, moments)).collect(),
        })
    }

    /// Points as they will be stored: rounded to the type of the result, so that nothing is judged but what is returned.
    fn stored(&self, points: Points) -> Points {
        let moments = self.moments();
        let Points { mut y, mut lo } = points;
        for c in 0..y.len() {
            for j in 0..moments.order() {
                let exact = Dd::new(y[c][j], lo[c][j]);
                let round = |v: f64| {
                    let raw = moments.raw(v, j, c);
                    moments.balanced(if self.options.single { f64::from(raw as f32) } else { raw }, j, c)
                };
                y[c][j] = round(exact.hi);
                lo[c][j] = if self.high() { round((exact - Dd::from(y[c][j])).hi) } else { 0.0 };
            }
        }
        Points { y, lo }
    }

    /// One pass: residuals and gradients at the points, and what they prove.
    fn evaluate(
        &mut self,
        points: Points,
        thorough: bool,
        monitor: &mut Monitor<'_>,
    ) -> Result<Finding, RegressionError> {
        if self.options.accuracy == Accuracy::High && matches!(self.found().core, Core::Full(_)) {
            return self.evaluate_precisely(points, monitor);
        }
        let moments = self.moments.as_ref().expect("read by prepare");
        let Some(readings) = read(self.problem, moments, &points, monitor)? else {
            return Ok(self.judged_by_moments(points));
        };
        let (core, tol) = (&self.found().core, monitor.budget().tol);
        let mut finding = Finding::default();
        for (c, Reading { gradient, residual, length }) in readings.into_iter().enumerate() {
            let evidence = Evidence { y: &points.y[c], gradient: &gradient, residual: length, side: c };
            let quick = backward(moments, core, self.problem.columns, evidence, false);
            // The damped norm costs d³: only where it can decide.
            let decided = quick.bound <= tol;
            let hasty = !(decided || thorough || quick.bound <= CLOSE * tol);
            finding.hasty |= hasty;
            let judged = if decided || hasty {
                quick
            } else {
                backward(moments, core, self.problem.columns, evidence, true)
            };
            finding.judged.push(judged);
            finding.gradients.push(gradient);
            finding.residuals.push(residual);
            finding.lengths.push(length);
        }
        finding.points = points;
        Ok(finding)
    }

    /// Judges what was read again, with all that is known now.
    fn rejudge(&self, finding: &mut Finding) {
        for c in 0..finding.judged.len() {
            let (y, gradient) = (&finding.points.y[c], &finding.gradients[c]);
            let evidence = Evidence { y, gradient, residual: finding.lengths[c], side: c };
            finding.judged[c] =
                backward(self.moments(), &self.found().core, self.problem.columns, evidence, true);
        }
        finding.hasty = false;
    }

    /// The finding at points that a step from `read` leads to, if its pass certifies them.
    fn near(&self, read: &Finding, points: &Points, tol: f64) -> Option<Finding> {
        let (moments, found) = (self.moments(), self.found());
        let Core::Full(factor) = &found.core else { return None };
        let plain = !self.high() && !self.exhausted && !found.iterative && moments.alpha.is_empty();
        if !plain || self.options.accuracy == Accuracy::High {
            return None;
        }
        let mut near = Finding { points: points.clone(), ..Finding::default() };
        for c in 0..points.y.len() {
            let (y, gradient) = (&read.points.y[c], &read.gradients[c]);
            let evidence = Evidence { y, gradient, residual: read.lengths[c], side: c };
            let at = backward_near(moments, factor, self.problem.columns, evidence, &points.y[c])?;
            if at.judged.bound > tol || at.judged.bound.is_nan() {
                return None;
            }
            near.judged.push(at.judged);
            near.gradients.push(at.gradient);
            near.residuals.push(at.length);
            near.lengths.push(at.length);
        }
        near.base = Some(Box::new(Finding { ahead: None, base: None, ..read.clone() }));
        Some(near)
    }

    fn evaluate_precisely(
        &mut self,
        points: Points,
        monitor: &mut Monitor<'_>,
    ) -> Result<Finding, RegressionError> {
        let moments = self.moments.as_ref().expect("read by prepare");
        let Some((readings, flushes)) = read_precisely(self.problem, moments, &points, monitor)? else {
            return Ok(self.judged_by_moments(points));
        };
        let Core::Full(factor) = &self.found().core else {
            unreachable!("only factors are refined precisely")
        };
        let mut finding = Finding::default();
        for (c, Reading { gradient, residual, length }) in readings.into_iter().enumerate() {
            let rounded: Vec<f64> = gradient.iter().map(|g| g.hi).collect();
            let evidence = Evidence { y: &points.y[c], gradient: &rounded, residual: length, side: c };
            let columns = self.problem.columns;
            finding.judged.push(forward(
                moments,
                factor,
                columns,
                evidence,
                &points.lo[c],
                &gradient,
                flushes,
            ));
            finding.gradients.push(rounded);
            finding.residuals.push(residual);
        }
        finding.points = points;
        Ok(finding)
    }

    /// What the first pass alone proves: for rows that cannot be read again.
    fn judged_by_moments(&mut self, points: Points) -> Finding {
        self.exhausted = true;
        let mut finding = Finding { points, ..Finding::default() };
        for c in 0..finding.points.y.len() {
            let (judged, gradient, residual) = from_moments(self.moments(), &finding.points.y[c], c);
            let ridge: f64 =
                self.moments().alpha.iter().zip(&finding.points.y[c]).map(|(a, y)| a * y * y).sum();
            finding.judged.push(judged);
            finding.gradients.push(gradient);
            finding.residuals.push((residual * residual - ridge).max(0.0).sqrt());
        }
        finding
    }

    /// The points one correction further.
    fn corrected(&mut self, finding: &Finding, monitor: &mut Monitor<'_>) -> Result<Points, RegressionError> {
        if let Some(ahead) = &finding.ahead {
            return Ok(self.stored(ahead.clone()));
        }
        let mut points = finding.points.clone();
        let steps = self.corrections(&finding.gradients, &finding.lengths, monitor)?;
        for c in 0..points.y.len() {
            for (j, &step) in steps[c].iter().enumerate() {
                let moved = Dd::new(points.y[c][j], points.lo[c][j]) + Dd::from(step);
                (points.y[c][j], points.lo[c][j]) = (moved.hi, moved.lo);
            }
        }
        Ok(self.stored(points))
    }
}

impl Method<2> for Refinement<'_, '_> {
    type Solution = Solution;
    type Error = RegressionError;
    const EXTRAS: [&'static str; 2] = ["n_passes", "residual_norm"];

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, RegressionError> {
        self.prepare(true, monitor)?;
        let moments = self.moments();
        let (n, k) = (moments.order(), self.problem.sides);
        let points = match &self.options.start {
            Some(start) => {
                let y = (0..k).map(|c| (0..n).map(|j| moments.balanced(start[c][j], j, c)).collect());
                Points { y: y.collect(), lo: vec![vec![0.0; n]; k] }
            }
            None => {
                let products = moments.products.clone();
                match self.start.take() {
                    // The first round begins where the sketch's own solution is: one read more, and many steps fewer.
                    Some(start) => {
                        let read = self.evaluate(Points::plain(start), false, monitor)?;
                        self.corrected(&read, monitor)?
                    }
                    None => Points::plain(self.corrections(&products, &[], monitor)?),
                }
            }
        };
        self.next = self.stored(points);
        Ok(None)
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<2>, RegressionError> {
        let points = std::mem::take(&mut self.next);
        let mut finding = self.evaluate(points, self.evaluations > 0, monitor)?;
        self.evaluations += 1;
        let tol = monitor.budget().tol;
        // Where a round has all but met it, a few more steps do.
        let patience =
            if !self.found().iterative { BRIEF } else { usize::from(finding.bound() <= CLOSE * tol) };
        let brief = self.moments().gram.is_none() && !self.high();
        if brief && finding.bound() > tol && self.evaluations > patience {
            self.mistrust(monitor)?;
            self.rejudge(&mut finding);
        }
        if finding.bound() >= 0.5 * self.best_bound() && !finding.hasty {
            self.look_ahead(&mut finding, monitor)?;
            if self.idle > 0 {
                finding.estimate(tol);
            }
        }
        let bound = finding.bound();
        self.idle = if bound < 0.5 * self.best_bound() { 0 } else { self.idle + 1 };
        let met = bound <= tol;
        if !met && (self.idle + 1 >= PATIENCE || self.evaluations == SLOW) {
            self.mistrust(monitor)?;
        }
        // What meets the target with more than rounding in it may have a better point a step away, at no pass.
        let direct = matches!(self.found().core, Core::Full(_)) && !self.found().iterative && !self.exhausted;
        let rough = direct && finding.judged.iter().any(|j| j.measured > j.allowance);
        if self.high() || !met || rough {
            self.next = self.corrected(&finding, monitor)?;
            self.settled = self.idle > 0 || !self.next.moved(&finding.points);
            if let Some(near) = self.near(&finding, &self.next, tol) {
                finding = near;
            }
        }
        let bound = finding.bound();
        let norms = finding.residuals.iter().enumerate();
        let residual =
            norms.map(|(c, r)| ldexp(*r, -self.moments().sides[c])).fold(0.0_f64, |a, b| a.hypot(b));
        let units = self.problem.passes - self.booked;
        self.booked = self.problem.passes;
        // Kept here and not where the loop says so, which hears nothing of the bounds below.
        if self.best.judged.is_empty() || bound < self.best_bound() || self.best_bound().is_nan() {
            self.best = finding;
        }
        // The high accuracy goes on to the last bit of x, also where the bound meets the target before. At the plateau
        // that rounding leaves the bits never come to rest, but the bound stops halving.
        let settled = !self.high() || self.exhausted || self.settled || !met;
        // Without a Gram matrix that better point takes a pass, which is a small part of the route.
        let refined = !rough || self.moments().gram.is_some() || self.evaluations > 1;
        let bound = (settled && refined).then(|| self.best_bound());
        Ok(Progress { units, bound, extras: [self.problem.passes as f64, residual] })
    }

    fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
        if self.exhausted && self.evaluations >= SINGLE_PASS_STEPS {
            Some(Status::MaxIterations)
        } else if self.idle >= PATIENCE {
            Some(Status::RoundingFloor)
        } else {
            None
        }
    }

    fn finish(mut self, status: Status, mut monitor: Monitor<'_>) -> Result<Solution, RegressionError> {
        if self.best.judged.len() < self.problem.sides {
            let points = std::mem::take(&mut self.next);
            self.best = if self.moments().gram.is_some() {
                self.judged_by_moments(points)
            } else {
                // What has no Gram matrix to judge it is read, whatever the budget says.
                self.evaluate(points, true, &mut monitor)?
            };
        }
        if self.best.hasty {
            let mut best = std::mem::take(&mut self.best);
            self.rejudge(&mut best);
            self.best = best;
        }
        let mut best = std::mem::take(&mut self.best);
        self.look_ahead(&mut best, &mut monitor)?;
        best.estimate(monitor.budget().tol);
        self.best = best;
        let certificate = self.certificate(&self.best);
        let (high, d, k) = (self.high() && !self.exhausted, self.problem.columns, self.problem.sides);
        let moments = self.moments.take().expect("read by prepare");
        let n = moments.order();
        let raw = |y: &[Vec<f64>]| -> Vec<Vec<f64>> {
            (0..k).map(|c| (0..d).map(|j| moments.raw(y[c][j], j, c)).collect()).collect()
        };
        let intercepts = (0..k).map(|c| match self.problem.intercept {
            true => moments.raw(self.best.points.y[c][d], d, c),
            false => 0.0,
        });
        let intercepts = intercepts.collect();
        let norms = self.best.residuals.iter().enumerate();
        let residual_norms = norms.map(|(c, r)| ldexp(*r, -moments.sides[c])).collect();
        let gradients = (0..k).map(|c| {
            let back = |j: usize| ldexp(self.best.gradients[c][j], moments.columns[j] - moments.sides[c]);
            (0..d).map(back).collect()
        });
        let gradients = gradients.collect();
        let found = self.found.take().expect("found by prepare");
        let rank = match &found.core {
            Core::Full(_) => d,
            Core::Dependent(range) => range.rank,
            Core::Empty => 0,
        };
        let coefficients: Vec<Vec<f64>> = self.best.judged.iter().map(|j| j.coefficients.clone()).collect();
        let method = if self.exhausted { "single-pass" } else { found.name };
        let mut r = found.into_r();
        for j in 0..r.columns() {
            let weight = moments.weight(j);
            r.column_mut(j).iter_mut().for_each(|r| *r *= weight);
        }
        let tol = monitor.budget().tol;
        let mut outcome = Outcome::new(monitor.end(status), Some(certificate));
        if self.options.accuracy == Accuracy::High && !high && outcome.success {
            // The backward error holds, but the forward error was asked for.
            (outcome.success, outcome.status) =
                (false, if self.exhausted { Status::MaxIterations } else { Status::Degenerate });
        }
        let exhausted = self.exhausted;
        describe(&mut outcome, &Facts { columns: d, rank, rcond: self.options.rcond, tol, exhausted });
        Ok(Solution {
            x: raw(&self.best.points.y),
            x_lo: high.then(|| raw(&self.best.points.lo)),
            intercepts,
            residual_norms,
            gradients,
            coefficient_bounds: high.then(|| raw(&coefficients)),
            rank,
            r,
            scale: moments.top,
            method,
            passes: self.problem.passes,
            base: self.best.base.as_ref().map(|read| {
                let side = |c: usize| (0..n).map(|j| moments.raw(read.points.y[c][j], j, c)).collect();
                (0..k).map(side).collect()
            }),
            rows: self.problem.count,
            outcome,
        })
    }
}

impl Refinement<'_, '_> {
    fn best_bound(&self) -> f64 {
        if self.best.judged.is_empty() { f64::INFINITY } else { self.best.bound() }
    }
}
