//! One run of the method: its point, its restarts, and what is looked at between blocks of iterations.

use super::problem::Problem;
use super::rays::{Proof, clip_direction};
use super::restart::Restart;
use super::step::{Engine, Point, Side, Steps, dot, iterate};
use super::weight::{PrimalWeight, Share};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;

/// Relative residuals of (x⁺, y⁺) in plain sums: the certificate's measures, cheaply.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measures {
    /// Of the rows.
    pub primal: f64,
    /// Of the dual.
    pub dual: f64,
    /// Of the objectives.
    pub gap: f64,
    /// Of the dual with the reduced costs that the projection used; the primal weight looks at this one, which does not
    /// vanish where all bounds are finite.
    pub stationarity: f64,
}

impl Measures {
    /// The worst of the certificate's three.
    pub fn worst(&self) -> f64 {
        let worst = self.primal.max(self.dual).max(self.gap);
        if (self.primal + self.dual + self.gap).is_nan() { f64::NAN } else { worst }
    }
}

/// One run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its vectors.
    pub point: Point,
    /// The primal weight.
    pub weight: PrimalWeight,
    /// The restart rule.
    pub restart: Restart,
    /// Iterations since the anchor.
    pub since: u64,
    /// Iterations.
    pub total: u64,
    /// Products with A or Aᵀ.
    pub products: u64,
    /// A x⁺ and Aᵀy⁺ of the last check.
    pub ax: Vec<f64>,
    /// As `ax`.
    pub aty: Vec<f64>,
    /// Aᵀ(y − y⁺) of the last check.
    pub step_aty: Vec<f64>,
    /// Whether these three are known already: a batch computes them for many runs together.
    pub known: bool,
    scratch: Vec<f64>,
}

impl Run {
    /// At its start.
    pub fn new(problem: &Problem, engine: &Engine, start: Option<(&[f64], &[f64])>) -> Self {
        let point = Point::new(problem, engine, start);
        let (m, n) = (engine.rows.padded(), engine.columns.padded());
        Self {
            point,
            weight: PrimalWeight::new(),
            restart: Restart::new(),
            since: 0,
            total: 0,
            products: 0,
            ax: vec![0.0; m],
            aty: vec![0.0; n],
            step_aty: vec![0.0; n],
            known: false,
            scratch: vec![0.0; m],
        }
    }

    /// A block of iterations.
    pub fn advance(&mut self, engine: &Engine, count: u64, monitor: &mut Monitor<'_>) -> Result<(), Aborted> {
        let steps = Steps::new(engine.eta, self.weight.omega);
        let mut left = count;
        if self.since == 0 && left > 0 {
            iterate(engine, &mut self.point, steps, 0, 1, monitor)?;
            self.advanced(1);
            self.restart.first = self.fixed_point_error(engine);
            left -= 1;
        }
        if left > 0 {
            iterate(engine, &mut self.point, steps, self.since, left, monitor)?;
            self.advanced(left);
        }
        Ok(())
    }

    /// Books `count` iterations.
    pub fn advanced(&mut self, count: u64) {
        self.known = false;
        self.since += count;
        self.total += count;
        self.products += 2 * count;
    }

    /// The error that decides on restarts, at the last iteration.
    pub fn fixed_point_error(&mut self, engine: &Engine) -> f64 {
        let omega = self.weight.omega;
        // x_old − x⁺ = x⁺ − xr, for the reflection is 2x⁺ − x_old.
        let step = |projected: &[f64], reflected: &[f64], out: &mut [f64]| {
            for ((out, p), r) in out.iter_mut().zip(projected).zip(reflected) {
                *out = p - r;
            }
        };
        let Point { primal, dual, .. } = &self.point;
        step(&dual.projected, &dual.reflected, &mut self.scratch);
        if !self.known {
            engine.at.multiply(&self.scratch, &mut self.step_aty);
        }
        self.products += 1;
        let dy = dot(&self.scratch, &self.scratch);
        let (mut dx, mut cross) = (0.0, 0.0);
        for ((p, r), aty) in primal.projected.iter().zip(&primal.reflected).zip(&self.step_aty) {
            let d = p - r;
            dx += d * d;
            cross += d * aty;
        }
        (omega * dx + dy / omega + 2.0 * engine.eta * cross).max(0.0).sqrt()
    }

    /// Products at (x⁺, y⁺) and the residuals that follow from them.
    pub fn measure(&mut self, problem: &Problem, engine: &Engine) -> Measures {
        let Point { primal, dual, c, slack, factors } = &self.point;
        if !std::mem::take(&mut self.known) {
            engine.a.multiply(&primal.projected, &mut self.ax);
            engine.at.multiply(&dual.projected, &mut self.aty);
        }
        self.products += 2;
        let (mut rows, mut columns, mut stationarity) = (0.0, 0.0, 0.0);
        let (mut p, mut d) = (0.0, 0.0);
        for (k, &i) in engine.rows.row.iter().enumerate() {
            let (lower, upper, y) = (-dual.upper[k], -dual.lower[k], dual.projected[k]);
            let off = (self.ax[k] - self.ax[k].max(lower).min(upper)) * engine.scaling.e[i];
            rows += off * off;
            if y != 0.0 {
                // The projection leaves y no sign that an infinite limit would have to pay for.
                let limit = if y > 0.0 { lower } else { upper };
                d += if limit.is_finite() { y * limit } else { 0.0 };
            }
        }
        for (k, &j) in engine.columns.row.iter().enumerate() {
            let (r, scale) = (c[k] - self.aty[k], engine.scaling.d[j]);
            let bound = if r > 0.0 { primal.lower[k] } else { primal.upper[k] };
            if bound.is_finite() {
                d += r * bound;
            } else {
                columns += (r * scale).powi(2);
            }
            stationarity += ((r - slack[k]) * scale).powi(2);
            p += c[k] * primal.projected[k];
        }
        let units = 1.0 / (factors.limits * factors.costs);
        let (p, d) = (p * units + problem.offset, d * units + problem.offset);
        let dual_scale = factors.costs * problem.dual_scale;
        Measures {
            primal: f64::sqrt(rows) / (factors.limits * problem.primal_scale),
            dual: f64::sqrt(columns) / dual_scale,
            gap: (p - d).abs() / (1.0 + p.abs() + d.abs()),
            stationarity: f64::sqrt(stationarity) / dual_scale,
        }
    }

    /// Restarts where the rule says so.
    pub fn consider_restart(&mut self, error: f64, measures: &Measures) {
        if self.restart.due(error, self.since, self.total) {
            self.begin_anew(measures);
        }
    }

    /// The shares of costs and of limits that matter at (x⁺, y⁺): of variables inside their bounds, and of rows with a
    /// multiplier.
    fn shares(&self) -> (f64, f64) {
        let Point { dual, c, slack, .. } = &self.point;
        let (mut costs, mut limits) = (Share::default(), Share::default());
        for (c, slack) in c.iter().zip(slack) {
            costs.add(*c, *slack == 0.0);
        }
        for ((lower, upper), y) in dual.lower.iter().zip(&dual.upper).zip(&dual.projected) {
            for limit in [lower, upper] {
                if limit.is_finite() {
                    limits.add(*limit, *y != 0.0);
                }
            }
        }
        (costs.value(), limits.value())
    }

    /// Restarts at (x⁺, y⁺).
    pub fn begin_anew(&mut self, measures: &Measures) {
        let distance = |side: &Side| {
            let squares = side.projected.iter().zip(&side.anchor).map(|(p, a)| (p - a) * (p - a));
            squares.sum::<f64>().sqrt()
        };
        let moved = (distance(&self.point.primal), distance(&self.point.dual));
        let changed = self.weight.update(moved, (measures.primal, measures.stationarity), self.shares());
        self.point.primal.restart();
        self.point.dual.restart();
        // The pair that was looked at stays what it is; the next iteration begins elsewhere.
        match changed {
            Some(change) if change < 1.0 => self.point.dual.begin_at_zero(),
            Some(_) => self.point.primal.begin_within_bounds(),
            None => {}
        }
        self.since = 0;
        self.restart.done();
    }

    /// (x⁺, y⁺) in the caller's order and units, x inside its bounds.
    pub fn solution(&self, problem: &Problem, engine: &Engine) -> (Vec<f64>, Vec<f64>) {
        let Point { primal, dual, factors, .. } = &self.point;
        let (e, d) = (&engine.scaling.e, &engine.scaling.d);
        let mut x = engine.columns.restore(&primal.projected);
        for (j, x) in x.iter_mut().enumerate() {
            *x = problem.columns.clip(j, *x / (d[j] * factors.limits));
        }
        let mut y = engine.rows.restore(&dual.projected);
        y.iter_mut().zip(e).for_each(|(y, e)| *y /= e * factors.costs);
        problem.clip_dual(&mut y);
        (x, y)
    }

    /// Displacements of the iterates that are rays but for a violation of `share` of their value, in the caller's units.
    ///
    /// Where there is no solution the iterates move along a ray for ever (D. Applegate, M. Díaz, H. Lu & M. Lubin,
    /// "Infeasibility detection with primal-dual hybrid gradient", SIAM J. Optim. 34 (2024)): the displacement from the
    /// anchor and the last step are tried, with both signs.
    pub fn rays(&mut self, problem: &Problem, engine: &Engine, share: f64) -> Vec<(Proof, Vec<f64>)> {
        let mut found = Vec::new();
        for from_anchor in [true, false] {
            let displacement = |side: &Side| -> Vec<f64> {
                // x⁺ − x0, or x⁺ − x_old = xr − x⁺.
                let (a, b) = if from_anchor {
                    (&side.projected, &side.anchor)
                } else {
                    (&side.reflected, &side.projected)
                };
                a.iter().zip(b).map(|(a, b)| a - b).collect()
            };
            let dy = engine.rows.restore(&displacement(&self.point.dual));
            let dx = engine.columns.restore(&displacement(&self.point.primal));
            for sign in [1.0, -1.0] {
                let mut y: Vec<f64> = dy.iter().zip(&engine.scaling.e).map(|(v, e)| sign * v / e).collect();
                problem.clip_dual(&mut y);
                if farkas_share(problem, &y) <= share {
                    found.push((Proof::Farkas, y));
                }
                let mut d: Vec<f64> = dx.iter().zip(&engine.scaling.d).map(|(v, d)| sign * v / d).collect();
                clip_direction(problem, &mut d);
                if recession_share(problem, &d) <= share {
                    found.push((Proof::Recession, d));
                }
            }
        }
        found
    }
}

/// Violation per value of multipliers, in plain sums; inf where the value is not positive.
pub(super) fn farkas_share(problem: &Problem, y: &[f64]) -> f64 {
    let mut value = 0.0;
    for (i, &y) in y.iter().enumerate().filter(|(_, y)| **y != 0.0) {
        value += y * if y > 0.0 { problem.rows.lower[i] } else { problem.rows.upper[i] };
    }
    let (mut violation, at) = (0.0, problem.at.view());
    for j in 0..problem.n() {
        let (indices, values) = at.row(j);
        let r = -indices.iter().zip(values).map(|(&i, a)| a * y[i as usize]).sum::<f64>();
        let bound = if r > 0.0 { problem.columns.lower[j] } else { problem.columns.upper[j] };
        if bound.is_finite() {
            value += r * bound;
        } else {
            violation += r.abs();
        }
    }
    if value > 0.0 { violation / value } else { f64::INFINITY }
}

/// Violation per descent of a direction, in plain sums; inf where it does not descend.
pub(super) fn recession_share(problem: &Problem, d: &[f64]) -> f64 {
    let descent = -problem.c.iter().zip(d).map(|(c, d)| c * d).sum::<f64>();
    if descent.is_nan() || descent <= 0.0 {
        return f64::INFINITY;
    }
    let (mut violation, a) = (0.0f64, problem.a.view());
    for i in 0..problem.m() {
        let (indices, values) = a.row(i);
        let sum: f64 = indices.iter().zip(values).map(|(&j, a)| a * d[j as usize]).sum();
        let limit = if sum > 0.0 { problem.rows.upper[i] } else { problem.rows.lower[i] };
        if limit.is_finite() {
            violation = violation.max(sum.abs());
        }
    }
    violation / descent
}
