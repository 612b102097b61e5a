//! An upper bound of a spectral norm that holds: by a verified Cholesky factorisation, or by deflated Lanczos with a
//! probability that is stated.

use super::matrix::{Dual, Linear};
use super::{U, gamma};
use crate::base::dense::{Cholesky, Matrix, Onto, eigh, gemm, svd};
use crate::base::monitor::Monitor;
use crate::base::rng::Philox;
use crate::base::sum::norm2;
use crate::completion::CompletionError;
use solvent_simd::{F64s, Kernel, Simd, dispatch};

/// An upper bound of `|M|_2`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormBound {
    /// The bound.
    pub bound: f64,
    /// Bound of the part outside the factors' subspaces.
    pub rest: f64,
    /// The larger of the norms of the two mixed blocks.
    pub mixed: f64,
    /// Norm inside the factors' subspaces.
    pub inside: f64,
    /// Probability that it is too small.
    pub failure: f64,
}

/// Smaller side up to which the norm is computed from the dense Gram matrix.
pub const DENSE: usize = 200;
/// The same, where Lanczos would need more than the usual number of steps,
pub const DENSE_AGAIN: usize = 600;
/// and where thoroughness was asked for.
pub const DENSE_FULL: usize = 2000;
/// Lanczos steps at first, and at most.
const STEPS: usize = 60;
const MOST_STEPS: usize = 480;
/// Looser than this part of what the norm exceeds lam by, more steps are worth their price.
const LOOSE: f64 = 0.1;

/// `|M|_2` from the Gram matrix of the smaller side.
///
/// Rump, *Verification of positive definiteness*, BIT 46 (2006) 433: where floating-point Cholesky of A of order n runs to
/// completion, lambda_min(A) >= -gamma_(n+1)/(1 - gamma_(n+1)) tr(A). With A = theta I - G that bounds lambda_max(G).
pub fn dense(m: &Dual) -> Result<NormBound, CompletionError> {
    let (rows, columns) = (m.rows.view(), m.columns.view());
    let (a, terms) =
        if rows.columns() <= rows.rows() { (rows, m.longest_column) } else { (columns, m.longest_row) };
    let n = a.columns();
    let none = NormBound { bound: 0.0, rest: 0.0, mixed: 0.0, inside: 0.0, failure: 0.0 };
    if n == 0 || m.norm == 0.0 {
        return Ok(none);
    }
    // Scaled so that squares are of order one.
    let scale = 2f64.powi(-(m.norm.log2().floor() as i32).clamp(-1000, 1000));
    let mut gram = Matrix::<f64>::zeros(n, n);
    for i in 0..a.rows() {
        let (indices, values) = a.row(i);
        for (&j, x) in indices.iter().zip(values) {
            let x = x * scale;
            let column = gram.column_mut(j as usize);
            for (&l, y) in indices.iter().zip(values) {
                column[l as usize] += x * (y * scale);
            }
        }
    }
    let frobenius2 = (m.norm * scale) * (m.norm * scale) * (1.0 + 8.0 * U);
    // Elementwise the Gram matrix is off by gamma |M|^T |M|, whose norm is at most |M|_F²; 1e-300 is for underflow.
    let formed = gamma(terms as f64 + 2.0) * frobenius2 + 1e-280;
    let top = eigh(gram.view())?.values.last().copied().unwrap_or(0.0);
    let order = n as f64;
    let mut shift = 4.0 * order * U * top.max(f64::MIN_POSITIVE);
    let mut theta;
    loop {
        theta = top + shift;
        let shifted = Matrix::from_fn(n, n, |i, j| {
            let g = gram.get(i.max(j), i.min(j));
            if i == j { theta - g } else { -g }
        });
        if Cholesky::new(shifted.view()).is_ok() {
            break;
        }
        shift *= 4.0;
    }
    let g = gamma(order + 1.0);
    let trace = order * theta + frobenius2;
    let verified = theta + g / (1.0 - g) * trace * (1.0 + 8.0 * U) + 2.0 * U * (theta + frobenius2);
    let bound = (verified + formed).sqrt() * (1.0 + 4.0 * U) / scale;
    Ok(NormBound { bound, rest: bound, inside: bound, ..none })
}

/// The largest eigenvalue of the symmetric tridiagonal matrix.
fn top_eigenvalue(diagonal: &[f64], off: &[f64]) -> Result<f64, CompletionError> {
    let l = diagonal.len();
    let t = Matrix::from_fn(l, l, |i, j| match i.abs_diff(j) {
        0 => diagonal[i],
        1 => off[i.min(j)],
        _ => 0.0,
    });
    Ok(eigh(t.view())?.values.last().copied().unwrap_or(0.0))
}

/// Takes the span of orthonormal columns out of x, once: all inner products first.
struct TakeOut<'a> {
    columns: &'a [&'a [f64]],
    x: &'a mut [f64],
}

/// Columns that share a read of x.
const ABREAST: usize = 4;

impl Kernel for TakeOut<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let mut along = Vec::with_capacity(self.columns.len() + ABREAST);
        for group in self.columns.chunks(ABREAST) {
            along.extend_from_slice(&dots::<S::F64>(group, self.x)[..group.len()]);
        }
        for (group, along) in self.columns.chunks(ABREAST).zip(along.chunks(ABREAST)) {
            subtract::<S::F64>(group, along, self.x);
        }
    }
}

#[inline(always)]
fn dots<V: F64s>(group: &[&[f64]], x: &[f64]) -> [f64; ABREAST] {
    // Fewer than four are filled up with the last, which costs little and is not looked at.
    let mut columns = [group[group.len() - 1]; ABREAST];
    columns[..group.len()].copy_from_slice(group);
    let body = x.len() - x.len() % V::LANES;
    let (mut sums, mut out) = ([V::splat(0.0); ABREAST], [0.0; ABREAST]);
    let mut i = 0;
    while i < body {
        let x = V::load(&x[i..i + V::LANES]);
        for c in 0..ABREAST {
            sums[c] = V::load(&columns[c][i..i + V::LANES]).mul_add(x, sums[c]);
        }
        i += V::LANES;
    }
    for c in 0..ABREAST {
        out[c] = sums[c].reduce_sum();
        for i in body..x.len() {
            out[c] += columns[c][i] * x[i];
        }
    }
    out
}

#[inline(always)]
fn subtract<V: F64s>(group: &[&[f64]], along: &[f64], x: &mut [f64]) {
    let (mut columns, mut by) = ([group[0]; ABREAST], [0.0; ABREAST]);
    columns[..group.len()].copy_from_slice(group);
    by[..group.len()].copy_from_slice(&along[..group.len()]);
    let body = x.len() - x.len() % V::LANES;
    let mut i = 0;
    while i < body {
        let mut y = V::load(&x[i..i + V::LANES]);
        for c in 0..ABREAST {
            y = V::load(&columns[c][i..i + V::LANES]).mul_add(V::splat(-by[c]), y);
        }
        y.store(&mut x[i..i + V::LANES]);
        i += V::LANES;
    }
    for i in body..x.len() {
        for c in 0..ABREAST {
            x[i] -= by[c] * columns[c][i];
        }
    }
}

fn columns(q: &Matrix<f64>) -> Vec<&[f64]> {
    (0..q.columns()).map(|l| q.column(l)).collect()
}

fn project(columns: &[&[f64]], x: &mut [f64]) {
    dispatch(TakeOut { columns, x });
}

/// `|M|_2` with the subspaces of `qu` and `qv` deflated: M = [[A, B], [C, D]] in these bases and their complements.
/// A, B and C are small; D is bounded by Lanczos steps from a random start. `None` where Lanczos does not settle it within
/// the usual number of steps and `again` allows the dense way.
pub fn lanczos<M: Linear>(
    m: &M,
    (qu, qv): (&Matrix<f64>, &Matrix<f64>),
    lam: f64,
    (seed, evaluation): (u64, u32),
    again: bool,
    monitor: &mut Monitor<'_>,
) -> Result<Option<NormBound>, CompletionError> {
    let k = qv.columns();
    // Blocks with the deflated subspaces.
    let (mut mq, mut mtq) = (m.times_all(qv, monitor)?, m.adjoint_all(qu, monitor)?);
    let mut a = Matrix::zeros(k, k);
    gemm(&mut a, Onto::Replace, 1.0, qu.view().transpose(), mq.view());
    gemm(&mut mq, Onto::Add, -1.0, qu.view(), a.view());
    gemm(&mut mtq, Onto::Add, -1.0, qv.view(), a.view().transpose());
    let spectral = |x: &Matrix<f64>| -> Result<f64, CompletionError> {
        Ok(if k == 0 { 0.0 } else { svd(x.view())?.s.first().copied().unwrap_or(0.0) })
    };
    let inside = spectral(&a)?;
    let (c, b) = (spectral(&mq)?, spectral(&mtq)?);
    let blocks = Blocks::new(m, (qu, qv), (&a, &mq, &mtq), (b, c), monitor)?;

    // Lanczos on D^T D over the smaller side.
    let flip = m.shape().1 > m.shape().0;
    let (near, far) = if flip { (qu, qv) } else { (qv, qu) };
    let n = near.rows();
    let (near, far) = (columns(near), columns(far));
    let dimension = n - k.min(n);
    let e = f64::from(evaluation);
    let delta = 1e-10 / (e * (e + 1.0));
    let rounding = |steps: usize| {
        let terms = m.terms() + k + steps + 8;
        4.0 * gamma(terms as f64) * m.norm()
    };
    let (mut rest, mut failure, mut steps) = (0.0, 0.0, 0);
    if dimension > 0 {
        failure = delta;
        let mut rng = Philox::new(seed, evaluation, 0);
        let mut q: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
        project(&near, &mut q);
        project(&near, &mut q);
        let size = norm2(&q);
        q.iter_mut().for_each(|x| *x /= size);
        let mut basis = vec![q];
        let (mut diagonal, mut off): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        let mut limit = STEPS.min(dimension);
        rest = f64::INFINITY;
        let mut loose = true;
        loop {
            let last = &basis[steps];
            let mut w = if flip { m.adjoint(last, monitor)? } else { m.times(last, monitor)? };
            project(&far, &mut w);
            let mut w = if flip { m.times(&w, monitor)? } else { m.adjoint(&w, monitor)? };
            diagonal.push(last.iter().zip(&w).map(|(x, y)| x * y).sum());
            // First what the recurrence takes out, then what rounding has brought back of the rest.
            project(&basis[steps.saturating_sub(1)..].iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut w);
            project(&near.iter().copied().chain(basis.iter().map(Vec::as_slice)).collect::<Vec<_>>(), &mut w);
            let norm = norm2(&w);
            off.push(norm);
            steps += 1;
            let closed = norm <= 1e-14 * diagonal[0].abs().max(f64::MIN_POSITIVE);
            if closed || steps == limit || (steps >= 20 && steps % 10 == 0) {
                let xi = top_eigenvalue(&diagonal, &off)?.max(0.0);
                rest = upper(xi, norm, n, steps, delta, rounding(steps)).min(rest);
                // What the last word on the rest would change of the norm of the whole, beyond lam.
                let (now, ideal) = (blocks.norm(rest), blocks.norm(xi.sqrt()));
                let excess = (ideal - lam).max(1e-14 * ideal);
                if now - ideal <= 0.05 * excess || closed {
                    break;
                }
                loose = now - ideal > LOOSE * excess;
            }
            if steps == limit {
                if !loose || steps >= dimension.min(MOST_STEPS) {
                    break;
                }
                if again {
                    return Ok(None);
                }
                limit = (2 * limit).min(dimension).min(MOST_STEPS);
            }
            w.iter_mut().for_each(|x| *x /= norm);
            basis.push(w);
        }
    }
    // The corner and the coupling are products of products: their errors are sqrt(k) larger at most.
    let bound = blocks.norm(rest) * (1.0 + 16.0 * U) + (1.0 + (k as f64).sqrt()) * rounding(steps);
    Ok(Some(NormBound { bound, rest, mixed: b.max(c), inside, failure }))
}

/// From above, the largest singular value whose square has the Ritz value `xi` after `steps` steps from a random start in
/// dimension n, `last` being the norm of the last residual. Both bounds fail only where the start is nearly orthogonal to
/// the top vector, with probability `delta`: Kuczynski & Wozniakowski, SIAM J. Matrix Anal. Appl. 13 (1992) 1094, and the
/// residual's share of that vector.
fn upper(xi: f64, last: f64, n: usize, steps: usize, delta: f64, rounding: f64) -> f64 {
    let n = n as f64;
    let root = (1.648 * n.sqrt() / delta).ln() / (2.0 * steps as f64 - 1.0);
    let eps = root * root;
    let first = if eps < 1.0 { xi / (1.0 - eps) } else { f64::INFINITY };
    let last = last.max(2.0 * rounding * xi.sqrt());
    let second = xi + last * (2.0 * n / std::f64::consts::PI).sqrt() / delta;
    first.min(second).sqrt()
}

/// What is known of M = [[A, B], [C, D]] beside a bound of |D|.
///
/// M^T M = [[A^T A + C^T C, A^T B + C^T D], [., B^T B + D^T D]]: the corner and the coupling are computed as they are, so that
/// |M|² is at most the norm of a symmetric 2 by 2 matrix. The norms of the four blocks alone would do for a bound, but C
/// seldom lies along the leading directions of D, and |A||B| + |C||D| is then far above the coupling. The same holds for
/// M M^T, with B and C in exchanged roles: what A multiplies should be the smaller one.
struct Blocks {
    /// Norm of the corner.
    corner: f64,
    /// Norm of the coupling.
    coupling: f64,
    /// Norm of B (of C), which D's is added to in squares.
    side: f64,
}

impl Blocks {
    /// From A, C (left vectors of the complement, k columns) and B^T (right vectors, k columns) with their norms.
    fn new<M: Linear>(
        m: &M,
        (qu, qv): (&Matrix<f64>, &Matrix<f64>),
        (a, c, bt): (&Matrix<f64>, &Matrix<f64>, &Matrix<f64>),
        (b_norm, c_norm): (f64, f64),
        monitor: &mut Monitor<'_>,
    ) -> Result<Self, CompletionError> {
        let k = a.rows();
        if k == 0 {
            return Ok(Self { corner: 0.0, coupling: 0.0, side: 0.0 });
        }
        let columns = b_norm <= c_norm;
        let (tall, own, back) = if columns { (c, bt, qv) } else { (bt, c, qu) };
        let mut corner = Matrix::zeros(k, k);
        let (left, right) =
            if columns { (a.view().transpose(), a.view()) } else { (a.view(), a.view().transpose()) };
        gemm(&mut corner, Onto::Replace, 1.0, left, right);
        gemm(&mut corner, Onto::Add, 1.0, tall.view().transpose(), tall.view());
        // The coupling, transposed: D^T C + B^T A, or D B^T + C A^T.
        let mut coupling = if columns { m.adjoint_all(tall, monitor)? } else { m.times_all(tall, monitor)? };
        let mut along = Matrix::zeros(back.columns(), k);
        gemm(&mut along, Onto::Replace, 1.0, back.view().transpose(), coupling.view());
        gemm(&mut coupling, Onto::Add, -1.0, back.view(), along.view());
        gemm(&mut coupling, Onto::Add, 1.0, own.view(), right);
        let top = |x: f64| x.max(0.0);
        Ok(Self {
            corner: eigh(corner.view())?.values.last().copied().map_or(0.0, top),
            coupling: svd(coupling.view())?.s.first().copied().unwrap_or(0.0),
            side: b_norm.min(c_norm),
        })
    }

    /// The norm of the whole for this bound of |D|.
    fn norm(&self, rest: f64) -> f64 {
        if !rest.is_finite() {
            return f64::INFINITY;
        }
        let (p, q, r) = (self.corner, self.coupling, self.side * self.side + rest * rest);
        (0.5 * (p + r) + (0.5 * (p - r)).hypot(q)).sqrt()
    }
}
