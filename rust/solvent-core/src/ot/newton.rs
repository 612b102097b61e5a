//! One Newton step on the semi-dual: the plan's support, the direction, the line search.
//!
//! Columns are always exact. A step needs one pass: at the trial point, whose columns are off by little, row sums,
//! column sums and support are taken together, and the exact columns follow by scaling, `P_ij k_j`.

use super::cost::Cost;
use super::linsys::{Laplacian, solve};
use super::passes::{Precision, Thresholds, probe};
use super::problem::Problem;
use super::side::Side;
use super::support::{self, Support};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;

/// Halvings of a step.
pub const HALVINGS: u64 = 12;
/// How many trials bend a direction harder before it is shortened as a whole.
const BENDS: u64 = 4;
/// Moves of up to so many reg are taken as the linear system gives them, and longer ones grow as the logarithm does, times
/// this to begin with.
const STRAIGHT: f64 = 0.5;
/// See there.
pub const BEND: f64 = 4.0;
/// A step that leaves more of the error than this was too short, if it was bent.
const SHORT: f64 = 0.9;
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
    /// Row and column sums of the plan that `support` was taken from.
    taken: (Vec<f64>, Vec<f64>),
    /// From that plan's columns to the exact ones.
    factors: Vec<f64>,
    support: Support,
}

/// What becomes of a point.
pub enum Trial {
    /// The point.
    Point(Box<Point>),
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
        let thresholds =
            Thresholds { row: drop / m as f64, columns: &columns, room: room(problem), exact: false };
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
        let moved: f64 = probed.columns.iter().zip(&off).map(|(c, k)| c * k.abs()).sum();
        let doubt = drop * farthest * total + support::ROUNDING * moved;
        let doubt = if farthest > 0.5 { f64::INFINITY } else { doubt };
        let (taken, support) = ((probed.rows, probed.columns), probed.support);
        let point = Self { blur, f, g: exact, sums, error, doubt, taken, factors, support };
        Ok(Trial::Point(Box::new(point)))
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
    pub to: Option<Box<Point>>,
    /// Passes.
    pub passes: u64,
    /// Iterations of conjugate gradients.
    pub iterations: u64,
    /// Halvings of the step.
    pub halvings: u64,
    /// Whether the memory for the support did not do.
    pub too_large: bool,
}

/// Ascends from a point towards an error of `goal`. `bend` adapts.
pub fn step(
    problem: &Problem<'_>,
    reg: f64,
    from: &Point,
    goal: f64,
    bend: &mut f64,
    monitor: &mut Monitor<'_>,
) -> Result<Step, Aborted> {
    let mass = problem.a.mass();
    let relative = (from.error / mass).max(1e-12);
    let System { diagonal, weights, residual } = from.system(problem, reg);
    let (rows, columns) = &from.taken;
    let matrix = Laplacian::new(&from.support, rows, columns, &diagonal, &weights);
    let mut rhs = residual.clone();
    if problem.balanced() {
        // 1 is in the kernel.
        let mean = rhs.iter().sum::<f64>() / rhs.len() as f64;
        rhs.iter_mut().for_each(|r| *r -= mean);
    }
    // Newton's own error is squared; more than the goal nobody asks for, but all of it where a single step can reach it.
    let rest = goal / from.error;
    let accuracy = relative.sqrt().max(0.1 * rest).min(0.1);
    let accuracy = if 0.2 * rest > relative { accuracy.min(0.2 * rest) } else { accuracy };
    let (mut x, iterations) = solve(&matrix, &rhs, accuracy, ITERATIONS, monitor)?;
    let mut middle = median(&x);
    if problem.balanced() {
        x.iter_mut().for_each(|x| *x -= middle);
        middle = 0.0;
    }
    let mut done = Step { to: None, passes: 0, iterations, halvings: 0, too_large: false };
    if x.iter().any(|x| !x.is_finite()) {
        return Ok(done);
    }
    // Differences of the dual below this are rounding.
    let size = |p: &[f64], w: &Side| p.iter().zip(w.weights()).map(|(p, w)| p.abs() * w).sum::<f64>();
    let slack =
        4.0 * f64::EPSILON * (size(&from.f, &problem.a) + size(&from.g, &problem.b)) + from.blur * reg * mass;
    for trial in 0..=HALVINGS {
        let along = bent(&x, middle, *bend, trial);
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
                    *bend = adapted(*bend, trial, to.error / from.error);
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

/// The direction of a trial. Parts of the plan that hang together by a thread ask for moves of a million reg, against
/// `middle`, that of the plan as a whole, because a thread that carries k takes k x more when it is pulled by x in the
/// linear model. In truth it carries k e^x: the logarithm of that move is enough. (What hangs together firmly moves alike,
/// and is bent alike.) Where that does not go up, the whole direction is shortened, which does in the end.
pub fn bent(x: &[f64], middle: f64, bend: f64, trial: u64) -> Vec<f64> {
    let farthest = x.iter().fold(0.0_f64, |m, x| m.max((x - middle).abs()));
    if farthest <= STRAIGHT {
        return x.iter().map(|x| x * 0.5_f64.powi(trial as i32)).collect();
    }
    let scale = 0.25_f64.powi(trial.min(BENDS) as i32);
    let (straight, bend) = (STRAIGHT * scale, bend * scale);
    let length = |d: f64| if d <= straight { d } else { straight + bend * ((d - straight) / bend).ln_1p() };
    if trial < BENDS {
        return x.iter().map(|x| scale * middle + length((x - middle).abs()).copysign(x - middle)).collect();
    }
    let share = length(farthest) / farthest * 0.5_f64.powi((trial - BENDS) as i32);
    x.iter().map(|x| x * share).collect()
}

/// The next step's bend, after one at this trial that left so much of the error. (Where it is no thread that holds a part
/// but the weak penalty of a marginal, the long way is the true one.)
pub fn adapted(bend: f64, trial: u64, left: f64) -> f64 {
    if trial == 0 && left > SHORT { 4.0 * bend } else { BEND }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_moves_are_bent_and_at_last_shortened() {
        let x = [0.3, -0.2, 1e6, -50.0, 0.0];
        let first = bent(&x, 0.0, BEND, 0);
        assert_eq!((first[0], first[1], first[4]), (x[0], x[1], 0.0));
        assert!(first[2] > 10.0 && first[2] < 60.0 && first[3] < -5.0 && first[3] > -15.0);
        // Later trials are shorter, and the last ones have the direction of x.
        for trial in 1..=HALVINGS {
            let (longer, shorter) = (bent(&x, 0.0, BEND, trial - 1), bent(&x, 0.0, BEND, trial));
            assert!(longer.iter().zip(&shorter).all(|(l, s)| s.abs() <= l.abs() && s * l >= 0.0));
            if trial >= BENDS {
                let share = shorter[2] / x[2];
                assert!(x.iter().zip(&shorter).all(|(x, s)| (s - share * x).abs() <= 1e-12 * s.abs()));
            }
        }
        // What the whole plan has in common is not bent, and what is near it is only halved.
        let moved: Vec<f64> = x.iter().map(|x| x + 1e4).collect();
        let along = bent(&moved, 1e4, BEND, 0);
        assert!(along.iter().zip(&first).all(|(a, f)| (a - 1e4 - f).abs() < 1e-9));
        assert_eq!(bent(&[0.5, -0.25], 0.0, BEND, 1), [0.25, -0.125]);
        assert!(
            adapted(BEND, 0, 0.95) > BEND && adapted(64.0, 0, 0.5) == BEND && adapted(64.0, 1, 0.95) == BEND
        );
    }
}
