//! D, its gradient and its metric.
//!
//! The variables z_k are free; `f_k = z_k - sum_l w_l z_l` meets the constraint. D does not change when all z_k move
//! together, and the gradient has no part in that direction.

use super::passes::{Side, transform};
use super::problem::Problem;
use crate::base::lbfgs::{Objective, Value};
use crate::base::monitor::Monitor;
use crate::base::sum::Sum;
use crate::ot::OtError;
use crate::ot::entry::Entry;

const U: f64 = 0.5 * f64::EPSILON;

/// D as a function of z at one reg, and what it was made of at the point evaluated last. All vectors hold the
/// histograms one after the other.
pub struct Dual<'a, T: Entry> {
    problem: &'a Problem<'a, T>,
    /// The regularisation of the stage.
    pub reg: f64,
    /// Potentials of the rows.
    pub f: Vec<f64>,
    /// Those of the columns less `reg log b`: transforms of f.
    columns: Vec<f64>,
    /// Potentials of the columns.
    pub g: Vec<f64>,
    /// Transforms of g: `f = rows` would make the row sums 1.
    rows: Vec<f64>,
    /// `reg / (w_k mean(r_k, p))`, the logarithmic mean.
    metric: Vec<f64>,
    /// The barycenter.
    pub p: Vec<f64>,
    /// `sum_k w_k |r_k - p|_1`
    pub error: f64,
    /// Half passes for all histograms.
    pub passes: u64,
    log_b: Vec<f64>,
}

/// How far a row may be moved, in reg.
const FARTHEST: f64 = 8.0;
/// Masses below this are no scale for a step.
const TINY: f64 = 1e-290;

impl<'a, T: Entry> Dual<'a, T> {
    /// Not evaluated yet.
    pub fn new(problem: &'a Problem<'a, T>, reg: f64) -> Self {
        let (long, wide) = (problem.count() * problem.n, problem.count() * problem.m);
        Self {
            problem,
            reg,
            f: vec![0.0; long],
            columns: vec![0.0; wide],
            g: vec![0.0; wide],
            rows: vec![0.0; long],
            metric: vec![1.0; long],
            p: vec![0.0; problem.n],
            error: f64::INFINITY,
            passes: 0,
            log_b: problem.b.iter().map(|b| b.ln()).collect(),
        }
    }

    /// `z` less its weighted mean, which is what D looks at.
    pub fn centre(problem: &Problem<'_, T>, z: &[f64], f: &mut [f64]) {
        let n = problem.n;
        for i in 0..n {
            let mut mean = Sum::new();
            for (k, &w) in problem.w.iter().enumerate() {
                mean.add_product(w, z[k * n + i]);
            }
            let mean = mean.value();
            for k in 0..problem.count() {
                f[k * n + i] = z[k * n + i] - mean;
            }
        }
    }
}

/// `(x - y) / (log x - log y)`, from `x`, `y` and the logarithm of their ratio.
fn logarithmic_mean(x: f64, y: f64, log_ratio: f64) -> f64 {
    // The series of the quotient where the difference has no digits left.
    if log_ratio.abs() < 1e-4 { 0.5 * (x + y) } else { (x - y) / log_ratio }
}

impl<T: Entry> Objective for Dual<'_, T> {
    type Error = OtError;

    /// -D, so that it is minimised.
    fn evaluate(
        &mut self,
        z: &[f64],
        gradient: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<Value, OtError> {
        let (problem, reg) = (self.problem, self.reg);
        let (n, m) = (problem.n, problem.m);
        Self::centre(problem, z, &mut self.f);
        transform(problem, Side::Columns, reg, &self.f, &mut self.columns, monitor)?;
        let (mut value, mut sizes) = (Sum::new(), reg * problem.mass);
        for (k, &w) in problem.w.iter().enumerate() {
            let mut part = Sum::new();
            for j in k * m..(k + 1) * m {
                self.g[j] = self.columns[j] + reg * self.log_b[j];
                // A weight of 0 has the potential -inf and no part in D.
                if problem.b[j] > 0.0 {
                    part.add_product(self.g[j], problem.b[j]);
                    sizes += w * (self.g[j] * problem.b[j]).abs();
                }
            }
            value.add_product(-w, part.value());
            value.add(w * reg * problem.mass);
        }
        transform(problem, Side::Rows, reg, &self.g, &mut self.rows, monitor)?;
        self.passes += 2;
        let mut error = Sum::new();
        for i in 0..n {
            // Row sums from their logarithms, which hold whatever their size is.
            let log = |k: usize| (self.f[k * n + i] - self.rows[k * n + i]) / reg;
            let mut most = f64::NEG_INFINITY;
            for k in 0..problem.count() {
                most = most.max(log(k));
            }
            let mut relative = 0.0;
            for (k, &w) in problem.w.iter().enumerate() {
                relative += w * (log(k) - most).exp();
            }
            let (log_p, p) = (most + relative.ln(), most.exp() * relative);
            for (k, &w) in problem.w.iter().enumerate() {
                let (log_r, at) = (log(k), k * n + i);
                let r = log_r.exp();
                gradient[at] = w * (r - p);
                error.add((w * (r - p)).abs());
                self.metric[at] = reg / (w * logarithmic_mean(r, p, log_r - log_p).max(TINY));
            }
            self.p[i] = p;
        }
        self.error = error.value();
        Ok(Value { value: value.value(), noise: 32.0 * U * sizes })
    }

    fn precondition(&self, q: &mut [f64]) -> bool {
        q.iter_mut().zip(&self.metric).for_each(|(q, metric)| *q *= metric);
        true
    }

    /// Row sums change by the factor `exp(d/reg)`. Where they have become smaller by orders of magnitude within the
    /// memory of the search, what it has learnt of them is worth nothing: no row moves farther than a projection
    /// would move it, or some reg.
    fn restrict(&self, gradient: &[f64], direction: &mut [f64]) {
        for ((d, g), metric) in direction.iter_mut().zip(gradient).zip(&self.metric) {
            let most = (g * metric).abs().max(FARTHEST * self.reg);
            *d = d.clamp(-most, most);
        }
    }

    fn first_length(&self, _: &[f64]) -> f64 {
        1.0
    }
}
