//! The sine of pi x.

use crate::lanes::{Lanes, Mask};
use crate::poly::{c, poly};
use crate::real::Real;

/// sin(pi x) within 1.5 ulp, the reduction exact; integers give zero with the sign of x, infinities nan.
#[inline(always)]
pub fn sinpi<V: Lanes>(x: V) -> V {
    // x = n/2 + r, |r| <= 1/4, without error.
    let n = (x + x).round();
    let half = n * c(0.5);
    let r = x - half;
    let z = r * r;
    let q = poly(z, V::Scalar::SINPI) * z;
    let sin = if V::FUSED {
        r.mul_add(c(core::f64::consts::PI), r * (q + V::splat(V::Scalar::PI_LO)))
    } else {
        // The leading halves of r and pi have an exact product.
        let digits = V::Scalar::DIGITS;
        let units = c::<V>(1.5 * (1u64 << (digits - 1 - digits / 2)) as f64);
        let head = (r + units) - units;
        let pi = V::splat(V::Scalar::PI_HEAD);
        head * pi + ((r - head) * pi + r * (q + V::splat(V::Scalar::PI_TAIL)))
    };
    let cos = poly(z, V::Scalar::COSPI).mul_add(z, V::splat(V::Scalar::ONE));
    // sin(pi x) is sin, cos, -sin, -cos of pi r as n is 0, 1, 2, 3 modulo 4: odd n are those whose half is no integer,
    // and the sign is that of n/4 less its floor, compared with 1/2.
    let y = V::select(half.eq(half.floor()), sin, cos);
    let quarter = half * c(0.5);
    let y = V::select((quarter - quarter.floor()).lt(c(0.5)), y, -y);
    // Integers, where y is a zero of either sign: that of x. Huge x are all even integers; 2 x may overflow.
    let zero = V::splat(V::Scalar::ZERO);
    let integer = x.eq(x.floor()).and(x.abs().lt(V::splat(V::Scalar::INFINITY)));
    V::select(integer, zero.copysign(x), y)
}
