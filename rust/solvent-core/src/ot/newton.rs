//! One Newton step on the semi-dual: the plan's support, the direction, the line search.
//!
//! Columns are always exact. A step needs one pass: at the trial point, whose columns are off by little, row sums,
//! column sums and support are taken together, and the exact columns follow by scaling, `P_ij k_j`.

use super::linsys::{Laplacian, solve};
use super::passes::{Thresholds, probe};
use super::problem::Problem;
use super::side::Side;
use super::support::Support;
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;

/// Column sums outside are lost to underflow or overflow.
const SAFE: std::ops::Range<f64> = 1e-200..1e200;
/// A row's potential moves at most so many reg in a step.
const REACH: f64 = 60.0;
/// Halvings of a step.
const HALVINGS: u64 = 12;
/// The share of a row or column that may be dropped from the support, at most.
const DROP: f64 = 1e-2;
/// Iterations of conjugate gradients, at most.
const ITERATIONS: u64 = 3000;

/// A point with exact columns, and the plan there as far as a direction needs it.
#[derive(Debug, Clone)]
pub struct Point {
    /// The rows' potentials.
    pub f: Vec<f64>,
    /// The columns' potentials, exact for f.
    pub g: Vec<f64>,
    /// The rows' sums.
    pub sums: Vec<f64>,
    /// l1 error of the rows.
    pub error: f64,
    /// How far `sums` may be off, in l1.
    pub doubt: f64,
    /// Row sums of the plan that `support` was taken from.
    taken: Vec<f64>,
    /// From that plan's columns to the exact ones.
    factors: Vec<f64>,
    support: Support,
}

/// The exact columns' potentials for these sums, and the factors of the columns; `None` if a sum is out of range.
pub fn exact_columns(side: &Side, g: &[f64], sums: &[f64], reg: f64) -> Option<(Vec<f64>, Vec<f64>)> {
    if !sums.iter().all(|c| SAFE.contains(c)) {
        return None;
    }
    Some(g.iter().zip(sums).enumerate().map(|(j, (&g, &c))| side.exact(j, g, c, reg)).unzip())
}

impl Point {
    /// The plan at `f` and near `g`, whose columns are made exact; `expected` is the error that is hoped for. `None` if
    /// a column's sum is out of range.
    pub fn at(
        problem: &Problem<'_>,
        reg: f64,
        f: Vec<f64>,
        g: Vec<f64>,
        expected: f64,
        monitor: &mut Monitor<'_>,
    ) -> Result<Option<Self>, Aborted> {
        let (n, m) = (f.len(), g.len());
        let drop = (0.1 * expected).min(DROP);
        let columns: Vec<f64> = (0..m).map(|j| drop / n as f64 * problem.b.target(j, g[j], reg)).collect();
        let thresholds = Thresholds { row: drop / m as f64, columns: &columns };
        let probed = probe(problem.cost(), &f, &g, reg, thresholds, monitor)?;
        let Some((exact, factors)) = exact_columns(&problem.b, &g, &probed.columns, reg) else {
            return Ok(None);
        };
        // What the scaling of the columns adds to each row, as far as the support knows it.
        let off: Vec<f64> = factors.iter().map(|k| k - 1.0).collect();
        let farthest = off.iter().fold(0.0_f64, |a, k| a.max(k.abs()));
        let added = probed.support.times(&off);
        let sums: Vec<f64> = probed.rows.iter().zip(&added).map(|(r, v)| r * (1.0 + v)).collect();
        let error = problem.a.error(&f, &sums, reg);
        let total: f64 = sums.iter().sum();
        // Where columns were far off, what was dropped at the trial point may matter at the exact ones.
        let doubt = if farthest > 0.5 { f64::INFINITY } else { (drop + 4e-7) * farthest * total };
        let (taken, support) = (probed.rows, probed.support);
        Ok(Some(Self { f, g: exact, sums, error, doubt, taken, factors, support }))
    }

    /// The direction in the rows, and the columns' predicted answer; both to be multiplied by reg. The number of
    /// iterations that it took.
    fn direction(
        &self,
        problem: &Problem<'_>,
        reg: f64,
        accuracy: f64,
        monitor: &mut Monitor<'_>,
    ) -> Result<(Vec<f64>, Vec<f64>, u64), Aborted> {
        let (a, b) = (&problem.a, &problem.b);
        let n = self.f.len();
        let diagonal: Vec<f64> = (0..n).map(|i| self.sums[i] + a.curvature(i, self.f[i], reg)).collect();
        let inverse: Vec<f64> = (0..self.g.len())
            .map(|j| 1.0 / (b.target(j, self.g[j], reg) + b.curvature(j, self.g[j], reg)))
            .collect();
        let weights: Vec<f64> = inverse.iter().zip(&self.factors).map(|(w, k)| w * k * k).collect();
        let mut rhs: Vec<f64> = (0..n).map(|i| a.target(i, self.f[i], reg) - self.sums[i]).collect();
        if problem.balanced() {
            // 1 is in the kernel.
            let mean = rhs.iter().sum::<f64>() / n as f64;
            rhs.iter_mut().for_each(|r| *r -= mean);
        }
        let matrix = Laplacian::new(&self.support, &self.taken, &diagonal, &weights);
        let (x, iterations) = solve(&matrix, &rhs, accuracy, ITERATIONS, monitor)?;
        let answer = matrix.answer(&x, monitor)?;
        let y = answer.iter().zip(&self.factors).map(|(y, k)| -y / k).collect();
        Ok((x, y, iterations))
    }
}

/// What a step did.
#[derive(Debug)]
pub struct Step {
    /// The new point; `None` if no step along the direction went up.
    pub to: Option<Point>,
    /// Passes.
    pub passes: u64,
    /// Iterations of conjugate gradients.
    pub iterations: u64,
    /// Halvings of the step.
    pub halvings: u64,
}

/// Ascends from a point.
pub fn step(
    problem: &Problem<'_>,
    reg: f64,
    from: &Point,
    monitor: &mut Monitor<'_>,
) -> Result<Step, Aborted> {
    let mass = problem.a.mass();
    let relative = (from.error / mass).max(1e-12);
    let (x, y, iterations) = from.direction(problem, reg, relative.sqrt().min(0.1), monitor)?;
    let mut done = Step { to: None, passes: 0, iterations, halvings: 0 };
    let slope: f64 =
        (0..x.len()).map(|i| (problem.a.target(i, from.f[i], reg) - from.sums[i]) * reg * x[i]).sum();
    if !(slope > 0.0 && slope.is_finite()) {
        return Ok(done);
    }
    let middle = if problem.balanced() { median(&x) } else { 0.0 };
    let farthest = x.iter().fold(0.0_f64, |m, x| m.max((x - middle).abs()));
    let mut length = (REACH / farthest).min(1.0);
    // Differences of the dual below this are rounding.
    let size = |p: &[f64], w: &Side| p.iter().zip(w.weights()).map(|(p, w)| p.abs() * w).sum::<f64>();
    let slack = 4.0 * f64::EPSILON * (size(&from.f, &problem.a) + size(&from.g, &problem.b));
    loop {
        let f: Vec<f64> = from.f.iter().zip(&x).map(|(f, x)| f + length * reg * x).collect();
        let g: Vec<f64> = from.g.iter().zip(&y).map(|(g, y)| g + length * reg * y).collect();
        // Near the end a step squares the error; the accuracy of the direction limits it before.
        let hoped = from.error * relative.sqrt().clamp(1e-3, 0.1);
        let trial = Point::at(problem, reg, f, g, hoped / mass, monitor)?;
        done.passes += 1;
        if let Some(to) = trial {
            let gained = problem.a.gain(&from.f, &to.f, reg) + problem.b.gain(&from.g, &to.g, reg)
                - reg * (total(&problem.b, &to.g, reg) - total(&problem.b, &from.g, reg));
            if gained >= 1e-4 * length * slope - slack {
                done.to = Some(to);
                return Ok(done);
            }
        }
        if done.halvings == HALVINGS || monitor.expired() {
            return Ok(done);
        }
        done.halvings += 1;
        length *= 0.5;
    }
}

/// The plan's mass where the columns are exact: a constant where they are hard.
fn total(side: &Side, g: &[f64], reg: f64) -> f64 {
    if side.hard() { 0.0 } else { (0..g.len()).map(|j| side.target(j, g[j], reg)).sum() }
}

fn median(x: &[f64]) -> f64 {
    let mut sorted = x.to_vec();
    let middle = sorted.len() / 2;
    *sorted.select_nth_unstable_by(middle, f64::total_cmp).1
}
