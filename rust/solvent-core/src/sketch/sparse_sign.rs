//! The sparse sign sketch: the m rows are cut in k strata, and each column has one entry +-k^-1/2 at a random row of
//! each. CountSketch is k = 1.

use super::Sketch;
use super::draws::{Key, Purpose, place, sign, skip_to, stratum};
use super::rows::{Element, Rows};
use crate::base::rng::Philox;
use solvent_simd::{F64s, Kernel, Lanes, Simd};
use std::ops::Range;

/// Rows that share a block of the random numbers' counter.
const BLOCK: usize = 4096;

/// The sketch of m rows with k entries a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SparseSign {
    m: usize,
    k: usize,
    key: Key,
}

impl SparseSign {
    /// With k entries a column.
    ///
    /// # Panics
    /// Unless 1 <= k <= m.
    pub fn new(m: usize, k: usize, key: Key) -> Self {
        assert!((1..=m).contains(&k), "{k} entries in columns of {m}");
        Self { m, k, key }
    }

    /// Calls `each` with every row of `first..first + count`, counted from `first`, and its k words.
    #[inline(always)]
    fn words(&self, first: usize, count: usize) -> Words {
        Words { sketch: *self, next: first, end: first + count, stream: None, words: vec![0; self.k] }
    }
}

/// Walks over rows and their words.
struct Words {
    sketch: SparseSign,
    next: usize,
    end: usize,
    stream: Option<Philox>,
    words: Vec<u32>,
}

impl Words {
    /// The words of the next row; false behind the last one.
    fn advance(&mut self) -> bool {
        if self.next == self.end {
            return false;
        }
        let within = self.next % BLOCK;
        if within == 0 || self.stream.is_none() {
            let mut stream = self.sketch.key.words(Purpose::Scatter, 0, (self.next / BLOCK) as u64);
            skip_to(&mut stream, (within * self.sketch.k) as u64);
            self.stream = Some(stream);
        }
        if let Some(stream) = &mut self.stream {
            self.words.fill_with(|| stream.next_u32());
        }
        self.next += 1;
        true
    }
}

impl Sketch for SparseSign {
    fn rows(&self) -> usize {
        self.m
    }

    fn grain(&self) -> usize {
        1
    }

    fn scale(&self) -> f64 {
        1.0 / (self.k as f64).sqrt()
    }

    fn add<T: Element>(&self, block: &Rows<'_, T>, first: usize, out: &mut [f64]) {
        let strata: Vec<_> = (0..self.k).map(|j| stratum(self.m, self.k, j)).collect();
        let words = self.words(first, block.count());
        solvent_simd::dispatch(Scatter { block, words, strata: &strata, out });
    }

    fn add_adjoint(&self, y: &[f64], padded: usize, first: usize, out: &mut [f64]) {
        let strata: Vec<_> = (0..self.k).map(|j| stratum(self.m, self.k, j)).collect();
        let words = self.words(first, out.len() / padded.max(1));
        solvent_simd::dispatch(Gather { y, padded, words, strata: &strata, out });
    }

    fn nonzeros(&self) -> Option<usize> {
        Some(self.k)
    }

    fn visit(&self, _n: usize, range: Range<usize>, visit: &mut dyn FnMut(usize, usize, f64)) {
        let mut words = self.words(range.start, range.len());
        for i in range {
            words.advance();
            for (j, &word) in words.words.iter().enumerate() {
                let rows = stratum(self.m, self.k, j);
                visit(i, rows.start + place(word, rows.len()), sign(word));
            }
        }
    }
}

/// `out += S block` without the scale.
struct Scatter<'a, T> {
    block: &'a Rows<'a, T>,
    words: Words,
    strata: &'a [Range<usize>],
    out: &'a mut [f64],
}

impl<T: Element> Kernel for Scatter<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { block, mut words, strata, out } = self;
        let (padded, mut edge) = (block.padded(), Vec::new());
        let mut i = 0;
        while words.advance() {
            let [row] = block.padded_rows([i], &mut edge);
            let factor = block.factor(i);
            for (range, &word) in strata.iter().zip(&words.words) {
                let start = (range.start + place(word, range.len())) * padded;
                let target = &mut out[start..start + padded];
                add_row::<S::F64, T>(row, S::F64::splat(sign(word) * factor), target);
            }
            i += 1;
        }
    }
}

/// `out += factor x`.
#[inline(always)]
fn add_row<V: F64s, T: Element>(x: &[T], factor: V, out: &mut [f64]) {
    let padded = out.len();
    let x = &x[..padded];
    let mut c = 0;
    while c + V::LANES <= padded {
        let o = &mut out[c..c + V::LANES];
        (V::load(o) + T::load::<V>(&x[c..c + V::LANES]) * factor).store(o);
        c += V::LANES;
    }
}

/// `out += S^T y` without the scale.
struct Gather<'a> {
    y: &'a [f64],
    padded: usize,
    words: Words,
    strata: &'a [Range<usize>],
    out: &'a mut [f64],
}

impl Kernel for Gather<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { y, padded, mut words, strata, out } = self;
        for row in out.chunks_exact_mut(padded.max(1)) {
            words.advance();
            for (range, &word) in strata.iter().zip(&words.words) {
                let start = (range.start + place(word, range.len())) * padded;
                add_row::<S::F64, f64>(&y[start..start + padded], S::F64::splat(sign(word)), row);
            }
        }
    }
}
