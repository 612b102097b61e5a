//! The logarithm of the gamma function and its derivative, for positive arguments.
//!
//! From 8 on both are Stirling's series. Below, the recurrence leads to 2 + t with |t| <= 1/2, where a polynomial
//! stands; every lane computes both, and they share the logarithm or the division.

use crate::lanes::Lanes;
use crate::ln::ln;
use crate::poly::{c, poly};
use crate::real::Real;

/// From here on Stirling.
const FAR: f64 = 8.0;

/// ln Gamma(x) for x > 0, to 1e-15 (2e-7 for `f32`) times max(1, |ln Gamma(x)|), and with small relative error beside
/// its zeros at 1 and 2. inf at 0, nan below.
#[inline(always)]
pub fn lgamma<V: Lanes>(x: V) -> V {
    let (zero, one) = (V::splat(V::Scalar::ZERO), V::splat(V::Scalar::ONE));
    let near = x.lt(c(FAR));
    let inside = V::select(near, x, c(2.0));
    let nearest = inside.round();
    let t = inside - nearest; // exact

    // Gamma(x) = Gamma(2 + t) times (x - 1) ... (x - n), or over x, or over x (x + 1).
    let mut product = one;
    for i in 1..=6 {
        let factor = V::select(nearest.gt(c(i as f64 + 1.5)), inside - c(i as f64), one);
        product = product * factor;
    }
    let below = nearest.lt(c(1.5));
    let divisor = inside * V::select(nearest.lt(c(0.5)), inside + one, one);
    let log = ln(V::select(near, V::select(below, divisor, product), x));
    let y_near = t.mul_add(poly(t, V::Scalar::LGAMMA), V::select(below, -log, log));

    let far = V::select(near, c(FAR), x);
    let inverse = one / far;
    let rest = poly(inverse * inverse, V::Scalar::STIRLING).mul_add(inverse, V::splat(V::Scalar::STIRLING_0));
    let y_far = (far - c(0.5)).mul_add(log - one, rest);
    V::select(x.lt(zero), V::splat(V::Scalar::NAN), V::select(near, y_near, y_far))
}

/// The derivative of ln Gamma(x) for x > 0, to 1e-15 (2e-7 for `f32`) times max(1, |digamma(x)|). -inf at 0, nan below.
#[inline(always)]
pub fn digamma<V: Lanes>(x: V) -> V {
    let (zero, one) = (V::splat(V::Scalar::ZERO), V::splat(V::Scalar::ONE));
    let near = x.lt(c(FAR));
    let inside = V::select(near, x, c(2.0));
    let nearest = inside.round();
    let t = inside - nearest; // exact

    // digamma(x) = digamma(2 + t) plus 1/(x - 1) + ... + 1/(x - n), or less 1/x, or less 1/x + 1/(x + 1): one fraction.
    let (mut above, mut under) = (zero, one);
    for i in 1..=6 {
        let on = nearest.gt(c(i as f64 + 1.5));
        let factor = inside - c(i as f64);
        above = V::select(on, above.mul_add(factor, under), above);
        under = V::select(on, under * factor, under);
    }
    let (below, least) = (nearest.lt(c(1.5)), nearest.lt(c(0.5)));
    above = V::select(below, -V::select(least, inside + (inside + one), one), above);
    under = V::select(below, inside * V::select(least, inside + one, one), under);

    let fraction = V::select(near, above, one) / V::select(near, under, x);
    let y_near = poly(t, V::Scalar::DIGAMMA) + fraction;

    let far = V::select(near, c(FAR), x);
    let inverse = V::select(near, c(1.0 / FAR), fraction);
    let rest = poly(inverse * inverse, V::Scalar::DIGAMMA_FAR).mul_add(inverse, c(0.5));
    let y_far = ln(far) - rest * inverse;
    V::select(x.lt(zero), V::splat(V::Scalar::NAN), V::select(near, y_near, y_far))
}
