//! Logarithms.

use crate::lanes::{F64s, Mask};

const LN2_HI: f64 = 0.693_147_180_369_123_8;
const LN2_LO: f64 = 1.908_214_929_270_587_7e-10;

/// Coefficients of the even series of `ln((1 + s)/(1 - s))/s - 2` in s^2, s <= (sqrt(2) - 1)/(sqrt(2) + 1):
/// minimax, error below 2^-58.45.
const POLY: [f64; 7] = [
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
];

/// `ln(m + lost) + e ln(2)` for `m` in [sqrt(1/2), sqrt(2)), integral `e`, and `lost` below an ulp of `m`.
#[inline(always)]
fn assemble<V: F64s>(m: V, e: V, lost: Option<V>) -> V {
    let f = m - V::splat(1.0);
    let s = f / (f + V::splat(2.0));
    let z = s * s;
    let w = z * z;
    let k = |i: usize| V::splat(POLY[i]);
    let odd = k(6).mul_add(w, k(4)).mul_add(w, k(2)).mul_add(w, k(0)) * z;
    let even = k(5).mul_add(w, k(3)).mul_add(w, k(1)) * w;
    let half = V::splat(0.5) * f * f;
    let low = match lost {
        // d ln(m) = dm/m, and 1/m = (1 - s)/(1 + s), here to 0.6 %: `lost` is below an ulp already.
        Some(d) => {
            let t = V::splat(1.0) - s;
            e.mul_add(V::splat(LN2_LO), d * t * s.mul_add(s, t))
        }
        None => e * V::splat(LN2_LO),
    };
    // ln(1 + f) = f - (f^2/2 - s (f^2/2 + R)): the small terms are summed first.
    let tail = s.mul_add(half + (odd + even), low);
    e.mul_add(V::splat(LN2_HI), f - (half - tail))
}

/// ln x within 1 ulp; ln 0 = -inf, ln inf = inf, nan for x < 0. Subnormals are scaled, not slowed.
#[inline(always)]
pub fn ln<V: F64s>(x: V) -> V {
    let tiny = x.lt(V::splat(f64::MIN_POSITIVE));
    let scaled = V::select(tiny, x * V::splat(18014398509481984.0), x); // 2^54
    let (m, e) = scaled.frexp_sqrt2();
    let y = assemble(m, e - V::select(tiny, V::splat(54.0), V::splat(0.0)), None);
    special(x, y)
}

/// ln x for positive, normal, finite x: no test of anything else.
#[inline(always)]
pub fn ln_normal<V: F64s>(x: V) -> V {
    let (m, e) = x.frexp_sqrt2();
    assemble(m, e, None)
}

/// ln(1 + x) within 1 ulp; -inf at -1, nan below, the sign of zero kept.
#[inline(always)]
pub fn log1p<V: F64s>(x: V) -> V {
    let u = x + V::splat(1.0);
    let y = log1p_of(x, u);
    // Where x is tiny the sum is x itself, with its sign; u = 0 and nan go the common way.
    let y = V::select(x.eq(V::splat(0.0)), x, y);
    special(u, y)
}

/// ln(1 + x) for -1 < x < inf, without the tests for the ends.
#[inline(always)]
pub fn log1p_normal<V: F64s>(x: V) -> V {
    log1p_of(x, x + V::splat(1.0))
}

/// The common path of ln(1 + x), `u` the rounded sum: the lost part of the sum enters as a correction.
#[inline(always)]
fn log1p_of<V: F64s>(x: V, u: V) -> V {
    let (m, e) = u.frexp_sqrt2();
    let one = V::splat(1.0);
    // |x| < 1 lost its low part to 1, |x| >= 1 lost low bits of 1 to x.
    let lost = V::select(x.abs().lt(one), x - (u - one), one - (u - x));
    // The clamp keeps 2^-e normal; nothing is lost to so large a sum.
    assemble(m, e, Some(lost.ldexp_normal(-(V::splat(1000.0).min(e)))))
}

/// The ends of the domain.
#[inline(always)]
fn special<V: F64s>(x: V, y: V) -> V {
    let inf = V::splat(f64::INFINITY);
    let inside = x.gt(V::splat(0.0)).and(x.lt(inf));
    let at_end = V::select(x.eq(V::splat(0.0)), -inf, V::select(x.eq(inf), inf, V::splat(f64::NAN)));
    V::select(inside, y, at_end)
}
