//! The last digits by Gauss-Newton or Newton steps on both factors: how exactly a step is solved, and whether it is taken.

use super::CompletionError;
use super::entry::Entry;
use super::linear::gauss_newton::{System, step};
use super::linear::{Pair, Pattern, add, dot};
use super::problem::Problem;
use super::step::fitted;
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;

/// The normal equations' residual falls by so much in a step at least,
const ETA: f64 = 0.05;
/// and, where the residuals vanish in the end, at most.
const ETA_LEAST: f64 = 1e-4;
/// Lengths of a step that are tried.
const LENGTHS: [f64; 4] = [1.0, 0.25, 0.0625, 0.015625];
/// The last step aims at this part of the residual that is asked for.
const AIM: f64 = 0.1;
/// An objective that grows by less than this part has not grown.
const ROUNDING: f64 = 1e-13;

/// What a step needs of a problem without biases.
pub struct Polish<'a> {
    pattern: Pattern<'a>,
    /// Entries in scaled units.
    y: Vec<f64>,
    /// Ridges of rows and columns, in scaled units.
    ridge: Option<(Vec<f64>, Vec<f64>)>,
}

/// What became of a step.
pub struct Polished {
    /// The new factors; `None` where they would be no better.
    pub factors: Option<Pair>,
    /// Half the weighted sum of squares after it, in scaled units,
    pub loss: f64,
    /// and the whole of the plain one.
    pub squares: f64,
    /// `(sum a_i |u_i|² + sum b_j |v_j|²) / 2` after it.
    pub penalty: f64,
    /// Steps of conjugate gradients.
    pub steps: usize,
}

impl<'a> Polish<'a> {
    /// Of a problem.
    pub fn new<T: Entry>(problem: &Problem<'a, T>) -> Result<Self, CompletionError> {
        let pattern = Pattern::new(problem.rows, problem.weights)?;
        let y = problem.rows.data().iter().map(|y| (y.to_f64() - problem.mean) * problem.unit).collect();
        let lam = problem.ridge();
        let side = |count: usize, entries: &dyn Fn(usize) -> usize| -> Vec<f64> {
            (0..count).map(|i| if problem.penalty.count { lam * entries(i) as f64 } else { lam }).collect()
        };
        let (m, n) = problem.shape();
        let columns = problem.columns();
        let ridge = (lam > 0.0)
            .then(|| (side(m, &|i| problem.rows.range(i).len()), side(n, &|j| columns.range(j).len())));
        Ok(Self { pattern, y, ridge })
    }

    /// `sqrt(w) (y - x)`.
    fn residuals(&self, at: &Pair, monitor: &mut Monitor<'_>) -> Result<Vec<f64>, Aborted> {
        let mut r = fitted(self.pattern.rows(), &at.0, &at.1, monitor)?;
        for (e, r) in r.iter_mut().enumerate() {
            *r = (self.y[e] - *r) * self.pattern.roots().map_or(1.0, |roots| roots[e]);
        }
        Ok(r)
    }

    /// `sum ridge_i |x_i|² / 2` of both factors.
    fn penalty(&self, at: &Pair) -> f64 {
        let Some((a, b)) = &self.ridge else { return 0.0 };
        let one = |a: &[f64], x: &super::factor::Factor<f64>| -> f64 {
            a.iter().enumerate().map(|(i, a)| a * dot(x.row(i), x.row(i))).sum()
        };
        0.5 * (one(a, &at.0) + one(b, &at.1))
    }

    /// A step from these factors: Newton's where the residuals stay, Gauss-Newton's where they vanish. `rel`, the relative
    /// residual, and `tol`, the one that is asked for, say how exactly that is worth solving for.
    pub fn step(
        &self,
        at: &Pair,
        (rel, tol, stays): (f64, f64, bool),
        monitor: &mut Monitor<'_>,
    ) -> Result<Polished, CompletionError> {
        let r = self.residuals(at, monitor)?;
        let before = 0.5 * dot(&r, &r) + self.penalty(at);
        let z: Option<Vec<f64>> = stays.then(|| match self.pattern.roots() {
            Some(roots) => r.iter().zip(roots).map(|(r, root)| r * root).collect(),
            None => r.clone(),
        });
        let eta = if stays { ETA } else { rel.sqrt().max(AIM * tol / rel).clamp(ETA_LEAST, ETA) };
        let mut steps = 0;
        // What Newton's search found before it met negative curvature descends; Gauss-Newton's direction does wherever that
        // brings nothing, far from the optimum.
        for z in [z.as_deref(), None].into_iter().skip(usize::from(!stays)) {
            let system = System {
                pattern: &self.pattern,
                at: (&at.0, &at.1),
                r: &r,
                ridge: self.ridge.as_ref().map(|(a, b)| (a.as_slice(), b.as_slice())),
                z,
                eta,
            };
            let found = step(&system, monitor)?;
            steps += found.steps;
            if found.steps == 0 {
                continue;
            }
            for length in LENGTHS {
                let mut factors = at.clone();
                add(length, found.d.0.as_slice(), factors.0.as_mut_slice());
                add(length, found.d.1.as_slice(), factors.1.as_mut_slice());
                let r = self.residuals(&factors, monitor)?;
                let (loss, penalty) = (0.5 * dot(&r, &r), self.penalty(&factors));
                if loss + penalty <= before * (1.0 + ROUNDING) {
                    let squares = match self.pattern.roots() {
                        Some(roots) => r.iter().zip(roots).map(|(r, root)| (r / root) * (r / root)).sum(),
                        None => 2.0 * loss,
                    };
                    return Ok(Polished { factors: Some(factors), loss, squares, penalty, steps });
                }
            }
        }
        Ok(Polished { factors: None, loss: f64::NAN, squares: f64::NAN, penalty: f64::NAN, steps })
    }
}
