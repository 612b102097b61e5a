//! The entries of a plan that matter, row by row: a row with few is kept by position, a full one whole.

/// Rows of `V = diag(1/r) P`: what is kept of each row, as shares of the row's sum.
#[derive(Debug, Clone, Default)]
pub struct Support {
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

/// Above this share of the columns a row is kept whole, in single precision: a direction needs no more, and memory runs
/// ahead where positions do not.
const FULL: f64 = 0.12;
/// Rounds towards zero, so that shares still add up to 1 at most.
const DOWN: f64 = 1.0 - 1.2e-7;

impl Support {
    /// No rows yet.
    pub fn new(columns: usize) -> Self {
        Self { columns, ..Self::default() }
    }

    /// Adds a row of the plan with this sum, of which these positions are to be kept.
    pub fn push(&mut self, p: &[f64], sum: f64, positions: &[u32]) {
        let share = if sum > 0.0 { 1.0 / sum } else { 0.0 };
        if positions.len() as f64 > FULL * self.columns as f64 && self.columns > 64 {
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

    /// Adds another support's rows.
    pub fn append(&mut self, mut other: Self) {
        if self.rows.is_empty() {
            *self = other;
            return;
        }
        let (few, full) = (self.positions.len(), self.full.len());
        self.rows.extend(other.rows.iter().map(|row| match *row {
            Row::Few(start, end) => Row::Few(start + few, end + few),
            Row::Full(start) => Row::Full(start + full),
        }));
        self.positions.append(&mut other.positions);
        self.shares.append(&mut other.shares);
        self.full.append(&mut other.full);
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Entries kept.
    pub fn entries(&self) -> usize {
        self.positions.len() + self.full.len()
    }

    /// Calls `f(j, share)` for every kept entry of row i.
    #[inline]
    pub fn each(&self, i: usize, mut f: impl FnMut(usize, f64)) {
        match self.rows[i] {
            Row::Few(start, end) => {
                for (&j, &v) in self.positions[start..end].iter().zip(&self.shares[start..end]) {
                    f(j as usize, v);
                }
            }
            Row::Full(start) => {
                for (j, &v) in self.full[start..start + self.columns].iter().enumerate() {
                    f(j, f64::from(v));
                }
            }
        }
    }

    /// `out += V^T x` over the rows `range`.
    pub fn add_transposed(&self, range: std::ops::Range<usize>, x: &[f64], out: &mut [f64]) {
        let out = &mut out[..self.columns];
        for i in range {
            let x = x[i];
            match self.rows[i] {
                Row::Few(start, end) => {
                    for (&j, &v) in self.positions[start..end].iter().zip(&self.shares[start..end]) {
                        out[j as usize] += v * x;
                    }
                }
                Row::Full(start) => {
                    solvent_simd::dispatch(kernels::AddScaled {
                        row: &self.full[start..start + self.columns],
                        x,
                        out,
                    });
                }
            }
        }
    }

    /// `(V w)_i`.
    pub fn dot(&self, i: usize, w: &[f64]) -> f64 {
        match self.rows[i] {
            Row::Few(start, end) => {
                let w = &w[..self.columns];
                let mut sum = 0.0;
                for (&j, &v) in self.positions[start..end].iter().zip(&self.shares[start..end]) {
                    sum += v * w[j as usize];
                }
                sum
            }
            Row::Full(start) => {
                solvent_simd::dispatch(kernels::Dot { row: &self.full[start..start + self.columns], w })
            }
        }
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
