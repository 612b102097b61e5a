//! w < 25: I_v(x) from its power series, in products only.
//!
//! ```text
//! I_v(x) = (x/2)^v / Gamma(v+1) * sum_k t_k,   t_k = y^k / (k! (v+1)_k),   y = x^2/4        (DLMF 10.25.2)
//! ```
//!
//! With f_k = k (v + k) and D = f_1 ... f_N the sum is (D + P)/D, where P and D grow by one multiplication a term; all
//! terms are positive. The prefactor is written per unit of v so that nothing cancels on the zero curve:
//!
//! ```text
//! v < 2:   v log(x/2) - lgamma(1 + v)
//! v >= 2:  v log(e x/(2v)) - log(2 pi v)/2 - g(v),   g(v) = lgamma(v+1) - (v log v - v + log(2 pi v)/2)
//! ```

use solvent_simd::{F64s, ln, ln_normal, log1p_normal};

use super::polynomial::horner;
use super::tables::exponent::{E_HI, E_LO, HALF_LN_2PI, LN_2_HI};
use super::tables::inner_i::{
    DIGAMMA_REST, DIGAMMA1P, DIGAMMA1P_ROOT_HI, DIGAMMA1P_ROOT_LO, LGAMMA1P, SERIES_TERMS, STIRLING,
    STIRLING_SCALE, STIRLING_SHIFT,
};

/// Below this order the prefactor is taken as it stands, above it by Stirling's formula.
const STIRLING_FROM: f64 = 2.0;

/// The prefactor's log and what its error bound is made of.
pub(super) struct Prefactor<V> {
    pub value: V,
    /// |v log(...)|.
    pub power: V,
    /// |log(2 pi v)/2 + g| or |lgamma(1 + v)|.
    pub gamma: V,
}

/// log((x/2)^v / Gamma(v + 1)).
#[inline(always)]
pub(super) fn prefactor<V: F64s>(v: V, x: V) -> Prefactor<V> {
    let (one, two) = (V::splat(1.0), V::splat(2.0));
    let small = v.lt(V::splat(STIRLING_FROM));
    let ln_half_x = ln(x) - V::splat(LN_2_HI);

    let near_zero = v - one;
    let lgamma = v * near_zero * horner::<V, 28>(&LGAMMA1P, V::splat(2.0).min(v) - one);
    let power_small = v * ln_half_x;

    let vb = V::splat(STIRLING_FROM).max(v);
    let ln_v = ln_normal(vb);
    let two_v = vb * two;
    let excess = (V::splat(E_HI).fma(x, -two_v) + V::splat(E_LO) * x) / two_v;
    let far = excess.lt(V::splat(-0.5));
    let by_logs = one + (ln_half_x - ln_v);
    let per_v = V::select(far, by_logs, log1p_normal(V::select(far, V::splat(0.0), excess)));
    let power_big = vb * per_v;
    let t = V::splat(STIRLING_SCALE).mul_add(one / vb, V::splat(STIRLING_SHIFT));
    let g = horner::<V, 15>(&STIRLING, t) / (V::splat(12.0) * vb);
    let stirling = V::splat(0.5).mul_add(ln_v, V::splat(HALF_LN_2PI)) + g;

    let power = V::select(small, power_small, power_big);
    let gamma = V::select(small, lgamma, stirling);
    // v = 0 times the log of a subnormal x is 0, as it should be.
    Prefactor { value: power - gamma, power: power.abs(), gamma: gamma.abs() }
}

/// The sum of the series less its first term, 1: P/D.
#[inline(always)]
pub(super) fn series<V: F64s, const PIECE: usize>(v: V, x: V) -> V {
    let y = V::splat(0.25) * x * x;
    let (mut p, mut d, mut power) = (V::splat(0.0), V::splat(1.0), V::splat(1.0));
    for k in 1..=SERIES_TERMS[PIECE] {
        let f = V::splat(k as f64) * (v + V::splat(k as f64));
        power = power * y;
        p = p.mul_add(f, power);
        d = d * f;
    }
    p / d
}

/// log I_v(x).
#[inline(always)]
pub(super) fn log_i<V: F64s, const PIECE: usize>(v: V, x: V) -> V {
    prefactor(v, x).value + log1p_normal(series::<V, PIECE>(v, x))
}

/// d/dv of log I_v(x): log(x/2) - digamma(v+1) + d/dv log(1 + P/D), the last by differentiating P and D.
#[inline(always)]
pub(super) fn slope_v<V: F64s, const PIECE: usize>(v: V, x: V) -> V {
    let y = V::splat(0.25) * x * x;
    // Started at 2^-60 so that D' stays below the largest double wherever D does.
    let start = V::splat(8.673_617_379_884_035e-19);
    let (mut p, mut d, mut power) = (V::splat(0.0), start, start);
    let (mut dp, mut dd) = (V::splat(0.0), V::splat(0.0));
    for k in 1..=SERIES_TERMS[PIECE] {
        let k = V::splat(k as f64);
        let f = k * (v + k);
        power = power * y;
        dp = dp.mul_add(f, p * k);
        p = p.mul_add(f, power);
        dd = dd.mul_add(f, d * k);
        d = d * f;
    }
    let series = (dp - p * (dd / d)) / (p + d);
    (ln(x) - V::splat(LN_2_HI)) - digamma1p(v) + series
}

/// digamma(1 + v), 0 <= v <= 26, good relatively even at its zero.
#[inline(always)]
fn digamma1p<V: F64s>(v: V) -> V {
    let one = V::splat(1.0);
    let small = v.lt(V::splat(STIRLING_FROM));
    let from_root = (v - V::splat(DIGAMMA1P_ROOT_HI)) - V::splat(DIGAMMA1P_ROOT_LO);
    let near = from_root * horner::<V, 30>(&DIGAMMA1P, V::splat(2.0).min(v) - one);
    let vb = V::splat(STIRLING_FROM).max(v);
    let u = one / vb;
    let t = V::splat(STIRLING_SCALE).mul_add(u, V::splat(STIRLING_SHIFT));
    let rest = horner::<V, 16>(&DIGAMMA_REST, t) * (u * u) * V::splat(1.0 / 12.0);
    let far = ln_normal(vb) + (V::splat(0.5) * u - rest);
    V::select(small, near, far)
}

/// Numerator and denominator of `I_v(x)/I_{v-1}(x) = (x/2) A/B`, A = sum y^k/D_k, B = sum (v + k) y^k/D_k with
/// D_k = k! (v+1)_k: finite for every v >= 0. The third is B - (x/2) A, summed term by term.
#[inline(always)]
pub(super) fn ratio_parts<V: F64s, const PIECE: usize>(v: V, x: V) -> (V, V, V) {
    let half = V::splat(0.5) * x;
    let y = half * half;
    let (mut a, mut b, mut c) = (V::splat(1.0), v, v - half);
    let mut power = V::splat(1.0);
    for k in 1..=SERIES_TERMS[PIECE] {
        let n = v + V::splat(k as f64);
        let f = V::splat(k as f64) * n;
        power = power * y;
        a = a.mul_add(f, power);
        b = b.mul_add(f, power * n);
        c = c.mul_add(f, power * (n - half));
    }
    (half * a, b, c)
}

/// I_{v+1}(x)/I_v(x) = (x/2) sum y^k/(k! (v+1)_{k+1}) / sum y^k/(k! (v+1)_k), for the derivative in x.
#[inline(always)]
pub(super) fn ratio_up<V: F64s, const PIECE: usize>(v: V, x: V) -> V {
    let (a, b, _) = ratio_parts::<V, PIECE>(v + V::splat(1.0), x);
    a / b
}
