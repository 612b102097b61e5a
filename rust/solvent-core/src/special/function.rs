//! The contract of an elementwise function of (order, argument).

use solvent_simd::F64s;

/// A function of (v, x), or a pair of functions, given region by region. The kernels see v >= 0, x > 0, both finite;
/// zeros, infinities, nan and negative orders have methods of their own. All kernels must be `#[inline(always)]`.
pub trait Function {
    /// Whether there are two results; otherwise the second is ignored.
    const PAIR: bool;
    /// The second result bounds the error of the first: rounding the first to single precision widens it.
    const BOUNDED: bool = false;
    /// Three bands and the far one instead of all eight: a little slower for w > 40, and half the machine code.
    const FEW_BANDS: bool = false;

    /// w = hypot(v, x) >= 25, in band `B`.
    fn outer<V: F64s, const B: usize>(v: V, x: V) -> (V, V);

    /// w < 25, in piece `PIECE` of x.
    fn inner<V: F64s, const PIECE: usize>(v: V, x: V) -> (V, V);

    /// Where v or x is nan or infinite or x <= 0.
    fn limit(v: f64, x: f64) -> (f64, f64);

    /// The results at order -m, m > 0 and x > 0 finite; on entry they hold those at order m. The default is that of a
    /// function even in the order: nothing to do.
    fn negative(m: &[f64], x: &[f64], out0: &mut [f64], out1: &mut [f64]) {
        let _ = (m, x, out0, out1);
    }
}
