//! How far one more sweep would move the model: stationarity, and no more. EM climbs to a stationary point of the
//! likelihood, which need not be its greatest.

use super::expectation::expectation;
use super::model::Model;
use super::options::Rule;
use super::problem::Problem;
use super::step::maximization;
use crate::base::certificate::{Certificate, Kind};
use crate::base::monitor::Monitor;
use crate::stats::vmf::VmfError;

/// The largest changes from one model to the next, each on its scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Of a weight, over max(weight, 1/n).
    pub weight: f64,
    /// Of a mean, in norm.
    pub mean: f64,
    /// Of a concentration, over max(kappa, d/100).
    pub concentration: f64,
}

impl Change {
    /// From `held` to `next`, which one sweep over `n` rows made of it.
    pub fn between(held: &Model, next: &Model, n: usize) -> Self {
        let largest = |changes: &mut dyn Iterator<Item = f64>| changes.fold(0.0f64, f64::max);
        let floor = 0.01 * held.d as f64;
        let weights = held.weights.iter().zip(&next.weights);
        let kappas = held.concentrations.iter().zip(&next.concentrations);
        let mean = |j: usize| {
            let pairs = held.mean(j).iter().zip(next.mean(j));
            pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
        };
        Self {
            weight: largest(&mut weights.map(|(a, b)| (a - b).abs() / a.max(1.0 / n as f64))),
            mean: largest(&mut (0..held.components()).map(mean)),
            concentration: largest(&mut kappas.map(|(a, b)| (a - b).abs() / a.max(floor))),
        }
    }

    /// The largest of the three.
    pub fn bound(&self) -> f64 {
        self.weight.max(self.mean).max(self.concentration)
    }

    /// The certificate of the model that was held.
    pub fn certificate(&self) -> Certificate {
        Certificate::new(Kind::Stationarity, self.bound())
            .estimate()
            .part("weight_change", self.weight)
            .part("mean_change", self.mean)
            .part("kappa_change", self.concentration)
    }
}

/// Judges any model on any rows: one sweep, O(n k d).
pub fn certify(
    problem: &Problem<'_>,
    model: &Model,
    rule: &Rule,
    monitor: &mut Monitor<'_>,
) -> Result<Certificate, VmfError> {
    let statistics = expectation(problem, model, rule.assignment, monitor)?;
    let next = maximization(&statistics, model, rule);
    Ok(Change::between(model, &next, problem.len()).certificate())
}
