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

use super::tables::exponent::{LN_2_HI, S0, S0_LO, Z0_HI, Z0_LO, Z0_LO2};

/// An unevaluated sum: `lo` holds what the rounding of `hi` lost, or nothing.
#[derive(Clone, Copy)]
pub(super) struct Double<V> {
    pub hi: V,
    pub lo: V,
}

impl<V: F64s> Double<V> {
    #[inline(always)]
    pub fn single(hi: V) -> Self {
        Double { hi, lo: V::splat(0.0) }
    }

    /// a + b exactly (Knuth).
    #[inline(always)]
    fn sum(a: V, b: V) -> Self {
        let hi = a + b;
        let z = hi - a;
        Double { hi, lo: (a - (hi - z)) + (b - z) }
    }

    /// a b exactly.
    #[inline(always)]
    fn product(a: V, b: V) -> Self {
        let hi = a * b;
        Double { hi, lo: a.fma(b, -hi) }
    }

    #[inline(always)]
    fn plus(self, lo: V) -> Self {
        Double { hi: self.hi, lo: self.lo + lo }
    }

    /// self / b, to about 2^-100.
    #[inline(always)]
    fn over(self, b: Self) -> Self {
        let hi = self.hi / b.hi;
        let rest = (-hi).fma(b.hi, self.hi) + (self.lo - hi * b.lo);
        Double { hi, lo: rest / b.hi }
    }
}

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

/// Where E/(z0 x) is below this, `exponent_doubled` carries twice the digits; beyond, |T| exceeds w/150.
pub(super) const DOUBLED_BELOW: f64 = 0.01;

/// T as an unevaluated sum, for w >= 1e6. Beside the zero curves of the logs, T and log(w)/2 are near 7..17 and cancel,
/// so that the ulps of the parts would be several of the result; with twice the digits in both they are not.
/// The second result is |E|/(z0 x), which tells where that holds.
#[inline(always)]
pub(super) fn exponent_doubled<V: F64s>(v: V, x: V) -> (Double<V>, V) {
    let (z0, s0) = (V::splat(Z0_HI), V::splat(S0));
    let z0_v = Double::product(z0, v);
    // Near the line the first difference is exact; at scaled convergents of z0 all but 2^-105 of v cancels, so every
    // product enters whole and the sum is made one double again at the end.
    let z0_lo_v = Double::product(V::splat(Z0_LO), v);
    let near = Double::sum(x - z0_v.hi, -z0_v.lo);
    let nearer = Double::sum(near.hi, -z0_lo_v.hi);
    let rest = (near.lo + nearer.lo) - V::splat(Z0_LO2).mul_add(v, z0_lo_v.lo);
    let d = Double::sum(nearer.hi, rest);
    let numerator = Double::sum(x, z0_v.hi).plus(z0_v.lo + V::splat(Z0_LO) * v);
    let (v2, x2) = (Double::product(v, v), Double::product(x, x));
    let w2 = Double::sum(v2.hi, x2.hi).plus(v2.lo + x2.lo);
    let w = w2.hi.sqrt();
    let w_lo = ((-w).fma(w, w2.hi) + w2.lo) / (w + w);
    let s0_v = Double::product(s0, v);
    let denominator = Double::sum(w, s0_v.hi).plus(w_lo + s0_v.lo + V::splat(S0_LO) * v);
    let q = numerator.over(denominator);
    let e = Double::product(d.hi, q.hi).plus(d.hi * q.lo + d.lo * q.hi);
    let z0_x = Double::product(z0, x).plus(V::splat(Z0_LO) * x);
    let y = e.over(z0_x);
    let y2 = y.hi * y.hi;
    // asinh(y) - y by its series; beyond, one double does.
    let series = V::splat(-15.0 / 336.0).mul_add(y2, V::splat(3.0 / 40.0)).mul_add(y2, V::splat(-1.0 / 6.0));
    let near = y.hi.abs().lt(V::splat(DOUBLED_BELOW));
    let far = asinh(y.hi.abs()).copysign(y.hi);
    let a = V::select(near, y.hi, far);
    let a_lo = V::select(near, (y2 * y.hi).mul_add(series, y.lo), V::splat(0.0));
    let va = Double::product(v, a);
    let t = Double::sum(e.hi, va.hi).plus(e.lo + v.mul_add(a_lo, va.lo));
    (t, y.hi.abs())
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
