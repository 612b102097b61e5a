//! Ratios of neighbouring orders.

use solvent_simd::{F64s, Mask, exp};

use super::block::evaluate;
use super::function::Function;
use super::outer::Outer;
use super::{inner, inner_i};

const UNDEFINED: (f64, f64) = (f64::NAN, f64::NAN);

/// Fills a result with nan: ratios of I are defined for v >= 0.
fn undefined(out: &mut [f64]) {
    out.fill(f64::NAN);
}

/// I_v(x)/I_{v-1}(x).
pub enum IvRatio {}

impl Function for IvRatio {
    const PAIR: bool = false;
    const FEW_BANDS: bool = true;

    /// I_{v-1}/I_v = v/x + d/dx log I_v (DLMF 10.29.2).
    #[inline(always)]
    fn outer<V: F64s, const B: usize>(v: V, x: V) -> (V, V) {
        let o = Outer::<V, B>::new(v, x);
        let (_, dx) = o.correction_slopes(1.0);
        let y = o.x / ((o.v + o.w) + o.x * dx);
        // From v = 1/2 on the ratio is at most 1 (there it is tanh x), whatever rounding says.
        let y = V::select(V::splat(0.5).le(o.v), V::splat(1.0).min(y), y);
        (y, y)
    }

    #[inline(always)]
    fn inner<V: F64s, const PIECE: usize>(v: V, x: V) -> (V, V) {
        let (a, b, _) = inner_i::ratio_parts::<V, PIECE>(v, x);
        (next_to_zero(v, x, a / b, false), a)
    }

    fn limit(v: f64, x: f64) -> (f64, f64) {
        if !(v >= 0.0 && x >= 0.0) || (v.is_infinite() && x.is_infinite()) {
            UNDEFINED
        } else if x == f64::INFINITY {
            (1.0, 0.0)
        } else if v == 0.0 {
            (f64::INFINITY, 0.0)
        } else {
            (0.0, 0.0)
        }
    }

    fn negative(_: &[f64], _: &[f64], out: &mut [f64], _: &mut [f64]) {
        undefined(out);
    }
}

/// 1 - I_v(x)/I_{v-1}(x) without cancellation.
pub enum IvRatioC {}

impl Function for IvRatioC {
    const PAIR: bool = false;
    const FEW_BANDS: bool = true;

    /// With q = I_{v-1}/I_v - 1 = v/x + (w - x)/x + ..., and (w - x) x = v^2 x/(w + x): the complement is q/(1 + q).
    #[inline(always)]
    fn outer<V: F64s, const B: usize>(v: V, x: V) -> (V, V) {
        let o = Outer::<V, B>::new(v, x);
        let (_, dx) = o.correction_slopes(1.0);
        // q x, so that nothing overflows at small x.
        let qx = o.v + o.v * (o.v / (o.w + o.x)) + o.x * dx;
        let y = at_half(o.v, o.x, qx / (qx + o.x));
        (y, y)
    }

    #[inline(always)]
    fn inner<V: F64s, const PIECE: usize>(v: V, x: V) -> (V, V) {
        let (_, b, c) = inner_i::ratio_parts::<V, PIECE>(v, x);
        (next_to_zero(v, x, at_half(v, x, c / b), true), b)
    }

    fn limit(v: f64, x: f64) -> (f64, f64) {
        (1.0 - IvRatio::limit(v, x).0, 0.0)
    }

    fn negative(_: &[f64], _: &[f64], out: &mut [f64], _: &mut [f64]) {
        undefined(out);
    }
}

/// `y`, but where (x/2)^2 vanishes beside an order as small: the ratio is (x/2)/(v + (x/2)^2) there.
#[inline(always)]
fn next_to_zero<V: F64s>(v: V, x: V, y: V, complement: bool) -> V {
    let near = x.lt(V::splat(1e-100)).and(v.lt(V::splat(1e-50)));
    if near.any() {
        let (half, one) = (V::splat(0.5) * x, V::splat(1.0));
        let twice = v + v;
        let inverse = twice / x + half;
        let value = if complement { ((twice - x) / x + half) / inverse } else { one / inverse };
        return V::select(near, value, y);
    }
    y
}

/// `y`, but at v = 1/2 what is there less than the rounding of its terms: 1 - tanh x = 2/(e^(2 x) + 1).
#[inline(always)]
fn at_half<V: F64s>(v: V, x: V, y: V) -> V {
    let half = v.eq(V::splat(0.5));
    if half.any() {
        let (one, two) = (V::splat(1.0), V::splat(2.0));
        return V::select(half, two / (exp(two * x) + one), y);
    }
    y
}

/// K_v(x)/K_{v-1}(x).
pub enum KvRatio {}

/// x times the correction to `K_{v∓1}/K_v`: `x ((log1p S-)_x - g r/2)`, sign reversed.
#[inline(always)]
fn correction_k<V: F64s, const B: usize>(o: &Outer<V, B>) -> V {
    -(o.correction_slopes(-1.0).1)
}

impl Function for KvRatio {
    const PAIR: bool = false;
    const FEW_BANDS: bool = true;

    /// K_{v-1}/K_v = -v/x - d/dx log K_v = x/(w + v) + g r/2 - (log1p S-)_x.
    #[inline(always)]
    fn outer<V: F64s, const B: usize>(v: V, x: V) -> (V, V) {
        let o = Outer::<V, B>::new(v, x);
        let y = V::splat(1.0) / (o.x / (o.w + o.v) + correction_k(&o));
        (y, y)
    }

    #[inline(always)]
    fn inner<V: F64s, const PIECE: usize>(v: V, x: V) -> (V, V) {
        // At v = 1/2 it is K_{1/2}/K_{-1/2} = 1.
        let y = V::select(v.eq(V::splat(0.5)), V::splat(1.0), inner::ratio_down_k::<V, PIECE>(v, x));
        (y, y)
    }

    fn limit(v: f64, x: f64) -> (f64, f64) {
        if v.is_nan() || x.is_nan() || x < 0.0 || (v.is_infinite() && x.is_infinite()) {
            UNDEFINED
        } else if x == f64::INFINITY {
            (1.0, 0.0)
        } else if v > 0.5 {
            (f64::INFINITY, 0.0)
        } else if v == 0.5 {
            (1.0, 0.0)
        } else {
            (0.0, 0.0)
        }
    }

    /// K_{-m}/K_{-m-1} = K_m/K_{m+1}, exact in m.
    fn negative(m: &[f64], x: &[f64], out: &mut [f64], _: &mut [f64]) {
        evaluate::<KvRatioUp>(m, x, out, &mut []);
        out.iter_mut().for_each(|y| *y = 1.0 / *y);
    }
}

/// K_{v+1}(x)/K_v(x), v >= 0.
enum KvRatioUp {}

impl Function for KvRatioUp {
    const PAIR: bool = false;
    const FEW_BANDS: bool = true;

    /// K_{v+1}/K_v = v/x - d/dx log K_v: positive terms.
    #[inline(always)]
    fn outer<V: F64s, const B: usize>(v: V, x: V) -> (V, V) {
        let o = Outer::<V, B>::new(v, x);
        let y = (o.v + o.w) / o.x + correction_k(&o);
        (y, y)
    }

    #[inline(always)]
    fn inner<V: F64s, const PIECE: usize>(v: V, x: V) -> (V, V) {
        let y = inner::ratio_up_k::<V, PIECE>(v, x);
        (y, y)
    }

    fn limit(v: f64, x: f64) -> (f64, f64) {
        KvRatio::limit(v + 1.0, x)
    }
}
