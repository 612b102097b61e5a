//! Active-set polish: from a nearly optimal pair to the vertex it points at.
//!
//! At a unique optimum (x, y) with strict complementarity the supports S, T have the same size, and y_T, x_S and the value
//! solve two bordered square systems,
//!
//! ```text
//! [ M_ST  -1 ] [y_T]   [0]        [ M_STᵀ  1 ] [x_S]   [ 0]
//! [ 1ᵀ     0 ] [ v ] = [1]   and  [ -1ᵀ    0 ] [-v ] = [-1]
//! ```
//!
//! the second being the first transposed: one LU for both, refined with residuals in twice the precision. The supports
//! are guessed from how each strategy's weight compares with its slack; the exact gap decides, whatever the guess.

use super::pair::Pair;
use super::problem::{Payoff, Precision};
use crate::base::dense::{DenseError, Lu, Matrix};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sum::Sum;

/// How much to try.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Sizes of the supports to try on either side of the guess.
    pub window: usize,
    /// Times that strategies of negative weight are dropped.
    pub repairs: usize,
}

/// Before the guess is good: a failing try must cost little.
pub const QUICK: Effort = Effort { window: 0, repairs: 2 };
/// Once it should be good.
pub const FULL: Effort = Effort { window: 6, repairs: 6 };

/// A gap of this many units of `2^-52 max|M|` is zero but for rounding.
const ACCEPT: f64 = 64.0;

/// What counts as solved.
pub fn target(largest: f64) -> f64 {
    ACCEPT * f64::EPSILON * largest
}

/// How strongly each strategy's weight outweighs its slack, as a logarithm.
fn indicators(weights: &[f64], slacks: &[f64]) -> Vec<f64> {
    let count = weights.len() as f64;
    let weight = weights.iter().sum::<f64>() / count;
    let slack = slacks.iter().sum::<f64>() / count + f64::MIN_POSITIVE;
    let each = weights.iter().zip(slacks).map(|(x, s)| ((x + 1e-14) / (s / slack * weight + 1e-14)).ln());
    each.collect()
}

/// Indices by falling key, ties in their order.
fn falling(keys: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by(|&a, &b| keys[b].total_cmp(&keys[a]));
    order
}

/// `k0, k0 - 1, k0 + 1, k0 - 2, ...` within `1..=most`.
fn sizes(k0: usize, window: usize, most: usize) -> impl Iterator<Item = usize> {
    let around = (1..=window).flat_map(move |d| [k0.checked_sub(d), Some(k0 + d)].into_iter().flatten());
    std::iter::once(k0).chain(around).filter(move |&k| k >= 1 && k <= most)
}

/// Improves `best` from the pair (x, y), whose products `h = M y` and `g = Mᵀ x` are known; true where the gap is zero
/// but for rounding.
pub fn polish(
    game: &dyn Payoff,
    from: &Pair,
    products: (&[f64], &[f64]),
    effort: Effort,
    best: &mut Pair,
    monitor: &mut Monitor<'_>,
) -> Result<bool, Aborted> {
    let (n, m) = game.shape();
    let target = target(game.largest().unwrap_or(1.0));
    let (h, g) = products;
    let low = h.iter().fold(f64::INFINITY, |a, &b| a.min(b));
    let high = g.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let of_rows = indicators(&from.x, &h.iter().map(|h| h - low).collect::<Vec<_>>());
    let of_columns = indicators(&from.y, &g.iter().map(|g| high - g).collect::<Vec<_>>());
    let positive = |keys: &[f64]| keys.iter().filter(|&&k| k > 0.0).count();
    let guess = (positive(&of_rows) + positive(&of_columns)) / 2;
    let (rows, columns) = (falling(&of_rows), falling(&of_columns));
    let mut trial = Trial { game, target, from, best };
    for k in sizes(guess.clamp(1, n.min(m)), effort.window, n.min(m)) {
        let (mut s, mut t) = (rows[..k].to_vec(), columns[..k].to_vec());
        s.sort_unstable();
        t.sort_unstable();
        match trial.supports(s, t, effort.repairs, monitor)? {
            Verdict::Solved => return Ok(true),
            Verdict::Unknown => return Ok(false),
            Verdict::Failed => {}
        }
    }
    Ok(false)
}

enum Verdict {
    Solved,
    Failed,
    /// Entries are out of reach.
    Unknown,
}

struct Trial<'a> {
    game: &'a dyn Payoff,
    target: f64,
    from: &'a Pair,
    best: &'a mut Pair,
}

impl Trial<'_> {
    /// Tries supports, and what is left of them when strategies of negative weight are dropped.
    fn supports(
        &mut self,
        mut s: Vec<usize>,
        mut t: Vec<usize>,
        repairs: usize,
        monitor: &mut Monitor<'_>,
    ) -> Result<Verdict, Aborted> {
        for _ in 0..repairs {
            let Some(block) = self.game.block(&s, &t) else { return Ok(Verdict::Unknown) };
            let Ok((x, y)) = vertex(&block) else { return Ok(Verdict::Failed) };
            monitor.poll()?;
            let (n, m) = self.game.shape();
            let (Some(wx), Some(wy)) = (spread(&s, &x, n), spread(&t, &y, m)) else {
                return Ok(Verdict::Failed);
            };
            if self.appraise(wx, wy, monitor)? {
                return Ok(Verdict::Solved);
            }
            if monitor.expired() {
                return Ok(Verdict::Failed);
            }
            let kept = |set: &[usize], weights: &[f64]| {
                set.iter().zip(weights).filter(|(_, w)| **w > 0.0).map(|(&i, _)| i).collect::<Vec<_>>()
            };
            let (mut rows, mut columns) = (kept(&s, &x), kept(&t, &y));
            let k = rows.len().min(columns.len());
            if k == 0 || (rows.len() == s.len() && columns.len() == t.len()) {
                return Ok(Verdict::Failed);
            }
            trim(&mut rows, &self.from.x, k);
            trim(&mut columns, &self.from.y, k);
            (s, t) = (rows, columns);
        }
        Ok(Verdict::Failed)
    }

    /// The gap of a candidate, which is kept if it is better.
    fn appraise(&mut self, x: Vec<f64>, y: Vec<f64>, monitor: &mut Monitor<'_>) -> Result<bool, Aborted> {
        let (n, m) = self.game.shape();
        let (mut h, mut g) = (vec![0.0; n], vec![0.0; m]);
        self.game.apply(&y, Precision::Double, &mut h, monitor)?;
        self.game.adjoint(&x, Precision::Double, &mut g, monitor)?;
        let candidate = Pair::new(x, y, &h, &g);
        let solved = candidate.gap <= self.target;
        if candidate.gap < self.best.gap {
            *self.best = candidate;
        }
        Ok(solved)
    }
}

/// The `k` members of largest weight, in ascending order.
fn trim(set: &mut Vec<usize>, weights: &[f64], k: usize) {
    set.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
    set.truncate(k);
    set.sort_unstable();
}

/// The weights at their places, negative ones as 0, scaled to sum 1.
fn spread(set: &[usize], weights: &[f64], count: usize) -> Option<Vec<f64>> {
    let mut out = vec![0.0; count];
    set.iter().zip(weights).for_each(|(&i, w)| out[i] = w.max(0.0));
    let sum: f64 = out.iter().sum();
    if !(sum > 0.0 && sum.is_finite()) {
        return None;
    }
    out.iter_mut().for_each(|w| *w /= sum);
    Some(out)
}

/// Both players' weights on a square block on which all strategies of both pay the same.
fn vertex(block: &Matrix<f64>) -> Result<(Vec<f64>, Vec<f64>), DenseError> {
    let k = block.rows();
    let bordered = Matrix::from_fn(k + 1, k + 1, |i, j| match (i < k, j < k) {
        (true, true) => block.get(i, j),
        (true, false) => -1.0,
        (false, true) => 1.0,
        (false, false) => 0.0,
    });
    let lu = Lu::new(bordered.view())?;
    let right = |last: f64| {
        let mut b = Matrix::zeros(k + 1, 1);
        b.set(k, 0, last);
        b
    };
    let mut y = right(1.0);
    lu.solve(&mut y);
    let mut x = right(-1.0);
    lu.solve_transpose(&mut x);
    // One step of refinement for each: the solutions are then as good as doubles can hold them, unless the block is
    // singular to working precision.
    let mut rest = right(1.0);
    residual_rows(&bordered, y.as_slice(), rest.as_mut_slice());
    lu.solve(&mut rest);
    y.as_mut_slice().iter_mut().zip(rest.as_slice()).for_each(|(y, d)| *y += d);
    let mut rest = right(-1.0);
    residual_columns(&bordered, x.as_slice(), rest.as_mut_slice());
    lu.solve_transpose(&mut rest);
    x.as_mut_slice().iter_mut().zip(rest.as_slice()).for_each(|(x, d)| *x += d);
    let take = |v: Matrix<f64>| v.as_slice()[..k].to_vec();
    Ok((take(x), take(y)))
}

/// `b -= A x`, as if in twice the precision.
fn residual_rows(a: &Matrix<f64>, x: &[f64], b: &mut [f64]) {
    let mut sums: Vec<Sum> = b.iter().map(|&b| Sum::from_parts(b, 0.0)).collect();
    for (j, &x) in x.iter().enumerate() {
        sums.iter_mut().zip(a.column(j)).for_each(|(sum, &a)| sum.add_product(a, -x));
    }
    b.iter_mut().zip(sums).for_each(|(b, sum)| *b = sum.value());
}

/// `b -= Aᵀ x`, as if in twice the precision.
fn residual_columns(a: &Matrix<f64>, x: &[f64], b: &mut [f64]) {
    for (j, b) in b.iter_mut().enumerate() {
        let mut sum = Sum::from_parts(*b, 0.0);
        a.column(j).iter().zip(x).for_each(|(&a, &x)| sum.add_product(a, -x));
        *b = sum.value();
    }
}
