//! Sparse products in the layout SELL-C-σ: eight rows side by side, so that a register holds one entry of each.
//!
//! Rows are sorted by length within windows of 256, and the vectors of the method live in that order: nothing is
//! scattered. A chunk stores `width` entries of each of its eight rows, padded with zeros; what a longer row has beyond
//! lies along the lanes, eight entries at a time (its *tail*). The width of a chunk is the one that stores least.
//!
//! Each row's sum has one order, whatever the instruction set and the number of threads: its first `width` entries one
//! after the other, then the eight lanes of its tail as a fixed tree.

use crate::base::pool;
use crate::base::sparse::SparseView;
use solvent_simd::{F64s, Kernel, Lanes, Simd, dispatch};
use std::ops::Range;

/// Rows side by side.
pub const C: usize = 8;
/// Rows that are sorted by length together.
const WINDOW: usize = 256;
/// Registers that hold one entry of each row, on the narrowest instruction set.
const PARTS: usize = 4;
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
struct Chunk {
    /// Where its entries start.
    start: usize,
    /// Entries of each row that stand side by side.
    width: usize,
    /// Its tails.
    tails: Range<usize>,
}

/// What a long row has beyond the width of its chunk.
#[derive(Debug, Clone)]
struct Tail {
    /// The row within its chunk.
    lane: usize,
    /// Where its entries are; their number is a multiple of eight.
    entries: Range<usize>,
}

/// A matrix whose rows and columns are permuted by their orders.
#[derive(Debug, Clone)]
pub struct Sell<T, I> {
    chunks: Vec<Chunk>,
    tails: Vec<Tail>,
    values: Vec<T>,
    indices: Vec<I>,
    /// Chunks that a thread takes at a time.
    blocks: Vec<Range<usize>>,
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

    /// Adds the products of the entries in `span`, a multiple of eight of them, to eight sums.
    ///
    /// Loops are written out with indices here and below: the adapters of iterators are not inlined into code that is
    /// compiled for a target feature, and cost more than the products.
    #[inline(always)]
    fn accumulate<V: F64s>(&self, span: Range<usize>, table: &[f64], sums: &mut [V; PARTS]) {
        let (values, indices) = (&self.values[span.start..span.end], &self.indices[span.start..span.end]);
        let mut at = 0;
        while at + C <= values.len() {
            let mut p = 0;
            while p < C / V::LANES {
                let from = at + p * V::LANES;
                let x: V = I::gather(table, &indices[from..from + V::LANES]);
                sums[p] = T::load::<V>(&values[from..from + V::LANES]).mul_add(x, sums[p]);
                p += 1;
            }
            at += C;
        }
    }

    /// The sums of the eight rows of a chunk.
    #[inline(always)]
    fn sums<V: F64s>(&self, k: usize, table: &[f64]) -> [V; PARTS] {
        let chunk = &self.chunks[k];
        let mut sums = [V::splat(0.0); PARTS];
        self.accumulate(chunk.start..chunk.start + C * chunk.width, table, &mut sums);
        if chunk.tails.start < chunk.tails.end {
            let mut lanes = store_eight(&sums);
            let mut t = chunk.tails.start;
            while t < chunk.tails.end {
                let tail = &self.tails[t];
                let mut partial = [V::splat(0.0); PARTS];
                self.accumulate(tail.entries.start..tail.entries.end, table, &mut partial);
                lanes[tail.lane] += tree(store_eight(&partial));
                t += 1;
            }
            let mut p = 0;
            while p < C / V::LANES {
                sums[p] = V::load(&lanes[p * V::LANES..]);
                p += 1;
            }
        }
        sums
    }
}

/// Eight lanes as numbers.
#[inline(always)]
fn store_eight<V: F64s>(sums: &[V; PARTS]) -> [f64; C] {
    let mut lanes = [0.0; C];
    let mut p = 0;
    while p < C / V::LANES {
        sums[p].store(&mut lanes[p * V::LANES..]);
        p += 1;
    }
    lanes
}

/// The sum of eight numbers, in one order for all.
#[inline(always)]
pub fn tree(x: [f64; C]) -> f64 {
    ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]))
}

/// One expression for each way of storing a matrix.
macro_rules! each {
    ($matrix:expr, $sell:ident => $body:expr) => {
        match $matrix {
            Matrix::Double($sell) => $body,
            Matrix::DoubleShort($sell) => $body,
            Matrix::Single($sell) => $body,
            Matrix::SingleShort($sell) => $body,
        }
    };
}

/// A matrix, stored as its size and the precision ask for.
#[derive(Debug, Clone)]
pub enum Matrix {
    /// f64 values.
    Double(Sell<f64, u32>),
    /// f64 values, at most 65536 columns.
    DoubleShort(Sell<f64, u16>),
    /// f32 values.
    Single(Sell<f32, u32>),
    /// f32 values, at most 65536 columns.
    SingleShort(Sell<f32, u16>),
}

impl Matrix {
    /// Stores `a` with values `entry(i, j, A_ij)`, rounded to f32 if `single`.
    pub fn new(
        a: SparseView<'_, f64>,
        rows: &Order,
        columns: &Order,
        single: bool,
        entry: impl Fn(usize, usize, f64) -> f64,
    ) -> Self {
        let short = columns.row.len() <= 1 << 16;
        match (single, short) {
            (false, false) => Self::Double(Sell::new(a, rows, columns, entry)),
            (false, true) => Self::DoubleShort(Sell::new(a, rows, columns, entry)),
            (true, false) => Self::Single(Sell::new(a, rows, columns, entry)),
            (true, true) => Self::SingleShort(Sell::new(a, rows, columns, entry)),
        }
    }

    /// Chunks that a thread takes at a time.
    pub fn blocks(&self) -> &[Range<usize>] {
        each!(self, sell => &sell.blocks)
    }

    /// Runs `update` over the chunks of one block, each with the sums of its rows.
    pub fn rows<U: Update>(&self, block: usize, table: &[f64], update: U) {
        each!(self, sell => dispatch(Rows { sell, chunks: sell.blocks[block].clone(), table, update }));
    }

    /// Runs `update` over all rows for W vectors at once, 8 or 16; see [`Many`].
    pub fn rows_of_many<const W: usize, U: Update>(&self, table: &[f64], update: U) {
        each!(self, sell => dispatch(Many::<_, _, U, W> { sell, table, update }));
    }

    /// out = A x, on the pool's threads.
    pub fn multiply(&self, x: &[f64], out: &mut [f64]) {
        let blocks = self.blocks();
        let parts = split(out, blocks);
        pool::map_items(threads(blocks), parts.into_iter().enumerate(), |(b, out)| {
            self.rows(b, x, Store { out });
        });
    }
}

/// How many threads: one where there is nothing to share out.
pub fn threads(blocks: &[Range<usize>]) -> Option<usize> {
    (blocks.len() <= 2).then_some(1)
}

/// Cuts a vector in the chunks' order where the blocks end.
pub fn split<'a>(mut x: &'a mut [f64], blocks: &[Range<usize>]) -> Vec<&'a mut [f64]> {
    let mut parts = Vec::with_capacity(blocks.len());
    for block in blocks {
        let (head, rest) = x.split_at_mut(block.len() * C);
        parts.push(head);
        x = rest;
    }
    parts
}

/// What is done with the sums of eight rows.
pub trait Update {
    /// `sum` holds rows `at..at + V::LANES` of the block.
    fn apply<V: F64s>(&mut self, at: usize, sum: V);
}

struct Rows<'a, T, I, U> {
    sell: &'a Sell<T, I>,
    chunks: Range<usize>,
    table: &'a [f64],
    update: U,
}

impl<T: Value, I: Index, U: Update> Kernel for Rows<'_, T, I, U> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let (parts, lanes) = (C / S::F64::LANES, S::F64::LANES);
        let mut k = self.chunks.start;
        while k < self.chunks.end {
            let sums = self.sell.sums::<S::F64>(k, self.table);
            let mut p = 0;
            while p < parts {
                self.update.apply((k - self.chunks.start) * C + p * lanes, sums[p]);
                p += 1;
            }
            k += 1;
        }
    }
}

/// The product itself.
pub struct Store<'a> {
    /// Where it goes.
    pub out: &'a mut [f64],
}

impl Update for Store<'_> {
    #[inline(always)]
    fn apply<V: F64s>(&mut self, at: usize, sum: V) {
        sum.store(&mut self.out[at..]);
    }
}

/// The product with W vectors, interleaved: an entry is read once for all, and nothing is gathered. Each vector's sums have
/// the same order, and so the same bits, as [`Rows`] gives it.
struct Many<'a, T, I, U, const W: usize> {
    sell: &'a Sell<T, I>,
    table: &'a [f64],
    update: U,
}

impl<T: Value, I: Index, U: Update, const W: usize> Kernel for Many<'_, T, I, U, W> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        // Registers of a row, and rows that are summed together: as many as do not wait for each other, within 8 registers
        // or so.
        match W / S::F64::LANES {
            1 => self.walk::<S::F64, 1, 8>(),
            2 => self.walk::<S::F64, 2, 4>(),
            4 => self.walk::<S::F64, 4, 2>(),
            _ => self.walk::<S::F64, 8, 1>(),
        }
    }
}

impl<T: Value, I: Index, U: Update, const W: usize> Many<'_, T, I, U, W> {
    #[inline(always)]
    fn walk<V: F64s, const P: usize, const R: usize>(mut self) {
        let mut k = 0;
        while k < self.sell.chunks.len() {
            let chunk = &self.sell.chunks[k];
            let mut first = 0;
            while first < C {
                let mut sums = [[V::splat(0.0); P]; R];
                let mut at = chunk.start + first;
                let end = chunk.start + chunk.width * C;
                while at < end {
                    // One check of bounds for the rows' entries.
                    let (values, indices) = (&self.sell.values[at..at + R], &self.sell.indices[at..at + R]);
                    let mut row = 0;
                    while row < R {
                        self.add(values[row], indices[row], &mut sums[row]);
                        row += 1;
                    }
                    at += C;
                }
                let mut t = chunk.tails.start;
                while t < chunk.tails.end {
                    let tail = &self.sell.tails[t];
                    if tail.lane >= first && tail.lane < first + R {
                        self.add_tail(tail, &mut sums[tail.lane - first]);
                    }
                    t += 1;
                }
                let mut row = 0;
                while row < R {
                    let mut p = 0;
                    while p < P {
                        self.update.apply((k * C + first + row) * W + p * V::LANES, sums[row][p]);
                        p += 1;
                    }
                    row += 1;
                }
                first += R;
            }
            k += 1;
        }
    }

    /// Adds an entry times the vectors.
    #[inline(always)]
    fn add<V: F64s, const P: usize>(&self, value: T, index: I, sums: &mut [V; P]) {
        let value = V::splat(value.wide());
        let from = index.at() * W;
        let x = &self.table[from..from + W];
        let mut p = 0;
        while p < P {
            sums[p] = value.mul_add(V::load(&x[p * V::LANES..]), sums[p]);
            p += 1;
        }
    }

    /// Adds a tail: eight partial sums, joined as [`tree`] does.
    #[inline(always)]
    fn add_tail<V: F64s, const P: usize>(&self, tail: &Tail, sums: &mut [V; P]) {
        let mut eight = [[V::splat(0.0); P]; C];
        let mut at = tail.entries.start;
        while at < tail.entries.end {
            let lane = (at - tail.entries.start) % C;
            self.add(self.sell.values[at], self.sell.indices[at], &mut eight[lane]);
            at += 1;
        }
        let mut p = 0;
        while p < P {
            let low = (eight[0][p] + eight[1][p]) + (eight[2][p] + eight[3][p]);
            let high = (eight[4][p] + eight[5][p]) + (eight[6][p] + eight[7][p]);
            sums[p] = sums[p] + (low + high);
            p += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Philox;
    use crate::base::sparse::Sparse;

    fn random(m: usize, n: usize, rng: &mut Philox) -> Sparse<f64> {
        let mut a = Sparse { indptr: vec![0], indices: vec![], data: vec![], columns: n };
        for i in 0..m {
            // Some rows are empty, some are dense.
            let density = [0.0, 0.02, 0.1, 1.0][i % 4 * usize::from(i % 37 != 5)];
            for j in 0..n {
                if rng.uniform() < density {
                    a.indices.push(j as i32);
                    a.data.push(rng.normal());
                }
            }
            a.indptr.push(a.data.len() as i64);
        }
        a
    }

    #[test]
    fn products_are_right_in_every_layout() {
        let mut rng = Philox::new(5, 0, 0);
        let a = random(301, 203, &mut rng);
        let (rows, columns) = (Order::new(a.view()), Order::new(a.view().transpose().0.view()));
        let x: Vec<f64> = (0..203).map(|_| rng.normal()).collect();
        let exact: Vec<f64> = (0..301)
            .map(|i| a.view().row(i).0.iter().zip(a.view().row(i).1).map(|(&j, v)| v * x[j as usize]).sum())
            .collect();
        for (single, tolerance) in [(false, 1e-13), (true, 1e-5)] {
            let sell = Matrix::new(a.view(), &rows, &columns, single, |_, _, v| v);
            let mut out = vec![f64::NAN; rows.padded()];
            sell.multiply(&columns.arrange(&x, 0.0), &mut out);
            let product = rows.restore(&out);
            assert!(product.iter().zip(&exact).all(|(p, e)| (p - e).abs() < tolerance));
        }
    }

    #[test]
    fn many_vectors_have_the_bits_of_one() {
        fn check<const W: usize>(rng: &mut Philox) {
            let a = random(120, 90, rng);
            let (rows, columns) = (Order::new(a.view()), Order::new(a.view().transpose().0.view()));
            let sell = Matrix::new(a.view(), &rows, &columns, false, |_, _, v| v);
            let table: Vec<f64> = (0..columns.padded() * W).map(|_| rng.normal()).collect();
            let mut out = vec![f64::NAN; rows.padded() * W];
            sell.rows_of_many::<W, _>(&table, Store { out: &mut out });
            for l in 0..W {
                let x: Vec<f64> = table.iter().skip(l).step_by(W).copied().collect();
                let mut one = vec![0.0; rows.padded()];
                sell.multiply(&x, &mut one);
                let many: Vec<f64> = out.iter().skip(l).step_by(W).copied().collect();
                assert_eq!(one, many);
            }
        }
        let mut rng = Philox::new(6, 0, 0);
        check::<8>(&mut rng);
        check::<16>(&mut rng);
    }
}
