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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ot::exact::basis::spanning_tree;
    use proptest::prelude::*;

    /// Costs, supply and demand of equal sums.
    fn problems() -> impl Strategy<Value = (Vec<f64>, Vec<i64>, Vec<i64>)> {
        (1usize..9, 1usize..9, 1i64..6, 1u32..40).prop_flat_map(|(n, m, most, levels)| {
            let costs = prop::collection::vec((0..levels).prop_map(f64::from), n * m);
            let (rows, columns) = (prop::collection::vec(1..=most, n), prop::collection::vec(1..=most, m));
            (costs, rows, columns).prop_map(|(costs, mut supply, mut demand)| {
                let missing = supply.iter().sum::<i64>() - demand.iter().sum::<i64>();
                if missing > 0 {
                    demand[0] += missing
                } else {
                    supply[0] -= missing
                }
                (costs, supply, demand)
            })
        })
    }

    proptest! {
        #[test]
        fn each_pivot_keeps_a_strongly_feasible_basis_and_the_last_is_optimal(
            (costs, supply, demand) in problems(), greedy in any::<bool>(),
        ) {
            let (n, m) = (supply.len(), demand.len());
            let cost = |i: usize, j: usize| costs[i * m + j];
            let all: Vec<(u32, u32)> = (0..n as u32).flat_map(|i| (0..m as u32).map(move |j| (i, j))).collect();
            // Without a list of arcs the basis comes from what is left over alone.
            let first: &[_] = if greedy { &all } else { &[] };
            let (edges, root) = spanning_tree(&supply, &demand, first, cost);
            prop_assert_eq!(edges.len(), n + m - 1);
            let tree = Tree::new(n, m, &edges, root, cost);
            let mut arcs = Arcs::default();
            all.iter().for_each(|&(i, j)| arcs.push(i, n as u32 + j, cost(i as usize, j as usize)));
            let mut simplex = Simplex::new(tree, arcs);
            simplex.tree.check(&supply, &demand, cost);
            let primal = |tree: &Tree| -> f64 {
                tree.edges().map(|e| e.flow as f64 * cost(e.row as usize, e.column as usize)).sum()
            };
            let mut value = primal(&simplex.tree);
            let mut pivots = 0;
            while simplex.advance(1, cost) == 1 {
                simplex.tree.check(&supply, &demand, cost);
                let now = primal(&simplex.tree);
                prop_assert!(now <= value);
                value = now;
                pivots += 1;
                prop_assert!(pivots < 10_000, "it ends");
            }
            let potential = simplex.tree.potentials();
            let feasible = all.iter().all(|&(i, j)| {
                cost(i as usize, j as usize) - potential[i as usize] + potential[n + j as usize] > -1e-9
            });
            let dual: f64 = supply.iter().zip(potential).map(|(&a, f)| a as f64 * f).sum::<f64>()
                - demand.iter().zip(&potential[n..]).map(|(&b, g)| b as f64 * g).sum::<f64>();
            prop_assert!(feasible && (dual - value).abs() < 1e-6, "weak duality is tight: both are optimal");
        }
    }
}
