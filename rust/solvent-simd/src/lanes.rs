//! The traits: what one vector register can do.

use core::ops::{Add, Div, Mul, Neg, Sub};

use crate::real::Real;

/// How many entries beyond `LANES` [`Mask::positions`] wants to find in its output: it writes whole registers.
pub const SLACK: usize = 16;

/// One boolean a lane, the result of a comparison.
pub trait Mask: Copy {
    /// How many lanes.
    const LANES: usize;
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
    /// Bit `i` is lane `i` (of the first 32 lanes).
    fn bits(self) -> u32;
    /// Writes `start + i` for every set lane `i`, in order, to the front of `out` and returns how many there were.
    /// What follows them in `out` is scratch. Panics unless `out` has `LANES + SLACK` entries.
    ///
    /// Compress-store without the instruction of that name, which is very slow on some machines: the positions are
    /// compressed in a register and the whole register is stored.
    #[inline(always)]
    fn positions(self, start: u32, out: &mut [u32]) -> usize {
        let bits = self.bits();
        let row = &SET_BITS[(bits & 0xff) as usize];
        let out: &mut [u32; 8] = out.first_chunk_mut().expect("room for LANES + SLACK positions");
        for i in 0..8 {
            out[i] = start.wrapping_add(row[i] as u32);
        }
        bits.count_ones() as usize
    }
}

/// Row `b` begins with the positions of the set bits of `b`.
static SET_BITS: [[u8; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut b = 0;
    while b < 256 {
        let (mut i, mut n) = (0, 0);
        while i < 8 {
            if b >> i & 1 == 1 {
                table[b][n] = i as u8;
                n += 1;
            }
            i += 1;
        }
        b += 1;
    }
    table
};

/// Some lanes of a real type: what [`F64s`] and [`F32s`] have in common.
///
/// Arithmetic is IEEE, one rounding an operation. [`mul_add`](Lanes::mul_add) is fused wherever the level has the
/// instruction (all but x86-64-v2, where it rounds twice); [`fma`](Lanes::fma) is exact-product everywhere, at a
/// cost on x86-64-v2.
pub trait Lanes:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// What a lane holds.
    type Scalar: Real;
    /// The result of a comparison.
    type Mask: Mask;
    /// How many lanes.
    const LANES: usize;
    /// Whether [`mul_add`](Lanes::mul_add) rounds once.
    const FUSED: bool;
    /// Whether [`lookup16`](Lanes::lookup16) and [`split`](Lanes::split) are an instruction or two.
    const LOOKUP: bool = false;

    /// The same value in every lane.
    fn splat(a: Self::Scalar) -> Self;
    /// Reads the first `LANES` values of `a`. Panics if there are fewer.
    fn load(a: &[Self::Scalar]) -> Self;
    /// Writes the lanes over the first `LANES` values of `out`. Panics if there are fewer.
    fn store(self, out: &mut [Self::Scalar]);
    /// Reads `table[index[i]]` into lane `i`. Panics if `index` is short or an index is out of bounds.
    fn gather(table: &[Self::Scalar], index: &[u32]) -> Self;

    /// `self * a + b`, fused where that is one instruction.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// `self * a + b` with the product exact before the addition: correctly rounded where the instruction exists.
    /// On x86-64-v2 the product is split (Dekker) and the sum compensated: within 1 ulp of the result plus
    /// `2^-104 |a b|` (`2^-45 |a b|` for `f32`), wherever `a b` and `self 2^28` neither overflow nor leave bits below
    /// the subnormals.
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

    /// `self * 2^n` for integral `n`, rounded once, also into the subnormals; |n| <= 2200 (300 for `f32`).
    fn ldexp(self, n: Self) -> Self;
    /// `self * 2^n` for integral `n` where `2^n` and the result are normal: one multiplication.
    fn ldexp_normal(self, n: Self) -> Self;
    /// `(m, e)` with `self = m 2^e` and `m` in `[sqrt(1/2), sqrt(2))`, for positive normal `self`.
    fn frexp_sqrt2(self) -> (Self, Self);

    /// `(m, e)` with `self = m 2^e` and `m` in `[3/4, 3/2)`, for positive finite `self`, subnormals included. Only
    /// where [`LOOKUP`](Lanes::LOOKUP) is set.
    #[inline(always)]
    fn split(self) -> (Self, Self) {
        unreachable!("a caller asks LOOKUP first")
    }
    /// `table[i]`, `i` the four leading fraction bits of `self`. Only where [`LOOKUP`](Lanes::LOOKUP) is set.
    #[inline(always)]
    fn lookup16(self, _table: &[Self::Scalar; 16]) -> Self {
        unreachable!("a caller asks LOOKUP first")
    }
    /// `(table[k mod 16], self - k/16, k/16)`, k the integer nearest to `16 self`, for `|self| < 2^16`. Only where
    /// [`LOOKUP`](Lanes::LOOKUP) is set; [`ldexp`](Lanes::ldexp) there takes the floor of its exponent.
    #[inline(always)]
    fn sixteenths(self, _table: &[Self::Scalar; 16]) -> (Self, Self, Self) {
        unreachable!("a caller asks LOOKUP first")
    }
    /// `y`, but -inf where `x` is zero, inf where it is inf, and nan where it is nan or negative: the ends of ln.
    #[inline(always)]
    fn ln_ends(x: Self, y: Self) -> Self {
        let (zero, inf) = (Self::splat(Self::Scalar::ZERO), Self::splat(Self::Scalar::INFINITY));
        let outside = Self::select(x.eq(zero), -inf, Self::splat(Self::Scalar::NAN));
        let y = Self::select(x.gt(zero), y, outside);
        Self::select(x.eq(inf), inf, y)
    }

    /// Smallest lane (nan lanes are ignored where another is not nan).
    fn reduce_min(self) -> Self::Scalar;
    /// Largest lane (nan lanes are ignored where another is not nan).
    fn reduce_max(self) -> Self::Scalar;
    /// Sum of the lanes, in an order fixed for the level.
    fn reduce_sum(self) -> Self::Scalar;
    /// The sums of the lanes of four registers, in an order fixed for the level: cheaper than one after the other where
    /// registers can be transposed.
    #[inline(always)]
    fn reduce_sums(of: [Self; 4]) -> [Self::Scalar; 4] {
        [of[0].reduce_sum(), of[1].reduce_sum(), of[2].reduce_sum(), of[3].reduce_sum()]
    }
}

/// Some lanes of `f64`.
pub trait F64s: Lanes<Scalar = f64> {
    /// Reads the first `LANES` values of `a`, widened. Panics if there are fewer.
    fn load_f32(a: &[f32]) -> Self;
    /// Writes the lanes, rounded to nearest, over the first `LANES` values of `out`. Panics if there are fewer.
    fn store_f32(self, out: &mut [f32]);
}

/// Some lanes of `f32`.
pub trait F32s: Lanes<Scalar = f32> {
    /// Reads the first `LANES` values of `a`, rounded to nearest. Panics if there are fewer.
    fn load_f64(a: &[f64]) -> Self;
}

/// An instruction set: the lane types that belong together.
pub trait Simd: Copy {
    /// Lanes of `f64`.
    type F64: F64s;
    /// Lanes of `f32`, twice as many.
    type F32: F32s;
    /// Eight doubles, a cache line, in as many registers as it takes: for kernels that lay their data out in lines.
    type F64Line: F64s;
    /// Sixteen singles, a cache line.
    type F32Line: F32s;
}
