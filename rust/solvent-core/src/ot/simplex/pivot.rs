//! One pivot: the cycle that an entering arc closes, the arc that leaves, the exchange.

use super::tree::Tree;

/// Enters the arc (row, column) of reduced cost `reduced` (< 0) and takes another out of the basis. Returns the units of
/// flow that went round the cycle.
///
/// The basis is kept strongly feasible (W. H. Cunningham, Mathematical Programming 11 (1976) 105-116): every arc of zero
/// flow points towards the root, that is, from a row to its parent. Following the cycle in the direction of the entering
/// arc from its topmost node, the *last* blocking arc leaves, which keeps this true and makes cycling impossible.
pub fn pivot(tree: &mut Tree, row: u32, column: u32, reduced: f64) -> i64 {
    let (mut u, mut v) = (row, column);
    let (mut least_u, mut least_v) = (i64::MAX, i64::MAX);
    let (mut leave_u, mut leave_v) = (row, column);
    // Both ends climb; the one with the smaller subtree cannot be above the other. Flow goes down the row's side and up
    // the column's: it falls on the arcs of rows there, of columns here. Climbing meets the row's side backwards, so its
    // last blocking arc is the first found (`<`), the column's forwards (`<=`).
    while u != v {
        let (size_u, size_v) = (tree.size(u), tree.size(v));
        if size_u <= size_v {
            if tree.is_row(u) && tree.flow(u) < least_u {
                (least_u, leave_u) = (tree.flow(u), u);
            }
            u = tree.parent(u);
        }
        if size_v <= size_u {
            if !tree.is_row(v) && tree.flow(v) <= least_v {
                (least_v, leave_v) = (tree.flow(v), v);
            }
            v = tree.parent(v);
        }
    }
    let join = u;
    let units = least_u.min(least_v);
    if units > 0 {
        let mut x = row;
        while x != join {
            tree.add_flow(x, if tree.is_row(x) { -units } else { units });
            x = tree.parent(x);
        }
        let mut x = column;
        while x != join {
            tree.add_flow(x, if tree.is_row(x) { units } else { -units });
            x = tree.parent(x);
        }
    }
    if least_v <= least_u {
        tree.rehang(leave_v, column, row, units, join, -reduced);
    } else {
        tree.rehang(leave_u, row, column, units, join, reduced);
    }
    units
}
