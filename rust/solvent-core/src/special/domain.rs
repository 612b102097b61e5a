//! The classes that the quarter plane v >= 0, x > 0 is cut into, each with its own kernel.

use solvent_simd::{F64s, Mask};

use super::tables::debye::BAND_FROM;
use super::tables::inner_i::SERIES_TO;

/// Bands of w = hypot(v, x) >= 25, each with its number of terms.
pub(super) const BANDS: usize = 7;
/// w >= 25 where a square or a ratio of v and x would overflow: |exponents| beyond 250.
pub(super) const FAR: usize = 7;
/// First of the four pieces of w < 25.
pub(super) const INNER: usize = 8;
/// Not in the open quarter plane: zeros, infinities, nan, negative x.
pub(super) const SPECIAL: usize = 12;
/// How many classes.
pub(super) const CLASSES: usize = 13;

const FAR_ABOVE: f64 = 1.809_251_394_333_065_6e75; // 2^250
const FAR_BELOW: f64 = 1.0 / FAR_ABOVE;

/// The class of each lane of (v, x), v = |order|, as a float. Depends on the element alone.
#[inline(always)]
pub(super) fn classify<V: F64s>(v: V, x: V) -> V {
    let (zero, one) = (V::splat(0.0), V::splat(1.0));
    let w2 = v.mul_add(v, x * x);
    let mut outer = zero;
    for from in &BAND_FROM[1..] {
        outer = outer + V::select(w2.ge(V::splat(from * from)), one, zero);
    }
    let extreme = v.max(x).gt(V::splat(FAR_ABOVE)).or(x.lt(V::splat(FAR_BELOW)));
    let outer = V::select(extreme, V::splat(FAR as f64), outer);
    let mut inner = V::splat(INNER as f64);
    for to in &SERIES_TO[..3] {
        inner = inner + V::select(x.gt(V::splat(*to)), one, zero);
    }
    let class = V::select(w2.ge(V::splat(BAND_FROM[0] * BAND_FROM[0])), outer, inner);
    let inf = V::splat(f64::INFINITY);
    let inside = x.gt(zero).and(x.lt(inf)).and(v.lt(inf));
    V::select(inside, class, V::splat(SPECIAL as f64))
}
