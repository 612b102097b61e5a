//! The interior point, 1 < p < 2.
//!
//! With `b - A x = z - w`, z and w >= 0, the problem is `min sum z^p + w^p`: convex, separable, linear constraints. Its
//! conditions `s = p z^(p-1) - a >= 0`, `t = p w^(p-1) + a >= 0`, `A^T a = 0`, `z s = w t = 0` become those of the linear
//! program for p = 1 as p falls, and Mehrotra's predictor-corrector serves both: where `|r|^(p-2)` has a spike at every
//! residual that changes its sign, the products z s keep Newton's weights tame. z^p is compatible with the barrier of
//! z >= 0 (Nesterov & Nemirovskii 1994, section 5.4), so that few steps are needed, whatever p and the data.
//!
//! Newton's step towards `z s = e_z`, `w t = e_w`, with `D_z = s/z + p (p-1) z^(p-2)` and
//! `c_z = (e_z/z - p z^(p-1) + a)/D_z`, the same for w with -a: `W = 1/(1/D_z + 1/D_w)`,
//! `A^T W A dx = A^T (a - W (c_z - c_w))`, `da = -W (A dx + c_z - c_w)`, `dz = c_z + da/D_z`, `dw = c_w - da/D_w`.

use super::passes::{collect, normal, powers, products};
use super::record::Record;
use super::solve::Solution;
use crate::base::monitor::{Method, Monitor, Progress};
use crate::base::status::Status;
use crate::regression::quantile::QuantileError;
use crate::regression::quantile::interior::System;

/// How far a step goes to the boundary.
const STEP: f64 = 0.995;
/// How far z and w are from 0 at the start, in mean absolute residuals.
const COLD: f64 = 0.1;
/// Relative gap of the barrier below which pairs are judged.
const NEAR: f64 = 1e-7;
/// Certificates that bring nothing new before the run ends.
const PATIENCE: u32 = 4;

/// One side of a row's residual.
#[derive(Debug, Clone, Default)]
struct Side {
    /// z or w, > 0, in units.
    v: Vec<f64>,
    /// s or t, > 0.
    s: Vec<f64>,
    /// `p v^(p-1)`
    slope: Vec<f64>,
    /// D
    curve: Vec<f64>,
    dv: Vec<f64>,
    ds: Vec<f64>,
}

impl Side {
    fn new(v: Vec<f64>) -> Self {
        let zeros = || vec![0.0; v.len()];
        Self { s: zeros(), slope: zeros(), curve: zeros(), dv: zeros(), ds: zeros(), v }
    }

    /// Slopes at v.
    fn measure(&mut self, p: f64) {
        powers(&self.v, 1.0, f64::MIN_POSITIVE, p - 1.0, &mut self.slope);
        self.slope.iter_mut().for_each(|slope| *slope *= p);
    }

    /// Curvatures at v.
    fn bend(&mut self, p: f64) {
        for i in 0..self.v.len() {
            self.curve[i] = (self.s[i] + (p - 1.0) * self.slope[i]) / self.v[i];
        }
    }

    /// The product that row i is to have, of second order where a predictor's step is held.
    fn aim(&self, i: usize, mu: Option<f64>) -> f64 {
        mu.map_or(0.0, |mu| mu - self.dv[i] * self.ds[i])
    }

    /// c of row i.
    fn centre(&self, i: usize, a: f64, mu: Option<f64>) -> f64 {
        (self.aim(i, mu) / self.v[i] - self.slope[i] + a) / self.curve[i]
    }

    /// The step of row i, da being that of its own dual.
    fn go(&mut self, i: usize, a: f64, da: f64, mu: Option<f64>) {
        let aim = self.aim(i, mu);
        let dv = self.centre(i, a, mu) + da / self.curve[i];
        self.ds[i] = (aim - self.s[i] * dv) / self.v[i] - self.s[i];
        self.dv[i] = dv;
    }

    /// The largest relative decrease.
    fn ratio(&self) -> f64 {
        let fall = |x: &[f64], dx: &[f64]| x.iter().zip(dx).fold(0.0f64, |m, (x, dx)| m.max(-dx / x));
        fall(&self.v, &self.dv).max(fall(&self.s, &self.ds))
    }

    /// `v s` after a step of this length.
    fn product(&self, length: f64) -> f64 {
        let row = |i: usize| (self.v[i] + length * self.dv[i]) * (self.s[i] + length * self.ds[i]);
        (0..self.v.len()).map(row).sum()
    }

    fn advance(&mut self, length: f64) {
        for i in 0..self.v.len() {
            self.v[i] += length * self.dv[i];
            self.s[i] += length * self.ds[i];
        }
    }

    /// `sum p v^p`
    fn size(&self) -> f64 {
        self.v.iter().zip(&self.slope).map(|(v, slope)| v * slope).sum()
    }
}

/// The iteration.
pub struct Interior<'a, 'p> {
    record: Record<'a, 'p>,
    tol: f64,
    /// Coefficients in the frame.
    x: Vec<f64>,
    started: bool,
    /// What residuals are measured in.
    unit: f64,
    above: Side,
    below: Side,
    /// a
    a: Vec<f64>,
    da: Vec<f64>,
    end: Option<Status>,
}

impl<'a, 'p> Interior<'a, 'p> {
    /// From `x` (in the frame), or from least squares.
    pub fn new(record: Record<'a, 'p>, x: Option<Vec<f64>>, tol: f64) -> Self {
        let (n, started) = (record.problem.rows(), x.is_some());
        let x = x.unwrap_or_else(|| vec![0.0; record.frame.rank()]);
        let (above, below) = (Side::default(), Side::default());
        let (a, da) = (vec![0.0; n], vec![0.0; n]);
        Self { record, tol, x, started, unit: 1.0, above, below, a, da, end: None }
    }

    /// `A^T (a - W c)`, with the matrix where it is asked for; also W c, of which a step is made.
    fn differences(&self, mu: Option<f64>) -> Vec<f64> {
        let row = |i: usize| self.above.centre(i, self.a[i], mu) - self.below.centre(i, -self.a[i], mu);
        (0..self.a.len()).map(row).collect()
    }

    /// Newton's step from dx and the differences c.
    fn go(
        &mut self,
        dx: &[f64],
        c: &[f64],
        weight: &[f64],
        mu: Option<f64>,
        monitor: &mut Monitor<'_>,
    ) -> Result<f64, QuantileError> {
        let moved = products(self.record.problem, self.record.frame, dx, monitor)?;
        for i in 0..self.a.len() {
            let da = -weight[i] * (moved[i] + c[i]);
            self.above.go(i, self.a[i], da, mu);
            self.below.go(i, -self.a[i], -da, mu);
            self.da[i] = da;
        }
        let ratio = self.above.ratio().max(self.below.ratio());
        Ok((STEP / ratio.max(STEP)).min(1.0))
    }

    /// One step; the dual that it makes orthogonal to A, `None` where there is no step to be had.
    fn advance(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<Vec<f64>>, QuantileError> {
        let (n, p, d) = (self.a.len(), self.record.p, self.x.len());
        let (problem, frame) = (self.record.problem, self.record.frame);
        self.above.bend(p);
        self.below.bend(p);
        let weight: Vec<f64> = (0..n)
            .map(|i| {
                let (u, v) = (self.above.curve[i], self.below.curve[i]);
                u.min(v) / (1.0 + u.min(v) / u.max(v))
            })
            .collect();
        let side = |a: &[f64], c: &[f64]| -> Vec<f64> { (0..n).map(|i| a[i] - weight[i] * c[i]).collect() };
        let roots: Vec<f64> = weight.iter().map(|w| w.sqrt()).collect();
        let c = self.differences(None);
        let (gram, right) = normal(problem, frame, &roots, &side(&self.a, &c), monitor)?;
        let Some(system) = System::new(gram, d) else { return Ok(None) };
        let affine = self.go(&system.solve(&right), &c, &weight, None, monitor)?;
        let gap = self.above.product(0.0) + self.below.product(0.0);
        let left = (self.above.product(affine) + self.below.product(affine)) / gap;
        let mu = Some(gap / (2 * n) as f64 * left.clamp(0.0, 1.0).powi(3));
        let c = self.differences(mu);
        let right = collect(problem, frame, &side(&self.a, &c), monitor)?;
        let dx = system.solve(&right);
        let length = self.go(&dx, &c, &weight, mu, monitor)?;
        if !(length > 1e-8 && dx.iter().all(|v| v.is_finite())) {
            return Ok(None);
        }
        let dual = self.a.iter().zip(&self.da).map(|(a, da)| a + da).collect();
        self.x.iter_mut().zip(&dx).for_each(|(x, dx)| *x += length * self.unit * dx);
        self.a.iter_mut().zip(&self.da).for_each(|(a, da)| *a += length * da);
        for side in [&mut self.above, &mut self.below] {
            side.advance(length);
            side.measure(p);
        }
        Ok(Some(dual))
    }

    /// Brings z - w back to the residuals r that x has.
    fn anchor(&mut self, r: &[f64]) {
        for i in 0..r.len() {
            let off = r[i] / self.unit - (self.above.v[i] - self.below.v[i]);
            let side = if off > 0.0 { &mut self.above } else { &mut self.below };
            side.v[i] += off.abs();
        }
        self.above.measure(self.record.p);
        self.below.measure(self.record.p);
    }
}

impl Method<2> for Interior<'_, '_> {
    type Solution = Solution;
    type Error = QuantileError;
    const EXTRAS: [&'static str; 2] = ["objective", "gap"];

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, QuantileError> {
        let n = self.a.len();
        let mut r = self.record.residuals(&self.x, monitor)?;
        if !self.started && !self.x.is_empty() {
            let (gram, right) = normal(self.record.problem, self.record.frame, &vec![1.0; n], &r, monitor)?;
            if let Some(system) = System::new(gram, self.x.len()) {
                self.x = system.solve(&right);
                r = self.record.residuals(&self.x, monitor)?;
            }
        }
        let mean = r.iter().map(|r| r.abs()).sum::<f64>() / n.max(1) as f64;
        if self.x.is_empty() || mean == 0.0 {
            let bound = self.record.judge_alone(&self.x, &r, monitor)?;
            self.end = Some(Status::RoundingFloor);
            return Ok(Some(bound));
        }
        if let Some(bound) = self.record.exact(&self.x, &r, monitor)? {
            self.end = Some(Status::RoundingFloor);
            return Ok(Some(bound));
        }
        self.unit = mean;
        self.above = Side::new(r.iter().map(|r| (r / mean).max(0.0) + COLD).collect());
        self.below = Side::new(r.iter().map(|r| (-r / mean).max(0.0) + COLD).collect());
        for side in [&mut self.above, &mut self.below] {
            side.measure(self.record.p);
            // a = 0 is feasible.
            side.s.clone_from(&side.slope);
        }
        Ok(None)
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<2>, QuantileError> {
        let mut bound = None;
        if self.end.is_none() {
            let dual = self.advance(monitor)?;
            let stuck = dual.is_none();
            let dual = dual.unwrap_or_else(|| self.a.clone());
            let gap = self.above.product(0.0) + self.below.product(0.0);
            let relative = gap / (self.above.size() + self.below.size());
            if stuck || relative.is_nan() || relative <= NEAR.max(self.tol) {
                let (judged, r) = self.record.judge(&self.x, &dual, monitor)?;
                bound = Some(judged);
                self.anchor(&r);
            }
            if stuck || relative.is_nan() || self.record.idle >= PATIENCE {
                self.end = Some(self.record.exhausted());
            }
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
