//! Gram matrices `G = sum_i w_i a_i a_iᵀ` of many rows: the symmetric rank-k update that regression, quantile regression
//! and interior points stand on.
//!
//! Rows are packed into [`Panels`] and multiplied in register tiles; only one triangle is computed. What the rounding
//! can do follows from the schedule and does not grow with the number of rows ([`TERMS`]).
//!
//! ```
//! use solvent_core::base::gram::{Gram, Panels};
//!
//! let rows = [1.0, 2.0, 3.0, 4.0]; // two rows of two columns
//! let mut gram = Gram::new(2);
//! gram.accumulate(&mut Panels::new(2), &rows, 2, None);
//! assert_eq!(gram.matrix().as_slice(), [10.0, 14.0, 14.0, 20.0]);
//! ```

mod kernel;
mod panels;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub use panels::{CHUNK, Octet, Panels, WIDTH};

use super::dense::Matrix;
use super::error::Aborted;
use super::monitor::Monitor;
use super::view::{MatrixView, Real};

/// Rows whose products are summed one after the other in a register.
pub const RUN: usize = 64;

/// `c` of the bound `|fl(G)_jk - G_jk| <= γ_c sum_i |a_ij a_ik|`, `γ_c = c u / (1 - c u)`, without weights: 64 additions
/// in a run and the product's own rounding where the level has no fused multiply-add, the runs of a chunk, then the sum
/// of head and tail. The chunks themselves are added by two-sums, whose tails are summed plainly: `N` chunks cost
/// `2 N² u²`, less than one more `u` up to `N = 2^25` chunks (`10^9` rows and more).
pub const TERMS: usize = RUN + 1 + CHUNK / RUN + 2;

/// What weights add to [`TERMS`]: each factor of a product carries a rounded square root and a rounded product.
pub const WEIGHT_TERMS: usize = 4;

/// An 8 by 8 block of the matrix, by columns.
type Tile = [Octet; WIDTH];

/// Where tile (p, q), q <= p, lies.
#[inline(always)]
fn place(p: usize, q: usize) -> usize {
    p * (p + 1) / 2 + q
}

/// A running Gram matrix: heads and tails of the lower triangle, in tiles.
#[derive(Debug, Clone, PartialEq)]
pub struct Gram {
    order: usize,
    sums: Vec<Tile>,
    errors: Vec<Tile>,
}

impl Gram {
    /// The Gram matrix of no rows.
    pub fn new(order: usize) -> Self {
        let count = order.div_ceil(WIDTH);
        let tiles = vec![[Octet::ZERO; WIDTH]; count * (count + 1) / 2];
        Self { order, sums: tiles.clone(), errors: tiles }
    }

    /// Number of columns of the rows.
    pub fn order(&self) -> usize {
        self.order
    }

    /// Bytes that a running matrix of this order holds.
    pub fn bytes(order: usize) -> usize {
        let count = order.div_ceil(WIDTH);
        count * (count + 1) * size_of::<Tile>()
    }

    /// Adds the rows of a packed chunk.
    pub fn add(&mut self, panels: &Panels) {
        self.add_ahead::<f64>(panels, &[], 0..0);
    }

    /// Adds the rows of a packed chunk, and meanwhile asks memory for `rows[range]`, which the caller packs next. Any
    /// range is allowed: these are hints.
    pub fn add_ahead<T>(&mut self, panels: &Panels, rows: &[T], range: Range<usize>) {
        assert_eq!(panels.columns(), self.order, "panels and Gram matrix of different orders");
        let (sums, errors) = (&mut self.sums, &mut self.errors);
        let ahead = kernel::Ahead::new(rows, range);
        solvent_simd::dispatch(kernel::Accumulate { panels, sums, errors, ahead });
    }

    /// Adds rows that lie `stride` apart, each times the square root of its weight. `scratch` is any [`Panels`] of
    /// this order.
    pub fn accumulate<T: Real>(
        &mut self,
        scratch: &mut Panels,
        rows: &[T],
        stride: usize,
        weights: Option<&[f64]>,
    ) {
        if self.order == 0 || rows.is_empty() {
            return;
        }
        let count = (rows.len() - self.order) / stride + 1;
        let mut roots = [0.0; CHUNK];
        for start in (0..count).step_by(CHUNK) {
            let n = CHUNK.min(count - start);
            if let Some(weights) = weights {
                for (root, w) in roots.iter_mut().zip(&weights[start..start + n]) {
                    *root = w.sqrt();
                }
            }
            scratch.begin(n);
            scratch.write(0, &rows[start * stride..], stride, self.order, weights.map(|_| &roots[..]));
            let next = (start + n) * stride;
            self.add_ahead(scratch, rows, next..rows.len().min(next + CHUNK * stride));
        }
    }

    /// Adds one row given by its entries other than zero, no column twice: `O(entries²)`. A rounding of the product and
    /// two-sums of as many rows as a column has entries, so that [`TERMS`] holds for up to `2^25` rows.
    pub fn add_outer(&mut self, columns: &[usize], values: &[f64]) {
        for (k, (&i, &x)) in columns.iter().zip(values).enumerate() {
            for (&j, &y) in columns[..=k].iter().zip(values) {
                let (high, low) = (i.max(j), i.min(j));
                let (tile, c, l) = (place(high / WIDTH, low / WIDTH), low % WIDTH, high % WIDTH);
                let (s, e) = super::sum::two_sum(self.sums[tile][c].0[l], x * y);
                self.sums[tile][c].0[l] = s;
                self.errors[tile][c].0[l] += e;
            }
        }
    }

    /// Adds another running matrix.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(other.order, self.order, "Gram matrices of different orders");
        for (i, tile) in other.sums.iter().enumerate() {
            for (c, octet) in tile.iter().enumerate() {
                for (l, &x) in octet.0.iter().enumerate() {
                    let (s, e) = super::sum::two_sum(self.sums[i][c].0[l], x);
                    self.sums[i][c].0[l] = s;
                    // Tails first: the sum is the same in either order of the two.
                    let tails = self.errors[i][c].0[l] + other.errors[i][c].0[l];
                    self.errors[i][c].0[l] = tails + e;
                }
            }
        }
    }

    /// Heads, then tails, for storage.
    pub fn to_vec(&self) -> Vec<f64> {
        self.sums.iter().chain(&self.errors).flatten().flat_map(|octet| octet.0).collect()
    }

    /// From what [`to_vec`](Self::to_vec) gave; `None` if the length does not fit the order.
    pub fn from_slice(order: usize, stored: &[f64]) -> Option<Self> {
        let mut new = Self::new(order);
        let tile = WIDTH * WIDTH;
        if stored.len() != 2 * new.sums.len() * tile {
            return None;
        }
        let octets = new.sums.iter_mut().chain(&mut new.errors).flatten();
        octets.zip(stored.chunks_exact(WIDTH)).for_each(|(octet, part)| octet.0.copy_from_slice(part));
        Some(new)
    }

    /// The entry in row i, column j. Once a sum has overflowed or met a nan it is what a plain sum would give.
    pub fn get(&self, i: usize, j: usize) -> f64 {
        let (i, j) = (i.max(j), i.min(j));
        let (tile, c, l) = (place(i / WIDTH, j / WIDTH), j % WIDTH, i % WIDTH);
        let head = self.sums[tile][c].0[l];
        if head.is_finite() { head + self.errors[tile][c].0[l] } else { head }
    }

    /// The matrix, both triangles.
    pub fn matrix(&self) -> Matrix<f64> {
        let mut full = Matrix::zeros(self.order, self.order);
        for j in 0..self.order {
            for i in j..self.order {
                let value = self.get(i, j);
                full.set(i, j, value);
                full.set(j, i, value);
            }
        }
        full
    }
}

/// Rows of a wave's share: about a megabyte, and whole chunks.
fn share(columns: usize) -> usize {
    ((1 << 17) / columns.max(1)).div_ceil(CHUNK).max(1) * CHUNK
}

/// How many running matrices a pass over a matrix of `rows` rows keeps: as many as memory of a twentieth of the matrix
/// holds, at most 16, at least one. A function of the shape alone, so that results do not depend on threads.
pub fn accumulators(rows: usize, columns: usize, bytes_each: usize) -> usize {
    (rows.saturating_mul(columns) * size_of::<f64>() / 20 / bytes_each.max(1)).clamp(1, 16)
}

/// `aᵀ diag(w) a` with the monitor's threads; `weights` must be >= 0. A matrix whose rows are not contiguous is copied,
/// a share of rows at a time.
pub fn gram<T: Real>(
    a: MatrixView<'_, T>,
    weights: Option<&[f64]>,
    monitor: &mut Monitor<'_>,
) -> Result<Matrix<f64>, Aborted> {
    let (n, d) = a.shape();
    let (rows, count) = (share(d), accumulators(n, d, Gram::bytes(d)));
    let mut running: Vec<_> = (0..count).map(|_| (Gram::new(d), Panels::new(d))).collect();
    for wave in (0..n).step_by(rows * count) {
        let items = running.iter_mut().enumerate();
        monitor.map_items(items, |(i, (gram, panels))| {
            let from = (wave + i * rows).min(n);
            let to = (from + rows).min(n);
            let block = a.row_range(from, to);
            let weights = weights.map(|w| &w[from..to]);
            match block.as_rows() {
                Some((slice, stride)) => gram.accumulate(panels, slice, stride, weights),
                None => gram.accumulate(panels, &block.to_row_major(), d, weights),
            }
        })?;
    }
    let mut parts = running.into_iter().map(|(gram, _)| gram);
    let mut total = parts.next().expect("at least one");
    parts.for_each(|part| total.merge(&part));
    Ok(total.matrix())
}
