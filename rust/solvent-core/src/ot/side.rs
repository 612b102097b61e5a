//! One side of a plan: its weights, and how firmly the plan's marginal is held to them.

use crate::base::sum::Sum;

/// Weights `a > 0` with a penalty `tau KL(marginal | a)`; `tau = inf` holds the marginal to `a`.
///
/// Potentials here are *folded*: `f' = f + reg log a`, so that `P_ij = exp((f'_i + g'_j - C_ij)/reg)`. The dual's share of
/// this side is `-tau sum a (exp(-f/tau) - 1)`, which is `<f, a>` where tau = inf, and the marginal that f asks for is
/// `a exp(-f/tau)`.
#[derive(Debug, Clone)]
pub struct Side {
    weights: Vec<f64>,
    logs: Vec<f64>,
    tau: f64,
    mass: f64,
    capped: bool,
}

/// A penalised marginal below this, whose potential asks for no more, is nothing.
const NOTHING: f64 = 1e-280;

impl Side {
    /// All weights positive.
    pub fn new(weights: Vec<f64>, tau: f64) -> Self {
        let logs = weights.iter().map(|a| a.ln()).collect();
        let mass = crate::base::sum::sum(&weights);
        Self { weights, logs, tau, mass, capped: false }
    }

    /// The weights as upper limits: a hard side whose potentials, not folded, stay at or below 0.
    #[must_use]
    pub fn capped(self) -> Self {
        Self { capped: true, tau: f64::INFINITY, ..self }
    }

    /// How many weights.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// The weights.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Their logarithms.
    pub fn logs(&self) -> &[f64] {
        &self.logs
    }

    /// Their sum.
    pub fn mass(&self) -> f64 {
        self.mass
    }

    /// The penalty.
    pub fn tau(&self) -> f64 {
        self.tau
    }

    /// Whether the marginal is held exactly.
    pub fn hard(&self) -> bool {
        self.tau == f64::INFINITY
    }

    /// tau/(tau + reg): how far an exact update goes.
    fn rate(&self, reg: f64) -> f64 {
        if self.hard() { 1.0 } else { self.tau / (self.tau + reg) }
    }

    /// The potential that maximises the dual in this coordinate, where the marginal at `f` is `sum`; and the factor by
    /// which that scales the marginal.
    #[inline]
    pub fn exact(&self, i: usize, f: f64, sum: f64, reg: f64) -> (f64, f64) {
        if self.hard() {
            let factor = self.weights[i] / sum;
            let met = f + reg * (self.logs[i] - sum.ln());
            let cap = reg * self.logs[i];
            if self.capped && met > cap {
                return (cap, ((cap - f) / reg).exp());
            }
            return (met, factor);
        }
        if self.left(i, f, sum, reg) {
            return (f, 1.0);
        }
        let rate = self.rate(reg);
        let step = self.logs[i] - rate * sum.ln() - (1.0 - rate) * (f / reg);
        (f + reg * step, step.exp())
    }

    /// Whether the plan has left this row or column: nothing is there and nothing is asked for, which a penalty allows.
    #[inline]
    pub fn left(&self, i: usize, f: f64, sum: f64, reg: f64) -> bool {
        !self.hard() && sum < NOTHING && self.target(i, f, reg) < NOTHING
    }

    /// The marginal that the potential asks for.
    #[inline]
    pub fn target(&self, i: usize, f: f64, reg: f64) -> f64 {
        if self.hard() {
            self.weights[i]
        } else {
            self.weights[i] * (-(f - reg * self.logs[i]) / self.tau).exp()
        }
    }

    /// `sum_i |sums_i - target_i|`.
    pub fn error(&self, f: &[f64], sums: &[f64], reg: f64) -> f64 {
        let each = f.iter().zip(sums).enumerate().map(|(i, (&f, s))| (s - self.target(i, f, reg)).abs());
        each.collect::<Sum>().value()
    }

    /// What the dual's share of this side gains from `f` to `to`.
    pub fn gain(&self, f: &[f64], to: &[f64], reg: f64) -> f64 {
        let each = f.iter().zip(to).enumerate().map(|(i, (&f, &t))| {
            if self.hard() {
                self.weights[i] * (t - f)
            } else {
                -self.tau * self.target(i, f, reg) * (-(t - f) / self.tau).exp_m1()
            }
        });
        each.collect::<Sum>().value()
    }

    /// What a second derivative of the dual's share adds to the diagonal of the plan's marginal, in units of 1/reg.
    #[inline]
    pub fn curvature(&self, i: usize, f: f64, reg: f64) -> f64 {
        if self.hard() { 0.0 } else { reg / self.tau * self.target(i, f, reg) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_update_meets_its_target() {
        let reg = 0.3;
        for tau in [f64::INFINITY, 0.7] {
            let side = Side::new(vec![0.2, 1.5], tau);
            for (i, sum) in [(0, 0.05), (1, 4.0)] {
                let (moved, factor) = side.exact(i, 0.4, sum, reg);
                assert!((((moved - 0.4) / reg).exp() - factor).abs() < 1e-14 * factor);
                assert!((sum * factor - side.target(i, moved, reg)).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn gains_are_differences_of_the_share() {
        let reg = 0.3;
        let side = Side::new(vec![0.2, 1.5], 0.7);
        let share = |f: &[f64]| -> f64 {
            f.iter()
                .zip(side.weights())
                .map(|(f, a)| -0.7 * a * ((-(f - reg * a.ln()) / 0.7).exp() - 1.0))
                .sum()
        };
        let (f, to) = ([0.1, -0.4], [0.3, -0.45]);
        assert!((side.gain(&f, &to, reg) - (share(&to) - share(&f))).abs() < 1e-14);
        // The curvature is minus the second derivative, times reg.
        let h = 1e-4;
        let second = (share(&[0.1 + h, -0.4]) - 2.0 * share(&f) + share(&[0.1 - h, -0.4])) / (h * h);
        assert!((side.curvature(0, 0.1, reg) + reg * second).abs() < 1e-6);
    }
}
