//! The data, validated.

use solvent_simd::dispatch;

use crate::base::error::ArgumentError;
use crate::base::monitor::Monitor;
use crate::base::sum::sum;
use crate::base::view::MatrixView;
use crate::ot::OtError;
use crate::ot::entry::{Entry, Extent, Extremes, Lines};

/// A cost, two marginals, the number of arcs a column may have, and the weight of the quadratic term.
#[derive(Debug, Clone)]
pub struct Problem<'a, T: Entry> {
    /// The cost; inf where there is no arc.
    pub cost: Lines<'a, T>,
    /// Weights of the rows.
    pub a: &'a [f64],
    /// Weights of the columns, scaled to the total of `a`.
    pub b: Vec<f64>,
    /// Total of `a`.
    pub mass: f64,
    /// Total of the column weights as they were given.
    pub given_b: f64,
    /// At most so many nonzeros a column.
    pub max_nnz: usize,
    /// Weight of the quadratic term.
    pub gamma: f64,
    /// Largest less least finite cost; 1 if that is 0.
    pub scale: f64,
    /// Largest absolute value of a finite cost.
    pub largest: f64,
}

/// Entries of one item of the first pass.
const ITEM: usize = 1 << 16;

impl<'a, T: Entry> Problem<'a, T> {
    /// Looks at every entry once. The weights are finite, non-negative and of positive total: the caller has seen to
    /// it.
    pub fn new(
        cost: MatrixView<'a, T>,
        a: &'a [f64],
        b: &[f64],
        max_nnz: usize,
        gamma: f64,
        monitor: &mut Monitor<'_>,
    ) -> Result<Self, OtError> {
        let (n, m) = cost.shape();
        if a.len() != n {
            return Err(ArgumentError::shape("a", &[a.len()], &format!("C has {n} rows"), &[n]).into());
        }
        if b.len() != m {
            return Err(ArgumentError::shape("b", &[b.len()], &format!("C has {m} columns"), &[m]).into());
        }
        if max_nnz == 0 || max_nnz > n {
            return Err(ArgumentError::value("max_nnz", max_nnz, format!("an integer in [1, {n}]")).into());
        }
        if !(gamma > 0.0 && gamma.is_finite()) {
            return Err(ArgumentError::value("gamma", gamma, "a finite number > 0").into());
        }
        let cost = Lines::new(cost);
        let extent = extent(&cost, "C", true, monitor)?;
        let (mass, given_b) = (sum(a), sum(b));
        let factor = mass / given_b;
        let b: Vec<f64> = b.iter().map(|b| b * factor).collect();
        if extent.infinite {
            every_weight_has_an_arc(&cost, a, &b)?;
        }
        let spread = extent.high - extent.low;
        Ok(Self {
            cost,
            a,
            b,
            mass,
            given_b,
            max_nnz,
            gamma,
            scale: if spread > 0.0 { spread } else { 1.0 },
            largest: extent.high.abs().max(extent.low.abs()),
        })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.a.len()
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.b.len()
    }
}

/// Least and largest finite entry; nan and -inf are refused by name, and inf too unless it is `forbidden` that it
/// stands for.
pub fn extent<T: Entry>(
    cost: &Lines<'_, T>,
    name: &str,
    forbidden: bool,
    monitor: &mut Monitor<'_>,
) -> Result<Extent, OtError> {
    let block = (ITEM / cost.length.max(1)).max(1);
    let parts = monitor.map_blocks(cost.count(), block, |range| {
        range.fold(Extent::NONE, |all, i| all.join(dispatch(Extremes(cost.line(i)))))
    })?;
    let all = parts.into_iter().fold(Extent::NONE, Extent::join);
    if all.bad || (all.infinite && !forbidden) {
        let (n, m) = if cost.rows { (cost.count(), cost.length) } else { (cost.length, cost.count()) };
        let wrong = |v: f64| !(v.is_finite() || (forbidden && v == f64::INFINITY));
        let first = (0..n).find_map(|i| (0..m).find(|&j| wrong(cost.get(i, j))).map(|j| (i, j)));
        if let Some((i, j)) = first {
            let expected =
                if forbidden { "finite values (or +inf for a forbidden arc)" } else { "finite values" };
            return Err(ArgumentError::element(name, &[i, j], cost.get(i, j), expected).into());
        }
    }
    Ok(all)
}

/// Refuses a row or column of positive weight without an arc to one of positive weight.
fn every_weight_has_an_arc<T: Entry>(cost: &Lines<'_, T>, a: &[f64], b: &[f64]) -> Result<(), ArgumentError> {
    let (mut rows, mut columns) = (vec![false; a.len()], vec![false; b.len()]);
    for line in 0..cost.count() {
        for (at, v) in cost.line(line).iter().enumerate() {
            let (i, j) = if cost.rows { (line, at) } else { (at, line) };
            if v.to_f64() < f64::INFINITY && a[i] > 0.0 && b[j] > 0.0 {
                (rows[i], columns[j]) = (true, true);
            }
        }
    }
    for (seen, weights, kind, name) in [(&rows, a, "row", "a"), (&columns, b, "column", "b")] {
        if let Some(i) = (0..seen.len()).find(|&i| weights[i] > 0.0 && !seen[i]) {
            let was = format!("{kind} {i} of C has no finite entry but {name}[{i}] > 0");
            return Err(ArgumentError::new("C", was, "an arc to a point of positive weight"));
        }
    }
    Ok(())
}
