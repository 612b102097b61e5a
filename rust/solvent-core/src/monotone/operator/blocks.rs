//! How sums over components are cut: blocks of a size that depends on the data alone, added in their order.

use super::{Pick, gamma};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;

/// Partial sums that are alive at once.
const WAVE: usize = 64;

/// Cuts of sums over `n` components that are vectors of `d` numbers.
#[derive(Debug, Clone, Copy)]
pub struct Blocks {
    block: usize,
}

impl Blocks {
    /// Blocks of about `entries` entries of the data, where a component has `size` of them and a partial sum `d`:
    /// large enough that a partial sum costs little beside the block.
    pub fn new(size: usize, d: usize) -> Self {
        const ENTRIES: usize = 1 << 16;
        Self { block: (ENTRIES.max(8 * d) / size.max(1)).clamp(1, 4096) }
    }

    /// Components of a block.
    pub fn size(self) -> usize {
        self.block
    }

    /// `out = Σ` of what `part` makes of each block of the components picked.
    pub fn sum(
        self,
        pick: Pick<'_>,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
        part: impl Fn(Pick<'_>, &mut [f64]) + Sync,
    ) -> Result<(), Aborted> {
        out.fill(0.0);
        if pick.len() <= self.block {
            part(pick, out);
            return monitor.poll();
        }
        let d = out.len();
        let make = |range: std::ops::Range<usize>| {
            let mut partial = vec![0.0; d];
            part(pick.part(range.start, range.end), &mut partial);
            partial
        };
        self.fold(pick.len(), monitor, make, |partial: Vec<f64>| {
            for (out, partial) in out.iter_mut().zip(&partial) {
                *out += partial;
            }
        })
    }

    /// What `make` makes of each block of n components, handed to `join` in their order.
    pub fn fold<T: Send>(
        self,
        n: usize,
        monitor: &mut Monitor<'_>,
        make: impl Fn(std::ops::Range<usize>) -> T + Sync,
        mut join: impl FnMut(T),
    ) -> Result<(), Aborted> {
        monitor.fold_blocks(n, self.block, WAVE, make, |part| {
            join(part);
            Ok(())
        })
    }

    /// The relative error of such a sum of `n` terms, in units of the sum of their magnitudes.
    pub fn gamma(self, n: usize) -> f64 {
        gamma(self.block.min(n) + n.div_ceil(self.block) + 2)
    }
}
