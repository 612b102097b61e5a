//! Several registers side by side.
//!
//! A polynomial of degree 17 is a chain of 17 dependent multiply-adds; one register alone would wait four cycles at
//! each. `Pack<V, 2>` or `Pack<V, 4>` runs the chains of several registers together and loads each constant once.

use core::ops::{Add, Div, Mul, Neg, Sub};

use crate::lanes::{F32s, F64s, Lanes, Mask, SLACK};

/// `N` registers that act as one wide one.
#[derive(Clone, Copy)]
pub struct Pack<V, const N: usize>([V; N]);

/// `[f(0), f(1), ...]` as a pack, by a plain loop over an array that is already there: no closure stands between the
/// dispatch and the registers.
macro_rules! each {
    ($i:ident, $start:expr, $value:expr) => {{
        let mut lanes = $start;
        #[allow(clippy::needless_range_loop, reason = "several arrays by one counter")]
        for $i in 0..N {
            lanes[$i] = $value;
        }
        Pack(lanes)
    }};
}

macro_rules! operator {
    ($trait:ident, $f:ident) => {
        impl<V: Lanes, const N: usize> $trait for Pack<V, N> {
            type Output = Self;
            #[inline(always)]
            fn $f(self, o: Self) -> Self {
                each!(i, self.0, self.0[i].$f(o.0[i]))
            }
        }
    };
}
operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);
operator!(Div, div);

impl<V: Lanes, const N: usize> Neg for Pack<V, N> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        each!(i, self.0, -self.0[i])
    }
}

impl<M: Mask, const N: usize> Mask for Pack<M, N> {
    const LANES: usize = N * M::LANES;
    #[inline(always)]
    fn and(self, o: Self) -> Self {
        each!(i, self.0, self.0[i].and(o.0[i]))
    }
    #[inline(always)]
    fn or(self, o: Self) -> Self {
        each!(i, self.0, self.0[i].or(o.0[i]))
    }
    #[inline(always)]
    fn not(self) -> Self {
        each!(i, self.0, self.0[i].not())
    }
    #[inline(always)]
    fn any(self) -> bool {
        let mut any = false;
        for m in self.0 {
            any |= m.any();
        }
        any
    }
    #[inline(always)]
    fn all(self) -> bool {
        let mut all = true;
        for m in self.0 {
            all &= m.all();
        }
        all
    }
    #[inline(always)]
    fn bits(self) -> u32 {
        let mut bits = 0;
        for (i, m) in self.0.into_iter().enumerate() {
            bits |= m.bits().checked_shl((i * M::LANES) as u32).unwrap_or(0);
        }
        bits
    }
    #[inline(always)]
    fn positions(self, start: u32, out: &mut [u32]) -> usize {
        assert!(out.len() >= Self::LANES + SLACK);
        let mut n = 0;
        for (i, m) in self.0.into_iter().enumerate() {
            n += m.positions(start.wrapping_add((i * M::LANES) as u32), &mut out[n..]);
        }
        n
    }
}

/// Methods that act on each register by itself: `name(argument...)` after `self`.
macro_rules! registerwise {
    ($($f:ident($($a:ident),*);)*) => {$(
        #[inline(always)]
        fn $f(self $(, $a: Self)*) -> Self {
            each!(i, self.0, self.0[i].$f($($a.0[i]),*))
        }
    )*};
}

/// Comparisons.
macro_rules! comparison {
    ($($f:ident)*) => {$(
        #[inline(always)]
        fn $f(self, o: Self) -> Self::Mask {
            each!(i, [self.0[0].$f(o.0[0]); N], self.0[i].$f(o.0[i]))
        }
    )*};
}

impl<V: Lanes, const N: usize> Lanes for Pack<V, N> {
    type Scalar = V::Scalar;
    type Mask = Pack<V::Mask, N>;
    const LANES: usize = N * V::LANES;
    const FUSED: bool = V::FUSED;
    const LOOKUP: bool = V::LOOKUP;

    registerwise! {
        mul_add(a, b); fma(a, b); sqrt(); abs(); min(o); max(o); copysign(sign); round(); floor(); ldexp(n);
        ldexp_normal(n);
    }
    comparison! { lt le eq }

    #[inline(always)]
    fn splat(a: V::Scalar) -> Self {
        Self([V::splat(a); N])
    }
    #[inline(always)]
    fn load(a: &[V::Scalar]) -> Self {
        each!(i, [V::load(a); N], V::load(&a[i * V::LANES..]))
    }
    #[inline(always)]
    fn store(self, out: &mut [V::Scalar]) {
        for i in 0..N {
            self.0[i].store(&mut out[i * V::LANES..]);
        }
    }
    #[inline(always)]
    fn gather(table: &[V::Scalar], index: &[u32]) -> Self {
        each!(i, [V::gather(table, index); N], V::gather(table, &index[i * V::LANES..]))
    }
    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        each!(i, yes.0, V::select(mask.0[i], yes.0[i], no.0[i]))
    }
    #[inline(always)]
    fn frexp_sqrt2(self) -> (Self, Self) {
        let (mut m, mut e) = (self.0, self.0);
        for i in 0..N {
            (m[i], e[i]) = self.0[i].frexp_sqrt2();
        }
        (Self(m), Self(e))
    }
    #[inline(always)]
    fn split(self) -> (Self, Self) {
        let (mut m, mut e) = (self.0, self.0);
        for i in 0..N {
            (m[i], e[i]) = self.0[i].split();
        }
        (Self(m), Self(e))
    }
    #[inline(always)]
    fn lookup16(self, table: &[V::Scalar; 16]) -> Self {
        each!(i, self.0, self.0[i].lookup16(table))
    }
    #[inline(always)]
    fn sixteenths(self, table: &[V::Scalar; 16]) -> (Self, Self, Self) {
        let (mut t, mut r, mut k) = (self.0, self.0, self.0);
        for i in 0..N {
            (t[i], r[i], k[i]) = self.0[i].sixteenths(table);
        }
        (Self(t), Self(r), Self(k))
    }
    #[inline(always)]
    fn ln_ends(x: Self, y: Self) -> Self {
        each!(i, x.0, V::ln_ends(x.0[i], y.0[i]))
    }
    #[inline(always)]
    fn reduce_sum(self) -> V::Scalar {
        let mut all = self.0[0];
        for v in &self.0[1..] {
            all = all + *v;
        }
        all.reduce_sum()
    }
    #[inline(always)]
    fn reduce_min(self) -> V::Scalar {
        let mut all = self.0[0];
        for v in &self.0[1..] {
            // `min` gives its second operand where either is nan, so a nan gathered so far gives way to `v` and a
            // nan in `v` has to be kept out.
            all = V::select(v.eq(*v), all.min(*v), all);
        }
        all.reduce_min()
    }
    #[inline(always)]
    fn reduce_max(self) -> V::Scalar {
        let mut all = self.0[0];
        for v in &self.0[1..] {
            all = V::select(v.eq(*v), all.max(*v), all);
        }
        all.reduce_max()
    }
}

impl<V: F64s, const N: usize> F64s for Pack<V, N> {
    #[inline(always)]
    fn load_f32(a: &[f32]) -> Self {
        each!(i, [V::load_f32(a); N], V::load_f32(&a[i * V::LANES..]))
    }
    #[inline(always)]
    fn store_f32(self, out: &mut [f32]) {
        for i in 0..N {
            self.0[i].store_f32(&mut out[i * V::LANES..]);
        }
    }
}

impl<V: F32s, const N: usize> F32s for Pack<V, N> {
    #[inline(always)]
    fn load_f64(a: &[f64]) -> Self {
        each!(i, [V::load_f64(a); N], V::load_f64(&a[i * V::LANES..]))
    }
}
