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

use super::{Pair, Pattern, add, dot};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::completion::factor::Factor;

/// Steps of conjugate gradients at most.
const STEPS: usize = 300;
/// Ridge of a Gram matrix, relative to its trace over its order.
const RIDGE: f64 = 1e-13;

/// Lower Cholesky factors of `sum_j w_ij x_j x_j^T + ridge` for all rows of one side, packed row by row.
struct Grams {
    factors: Vec<f64>,
    k: usize,
}

impl Grams {
    /// Of one side's rows; `by_rows` says which.
    fn new(
        pattern: &Pattern<'_>,
        by_rows: bool,
        other: &Factor<f64>,
        ridge: Option<&[f64]>,
        monitor: &mut Monitor<'_>,
    ) -> Result<Self, Aborted> {
        let k = other.width();
        let columns = pattern.columns();
        let (entries, cuts) =
            if by_rows { (pattern.rows, &pattern.row_cuts) } else { (columns, &pattern.column_cuts) };
        let weight = |e: usize| {
            pattern.roots().map_or(1.0, |roots| {
                let root = roots[if by_rows { e } else { pattern.order()[e] }];
                root * root
            })
        };
        let scale = dot(other.as_slice(), other.as_slice()) / other.rows().max(1) as f64;
        let parts = monitor.map_items(cuts.clone().into_iter(), |rows| {
            let mut out = vec![0.0; rows.len() * k * (k + 1) / 2];
            for (i, l) in rows.zip(out.chunks_exact_mut(k * (k + 1) / 2)) {
                for e in entries.range(i) {
                    let (x, w) = (other.row(entries.indices()[e] as usize), weight(e));
                    let mut at = 0;
                    for a in 0..k {
                        let s = w * x[a];
                        for (g, y) in l[at..=at + a].iter_mut().zip(x) {
                            *g += s * y;
                        }
                        at += a + 1;
                    }
                }
                factorise(l, k, ridge.map_or(0.0, |ridge| ridge[i]), scale);
            }
            out
        })?;
        Ok(Self { factors: parts.concat(), k })
    }

    /// Solves with every row's Gram matrix.
    fn solve(&self, x: &mut Factor<f64>) {
        let k = self.k;
        for (i, l) in self.factors.chunks_exact(k * (k + 1) / 2).enumerate() {
            substitute(l, &mut x.row_mut(i)[..k]);
        }
    }
}

/// Cholesky in place of a packed lower triangle; a pivot that is noise is raised.
fn factorise(l: &mut [f64], k: usize, nu: f64, scale: f64) {
    let at = |i: usize| i * (i + 1) / 2;
    let trace: f64 = (0..k).map(|i| l[at(i) + i]).sum();
    let ridge = nu + RIDGE * (trace / k as f64).max(1e-3 * scale).max(f64::MIN_POSITIVE);
    for i in 0..k {
        l[at(i) + i] += ridge;
        for j in 0..=i {
            let (mut sum, rows) = (l[at(i) + j], (at(i), at(j)));
            for p in 0..j {
                sum -= l[rows.0 + p] * l[rows.1 + p];
            }
            l[at(i) + j] = if i == j { sum.max(ridge).sqrt() } else { sum / l[at(j) + j] };
        }
    }
}

/// Solves `L L^T x = x`.
fn substitute(l: &[f64], x: &mut [f64]) {
    let k = x.len();
    let mut at = 0;
    for i in 0..k {
        let row = &l[at..=at + i];
        let known: f64 = row.iter().zip(&x[..i]).map(|(a, b)| a * b).sum();
        x[i] = (x[i] - known) / row[i];
        at += i + 1;
    }
    for i in (0..k).rev() {
        at -= i + 1;
        let row = &l[at..=at + i];
        x[i] /= row[i];
        let value = x[i];
        for (y, a) in x[..i].iter_mut().zip(row) {
            *y -= value * a;
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_cholesky_solves() {
        let g = [[4.0, 1.0, 0.5], [1.0, 3.0, 0.25], [0.5, 0.25, 2.0]];
        let mut l = vec![g[0][0], g[1][0], g[1][1], g[2][0], g[2][1], g[2][2]];
        factorise(&mut l, 3, 0.0, 1.0);
        let x = [1.0, -2.0, 0.5];
        let mut b: Vec<f64> = g.iter().map(|row| row.iter().zip(&x).map(|(a, b)| a * b).sum()).collect();
        substitute(&l, &mut b);
        assert!(b.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-10));
    }
}
