//! The path in p and its Newton steps.

use super::certify::{Judgement, certify};
use super::passes::{normal, power_sum, powers, products};
use crate::base::monitor::{Budget, Method, Monitor, Observer, Progress, solve as drive};
use crate::base::outcome::Outcome;
use crate::base::status::Status;
use crate::regression::quantile::interior::System;
use crate::regression::quantile::{Frame, Problem, QuantileError};

/// Growth of p from one to the next, p > 2.
const GROWTH: f64 = 1.5;
/// Fall of p - 1, p < 2.
const FALL: f64 = 0.6;
/// Newton's decrement, relative to the objective, at which the next p is taken up.
const STAGE: f64 = 1e-3;
/// Residuals below this share of the mean count as this large where weights grow without limit.
const FLOOR: f64 = 1e-10;
/// The largest ratio of weights, p > 2.
const RATIO: f64 = 1e-15;
/// Halvings of a step.
const HALVINGS: u32 = 40;
/// Certificates that bring nothing new before the run ends.
const PATIENCE: u32 = 12;

/// A fit.
#[derive(Debug, Clone)]
pub struct Solution {
    /// Coefficients, the intercept last.
    pub x: Vec<f64>,
    /// One a row: `A^T a = 0` but for rounding, `|a/w^(1/p)|_q = 1`.
    pub dual: Vec<f64>,
    /// What they prove.
    pub judgement: Judgement,
    /// Columns that were kept.
    pub rank: usize,
    /// How the run ended.
    pub outcome: Outcome,
}

/// The best pair so far.
#[derive(Debug, Clone)]
struct Answer {
    x: Vec<f64>,
    dual: Vec<f64>,
    judgement: Judgement,
}

/// Newton's iteration.
struct Newton<'a, 'p> {
    problem: &'a Problem<'p>,
    frame: &'a Frame,
    /// The exponent that is wanted, and the one at hand.
    target: f64,
    p: f64,
    tol: f64,
    /// Coefficients in the frame.
    x: Vec<f64>,
    /// Weighted residuals.
    r: Vec<f64>,
    best: Option<Answer>,
    idle: u32,
    end: Option<Status>,
}

impl Newton<'_, '_> {
    fn largest(&self) -> f64 {
        self.r.iter().fold(0.0f64, |m, r| m.max(r.abs()))
    }

    /// Residuals of x, from the data.
    fn refresh(&mut self, monitor: &mut Monitor<'_>) -> Result<(), QuantileError> {
        let products = products(self.problem, self.frame, &self.x, monitor)?;
        let side = |i: usize| self.problem.weight(i) * self.problem.b[i];
        self.r = products.iter().enumerate().map(|(i, p)| side(i) - p).collect();
        Ok(())
    }

    /// The next exponent on the way.
    fn next(&self) -> f64 {
        if self.target >= 2.0 {
            (self.p * GROWTH).min(self.target)
        } else {
            (1.0 + (self.p - 1.0) * FALL).max(self.target)
        }
    }

    /// Judges x as the caller gets it, with this dual of weighted rows.
    fn judge(&mut self, y: &[f64], monitor: &mut Monitor<'_>) -> Result<f64, QuantileError> {
        let problem = self.problem;
        let x = problem.to_caller(&self.frame.coefficients(&self.x, problem.width()));
        let conjugate = if self.target > 1.0 { self.target / (self.target - 1.0) } else { f64::INFINITY };
        let unit = y.iter().fold(0.0f64, |m, y| m.max(y.abs()));
        let sum: f64 = y.iter().map(|y| (y.abs() / unit).powf(conjugate)).sum();
        let norm = if unit > 0.0 { unit * sum.powf(1.0 / conjugate) } else { 1.0 };
        let caller = |(i, y): (usize, &f64)| y / norm * (problem.weight(i) / problem.unit_w);
        let dual: Vec<f64> = y.iter().enumerate().map(caller).collect();
        let judgement = certify(problem, self.frame, self.target, &x, &dual, monitor)?;
        let bound = judgement.certificate.bound;
        self.idle += 1;
        if self.best.as_ref().is_none_or(|best| bound < best.judgement.certificate.bound) {
            if self.best.as_ref().is_none_or(|best| bound < 0.5 * best.judgement.certificate.bound) {
                self.idle = 0;
            }
            self.best = Some(Answer { x, dual, judgement });
        }
        Ok(bound)
    }

    /// Newton's direction; its products with the weighted rows, its decrement, and the dual that it makes orthogonal.
    fn direction(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<Direction>, QuantileError> {
        let (n, d) = (self.r.len(), self.frame.rank());
        let unit = self.largest();
        let mean = self.r.iter().map(|r| r.abs()).sum::<f64>() / n as f64;
        let floor = if self.p < 2.0 {
            FLOOR * mean / unit
        } else {
            RATIO.powf(1.0 / (self.p - 2.0).max(1e-3)).max(1e-300)
        };
        let (mut roots, mut y) = (vec![0.0; n], vec![0.0; n]);
        powers(&self.r, unit, floor, (self.p - 2.0) / 2.0, &mut roots);
        powers(&self.r, unit, 1e-300, self.p - 1.0, &mut y);
        for i in 0..n {
            y[i] = if self.r[i] == 0.0 { 0.0 } else { y[i].copysign(self.r[i]) };
        }
        let (gram, right) = normal(self.problem, self.frame, &roots, &y, monitor)?;
        let Some(system) = System::new(gram, d) else { return Ok(None) };
        // In units of the largest residual: W is |r/unit|^(p-2), y is |r/unit|^(p-1), dx has the unit.
        let projected = system.solve(&right);
        let dx: Vec<f64> = projected.iter().map(|v| v * unit / (self.p - 1.0)).collect();
        let decrement: f64 = right.iter().zip(&dx).map(|(g, dx)| g * dx).sum::<f64>() / unit;
        let q = products(self.problem, self.frame, &dx, monitor)?;
        for i in 0..n {
            y[i] -= (self.p - 1.0) * roots[i] * roots[i] * q[i] / unit;
        }
        Ok(Some(Direction { dx, q, y, decrement, unit }))
    }

    /// Goes along a direction as far as Armijo's rule lets it, and on while that pays.
    fn search(&mut self, direction: &Direction) -> bool {
        let Direction { dx, q, decrement, unit, .. } = direction;
        let value = |t: f64| power_sum(&self.r, q, t, *unit, self.p);
        let start = value(0.0);
        let slope = self.p * decrement;
        let (mut t, mut found) = (1.0, value(1.0));
        let mut halvings = 0;
        while found.is_nan() || found > start - 1e-4 * t * slope {
            // Rounding hides a decrease this small: the step is as good as any.
            if slope * t <= 1e-13 * start && found <= start * (1.0 + 1e-12) {
                break;
            }
            halvings += 1;
            if halvings > HALVINGS {
                return false;
            }
            t *= 0.5;
            found = value(t);
        }
        if halvings == 0 && *decrement > STAGE * start {
            while t < 64.0 {
                let further = value(2.0 * t);
                if further >= found {
                    break;
                }
                (t, found) = (2.0 * t, further);
            }
        }
        self.x.iter_mut().zip(dx).for_each(|(x, dx)| *x += t * dx);
        self.r.iter_mut().zip(q).for_each(|(r, q)| *r -= t * q);
        true
    }
}

/// A step, and what it brings.
struct Direction {
    dx: Vec<f64>,
    /// Its products with the weighted rows.
    q: Vec<f64>,
    /// A dual orthogonal to A.
    y: Vec<f64>,
    /// `y^T A dx`, in units of the largest residual.
    decrement: f64,
    unit: f64,
}

impl Method<2> for Newton<'_, '_> {
    type Solution = Solution;
    type Error = QuantileError;
    const EXTRAS: [&'static str; 2] = ["objective", "gap"];

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, QuantileError> {
        self.refresh(monitor)?;
        if self.frame.rank() == 0 || self.largest() == 0.0 {
            let r = self.r.clone();
            let unit = self.largest();
            let power = |r: &f64| if unit > 0.0 { (r.abs() / unit).powf(self.target - 1.0) } else { 0.0 };
            let y: Vec<f64> = r.iter().map(|r| power(r).copysign(*r)).collect();
            let bound = self.judge(&y, monitor)?;
            self.end = Some(Status::RoundingFloor);
            return Ok(Some(bound));
        }
        Ok(None)
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<2>, QuantileError> {
        let mut bound = None;
        if self.end.is_none() {
            bound = self.advance(monitor)?;
        }
        let extras =
            self.best.as_ref().map_or([f64::NAN; 2], |best| [best.judgement.objective, best.judgement.gap]);
        Ok(Progress { units: 1, bound, extras })
    }

    fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
        self.end
    }

    fn finish(mut self, status: Status, mut monitor: Monitor<'_>) -> Result<Solution, QuantileError> {
        if self.best.is_none() {
            let y = vec![0.0; self.r.len()];
            self.judge(&y, &mut monitor)?;
        }
        let Answer { x, dual, judgement } = self.best.expect("judged above");
        let outcome = Outcome::new(monitor.end(status), Some(judgement.certificate.clone()));
        let outcome = explained(outcome, self.problem, self.frame);
        Ok(Solution { x, dual, judgement, rank: self.frame.rank(), outcome })
    }
}

impl Newton<'_, '_> {
    /// One Newton step at the exponent at hand; at the last one a certificate where it is worth its pass.
    fn advance(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, QuantileError> {
        let unit = self.largest();
        if unit == 0.0 {
            let y = vec![0.0; self.r.len()];
            let bound = self.judge(&y, monitor)?;
            self.end = Some(Status::RoundingFloor);
            return Ok(Some(bound));
        }
        let Some(direction) = self.direction(monitor)? else {
            self.end = Some(Status::Stalled);
            return Ok(None);
        };
        let value = power_sum(&self.r, &direction.q, 0.0, unit, self.p);
        let relative = direction.decrement / value;
        let moved = self.search(&direction);
        self.refresh(monitor)?;
        if self.p != self.target {
            if relative <= STAGE || !moved {
                self.p = self.next();
            }
            return Ok(None);
        }
        // The gap is about half the decrement, over p for the root; of the point after the step, far less.
        let mut bound = None;
        if relative * relative <= self.tol || relative <= STAGE * STAGE || !moved {
            bound = Some(self.judge(&direction.y, monitor)?);
        }
        if !moved || self.idle >= PATIENCE {
            let floor = self.problem.single
                || self.best.as_ref().is_some_and(|best| best.judgement.certificate.bound < 1e-12);
            self.end = Some(if floor { Status::RoundingFloor } else { Status::Stalled });
        }
        Ok(bound)
    }
}

/// Solves the problem, whose weights are `w^(1/p)`, 1 < p < inf.
pub fn solve(
    problem: &mut Problem<'_>,
    p: f64,
    start: Option<&[f64]>,
    budget: Budget,
    observer: &mut dyn Observer,
) -> Result<Solution, QuantileError> {
    let frame = {
        let mut monitor = Monitor::new(Budget::new(0.0, 1), observer, &[]);
        Frame::new(problem, &mut monitor)?
    };
    let problem = &*problem;
    let x = start.map(|x| frame.from_coefficients(&problem.from_caller(x)));
    let newton = Newton {
        problem,
        frame: &frame,
        target: p,
        p: if x.is_some() { p } else { 2.0 },
        tol: budget.tol,
        x: x.unwrap_or_else(|| vec![0.0; frame.rank()]),
        r: Vec::new(),
        best: None,
        idle: 0,
        end: None,
    };
    drive(newton, budget, observer)
}

fn explained(outcome: Outcome, problem: &Problem<'_>, frame: &Frame) -> Outcome {
    let (rank, width) = (frame.rank(), problem.width());
    let bound = outcome.certificate.as_ref().map_or(f64::NAN, |c| c.bound);
    let mut message = match outcome.status {
        Status::RoundingFloor => format!(
            "rounding allows no smaller bound than {bound:.1e} for these data; raise tol, or pass float64 arrays if they \
             are float32; where the fit is exact, the bound is relative to the rounding of b"
        ),
        Status::Stalled => {
            format!(
                "Newton's steps no longer bring progress at the bound {bound:.1e}; raise tol, or scale the columns"
            )
        }
        _ => outcome.message.clone(),
    };
    if rank < width {
        message += &format!("; rank {rank} of {width}: dependent columns have coefficient 0");
    }
    if !frame.proven {
        message +=
            "; the columns are too dependent in float64 for a proof: the bound is that of the kept columns";
    }
    outcome.with_message(message)
}
