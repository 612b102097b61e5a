//! One half of a sweep over all rows, in chunks of equal work.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::entry::Entry;
use super::factor::Factor;
use super::kernels::gram::Gram;
use super::kernels::product::{Fitted, Product};
use super::kernels::row::{Chunk, Half, Scratch, Tally};
use super::sketch;
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sparse::SparseView;

/// Entries, or rows, of a chunk: fixed, so that results do not depend on the number of threads.
const ENTRIES: usize = 8192;
const ROWS: usize = 512;

/// Cuts the rows where enough entries have come together.
pub fn chunks<T: Copy>(entries: &SparseView<'_, T>) -> Vec<Range<usize>> {
    let (mut cuts, mut start) = (Vec::new(), 0);
    let offsets = entries.indptr();
    for i in 0..entries.rows() {
        let full = (offsets[i + 1] - offsets[start]) as usize >= ENTRIES;
        if full || i + 1 - start == ROWS {
            cuts.push(start..i + 1);
            start = i + 1;
        }
    }
    if start < entries.rows() {
        cuts.push(start..entries.rows());
    }
    cuts
}

/// Hands each chunk the lines of `out` that belong to its rows.
pub fn split<'a, T>(
    cuts: &[Range<usize>],
    out: &'a mut [T],
    stride: usize,
) -> Vec<(Range<usize>, &'a mut [T])> {
    let mut rest = out;
    let mut parts = Vec::with_capacity(cuts.len());
    for cut in cuts {
        let (head, tail) = rest.split_at_mut(cut.len() * stride);
        parts.push((cut.clone(), head));
        rest = tail;
    }
    parts
}

/// Solves all rows of `out` for the design; they are warm starts and results.
pub fn half_sweep<T: Entry>(
    half: &Half<'_, T>,
    out: &mut Factor<T>,
    monitor: &mut Monitor<'_>,
) -> Result<Tally, Aborted> {
    solve_chunks(half, &chunks(&half.entries), |_, _| None, out, monitor)
}

/// The same, with long rows solved through a sketch of their design.
pub fn sketched_half_sweep<T: Entry>(
    half: &Half<'_, T>,
    out: &mut Factor<T>,
    monitor: &mut Monitor<'_>,
) -> Result<Tally, Aborted> {
    let plain = half.nonneg.is_none() && half.base.is_none();
    let is_long = |i: usize| plain && sketch::is_long(half.entries.range(i).len(), half.design.width());
    // A long row is a chunk of its own.
    let mut cuts = Vec::new();
    for cut in chunks(&half.entries) {
        let mut start = cut.start;
        for i in cut.clone().filter(|&i| is_long(i)) {
            cuts.extend([start..i, i..i + 1].into_iter().filter(|rows| !rows.is_empty()));
            start = i + 1;
        }
        cuts.extend(std::iter::once(start..cut.end).filter(|rows| !rows.is_empty()));
    }
    let sketched = |rows: &Range<usize>, out: &mut [T]| {
        let long = rows.len() == 1 && is_long(rows.start);
        if long { sketch::solve(half, rows.start, out) } else { None }
    };
    solve_chunks(half, &cuts, sketched, out, monitor)
}

/// Solves each chunk by `first`, or as rows are solved where that gives none.
fn solve_chunks<T: Entry>(
    half: &Half<'_, T>,
    cuts: &[Range<usize>],
    first: impl Fn(&Range<usize>, &mut [T]) -> Option<Tally> + Sync,
    out: &mut Factor<T>,
    monitor: &mut Monitor<'_>,
) -> Result<Tally, Aborted> {
    debug_assert_eq!(out.stride(), half.design.stride());
    let stride = out.stride();
    let parts = split(cuts, out.as_mut_slice(), stride);
    let longest = (0..half.entries.rows()).map(|i| half.entries.range(i).len()).max().unwrap_or(0);
    // Scratch is as large as a cache: one for each chunk under way, handed on.
    let idle = Mutex::new(Vec::new());
    let tallies = monitor.map_items(parts.into_iter(), |(rows, out)| {
        if let Some(tally) = first(&rows, out) {
            return tally;
        }
        let lock = || idle.lock().unwrap_or_else(PoisonError::into_inner);
        let ready = lock().pop();
        let mut scratch = ready.unwrap_or_else(|| Scratch::new(half, longest));
        let tally = Chunk { half, rows, out }.run(&mut scratch);
        lock().push(scratch);
        tally
    })?;
    Ok(tallies.into_iter().fold(Tally::NONE, Tally::join))
}

/// Rows of one piece of a Gram matrix.
const SLAB: usize = 1024;

/// `X^T X`, full, `stride` by `stride`: pieces in the precision of `X`, their sum in double precision.
pub fn gram<T: Entry>(x: &Factor<T>, monitor: &mut Monitor<'_>) -> Result<Vec<T>, Aborted> {
    let (width, stride) = (x.width(), x.stride());
    let parts = monitor.map_blocks(x.rows(), SLAB, |rows| {
        let mut gram = vec![T::ZERO; stride * stride];
        let panel = &x.as_slice()[rows.start * stride..rows.end * stride];
        T::gram(Gram { panel, targets: &[], width, stride, gram: &mut gram, b: &mut [] });
        gram
    })?;
    let mut sum = vec![0.0; stride * stride];
    for part in parts {
        for (s, x) in sum.iter_mut().zip(part) {
            *s += x.to_f64();
        }
    }
    let element = |i: usize, j: usize| {
        if i.max(j) < width { T::from_f64(sum[i.min(j) * stride + i.max(j)]) } else { T::ZERO }
    };
    Ok((0..stride * stride).map(|e| element(e / stride, e % stride)).collect())
}

/// `A x` for entries whose values are given.
pub fn product<T: Entry>(
    entries: SparseView<'_, T>,
    values: &[T],
    x: &Factor<T>,
    monitor: &mut Monitor<'_>,
) -> Result<Factor<T>, Aborted> {
    let mut out = Factor::zeros(entries.rows(), x.width());
    let cuts = chunks(&entries);
    let stride = out.stride();
    let parts = split(&cuts, out.as_mut_slice(), stride);
    monitor.map_items(parts.into_iter(), |(rows, out)| {
        T::product(Product { entries, values, x, rows, out });
    })?;
    Ok(out)
}

/// `u_i · v_j` at every entry, in the order of the rows.
pub fn fitted<T: Entry, S: Copy + Sync>(
    entries: SparseView<'_, S>,
    u: &Factor<T>,
    v: &Factor<T>,
    monitor: &mut Monitor<'_>,
) -> Result<Vec<T>, Aborted> {
    let cuts = chunks(&entries);
    let mut out = vec![T::ZERO; entries.nnz()];
    let mut rest = out.as_mut_slice();
    let mut parts = Vec::with_capacity(cuts.len());
    for rows in cuts {
        let count = entries.range(rows.end - 1).end - entries.range(rows.start).start;
        let (head, tail) = rest.split_at_mut(count);
        parts.push((rows, head));
        rest = tail;
    }
    let (indptr, indices) = (entries.indptr(), entries.indices());
    monitor
        .map_items(parts.into_iter(), |(rows, out)| T::fitted(Fitted { indptr, indices, u, v, rows, out }))?;
    Ok(out)
}
