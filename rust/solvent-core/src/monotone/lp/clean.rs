//! From a ray that is right to rounding to one that is right exactly.
//!
//! Most rays of most problems have short binary fractions: entries are rounded to multiples of 2^-k of the largest one, or
//! of the smallest one that counts. Where a column without bounds must have Aᵀy = 0, y is first moved by the least-norm
//! correction. Every try is judged in exact arithmetic; nothing here is believed.

use super::problem::Problem;
use super::rays::{Proof, Ray, certify_farkas, certify_recession, clip_direction, is_feasible, normalise};
use super::run::{farkas_share, recession_share};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;

/// Bits that are tried.
const BITS: [i32; 14] = [0, 1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 48];
/// The same where a try is expensive.
const FEW_BITS: [i32; 4] = [0, 8, 24, 40];
/// Entries from which on a try is expensive.
const MANY: usize = 1_000_000;
/// Entries up to which entries of the ray are left out one by one: each try costs a correction.
const FEW: usize = 50_000;
/// Entries below this share of the largest do not count.
const NOISE: f64 = 1e-6;
/// Steps of the correction.
const STEPS: usize = 60;
/// Entries that are tried without.
const LEFT_OUT: usize = 100;
/// Violation per value at which a ray without an entry is still one but for rounding.
const NEARLY: f64 = 1e-9;

/// The best ray that can be made of a candidate.
pub fn clean(
    problem: &Problem,
    proof: Proof,
    candidate: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<Ray, Aborted> {
    let mut vector = candidate.to_vec();
    restrict(problem, proof, &mut vector);
    normalise(&mut vector);
    let mut best = judge(problem, proof, &vector);
    if best.is_exact() || !best.certificate.bound.is_finite() {
        return Ok(best);
    }
    round(problem, &vector, &mut best, monitor)?;
    if !best.is_exact() {
        correct(problem, proof, &mut vector);
        restrict(problem, proof, &mut vector);
        normalise(&mut vector);
        keep(&mut best, judge(problem, proof, &vector));
        round(problem, &vector, &mut best, monitor)?;
    }
    if !best.is_exact() && problem.nnz() <= FEW {
        sparsify(problem, proof, &mut vector, monitor)?;
        keep(&mut best, judge(problem, proof, &vector));
        round(problem, &vector, &mut best, monitor)?;
    }
    Ok(best)
}

/// Leaves out entries, smallest first, as long as a correction of the others makes up for it: a ray with few entries is an
/// extreme one, whose entries are ratios of small determinants.
fn sparsify(
    problem: &Problem,
    proof: Proof,
    vector: &mut Vec<f64>,
    monitor: &mut Monitor<'_>,
) -> Result<(), Aborted> {
    let mut order: Vec<usize> = (0..vector.len()).filter(|&k| vector[k] != 0.0).collect();
    order.sort_by(|&a, &b| vector[a].abs().total_cmp(&vector[b].abs()));
    order.truncate(LEFT_OUT);
    for k in order {
        monitor.poll()?;
        let mut trial = vector.clone();
        trial[k] = 0.0;
        correct(problem, proof, &mut trial);
        restrict(problem, proof, &mut trial);
        let share = match proof {
            Proof::Farkas => farkas_share(problem, &trial),
            Proof::Recession => recession_share(problem, &trial),
        };
        if share <= NEARLY && normalise(&mut trial) {
            *vector = trial;
        }
    }
    Ok(())
}

fn judge(problem: &Problem, proof: Proof, vector: &[f64]) -> Ray {
    match proof {
        Proof::Farkas => certify_farkas(problem, vector),
        Proof::Recession => certify_recession(problem, vector),
    }
}

fn restrict(problem: &Problem, proof: Proof, vector: &mut [f64]) {
    match proof {
        Proof::Farkas => problem.clip_dual(vector),
        Proof::Recession => clip_direction(problem, vector),
    }
}

fn keep(best: &mut Ray, other: Ray) {
    if other.certificate.bound < best.certificate.bound {
        *best = other;
    }
}

/// Tries multiples of 2^-k of the largest and of the smallest entry.
fn round(
    problem: &Problem,
    vector: &[f64],
    best: &mut Ray,
    monitor: &mut Monitor<'_>,
) -> Result<(), Aborted> {
    let proof = best.proof;
    let largest = vector.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let counts = |v: &&f64| v.abs() > NOISE * largest;
    let smallest = vector.iter().filter(counts).fold(largest, |m, v| m.min(v.abs()));
    let bits = if problem.nnz() > MANY { &FEW_BITS[..] } else { &BITS[..] };
    for unit in [1.0, largest, smallest] {
        for &k in bits {
            if best.is_exact() {
                return Ok(());
            }
            monitor.poll()?;
            let grid = f64::powi(2.0, k);
            let rounded: Vec<f64> = vector.iter().map(|v| (v / unit * grid).round() / grid).collect();
            if rounded.iter().any(|v| *v != 0.0) {
                keep(best, judge(problem, proof, &rounded));
            }
        }
    }
    Ok(())
}

/// Moves the vector by the least amount that brings what must vanish to 0: conjugate gradients on the normal equations.
fn correct(problem: &Problem, proof: Proof, vector: &mut [f64]) {
    let (matrix, limits) = match proof {
        Proof::Farkas => (&problem.at, &problem.columns),
        Proof::Recession => (&problem.a, &problem.rows),
    };
    let view = matrix.view();
    let product = |k: usize, v: &[f64]| -> f64 {
        let (indices, values) = view.row(k);
        indices.iter().zip(values).map(|(&i, a)| a * v[i as usize]).sum()
    };
    // For multipliers r = −Aᵀy must not be positive without a lower bound; for directions A d without an upper one.
    let sign = if proof == Proof::Farkas { -1.0 } else { 1.0 };
    let wrong: Vec<usize> = (0..view.rows())
        .filter(|&k| {
            let value = sign * product(k, vector);
            match proof {
                Proof::Farkas => {
                    (value > 0.0 && !limits.lower[k].is_finite())
                        || (value < 0.0 && !limits.upper[k].is_finite())
                }
                Proof::Recession => {
                    (value > 0.0 && limits.upper[k].is_finite())
                        || (value < 0.0 && limits.lower[k].is_finite())
                }
            }
        })
        .collect();
    let mut rest: Vec<f64> = wrong.iter().map(|&k| -product(k, vector)).collect();
    let back = |rest: &[f64]| {
        let mut out = vec![0.0; view.columns()];
        for (&k, r) in wrong.iter().zip(rest) {
            let (indices, values) = view.row(k);
            indices.iter().zip(values).for_each(|(&i, a)| out[i as usize] += a * r);
        }
        // Zeros stay: an entry that the signs forbid must not come in.
        out.iter_mut().zip(vector.iter()).for_each(|(o, v)| *o *= f64::from(u8::from(*v != 0.0)));
        out
    };
    let square = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>();
    let mut gradient = back(&rest);
    let mut direction = gradient.clone();
    let mut correction = vec![0.0; view.columns()];
    let mut size = square(&gradient);
    for _ in 0..STEPS {
        if size == 0.0 || !size.is_finite() {
            break;
        }
        let image: Vec<f64> = wrong.iter().map(|&k| product(k, &direction)).collect();
        let curvature = square(&image);
        if curvature == 0.0 {
            break;
        }
        let step = size / curvature;
        correction.iter_mut().zip(&direction).for_each(|(c, d)| *c += step * d);
        rest.iter_mut().zip(&image).for_each(|(r, i)| *r -= step * i);
        gradient = back(&rest);
        let next = square(&gradient);
        direction.iter_mut().zip(&gradient).for_each(|(d, g)| *d = g + next / size * *d);
        size = next;
    }
    vector.iter_mut().zip(&correction).for_each(|(v, c)| *v += c);
}

/// A point that satisfies everything exactly, made of one that does so nearly: itself, rounded to multiples of 2^-k, or
/// moved along a recession direction.
pub fn feasible_point(
    problem: &Problem,
    x: &[f64],
    ray: &Ray,
    monitor: &mut Monitor<'_>,
) -> Result<Option<Vec<f64>>, Aborted> {
    if x.len() != problem.n() || x.iter().any(|v| !v.is_finite()) {
        return Ok(None);
    }
    let bits = if problem.nnz() > MANY { &FEW_BITS[..] } else { &BITS[..] };
    let clip = |x: &[f64]| x.iter().enumerate().map(|(j, &v)| problem.columns.clip(j, v)).collect::<Vec<_>>();
    let mut starts = vec![clip(x), clip(&vec![0.0; x.len()])];
    for &k in bits {
        let grid = f64::powi(2.0, k);
        starts.push(clip(&x.iter().map(|v| (v * grid).round() / grid).collect::<Vec<_>>()));
    }
    for start in starts {
        for step in [0.0, 1.0, 32.0, 1024.0, 1_048_576.0] {
            monitor.poll()?;
            let moved: Vec<f64> = start.iter().zip(&ray.vector).map(|(x, d)| x + step * d).collect();
            if is_feasible(problem, &moved) {
                return Ok(Some(moved));
            }
        }
    }
    Ok(None)
}
