//! The Gram matrix of the rows with what is appended to them: ones for the intercept, and the right sides.

use std::ops::Range;

use super::portable::{Portable, Remote};
use super::{Entry, Pass, Share, ThinShare};
use crate::base::dense::{Matrix, Onto, gemm};
use crate::base::error::Aborted;
use crate::base::gram::{CHUNK, Gram, Panels, WIDTH};
use crate::base::view::MatrixView;

/// `[A 1 b]ᵀ W [A 1 b]`, the columns scaled by powers of two.
#[derive(Debug, Clone)]
pub struct Augmented {
    /// Columns of A.
    pub columns: usize,
    /// Whether a column of ones follows.
    pub intercept: bool,
    /// How many right sides follow.
    pub sides: usize,
    /// Factors of all columns, powers of two; empty = all 1.
    pub scales: Vec<f64>,
}

impl Augmented {
    fn order(&self) -> usize {
        self.columns + usize::from(self.intercept) + self.sides
    }
}

/// A running Gram matrix with its scratch.
#[derive(Debug, Clone)]
pub struct RunningGram {
    /// The sums.
    pub gram: Gram,
    panels: Panels,
    roots: Vec<f64>,
    scaled: Vec<f64>,
}

impl RunningGram {
    fn new(order: usize) -> Self {
        Self {
            gram: Gram::new(order),
            panels: Panels::new(order),
            roots: vec![1.0; CHUNK],
            scaled: Vec::new(),
        }
    }
}

impl Pass for Augmented {
    type Sum = RunningGram;

    fn begin(&self) -> RunningGram {
        RunningGram::new(self.order())
    }

    fn bytes(&self) -> usize {
        Gram::bytes(self.order()) + self.order() * CHUNK * size_of::<f64>()
    }

    fn absorb<T: Entry>(&self, sum: &mut RunningGram, share: &Share<'_, T>) {
        let (d, k) = (self.columns, self.sides);
        for start in (0..share.count).step_by(CHUNK) {
            let n = CHUNK.min(share.count - start);
            let RunningGram { gram, panels, roots, scaled } = sum;
            for i in 0..n {
                roots[i] = share.weight(start + i).sqrt();
            }
            let factors = share.weights.map(|_| &roots[..n]);
            panels.begin(n);
            let rows = &share.rows[start * share.stride..];
            if self.scales.is_empty() {
                panels.write(0, rows, share.stride, d, factors);
                panels.write(self.order() - k, &share.b[start * k..], k, k, factors);
            } else {
                scaled.clear();
                for i in 0..n {
                    let row = &rows[i * share.stride..][..d];
                    scaled.extend(row.iter().zip(&self.scales).map(|(a, s)| a.to_f64() * s));
                }
                panels.write(0, scaled, d, d, factors);
                scaled.clear();
                let sides = &self.scales[self.order() - k..];
                for i in start..start + n {
                    scaled.extend(share.b[i * k..][..k].iter().zip(sides).map(|(b, s)| b * s));
                }
                panels.write(self.order() - k, scaled, k, k, factors);
            }
            if self.intercept {
                panels.write_constant(d, 1.0, factors);
            }
            // Behind the last chunk of the share lies the next share, unless another thread has it.
            let next = (start + n) * share.stride;
            gram.add_ahead(panels, share.rows, next..next + CHUNK * share.stride);
        }
    }

    fn absorb_thin<T: Entry>(&self, sum: &mut RunningGram, share: &ThinShare<'_, T>) -> bool {
        let (d, k, order) = (self.columns, self.sides, self.order());
        let scale = |j: usize| self.scales.get(j).copied().unwrap_or(1.0);
        let (mut columns, mut values) = (Vec::new(), Vec::new());
        for i in 0..share.count {
            let root = share.weight(i).sqrt();
            columns.clear();
            values.clear();
            for (j, value) in share.row(i) {
                columns.push(j);
                values.push(value * scale(j) * root);
            }
            if self.intercept {
                columns.push(d);
                values.push(root);
            }
            for c in 0..k {
                columns.push(order - k + c);
                values.push(share.b[i * k + c] * scale(order - k + c) * root);
            }
            sum.gram.add_outer(&columns, &values);
        }
        true
    }

    fn remotely(&self, remote: &mut dyn Remote) -> Result<Option<Self::Sum>, Aborted> {
        Ok(self.unpack(&remote.pass(Self::NAME, self.numbers())?))
    }

    fn merge(&self, total: &mut RunningGram, part: RunningGram) {
        total.gram.merge(&part.gram);
    }
}

impl Portable for Augmented {
    const NAME: &'static str = "gram";

    fn numbers(&self) -> Vec<f64> {
        let shape = [self.columns as f64, f64::from(u8::from(self.intercept)), self.sides as f64];
        [&shape, &self.scales[..]].concat()
    }

    fn told(numbers: &[f64]) -> Option<Self> {
        let (&[columns, intercept, sides], scales) = numbers.split_first_chunk()?;
        let (columns, intercept, sides) = (columns as usize, intercept > 0.0, sides as usize);
        Some(Self { columns, intercept, sides, scales: scales.to_vec() })
    }

    fn pack(&self, sum: RunningGram) -> Vec<f64> {
        sum.gram.to_vec()
    }

    fn unpack(&self, numbers: &[f64]) -> Option<RunningGram> {
        let gram = Gram::from_slice(self.order(), numbers)?;
        Some(RunningGram { gram, ..RunningGram::new(self.order()) })
    }
}

/// `([A 1] T)ᵀ W ([A 1] T)` for a stored T; `A T` is formed a chunk at a time.
#[derive(Debug, Clone)]
pub struct Preconditioned {
    /// Columns of A.
    pub columns: usize,
    /// Whether a column of ones follows.
    pub intercept: bool,
    /// T, one row a column of `[A 1]`.
    pub t: Matrix<f64>,
}

impl Preconditioned {
    /// Blocks of columns of T, each with how many of its rows are not all zero: half of a triangle costs nothing.
    fn blocks(&self) -> Vec<(Range<usize>, usize)> {
        const BLOCKS: usize = 8;
        let order = self.t.columns();
        let width = order.div_ceil(BLOCKS).next_multiple_of(WIDTH).max(4 * WIDTH);
        let used = |j: usize| self.t.column(j).iter().rposition(|&t| t != 0.0).map_or(0, |last| last + 1);
        let block = |from: usize| {
            let columns = from..order.min(from + width);
            (columns.clone(), columns.map(used).fold(1, usize::max))
        };
        (0..order).step_by(width).map(block).collect()
    }
}

/// A running Gram matrix of transformed rows.
#[derive(Debug, Clone)]
pub struct RunningProduct {
    /// The sums.
    pub gram: Gram,
    panels: Panels,
    roots: Vec<f64>,
    rows: Vec<f64>,
    product: Matrix<f64>,
}

impl Pass for Preconditioned {
    type Sum = RunningProduct;

    fn begin(&self) -> RunningProduct {
        let order = self.t.columns();
        RunningProduct {
            gram: Gram::new(order),
            panels: Panels::new(order),
            roots: vec![1.0; CHUNK],
            rows: Vec::new(),
            product: Matrix::zeros(0, 0),
        }
    }

    fn bytes(&self) -> usize {
        Gram::bytes(self.t.columns()) + 3 * self.t.rows() * CHUNK * size_of::<f64>()
    }

    fn absorb<T: Entry>(&self, sum: &mut RunningProduct, share: &Share<'_, T>) {
        let d = self.columns;
        let blocks = self.blocks();
        for start in (0..share.count).step_by(CHUNK) {
            let n = CHUNK.min(share.count - start);
            let RunningProduct { gram, panels, roots, rows, product } = sum;
            for i in start..start + n {
                roots[i - start] = share.weight(i).sqrt();
            }
            let own = T::doubles(&share.rows[start * share.stride..][..(n - 1) * share.stride + d]);
            let a = if let Some(own) = own.filter(|_| !self.intercept) {
                MatrixView::new(own, 0, (d, n), (1, share.stride as isize))
            } else {
                rows.clear();
                for i in start..start + n {
                    rows.extend(share.rows[i * share.stride..][..d].iter().map(|a| a.to_f64()));
                    rows.extend(self.intercept.then_some(1.0));
                }
                MatrixView::column_major(rows, self.t.rows(), n)
            };
            let a = a.expect("whole rows");
            let factors = share.weights.map(|_| &roots[..n]);
            panels.begin(n);
            for (columns, reach) in &blocks {
                if (product.rows(), product.columns()) != (columns.len(), n) {
                    *product = Matrix::zeros(columns.len(), n);
                }
                // (A T)ᵀ by columns is A T by rows.
                let t = self.t.view().row_range(0, *reach).transpose().row_range(columns.start, columns.end);
                gemm(product, Onto::Replace, 1.0, t, a.row_range(0, *reach));
                panels.write(columns.start, product.as_slice(), columns.len(), columns.len(), factors);
            }
            let next = (start + n) * share.stride;
            gram.add_ahead(panels, share.rows, next..next + CHUNK * share.stride);
        }
    }

    fn remotely(&self, remote: &mut dyn Remote) -> Result<Option<Self::Sum>, Aborted> {
        Ok(self.unpack(&remote.pass(Self::NAME, self.numbers())?))
    }

    fn merge(&self, total: &mut RunningProduct, part: RunningProduct) {
        total.gram.merge(&part.gram);
    }
}

impl Portable for Preconditioned {
    const NAME: &'static str = "preconditioned";

    fn numbers(&self) -> Vec<f64> {
        let shape = [self.columns as f64, f64::from(u8::from(self.intercept)), self.t.columns() as f64];
        [&shape, self.t.as_slice()].concat()
    }

    fn told(numbers: &[f64]) -> Option<Self> {
        let (&[columns, intercept, order], t) = numbers.split_first_chunk()?;
        let (columns, intercept, order) = (columns as usize, intercept > 0.0, order as usize);
        let rows = columns + usize::from(intercept);
        (t.len() == rows * order).then(|| Self {
            columns,
            intercept,
            t: Matrix::from_column_major(t.to_vec(), rows, order),
        })
    }

    fn pack(&self, sum: RunningProduct) -> Vec<f64> {
        sum.gram.to_vec()
    }

    fn unpack(&self, numbers: &[f64]) -> Option<RunningProduct> {
        Some(RunningProduct { gram: Gram::from_slice(self.t.columns(), numbers)?, ..self.begin() })
    }
}
