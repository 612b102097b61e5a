//! Walking over slices: full registers first, then one padded register for the tail.
//!
//! The tail runs through the same vector code as the body (never a scalar variant), so an element's result does not
//! depend on its position.

use crate::lanes::{F32s, F64s, Mask, SLACK};

/// The most lanes that any lane type has (`Pack<F32x16, 4>`).
pub const MAX_LANES: usize = 64;

/// A function of one element. A trait and not a closure, because a closure cannot be `#[inline(always)]`, and only
/// code inlined into the dispatch is compiled for its instruction set.
pub trait Map {
    /// The function, on lanes. Must be `#[inline(always)]`.
    fn apply<V: F64s>(&self, x: V) -> V;
}

/// A function of one `f32`, as [`Map`] is of one `f64`.
pub trait MapF32 {
    /// The function, on lanes. Must be `#[inline(always)]`.
    fn apply<V: F32s>(&self, x: V) -> V;
}

/// A yes-or-no question about one element.
pub trait Test {
    /// The answer, on lanes. Must be `#[inline(always)]`.
    fn test<V: F64s>(&self, x: V) -> V::Mask;
}

/// The two maps over slices, which differ in the trait that says what is applied.
macro_rules! walk {
    ($f:ident, $x:ident, $out:ident, $one:expr) => {
        assert_eq!($x.len(), $out.len());
        let body = $x.len() - $x.len() % V::LANES;
        for (a, o) in $x[..body].chunks_exact(V::LANES).zip($out[..body].chunks_exact_mut(V::LANES)) {
            $f.apply(V::load(a)).store(o);
        }
        if body < $x.len() {
            let mut padded = [$one; MAX_LANES];
            padded[..$x.len() - body].copy_from_slice(&$x[body..]);
            let y = $f.apply(V::load(&padded));
            y.store(&mut padded);
            $out[body..].copy_from_slice(&padded[..$x.len() - body]);
        }
    };
}

/// Writes `f` of every element of `x` over `out`.
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub fn map<V: F64s>(f: &impl Map, x: &[f64], out: &mut [f64]) {
    walk!(f, x, out, 1.0);
}

/// Writes `f` of every element of `x` over `out`.
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub fn map_f32<V: F32s>(f: &impl MapF32, x: &[f32], out: &mut [f32]) {
    walk!(f, x, out, 1.0);
}

/// Sorts the positions of `x` in two: those where `test` holds go, in order, to the front of `inside`, the others to
/// the front of `outside`. Returns how many of each. What follows them is scratch.
///
/// # Panics
/// Unless `inside` and `outside` have `x.len() + MAX_LANES + SLACK` entries.
#[inline(always)]
pub fn partition<V: F64s>(
    test: &impl Test,
    x: &[f64],
    inside: &mut [u32],
    outside: &mut [u32],
) -> (usize, usize) {
    let room = x.len() + MAX_LANES + SLACK;
    assert!(inside.len() >= room && outside.len() >= room && room <= u32::MAX as usize);
    let (mut yes, mut no) = (0, 0);
    let body = x.len() - x.len() % V::LANES;
    for (i, a) in x[..body].chunks_exact(V::LANES).enumerate() {
        let mask = test.test(V::load(a));
        let start = (i * V::LANES) as u32;
        yes += mask.positions(start, &mut inside[yes..]);
        no += mask.not().positions(start, &mut outside[no..]);
    }
    if body < x.len() {
        let mut padded = [1.0; MAX_LANES];
        padded[..x.len() - body].copy_from_slice(&x[body..]);
        let mask = test.test(V::load(&padded));
        yes += mask.positions(body as u32, &mut inside[yes..]);
        no += mask.not().positions(body as u32, &mut outside[no..]);
        // The padding lies behind everything else in whichever list it went to.
        let end = x.len() as u32;
        while yes > 0 && inside[yes - 1] >= end {
            yes -= 1;
        }
        while no > 0 && outside[no - 1] >= end {
            no -= 1;
        }
    }
    (yes, no)
}
