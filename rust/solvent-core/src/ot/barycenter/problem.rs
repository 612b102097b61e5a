//! The data, validated.

use crate::base::error::ArgumentError;
use crate::base::monitor::Monitor;
use crate::base::sum::sum;
use crate::base::view::MatrixView;
use crate::ot::OtError;
use crate::ot::cardinality::problem::extent;
use crate::ot::entry::{Entry, Lines};

/// A cost, histograms, their weights, and the regularisation.
#[derive(Debug, Clone)]
pub struct Problem<'a, T: Entry> {
    /// The cost, every entry finite.
    pub cost: Lines<'a, T>,
    /// Number of rows: points of the barycenter.
    pub n: usize,
    /// Number of columns: points of the histograms.
    pub m: usize,
    /// The histograms of positive weight, one after the other, each scaled to the total `mass`.
    pub b: Vec<f64>,
    /// Weights of those; they add up to 1.
    pub w: Vec<f64>,
    /// Which of the caller's histograms they are.
    pub active: Vec<usize>,
    /// How many histograms the caller has.
    pub given: usize,
    /// Mean total of the histograms.
    pub mass: f64,
    /// Regularisation, in units of the cost.
    pub reg: f64,
    /// Largest less least cost; 1 if that is 0.
    pub scale: f64,
    /// Largest absolute cost.
    pub largest: f64,
}

impl<'a, T: Entry> Problem<'a, T> {
    /// Looks at every entry of the cost once. `b` holds the histograms one after the other; they are finite and
    /// non-negative with equal positive totals, the weights non-negative with total 1: the caller has seen to it.
    pub fn new(
        cost: MatrixView<'a, T>,
        b: &[f64],
        weights: &[f64],
        reg: f64,
        monitor: &mut Monitor<'_>,
    ) -> Result<Self, OtError> {
        let (n, m) = cost.shape();
        let given = weights.len();
        if b.len() != given * m {
            let shape = [b.len() / given.max(1), given];
            let because = format!("C has {m} columns and there are {given} weights");
            return Err(ArgumentError::shape("B", &shape, &because, &[m, given]).into());
        }
        if !(reg > 0.0 && reg.is_finite()) {
            return Err(ArgumentError::value("reg", reg, "a finite number > 0").into());
        }
        let cost = Lines::new(cost);
        let extent = extent(&cost, "C", false, monitor)?;
        let totals: Vec<f64> = b.chunks_exact(m).map(sum).collect();
        let mass = sum(&totals) / given as f64;
        let weight = sum(weights);
        let active: Vec<usize> = (0..given).filter(|&k| weights[k] > 0.0).collect();
        let w = active.iter().map(|&k| weights[k] / weight).collect();
        let scaled = |&k: &usize| b[k * m..(k + 1) * m].iter().map(move |b| (k, *b));
        let b = active.iter().flat_map(scaled).map(|(k, b)| b * (mass / totals[k])).collect();
        let spread = extent.high - extent.low;
        Ok(Self {
            cost,
            n,
            m,
            b,
            w,
            active,
            given,
            mass,
            reg,
            scale: if spread > 0.0 { spread } else { 1.0 },
            largest: extent.high.abs().max(extent.low.abs()),
        })
    }

    /// How many histograms take part.
    pub fn count(&self) -> usize {
        self.w.len()
    }

    /// Histogram `k` of those.
    pub fn histogram(&self, k: usize) -> &[f64] {
        &self.b[k * self.m..(k + 1) * self.m]
    }
}
