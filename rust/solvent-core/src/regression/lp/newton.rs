//! Newton's method along a path in p, p >= 2.

use super::passes::{normal, power_sum, powers, products};
use super::record::{Record, largest};
use super::solve::Solution;
use crate::base::monitor::{Method, Monitor, Progress};
use crate::base::status::Status;
use crate::regression::quantile::QuantileError;
use crate::regression::quantile::interior::System;

/// Growth of p from one to the next.
const GROWTH: f64 = 1.5;
/// Newton's decrement, relative to the objective, at which the next p is taken up.
const STAGE: f64 = 1e-3;
/// The largest ratio of weights.
const RATIO: f64 = 1e-15;
/// Halvings of a step.
const HALVINGS: u32 = 40;
/// Certificates that bring nothing new before the run ends.
const PATIENCE: u32 = 12;

/// The iteration.
pub struct Newton<'a, 'p> {
    record: Record<'a, 'p>,
    /// The exponent at hand; the record's is the one that is wanted.
    p: f64,
    tol: f64,
    /// Coefficients in the frame.
    x: Vec<f64>,
    /// Weighted residuals.
    r: Vec<f64>,
    end: Option<Status>,
}

impl<'a, 'p> Newton<'a, 'p> {
    /// From `x` (in the frame) at the exponent that is wanted, or from least squares.
    pub fn new(record: Record<'a, 'p>, x: Option<Vec<f64>>, tol: f64) -> Self {
        let p = if x.is_some() { record.p } else { 2.0 };
        let x = x.unwrap_or_else(|| vec![0.0; record.frame.rank()]);
        Self { record, p, tol, x, r: Vec::new(), end: None }
    }

    /// Newton's direction; its products with the weighted rows, its decrement, and the dual that it makes orthogonal.
    fn direction(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<Direction>, QuantileError> {
        let (n, d) = (self.r.len(), self.x.len());
        let unit = largest(&self.r);
        let floor = RATIO.powf(1.0 / (self.p - 2.0).max(1e-3)).max(1e-300);
        let (mut roots, mut y) = (vec![0.0; n], vec![0.0; n]);
        powers(&self.r, unit, floor, (self.p - 2.0) / 2.0, &mut roots);
        powers(&self.r, unit, 1e-300, self.p - 1.0, &mut y);
        for i in 0..n {
            y[i] = if self.r[i] == 0.0 { 0.0 } else { y[i].copysign(self.r[i]) };
        }
        let (gram, right) = normal(self.record.problem, self.record.frame, &roots, &y, monitor)?;
        let Some(system) = System::new(gram, d) else { return Ok(None) };
        // In units of the largest residual: W is |r/unit|^(p-2), y is |r/unit|^(p-1), dx has the unit.
        let projected = system.solve(&right);
        let dx: Vec<f64> = projected.iter().map(|v| v * unit / (self.p - 1.0)).collect();
        let decrement: f64 = right.iter().zip(&dx).map(|(g, dx)| g * dx).sum::<f64>() / unit;
        let q = products(self.record.problem, self.record.frame, &dx, monitor)?;
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
        self.r = self.record.residuals(&self.x, monitor)?;
        if self.x.is_empty() || largest(&self.r) == 0.0 {
            let bound = self.record.judge_alone(&self.x, &self.r, monitor)?;
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
        Ok(Progress { units: 1, bound, extras: self.record.extras() })
    }

    fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
        self.end
    }

    fn finish(self, status: Status, monitor: Monitor<'_>) -> Result<Solution, QuantileError> {
        self.record.finish(&self.x, status, monitor)
    }
}

impl Newton<'_, '_> {
    /// One step at the exponent at hand; at the last one a certificate where it is worth its pass.
    fn advance(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, QuantileError> {
        let unit = largest(&self.r);
        if unit == 0.0 {
            let bound = self.record.judge_alone(&self.x, &self.r, monitor)?;
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
        self.r = self.record.residuals(&self.x, monitor)?;
        if let Some(bound) = self.record.exact(&self.x, &self.r, monitor)? {
            self.end = Some(Status::RoundingFloor);
            return Ok(Some(bound));
        }
        if self.p != self.record.p {
            if relative <= STAGE || !moved {
                self.p = (self.p * GROWTH).min(self.record.p);
            }
            return Ok(None);
        }
        // The gap is about half the decrement, over p for the root; of the point after the step, far less.
        let mut bound = None;
        if relative * relative <= self.tol || relative <= STAGE * STAGE || !moved {
            bound = Some(self.record.judge(&self.x, &direction.y, monitor)?.0);
        }
        if !moved || self.record.idle >= PATIENCE {
            self.end = Some(self.record.exhausted());
        }
        Ok(bound)
    }
}
