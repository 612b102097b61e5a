//! The traits: what one vector register can do.

use core::ops::{Add, Div, Mul, Neg, Sub};

/// One boolean a lane, the result of a comparison.
pub trait Mask: Copy {
    /// Lane-wise and.
    fn and(self, other: Self) -> Self;
    /// Lane-wise or.
    fn or(self, other: Self) -> Self;
    /// Lane-wise not.
    fn not(self) -> Self;
    /// Whether any lane is set.
    fn any(self) -> bool;
    /// Whether every lane is set.
    fn all(self) -> bool;
    /// Bit `i` is lane `i`.
    fn bits(self) -> u32;
}

/// Some lanes of `f64`.
///
/// Arithmetic is IEEE, one rounding an operation. [`mul_add`](F64s::mul_add) is fused wherever the level has the
/// instruction (all but x86-64-v2, where it rounds twice); [`fma`](F64s::fma) is exact-product everywhere, at a
/// cost on x86-64-v2.
pub trait F64s:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// The result of a comparison.
    type Mask: Mask;
    /// How many lanes.
    const LANES: usize;

    /// The same value in every lane.
    fn splat(a: f64) -> Self;
    /// Reads the first `LANES` values of `a`. Panics if there are fewer.
    fn load(a: &[f64]) -> Self;
    /// Writes the lanes over the first `LANES` values of `out`. Panics if there are fewer.
    fn store(self, out: &mut [f64]);
    /// Reads the first `LANES` values of `a`, widened. Panics if there are fewer.
    fn load_f32(a: &[f32]) -> Self;
    /// Writes the lanes, rounded to nearest, over the first `LANES` values of `out`. Panics if there are fewer.
    fn store_f32(self, out: &mut [f32]);
    /// Reads `table[index[i]]` into lane `i`. Panics if `index` is short or an index is out of bounds.
    fn gather(table: &[f64], index: &[u32]) -> Self;

    /// `self * a + b`, fused where that is one instruction.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// `self * a + b` with the product exact before the addition.
    fn fma(self, a: Self, b: Self) -> Self;
    /// Square root, correctly rounded.
    fn sqrt(self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// The smaller; `other` where either is nan.
    fn min(self, other: Self) -> Self;
    /// The larger; `other` where either is nan.
    fn max(self, other: Self) -> Self;
    /// Magnitude of `self`, sign of `sign`.
    fn copysign(self, sign: Self) -> Self;
    /// Rounds to the nearest integer, ties to even.
    fn round(self) -> Self;
    /// Largest integer not above.
    fn floor(self) -> Self;

    /// `self < other`; false where either is nan, as for all comparisons.
    fn lt(self, other: Self) -> Self::Mask;
    /// `self <= other`.
    fn le(self, other: Self) -> Self::Mask;
    /// `self > other`.
    #[inline(always)]
    fn gt(self, other: Self) -> Self::Mask {
        other.lt(self)
    }
    /// `self >= other`.
    #[inline(always)]
    fn ge(self, other: Self) -> Self::Mask {
        other.le(self)
    }
    /// `self == other`.
    fn eq(self, other: Self) -> Self::Mask;
    /// Lanes of `yes` where `mask` is set, of `no` elsewhere.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// `self * 2^n` for integral `n`, rounded once, also into the subnormals; |n| <= 2200.
    fn ldexp(self, n: Self) -> Self;
    /// `self * 2^n` for integral `n` where `2^n` and the result are normal: one multiplication.
    fn ldexp_normal(self, n: Self) -> Self;
    /// `(m, e)` with `self = m 2^e` and `m` in `[sqrt(1/2), sqrt(2))`, for positive normal `self`.
    fn frexp_sqrt2(self) -> (Self, Self);

    /// Smallest lane (nan lanes are ignored where another is not nan).
    fn reduce_min(self) -> f64;
    /// Largest lane (nan lanes are ignored where another is not nan).
    fn reduce_max(self) -> f64;
    /// Sum of the lanes, in an order fixed for the level.
    fn reduce_sum(self) -> f64;
}

/// An instruction set: the lane types that belong together.
pub trait Simd: Copy {
    /// Lanes of `f64`.
    type F64: F64s;
}
