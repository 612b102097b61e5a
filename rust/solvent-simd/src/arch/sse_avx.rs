//! The body of the SSE4.2 and AVX2 registers: masks are registers, a lane all ones or all zeros.

/// Implements `Lanes` for `$t` over the register `$reg` of `$lanes` values `$scalar`, and its mask.
///
/// The module that calls it names the intrinsics: `set1 loadu storeu add sub mul div sqrt and or xor andnot min max
/// round floor cmp_lt cmp_le cmp_eq blendv movemask fmadd exact_fma`, and on integers `set1i addi andi ori slli srli
/// bits real`.
macro_rules! register {
    ($t:ident, $mask:ident, $reg:ident, $scalar:ident, $lanes:literal, $int:ident, $fused:literal) => {
        #[doc = concat!(stringify!($lanes), " lanes of `", stringify!($scalar), "`.")]
        #[derive(Clone, Copy)]
        #[repr(transparent)]
        pub struct $t(pub(super) $reg);

        /// All bits of a lane set or clear.
        #[derive(Clone, Copy)]
        pub struct $mask($reg);

        crate::arch::operators!($t);

        // SAFETY of every block below: the type exists only inside `dispatch`, which proved the features; loads and
        // stores check their bounds first.
        #[allow(clippy::undocumented_unsafe_blocks, reason = "one argument for all, given above")]
        impl Mask for $mask {
            const LANES: usize = $lanes;
            #[inline(always)]
            fn and(self, o: Self) -> Self {
                Self(unsafe { and(self.0, o.0) })
            }
            #[inline(always)]
            fn or(self, o: Self) -> Self {
                Self(unsafe { or(self.0, o.0) })
            }
            #[inline(always)]
            fn not(self) -> Self {
                Self(unsafe { xor(self.0, real(set1i(-1))) })
            }
            #[inline(always)]
            fn any(self) -> bool {
                self.bits() != 0
            }
            #[inline(always)]
            fn all(self) -> bool {
                self.bits() == (1 << $lanes) - 1
            }
            #[inline(always)]
            fn bits(self) -> u32 {
                unsafe { movemask(self.0) as u32 }
            }
        }

        impl $t {
            const FRACTION: i32 = $scalar::MANTISSA_DIGITS as i32 - 1;
            const BIAS: $scalar = ($scalar::MAX_EXP - 1) as $scalar;
            /// 2^FRACTION: adding it brings the units digit to the last bit.
            const UNITS: $scalar = (1u64 << Self::FRACTION) as $scalar;
            const HALF_SQRT: $int = core::$scalar::consts::FRAC_1_SQRT_2.to_bits() as $int;
            const ONE: $int = (1.0 as $scalar).to_bits() as $int;
        }

        #[allow(clippy::undocumented_unsafe_blocks, reason = "one argument for all, given above")]
        impl Lanes for $t {
            type Scalar = $scalar;
            type Mask = $mask;
            const LANES: usize = $lanes;
            const FUSED: bool = $fused;

            #[inline(always)]
            fn splat(a: $scalar) -> Self {
                Self(unsafe { set1(a) })
            }
            #[inline(always)]
            fn load(a: &[$scalar]) -> Self {
                assert!(a.len() >= $lanes);
                Self(unsafe { loadu(a.as_ptr()) })
            }
            #[inline(always)]
            fn store(self, out: &mut [$scalar]) {
                assert!(out.len() >= $lanes);
                unsafe { storeu(out.as_mut_ptr(), self.0) }
            }
            #[inline(always)]
            fn gather(table: &[$scalar], index: &[u32]) -> Self {
                let index = &index[..$lanes];
                let mut lanes = [0.0; $lanes];
                for i in 0..$lanes {
                    lanes[i] = table[index[i] as usize];
                }
                Self::load(&lanes)
            }
            #[inline(always)]
            fn mul_add(self, a: Self, b: Self) -> Self {
                Self(unsafe { fmadd(self.0, a.0, b.0) })
            }
            #[inline(always)]
            fn fma(self, a: Self, b: Self) -> Self {
                exact_fma(self, a, b)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                Self(unsafe { sqrt(self.0) })
            }
            #[inline(always)]
            fn abs(self) -> Self {
                Self(unsafe { andnot(set1(-0.0), self.0) })
            }
            #[inline(always)]
            fn min(self, o: Self) -> Self {
                Self(unsafe { min(self.0, o.0) })
            }
            #[inline(always)]
            fn max(self, o: Self) -> Self {
                Self(unsafe { max(self.0, o.0) })
            }
            #[inline(always)]
            fn copysign(self, sign: Self) -> Self {
                unsafe {
                    let s = set1(-0.0);
                    Self(or(andnot(s, self.0), and(s, sign.0)))
                }
            }
            #[inline(always)]
            fn round(self) -> Self {
                Self(unsafe { round::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0) })
            }
            #[inline(always)]
            fn floor(self) -> Self {
                Self(unsafe { round::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(self.0) })
            }
            #[inline(always)]
            fn lt(self, o: Self) -> $mask {
                $mask(unsafe { cmp_lt(self.0, o.0) })
            }
            #[inline(always)]
            fn le(self, o: Self) -> $mask {
                $mask(unsafe { cmp_le(self.0, o.0) })
            }
            #[inline(always)]
            fn eq(self, o: Self) -> $mask {
                $mask(unsafe { cmp_eq(self.0, o.0) })
            }
            #[inline(always)]
            fn select(mask: $mask, yes: Self, no: Self) -> Self {
                Self(unsafe { blendv(no.0, yes.0, mask.0) })
            }
            #[inline(always)]
            fn ldexp(self, n: Self) -> Self {
                // Only the last of three factors can round: the first two stay between the normal limits, for the
                // n that are allowed, unless the result is 0 or inf anyway.
                let limit = Self::BIAS * 0.98;
                let limit = Self::splat((limit as i32) as $scalar);
                let m = (-limit).max(n.min(limit));
                let r = n - m;
                let k = (-limit).max(r.min(limit));
                self.ldexp_normal(r - k).ldexp_normal(k).ldexp_normal(m)
            }
            #[inline(always)]
            fn ldexp_normal(self, n: Self) -> Self {
                unsafe {
                    // 1.5 UNITS + (n + bias) holds n + bias in its low bits; moved to the exponent field it is 2^n.
                    let biased = add(n.0, set1(1.5 * Self::UNITS + Self::BIAS));
                    let p = slli::<{ Self::FRACTION }>(bits(biased));
                    Self(mul(self.0, real(p)))
                }
            }
            #[inline(always)]
            fn frexp_sqrt2(self) -> (Self, Self) {
                unsafe {
                    // Adding bits(1) - bits(sqrt(1/2)) moves the boundary between exponents from 1 to sqrt(1/2).
                    let i = addi(bits(self.0), set1i(Self::ONE - Self::HALF_SQRT));
                    let biased = srli::<{ Self::FRACTION }>(i);
                    let e = sub(
                        real(ori(biased, set1i(Self::UNITS.to_bits() as $int))),
                        set1(Self::UNITS + Self::BIAS),
                    );
                    let fraction = andi(i, set1i((1 << Self::FRACTION) - 1));
                    (Self(real(addi(fraction, set1i(Self::HALF_SQRT)))), Self(e))
                }
            }
            #[inline(always)]
            fn reduce_min(self) -> $scalar {
                let mut a = [0.0; $lanes];
                self.store(&mut a);
                let mut m = a[0];
                for b in a {
                    m = m.min(b);
                }
                m
            }
            #[inline(always)]
            fn reduce_max(self) -> $scalar {
                let mut a = [0.0; $lanes];
                self.store(&mut a);
                let mut m = a[0];
                for b in a {
                    m = m.max(b);
                }
                m
            }
            #[inline(always)]
            fn reduce_sum(self) -> $scalar {
                let mut a = [0.0; $lanes];
                self.store(&mut a);
                let mut half = $lanes / 2;
                while half > 0 {
                    for i in 0..half {
                        a[i] += a[i + half];
                    }
                    half /= 2;
                }
                a[0]
            }
        }
    };
}
pub(crate) use register;
