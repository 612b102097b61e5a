//! Where a coupling can be mended if arcs are forbidden: along its own entries only.
//!
//! The residuals of a component of the coupling's support can be routed along a spanning tree of it, as long as they
//! balance in exact arithmetic (Σa = Σb' over the component) and no entry of the tree is smaller than all residuals
//! together, so that it stays non-negative whatever passes through.

use super::certify::Coupling;
use crate::base::sum::{two_prod, two_sum};

/// Products of smaller factors may lose bits to underflow.
const SMALLEST_FACTOR: f64 = 1e-140;

/// The edges of a spanning forest of the entries that are at least `least`, if each component of positive weight balances
/// in exact arithmetic.
pub fn edges(coupling: &Coupling, a: &[f64], b: &[f64], least: f64) -> Option<usize> {
    let n = a.len();
    let mut above: Vec<u32> = (0..(n + b.len()) as u32).collect();
    let mut edges = 0;
    for (i, j, _) in coupling.entries().filter(|&(_, _, p)| p > 0.0 && p >= least) {
        let (x, y) = (find(&mut above, i as u32), find(&mut above, (n + j) as u32));
        if x != y {
            above[x as usize] = y;
            edges += 1;
        }
    }
    let mut members = vec![Vec::new(); above.len()];
    let weights = a.iter().chain(b).enumerate().filter(|(_, w)| **w > 0.0);
    for (x, _) in weights {
        members[find(&mut above, x as u32) as usize].push(x);
    }
    members.retain(|them| !them.is_empty());
    if members.len() == 1 {
        // Both sides sum to Σa by definition.
        return Some(edges);
    }
    let (total_a, total_b) = (expansion(a.to_vec())?, expansion(b.to_vec())?);
    let equal = total_a == total_b;
    let balances = |them: &[usize]| {
        let mut terms = Vec::with_capacity(2 * them.len());
        for &x in them {
            let (weight, others) = if x < n { (a[x], &total_b) } else { (-b[x - n], &total_a) };
            if equal {
                terms.push(weight);
                continue;
            }
            for &other in others {
                if weight.abs() < SMALLEST_FACTOR || other.abs() < SMALLEST_FACTOR {
                    return false;
                }
                let (p, e) = two_prod(weight, other);
                terms.extend([p, e]);
            }
        }
        expansion(terms).is_some_and(|left| left.is_empty())
    };
    members.iter().all(|them| balances(them)).then_some(edges)
}

fn find(above: &mut [u32], mut x: u32) -> u32 {
    while above[x as usize] != x {
        above[x as usize] = above[above[x as usize] as usize];
        x = above[x as usize];
    }
    x
}

/// The exact sum as a list of non-zero numbers none of which changes when its neighbour is added; empty for 0. `None`
/// where that is not reached in a reasonable number of sweeps.
fn expansion(mut terms: Vec<f64>) -> Option<Vec<f64>> {
    for _ in 0..200 {
        terms.retain(|x| *x != 0.0);
        let mut changed = false;
        for k in 1..terms.len() {
            let (sum, error) = two_sum(terms[k], terms[k - 1]);
            changed |= sum != terms[k] || error != terms[k - 1];
            (terms[k], terms[k - 1]) = (sum, error);
        }
        if !changed {
            return Some(terms);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_sums_see_the_last_bit() {
        assert_eq!(expansion(vec![1.0, 1e-30, -1.0, -1e-30]), Some(vec![]));
        assert_eq!(expansion(vec![0.1, 0.2, -0.3]).map(|left| left.len()), Some(1));
        let many: Vec<f64> = (0..1000).map(|k| 1.0 / f64::from(k + 1)).collect();
        let both = many.iter().rev().map(|x| -x).chain(many.iter().copied()).collect();
        assert_eq!(expansion(both), Some(vec![]));
    }

    #[test]
    fn components_must_balance_exactly() {
        let pairs = Coupling { data: vec![0.5, 0.5], indices: vec![0, 1], indptr: vec![0, 1, 2] };
        assert_eq!(edges(&pairs, &[0.5, 0.5], &[0.5, 0.5], 1e-16), Some(2));
        let off = 0.5 + 2f64.powi(-53);
        assert_eq!(edges(&pairs, &[off, 0.5], &[0.5, off], 1e-16), None);
        // Rows of one sixth against columns of one quarter: 3/6 = 2/4 in doubles too, though the sums differ.
        let sixth = 1.0 / 6.0;
        let six = Coupling {
            data: vec![sixth, 0.25 - sixth, sixth - 0.25 / 3.0, sixth, sixth, 0.25 - sixth, 0.08, sixth],
            indices: vec![0, 0, 1, 1, 2, 2, 3, 3],
            indptr: vec![0, 1, 3, 4, 5, 7, 8],
        };
        assert_eq!(edges(&six, &[sixth; 6], &[0.25; 4], 1e-16), Some(8));
        assert_eq!(edges(&six, &[sixth; 6], &[0.25; 4], 1.0), None);
    }
}
