//! Where a pivot is noise: singular values in double precision, filtered by the ridge, or cut off without one (the
//! solution of least norm).

use crate::base::dense::{Matrix, eigh, svd};
use crate::completion::entry::Entry;

/// Singular values below this part of the largest count as zero.
const CUT: f64 = 1e-13;

/// `argmin |P u - y|² + ridge |u|²`, of least norm; zero where the panel is not finite.
#[cold]
#[inline(never)]
pub fn solve<T: Entry>(panel: &[T], targets: &[T], width: usize, stride: usize, ridge: f64, u: &mut [T]) {
    let n = targets.len();
    u.fill(T::ZERO);
    let design = Matrix::from_fn(n, width, |t, l| panel[t * stride + l].to_f64());
    let Ok(parts) = svd(design.view()) else { return };
    let first = parts.s.first().copied().unwrap_or(0.0);
    let mut sum = vec![0.0; width];
    for (l, &s) in parts.s.iter().enumerate() {
        if s > CUT * first {
            let along: f64 = parts.u.column(l).iter().zip(targets).map(|(a, y)| a * y.to_f64()).sum();
            let c = s * along / (s * s + ridge);
            for (x, v) in sum.iter_mut().zip(parts.v.column(l)) {
                *x += c * v;
            }
        }
    }
    for (to, x) in u.iter_mut().zip(sum) {
        *to = T::from_f64(x);
    }
}

/// The same with a common Gram matrix added: by eigenvalues, also in double precision.
#[cold]
#[inline(never)]
pub fn solve_with_base<T: Entry>(
    panel: &[T],
    targets: &[T],
    base: &[T],
    (width, stride): (usize, usize),
    ridge: f64,
    u: &mut [T],
) {
    u.fill(T::ZERO);
    let mut gram = Matrix::from_fn(width, width, |i, j| base[i * stride + j].to_f64());
    let mut side = vec![0.0; width];
    for (p, y) in panel.chunks_exact(stride).zip(targets) {
        for i in 0..width {
            let x = p[i].to_f64();
            side[i] += x * y.to_f64();
            for j in 0..width {
                let sum = gram.get(i, j) + x * p[j].to_f64();
                gram.set(i, j, sum);
            }
        }
    }
    let Ok(parts) = eigh(gram.view()) else { return };
    let last = parts.values.last().copied().unwrap_or(0.0);
    let mut sum = vec![0.0; width];
    for (l, &s) in parts.values.iter().enumerate() {
        if s + ridge > CUT * last {
            let vector = parts.vectors.column(l);
            let along: f64 = vector.iter().zip(&side).map(|(a, b)| a * b).sum();
            for (x, v) in sum.iter_mut().zip(vector) {
                *x += along / (s + ridge) * v;
            }
        }
    }
    for (to, x) in u.iter_mut().zip(sum) {
        *to = T::from_f64(x);
    }
}
