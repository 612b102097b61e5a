//! The E step: one pass over the rows under a model.

use std::ops::Range;

use solvent_simd::{Kernel, Lanes as _, Simd, dispatch, exp, ln};

use super::model::Model;
use super::options::Assignment;
use super::problem::Problem;
use crate::base::monitor::Monitor;
use crate::base::sum::Sum;
use crate::stats::vmf::VmfError;
use crate::stats::vmf::kernels::{Accumulate, Dots};

/// The most lanes of an `f64` register: blocks are padded to a multiple.
const LANES: usize = 8;
/// Multiplications of one item of parallel work: well below a millisecond.
const ITEM_WORK: usize = 1 << 20;
/// Doubles that the sums of one wave of items take.
const WAVE_ELEMENTS: usize = 1 << 23;

/// What the M step needs. Statistics of disjoint rows under one model add up to those of their union.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// S_j, one vector a component.
    pub sums: Vec<f64>,
    /// N_j.
    pub counts: Vec<f64>,
    /// Weighted sum of the log-densities (hard: of the largest terms).
    pub log_likelihood: f64,
    /// The least log-density met, and its row.
    pub worst: (f64, usize),
}

impl Statistics {
    fn new(k: usize, d: usize) -> Self {
        Self { sums: vec![0.0; k * d], counts: vec![0.0; k], log_likelihood: 0.0, worst: (f64::INFINITY, 0) }
    }

    fn merge(&mut self, other: &Self) {
        self.sums.iter_mut().zip(&other.sums).for_each(|(a, b)| *a += b);
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
        self.log_likelihood += other.log_likelihood;
        if other.worst.0 < self.worst.0 {
            self.worst = other.worst;
        }
    }
}

/// From the dots of a block, in place: `terms[j]` becomes the posterior of component j (hard: 1 at the largest, the
/// first of equals), and `log_density` the log of the sum (hard: the largest). Lanes run along rows, so a row's result
/// does not depend on its place.
struct Posterior<'a> {
    terms: &'a mut [f64],
    stride: usize,
    offsets: &'a [f64],
    concentrations: &'a [f64],
    /// 1/|x_i|; padded.
    scale: &'a [f64],
    log_density: &'a mut [f64],
    hard: bool,
}

impl Kernel for Posterior<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let k = self.offsets.len();
        let width = S::F64::LANES;
        for i in (0..self.stride).step_by(width) {
            let scale = S::F64::load(&self.scale[i..]);
            let mut largest = S::F64::splat(f64::NEG_INFINITY);
            for j in 0..k {
                let place = &mut self.terms[j * self.stride + i..];
                let cosine = S::F64::load(place) * scale;
                let term = (cosine - S::F64::splat(1.0))
                    .mul_add(S::F64::splat(self.concentrations[j]), S::F64::splat(self.offsets[j]));
                largest = largest.max(term);
                term.store(place);
            }
            let zero = S::F64::splat(0.0);
            if self.hard {
                let mut free = S::F64::splat(1.0);
                for j in 0..k {
                    let place = &mut self.terms[j * self.stride + i..];
                    let hit = S::F64::load(place).eq(largest);
                    let take = S::F64::select(hit, free, zero);
                    free = free - take;
                    take.store(place);
                }
                largest.store(&mut self.log_density[i..]);
                continue;
            }
            let mut sum = zero;
            for j in 0..k {
                let place = &mut self.terms[j * self.stride + i..];
                let e = exp(S::F64::load(place) - largest);
                sum = sum + e;
                e.store(place);
            }
            let inverse = S::F64::splat(1.0) / sum;
            for j in 0..k {
                let place = &mut self.terms[j * self.stride + i..];
                (S::F64::load(place) * inverse).store(place);
            }
            (largest + ln(sum)).store(&mut self.log_density[i..]);
        }
    }
}

/// What one thread needs for a block of rows.
struct Scratch {
    packed: Vec<f64>,
    terms: Vec<f64>,
    scale: Vec<f64>,
    log_density: Vec<f64>,
}

/// A model made ready for passes over rows.
struct Pass<'a> {
    problem: &'a Problem<'a>,
    model: &'a Model,
    offsets: Vec<f64>,
    hard: bool,
    /// Rows of a block.
    step: usize,
    /// Distance between components in `terms`.
    stride: usize,
}

impl<'a> Pass<'a> {
    fn new(problem: &'a Problem<'a>, model: &'a Model, assignment: Assignment) -> Self {
        let step = problem.rows.block_rows();
        let hard = assignment == Assignment::Hard;
        Self { problem, model, offsets: model.offsets(), hard, step, stride: step.next_multiple_of(LANES) }
    }

    fn scratch(&self) -> Scratch {
        Scratch {
            packed: Vec::new(),
            terms: vec![0.0; self.model.components() * self.stride],
            scale: vec![1.0; self.stride],
            log_density: vec![0.0; self.stride],
        }
    }

    /// Posteriors of a block into `terms`, log-densities into `log_density`; returns the rows.
    fn block<'b>(
        &'b self,
        range: Range<usize>,
        scratch: &'b mut Scratch,
    ) -> (&'b [f64], &'b mut [f64], &'b [f64]) {
        let n = range.len();
        if let Some(scale) = &self.problem.scale {
            scratch.scale[..n].copy_from_slice(&scale[range.clone()]);
        }
        let x = self.problem.rows.block(range, &mut scratch.packed);
        let (d, stride) = (self.model.d, self.stride);
        dispatch(Dots { x, means: &self.model.means, d, out: &mut scratch.terms, stride });
        dispatch(Posterior {
            terms: &mut scratch.terms,
            stride,
            offsets: &self.offsets,
            concentrations: &self.model.concentrations,
            scale: &scratch.scale,
            log_density: &mut scratch.log_density,
            hard: self.hard,
        });
        (x, &mut scratch.terms, &scratch.log_density)
    }

    fn statistics(&self, range: Range<usize>) -> Statistics {
        let (k, d) = (self.model.components(), self.model.d);
        let mut statistics = Statistics::new(k, d);
        let mut scratch = self.scratch();
        let mut likelihood = Sum::new();
        for first in range.clone().step_by(self.step) {
            let last = range.end.min(first + self.step);
            let (x, terms, log_density) = self.block(first..last, &mut scratch);
            for i in first..last {
                let (w, l) = (self.problem.weight(i), log_density[i - first]);
                likelihood.add_product(w, l);
                if w > 0.0 && l < statistics.worst.0 {
                    statistics.worst = (l, i);
                }
            }
            for j in 0..k {
                let shares = &mut terms[j * self.stride..j * self.stride + (last - first)];
                if let Some(weights) = self.problem.weights.as_deref() {
                    shares.iter_mut().zip(&weights[first..last]).for_each(|(s, w)| *s *= w);
                }
                statistics.counts[j] += shares.iter().sum::<f64>();
                if let Some(scale) = &self.problem.scale {
                    shares.iter_mut().zip(&scale[first..last]).for_each(|(s, c)| *s *= c);
                }
            }
            dispatch(Accumulate { x, share: terms, stride: self.stride, d, sums: &mut statistics.sums });
        }
        statistics.log_likelihood = likelihood.value();
        statistics
    }
}

/// S_j, N_j and the log-likelihood under `model`. Time O(n k d), memory O(k d) a thread.
pub fn expectation(
    problem: &Problem<'_>,
    model: &Model,
    assignment: Assignment,
    monitor: &mut Monitor<'_>,
) -> Result<Statistics, VmfError> {
    let (n, k, d) = (problem.len(), model.components(), model.d);
    let pass = Pass::new(problem, model, assignment);
    // The sums of an item stay small beside its rows.
    let item = (ITEM_WORK / (k * d)).max(4 * k).next_multiple_of(pass.step);
    let wave = (WAVE_ELEMENTS / (k * d)).clamp(4, 64);
    let mut total = Statistics::new(k, d);
    monitor.fold_blocks(
        n,
        item,
        wave,
        |range| pass.statistics(range),
        |part| {
            total.merge(&part);
            Ok::<_, VmfError>(())
        },
    )?;
    Ok(total)
}

/// Log-density of every row, and the posteriors (row by row) if `posteriors` is not empty. Time O(n k d).
pub fn evaluate(
    problem: &Problem<'_>,
    model: &Model,
    assignment: Assignment,
    log_density: &mut [f64],
    posteriors: &mut [f64],
    monitor: &mut Monitor<'_>,
) -> Result<(), VmfError> {
    let (k, pass) = (model.components(), Pass::new(problem, model, assignment));
    let step = pass.step;
    let wanted = !posteriors.is_empty();
    let count = log_density.len().div_ceil(step);
    let mut shares: Vec<&mut [f64]> = posteriors.chunks_mut(step * k).collect();
    shares.resize_with(count, Default::default);
    let items: Vec<_> = log_density.chunks_mut(step).zip(shares).enumerate().collect();
    monitor.map_items(items.into_iter(), |(index, (density, shares))| {
        let first = index * step;
        let mut scratch = pass.scratch();
        let (_, terms, block_density) = pass.block(first..first + density.len(), &mut scratch);
        density.copy_from_slice(&block_density[..density.len()]);
        if wanted {
            for (i, row) in shares.chunks_exact_mut(k).enumerate() {
                row.iter_mut().enumerate().for_each(|(j, share)| *share = terms[j * pass.stride + i]);
            }
        }
    })?;
    Ok(())
}
