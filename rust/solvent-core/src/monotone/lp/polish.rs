//! Improving a pair at the end: the active set that the iterations found is held, and its equations are solved.
//!
//! The projections put variables on their bounds and multipliers on 0 exactly, so that the active set can be read off: B,
//! the columns strictly inside their bounds, and T, the rows that are equations or have a multiplier. With A_TB scaled,
//! min ‖A_TB δ − (b_T − A_T x)‖ moves x_B and min ‖A_TBᵀ ε − r_B‖ moves y_T, both by conjugate gradients on the normal
//! equations (CGLS), which gives the least-norm solution where A_TB is not square or not of full rank: a degenerate
//! problem needs no basis. Residuals are computed anew, in compensated sums, for each round. The certificate decides.
//!
//! A bound that is finite but far, say 1e12, makes the dual objective pay 1e12 for each unit of a reduced cost that points to
//! it, rounding included. Where the other bound is near, reduced costs are not aimed at 0 but at the few roundings by which
//! they then point to the near one.

use super::certify::{Judgement, U, certify};
use super::pdhg::Pair;
use super::problem::{Limits, Problem};
use super::scale::Scaling;
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;

/// Rounds of correction and judgement.
const ROUNDS: usize = 6;
/// Steps of conjugate gradients a round, at most; also at most this many times the rows and columns.
const STEPS: usize = 3000;
const PER_SIZE: usize = 4;
/// A residual below this share of the first one is solved.
const SOLVED: f64 = 1e-13;
/// A bound is far if it is so many times further away than 1, or than the other one where that is asked.
const FAR: f64 = (1u64 << 20) as f64;
/// Roundings of a reduced cost's terms that it leans by.
const LEAN: f64 = 4.0;

/// What the gap pays, at x, for a unit of the reduced cost of column j that points to the upper bound, and to the lower one;
/// an infinite bound costs no gap, but the dual residual.
fn prices(bounds: &Limits, j: usize, x: f64) -> (f64, f64) {
    let price = |distance: f64| if distance.is_finite() { distance.max(1.0) } else { 1.0 };
    (price(bounds.upper[j] - x), price(x - bounds.lower[j]))
}

/// The sign that a reduced cost should rather have: 1 or −1 where one bound is far and the other one is not, 0 elsewhere.
fn lean(bounds: &Limits, j: usize, x: f64) -> f64 {
    let (above, below) = prices(bounds, j, x);
    f64::from(i8::from(above > FAR * below) - i8::from(below > FAR * above))
}

/// Whether some bound is finite and far.
pub fn has_far_bounds(problem: &Problem) -> bool {
    let bounds = &problem.columns;
    (0..problem.n()).any(|j| {
        let (above, below) = prices(bounds, j, bounds.clip(j, 0.0));
        above.max(below) > FAR
    })
}

/// What the gap pays where the reduced costs that are to vanish are off by one rounding of their terms, in the direction
/// that they cannot be made to avoid: those of variables inside their bounds, and those that point to a far bound from a
/// near one.
pub fn far_rounding(problem: &Problem, pair: &Pair, judged: &Judgement) -> f64 {
    let bounds = &problem.columns;
    let paid = |j: usize| {
        let (x, lean) = (pair.x[j], lean(bounds, j, pair.x[j]));
        let inside = x > bounds.lower[j] && x < bounds.upper[j];
        if !inside && lean * judged.reduced_costs[j] >= 0.0 {
            return 0.0;
        }
        let (above, below) = prices(bounds, j, x);
        let price = if lean == 0.0 { above.min(below) } else { above.max(below) };
        U * terms(problem, j, &pair.y) * price
    };
    (0..problem.n()).map(paid).sum()
}

/// The part of the scaled matrix that belongs to the active set, by rows and by columns.
struct Active {
    /// Rows T and columns B.
    rows: Vec<usize>,
    columns: Vec<usize>,
    /// Entries of each row of T: place in B, value.
    by_row: Vec<Vec<(usize, f64)>>,
}

impl Active {
    /// With the columns that `chosen` says.
    fn new(problem: &Problem, scaling: &Scaling, pair: &Pair, chosen: impl Fn(usize) -> bool) -> Self {
        let limits = &problem.rows;
        let tight = |&i: &usize| pair.y[i] != 0.0 || limits.lower[i] == limits.upper[i];
        let rows: Vec<usize> = (0..problem.m()).filter(tight).collect();
        let columns: Vec<usize> = (0..problem.n()).filter(|&j| chosen(j)).collect();
        let mut place = vec![usize::MAX; problem.n()];
        columns.iter().enumerate().for_each(|(p, &j)| place[j] = p);
        let a = problem.a.view();
        let row = |&i: &usize| {
            let (indices, values) = a.row(i);
            let entries = indices.iter().zip(values).map(|(&j, v)| (j as usize, *v));
            let kept = entries.filter(|(j, _)| place[*j] != usize::MAX);
            kept.map(|(j, v)| (place[j], v / (scaling.e[i] * scaling.d[j]))).collect()
        };
        let by_row = rows.iter().map(row).collect();
        Self { rows, columns, by_row }
    }

    /// A_TB x.
    fn forward(&self, x: &[f64]) -> Vec<f64> {
        self.by_row.iter().map(|row| row.iter().map(|&(p, v)| v * x[p]).sum()).collect()
    }

    /// A_TBᵀ y.
    fn backward(&self, y: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.columns.len()];
        for (row, y) in self.by_row.iter().zip(y) {
            row.iter().for_each(|&(p, v)| out[p] += v * y);
        }
        out
    }
}

/// The least-norm z with the least ‖F z − rest‖, given F and its transpose.
fn least_squares(
    forward: impl Fn(&[f64]) -> Vec<f64>,
    backward: impl Fn(&[f64]) -> Vec<f64>,
    mut rest: Vec<f64>,
    size: usize,
    monitor: &mut Monitor<'_>,
) -> Result<Vec<f64>, Aborted> {
    let square = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>();
    let mut z = vec![0.0; size];
    let mut gradient = backward(&rest);
    let mut direction = gradient.clone();
    let mut gamma = square(&gradient);
    let (first, enough) = (gamma, square(&rest) * SOLVED * SOLVED);
    let steps = STEPS.min(PER_SIZE * (size + rest.len()));
    for _ in 0..steps {
        monitor.poll()?;
        if !(gamma > first * SOLVED * SOLVED && square(&rest) > enough) || monitor.expired() {
            break;
        }
        let image = forward(&direction);
        let curvature = square(&image);
        if curvature.is_nan() || curvature <= 0.0 {
            break;
        }
        let step = gamma / curvature;
        z.iter_mut().zip(&direction).for_each(|(z, d)| *z += step * d);
        rest.iter_mut().zip(&image).for_each(|(r, i)| *r -= step * i);
        gradient = backward(&rest);
        let next = square(&gradient);
        direction.iter_mut().zip(&gradient).for_each(|(d, g)| *d = g + next / gamma * *d);
        gamma = next;
    }
    Ok(z)
}

/// A better pair and what it is worth, if one was found.
pub fn polish(
    problem: &Problem,
    pair: &Pair,
    judged: &Judgement,
    monitor: &mut Monitor<'_>,
) -> Result<Option<(Pair, Judgement)>, Aborted> {
    if problem.nnz() == 0 || pair.x.iter().chain(&pair.y).any(|v| !v.is_finite()) {
        return Ok(None);
    }
    let scaling = Scaling::new(problem);
    let mut best: Option<(Pair, Judgement)> = None;
    let (mut at, mut judgement) = (pair.clone(), judged.clone());
    for _ in 0..ROUNDS {
        let moved = correct(problem, &scaling, &at, &judgement, monitor)?;
        let mut candidates = vec![moved.clone()];
        // One side may be right and the other not.
        candidates.push(Pair { x: moved.x.clone(), y: at.y.clone() });
        candidates.push(Pair { x: at.x.clone(), y: moved.y.clone() });
        let mut found = false;
        for candidate in candidates {
            let value = certify(problem, &candidate.x, &candidate.y, monitor)?;
            if value.certificate.bound < judgement.certificate.bound {
                (at, judgement, found) = (candidate, value, true);
                break;
            }
        }
        if !found || monitor.expired() {
            break;
        }
        best = Some((at.clone(), judgement.clone()));
    }
    Ok(best)
}

/// One round.
fn correct(
    problem: &Problem,
    scaling: &Scaling,
    pair: &Pair,
    judged: &Judgement,
    monitor: &mut Monitor<'_>,
) -> Result<Pair, Aborted> {
    let bounds = &problem.columns;
    let inside = |j: usize| pair.x[j] > bounds.lower[j] && pair.x[j] < bounds.upper[j];
    let lean = |j: usize| lean(bounds, j, pair.x[j]);
    let active = Active::new(problem, scaling, pair, inside);
    let (e, d) = (&scaling.e, &scaling.d);
    let target = |&i: &usize| {
        let limit = if pair.y[i] < 0.0 { problem.rows.upper[i] } else { problem.rows.lower[i] };
        (limit - judged.activity[i]) / e[i]
    };
    let rest: Vec<f64> = active.rows.iter().map(target).collect();
    let delta =
        least_squares(|x| active.forward(x), |y| active.backward(y), rest, active.columns.len(), monitor)?;
    let mut moved = pair.clone();
    for (&j, delta) in active.columns.iter().zip(delta) {
        moved.x[j] = bounds.clip(j, moved.x[j] + delta / d[j]);
    }
    // At a near bound only what points to the far one has to be moved.
    let r = &judged.reduced_costs;
    let active = Active::new(problem, scaling, pair, |j| inside(j) || lean(j) * r[j] < 0.0);
    let aim = |j: usize| match lean(j) {
        0.0 => 0.0,
        sign => sign * LEAN * U * terms(problem, j, &pair.y),
    };
    let rest: Vec<f64> = active.columns.iter().map(|&j| (r[j] - aim(j)) / d[j]).collect();
    let epsilon =
        least_squares(|y| active.backward(y), |x| active.forward(x), rest, active.rows.len(), monitor)?;
    for (&i, epsilon) in active.rows.iter().zip(epsilon) {
        moved.y[i] += epsilon / e[i];
    }
    problem.clip_dual(&mut moved.y);
    Ok(moved)
}

/// Σ of the magnitudes that a reduced cost is summed from.
fn terms(problem: &Problem, j: usize, y: &[f64]) -> f64 {
    let (indices, values) = problem.at.view().row(j);
    problem.c[j].abs() + indices.iter().zip(values).map(|(&i, a)| (a * y[i as usize]).abs()).sum::<f64>()
}
