//! The logarithm of the gamma function and its derivative, for positive arguments.
//!
//! From 8 (`f32`: 3) on both are Stirling's series. Below, the recurrence leads to 2 + t (digamma: 3/2 + t) with |t| <= 1/2,
//! where a polynomial stands; every lane computes both, and they share the logarithm or the division.

use crate::lanes::Lanes;
use crate::ln::ln;
use crate::poly::{c, poly};
use crate::real::Real;

/// ln Gamma(x) for x > 0, to 1e-15 (2e-7 for `f32`) times max(1, |ln Gamma(x)|), and with small relative error beside
/// its zeros at 1 and 2. inf at 0, nan below.
#[inline(always)]
pub fn lgamma<V: Lanes>(x: V) -> V {
    let (zero, one) = (V::splat(V::Scalar::ZERO), V::splat(V::Scalar::ONE));
    let far_from = V::splat(V::Scalar::FAR);
    let near = x.lt(far_from);
    let inside = V::select(near, x, c(2.0));
    let nearest = inside.round();
    let t = inside - nearest; // exact

    // Gamma(x) = Gamma(2 + t) times (x - 1) ... (x - n), or over x, or over x (x + 1).
    let mut product = one;
    for i in 1..=V::Scalar::SHIFTS {
        let factor = V::select(nearest.gt(c(i as f64 + 1.5)), inside - c(i as f64), one);
        product = product * factor;
    }
    let below = nearest.lt(c(1.5));
    let least = nearest.lt(c(0.5));
    let next = inside + one;
    let divisor = inside * V::select(least, next, one);
    // The logarithm of what x + 1 lost, to first order.
    let lost = V::select(least, inside - (next - one), zero);
    // Far out ln(x) - 1 is wanted.
    let over_e = x * V::splat(V::Scalar::RECIPROCAL_E);
    let log = ln(V::select(near, V::select(below, divisor, product), over_e));
    let y_near = t.mul_add(poly(t, V::Scalar::LGAMMA), -lost) + V::select(below, -log, log);

    let far = V::select(near, far_from, x);
    let inverse = one / far;
    let rest = poly(inverse * inverse, V::Scalar::STIRLING).mul_add(inverse, V::splat(V::Scalar::STIRLING_0));
    let factor = far - c(0.5);
    let y_far = if V::Scalar::DIGITS > 24 {
        factor.mul_add(log, rest)
    } else {
        // `f32` has to begin so early that the roundings of 1/e, of x/e and of the product would show.
        let r = 1.0 / core::f64::consts::E;
        let lost = far.fma(V::splat(V::Scalar::RECIPROCAL_E), -over_e) * inverse * c(core::f64::consts::E);
        let lost = V::select(far.lt(V::splat(V::Scalar::INFINITY)), lost, zero);
        factor.fma(log + (lost + c((r - (r as f32) as f64) / r)), rest)
    };
    V::select(x.lt(zero), V::splat(V::Scalar::NAN), V::select(near, y_near, y_far))
}

/// The derivative of ln Gamma(x) for x > 0, to 1e-15 (2e-7 for `f32`) times max(1, |digamma(x)|). -inf at 0, nan below.
#[inline(always)]
pub fn digamma<V: Lanes>(x: V) -> V {
    let (zero, one) = (V::splat(V::Scalar::ZERO), V::splat(V::Scalar::ONE));
    let far_from = V::splat(V::Scalar::FAR);
    let near = x.lt(far_from);
    let inside = V::select(near, x, c(2.0));
    let whole = inside.floor();
    let t = (inside - whole) - c(0.5);

    // digamma(x) = digamma(3/2 + t) plus 1/(x - 1) + ... + 1/(x - n) as one fraction, or less 1/x.
    let (mut above, mut under) = (zero, one);
    for i in 1..=V::Scalar::SHIFTS {
        let on = whole.gt(c(i as f64 + 0.5));
        let factor = inside - c(i as f64);
        above = V::select(on, above.mul_add(factor, under), above);
        under = V::select(on, under * factor, under);
    }
    let below = inside.lt(one);
    above = V::select(below, -one, above);
    under = V::select(below, inside, under);

    let fraction = V::select(near, above, one) / V::select(near, under, x);
    let y_near = poly(t, V::Scalar::DIGAMMA) + fraction;

    let far = V::select(near, far_from, x);
    let inverse = V::select(near, one / far_from, fraction);
    let rest = poly(inverse * inverse, V::Scalar::DIGAMMA_FAR).mul_add(inverse, c(0.5));
    let y_far = ln(far) - rest * inverse;
    V::select(x.lt(zero), V::splat(V::Scalar::NAN), V::select(near, y_near, y_far))
}
