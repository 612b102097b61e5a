//! One Newton step on the semi-dual: the plan's support, the direction, the line search.
//!
//! Columns are always exact. A step needs one pass: at the trial point, whose columns are off by little, row sums,
//! column sums and support are taken together, and the exact columns follow by scaling, `P_ij k_j`.

use super::cost::Cost;
use super::linsys::{Laplacian, solve};
use super::passes::{Precision, Thresholds, probe};
use super::problem::Problem;
use super::side::Side;
use super::support::Support;
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;

/// Halvings of a step.
pub const HALVINGS: u64 = 12;
/// How many of them cut a direction off rather than shorten it.
const CUTS: u64 = 4;
/// How far a row's potential moves in a first step, in units of reg; it is quartered or quadrupled from there.
pub const REACH: f64 = 8.0;
/// The share of a row or column that may be dropped from the support, at most.
const DROP: f64 = 1e-2;
/// Iterations of conjugate gradients, at most.
const ITERATIONS: u64 = 3000;

/// A point with exact columns, and the plan there as far as a direction needs it.
#[derive(Debug, Clone)]
pub struct Point {
    /// The share by which entries may be off for the precision they were computed in.
    pub blur: f64,
    /// The rows' potentials.
    pub f: Vec<f64>,
    /// The columns' potentials, exact for f.
    pub g: Vec<f64>,
    /// The rows' sums.
    pub sums: Vec<f64>,
    /// l1 error of the rows.
    pub error: f64,
    /// How far `sums` may be off, in l1.
    pub doubt: f64,
    /// Row sums of the plan that `support` was taken from.
    taken: Vec<f64>,
    /// From that plan's columns to the exact ones.
    factors: Vec<f64>,
    support: Support,
}

/// What becomes of a point.
pub enum Trial {
    /// The point.
    Point(Point),
    /// A column's sum is out of range.
    OutOfRange,
    /// The support takes more memory than it may.
    TooLarge,
}

/// Bytes that a support may take: a gigabyte where the cost is stored. Where it is not, 16 megabytes as long as that is
/// not much beside the clouds, and nothing for clouds that are themselves large.
pub fn room(problem: &Problem<'_>) -> usize {
    let (n, m) = problem.cost().shape();
    match problem.cost() {
        Cost::Points(_) => (1_usize << 24).saturating_sub(100 * (n + m)),
        Cost::F64(_) | Cost::F32(_) => 1 << 30,
    }
}

/// The exact columns' potentials for these sums, and the factors of the columns; `None` if a sum is out of range.
pub fn exact_columns(side: &Side, g: &[f64], sums: &[f64], reg: f64) -> Option<(Vec<f64>, Vec<f64>)> {
    let lost = |(j, c): (usize, &f64)| !<f64 as Precision>::RANGE.contains(c) && !side.left(j, g[j], *c, reg);
    if sums.iter().enumerate().any(lost) {
        return None;
    }
    Some(g.iter().zip(sums).enumerate().map(|(j, (&g, &c))| side.exact(j, g, c, reg)).unzip())
}

impl Point {
    /// The plan at `f` and near `g`, whose columns are made exact; `expected` is the error that is hoped for. Entries may
    /// be off by the share `blur` where it is not 0.
    pub fn at(
        problem: &Problem<'_>,
        reg: f64,
        f: Vec<f64>,
        g: Vec<f64>,
        expected: f64,
        blur: f64,
        monitor: &mut Monitor<'_>,
    ) -> Result<Trial, Aborted> {
        let (n, m) = (f.len(), g.len());
        let drop = (0.1 * expected).min(DROP);
        let columns: Vec<f64> = (0..m).map(|j| drop / n as f64 * problem.b.target(j, g[j], reg)).collect();
        let thresholds = Thresholds { row: drop / m as f64, columns: &columns, room: room(problem) };
        let probed = if blur > 0.0 {
            probe::<f32>(problem.cost(), &f, &g, reg, thresholds, monitor)?
        } else {
            probe::<f64>(problem.cost(), &f, &g, reg, thresholds, monitor)?
        };
        if probed.support.overflowed() {
            return Ok(Trial::TooLarge);
        }
        let Some((exact, factors)) = exact_columns(&problem.b, &g, &probed.columns, reg) else {
            return Ok(Trial::OutOfRange);
        };
        // What the scaling of the columns adds to each row, as far as the support knows it.
        let off: Vec<f64> = factors.iter().map(|k| k - 1.0).collect();
        let farthest = off.iter().fold(0.0_f64, |a, k| a.max(k.abs()));
        let added = probed.support.times(&off);
        let sums: Vec<f64> = probed.rows.iter().zip(&added).map(|(r, v)| r * (1.0 + v)).collect();
        let error = problem.a.error(&f, &sums, reg);
        let total: f64 = sums.iter().sum();
        // Where columns were far off, what was dropped at the trial point may matter at the exact ones.
        let doubt = if farthest > 0.5 { f64::INFINITY } else { (drop + 4e-7) * farthest * total };
        let (taken, support) = (probed.rows, probed.support);
        Ok(Trial::Point(Self { blur, f, g: exact, sums, error, doubt, taken, factors, support }))
    }

    /// Newton's system here.
    fn system(&self, problem: &Problem<'_>, reg: f64) -> System {
        let (a, b) = (&problem.a, &problem.b);
        let n = self.f.len();
        let diagonal = (0..n).map(|i| self.sums[i] + a.curvature(i, self.f[i], reg)).collect();
        // (A column that the plan has left answers to nothing.)
        let inverse = |j: usize| match b.target(j, self.g[j], reg) + b.curvature(j, self.g[j], reg) {
            0.0 => 0.0,
            stiffness => (1.0 / stiffness).min(f64::MAX),
        };
        let weights = (0..self.g.len()).map(|j| inverse(j) * self.factors[j] * self.factors[j]).collect();
        let residual = (0..n).map(|i| a.target(i, self.f[i], reg) - self.sums[i]).collect();
        System { diagonal, weights, residual }
    }
}

/// The diagonal and the columns' weights of the Laplacian, and the rows' residual.
struct System {
    diagonal: Vec<f64>,
    weights: Vec<f64>,
    residual: Vec<f64>,
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
    /// Whether the memory for the support did not do.
    pub too_large: bool,
}

/// Ascends from a point towards an error of `goal`. No potential moves by more than `reach` reg, which adapts.
pub fn step(
    problem: &Problem<'_>,
    reg: f64,
    from: &Point,
    goal: f64,
    reach: &mut f64,
    monitor: &mut Monitor<'_>,
) -> Result<Step, Aborted> {
    let mass = problem.a.mass();
    let relative = (from.error / mass).max(1e-12);
    let System { diagonal, weights, residual } = from.system(problem, reg);
    let matrix = Laplacian::new(&from.support, &from.taken, &diagonal, &weights);
    let mut rhs = residual.clone();
    if problem.balanced() {
        // 1 is in the kernel.
        let mean = rhs.iter().sum::<f64>() / rhs.len() as f64;
        rhs.iter_mut().for_each(|r| *r -= mean);
    }
    // Newton's own error is squared; more than the goal nobody asks for.
    let accuracy = relative.sqrt().max(0.1 * goal / from.error).min(0.1);
    let (mut x, iterations) = solve(&matrix, &rhs, accuracy, ITERATIONS, monitor)?;
    if problem.balanced() {
        let middle = median(&x);
        x.iter_mut().for_each(|x| *x -= middle);
    }
    let farthest = x.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    let mut done = Step { to: None, passes: 0, iterations, halvings: 0, too_large: false };
    if !farthest.is_finite() {
        return Ok(done);
    }
    // Differences of the dual below this are rounding.
    let size = |p: &[f64], w: &Side| p.iter().zip(w.weights()).map(|(p, w)| p.abs() * w).sum::<f64>();
    let slack =
        4.0 * f64::EPSILON * (size(&from.f, &problem.a) + size(&from.g, &problem.b)) + from.blur * reg * mass;
    for trial in 0..=HALVINGS {
        let (along, cut) = shortened(&x, farthest, *reach, trial);
        let slope: f64 = residual.iter().zip(&along).map(|(r, x)| r * reg * x).sum();
        if slope.is_nan() || slope <= 0.0 {
            continue;
        }
        let answer = matrix.answer(&along, monitor)?;
        let f: Vec<f64> = from.f.iter().zip(&along).map(|(f, x)| f + reg * x).collect();
        let predicted = from.g.iter().zip(answer.iter().zip(&from.factors));
        let g: Vec<f64> = predicted.map(|(g, (y, k))| g - reg * (y / k)).collect();
        // Near the end a step squares the error; the accuracy of the direction limits it before.
        let hoped = from.error * accuracy.max(1e-3);
        done.passes += 1;
        match Point::at(problem, reg, f, g, hoped / mass, from.blur, monitor)? {
            Trial::Point(to) => {
                let gained = problem.a.gain(&from.f, &to.f, reg) + problem.b.gain(&from.g, &to.g, reg)
                    - reg * (total(&problem.b, &to.g, reg) - total(&problem.b, &from.g, reg));
                if gained >= 1e-4 * slope - slack {
                    *reach = if trial == 0 && cut < farthest { 4.0 * cut } else { cut.max(REACH) };
                    done.to = Some(to);
                    return Ok(done);
                }
            }
            Trial::OutOfRange => {}
            Trial::TooLarge => {
                done.too_large = true;
                return Ok(done);
            }
        }
        if monitor.expired() || done.passes >= monitor.remaining() {
            return Ok(done);
        }
        done.halvings += 1;
    }
    Ok(done)
}

/// The direction of a trial, and how far it may go. Parts of the plan that hang together by a thread ask for moves of a
/// million reg: they are cut off, each by itself, so that they hold up nobody else. (What hangs together firmly moves
/// alike, and is cut alike.) Where that does not go up, the whole direction is shortened, which does in the end.
pub fn shortened(x: &[f64], farthest: f64, reach: f64, trial: u64) -> (Vec<f64>, f64) {
    if farthest > reach && trial < CUTS {
        let cut = reach * 0.25_f64.powi(trial as i32);
        return (x.iter().map(|x| x.clamp(-cut, cut)).collect(), cut);
    }
    let first = if farthest > reach { 0.25_f64.powi(CUTS as i32) * reach / farthest } else { 1.0 };
    let halved = if farthest > reach { trial - CUTS } else { trial };
    let length = first * 0.5_f64.powi(halved as i32);
    (x.iter().map(|x| x * length).collect(), length * farthest)
}

/// The plan's mass where the columns are exact: a constant where they are hard.
fn total(side: &Side, g: &[f64], reg: f64) -> f64 {
    if side.hard() { 0.0 } else { (0..g.len()).map(|j| side.target(j, g[j], reg)).sum() }
}

fn median(x: &[f64]) -> f64 {
    let mut sorted = x.to_vec();
    let middle = sorted.len() / 2;
    *sorted.select_nth_unstable_by(middle, f64::total_cmp).1
}
