//! Diagonal scaling: Ruiz's iteration, then one pass of Pock and Chambolle's, then one number each for limits and costs.
//!
//! The scaled matrix is A_ij / (e_i d_j). After the last pass its row and column 1-norms multiply to at most 1, so that
//! its largest singular value is at most 1 (Pock & Chambolle, ICCV 2011, lemma 2 with alpha = 1).
//!
//! Ruiz's iteration ends where each row and column has an entry of size 1, and there are many such scalings: which one it
//! finds depends on the units that the data came in. Where entries span many decades they are first brought near to 1 in
//! the sense of least squares of their logarithms (A. R. Curtis & J. K. Reid, J. Inst. Math. Appl. 10 (1972) 118), which
//! is one scaling whatever the units.

use super::problem::{Limits, Problem, limit_norm};
use crate::base::sparse::SparseView;
use crate::base::sum::norm2;

/// Ruiz passes.
const PASSES: usize = 10;
/// Ratio of the largest entry to the smallest from which on logarithms are levelled first, and passes over them.
const WIDE: f64 = 1e8;
const LEVELLING: usize = 20;

/// The factors: x = x_s / (d cs), y = y_s / (e os).
#[derive(Debug, Clone)]
pub struct Scaling {
    /// Of rows.
    pub e: Vec<f64>,
    /// Of columns.
    pub d: Vec<f64>,
}

/// The factors of one problem's limits and costs.
#[derive(Debug, Clone, Copy)]
pub struct Factors {
    /// Of row limits and bounds.
    pub limits: f64,
    /// Of costs.
    pub costs: f64,
}

impl Scaling {
    /// The factors of the rows and columns of A.
    pub fn new(problem: &Problem) -> Self {
        let (m, n) = (problem.m(), problem.n());
        let mut scaling = Self { e: vec![1.0; m], d: vec![1.0; n] };
        let sizes = || problem.a.data.iter().map(|v| v.abs()).filter(|v| *v > 0.0);
        if sizes().fold(0.0, f64::max) > WIDE * sizes().fold(f64::INFINITY, f64::min) {
            scaling.level(problem);
        }
        for _ in 0..PASSES {
            scaling.divide(problem, f64::max);
        }
        scaling.divide(problem, |total, entry| total + entry);
        scaling
    }

    /// Divides rows and columns by the geometric means of what the others leave, in turn.
    fn level(&mut self, problem: &Problem) {
        let mean = |view: SparseView<'_, f64>, i: usize, others: &[f64]| {
            let (indices, values) = view.row(i);
            let logs = indices.iter().zip(values).filter(|(_, v)| **v != 0.0);
            let (sum, count) =
                logs.fold((0.0, 0.0), |(s, k), (&j, v)| (s + v.abs().ln() - others[j as usize], k + 1.0));
            if count > 0.0 { sum / count } else { 0.0 }
        };
        let (mut rows, mut columns) = (vec![0.0; self.e.len()], vec![0.0; self.d.len()]);
        for _ in 0..LEVELLING {
            rows = (0..rows.len()).map(|i| mean(problem.a.view(), i, &columns)).collect();
            columns = (0..columns.len()).map(|j| mean(problem.at.view(), j, &rows)).collect();
        }
        self.e = rows.iter().map(|v| v.exp()).collect();
        self.d = columns.iter().map(|v| v.exp()).collect();
    }

    /// Divides rows and columns by the roots of their norms, both of the same matrix.
    fn divide(&mut self, problem: &Problem, norm: impl Fn(f64, f64) -> f64) {
        let a = problem.a.view();
        let (mut rows, mut columns) = (vec![0.0; self.e.len()], vec![0.0; self.d.len()]);
        for i in 0..a.rows() {
            let (indices, values) = a.row(i);
            for (&j, v) in indices.iter().zip(values) {
                let entry = (v / self.e[i] / self.d[j as usize]).abs();
                rows[i] = norm(rows[i], entry);
                columns[j as usize] = norm(columns[j as usize], entry);
            }
        }
        for (factors, norms) in [(&mut self.e, rows), (&mut self.d, columns)] {
            for (factor, norm) in factors.iter_mut().zip(norms) {
                if norm > 0.0 && norm.is_finite() {
                    *factor *= norm.sqrt();
                }
            }
        }
    }

    /// Costs and limits of the scaled problem, and their factors.
    pub fn apply(&self, problem: &Problem) -> (Vec<f64>, Limits, Limits, Factors) {
        let over = |x: &[f64], by: &[f64]| x.iter().zip(by).map(|(x, by)| x / by).collect::<Vec<_>>();
        let times = |x: &[f64], by: &[f64]| x.iter().zip(by).map(|(x, by)| x * by).collect::<Vec<_>>();
        let mut c = over(&problem.c, &self.d);
        let mut rows =
            Limits { lower: over(&problem.rows.lower, &self.e), upper: over(&problem.rows.upper, &self.e) };
        let mut columns = Limits {
            lower: times(&problem.columns.lower, &self.d),
            upper: times(&problem.columns.upper, &self.d),
        };
        let factors = Factors { limits: 1.0 / (1.0 + limit_norm(&rows)), costs: 1.0 / (1.0 + norm2(&c)) };
        c.iter_mut().for_each(|v| *v *= factors.costs);
        for side in [&mut rows.lower, &mut rows.upper, &mut columns.lower, &mut columns.upper] {
            side.iter_mut().for_each(|v| *v *= factors.limits);
        }
        (c, rows, columns, factors)
    }
}
