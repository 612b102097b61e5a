//! The entries of a plan that matter, row by row: a row with few is kept by position, a full one whole, in sixteen bits.

mod kernels;

use super::passes::{Entry, Precision};
use solvent_simd::{dispatch, from_short};
use std::ops::Range;

/// Rows of `V = diag(1/r) P`: what is kept of each row, as shares of the row's sum. Kept in the blocks they were found in.
#[derive(Debug, Clone, Default)]
pub struct Support {
    columns: usize,
    /// Each block begins where the one before ends.
    blocks: Vec<Block>,
    overflowed: bool,
}

/// Consecutive rows.
#[derive(Debug, Clone, Default)]
pub struct Block {
    first: usize,
    /// How many rows there will be.
    expected: usize,
    columns: usize,
    /// How many there are.
    count: usize,
    few: Vec<Few>,
    positions: Vec<u32>,
    shares: Vec<f64>,
    full: Vec<Full>,
    /// Of full rows, [`ROWS`] together: [`WIDTH`] of one, as many of the next, and so on; what is missing at the ends is 0.
    tiles: Vec<u16>,
}

/// Full rows that share what is read beside them.
const ROWS: usize = 8;
/// Columns of a tile: as many shares as fill a line of the cache.
const WIDTH: usize = 32;

/// A row with few entries.
#[derive(Debug, Clone)]
struct Few {
    /// Within the block.
    row: usize,
    /// Of `positions` and `shares`.
    held: Range<usize>,
}

/// A row that is kept whole.
#[derive(Debug, Clone, Copy)]
struct Full {
    /// Within the block.
    row: usize,
    /// Makes the rounded shares sum to 1 again.
    factor: f64,
}

/// Above this share of the columns a row is kept whole, in short numbers: a direction needs no more, and memory runs ahead
/// where positions do not.
const FULL: f64 = 0.12;
/// How far a share of a full row may be off, relatively.
pub const ROUNDING: f64 = 1.0 / 4096.0;

/// A number a column, as the products read it.
#[derive(Debug)]
pub struct Columns<'a> {
    whole: &'a [f64],
    /// In units of `scale`, which is the largest, and as long as tiles are; empty where no row is full.
    single: Vec<f32>,
    scale: f64,
}

impl Block {
    /// No rows yet; these are to come, each of so many columns.
    pub fn new(expected: Range<usize>, columns: usize) -> Self {
        Self { first: expected.start, expected: expected.len(), columns, ..Self::default() }
    }

    /// Adds a row of the plan with this sum, of which these positions are to be kept; by position in any case where `exact`.
    pub fn push<P: Precision + Entry>(&mut self, p: &[P], sum: f64, positions: &[u32], exact: bool) {
        let share = if sum > 0.0 { 1.0 / sum } else { 0.0 };
        let row = self.count;
        self.count += 1;
        if !exact && positions.len() as f64 > FULL * p.len() as f64 && p.len() > 64 {
            let (slot, group) = (self.full.len() % ROWS, ROWS * WIDTH * self.columns.div_ceil(WIDTH));
            if slot == 0 {
                let most = (self.expected - row).div_ceil(ROWS) * group;
                self.tiles.reserve_exact(most.min((1 << 20).max(group)));
                self.tiles.resize(self.tiles.len() + group, 0);
            }
            let start = self.tiles.len() - group;
            let kept = dispatch(kernels::Shorten { p, share, slot, tiles: &mut self.tiles[start..] });
            self.full.push(Full { row, factor: if kept > 0.0 { 1.0 / kept } else { 0.0 } });
        } else {
            let start = self.positions.len();
            self.positions.extend_from_slice(positions);
            self.shares.extend(positions.iter().map(|&j| p[j as usize].into() * share));
            self.few.push(Few { row, held: start..self.positions.len() });
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        12 * self.positions.len() + 2 * self.tiles.len()
    }

    /// Gives all memory back.
    pub fn clear(&mut self) {
        *self = Self::new(self.first..self.first + self.expected, self.columns);
    }

    /// The numbers of these rows.
    pub fn range(&self) -> Range<usize> {
        self.first..self.first + self.count
    }

    /// `out += V^T x` over these rows; `x` is of all rows.
    pub fn add_transposed(&self, x: &[f64], out: &mut [f64]) {
        dispatch(kernels::AddTransposed { block: self, x: &x[self.range()], out });
    }

    /// `out = V w` of these rows.
    pub fn dots(&self, w: &Columns<'_>, out: &mut [f64]) {
        dispatch(kernels::Dots::<false> { block: self, w, out });
    }

    /// `out_i = sum_j V_ij^2 w_j` of these rows.
    pub fn squares(&self, w: &Columns<'_>, out: &mut [f64]) {
        dispatch(kernels::Dots::<true> { block: self, w, out });
    }

    /// Calls `f(i, j, share)` for every kept entry, row by row.
    fn each(&self, f: &mut impl FnMut(usize, usize, f64)) {
        let mut full = self.full.iter().enumerate();
        let mut few = self.few.iter().peekable();
        for row in 0..self.count {
            let i = self.first + row;
            if let Some(few) = few.next_if(|few| few.row == row) {
                let positions = &self.positions[few.held.clone()];
                for (&j, &v) in positions.iter().zip(&self.shares[few.held.clone()]) {
                    f(i, j as usize, v);
                }
            } else if let Some((k, full)) = full.next() {
                let tiles = &self.tiles[k / ROWS * ROWS * WIDTH * self.columns.div_ceil(WIDTH)..];
                for j in 0..self.columns {
                    let v = tiles[(j / WIDTH * ROWS + k % ROWS) * WIDTH + j % WIDTH];
                    f(i, j, f64::from(from_short(v)) * full.factor);
                }
            }
        }
    }
}

impl Support {
    /// No rows yet.
    pub fn new(columns: usize) -> Self {
        Self { columns, ..Self::default() }
    }

    /// Adds the next block.
    pub fn push(&mut self, block: Block) {
        self.blocks.push(block);
    }

    /// The blocks in order.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Whether the memory given to it did not do; what is missing then is not said.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Notes that it did not.
    pub fn overflow(&mut self) {
        self.overflowed = true;
    }

    /// Entries kept.
    pub fn entries(&self) -> usize {
        self.blocks.iter().map(|b| b.positions.len() + b.columns * b.full.len()).sum()
    }

    /// Calls `f(i, j, share)` for every kept entry, row by row.
    pub fn each(&self, mut f: impl FnMut(usize, usize, f64)) {
        self.blocks.iter().for_each(|block| block.each(&mut f));
    }

    /// Whether there are full rows, whose shares are rounded.
    pub fn rounded(&self) -> bool {
        self.blocks.iter().any(|block| !block.full.is_empty())
    }

    /// Numbers of the columns, made ready to be multiplied by.
    pub fn columns_of<'a>(&self, w: &'a [f64]) -> Columns<'a> {
        if !self.rounded() {
            return Columns { whole: w, single: Vec::new(), scale: 0.0 };
        }
        let scale = kernels::scale(w);
        let mut single: Vec<f32> = w.iter().map(|w| (w / scale) as f32).collect();
        single.resize(w.len().div_ceil(WIDTH) * WIDTH, 0.0);
        Columns { whole: w, single, scale }
    }

    /// `V w`.
    pub fn times(&self, w: &[f64]) -> Vec<f64> {
        let w = self.columns_of(w);
        let mut out = vec![0.0; self.blocks.last().map_or(0, |block| block.range().end)];
        self.blocks.iter().for_each(|block| block.dots(&w, &mut out[block.range()]));
        out
    }

    /// `V^T x`.
    pub fn transposed_times(&self, x: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.columns];
        self.blocks.iter().for_each(|block| block.add_transposed(x, &mut out));
        out
    }
}
