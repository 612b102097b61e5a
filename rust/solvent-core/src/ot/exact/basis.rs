//! A feasible, strongly feasible basis from a list of promising arcs.

use crate::ot::simplex::tree::{Edge, NIL};

/// Columns that a row looks for one by one before it sorts them all.
const SEARCHES: usize = 8;

/// The edges of a spanning tree with a non-negative flow that meets supply and demand, and the node to hang it up at so
/// that every arc of zero flow points from a row to its parent ([`pivot`](crate::ot::simplex::pivot)).
///
/// The arcs are filled greedily in the order given: each one that gets flow exhausts its row or its column, so the arcs
/// with flow form a forest (what the matrix-minimum rule does). What is left over is filled by least reduced cost. The
/// trees of the forest, each with at least one row and one column, are then hung at one another by arcs of zero flow that
/// leave from a row of the lower one.
pub fn spanning_tree(
    supply: &[i64],
    demand: &[i64],
    arcs: &[(u32, u32)],
    reduced: impl Fn(usize, usize) -> f64,
) -> (Vec<Edge>, u32) {
    let mut edges = fill(supply, demand, arcs, &reduced);
    let root = connect(supply.len(), demand.len(), arcs, &mut edges, &reduced);
    (edges, root)
}

fn fill(
    supply: &[i64],
    demand: &[i64],
    arcs: &[(u32, u32)],
    reduced: &impl Fn(usize, usize) -> f64,
) -> Vec<Edge> {
    let (mut a, mut b) = (supply.to_vec(), demand.to_vec());
    let mut edges = Vec::with_capacity(a.len() + b.len());
    let mut ship = |row: usize, column: usize, a: &mut i64, b: &mut i64| {
        let flow = (*a).min(*b);
        if flow > 0 {
            edges.push(Edge { row: row as u32, column: column as u32, flow });
            (*a, *b) = (*a - flow, *b - flow);
        }
    };
    for &(i, j) in arcs {
        let (i, j) = (i as usize, j as usize);
        ship(i, j, &mut a[i], &mut b[j]);
    }
    let mut open: Vec<(f64, usize)> = (0..b.len()).filter(|&j| b[j] > 0).map(|j| (0.0, j)).collect();
    for i in 0..a.len() {
        if a[i] == 0 {
            continue;
        }
        open.iter_mut().for_each(|(own, j)| *own = reduced(i, *j));
        let mut searches = 0;
        while a[i] > 0 && searches < SEARCHES {
            let nearest = (0..open.len()).min_by(|&k, &l| open[k].0.total_cmp(&open[l].0));
            let k = nearest.expect("supply and demand have equal sums");
            let j = open[k].1;
            ship(i, j, &mut a[i], &mut b[j]);
            if b[j] == 0 {
                open.swap_remove(k);
            }
            searches += 1;
        }
        if a[i] > 0 {
            open.sort_unstable_by(|x, y| x.0.total_cmp(&y.0).then(x.1.cmp(&y.1)));
            for &(_, j) in &open {
                ship(i, j, &mut a[i], &mut b[j]);
                if a[i] == 0 {
                    break;
                }
            }
            open.retain(|&(_, j)| b[j] > 0);
        }
    }
    edges
}

/// Adds the arcs of zero flow; returns a node of the topmost tree.
fn connect(
    n: usize,
    m: usize,
    arcs: &[(u32, u32)],
    edges: &mut Vec<Edge>,
    reduced: &impl Fn(usize, usize) -> f64,
) -> u32 {
    let mut trees = Sets::new(n + m);
    for e in edges.iter() {
        trees.join(e.row, n as u32 + e.column);
    }
    let tree: Vec<u32> = (0..(n + m) as u32).map(|x| trees.find(x)).collect();
    // Sets of trees hung together; the representative is the one that hangs nowhere yet.
    let mut sets = Sets::new(n + m);
    for &(i, j) in arcs {
        let (lower, upper) = (tree[i as usize], tree[n + j as usize]);
        if sets.find(lower) == lower && sets.find(upper) != lower {
            sets.join(lower, upper);
            edges.push(Edge { row: i, column: j, flow: 0 });
        }
    }
    // What is still apart hangs at the top set, from a row of its own topmost tree.
    let mut a_row = vec![NIL; n + m];
    for i in 0..n {
        let own = tree[i];
        if sets.find(own) == own {
            a_row[own as usize] = i as u32;
        }
    }
    let mut tops = (0..(n + m) as u32).filter(|&x| a_row[x as usize] != NIL);
    let top = tops.next().expect("at least one row");
    let below: Vec<usize> = (0..m).filter(|&j| sets.find(tree[n + j]) == top).collect();
    for other in tops {
        let i = a_row[other as usize];
        let near = below.iter().copied();
        let near = near.min_by(|&j, &k| reduced(i as usize, j).total_cmp(&reduced(i as usize, k)));
        let column = near.expect("each tree has a column") as u32;
        edges.push(Edge { row: i, column, flow: 0 });
    }
    a_row[top as usize]
}

/// Disjoint sets whose representative is chosen by the caller: `join(x, y)` keeps that of y's set.
struct Sets(Vec<u32>);

impl Sets {
    fn new(count: usize) -> Self {
        Self((0..count as u32).collect())
    }

    fn find(&mut self, mut x: u32) -> u32 {
        while self.0[x as usize] != x {
            let above = self.0[self.0[x as usize] as usize];
            self.0[x as usize] = above;
            x = above;
        }
        x
    }

    fn join(&mut self, x: u32, y: u32) {
        let (x, y) = (self.find(x), self.find(y));
        self.0[x as usize] = y;
    }
}
