//! Passes over the cost: the O(nm) work of every solver here, one exponential an entry and nothing of that size stored.
//!
//! With `P_ij = exp((f_i + g_j - C_ij)/reg)` each pass reads the cost once, a block of rows at a time. Blocks are cut by
//! the shape alone and their column sums added in order, so that results do not depend on the number of threads. Within
//! a block the exponentials of a few rows live in a buffer; whatever a pass wants of them, it reads there.

mod kernels;
mod probe;
mod sweep;

pub use kernels::{
    AddRows, ColumnMin, CostDot, Dot, Entry, Exponentials, Extent, GROUP, Keep, Moments, RowExtent, RowMax,
    SLACK,
};
pub use probe::{Probed, Thresholds, probe};
pub use sweep::{Swept, column_minima, columns, start, sweep};

use super::cost::{Cost, Scratch, Visit};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
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

/// How long the chains of additions are, at most, that make a row's or a column's sum: the rounding of a sum of
/// numbers of one sign is that many units in the last place.
pub fn chain(n: usize, m: usize) -> f64 {
    let block = block_rows(n, m).min(n);
    (m.div_ceil(2) + 4).max(block + n.div_ceil(block.max(1))) as f64
}

/// Shows every block of rows to the visitor that `make` builds for it, on the pool's threads, and folds them in order.
pub fn over_blocks<B: Visit + Send>(
    cost: &Cost<'_>,
    monitor: &mut Monitor<'_>,
    make: impl Fn(Range<usize>) -> B + Sync,
    mut fold: impl FnMut(B),
) -> Result<(), Aborted> {
    let (n, m) = cost.shape();
    // A block may hold m numbers: only some are alive at once.
    let wave = if m > 20_000 { 8 } else { 64 };
    let part = |range: Range<usize>| {
        let mut block = make(range.clone());
        cost.visit(range, &mut Scratch::default(), &mut block);
        block
    };
    monitor.fold_blocks(n, block_rows(n, m), wave, part, |block| {
        fold(block);
        Ok::<(), Aborted>(())
    })
}

/// Adds `part` to `sum`, entry by entry; an empty sum becomes the part.
pub fn add_to(sum: &mut Vec<f64>, part: Vec<f64>) {
    if sum.is_empty() {
        *sum = part;
    } else {
        sum.iter_mut().zip(&part).for_each(|(s, p)| *s += p);
    }
}
