//! Products of a sparse matrix with many vectors at once.
//!
//! The vectors are interleaved: entry j of all of them is one element of the table. An entry of the matrix is read once
//! for all, and nothing is gathered. Each vector's sums have the order, and so the bits, of a product by itself.

use super::sell::{C, Index, Sell, Tail, Value};
use solvent_simd::{F64s, Kernel, Lanes, Simd};

/// What is done with the sums of one row.
pub trait UpdateMany<const W: usize> {
    /// `sums` holds W sums of row `row` in P registers.
    fn apply<V: F64s, const P: usize>(&mut self, row: usize, sums: &[V; P]);
}

/// The product itself.
pub struct StoreMany<'a> {
    /// Where it goes, interleaved.
    pub out: &'a mut [f64],
}

impl<const W: usize> UpdateMany<W> for StoreMany<'_> {
    #[inline(always)]
    fn apply<V: F64s, const P: usize>(&mut self, row: usize, sums: &[V; P]) {
        let out = &mut self.out[row * W..][..W];
        let mut p = 0;
        while p < P {
            sums[p].store(&mut out[p * V::LANES..]);
            p += 1;
        }
    }
}

/// The product with W vectors, 8 or 16.
pub struct Many<'a, T, I, U, const W: usize> {
    /// The matrix.
    pub sell: &'a Sell<T, I>,
    /// The vectors.
    pub table: &'a [[f64; W]],
    /// What becomes of the sums.
    pub update: U,
}

impl<T: Value, I: Index, U: UpdateMany<W>, const W: usize> Kernel for Many<'_, T, I, U, W> {
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

impl<T: Value, I: Index, U: UpdateMany<W>, const W: usize> Many<'_, T, I, U, W> {
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
                    self.update.apply(k * C + first + row, &sums[row]);
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
        let x = &self.table[index.at()];
        let mut p = 0;
        while p < P {
            sums[p] = value.mul_add(V::load(&x[p * V::LANES..]), sums[p]);
            p += 1;
        }
    }

    /// Adds a tail: eight partial sums, joined as [`tree`](super::spmv::tree) does.
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
    use super::super::sell::Order;
    use super::super::spmv::{Matrix, tests::random};
    use super::*;
    use crate::base::rng::Philox;

    fn check<const W: usize>(rng: &mut Philox) {
        let a = random(120, 90, rng);
        let (rows, columns) = (Order::new(a.view()), Order::new(a.view().transpose().0.view()));
        let sell = Matrix::new(a.view(), &rows, &columns, false, |_, _, v| v);
        let table: Vec<f64> = (0..columns.padded() * W).map(|_| rng.normal()).collect();
        let mut out = vec![f64::NAN; rows.padded() * W];
        sell.rows_of_many::<W, _>(&table, StoreMany { out: &mut out });
        for l in 0..W {
            let x: Vec<f64> = table.iter().skip(l).step_by(W).copied().collect();
            let mut one = vec![0.0; rows.padded()];
            sell.multiply(&x, &mut one);
            let many: Vec<f64> = out.iter().skip(l).step_by(W).copied().collect();
            assert_eq!(one, many);
        }
    }

    #[test]
    fn many_vectors_have_the_bits_of_one() {
        let mut rng = Philox::new(6, 0, 0);
        check::<8>(&mut rng);
        check::<16>(&mut rng);
    }
}
