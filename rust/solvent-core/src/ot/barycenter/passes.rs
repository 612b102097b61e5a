//! Sums of exponentials along both sides of the cost, for all histograms on one pass over it.
//!
//! The one operation is the soft c-transform, `N_x = -reg log sum_y exp((v_y - C_xy)/reg)`. It is given the last N as a
//! shift, with which the sums are near 1 while potentials move little; where a sum leaves the safe range, or at the
//! beginning, the shift is the hard transform, `-max_y (v_y - C_xy)`, and the sum lies between 1 and the number of its
//! terms: nothing overflows, and nothing that counts underflows, for any potentials and any reg.

use solvent_simd::dispatch;

use super::kernels::{CrossMax, CrossSum, LineMax, LineSum};
use super::problem::Problem;
use crate::base::monitor::Monitor;
use crate::ot::OtError;
use crate::ot::entry::Entry;

/// What a transform runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// One result a row, from potentials of the columns.
    Rows,
    /// One result a column, from potentials of the rows.
    Columns,
}

/// Lines of one unit of work.
pub const BLOCK: usize = 64;
/// Blocks whose partial sums are in memory at a time.
const WAVE: usize = 8;
/// A sum outside is computed anew with the hard transform as its shift.
const SAFE: std::ops::Range<f64> = 1e-200..1e200;

/// `log2(e) / reg`
pub fn factor(reg: f64) -> f64 {
    std::f64::consts::LOG2_E / reg
}

/// Replaces the shifts `n` (all histograms, one after the other) by the transforms of `v`.
pub fn transform<T: Entry>(
    problem: &Problem<'_, T>,
    side: Side,
    reg: f64,
    v: &[f64],
    n: &mut [f64],
    monitor: &mut Monitor<'_>,
) -> Result<(), OtError> {
    let across = if side == Side::Rows { problem.n } else { problem.m };
    let all: Vec<usize> = (0..problem.count()).collect();
    let mut sums = sums(problem, side, reg, v, n, &all, monitor)?;
    // nan (a shift that is none yet) is outside too.
    let unsafe_in = |k: &usize| sums[k * across..(k + 1) * across].iter().any(|s| !SAFE.contains(s));
    let again: Vec<usize> = all.iter().copied().filter(unsafe_in).collect();
    if !again.is_empty() {
        let most = maxima(problem, side, v, &again, monitor)?;
        for (at, &k) in again.iter().enumerate() {
            for x in 0..across {
                if !SAFE.contains(&sums[k * across + x]) {
                    n[k * across + x] = -most[at * across + x];
                }
            }
        }
        let anew = self::sums(problem, side, reg, v, n, &again, monitor)?;
        for (at, &k) in again.iter().enumerate() {
            sums[k * across..(k + 1) * across].copy_from_slice(&anew[at * across..(at + 1) * across]);
        }
    }
    n.iter_mut().zip(&sums).for_each(|(n, s)| *n -= reg * s.ln());
    Ok(())
}

/// `sum_y exp((n_x + v_y - C_xy)/reg)` for the histograms in `which`, one after the other.
pub fn sums<T: Entry>(
    problem: &Problem<'_, T>,
    side: Side,
    reg: f64,
    v: &[f64],
    n: &[f64],
    which: &[usize],
    monitor: &mut Monitor<'_>,
) -> Result<Vec<f64>, OtError> {
    let (cost, factor) = (&problem.cost, factor(reg));
    let (lines, length) = (cost.count(), cost.length);
    if (side == Side::Rows) == cost.rows {
        let parts = monitor.map_blocks(lines, BLOCK, |block| {
            let mut part = Vec::with_capacity(which.len() * block.len());
            for i in block {
                for &k in which {
                    let (across, along) = (n[k * lines + i], &v[k * length..(k + 1) * length]);
                    part.push(dispatch(LineSum { line: cost.line(i), along, across, factor }));
                }
            }
            part
        })?;
        return Ok(transposed(&parts.concat(), which.len()));
    }
    // One private sum an entry and block; blocks are added in their order.
    let mut total = vec![0.0; which.len() * length];
    monitor.fold_blocks(
        lines,
        BLOCK,
        WAVE,
        |block| {
            let mut part = vec![0.0; which.len() * length];
            for i in block {
                for (&k, sums) in which.iter().zip(part.chunks_exact_mut(length)) {
                    let (across, along) = (v[k * lines + i], &n[k * length..(k + 1) * length]);
                    dispatch(CrossSum { line: cost.line(i), along, across, factor, sums });
                }
            }
            part
        },
        |part| {
            total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
            Ok::<(), OtError>(())
        },
    )?;
    Ok(total)
}

/// `max_y (v_y - C_xy)`.
fn maxima<T: Entry>(
    problem: &Problem<'_, T>,
    side: Side,
    v: &[f64],
    which: &[usize],
    monitor: &mut Monitor<'_>,
) -> Result<Vec<f64>, OtError> {
    let cost = &problem.cost;
    let (lines, length) = (cost.count(), cost.length);
    if (side == Side::Rows) == cost.rows {
        let parts = monitor.map_blocks(lines, BLOCK, |block| {
            let pairs = block.flat_map(|i| which.iter().map(move |&k| (i, k)));
            let most =
                |(i, k)| dispatch(LineMax { line: cost.line(i), along: &v[k * length..(k + 1) * length] });
            pairs.map(most).collect::<Vec<_>>()
        })?;
        return Ok(transposed(&parts.concat(), which.len()));
    }
    let mut all = vec![f64::NEG_INFINITY; which.len() * length];
    monitor.fold_blocks(
        lines,
        BLOCK,
        WAVE,
        |block| {
            let mut part = vec![f64::NEG_INFINITY; which.len() * length];
            for i in block {
                for (&k, most) in which.iter().zip(part.chunks_exact_mut(length)) {
                    dispatch(CrossMax { line: cost.line(i), across: v[k * lines + i], most });
                }
            }
            part
        },
        |part| {
            all.iter_mut().zip(part).for_each(|(all, part)| *all = all.max(part));
            Ok::<(), OtError>(())
        },
    )?;
    Ok(all)
}

/// From the histograms of each line to the lines of each histogram.
fn transposed(x: &[f64], count: usize) -> Vec<f64> {
    let lines = x.len() / count.max(1);
    (0..x.len()).map(|at| x[(at % lines) * count + at / lines]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::monitor::{Budget, Silent};
    use crate::base::view::MatrixView;

    #[test]
    fn transforms_agree_with_plain_loops_on_both_sides_of_both_layouts() {
        let (n, m) = (130, 75);
        let cost: Vec<f64> = (0..n * m).map(|at| ((at * 7919) % 1009) as f64 / 1009.0).collect();
        let turned: Vec<f64> = (0..n * m).map(|at| cost[(at % n) * m + at / n]).collect();
        let b: Vec<f64> = (0..2 * m).map(|j| 1.0 + (j % 5) as f64).collect();
        let mut silent = Silent;
        let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut silent, &[]);
        for view in
            [MatrixView::row_major(&cost, n, m).unwrap(), MatrixView::column_major(&turned, n, m).unwrap()]
        {
            let problem = Problem::new(view, &b, &[0.5, 0.5], 1e-3, &mut monitor).unwrap();
            for side in [Side::Rows, Side::Columns] {
                let (across, along) = if side == Side::Rows { (n, m) } else { (m, n) };
                // Scales that have nothing to do with each other: most sums need the hard shift.
                let mut v: Vec<f64> = (0..2 * along).map(|y| ((y * 31) % 17) as f64 * 3.0).collect();
                v[2] = f64::NEG_INFINITY;
                for start in [0.0, 1e6, f64::NAN] {
                    let mut shift = vec![start; 2 * across];
                    transform(&problem, side, 1e-3, &v, &mut shift, &mut monitor).unwrap();
                    for k in 0..2 {
                        for x in 0..across {
                            let c =
                                |y: usize| if side == Side::Rows { cost[x * m + y] } else { cost[y * m + x] };
                            let terms: Vec<f64> = (0..along).map(|y| v[k * along + y] - c(y)).collect();
                            let most = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                            let sum: f64 = terms.iter().map(|t| ((t - most) / 1e-3).exp()).sum();
                            let wanted = -most - 1e-3 * sum.ln();
                            assert!((shift[k * across + x] - wanted).abs() < 1e-12 * wanted.abs().max(1.0));
                        }
                    }
                }
            }
        }
    }
}
