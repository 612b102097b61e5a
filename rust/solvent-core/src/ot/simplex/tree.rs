//! The spanning tree of a basis, rooted, with the flow of each node's arc to its parent and the dual potentials.
//!
//! Nodes `0..n` are rows and `n..n + m` columns. Every arc leads from a row to a column, so a node's parent is always of
//! the other kind: which way an arc points needs no storage, nor do arcs need numbers. Children form doubly linked lists,
//! so that re-hanging one node is O(1), and subtree sizes (which a pivot changes along two paths only) stand in for
//! depths.

/// No node.
pub const NIL: u32 = u32::MAX;

/// Where a node hangs.
#[derive(Debug, Clone, Copy)]
struct Links {
    parent: u32,
    /// First child.
    child: u32,
    /// Next and previous sibling.
    next: u32,
    prev: u32,
    /// Nodes of the subtree, this one included.
    size: u32,
}

/// A rooted spanning tree with flows and potentials.
///
/// `potential[i]` of a row is f_i, of a column **minus** g_j: the reduced cost of (i, j) is
/// `C_ij - potential[i] + potential[j]`, and a whole subtree moves by one summand.
#[derive(Debug, Clone)]
pub struct Tree {
    rows: usize,
    root: u32,
    links: Vec<Links>,
    flow: Vec<i64>,
    potential: Vec<f64>,
    stack: Vec<u32>,
}

/// An arc of the basis with its flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Row, `0..n`.
    pub row: u32,
    /// Column, `0..m`.
    pub column: u32,
    /// Flow in units, >= 0.
    pub flow: i64,
}

impl Tree {
    /// The tree of `rows + columns - 1` edges, which must connect all nodes, hung up at `root`. The potentials follow
    /// from `cost(row, column)`; the root's is 0.
    pub fn new(
        rows: usize,
        columns: usize,
        edges: &[Edge],
        root: u32,
        cost: impl Fn(usize, usize) -> f64,
    ) -> Self {
        let nodes = rows + columns;
        debug_assert_eq!(edges.len() + 1, nodes);
        // Neighbours of each node, in one array.
        let mut first = vec![0u32; nodes + 1];
        for e in edges {
            first[e.row as usize + 1] += 1;
            first[rows + e.column as usize + 1] += 1;
        }
        for x in 0..nodes {
            first[x + 1] += first[x];
        }
        let mut place = first.clone();
        let mut incident = vec![0u32; 2 * edges.len()];
        for (id, e) in edges.iter().enumerate() {
            for x in [e.row as usize, rows + e.column as usize] {
                incident[place[x] as usize] = id as u32;
                place[x] += 1;
            }
        }
        let blank = Links { parent: NIL, child: NIL, next: NIL, prev: NIL, size: 1 };
        let mut tree = Self {
            rows,
            root,
            links: vec![blank; nodes],
            flow: vec![0; nodes],
            potential: vec![0.0; nodes],
            stack: Vec::with_capacity(nodes),
        };
        let mut order = Vec::with_capacity(nodes);
        order.push(root);
        let mut k = 0;
        while k < order.len() {
            let x = order[k];
            k += 1;
            for &id in &incident[first[x as usize] as usize..first[x as usize + 1] as usize] {
                let e = edges[id as usize];
                let (row, column) = (e.row, rows as u32 + e.column);
                let y = if x == row { column } else { row };
                if y != tree.links[x as usize].parent {
                    tree.hang(y, x);
                    tree.flow[y as usize] = e.flow;
                    order.push(y);
                }
            }
        }
        assert_eq!(order.len(), nodes, "the edges connect all nodes");
        for &x in order[1..].iter().rev() {
            let Links { parent, size, .. } = tree.links[x as usize];
            tree.links[parent as usize].size += size;
        }
        tree.refresh(cost);
        tree
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.links.len()
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The potentials, rows' and then columns' (negated).
    #[inline(always)]
    pub fn potentials(&self) -> &[f64] {
        &self.potential
    }

    /// The parent of `x`.
    #[inline(always)]
    pub fn parent(&self, x: u32) -> u32 {
        self.links[x as usize].parent
    }

    /// Nodes of the subtree of `x`.
    #[inline(always)]
    pub fn size(&self, x: u32) -> u32 {
        self.links[x as usize].size
    }

    /// Flow between `x` and its parent.
    #[inline(always)]
    pub fn flow(&self, x: u32) -> i64 {
        self.flow[x as usize]
    }

    /// Adds to the flow between `x` and its parent.
    #[inline(always)]
    pub fn add_flow(&mut self, x: u32, units: i64) {
        self.flow[x as usize] += units;
    }

    /// Whether `x` is a row.
    #[inline(always)]
    pub fn is_row(&self, x: u32) -> bool {
        (x as usize) < self.rows
    }

    /// The arcs of the tree.
    pub fn edges(&self) -> impl Iterator<Item = Edge> + '_ {
        let rows = self.rows as u32;
        (0..self.links.len() as u32).filter(|&x| x != self.root).map(move |x| {
            let (parent, flow) = (self.parent(x), self.flow(x));
            let (row, column) = if x < rows { (x, parent) } else { (parent, x) };
            Edge { row, column: column - rows, flow }
        })
    }

    /// Recomputes the potentials from the costs of the tree's arcs, which takes out the rounding of the pivots so far.
    pub fn refresh(&mut self, cost: impl Fn(usize, usize) -> f64) {
        let rows = self.rows;
        self.potential[self.root as usize] = 0.0;
        self.stack.clear();
        self.stack.push(self.root);
        while let Some(x) = self.stack.pop() {
            let own = self.potential[x as usize];
            let mut y = self.links[x as usize].child;
            while y != NIL {
                self.potential[y as usize] = if (x as usize) < rows {
                    own - cost(x as usize, y as usize - rows)
                } else {
                    own + cost(y as usize, x as usize - rows)
                };
                self.stack.push(y);
                y = self.links[y as usize].next;
            }
        }
    }

    /// Cuts the subtree of `top` off, makes `x` (one of its nodes) its root and hangs it under `y` with this flow on the
    /// new arc. `join` is an ancestor of both `top` and `y`: sizes change below it only. Then all reduced costs between
    /// the two parts are set right by `shift`: it is added to the subtree, or (where that is the larger part) taken off
    /// everything else.
    pub fn rehang(&mut self, top: u32, x: u32, y: u32, flow: i64, join: u32, shift: f64) {
        let moved = self.size(top);
        let mut z = self.parent(top);
        while z != join {
            let links = &mut self.links[z as usize];
            links.size -= moved;
            z = links.parent;
        }
        // Turn the path from x up to top round; each arc's flow moves to its other end.
        let (mut node, mut new_parent, mut new_flow, mut below) = (x, y, flow, 0);
        loop {
            let Links { parent: old_parent, size: old_size, .. } = self.links[node as usize];
            self.unhang(node);
            self.hang(node, new_parent);
            self.links[node as usize].size = moved - below;
            let old_flow = std::mem::replace(&mut self.flow[node as usize], new_flow);
            if node == top {
                break;
            }
            below = old_size;
            (new_parent, new_flow, node) = (node, old_flow, old_parent);
        }
        let mut z = y;
        while z != join {
            let links = &mut self.links[z as usize];
            links.size += moved;
            z = links.parent;
        }
        if 2 * moved as usize <= self.nodes() {
            self.shift(x, NIL, shift);
        } else {
            self.shift(self.root, x, -shift);
        }
    }

    /// Adds to the potentials of the subtree of `x`, that of `except` left out.
    fn shift(&mut self, x: u32, except: u32, by: f64) {
        self.stack.clear();
        self.stack.push(x);
        while let Some(x) = self.stack.pop() {
            if x == except {
                continue;
            }
            self.potential[x as usize] += by;
            let mut y = self.links[x as usize].child;
            while y != NIL {
                self.stack.push(y);
                y = self.links[y as usize].next;
            }
        }
    }

    fn hang(&mut self, x: u32, parent: u32) {
        let next = std::mem::replace(&mut self.links[parent as usize].child, x);
        if next != NIL {
            self.links[next as usize].prev = x;
        }
        let links = &mut self.links[x as usize];
        (links.parent, links.next, links.prev) = (parent, next, NIL);
    }

    fn unhang(&mut self, x: u32) {
        let Links { parent, next, prev, .. } = self.links[x as usize];
        if prev == NIL {
            self.links[parent as usize].child = next;
        } else {
            self.links[prev as usize].next = next;
        }
        if next != NIL {
            self.links[next as usize].prev = prev;
        }
    }
}

#[cfg(test)]
impl Tree {
    /// Panics unless links, sizes, flows and potentials are what they must be, the basis strongly feasible included.
    pub fn check(&self, supply: &[i64], demand: &[i64], cost: impl Fn(usize, usize) -> f64) {
        let nodes = self.nodes();
        let mut sizes = vec![1; nodes];
        let mut left: Vec<i64> = supply.iter().chain(demand).copied().collect();
        let (mut order, mut k) = (vec![self.root], 0);
        while k < order.len() {
            let x = order[k];
            k += 1;
            let (mut y, mut before) = (self.links[x as usize].child, NIL);
            while y != NIL {
                assert_eq!((self.links[y as usize].parent, self.links[y as usize].prev), (x, before));
                assert_ne!(self.is_row(x), self.is_row(y));
                order.push(y);
                (before, y) = (y, self.links[y as usize].next);
            }
        }
        assert_eq!(order.len(), nodes, "every node hangs in the tree");
        for &x in order[1..].iter().rev() {
            let parent = self.parent(x);
            sizes[parent as usize] += sizes[x as usize];
            let flow = self.flow(x);
            assert!(flow > 0 || (flow == 0 && self.is_row(x)), "an arc of zero flow points to the root");
            left[x as usize] -= flow;
            left[parent as usize] -= flow;
            let (row, column) = if self.is_row(x) { (x, parent) } else { (parent, x) };
            let reduced = cost(row as usize, column as usize - self.rows) - self.potential[row as usize]
                + self.potential[column as usize];
            assert!(reduced.abs() < 1e-9, "arcs of the basis have reduced cost 0");
        }
        assert!((0..nodes).all(|x| sizes[x] == self.links[x].size));
        assert!(left.iter().all(|&units| units == 0), "the flow meets supply and demand");
    }
}
