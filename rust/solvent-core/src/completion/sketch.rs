//! Rows with very many entries, solved by conjugate gradients that a sketch of the row's design preconditions.
//!
//! The design V_i, n by k, is sketched to 4 k rows: CountSketch (every row with a random sign into one of 16 k buckets),
//! then a Gaussian matrix. With R from the QR factorisation of the sketch, V_i R^-1 is nearly orthonormal whatever the
//! condition of V_i: the residual falls by a constant factor a step, and ten to fifteen steps reach 1e-12. Costs n k a
//! step and O(k³) for R, where a Gram matrix costs n k² and squares the condition.

use super::entry::Entry;
use super::factor::Lines;
use super::kernels::gather::Gather;
use super::kernels::normal::Normal;
use super::kernels::residual::Residual;
use super::kernels::row::{Half, Inner, Tally};
use crate::base::dense::{Matrix, Onto, Qr, gemm};
use crate::base::rng::Philox;

/// Rows with fewer entries than this, or than `MULTIPLE` times the columns, are not sketched.
const LONG: usize = 4096;
const MULTIPLE: usize = 16;
/// Buckets of the first sketch and rows of the second, in units of the columns.
const BUCKETS: usize = 16;
const ROWS: usize = 4;
/// Steps at most, and how far the gradient falls where the row is wanted exactly.
const STEPS: usize = 60;
const EXACT: f64 = 1e-13;
/// A diagonal element of R below this part of the largest: the design has no full rank.
const SINGULAR: f64 = 1e-13;
/// The sketch only preconditions.
const SEED: u64 = 0x5ce7_c400;

/// Whether a row of `n` entries is worth a sketch of `k` columns.
pub fn is_long(n: usize, k: usize) -> bool {
    n >= LONG.max(MULTIPLE * k)
}

/// R of the sketched design with the ridge; `None` where it is singular.
fn triangle<T: Entry>(
    panel: &[T],
    stride: usize,
    width: usize,
    ridge: f64,
    row: usize,
) -> Option<Matrix<f64>> {
    let buckets = BUCKETS * width;
    let mut rng = Philox::new(SEED, row as u32, 0);
    let mut first = Matrix::<f64>::zeros(buckets, width);
    for x in panel.chunks_exact(stride) {
        let draw = rng.next_u64();
        let (at, negative) = (((draw >> 32) as usize * buckets) >> 32, draw & 1 == 1);
        for (l, x) in x[..width].iter().enumerate() {
            let x = x.to_f64();
            first.column_mut(l)[at] += if negative { -x } else { x };
        }
    }
    let count = ROWS * width;
    let size = 1.0 / (count as f64).sqrt();
    let mut noise = Matrix::<f64>::zeros(count, buckets);
    noise.as_mut_slice().iter_mut().for_each(|x| *x = size * rng.normal());
    let mut second = Matrix::zeros(count, width);
    gemm(&mut second, Onto::Replace, 1.0, noise.view(), first.view());
    let root = ridge.sqrt();
    let tall = Matrix::from_fn(count + width, width, |i, l| match i.checked_sub(count) {
        None => second.get(i, l),
        Some(p) if p == l => root,
        Some(_) => 0.0,
    });
    let r = Qr::new(tall.view()).ok()?.r();
    let diagonal = |l: usize| r.get(l, l).abs();
    let largest = (0..width).map(diagonal).fold(0.0, f64::max);
    (0..width).all(|l| diagonal(l) > SINGULAR * largest).then_some(r)
}

/// `x <- (R^T R)^-1 x`.
fn condition(r: &Matrix<f64>, x: &mut [f64]) {
    let k = r.columns();
    for i in 0..k {
        let known: f64 = r.column(i)[..i].iter().zip(&x[..i]).map(|(a, b)| a * b).sum();
        x[i] = (x[i] - known) / r.get(i, i);
    }
    for i in (0..k).rev() {
        x[i] /= r.get(i, i);
        let value = x[i];
        for (y, a) in x[..i].iter_mut().zip(r.column(i)) {
            *y -= value * a;
        }
    }
}

/// Solves a long row from its present solution; `None` where its design has no full rank.
pub fn solve<T: Entry>(half: &Half<'_, T>, i: usize, u: &mut [T]) -> Option<Tally> {
    let (range, stride, width) = (half.entries.range(i), half.design.stride(), half.design.width());
    let n = range.len();
    let mut panel = Lines::<T>::zeros(n * stride);
    let mut targets = vec![T::ZERO; n];
    T::gather(Gather { half, range, u, panel: panel.as_mut_slice(), targets: &mut targets });
    let panel = panel.as_slice();
    let count = if half.count { n as f64 } else { 1.0 };
    let ridge = half.ridge * count;
    let r = triangle(panel, stride, width, ridge, i)?;
    let (most, eta) = match half.inner {
        Inner::Cg { eta, .. } => (STEPS, eta.max(EXACT)),
        _ => (STEPS, EXACT.max(T::UNIT)),
    };
    // The passes are in the precision of the data, the short vectors in double.
    let mut image = Lines::<T>::zeros(stride);
    let mut x = Lines::<T>::zeros(stride);
    let mut pass = |from: &[f64], targets: Option<&[T]>| -> Vec<f64> {
        for (to, from) in x.as_mut_slice().iter_mut().zip(from) {
            *to = T::from_f64(*from);
        }
        image.as_mut_slice().fill(T::ZERO);
        T::normal(Normal { panel, targets, x: x.as_slice(), q: image.as_mut_slice() });
        image.as_slice()[..width].iter().map(|x| x.to_f64()).collect()
    };
    let mut solution: Vec<f64> = u[..width].iter().map(|x| x.to_f64()).collect();
    let mut left = pass(&solution, Some(&targets));
    left.iter_mut().zip(&solution).for_each(|(r, x)| *r -= ridge * x);
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(a, b)| a * b).sum::<f64>();
    let mut z = left.clone();
    condition(&r, &mut z);
    let mut p = z.clone();
    let mut rz = dot(&left, &z);
    let enough = eta * eta * rz;
    let mut steps = 0;
    while steps < most && rz > enough && rz > 0.0 {
        let mut q = pass(&p, None);
        q.iter_mut().zip(&p).for_each(|(q, p)| *q += ridge * p);
        let curvature = dot(&p, &q);
        if curvature.is_nan() || curvature <= 0.0 {
            break;
        }
        let alpha = rz / curvature;
        solution.iter_mut().zip(&p).for_each(|(x, p)| *x += alpha * p);
        left.iter_mut().zip(&q).for_each(|(r, q)| *r -= alpha * q);
        z.copy_from_slice(&left);
        condition(&r, &mut z);
        let next = dot(&left, &z);
        p.iter_mut().zip(&z).for_each(|(p, z)| *p = next / rz * *p + z);
        rz = next;
        steps += 1;
    }
    for (to, x) in u.iter_mut().zip(&solution) {
        *to = T::from_f64(*x);
    }
    let (loss, squares) = T::residual(Residual { half, row: i, u });
    let penalty = 0.5 * count * dot(&solution, &solution);
    Some(Tally { loss: 0.5 * loss, squares, penalty, steps: steps as u64, rows: 1, ..Tally::NONE })
}
