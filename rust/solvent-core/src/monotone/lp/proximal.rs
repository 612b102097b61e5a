//! Exact proximal steps: where the iterations turn for long, a few of these end on the solution.
//!
//! The proximal method of multipliers (R. T. Rockafellar, Math. Oper. Res. 1 (1976) 97-116) takes from (x0, y0) the saddle
//! point of the Lagrangian + ‖x − x0‖²/(2τ) − ‖y − y0‖²/(2σ), the resolvent whose linearised form PDHG iterates. On a
//! linear program it ends after finitely many steps, degenerate or not, and each step is the minimum over the bounds of
//!
//! ```text
//! φ(x) = c·x + ‖x − x0‖²/(2τ) + (σ/2) dist²(A x − y0/σ, [lc, uc]),   y = σ (q − clip(q, −uc, −lc)),  q = y0/σ − A x,
//! ```
//!
//! strongly convex and piecewise quadratic: Newton's method on the free columns F and the rows T with y ≠ 0, along the
//! projected arc (D. P. Bertsekas, SIAM J. Control Optim. 20 (1982) 221-246). I/τ + σ A_TFᵀA_TF is factorised dense, in
//! whichever of F and T has fewer members. The certificate decides what is kept.

use super::certify::{Judgement, certify};
use super::pdhg::Pair;
use super::problem::{Limits, Problem};
use super::scale::{Factors, Scaling};
use super::weight::Share;
use crate::base::dense::{Cholesky, Matrix, Onto, gemm};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;

/// Steps, Newton's within one, and Newton's in all.
const STEPS: usize = 150;
const NEWTON: usize = 60;
const ALL: usize = 1000;
/// Steps without a better certificate after which it is enough: the last step may be the first that is better than what
/// the iterations had.
const IDLE: usize = 60;
/// √(τσ) at first, its growth, and its limit: the square of it multiplies rounding errors.
const REACH: (f64, f64, f64) = (1e2, 4.0, 2e4);
/// Limits of √(σ/τ).
const BALANCE: (f64, f64) = (1e-3, 1e3);
/// The projected gradient of a solved step.
const SOLVED: f64 = 1e-13;
/// Multiplications of a Newton step, at most: some milliseconds.
const WORK: usize = 1 << 23;
/// Sufficient decrease, as a share of what the gradient promises, and halvings of a step.
const ARMIJO: f64 = 1e-4;
const HALVINGS: usize = 40;

/// Whether the problem is small enough.
pub fn suits(problem: &Problem) -> bool {
    let (m, n) = (problem.m(), problem.n());
    let small = m.min(n);
    small > 0 && problem.nnz() > 0 && small.saturating_mul(small).saturating_mul(m.max(n)) <= WORK
}

/// The scaled problem, dense.
struct Scaled {
    /// A, rows one after the other.
    a: Vec<f64>,
    m: usize,
    n: usize,
    c: Vec<f64>,
    rows: Limits,
    columns: Limits,
    scaling: Scaling,
    factors: Factors,
}

impl Scaled {
    /// In units in which the costs of the variables that the pair has inside their bounds are of size 1: costs of 1e12 on
    /// others must not make these vanish.
    fn new(problem: &Problem, pair: &Pair, judged: &Judgement) -> Self {
        let (m, n) = (problem.m(), problem.n());
        let scaling = Scaling::new(problem);
        let (mut c, rows, columns, mut factors) = scaling.apply(problem);
        let mut share = Share::default();
        for (j, c) in c.iter().enumerate() {
            let (x, r, bounds) = (pair.x[j], judged.reduced_costs[j], &problem.columns);
            let held = x <= bounds.lower[j] && r > 0.0 || x >= bounds.upper[j] && r < 0.0;
            share.add(*c, !held);
        }
        let unit = share.value();
        c.iter_mut().for_each(|c| *c /= unit);
        factors.costs /= unit;
        let (mut a, view) = (vec![0.0; m * n], problem.a.view());
        for i in 0..m {
            let (indices, values) = view.row(i);
            for (&j, v) in indices.iter().zip(values) {
                a[i * n + j as usize] += v / (scaling.e[i] * scaling.d[j as usize]);
            }
        }
        Self { a, m, n, c, rows, columns, scaling, factors }
    }

    fn enter(&self, pair: &Pair) -> (Vec<f64>, Vec<f64>) {
        let x = pair.x.iter().zip(&self.scaling.d).map(|(x, d)| x * d * self.factors.limits);
        let x = x.enumerate().map(|(j, x)| self.columns.clip(j, x)).collect();
        let y = pair.y.iter().zip(&self.scaling.e).map(|(y, e)| y * e * self.factors.costs).collect();
        (x, y)
    }

    fn leave(&self, problem: &Problem, x: &[f64], y: &[f64]) -> Pair {
        let x = x.iter().zip(&self.scaling.d).map(|(x, d)| x / (d * self.factors.limits));
        let x = x.enumerate().map(|(j, x)| problem.columns.clip(j, x)).collect();
        let mut y: Vec<f64> =
            y.iter().zip(&self.scaling.e).map(|(y, e)| y / (e * self.factors.costs)).collect();
        problem.clip_dual(&mut y);
        Pair { x, y }
    }
}

/// φ at a point.
#[derive(Clone)]
struct At {
    x: Vec<f64>,
    y: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

/// One proximal step's function.
struct Step<'a> {
    it: &'a Scaled,
    x0: &'a [f64],
    y0: &'a [f64],
    tau: f64,
    sigma: f64,
}

impl Step<'_> {
    fn at(&self, x: Vec<f64>) -> At {
        let it = self.it;
        let (mut value, mut gradient) = (0.0, it.c.clone());
        for j in 0..it.n {
            let off = x[j] - self.x0[j];
            value += it.c[j] * x[j] + off * off / (2.0 * self.tau);
            gradient[j] += off / self.tau;
        }
        let mut y = vec![0.0; it.m];
        for (i, row) in it.a.chunks_exact(it.n).enumerate() {
            let q = self.y0[i] / self.sigma - row.iter().zip(&x).map(|(a, x)| a * x).sum::<f64>();
            // Equations keep q − clip(q, −b, −b) = q + b exact where it is small.
            let multiplier = self.sigma * (q - q.max(-it.rows.upper[i]).min(-it.rows.lower[i]));
            y[i] = multiplier;
            if multiplier != 0.0 {
                value += multiplier * multiplier / (2.0 * self.sigma);
                gradient.iter_mut().zip(row).for_each(|(g, a)| *g -= multiplier * a);
            }
        }
        At { x, y, value, gradient }
    }

    /// Whether a column stays on its bound.
    fn held(&self, at: &At, j: usize) -> bool {
        let (x, g, bounds) = (at.x[j], at.gradient[j], &self.it.columns);
        (x <= bounds.lower[j] && g >= 0.0) || (x >= bounds.upper[j] && g <= 0.0)
    }

    /// The norm of the gradient on the columns that are not held.
    fn open(&self, at: &At) -> f64 {
        let free = (0..self.it.n).filter(|&j| !self.held(at, j));
        free.map(|j| at.gradient[j] * at.gradient[j]).sum::<f64>().sqrt()
    }

    /// Newton's direction on the free columns, zero elsewhere.
    fn direction(&self, at: &At) -> Option<Vec<f64>> {
        let n = self.it.n;
        let free: Vec<usize> = (0..n).filter(|&j| !self.held(at, j)).collect();
        let tight: Vec<usize> = (0..self.it.m).filter(|&i| at.y[i] != 0.0).collect();
        let (f, t) = (free.len(), tight.len());
        let mut out = vec![0.0; n];
        if t == 0 {
            free.iter().for_each(|&j| out[j] = -self.tau * at.gradient[j]);
            return Some(out);
        }
        let b = Matrix::from_fn(t, f, |k, l| self.it.a[tight[k] * n + free[l]]);
        let g: Vec<f64> = free.iter().map(|&j| at.gradient[j]).collect();
        let shift = 1.0 / (self.tau * self.sigma);
        let by_rows = t <= f;
        let mut k = Matrix::zeros(t.min(f), t.min(f));
        if by_rows {
            gemm(&mut k, Onto::Replace, 1.0, b.view(), b.view().transpose());
        } else {
            gemm(&mut k, Onto::Replace, 1.0, b.view().transpose(), b.view());
        }
        for p in 0..k.rows() {
            k.set(p, p, k.get(p, p) + shift);
        }
        let factor = Cholesky::in_place(k).ok()?;
        let steps: Vec<f64> = if by_rows {
            // (I/τ + σBᵀB)⁻¹ = τ (I − Bᵀ(I/(τσ) + BBᵀ)⁻¹B).
            let mut z = vec![0.0; t];
            for (l, g) in g.iter().enumerate() {
                z.iter_mut().zip(b.column(l)).for_each(|(z, b)| *z += b * g);
            }
            let mut z = Matrix::from_column_major(z, t, 1);
            factor.solve(&mut z);
            let back = |l: usize| b.column(l).iter().zip(z.as_slice()).map(|(b, z)| b * z).sum::<f64>();
            g.iter().enumerate().map(|(l, g)| -self.tau * (g - back(l))).collect()
        } else {
            let mut z = Matrix::from_column_major(g, f, 1);
            factor.solve(&mut z);
            z.as_slice().iter().map(|z| -z / self.sigma).collect()
        };
        free.iter().zip(steps).for_each(|(&j, step)| out[j] = step);
        out.iter().all(|v| v.is_finite()).then_some(out)
    }

    /// The minimum of φ from x on, as near as rounding allows; `left` counts Newton's steps down.
    fn minimise(&self, x: Vec<f64>, left: &mut usize, monitor: &mut Monitor<'_>) -> Result<At, Aborted> {
        let mut at = self.at(x);
        let mut open = self.open(&at);
        for _ in 0..NEWTON {
            monitor.poll()?;
            if open.is_nan() || open <= SOLVED || *left == 0 || monitor.expired() {
                break;
            }
            *left -= 1;
            let Some(direction) = self.direction(&at) else { break };
            let mut length = 1.0;
            let mut next = None;
            for _ in 0..HALVINGS {
                let moved = at.x.iter().zip(&direction).enumerate();
                let x: Vec<f64> = moved.map(|(j, (x, d))| self.it.columns.clip(j, x + length * d)).collect();
                let slope: f64 =
                    at.gradient.iter().zip(x.iter().zip(&at.x)).map(|(g, (new, old))| g * (new - old)).sum();
                let trial = self.at(x);
                let rest = self.open(&trial);
                // Near the minimum differences of φ are rounding, and the gradient tells.
                if trial.value <= at.value + ARMIJO * slope.min(0.0) && slope < 0.0 || rest <= 0.5 * open {
                    next = Some((trial, rest));
                    break;
                }
                length *= 0.5;
            }
            let Some((trial, rest)) = next else { break };
            (at, open) = (trial, rest);
        }
        Ok(at)
    }
}

/// A better pair and what it is worth, if one was found; ends where the bound is at most `target`.
pub fn proximal(
    problem: &Problem,
    pair: &Pair,
    judged: &Judgement,
    target: f64,
    monitor: &mut Monitor<'_>,
) -> Result<Option<(Pair, Judgement)>, Aborted> {
    if !suits(problem) || pair.x.iter().chain(&pair.y).any(|v| !v.is_finite()) {
        return Ok(None);
    }
    let it = Scaled::new(problem, pair, judged);
    let (mut x, mut y) = it.enter(pair);
    let size = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    let balance = size(&y) / size(&x);
    let balance = if balance.is_finite() { balance.clamp(BALANCE.0, BALANCE.1) } else { 1.0 };
    let (mut reach, mut idle, mut newton) = (REACH.0, 0, ALL);
    let (mut least, mut best) = (judged.certificate.bound, None);
    for _ in 0..STEPS {
        let step = Step { it: &it, x0: &x, y0: &y, tau: reach / balance, sigma: reach * balance };
        let at = step.minimise(x.clone(), &mut newton, monitor)?;
        if at.x.iter().chain(&at.y).any(|v| !v.is_finite()) {
            break;
        }
        (x, y) = (at.x, at.y);
        let candidate = it.leave(problem, &x, &y);
        let value = certify(problem, &candidate.x, &candidate.y, monitor)?;
        let bound = value.certificate.bound;
        idle = if bound < 0.9 * least { 0 } else { idle + 1 };
        if bound < least {
            (least, best) = (bound, Some((candidate, value)));
        }
        if least <= target || idle >= IDLE || newton == 0 || monitor.expired() {
            break;
        }
        reach = (reach * REACH.1).min(REACH.2);
    }
    Ok(best)
}
