//! Gauss-Newton and Newton steps on both factors at once: the last digits, where alternating minimization converges linearly.
//!
//! With r the residuals times the roots of the weights, Z = w r at the entries and ridges a, b of the rows and columns,
//!
//! ```text
//! (J^T J + diag(a, b)) d - (Z dV, Z^T dU) = J^T r - (a U, b V)
//! ```
//!
//! by conjugate gradients, preconditioned by the Gram matrices of rows and columns; without the term in Z it is
//! Gauss-Newton's, which is as good where the residual vanishes. J has the gauge `(U C, -V C^T)` as its null space, which the
//! right side is orthogonal to at balanced factors. A direction of no curvature ends the search.

use super::grams::Grams;
use super::{Pair, Pattern, add, dot};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::completion::factor::Factor;

/// Steps of conjugate gradients at most.
const STEPS: usize = 300;
/// A step and the work it took.
pub struct Step {
    /// Changes of both factors.
    pub d: Pair,
    /// Steps of conjugate gradients.
    pub steps: usize,
    /// Whether a direction without curvature ended the search.
    pub bent: bool,
}

/// What a step solves.
pub struct System<'s, 'p> {
    /// The entries.
    pub pattern: &'s Pattern<'p>,
    /// The factors.
    pub at: (&'s Factor<f64>, &'s Factor<f64>),
    /// Residuals times the roots of the weights.
    pub r: &'s [f64],
    /// Ridges of rows and columns.
    pub ridge: Option<(&'s [f64], &'s [f64])>,
    /// `w r`, for Newton's step.
    pub z: Option<&'s [f64]>,
    /// How far the right side has to fall.
    pub eta: f64,
}

/// `y += s diag(ridge) x`.
fn add_ridge(s: f64, ridge: Option<(&[f64], &[f64])>, x: (&Factor<f64>, &Factor<f64>), y: &mut Pair) {
    let Some((a, b)) = ridge else { return };
    for (a, x, y) in [(a, x.0, &mut y.0), (b, x.1, &mut y.1)] {
        for (i, a) in a.iter().enumerate() {
            add(s * a, x.row(i), y.row_mut(i));
        }
    }
}

/// The step.
pub fn step(system: &System<'_, '_>, monitor: &mut Monitor<'_>) -> Result<Step, Aborted> {
    let (pattern, (u, v), ridge) = (system.pattern, system.at, system.ridge);
    let rows = Grams::new(pattern, true, v, ridge.map(|(a, _)| a), monitor)?;
    let columns = Grams::new(pattern, false, u, ridge.map(|(_, b)| b), monitor)?;
    let zero = || (Factor::zeros(u.rows(), u.width()), Factor::zeros(v.rows(), v.width()));
    let inner =
        |x: &Pair, y: &Pair| dot(x.0.as_slice(), y.0.as_slice()) + dot(x.1.as_slice(), y.1.as_slice());
    let plus = |s: f64, x: &Pair, y: &mut Pair| {
        add(s, x.0.as_slice(), y.0.as_mut_slice());
        add(s, x.1.as_slice(), y.1.as_mut_slice());
    };
    let mut left = zero();
    pattern.back_rows(system.r, v, &mut left.0, monitor)?;
    pattern.back_columns(system.r, u, &mut left.1, monitor)?;
    add_ridge(-1.0, ridge, (u, v), &mut left);
    let condition = |x: &Pair| {
        let mut z = x.clone();
        rows.solve(&mut z.0);
        columns.solve(&mut z.1);
        z
    };
    let mut z = condition(&left);
    let mut p = z.clone();
    let (mut d, mut q, mut t) = (zero(), zero(), vec![0.0; pattern.nnz()]);
    let mut rz = inner(&left, &z);
    let enough = system.eta * system.eta * rz;
    let (mut steps, mut bent) = (0, false);
    while steps < STEPS && rz > enough && rz > 0.0 && !monitor.expired() {
        pattern.normal((u, v), (&p, system.z), &mut t, &mut q, monitor)?;
        add_ridge(1.0, ridge, (&p.0, &p.1), &mut q);
        let curvature = inner(&p, &q);
        if curvature.is_nan() || curvature <= 0.0 {
            bent = true;
            break;
        }
        let alpha = rz / curvature;
        plus(alpha, &p, &mut d);
        plus(-alpha, &q, &mut left);
        z = condition(&left);
        let next = inner(&left, &z);
        let beta = next / rz;
        for (p, z) in [(&mut p.0, &z.0), (&mut p.1, &z.1)] {
            for (p, z) in p.as_mut_slice().iter_mut().zip(z.as_slice()) {
                *p = beta * *p + z;
            }
        }
        rz = next;
        steps += 1;
    }
    Ok(Step { d, steps, bent })
}
