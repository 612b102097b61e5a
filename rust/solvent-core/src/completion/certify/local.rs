//! How firmly the observed entries hold a completion near the one that was found: what `certify="full"` adds.

use super::Evidence;
use crate::base::dense::{Cholesky, Matrix, Onto, Qr, gemm};
use crate::base::monitor::Monitor;
use crate::base::sparse::SparseView;
use crate::completion::CompletionError;
use crate::completion::entry::Entry;
use crate::completion::factor::Factor;
use crate::completion::linear::Pattern;
use crate::completion::linear::identify::extremes;
use crate::completion::payload::Payload;
use crate::completion::step::chunks;

/// The sampling of the tangent space, and the Gram matrices of rows and columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Local {
    /// Smallest singular value of the sampling of tangent vectors, from above; nan where it is unknown.
    pub least: f64,
    /// The largest.
    pub most: f64,
    /// Smallest ratio of a pivot to the largest diagonal element among the Gram matrices of rows and columns.
    pub pivot: f64,
    /// Frobenius norm of the matrix of low rank.
    pub norm: f64,
}

impl Local {
    /// Of a payload. Biases are not among the tangent vectors: with them the singular values stay unknown.
    pub fn new<T: Entry>(
        evidence: &Evidence<'_, T>,
        payload: &Payload<T>,
        monitor: &mut Monitor<'_>,
    ) -> Result<Self, CompletionError> {
        let k = payload.rank();
        let mut local = Self { least: f64::NAN, most: f64::NAN, pivot: f64::NAN, norm: 0.0 };
        if k == 0 || k > payload.m.min(payload.n) {
            return Ok(local);
        }
        let wide = |count: usize, x: &[T]| Matrix::from_fn(count, k, |i, l| x[i * k + l].to_f64());
        let (left, right) =
            (Qr::new(wide(payload.m, &payload.u).view())?, Qr::new(wide(payload.n, &payload.v).view())?);
        let (ra, rb) = (left.r(), right.r());
        let scaled = Matrix::from_fn(k, k, |i, j| ra.get(i, j) * payload.s[j].to_f64());
        let mut core = Matrix::zeros(k, k);
        gemm(&mut core, Onto::Replace, 1.0, scaled.view(), rb.view().transpose());
        local.norm = crate::base::sum::norm2(core.as_slice());
        let (u, v) = (Factor::from_matrix(&left.q()), Factor::from_matrix(&right.q()));
        let pattern = Pattern::new(evidence.entries, None)?;
        local.pivot = pivots(&pattern.rows(), &v, monitor)?.min(pivots(&pattern.columns(), &u, monitor)?);
        if payload.bias.is_none() {
            let found = extremes(&pattern, (&u, &v), monitor)?;
            (local.least, local.most) = (found.least, found.most);
        }
        Ok(local)
    }
}

/// The smallest ratio over the rows that have entries.
fn pivots(
    entries: &SparseView<'_, ()>,
    other: &Factor<f64>,
    monitor: &mut Monitor<'_>,
) -> Result<f64, CompletionError> {
    let k = other.width();
    let parts = monitor.map_items(chunks(entries).into_iter(), |rows| {
        let mut least = f64::INFINITY;
        for i in rows {
            let range = entries.range(i);
            if range.is_empty() {
                continue;
            }
            if range.len() < k {
                return 0.0;
            }
            let mut gram = Matrix::<f64>::zeros(k, k);
            for &j in &entries.indices()[range] {
                let x = &other.row(j as usize)[..k];
                for c in 0..k {
                    for (g, y) in gram.column_mut(c)[c..].iter_mut().zip(&x[c..]) {
                        *g += x[c] * y;
                    }
                }
            }
            let largest = (0..k).map(|c| gram.get(c, c)).fold(0.0, f64::max);
            let Ok(factor) = Cholesky::new(gram.view()) else { return 0.0 };
            let pivot = (0..k).map(|c| factor.lower().get(c, c)).fold(f64::INFINITY, f64::min);
            least = least.min(pivot * pivot / largest);
        }
        least
    })?;
    let least = parts.into_iter().fold(f64::INFINITY, f64::min);
    Ok(if least.is_finite() { least } else { f64::NAN })
}
