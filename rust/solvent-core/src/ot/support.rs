//! The entries of a plan that matter, row by row: a row with few is kept by position, a full one whole.

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

/// Above this share of the columns a row is kept whole, in single precision: a direction needs no more, and memory runs
/// ahead where positions do not.
const FULL: f64 = 0.12;
/// Rounds towards zero, so that shares still add up to 1 at most.
const DOWN: f64 = 1.0 - 1.2e-7;

impl Block {
    /// No rows yet; the first to come is this one.
    pub fn new(first: usize) -> Self {
        Self { first, ..Self::default() }
    }

    /// Adds a row of the plan with this sum, of which these positions are to be kept.
    pub fn push(&mut self, p: &[f64], sum: f64, positions: &[u32]) {
        let share = if sum > 0.0 { 1.0 / sum } else { 0.0 };
        if positions.len() as f64 > FULL * p.len() as f64 && p.len() > 64 {
            let start = self.full.len();
            self.full.extend(p.iter().map(|&p| (p * share * DOWN) as f32));
            self.rows.push(Row::Full(start));
        } else {
            let start = self.positions.len();
            self.positions.extend_from_slice(positions);
            self.shares.extend(positions.iter().map(|&j| p[j as usize] * share));
            self.rows.push(Row::Few(start, self.positions.len()));
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        12 * self.positions.len() + 4 * self.full.len()
    }

    /// Gives all memory back.
    pub fn clear(&mut self) {
        *self = Self::new(self.first);
    }

    /// `out += V^T x` over these rows; `x` is of all rows.
    pub fn add_transposed(&self, x: &[f64], out: &mut [f64]) {
        for (row, &x) in self.rows.iter().zip(&x[self.first..]) {
            match *row {
                Row::Few(start, end) => {
                    for (&j, &v) in self.positions[start..end].iter().zip(&self.shares[start..end]) {
                        out[j as usize] += v * x;
                    }
                }
                Row::Full(start) => {
                    let row = &self.full[start..start + out.len()];
                    solvent_simd::dispatch(kernels::AddScaled { row, x, out });
                }
            }
        }
    }

    /// Calls `f(i, (V w)_i)` for these rows.
    pub fn dots(&self, w: &[f64], mut f: impl FnMut(usize, f64)) {
        for (r, row) in self.rows.iter().enumerate() {
            let dot = match *row {
                Row::Few(start, end) => gathered(&self.positions[start..end], &self.shares[start..end], w),
                Row::Full(start) => {
                    solvent_simd::dispatch(kernels::Dot { row: &self.full[start..start + w.len()], w })
                }
            };
            f(self.first + r, dot);
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

/// `sum_k shares_k w[positions_k]`, in four chains.
fn gathered(positions: &[u32], shares: &[f64], w: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (at, v) = (positions.chunks_exact(4), shares.chunks_exact(4));
    let rest = at.remainder().iter().zip(v.remainder()).map(|(&j, v)| v * w[j as usize]).sum::<f64>();
    for (at, v) in at.zip(v) {
        for k in 0..4 {
            sums[k] += v[k] * w[at[k] as usize];
        }
    }
    ((sums[0] + sums[1]) + (sums[2] + sums[3])) + rest
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
        let mut out = Vec::new();
        self.blocks.iter().for_each(|block| block.dots(w, |_, dot| out.push(dot)));
        out
    }
}

mod kernels {
    use solvent_simd::{F64s, Kernel, Lanes, Simd};

    /// `out += x row`.
    pub struct AddScaled<'a> {
        pub row: &'a [f32],
        pub x: f64,
        pub out: &'a mut [f64],
    }

    impl Kernel for AddScaled<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self) {
            let lanes = S::F64::LANES;
            let body = self.out.len() - self.out.len() % lanes;
            let x = S::F64::splat(self.x);
            let mut j = 0;
            while j < body {
                let o = &mut self.out[j..j + lanes];
                S::F64::load_f32(&self.row[j..j + lanes]).mul_add(x, S::F64::load(o)).store(o);
                j += lanes;
            }
            for j in body..self.out.len() {
                self.out[j] += f64::from(self.row[j]) * self.x;
            }
        }
    }

    /// `row . w`.
    pub struct Dot<'a> {
        pub row: &'a [f32],
        pub w: &'a [f64],
    }

    impl Kernel for Dot<'_> {
        type Output = f64;
        #[inline(always)]
        fn run<S: Simd>(self) -> f64 {
            let lanes = S::F64::LANES;
            let mut sums = [S::F64::splat(0.0); 4];
            let n = self.row.len();
            let body = n - n % (4 * lanes);
            let mut j = 0;
            while j < body {
                for s in 0..4 {
                    let at = j + s * lanes;
                    let row = S::F64::load_f32(&self.row[at..at + lanes]);
                    sums[s] = row.mul_add(S::F64::load(&self.w[at..at + lanes]), sums[s]);
                }
                j += 4 * lanes;
            }
            let mut total = ((sums[0] + sums[1]) + (sums[2] + sums[3])).reduce_sum();
            for j in body..n {
                total += f64::from(self.row[j]) * self.w[j];
            }
            total
        }
    }
}
