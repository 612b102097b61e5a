//! What one pass over the rows finds at given points: residuals and gradients, plain or in double-double.

use super::error::RegressionError;
use super::passes::padded;
use super::passes::precise::Precise;
use super::passes::residual::Residual;
use super::problem::Problem;
use super::scaling::{Moments, ldexp};
use crate::base::monitor::Monitor;
use crate::base::sum::Dd;

/// Points of all right sides, balanced, as heads and tails.
#[derive(Debug, Clone, Default)]
pub struct Points {
    /// Heads, one vector a right side.
    pub y: Vec<Vec<f64>>,
    /// Tails.
    pub lo: Vec<Vec<f64>>,
}

impl Points {
    /// Points without tails.
    pub fn plain(y: Vec<Vec<f64>>) -> Self {
        let lo = y.iter().map(|y| vec![0.0; y.len()]).collect();
        Self { y, lo }
    }

    /// Whether any right side is more than a quarter of a unit in the last place of its norm away from the other.
    pub fn moved(&self, other: &Self) -> bool {
        let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
        let far = |c: usize| {
            let steps: Vec<f64> = self.y[c].iter().zip(&other.y[c]).map(|(a, b)| a - b).collect();
            norm(&steps) > 0.25 * f64::EPSILON * norm(&self.y[c])
        };
        (0..self.y.len()).any(far)
    }
}

/// One right side's residual and gradient, balanced.
#[derive(Debug, Clone)]
pub struct Reading<T> {
    /// `A'ᵀ W (b' - A' y) - alpha' y`.
    pub gradient: Vec<T>,
    /// `|b' - A' y|` without the ridge rows.
    pub residual: f64,
    /// The same with them.
    pub length: f64,
}

/// Powers of two as factors.
fn powers(exponents: &[i32]) -> Vec<f64> {
    exponents.iter().map(|&e| ldexp(1.0, e.clamp(-1022, 1023))).collect()
}

/// Reads the heads of the points; `None` if the rows cannot be read again.
pub fn read(
    problem: &mut Problem<'_>,
    moments: &Moments,
    points: &Points,
    monitor: &mut Monitor<'_>,
) -> Result<Option<Vec<Reading<f64>>>, RegressionError> {
    let (d, k) = (problem.columns, problem.sides);
    let mut pass = Residual {
        columns: d,
        x: vec![0.0; padded(d) * k],
        intercepts: vec![0.0; k],
        scales: powers(&moments.sides),
    };
    for c in 0..k {
        for j in 0..moments.order() {
            let z = ldexp(points.y[c][j], -moments.columns[j]);
            if j < d { pass.x[c * padded(d) + j] = z } else { pass.intercepts[c] = z }
        }
    }
    let Some(sum) = problem.pass(&pass, monitor)? else { return Ok(None) };
    let side = |c: usize| {
        let y = &points.y[c];
        let mut square = sum.squares[c].value();
        let residual = square.max(0.0).sqrt();
        let component = |j: usize| if j < d { sum.get(c, j) } else { sum.ones[c].value() };
        let mut gradient: Vec<f64> =
            (0..moments.order()).map(|j| ldexp(component(j), -moments.columns[j])).collect();
        for (j, alpha) in moments.alpha.iter().enumerate() {
            gradient[j] -= alpha * y[j];
            square += alpha * y[j] * y[j];
        }
        Reading { gradient, residual, length: square.max(0.0).sqrt() }
    };
    Ok(Some((0..k).map(side).collect()))
}

/// Readings in double-double, one a right side, and the flushes on the longest path of a sum.
pub type Precisely = (Vec<Reading<Dd>>, usize);

/// Reads the points with their tails in double-double; `None` as for [`read`].
pub fn read_precisely(
    problem: &mut Problem<'_>,
    moments: &Moments,
    points: &Points,
    monitor: &mut Monitor<'_>,
) -> Result<Option<Precisely>, RegressionError> {
    let (d, k) = (problem.columns, problem.sides);
    let mut pass = Precise {
        columns: d,
        x: vec![0.0; padded(d) * k],
        x_lo: vec![0.0; padded(d) * k],
        intercepts: vec![Dd::ZERO; k],
        scales: powers(&moments.sides),
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
    let Some(sum) = problem.pass(&pass, monitor)? else { return Ok(None) };
    let side = |c: usize| {
        let (y, lo) = (&points.y[c], &points.lo[c]);
        let mut square = sum.squares[c].value();
        let residual = square.max(0.0).sqrt();
        let component = |j: usize| if j < d { sum.total[c * padded(d) + j] } else { sum.ones[c] };
        let scaled = |j: usize| {
            let (g, e) = (component(j), -moments.columns[j]);
            Dd::new(ldexp(g.hi, e), ldexp(g.lo, e))
        };
        let mut gradient: Vec<Dd> = (0..moments.order()).map(scaled).collect();
        for j in 0..moments.alpha.len() {
            // The caller's alpha, not the rounded square of its root.
            let exact = problem.alpha.get(j).copied().unwrap_or(0.0);
            let alpha = ldexp(ldexp(exact, -moments.columns[j]), -moments.columns[j]);
            gradient[j] = gradient[j] - Dd::new(y[j], lo[j]) * Dd::from(alpha);
            square += alpha * y[j] * y[j];
        }
        Reading { gradient, residual, length: square.max(0.0).sqrt() }
    };
    Ok(Some(((0..k).map(side).collect(), sum.flushes)))
}
