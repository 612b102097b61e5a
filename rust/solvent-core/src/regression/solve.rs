//! Least squares: factor, then refinement, each step one pass that also certifies the point it starts from.

use super::certify::{Core, Evidence, Judgement, backward, forward, from_moments};
use super::error::RegressionError;
use super::gradients;
use super::options::{Accuracy, Options};
use super::passes::padded;
use super::passes::precise::Precise;
use super::passes::residual::Residual;
use super::problem::Problem;
use super::route;
use super::scaling::{Moments, ldexp};
use crate::base::certificate::{Certificate, Kind};
use crate::base::dense::Matrix;
use crate::base::monitor::{self, Budget, Method, Monitor, Observer, Progress};
use crate::base::outcome::Outcome;
use crate::base::status::Status;
use crate::base::sum::Dd;

/// Points of all right sides, balanced, as heads and tails.
#[derive(Debug, Clone, Default)]
struct Points {
    y: Vec<Vec<f64>>,
    lo: Vec<Vec<f64>>,
}

impl Points {
    /// Whether any right side is more than a quarter of a unit in the last place of its norm away from the other.
    fn moved(&self, other: &Self) -> bool {
        let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
        let far = |c: usize| {
            let steps: Vec<f64> = self.y[c].iter().zip(&other.y[c]).map(|(a, b)| a - b).collect();
            norm(&steps) > 0.25 * f64::EPSILON * norm(&self.y[c])
        };
        (0..self.y.len()).any(far)
    }
}

/// What one pass says about points.
#[derive(Debug, Clone, Default)]
struct Finding {
    points: Points,
    judged: Vec<Judgement>,
    /// Balanced gradients with the ridge.
    gradients: Vec<Vec<f64>>,
    /// `|b' - A' y|` without the ridge rows.
    residuals: Vec<f64>,
    /// The same with them.
    lengths: Vec<f64>,
    /// Judgements without the d³ work stand in for better ones.
    hasty: bool,
}

impl Finding {
    fn bound(&self) -> f64 {
        // A nan must not hide behind a smaller number.
        self.judged
            .iter()
            .fold(0.0, |most, j| if j.bound >= most || j.bound.is_nan() { j.bound } else { most })
    }
}

/// A solved problem.
#[derive(Debug, Clone)]
pub struct Solution {
    /// Coefficients, one vector a right side.
    pub x: Vec<Vec<f64>>,
    /// What x lacks, for the high accuracy.
    pub x_lo: Option<Vec<Vec<f64>>>,
    /// Coefficients of the column of ones.
    pub intercepts: Vec<f64>,
    /// Norms of the residuals (weighted, without ridge rows).
    pub residual_norms: Vec<f64>,
    /// Gradients `Aᵀ W (b - A x) - alpha x` without the intercept's.
    pub gradients: Vec<Vec<f64>>,
    /// Error bounds of the coefficients, for the high accuracy.
    pub coefficient_bounds: Option<Vec<Vec<f64>>>,
    /// Columns that count.
    pub rank: usize,
    /// A factor of A with its scale: `A ~ Q R` in raw columns over `2^scale`.
    pub r: Matrix<f64>,
    /// The power of two that R is to be multiplied by.
    pub scale: i32,
    /// How the factor was found.
    pub method: &'static str,
    /// Reads of all rows.
    pub passes: u64,
    /// Rows read in a pass.
    pub rows: usize,
    /// How it ended, with the certificate.
    pub outcome: Outcome,
}

/// Solves a problem.
pub fn solve(
    problem: &mut Problem<'_>,
    options: &Options,
    budget: Budget,
    observer: &mut dyn Observer,
) -> Result<Solution, RegressionError> {
    monitor::solve(Refinement::new(problem, options), budget, observer)
}

/// Judges coefficients as they are: the same passes and bounds as [`solve`], no step.
pub fn certify(
    problem: &mut Problem<'_>,
    options: &Options,
    x: &[Vec<f64>],
    x_lo: Option<&[Vec<f64>]>,
    tol: f64,
    observer: &mut dyn Observer,
) -> Result<Certificate, RegressionError> {
    let mut monitor = Monitor::new(Budget::new(tol, 1), observer, &Refinement::EXTRAS);
    let mut method = Refinement::new(problem, options);
    method.prepare(&mut monitor)?;
    let moments = method.moments();
    let (n, k) = (moments.order(), x.len());
    let balance = |x: &[Vec<f64>]| -> Vec<Vec<f64>> {
        (0..k).map(|c| (0..n).map(|j| moments.balanced(x[c][j], j, c)).collect()).collect()
    };
    let lo = x_lo.map_or_else(|| vec![vec![0.0; n]; k], balance);
    let points = Points { y: balance(x), lo };
    let finding = method.evaluate(points, true, &mut monitor)?;
    Ok(method.certificate(&finding))
}

struct Refinement<'p, 'a> {
    problem: &'p mut Problem<'a>,
    options: &'p Options,
    moments: Option<Moments>,
    found: Option<route::Found>,
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

/// Passes without a better bound after which rounding is blamed.
const PATIENCE: usize = 3;

/// Steps with the moments' own gradient, where the rows cannot be read again.
const SINGLE_PASS_STEPS: usize = 3;

/// Probability that a sketch of 8 d rows distorts lengths by more than the estimate assumes.
const EMBEDDING_FAILURE: f64 = 1e-9;

impl<'p, 'a> Refinement<'p, 'a> {
    fn new(problem: &'p mut Problem<'a>, options: &'p Options) -> Self {
        Self {
            problem,
            options,
            moments: None,
            found: None,
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

    /// Moments and factor.
    fn prepare(&mut self, monitor: &mut Monitor<'_>) -> Result<(), RegressionError> {
        let moments = Moments::read(self.problem, monitor)?;
        self.found = Some(route::find(self.problem, &moments, self.options, monitor)?);
        self.moments = Some(moments);
        Ok(())
    }

    /// `(Aᵀ A)⁺ g` for all right sides, nearly.
    fn corrections(
        &mut self,
        gradients: &[Vec<f64>],
        monitor: &mut Monitor<'_>,
    ) -> Result<Vec<Vec<f64>>, RegressionError> {
        let found = self.found.as_ref().expect("found by prepare");
        let moments = self.moments.as_ref().expect("read by prepare");
        Ok(match &found.core {
            Core::Empty => vec![Vec::new(); gradients.len()],
            Core::Full(factor) if found.iterative => {
                // The first round aims at the whole answer, later ones at what rounding left of it.
                let reduction = if self.evaluations == 0 { 1e-10 } else { 1e-7 };
                gradients::solve(self.problem, moments, factor, gradients, reduction, monitor)?
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
        let (d, k) = (self.problem.columns, self.problem.sides);
        let moments = self.moments();
        let mut pass = Residual {
            columns: d,
            x: vec![0.0; padded(d) * k],
            intercepts: vec![0.0; k],
            scales: moments.sides.iter().map(|&e| ldexp(1.0, e.clamp(-1022, 1023))).collect(),
        };
        for c in 0..k {
            for j in 0..moments.order() {
                let z = ldexp(points.y[c][j], -moments.columns[j]);
                if j < d { pass.x[c * padded(d) + j] = z } else { pass.intercepts[c] = z }
            }
        }
        let Some(sum) = self.problem.pass(&pass, monitor)? else {
            return Ok(self.judged_by_moments(points));
        };
        let mut finding = Finding { points, ..Finding::default() };
        let moments = self.moments();
        for c in 0..k {
            let y = &finding.points.y[c];
            let mut square = sum.squares[c].value();
            finding.residuals.push(square.max(0.0).sqrt());
            let mut gradient: Vec<f64> = (0..moments.order())
                .map(|j| if j < d { sum.get(c, j) } else { sum.ones[c].value() })
                .enumerate()
                .map(|(j, g)| ldexp(g, -moments.columns[j]))
                .collect();
            for (j, alpha) in moments.alpha.iter().enumerate() {
                gradient[j] -= alpha * y[j];
                square += alpha * y[j] * y[j];
            }
            let length = square.max(0.0).sqrt();
            let evidence = Evidence { y, gradient: &gradient, residual: length, side: c };
            let tol = monitor.budget().tol;
            let quick = backward(moments, &self.found().core, d, evidence, false);
            // The damped norm costs d³: only where it can decide.
            let decided = quick.bound <= tol;
            let hasty = !(decided || thorough || quick.bound <= 1e3 * tol);
            finding.hasty |= hasty;
            finding.lengths.push(length);
            let judged = if decided || hasty {
                quick
            } else {
                backward(moments, &self.found().core, d, evidence, true)
            };
            finding.judged.push(judged);
            finding.gradients.push(gradient);
        }
        Ok(finding)
    }

    fn evaluate_precisely(
        &mut self,
        points: Points,
        monitor: &mut Monitor<'_>,
    ) -> Result<Finding, RegressionError> {
        let (d, k) = (self.problem.columns, self.problem.sides);
        let moments = self.moments();
        let mut pass = Precise {
            columns: d,
            x: vec![0.0; padded(d) * k],
            x_lo: vec![0.0; padded(d) * k],
            intercepts: vec![Dd::ZERO; k],
            scales: moments.sides.iter().map(|&e| ldexp(1.0, e.clamp(-1022, 1023))).collect(),
        };
        for c in 0..k {
            for j in 0..moments.order() {
                let raw = |v: f64| ldexp(v, -moments.columns[j]);
                let (hi, lo) = (raw(points.y[c][j]), raw(points.lo[c][j]));
                if j < d {
                    (pass.x[c * padded(d) + j], pass.x_lo[c * padded(d) + j]) = (hi, lo);
                } else {
                    pass.intercepts[c] = Dd::new(hi, lo);
                }
            }
        }
        let Some(sum) = self.problem.pass(&pass, monitor)? else {
            return Ok(self.judged_by_moments(points));
        };
        let mut finding = Finding { points, ..Finding::default() };
        let moments = self.moments();
        let Core::Full(factor) = &self.found().core else {
            unreachable!("only factors are refined precisely")
        };
        for c in 0..k {
            let (y, lo) = (&finding.points.y[c], &finding.points.lo[c]);
            let mut square = sum.squares[c].value();
            finding.residuals.push(square.max(0.0).sqrt());
            let mut gradient: Vec<Dd> = (0..moments.order())
                .map(|j| {
                    let g = if j < d { sum.total[c * padded(d) + j] } else { sum.ones[c] };
                    Dd::new(ldexp(g.hi, -moments.columns[j]), ldexp(g.lo, -moments.columns[j]))
                })
                .collect();
            for j in 0..moments.alpha.len() {
                // The caller's alpha, not the rounded square of its root.
                let exact = self.problem.alpha.get(j).copied().unwrap_or(0.0);
                let scaled = ldexp(ldexp(exact, -moments.columns[j]), -moments.columns[j]);
                gradient[j] = gradient[j] - Dd::new(y[j], lo[j]) * Dd::from(scaled);
                square += scaled * y[j] * y[j];
            }
            let rounded: Vec<f64> = gradient.iter().map(|g| g.hi).collect();
            let evidence = Evidence { y, gradient: &rounded, residual: square.max(0.0).sqrt(), side: c };
            finding.judged.push(forward(moments, factor, d, evidence, lo, &gradient, sum.flushes));
            finding.gradients.push(rounded);
        }
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
        let mut points = finding.points.clone();
        let steps = self.corrections(&finding.gradients, monitor)?;
        for c in 0..points.y.len() {
            for (j, &step) in steps[c].iter().enumerate() {
                let moved = Dd::new(points.y[c][j], points.lo[c][j]) + Dd::from(step);
                (points.y[c][j], points.lo[c][j]) = (moved.hi, moved.lo);
            }
        }
        Ok(self.stored(points))
    }

    fn certificate(&self, finding: &Finding) -> Certificate {
        let moments = self.moments();
        let high = self.high() && !self.exhausted;
        let kind = if high { Kind::ForwardError } else { Kind::BackwardError };
        let mut certificate = Certificate::new(kind, finding.bound());
        certificate.rigorous = finding.judged.iter().all(|j| j.rigorous);
        if self.found().iterative && !certificate.rigorous {
            certificate = certificate.failing_with(EMBEDDING_FAILURE);
        }
        for (c, judged) in finding.judged.iter().enumerate() {
            certificate = certificate.part(format!("bound_{c}"), judged.bound);
        }
        let most = |f: &dyn Fn(&Judgement) -> f64| finding.judged.iter().map(f).fold(0.0, f64::max);
        let eta = match &self.found().core {
            Core::Full(factor) => factor.eta,
            Core::Dependent(_) => f64::INFINITY,
            Core::Empty => 0.0,
        };
        let energy = finding.judged.iter().enumerate();
        let energy = energy.map(|(c, j)| ldexp(j.energy, -moments.sides[c])).fold(0.0, f64::max);
        certificate = certificate
            .part("allowance", most(&|j| j.allowance))
            .part("eta", eta)
            .part(if high { "whitened_gradient" } else { "kw_factor" }, most(&|j| j.measured))
            .part("energy", energy)
            .part("objective_gap", energy * energy)
            .part("rigorous_bound", most(&|j| j.rigorous_bound));
        if self.problem.intercept && high {
            let last = moments.order() - 1;
            let each = finding.judged.iter().enumerate();
            let bound = each.map(|(c, j)| moments.raw(j.coefficients[last], last, c)).fold(0.0, f64::max);
            certificate = certificate.part("intercept_bound", bound);
        }
        if self.exhausted {
            certificate = certificate.part("single_pass", 1.0);
        }
        certificate
    }
}

impl Method<2> for Refinement<'_, '_> {
    type Solution = Solution;
    type Error = RegressionError;
    const EXTRAS: [&'static str; 2] = ["n_passes", "residual_norm"];

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, RegressionError> {
        self.prepare(monitor)?;
        let moments = self.moments();
        let (n, k) = (moments.order(), self.problem.sides);
        let points = match &self.options.start {
            Some(start) => {
                let y = (0..k).map(|c| (0..n).map(|j| moments.balanced(start[c][j], j, c)).collect());
                Points { y: y.collect(), lo: vec![vec![0.0; n]; k] }
            }
            None => {
                let products = moments.products.clone();
                Points { y: self.corrections(&products, monitor)?, lo: vec![vec![0.0; n]; k] }
            }
        };
        self.next = self.stored(points);
        Ok(None)
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<2>, RegressionError> {
        let points = std::mem::take(&mut self.next);
        let finding = self.evaluate(points, self.evaluations > 0, monitor)?;
        self.evaluations += 1;
        let bound = finding.bound();
        let improved = bound < 0.5 * self.best_bound();
        self.idle = if improved { 0 } else { self.idle + 1 };
        let met = bound <= monitor.budget().tol;
        if self.high() || !met {
            self.next = self.corrected(&finding, monitor)?;
            self.settled = self.idle > 0 || !self.next.moved(&finding.points);
        }
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
        let bound = settled.then(|| self.best_bound());
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

    fn finish(mut self, status: Status, monitor: Monitor<'_>) -> Result<Solution, RegressionError> {
        if self.best.judged.len() < self.problem.sides {
            let points = std::mem::take(&mut self.next);
            self.best = self.judged_by_moments(points);
        }
        if self.best.hasty {
            let mut best = std::mem::take(&mut self.best);
            for c in 0..best.judged.len() {
                let evidence = Evidence {
                    y: &best.points.y[c],
                    gradient: &best.gradients[c],
                    residual: best.lengths[c],
                    side: c,
                };
                let (moments, core) = (self.moments(), &self.found().core);
                best.judged[c] = backward(moments, core, self.problem.columns, evidence, true);
            }
            self.best = best;
        }
        let certificate = self.certificate(&self.best);
        let (high, d, k) = (self.high() && !self.exhausted, self.problem.columns, self.problem.sides);
        let moments = self.moments.take().expect("read by prepare");
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
        let r =
            Matrix::from_fn(found.r.rows(), found.r.columns(), |i, j| found.r.get(i, j) * moments.weight(j));
        let tol = monitor.budget().tol;
        let mut outcome = Outcome::new(monitor.end(status), Some(certificate));
        if self.options.accuracy == Accuracy::High && !high && outcome.success {
            // The backward error holds, but the forward error was asked for.
            (outcome.success, outcome.status) =
                (false, if self.exhausted { Status::MaxIterations } else { Status::Degenerate });
        }
        describe(&mut outcome, &self, rank, tol);
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
            method: if self.exhausted { "single-pass" } else { found.name },
            passes: self.problem.passes,
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

/// The message: what holds, and what to do where the target is missed.
fn describe(outcome: &mut Outcome, run: &Refinement<'_, '_>, rank: usize, tol: f64) {
    let d = run.problem.columns;
    let bound = outcome.certificate.as_ref().map_or(f64::NAN, |c| c.bound);
    let kind = outcome.certificate.as_ref().map_or("", |c| match c.kind {
        Kind::ForwardError => "forward",
        _ => "backward",
    });
    let mut text = match outcome.status {
        Status::Converged => format!("{kind} error bound {bound:.1e} <= tol {tol:.1e}"),
        Status::RoundingFloor => format!(
            "{kind} error bound {bound:.1e} > tol {tol:.1e}: these data allow no more in float64; pass tol={:.0e}",
            10f64.powf((2.0 * bound).log10().ceil())
        ),
        Status::MaxIterations if run.exhausted => format!(
            "{kind} error bound {bound:.1e} > tol {tol:.1e} from the one pass that this source allows; pass a list or \
             another source that can be read again"
        ),
        status => format!("{kind} error bound {bound:.1e}; {}", status.describe()),
    };
    if rank < d {
        text =
            format!("rank {rank} of {d} at rcond={:.1e}: minimum-norm solution; {text}", run.options.rcond);
        if outcome.status == Status::Degenerate {
            text.push_str(" (no bound of the coefficients exists; use accuracy='backward')");
        }
    }
    outcome.message = text;
}
