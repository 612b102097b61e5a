//! The baseline: two doubles, in plain Rust. x86-64-v2 and NEON registers hold just that, and LLVM finds them.

use core::array::from_fn;
use core::ops::{Add, Div, Mul, Neg, Sub};

use crate::lanes::{F64s, Mask, Simd};

/// x86-64-v2 or NEON.
#[derive(Clone, Copy)]
pub struct Portable;

impl Simd for Portable {
    type F64 = F64x2;
}

const LANES: usize = 2;

/// Two doubles.
#[derive(Clone, Copy)]
pub struct F64x2([f64; LANES]);

/// Two booleans.
#[derive(Clone, Copy)]
pub struct Mask2([bool; LANES]);

impl F64x2 {
    #[inline(always)]
    fn map(self, f: impl Fn(f64) -> f64) -> Self {
        Self(from_fn(|i| f(self.0[i])))
    }
    #[inline(always)]
    fn zip(self, o: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        Self(from_fn(|i| f(self.0[i], o.0[i])))
    }
    #[inline(always)]
    fn compare(self, o: Self, f: impl Fn(f64, f64) -> bool) -> Mask2 {
        Mask2(from_fn(|i| f(self.0[i], o.0[i])))
    }
}

/// Implements one arithmetic operator lane by lane.
macro_rules! operator {
    ($trait:ident, $f:ident) => {
        impl $trait for F64x2 {
            type Output = Self;
            #[inline(always)]
            fn $f(self, o: Self) -> Self {
                self.zip(o, |a, b| a.$f(b))
            }
        }
    };
}
operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);
operator!(Div, div);

impl Neg for F64x2 {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.map(|a| -a)
    }
}

impl Mask for Mask2 {
    #[inline(always)]
    fn and(self, o: Self) -> Self {
        Self(from_fn(|i| self.0[i] & o.0[i]))
    }
    #[inline(always)]
    fn or(self, o: Self) -> Self {
        Self(from_fn(|i| self.0[i] | o.0[i]))
    }
    #[inline(always)]
    fn not(self) -> Self {
        Self(self.0.map(|b| !b))
    }
    #[inline(always)]
    fn any(self) -> bool {
        self.0[0] | self.0[1]
    }
    #[inline(always)]
    fn all(self) -> bool {
        self.0[0] & self.0[1]
    }
    #[inline(always)]
    fn bits(self) -> u32 {
        self.0[0] as u32 | (self.0[1] as u32) << 1
    }
}

/// `a * b + c` with the product exact (Dekker) and one compensated addition, for machines without the instruction.
/// Factors beyond 2^970 would overflow the splitting; they are scaled down first.
#[cfg(not(target_arch = "aarch64"))]
#[inline(always)]
fn fma_by_splitting(a: f64, b: f64, c: f64) -> f64 {
    const SPLIT: f64 = 134217729.0; // 2^27 + 1
    let big = a.abs() > 1e292 || b.abs() > 1e292;
    let (s, t) = if big { (2f64.powi(-60), 2f64.powi(60)) } else { (1.0, 1.0) };
    let (a, b, c) = if a.abs() > b.abs() { (a * s, b, c * s) } else { (a, b * s, c * s) };
    let p = a * b;
    let (ta, tb) = (SPLIT * a, SPLIT * b);
    let (ah, bh) = (ta - (ta - a), tb - (tb - b));
    let (al, bl) = (a - ah, b - bh);
    let e = ((ah * bh - p) + ah * bl + al * bh) + al * bl;
    let r = p + c;
    let z = r - p;
    let d = (p - (r - z)) + (c - z);
    let sum = r + (d + e);
    if sum.is_finite() { sum * t } else { r * t }
}

#[inline(always)]
fn pow2(n: f64) -> f64 {
    f64::from_bits((((n + 1023.0) as i64) << 52) as u64)
}

impl F64s for F64x2 {
    type Mask = Mask2;
    const LANES: usize = LANES;

    #[inline(always)]
    fn splat(a: f64) -> Self {
        Self([a; LANES])
    }
    #[inline(always)]
    fn load(a: &[f64]) -> Self {
        Self(from_fn(|i| a[i]))
    }
    #[inline(always)]
    fn store(self, out: &mut [f64]) {
        out[..LANES].copy_from_slice(&self.0);
    }
    #[inline(always)]
    fn load_f32(a: &[f32]) -> Self {
        Self(from_fn(|i| a[i] as f64))
    }
    #[inline(always)]
    fn store_f32(self, out: &mut [f32]) {
        out[..LANES].copy_from_slice(&self.0.map(|a| a as f32));
    }
    #[inline(always)]
    fn gather(table: &[f64], index: &[u32]) -> Self {
        Self(from_fn(|i| table[index[i] as usize]))
    }
    #[inline(always)]
    fn mul_add(self, a: Self, b: Self) -> Self {
        #[cfg(target_arch = "aarch64")]
        return self.fma(a, b);
        #[cfg(not(target_arch = "aarch64"))]
        return self * a + b;
    }
    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        #[cfg(target_arch = "aarch64")]
        return Self(from_fn(|i| self.0[i].mul_add(a.0[i], b.0[i])));
        #[cfg(not(target_arch = "aarch64"))]
        return Self(from_fn(|i| fma_by_splitting(self.0[i], a.0[i], b.0[i])));
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        self.map(f64::sqrt)
    }
    #[inline(always)]
    fn abs(self) -> Self {
        self.map(f64::abs)
    }
    #[inline(always)]
    fn min(self, o: Self) -> Self {
        self.zip(o, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn max(self, o: Self) -> Self {
        self.zip(o, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        self.zip(sign, f64::copysign)
    }
    #[inline(always)]
    fn round(self) -> Self {
        self.map(f64::round_ties_even)
    }
    #[inline(always)]
    fn floor(self) -> Self {
        self.map(f64::floor)
    }
    #[inline(always)]
    fn lt(self, o: Self) -> Mask2 {
        self.compare(o, |a, b| a < b)
    }
    #[inline(always)]
    fn le(self, o: Self) -> Mask2 {
        self.compare(o, |a, b| a <= b)
    }
    #[inline(always)]
    fn eq(self, o: Self) -> Mask2 {
        self.compare(o, |a, b| a == b)
    }
    #[inline(always)]
    fn select(mask: Mask2, yes: Self, no: Self) -> Self {
        Self(from_fn(|i| if mask.0[i] { yes.0[i] } else { no.0[i] }))
    }
    #[inline(always)]
    fn ldexp(self, n: Self) -> Self {
        let limit = |a: f64| a.clamp(-1000.0, 1000.0);
        self.zip(n, |a, n| {
            let (m, r) = (limit(n), n - limit(n));
            a * pow2(limit(r - limit(r))) * pow2(limit(r)) * pow2(m)
        })
    }
    #[inline(always)]
    fn ldexp_normal(self, n: Self) -> Self {
        self.zip(n, |a, n| a * pow2(n))
    }
    #[inline(always)]
    fn frexp_sqrt2(self) -> (Self, Self) {
        const HALF_SQRT: u64 = 0x3fe6_a09e_667f_3bcd; // bits of sqrt(1/2)
        let shifted = self.0.map(|a| a.to_bits().wrapping_add(0x3ff0_0000_0000_0000 - HALF_SQRT));
        (
            Self(shifted.map(|i| f64::from_bits((i & 0x000f_ffff_ffff_ffff) + HALF_SQRT))),
            Self(shifted.map(|i| ((i >> 52) as i64 - 1023) as f64)),
        )
    }
    #[inline(always)]
    fn reduce_min(self) -> f64 {
        self.0[0].min(self.0[1])
    }
    #[inline(always)]
    fn reduce_max(self) -> f64 {
        self.0[0].max(self.0[1])
    }
    #[inline(always)]
    fn reduce_sum(self) -> f64 {
        self.0[0] + self.0[1]
    }
}
