//! What a run has found so far, judged.

use super::certify::{Judgement, certify};
use super::passes::{normal, powers, products};
use super::solve::Solution;
use crate::base::certificate::Kind;
use crate::base::monitor::{Ending, Monitor};
use crate::base::outcome::Outcome;
use crate::base::status::Status;
use crate::regression::quantile::certify::exact;
use crate::regression::quantile::interior::System;
use crate::regression::quantile::{Frame, Problem, QuantileError};

/// Residuals below this share of the mean weigh as if they had it, p < 2.
const TAME: f64 = 0.05;

/// The best pair.
#[derive(Debug, Clone)]
struct Answer {
    x: Vec<f64>,
    dual: Vec<f64>,
    judgement: Judgement,
}

/// The problem and the best pair that was judged.
pub struct Record<'a, 'p> {
    /// Its weights are `w^(1/p)`.
    pub problem: &'a Problem<'p>,
    /// The columns that were kept.
    pub frame: &'a Frame,
    /// The exponent.
    pub p: f64,
    best: Option<Answer>,
    /// Certificates since the bound was last halved.
    pub idle: u32,
}

impl<'a, 'p> Record<'a, 'p> {
    /// Nothing yet.
    pub fn new(problem: &'a Problem<'p>, frame: &'a Frame, p: f64) -> Self {
        Self { problem, frame, p, best: None, idle: 0 }
    }

    /// Weighted residuals of x (in the frame), from the data.
    pub fn residuals(&self, x: &[f64], monitor: &mut Monitor<'_>) -> Result<Vec<f64>, QuantileError> {
        let products = products(self.problem, self.frame, x, monitor)?;
        let side = |i: usize| self.problem.weight(i) * self.problem.b[i];
        Ok(products.iter().enumerate().map(|(i, p)| side(i) - p).collect())
    }

    /// Judges x (in the frame) as the caller gets it, with this dual of weighted rows. Returns the bound, and the
    /// weighted residuals that it was made of.
    pub fn judge(
        &mut self,
        x: &[f64],
        y: &[f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(f64, Vec<f64>), QuantileError> {
        let problem = self.problem;
        let x = problem.to_caller(&self.frame.coefficients(x, problem.width()));
        let conjugate = if self.p > 1.0 { self.p / (self.p - 1.0) } else { f64::INFINITY };
        let unit = largest(y);
        let sum: f64 = y.iter().map(|y| (y.abs() / unit).powf(conjugate)).sum();
        let norm = if unit > 0.0 { unit * sum.powf(1.0 / conjugate) } else { 1.0 };
        let caller = |(i, y): (usize, &f64)| y / norm * (problem.weight(i) / problem.unit_w);
        let dual: Vec<f64> = y.iter().enumerate().map(caller).collect();
        let judgement = certify(problem, self.frame, self.p, &x, &dual, monitor)?;
        let (bound, residual) = (judgement.certificate.bound, judgement.residual.clone());
        self.idle += 1;
        if self.bound().is_none_or(|best| bound < best) {
            if self.bound().is_none_or(|best| bound < 0.5 * best) {
                self.idle = 0;
            }
            self.best = Some(Answer { x, dual, judgement });
        }
        Ok((bound, residual))
    }

    /// Judges x where there is nothing to iterate: its residual's own dual, whatever it is.
    pub fn judge_alone(
        &mut self,
        x: &[f64],
        r: &[f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<f64, QuantileError> {
        let unit = largest(r);
        let power = |r: &f64| if unit > 0.0 { (r.abs() / unit).powf(self.p - 1.0) } else { 0.0 };
        let y: Vec<f64> = r.iter().map(|r| power(r).copysign(*r)).collect();
        Ok(self.judge(x, &y, monitor)?.0)
    }

    /// Judges x where its residuals are no more than rounding; the bound, if that makes an exact fit of it.
    pub fn exact(
        &mut self,
        x: &[f64],
        r: &[f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<Option<f64>, QuantileError> {
        let side = |i: usize| (self.problem.weight(i) * self.problem.b[i]).abs();
        let most = (0..r.len()).map(side).fold(0.0, f64::max);
        // Cheap and rough: the certificate has the norms.
        if most == 0.0 || !exact(self.problem, largest(r) / most / 8.0) {
            return Ok(None);
        }
        let bound = self.judge_alone(x, r, monitor)?;
        let kind = self.best.as_ref().map(|best| best.judgement.certificate.kind);
        Ok((kind == Some(Kind::BackwardError)).then_some(bound))
    }

    /// The least bound so far.
    pub fn bound(&self) -> Option<f64> {
        self.best.as_ref().map(|best| best.judgement.certificate.bound)
    }

    /// Objective and gap of the best pair, nan where there is none.
    pub fn extras(&self) -> [f64; 2] {
        self.best.as_ref().map_or([f64::NAN; 2], |best| [best.judgement.objective, best.judgement.gap])
    }

    /// How a run ends that makes no progress any more.
    pub fn exhausted(&self) -> Status {
        let floor = self.problem.single || self.bound().is_some_and(|bound| bound < 1e-12);
        if floor { Status::RoundingFloor } else { Status::Stalled }
    }

    /// The dual that x (in the frame) itself suggests, `y = sign(r) |r|^(p-1)`, projected: `y - W A (A^T W A)^-1 A^T y`,
    /// `W = |r|^(p-2)`, tamed.
    fn projected(&self, x: &[f64], monitor: &mut Monitor<'_>) -> Result<Vec<f64>, QuantileError> {
        let r = self.residuals(x, monitor)?;
        let n = r.len();
        let (unit, mean) = (largest(&r), r.iter().map(|r| r.abs()).sum::<f64>() / n.max(1) as f64);
        let (mut y, mut roots) = (vec![0.0; n], vec![0.0; n]);
        if unit == 0.0 {
            return Ok(y);
        }
        let floor = if self.p < 2.0 { TAME * mean / unit } else { TAME * TAME };
        powers(&r, unit, f64::MIN_POSITIVE, self.p - 1.0, &mut y);
        powers(&r, unit, floor, (self.p - 2.0) / 2.0, &mut roots);
        y.iter_mut().zip(&r).for_each(|(y, r)| *y = if *r == 0.0 { 0.0 } else { y.copysign(*r) });
        let (gram, right) = normal(self.problem, self.frame, &roots, &y, monitor)?;
        if let Some(system) = System::new(gram, self.frame.rank()) {
            let moved = products(self.problem, self.frame, &system.solve(&right), monitor)?;
            (0..n).for_each(|i| y[i] -= roots[i] * roots[i] * moved[i]);
        }
        Ok(y)
    }

    /// The best pair; with nothing judged yet, x and the dual that it suggests.
    pub fn finish(
        mut self,
        x: &[f64],
        status: Status,
        mut monitor: Monitor<'_>,
    ) -> Result<Solution, QuantileError> {
        if self.best.is_none() {
            let y = self.projected(x, &mut monitor)?;
            self.judge(x, &y, &mut monitor)?;
        }
        let Answer { x, dual, judgement } = self.best.expect("judged above");
        let outcome = explained(monitor.end(status), &judgement, self.problem, self.frame);
        Ok(Solution { x, dual, judgement, rank: self.frame.rank(), outcome })
    }
}

/// The largest absolute value.
pub fn largest(x: &[f64]) -> f64 {
    x.iter().fold(0.0f64, |m, v| m.max(v.abs()))
}

fn explained(ending: Ending, judgement: &Judgement, problem: &Problem<'_>, frame: &Frame) -> Outcome {
    let (rank, width, bound) = (frame.rank(), problem.width(), judgement.certificate.bound);
    let outcome = Outcome::new(ending, Some(judgement.certificate.clone()));
    let mut message = match outcome.status {
        Status::RoundingFloor => format!(
            "rounding allows no smaller bound than {bound:.1e} for these data; raise tol, or pass float64 arrays if they \
             are float32"
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
    if judgement.certificate.kind == Kind::BackwardError {
        message += "; the fit is exact to the rounding of the data";
    } else if !frame.proven {
        message +=
            "; the columns are too dependent in float64 for a proof: the bound is that of the kept columns";
    }
    outcome.with_message(message)
}
