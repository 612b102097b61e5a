//! The rows of a least-squares problem, wherever they lie, and the one way to read them.

use super::error::RegressionError;
use super::passes::portable::Remote;
use super::passes::{Entry, PAD, Pass};
use super::scaling::Layout;
use crate::base::error::{Aborted, ArgumentError};
use crate::base::gram::accumulators;
use crate::base::monitor::Monitor;
use crate::base::sparse::SparseView;
use crate::base::view::MatrixView;

/// Consecutive rows with their right sides, as a pass meets them.
#[derive(Debug, Clone, Copy)]
pub struct Share<'a, T> {
    /// Row i is `rows[i · stride..][..columns]`.
    pub rows: &'a [T],
    /// Distance of the rows.
    pub stride: usize,
    /// How many.
    pub count: usize,
    /// Their right sides: `count` times k, row by row.
    pub b: &'a [f64],
    /// Their weights; `None` = all 1.
    pub weights: Option<&'a [f64]>,
    /// Index of the first row in the source.
    pub first: usize,
}

impl<T> Share<'_, T> {
    /// The weight of row i.
    #[inline(always)]
    pub fn weight(&self, i: usize) -> f64 {
        match self.weights {
            Some(weights) => weights[i],
            None => 1.0,
        }
    }
}

/// Consecutive compressed rows of few entries, no column twice in a row, with their right sides.
#[derive(Debug, Clone, Copy)]
pub struct ThinShare<'a, T> {
    /// All rows.
    pub a: SparseView<'a, T>,
    /// Index of the first row of the share.
    pub first: usize,
    /// How many.
    pub count: usize,
    /// Their right sides: `count` times k, row by row.
    pub b: &'a [f64],
    /// Their weights; `None` = all 1.
    pub weights: Option<&'a [f64]>,
}

impl<'a, T: Entry> ThinShare<'a, T> {
    /// The weight of row i of the share.
    #[inline(always)]
    pub fn weight(&self, i: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[i])
    }

    /// Columns and values of row i of the share.
    #[inline(always)]
    pub fn row(&self, i: usize) -> impl Iterator<Item = (usize, f64)> + use<'a, T> {
        let (indices, data) = self.a.row(self.first + i);
        indices.iter().zip(data).map(|(&j, v)| (j as usize, v.to_f64()))
    }
}

/// Products of the pairs of a row's entries cost about so many times what they cost in a full row.
const THIN: usize = 12;

/// Rows beyond which sums by two-sums, one a row, would no longer be as good as those of full rows.
const THIN_ROWS: usize = 1 << 25;

/// Whether products of entries are cheaper than those of full rows, and no column comes twice in a row.
fn thin<T: Copy>(a: &SparseView<'_, T>) -> bool {
    let (n, d) = (a.rows(), a.columns());
    let pairs: f64 = (0..n).map(|i| (a.range(i).len() as f64 + 1.0).powi(2)).sum();
    if n > THIN_ROWS || pairs * THIN as f64 > n as f64 * (d as f64).powi(2) {
        return false;
    }
    let mut seen = vec![usize::MAX; d];
    (0..n).all(|i| a.row(i).0.iter().all(|&j| std::mem::replace(&mut seen[j as usize], i) != i))
}

/// A matrix as it lies in memory.
#[derive(Debug, Clone, Copy)]
pub enum Rows<'a> {
    /// Doubles, in any order.
    F64(MatrixView<'a, f64>),
    /// Singles, in any order.
    F32(MatrixView<'a, f32>),
    /// Compressed rows of doubles.
    Sparse64(SparseView<'a, f64>),
    /// Compressed rows of singles.
    Sparse32(SparseView<'a, f32>),
}

impl Rows<'_> {
    /// `(rows, columns)`.
    pub fn shape(&self) -> (usize, usize) {
        match self {
            Self::F64(a) => a.shape(),
            Self::F32(a) => a.shape(),
            Self::Sparse64(a) => (a.rows(), a.columns()),
            Self::Sparse32(a) => (a.rows(), a.columns()),
        }
    }
}

/// A batch of rows from a stream, widened.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Rows, one after the other.
    pub rows: Vec<f64>,
    /// Right sides, row by row.
    pub b: Vec<f64>,
    /// Weights, if the problem is weighted.
    pub weights: Vec<f64>,
}

/// Rows that come block by block.
pub trait Stream: Send {
    /// Begins again at the first block. `false`: it cannot, and has been read before.
    fn restart(&mut self) -> Result<bool, Aborted>;
    /// Appends the next block, of any number of rows. `false`: there is none.
    fn next(&mut self, batch: &mut Batch) -> Result<bool, Aborted>;
}

/// Where the rows are.
pub enum Source<'a> {
    /// In memory.
    Memory {
        /// The matrix.
        a: Rows<'a>,
        /// Right sides: n times k, row by row.
        b: &'a [f64],
        /// Weights.
        weights: Option<&'a [f64]>,
    },
    /// In a stream.
    Stream(&'a mut dyn Stream),
    /// In other processes, which do the passes.
    Remote(&'a mut dyn Remote),
}

/// A least-squares problem: minimise `sum_i w_i (b_i - a_i x - x_0)² + sum_j alpha_j x_j²` for k right sides.
pub struct Problem<'a> {
    /// Where the rows are.
    pub source: Source<'a>,
    /// Columns of A.
    pub columns: usize,
    /// Number of right sides.
    pub sides: usize,
    /// Whether the right sides were one vector; only messages ask.
    pub vector: bool,
    /// Whether the rows carry weights.
    pub weighted: bool,
    /// Whether a column of ones is appended.
    pub intercept: bool,
    /// Ridge penalties, one a column; empty = none.
    pub alpha: Vec<f64>,
    /// Rows read in a pass, once one is complete.
    pub count: usize,
    /// Passes made.
    pub passes: u64,
    /// Whether compressed rows are taken entry by entry.
    thin: bool,
}

/// Rows of a share: about a megabyte, in whole grains.
fn share_rows(columns: usize, grain: usize) -> usize {
    ((1 << 17) / columns.max(1)).div_ceil(grain).max(1) * grain
}

/// Rows of a share in memory: about a megabyte, or up to four where each of `count` running sums still gets eight. A
/// running sum leaves the cache while the others have their turn.
fn memory_share_rows(rows: usize, columns: usize, count: usize, grain: usize) -> usize {
    let least = share_rows(columns, grain);
    (rows / (8 * count)).clamp(least, 4 * least) / grain * grain
}

/// Running sums of a pass over a stream, whose length is not known.
const STREAM_SUMS: usize = 4;

impl<'a> Problem<'a> {
    /// A problem in memory. Weights and penalties must be finite and >= 0, the shapes agree.
    pub fn new(
        a: Rows<'a>,
        b: &'a [f64],
        sides: usize,
        weights: Option<&'a [f64]>,
        alpha: Vec<f64>,
        intercept: bool,
    ) -> Result<Self, ArgumentError> {
        let (n, d) = a.shape();
        if b.len() != n * sides {
            return Err(ArgumentError::shape("b", &[b.len()], &format!("a has {n} rows"), &[n * sides]));
        }
        if let Some(w) = weights.filter(|w| w.len() != n) {
            return Err(ArgumentError::shape("weights", &[w.len()], &format!("a has {n} rows"), &[n]));
        }
        let thin = match &a {
            Rows::Sparse64(a) => thin(a),
            Rows::Sparse32(a) => thin(a),
            _ => false,
        };
        Ok(Self {
            thin,
            source: Source::Memory { a, b, weights },
            columns: d,
            sides,
            vector: sides == 1,
            weighted: weights.is_some(),
            intercept,
            alpha,
            count: n,
            passes: 0,
        })
    }

    /// A problem whose rows come from a stream.
    pub fn stream(
        stream: &'a mut dyn Stream,
        columns: usize,
        sides: usize,
        weighted: bool,
        alpha: Vec<f64>,
        intercept: bool,
    ) -> Self {
        let source = Source::Stream(stream);
        let vector = sides == 1;
        Self { source, columns, sides, vector, weighted, intercept, alpha, count: 0, passes: 0, thin: false }
    }

    /// A problem whose `count` rows lie in other processes.
    pub fn remote(
        remote: &'a mut dyn Remote,
        count: usize,
        columns: usize,
        sides: usize,
        weighted: bool,
        alpha: Vec<f64>,
        intercept: bool,
    ) -> Self {
        let (source, vector) = (Source::Remote(remote), sides == 1);
        Self { source, columns, sides, vector, weighted, intercept, alpha, count, passes: 0, thin: false }
    }

    /// Unknowns: the columns and the intercept.
    pub fn order(&self) -> usize {
        self.columns + usize::from(self.intercept)
    }

    /// Whether its rows lie in memory, entry by entry.
    pub fn is_dense(&self) -> bool {
        matches!(&self.source, Source::Memory { a: Rows::F64(_) | Rows::F32(_), .. })
    }

    /// The columns of its Gram matrix.
    pub fn layout(&self) -> Layout<'_> {
        Layout {
            columns: self.columns,
            sides: self.sides,
            intercept: self.intercept,
            weighted: self.weighted,
            alpha: &self.alpha,
        }
    }

    /// Reads all rows once. `None` if the rows come from a stream that cannot begin again.
    pub fn pass<P: Pass>(
        &mut self,
        pass: &P,
        monitor: &mut Monitor<'_>,
    ) -> Result<Option<P::Sum>, RegressionError> {
        let sums = match &mut self.source {
            Source::Memory { a, b, weights } => {
                let count = accumulators(self.count, self.columns, pass.bytes());
                let rows = memory_share_rows(self.count, self.columns, count, pass.grain());
                let data = Memory { a: *a, b, weights: *weights, sides: self.sides, thin: self.thin };
                data.pass(pass, rows, count, monitor)?
            }
            Source::Stream(stream) => {
                if self.passes > 0 && !stream.restart()? {
                    return Ok(None);
                }
                let shape = (self.columns, self.sides, self.weighted);
                let rows = share_rows(self.columns, pass.grain());
                let (sums, count) = read_stream(*stream, pass, shape, rows, monitor)?;
                self.count = count;
                sums
            }
            Source::Remote(remote) => {
                monitor.poll()?;
                let sum = pass.remotely(*remote)?;
                self.passes += u64::from(sum.is_some());
                return Ok(sum);
            }
        };
        self.passes += 1;
        let mut parts = sums.into_iter();
        let mut total = parts.next().expect("at least one running sum");
        parts.for_each(|part| pass.merge(&mut total, part));
        Ok(Some(total))
    }
}

/// The rows of a problem in memory.
struct Memory<'a> {
    a: Rows<'a>,
    b: &'a [f64],
    weights: Option<&'a [f64]>,
    sides: usize,
    thin: bool,
}

/// A running sum with room for rows that do not lie as a pass wants them.
struct Running<S> {
    sum: S,
    doubles: Vec<f64>,
    singles: Vec<f32>,
}

impl Memory<'_> {
    /// Waves of shares: in each, running sum i takes the i-th share.
    fn pass<P: Pass>(
        &self,
        pass: &P,
        rows: usize,
        count: usize,
        monitor: &mut Monitor<'_>,
    ) -> Result<Vec<P::Sum>, Aborted> {
        let (n, _) = self.a.shape();
        let start = |_| Running { sum: pass.begin(), doubles: Vec::new(), singles: Vec::new() };
        let mut running: Vec<_> = (0..count).map(start).collect();
        for wave in (0..n).step_by(rows * count) {
            monitor.map_items(running.iter_mut().enumerate(), |(i, running)| {
                let from = (wave + i * rows).min(n);
                let to = (from + rows).min(n);
                if from < to {
                    self.absorb(pass, running, from, to);
                }
            })?;
        }
        Ok(running.into_iter().map(|running| running.sum).collect())
    }

    fn absorb<P: Pass>(&self, pass: &P, running: &mut Running<P::Sum>, from: usize, to: usize) {
        let Running { sum, doubles, singles } = running;
        match &self.a {
            Rows::F64(a) => self.dense(pass, sum, doubles, a, from, to),
            Rows::F32(a) => self.dense(pass, sum, singles, a, from, to),
            Rows::Sparse64(a) => self.sparse(pass, sum, doubles, a, from, to),
            Rows::Sparse32(a) => self.sparse(pass, sum, singles, a, from, to),
        }
    }

    fn dense<P: Pass, T: Entry>(
        &self,
        pass: &P,
        sum: &mut P::Sum,
        scratch: &mut Vec<T>,
        a: &MatrixView<'_, T>,
        from: usize,
        to: usize,
    ) {
        let block = a.row_range(from, to);
        // Passes read whole registers: behind a row may lie the next one, but nothing of which nothing is known.
        let d = a.columns();
        if let Some((rows, stride)) =
            block.as_rows().filter(|&(_, stride)| stride == d || d.is_multiple_of(PAD))
        {
            return self.hand(pass, sum, rows, stride, from, to);
        }
        transpose_into(&block, scratch);
        self.hand(pass, sum, scratch, d, from, to);
    }

    fn sparse<P: Pass, T: Entry>(
        &self,
        pass: &P,
        sum: &mut P::Sum,
        scratch: &mut Vec<T>,
        a: &SparseView<'_, T>,
        from: usize,
        to: usize,
    ) {
        let d = a.columns();
        if self.thin {
            let b = &self.b[from * self.sides..to * self.sides];
            let weights = self.weights.map(|w| &w[from..to]);
            if pass.absorb_thin(sum, &ThinShare { a: *a, first: from, count: to - from, b, weights }) {
                return;
            }
        }
        scratch.clear();
        scratch.resize((to - from) * d, T::default());
        for i in from..to {
            let row = &mut scratch[(i - from) * d..][..d];
            let (indices, data) = a.row(i);
            for (&j, &value) in indices.iter().zip(data) {
                // Entries that occur twice are summed, as everywhere.
                let entry = &mut row[j as usize];
                *entry = T::from_f64(entry.to_f64() + value.to_f64());
            }
        }
        self.hand(pass, sum, scratch, d, from, to);
    }

    fn hand<P: Pass, T: Entry>(
        &self,
        pass: &P,
        sum: &mut P::Sum,
        rows: &[T],
        stride: usize,
        from: usize,
        to: usize,
    ) {
        let share = Share {
            rows,
            stride,
            count: to - from,
            b: &self.b[from * self.sides..to * self.sides],
            weights: self.weights.map(|w| &w[from..to]),
            first: from,
        };
        pass.absorb(sum, &share);
    }
}

/// Copies a block into C order, in squares that stay in the first cache.
pub(super) fn transpose_into<T: Entry>(block: &MatrixView<'_, T>, out: &mut Vec<T>) {
    const SIDE: usize = 32;
    let (n, d) = block.shape();
    out.clear();
    out.resize(n * d, T::default());
    for j0 in (0..d).step_by(SIDE) {
        let columns = j0..(j0 + SIDE).min(d);
        for i0 in (0..n).step_by(SIDE) {
            let end = (i0 + SIDE).min(n);
            for j in columns.clone() {
                let column = block.column(j);
                match column.as_contiguous() {
                    Some(slice) => (i0..end).for_each(|i| out[i * d + j] = slice[i]),
                    None => (i0..end).for_each(|i| out[i * d + j] = column.get(i)),
                }
            }
        }
    }
}

/// Reads a stream to its end, cut into shares of `rows` rows whatever its blocks are. Returns the number of rows too.
fn read_stream<P: Pass>(
    stream: &mut dyn Stream,
    pass: &P,
    (columns, sides, weighted): (usize, usize, bool),
    rows: usize,
    monitor: &mut Monitor<'_>,
) -> Result<(Vec<P::Sum>, usize), Aborted> {
    let mut sums: Vec<_> = (0..STREAM_SUMS).map(|_| pass.begin()).collect();
    let (mut batch, mut read, mut more) = (Batch::default(), 0, true);
    let held = |batch: &Batch| batch.b.len() / sides.max(1);
    while more {
        while more && held(&batch) < rows * STREAM_SUMS {
            more = stream.next(&mut batch)?;
            monitor.poll()?;
        }
        // Whole waves; what is left at the end of the stream is the last one.
        while held(&batch) >= rows * STREAM_SUMS || (!more && held(&batch) > 0) {
            let n = held(&batch).min(rows * STREAM_SUMS);
            let part = &batch;
            monitor.map_items(sums.iter_mut().enumerate(), |(i, sum)| {
                let (from, to) = ((i * rows).min(n), ((i + 1) * rows).min(n));
                if from < to {
                    let share = Share {
                        rows: &part.rows[from * columns..to * columns],
                        stride: columns,
                        count: to - from,
                        b: &part.b[from * sides..to * sides],
                        weights: weighted.then(|| &part.weights[from..to]),
                        first: read + from,
                    };
                    pass.absorb(sum, &share);
                }
            })?;
            batch.rows.drain(..n * columns);
            batch.b.drain(..n * sides);
            if weighted {
                batch.weights.drain(..n);
            }
            read += n;
        }
    }
    Ok((sums, read))
}
