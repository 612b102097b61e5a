//! w = hypot(v, x) >= 25: one expansion for every order.
//!
//! With p = v/w, r = 1/w, Debye's `u_k(p)/v^k` equals `q_k(p^2) r^k` (DLMF 10.41.3-4 and 10.41.9), and at v = 0 that is
//! Hankel's series: the two classical expansions are one.
//!
//! ```text
//! log I =  T - log(2 pi w)/2  + log1p(S+)
//! log K = -T + log(pi/(2w))/2 + log1p(S-),   S± = sum_{k=1..N} (±1)^k q_k(p^2) r^k
//! ```
//!
//! Even and odd k are summed apart: e + o is S+, e - o is S-. Derivatives follow term by term from
//! `r_v = -p r^2, (p^2)_v = 2 p g^2 r, r_x = -g r^2, (p^2)_x = -2 p^2 g r`, g = x/w.

use solvent_simd::{F64s, ln, ln_normal};

use super::domain::FAR;
use super::exponent::{Double, asinh, asinh_ratio_far, exponent, exponent_doubled, exponent_far};
use super::polynomial::{horner, horner_slope};
use super::tables::debye::{BAND_TERMS, Q};
use super::tables::exponent::LN_2_HI;

/// Terms of the series in band `B`; the far band begins where the first does.
pub(super) const fn terms(band: usize) -> usize {
    if band == FAR { BAND_TERMS[0] } else { BAND_TERMS[band] }
}

/// What every quantity of the expansion is made of. `B` is the band; in the band [`FAR`], v and x are multiplied by a
/// power of two, 1/`unit`, where their squares would overflow.
pub(super) struct Outer<V, const B: usize> {
    pub v: V,
    pub x: V,
    pub w: V,
    /// ln x before any scaling by `unit`, minus ln(unit); in the far band only.
    ln_x: V,
    w2: V,
    pub p: V,
    pub p2: V,
    pub g: V,
    pub r: V,
    unit: V,
}

/// S+ and S- from one evaluation.
pub(super) struct Sums<V> {
    even: V,
    odd: V,
}

impl<V: F64s> Sums<V> {
    /// S+ for `sign` = 1, S- for -1.
    #[inline(always)]
    pub fn signed(&self, sign: f64) -> V {
        if sign > 0.0 { self.even + self.odd } else { self.even - self.odd }
    }
}

/// `sum k q_k (±r)^k` and `sum q_k' (±r)^k`, for both signs.
pub(super) struct Slopes<V> {
    k: Sums<V>,
    d: Sums<V>,
}

/// The band whose T and log(w) carry twice the digits: w >= 1e6.
pub(super) const DOUBLED: usize = 6;
/// ln 2 in two parts, the first with so few bits that its product with an exponent is exact.
const LN_2_EXACT: f64 = 0.693_147_180_369_123_8;
const LN_2_REST: f64 = 1.908_214_929_270_587_7e-10;
const SCALE_ABOVE: f64 = 3.273_390_607_896_142e150; // 2^500
const UNIT: f64 = 4.149_515_568_880_993e180; // 2^600
const LN_UNIT: f64 = 600.0 * LN_2_HI;

impl<V: F64s, const B: usize> Outer<V, B> {
    #[inline(always)]
    pub fn new(v: V, x: V) -> Self {
        let one = V::splat(1.0);
        let (v, x, unit, ln_x) = if B == FAR {
            let huge = v.max(x).gt(V::splat(SCALE_ABOVE));
            let s = V::select(huge, V::splat(1.0 / UNIT), one);
            let shift = V::select(huge, V::splat(LN_UNIT), V::splat(0.0));
            (v * s, x * s, V::select(huge, V::splat(UNIT), one), ln(x) - shift)
        } else {
            (v, x, one, one)
        };
        let w2 = v.mul_add(v, x * x);
        let w = w2.sqrt();
        let inverse = one / w;
        let p = v * inverse;
        let r = if B == FAR { inverse / unit } else { inverse };
        Outer { v, x, w, ln_x, w2, p, p2: p * p, g: x * inverse, r, unit }
    }

    /// T, with twice the digits in the band of w >= 1e6.
    #[inline(always)]
    pub fn exponent(&self) -> Double<V> {
        match B {
            FAR => Double::single(exponent_far(self.v, self.x, self.w, self.ln_x) * self.unit),
            DOUBLED => exponent_doubled(self.v, self.x).0,
            _ => Double::single(exponent(self.v, self.x, self.w)),
        }
    }

    /// T - x = v^2/(w + x) - v asinh(v/x): a difference of positive terms of which the second is at least 1.5 times
    /// the first, so nothing cancels.
    #[inline(always)]
    pub fn exponent_less_x(&self) -> V {
        let a = self.v * (self.v / (self.w + self.x)) - self.v * self.asinh_ratio();
        if B == FAR { a * self.unit } else { a }
    }

    /// asinh(v/x).
    #[inline(always)]
    pub fn asinh_ratio(&self) -> V {
        if B == FAR { asinh_ratio_far(self.v, self.x, self.ln_x) } else { asinh(self.v / self.x) }
    }

    /// log(w)/2, with twice the digits in the band of w >= 1e6: there `hi` is the exponent's part, exactly.
    #[inline(always)]
    pub fn half_ln_w(&self) -> Double<V> {
        let quarter = V::splat(0.25);
        if B == DOUBLED {
            let (m, e) = self.w2.frexp_sqrt2();
            let hi = e * V::splat(0.25 * LN_2_EXACT);
            Double { hi, lo: quarter * e.mul_add(V::splat(LN_2_REST), ln_normal(m)) }
        } else if B == FAR {
            let shift = V::select(self.unit.gt(V::splat(1.0)), V::splat(0.5 * LN_UNIT), V::splat(0.0));
            Double::single(quarter.mul_add(ln_normal(self.w2), shift))
        } else {
            Double::single(quarter * ln_normal(self.w2))
        }
    }

    /// S+ and S-.
    #[inline(always)]
    pub fn sums(&self) -> Sums<V> {
        let (mut even, mut odd) = (V::splat(0.0), V::splat(0.0));
        let r2 = self.r * self.r;
        macro_rules! terms {
            ($($k:literal)*) => {$(
                if terms(B) >= $k {
                    let q = horner::<V, { $k + 1 }>(&Q[$k], self.p2);
                    add(&mut even, &mut odd, r2, q, $k, terms(B));
                }
            )*};
        }
        terms!(17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1);
        Sums { even: even * r2, odd: odd * self.r }
    }

    /// The sums that the derivatives are made of.
    #[inline(always)]
    pub fn slopes(&self) -> Slopes<V> {
        let zero = V::splat(0.0);
        let (mut ke, mut ko, mut de, mut d_o) = (zero, zero, zero, zero);
        let r2 = self.r * self.r;
        macro_rules! terms {
            ($($k:literal)*) => {$(
                if terms(B) >= $k {
                    let q = V::splat($k as f64) * horner::<V, { $k + 1 }>(&Q[$k], self.p2);
                    let d = horner_slope::<V, { $k + 1 }>(&Q[$k], self.p2);
                    add(&mut ke, &mut ko, r2, q, $k, terms(B));
                    add(&mut de, &mut d_o, r2, d, $k, terms(B));
                }
            )*};
        }
        terms!(17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1);
        Slopes { k: Sums { even: ke * r2, odd: ko * self.r }, d: Sums { even: de * r2, odd: d_o * self.r } }
    }

    /// `(d/dv, d/dx)` of log1p(S±) - log(w)/2: what the derivatives hold beside those of ±T.
    #[inline(always)]
    pub fn correction_slopes(&self, sign: f64) -> (V, V) {
        let (sums, slopes) = (self.sums(), self.slopes());
        let scale = self.r / (sums.signed(sign) + V::splat(1.0));
        let (k, d2) = (slopes.k.signed(sign), slopes.d.signed(sign) * V::splat(2.0));
        let half_r = V::splat(0.5) * self.r;
        let dv = self.p * ((self.g * self.g).mul_add(d2, -k) * scale - half_r);
        let dx = self.g * (-(self.p2.mul_add(d2, k)) * scale - half_r);
        (dv, dx)
    }
}

/// One Horner step in r^2 of the even or the odd sum; the leading term starts it.
#[inline(always)]
fn add<V: F64s>(even: &mut V, odd: &mut V, r2: V, q: V, k: usize, terms: usize) {
    let sum = if k.is_multiple_of(2) { even } else { odd };
    *sum = if k + 2 > terms { q } else { sum.mul_add(r2, q) };
}

/// log(1 + s) where |s| is at most the supremum of |S±| in band `B` (0.0052 at w = 25), by its series.
#[inline(always)]
pub(super) fn log1p_small<V: F64s, const B: usize>(s: V) -> V {
    const SERIES: [f64; 8] = [1.0, -0.5, 1.0 / 3.0, -0.25, 0.2, -1.0 / 6.0, 1.0 / 7.0, -0.125];
    // The first dropped term is below 5e-19 in every band.
    let c = &SERIES;
    s * match B {
        0 | FAR => horner::<V, 7>(c, s),
        1 | 2 => horner::<V, 6>(c, s),
        3 => horner::<V, 5>(c, s),
        4 => horner::<V, 4>(c, s),
        5 => horner::<V, 3>(c, s),
        _ => horner::<V, 2>(c, s),
    }
}
