//! Conjugate gradients with the sketch's factor as preconditioner: for so many columns that a second Gram matrix would
//! cost more than thirty passes.

use super::certify::global_norm;
use super::error::RegressionError;
use super::factor::Factor;
use super::passes::padded;
use super::passes::residual::Residual;
use super::problem::Problem;
use super::scaling::{Moments, ldexp};
use crate::base::monitor::Monitor;

/// Steps of a round at most; with m = 8 d the error falls by 2.4 or more a step.
const STEPS: usize = 60;

/// `A'ᵀ W A' v + alpha' v` for vectors of all right sides; `None` if the rows cannot be read again.
fn normal(
    problem: &mut Problem<'_>,
    moments: &Moments,
    v: &[Vec<f64>],
    monitor: &mut Monitor<'_>,
) -> Result<Option<Vec<Vec<f64>>>, RegressionError> {
    let (d, k) = (problem.columns, problem.sides);
    let mut pass =
        Residual { columns: d, x: vec![0.0; padded(d) * k], intercepts: vec![0.0; k], scales: vec![0.0; k] };
    for c in 0..k {
        for j in 0..moments.order() {
            let z = ldexp(v[c][j], -moments.columns[j]);
            if j < d { pass.x[c * padded(d) + j] = z } else { pass.intercepts[c] = z }
        }
    }
    let Some(sum) = problem.pass(&pass, monitor)? else { return Ok(None) };
    let entry = |c: usize, j: usize| {
        let g = if j < d { sum.get(c, j) } else { sum.ones[c].value() };
        let ridge = moments.alpha.get(j).map_or(0.0, |alpha| alpha * v[c][j]);
        ridge - ldexp(g, -moments.columns[j])
    };
    Ok(Some((0..k).map(|c| (0..moments.order()).map(|j| entry(c, j)).collect()).collect()))
}

/// Where a round ends, whichever comes first.
#[derive(Debug, Clone, Copy)]
pub struct Goal<'a> {
    /// The share of a gradient that may be left, in the preconditioned norm.
    pub reduction: f64,
    /// The norms of what may be left of the gradients in global coordinates, one a right side.
    pub left: &'a [f64],
}

/// Corrections for all right sides' gradients.
pub fn solve(
    problem: &mut Problem<'_>,
    moments: &Moments,
    factor: &Factor,
    gradients: &[Vec<f64>],
    goal: Goal<'_>,
    monitor: &mut Monitor<'_>,
) -> Result<Vec<Vec<f64>>, RegressionError> {
    let (n, k) = (moments.order(), gradients.len());
    let square = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>();
    let mut r: Vec<Vec<f64>> = gradients.iter().map(|g| factor.down(g)).collect();
    let (mut y, mut q) = (vec![vec![0.0; n]; k], r.clone());
    let mut rr: Vec<f64> = r.iter().map(|r| square(r)).collect();
    let least: Vec<f64> = rr.iter().map(|rr| goal.reduction * goal.reduction * rr).collect();
    let mut left = gradients.to_vec();
    let mut done = vec![false; k];
    for _ in 0..STEPS {
        (0..k).for_each(|c| done[c] |= rr[c] <= least[c] || global_norm(moments, &left[c]) <= goal.left[c]);
        if done.iter().all(|&done| done) || monitor.expired() {
            break;
        }
        let z: Vec<Vec<f64>> = q.iter().map(|q| factor.up(q)).collect();
        let Some(h) = normal(problem, moments, &z, monitor)? else { break };
        for c in 0..k {
            if done[c] {
                continue;
            }
            let raw = &h[c];
            let h = factor.down(raw);
            let curvature: f64 = q[c].iter().zip(&h).map(|(q, h)| q * h).sum();
            if curvature.is_nan() || curvature <= 0.0 {
                continue;
            }
            let step = rr[c] / curvature;
            y[c].iter_mut().zip(&q[c]).for_each(|(y, q)| *y += step * q);
            r[c].iter_mut().zip(&h).for_each(|(r, h)| *r -= step * h);
            left[c].iter_mut().zip(raw).for_each(|(left, h)| *left -= step * h);
            let new = square(&r[c]);
            let carry = new / rr[c];
            rr[c] = new;
            for i in 0..n {
                q[c][i] = r[c][i] + carry * q[c][i];
            }
        }
    }
    Ok(y.iter().map(|y| factor.up(y)).collect())
}
