//! Whether the observed entries hold a completion in place: the smallest singular value of the sampling of tangent
//! vectors, `|P(T)| >= sigma_min |T|_F`.
//!
//! To first order a residual `r` leaves the completion uncertain by `|r| / sigma_min` in Frobenius norm. Lanczos steps
//! bring the smallest value from above: an estimate, no proof. Orthonormal coordinates have no gauge, so that a value of
//! zero means a direction that no entry sees.

use super::Pattern;
use super::coordinates::{Coordinates, Sampling, subtract};
use crate::base::dense::{Matrix, eigh};
use crate::base::monitor::Monitor;
use crate::base::rng::Philox;
use crate::completion::CompletionError;
use crate::completion::factor::Factor;

/// Steps at most, and between two looks at the smallest value.
const STEPS: usize = 300;
const LOOK: usize = 20;
/// A smallest eigenvalue that falls by less than this part between two looks has settled.
const SETTLED: f64 = 1e-3;
/// The start is always the same: it only has to have a part along every direction.
const SEED: u64 = 0x1de7_71f1;

/// The extreme singular values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extremes {
    /// The smallest, from above.
    pub least: f64,
    /// The largest, from below.
    pub most: f64,
}

/// Of the sampling at orthonormal factors.
pub fn extremes(
    pattern: &Pattern<'_>,
    (u, v): (&Factor<f64>, &Factor<f64>),
    monitor: &mut Monitor<'_>,
) -> Result<Extremes, CompletionError> {
    let (m, n, k) = (u.rows(), v.rows(), u.width());
    let sampling = Sampling { pattern, u, v };
    let mut rng = Philox::new(SEED, 0, 0);
    let mut noise = |rows: usize| {
        let mut x = Factor::zeros(rows, k);
        for i in 0..rows {
            x.row_mut(i)[..k].iter_mut().for_each(|x| *x = rng.normal());
        }
        x
    };
    let (mut left, mut right) = (noise(m), noise(n));
    let cross = (u.cross(&left), v.cross(&right));
    subtract(&mut left, u, &cross.0);
    subtract(&mut right, v, &cross.1);
    let mut core = Matrix::zeros(k, k);
    core.as_mut_slice().iter_mut().for_each(|x| *x = rng.normal());
    let mut q = Coordinates { core, left, right };
    let size = q.dot(&q).sqrt();
    q = Coordinates::zeros(m, n, k).plus(1.0 / size, &q);
    let mut before = Coordinates::zeros(m, n, k);
    let mut t = vec![0.0; pattern.nnz()];
    let (mut diagonal, mut off): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    let dimension = k * (m + n - k);
    let mut found = Extremes { least: f64::NAN, most: f64::NAN };
    let mut last = f64::INFINITY;
    for step in 1..=STEPS.min(dimension) {
        let mut w = sampling.normal(&q, &mut t, monitor)?;
        let along = q.dot(&w);
        diagonal.push(along);
        w.add(-along, &q);
        if let Some(&beta) = off.last() {
            w.add(-beta, &before);
        }
        // What rounding puts outside the tangent space no entry need see: left there, it would grow into a zero of its own.
        for (side, q) in [(&mut w.left, u), (&mut w.right, v)] {
            let along = q.cross(side);
            subtract(side, q, &along);
        }
        let beta = w.dot(&w).sqrt();
        let closed = beta <= 1e-13 * diagonal[0].abs();
        if closed || step % LOOK == 0 || step == STEPS.min(dimension) {
            let order = diagonal.len();
            let tri = Matrix::from_fn(order, order, |i, j| match i.abs_diff(j) {
                0 => diagonal[i],
                1 => off[i.min(j)],
                _ => 0.0,
            });
            let values = eigh(tri.view())?.values;
            let (least, most) = (values[0].max(0.0), values[order - 1].max(0.0));
            found = Extremes { least: least.sqrt(), most: most.sqrt() };
            if closed || (step > 3 * LOOK && least >= (1.0 - SETTLED) * last) || least <= 1e-18 * most {
                break;
            }
            last = least;
        }
        off.push(beta);
        before = q;
        q = Coordinates::zeros(m, n, k).plus(1.0 / beta, &w);
    }
    Ok(found)
}
