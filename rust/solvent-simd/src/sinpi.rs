//! The sine of pi x.

use crate::lanes::{Lanes, Mask};
use crate::poly::{c, poly};
use crate::real::Real;

/// sin(pi x) within 1.5 ulp, the reduction exact; integers give zero with the sign of x, infinities nan.
#[inline(always)]
pub fn sinpi<V: Lanes>(x: V) -> V {
    let n = x.round();
    let r = x - n; // exact
    let z = r * r;
    let q = poly(z, V::Scalar::SINPI) * z;
    let y = if V::FUSED {
        r.mul_add(c(core::f64::consts::PI), r * (q + V::splat(V::Scalar::PI_LO)))
    } else {
        // The leading halves of r and pi have an exact product.
        let digits = V::Scalar::DIGITS;
        let units = c::<V>(1.5 * (1u64 << (digits - 1 - digits / 2)) as f64);
        let head = (r + units) - units;
        let pi = V::splat(V::Scalar::PI_HEAD);
        head * pi + ((r - head) * pi + r * (q + V::splat(V::Scalar::PI_TAIL)))
    };
    let half = n * c(0.5);
    let y = V::select(half.eq(half.floor()), y, -y);
    let zero = V::splat(V::Scalar::ZERO);
    V::select(r.eq(zero).and(x.eq(x)), zero.copysign(x), y)
}
