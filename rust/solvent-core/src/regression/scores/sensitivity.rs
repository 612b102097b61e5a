//! Upper bounds of lp sensitivities from leverage scores alone.
//!
//! |a_i x| <= tau_i^(1/2) |A x|_2. For p <= 2, |A x|_2 <= |A x|_p, so sigma_i <= tau_i^(p/2). For p > 2,
//! |A x|_2 <= n^(1/2 - 1/p) |A x|_p, so sigma_i <= n^(p/2 - 1) tau_i^(p/2). No sensitivity exceeds 1.

use super::leverage::intervals;
use super::table::Table;
use super::whiten::{Passed, whiten};
use super::{Scores, finish};
use crate::base::certificate::{Certificate, Kind};
use crate::base::monitor::Monitor;
use crate::base::status::Status;
use crate::regression::RegressionError;

/// One bound a row: the upper ends of the leverages' intervals, rounded up.
pub fn bounds(table: &Table<'_>, p: f64, seed: u64, monitor: Monitor<'_>) -> Result<Scores, RegressionError> {
    let mut monitor = monitor;
    let (n, d) = table.shape();
    if n == 0 || d == 0 {
        let certificate = Certificate::new(Kind::ForwardError, 0.0).part("eta", 0.0);
        return Ok(finish(vec![0.0; n], 0, certificate, Status::Converged, None, monitor));
    }
    let w = whiten(table, seed, &mut monitor)?;
    let passed = w.pass(table, None, &mut monitor)?;
    let (rank, judged) = (w.rank(), judge(&passed, d));
    let scores = uppers(&passed, p);
    Ok(finish(scores, rank, judged, Status::Converged, None, monitor))
}

/// The least bounds that are proven.
fn uppers(passed: &Passed, p: f64) -> Vec<f64> {
    // Powers err by a few units in the last place.
    let up = 1.0 + 16.0 * f64::EPSILON;
    let n = passed.images.len() as f64;
    let spread = if p > 2.0 { n.powf(0.5 * p - 1.0) } else { 1.0 };
    intervals(passed).iter().map(|(_, high)| (spread * high.powf(0.5 * p) * up).min(1.0)).collect()
}

/// The certificate of the leverages behind the bounds: how far apart the ends of their intervals are.
fn judge(passed: &Passed, columns: usize) -> Certificate {
    let (eta, rank) = (passed.eta(), passed.gram.rows());
    let mean = rank as f64 / passed.images.len().max(1) as f64;
    let slack = intervals(passed).iter().fold(0.0f64, |s, (low, high)| s.max((high - low) / low.max(mean)));
    let certificate = Certificate::new(Kind::ForwardError, slack).part("eta", eta);
    if rank == columns && eta < 1.0 { certificate } else { certificate.estimate() }
}

/// Judges bounds that are given: as what [`bounds`] returns if none is below what is proven, else inf.
pub fn certify(
    table: &Table<'_>,
    scores: &[f64],
    p: f64,
    seed: u64,
    monitor: &mut Monitor<'_>,
) -> Result<Certificate, RegressionError> {
    let (n, d) = table.shape();
    if n == 0 || d == 0 {
        return Ok(Certificate::new(Kind::ForwardError, 0.0).part("eta", 0.0));
    }
    let w = whiten(table, seed, monitor)?;
    let passed = w.pass(table, None, monitor)?;
    let mut certificate = judge(&passed, d);
    if uppers(&passed, p).iter().zip(scores).any(|(proven, given)| given < proven) {
        certificate.bound = f64::INFINITY;
    }
    Ok(certificate)
}
