//! The baseline without intrinsics: 128 bits of plain Rust, for NEON, whose registers LLVM finds. (On x86-64 it is
//! compiled for tests only.)

use core::array::from_fn;
use core::ops::{Add, Div, Mul, Neg, Sub};

use crate::lanes::{F32s, F64s, Lanes, Mask, Simd};
use crate::pack::Pack;

/// NEON.
#[derive(Clone, Copy)]
pub struct Portable;

impl Simd for Portable {
    type F64 = F64x2;
    type F32 = F32x4;
    type F64Line = Pack<F64x2, 4>;
    type F32Line = Pack<F32x4, 4>;
}

/// Some booleans.
#[derive(Clone, Copy)]
pub struct Bools<const N: usize>([bool; N]);

impl<const N: usize> Mask for Bools<N> {
    const LANES: usize = N;
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
        self.0.into_iter().fold(false, |a, b| a | b)
    }
    #[inline(always)]
    fn all(self) -> bool {
        self.0.into_iter().fold(true, |a, b| a & b)
    }
    #[inline(always)]
    fn bits(self) -> u32 {
        self.0.into_iter().rev().fold(0, |bits, b| bits << 1 | b as u32)
    }
}

/// Implements one arithmetic operator lane by lane.
macro_rules! operators {
    ($t:ident, $($trait:ident $f:ident),*) => {$(
        impl $trait for $t {
            type Output = Self;
            #[inline(always)]
            fn $f(self, o: Self) -> Self {
                Self(from_fn(|i| self.0[i].$f(o.0[i])))
            }
        }
    )*};
}

/// Methods that are one of the scalar's.
macro_rules! lanewise {
    ($($f:ident($($a:ident),*) $scalar:ident;)*) => {$(
        #[inline(always)]
        fn $f(self $(, $a: Self)*) -> Self {
            Self(from_fn(|i| self.0[i].$scalar($($a.0[i]),*)))
        }
    )*};
}

macro_rules! register {
    ($t:ident, $scalar:ident, $int:ident, $lanes:literal) => {
        #[doc = concat!(stringify!($lanes), " lanes of `", stringify!($scalar), "`.")]
        #[derive(Clone, Copy)]
        pub struct $t([$scalar; $lanes]);

        operators!($t, Add add, Sub sub, Mul mul, Div div);

        impl Neg for $t {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                Self(self.0.map(|a| -a))
            }
        }

        impl $t {
            const FRACTION: u32 = $scalar::MANTISSA_DIGITS - 1;
            const BIAS: i32 = $scalar::MAX_EXP - 1;

            #[inline(always)]
            fn pow2(n: $scalar) -> $scalar {
                $scalar::from_bits(((n as i32 + Self::BIAS) as $int) << Self::FRACTION)
            }
            #[inline(always)]
            fn scale(a: $scalar, n: $scalar) -> $scalar {
                let most = (Self::BIAS - Self::BIAS / 50) as $scalar;
                let (m, r) = (n.clamp(-most, most), n - n.clamp(-most, most));
                let k = r.clamp(-most, most);
                a * Self::pow2((r - k).clamp(-most, most)) * Self::pow2(k) * Self::pow2(m)
            }
        }

        impl Lanes for $t {
            type Scalar = $scalar;
            type Mask = Bools<$lanes>;
            const LANES: usize = $lanes;
            const FUSED: bool = true;

            lanewise! {
                mul_add(a, b) mul_add; fma(a, b) mul_add; sqrt() sqrt; abs() abs; copysign(sign) copysign;
                round() round_ties_even; floor() floor;
            }
            #[inline(always)]
            fn splat(a: $scalar) -> Self {
                Self([a; $lanes])
            }
            #[inline(always)]
            fn load(a: &[$scalar]) -> Self {
                Self(*a.first_chunk().expect("a register's worth of values"))
            }
            #[inline(always)]
            fn store(self, out: &mut [$scalar]) {
                out[..$lanes].copy_from_slice(&self.0);
            }
            #[inline(always)]
            fn gather(table: &[$scalar], index: &[u32]) -> Self {
                Self(from_fn(|i| table[index[i] as usize]))
            }
            #[inline(always)]
            fn min(self, o: Self) -> Self {
                Self(from_fn(|i| if self.0[i] < o.0[i] { self.0[i] } else { o.0[i] }))
            }
            #[inline(always)]
            fn max(self, o: Self) -> Self {
                Self(from_fn(|i| if self.0[i] > o.0[i] { self.0[i] } else { o.0[i] }))
            }
            #[inline(always)]
            fn lt(self, o: Self) -> Self::Mask {
                Bools(from_fn(|i| self.0[i] < o.0[i]))
            }
            #[inline(always)]
            fn le(self, o: Self) -> Self::Mask {
                Bools(from_fn(|i| self.0[i] <= o.0[i]))
            }
            #[inline(always)]
            fn eq(self, o: Self) -> Self::Mask {
                Bools(from_fn(|i| self.0[i] == o.0[i]))
            }
            #[inline(always)]
            fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
                Self(from_fn(|i| if mask.0[i] { yes.0[i] } else { no.0[i] }))
            }
            #[inline(always)]
            fn ldexp(self, n: Self) -> Self {
                Self(from_fn(|i| Self::scale(self.0[i], n.0[i])))
            }
            #[inline(always)]
            fn ldexp_normal(self, n: Self) -> Self {
                Self(from_fn(|i| self.0[i] * Self::pow2(n.0[i])))
            }
            #[inline(always)]
            fn frexp_sqrt2(self) -> (Self, Self) {
                // Adding bits(1) - bits(sqrt(1/2)) moves the boundary between exponents from 1 to sqrt(1/2).
                let half_sqrt = core::$scalar::consts::FRAC_1_SQRT_2.to_bits();
                let one = (1.0 as $scalar).to_bits();
                let shifted = self.0.map(|a| a.to_bits().wrapping_add(one - half_sqrt));
                (
                    Self(shifted.map(|i| $scalar::from_bits((i & ((1 << Self::FRACTION) - 1)) + half_sqrt))),
                    Self(shifted.map(|i| ((i >> Self::FRACTION) as i32 - Self::BIAS) as $scalar)),
                )
            }
            #[inline(always)]
            fn reduce_min(self) -> $scalar {
                self.0.into_iter().fold($scalar::NAN, $scalar::min)
            }
            #[inline(always)]
            fn reduce_max(self) -> $scalar {
                self.0.into_iter().fold($scalar::NAN, $scalar::max)
            }
            #[inline(always)]
            fn reduce_sum(self) -> $scalar {
                self.0.into_iter().sum()
            }
        }
    };
}

register!(F64x2, f64, u64, 2);
register!(F32x4, f32, u32, 4);

impl F64s for F64x2 {
    #[inline(always)]
    fn load_f32(a: &[f32]) -> Self {
        Self(from_fn(|i| a[i] as f64))
    }
    #[inline(always)]
    fn store_f32(self, out: &mut [f32]) {
        out[..2].copy_from_slice(&self.0.map(|a| a as f32));
    }
}

impl F32s for F32x4 {
    #[inline(always)]
    fn load_f64(a: &[f64]) -> Self {
        Self(from_fn(|i| a[i] as f32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{asinh, digamma, exp, expm1, lgamma, ln, log1p, sinpi};

    /// The functions at this level against the standard library's, which is all that an x86-64 machine can test of it.
    #[test]
    fn functions_agree_with_std() {
        let mut worst = 0.0f64;
        for i in 0..4000 {
            let x = i as f64 * 0.01 - 20.0;
            let v = F64x2::splat(x);
            let p = F64x2::splat(x.abs() + 0.01);
            let pairs = [
                (exp(v), x.exp()),
                (expm1(v), x.exp_m1()),
                (ln(p), (x.abs() + 0.01).ln()),
                (log1p(p), (x.abs() + 0.01).ln_1p()),
                (asinh(v), x.asinh()),
                (
                    sinpi(v),
                    (core::f64::consts::PI * (x - x.round())).sin() * (1.0 - 2.0 * (x.round() % 2.0).abs()),
                ),
                // Duplication and recurrence.
                (lgamma(p + F64x2::splat(1.0)) - lgamma(p), (x.abs() + 0.01).ln()),
                (digamma(p + F64x2::splat(1.0)) - digamma(p), 1.0 / (x.abs() + 0.01)),
            ];
            for (got, want) in pairs {
                worst = worst.max((got.reduce_sum() * 0.5 - want).abs() / want.abs().max(1.0));
            }
            let single = exp(F32x4::splat(x as f32)).reduce_max();
            assert!((single / (x as f32).exp() - 1.0).abs() < 2e-7);
        }
        assert!(worst < 3e-14, "{worst:e}");
    }

    #[test]
    fn masks_and_positions() {
        let v = F32x4([1.0, f32::NAN, 3.0, -1.0]);
        let mask = v.lt(F32x4::splat(2.0));
        let mut out = [0; 32];
        let n = mask.positions(10, &mut out);
        assert_eq!((mask.bits(), &out[..n]), (0b1001, &[10, 13][..]));
        assert_eq!((v.reduce_max(), v.reduce_min()), (3.0, -1.0));
        let (m, e) = F64x2([12.0, 0.8]).frexp_sqrt2();
        assert_eq!((m.0, e.0), ([0.75, 0.8], [4.0, 0.0]));
        assert_eq!(F64x2::splat(1.5).ldexp(F64x2([-1074.0, 1023.0])).0, [1e-323, 1.5 * 2f64.powi(1023)]);
        assert!(<Portable as Simd>::F64::load(&[1.0, 2.0]).eq(F64x2([1.0, 2.0])).all());
    }
}
