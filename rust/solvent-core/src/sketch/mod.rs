//! Random linear maps that keep the geometry of tall matrices.
//!
//! A sketch S has m rows and n columns, m much less than n, and E[S^T S] = I. For a matrix A of d < m columns, the singular
//! values of S Q (Q an orthonormal basis of the range of A) lie near 1 with high probability, so that S A stands for A in
//! factorisations and in regression.
//!
//! | sketch | a column of S | cost of S A |
//! |---|---|---|
//! | [`BlockHadamard`] | 8 entries +-8^-1/2, shared by the rows of a tile | one pass over A |
//! | [`SparseSign`] | k entries +-k^-1/2 (k = 1: CountSketch; Cohen, SODA 2016) | k scatters an element |
//! | [`Srht`] | m entries +-m^-1/2 (Tropp, Adv. Adapt. Data Anal. 3 (2011) 115) | about log2 m additions an element |
//! | [`Gaussian`] | m normal numbers of variance 1/m | m multiplications an element |
//! | [`TensorSrht`] | of a Kronecker product x (x) y, without forming it | a transform of x and one of y |
//!
//! * [`Sketch`] is the contract. Rows come in any pieces that begin at a multiple of [`Sketch::grain`]:
//!   [`Sketch::add`] adds to an output what rows first, first + 1, ... contribute, so partial sketches of disjoint rows add
//!   up to the whole.
//! * [`apply`], [`apply_sparse`] and [`apply_adjoint`] work on matrices that are there; [`Stream`] takes rows as they come.
//!   Both sum the same [panels](panel_rows) in the same order: the same bits for any number of threads, any cut of the
//!   stream, any order of the array in memory, any SIMD level.

mod apply;
mod block_hadamard;
mod draws;
mod gaussian;
mod hadamard;
mod operator;
mod rows;
mod sparse_sign;
mod srht;
mod stream;
mod tensor_srht;

pub use apply::{apply, apply_adjoint, apply_sparse, panel_rows, to_dense};
pub use block_hadamard::{BlockHadamard, MAX_MIXING};
pub use draws::{Key, STREAMS};
pub use gaussian::Gaussian;
pub use operator::{Name, Operator};
pub use rows::{Element, Rows, pack};
pub use sparse_sign::SparseSign;
pub use srht::{Srht, padded_size};
pub use stream::Stream;
pub use tensor_srht::TensorSrht;

use std::ops::Range;

/// A random map that is known column by column.
///
/// Outputs are matrices of m rows in C order whose rows are padded to [`Rows::padded`] elements; what stands in the
/// padding has no meaning. They hold sums without the factor [`scale`](Self::scale), which is applied once at the end.
pub trait Sketch: Clone + Send + Sync {
    /// m.
    fn rows(&self) -> usize;

    /// A block of input rows begins at a multiple of this, and has a multiple of it as its length unless it ends with
    /// the last row of all.
    fn grain(&self) -> usize;

    /// What the sums are multiplied by at the end.
    fn scale(&self) -> f64;

    /// How many columns of an input are worked at a time. Long runs of each row matter more than an output inside the
    /// level-2 cache: only what a level-3 cache cannot hold is cut.
    fn stripe(&self) -> usize {
        const BYTES: usize = 16 << 20;
        (BYTES / (8 * self.rows())).next_multiple_of(rows::LANES).max(512)
    }

    /// `out += S block` for rows first, first + 1, ... of the input.
    ///
    /// # Panics
    /// If `first` is no multiple of the grain.
    fn add<T: Element>(&self, block: &Rows<'_, T>, first: usize, out: &mut [f64]);

    /// `out += S^T y` for the rows first, first + 1, ... that `out` holds; rows of `y` and `out` have `padded` elements.
    ///
    /// # Panics
    /// If `first` is no multiple of the grain.
    fn add_adjoint(&self, y: &[f64], padded: usize, first: usize, out: &mut [f64]);

    /// Non-zeros in each column; `None` where all entries are.
    fn nonzeros(&self) -> Option<usize>;

    /// Calls `visit(column, row, value)` for the non-zeros of a range of the n columns, column by column.
    fn visit(&self, n: usize, range: Range<usize>, visit: &mut dyn FnMut(usize, usize, f64));
}

#[cfg(test)]
mod tests;
