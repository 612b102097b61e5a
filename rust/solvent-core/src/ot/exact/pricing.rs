//! Pricing out: one pass over all arcs, whichever are listed.

use super::cost::{Entry, HardRow};
use super::problem::{BLOCK, Problem};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use solvent_simd::dispatch;

/// Arcs that one pass adds for a row (times the columns there are to a row).
const ADDED: usize = 3;

/// What the pass finds.
#[derive(Debug)]
pub struct Pricing {
    /// `min_j (C_ij - floor_i - g_j)`: with the columns' potentials given, feasible for the dual.
    pub f: Vec<f64>,
    /// The arcs that violate the rows' own potentials most, by the numbers of those that take part.
    pub arcs: Vec<(u32, u32)>,
}

/// The rows' c-transforms of `minus_g`; for every row also the arcs of reduced cost below `-eps` against `own`.
pub fn price_out<T: Entry>(
    problem: &Problem<'_, T>,
    own: &[f64],
    minus_g: &[f64],
    eps: f64,
    monitor: &mut Monitor<'_>,
) -> Result<Pricing, Aborted> {
    let (n, m) = (problem.rows.len(), problem.columns.len());
    // Columns that take no part are never the least.
    let mut spread;
    let add = if problem.all_columns() {
        minus_g
    } else {
        spread = vec![f64::INFINITY; problem.b.len()];
        problem.columns.iter().zip(minus_g).for_each(|(&j, &x)| spread[j as usize] = x);
        &spread
    };
    let most = ADDED * m.div_ceil(n);
    let blocks = monitor.map_blocks(n, BLOCK, |rows| {
        let mut f = Vec::with_capacity(rows.len());
        let (mut arcs, mut below) = (Vec::new(), Vec::new());
        for i in rows {
            let row = problem.row(problem.rows[i] as usize);
            let shift = problem.floor[i];
            let least = dispatch(HardRow { row, shift, add });
            f.push(least);
            let limit = own[i] - eps;
            if least < limit {
                below.clear();
                for (j, (x, add)) in row.iter().zip(add).enumerate() {
                    let reduced = (x.to_f64() - shift) + add;
                    if reduced < limit {
                        below.push((reduced, j as u32));
                    }
                }
                if below.len() > most {
                    below.select_nth_unstable_by(most, |x, y| x.0.total_cmp(&y.0).then(x.1.cmp(&y.1)));
                    below.truncate(most);
                }
                below.sort_unstable_by_key(|x| x.1);
                arcs.extend(below.iter().map(|&(_, j)| (i as u32, j)));
            }
        }
        (f, arcs)
    })?;
    let mut pricing = Pricing { f: Vec::with_capacity(n), arcs: Vec::new() };
    for (f, arcs) in blocks {
        pricing.f.extend(f);
        pricing.arcs.extend(arcs);
    }
    if !problem.all_columns() {
        let mut number = vec![0; problem.b.len()];
        problem.columns.iter().enumerate().for_each(|(k, &j)| number[j as usize] = k as u32);
        pricing.arcs.iter_mut().for_each(|(_, j)| *j = number[*j as usize]);
    }
    Ok(pricing)
}
