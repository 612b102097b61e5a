//! Leverage scores: tau_i = a_i (A^T A)^+ a_i^T, the diagonal of the projection on the range of A.
//!
//! With W such that |(A W)^T (A W) - I| <= eta < 1 on the range of A, tau_i lies between |a_i W|^2/(1 + eta) and
//! |a_i W|^2/(1 - eta); and always between 0 and 1.

use super::table::{Table, inverse_powers};
use super::whiten::{Image, Passed, Whitening, from_sketch, gamma, whiten};
use super::{Scores, finish};
use crate::base::certificate::{Certificate, Kind};
use crate::base::monitor::Monitor;
use crate::base::status::Status;
use crate::regression::RegressionError;
use crate::sketch::{BlockHadamard, Key, Operator};

/// How the scores are found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// To rounding.
    Exact,
    /// From a sketch: every score to a factor 1 +- eps, except with this probability.
    Sketch {
        /// Largest relative error.
        eps: f64,
        /// Probability that one is larger.
        delta: f64,
    },
}

/// An interval that holds a_i (M^T M)^-1 a_i^T, M the (weighted) matrix whose Gram matrix eta measures.
pub fn interval(image: Image, eta: f64, rank: usize) -> (f64, f64) {
    let rounding = gamma(rank + 4);
    let (less, more) = (image.square * (1.0 - rounding), image.square * (1.0 + rounding));
    let low = (less.max(0.0).sqrt() - image.error).max(0.0);
    let high = more.sqrt() + image.error;
    let low = low * low / (1.0 + eta) * (1.0 - 8.0 * f64::EPSILON);
    let high = high * high / (1.0 - eta) * (1.0 + 8.0 * f64::EPSILON);
    if eta < 1.0 { (low, high) } else { (0.0, f64::INFINITY) }
}

/// Intervals that hold the leverages of all rows, which are at most 1.
pub fn intervals(passed: &Passed) -> Vec<(f64, f64)> {
    let (eta, rank) = (passed.eta(), passed.gram.rows());
    let of = |&image| {
        let (low, high) = interval(image, eta, rank);
        (low.min(1.0), high.min(1.0))
    };
    passed.images.iter().map(of).collect()
}

/// Judges scores: the largest error, relative to the true score or to the mean score rank/n where that is larger.
fn judge(scores: &[f64], passed: &Passed, columns: usize) -> Certificate {
    let (n, rank, eta) = (scores.len(), passed.gram.rows(), passed.eta());
    let mean = rank as f64 / n.max(1) as f64;
    let (mut worst, mut relative) = (0.0f64, 0.0f64);
    for (&s, (low, high)) in scores.iter().zip(intervals(passed)) {
        let error = (high - s).max(s - low).max(0.0);
        if error > 0.0 {
            worst = worst.max(error / low.max(mean));
            relative = relative.max(if low > 0.0 { error / low } else { f64::INFINITY });
        }
    }
    let certificate = Certificate::new(Kind::ForwardError, worst).part("eta", eta).part("relative", relative);
    if rank == columns && eta < 1.0 { certificate } else { certificate.estimate() }
}

/// Leverage scores.
pub fn leverage(
    table: &Table<'_>,
    method: Method,
    seed: u64,
    monitor: Monitor<'_>,
) -> Result<Scores, RegressionError> {
    let mut monitor = monitor;
    let (n, d) = table.shape();
    if let Method::Sketch { eps, delta } = method {
        let rho = 1.0 - 1.0 / (1.0 + eps).sqrt();
        let m = ((d as f64).sqrt() + (2.0 * (2.0 / delta).ln()).sqrt()).powi(2) / (rho * rho);
        if d > 0 && m < 0.5 * n as f64 {
            return sketched(table, m.ceil() as usize, (eps, delta), seed, monitor);
        }
    }
    if n == 0 || d == 0 {
        let scores = vec![0.0; n];
        let certificate = Certificate::new(Kind::ForwardError, 0.0).part("eta", 0.0).part("relative", 0.0);
        return Ok(finish(scores, 0, certificate, Status::Converged, None, monitor));
    }
    let w = whiten(table, seed, &mut monitor)?;
    let passed = w.pass(table, None, &mut monitor)?;
    let scores: Vec<f64> = passed.images.iter().map(|image| image.square.min(1.0)).collect();
    let certificate = judge(&scores, &passed, d);
    let (rank, eta) = (w.rank(), passed.eta());
    let (status, message) = if eta >= 0.5 {
        let text = format!(
            "the columns are dependent to rounding (eta = {eta:.1e}); scores are bounded by 0 and 1 only"
        );
        (Status::RoundingFloor, Some(text))
    } else if rank < d {
        let text = format!("rank {rank} of {d} columns; the scores are those of the range that was kept");
        (Status::Converged, Some(text))
    } else {
        (Status::Converged, None)
    };
    Ok(finish(scores, rank, certificate, status, message, monitor))
}

/// Judges scores that are given.
pub fn certify(
    table: &Table<'_>,
    scores: &[f64],
    seed: u64,
    monitor: &mut Monitor<'_>,
) -> Result<Certificate, RegressionError> {
    let (n, d) = table.shape();
    if n == 0 || d == 0 {
        let worst = scores.iter().fold(0.0f64, |w, s| w.max(s.abs()));
        let bound = if worst > 0.0 { f64::INFINITY } else { 0.0 };
        return Ok(Certificate::new(Kind::ForwardError, bound).part("eta", 0.0).part("relative", bound));
    }
    let w = whiten(table, seed, monitor)?;
    let passed = w.pass(table, None, monitor)?;
    Ok(judge(scores, &passed, d))
}

/// |a_i T|^2 with T of a sketch of m rows: one read for the sketch, one for the scores.
fn sketched(
    table: &Table<'_>,
    m: usize,
    (eps, delta): (f64, f64),
    seed: u64,
    monitor: Monitor<'_>,
) -> Result<Scores, RegressionError> {
    let mut monitor = monitor;
    let (n, d) = table.shape();
    let scale = inverse_powers(&table.greatest(&mut monitor)?);
    let sketch = Operator::BlockHadamard(BlockHadamard::for_columns(m, d, Key::new(seed)));
    let rows = table.sketch(&sketch, &mut monitor)?;
    let w = from_sketch(&rows, m, &scale, f64::EPSILON * n.max(d) as f64)?;
    let passed = Whitening { w, scale }.pass(table, None, &mut monitor)?;
    let scores: Vec<f64> = passed.images.iter().map(|image| image.square.min(1.0)).collect();
    let rank = passed.gram.rows();
    let certificate =
        Certificate::new(Kind::ErrorBars, eps).estimate().failing_with(delta).part("sketch_rows", m as f64);
    Ok(finish(scores, rank, certificate, Status::Converged, None, monitor))
}
