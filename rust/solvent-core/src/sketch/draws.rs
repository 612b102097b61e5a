//! Which random words belong to which rows. Every choice is read from a Philox stream whose counter names the purpose
//! and the place of the row in the matrix, so a sketch is the same wherever, and in whatever pieces, it is applied.

use crate::base::rng::Philox;
use std::ops::Range;

/// What a stream of words decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// Offsets of the segments of a chunk, then targets and signs of its rows.
    Mixing = 0,
    /// Targets and signs of single rows.
    Scatter = 1,
    /// Signs of rows.
    Signs = 2,
    /// Signs of the second factor of a Kronecker product.
    SecondSigns = 3,
    /// Which outputs of a transform are kept.
    Sample = 4,
    /// Normal numbers.
    Entries = 5,
}

/// Streams of the caller are below this: the other bits of the counter's word are the purpose's.
pub const STREAMS: u32 = 1 << 24;

/// Seed and stream of a sketch: sketches of one kind and shape are equal where these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The seed.
    pub seed: u64,
    /// Independent sketches of one seed; below [`STREAMS`].
    pub stream: u32,
}

impl Key {
    /// The key of a seed, stream 0.
    pub const fn new(seed: u64) -> Self {
        Self { seed, stream: 0 }
    }

    /// The words of one purpose and block of rows; `copy` tells independent repetitions apart.
    pub(super) fn words(self, purpose: Purpose, copy: u32, block: u64) -> Philox {
        debug_assert!(self.stream < STREAMS && copy < 16);
        let lane = self.stream << 8 | copy << 4 | purpose as u32;
        let mut words = Philox::new(self.seed, lane, block as u32);
        // Blocks beyond 2^32 take their words from a part of the stream that no block below it reaches.
        words.seek((block >> 32) << 40);
        words
    }
}

/// `count` words from the one at `from` on.
pub(super) fn skip_to(words: &mut Philox, from: u64) {
    words.seek(from / 4);
    for _ in 0..from % 4 {
        words.next_u32();
    }
}

/// A place in `0..size` from the upper 31 bits of a word; its bias is below size 2^-31.
#[inline(always)]
pub fn place(word: u32, size: usize) -> usize {
    ((u64::from(word >> 1) * size as u64) >> 31) as usize
}

/// A sign from the last bit of a word.
#[inline(always)]
pub fn sign(word: u32) -> f64 {
    if word & 1 == 0 { 1.0 } else { -1.0 }
}

/// Stratum j of `0..m` cut in q of sizes that differ by at most 1.
#[inline(always)]
pub fn stratum(m: usize, q: usize, j: usize) -> Range<usize> {
    let at = |j: usize| (j as u128 * m as u128 / q as u128) as usize;
    at(j)..at(j + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strata_cover_the_rows_evenly() {
        for (m, q) in [(1, 1), (7, 7), (8, 8), (100, 8), (103, 16), (5, 2)] {
            let parts: Vec<_> = (0..q).map(|j| stratum(m, q, j)).collect();
            assert_eq!(parts.iter().cloned().flatten().collect::<Vec<_>>(), (0..m).collect::<Vec<_>>());
            let sizes: Vec<_> = parts.iter().map(ExactSizeIterator::len).collect();
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
        }
    }

    #[test]
    fn words_are_found_from_any_place() {
        let key = Key { seed: 5, stream: 3 };
        let mut all = key.words(Purpose::Scatter, 0, 7);
        let first: Vec<u32> = (0..50).map(|_| all.next_u32()).collect();
        for from in [0, 1, 6, 33] {
            let mut words = key.words(Purpose::Scatter, 0, 7);
            skip_to(&mut words, from);
            assert_eq!(words.next_u32(), first[from as usize]);
        }
    }

    #[test]
    fn places_stay_in_range() {
        assert_eq!((place(0, 5), place(u32::MAX, 5), place(u32::MAX, 1)), (0, 4, 0));
    }
}
