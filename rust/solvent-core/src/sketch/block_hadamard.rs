//! The block-Hadamard sketch: one scatter an input row, as in CountSketch, but eight non-zeros a column.
//!
//! The rows come in chunks of C. A chunk is cut in 8 segments; tile t takes row (t + off_j) mod C/8 of segment j, off_j
//! random. The eight rows of a tile, each with a random sign, are mixed by the 8 x 8 Hadamard matrix in registers, and
//! output j is added to a random row of stratum j of the sketch (m/8 rows each). Without the offsets, tiles of neighbouring
//! rows, the sketch is singular where neighbouring rows are heavy.
//!
//! The scale is q^-1/2, q = min(8, m) the outputs in use, so that E[S^T S] = I. `mixing` copies, independent and each
//! with strata of its own, give 8 mixing non-zeros a column. The last c < C rows are a chunk of 8 floor(c/8); the
//! c mod 8 rows left over have one signed entry in each stratum.

use super::Sketch;
use super::draws::{Key, Purpose, place, sign, skip_to, stratum};
use super::hadamard::{hadamard8, is_negative};
use super::rows::{Element, Rows, add_scaled};
use solvent_simd::{F64s, Kernel, Lanes, Simd, prefetch};
use std::ops::Range;

/// Bytes of the input that are asked for ahead of their use: the latency of memory times its bandwidth.
const AHEAD: usize = 8 << 10;
/// Bytes of a cache line.
const LINE: usize = 64;

/// Most independent copies.
pub const MAX_MIXING: usize = 16;

/// The sketch of m rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockHadamard {
    m: usize,
    mixing: usize,
    chunk: usize,
    key: Key,
}

impl BlockHadamard {
    /// With the chunk of an operator made by hand, which knows nothing of the columns: max(4096, 8 m) rows.
    pub fn new(m: usize, key: Key) -> Self {
        Self::with_chunk(m, key, 4096.max(8 * m))
    }

    /// For matrices of d columns: chunks of max(4096, 8 d) rows.
    pub fn for_columns(m: usize, d: usize, key: Key) -> Self {
        Self::with_chunk(m, key, 4096.max(8 * d))
    }

    /// With chunks of this many rows.
    ///
    /// # Panics
    /// Unless m >= 1 and the chunk is a positive multiple of 8.
    pub fn with_chunk(m: usize, key: Key, chunk: usize) -> Self {
        assert!(m > 0 && chunk > 0 && chunk.is_multiple_of(8), "m = {m}, chunk = {chunk}");
        Self { m, mixing: 1, chunk, key }
    }

    /// With this many independent copies.
    ///
    /// # Panics
    /// Unless 1 <= mixing <= [`MAX_MIXING`].
    #[must_use]
    pub fn mixing(mut self, mixing: usize) -> Self {
        assert!((1..=MAX_MIXING).contains(&mixing), "mixing = {mixing}");
        self.mixing = mixing;
        self
    }

    /// Non-zeros a column.
    fn strata(&self) -> usize {
        self.m.min(8 * self.mixing)
    }

    /// Copies that reach the output: with m < 8 mixing rows there is no room for all.
    fn copies(&self) -> usize {
        self.strata().div_ceil(8)
    }

    fn plan(&self, copy: usize, chunk: u64, tiles: usize) -> Plan {
        let mut words = self.key.words(Purpose::Mixing, copy as u32, chunk);
        let offsets = std::array::from_fn(|_| place(words.next_u32(), tiles));
        let words = (0..8 * tiles).map(|_| words.next_u32()).collect();
        Plan { tiles, offsets, words, first: 8 * copy, strata: self.strata(), m: self.m }
    }

    /// The word of each stratum for a row that is left over.
    fn rest_words(&self, chunk: u64, index: usize) -> impl Iterator<Item = u32> {
        let q = self.strata();
        let mut words = self.key.words(Purpose::Scatter, 0, chunk);
        skip_to(&mut words, (index * q) as u64);
        (0..q).map(move |_| words.next_u32())
    }

    fn rest_target(&self, j: usize, word: u32) -> usize {
        let rows = stratum(self.m, self.strata(), j);
        rows.start + place(word, rows.len())
    }

    /// The chunks of a block that begins at row `first`: (number of the chunk, its rows within the block).
    fn chunks(&self, first: usize, count: usize) -> impl Iterator<Item = (u64, Range<usize>)> + use<> {
        assert!(first.is_multiple_of(self.chunk), "row {first} does not begin a chunk of {}", self.chunk);
        let chunk = self.chunk;
        (0..count.div_ceil(chunk))
            .map(move |c| ((first / chunk + c) as u64, c * chunk..count.min((c + 1) * chunk)))
    }
}

/// The random choices of one chunk and copy.
struct Plan {
    tiles: usize,
    offsets: [usize; 8],
    /// Word 8 t + j: the target of output j of tile t, and the sign of its input j.
    words: Vec<u32>,
    /// The copy's first stratum.
    first: usize,
    strata: usize,
    m: usize,
}

impl Plan {
    /// Outputs that have a stratum.
    fn active(&self) -> usize {
        (self.strata - self.first).min(8)
    }

    fn stratum(&self, j: usize) -> Range<usize> {
        stratum(self.m, self.strata, self.first + j)
    }

    /// Where input j of tile t stands in the chunk.
    #[inline(always)]
    fn row(&self, t: usize, j: usize) -> usize {
        let place = t + self.offsets[j];
        j * self.tiles + if place >= self.tiles { place - self.tiles } else { place }
    }

    /// The tile of row i of the chunk, and which of its inputs the row is.
    fn tile_of(&self, i: usize) -> (usize, usize) {
        let (j, place) = (i / self.tiles, i % self.tiles);
        ((place + self.tiles - self.offsets[j]) % self.tiles, j)
    }
}

impl Sketch for BlockHadamard {
    fn rows(&self) -> usize {
        self.m
    }

    fn grain(&self) -> usize {
        self.chunk
    }

    fn scale(&self) -> f64 {
        1.0 / (self.strata() as f64).sqrt()
    }

    fn add<T: Element>(&self, block: &Rows<'_, T>, first: usize, out: &mut [f64]) {
        let padded = block.padded();
        for (chunk, rows) in self.chunks(first, block.count()) {
            let tiles = rows.len() / 8;
            let whole = block.range(rows.start, rows.start + 8 * tiles);
            for copy in 0..self.copies() {
                let plan = self.plan(copy, chunk, tiles);
                let out = &mut out[plan.stratum(0).start * padded..];
                if plan.active() == 8 {
                    solvent_simd::dispatch(Mix::<T, true> { block: whole, plan: &plan, out });
                } else {
                    solvent_simd::dispatch(Mix::<T, false> { block: whole, plan: &plan, out });
                }
            }
            for (index, i) in (rows.start + 8 * tiles..rows.end).enumerate() {
                for (j, word) in self.rest_words(chunk, index).enumerate() {
                    let target = self.rest_target(j, word) * padded;
                    let factor = sign(word) * block.factor(i);
                    add_scaled(block.row(i), factor, &mut out[target..target + block.width()]);
                }
            }
        }
    }

    fn add_adjoint(&self, y: &[f64], padded: usize, first: usize, out: &mut [f64]) {
        let count = out.len() / padded.max(1);
        for (chunk, rows) in self.chunks(first, count) {
            let tiles = rows.len() / 8;
            let out = &mut out[rows.start * padded..rows.end * padded];
            let (whole, rest) = out.split_at_mut(8 * tiles * padded);
            for copy in 0..self.copies() {
                let plan = self.plan(copy, chunk, tiles);
                let y = &y[plan.stratum(0).start * padded..];
                solvent_simd::dispatch(Unmix { y, padded, plan: &plan, out: &mut *whole });
            }
            for (index, out) in rest.chunks_mut(padded.max(1)).enumerate() {
                for (j, word) in self.rest_words(chunk, index).enumerate() {
                    let target = self.rest_target(j, word) * padded;
                    add_scaled(&y[target..target + padded], sign(word), out);
                }
            }
        }
    }

    fn nonzeros(&self) -> Option<usize> {
        Some(self.strata())
    }

    fn visit(&self, n: usize, range: Range<usize>, visit: &mut dyn FnMut(usize, usize, f64)) {
        let mut i = range.start;
        while i < range.end {
            let chunk = i / self.chunk;
            let start = chunk * self.chunk;
            let (count, end) = (self.chunk.min(n - start), range.end.min(start + self.chunk));
            let tiles = count / 8;
            let plans: Vec<_> =
                (0..self.copies()).map(|copy| self.plan(copy, chunk as u64, tiles.max(1))).collect();
            for i in i..end {
                if i - start >= 8 * tiles {
                    for (j, word) in self.rest_words(chunk as u64, i - start - 8 * tiles).enumerate() {
                        visit(i, self.rest_target(j, word), sign(word));
                    }
                    continue;
                }
                for plan in &plans {
                    let (t, a) = plan.tile_of(i - start);
                    let own = sign(plan.words[8 * t + a]);
                    for j in 0..plan.active() {
                        let rows = plan.stratum(j);
                        let target = rows.start + place(plan.words[8 * t + j], rows.len());
                        let negative = is_negative(j as u64, a as u64);
                        visit(i, target, if negative { -own } else { own });
                    }
                }
            }
            i = end;
        }
    }
}

/// The strata of a copy as slices that do not overlap; those without rows are empty.
#[inline(always)]
fn split<'a>(out: &'a mut [f64], plan: &Plan, padded: usize) -> ([&'a mut [f64]; 8], [usize; 8]) {
    let (mut strata, mut sizes): ([&mut [f64]; 8], [usize; 8]) = (Default::default(), [0; 8]);
    let mut rest = out;
    for j in 0..plan.active() {
        sizes[j] = plan.stratum(j).len();
        let (own, others) = rest.split_at_mut(sizes[j] * padded);
        (strata[j], rest) = (own, others);
    }
    (strata, sizes)
}

/// Row `place` of a stratum.
#[inline(always)]
fn target<'a>(stratum: &'a mut &mut [f64], word: u32, size: usize, padded: usize) -> &'a mut [f64] {
    let start = place(word, size) * padded;
    &mut stratum[start..start + padded]
}

/// `out += S block` without the scale. With `FULL`, all eight outputs have a stratum.
struct Mix<'a, T, const FULL: bool> {
    block: Rows<'a, T>,
    plan: &'a Plan,
    out: &'a mut [f64],
}

impl<T: Element, const FULL: bool> Kernel for Mix<'_, T, FULL> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { block, plan, out } = self;
        let padded = block.padded();
        let (mut strata, sizes) = split(out, plan, padded);
        let [s0, s1, s2, s3, s4, s5, s6, s7] = &mut strata;
        let mut edge = Vec::new();
        let (tiles, pitch) = (plan.tiles, block.pitch());
        let delta = (AHEAD / (8 * padded * size_of::<T>()).max(1)).max(1) * pitch;
        // Segment j from its first row on, and behind its last one.
        let (mut starts, mut ends) = ([0; 8], [0; 8]);
        for j in 0..8 {
            starts[j] = block.start(plan.row(0, j));
            ends[j] = block.start((j + 1) * tiles);
        }
        let weighted = block.is_weighted();
        for t in 0..tiles {
            let words: &[u32; 8] = plan.words[8 * t..].first_chunk().expect("eight words a tile");
            let mut factor = [S::F64::splat(0.0); 8];
            for j in 0..8 {
                factor[j] = S::F64::splat(sign(words[j]));
            }
            if weighted {
                for j in 0..8 {
                    factor[j] = S::F64::splat(sign(words[j]) * block.factor(plan.row(t, j)));
                }
            }
            let x = block.padded_at(starts, padded, &mut edge);
            for j in 0..8 {
                starts[j] += pitch;
                if starts[j] == ends[j] {
                    starts[j] -= tiles * pitch;
                }
            }
            if FULL {
                let out = [
                    target(s0, words[0], sizes[0], padded),
                    target(s1, words[1], sizes[1], padded),
                    target(s2, words[2], sizes[2], padded),
                    target(s3, words[3], sizes[3], padded),
                    target(s4, words[4], sizes[4], padded),
                    target(s5, words[5], sizes[5], padded),
                    target(s6, words[6], sizes[6], padded),
                    target(s7, words[7], sizes[7], padded),
                ];
                mix_tile::<S::F64, T, true>(x, factor, out, padded, 8, delta);
            } else {
                let out = [
                    target(s0, words[0], sizes[0], padded),
                    partial(s1, words[1], sizes[1], padded),
                    partial(s2, words[2], sizes[2], padded),
                    partial(s3, words[3], sizes[3], padded),
                    partial(s4, words[4], sizes[4], padded),
                    partial(s5, words[5], sizes[5], padded),
                    partial(s6, words[6], sizes[6], padded),
                    partial(s7, words[7], sizes[7], padded),
                ];
                mix_tile::<S::F64, T, false>(x, factor, out, padded, plan.active(), delta);
            }
        }
    }
}

/// As [`target`]; an output without a stratum goes nowhere.
#[inline(always)]
fn partial<'a>(stratum: &'a mut &mut [f64], word: u32, size: usize, padded: usize) -> &'a mut [f64] {
    if size > 0 { target(stratum, word, size, padded) } else { &mut [] }
}

/// Adds one tile to its eight targets; asks for what stands `delta` elements behind each of its rows. Two registers a
/// step: more of what waits for memory is then in flight at once.
#[inline(always)]
fn mix_tile<V: F64s, T: Element, const FULL: bool>(
    x: [&[T]; 8],
    factor: [V; 8],
    out: [&mut [f64]; 8],
    padded: usize,
    active: usize,
    delta: usize,
) {
    // Slices of one known length: their bounds checks fold into the loop's.
    let [x0, x1, x2, x3, x4, x5, x6, x7] = x;
    let (x0, x1, x2, x3) = (&x0[..padded], &x1[..padded], &x2[..padded], &x3[..padded]);
    let (x4, x5, x6, x7) = (&x4[..padded], &x5[..padded], &x6[..padded], &x7[..padded]);
    let [o0, o1, o2, o3, o4, o5, o6, o7] = out;
    macro_rules! put {
        ($j:literal, $o:ident, $y:ident, $c:expr) => {
            if FULL || $j < active {
                let o = &mut $o[$c..$c + V::LANES];
                (V::load(o) + $y[$j]).store(o);
            }
        };
    }
    macro_rules! mix {
        ($c:expr) => {
            let y = hadamard8([
                T::load::<V>(&x0[$c..$c + V::LANES]) * factor[0],
                T::load::<V>(&x1[$c..$c + V::LANES]) * factor[1],
                T::load::<V>(&x2[$c..$c + V::LANES]) * factor[2],
                T::load::<V>(&x3[$c..$c + V::LANES]) * factor[3],
                T::load::<V>(&x4[$c..$c + V::LANES]) * factor[4],
                T::load::<V>(&x5[$c..$c + V::LANES]) * factor[5],
                T::load::<V>(&x6[$c..$c + V::LANES]) * factor[6],
                T::load::<V>(&x7[$c..$c + V::LANES]) * factor[7],
            ]);
            put!(0, o0, y, $c);
            put!(1, o1, y, $c);
            put!(2, o2, y, $c);
            put!(3, o3, y, $c);
            put!(4, o4, y, $c);
            put!(5, o5, y, $c);
            put!(6, o6, y, $c);
            put!(7, o7, y, $c);
        };
    }
    let line = LINE / size_of::<T>();
    let mut c = 0;
    while c + 2 * V::LANES <= padded {
        if c.is_multiple_of(line) {
            for j in 0..8 {
                prefetch(x[j], c + delta);
            }
        }
        if 2 * V::LANES > line {
            for j in 0..8 {
                prefetch(x[j], c + delta + line);
            }
        }
        mix!(c);
        mix!(c + V::LANES);
        c += 2 * V::LANES;
    }
    if c < padded {
        for j in 0..8 {
            prefetch(x[j], c + delta);
        }
        mix!(c);
    }
}

/// `out += S^T y` without the scale, for the whole tiles of a chunk.
struct Unmix<'a> {
    y: &'a [f64],
    padded: usize,
    plan: &'a Plan,
    out: &'a mut [f64],
}

impl Kernel for Unmix<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { y, padded, plan, out } = self;
        let base = plan.stratum(0).start;
        let mut starts = [(0, 0); 8];
        for j in 0..plan.active() {
            let rows = plan.stratum(j);
            starts[j] = (rows.start - base, rows.len());
        }
        for t in 0..plan.tiles {
            for c in (0..padded).step_by(<S::F64 as Lanes>::LANES) {
                let mut x = [S::F64::splat(0.0); 8];
                for j in 0..plan.active() {
                    let row = starts[j].0 + place(plan.words[8 * t + j], starts[j].1);
                    x[j] = S::F64::load(&y[row * padded + c..]);
                }
                let x = hadamard8(x);
                for j in 0..8 {
                    let at = plan.row(t, j) * padded + c;
                    let o = &mut out[at..];
                    (S::F64::load(o) + x[j] * S::F64::splat(sign(plan.words[8 * t + j]))).store(o);
                }
            }
        }
    }
}
