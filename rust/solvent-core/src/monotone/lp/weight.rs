//! The primal weight ω: how the step is shared between primal and dual.
//!
//! Changed at restarts only, by a PID rule on the log scale: e = ln(‖y⁺ − y0‖ / ‖x⁺ − x0‖) − ln ω, I ← 0.3 I + e,
//! ω ← ω exp(0.99 e + 0.01 I). Where the distances or the residuals leave the range in which that says anything, ω falls
//! back on the one whose residuals were in best balance: without that it drifts to 1e-6 and the run stalls.

/// Shares of the present and of the accumulated error.
const PROPORTIONAL: f64 = 0.99;
const INTEGRAL: f64 = 0.01;
/// How much of the accumulated error is kept.
const MEMORY: f64 = 0.3;
/// Distances, and ratios of residuals, outside of which the rule is not used.
const DISTANCES: (f64, f64) = (1e-16, 1e12);
const RATIOS: (f64, f64) = (1e-8, 1e8);
/// Limits of ω.
const LIMITS: (f64, f64) = (1e-5, 1e5);

/// The rule's state.
#[derive(Debug, Clone, Copy)]
pub struct PrimalWeight {
    /// ω.
    pub omega: f64,
    integral: f64,
    best: f64,
    imbalance: f64,
}

impl PrimalWeight {
    /// Begins with ω = 1.
    pub fn new() -> Self {
        Self { omega: 1.0, integral: 0.0, best: 1.0, imbalance: f64::INFINITY }
    }

    /// At a restart: distances from the anchor, and relative residuals at the new one.
    pub fn update(&mut self, (dx, dy): (f64, f64), (primal, dual): (f64, f64)) {
        let within = |v: f64, (low, high): (f64, f64)| v > low && v < high;
        let ratio = dual / primal.max(f64::MIN_POSITIVE);
        let held = self.omega;
        if within(dx, DISTANCES) && within(dy, DISTANCES) && within(ratio, RATIOS) {
            let error = dy.ln() - dx.ln() - self.omega.ln();
            self.integral = MEMORY * self.integral + error;
            self.omega *= (PROPORTIONAL * error + INTEGRAL * self.integral).exp();
        } else {
            self.omega = self.best;
            self.integral = 0.0;
        }
        self.omega = self.omega.clamp(LIMITS.0, LIMITS.1);
        let imbalance = (dual.max(f64::MIN_POSITIVE) / primal.max(f64::MIN_POSITIVE)).log10().abs();
        if imbalance < self.imbalance {
            (self.imbalance, self.best) = (imbalance, held);
        }
    }

    /// After a stall: from the beginning.
    pub fn reset(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weight_follows_the_distances_and_falls_back() {
        let mut weight = PrimalWeight::new();
        for _ in 0..20 {
            weight.update((1.0, 10.0), (1.0, 1.0));
        }
        assert!((weight.omega - 10.0).abs() < 0.5);
        let best = weight.best;
        weight.update((0.0, 1.0), (1.0, 5.0));
        assert_eq!(weight.omega, best);
        for _ in 0..20 {
            weight.update((1e-15, 1e11), (1.0, 1.0));
        }
        assert_eq!(weight.omega, 1e5);
    }
}
