//! Passes over the cost: the O(nm) work of every solver here, one exponential an entry and nothing of that size stored.
//!
//! With `P_ij = exp((f_i + g_j - C_ij)/reg)` each pass reads the cost once, a block of rows at a time. Blocks are cut by
//! the shape alone and their column sums added in order, so that results do not depend on the number of threads. Within
//! a block the exponentials of a few rows live in a buffer; whatever a pass wants of them, it reads there.

mod kernels;
mod probe;
mod sweep;

pub use kernels::{
    AddRows, ColumnMin, CostDot, Dot, Entry, Exponentials, Extent, GROUP, Keep, Moments, Precision,
    RowExtent, RowMax, SLACK,
};
pub use probe::{Probed, Thresholds, probe};
pub use sweep::{Swept, column_minima, columns, start, sweep};

use super::cost::{Cost, Scratch, Visit};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::pool;
use std::ops::Range;

/// log2(e)/reg, the factor that turns costs into exponents of 2.
pub fn scale(reg: f64) -> f64 {
    std::f64::consts::LOG2_E / reg
}

/// Rows a block, by the shape alone. Sixteen blocks spread the work; a block takes less than the tenth of a second that
/// Ctrl-C may wait; what is too small to share stays in one.
pub fn block_rows(n: usize, m: usize) -> usize {
    if n.saturating_mul(m) < 1 << 16 {
        return n.max(1);
    }
    let rows = n.div_ceil(16).clamp(8, (20_000_000 / m).max(8));
    rows.next_multiple_of(GROUP)
}

/// Rows that are shown together. Buffers are as wide: of very long rows there is one at a time.
pub fn together(m: usize) -> usize {
    if m > 1 << 16 { 1 } else { GROUP }
}

/// How long the chains of additions are, at most, that make a row's or a column's sum: the rounding of a sum of
/// numbers of one sign is that many units in the last place.
pub fn chain(n: usize, m: usize) -> f64 {
    let block = block_rows(n, m).min(n);
    // (Adding a padded 0 rounds nothing: no chain is longer than what it adds.)
    m.min(m.div_ceil(2) + 4).max(n.min(block + n.div_ceil(block.max(1)))) as f64
}

/// Shows every block of rows to the visitor that `make` builds for it, on the pool's threads, and folds them in order.
pub fn over_blocks<B: Visit + Send>(
    cost: &Cost<'_>,
    monitor: &mut Monitor<'_>,
    make: impl Fn(Range<usize>) -> B + Sync,
    mut fold: impl FnMut(B),
) -> Result<(), Aborted> {
    let (n, m) = cost.shape();
    // A block may hold m numbers: where that is much, only as many are alive as keep the threads busy.
    let wave = if m > 20_000 { pool::num_threads() + 1 } else { 64 };
    let part = |range: Range<usize>| {
        let mut block = make(range.clone());
        cost.visit(range, &mut Scratch::default(), &mut block);
        block.release();
        block
    };
    monitor.fold_blocks(n, block_rows(n, m), wave, part, |block| {
        fold(block);
        Ok::<(), Aborted>(())
    })
}

/// Adds `part` to `sum`, entry by entry.
pub fn add_to<P: Copy + Into<f64>>(sum: &mut [f64], part: &[P]) {
    sum.iter_mut().zip(part).for_each(|(s, &p)| *s += p.into());
}

#[cfg(test)]
mod tests {
    use super::super::cost::{Cost, Dense};
    use super::super::side::Side;
    use super::*;
    use crate::base::monitor::{Budget, Silent};
    use crate::base::rng::Philox;
    use crate::base::view::MatrixView;

    /// Costs, weights and potentials of a problem with these shapes; one arc of several is forbidden.
    fn problem(n: usize, m: usize) -> (Vec<f64>, Side, Side, Vec<f64>, Vec<f64>) {
        let mut rng = Philox::new(7, 3, 0);
        let mut draw = |k: usize| (0..k).map(|_| rng.uniform()).collect::<Vec<f64>>();
        let mut c = draw(n * m);
        if n * m > 1 {
            c[n * m / 2] = f64::INFINITY;
        }
        let weights = |w: Vec<f64>| {
            let total: f64 = w.iter().sum();
            Side::new(w.iter().map(|w| w / total).collect(), f64::INFINITY)
        };
        (c, weights(draw(n)), weights(draw(m)), draw(n), draw(m))
    }

    fn entry(c: &[f64], f: &[f64], g: &[f64], reg: f64, i: usize, j: usize) -> f64 {
        ((f[i] + g[j] - c[i * g.len() + j]) / reg).exp()
    }

    fn close(x: &[f64], y: &[f64]) {
        assert_eq!(x.len(), y.len());
        for (x, y) in x.iter().zip(y) {
            assert!((x - y).abs() <= 1e-13 * y.abs(), "{x} and not {y}");
        }
    }

    #[test]
    fn passes_agree_with_plain_loops_at_every_remainder() {
        let reg = 0.05;
        for (n, m) in [(1, 1), (3, 2), (4, 7), (5, 8), (9, 17), (70, 33), (6, 100), (300, 301)] {
            let (c, a, _, f, g) = problem(n, m);
            let cost = Cost::F64(Dense::new(MatrixView::row_major(&c, n, m).unwrap()).0);
            let p = |i: usize, j: usize| entry(&c, &f, &g, reg, i, j);
            let rows: Vec<f64> = (0..n).map(|i| (0..m).map(|j| p(i, j)).sum()).collect();
            let by_column: Vec<f64> = (0..m).map(|j| (0..n).map(|i| p(i, j)).sum()).collect();
            let mut silent = Silent;
            let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut silent, &[]);
            let swept = sweep::<f64>(&cost, &a, &f, &g, reg, &mut monitor).unwrap();
            close(&swept.sums, &rows);
            let updated: Vec<f64> =
                (0..m).map(|j| (0..n).map(|i| p(i, j) * a.weights()[i] / rows[i]).sum()).collect();
            close(&swept.columns, &updated);
            close(&columns(&cost, &f, &g, reg, &mut monitor).unwrap(), &by_column);
            // Rows made exact from the columns' potentials alone.
            let begun = start::<f64>(&cost, &a, &g, reg, &mut monitor).unwrap();
            for i in 0..n {
                let sum: f64 = (0..m).map(|j| entry(&c, &begun.f, &g, reg, i, j)).sum();
                assert!((sum - a.weights()[i]).abs() <= 1e-12 * sum);
            }
            // Everything is kept, shares of the rows' sums.
            let none = vec![0.0; m];
            let thresholds = Thresholds { row: 0.0, columns: &none, room: usize::MAX, exact: true };
            let probed = probe::<f64>(&cost, &f, &g, reg, thresholds, &mut monitor).unwrap();
            close(&probed.rows, &rows);
            close(&probed.columns, &by_column);
            let mut back = vec![0.0; m];
            probed.support.each(|i, j, share| back[j] += share * rows[i]);
            for (x, y) in back.iter().zip(&by_column) {
                assert!((x - y).abs() <= 1e-12 * y);
            }
            let minima = column_minima(&cost, &f, &mut monitor).unwrap();
            for j in 0..m {
                let least = (0..n).map(|i| c[i * m + j] - f[i]).fold(f64::INFINITY, f64::min);
                assert_eq!(minima[j].to_bits(), least.to_bits());
            }
        }
    }

    #[test]
    fn blocks_cover_and_are_cut_by_the_shape() {
        for (n, m) in [(1, 1), (10, 10), (500, 500), (100_000, 3), (7, 100_000), (100_000, 100_000)] {
            let rows = block_rows(n, m);
            assert!(rows >= 1 && (rows.is_multiple_of(GROUP) || rows == n));
            assert!(rows * m <= 40_000_000 || rows <= 8);
        }
    }

    #[test]
    fn a_support_without_room_says_so() {
        let (c, _, _, f, g) = problem(50, 40);
        let cost = Cost::F64(Dense::new(MatrixView::row_major(&c, 50, 40).unwrap()).0);
        let mut silent = Silent;
        let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut silent, &[]);
        let none = vec![0.0; 40];
        let thresholds = Thresholds { row: 0.0, columns: &none, room: 1000, exact: false };
        let probed = probe::<f64>(&cost, &f, &g, 0.05, thresholds, &mut monitor).unwrap();
        assert!(probed.support.overflowed() && probed.support.entries() == 0 && probed.rows.len() == 50);
    }
}
