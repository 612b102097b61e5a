//! The subsampled randomised Hadamard transform: S = m^-1/2 P H D on 2^q >= n rows, D random signs, H the Hadamard matrix
//! of +-1, P a sample of m rows without replacement (Tropp, Adv. Adapt. Data Anal. 3 (2011) 115).
//!
//! H of 2^q rows is a Kronecker product H_hi x H_lo. A block of 2^b consecutive rows, one value of hi, is transformed by
//! H_lo in cache; what it adds to output p is then +-(row lo(p) of that), the sign an entry of H_hi. So the transform is
//! pruned to the outputs that are kept, nothing is padded but the last block, and rows may come in a stream. An element
//! costs b + m/2^b additions, least near 2^b = m.

use super::Sketch;
use super::draws::{Key, Purpose};
use super::hadamard::{is_negative, transform};
use super::rows::{Element, Rows};
use solvent_simd::{Kernel, Lanes, Simd};
use std::collections::HashSet;
use std::ops::Range;

/// Rows that share a block of the random numbers' counter: 32 signs a word.
const SIGNS: usize = 1 << 16;
/// Least and most rows that are transformed at a time, where there are as many.
const BLOCKS: Range<usize> = 64..1 << 16;

/// The sketch of m rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srht {
    key: Key,
    size: u64,
    block: usize,
    /// The outputs kept, ascending.
    kept: Vec<u64>,
}

impl Srht {
    /// For matrices of n rows.
    ///
    /// # Panics
    /// Unless 1 <= m <= 2^q, the power of two from n on.
    pub fn new(m: usize, n: usize, key: Key) -> Self {
        let size = padded_size(n);
        assert!(m > 0 && m as u64 <= size, "{m} of {size} rows");
        let block = m.next_power_of_two().clamp(BLOCKS.start, BLOCKS.end).min(size as usize);
        Self { key, size, block, kept: sample(m, size, key) }
    }
}

/// 2^q, the power of two from n on.
pub fn padded_size(n: usize) -> u64 {
    (n.max(1) as u64).next_power_of_two()
}

/// m of `0..size` without replacement (Floyd's method), ascending.
fn sample(m: usize, size: u64, key: Key) -> Vec<u64> {
    let mut words = key.words(Purpose::Sample, 0, 0);
    let mut chosen = HashSet::with_capacity(m);
    for top in size - m as u64..size {
        let candidate = words.below(top + 1);
        if !chosen.insert(candidate) {
            chosen.insert(top);
        }
    }
    let mut kept: Vec<u64> = chosen.into_iter().collect();
    kept.sort_unstable();
    kept
}

/// The random signs of rows `first..first + count`.
pub(super) fn signs(key: Key, purpose: Purpose, first: usize, count: usize) -> Vec<f64> {
    let mut out = Vec::with_capacity(count);
    let mut i = first;
    while i < first + count {
        let mut words = key.words(purpose, 0, (i / SIGNS) as u64);
        let end = (first + count).min((i / SIGNS + 1) * SIGNS);
        super::draws::skip_to(&mut words, (i % SIGNS / 32) as u64);
        let mut word = words.next_u32();
        while i < end {
            out.push(if word >> (i % 32) & 1 == 0 { 1.0 } else { -1.0 });
            i += 1;
            if i.is_multiple_of(32) {
                word = words.next_u32();
            }
        }
    }
    out
}

impl Srht {
    /// What block `hi` adds to each output kept: (output, row of the block's transform, sign).
    fn taps(&self, hi: u64) -> impl Iterator<Item = (usize, f64)> + '_ {
        let block = self.block as u64;
        self.kept.iter().map(move |&p| {
            let sign = if is_negative(p / block, hi) { -1.0 } else { 1.0 };
            ((p % block) as usize, sign)
        })
    }
}

impl Sketch for Srht {
    fn rows(&self) -> usize {
        self.kept.len()
    }

    fn grain(&self) -> usize {
        self.block
    }

    fn scale(&self) -> f64 {
        1.0 / (self.kept.len() as f64).sqrt()
    }

    fn add<T: Element>(&self, block: &Rows<'_, T>, first: usize, out: &mut [f64]) {
        assert!(first.is_multiple_of(self.block), "row {first} does not begin a block of {}", self.block);
        let padded = block.padded();
        let mut z = vec![0.0; self.block * padded];
        for start in (0..block.count()).step_by(self.block) {
            let end = block.count().min(start + self.block);
            let rows = block.range(start, end);
            let signs = signs(self.key, Purpose::Signs, first + start, rows.count());
            solvent_simd::dispatch(Load { rows: &rows, signs: &signs, out: &mut z });
            z[rows.count() * padded..].fill(0.0);
            transform(&mut z, padded);
            let hi = ((first + start) / self.block) as u64;
            for ((lo, sign), out) in self.taps(hi).zip(out.chunks_exact_mut(padded.max(1))) {
                solvent_simd::dispatch(Add { x: &z[lo * padded..(lo + 1) * padded], sign, out });
            }
        }
    }

    fn add_adjoint(&self, y: &[f64], padded: usize, first: usize, out: &mut [f64]) {
        assert!(first.is_multiple_of(self.block), "row {first} does not begin a block of {}", self.block);
        let mut z = vec![0.0; self.block * padded];
        for (b, out) in out.chunks_mut((self.block * padded).max(1)).enumerate() {
            let hi = (first / self.block + b) as u64;
            z.fill(0.0);
            for ((lo, sign), y) in self.taps(hi).zip(y.chunks_exact(padded.max(1))) {
                let out = &mut z[lo * padded..(lo + 1) * padded];
                solvent_simd::dispatch(Add { x: y, sign, out });
            }
            transform(&mut z, padded);
            let rows = out.len() / padded.max(1);
            let signs = signs(self.key, Purpose::Signs, first + b * self.block, rows);
            for ((out, z), sign) in out.chunks_mut(padded.max(1)).zip(z.chunks(padded.max(1))).zip(signs) {
                super::rows::add_scaled(z, sign, out);
            }
        }
    }

    fn nonzeros(&self) -> Option<usize> {
        None
    }

    fn visit(&self, _n: usize, range: Range<usize>, visit: &mut dyn FnMut(usize, usize, f64)) {
        let signs = signs(self.key, Purpose::Signs, range.start, range.len());
        for (i, sign) in range.zip(signs) {
            for (k, &p) in self.kept.iter().enumerate() {
                visit(i, k, if is_negative(p, i as u64) { -sign } else { sign });
            }
        }
    }
}

/// `out <- D rows`.
struct Load<'a, T> {
    rows: &'a Rows<'a, T>,
    signs: &'a [f64],
    out: &'a mut [f64],
}

impl<T: Element> Kernel for Load<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let (padded, mut edge) = (self.rows.padded(), Vec::new());
        for (i, out) in self.out.chunks_exact_mut(padded.max(1)).take(self.rows.count()).enumerate() {
            let [row] = self.rows.padded_rows([i], &mut edge);
            let factor = S::F64::splat(self.signs[i] * self.rows.factor(i));
            let mut c = 0;
            while c + <S::F64 as Lanes>::LANES <= padded {
                let x = T::load::<S::F64>(&row[c..c + <S::F64 as Lanes>::LANES]);
                (x * factor).store(&mut out[c..c + <S::F64 as Lanes>::LANES]);
                c += <S::F64 as Lanes>::LANES;
            }
        }
    }
}

/// `out += sign x`.
struct Add<'a> {
    x: &'a [f64],
    sign: f64,
    out: &'a mut [f64],
}

impl Kernel for Add<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let sign = S::F64::splat(self.sign);
        let lanes = <S::F64 as Lanes>::LANES;
        for (o, x) in self.out.chunks_exact_mut(lanes).zip(self.x.chunks_exact(lanes)) {
            (S::F64::load(o) + S::F64::load(x) * sign).store(o);
        }
    }
}
