//! From the problem that is iterated on back to the caller's: through the presolve stack, where there is one.

use super::clean::clean;
use super::pdhg::Pair;
use super::postsolve;
use super::presolve::Presolve;
use super::problem::Problem;
use super::rays::{Proof, Ray};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;

/// What presolve left behind.
pub struct Reductions {
    /// The stack.
    pub presolve: Presolve,
    /// The reduced problem.
    pub problem: Problem,
    /// Its rows in the original.
    pub rows: Vec<usize>,
    /// Its columns in the original.
    pub columns: Vec<usize>,
}

/// The way back.
pub struct Lift<'a> {
    /// The caller's problem.
    pub original: &'a Problem,
    /// What was done to it.
    pub reductions: Option<&'a Reductions>,
}

/// A row with its multiplier, and columns with their reduced costs: where a ray begins.
type Seed<'a> = ((usize, f64), &'a [(usize, f64)]);

/// Puts `values` in their places.
fn scatter(size: usize, places: &[usize], values: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; size];
    places.iter().zip(values).for_each(|(&p, v)| out[p] = *v);
    out
}

/// c − Aᵀy in plain sums, `costs` times c.
fn reduced_costs(problem: &Problem, costs: f64, y: &[f64]) -> Vec<f64> {
    let at = problem.at.view();
    let column = |j: usize| {
        let (indices, values) = at.row(j);
        costs * problem.c[j] - indices.iter().zip(values).map(|(&i, a)| a * y[i as usize]).sum::<f64>()
    };
    (0..problem.n()).map(column).collect()
}

impl Lift<'_> {
    /// The problem that is iterated on.
    pub fn iterated(&self) -> &Problem {
        self.reductions.map_or(self.original, |it| &it.problem)
    }

    /// A pair of the original problem: x inside its bounds, y of the signs that its limits allow.
    pub fn pair(&self, x: Vec<f64>, y: Vec<f64>) -> Pair {
        let mut pair = match self.reductions {
            None => Pair { x, y },
            Some(it) => {
                let r = reduced_costs(&it.problem, 1.0, &y);
                Pair { x: self.primal(it, false, &x), y: self.dual(it, 1.0, &y, &r, None) }
            }
        };
        for (j, x) in pair.x.iter_mut().enumerate() {
            *x = self.original.columns.clip(j, *x);
        }
        self.original.clip_dual(&mut pair.y);
        pair
    }

    /// The start of the iteration that a pair of the original problem gives.
    pub fn start(&self, pair: &Pair) -> Pair {
        let pick = |x: &[f64], which: &[usize]| which.iter().map(|&i| x[i]).collect();
        match self.reductions {
            None => pair.clone(),
            Some(it) => Pair { x: pick(&pair.x, &it.columns), y: pick(&pair.y, &it.rows) },
        }
    }

    /// A candidate of the iterated problem as a ray of the original one, as exact as it can be made.
    pub fn ray(&self, proof: Proof, vector: &[f64], monitor: &mut Monitor<'_>) -> Result<Ray, Aborted> {
        let Some(it) = self.reductions else {
            return clean(self.original, proof, vector, monitor);
        };
        // Exact where it is small, so that little is lost on the way.
        let inner = clean(&it.problem, proof, vector, monitor)?;
        let lifted = match proof {
            Proof::Farkas => {
                let r = reduced_costs(&it.problem, 0.0, &inner.vector);
                self.dual(it, 0.0, &inner.vector, &r, None)
            }
            Proof::Recession => self.primal(it, true, &inner.vector),
        };
        clean(self.original, proof, &lifted, monitor)
    }

    /// The ray of a contradiction that presolve met.
    pub fn contradiction(
        &self,
        it: &Reductions,
        row: (usize, f64),
        costs: &[(usize, f64)],
        monitor: &mut Monitor<'_>,
    ) -> Result<Ray, Aborted> {
        let (y, r) = (vec![0.0; it.rows.len()], vec![0.0; it.columns.len()]);
        let lifted = self.dual(it, 0.0, &y, &r, Some((row, costs)));
        clean(self.original, Proof::Farkas, &lifted, monitor)
    }

    /// The ray of a column that presolve met.
    pub fn descent(
        &self,
        it: &Reductions,
        column: usize,
        sign: f64,
        monitor: &mut Monitor<'_>,
    ) -> Result<Ray, Aborted> {
        let mut d = vec![0.0; self.original.n()];
        d[column] = sign;
        postsolve::primal(&it.presolve.stack, true, &mut d);
        clean(self.original, Proof::Recession, &d, monitor)
    }

    fn primal(&self, it: &Reductions, ray: bool, x: &[f64]) -> Vec<f64> {
        let mut out = scatter(self.original.n(), &it.columns, x);
        postsolve::primal(&it.presolve.stack, ray, &mut out);
        out
    }

    fn dual(&self, it: &Reductions, costs: f64, y: &[f64], r: &[f64], seed: Option<Seed<'_>>) -> Vec<f64> {
        let mut y = scatter(self.original.m(), &it.rows, y);
        let mut r = scatter(self.original.n(), &it.columns, r);
        if let Some((row, charges)) = seed {
            y[row.0] = row.1;
            charges.iter().for_each(|&(j, value)| r[j] = value);
        }
        postsolve::dual(&it.presolve.stack, costs, &mut y, &mut r);
        y
    }
}
