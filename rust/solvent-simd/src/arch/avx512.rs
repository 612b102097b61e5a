//! The body of the AVX-512 registers: one bit a lane in a mask, exponents and tables by instruction.

/// Implements `Lanes` for `$t` over the register `$reg` of `$lanes` values `$scalar`, and its mask of `$bits`.
///
/// The module that calls it names the intrinsics: `set1 loadu storeu add sub mul div sqrt xor abs min max roundscale
/// cmp blend scalef getexp getmant fixup fmadd gather lookup copysign compress`.
macro_rules! register {
    ($t:ident, $mask:ident, $bits:ident, $reg:ident, $scalar:ident, $lanes:literal) => {
        #[doc = concat!(stringify!($lanes), " lanes of `", stringify!($scalar), "`.")]
        #[derive(Clone, Copy)]
        #[repr(transparent)]
        pub struct $t(pub(super) $reg);

        /// One bit a lane.
        #[derive(Clone, Copy)]
        pub struct $mask($bits);

        crate::arch::operators!($t);

        // SAFETY of every block below: the type exists only inside `dispatch`, which proved the features; loads,
        // stores and gathers check their bounds first.
        #[allow(clippy::undocumented_unsafe_blocks, reason = "one argument for all, given above")]
        impl Mask for $mask {
            const LANES: usize = $lanes;
            #[inline(always)]
            fn and(self, o: Self) -> Self {
                Self(self.0 & o.0)
            }
            #[inline(always)]
            fn or(self, o: Self) -> Self {
                Self(self.0 | o.0)
            }
            #[inline(always)]
            fn not(self) -> Self {
                Self(!self.0)
            }
            #[inline(always)]
            fn any(self) -> bool {
                self.0 != 0
            }
            #[inline(always)]
            fn all(self) -> bool {
                self.0 == $bits::MAX
            }
            #[inline(always)]
            fn bits(self) -> u32 {
                self.0 as u32
            }
            #[inline(always)]
            fn positions(self, start: u32, out: &mut [u32]) -> usize {
                assert!(out.len() >= $lanes);
                unsafe { compress(self.0, start, out.as_mut_ptr()) };
                self.0.count_ones() as usize
            }
        }

        #[allow(clippy::undocumented_unsafe_blocks, reason = "one argument for all, given above")]
        impl Lanes for $t {
            type Scalar = $scalar;
            type Mask = $mask;
            const LANES: usize = $lanes;
            const FUSED: bool = true;
            const LOOKUP: bool = true;

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
                assert!(index.len() >= $lanes && table.len() <= i32::MAX as usize);
                Self(unsafe { gather(table, index.as_ptr()) })
            }
            #[inline(always)]
            fn mul_add(self, a: Self, b: Self) -> Self {
                Self(unsafe { fmadd(self.0, a.0, b.0) })
            }
            #[inline(always)]
            fn fma(self, a: Self, b: Self) -> Self {
                self.mul_add(a, b)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                Self(unsafe { sqrt(self.0) })
            }
            #[inline(always)]
            fn abs(self) -> Self {
                Self(unsafe { abs(self.0) })
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
                Self(unsafe { copysign(self.0, sign.0) })
            }
            #[inline(always)]
            fn round(self) -> Self {
                Self(unsafe { roundscale::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0) })
            }
            #[inline(always)]
            fn floor(self) -> Self {
                Self(unsafe { roundscale::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(self.0) })
            }
            #[inline(always)]
            fn lt(self, o: Self) -> $mask {
                $mask(unsafe { cmp::<_CMP_LT_OQ>(self.0, o.0) })
            }
            #[inline(always)]
            fn le(self, o: Self) -> $mask {
                $mask(unsafe { cmp::<_CMP_LE_OQ>(self.0, o.0) })
            }
            #[inline(always)]
            fn eq(self, o: Self) -> $mask {
                $mask(unsafe { cmp::<_CMP_EQ_OQ>(self.0, o.0) })
            }
            #[inline(always)]
            fn select(mask: $mask, yes: Self, no: Self) -> Self {
                Self(unsafe { blend(mask.0, no.0, yes.0) })
            }
            #[inline(always)]
            fn ldexp(self, n: Self) -> Self {
                Self(unsafe { scalef(self.0, n.0) })
            }
            #[inline(always)]
            fn ldexp_normal(self, n: Self) -> Self {
                self.ldexp(n)
            }
            #[inline(always)]
            fn frexp_sqrt2(self) -> (Self, Self) {
                unsafe {
                    // x sqrt(1/2) crosses a power of two just where x crosses sqrt(2) times one.
                    let below = getexp(mul(self.0, set1(core::$scalar::consts::FRAC_1_SQRT_2)));
                    let e = add(below, set1(1.0));
                    (Self(scalef(self.0, sub(set1(0.0), e))), Self(e))
                }
            }
            #[inline(always)]
            fn split(self) -> (Self, Self) {
                unsafe {
                    let m = Self(getmant::<_MM_MANT_NORM_P75_1P5, _MM_MANT_SIGN_SRC>(self.0));
                    let e = Self(getexp(self.0));
                    let one = Self::splat(1.0);
                    (m, Self::select(m.lt(one), e + one, e))
                }
            }
            #[inline(always)]
            fn lookup16(self, table: &[$scalar; 16]) -> Self {
                Self(unsafe { lookup(self.0, table) })
            }
            #[inline(always)]
            fn sixteenths(self, table: &[$scalar; 16]) -> (Self, Self, Self) {
                // Added to 1.5 times 2^(digits - 5), k/16 is rounded to sixteenths and k lies in the low bits.
                let shift = Self::splat(1.5 * SIXTEENTHS);
                let shifted = self + shift;
                let k = shifted - shift;
                (Self(unsafe { permute(shifted.0, table) }), self - k, k)
            }
            #[inline(always)]
            fn ln_ends(x: Self, y: Self) -> Self {
                // One answer (in four bits) for each kind of x, from bit 0 on: quiet nan and signalling nan -> nan
                // of x, 0 -> -inf, 1 -> y, -inf -> nan, inf -> inf, negative -> nan, positive -> y.
                Self(unsafe { fixup(y.0, x.0, 0x0353_0422) })
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
            fn reduce_sums(of: [Self; 4]) -> [$scalar; 4] {
                unsafe { sums(of[0].0, of[1].0, of[2].0, of[3].0) }
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
