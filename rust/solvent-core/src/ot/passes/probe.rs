//! The pass of Newton's method: row sums, column sums, and the entries of the plan that matter, all of one evaluation.

use super::super::cost::{Cost, Visit};
use super::super::support::{self, Support};
use super::{AddRows, Entry, Exponentials, Keep, Precision, SLACK, add_to, over_blocks, scale};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use solvent_simd::dispatch;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An entry is dropped only if it is below its row's threshold *and* its column's. With `d r_i/m` and `d c_j/n` what is
/// dropped is at most d of each row and of each column.
#[derive(Debug, Clone, Copy)]
pub struct Thresholds<'a> {
    /// d/m: times the row's sum.
    pub row: f64,
    /// One a column.
    pub columns: &'a [f64],
    /// How many bytes the support may take. Beyond that none is kept.
    pub room: usize,
    /// Whether entries must not be rounded.
    pub exact: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Probed {
    /// The rows' sums.
    pub rows: Vec<f64>,
    /// The columns' sums.
    pub columns: Vec<f64>,
    /// The entries that were kept.
    pub support: Support,
}

struct Block<'a, P> {
    f: &'a [f64],
    g: &'a [P],
    reg: f64,
    /// d/m.
    row: f64,
    /// The columns' thresholds.
    thresholds: &'a [P],
    buffer: Vec<P>,
    positions: Vec<u32>,
    exact: bool,
    /// What is left of the room.
    room: &'a AtomicUsize,
    rows: Vec<f64>,
    columns: Vec<P>,
    support: support::Block,
}

impl<P: Precision + Entry> Visit for Block<'_, P> {
    fn group<T: Entry>(&mut self, first: usize, rows: &[&[T]]) {
        let m = self.g.len();
        let mut sums = [0.0; super::GROUP];
        let mut f = [P::ZERO; super::GROUP];
        for (r, f) in f[..rows.len()].iter_mut().enumerate() {
            *f = P::of(self.f[first + r]);
        }
        let (f, buffer) = (&f[..rows.len()], &mut self.buffer);
        dispatch(Exponentials { rows, f, g: self.g, scale: scale(self.reg), buffer, sums: &mut sums });
        let buffer = &self.buffer[..rows.len() * m];
        dispatch(AddRows { buffer, weights: &[P::ONE; super::GROUP][..rows.len()], out: &mut self.columns });
        let before = self.support.bytes();
        for (p, &sum) in buffer.chunks_exact(m).zip(&sums) {
            if self.room.load(Ordering::Relaxed) == 0 {
                break;
            }
            let (row, columns) = (P::of(self.row * sum), self.thresholds);
            let kept = dispatch(Keep { p, row, columns, out: &mut self.positions });
            self.support.push(p, sum, &self.positions[..kept], self.exact);
        }
        let more = self.support.bytes() - before;
        let taken =
            self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(more));
        if taken.is_err() {
            self.room.store(0, Ordering::Relaxed);
            self.support.clear();
        }
        self.rows.extend_from_slice(&sums[..rows.len()]);
    }

    fn release(&mut self) {
        self.buffer = Vec::new();
        self.positions = Vec::new();
    }
}

/// Row sums, column sums and support of the plan at (f, g).
pub fn probe<P: Precision + Entry>(
    cost: &Cost<'_>,
    f: &[f64],
    g: &[f64],
    reg: f64,
    thresholds: Thresholds<'_>,
    monitor: &mut Monitor<'_>,
) -> Result<Probed, Aborted> {
    let m = g.len();
    let room = AtomicUsize::new(thresholds.room);
    let rounded = |x: &[f64]| x.iter().map(|&x| P::of(x)).collect::<Vec<P>>();
    let (g, columns) = (rounded(g), rounded(thresholds.columns));
    let make = |range: std::ops::Range<usize>| Block {
        f,
        g: &g,
        reg,
        row: thresholds.row,
        thresholds: &columns,
        buffer: vec![P::ZERO; super::together(m) * m],
        positions: vec![0; m + SLACK],
        exact: thresholds.exact,
        room: &room,
        rows: Vec::with_capacity(range.len()),
        columns: vec![P::ZERO; m],
        support: support::Block::new(range, m),
    };
    let mut all = Probed { support: Support::new(m), columns: vec![0.0; m], ..Probed::default() };
    over_blocks(cost, monitor, make, |block| {
        all.rows.extend(block.rows);
        add_to(&mut all.columns, &block.columns);
        all.support.push(block.support);
    })?;
    if room.load(Ordering::Relaxed) == 0 {
        all.support = Support::new(m);
        all.support.overflow();
    }
    Ok(all)
}
