//! The primal network simplex method for the transportation problem, on a list of arcs that may grow.
//!
//! | file | what it holds |
//! |---|---|
//! | [`tree`] | the basis: a rooted spanning tree with flows and potentials |
//! | [`pivot`] | the cycle an entering arc closes, the arc that leaves |
//! | [`price`] | which arc enters |
//!
//! Flows are integers (units that the caller's weights are cut into): sums are exact, a flow is zero or it is not, and
//! strong feasibility, which rules out cycling, is no matter of tolerances.

pub mod pivot;
pub mod price;
pub mod tree;

use price::Arcs;
use tree::Tree;

/// How many pivots may pass before the potentials are computed afresh: each adds its rounding to them.
const REFRESH: u64 = 1 << 16;

/// A basis and the arcs that may enter it.
#[derive(Debug)]
pub struct Simplex {
    /// The basis.
    pub tree: Tree,
    /// The arcs.
    pub arcs: Arcs,
    /// Arcs of reduced cost above `-eps` do not enter.
    pub eps: f64,
    stale: u64,
}

impl Simplex {
    /// Begins with a strongly feasible tree.
    pub fn new(tree: Tree, arcs: Arcs, eps: f64) -> Self {
        Self { tree, arcs, eps, stale: 0 }
    }

    /// Does at most `limit` pivots; returns how many, fewer only where no listed arc may enter any more.
    pub fn advance(&mut self, limit: u64, cost: impl Fn(usize, usize) -> f64) -> u64 {
        for done in 0..limit {
            let Some(entering) = self.arcs.search(self.tree.potentials(), self.eps) else { return done };
            pivot::pivot(&mut self.tree, entering.row, entering.head, entering.reduced);
            self.stale += 1;
            if self.stale == REFRESH {
                self.refresh(&cost);
            }
        }
        limit
    }

    /// Takes the rounding of the pivots so far out of the potentials.
    pub fn refresh(&mut self, cost: impl Fn(usize, usize) -> f64) {
        self.stale = 0;
        self.tree.refresh(cost);
    }
}
