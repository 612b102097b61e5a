//! The duality gap of implicit feedback: `F(X) = sum over all c (p - x)²/2 + lam |X|_*`.
//!
//! The dual variable is Z = S - U V^T, S sparse: `c (p - x) + x` where an entry is stored, for elsewhere c = 1 and p = 0. With
//! |t Z|_2 <= lam, D(t Z) = t <Z, P> - t²/2 sum over all z²/c <= min F. Sums over all entries are sums over the stored ones
//! and |U V^T|_F² = <U^T U, V^T V>. S, U and V are taken as they are stored: any Z is admissible.

use super::gap::Span;
use super::matrix::{Dual, Linear};
use super::norm::{Purpose, lanczos};
use super::residual::wide;
use super::{Depth, U, gamma};
use crate::base::certificate::{Certificate, Kind};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sparse::SparseView;
use crate::base::sum::Sum;
use crate::completion::CompletionError;
use crate::completion::entry::Entry;
use crate::completion::factor::Factor;
use crate::completion::linear::add;
use crate::completion::payload::Payload;
use crate::completion::step::fitted;

/// `S - U V^T`.
struct Feedback<'a> {
    sparse: Dual,
    u: &'a Factor<f64>,
    v: &'a Factor<f64>,
    low: f64,
}

/// `y -= left right^T x`.
fn less(y: &mut Factor<f64>, left: &Factor<f64>, right: &Factor<f64>, x: &Factor<f64>) {
    let low = left.times(&right.cross(x));
    add(-1.0, low.as_slice(), y.as_mut_slice());
}

impl Linear for Feedback<'_> {
    fn shape(&self) -> (usize, usize) {
        self.sparse.shape()
    }

    fn times(&self, x: &Factor<f64>, monitor: &mut Monitor<'_>) -> Result<Factor<f64>, Aborted> {
        let mut y = self.sparse.times(x, monitor)?;
        less(&mut y, self.u, self.v, x);
        Ok(y)
    }

    fn adjoint(&self, x: &Factor<f64>, monitor: &mut Monitor<'_>) -> Result<Factor<f64>, Aborted> {
        let mut y = self.sparse.adjoint(x, monitor)?;
        less(&mut y, self.v, self.u, x);
        Ok(y)
    }

    fn norm(&self) -> f64 {
        self.sparse.norm + self.low
    }

    fn terms(&self) -> usize {
        let (m, n) = self.shape();
        self.sparse.terms() + m + n + 2 * self.u.width()
    }
}

/// Judges a payload. `weights` are c - 1 > 0 of the stored entries; an entry's value is `c p / (c - 1)`, so that it is
/// positive exactly where p = 1.
pub fn certificate<T: Entry>(
    entries: SparseView<'_, T>,
    weights: &[T],
    payload: &Payload<T>,
    lam: f64,
    depth: Depth,
    monitor: &mut Monitor<'_>,
) -> Result<Certificate, CompletionError> {
    let (u, v) = wide(payload, 1.0);
    let k = u.width() as f64;
    let x = fitted(entries, &u, &v, monitor)?;
    let norms = |f: &Factor<f64>| -> Vec<f64> {
        let up = 1.0 + 2.0 * gamma(k + 4.0);
        (0..f.rows()).map(|i| up * f.row(i).iter().map(|a| a * a).sum::<f64>().sqrt()).collect()
    };
    let (row_norms, column_norms) = (norms(&u), norms(&v));
    let g = gamma(k + 8.0);
    let mut sparse = Vec::with_capacity(x.len());
    let (mut loss, mut quadratic, mut inner) = (Sum::new(), Sum::new(), Sum::new());
    let (mut moduli, mut slack) = (0.0, 0.0);
    for i in 0..entries.rows() {
        for e in entries.range(i) {
            let j = entries.indices()[e] as usize;
            let (c, x) = (1.0 + weights[e].to_f64(), x[e]);
            let p = if entries.data()[e] > T::ZERO { 1.0 } else { 0.0 };
            let rho = g * (p + row_norms[i] * column_norms[j]);
            let s = c * (p - x) + x;
            // What the stored S and the exact x make of it; z is off by rho and a few roundings.
            let z = s - x;
            let wrong = rho + 8.0 * U * c * (p + x.abs());
            sparse.push(s);
            loss.add_product(c * (p - x), p - x);
            loss.add_product(-x, x);
            quadratic.add_product(z, z / c);
            quadratic.add_product(-x, x);
            inner.add(z * p);
            moduli += c * (p - x) * (p - x) + x * x + z * z / c + (z * p).abs();
            slack += c * (p - x).abs() * rho * 2.0 + (c + 1.0) * rho * rho + 2.0 * x.abs() * rho;
            slack += 2.0 * z.abs() * wrong / c + wrong * wrong + wrong * p;
        }
    }
    let count = entries.nnz() as f64;
    let (gu, gv) = (u.cross(&u), v.cross(&v));
    let low2 = crate::base::sum::dot2(gu.as_slice(), gv.as_slice());
    let all = crate::base::sum::norm2(gu.as_slice()) * crate::base::sum::norm2(gv.as_slice());
    let low_slack = gamma((u.rows() + v.rows()) as f64 + 2.0 * k + 16.0) * (k + 2.0) * all;
    let rounding =
        (16.0 * U + 4.0 * (count * U) * (count * U)) * moduli + slack * (1.0 + gamma(count)) + low_slack;
    let ones = |n: usize| vec![1.0; n];
    let (a, b) = (ones(entries.rows()), ones(entries.columns()));
    let span = Span::new(&u, &v, &a, &b)?;
    let low = (low2 + low_slack).max(0.0).sqrt() * (1.0 + 4.0 * U);
    let dual = Dual::new(&entries, &sparse, (&a, &b));
    let matrix = Feedback { sparse: dual, u: &u, v: &v, low };
    let primal = (0.5 * (loss.value() + low2 + rounding) + lam * span.nuclear) * (1.0 + 16.0 * U);
    let total = quadratic.value() + low2 + rounding;
    let gain = inner.value() - rounding;
    let dual = |norm: f64| {
        let most = if norm > 0.0 { lam / norm * (1.0 - 4.0 * U) } else { f64::INFINITY };
        let best = if total > 0.0 { (gain / total).max(0.0) } else { 0.0 };
        let t = best.min(most);
        (t * gain - 0.5 * t * t * total - 8.0 * U * (t * gain.abs() + t * t * total)).max(0.0)
    };
    let relative = |lower: f64| {
        let gap = (primal - lower) * (1.0 + 4.0 * U);
        if primal > 0.0 { gap / primal * (1.0 + 4.0 * U) } else { 0.0 }
    };
    let purpose = Purpose { gap: &|norm| relative(dual(norm)), tol: depth.tol, lam, slack: depth.tol };
    let random = (depth.seed, depth.evaluation);
    let found = lanczos(&matrix, (&span.qu, &span.qv), &purpose, random, false, monitor)?;
    let norm = found.ok_or(crate::base::dense::DenseError::NoConvergence)?;
    let lower = dual(norm.bound);
    let gap = (primal - lower) * (1.0 + 4.0 * U);
    let relative = relative(lower);
    Ok(Certificate::new(Kind::NuclearGap, if relative.is_nan() { f64::INFINITY } else { relative })
        .failing_with(norm.failure)
        .part("residual", f64::NAN)
        .part("first_order", norm.mixed.max((norm.inside - lam).max(0.0)) / lam)
        .part("gap", gap)
        .part("norm_ratio", norm.bound / lam)
        .part("deflated_ratio", norm.rest / lam)
        .part("primal", primal)
        .part("dual", lower)
        .part("seed", depth.seed as f64)
        .part("evaluation", f64::from(depth.evaluation)))
}
