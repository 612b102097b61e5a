//! The primal weight ω: how the step is shared between primal and dual.
//!
//! Changed at restarts only, by a PID rule on the log scale: e = ln(‖y⁺ − y0‖ / ‖x⁺ − x0‖) − ln ω, I ← 0.3 I + e,
//! ω ← ω exp(0.99 e + 0.01 I). Where the distances or the residuals leave the range in which that says anything, ω falls
//! back on the one whose residuals were in best balance: without that it drifts to 1e-6 and the run stalls.
//!
//! Those ranges are in a unit: costs of 1e12 on variables that stay on their bounds, or limits of 1e12 that no row reaches,
//! make everything that matters small beside the norms by which costs and limits were divided, and so do rows in units of
//! 1e-30 ([`Share`]).

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

/// Shares that are nearer to 1 than this count as 1; the unit changes by as much at least.
const NEAR: f64 = 1e3;
/// Restarts without the rule after which the unit may change.
const IDLE: u32 = 3;

/// The norm of what matters of scaled costs or limits, whose whole norm is at most 1.
#[derive(Debug, Clone, Copy, Default)]
pub struct Share {
    squares: f64,
}

impl Share {
    /// Adds a number, which may matter.
    pub fn add(&mut self, x: f64, matters: bool) {
        self.squares += if matters { x * x } else { 0.0 };
    }

    /// The norm, if it is small; else 1, also where nothing seems to matter.
    pub fn value(self) -> f64 {
        let share = self.squares.sqrt();
        if share > 0.0 && share * NEAR < 1.0 { share } else { 1.0 }
    }
}

/// The rule's state.
#[derive(Debug, Clone, Copy)]
pub struct PrimalWeight {
    /// ω.
    pub omega: f64,
    /// What ω is of the size of.
    unit: f64,
    integral: f64,
    best: f64,
    imbalance: f64,
    /// Restarts in a row at which the rule could not be used.
    idle: u32,
}

impl PrimalWeight {
    /// Begins with ω = 1.
    pub fn new() -> Self {
        Self::of_size(1.0)
    }

    fn of_size(unit: f64) -> Self {
        Self { omega: unit, unit, integral: 0.0, best: unit, imbalance: f64::INFINITY, idle: 0 }
    }

    /// At a restart: distances from the anchor, relative residuals at the new one, and the shares of costs and limits that
    /// matter there. Returns the unit by which ω has changed, where it has: multipliers that were found in another say
    /// nothing, and neither do variables where it is limits that do not matter.
    pub fn update(
        &mut self,
        (dx, dy): (f64, f64),
        (primal, dual): (f64, f64),
        (costs, limits): (f64, f64),
    ) -> Option<f64> {
        let within = |v: f64, (low, high): (f64, f64)| v > low && v < high;
        let unit = costs / limits;
        let change = unit / self.unit;
        if self.idle >= IDLE && !within(change, (1.0 / NEAR, NEAR)) {
            *self = Self::of_size(unit);
            return Some(change);
        }
        let dual = dual / self.unit;
        let ratio = dual / primal.max(f64::MIN_POSITIVE);
        let held = self.omega;
        if within(dx, DISTANCES) && within(dy / self.unit, DISTANCES) && within(ratio, RATIOS) {
            let error = dy.ln() - dx.ln() - self.omega.ln();
            self.integral = MEMORY * self.integral + error;
            self.omega *= (PROPORTIONAL * error + INTEGRAL * self.integral).exp();
            self.idle = 0;
        } else {
            self.idle += 1;
            self.omega = self.best;
            self.integral = 0.0;
        }
        self.omega = self.omega.clamp(LIMITS.0 * self.unit, LIMITS.1 * self.unit);
        let imbalance = (dual.max(f64::MIN_POSITIVE) / primal.max(f64::MIN_POSITIVE)).log10().abs();
        if imbalance < self.imbalance {
            (self.imbalance, self.best) = (imbalance, held);
        }
        None
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
            weight.update((1.0, 10.0), (1.0, 1.0), (1.0, 1.0));
        }
        assert!((weight.omega - 10.0).abs() < 0.5);
        let best = weight.best;
        weight.update((0.0, 1.0), (1.0, 5.0), (1.0, 1.0));
        assert_eq!(weight.omega, best);
        for _ in 0..20 {
            weight.update((1e-15, 1e11), (1.0, 1.0), (1.0, 1.0));
        }
        assert_eq!(weight.omega, 1e5);
        // Costs of which a share of 1e-12 matters: the rule goes on in that unit.
        let mut share = Share::default();
        share.add(1.0, false);
        share.add(1e-12, true);
        for _ in 0..=IDLE {
            weight.update((1.0, 1e-20), (0.0, 0.0), (share.value(), 1.0));
        }
        assert!((weight.omega / 1e-12 - 1.0).abs() < 1e-9);
        weight.update((1.0, 1e-11), (1.0, 1e-12), (share.value(), 1.0));
        assert!((weight.omega / 1e-11 - 1.0).abs() < 0.1);
    }
}
