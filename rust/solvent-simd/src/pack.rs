//! Several registers side by side.
//!
//! A polynomial of degree 17 is a chain of 17 dependent multiply-adds; one register alone would wait four cycles at
//! each. `Pack<V, 2>` or `Pack<V, 4>` runs the chains of several registers together and loads each constant once.

use core::ops::{Add, Div, Mul, Neg, Sub};

use crate::lanes::{F64s, Mask};

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
        impl<V: F64s, const N: usize> $trait for Pack<V, N> {
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

impl<V: F64s, const N: usize> Neg for Pack<V, N> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        each!(i, self.0, -self.0[i])
    }
}

impl<M: Mask, const N: usize> Mask for Pack<M, N> {
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
        let (mut bits, width) = (0, 32 / N as u32);
        for (i, m) in self.0.into_iter().enumerate() {
            bits |= m.bits() << (i as u32 * width.min(8));
        }
        bits
    }
}

impl<V: F64s, const N: usize> F64s for Pack<V, N> {
    type Mask = Pack<V::Mask, N>;
    const LANES: usize = N * V::LANES;

    #[inline(always)]
    fn splat(a: f64) -> Self {
        Self([V::splat(a); N])
    }
    #[inline(always)]
    fn load(a: &[f64]) -> Self {
        each!(i, [V::splat(0.0); N], V::load(&a[i * V::LANES..]))
    }
    #[inline(always)]
    fn store(self, out: &mut [f64]) {
        for i in 0..N {
            self.0[i].store(&mut out[i * V::LANES..]);
        }
    }
    #[inline(always)]
    fn load_f32(a: &[f32]) -> Self {
        each!(i, [V::splat(0.0); N], V::load_f32(&a[i * V::LANES..]))
    }
    #[inline(always)]
    fn store_f32(self, out: &mut [f32]) {
        for i in 0..N {
            self.0[i].store_f32(&mut out[i * V::LANES..]);
        }
    }
    #[inline(always)]
    fn gather(table: &[f64], index: &[u32]) -> Self {
        each!(i, [V::splat(0.0); N], V::gather(table, &index[i * V::LANES..]))
    }
    #[inline(always)]
    fn mul_add(self, a: Self, b: Self) -> Self {
        each!(i, self.0, self.0[i].mul_add(a.0[i], b.0[i]))
    }
    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        each!(i, self.0, self.0[i].fma(a.0[i], b.0[i]))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        each!(i, self.0, self.0[i].sqrt())
    }
    #[inline(always)]
    fn abs(self) -> Self {
        each!(i, self.0, self.0[i].abs())
    }
    #[inline(always)]
    fn min(self, o: Self) -> Self {
        each!(i, self.0, self.0[i].min(o.0[i]))
    }
    #[inline(always)]
    fn max(self, o: Self) -> Self {
        each!(i, self.0, self.0[i].max(o.0[i]))
    }
    #[inline(always)]
    fn copysign(self, s: Self) -> Self {
        each!(i, self.0, self.0[i].copysign(s.0[i]))
    }
    #[inline(always)]
    fn round(self) -> Self {
        each!(i, self.0, self.0[i].round())
    }
    #[inline(always)]
    fn floor(self) -> Self {
        each!(i, self.0, self.0[i].floor())
    }
    #[inline(always)]
    fn lt(self, o: Self) -> Self::Mask {
        each!(i, [self.0[0].lt(o.0[0]); N], self.0[i].lt(o.0[i]))
    }
    #[inline(always)]
    fn le(self, o: Self) -> Self::Mask {
        each!(i, [self.0[0].lt(o.0[0]); N], self.0[i].le(o.0[i]))
    }
    #[inline(always)]
    fn eq(self, o: Self) -> Self::Mask {
        each!(i, [self.0[0].lt(o.0[0]); N], self.0[i].eq(o.0[i]))
    }
    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        each!(i, yes.0, V::select(mask.0[i], yes.0[i], no.0[i]))
    }
    #[inline(always)]
    fn ldexp(self, n: Self) -> Self {
        each!(i, self.0, self.0[i].ldexp(n.0[i]))
    }
    #[inline(always)]
    fn ldexp_normal(self, n: Self) -> Self {
        each!(i, self.0, self.0[i].ldexp_normal(n.0[i]))
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
    fn reduce_min(self) -> f64 {
        let mut m = self.0[0];
        for v in &self.0[1..] {
            m = m.min(*v);
        }
        m.reduce_min()
    }
    #[inline(always)]
    fn reduce_max(self) -> f64 {
        let mut m = self.0[0];
        for v in &self.0[1..] {
            m = m.max(*v);
        }
        m.reduce_max()
    }
    #[inline(always)]
    fn reduce_sum(self) -> f64 {
        let mut s = self.0[0];
        for v in &self.0[1..] {
            s = s + *v;
        }
        s.reduce_sum()
    }
}
