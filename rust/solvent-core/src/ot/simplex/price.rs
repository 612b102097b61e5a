//! Pricing: which arc enters the basis.

/// Arcs that may enter, one array a property.
#[derive(Debug, Clone, Default)]
pub struct Arcs {
    row: Vec<u32>,
    /// The node of the column.
    head: Vec<u32>,
    cost: Vec<f64>,
    /// Where the last search ended.
    next: usize,
}

/// An arc chosen to enter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entering {
    /// The row.
    pub row: u32,
    /// The node of the column.
    pub head: u32,
    /// Its reduced cost, < 0.
    pub reduced: f64,
}

/// Fewest arcs that one search looks at.
const LEAST_BLOCK: usize = 64;

impl Arcs {
    /// Adds an arc.
    pub fn push(&mut self, row: u32, head: u32, cost: f64) {
        self.row.push(row);
        self.head.push(head);
        self.cost.push(cost);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.cost.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cost.is_empty()
    }

    /// Block search: goes round the arcs from where the last search ended, block by block, and returns the most negative
    /// reduced cost of the first block that has one below `-eps`; `None` once a full round found none.
    pub fn search(&mut self, potential: &[f64], eps: f64) -> Option<Entering> {
        let count = self.len();
        let block = LEAST_BLOCK.max(count.isqrt());
        let mut left = count;
        let (mut best, mut at) = (-eps, usize::MAX);
        while left > 0 {
            if self.next >= count {
                self.next = 0;
            }
            let end = count.min(self.next + block.min(left));
            let range = self.next..end;
            let arcs = self.row[range.clone()].iter().zip(&self.head[range.clone()]).zip(&self.cost[range]);
            for (k, ((&row, &head), &cost)) in arcs.enumerate() {
                let reduced = cost - potential[row as usize] + potential[head as usize];
                if reduced < best {
                    (best, at) = (reduced, self.next + k);
                }
            }
            left -= end - self.next;
            self.next = end;
            if at != usize::MAX {
                return Some(Entering { row: self.row[at], head: self.head[at], reduced: best });
            }
        }
        None
    }
}
