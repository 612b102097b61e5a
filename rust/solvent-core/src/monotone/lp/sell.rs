//! A sparse matrix in the layout SELL-C-σ: eight rows side by side, so that a register holds one entry of each.
//!
//! Rows are sorted by length within windows of 256, and the vectors of the method live in that order: nothing is
//! scattered. A chunk stores `width` entries of each of its eight rows, padded with zeros; what a longer row has beyond
//! lies along the lanes, eight entries at a time (its *tail*). The width of a chunk is the one that stores least.

use crate::base::sparse::SparseView;
use solvent_simd::F64s;
use std::ops::Range;

/// Rows side by side.
pub const C: usize = 8;
/// Rows that are sorted by length together.
const WINDOW: usize = 256;
/// Entries a thread takes at a time.
const BLOCK: usize = 1 << 15;

/// What values are stored as.
pub trait Value: Copy + Send + Sync + 'static {
    /// Rounded to nearest.
    fn round(x: f64) -> Self;
    /// The first `V::LANES` of `a`, widened.
    fn load<V: F64s>(a: &[Self]) -> V;
    /// Widened.
    fn wide(self) -> f64;
}

impl Value for f64 {
    fn round(x: f64) -> Self {
        x
    }
    #[inline(always)]
    fn load<V: F64s>(a: &[Self]) -> V {
        V::load(a)
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
}

impl Value for f32 {
    fn round(x: f64) -> Self {
        x as Self
    }
    #[inline(always)]
    fn load<V: F64s>(a: &[Self]) -> V {
        V::load_f32(a)
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

/// What column indices are stored as.
pub trait Index: Copy + Send + Sync + 'static {
    /// The index of a column; it fits by the choice of the type.
    fn of(j: usize) -> Self;
    /// `table[index[i]]` in lane i.
    fn gather<V: F64s>(table: &[f64], index: &[Self]) -> V;
    /// The index.
    fn at(self) -> usize;
}

impl Index for u32 {
    fn of(j: usize) -> Self {
        j as Self
    }
    #[inline(always)]
    fn gather<V: F64s>(table: &[f64], index: &[Self]) -> V {
        V::gather(table, index)
    }
    #[inline(always)]
    fn at(self) -> usize {
        self as usize
    }
}

impl Index for u16 {
    fn of(j: usize) -> Self {
        j as Self
    }
    #[inline(always)]
    fn gather<V: F64s>(table: &[f64], index: &[Self]) -> V {
        let (index, mut wide) = (&index[..V::LANES], [0u32; C]);
        let mut i = 0;
        while i < V::LANES {
            wide[i] = u32::from(index[i]);
            i += 1;
        }
        V::gather(table, &wide)
    }
    #[inline(always)]
    fn at(self) -> usize {
        self as usize
    }
}

/// The order of rows (or columns) in memory: sorted by length within windows.
#[derive(Debug, Clone)]
pub struct Order {
    /// The row at each place.
    pub row: Vec<usize>,
    /// The place of each row.
    pub place: Vec<usize>,
}

impl Order {
    /// The order of the rows of `a`, the longest of each window first.
    pub fn new(a: SparseView<'_, f64>) -> Self {
        let mut row: Vec<usize> = (0..a.rows()).collect();
        for window in row.chunks_mut(WINDOW) {
            window.sort_by_key(|&i| std::cmp::Reverse(a.range(i).len()));
        }
        let mut place = vec![0; row.len()];
        row.iter().enumerate().for_each(|(p, &i)| place[i] = p);
        Self { row, place }
    }

    /// Length of vectors in this order: whole chunks.
    pub fn padded(&self) -> usize {
        self.row.len().div_ceil(C) * C
    }

    /// `x` in this order, padded.
    pub fn arrange(&self, x: &[f64], padding: f64) -> Vec<f64> {
        let mut out: Vec<f64> = self.row.iter().map(|&i| x[i]).collect();
        out.resize(self.padded(), padding);
        out
    }

    /// `x`, which is in this order, back in the caller's.
    pub fn restore(&self, x: &[f64]) -> Vec<f64> {
        self.place.iter().map(|&p| x[p]).collect()
    }
}

/// Eight rows.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Where its entries start.
    pub start: usize,
    /// Entries of each row that stand side by side.
    pub width: usize,
    /// Its tails.
    pub tails: Range<usize>,
}

/// What a long row has beyond the width of its chunk.
#[derive(Debug, Clone)]
pub struct Tail {
    /// The row within its chunk.
    pub lane: usize,
    /// Where its entries are; their number is a multiple of eight.
    pub entries: Range<usize>,
}

/// A matrix whose rows and columns are permuted by their orders.
#[derive(Debug, Clone)]
pub struct Sell<T, I> {
    /// Rows, eight at a time.
    pub chunks: Vec<Chunk>,
    /// What longer rows have beyond their chunks' widths.
    pub tails: Vec<Tail>,
    /// Of the entries, as chunks and tails say.
    pub values: Vec<T>,
    /// Columns of the entries.
    pub indices: Vec<I>,
    /// Chunks that a thread takes at a time.
    pub blocks: Vec<Range<usize>>,
}

impl<T: Value, I: Index> Sell<T, I> {
    /// Stores `a` with rows and columns in their orders; `entry(i, j, v)` gives what is stored for A_ij = v.
    pub fn new(
        a: SparseView<'_, f64>,
        rows: &Order,
        columns: &Order,
        entry: impl Fn(usize, usize, f64) -> f64,
    ) -> Self {
        let mut sell =
            Self { chunks: vec![], tails: vec![], values: vec![], indices: vec![], blocks: vec![] };
        for eight in rows.row.chunks(C) {
            let mut lists: Vec<Vec<(usize, f64)>> = eight
                .iter()
                .map(|&i| {
                    let (indices, values) = a.row(i);
                    let pairs = indices.iter().zip(values);
                    pairs.map(|(&j, &v)| (columns.place[j as usize], entry(i, j as usize, v))).collect()
                })
                .collect();
            lists.iter_mut().for_each(|list| list.sort_unstable_by_key(|&(j, _)| j));
            sell.push(&lists);
        }
        sell.partition();
        sell
    }

    fn push(&mut self, lists: &[Vec<(usize, f64)>]) {
        let lengths: Vec<usize> = lists.iter().map(Vec::len).collect();
        // Stored entries as a function of the width are convex between the lengths: the best width is one of them.
        let tail = |width: usize, length: usize| length.saturating_sub(width).div_ceil(C) * C;
        let cost = |width: usize| {
            // A tail's sum across lanes costs about two registers' entries.
            let tails = lengths.iter().map(|&l| tail(width, l) + if l > width { 2 * C } else { 0 });
            width * C + tails.sum::<usize>()
        };
        let width = lengths.iter().copied().chain([0]).min_by_key(|&w| (cost(w), w)).unwrap_or(0);
        let (start, first) = (self.values.len(), self.tails.len());
        for k in 0..width {
            for lane in 0..C {
                let entry = lists.get(lane).and_then(|list| list.get(k));
                self.store(entry.copied());
            }
        }
        for (lane, list) in lists.iter().enumerate().filter(|(_, list)| list.len() > width) {
            let from = self.values.len();
            for k in 0..tail(width, list.len()) {
                self.store(list.get(width + k).copied());
            }
            self.tails.push(Tail { lane, entries: from..self.values.len() });
        }
        self.chunks.push(Chunk { start, width, tails: first..self.tails.len() });
    }

    fn store(&mut self, entry: Option<(usize, f64)>) {
        let (j, v) = entry.unwrap_or((0, 0.0));
        self.indices.push(I::of(j));
        self.values.push(T::round(v));
    }

    fn partition(&mut self) {
        let mut from = 0;
        for k in 0..self.chunks.len() {
            let end = self.chunks.get(k + 1).map_or(self.values.len(), |next| next.start);
            // A chunk without entries still costs something.
            if end - self.chunks[from].start + C * (k + 1 - from) >= BLOCK || k + 1 == self.chunks.len() {
                self.blocks.push(from..k + 1);
                from = k + 1;
            }
        }
    }
}
