//! lp Lewis weights for 0 < p < 4: the fixed point of w_i <- (a_i (A^T W^(1-2/p) A)^-1 a_i^T)^(p/2), a contraction of
//! log w by |1 - p/2| in the maximum norm (Cohen & Peng, STOC 2015, sec. 3).
//!
//! A step is one read of A: rows a_i W_k, W_k of the last Gram matrix, give the new weights, and with these the next Gram
//! matrix. The certificate takes the weights as they are: one read for their Gram matrix, one for the step they would make
//! next; h, the largest change of a logarithm in it (with the leverages' own intervals), bounds the distance to the fixed
//! point by h/(1 - |1 - p/2|).

use super::Scores;
use super::leverage::interval;
use super::table::Table;
use super::whiten::{Whitening, whiten};
use crate::base::certificate::{Certificate, Kind};
use crate::base::monitor::{self, Budget, Monitor, Observer, Progress};
use crate::base::outcome::Outcome;
use crate::base::status::Status;
use crate::base::sum;
use crate::regression::RegressionError;

/// Log weights below this enter a Gram matrix as if they were this: its inverse power would overflow.
const FAINT: f64 = 1e-280;

struct Lewis<'a> {
    table: &'a Table<'a>,
    p: f64,
    seed: u64,
    /// Where the rows are read through.
    base: Whitening,
    /// W of the present weights.
    w: Whitening,
    weights: Vec<f64>,
}

/// The weight with which a row enters the Gram matrix.
fn emphasis(weight: f64, p: f64) -> f64 {
    if weight > 0.0 { weight.max(FAINT).powf(1.0 - 2.0 / p).min(1e290) } else { 0.0 }
}

impl monitor::Method<0> for Lewis<'_> {
    type Solution = Scores;
    type Error = RegressionError;
    const EXTRAS: [&'static str; 0] = [];

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, RegressionError> {
        self.base = whiten(self.table, self.seed, monitor)?;
        self.w = self.base.clone();
        Ok(None)
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<0>, RegressionError> {
        let p = self.p;
        let weight = |_: usize, square: f64| emphasis(square.powf(0.5 * p), p);
        let passed = self.w.pass(self.table, Some(&weight), monitor)?;
        let contraction = (1.0 - 0.5 * p).abs();
        let mut change = if self.weights.is_empty() { f64::NAN } else { 0.0f64 };
        let mut weights = Vec::with_capacity(passed.images.len());
        for (i, image) in passed.images.iter().enumerate() {
            let new = image.square.powf(0.5 * p);
            if let Some(&old) = self.weights.get(i)
                && new != old
            {
                change = change.max((new / old).ln().abs());
            }
            weights.push(new);
        }
        self.weights = weights;
        self.w = self.w.refined(&passed.gram)?;
        // The step just made is the contraction's image of the one before.
        let bound = (change * contraction / (1.0 - contraction)).exp_m1();
        Ok(Progress { units: 1, bound: if bound.is_nan() { None } else { Some(bound) }, extras: [] })
    }

    fn finish(self, status: Status, monitor: Monitor<'_>) -> Result<Scores, RegressionError> {
        let mut monitor = monitor;
        let certificate = judge(self.table, &self.weights, self.p, &self.base, &mut monitor)?;
        let rank = self.base.rank();
        let outcome = Outcome::new(monitor.end(status), Some(certificate));
        Ok(Scores { total: sum::sum(&self.weights), scores: self.weights, rank, outcome })
    }
}

/// The certificate of any weights.
fn judge(
    table: &Table<'_>,
    weights: &[f64],
    p: f64,
    base: &Whitening,
    monitor: &mut Monitor<'_>,
) -> Result<Certificate, RegressionError> {
    let d = table.shape().1;
    let contraction = (1.0 - 0.5 * p).abs();
    let weight = |i: usize, _: f64| emphasis(weights[i], p);
    let nothing = |bound: f64| Certificate::new(Kind::ForwardError, bound).part("eta", f64::INFINITY);
    // Twice, because the first factor is only as good as the weights differ from 1.
    let mut w = base.clone();
    for _ in 0..2 {
        match w.refined(&w.pass(table, Some(&weight), monitor)?.gram) {
            Ok(refined) => w = refined,
            Err(_) => return Ok(nothing(f64::INFINITY).estimate()),
        }
    }
    let passed = w.pass(table, Some(&weight), monitor)?;
    // The powers themselves err by an ulp or two.
    let eta = passed.eta() + 1e-15;
    let mut h = 0.0f64;
    for (&weight, &image) in weights.iter().zip(&passed.images) {
        let (low, high) = interval(image, eta, w.rank());
        if image.square == 0.0 && image.error == 0.0 && weight == 0.0 {
            continue;
        }
        let (low, high) = (0.5 * p * low.ln(), 0.5 * p * high.ln());
        h = h.max((weight.ln() - low).abs()).max((high - weight.ln()).abs());
    }
    let bound = if h.is_nan() { f64::INFINITY } else { (h / (1.0 - contraction)).exp_m1() * (1.0 + 1e-12) };
    let certificate = Certificate::new(Kind::ForwardError, bound + 1e-15).part("eta", eta).part("h", h);
    let faint = p < 2.0 && weights.iter().any(|&w| w > 0.0 && w < FAINT);
    Ok(if w.rank() == d && eta < 1.0 && !faint { certificate } else { certificate.estimate() })
}

/// Lewis weights.
pub fn lewis(
    table: &Table<'_>,
    p: f64,
    seed: u64,
    budget: Budget,
    observer: &mut dyn Observer,
) -> Result<Scores, RegressionError> {
    let (n, d) = table.shape();
    if n == 0 || d == 0 {
        let monitor = Monitor::new(budget, observer, &[]);
        let certificate = Certificate::new(Kind::ForwardError, 0.0).part("eta", 0.0).part("h", 0.0);
        return Ok(super::finish(vec![0.0; n], 0, certificate, Status::Converged, None, monitor));
    }
    let empty = Whitening { w: crate::base::dense::Matrix::zeros(d, 0), scale: vec![1.0; d] };
    let method = Lewis { table, p, seed, base: empty.clone(), w: empty, weights: Vec::new() };
    monitor::solve(method, budget, observer)
}

/// Judges weights that are given.
pub fn certify(
    table: &Table<'_>,
    weights: &[f64],
    p: f64,
    seed: u64,
    monitor: &mut Monitor<'_>,
) -> Result<Certificate, RegressionError> {
    let (n, d) = table.shape();
    if n == 0 || d == 0 {
        let bound = if weights.iter().any(|&w| w != 0.0) { f64::INFINITY } else { 0.0 };
        return Ok(Certificate::new(Kind::ForwardError, bound).part("eta", 0.0).part("h", bound));
    }
    let base = whiten(table, seed, monitor)?;
    judge(table, weights, p, &base, monitor)
}
