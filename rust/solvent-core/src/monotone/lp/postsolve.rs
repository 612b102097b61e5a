//! The way back from a reduced problem: reductions undone in reverse, for solutions and for both kinds of rays.
//!
//! Reduced costs r travel with the multipliers: where a reduction moved a bound from a row to a column, r_j > 0 on a
//! lower bound that the row gave belongs to the row.

/// A row that went with a column.
#[derive(Debug, Clone)]
pub struct DroppedRow {
    /// Coefficient of the column.
    pub a: f64,
    /// Limits.
    pub limits: (f64, f64),
    /// The other entries.
    pub others: Vec<(usize, f64)>,
}

/// What was done to the problem.
#[derive(Debug, Clone)]
pub enum Reduction {
    /// lc <= a x_j <= uc became bounds; `sides` says which of them moved.
    SingletonRow {
        /// The row.
        row: usize,
        /// The column.
        column: usize,
        /// The coefficient.
        a: f64,
        /// Whether the lower and the upper bound are the row's.
        sides: (bool, bool),
    },
    /// x_j = value.
    FixedColumn {
        /// The column.
        column: usize,
        /// Its value.
        value: f64,
        /// Its cost then.
        c: f64,
        /// Its entries then.
        entries: Vec<(usize, f64)>,
    },
    /// A column without cost went with its rows.
    FreeColumn {
        /// The column.
        column: usize,
        /// Its bounds.
        bounds: (f64, f64),
        /// The rows that went with it.
        rows: Vec<DroppedRow>,
    },
    /// a x_j + b x_k = d: x_j was substituted.
    Doubleton {
        /// The row.
        row: usize,
        /// j and k.
        columns: (usize, usize),
        /// a and b.
        coefficients: (f64, f64),
        /// d.
        d: f64,
        /// The cost of j then.
        c: f64,
        /// The bounds of j.
        bounds: (f64, f64),
        /// The other entries of j then.
        entries: Vec<(usize, f64)>,
        /// Whether the lower and the upper bound of k are j's.
        sides: (bool, bool),
    },
}

/// Whether a reduced cost leans on a bound that came from elsewhere.
fn leans(r: f64, (lower, upper): (bool, bool)) -> bool {
    (r > 0.0 && lower) || (r < 0.0 && upper)
}

/// Undoes the reductions on multipliers and reduced costs. `costs` is 1 for solutions, 0 for Farkas rays.
pub fn dual(stack: &[Reduction], costs: f64, y: &mut [f64], r: &mut [f64]) {
    for step in stack.iter().rev() {
        match step {
            Reduction::SingletonRow { row, column, a, sides } => {
                if leans(r[*column], *sides) {
                    y[*row] = r[*column] / a;
                    r[*column] = 0.0;
                }
            }
            Reduction::FixedColumn { column, c, entries, .. } => {
                r[*column] = costs * c - entries.iter().map(|&(i, a)| a * y[i]).sum::<f64>();
            }
            Reduction::FreeColumn { column, .. } => r[*column] = 0.0,
            Reduction::Doubleton {
                row, columns: (j, k), coefficients: (a, b), c, entries, sides, ..
            } => {
                let own = (costs * c - entries.iter().map(|&(i, a)| a * y[i]).sum::<f64>()) / a;
                if leans(r[*k], *sides) {
                    y[*row] = own + r[*k] / b;
                    r[*j] = -a * r[*k] / b;
                    r[*k] = 0.0;
                } else {
                    y[*row] = own;
                    r[*j] = 0.0;
                }
            }
        }
    }
}

/// Undoes the reductions on variables; with `ray`, on a direction: values and finite limits count as 0.
pub fn primal(stack: &[Reduction], ray: bool, x: &mut [f64]) {
    let size = |v: f64| if ray && v.is_finite() { 0.0 } else { v };
    for step in stack.iter().rev() {
        match step {
            Reduction::SingletonRow { .. } => {}
            Reduction::FixedColumn { column, value, .. } => x[*column] = size(*value),
            Reduction::FreeColumn { column, bounds, rows } => {
                let (mut low, mut high) = (size(bounds.0), size(bounds.1));
                for DroppedRow { a, limits: (lc, uc), others } in rows {
                    let rest: f64 = others.iter().map(|&(k, v)| v * x[k]).sum();
                    let (least, most) = ((size(*lc) - rest) / a, (size(*uc) - rest) / a);
                    low = low.max(least.min(most));
                    high = high.min(least.max(most));
                }
                x[*column] = 0.0f64.max(low).min(high);
            }
            Reduction::Doubleton { columns: (j, k), coefficients: (a, b), d, bounds, .. } => {
                let value = (size(*d) - b * x[*k]) / a;
                x[*j] = value.max(size(bounds.0)).min(size(bounds.1));
            }
        }
    }
}
