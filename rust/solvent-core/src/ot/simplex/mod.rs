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

/// Reduced costs above minus this part of the largest potential count as non-negative: some 60 roundings of one.
const RESOLUTION: f64 = 7.105_427_357_601_002e-15;

/// A basis and the arcs that may enter it.
#[derive(Debug)]
pub struct Simplex {
    /// The basis.
    pub tree: Tree,
    /// The arcs.
    pub arcs: Arcs,
    eps: f64,
    stale: u64,
}

impl Simplex {
    /// Begins with a strongly feasible tree.
    pub fn new(tree: Tree, arcs: Arcs) -> Self {
        let eps = resolution(&tree);
        Self { tree, arcs, eps, stale: 0 }
    }

    /// Arcs of reduced cost above `-eps` do not enter.
    pub fn eps(&self) -> f64 {
        self.eps
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

    /// Takes the rounding of the pivots so far out of the potentials and sets `eps` by them.
    pub fn refresh(&mut self, cost: impl Fn(usize, usize) -> f64) {
        self.stale = 0;
        self.tree.refresh(cost);
        self.eps = resolution(&self.tree);
    }
}

/// What rounding leaves of a reduced cost 0: costs of arcs that matter are no larger than the potentials.
fn resolution(tree: &Tree) -> f64 {
    RESOLUTION * tree.potentials().iter().fold(0.0, |most, x| x.abs().max(most))
}
