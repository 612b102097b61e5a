//! AVX2 and FMA: four doubles or eight singles a register.

use core::arch::x86_64::*;

use crate::lanes::{F32s, F64s, Lanes, Mask, Simd};
use crate::pack::Pack;

/// x86-64-v3.
#[derive(Clone, Copy)]
pub struct V3;

impl Simd for V3 {
    type F64 = double::F64x4;
    type F32 = single::F32x8;
    type F64Line = Pack<double::F64x4, 2>;
    type F32Line = Pack<single::F32x8, 2>;
}

/// Comparisons by name, and the multiply-add as the exact one, which here it is.
macro_rules! names {
    ($reg:ident, $cmp:ident) => {
        /// # Safety
        /// AVX.
        #[inline(always)]
        unsafe fn cmp_lt(a: $reg, b: $reg) -> $reg {
            // SAFETY: the caller's promise.
            unsafe { $cmp::<_CMP_LT_OQ>(a, b) }
        }
        /// # Safety
        /// AVX.
        #[inline(always)]
        unsafe fn cmp_le(a: $reg, b: $reg) -> $reg {
            // SAFETY: the caller's promise.
            unsafe { $cmp::<_CMP_LE_OQ>(a, b) }
        }
        /// # Safety
        /// AVX.
        #[inline(always)]
        unsafe fn cmp_eq(a: $reg, b: $reg) -> $reg {
            // SAFETY: the caller's promise.
            unsafe { $cmp::<_CMP_EQ_OQ>(a, b) }
        }
        #[inline(always)]
        fn exact_fma<V: Lanes>(a: V, b: V, c: V) -> V {
            a.mul_add(b, c)
        }
    };
}

mod double {
    use super::*;
    use core::arch::x86_64::{
        _mm256_add_epi64 as addi, _mm256_add_pd as add, _mm256_and_pd as and, _mm256_and_si256 as andi,
        _mm256_andnot_pd as andnot, _mm256_blendv_pd as blendv, _mm256_castpd_si256 as bits,
        _mm256_castsi256_pd as real, _mm256_div_pd as div, _mm256_fmadd_pd as fmadd,
        _mm256_loadu_pd as loadu, _mm256_max_pd as max, _mm256_min_pd as min, _mm256_movemask_pd as movemask,
        _mm256_mul_pd as mul, _mm256_or_pd as or, _mm256_or_si256 as ori, _mm256_round_pd as round,
        _mm256_set1_epi64x as set1i, _mm256_set1_pd as set1, _mm256_slli_epi64 as slli,
        _mm256_sqrt_pd as sqrt, _mm256_srli_epi64 as srli, _mm256_storeu_pd as storeu, _mm256_sub_pd as sub,
        _mm256_xor_pd as xor,
    };

    names!(__m256d, _mm256_cmp_pd);
    crate::arch::sse_avx::register!(F64x4, Mask64x4, __m256d, f64, 4, i64, true);

    // SAFETY of both blocks: bounds are checked, features are `dispatch`'s.
    #[allow(clippy::undocumented_unsafe_blocks, reason = "one argument for both, given above")]
    impl F64s for F64x4 {
        #[inline(always)]
        fn load_f32(a: &[f32]) -> Self {
            assert!(a.len() >= 4);
            Self(unsafe { _mm256_cvtps_pd(_mm_loadu_ps(a.as_ptr())) })
        }
        #[inline(always)]
        fn store_f32(self, out: &mut [f32]) {
            assert!(out.len() >= 4);
            unsafe { _mm_storeu_ps(out.as_mut_ptr(), _mm256_cvtpd_ps(self.0)) }
        }
    }
}

mod single {
    use super::*;
    use core::arch::x86_64::{
        _mm256_add_epi32 as addi, _mm256_add_ps as add, _mm256_and_ps as and, _mm256_and_si256 as andi,
        _mm256_andnot_ps as andnot, _mm256_blendv_ps as blendv, _mm256_castps_si256 as bits,
        _mm256_castsi256_ps as real, _mm256_div_ps as div, _mm256_fmadd_ps as fmadd,
        _mm256_loadu_ps as loadu, _mm256_max_ps as max, _mm256_min_ps as min, _mm256_movemask_ps as movemask,
        _mm256_mul_ps as mul, _mm256_or_ps as or, _mm256_or_si256 as ori, _mm256_round_ps as round,
        _mm256_set1_epi32 as set1i, _mm256_set1_ps as set1, _mm256_slli_epi32 as slli,
        _mm256_sqrt_ps as sqrt, _mm256_srli_epi32 as srli, _mm256_storeu_ps as storeu, _mm256_sub_ps as sub,
        _mm256_xor_ps as xor,
    };

    names!(__m256, _mm256_cmp_ps);
    crate::arch::sse_avx::register!(F32x8, Mask32x8, __m256, f32, 8, i32, true);

    // SAFETY: the bounds are checked, the features are `dispatch`'s.
    #[allow(clippy::undocumented_unsafe_blocks, reason = "given above")]
    impl F32s for F32x8 {
        #[inline(always)]
        fn load_f64(a: &[f64]) -> Self {
            assert!(a.len() >= 8);
            Self(unsafe {
                let low = _mm256_cvtpd_ps(_mm256_loadu_pd(a.as_ptr()));
                let high = _mm256_cvtpd_ps(_mm256_loadu_pd(a.as_ptr().add(4)));
                _mm256_set_m128(high, low)
            })
        }
    }
}
