//! Products of a sparse matrix with a vector, and what a method does with each row's sum while it is at hand.
//!
//! Each row's sum has one order, whatever the instruction set and the number of threads: its first `width` entries one
//! after the other, then the eight lanes of its tail as a fixed tree.

use super::sell::{C, Index, Order, Sell, Value};
use super::spmm::{Many, UpdateMany};
use crate::base::pool;
use crate::base::sparse::SparseView;
use solvent_simd::{F64s, Kernel, Lanes, Simd, dispatch};
use std::ops::Range;

/// Registers that hold one entry of each row, on the narrowest instruction set.
const PARTS: usize = 4;

impl<T: Value, I: Index> Sell<T, I> {
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
    pub fn rows_of_many<const W: usize, U: UpdateMany<W>>(&self, table: &[f64], update: U) {
        let (table, _) = table.as_chunks::<W>();
        each!(self, sell => dispatch(Many { sell, table, update }));
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

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::base::rng::Philox;
    use crate::base::sparse::Sparse;

    pub fn random(m: usize, n: usize, rng: &mut Philox) -> Sparse<f64> {
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
}
