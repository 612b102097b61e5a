//! The exponential, and the exponential less one.

use crate::lanes::Lanes;
use crate::poly::{c, poly};
use crate::real::Real;

/// `(n, r, lost)` with `t = n ln(2) + r + lost`, n integral and `r/ln(2)` in [-1/2 + bias, 1/2 + bias].
#[inline(always)]
fn reduce<V: Lanes>(t: V, bias: f64) -> (V, V, V) {
    let n = t.mul_add(c::<V>(core::f64::consts::LOG2_E), c(-bias)).round();
    let high = n.mul_add(-V::splat(V::Scalar::LN2_HI), t); // exact
    let low = n * V::splat(V::Scalar::LN2_LO);
    let r = high - low;
    (n, r, (high - r) - low)
}

/// e^x within 1 ulp. Where it underflows it is 0 and where it overflows inf, both at the cost of any other argument;
/// nan is nan.
#[inline(always)]
pub fn exp<V: Lanes>(x: V) -> V {
    // Clamping by `limit.max(x)` keeps nan, as min and max return their second operand then.
    let limit = V::splat(V::Scalar::EXP_LIMIT);
    let (n, r, _) = reduce((-limit).max(limit.min(x)), 0.0);
    // 1 + r without error, then the rest: only the last addition rounds at the size of the result.
    let one = V::splat(V::Scalar::ONE);
    let s = one + r;
    let p = s + poly(r, V::Scalar::EXP).mul_add(r * r, r - (s - one));
    p.ldexp(n)
}

/// e^x - 1 within 1 ulp; the sign of zero is kept.
#[inline(always)]
pub fn expm1<V: Lanes>(x: V) -> V {
    let top = V::splat(V::Scalar::EXP_TOP);
    let (n, r, lost) = reduce((top * c(-0.9)).max(top.min(x)), 0.0849);
    // (That bias: e^r ranges up to 3/2, and where 2 e^r - 1 cancels most its last place is already twice as large.)
    let (half, one) = (c::<V>(0.5), V::splat(V::Scalar::ONE));
    // Half of everything, so that 2^n does not overflow before the result does:
    // (2^n - 1)/2 + 2^n r/2 + 2^n (e^r - 1 - r)/2, the first two summed without error.
    let w = one.ldexp_normal(n - one);
    let (a, b) = (w - half, w * r);
    let s = a + b;
    // What a lost of the half where 2^n is large, and s of b.
    let rounded = ((w - a) - half) + (b - (s - a));
    // r^2/2 apart from the rest of the series: its rounding is the one that would show.
    let cubic = poly(r, &V::Scalar::EXP[1..]).mul_add(r * r * r, lost);
    let low = (r * half).mul_add(r, cubic).mul_add(w, rounded);
    let y = s + low;
    // Halving would cost a subnormal its last bit.
    V::select(x.abs().lt(V::splat(V::Scalar::MIN_NORMAL) * c(4.0)), x, y + y)
}

/// 2^t within 1.25 ulp; 0 below 2^-1021 (`f32`: 2^-125), inf where it overflows, both at the cost of any other argument;
/// nan is nan. The cheapest exponential here: nothing is spent on subnormal results.
#[inline(always)]
pub fn exp2<V: Lanes>(t: V) -> V {
    let (limit, zero) = (V::splat(V::Scalar::EXP2_LIMIT), V::splat(V::Scalar::ZERO));
    // 2^(limit + 3) is inf, and half of it is not.
    let clamped = (-limit).max((limit + c(3.0)).min(t));
    let y = if V::LOOKUP {
        let (power, r, k) = clamped.sixteenths(&V::Scalar::EXP2_TABLE);
        (power * r).mul_add(poly(r, V::Scalar::EXP2_NEAR), power).ldexp_normal(k)
    } else {
        let n = clamped.round();
        let (r, one) = (clamped - n, V::splat(V::Scalar::ONE));
        // Half of it, as 2^n overflows before the result does.
        let half = r.mul_add(poly(r, V::Scalar::EXP2), one).ldexp_normal(n - one);
        half + half
    };
    V::select(t.lt(-limit), zero, y)
}
