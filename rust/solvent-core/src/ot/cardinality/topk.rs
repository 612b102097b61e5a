//! One pass over the cost that keeps the best few entries of each column.
//!
//! The threshold of a column is a score that its last kept entry is known to reach; lanes are compared with it, and
//! only what passes is looked at one by one. Where the columns' lists of an earlier pass give the thresholds, almost
//! nothing but the lists' own entries passes, and the pass runs at the speed of memory.

use solvent_simd::{F64s, Kernel, Lanes, Mask, Pack, Simd};

use super::column::Arc;
use crate::ot::entry::{Entry, Lines, MAX_LANES};

/// Columns that are worked together.
pub const WIDTH: usize = 64;

/// The candidates of a block of columns.
pub struct Collector {
    keep: usize,
    /// At most twice as many as are kept, column by column.
    arcs: Vec<Vec<Arc>>,
    /// A score below this cannot be among the best; inf behind the last column.
    thresholds: Vec<f64>,
}

impl Collector {
    /// Keeps the best `keep` of each column; a score below the column's threshold is not among them, as far as the
    /// caller cares.
    pub fn new(keep: usize, thresholds: &[f64]) -> Self {
        let mut padded = thresholds.to_vec();
        padded.resize(thresholds.len().next_multiple_of(MAX_LANES), f64::INFINITY);
        let arcs = thresholds.iter().map(|_| Vec::with_capacity(2 * keep)).collect();
        Self { keep, arcs, thresholds: padded }
    }

    /// The best of each column, in no order, and whether others were left out.
    pub fn finish(mut self) -> Vec<(Vec<Arc>, bool)> {
        let (keep, thresholds) = (self.keep, &self.thresholds);
        let finished = self.arcs.iter_mut().enumerate().map(|(j, arcs)| {
            // A threshold that let everything pass is what tells a complete list.
            let mut cut = thresholds[j] > f64::MIN;
            if arcs.len() > keep {
                arcs.select_nth_unstable_by(keep - 1, Arc::order);
                arcs.truncate(keep);
                cut = true;
            }
            (std::mem::take(arcs), cut)
        });
        finished.collect()
    }

    /// Rows of a column come in ascending order.
    fn insert(&mut self, column: usize, row: usize, score: f64, cost: f64) {
        let arcs = &mut self.arcs[column];
        arcs.push(Arc { score, cost, row: row as u32 });
        if arcs.len() == 2 * self.keep {
            let (_, last, _) = arcs.select_nth_unstable_by(self.keep - 1, Arc::order);
            // Of equal scores the smaller row wins, and all rows to come are larger.
            self.thresholds[column] = last.score.next_up();
            arcs.truncate(self.keep);
        }
    }
}

/// The pass over a block of columns. `alpha` is -inf in rows that are not there.
pub struct Scan<'a, 'b, T: Entry> {
    pub cost: &'a Lines<'b, T>,
    pub first: usize,
    pub alpha: &'a [f64],
    pub collector: &'a mut Collector,
}

impl<T: Entry> Kernel for Scan<'_, '_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let width = self.collector.arcs.len();
        if self.cost.rows {
            for (i, &alpha) in self.alpha.iter().enumerate() {
                if alpha > f64::NEG_INFINITY {
                    let row = &self.cost.line(i)[self.first..self.first + width];
                    scan_row::<S::F64, T>(row, i, alpha, self.collector);
                }
            }
        } else {
            for j in 0..width {
                scan_column::<S::F64, T>(self.cost.line(self.first + j), j, self.alpha, self.collector);
            }
        }
    }
}

/// Part of a row against one threshold a column.
#[inline(always)]
fn scan_row<V: F64s, T: Entry>(row: &[T], i: usize, alpha: f64, collector: &mut Collector) {
    let (wide, mut j) = (Pack::<V, 4>::LANES, 0);
    let (alphas, one) = (Pack::<V, 4>::splat(alpha), V::splat(alpha));
    while j + wide <= row.len() {
        let score = alphas - T::load::<Pack<V, 4>>(&row[j..]);
        let passed = score.ge(Pack::load(&collector.thresholds[j..]));
        if passed.any() {
            insert_row(row, i, alpha, j, passed.bits(), collector);
        }
        j += wide;
    }
    while j < row.len() {
        let part = T::load_part::<V>(&row[j..row.len().min(j + V::LANES)], T::default());
        let passed = (one - part).ge(V::load(&collector.thresholds[j..]));
        if passed.any() {
            insert_row(row, i, alpha, j, passed.bits(), collector);
        }
        j += V::LANES;
    }
}

#[cold]
fn insert_row<T: Entry>(
    row: &[T],
    i: usize,
    alpha: f64,
    first: usize,
    mut bits: u32,
    collector: &mut Collector,
) {
    while bits != 0 {
        let j = first + bits.trailing_zeros() as usize;
        bits &= bits - 1;
        let cost = row[j].to_f64();
        collector.insert(j, i, alpha - cost, cost);
    }
}

/// A column against its threshold.
#[inline(always)]
fn scan_column<V: F64s, T: Entry>(column: &[T], j: usize, alpha: &[f64], collector: &mut Collector) {
    let (wide, mut i) = (Pack::<V, 4>::LANES, 0);
    let body = column.len() - column.len() % wide;
    let mut threshold = Pack::<V, 4>::splat(collector.thresholds[j]);
    while i < body {
        let score = Pack::<V, 4>::load(&alpha[i..]) - T::load::<Pack<V, 4>>(&column[i..]);
        let passed = score.ge(threshold);
        if passed.any() {
            insert_column(column, j, alpha, i, passed.bits(), collector);
            threshold = Pack::splat(collector.thresholds[j]);
        }
        i += wide;
    }
    for i in body..column.len() {
        let cost = column[i].to_f64();
        if alpha[i] - cost >= collector.thresholds[j] {
            collector.insert(j, i, alpha[i] - cost, cost);
        }
    }
}

#[cold]
fn insert_column<T: Entry>(
    column: &[T],
    j: usize,
    alpha: &[f64],
    first: usize,
    mut bits: u32,
    collector: &mut Collector,
) {
    while bits != 0 {
        let i = first + bits.trailing_zeros() as usize;
        bits &= bits - 1;
        let (cost, threshold) = (column[i].to_f64(), collector.thresholds[j]);
        // The threshold may have risen since the lanes were compared.
        if alpha[i] - cost >= threshold {
            collector.insert(j, i, alpha[i] - cost, cost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Philox;
    use crate::base::view::MatrixView;
    use crate::ot::cardinality::column::sort;
    use solvent_simd::dispatch;

    fn brute(cost: &[f64], m: usize, j: usize, alpha: &[f64], keep: usize) -> Vec<Arc> {
        let mut arcs: Vec<_> = (0..alpha.len())
            .map(|i| Arc { score: alpha[i] - cost[i * m + j], cost: cost[i * m + j], row: i as u32 })
            .filter(|arc| arc.score > f64::NEG_INFINITY)
            .collect();
        arcs.sort_by(Arc::order);
        arcs.truncate(keep);
        arcs
    }

    #[test]
    fn it_keeps_what_a_full_sort_keeps_in_both_layouts() {
        let mut rng = Philox::new(1, 0, 0);
        for (n, m, keep) in [(1, 1, 1), (7, 5, 3), (40, 64, 4), (133, 50, 9), (60, 37, 60)] {
            // Few distinct values: ties everywhere.
            let cost: Vec<f64> = (0..n * m).map(|_| (rng.uniform() * 9.0).floor()).collect();
            let mut alpha: Vec<f64> = (0..n).map(|_| (rng.uniform() * 3.0).floor()).collect();
            if n > 10 {
                alpha[4] = f64::NEG_INFINITY;
            }
            let turned: Vec<f64> = (0..n * m).map(|at| cost[(at % n) * m + at / n]).collect();
            let rows = Lines::new(MatrixView::row_major(&cost, n, m).unwrap());
            let columns = Lines::new(MatrixView::column_major(&turned, n, m).unwrap());
            let wanted: Vec<_> = (0..m).map(|j| brute(&cost, m, j, &alpha, keep)).collect();
            for lines in [&rows, &columns] {
                for warm in [false, true] {
                    let start: Vec<f64> = wanted
                        .iter()
                        .map(|arcs| if warm { arcs.last().unwrap().score } else { f64::MIN })
                        .collect();
                    let mut collector = Collector::new(keep, &start);
                    dispatch(Scan { cost: lines, first: 0, alpha: &alpha, collector: &mut collector });
                    for ((mut arcs, _), wanted) in collector.finish().into_iter().zip(&wanted) {
                        sort(&mut arcs);
                        assert_eq!(&arcs, wanted);
                    }
                }
            }
        }
    }
}
