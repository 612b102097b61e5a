//! A proximal gradient step in the subspace of the factors and of the directions that the gap misses.
//!
//! Alternating minimization scales a small direction by (sigma/lam)² a sweep, which is hardly a change where sigma is near
//! lam. A step `X + Z/L`, soft-thresholded by lam/L, gives it its size at once: in the balanced coordinates
//! `D_a^1/2 X D_b^1/2`, restricted to the span of the factors and of the leading singular vectors of Z outside it.

use super::CompletionError;
use super::certify::Evidence;
use super::certify::gap::{Span, penalties};
use super::certify::residual::Residuals;
use super::entry::Entry;
use super::factor::Factor;
use super::init::Operator;
use super::payload::Payload;
use super::problem::Problem;
use super::step::product;
use crate::base::dense::{Matrix, Onto, Qr, gemm, svd};
use crate::base::monitor::Monitor;
use crate::base::sparse::SparseView;

/// Directions added at a time.
const BLOCK: usize = 8;
/// A vector of which less is left outside the span is no new direction. Singular values near lam lie close together, and
/// their vectors mix those of the span with the missing ones: a small part may be all there is to see.
const NEW: f64 = 0.1;
/// Rounds of the block iteration at first, and how often they may double.
const ROUNDS: usize = 12;
const DOUBLINGS: usize = 4;

/// Both factors of a run.
pub type Pair<T> = (Factor<T>, Factor<T>);

/// The columns of `x` after those of `basis`, made orthonormal to them.
fn joined(basis: &Matrix<f64>, x: &[Vec<f64>]) -> Result<Matrix<f64>, CompletionError> {
    let (rows, k) = (basis.rows(), basis.columns());
    let all = Matrix::from_fn(rows, k + x.len(), |i, l| if l < k { basis.get(i, l) } else { x[l - k][i] });
    let qr = Qr::new(all.view())?;
    let (mut q, r) = (qr.q(), qr.r());
    // The signs of the basis stay.
    for l in 0..q.columns() {
        if r.get(l, l) < 0.0 {
            q.column_mut(l).iter_mut().for_each(|x| *x = -*x);
        }
    }
    Ok(q)
}

/// `x` less its part in the span, and how long the rest is.
fn outside(basis: &Matrix<f64>, x: &mut [f64]) -> f64 {
    for _ in 0..2 {
        for l in 0..basis.columns() {
            let q = basis.column(l);
            let along: f64 = q.iter().zip(x.iter()).map(|(a, b)| a * b).sum();
            x.iter_mut().zip(q).for_each(|(b, a)| *b -= along * a);
        }
    }
    crate::base::sum::norm2(x)
}

/// Factors after the step, of `most` columns at most, in the units of a run; `None` where nothing is left. Steps before it
/// that brought nothing, `stuck` of them, shorten it and make the search for directions more thorough: a Ritz value that
/// has not settled lies below lam where the singular value is just above.
pub fn refit<T: Entry>(
    problem: &Problem<'_, T>,
    (payload, residuals): (&Payload<T>, &Residuals),
    most: usize,
    (constant, stuck): (f64, usize),
    monitor: &mut Monitor<'_>,
) -> Result<Option<Pair<T>>, CompletionError> {
    let evidence = Evidence { entries: problem.rows, weights: problem.weights, penalty: problem.penalty };
    let (a, b) = penalties(&evidence);
    let entries = problem.rows;
    let lam = problem.penalty.lam * residuals.unit;
    let (mut values, mut share, mut largest) = (Vec::with_capacity(entries.nnz()), 0.0, 0.0f64);
    for i in 0..entries.rows() {
        for e in entries.range(i) {
            let scale = a[i] * b[entries.indices()[e] as usize];
            values.push(residuals.z[e] / scale.sqrt());
            let curvature = problem.weights.map_or(1.0, |w| w[e].to_f64()) / scale;
            share += curvature;
            largest = largest.max(curvature);
        }
    }
    // Curvature along a direction that is spread over the matrix, with some room; none has more than the largest.
    let spread = 1.5 * share / (entries.rows() as f64 * entries.columns() as f64);
    let step = (2f64.powi(stuck as i32) * spread).min(largest);
    let (turned, origin) = entries.transpose();
    let column_values: Vec<f64> = origin.iter().map(|&e| values[e]).collect();
    // The pattern of either precision serves the values in double.
    let zeros = vec![0.0f64; entries.nnz()];
    let rows = SparseView::new(entries.indptr(), entries.indices(), &zeros, entries.columns())?;
    let columns = SparseView::new(&turned.indptr, &turned.indices, &zeros, entries.rows())?;
    let operator = Operator { rows, values, columns, column_values };

    let span = Span::new(&residuals.u, &residuals.v, &a, &b)?;
    let rank = span.s.len();
    let (mut left, mut right) = (Vec::new(), Vec::new());
    if rank < most {
        let triples = operator.leading(rank + BLOCK, ROUNDS << stuck.min(DOUBLINGS), monitor)?;
        for (l, &s) in triples.s.iter().enumerate() {
            let column = |x: &Factor<f64>| -> Vec<f64> { (0..x.rows()).map(|i| x.row(i)[l]).collect() };
            let (mut u, mut v) = (column(&triples.u), column(&triples.v));
            let fresh = outside(&span.qu, &mut u) > NEW && outside(&span.qv, &mut v) > NEW;
            if s > lam && fresh && left.len() < BLOCK.min(most - rank) {
                left.push(u);
                right.push(v);
            }
        }
    }
    let (w, y) = (joined(&span.qu, &left)?, joined(&span.qv, &right)?);
    let width = w.columns().min(y.columns());
    let zy = product(rows, &operator.values, &Factor::from_matrix(&y), monitor)?;
    let mut core = Factor::from_matrix(&w).cross(&zy);
    core.as_mut_slice().iter_mut().for_each(|x| *x /= step);
    for l in 0..rank {
        let moved = core.get(l, l) + span.s[l];
        core.set(l, l, moved);
    }
    let parts = svd(core.view())?;
    let kept: Vec<f64> =
        parts.s.iter().map(|s| s - lam / step).filter(|&s| s > 0.0).take(most.min(width)).collect();
    if kept.is_empty() {
        return Ok(None);
    }
    let extra = usize::from(payload.bias.is_some());
    // Residuals are scaled by their own power of two; single precision may have another.
    let ratio = problem.unit / residuals.unit;
    let side = |basis: &Matrix<f64>, turn: &Matrix<f64>, scale: &[f64], bias: Option<&Vec<T>>| {
        let turn = Matrix::from_fn(turn.rows(), kept.len(), |i, l| turn.get(i, l) * (kept[l] * ratio).sqrt());
        let mut out = Matrix::zeros(basis.rows(), kept.len());
        gemm(&mut out, Onto::Replace, 1.0, basis.view(), turn.view());
        Factor::from_fn(basis.rows(), kept.len() + extra, |i, l| {
            T::from_f64(if l < kept.len() {
                if scale[i] > 0.0 { out.get(i, l) / scale[i].sqrt() } else { 0.0 }
            } else {
                bias.map_or(0.0, |bias| bias[i].to_f64() * problem.unit / constant)
            })
        })
    };
    let (row, column) = match &payload.bias {
        Some((row, column)) => (Some(row), Some(column)),
        None => (None, None),
    };
    Ok(Some((side(&w, &parts.u, &a, row), side(&y, &parts.v, &b, column))))
}
