//! The root of A_d(kappa) = R.

use super::variance::variance;
use crate::special::scalar::{iv_ratio, iv_ratio_c};

/// Steps before the search gives up; it takes 3 or 4.
pub const MAX_STEPS: u64 = 50;

/// What the search found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Root {
    /// The concentration.
    pub kappa: f64,
    /// Steps taken.
    pub steps: u64,
    /// Whether the last step was at the level of rounding.
    pub settled: bool,
}

/// Solves A_d(kappa) = r for 0 < r < 1, `c` = 1 - r given apart because it carries the accuracy when r is near 1.
///
/// Newton's method on A for r <= 1/2 and on 1/(1 - A), which is nearly linear, above; started from
/// `r (d - r^2)/(1 - r^2)` (Banerjee et al., JMLR 6 (2005) 1345, eq. 4.4) and held inside the interval that inverting
/// Amos's bounds gives (Amos, Math. Comp. 28 (1974) 239, eqs. 11 and 16), by bisection where a step would leave it.
pub fn concentration(d: usize, r: f64, c: f64, max_steps: u64) -> Root {
    let v = 0.5 * d as f64;
    let (order, h, one_minus_r2) = (d as f64, v - 0.5, c * (1.0 + r));
    let mut low = 2.0 * r * h / one_minus_r2 * (1.0 - 1e-14);
    let mut high = r * (h + (h * h + 2.0 * v * one_minus_r2).sqrt()) / one_minus_r2 * (1.0 + 1e-14);
    let mut before = f64::INFINITY;
    let mut kappa = (r * (order - r * r) / one_minus_r2).clamp(low, high);
    for steps in 1..=max_steps {
        let slope = variance(d, kappa);
        let (residual, step) = if r <= 0.5 {
            let residual = iv_ratio(v, kappa) - r;
            (residual, residual / slope)
        } else {
            let a = iv_ratio_c(v, kappa);
            (c - a, (c - a) * a / (c * slope))
        };
        if residual > 0.0 {
            high = kappa
        } else {
            low = kappa
        }
        let mut next = kappa - step;
        if !(next >= low && next <= high) {
            next = 0.5 * (low + high);
        }
        let moved = (next - kappa).abs();
        kappa = next;
        // Quadratic convergence ends where rounding takes over: steps then stop shrinking, a few ulp long.
        let floor = moved <= 1e-13 * kappa && moved >= 0.25 * before;
        if moved <= 4.5e-16 * kappa || floor || low >= high {
            return Root { kappa, steps, settled: true };
        }
        before = moved;
    }
    Root { kappa, steps: max_steps, settled: false }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    #[test]
    fn it_inverts_the_langevin_function() {
        // A_3(k) = coth k - 1/k.
        for k in [1e-3f64, 0.5, 3.0, 40.0, 1e4] {
            let e = (-2.0 * k).exp_m1();
            let c = 1.0 / k + 2.0 * (1.0 + e) / e;
            let r = if k < 0.1 { k / 3.0 - k.powi(3) / 45.0 } else { 1.0 - c };
            let root = concentration(3, r, 1.0 - r, MAX_STEPS);
            assert!(root.settled && root.steps <= 8, "{root:?}");
            assert_relative_eq!(root.kappa, k, max_relative = 1e-15 * k.max(10.0));
        }
    }
}
