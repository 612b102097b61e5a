//! Passes over the rows: each reads a source once, in shares of about a megabyte, and adds up something mergeable.
//!
//! | pass | what it adds up |
//! |---|---|
//! | [`gram`] | `[A 1 b]ᵀ W [A 1 b]`, which also shows entries that are not finite |
//! | [`norms`] | of that, the diagonal and what the right sides take part in |
//! | [`residual`] | `Aᵀ W (b - A x)` and `|b - A x|_W²` |
//! | [`precise`] | the same in double-double |
//! | [`sketched`] | `S A` for a sketch S |
//! | [`portable`] | any of these where the rows lie in other processes |
//! | [`scan`] | largest entries, and the first that is not finite |
//!
//! The shares and the number of running sums follow from the shape alone, and the sums are merged in their order, so
//! that results have the same bits for any number of threads.

pub mod gram;
pub mod norms;
pub mod portable;
pub mod precise;
pub mod residual;
pub mod scan;
pub mod sketched;

use crate::base::error::Aborted;
use crate::base::gram::CHUNK;
pub use crate::regression::problem::{Share, ThinShare};

/// Rows whose products a gradient sums one after the other before they go to its total.
pub const RUN: usize = 32;

/// Rows of the passes are read in whole registers of at most this many entries.
pub const PAD: usize = 8;

/// The least multiple of [`PAD`] that is not below `columns`.
#[inline(always)]
pub fn padded(columns: usize) -> usize {
    columns.next_multiple_of(PAD)
}

pub use crate::sketch::Element as Entry;

/// One read of all rows.
pub trait Pass: Sync {
    /// What it adds up.
    type Sum: Send;
    /// The sum of no rows.
    fn begin(&self) -> Self::Sum;
    /// Memory of a running sum.
    fn bytes(&self) -> usize;
    /// Shares begin at multiples of this.
    fn grain(&self) -> usize {
        CHUNK
    }
    /// Adds a share of rows.
    fn absorb<T: Entry>(&self, sum: &mut Self::Sum, share: &Share<'_, T>);
    /// Adds rows of few entries as they lie; `false`: this pass has no such way and wants them filled up.
    fn absorb_thin<T: Entry>(&self, sum: &mut Self::Sum, share: &ThinShare<'_, T>) -> bool {
        let _ = (sum, share);
        false
    }
    /// The pass over rows in other processes; `None` if this one cannot be told to them.
    fn remotely(&self, remote: &mut dyn portable::Remote) -> Result<Option<Self::Sum>, Aborted> {
        let _ = remote;
        Ok(None)
    }
    /// Adds another running sum.
    fn merge(&self, total: &mut Self::Sum, part: Self::Sum);
}
