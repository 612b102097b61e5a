//! The exponent `T = w - v asinh(v/x)`, `w = hypot(v, x)`, without cancellation.
//!
//! T vanishes on the line `x = z0 v` (z0 = 0.6627..., the zero of `sqrt(1 + z^2) - asinh(1/z)`), where both logs change
//! sign, so evaluating it as it stands loses `v` ulps there. Dividing out the zero,
//!
//! ```text
//! E = (x - z0 v)(x + z0 v)/(w + s0 v),   s0 = sqrt(1 + z0^2),
//! T = E + v asinh(E/(z0 x)),
//! ```
//!
//! because `asinh(1/z0) = s0`, `w - s0 v = (w^2 - s0^2 v^2)/(w + s0 v) = E`, and the difference of two asinh's is the
//! asinh of `(w - s0 v)/(z0 x)`. Both terms carry the sign of E, so T keeps a few ulps of *relative* accuracy even where
//! it is zero. `x - z0 v` takes z0 in three doubles and three exact products: the closest that
//! doubles come to the line is 2^-105.7 (relative), and three parts leave 2^-166.

use solvent_simd::{F64s, Mask, ln, ln_normal, log1p_normal};

use super::tables::exponent::{LN_2_HI, S0, Z0_HI, Z0_LO, Z0_LO2};

/// Above this, `asinh` squares past the largest double and becomes `ln(2 a)`.
const ASINH_IS_LOG: f64 = 1e150;

/// asinh(a) for 0 <= a <= 1e150.
#[inline(always)]
pub(super) fn asinh<V: F64s>(a: V) -> V {
    let one = V::splat(1.0);
    let a2 = a * a;
    log1p_normal(a + a2 / ((a2 + one).sqrt() + one))
}

/// E as above.
#[inline(always)]
fn factored<V: F64s>(v: V, x: V, w: V) -> V {
    let d = V::splat(-Z0_LO2).fma(v, V::splat(-Z0_LO).fma(v, V::splat(-Z0_HI).fma(v, x)));
    d * (V::splat(Z0_HI).mul_add(v, x) / V::splat(S0).mul_add(v, w))
}

/// T where no square of v, x or their ratios overflows.
#[inline(always)]
pub(super) fn exponent<V: F64s>(v: V, x: V, w: V) -> V {
    let e = factored(v, x, w);
    let a = asinh(e.abs() / (x * V::splat(Z0_HI)));
    v.mul_add(a.copysign(e), e)
}

/// T for any finite v >= 0, x > 0, given multiplied by a power of two so that `w` is far from the largest double;
/// `ln_x` is the log of that multiple (of the x before it, where the multiple is subnormal).
#[inline(always)]
pub(super) fn exponent_far<V: F64s>(v: V, x: V, w: V, ln_x: V) -> V {
    let e = factored(v, x, w);
    let y = e.abs() / (x * V::splat(Z0_HI));
    let small = y.lt(V::splat(ASINH_IS_LOG)); // false for the nan of 0/0
    let near = asinh(V::select(small, y, V::splat(1.0)));
    let log = ln(e.abs() * V::splat(2.0 / Z0_HI)) - ln_x;
    let a = V::select(small, near, log);
    v.mul_add(a.copysign(e), e)
}

/// asinh(v/x) for any finite v >= 0, x > 0; `ln_x` as above.
#[inline(always)]
pub(super) fn asinh_ratio_far<V: F64s>(v: V, x: V, ln_x: V) -> V {
    let y = v / x;
    let small = y.lt(V::splat(ASINH_IS_LOG));
    let near = asinh(V::select(small, y, V::splat(1.0)));
    let v_normal = v.max(V::splat(f64::MIN_POSITIVE));
    V::select(small.or(v.eq(V::splat(0.0))), near, ln_normal(v_normal) + V::splat(LN_2_HI) - ln_x)
}
