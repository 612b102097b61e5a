//! Reductions that cost little and whose solutions are undone exactly: empty and singleton rows, fixed and dominated
//! columns by the sign of their cost, doubleton equations.
//!
//! Each reduction leaves a [`Reduction`] on a stack; [`postsolve`](super::postsolve) undoes them in reverse. The answer is
//! judged on the original data only, so that rounding here can make a bound larger, never wrong.

use super::postsolve::{DroppedRow, Reduction};
use super::problem::{Limits, Problem};
use crate::base::sparse::Sparse;
use crate::base::sum::Sum;
use std::sync::Arc;

/// Rounds at most.
const ROUNDS: usize = 20;
/// A doubleton's column is substituted if it has at most this many entries,
const FILL: usize = 8;
/// and if the coefficients' ratio is not above this.
const RATIO: f64 = 1e3;
/// Limits that cross by less, in units of the last place of what they were computed from, cross by rounding.
const SLACK: f64 = 64.0 * f64::EPSILON;

/// What presolve came to.
#[derive(Debug)]
pub enum Verdict {
    /// A problem with the same optimum.
    Reduced,
    /// Multipliers of the rows and reduced costs that contradict feasibility, at the present level of the reduction.
    Infeasible {
        /// Row and multiplier.
        row: (usize, f64),
        /// Columns with their −Aᵀy.
        costs: Vec<(usize, f64)>,
    },
    /// A column and a sign along which the objective falls for ever.
    Unbounded {
        /// The column.
        column: usize,
        /// The sign.
        sign: f64,
    },
}

/// A problem that is being reduced.
#[derive(Debug)]
pub struct Presolve {
    c: Vec<f64>,
    rows: Vec<Vec<(usize, f64)>>,
    columns: Vec<Vec<(usize, f64)>>,
    row_limits: Limits,
    bounds: Limits,
    offset: Sum,
    row_alive: Vec<bool>,
    column_alive: Vec<bool>,
    row_count: Vec<usize>,
    column_count: Vec<usize>,
    /// Sizes of the numbers that each row's limits were computed from.
    magnitude: Vec<f64>,
    /// What was done.
    pub stack: Vec<Reduction>,
}

impl Presolve {
    /// Reduces until nothing changes.
    pub fn run(problem: &Problem) -> (Self, Verdict) {
        let list = |a: &Sparse<f64>| -> Vec<Vec<(usize, f64)>> {
            let view = a.view();
            let row = |i| view.row(i).0.iter().map(|&j| j as usize).zip(view.row(i).1.iter().copied());
            (0..view.rows()).map(|i| row(i).collect()).collect()
        };
        let (rows, columns) = (list(&problem.a), list(&problem.at));
        let size = |l: &f64, u: &f64| [l, u].iter().filter(|v| v.is_finite()).map(|v| v.abs()).sum::<f64>();
        let limits = &problem.rows;
        let mut it = Self {
            c: problem.c.clone(),
            row_count: rows.iter().map(Vec::len).collect(),
            column_count: columns.iter().map(Vec::len).collect(),
            row_alive: vec![true; rows.len()],
            column_alive: vec![true; columns.len()],
            magnitude: limits.lower.iter().zip(&limits.upper).map(|(l, u)| size(l, u)).collect(),
            rows,
            columns,
            row_limits: problem.rows.clone(),
            bounds: problem.columns.clone(),
            offset: Sum::new(),
            stack: Vec::new(),
        };
        for _ in 0..ROUNDS {
            let done = it.stack.len();
            let removed = it.row_alive.iter().filter(|alive| !**alive).count();
            if let Err(verdict) = it.round() {
                return (it, verdict);
            }
            let now = it.row_alive.iter().filter(|alive| !**alive).count();
            if it.stack.len() == done && now == removed {
                break;
            }
        }
        (it, Verdict::Reduced)
    }

    fn round(&mut self) -> Result<(), Verdict> {
        for i in 0..self.rows.len() {
            if !self.row_alive[i] {
                continue;
            }
            match self.row_count[i] {
                0 => self.empty_row(i)?,
                1 => self.singleton_row(i)?,
                2 if self.row_limits.lower[i] == self.row_limits.upper[i] => self.doubleton(i)?,
                _ => {}
            }
        }
        for j in 0..self.columns.len() {
            if self.column_alive[j] {
                self.column(j)?;
            }
        }
        Ok(())
    }

    /// The entries of a row whose columns are left.
    fn row(&self, i: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        self.rows[i].iter().copied().filter(|&(j, v)| self.column_alive[j] && v != 0.0)
    }

    /// The entries of a column whose rows are left.
    fn entries(&self, j: usize) -> Vec<(usize, f64)> {
        self.columns[j].iter().copied().filter(|&(i, v)| self.row_alive[i] && v != 0.0).collect()
    }

    fn drop_row(&mut self, i: usize) {
        self.row_alive[i] = false;
        for k in 0..self.rows[i].len() {
            let (j, v) = self.rows[i][k];
            if v != 0.0 {
                self.column_count[j] -= 1;
            }
        }
    }

    fn empty_row(&mut self, i: usize) -> Result<(), Verdict> {
        let (lower, upper) = (self.row_limits.lower[i], self.row_limits.upper[i]);
        let slack = SLACK * self.magnitude[i];
        if lower > slack || upper < -slack {
            return Err(Verdict::Infeasible {
                row: (i, if lower > slack { 1.0 } else { -1.0 }),
                costs: vec![],
            });
        }
        self.drop_row(i);
        Ok(())
    }

    fn singleton_row(&mut self, i: usize) -> Result<(), Verdict> {
        let Some((j, a)) = self.row(i).next() else { return Ok(()) };
        let (lc, uc) = (self.row_limits.lower[i], self.row_limits.upper[i]);
        let (mut lower, mut upper) = if a > 0.0 { (lc / a, uc / a) } else { (uc / a, lc / a) };
        if lc < uc {
            // Outward, unless the quotient is exact.
            let exact = |limit: f64, quotient: f64| quotient.mul_add(a, -limit) == 0.0;
            let (low, high) = if a > 0.0 { (lc, uc) } else { (uc, lc) };
            if lower.is_finite() && !exact(low, lower) {
                lower = lower.next_down();
            }
            if upper.is_finite() && !exact(high, upper) {
                upper = upper.next_up();
            }
        }
        let rounding = SLACK * (self.magnitude[i] / a.abs());
        let sides = self.tighten(j, lower, upper, rounding).map_err(|side| Verdict::Infeasible {
            // Beyond the upper bound the row pulls up: a y > 0.
            row: (i, side * a.signum()),
            costs: vec![(j, -side * a.abs())],
        })?;
        self.stack.push(Reduction::SingletonRow { row: i, column: j, a, sides });
        self.drop_row(i);
        Ok(())
    }

    /// Intersects the bounds of a column; says which sides moved. The error is +1 where the new lower limit lies above the
    /// upper bound by more than rounding, −1 where the new upper one lies below the lower.
    fn tighten(&mut self, j: usize, lower: f64, upper: f64, rounding: f64) -> Result<(bool, bool), f64> {
        let (l, u) = (self.bounds.lower[j], self.bounds.upper[j]);
        let slack = |v: f64, w: f64| rounding + SLACK * v.abs().max(w.abs());
        if lower > u && lower - u > slack(lower, u) {
            return Err(1.0);
        }
        if upper < l && l - upper > slack(upper, l) {
            return Err(-1.0);
        }
        let moved = (lower > l, upper < u);
        let (low, high) = (l.max(lower.min(u)), u.min(upper.max(l)));
        (self.bounds.lower[j], self.bounds.upper[j]) = (low.min(high), high.max(low));
        Ok(moved)
    }

    fn column(&mut self, j: usize) -> Result<(), Verdict> {
        let (lower, upper, c) = (self.bounds.lower[j], self.bounds.upper[j], self.c[j]);
        if lower == upper {
            self.fix(j, lower);
            return Ok(());
        }
        // Whether a smaller (larger) x_j can violate a row.
        let (mut down, mut up) = (true, true);
        for &(i, a) in self.columns[j].iter().filter(|&&(i, a)| self.row_alive[i] && a != 0.0) {
            let (finite_low, finite_up) =
                (self.row_limits.lower[i].is_finite(), self.row_limits.upper[i].is_finite());
            let (hit_down, hit_up) = if a > 0.0 { (finite_low, finite_up) } else { (finite_up, finite_low) };
            down &= !hit_down;
            up &= !hit_up;
            if !down && !up {
                return Ok(());
            }
        }
        for (free, sign, bound) in [(down, -1.0, lower), (up, 1.0, upper)] {
            if !free || c * sign > 0.0 {
                continue;
            }
            if c == 0.0 && down && up {
                self.fix(j, self.bounds.clip(j, 0.0));
            } else if bound.is_finite() {
                self.fix(j, bound);
            } else if c != 0.0 {
                return Err(Verdict::Unbounded { column: j, sign });
            } else {
                self.drop_with_rows(j);
            }
            return Ok(());
        }
        Ok(())
    }

    fn fix(&mut self, j: usize, value: f64) {
        let entries = self.entries(j);
        for &(i, a) in &entries {
            let shift = a * value;
            self.row_limits.lower[i] -= shift;
            self.row_limits.upper[i] -= shift;
            self.magnitude[i] += shift.abs();
            self.row_count[i] -= 1;
        }
        self.offset.add_product(self.c[j], value);
        self.column_alive[j] = false;
        self.stack.push(Reduction::FixedColumn { column: j, value, c: self.c[j], entries });
    }

    /// A column without cost that can satisfy all its rows by going far enough.
    fn drop_with_rows(&mut self, j: usize) {
        let entries = self.entries(j);
        let rows = entries
            .iter()
            .map(|&(i, a)| {
                let others = self.row(i).filter(|&(k, _)| k != j).collect();
                let limits = (self.row_limits.lower[i], self.row_limits.upper[i]);
                DroppedRow { a, limits, others }
            })
            .collect();
        for &(i, _) in &entries {
            self.drop_row(i);
        }
        self.column_alive[j] = false;
        let bounds = (self.bounds.lower[j], self.bounds.upper[j]);
        self.stack.push(Reduction::FreeColumn { column: j, bounds, rows });
    }

    /// a x_j + b x_k = d: x_j is substituted.
    fn doubleton(&mut self, i: usize) -> Result<(), Verdict> {
        let pair: Vec<_> = self.row(i).collect();
        let &[first, second] = pair.as_slice() else { return Ok(()) };
        let ((j, a), (k, b)) = if self.column_count[first.0] <= self.column_count[second.0] {
            (first, second)
        } else {
            (second, first)
        };
        let ratio = (a / b).abs();
        if self.column_count[j] > FILL || !(1.0 / RATIO..=RATIO).contains(&ratio) {
            return Ok(());
        }
        let d = self.row_limits.lower[i];
        let (lj, uj) = (self.bounds.lower[j], self.bounds.upper[j]);
        let image = |v: f64| if v.is_finite() { (d - a * v) / b } else { -v * (a / b).signum() };
        let (lower, upper) = if a / b > 0.0 { (image(uj), image(lj)) } else { (image(lj), image(uj)) };
        let finite = |v: f64| if v.is_finite() { v.abs() } else { 0.0 };
        let rounding = SLACK * (self.magnitude[i] + a.abs() * finite(lj).max(finite(uj))) / b.abs();
        let sides = self.tighten(k, lower, upper, rounding).map_err(|side| {
            let y = side * b.signum();
            Verdict::Infeasible { row: (i, y), costs: vec![(j, -a * y), (k, -b * y)] }
        })?;
        let entries: Vec<_> = self.entries(j).into_iter().filter(|&(row, _)| row != i).collect();
        let cost = self.c[j];
        self.stack.push(Reduction::Doubleton {
            row: i,
            columns: (j, k),
            coefficients: (a, b),
            d,
            c: cost,
            bounds: (lj, uj),
            entries: entries.clone(),
            sides,
        });
        self.drop_row(i);
        self.column_alive[j] = false;
        for (row, e) in entries {
            let shift = e * d / a;
            self.row_limits.lower[row] -= shift;
            self.row_limits.upper[row] -= shift;
            self.magnitude[row] += shift.abs();
            self.row_count[row] -= 1;
            self.add_entry(row, k, -e * b / a);
        }
        self.c[k] -= cost * b / a;
        self.offset.add(cost * d / a);
        Ok(())
    }

    fn add_entry(&mut self, i: usize, k: usize, v: f64) {
        let in_row = self.rows[i].iter().position(|&(column, old)| column == k && old != 0.0);
        let in_column = self.columns[k].iter().position(|&(row, old)| row == i && old != 0.0);
        if let (Some(p), Some(q)) = (in_row, in_column) {
            let old = self.rows[i][p].1;
            let sum = old + v;
            // What is left of a cancellation is rounding.
            let sum = if sum.abs() <= 8.0 * f64::EPSILON * old.abs() { 0.0 } else { sum };
            self.rows[i][p].1 = sum;
            self.columns[k][q].1 = sum;
            if sum == 0.0 {
                self.row_count[i] -= 1;
                self.column_count[k] -= 1;
            }
        } else {
            self.rows[i].push((k, v));
            self.columns[k].push((i, v));
            self.row_count[i] += 1;
            self.column_count[k] += 1;
        }
    }

    /// What is left, with the numbers of its rows and columns in the original.
    pub fn reduced(&self, problem: &Problem) -> (Problem, Vec<usize>, Vec<usize>) {
        let left = |alive: &[bool]| (0..alive.len()).filter(|&i| alive[i]).collect::<Vec<_>>();
        let (rows, columns) = (left(&self.row_alive), left(&self.column_alive));
        let mut place = vec![0; self.columns.len()];
        columns.iter().enumerate().for_each(|(p, &j)| place[j] = p);
        let mut a = Sparse { indptr: vec![0], indices: vec![], data: vec![], columns: columns.len() };
        for &i in &rows {
            let mut row: Vec<_> = self.row(i).map(|(j, v)| (place[j], v)).collect();
            row.sort_unstable_by_key(|&(j, _)| j);
            a.indices.extend(row.iter().map(|&(j, _)| j as i32));
            a.data.extend(row.iter().map(|&(_, v)| v));
            a.indptr.push(a.data.len() as i64);
        }
        let pick = |x: &[f64], which: &[usize]| which.iter().map(|&i| x[i]).collect::<Vec<_>>();
        let limits = |of: &Limits, which: &[usize]| Limits {
            lower: pick(&of.lower, which),
            upper: pick(&of.upper, which),
        };
        let (at, _) = a.view().transpose();
        let reduced = Problem {
            c: pick(&self.c, &columns),
            at: Arc::new(at),
            rows: limits(&self.row_limits, &rows),
            columns: limits(&self.bounds, &columns),
            a: Arc::new(a),
            offset: problem.offset + self.offset.value(),
            // Judged as the original will be.
            primal_scale: problem.primal_scale,
            dual_scale: problem.dual_scale,
        };
        (reduced, rows, columns)
    }
}
