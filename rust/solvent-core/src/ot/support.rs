//! The entries of a plan that matter, row by row: a row with few is kept by position, a full one whole.

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
    rows: Vec<Row>,
    positions: Vec<u32>,
    shares: Vec<f64>,
    full: Vec<f32>,
}

#[derive(Debug, Clone, Copy)]
enum Row {
    /// `positions` and `shares` from here to there.
    Few(usize, usize),
    /// `full`, from here on.
    Full(usize),
}

/// Rows of a block that are treated alike.
struct Group {
    /// The first of them, within the block.
    first: usize,
    count: usize,
    held: Held,
}

enum Held {
    /// `positions` and `shares` of one row.
    Few(Range<usize>),
    /// `full`, from here on, row after row.
    Full(usize),
}

/// Above this share of the columns a row is kept whole, in single precision: a direction needs no more, and memory runs
/// ahead where positions do not.
const FULL: f64 = 0.12;
/// Rounds towards zero, so that shares still add up to 1 at most.
const DOWN: f64 = 1.0 - 1.2e-7;

impl Block {
    /// No rows yet; these are to come, each of so many columns.
    pub fn new(expected: Range<usize>, columns: usize) -> Self {
        Self { first: expected.start, expected: expected.len(), columns, ..Self::default() }
    }

    /// Adds a row of the plan with this sum, of which these positions are to be kept.
    pub fn push<P: Copy + Into<f64>>(&mut self, p: &[P], sum: f64, positions: &[u32]) {
        let share = if sum > 0.0 { 1.0 / sum } else { 0.0 };
        if positions.len() as f64 > FULL * p.len() as f64 && p.len() > 64 {
            let start = self.full.len();
            if start == 0 {
                self.full.reserve_exact(((self.expected - self.rows.len()) * self.columns).min(1 << 20));
            }
            self.full.extend(p.iter().map(|&p| (p.into() * share * DOWN) as f32));
            self.rows.push(Row::Full(start));
        } else {
            let start = self.positions.len();
            self.positions.extend_from_slice(positions);
            self.shares.extend(positions.iter().map(|&j| p[j as usize].into() * share));
            self.rows.push(Row::Few(start, self.positions.len()));
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        12 * self.positions.len() + 4 * self.full.len()
    }

    /// Gives all memory back.
    pub fn clear(&mut self) {
        *self = Self::new(self.first..self.first + self.expected, self.columns);
    }

    /// The rows of these: four full ones together, which share what is read beside them, or one.
    fn groups(&self) -> impl Iterator<Item = Group> + '_ {
        let mut r = 0;
        std::iter::from_fn(move || {
            let first = r;
            let group = match *self.rows.get(r)? {
                Row::Few(start, end) => Group { first, count: 1, held: Held::Few(start..end) },
                Row::Full(start) => {
                    let four = self.rows.get(r..r + 4);
                    let full = four.is_some_and(|rows| rows.iter().all(|row| matches!(row, Row::Full(_))));
                    Group { first, count: if full { 4 } else { 1 }, held: Held::Full(start) }
                }
            };
            r += group.count;
            Some(group)
        })
    }

    /// The numbers of these rows.
    pub fn range(&self) -> Range<usize> {
        self.first..self.first + self.rows.len()
    }

    /// `out += V^T x` over these rows; `x` is of all rows.
    pub fn add_transposed(&self, x: &[f64], out: &mut [f64]) {
        solvent_simd::dispatch(kernels::AddTransposed { block: self, x: &x[self.range()], out });
    }

    /// `out = V w` of these rows.
    pub fn dots(&self, w: &[f64], out: &mut [f64]) {
        solvent_simd::dispatch(kernels::Dots { block: self, w, out });
    }

    /// Calls `f(i, sum_j V_ij^2 w_j)` for these rows.
    pub fn squares(&self, w: &[f64], mut f: impl FnMut(usize, f64)) {
        for (r, row) in self.rows.iter().enumerate() {
            let sum = match *row {
                Row::Few(start, end) => {
                    let held = self.positions[start..end].iter().zip(&self.shares[start..end]);
                    held.map(|(&j, &v)| v * v * w[j as usize]).sum()
                }
                Row::Full(start) => {
                    solvent_simd::dispatch(kernels::Squares { row: &self.full[start..start + w.len()], w })
                }
            };
            f(self.first + r, sum);
        }
    }

    /// Calls `f(i, j, share)` for every kept entry.
    fn each(&self, columns: usize, f: &mut impl FnMut(usize, usize, f64)) {
        for (r, row) in self.rows.iter().enumerate() {
            let i = self.first + r;
            match *row {
                Row::Few(start, end) => {
                    for (&j, &v) in self.positions[start..end].iter().zip(&self.shares[start..end]) {
                        f(i, j as usize, v);
                    }
                }
                Row::Full(start) => {
                    for (j, &v) in self.full[start..start + columns].iter().enumerate() {
                        f(i, j, f64::from(v));
                    }
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
        self.blocks.iter().map(|b| b.positions.len() + b.full.len()).sum()
    }

    /// Calls `f(i, j, share)` for every kept entry, row by row.
    pub fn each(&self, mut f: impl FnMut(usize, usize, f64)) {
        self.blocks.iter().for_each(|block| block.each(self.columns, &mut f));
    }

    /// `V w`.
    pub fn times(&self, w: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.blocks.last().map_or(0, |block| block.range().end)];
        self.blocks.iter().for_each(|block| block.dots(w, &mut out[block.range()]));
        out
    }
}

mod kernels {
    use super::{Block, Held};
    use solvent_simd::{F64s, Kernel, Lanes, Simd};

    /// `out += V^T x`, `x` of the block's rows.
    pub struct AddTransposed<'a> {
        pub block: &'a Block,
        pub x: &'a [f64],
        pub out: &'a mut [f64],
    }

    impl Kernel for AddTransposed<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self) {
            let (block, m) = (self.block, self.out.len());
            for group in block.groups() {
                let x = &self.x[group.first..group.first + group.count];
                match group.held {
                    Held::Few(range) => {
                        scatter(&block.positions[range.clone()], &block.shares[range], x[0], self.out)
                    }
                    Held::Full(start) => {
                        let rows = &block.full[start..start + group.count * m];
                        match group.count {
                            4 => add_scaled::<S::F64, 4>(rows, x, self.out),
                            _ => add_scaled::<S::F64, 1>(rows, x, self.out),
                        }
                    }
                }
            }
        }
    }

    /// `out = V w`, `out` of the block's rows.
    pub struct Dots<'a> {
        pub block: &'a Block,
        pub w: &'a [f64],
        pub out: &'a mut [f64],
    }

    impl Kernel for Dots<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self) {
            let (block, m) = (self.block, self.w.len());
            for group in block.groups() {
                let out = &mut self.out[group.first..group.first + group.count];
                match group.held {
                    Held::Few(range) => {
                        out[0] =
                            gathered::<S::F64>(&block.positions[range.clone()], &block.shares[range], self.w)
                    }
                    Held::Full(start) => {
                        let rows = &block.full[start..start + group.count * m];
                        match group.count {
                            4 => dots::<S::F64, 4>(rows, self.w, out),
                            _ => dots::<S::F64, 1>(rows, self.w, out),
                        }
                    }
                }
            }
        }
    }

    /// `out[positions_k] += shares_k x`.
    #[inline(always)]
    fn scatter(positions: &[u32], shares: &[f64], x: f64, out: &mut [f64]) {
        let shares = &shares[..positions.len()];
        for k in 0..positions.len() {
            out[positions[k] as usize] += shares[k] * x;
        }
    }

    /// `sum_k shares_k w[positions_k]`.
    #[inline(always)]
    fn gathered<V: F64s>(positions: &[u32], shares: &[f64], w: &[f64]) -> f64 {
        let shares = &shares[..positions.len()];
        let body = positions.len() - positions.len() % V::LANES;
        let mut sum = V::splat(0.0);
        let mut k = 0;
        while k < body {
            let w = V::gather(w, &positions[k..k + V::LANES]);
            sum = V::load(&shares[k..k + V::LANES]).mul_add(w, sum);
            k += V::LANES;
        }
        let mut rest = 0.0;
        for k in body..positions.len() {
            rest += shares[k] * w[positions[k] as usize];
        }
        sum.reduce_sum() + rest
    }

    /// `out += sum_r x_r row_r`; the rows, one after the other, are as long as `out`.
    #[inline(always)]
    fn add_scaled<V: F64s, const R: usize>(rows: &[f32], x: &[f64], out: &mut [f64]) {
        let m = out.len();
        let rows = &rows[..R * m];
        let body = m - m % V::LANES;
        let mut each = [V::splat(0.0); R];
        for r in 0..R {
            each[r] = V::splat(x[r]);
        }
        let mut j = 0;
        while j < body {
            let o = &mut out[j..j + V::LANES];
            let mut sum = V::load(o);
            for r in 0..R {
                sum = V::load_f32(&rows[r * m + j..r * m + j + V::LANES]).mul_add(each[r], sum);
            }
            sum.store(o);
            j += V::LANES;
        }
        for j in body..m {
            for r in 0..R {
                out[j] += f64::from(rows[r * m + j]) * x[r];
            }
        }
    }

    /// `out_r = row_r . w`; the rows, one after the other, are as long as `w`.
    #[inline(always)]
    fn dots<V: F64s, const R: usize>(rows: &[f32], w: &[f64], out: &mut [f64]) {
        let m = w.len();
        let rows = &rows[..R * m];
        let body = m - m % (2 * V::LANES);
        let mut sums = [[V::splat(0.0); 2]; R];
        let mut j = 0;
        while j < body {
            for s in 0..2 {
                let at = j + s * V::LANES;
                let w = V::load(&w[at..at + V::LANES]);
                for r in 0..R {
                    sums[r][s] = V::load_f32(&rows[r * m + at..r * m + at + V::LANES]).mul_add(w, sums[r][s]);
                }
            }
            j += 2 * V::LANES;
        }
        for r in 0..R {
            out[r] = (sums[r][0] + sums[r][1]).reduce_sum();
            for j in body..m {
                out[r] += f64::from(rows[r * m + j]) * w[j];
            }
        }
    }

    /// `sum_j row_j^2 w_j`.
    pub struct Squares<'a> {
        pub row: &'a [f32],
        pub w: &'a [f64],
    }

    impl Kernel for Squares<'_> {
        type Output = f64;
        #[inline(always)]
        fn run<S: Simd>(self) -> f64 {
            let lanes = S::F64::LANES;
            let mut sums = [S::F64::splat(0.0); 2];
            let body = self.row.len() - self.row.len() % (2 * lanes);
            let mut j = 0;
            while j < body {
                for s in 0..2 {
                    let at = j + s * lanes;
                    let v = S::F64::load_f32(&self.row[at..at + lanes]);
                    sums[s] = (v * v).mul_add(S::F64::load(&self.w[at..at + lanes]), sums[s]);
                }
                j += 2 * lanes;
            }
            let rest: f64 = (body..self.row.len()).map(|j| f64::from(self.row[j]).powi(2) * self.w[j]).sum();
            (sums[0] + sums[1]).reduce_sum() + rest
        }
    }
}
