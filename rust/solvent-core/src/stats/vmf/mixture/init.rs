//! The first model.

use std::ops::Range;

use solvent_simd::dispatch;

use super::model::Model;
use super::options::{Assignment, Concentration, Init, Options, Rule};
use super::problem::Problem;
use super::{expectation::expectation, step::maximization};
use crate::base::monitor::Monitor;
use crate::base::rng::Philox;
use crate::stats::vmf::VmfError;
use crate::stats::vmf::kernels::Dots;

/// Items whose sums are held together before they are merged.
const WAVE: usize = 64;

/// Finds means as `options.init` says, assigns every row to the nearest, and fits weights, means and one common
/// concentration to that. `start` numbers the starts, each with its own random stream.
pub fn first_model(
    problem: &Problem<'_>,
    options: &Options,
    start: u32,
    monitor: &mut Monitor<'_>,
) -> Result<Model, VmfError> {
    let (k, d) = (options.components, problem.dimension());
    let mut rng = Philox::new(options.seed, start, 0);
    let means = match &options.init {
        Init::Means(means) => means.clone(),
        Init::Random => {
            distinct_rows(problem, k, &mut rng).iter().flat_map(|&i| problem.direction(i)).collect()
        }
        Init::KMeansPlusPlus => spread_rows(problem, k, &mut rng, monitor)?,
    };
    let even = Model {
        d,
        weights: vec![1.0 / k as f64; k],
        means,
        concentrations: vec![d as f64; k],
        degenerate: vec![false; k],
    };
    let nearest = expectation(problem, &even, Assignment::Hard, monitor)?;
    let rule = Rule { concentration: Concentration::Tied, ..options.rule };
    let mut model = maximization(&nearest, &even, &rule);
    // A mean that no row is nearest to keeps a share, or it could never gain one.
    let floor = 1.0 / (k as f64 * problem.len() as f64);
    model.weights.iter_mut().for_each(|w| *w = w.max(floor));
    let sum: f64 = model.weights.iter().sum();
    model.weights.iter_mut().for_each(|w| *w /= sum);
    Ok(model)
}

/// `k` distinct rows of positive weight, uniformly (fewer weighted rows than `k`: the others follow).
fn distinct_rows(problem: &Problem<'_>, k: usize, rng: &mut Philox) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..problem.len()).collect();
    rng.shuffle(&mut rows);
    rows.sort_by_key(|&i| problem.weight(i) == 0.0);
    rows.truncate(k);
    rows
}

/// Greedy k-means++ (Arthur & Vassilvitskii, SODA 2007) on the distance 1 - cos: each mean is the best of 12 + 4 log k
/// rows drawn in proportion to weight times distance to the nearest mean so far.
///
/// In high dimension a row is nearly as far from the other rows of its own cluster as from those of another: with three
/// of four equal clusters covered, a draw misses the fourth with probability 0.6, so that the best of two or three draws
/// misses it at one start of five, and the best of so many at one of some thousands.
fn spread_rows(
    problem: &Problem<'_>,
    k: usize,
    rng: &mut Philox,
    monitor: &mut Monitor<'_>,
) -> Result<Vec<f64>, VmfError> {
    let trials = 12 + (4.0 * (k as f64).ln()) as usize;
    let mass: Vec<f64> = (0..problem.len()).map(|i| problem.weight(i)).collect();
    let mut means = problem.direction(draw(&mass, rng));
    let mut distance = distances(problem, &means, monitor)?;
    for _ in 1..k {
        let mass: Vec<f64> = distance.iter().enumerate().map(|(i, t)| problem.weight(i) * t).collect();
        let drawn: Vec<Vec<f64>> = (0..trials).map(|_| problem.direction(draw(&mass, rng))).collect();
        let left = potentials(problem, &drawn.concat(), &distance, monitor)?;
        let best = (0..trials).min_by(|&a, &b| left[a].total_cmp(&left[b])).unwrap_or(0);
        let to_best = distances(problem, &drawn[best], monitor)?;
        distance.iter_mut().zip(to_best).for_each(|(old, new)| *old = old.min(new));
        means.extend(&drawn[best]);
    }
    Ok(means)
}

/// What each candidate would leave of the sum of weight times distance. One pass over the rows.
fn potentials(
    problem: &Problem<'_>,
    candidates: &[f64],
    distance: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<Vec<f64>, VmfError> {
    let d = problem.dimension();
    let count = candidates.len() / d;
    let step = problem.rows.block_rows();
    let item = ((1 << 20) / candidates.len()).max(1).next_multiple_of(step);
    let part = |range: Range<usize>| {
        let (mut scratch, mut dots, mut left) = (Vec::new(), vec![0.0; count * step], vec![0.0; count]);
        for first in range.clone().step_by(step) {
            let last = range.end.min(first + step);
            let x = problem.rows.block(first..last, &mut scratch);
            dispatch(Dots { x, means: candidates, d, out: &mut dots, stride: step });
            for (left, dots) in left.iter_mut().zip(dots.chunks_exact(step)) {
                for (i, dot) in (first..last).zip(dots) {
                    let to_candidate = (1.0 - dot * problem.scale(i)).max(0.0);
                    *left += problem.weight(i) * distance[i].min(to_candidate);
                }
            }
        }
        left
    };
    let mut total = vec![0.0; count];
    monitor.fold_blocks(problem.len(), item, WAVE, part, |part| {
        total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
        Ok::<_, VmfError>(())
    })?;
    Ok(total)
}

/// An index with probability in proportion to `mass`; uniform where there is no mass.
fn draw(mass: &[f64], rng: &mut Philox) -> usize {
    let total: f64 = mass.iter().sum();
    if total.is_nan() || total <= 0.0 {
        return rng.below(mass.len() as u64) as usize;
    }
    let mut rest = rng.uniform() * total;
    let mut last = 0;
    for (i, &m) in mass.iter().enumerate() {
        if m > 0.0 {
            last = i;
            rest -= m;
            if rest < 0.0 {
                break;
            }
        }
    }
    last
}

/// 1 - mean.x_i for every row, rounded up to 0.
fn distances(problem: &Problem<'_>, mean: &[f64], monitor: &mut Monitor<'_>) -> Result<Vec<f64>, VmfError> {
    let d = problem.dimension();
    let step = problem.rows.block_rows();
    let item = ((1 << 18) / d).max(1).next_multiple_of(step);
    let mut out = vec![0.0; problem.len()];
    monitor.map_items(out.chunks_mut(item).enumerate(), |(index, out)| {
        let mut scratch = Vec::new();
        for (block, out) in out.chunks_mut(step).enumerate() {
            let first = index * item + block * step;
            let range: Range<usize> = first..first + out.len();
            let x = problem.rows.block(range, &mut scratch);
            let stride = out.len();
            dispatch(Dots { x, means: mean, d, out, stride });
            for (i, t) in out.iter_mut().enumerate() {
                *t = (1.0 - *t * problem.scale(first + i)).max(0.0);
            }
        }
    })?;
    Ok(out)
}
