//! D and its gradient, and the lists that make most passes over the cost unnecessary.
//!
//! Each column keeps a list of its best entries, somewhat more than `max_nnz`, and the score that nothing outside the
//! list exceeded when it was made, at alpha'. At alpha nothing outside exceeds that score plus `max_i (alpha -
//! alpha')_i`. Where the k-th best of the list lies above, it is the k-th best of the whole column, and the column
//! costs O(k) instead of O(n); a block of columns in which one fails is scanned anew. What is computed is the same
//! either way.

use std::ops::Range;
use std::sync::Arc as Shared;

use solvent_simd::dispatch;

use super::column::{Arc, Projection, project, sort};
use super::plan::Plan;
use super::problem::Problem;
use super::topk::{Collector, Scan, WIDTH};
use crate::base::lbfgs::{Objective, Value};
use crate::base::monitor::Monitor;
use crate::base::sum::Sum;
use crate::ot::OtError;
use crate::ot::entry::Entry;

/// The potential at which a list was made.
#[derive(Debug)]
struct Epoch {
    alpha: Vec<f64>,
    largest: f64,
}

/// Some columns, with their lists and their part of the plan.
#[derive(Debug, Clone)]
struct Block {
    columns: Range<usize>,
    lists: Vec<Vec<Arc>>,
    /// No score outside the list exceeded this at the epoch; -inf where there is nothing outside.
    cutoffs: Vec<f64>,
    epoch: Option<Shared<Epoch>>,
    /// `max_nnz` places a column; the first of its list.
    masses: Vec<f64>,
    projections: Vec<Projection>,
}

/// What a block contributes to D.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    conjugates: Sum,
    sizes: f64,
    scans: u64,
}

/// D as a function of alpha.
#[derive(Debug, Clone)]
pub struct SemiDual<'a, T: Entry> {
    problem: &'a Problem<'a, T>,
    blocks: Vec<Block>,
    /// Entries of a list.
    keep: usize,
    /// The lists are the supports: nothing outside counts.
    frozen: bool,
    scans: u64,
}

/// Below so many list entries, threads are not worth their start.
const SERIAL: usize = 1 << 14;

const U: f64 = 0.5 * f64::EPSILON;

impl<'a, T: Entry> SemiDual<'a, T> {
    /// Without lists yet.
    pub fn new(problem: &'a Problem<'a, T>) -> Self {
        let (n, m, k) = (problem.rows(), problem.columns(), problem.max_nnz);
        let block = |columns: Range<usize>| {
            let width = columns.len();
            let none = Projection { theta: 0.0, conjugate: 0.0, count: 0 };
            Block {
                columns,
                lists: vec![Vec::new(); width],
                cutoffs: vec![f64::INFINITY; width],
                epoch: None,
                masses: vec![0.0; width * k],
                projections: vec![none; width],
            }
        };
        let blocks = (0..m).step_by(WIDTH).map(|c| block(c..m.min(c + WIDTH))).collect();
        Self { problem, blocks, keep: n.min(k + (k / 2).clamp(12, 64)), frozen: false, scans: 0 }
    }

    /// Passes over the cost so far; a part of the columns counts as that part.
    pub fn passes(&self) -> f64 {
        self.scans as f64 / self.problem.columns() as f64
    }

    /// The same columns restricted to the supports that they have now, `max_nnz` arcs each.
    #[must_use]
    pub fn frozen(&self) -> Self {
        let mut frozen = self.clone();
        frozen.frozen = true;
        for block in &mut frozen.blocks {
            block.lists.iter_mut().for_each(|list| list.truncate(self.problem.max_nnz));
        }
        frozen
    }

    /// Gives column `j` the support that it has in `other`.
    pub fn adopt(&mut self, j: usize, other: &Self) {
        let (block, at) = (j / WIDTH, j % WIDTH);
        let k = self.problem.max_nnz.min(other.blocks[block].lists[at].len());
        let list = &mut self.blocks[block].lists[at];
        list.clear();
        list.extend_from_slice(&other.blocks[block].lists[at][..k]);
    }

    /// `h_j` of every column at the point evaluated last.
    pub fn conjugates(&self) -> impl Iterator<Item = f64> + '_ {
        self.blocks.iter().flat_map(|block| block.projections.iter().map(|p| p.conjugate))
    }

    /// theta of every column at the point evaluated last.
    pub fn thresholds(&self) -> Vec<f64> {
        self.blocks.iter().flat_map(|block| block.projections.iter().map(|p| p.theta)).collect()
    }

    /// The coupling at the point evaluated last.
    pub fn plan(&self) -> Plan {
        let k = self.problem.max_nnz;
        let mut plan = Plan { indptr: vec![0], indices: Vec::new(), data: Vec::new() };
        for block in &self.blocks {
            for (c, projection) in block.projections.iter().enumerate() {
                let (arcs, masses) = (&block.lists[c], &block.masses[c * k..]);
                let mut column: Vec<_> = (0..projection.count).map(|r| (arcs[r].row, masses[r])).collect();
                column.sort_unstable_by_key(|&(row, _)| row);
                plan.push(&column, T::from_f64, T::to_f64);
            }
        }
        plan
    }

    /// `<T, C> + gamma/2 |T|^2` of that coupling, before it is rounded to the precision of the cost.
    pub fn primal(&self) -> f64 {
        let (k, mut sum) = (self.problem.max_nnz, Sum::new());
        for block in &self.blocks {
            for (c, projection) in block.projections.iter().enumerate() {
                for r in 0..projection.count {
                    let mass = block.masses[c * k + r];
                    sum.add_product(mass, block.lists[c][r].cost);
                    sum.add_product(0.5 * self.problem.gamma * mass, mass);
                }
            }
        }
        sum.value()
    }
}

impl<T: Entry> Objective for SemiDual<'_, T> {
    type Error = OtError;

    /// -D, so that it is minimised; the gradient is `T 1 - a`.
    fn evaluate(
        &mut self,
        x: &[f64],
        gradient: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<Value, OtError> {
        let problem = self.problem;
        let mut alpha = x.to_vec();
        for (alpha, &a) in alpha.iter_mut().zip(problem.a) {
            if a == 0.0 {
                *alpha = f64::NEG_INFINITY;
            }
        }
        let largest =
            x.iter().zip(problem.a).filter(|(_, a)| **a > 0.0).fold(0.0f64, |l, (x, _)| l.max(x.abs()));
        let now = Shared::new(Epoch { alpha, largest });
        let rises = self.rises(&now);
        let cold = self.blocks.iter().any(|block| block.epoch.is_none());
        let small = !cold && self.keep * problem.columns() <= SERIAL;
        let per = if small { self.blocks.len() } else { 1 };
        let (keep, frozen) = (self.keep, self.frozen);
        let items = self.blocks.chunks_mut(per).zip(rises.chunks(per));
        let parts = monitor.map_items(items, |(blocks, rises)| {
            let work = |(block, &rise): (&mut Block, &f64)| block.evaluate(problem, &now, rise, keep, frozen);
            blocks.iter_mut().zip(rises).map(work).collect::<Vec<_>>()
        })?;
        let (mut value, mut sizes) = (Sum::new(), 0.0);
        for part in parts.into_iter().flatten() {
            value.merge(part.conjugates);
            sizes += part.sizes;
            self.scans += part.scans;
        }
        for (x, a) in x.iter().zip(problem.a) {
            value.add_product(-x, *a);
            sizes += (x * a).abs();
        }
        gradient.iter_mut().zip(problem.a).for_each(|(g, a)| *g = -a);
        for block in &self.blocks {
            block.add_rows(problem.max_nnz, gradient);
        }
        for (g, &a) in gradient.iter_mut().zip(problem.a) {
            if a == 0.0 {
                *g = 0.0;
            }
        }
        Ok(Value { value: value.value(), noise: 16.0 * U * sizes })
    }

    /// A row that takes part in `c` columns has the second derivative `c / gamma`, or so.
    fn first_length(&self, direction: &[f64]) -> f64 {
        let problem = self.problem;
        let share = problem.rows() as f64 / problem.columns() as f64;
        // Not beyond the differences of the cost, for a start.
        let longest = direction.iter().fold(0.0f64, |l, d| l.max(d.abs()));
        (problem.gamma * share).min(problem.scale / longest.max(1e-300))
    }

    /// On supports that admit no coupling D grows for ever, and steps of a few times the cost's range tell.
    fn longest(&self, direction: &[f64]) -> f64 {
        let longest = direction.iter().fold(0.0f64, |l, d| l.max(d.abs()));
        if self.frozen { 2.0 * self.problem.scale / longest.max(1e-300) } else { f64::INFINITY }
    }
}

impl<T: Entry> SemiDual<'_, T> {
    /// How far scores outside the lists of each block may have risen since, rounding included.
    fn rises(&self, now: &Shared<Epoch>) -> Vec<f64> {
        let mut known: Vec<(Shared<Epoch>, f64)> = Vec::new();
        let mut rise = |epoch: &Shared<Epoch>| {
            if let Some((_, rise)) = known.iter().find(|(other, _)| Shared::ptr_eq(other, epoch)) {
                return *rise;
            }
            let pairs = now.alpha.iter().zip(&epoch.alpha);
            // Rows of weight 0 are -inf in both: their nan is no maximum.
            let rise = pairs.fold(f64::NEG_INFINITY, |most, (new, old)| most.max(new - old));
            // Each score and this difference were rounded once.
            let rise = rise + 8.0 * U * (now.largest + epoch.largest + self.problem.largest);
            known.push((Shared::clone(epoch), rise));
            rise
        };
        let rises = self.blocks.iter().map(|block| block.epoch.as_ref().map_or(f64::INFINITY, &mut rise));
        rises.collect()
    }
}

impl Block {
    fn evaluate<T: Entry>(
        &mut self,
        problem: &Problem<'_, T>,
        now: &Shared<Epoch>,
        rise: f64,
        keep: usize,
        frozen: bool,
    ) -> Part {
        let mut scans = 0;
        self.rescore(&now.alpha);
        if !frozen && (self.epoch.is_none() || !self.holds(problem.max_nnz, rise)) {
            self.scan(problem, now, keep);
            self.rescore(&now.alpha);
            scans = self.columns.len() as u64;
        }
        let (mut part, k) = (Part { scans, ..Part::default() }, problem.max_nnz);
        for (c, j) in self.columns.clone().enumerate() {
            let list = &self.lists[c];
            let (masses, weight) = (&mut self.masses[c * k..(c + 1) * k], problem.b[j]);
            let found = project(&list[..k.min(list.len())], weight, problem.gamma, masses);
            part.conjugates.add(found.conjugate);
            part.sizes += found.conjugate.abs() + (found.theta * weight).abs();
            self.projections[c] = found;
        }
        part
    }

    fn rescore(&mut self, alpha: &[f64]) {
        for list in &mut self.lists {
            for arc in list.iter_mut() {
                arc.score = alpha[arc.row as usize] - arc.cost;
            }
            sort(list);
        }
    }

    /// Whether the best k of every list are the best k of its column.
    fn holds(&self, k: usize, rise: f64) -> bool {
        self.lists.iter().zip(&self.cutoffs).all(|(list, &cutoff)| {
            cutoff == f64::NEG_INFINITY || list.get(k - 1).is_some_and(|arc| arc.score > cutoff + rise)
        })
    }

    fn scan<T: Entry>(&mut self, problem: &Problem<'_, T>, now: &Shared<Epoch>, keep: usize) {
        // The list's own entries reach its least score, so the best `keep` of the column do.
        let least = |list: &Vec<Arc>| {
            if list.len() == keep { list.last().map_or(f64::MIN, |arc| arc.score) } else { f64::MIN }
        };
        let thresholds: Vec<f64> = self.lists.iter().map(least).collect();
        let mut collector = Collector::new(keep, &thresholds);
        let first = self.columns.start;
        dispatch(Scan { cost: &problem.cost, first, alpha: &now.alpha, collector: &mut collector });
        for (c, (list, cut)) in collector.finish().into_iter().enumerate() {
            let least = list.iter().fold(f64::INFINITY, |least, arc| least.min(arc.score));
            self.cutoffs[c] = if cut { least } else { f64::NEG_INFINITY };
            self.lists[c] = list;
        }
        self.epoch = Some(Shared::clone(now));
    }

    /// `gradient += T 1`, this block's columns.
    fn add_rows(&self, k: usize, gradient: &mut [f64]) {
        for (c, projection) in self.projections.iter().enumerate() {
            for r in 0..projection.count {
                gradient[self.lists[c][r].row as usize] += self.masses[c * k + r];
            }
        }
    }
}
