//! The logs of I_v and K_v, plain, exponentially scaled, together, and with the sign.

use solvent_simd::{F64s, log1p_normal};

use super::exponent::Double;
use super::function::Function;
use super::outer::{Outer, log1p_small};
use super::reflect;
use super::tables::exponent::{HALF_LN_2PI, HALF_LN_PI_2};
use super::{inner, inner_i};

/// log I_v(x) from T, log(w)/2 and S+.
#[inline(always)]
pub(super) fn outer_i<V: F64s, const B: usize>(t: Double<V>, half_ln_w: Double<V>, s: V) -> V {
    let low = t.lo - (half_ln_w.lo + V::splat(HALF_LN_2PI)) + log1p_small::<V, B>(s);
    (t.hi - half_ln_w.hi) + low
}

/// log K_v(x) from T, log(w)/2 and S-.
#[inline(always)]
pub(super) fn outer_k<V: F64s, const B: usize>(t: Double<V>, half_ln_w: Double<V>, s: V) -> V {
    let low = (V::splat(HALF_LN_PI_2) - half_ln_w.lo) - t.lo + log1p_small::<V, B>(s);
    low - (t.hi + half_ln_w.hi)
}

/// The limit of log I at the edge of its domain.
pub(super) fn limit_i(v: f64, x: f64) -> f64 {
    let (value, sign) = limit_abs_i(v, x);
    if sign < 0.0 { f64::NAN } else { value }
}

/// The limit of (log |I|, sign of I) at the edge of the domain.
fn limit_abs_i(v: f64, x: f64) -> (f64, f64) {
    let undefined = (f64::NAN, f64::NAN);
    if v.is_nan() || x.is_nan() || x < 0.0 || v == f64::NEG_INFINITY {
        undefined
    } else if x == f64::INFINITY {
        if v.is_infinite() { undefined } else { (f64::INFINITY, 1.0) }
    } else if v == f64::INFINITY {
        (f64::NEG_INFINITY, 0.0)
    } else if v == 0.0 {
        (0.0, 1.0)
    } else if v > 0.0 || v == v.floor() {
        (f64::NEG_INFINITY, 0.0)
    } else {
        // 1/Gamma(v + 1) is positive on (-1, 0), negative on (-2, -1), and so on.
        let negative = (-v).floor().rem_euclid(2.0) == 1.0;
        (f64::INFINITY, if negative { -1.0 } else { 1.0 })
    }
}

/// The limit of log K at the edge of its domain.
pub(super) fn limit_k(v: f64, x: f64) -> f64 {
    if v.is_nan() || x.is_nan() || x < 0.0 || (v.is_infinite() && x == f64::INFINITY) {
        f64::NAN
    } else if x == f64::INFINITY {
        f64::NEG_INFINITY
    } else {
        f64::INFINITY
    }
}

/// log I_v(x).
pub enum LogIv {}

impl Function for LogIv {
    const PAIR: bool = false;

    #[inline(always)]
    fn outer<V: F64s, const B: usize>(v: V, x: V) -> (V, V) {
        let o = Outer::<V, B>::new(v, x);
        let s = o.sums().signed(1.0);
        let y = outer_i::<V, B>(o.exponent(), o.half_ln_w(), s);
        (y, y)
    }

    #[inline(always)]
    fn inner<V: F64s, const PIECE: usize>(v: V, x: V) -> (V, V) {
        let y = inner_i::log_i::<V, PIECE>(v, x);
        (y, y)
    }

    fn limit(v: f64, x: f64) -> (f64, f64) {
        (limit_i(v, x), 0.0)
    }

    fn negative(m: &[f64], x: &[f64], out: &mut [f64], _: &mut [f64]) {
        reflect::log_i(m, x, |i, r| out[i] = r.real());
    }
}

/// log I_v(x) - x.
pub enum LogIve {}

impl Function for LogIve {
    const PAIR: bool = false;

    #[inline(always)]
    fn outer<V: F64s, const B: usize>(v: V, x: V) -> (V, V) {
        let o = Outer::<V, B>::new(v, x);
        let s = o.sums().signed(1.0);
        let y = outer_i::<V, B>(Double::single(o.exponent_less_x()), o.half_ln_w(), s);
        (y, y)
    }

    #[inline(always)]
    fn inner<V: F64s, const PIECE: usize>(v: V, x: V) -> (V, V) {
        let p = inner_i::prefactor(v, x);
        let y = p.value + (log1p_normal(inner_i::series::<V, PIECE>(v, x)) - x);
        (y, y)
    }

    fn limit(v: f64, x: f64) -> (f64, f64) {
        let y = limit_i(v, x);
        (if x == f64::INFINITY { -y } else { y }, 0.0)
    }

    fn negative(m: &[f64], x: &[f64], out: &mut [f64], _: &mut [f64]) {
        reflect::log_i_scaled(m, x, |i, r| out[i] = r.real());
    }
}

/// log K_v(x).
pub enum LogKv {}

impl Function for LogKv {
    const PAIR: bool = false;

    #[inline(always)]
    fn outer<V: F64s, const B: usize>(v: V, x: V) -> (V, V) {
        let o = Outer::<V, B>::new(v, x);
        let s = o.sums().signed(-1.0);
        let y = outer_k::<V, B>(o.exponent(), o.half_ln_w(), s);
        (y, y)
    }

    #[inline(always)]
    fn inner<V: F64s, const PIECE: usize>(v: V, x: V) -> (V, V) {
        let y = inner::log_k::<V, PIECE, false>(v, x);
        (y, y)
    }

    fn limit(v: f64, x: f64) -> (f64, f64) {
        (limit_k(v, x), 0.0)
    }
}

/// log K_v(x) + x.
pub enum LogKve {}

impl Function for LogKve {
    const PAIR: bool = false;

    #[inline(always)]
    fn outer<V: F64s, const B: usize>(v: V, x: V) -> (V, V) {
        let o = Outer::<V, B>::new(v, x);
        let s = o.sums().signed(-1.0);
        let y = outer_k::<V, B>(Double::single(o.exponent_less_x()), o.half_ln_w(), s);
        (y, y)
    }

    #[inline(always)]
    fn inner<V: F64s, const PIECE: usize>(v: V, x: V) -> (V, V) {
        let y = inner::log_k::<V, PIECE, true>(v, x);
        (y, y)
    }

    fn limit(v: f64, x: f64) -> (f64, f64) {
        (limit_k(v, x), 0.0)
    }
}

/// (log I_v(x), log K_v(x)), bit for bit as each alone.
pub enum LogIvk {}

impl Function for LogIvk {
    const PAIR: bool = true;

    #[inline(always)]
    fn outer<V: F64s, const B: usize>(v: V, x: V) -> (V, V) {
        let o = Outer::<V, B>::new(v, x);
        let (exponent, half_ln_w, s) = (o.exponent(), o.half_ln_w(), o.sums());
        (
            outer_i::<V, B>(exponent, half_ln_w, s.signed(1.0)),
            outer_k::<V, B>(exponent, half_ln_w, s.signed(-1.0)),
        )
    }

    #[inline(always)]
    fn inner<V: F64s, const PIECE: usize>(v: V, x: V) -> (V, V) {
        (inner_i::log_i::<V, PIECE>(v, x), inner::log_k::<V, PIECE, false>(v, x))
    }

    fn limit(v: f64, x: f64) -> (f64, f64) {
        (limit_i(v, x), limit_k(v, x))
    }

    fn negative(m: &[f64], x: &[f64], out: &mut [f64], _: &mut [f64]) {
        reflect::log_i(m, x, |i, r| out[i] = r.real());
    }
}

/// (log |I_v(x)|, sign of I_v(x)).
pub enum LogAbsIv {}

impl Function for LogAbsIv {
    const PAIR: bool = true;

    #[inline(always)]
    fn outer<V: F64s, const B: usize>(v: V, x: V) -> (V, V) {
        (LogIv::outer::<V, B>(v, x).0, V::splat(1.0))
    }

    #[inline(always)]
    fn inner<V: F64s, const PIECE: usize>(v: V, x: V) -> (V, V) {
        (LogIv::inner::<V, PIECE>(v, x).0, V::splat(1.0))
    }

    fn limit(v: f64, x: f64) -> (f64, f64) {
        limit_abs_i(v, x)
    }

    fn negative(m: &[f64], x: &[f64], out: &mut [f64], sign: &mut [f64]) {
        reflect::log_i(m, x, |i, r| (out[i], sign[i]) = (r.log_abs, r.sign));
    }
}
