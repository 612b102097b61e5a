//! The largest entries of rows of a completed matrix.

use std::cmp::Ordering;

use super::entry::Entry;
use super::factor::Factor;
use super::payload::Payload;
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sparse::SparseView;

/// Rows of one piece of work.
const BLOCK: usize = 16;

/// For each of `rows` the columns of its `count` largest entries, descending, ties by the lower column, and the entries;
/// -1 and nan where there are no more. Row t of `exclude` holds columns that row t of the answer must not name; `items`
/// are the columns that it may, ascending.
pub fn recommend<T: Entry>(
    payload: &Payload<T>,
    rows: &[usize],
    count: usize,
    exclude: Option<SparseView<'_, f64>>,
    items: Option<&[u32]>,
    monitor: &mut Monitor<'_>,
) -> Result<(Vec<i64>, Vec<T>), Aborted> {
    let (u, v) = payload.balanced(1.0, 0);
    let mean = T::from_f64(payload.mean);
    let all: Vec<u32>;
    let items = match items {
        Some(items) => items,
        None => {
            all = (0..payload.n as u32).collect();
            &all
        }
    };
    let one = |t: usize| -> (Vec<i64>, Vec<T>) {
        let i = rows[t];
        let (x, base) = (u.row(i), payload.bias.as_ref().map_or(T::ZERO, |(row, _)| row[i]));
        let mut seen: Vec<u32> =
            exclude.map_or(Vec::new(), |e| e.row(t).0.iter().map(|&j| j as u32).collect());
        seen.sort_unstable();
        let mut scored: Vec<(T, u32)> = items
            .iter()
            .filter(|j| seen.binary_search(j).is_err())
            .map(|&j| {
                let shift = payload.bias.as_ref().map_or(T::ZERO, |(_, column)| column[j as usize]);
                (score(x, &v, j as usize) + base + shift + mean, j)
            })
            .collect();
        let order =
            |a: &(T, u32), b: &(T, u32)| b.0.partial_cmp(&a.0).unwrap_or(Ordering::Equal).then(a.1.cmp(&b.1));
        if scored.len() > count && count > 0 {
            scored.select_nth_unstable_by(count - 1, order);
        }
        scored.truncate(count);
        scored.sort_unstable_by(order);
        let mut columns: Vec<i64> = scored.iter().map(|s| i64::from(s.1)).collect();
        let mut scores: Vec<T> = scored.iter().map(|s| s.0).collect();
        columns.resize(count, -1);
        scores.resize(count, T::NAN);
        (columns, scores)
    };
    let parts = monitor.map_blocks(rows.len(), BLOCK, |range| range.map(one).collect::<Vec<_>>())?;
    let (mut columns, mut scores) = (Vec::new(), Vec::new());
    for (c, s) in parts.into_iter().flatten() {
        columns.extend(c);
        scores.extend(s);
    }
    Ok((columns, scores))
}

/// A dot product in lanes of eight: the order of its sum does not depend on the machine.
fn score<T: Entry>(x: &[T], v: &Factor<T>, j: usize) -> T {
    let mut sums = [T::ZERO; 8];
    for (x, y) in x.chunks_exact(8).zip(v.row(j).chunks_exact(8)) {
        for l in 0..8 {
            sums[l] += x[l] * y[l];
        }
    }
    sums.into_iter().sum()
}
