//! Logarithms, and what is a logarithm in disguise.

use crate::lanes::Lanes;
use crate::poly::{c, poly};
use crate::real::Real;

/// ln x within 1 ulp; ln 0 = -inf, ln inf = inf, nan for x < 0. Subnormals are scaled, not slowed.
#[inline(always)]
pub fn ln<V: Lanes>(x: V) -> V {
    if V::LOOKUP {
        let (m, e) = x.split();
        return V::ln_ends(x, by_table(m, e, None));
    }
    let bits = V::Scalar::DIGITS + 1;
    let tiny = x.lt(V::splat(V::Scalar::MIN_NORMAL));
    let scaled = V::select(tiny, x * c((1u64 << bits) as f64), x);
    let (m, e) = scaled.frexp_sqrt2();
    let e = e - V::select(tiny, c(bits as f64), V::splat(V::Scalar::ZERO));
    V::ln_ends(x, by_division(m, e, None))
}

/// ln x for positive, normal, finite x: no test of anything else.
#[inline(always)]
pub fn ln_normal<V: Lanes>(x: V) -> V {
    if V::LOOKUP {
        let (m, e) = x.split();
        by_table(m, e, None)
    } else {
        let (m, e) = x.frexp_sqrt2();
        by_division(m, e, None)
    }
}

/// ln(1 + x) within 1 ulp; -inf at -1, nan below, the sign of zero kept.
#[inline(always)]
pub fn log1p<V: Lanes>(x: V) -> V {
    let u = x + V::splat(V::Scalar::ONE);
    V::ln_ends(u, log1p_normal(x)).copysign(x)
}

/// ln(1 + x) for -1 < x < inf, without the tests for the ends.
#[inline(always)]
pub fn log1p_normal<V: Lanes>(x: V) -> V {
    let one = V::splat(V::Scalar::ONE);
    let u = x + one;
    let (large, small) = (x.max(one), x.min(one));
    ln_of_sum(u, small - (u - large), V::splat(V::Scalar::ZERO))
}

/// asinh x within 2 ulp; the sign of zero is kept.
#[inline(always)]
pub fn asinh<V: Lanes>(x: V) -> V {
    let (zero, one) = (V::splat(V::Scalar::ZERO), V::splat(V::Scalar::ONE));
    let a = x.abs();
    // asinh a = ln(1 + a + (sqrt(1 + a^2) - 1)); beyond 2^28 (2^14 for f32) that is ln(2 a).
    let large = a.gt(c((1u64 << (V::Scalar::DIGITS / 2 + 2)) as f64));
    let square = a * a;
    let t = square / (one + square_plus_one_root(square));
    let s = a + t;
    let (most, least) = (s.max(one), s.min(one));
    let u = s + one;
    let lost = (least - (u - most)) + (t - (s - a));
    let u = V::select(large, a, u);
    let y = ln_of_sum(u, V::select(large, zero, lost), V::select(large, one, zero));
    V::select(a.lt(V::splat(V::Scalar::INFINITY)), y, a).copysign(x)
}

#[inline(always)]
fn square_plus_one_root<V: Lanes>(square: V) -> V {
    (square + V::splat(V::Scalar::ONE)).sqrt()
}

/// `ln(u + lost) + more ln(2)` for positive normal `u` and `lost` below its last bit.
#[inline(always)]
fn ln_of_sum<V: Lanes>(u: V, lost: V, more: V) -> V {
    if V::LOOKUP {
        let (m, e) = u.split();
        by_table(m, e + more, Some(lost.ldexp(-e)))
    } else {
        let (m, e) = u.frexp_sqrt2();
        // The clamp keeps 2^-e normal; nothing is lost to so large a sum.
        let scaled = lost.ldexp_normal(-(V::splat(V::Scalar::EXP_LIMIT).min(e)));
        by_division(m, e + more, Some(scaled))
    }
}

/// `ln(m + lost) + e ln(2)` for `m` in [3/4, 3/2), integral `e`, and `lost` below an ulp of `m`.
///
/// With r near 1/m from a table, ln m = ln(1 + (m r - 1)) - ln r. For m near 1 the table has r = 1, so that small
/// logarithms keep their relative precision.
#[inline(always)]
fn by_table<V: Lanes>(m: V, e: V, lost: Option<V>) -> V {
    let r = m.lookup16(&V::Scalar::LN_RECIPROCAL);
    let g = m.lookup16(&V::Scalar::LN_TABLE);
    let f = m.mul_add(r, -V::splat(V::Scalar::ONE));
    let f = match lost {
        Some(d) => d.mul_add(r, f),
        None => f,
    };
    let t = e.mul_add(V::splat(V::Scalar::LN2_HI), g); // exact
    let s = t + f;
    let low = e.mul_add(V::splat(V::Scalar::LN2_LO), f - (s - t));
    s + poly(f, V::Scalar::LN_NEAR).mul_add(f * f, low)
}

/// `ln(m + lost) + e ln(2)` for `m` in [sqrt(1/2), sqrt(2)), integral `e`, and `lost` below an ulp of `m`.
#[inline(always)]
fn by_division<V: Lanes>(m: V, e: V, lost: Option<V>) -> V {
    let f = m - V::splat(V::Scalar::ONE);
    let s = f / (f + c(2.0));
    let z = s * s;
    let half = c::<V>(0.5) * f * f;
    let low = e * V::splat(V::Scalar::LN2_LO);
    let low = match lost {
        // d ln(m) = dm/m, and 1/m = (1 - s)/(1 + s), here to 0.6 %: `lost` is below an ulp already.
        Some(d) => {
            let t = V::splat(V::Scalar::ONE) - s;
            (d * t).mul_add(s.mul_add(s, t), low)
        }
        None => low,
    };
    // ln(1 + f) = f - (f^2/2 - s (f^2/2 + R)): the small terms are summed first.
    let tail = s.mul_add(poly(z, V::Scalar::LN).mul_add(z, half), low);
    e.mul_add(V::splat(V::Scalar::LN2_HI), f - (half - tail))
}
