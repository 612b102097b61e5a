//! The basis in which the factors are held while conjugate gradients solve the rows.
//!
//! `U V^T` and the penalties are the same in every orthogonal basis of the factors, U Q and V Q. In that of the design's own
//! eigenvectors the columns of the design are orthogonal: the diagonal then tells what a row's system is on average, and
//! conjugate gradients that it scales take half of the steps. The sums of squares of both factors agree at a stationary
//! point, so that one basis serves both halves of a sweep, and hardly moves from one sweep to the next.

use super::entry::Entry;
use super::factor::Factor;
use crate::base::dense::{DenseError, Matrix, eigh};

/// How far, in the Frobenius norm, the scaled matrix of inner products may be from diagonal.
const SLACK: f64 = 0.5;

/// Mean squares of the columns, `stride` of them.
pub fn moment<T: Entry>(x: &Factor<T>) -> Vec<T> {
    let mut sums = vec![T::ZERO; x.stride()];
    // Sums of short runs: what is lost to rounding does not matter here.
    for i in 0..x.rows() {
        for (s, &y) in sums.iter_mut().zip(x.row(i)) {
            *s += y * y;
        }
    }
    let count = T::from_f64(x.rows().max(1) as f64);
    sums.iter().map(|&s| s / count).collect()
}

/// The basis that makes the first `k` columns orthogonal, from their inner products (`stride` by `stride`, full); `None`
/// where they nearly are, next to the ridge, or where they are not finite.
pub fn basis<T: Entry>(
    gram: &[T],
    stride: usize,
    k: usize,
    ridge: f64,
) -> Result<Option<Matrix<T>>, DenseError> {
    let at = |i: usize, j: usize| gram[i * stride + j].to_f64();
    let size = |i: usize| at(i, i) + ridge;
    let mut off = 0.0;
    for i in 0..k {
        for j in 0..i {
            let (x, scale) = (at(i, j), size(i) * size(j));
            off += if scale > 0.0 { 2.0 * x * x / scale } else { 0.0 };
        }
    }
    if off.is_nan() || off <= SLACK * SLACK || !off.is_finite() {
        return Ok(None);
    }
    let parts = eigh(Matrix::from_fn(k, k, at).view())?;
    // Descending.
    Ok(Some(Matrix::from_fn(k, k, |i, l| T::from_f64(parts.vectors.get(i, k - 1 - l)))))
}
