//! From a nearly optimal pair to a vertex: the exact solution, but for rounding.
//!
//! 1. The supports are guessed from how each strategy's weight compares with its slack, and the square block that they
//!    span is solved ([`basis`](super::basis)). Near a unique optimum that is all.
//! 2. Where weights or slacks come out negative, the strategies in doubt are sorted out by pivots
//!    ([`pivot`](super::pivot)). At a gap of 1e-4 a few dozen of a thousand strategies are in doubt; where the optimum is
//!    not unique and the block singular, a regular part of it is the start.
//! 3. The gap of what comes out is computed on the whole game, and decides. Strategies that were left out and turn out
//!    to matter are taken in, and 2 is repeated.

use super::basis::{Basis, independent};
use super::pair::{Pair, fitted};
use super::pivot::Strategy;
use super::problem::{Form, Payoff, Precision};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;

/// How much to try, in units that grow with the game: a step of the interior point method counts `n m min(n, m)`.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Times that strategies in doubt are sorted out.
    pub rounds: usize,
    /// Share of the payoffs' entries that the tableau may have.
    pub entries: f64,
    /// Share of a step that pivots may cost.
    pub work: f64,
}

/// While the method still goes on: a failing try must cost less than a step.
pub const QUICK: Effort = Effort { rounds: 3, entries: 0.2, work: 0.25 };
/// Once it does not.
pub const FULL: Effort = Effort { rounds: 8, entries: 1.0, work: 8.0 };
/// Games up to this many entries are worth any effort.
const SMALL: f64 = 2e4;

/// A gap of this many units of `2^-52` (in units of the largest payoff) is zero but for rounding.
const ACCEPT: f64 = 64.0;
/// Weights and slacks above minus this share of their mean are zero but for rounding.
const ROUNDING: f64 = 1e-11;
/// Pivots of these shares of the first count towards the rank of a singular block, until one gives a regular part.
const RANK: [f64; 3] = [1e-9, 1e-7, 1e-5];
/// The unit of slacks is this share of the largest payoff, at least.
const SLACK: f64 = 0.01;
/// What slacks are compared with where all strategies are played, as a share of the largest payoff.
const PLAYED: f64 = 1e-4;
/// In doubt is who lies less than this many times as far from zero as those below it do in the mean.
const DOUBT: f64 = 2.0;

/// What counts as solved.
pub fn target(magnitude: f64) -> f64 {
    ACCEPT * f64::EPSILON * magnitude
}

/// How strongly each strategy's weight outweighs its slack, as a logarithm.
fn indicators(weights: &[f64], slacks: &[f64], least: f64) -> Vec<f64> {
    let count = weights.len() as f64;
    let weight = weights.iter().sum::<f64>() / count;
    // Where all strategies are played, all slacks are small.
    let slack = (slacks.iter().sum::<f64>() / count).max(least);
    let each = weights.iter().zip(slacks).map(|(x, s)| ((x + 1e-14) / (s / slack * weight + 1e-14)).ln());
    each.collect()
}

/// The `k` indices of largest key, ascending; of equal keys the first.
fn leading(keys: &[f64], k: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by(|&a, &b| keys[b].total_cmp(&keys[a]));
    order.truncate(k);
    order.sort_unstable();
    order
}

/// Improves `best` from the pair `from`, whose products `h = M y` and `g = Mᵀ x` are known; true where the gap is zero
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
    let (h, g) = products;
    let low = h.iter().fold(f64::INFINITY, |a, &b| a.min(b));
    let high = g.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let least = PLAYED * game.magnitude();
    let of_rows = indicators(&from.x, &h.iter().map(|h| h - low).collect::<Vec<_>>(), least);
    let of_columns = indicators(&from.y, &g.iter().map(|g| high - g).collect::<Vec<_>>(), least);
    let positive = |keys: &[f64]| keys.iter().filter(|&&k| k > 0.0).count();
    let counts = (positive(&of_rows).max(1), positive(&of_columns).max(1));
    let k = ((counts.0 + counts.1) / 2).min(n).min(m);
    let (s, t) = (leading(&of_rows, k), leading(&of_columns, k));
    let Some(block) = game.block(&s, &t) else { return Ok(false) };
    let start = match Basis::new(s, t, &block) {
        Some(basis) => Some(basis),
        None if (counts.0 * counts.1) as f64 > effort.entries * (n * m) as f64 + SMALL => None,
        None => {
            let (s, t) = (leading(&of_rows, counts.0), leading(&of_columns, counts.1));
            regular(game, &s, &t, from, monitor)?
        }
    };
    monitor.poll()?;
    let Some(basis) = start else { return Ok(false) };
    Search { game, target: target(game.magnitude()), from, best, monitor }.run(basis, effort)
}

/// A regular basis within given strategies.
fn regular(
    game: &dyn Payoff,
    s: &[usize],
    t: &[usize],
    from: &Pair,
    monitor: &mut Monitor<'_>,
) -> Result<Option<Basis>, Aborted> {
    let Some(block) = game.block(s, t) else { return Ok(None) };
    for share in RANK {
        let weights = (from.x.as_slice(), from.y.as_slice());
        let (s, t) = independent(s, t, block.view(), weights, share, monitor)?;
        let Some(part) = game.block(&s, &t) else { return Ok(None) };
        let basis = Basis::new(s, t, &part);
        if basis.is_some() {
            return Ok(basis);
        }
    }
    Ok(None)
}

struct Search<'a, 'm> {
    game: &'a dyn Payoff,
    target: f64,
    from: &'a Pair,
    best: &'a mut Pair,
    monitor: &'a mut Monitor<'m>,
}

/// A basis on the whole game: weights of all strategies and their slacks; what the basis fixes is 0.
struct Whole {
    x: Vec<f64>,
    y: Vec<f64>,
    /// `M y - u`, and `v - Mᵀ x`.
    z: Vec<f64>,
    s: Vec<f64>,
}

/// The mean magnitude of some of the values, but `least` at least: where whole faces are optimal, all slacks are rounding.
fn unit(values: &[f64], of: impl Iterator<Item = usize>, least: f64) -> f64 {
    let (sum, count) = of.fold((0.0, 0), |(sum, count), i| (sum + values[i].abs(), count + 1));
    (sum / f64::from(count.max(1))).max(least)
}

impl Search<'_, '_> {
    fn run(mut self, mut basis: Basis, effort: Effort) -> Result<bool, Aborted> {
        let (n, m) = self.game.shape();
        let entries = effort.entries * (n * m) as f64 + SMALL;
        let work = effort.work * (n * m) as f64 * n.min(m) as f64 + 50.0 * SMALL;
        let slack = SLACK * self.game.magnitude();
        let mut doubt = DOUBT;
        for round in 0..=effort.rounds {
            let whole = self.whole(&basis)?;
            let (mut in_s, mut in_t) = (vec![false; n], vec![false; m]);
            basis.s.iter().for_each(|&i| in_s[i] = true);
            basis.t.iter().for_each(|&j| in_t[j] = true);
            // Each value in units of the mean of its kind: how far it is from changing sign.
            let units = [
                unit(&whole.x, basis.s.iter().copied(), f64::MIN_POSITIVE),
                unit(&whole.y, basis.t.iter().copied(), f64::MIN_POSITIVE),
                unit(&whole.z, (0..n).filter(|&i| !in_s[i]), slack),
                unit(&whole.s, (0..m).filter(|&j| !in_t[j]), slack),
            ];
            let merit_row = |i: usize| if in_s[i] { whole.x[i] / units[0] } else { whole.z[i] / units[2] };
            let merit_column = |j: usize| if in_t[j] { whole.y[j] / units[1] } else { whole.s[j] / units[3] };
            let merits = || (0..n).map(merit_row).chain((0..m).map(merit_column));
            let worst = merits().fold(0.0, f64::min);
            if worst > -ROUNDING.max(1e-13 * (n + m) as f64) {
                basis.refine();
                if self.appraise(&basis)? {
                    return Ok(true);
                }
            }
            if round == effort.rounds || self.monitor.expired() {
                return Ok(false);
            }
            let below =
                merits().filter(|&x| x < 0.0).fold((0.0, 0.0), |(sum, count), x| (sum - x, count + 1.0));
            let mut limit = (doubt * below.0 / f64::max(below.1, 1.0)).max(ROUNDING);
            let (rows, columns, of_s, of_t) = loop {
                let idle = |inside: &[bool], merit: &dyn Fn(usize) -> f64| {
                    (0..inside.len()).filter(|&i| !inside[i] && merit(i) < limit).collect::<Vec<_>>()
                };
                let used = |set: &[usize], merit: &dyn Fn(usize) -> f64| {
                    (0..set.len()).filter(|&a| merit(set[a]) < limit).collect::<Vec<_>>()
                };
                let (rows, columns) = (idle(&in_s, &merit_row), idle(&in_t, &merit_column));
                let (of_s, of_t) = (used(&basis.s, &merit_row), used(&basis.t, &merit_column));
                // A pivot needs somebody to exchange with.
                let empty = rows.len() + of_t.len() == 0 || columns.len() + of_s.len() == 0;
                if !empty || limit > 1e6 {
                    break (rows, columns, of_s, of_t);
                }
                limit *= 4.0;
            };
            let size = (rows.len() + of_t.len()) * (columns.len() + of_s.len());
            if size == 0 || size as f64 > entries {
                return Ok(false);
            }
            let tableau = basis.tableau(self.game, (&rows, &columns), (&of_s, &of_t), (&whole.z, &whole.s));
            let Some(mut tableau) = tableau else { return Ok(false) };
            let pivots = 4 * (tableau.rows.len() + tableau.columns.len()) + 20;
            let pivots = pivots.min((work / size as f64) as usize);
            let solved = tableau.solve(pivots, self.monitor)?;
            // Labels have moved: rows hold the column player's strategies that are played, columns the row player's.
            tableau.columns.iter().for_each(|&c| match c {
                Strategy::Row(i) => in_s[i] = true,
                Strategy::Column(j) => in_t[j] = false,
            });
            tableau.rows.iter().for_each(|&r| match r {
                Strategy::Row(i) => in_s[i] = false,
                Strategy::Column(j) => in_t[j] = true,
            });
            let members = |set: &[bool]| (0..set.len()).filter(|&i| set[i]).collect::<Vec<_>>();
            let (s, t) = (members(&in_s), members(&in_t));
            let same = s == basis.s && t == basis.t;
            if !solved || same {
                doubt *= 8.0;
            } else {
                doubt *= 2.0;
            }
            if !same {
                let Some(block) = self.game.block(&s, &t) else { return Ok(false) };
                let next = match Basis::new(s.clone(), t.clone(), &block) {
                    Some(next) => Some(next),
                    None => regular(self.game, &s, &t, self.from, self.monitor)?,
                };
                let Some(next) = next else { return Ok(false) };
                basis = next;
            }
            self.monitor.poll()?;
        }
        Ok(false)
    }

    /// Weights and slacks of all strategies at a basis.
    fn whole(&mut self, basis: &Basis) -> Result<Whole, Aborted> {
        let (n, m) = self.game.shape();
        let (mut x, mut y) = (vec![0.0; n], vec![0.0; m]);
        basis.s.iter().zip(&basis.x).for_each(|(&i, &w)| x[i] = w);
        basis.t.iter().zip(&basis.y).for_each(|(&j, &w)| y[j] = w);
        let (mut z, mut s) = (vec![0.0; n], vec![0.0; m]);
        self.game.product(Form::Plain, &y, Precision::Double, &mut z, self.monitor)?;
        self.game.product(Form::Transposed, &x, Precision::Double, &mut s, self.monitor)?;
        z.iter_mut().for_each(|z| *z -= basis.u);
        s.iter_mut().for_each(|s| *s = basis.v - *s);
        Ok(Whole { x, y, z, s })
    }

    /// The gap of a basis, negative weights as 0; it is kept if it is better.
    fn appraise(&mut self, basis: &Basis) -> Result<bool, Aborted> {
        let (n, m) = self.game.shape();
        let spread = |set: &[usize], weights: &[f64], count: usize| {
            let mut out = vec![0.0; count];
            set.iter().zip(weights).for_each(|(&i, &w)| out[i] = w);
            fitted(&out)
        };
        let (x, y) = (spread(&basis.s, &basis.x, n), spread(&basis.t, &basis.y, m));
        let (mut h, mut g) = (vec![0.0; n], vec![0.0; m]);
        self.game.product(Form::Plain, &y, Precision::Double, &mut h, self.monitor)?;
        self.game.product(Form::Transposed, &x, Precision::Double, &mut g, self.monitor)?;
        let candidate = Pair::new(x, y, &h, &g);
        let solved = candidate.gap <= self.target;
        if candidate.gap < self.best.gap {
            *self.best = candidate;
        }
        Ok(solved)
    }
}
