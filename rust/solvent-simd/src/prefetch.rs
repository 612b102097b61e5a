//! A hint to the memory system.

/// Asks for the cache line of `a[i]`, for reading. Any `i` is allowed: a hint outside memory is ignored. Where rows far
/// apart are read in turn, the hardware's own prefetchers lose the track.
#[inline(always)]
pub fn prefetch<T>(a: &[T], i: usize) {
    let place = a.as_ptr().wrapping_add(i);
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the instruction is in the baseline, reads nothing and never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_place_may_be_hinted() {
        let a = [1.0f64; 4];
        for i in [0, 3, 4, 1 << 20, usize::MAX] {
            prefetch(&a, i);
        }
        prefetch::<f32>(&[], 0);
        assert_eq!(a, [1.0; 4]);
    }
}
