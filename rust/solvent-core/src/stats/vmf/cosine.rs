//! mu.x for every row, checked on the way: what the density of many points needs of them.

use solvent_simd::dispatch;

use super::VmfError;
use super::kernels::{Dots, Norms};
use super::moments::refused_row;
use super::rows::Rows;
use crate::base::monitor::Monitor;

/// Elements of one item of parallel work.
const ITEM_ELEMENTS: usize = 1 << 18;

/// mu.x_i for every row; refuses the first row that is not finite and unit. Time O(n d), one pass over memory.
pub fn cosines(rows: &Rows<'_>, mu: &[f64], monitor: &mut Monitor<'_>) -> Result<Vec<f64>, VmfError> {
    let (n, d, step) = (rows.len(), rows.dimension(), rows.block_rows());
    let item = (ITEM_ELEMENTS / d).max(1).next_multiple_of(step);
    let tolerance = rows.norm_tolerance();
    let (low, high) = ((1.0 - tolerance) * (1.0 - tolerance), (1.0 + tolerance) * (1.0 + tolerance));
    let mut out = vec![0.0; n];
    let refused = monitor.map_items(out.chunks_mut(item).enumerate(), |(index, out)| {
        let (mut scratch, mut norms2) = (Vec::new(), vec![0.0; step]);
        for (block, out) in out.chunks_mut(step).enumerate() {
            let first = index * item + block * step;
            let x = rows.block(first..first + out.len(), &mut scratch);
            let (stride, norms2) = (out.len(), &mut norms2[..out.len()]);
            dispatch(Dots { x, means: mu, d, out, stride });
            dispatch(Norms { x, norms2 });
            if let Some(i) = norms2.iter().position(|s| !(low..=high).contains(s)) {
                return Some((first + i, norms2[i]));
            }
        }
        None
    })?;
    match refused.into_iter().flatten().next() {
        Some((i, norm2)) => Err(refused_row(rows, i, norm2, "x").into()),
        None => Ok(out),
    }
}
