//! Derivatives of the plan: the implicit function theorem, one linear system.
//!
//! With `W = P o V` for a cotangent V of the plan, x and y solve
//! `[diag(r + reg t/tau_a) P; P^T diag(c + reg s/tau_b)] (x, y) = (W 1, W^T 1)` (t, s what the potentials ask the marginals
//! to be), and the cotangents are `-(W - P o (x + y))/reg` of C and `x t (1 + reg/tau_a)/a` of a.

use super::OtError;
use super::linsys::{Laplacian, solve};
use super::passes::{Thresholds, probe};
use super::plan::Plan;
use crate::base::monitor::Monitor;

/// Steps of refinement, at most: each gains nine digits, or four where the support is rounded.
const REFINEMENTS: usize = 12;
/// The relative residual that ends it.
const ACCURACY: f64 = 1e-13;

/// The solution of the system, in the caller's order, over positive weights (0 elsewhere).
#[derive(Debug, Clone)]
pub struct Adjoint {
    /// The rows' part.
    pub x: Vec<f64>,
    /// The columns' part.
    pub y: Vec<f64>,
    /// The cotangent of a.
    pub a: Vec<f64>,
    /// The cotangent of b.
    pub b: Vec<f64>,
    /// l1 size of the residual, relative to the right-hand side.
    pub residual: f64,
}

/// Solves for the row and column sums `w1`, `w2` of W, in the caller's order.
pub fn adjoint(
    plan: &Plan<'_, '_>,
    w1: &[f64],
    w2: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<Adjoint, OtError> {
    let problem = plan.problem();
    let (w1, w2) = problem.restrict(w1, w2);
    let (f, g) = plan.potentials();
    let (a, b, reg) = (&problem.a, &problem.b, problem.reg);
    let (n, m) = (f.len(), g.len());
    let tiny = vec![1e-15 / n as f64; m];
    let columns: Vec<f64> = tiny.iter().enumerate().map(|(j, t)| t * b.target(j, g[j], reg)).collect();
    let thresholds = Thresholds { row: 1e-15 / m as f64, columns: &columns, room: usize::MAX, exact: false };
    let probed = probe::<f64>(problem.cost(), f, g, reg, thresholds, monitor)?;
    let diagonal: Vec<f64> = (0..n).map(|i| probed.rows[i] + a.curvature(i, f[i], reg)).collect();
    let across: Vec<f64> = (0..m).map(|j| probed.columns[j] + b.curvature(j, g[j], reg)).collect();
    let inverse: Vec<f64> = across.iter().map(|c| 1.0 / c).collect();
    let matrix = Laplacian::new(&probed.support, &probed.rows, &probed.columns, &diagonal, &inverse);
    let accuracy = if probed.support.rounded() { 1e-4 } else { 1e-9 };
    // S x = w1 - P (w2/c), then y = (w2 - P^T x)/c; residuals by the plan itself.
    let scaled: Vec<f64> = w2.iter().zip(&inverse).map(|(w, c)| w * c).collect();
    let minus = plan.right(&[scaled], monitor)?.remove(0);
    let mut rhs: Vec<f64> = w1.iter().zip(&minus).map(|(w, p)| w - p).collect();
    let size = rhs.iter().map(|r| r.abs()).sum::<f64>().max(f64::MIN_POSITIVE);
    let (mut x, mut residual) = (vec![0.0; n], rhs.clone());
    let mut left = 1.0;
    for _ in 0..REFINEMENTS {
        if problem.balanced() {
            // 1 is in the kernel.
            let mean = residual.iter().sum::<f64>() / n as f64;
            residual.iter_mut().for_each(|r| *r -= mean);
            if left == 1.0 {
                rhs.clone_from(&residual);
            }
        }
        let (step, _) = solve(&matrix, &residual, accuracy, 5000, monitor)?;
        let next: Vec<f64> = x.iter().zip(&step).map(|(x, s)| x + s).collect();
        let image = schur(plan, &diagonal, &inverse, &next, monitor)?;
        let rest: Vec<f64> = rhs.iter().zip(&image).map(|(r, s)| r - s).collect();
        let now = rest.iter().map(|r| r.abs()).sum::<f64>() / size;
        if now.is_nan() || now >= 0.5 * left {
            break;
        }
        (x, residual, left) = (next, rest, now);
        if left <= ACCURACY {
            break;
        }
    }
    let back = plan.left(std::slice::from_ref(&x), monitor)?.remove(0);
    let y: Vec<f64> = (0..m).map(|j| (w2[j] - back[j]) * inverse[j]).collect();
    let cotangent = |side: &super::side::Side, p: &[f64], x: &[f64]| {
        let rate = if side.hard() { 0.0 } else { reg / side.tau() };
        let each = (0..p.len()).map(|i| x[i] * side.target(i, p[i], reg) * (1.0 + rate) / side.weights()[i]);
        each.collect::<Vec<f64>>()
    };
    let (da, db) = (cotangent(a, f, &x), cotangent(b, g, &y));
    let spread = |part: &[f64], kept: &[usize], n: usize| {
        let mut all = vec![0.0; n];
        kept.iter().zip(part).for_each(|(&i, &p)| all[i] = p);
        all
    };
    let (rows, columns) = problem.kept();
    let (n, m) = problem.whole().shape();
    let (x, da) = (spread(&x, rows, n), spread(&da, rows, n));
    let (y, db) = (spread(&y, columns, m), spread(&db, columns, m));
    Ok(if problem.transposed {
        Adjoint { x: y, y: x, a: db, b: da, residual: left }
    } else {
        Adjoint { x, y, a: da, b: db, residual: left }
    })
}

/// `diag x - P (P^T x/c)` by the plan itself.
fn schur(
    plan: &Plan<'_, '_>,
    diagonal: &[f64],
    inverse: &[f64],
    x: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<Vec<f64>, OtError> {
    let back = plan.left(&[x.to_vec()], monitor)?.remove(0);
    let scaled: Vec<f64> = back.iter().zip(inverse).map(|(b, c)| b * c).collect();
    let forth = plan.right(&[scaled], monitor)?.remove(0);
    Ok((0..x.len()).map(|i| diagonal[i] * x[i] - forth[i]).collect())
}
