//! Walking over slices: full registers first, then one padded register for the tail.
//!
//! The tail runs through the same vector code as the body (never a scalar variant), so an element's result does not
//! depend on its position.

use crate::lanes::F64s;

/// The most lanes that any lane type has (`Pack<F64x8, 4>`).
pub const MAX_LANES: usize = 32;

/// A function of one element. A trait and not a closure, because a closure cannot be `#[inline(always)]`, and only
/// code inlined into the dispatch is compiled for its instruction set.
pub trait Map {
    /// The function, on lanes. Must be `#[inline(always)]`.
    fn apply<V: F64s>(&self, x: V) -> V;
}

/// Writes `f` of every element of `x` over `out`.
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub fn map<V: F64s>(f: &impl Map, x: &[f64], out: &mut [f64]) {
    assert_eq!(x.len(), out.len());
    let body = x.len() - x.len() % V::LANES;
    for (a, o) in x[..body].chunks_exact(V::LANES).zip(out[..body].chunks_exact_mut(V::LANES)) {
        f.apply(V::load(a)).store(o);
    }
    if body < x.len() {
        let mut padded = [1.0; MAX_LANES];
        padded[..x.len() - body].copy_from_slice(&x[body..]);
        let y = f.apply(V::load(&padded));
        y.store(&mut padded);
        out[body..].copy_from_slice(&padded[..x.len() - body]);
    }
}
