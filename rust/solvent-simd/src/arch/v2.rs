//! SSE4.2: two doubles or four singles a register, no fused multiply-add.

use core::arch::x86_64::*;

use crate::lanes::{F32s, F64s, Lanes, Mask, Simd};
use crate::pack::Pack;

/// x86-64-v2.
#[derive(Clone, Copy)]
pub struct V2;

impl Simd for V2 {
    type F64 = double::F64x2;
    type F32 = single::F32x4;
    type F64Line = Pack<double::F64x2, 4>;
    type F32Line = Pack<single::F32x4, 4>;
}

mod double {
    use super::*;
    use crate::arch::splitting::fma as exact_fma;
    use core::arch::x86_64::{
        _mm_add_epi64 as addi, _mm_add_pd as add, _mm_and_pd as and, _mm_and_si128 as andi,
        _mm_andnot_pd as andnot, _mm_blendv_pd as blendv, _mm_castpd_si128 as bits, _mm_castsi128_pd as real,
        _mm_cmpeq_pd as cmp_eq, _mm_cmple_pd as cmp_le, _mm_cmplt_pd as cmp_lt, _mm_div_pd as div,
        _mm_loadu_pd as loadu, _mm_max_pd as max, _mm_min_pd as min, _mm_movemask_pd as movemask,
        _mm_mul_pd as mul, _mm_or_pd as or, _mm_or_si128 as ori, _mm_round_pd as round,
        _mm_set1_epi64x as set1i, _mm_set1_pd as set1, _mm_slli_epi64 as slli, _mm_sqrt_pd as sqrt,
        _mm_srli_epi64 as srli, _mm_storeu_pd as storeu, _mm_sub_pd as sub, _mm_xor_pd as xor,
    };

    /// # Safety
    /// SSE4.2.
    #[inline(always)]
    unsafe fn fmadd(a: __m128d, b: __m128d, c: __m128d) -> __m128d {
        // SAFETY: the caller's promise.
        unsafe { add(mul(a, b), c) }
    }

    crate::arch::sse_avx::register!(F64x2, Mask64x2, __m128d, f64, 2, i64, false);

    impl F64s for F64x2 {
        #[inline(always)]
        fn load_f32(a: &[f32]) -> Self {
            let a = &a[..2];
            Self::load(&[a[0] as f64, a[1] as f64])
        }
        #[inline(always)]
        fn store_f32(self, out: &mut [f32]) {
            let mut a = [0.0; 2];
            self.store(&mut a);
            out[..2].copy_from_slice(&[a[0] as f32, a[1] as f32]);
        }
    }
}

mod single {
    use super::*;
    use crate::arch::splitting::fma as exact_fma;
    use core::arch::x86_64::{
        _mm_add_epi32 as addi, _mm_add_ps as add, _mm_and_ps as and, _mm_and_si128 as andi,
        _mm_andnot_ps as andnot, _mm_blendv_ps as blendv, _mm_castps_si128 as bits, _mm_castsi128_ps as real,
        _mm_cmpeq_ps as cmp_eq, _mm_cmple_ps as cmp_le, _mm_cmplt_ps as cmp_lt, _mm_div_ps as div,
        _mm_loadu_ps as loadu, _mm_max_ps as max, _mm_min_ps as min, _mm_movemask_ps as movemask,
        _mm_mul_ps as mul, _mm_or_ps as or, _mm_or_si128 as ori, _mm_round_ps as round,
        _mm_set1_epi32 as set1i, _mm_set1_ps as set1, _mm_slli_epi32 as slli, _mm_sqrt_ps as sqrt,
        _mm_srli_epi32 as srli, _mm_storeu_ps as storeu, _mm_sub_ps as sub, _mm_xor_ps as xor,
    };

    /// # Safety
    /// SSE4.2.
    #[inline(always)]
    unsafe fn fmadd(a: __m128, b: __m128, c: __m128) -> __m128 {
        // SAFETY: the caller's promise.
        unsafe { add(mul(a, b), c) }
    }

    crate::arch::sse_avx::register!(F32x4, Mask32x4, __m128, f32, 4, i32, false);

    impl F32s for F32x4 {
        #[inline(always)]
        fn load_f64(a: &[f64]) -> Self {
            let a = &a[..4];
            Self::load(&[a[0] as f32, a[1] as f32, a[2] as f32, a[3] as f32])
        }
    }
}
