//! A semismooth Newton step for partial transport.
//!
//! The columns and the level are eliminated: for given f the best g and lambda follow from the columns' sums
//! ([`Columns::settle`]). What is left is concave in `f <= 0`, and its Hessian is again a graph's Laplacian, with all
//! columns below their cap as one node: they rise and fall together, by lambda. Rows are told apart as in primal-dual
//! active sets: one whose exact update would pass 0 is sent there, the others solve Newton's equation.

use super::super::cg::{self, Operator};
use super::super::newton::{HALVINGS, adapted, bent, room};
use super::super::passes::{Thresholds, probe};
use super::super::problem::Problem;
use super::super::side::Side;
use super::super::support::{self, Support};
use super::level::level;
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sum::Sum;

/// Column sums outside are lost to underflow or overflow.
const SAFE: std::ops::Range<f64> = 1e-200..1e200;
/// The share of a row or column that may be dropped from the support, at most.
const DROP: f64 = 1e-2;
/// Iterations of conjugate gradients, at most.
const ITERATIONS: u64 = 3000;

/// The columns' side and the level: `psi = g + lambda`, folded.
#[derive(Debug, Clone)]
pub struct Columns {
    /// `g + lambda + reg log b`.
    pub psi: Vec<f64>,
    /// lambda.
    pub lam: f64,
    /// Which columns are at their cap; the others have `g = 0`.
    pub filled: Vec<bool>,
}

impl Columns {
    /// The exact potentials where these are the sums at the present ones, and each column's factor; `total` is the
    /// plan's mass, inf to fill every column. `None` if a sum is out of range: too large, or too small where the column
    /// is held below the level (one at the level may well have no mass to speak of).
    pub fn settle(&self, side: &Side, sums: &[f64], total: f64, reg: f64) -> Option<(Self, Vec<f64>)> {
        // Relative to the present level, so that a level far from 0 costs no digits.
        let below = |j: usize| self.psi[j] - reg * side.logs()[j] - self.lam;
        let known = |(j, c): (usize, &f64)| SAFE.contains(c) || *c < SAFE.start && below(j) > -reg;
        let all = total == f64::INFINITY;
        if !sums.iter().enumerate().all(|(j, c)| if all { SAFE.contains(c) } else { known((j, c)) }) {
            return None;
        }
        let sizes: Vec<f64> = (0..sums.len()).map(|j| sums[j].ln() - below(j) / reg).collect();
        let rise = level(&sizes, side.weights(), side.logs(), total);
        if sums.iter().any(|c| *c < SAFE.start) && (rise.is_nan() || rise > 200.0) {
            return None;
        }
        let lam = self.lam + reg * rise;
        let mut next = Self { psi: Vec::with_capacity(sums.len()), lam, filled: Vec::new() };
        let mut factors = Vec::with_capacity(sums.len());
        for j in 0..sums.len() {
            // False where there is no size.
            let filled = side.logs()[j] - sizes[j] <= rise;
            next.filled.push(filled);
            if filled {
                factors.push(side.weights()[j] / sums[j]);
                next.psi.push(self.psi[j] + reg * (side.logs()[j] - sums[j].ln()));
            } else {
                factors.push((rise - below(j) / reg).exp());
                next.psi.push(lam + reg * side.logs()[j]);
            }
        }
        lam.is_finite().then_some((next, factors))
    }
}

/// What the steps share.
pub struct Setting<'p, 'a> {
    /// The data.
    pub problem: &'p Problem<'a>,
    /// The plan's mass.
    pub mass: f64,
    /// The same, or inf where every column is to be filled.
    pub total: f64,
    /// Whether rows have a cap; where the plan's mass is that of the rows they are met exactly.
    pub capped: bool,
}

impl Setting<'_, '_> {
    /// Row i's distance from its optimality: from `min(a, sum without f)`.
    pub fn off(&self, i: usize, f: f64, sum: f64, reg: f64) -> f64 {
        let side = &self.problem.a;
        let weight = side.weights()[i];
        if !self.capped {
            return (sum - weight).abs();
        }
        (sum - level_sum(sum, f - reg * side.logs()[i], reg, weight)).abs()
    }

    /// The rows' error, where columns and mass are exact.
    pub fn error(&self, f: &[f64], sums: &[f64], reg: f64) -> f64 {
        (0..f.len()).map(|i| self.off(i, f[i], sums[i], reg)).collect::<Sum>().value()
    }

    /// What the dual gains from one point to another, the plan's mass being right at both.
    pub fn gain(&self, from: (&[f64], &Columns), to: (&[f64], &Columns)) -> f64 {
        let (a, b) = (&self.problem.a, &self.problem.b);
        let part = |side: &Side, x: &[f64], y: &[f64]| {
            let each = side.weights().iter().zip(x).zip(y).map(|((w, x), y)| w * (y - x));
            each.collect::<Sum>().value()
        };
        let excess = if self.total == f64::INFINITY { 0.0 } else { b.mass() - self.mass };
        part(a, from.0, to.0) + part(b, &from.1.psi, &to.1.psi) - (to.1.lam - from.1.lam) * excess
    }

    /// Where no row is at 0, all rise and everything else falls: the plan stays, the dual grows.
    pub fn lift(&self, f: &mut [f64], columns: &mut Columns, reg: f64) {
        let side = &self.problem.a;
        if !self.capped {
            return;
        }
        let rise = f.iter().zip(side.logs()).fold(f64::INFINITY, |m, (f, l)| m.min(reg * l - f));
        if rise > 0.0 && rise.is_finite() {
            f.iter_mut().for_each(|f| *f += rise);
            columns.psi.iter_mut().for_each(|p| *p -= rise);
            columns.lam -= rise;
        }
    }
}

/// `min(weight, sum e^(-f/reg))`, f not folded.
pub fn level_sum(sum: f64, f: f64, reg: f64, weight: f64) -> f64 {
    let alone = sum * (-f / reg).exp();
    if alone.is_nan() { weight } else { alone.min(weight) }
}

/// A point with exact columns and mass, and the plan there as far as a direction needs it.
#[derive(Debug, Clone)]
pub struct Point {
    /// The rows' potentials, folded.
    pub f: Vec<f64>,
    /// The columns' and the level.
    pub columns: Columns,
    /// The rows' error.
    pub error: f64,
    /// How far the rows' sums may be off, in l1.
    pub doubt: f64,
    sums: Vec<f64>,
    /// Row and column sums of the plan that `support` was taken from.
    taken: (Vec<f64>, Vec<f64>),
    factors: Vec<f64>,
    support: Support,
}

impl Point {
    /// The plan at `f` and near these columns, which are made exact; `expected` is the error that is hoped for, relative
    /// to the mass. `None` if a column's sum is out of range.
    pub fn at(
        setting: &Setting<'_, '_>,
        reg: f64,
        f: Vec<f64>,
        near: &Columns,
        expected: f64,
        monitor: &mut Monitor<'_>,
    ) -> Result<Option<Self>, Aborted> {
        let problem = setting.problem;
        let (n, m) = (f.len(), near.psi.len());
        let drop = (0.1 * expected).min(DROP);
        // Caps and an even share of the mass: a column far below both keeps fewer entries than it might.
        let even = setting.mass / m as f64;
        let least: Vec<f64> = problem.b.weights().iter().map(|b| drop / n as f64 * b.min(even)).collect();
        let thresholds =
            Thresholds { row: drop / m as f64, columns: &least, room: room(problem), exact: false };
        let probed = probe::<f64>(problem.cost(), &f, &near.psi, reg, thresholds, monitor)?;
        if probed.support.overflowed() {
            return Ok(None);
        }
        let settled = near.settle(&problem.b, &probed.columns, setting.total, reg);
        let Some((columns, factors)) = settled else { return Ok(None) };
        let off: Vec<f64> = factors.iter().map(|k| k - 1.0).collect();
        let farthest = off.iter().fold(0.0_f64, |a, k| a.max(k.abs()));
        let added = probed.support.times(&off);
        let sums: Vec<f64> = probed.rows.iter().zip(&added).map(|(r, v)| r * (1.0 + v)).collect();
        // Where columns were far off, what was dropped at the trial point may matter at the exact ones.
        let moved: f64 = probed.columns.iter().zip(&off).map(|(c, k)| c * k.abs()).sum();
        let doubt = drop * farthest * setting.mass + support::ROUNDING * moved;
        let doubt = if farthest > 0.5 { f64::INFINITY } else { doubt };
        let mut it = Self {
            f,
            columns,
            error: f64::NAN,
            doubt,
            sums,
            taken: (probed.rows, probed.columns),
            factors,
            support: probed.support,
        };
        setting.lift(&mut it.f, &mut it.columns, reg);
        it.error = setting.error(&it.f, &it.sums, reg);
        Ok(it.error.is_finite().then_some(it))
    }

    fn reduced<'s>(&'s self, setting: &'s Setting<'_, '_>) -> Reduced<'s> {
        let b = setting.problem.b.weights();
        let filled = (0..b.len()).filter(|&j| self.columns.filled[j]).map(|j| b[j]).collect::<Sum>().value();
        // The sum of the columns below their caps; 0 stands for none.
        let rest = if self.columns.filled.contains(&false) {
            (setting.mass - filled).max(f64::EPSILON * setting.mass)
        } else {
            0.0
        };
        let mut it = Reduced {
            point: self,
            weights: b,
            rest,
            diagonal: self.sums.clone(),
            fixed: vec![false; self.f.len()],
        };
        if self.support.rounded() {
            // The columns' sums are not what they are without rounding: that goes to the diagonal.
            let (rows, columns) = &self.taken;
            let mut off = self.support.transposed_times(rows);
            off.iter_mut().zip(columns).for_each(|(held, c)| *held -= c);
            let back = it.back(it.respond(off).0);
            it.diagonal.iter_mut().zip(&back).for_each(|(d, b)| *d = (*d + b).max(f64::MIN_POSITIVE));
        }
        it
    }
}

/// The Laplacian of the rows that are free.
struct Reduced<'a> {
    point: &'a Point,
    weights: &'a [f64],
    rest: f64,
    diagonal: Vec<f64>,
    /// Rows that are sent to 0.
    fixed: Vec<bool>,
}

impl Reduced<'_> {
    /// What a move x of the rows is answered with: a move of each column, but for its sign, and of the level.
    fn answer(&self, x: &[f64]) -> (Vec<f64>, f64) {
        let scaled: Vec<f64> = x.iter().zip(&self.point.taken.0).map(|(x, r)| x * r).collect();
        self.respond(self.point.support.transposed_times(&scaled))
    }

    /// What a change of the columns' sums, as they were taken, is answered with.
    fn respond(&self, mut y: Vec<f64>) -> (Vec<f64>, f64) {
        let it = self.point;
        y.iter_mut().zip(&it.factors).for_each(|(y, k)| *y *= k);
        let together: f64 = (0..y.len()).filter(|&j| !it.columns.filled[j]).map(|j| y[j]).sum();
        let level = if self.rest > 0.0 { together / self.rest } else { 0.0 };
        for (j, y) in y.iter_mut().enumerate() {
            *y = if it.columns.filled[j] { *y / self.weights[j] } else { level };
        }
        (y, level)
    }

    /// What moves of the columns do to the rows' sums.
    fn back(&self, mut y: Vec<f64>) -> Vec<f64> {
        let it = self.point;
        y.iter_mut().zip(&it.factors).for_each(|(y, k)| *y *= k);
        let mut back = it.support.times(&y);
        back.iter_mut().zip(&it.taken.0).for_each(|(b, r)| *b *= r);
        back
    }

    /// The whole matrix times x.
    fn apply(&self, x: &[f64]) -> Vec<f64> {
        let back = self.back(self.answer(x).0);
        (0..x.len()).map(|i| self.diagonal[i] * x[i] - back[i]).collect()
    }

    fn preconditioner(&self) -> Vec<f64> {
        let it = self.point;
        let (mut squares, mut together) = (vec![0.0; it.f.len()], vec![0.0; it.f.len()]);
        it.support.each(|i, j, v| {
            let p = it.taken.0[i] * v * it.factors[j];
            if it.columns.filled[j] {
                squares[i] += p * p / self.weights[j];
            } else {
                together[i] += p;
            }
        });
        let each = (0..it.f.len()).map(|i| {
            let rest = if self.rest > 0.0 { together[i] * together[i] / self.rest } else { 0.0 };
            (self.diagonal[i] - squares[i] - rest).max(1e-14 * it.sums[i]).max(f64::MIN_POSITIVE)
        });
        each.collect()
    }
}

impl Operator for Reduced<'_> {
    fn product(&self, x: &[f64], monitor: &mut Monitor<'_>) -> Result<Vec<f64>, Aborted> {
        monitor.poll()?;
        let mut out = self.apply(x);
        out.iter_mut().zip(&self.fixed).filter(|(_, fixed)| **fixed).for_each(|(o, _)| *o = 0.0);
        Ok(out)
    }
}

/// What a step did.
#[derive(Debug)]
pub struct Step {
    /// The new point; `None` if no step along the direction went up.
    pub to: Option<Point>,
    /// Passes.
    pub passes: u64,
    /// Iterations of conjugate gradients.
    pub iterations: u64,
    /// Halvings of the step.
    pub halvings: u64,
}

/// Ascends from a point. `bend` adapts.
pub fn step(
    setting: &Setting<'_, '_>,
    reg: f64,
    from: &Point,
    bend: &mut f64,
    monitor: &mut Monitor<'_>,
) -> Result<Step, Aborted> {
    let (a, n) = (&setting.problem.a, from.f.len());
    let relative = (from.error / setting.mass).max(1e-12);
    let mut matrix = from.reduced(setting);
    let mut fixed_move = vec![0.0; n];
    if setting.capped {
        for i in 0..n {
            let f = from.f[i] / reg - a.logs()[i];
            // Its exact update would pass 0.
            matrix.fixed[i] = f + a.logs()[i] - from.sums[i].ln() >= 0.0;
            if matrix.fixed[i] {
                fixed_move[i] = -f;
            }
        }
    }
    let moved = matrix.apply(&fixed_move);
    let lacking: Vec<f64> = (0..n).map(|i| a.weights()[i] - from.sums[i]).collect();
    let mut rhs: Vec<f64> =
        (0..n).map(|i| if matrix.fixed[i] { 0.0 } else { lacking[i] - moved[i] }).collect();
    if !matrix.fixed.contains(&true) {
        // 1 is in the kernel.
        let mean = rhs.iter().sum::<f64>() / n as f64;
        rhs.iter_mut().for_each(|r| *r -= mean);
    }
    let accuracy = relative.sqrt().min(0.1);
    let (mut x, iterations) =
        cg::solve(&matrix, &matrix.preconditioner(), &rhs, accuracy, ITERATIONS, monitor)?;
    x.iter_mut().zip(&fixed_move).filter(|(_, m)| **m != 0.0).for_each(|(x, m)| *x = *m);
    if !setting.capped {
        let middle = x.iter().sum::<f64>() / n as f64;
        x.iter_mut().for_each(|x| *x -= middle);
    }
    let mut done = Step { to: None, passes: 0, iterations, halvings: 0 };
    if x.iter().any(|x| !x.is_finite()) {
        return Ok(done);
    }
    // Differences of the dual below this are rounding.
    let size = |p: &[f64], w: &[f64]| p.iter().zip(w).map(|(p, w)| p.abs() * w).sum::<f64>();
    let level_size = if setting.total == f64::INFINITY { 0.0 } else { from.columns.lam.abs() };
    let slack = 4.0
        * f64::EPSILON
        * (size(&from.f, a.weights())
            + size(&from.columns.psi, setting.problem.b.weights())
            + level_size * setting.problem.b.mass());
    let cap = |i: usize| if setting.capped { reg * a.logs()[i] } else { f64::INFINITY };
    for trial in 0..=HALVINGS {
        let along = bent(&x, 0.0, *bend, trial);
        let f: Vec<f64> = (0..n).map(|i| (from.f[i] + reg * along[i]).min(cap(i))).collect();
        // What the projection left of the step.
        let promised: f64 = (0..n).map(|i| lacking[i] * (f[i] - from.f[i])).sum();
        if promised.is_nan() || promised <= 0.0 {
            continue;
        }
        let (y, level) = matrix.answer(&along);
        let near = Columns {
            psi: from.columns.psi.iter().zip(&y).map(|(p, y)| p - reg * y).collect(),
            lam: from.columns.lam - reg * level,
            filled: Vec::new(),
        };
        let hoped = relative * accuracy.max(1e-3);
        let to = Point::at(setting, reg, f, &near, hoped, monitor)?;
        done.passes += 1;
        if let Some(to) = to {
            let gained = setting.gain((&from.f, &from.columns), (&to.f, &to.columns));
            if gained >= 1e-4 * promised - slack {
                *bend = adapted(*bend, trial, to.error / from.error);
                done.to = Some(to);
                return Ok(done);
            }
        }
        if monitor.expired() {
            return Ok(done);
        }
        done.halvings += 1;
    }
    Ok(done)
}
