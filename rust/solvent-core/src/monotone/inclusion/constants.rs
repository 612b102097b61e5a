//! Constants of an operator: the caller's, its own, or estimates from values.

use super::options::{Options, Problem};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::rng::Philox;
use crate::monotone::operator::{Constants, Kind, Pick};
use crate::monotone::scheme::{Context, PROBES, Point};
use crate::monotone::vector::{difference, dot, norm};

/// Pairs that are looked at.
const PAIRS: usize = 8;
/// What an estimate from below is multiplied by.
const MARGIN: f64 = 2.0;

/// The largest `|F(u) - F(v)|/|u - v|` of eight pairs `(x0, v)`, twice; for cocoercive operators the largest
/// `|F(u) - F(v)|²/<F(u) - F(v), u - v>`, which is at least that. Each direction is the last difference of F, as in the
/// power method, with a little noise. F(x0) is known.
pub fn estimate(
    problem: Problem<'_>,
    start: &[f64],
    f: &[f64],
    seed: u64,
    context: &mut Context<'_>,
    monitor: &mut Monitor<'_>,
) -> Result<f64, Aborted> {
    let d = start.len();
    let mut rng = Philox::new(seed, PROBES, 0);
    let mut direction: Vec<f64> = (0..d).map(|_| rng.normal()).collect();
    let reach = if norm(start) > 0.0 { norm(start) } else { 1.0 };
    let (mut v, mut value, mut largest) = (vec![0.0; d], vec![0.0; d], 0.0f64);
    for _ in 0..PAIRS {
        let size = norm(&direction);
        for j in 0..d {
            v[j] = start[j] + reach * direction[j] / size;
        }
        context.full(&v, &mut value, monitor)?;
        let (change, step) = (difference(&value, f), difference(&v, start));
        let ratio = ratio(&change, &step, problem.kind);
        if ratio.is_finite() {
            largest = largest.max(ratio);
        }
        let scale = norm(&change);
        direction = (0..d)
            .map(|j| {
                rng.normal() * 0.1 / (d as f64).sqrt() + if scale > 0.0 { change[j] / scale } else { 0.0 }
            })
            .collect();
    }
    Ok(MARGIN * largest)
}

/// What a difference of F over a difference of u says of the constant of this kind; nan if nothing.
pub fn ratio(change: &[f64], step: &[f64], kind: Kind) -> f64 {
    let (size, length) = (norm(change), norm(step));
    if size == 0.0 || length == 0.0 {
        return 0.0;
    }
    let lipschitz = size / length;
    if kind == Kind::Monotone {
        return lipschitz;
    }
    // <change, step> in units of both norms, so that squares neither overflow nor underflow.
    let cosine = change.iter().zip(step).map(|(c, s)| (c / size) * (s / length)).sum::<f64>();
    if cosine > 1e-3 { lipschitz / cosine } else { lipschitz }
}

/// The same for components: the largest of eight single ones between x0 and a random point, twice; at least `full`.
pub fn estimate_average(
    problem: Problem<'_>,
    start: &[f64],
    full: f64,
    seed: u64,
    context: &mut Context<'_>,
    monitor: &mut Monitor<'_>,
) -> Result<Constants, Aborted> {
    if context.n <= 1 {
        return Ok(Constants { full, average: full });
    }
    let d = start.len();
    let mut rng = Philox::new(seed, PROBES, 1);
    let reach = if norm(start) > 0.0 { norm(start) } else { 1.0 };
    let (mut change, mut largest) = (vec![0.0; d], 0.0f64);
    for _ in 0..PAIRS {
        let i = rng.below(context.n as u64) as usize;
        let direction: Vec<f64> = (0..d).map(|_| rng.normal()).collect();
        let size = norm(&direction);
        let v: Vec<f64> = start.iter().zip(&direction).map(|(x, z)| x + reach * z / size).collect();
        problem.operator.diff(&v, start, Pick::List(&[i]), &mut change, monitor)?;
        context.evaluations += 2;
        let ratio = norm(&change) / norm(&difference(&v, start));
        if ratio.is_finite() {
            largest = largest.max(ratio);
        }
    }
    Ok(Constants { full, average: full.max(MARGIN * largest) })
}

/// The cosine of the angle between two vectors; 0 where one vanishes.
pub fn cosine(x: &[f64], y: &[f64]) -> f64 {
    let (a, b) = (norm(x), norm(y));
    if a == 0.0 || b == 0.0 {
        return 0.0;
    }
    let product = dot(x, y) / a / b;
    if product.is_finite() { product } else { 0.0 }
}

/// Constants that the caller gave.
pub fn known(options: &Options) -> Option<Constants> {
    let full = options.lipschitz?;
    Some(Constants { full, average: options.average.unwrap_or(full) })
}

/// The caller's constants, else the operator's own, else estimates.
pub fn settle(
    problem: Problem<'_>,
    options: &Options,
    at: &Point,
    context: &mut Context<'_>,
    monitor: &mut Monitor<'_>,
) -> Result<Constants, Aborted> {
    let own = match (options.lipschitz, options.average) {
        (Some(full), Some(average)) => return Ok(Constants { full, average }),
        _ => problem.operator.constants(monitor)?,
    };
    let full = match (options.lipschitz, own) {
        (Some(full), _) => full,
        (None, Some(own)) => own.full,
        (None, None) => estimate(problem, &at.u, &at.f, options.seed, context, monitor)?,
    };
    // F is constant as far as can be seen: any step will do.
    let full = if full > 0.0 && full.is_finite() { full } else { 1.0 };
    let average = match (options.average, own) {
        (Some(average), _) => average,
        (None, Some(own)) => own.average.max(full),
        (None, None) => {
            return estimate_average(problem, &at.u, full, options.seed, context, monitor);
        }
    };
    Ok(Constants { full, average })
}
