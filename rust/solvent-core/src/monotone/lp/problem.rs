//! The data of a linear program, validated: min c·x over lc <= A x <= uc, lv <= x <= uv.

use crate::base::error::ArgumentError;
use crate::base::sparse::{Sparse, SparseView};
use crate::base::sum::norm2;
use std::sync::Arc;

/// Two-sided limits of a vector; either side may be infinite.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Lower limits, -inf where there is none.
    pub lower: Vec<f64>,
    /// Upper limits, inf where there is none.
    pub upper: Vec<f64>,
}

impl Limits {
    /// Checks that no side is nan, that lower <= upper, and that no side is infinite the wrong way round.
    fn check(&self, (low, up): (&str, &str), n: usize, because: &str) -> Result<(), ArgumentError> {
        for (name, side) in [(low, &self.lower), (up, &self.upper)] {
            if side.len() != n {
                return Err(ArgumentError::shape(name, &[side.len()], because, &[n]));
            }
        }
        for (j, (&l, &u)) in self.lower.iter().zip(&self.upper).enumerate() {
            for (name, value, wrong, expected) in
                [(low, l, f64::INFINITY, "< inf"), (up, u, f64::NEG_INFINITY, "> -inf")]
            {
                if value.is_nan() || value == wrong {
                    return Err(ArgumentError::element(name, &[j], value, expected));
                }
            }
            if l > u {
                let was = format!("{low}[{j}] = {l:?} > {up}[{j}] = {u:?}");
                return Err(ArgumentError::new(low, was, format!("{low} <= {up}")));
            }
        }
        Ok(())
    }

    /// The point nearest to `x` inside.
    pub fn clip(&self, j: usize, x: f64) -> f64 {
        x.max(self.lower[j]).min(self.upper[j])
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.lower.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lower.is_empty()
    }
}

/// A linear program. Rows of `a` hold each column once, ascending, and no zero.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Costs.
    pub c: Vec<f64>,
    /// The matrix by rows; problems of a batch share it.
    pub a: Arc<Sparse<f64>>,
    /// The matrix by columns.
    pub at: Arc<Sparse<f64>>,
    /// Limits of A x.
    pub rows: Limits,
    /// Limits of x.
    pub columns: Limits,
    /// A constant of the objective, which presolve leaves behind.
    pub offset: f64,
    /// What residuals of the rows are relative to: 1 + norm of the finite row limits.
    pub primal_scale: f64,
    /// What residuals of the dual are relative to: 1 + norm of c.
    pub dual_scale: f64,
}

impl Problem {
    /// Checks the data. Entries of `a` that stand in one place add up.
    pub fn new(
        c: Vec<f64>,
        a: SparseView<'_, f64>,
        rows: Limits,
        columns: Limits,
    ) -> Result<Self, ArgumentError> {
        let (m, n) = (a.rows(), a.columns());
        if c.len() != n {
            return Err(ArgumentError::shape("c", &[c.len()], &format!("A has {n} columns"), &[n]));
        }
        rows.check(("lc", "uc"), m, &format!("A has {m} rows"))?;
        columns.check(("lv", "uv"), n, &format!("A has {n} columns"))?;
        if let Some(j) = c.iter().position(|v| !v.is_finite()) {
            return Err(ArgumentError::element("c", &[j], c[j], "finite values"));
        }
        let a = canonical(a);
        for i in 0..m {
            let (indices, values) = a.view().row(i);
            if let Some(k) = values.iter().position(|v| !v.is_finite()) {
                return Err(ArgumentError::element(
                    "A",
                    &[i, indices[k] as usize],
                    values[k],
                    "finite values",
                ));
            }
        }
        let (primal_scale, dual_scale) = (1.0 + limit_norm(&rows), 1.0 + norm2(&c));
        let (at, _) = a.view().transpose();
        let (a, at) = (Arc::new(a), Arc::new(at));
        Ok(Self { c, a, at, rows, columns, offset: 0.0, primal_scale, dual_scale })
    }

    /// The same matrix and bounds with other costs and row limits.
    pub fn with(&self, c: Vec<f64>, rows: Limits) -> Result<Self, ArgumentError> {
        let (m, n) = (self.m(), self.n());
        if c.len() != n {
            return Err(ArgumentError::shape("c", &[c.len()], &format!("A has {n} columns"), &[n]));
        }
        rows.check(("lc", "uc"), m, &format!("A has {m} rows"))?;
        let (primal_scale, dual_scale) = (1.0 + limit_norm(&rows), 1.0 + norm2(&c));
        Ok(Self { c, rows, primal_scale, dual_scale, ..self.clone() })
    }

    /// Number of rows.
    pub fn m(&self) -> usize {
        self.rows.len()
    }

    /// Number of columns.
    pub fn n(&self) -> usize {
        self.columns.len()
    }

    /// Number of entries.
    pub fn nnz(&self) -> usize {
        self.a.data.len()
    }

    /// y with the sign of an infinite side set to 0: only finite sides have multipliers.
    pub fn clip_dual(&self, y: &mut [f64]) {
        for (i, y) in y.iter_mut().enumerate() {
            if (*y > 0.0 && self.rows.lower[i] == f64::NEG_INFINITY)
                || (*y < 0.0 && self.rows.upper[i] == f64::INFINITY)
                || y.is_nan()
            {
                *y = 0.0;
            }
        }
    }
}

/// The norm of b, where b holds lc if it is finite and no equation's, and uc if it is finite.
pub fn limit_norm(rows: &Limits) -> f64 {
    let finite = |b: &f64| b.is_finite();
    let lower = rows.lower.iter().zip(&rows.upper).filter(|(l, u)| l != u).map(|(&l, _)| l).filter(finite);
    norm2(&lower.chain(rows.upper.iter().copied().filter(finite)).collect::<Vec<_>>())
}

/// The same matrix with sorted rows, each column once and no zeros.
fn canonical(a: SparseView<'_, f64>) -> Sparse<f64> {
    let sorted = a.transpose().0.view().transpose().0;
    let view = sorted.view();
    let mut out = Sparse { indptr: vec![0], indices: Vec::new(), data: Vec::new(), columns: a.columns() };
    for i in 0..a.rows() {
        let start = out.indices.len();
        let (indices, values) = view.row(i);
        for (&j, &v) in indices.iter().zip(values) {
            if out.indices.len() > start && out.indices.last() == Some(&j) {
                if let Some(last) = out.data.last_mut() {
                    *last += v;
                }
            } else {
                out.indices.push(j);
                out.data.push(v);
            }
        }
        let mut kept = start;
        for k in start..out.indices.len() {
            if out.data[k] != 0.0 {
                (out.indices[kept], out.data[kept]) = (out.indices[k], out.data[k]);
                kept += 1;
            }
        }
        out.indices.truncate(kept);
        out.data.truncate(kept);
        out.indptr.push(kept as i64);
    }
    out
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A dense matrix by rows, for tests.
    pub fn sparse(rows: &[&[f64]]) -> Sparse<f64> {
        let mut a = Sparse {
            indptr: vec![0],
            indices: vec![],
            data: vec![],
            columns: rows.first().map_or(0, |r| r.len()),
        };
        for row in rows {
            for (j, &v) in row.iter().enumerate() {
                if v != 0.0 {
                    a.indices.push(j as i32);
                    a.data.push(v);
                }
            }
            a.indptr.push(a.data.len() as i64);
        }
        a
    }

    /// A problem from dense rows, for tests.
    pub fn problem(c: &[f64], a: &[&[f64]], rows: &[(f64, f64)], columns: &[(f64, f64)]) -> Problem {
        let limits = |pairs: &[(f64, f64)]| Limits {
            lower: pairs.iter().map(|p| p.0).collect(),
            upper: pairs.iter().map(|p| p.1).collect(),
        };
        let mut a = sparse(a);
        a.columns = c.len();
        Problem::new(c.to_vec(), a.view(), limits(rows), limits(columns)).unwrap()
    }

    #[test]
    fn repeated_entries_add_up_and_zeros_go() {
        let (indptr, indices, data) = ([0, 4, 5], [2, 0, 2, 1, 1], [1.0, 2.0, 3.0, 0.0, -0.0]);
        let a = canonical(SparseView::new(&indptr, &indices, &data, 3).unwrap());
        assert_eq!((a.indptr, a.indices, a.data), (vec![0, 2, 2], vec![0, 2], vec![2.0, 4.0]));
    }

    #[test]
    fn wrong_limits_are_named() {
        let told = |l: f64, u: f64| {
            let limits = Limits { lower: vec![0.0, l], upper: vec![0.0, u] };
            limits.check(("lc", "uc"), 2, "A has 2 rows").unwrap_err().to_string()
        };
        assert_eq!(told(2.0, 1.0), "lc[1] = 2.0 > uc[1] = 1.0; expected lc <= uc");
        assert_eq!(told(f64::INFINITY, 1.0), "lc[1] is inf; expected < inf");
        assert_eq!(told(0.0, f64::NAN), "uc[1] is nan; expected > -inf");
    }
}
