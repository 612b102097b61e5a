//! The certificate of a fit: an interval that contains the maximum-likelihood concentration, whatever the solver did.
//!
//! A_d is strictly increasing, so `A(low) < R - dR` and `A(high) > R + dR` prove low < kappa_ML < high. A_d(x) itself
//! is enclosed by the backward recurrence of r_v = I_v/I_{v-1},
//!
//! `r_v = 1/(2v/x + r_{v+1})`,
//!
//! from Amos's bounds on r_{v+M}. An error e in r_{v+1} becomes r_v r~_v e in r_v: the recurrence contracts, and the
//! same product that shrinks the initial width tracks the rounding of the double-double steps.

use super::moments::Moments;
use super::variance::variance;
use crate::base::certificate::{Certificate, Kind};
use crate::base::sum::Dd;

/// Unit roundoff of a double.
const U: f64 = 1.110_223_024_625_156_5e-16;
/// Steps of the recurrence at most (kappa of about 4e10 takes them all).
const MAX_STEPS: usize = 1_000_000;

/// A number and the distance within which the exact one lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Enclosure {
    /// The number.
    pub value: Dd,
    /// Bound of its absolute error.
    pub error: f64,
}

/// Steps of the recurrence that bring the width below 1e-20 of 1 - A_v, or as many as pay.
///
/// At order u Amos's interval is about u/x^2 wide, 1/x of 1 - r_v times u/v; a step contracts it by r_u^2, and
/// `-2 log r_u >= 2 asinh((u-1)/x) >= 1.76 min((u-1)/x, 1)`. So M steps leave `(1 + M/v) exp(-0.88 M (2u+M)/x)/x`.
fn steps(v: f64, x: f64) -> usize {
    let u = (v - 1.0).max(0.0);
    let need = 1.14 * (50.0 - x.max(1.0).ln() + (1.0 + 9.2 * x.sqrt() / v).ln()).max(0.0);
    let m = need * x / (u + (u * u + need * x).sqrt()) + 48.0;
    if m <= MAX_STEPS as f64 {
        return m as usize;
    }
    // Few steps make it wider than none.
    let m = MAX_STEPS as f64;
    if (1.0 + m / v).ln() < 0.88 * m * (2.0 * u + m) / x { MAX_STEPS } else { 0 }
}

/// Encloses I_v(x)/I_{v-1}(x) for v >= 1/2, a multiple of 1/2, and 1e-150 < x < 1e150.
///
/// Rounding of one step, in units of u^2 relative (Joldes et al., TOMS 44 (2017) 15): 1/x 10, its product with 2(v+k)
/// 4, the sum 3 and the reciprocal 10; both addends are positive, so they add up to at most 27. Amos's bounds,
/// `1/((u-1/2)/x + sqrt(1 + ((u+-1/2)/x)^2))`, gather at most 60 in the same way.
/// O(sqrt(x)) steps for x > v^2, O(1) for x < v.
pub fn enclose_ratio(v: f64, x: f64) -> Enclosure {
    let m = steps(v, x);
    let top = v + m as f64;
    let inverse = Dd::ONE / Dd::from(x);
    let amos = |shifted: f64| {
        let q = inverse * Dd::from(shifted);
        Dd::ONE / (inverse * Dd::from(top - 0.5) + (Dd::ONE + q * q).sqrt())
    };
    let (low, high) = (amos(top + 0.5), amos(top - 0.5));
    let mut r = (low + high) * Dd::from(0.5);
    let mut error = (0.5 * (high - low).hi + 80.0 * U * U * high.hi) * (1.0 + 8.0 * U);
    for k in (0..m).rev() {
        // 2(v+k) is an integer below 2^53: exact.
        r = Dd::ONE / (inverse * Dd::from(2.0 * (v + k as f64)) + r);
        error = (r.hi * (r.hi + error) * error + 28.0 * U * U * r.hi) * (1.0 + 8.0 * U);
    }
    Enclosure { value: r, error }
}

/// An interval that contains the maximum-likelihood concentration, and a point in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bracket {
    /// The point: the root, good to an ulp or two where the recurrence is.
    pub kappa: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end; infinite where none could be proven.
    pub high: f64,
}

/// Proves an interval around `kappa`, after one Newton step with the residual in doubled precision.
pub fn bracket(moments: &Moments, kappa: f64) -> Bracket {
    let d = moments.dimension();
    let (v, radius, slack) = (0.5 * d as f64, moments.radius, moments.radius_error);
    let slope = variance(d, kappa);
    let at = enclose_ratio(v, kappa);
    let step = (at.value - radius).to_f64() / slope;
    let refined = kappa - step;
    // A start that is not near the root stays where it is; the interval then tells how far off it is.
    let kappa = if step.abs() <= 0.01 * kappa { refined } else { kappa };
    let rest = if step.abs() <= 1e-8 * kappa { 0.0 } else { step.abs() };
    let mut h = 4.0 * U * kappa + 2.0 * (at.error + slack) / slope + 2.0 * rest;

    let below = |x: f64| {
        let a = enclose_ratio(v, x);
        ((a.value - radius).to_f64()) < -(a.error + slack) * (1.0 + 4.0 * U)
    };
    let above = |x: f64| {
        let a = enclose_ratio(v, x);
        ((a.value - radius).to_f64()) > (a.error + slack) * (1.0 + 4.0 * U)
    };
    let mut low = kappa - h;
    while low > 0.0 && !below(low) {
        h *= 2.0;
        low = kappa - h;
    }
    let mut h = (kappa - low).min(h);
    let mut high = kappa + h;
    while high.is_finite() && !above(high) {
        // Beyond 2^60 kappa nothing can be proven: A is 1 to all digits there.
        if h > 1e18 * kappa.max(1.0) {
            high = f64::INFINITY;
            break;
        }
        h *= 2.0;
        high = kappa + h;
    }
    Bracket { kappa, low: low.max(0.0), high }
}

/// The certificate of `mu` and `kappa` against the interval: the larger distance from `kappa` to an end, over
/// max(kappa, d/100).
pub fn certificate(moments: &Moments, interval: (f64, f64), mu: &[f64], kappa: f64) -> Certificate {
    let d = moments.dimension() as f64;
    let far = (kappa - interval.0).max(interval.1 - kappa);
    let bound = far / kappa.max(0.01 * d) * (1.0 + 4.0 * U);
    let bound = if bound.is_nan() { f64::INFINITY } else { bound };
    Certificate::new(Kind::KappaBracket, bound)
        .part("kappa_lower", interval.0)
        .part("kappa_upper", interval.1)
        .part("R", moments.radius.to_f64())
        .part("dR", moments.radius_error)
        .part("mu_error", moments.direction_error(mu))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_orders_have_closed_forms() {
        // I_{1/2}/I_{-1/2} = tanh; I_{3/2}/I_{1/2} = coth x - 1/x. Doubles tell apart no more than 2^-52.
        for x in [1e-6f64, 0.3, 1.0, 8.0, 30.0] {
            let t = enclose_ratio(0.5, x);
            assert!((t.value.hi - x.tanh()).abs() <= 2.0 * U * x.tanh(), "{x}");
            assert!(t.error <= 1e-29, "{x} {}", t.error);
            let c = enclose_ratio(1.5, x);
            if x >= 1.0 {
                assert!((c.value.hi - (1.0 / x.tanh() - 1.0 / x)).abs() <= 4.0 * U, "{x}");
            }
        }
    }

    #[test]
    fn amos_brackets_the_ratio_and_the_error_stays_small() {
        for (v, x) in [
            (1.0, 1e8),
            (1.5, 1e6),
            (1024.0, 1e10),
            (2.0, 1e17),
            (1024.0, 3000.0),
            (65_536.0, 1e5),
            (65_536.0, 10.0),
        ] {
            let e = enclose_ratio(v, x);
            assert!(e.value.hi >= x / (v - 0.5 + x.hypot(v + 0.5)) * (1.0 - 4.0 * U));
            assert!(e.value.hi <= x / (v - 0.5 + x.hypot(v - 0.5)) * (1.0 + 4.0 * U));
            // Doubled precision itself leaves x times 1e-31 of 1 - A.
            let limit = if x <= 1e10 { 1e-17 } else { 1e-12 };
            assert!(e.error < limit * (Dd::ONE - e.value).to_f64(), "{v} {x} {}", e.error);
        }
    }
}
