//! What a coupling and a pair (alpha, beta) prove.
//!
//! For every alpha and every beta = -theta, D(alpha) is at least
//!
//! `lower = <alpha, a> - sum_j [ theta_j b_j + sum_{k best i} ((s_ij - theta_j)_+)^2 / (2 gamma) ]`,  `s_ij = alpha_i - C_ij`,
//!
//! because theta_j is a multiplier of the column's sum (scalar duality of the projection); hence `lower` bounds the value
//! of every coupling with at most k nonzeros a column. The coupling at hand may miss its row sums: then the difference of
//! its value and `lower` proves no gap, and the bound is an estimate (`rigorous` is false) that counts both.
//!
//! Rounding, u = 2^-53. `s` is rounded once, monotonically: it never falls on the other side of theta, and picks the best
//! k up to entries that differ by 2 u|s|. With `t = (s - theta)_+ / gamma` a term is off by `t u|s|` from the rounding
//! of s, by as much from the choice, by `(u|s|)^2 / (2 gamma)` where s = theta after rounding, and by 5u of itself from
//! difference, square and quotient. Products with weights are exact in the compensated sum; `b` carries 3u (its
//! total and the factor) and the sum 2u. The allowance is `8u (sum |alpha| a + sum |beta| b + sum of the squares) +
//! 4u sum t|s| + k m (2u max|beta|)^2 / gamma`.

use solvent_simd::dispatch;

use super::plan::Plan;
use super::problem::Problem;
use super::topk::{Collector, Scan, WIDTH};
use crate::base::certificate::{Certificate, Kind};
use crate::base::monitor::Monitor;
use crate::base::sum::Sum;
use crate::ot::OtError;
use crate::ot::entry::Entry;

const U: f64 = 0.5 * f64::EPSILON;

/// The certificate, and the numbers that are shown beside it.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// Of the coupling and the pair together.
    pub certificate: Certificate,
    /// `<T, C> + gamma/2 |T|^2`.
    pub value: f64,
    /// Rigorous lower bound of the optimum.
    pub lower: f64,
    /// `|T 1 - a|_1`.
    pub row_error: f64,
}

/// A block's part of the lower bound.
#[derive(Debug, Clone, Copy, Default)]
struct Squares {
    sum: Sum,
    /// sum t|s|.
    moved: f64,
}

/// One pass over the cost.
pub fn certify<T: Entry>(
    problem: &Problem<'_, T>,
    plan: &Plan,
    alpha: &[f64],
    beta: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<Judgement, OtError> {
    let (n, m, k, gamma) = (problem.rows(), problem.columns(), problem.max_nnz, problem.gamma);
    let mut scored = alpha.to_vec();
    scored.iter_mut().zip(problem.a).filter(|(_, a)| **a == 0.0).for_each(|(s, _)| *s = f64::NEG_INFINITY);
    let squares = monitor.map_blocks(m, WIDTH, |columns| {
        // A score equal to theta contributes nothing.
        let start: Vec<f64> = columns.clone().map(|j| (-beta[j]).next_up().max(f64::MIN)).collect();
        let mut collector = Collector::new(k, &start);
        dispatch(Scan {
            cost: &problem.cost,
            first: columns.start,
            alpha: &scored,
            collector: &mut collector,
        });
        let mut part = Squares::default();
        for (j, (arcs, _)) in columns.zip(collector.finish()) {
            if problem.b[j] == 0.0 {
                continue;
            }
            for arc in arcs {
                let excess = arc.score + beta[j];
                part.sum.add(excess * excess / (2.0 * gamma));
                part.moved += excess / gamma * arc.score.abs();
            }
        }
        part
    })?;
    let (mut lower, mut sizes, mut moved) = (Sum::new(), Sum::new(), 0.0);
    for part in squares {
        lower.add(-part.sum.value());
        sizes.add(part.sum.value());
        moved += part.moved;
    }
    for (&alpha, &a) in alpha.iter().zip(problem.a).filter(|(_, a)| **a > 0.0) {
        lower.add_product(alpha, a);
        sizes.add((alpha * a).abs());
    }
    let mut largest = 0.0f64;
    for (&beta, &b) in beta.iter().zip(&problem.b).filter(|(_, b)| **b > 0.0) {
        lower.add_product(beta, b);
        sizes.add((beta * b).abs());
        largest = largest.max(beta.abs());
    }
    let tiny = 2.0 * U * largest;
    let allowance = 8.0 * U * sizes.value() + 4.0 * U * moved + (k * m) as f64 * tiny * tiny / gamma;
    let lower = lower.value() - allowance;

    let Sums { value, rows, columns, allowed } = sums(problem, plan, n);
    let row_error = rows;
    let distance = (value - lower).abs() / problem.scale;
    // Not max(): a nan must come through.
    let error = row_error + columns;
    let worst = if error > distance { error } else { distance };
    let bound = if allowed { worst / problem.mass } else { f64::INFINITY };
    let certificate = Certificate::new(Kind::DualityGap, if bound.is_nan() { f64::INFINITY } else { bound })
        .estimate()
        .part("lower", lower)
        .part("value", value)
        .part("row_error", row_error)
        .part("column_error", columns)
        .part("rounding_allowance", allowance)
        .part("sum_a", problem.mass)
        .part("sum_b", problem.given_b);
    Ok(Judgement { certificate, value, lower, row_error })
}

/// What the coupling adds up to.
struct Sums {
    value: f64,
    rows: f64,
    columns: f64,
    /// No negative mass, and no more entries than a column may have.
    allowed: bool,
}

fn sums<T: Entry>(problem: &Problem<'_, T>, plan: &Plan, n: usize) -> Sums {
    let mut rows = vec![Sum::new(); n];
    let (mut value, mut columns, mut allowed) = (Sum::new(), Sum::new(), true);
    for (j, &b) in problem.b.iter().enumerate() {
        let mut column = Sum::new();
        allowed &= plan.column(j).filter(|&(_, mass)| mass != 0.0).count() <= problem.max_nnz;
        for (i, mass) in plan.column(j) {
            allowed &= mass >= 0.0;
            rows[i].add(mass);
            column.add(mass);
            if mass > 0.0 {
                value.add_product(mass, problem.cost.get(i, j));
                value.add_product(0.5 * problem.gamma * mass, mass);
            }
        }
        column.add(-b);
        columns.add(column.value().abs());
    }
    let missed = rows.iter_mut().zip(problem.a).map(|(row, &a)| {
        row.add(-a);
        row.value().abs()
    });
    let rows = missed.collect::<Sum>().value();
    Sums { value: value.value(), rows, columns: columns.value(), allowed }
}
