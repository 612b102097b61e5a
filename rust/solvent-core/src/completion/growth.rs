//! More columns for the factors, where the dual variable says that the rank is too small.

use super::CompletionError;
use super::certify::Evidence;
use super::certify::gap::penalties;
use super::certify::residual::Residuals;
use super::entry::Entry;
use super::factor::Factor;
use super::init::Operator;
use super::payload::Payload;
use super::problem::Problem;
use crate::base::monitor::Monitor;

/// Columns added at a time.
const BLOCK: usize = 8;

/// Factors with the leading singular pairs of the dual variable appended, in the units of a run; `None` where no singular
/// value of it exceeds lam.
pub fn append<T: Entry>(
    problem: &Problem<'_, T>,
    payload: &Payload<T>,
    most: usize,
    constant: f64,
    monitor: &mut Monitor<'_>,
) -> Result<Option<(Factor<T>, Factor<T>)>, CompletionError> {
    let evidence = Evidence { entries: problem.rows, weights: problem.weights, penalty: problem.penalty };
    let residuals = Residuals::new(&evidence, payload, monitor)?;
    let (a, b) = penalties(&evidence);
    let (entries, rank) = (problem.rows, payload.rank());
    let mut values = Vec::with_capacity(entries.nnz());
    for i in 0..entries.rows() {
        for e in entries.range(i) {
            values.push(residuals.z[e] / (a[i] * b[entries.indices()[e] as usize]).sqrt());
        }
    }
    let (turned, origin) = entries.transpose();
    let column_values = origin.iter().map(|&e| values[e]).collect();
    // The pattern of either precision serves the values in double.
    let zeros = vec![0.0f64; entries.nnz()];
    let rows = crate::base::sparse::SparseView::new(entries.indptr(), entries.indices(), &zeros, entries.columns())?;
    let columns =
        crate::base::sparse::SparseView::new(&turned.indptr, &turned.indices, &zeros, entries.rows())?;
    let operator = Operator { rows, values, columns, column_values };
    let lam = problem.ridge();
    let triples = operator.leading(rank + BLOCK, 8, monitor)?;
    let (u, v) = (&residuals.u, &residuals.v);
    // Directions that the factors already span sit at lam; what exceeds it is new.
    let fresh: Vec<usize> =
        (0..triples.s.len()).filter(|&l| triples.s[l] > lam * (1.0 + 1e-9)).take(BLOCK.min(most - rank)).collect();
    if fresh.is_empty() {
        return Ok(None);
    }
    let extra = usize::from(payload.bias.is_some());
    let width = rank + fresh.len() + extra;
    let fill = entries.rows() as f64 * entries.columns() as f64 / entries.nnz() as f64;
    // A step along the new directions; the sweeps find the right size.
    let size = |l: usize| ((triples.s[l] - lam).max(1e-3 * lam) * fill).sqrt();
    let side = |old: &Factor<f64>, new: &Factor<f64>, scale: &[f64], bias: Option<&Vec<T>>| {
        Factor::from_fn(old.rows(), width, |i, l| {
            let value = if l < rank {
                old.row(i)[l]
            } else if l < rank + fresh.len() {
                let from = fresh[l - rank];
                let a = scale[i];
                if a > 0.0 { new.row(i)[from] * size(from) / a.sqrt() } else { 0.0 }
            } else {
                bias.map_or(0.0, |bias| bias[i].to_f64() * problem.unit / constant)
            };
            T::from_f64(value)
        })
    };
    let (row, column) = match &payload.bias {
        Some((row, column)) => (Some(row), Some(column)),
        None => (None, None),
    };
    // Residuals are scaled by their own power of two; single precision may have another.
    let ratio = (problem.unit / residuals.unit).sqrt();
    let (mut left, mut right) = (side(u, &triples.u, &a, row), side(v, &triples.v, &b, column));
    if ratio != 1.0 {
        for x in [&mut left, &mut right] {
            for i in 0..x.rows() {
                for value in &mut x.row_mut(i)[..rank] {
                    *value = T::from_f64(value.to_f64() * ratio);
                }
            }
        }
    }
    Ok(Some((left, right)))
}
