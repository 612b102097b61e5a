//! The sine of pi x.

use crate::lanes::Lanes;
use crate::poly::{c, poly};
use crate::real::Real;

/// sin(pi x) within 1.5 ulp, the reduction exact; integers give zero with the sign of x, infinities nan.
#[inline(always)]
pub fn sinpi<V: Lanes>(x: V) -> V {
    let n = x.round();
    let r = x - n; // exact, as is what follows
    let a = r.abs();
    let t = a.min(c::<V>(0.5) - a);
    // sin(pi a) is sin(pi t), or cos(pi t) beyond 1/4.
    let z = t * t;
    let q = poly(z, V::Scalar::SINPI) * z;
    let sin = if V::FUSED {
        t.mul_add(c(core::f64::consts::PI), t * (q + V::splat(V::Scalar::PI_LO)))
    } else {
        // The leading halves of t and pi have an exact product.
        let digits = V::Scalar::DIGITS;
        let units = c::<V>(1.5 * (1u64 << (digits - 1 - digits / 2)) as f64);
        let head = (t + units) - units;
        let pi = V::splat(V::Scalar::PI_HEAD);
        head * pi + ((t - head) * pi + t * (q + V::splat(V::Scalar::PI_TAIL)))
    };
    let cos = poly(z, V::Scalar::COSPI).mul_add(z, V::splat(V::Scalar::ONE));
    let size = V::select(a.le(c(0.25)), sin, cos);
    // The sign is that of r, turned where n is odd; at integers that of x.
    let half = n * c(0.5);
    let sign = V::select(half.eq(half.floor()), r, -r);
    size.copysign(V::select(a.eq(V::splat(V::Scalar::ZERO)), x, sign))
}
