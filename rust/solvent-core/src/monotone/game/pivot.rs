//! From a basis that is nearly optimal to one that is: the parametric self-dual simplex method on a small tableau.
//!
//! A basis is a pair of supports (S, T) of equal size. Solved for its basic variables, the game reads
//!
//! ```text
//! primal   b_c = p_c - Σ_r τ_rc n_r,    b: x_i for i in S, s_j for j not in T;   n: x_i for i not in S, s_j for j in T
//! dual     b'_r = d_r + Σ_c τ_rc n'_c,  b': z_i for i not in S, y_j for j in T;  n': z_i for i in S, y_j for j not in T
//! ```
//!
//! with z = My - u, s = v - Mᵀx. Exchanging a row and a column of τ is one pivot, whether it adds to both supports, takes
//! from both, or swaps within one. The basis is optimal for p + λ p¹ and d + λ d¹ at λ = 1, where p¹, d¹ >= 0 lift what
//! is negative; λ then falls, and each time a basic variable reaches 0 one pivot keeps the basis optimal (Dantzig 1963,
//! sect. 11.3; Vanderbei, Linear Programming, ch. 7). At λ = 0 it is optimal for the game.
//!
//! Few strategies are in doubt once a first-order or interior point method is close. Only their rows and columns are kept:
//! a few hundred at most, so that a pivot costs microseconds. The caller judges the outcome on the whole game.

use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::rng::Philox;
use solvent_simd::{Kernel, Simd, dispatch};

/// A strategy of one of the players.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// The row player's.
    Row(usize),
    /// The column player's.
    Column(usize),
}

/// Entries below this share of the largest in their line are no pivots.
const TINY: f64 = 1e-9;
/// Weights and slacks above minus this are zero but for rounding; payoffs are near 1.
const NOISE: f64 = 1e-13;
/// By how much more than needed what is negative is lifted, at random, so that no two reach 0 at once; and what is not,
/// as a share of the mean.
const LIFT: (f64, f64) = (1.0, 1e-5);

/// The tableau of the strategies in doubt.
pub struct Tableau {
    /// τ, row by row.
    pub entries: Vec<f64>,
    /// Whose variables the rows hold: primal nonbasic, dual basic.
    pub rows: Vec<Strategy>,
    /// Whose variables the columns hold: primal basic, dual nonbasic.
    pub columns: Vec<Strategy>,
    /// Values of the primal basic variables.
    pub primal: Vec<f64>,
    /// Values of the dual basic variables.
    pub dual: Vec<f64>,
}

/// Values as functions of λ: `at + λ slope`.
struct Line {
    at: Vec<f64>,
    slope: Vec<f64>,
}

impl Line {
    fn lifted(mut at: Vec<f64>, rng: &mut Philox) -> Self {
        // What is negative by rounding is 0.
        at.iter_mut().filter(|x| **x < 0.0 && **x > -NOISE).for_each(|x| *x = 0.0);
        let mean = (at.iter().map(|x| x.abs()).sum::<f64>() / at.len().max(1) as f64).max(1e-6);
        let lift = |x: &f64| (-x).max(0.0) * (1.0 + LIFT.0 * rng.uniform()) + mean * LIFT.1 * rng.uniform();
        let slope = at.iter().map(lift).collect();
        Self { at, slope }
    }

    fn value(&self, k: usize, lambda: f64) -> f64 {
        self.at[k] + lambda * self.slope[k]
    }

    /// Which reaches 0 first as λ falls, and where.
    fn first(&self) -> (f64, usize) {
        let mut best = (0.0, usize::MAX);
        for (k, (at, slope)) in self.at.iter().zip(&self.slope).enumerate() {
            if *at < 0.0 && *slope > 0.0 && -at / slope > best.0 {
                best = (-at / slope, k);
            }
        }
        best
    }
}

impl Tableau {
    /// Pivots to the optimal basis; true where it was reached. Labels tell which that is.
    pub fn solve(&mut self, limit: usize, monitor: &mut Monitor<'_>) -> Result<bool, Aborted> {
        let mut rng = Philox::new(0, 0x7069766f, 0);
        let mut primal = Line::lifted(std::mem::take(&mut self.primal), &mut rng);
        let mut dual = Line::lifted(std::mem::take(&mut self.dual), &mut rng);
        for _ in 0..limit {
            let ((of_primal, c), (of_dual, r)) = (primal.first(), dual.first());
            if of_primal.max(of_dual) <= 0.0 {
                return Ok(true);
            }
            let chosen = if of_primal >= of_dual {
                // A primal variable leaves; the dual ones must stay: rows that fall, the one that reaches 0 first.
                let line: Vec<f64> = (0..self.rows.len()).map(|r| -self.entry(r, c)).collect();
                ratio(&line, &dual, of_primal).map(|r| (r, c))
            } else {
                let line = self.row(r).to_vec();
                ratio(&line, &primal, of_dual).map(|c| (r, c))
            };
            let Some((r, c)) = chosen else { return Ok(false) };
            self.exchange(r, c, &mut primal, &mut dual);
            monitor.poll()?;
            if monitor.expired() {
                return Ok(false);
            }
        }
        Ok(false)
    }

    fn entry(&self, r: usize, c: usize) -> f64 {
        self.entries[r * self.columns.len() + c]
    }

    fn row(&self, r: usize) -> &[f64] {
        &self.entries[r * self.columns.len()..(r + 1) * self.columns.len()]
    }

    /// The pivot at (r, c).
    fn exchange(&mut self, r: usize, c: usize, primal: &mut Line, dual: &mut Line) {
        let width = self.columns.len();
        let inverse = 1.0 / self.entry(r, c);
        let row: Vec<f64> = self.row(r).iter().map(|x| x * inverse).collect();
        let column: Vec<f64> = (0..self.rows.len()).map(|k| self.entry(k, c)).collect();
        dispatch(Eliminate { entries: &mut self.entries, row: &row, column: &column });
        for (k, x) in column.iter().enumerate() {
            self.entries[k * width + c] = x * inverse;
        }
        for (x, scaled) in self.entries[r * width..(r + 1) * width].iter_mut().zip(&row) {
            *x = -scaled;
        }
        self.entries[r * width + c] = inverse;
        for values in [&mut primal.at, &mut primal.slope] {
            let own = values[c];
            values.iter_mut().zip(&row).for_each(|(x, share)| *x -= share * own);
            values[c] = own * inverse;
        }
        for values in [&mut dual.at, &mut dual.slope] {
            let own = values[r] * inverse;
            values.iter_mut().zip(&column).for_each(|(x, share)| *x -= share * own);
            values[r] = -own;
        }
        std::mem::swap(&mut self.rows[r], &mut self.columns[c]);
    }
}

/// Among the entries of a line that make a value fall, the one that reaches 0 first; of those that do so at almost the
/// same time the largest (Harris 1973): small pivots lose digits.
fn ratio(line: &[f64], values: &Line, lambda: f64) -> Option<usize> {
    let largest = line.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    let least = TINY * largest;
    let mean = values.at.iter().map(|x| x.abs()).sum::<f64>() / values.at.len().max(1) as f64;
    let slack = 1e-10 * mean;
    let falling = || line.iter().enumerate().filter(|(_, x)| **x > least);
    let reach = |k: usize, x: f64, slack: f64| (values.value(k, lambda).max(0.0) + slack) / x;
    let nearest = falling().fold(f64::INFINITY, |m: f64, (k, &x)| m.min(reach(k, x, slack)));
    falling().filter(|&(k, &x)| reach(k, x, 0.0) <= nearest).max_by(|a, b| a.1.total_cmp(b.1)).map(|(k, _)| k)
}

/// `entries_rc -= column_r row_c`.
struct Eliminate<'a> {
    entries: &'a mut [f64],
    row: &'a [f64],
    column: &'a [f64],
}

impl Kernel for Eliminate<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        for (line, &factor) in self.entries.chunks_exact_mut(self.row.len()).zip(self.column) {
            if factor != 0.0 {
                for c in 0..self.row.len() {
                    line[c] -= factor * self.row[c];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::monitor::{Budget, Silent};

    /// A game with positive payoffs as a tableau that is feasible from the start: x >= 0, Mᵀx >= 1 with 1ᵀx least.
    #[test]
    fn a_covering_program_is_solved_from_its_slack_basis() {
        // min 1ᵀx, Mᵀx >= 1: s = -1 + Mᵀx, so p = -1, τ = -M; duals z = 1 - My, d = 1. Value of the game: 1/1ᵀx.
        let m = [[3.0, 1.0], [1.0, 2.0]];
        let mut tableau = Tableau {
            entries: m.iter().flatten().map(|x| -x).collect(),
            rows: vec![Strategy::Row(0), Strategy::Row(1)],
            columns: vec![Strategy::Column(0), Strategy::Column(1)],
            primal: vec![-1.0, -1.0],
            dual: vec![1.0, 1.0],
        };
        let mut silent = Silent;
        let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut silent, &[]);
        assert_eq!(tableau.solve(20, &mut monitor), Ok(true));
        // x = (1/5, 2/5): both of the row player's strategies are basic now.
        assert!(tableau.columns.iter().all(|s| matches!(s, Strategy::Row(_))));
        assert!(tableau.rows.iter().all(|s| matches!(s, Strategy::Column(_))));
    }

    #[test]
    fn two_exchanges_at_the_same_place_cancel() {
        let entries = vec![2.0, -1.0, 0.5, 3.0, 1.0, -2.0];
        let mut tableau = Tableau {
            entries: entries.clone(),
            rows: vec![Strategy::Row(0), Strategy::Row(1)],
            columns: vec![Strategy::Column(0), Strategy::Column(1), Strategy::Column(2)],
            primal: Vec::new(),
            dual: Vec::new(),
        };
        let mut primal = Line { at: vec![1.0, 2.0, 3.0], slope: vec![0.5, 0.0, 1.0] };
        let mut dual = Line { at: vec![-1.0, 4.0], slope: vec![2.0, 0.0] };
        tableau.exchange(1, 2, &mut primal, &mut dual);
        assert_eq!(tableau.columns[2], Strategy::Row(1));
        tableau.exchange(1, 2, &mut primal, &mut dual);
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-14);
        assert!(close(&tableau.entries, &entries) && close(&primal.at, &[1.0, 2.0, 3.0]));
        assert!(close(&dual.at, &[-1.0, 4.0]) && close(&dual.slope, &[2.0, 0.0]));
    }
}
