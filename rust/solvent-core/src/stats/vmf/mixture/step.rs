//! The M step: from S_j and N_j to the next model.

use super::expectation::Statistics;
use super::model::Model;
use super::options::{Concentration, Rule};
use super::problem::Problem;
use crate::stats::vmf::concentration::{MAX_STEPS, concentration};

/// The concentration whose mean resultant length is `length/count`, and whether it had to be held at `largest`.
fn held_concentration(d: usize, length: f64, count: f64, largest: f64) -> (f64, bool) {
    if length <= 0.0 || count <= 0.0 {
        return (0.0, false);
    }
    let c = (count - length) / count;
    // The sums and the norms of d terms leave equal rows that far from 1: below it c says nothing.
    let rounding = 0.5 * f64::EPSILON * (d as f64 + 16.0);
    // A(kappa) >= 1 - (d-1)/(2 kappa) (1 + ...): beyond twice that the root exceeds `largest`, c = 0 included.
    if c <= rounding.max(0.25 * (d as f64 - 1.0) / largest) {
        return (largest, true);
    }
    let kappa = concentration(d, length / count, c, MAX_STEPS).kappa;
    if kappa >= largest { (largest, true) } else { (kappa, false) }
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// The model of greatest expected log-likelihood. A component without any share keeps its mean and concentration at
/// weight 0.
pub fn maximization(statistics: &Statistics, previous: &Model, rule: &Rule) -> Model {
    let (k, d) = (previous.components(), previous.d);
    let mut next = previous.clone();
    let total: f64 = statistics.counts.iter().sum();
    let lengths: Vec<f64> = statistics.sums.chunks_exact(d).map(norm).collect();
    for j in 0..k {
        next.weights[j] = statistics.counts[j] / total;
        if lengths[j] > 0.0 {
            let sum = &statistics.sums[j * d..(j + 1) * d];
            let mean = &mut next.means[j * d..(j + 1) * d];
            mean.iter_mut().zip(sum).for_each(|(m, s)| *m = s / lengths[j]);
        }
    }
    match rule.concentration {
        Concentration::Full => {
            for j in (0..k).filter(|&j| statistics.counts[j] > 0.0) {
                (next.concentrations[j], next.degenerate[j]) =
                    held_concentration(d, lengths[j], statistics.counts[j], rule.kappa_max);
            }
        }
        Concentration::Tied => {
            let (kappa, held) = held_concentration(d, lengths.iter().sum(), total, rule.kappa_max);
            next.concentrations.fill(kappa);
            next.degenerate.fill(held);
        }
    }
    next
}

/// Gives the lightest component below `min_weight` a new life at the row that the mixture explains worst. Returns
/// whether there was one.
pub fn reseed(
    next: &mut Model,
    statistics: &Statistics,
    problem: &Problem<'_>,
    rule: &Rule,
    min_weight: f64,
) -> bool {
    let (k, d) = (next.components(), next.d);
    // A component on exactly one row of n may come out an ulp below 1/n.
    let limit = min_weight * (1.0 - 1e-9);
    let lightest = (0..k).min_by(|&a, &b| next.weights[a].total_cmp(&next.weights[b]));
    let Some(j) = lightest.filter(|&j| k > 1 && next.weights[j] < limit) else { return false };
    next.means[j * d..(j + 1) * d].copy_from_slice(&problem.direction(statistics.worst.1));
    let lengths: f64 = statistics.sums.chunks_exact(d).map(norm).sum();
    let total: f64 = statistics.counts.iter().sum();
    next.concentrations[j] = held_concentration(d, lengths, total, rule.kappa_max).0;
    next.degenerate[j] = false;
    next.weights[j] = 1.0 / k as f64;
    let sum: f64 = next.weights.iter().sum();
    next.weights.iter_mut().for_each(|w| *w /= sum);
    true
}
