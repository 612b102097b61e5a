//! Weights near the uniform ones: `{q >= 0, Σq = 1, |q - 1/n| <= rho}`.
//!
//! With the multiplier of the ball, the projection of v is that of `s v` on the simplex for some s in (0, 1]: the ball's
//! term pulls towards `1/n`, which is a shrinking and a shift, and the simplex ignores shifts. `|q(s) - 1/n|` grows with
//! s, and on a fixed support of k entries it is known in closed form,
//! `|q|² = s² (Σv² - (Σv)²/k) + 1/k` over the support: a step in s that bisection only has to guard.

use super::Prox;
use super::simplex::threshold;
use crate::base::error::Aborted;
use crate::base::sum::Sum;
use crate::monotone::vector::norm;

/// See the [module](self).
#[derive(Debug, Clone, Copy)]
pub struct WeightBall {
    rho: f64,
}

impl WeightBall {
    /// `rho >= 0`.
    pub fn new(rho: f64) -> Self {
        Self { rho }
    }

    /// `q(s)`, its distance from the uniform weights, and the s that reaches rho on its support.
    fn shrunken(&self, v: &[f64], s: f64, q: &mut [f64]) -> (f64, f64) {
        let n = v.len() as f64;
        let scaled: Vec<f64> = v.iter().map(|v| s * v).collect();
        let (top, theta) = threshold(&scaled, 1.0);
        for (q, &v) in q.iter_mut().zip(&scaled) {
            *q = ((v - top - theta.hi) - theta.lo).max(0.0);
        }
        let far = norm(&q.iter().map(|q| q - 1.0 / n).collect::<Vec<_>>());
        let support = || v.iter().zip(q.iter()).filter(|(_, q)| **q > 0.0).map(|(v, _)| *v);
        let k = support().count() as f64;
        let mean = support().collect::<Sum>().value() / k;
        let spread: f64 = support().map(|v| (v - mean).powi(2)).collect::<Sum>().value();
        let room = self.rho.powi(2) + 1.0 / n - 1.0 / k;
        (far, if room > 0.0 { (room / spread).sqrt() } else { 0.0 })
    }
}

impl Prox for WeightBall {
    fn apply(&self, v: &[f64], _: f64, out: &mut [f64]) -> Result<(), Aborted> {
        if v.iter().any(|v| !v.is_finite()) {
            out.fill(f64::NAN);
            return Ok(());
        }
        // Centred: only differences matter, and they keep their bits best near 0.
        let top = v.iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v));
        let v: Vec<f64> = v.iter().map(|v| (v - top).max(-1e300)).collect();
        let (far, mut guess) = self.shrunken(&v, 1.0, out);
        if far <= self.rho {
            return Ok(());
        }
        if self.rho == 0.0 {
            out.fill(1.0 / v.len() as f64);
            return Ok(());
        }
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..200 {
            let s = if guess > low && guess < high { guess } else { 0.5 * (low + high) };
            if s <= low || s >= high {
                break;
            }
            let (far, next) = self.shrunken(&v, s, out);
            // The closed form reproduces the s it was given: the support is the right one.
            if (next - s).abs() <= 4.0 * f64::EPSILON * s {
                break;
            }
            if far > self.rho {
                high = s
            } else {
                low = s
            }
            guess = next;
        }
        Ok(())
    }

    /// s is correct to a few ulp, and q with it, beside the rounding of the simplex.
    fn allowance(&self, v: &[f64], _: f64, y: &[f64]) -> f64 {
        let k = v.len() as f64;
        16.0 * f64::EPSILON * (norm(y) + k.sqrt() * self.rho)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constraints_hold_and_the_projection_is_nearest() {
        let v = [0.9, -0.2, 0.4, 0.1, 0.35];
        for rho in [0.0, 0.05, 0.2, 0.5, 2.0] {
            let mut q = [0.0; 5];
            WeightBall::new(rho).apply(&v, 1.0, &mut q).unwrap();
            let sum: f64 = q.iter().sum();
            let far = q.iter().map(|q| (q - 0.2).powi(2)).sum::<f64>().sqrt();
            assert!((sum - 1.0).abs() < 1e-15 && far <= rho + 1e-15 && q.iter().all(|&q| q >= 0.0));
            // Variational inequality against the extreme weights of the ball that are feasible.
            for j in 0..5 {
                let mut other = [0.2; 5];
                let step = rho.min(0.2 * 20f64.sqrt() / 4.0) / 20f64.sqrt();
                (0..5).for_each(|i| other[i] += step * if i == j { 4.0 } else { -1.0 });
                let product: f64 = (0..5).map(|i| (v[i] - q[i]) * (other[i] - q[i])).sum();
                assert!(product < 1e-14, "{rho} {j} {product}");
            }
        }
    }
}
