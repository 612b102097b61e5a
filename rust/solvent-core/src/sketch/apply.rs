//! S A and S^T Y of matrices that are there.

use super::rows::{Element, LANES, Rows, pack};
use super::{Sketch, stream::Panels};
use crate::base::buffer::Buffer;
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::pool;
use crate::base::sparse::SparseView;
use crate::base::view::MatrixView;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Rows that are summed before the sum is added to the total: the unit of parallel work, and of rounding. A multiple of
/// the grain, and so long that adding the panels up costs little.
pub fn panel_rows<S: Sketch>(sketch: &S) -> usize {
    let least = (32 * sketch.rows()).max(1 << 15);
    least.next_multiple_of(sketch.grain())
}

/// Panels that are alive at once, per thread.
const WAVE: usize = 2;

/// S A in C order, each row of A times its factor. The extra memory is that of a few panels' sums.
pub fn apply<S: Sketch, T: Element>(
    sketch: &S,
    a: MatrixView<'_, T>,
    factors: Option<&[f64]>,
    monitor: &mut Monitor<'_>,
) -> Result<Vec<f64>, Aborted> {
    let whole = Rows::of(&a).map(|rows| rows.times(factors));
    let add = |rows: Range<usize>, columns: Range<usize>, out: &mut [f64]| match whole {
        Some(whole) => {
            let block = whole.range(rows.start, rows.end).columns(columns.start, columns.end);
            sketch.add(&block, rows.start, out);
        }
        None => {
            let mut scratch = Vec::new();
            for piece in pieces(sketch, rows) {
                let block = pack(&a, piece.clone(), columns.clone(), &mut scratch);
                let block = block.times(factors.map(|f| &f[piece.clone()]));
                sketch.add(&block, piece.start, out);
            }
        }
    };
    // What is packed needs room in the cache too.
    let stripe = if whole.is_some() { sketch.stripe() } else { sketch.stripe().min(64) };
    sum_panels(sketch, a.shape(), stripe, monitor, add)
}

/// S A of compressed rows, in C order.
pub fn apply_sparse<S: Sketch, T: Element>(
    sketch: &S,
    a: SparseView<'_, T>,
    monitor: &mut Monitor<'_>,
) -> Result<Vec<f64>, Aborted> {
    let shape = (a.rows(), a.columns());
    if sketch.nonzeros().is_some() {
        let add = |rows: Range<usize>, columns: Range<usize>, out: &mut [f64]| {
            let padded = columns.len().next_multiple_of(LANES);
            sketch.visit(shape.0, rows, &mut |i, target, value| {
                let out = &mut out[target * padded..(target + 1) * padded];
                let (indices, data) = a.row(i);
                for (&j, x) in indices.iter().zip(data) {
                    out[j as usize] += value * x.to_f64();
                }
            });
        };
        return sum_panels(sketch, shape, usize::MAX, monitor, add);
    }
    let add = |rows: Range<usize>, columns: Range<usize>, out: &mut [f64]| {
        let (width, mut scratch) = (columns.len(), Vec::new());
        for piece in pieces(sketch, rows) {
            scratch.clear();
            scratch.resize(piece.len() * width, 0.0);
            for (i, out) in piece.clone().zip(scratch.chunks_mut(width.max(1))) {
                let (indices, data) = a.row(i);
                for (&j, x) in indices.iter().zip(data) {
                    if columns.contains(&(j as usize)) {
                        out[j as usize - columns.start] += x.to_f64();
                    }
                }
            }
            sketch.add(&Rows::new(&scratch, piece.len(), width), piece.start, out);
        }
    };
    sum_panels(sketch, shape, sketch.stripe(), monitor, add)
}

/// Pieces of a panel that are packed at a time: whole grains, some thousand rows.
fn pieces<S: Sketch>(sketch: &S, rows: Range<usize>) -> impl Iterator<Item = Range<usize>> + use<S> {
    let step = 1024.max(sketch.grain()).next_multiple_of(sketch.grain());
    rows.clone().step_by(step).map(move |start| start..rows.end.min(start + step))
}

/// Sums of panels and stripes, each made by `add` on its own, added up in the order of the panels.
fn sum_panels<S: Sketch>(
    sketch: &S,
    (n, d): (usize, usize),
    stripe: usize,
    monitor: &mut Monitor<'_>,
    add: impl Fn(Range<usize>, Range<usize>, &mut [f64]) + Sync,
) -> Result<Vec<f64>, Aborted> {
    let (m, panel) = (sketch.rows(), panel_rows(sketch));
    let stripes: Vec<_> = pool::blocks(d, stripe.min(d.max(1))).collect();
    let items = n.div_ceil(panel) * stripes.len();
    let mut totals: Vec<_> = stripes.iter().map(|columns| Panels::new(m, columns.len())).collect();
    // Sums that were added up lend their memory to the next ones: fresh pages cost as much as the work on them.
    let spare: Mutex<Vec<Buffer>> = Mutex::new(Vec::new());
    let part = |item: Range<usize>| {
        let (p, s) = (item.start / stripes.len(), item.start % stripes.len());
        let columns = stripes[s].clone();
        let mut sum = spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        sum.reset(m * columns.len().next_multiple_of(LANES));
        add(p * panel..n.min((p + 1) * panel), columns, &mut sum);
        (s, sum)
    };
    // One thread holds one sum at a time, and one only.
    let threads = pool::num_threads();
    let wave = if threads > 1 { WAVE * threads } else { 1 };
    monitor.fold_blocks(items, 1, wave, part, |(s, sum)| {
        let used = totals[s].add(sum);
        spare.lock().unwrap_or_else(PoisonError::into_inner).extend(used);
        Ok::<(), Aborted>(())
    })?;
    let mut out = vec![0.0; m * d];
    for (columns, total) in stripes.iter().zip(&totals) {
        total.write(sketch.scale(), &mut out, d, columns.start);
    }
    Ok(out)
}

/// S^T Y in C order, for the m by k matrix Y.
pub fn apply_adjoint<S: Sketch>(
    sketch: &S,
    n: usize,
    y: MatrixView<'_, f64>,
    monitor: &mut Monitor<'_>,
) -> Result<Vec<f64>, Aborted> {
    let (m, k) = y.shape();
    assert_eq!(m, sketch.rows(), "one row of Y a row of S");
    let padded = k.next_multiple_of(LANES);
    let mut rows = vec![0.0; m * padded];
    for (i, row) in rows.chunks_exact_mut(padded.max(1)).enumerate() {
        y.row(i).iter().zip(row).for_each(|(y, out)| *out = y * sketch.scale());
    }
    let mut out = vec![0.0; n * k];
    let step = (1 << 13).max(sketch.grain()).next_multiple_of(sketch.grain());
    if k > 0 {
        monitor.map_items(out.chunks_mut(step * k).enumerate(), |(block, out)| {
            let mut part = vec![0.0; out.len() / k * padded];
            sketch.add_adjoint(&rows, padded, block * step, &mut part);
            for (out, part) in out.chunks_exact_mut(k).zip(part.chunks_exact(padded)) {
                out.copy_from_slice(&part[..k]);
            }
        })?;
    }
    Ok(out)
}

/// S itself, m by n in C order.
pub fn to_dense<S: Sketch>(sketch: &S, n: usize) -> Vec<f64> {
    let mut out = vec![0.0; sketch.rows() * n];
    let scale = sketch.scale();
    sketch.visit(n, 0..n, &mut |i, row, value| out[row * n + i] += scale * value);
    out
}
