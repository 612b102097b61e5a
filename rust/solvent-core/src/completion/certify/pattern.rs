//! What the pattern of the observed entries says about uniqueness, whatever the values.

use crate::base::sparse::SparseView;

/// Whether the pattern proves that a matrix of rank `k` is not determined: fewer entries than parameters, a row or column
/// with fewer than k, or a bipartite graph in several pieces.
pub fn is_refuted<T: Copy>(entries: &SparseView<'_, T>, k: usize) -> bool {
    let (m, n) = (entries.rows(), entries.columns());
    if k == 0 {
        return false;
    }
    if entries.nnz() < k * (m + n).saturating_sub(k) {
        return true;
    }
    let counts = column_counts(entries);
    let short = (0..m).any(|i| entries.range(i).len() < k) || counts.iter().any(|&c| c < k);
    short || components(entries).1 > 1
}

/// Entries of each column.
pub fn column_counts<T: Copy>(entries: &SparseView<'_, T>) -> Vec<usize> {
    let mut counts = vec![0; entries.columns()];
    for &j in entries.indices() {
        counts[j as usize] += 1;
    }
    counts
}

/// The connected component of each row and then each column, and how many there are.
pub fn components<T: Copy>(entries: &SparseView<'_, T>) -> (Vec<u32>, usize) {
    let (m, n) = (entries.rows(), entries.columns());
    let mut parent: Vec<u32> = (0..(m + n) as u32).collect();
    fn root(parent: &mut [u32], mut x: u32) -> u32 {
        while parent[x as usize] != x {
            parent[x as usize] = parent[parent[x as usize] as usize];
            x = parent[x as usize];
        }
        x
    }
    for i in 0..m {
        for &j in entries.row(i).0 {
            let (a, b) = (root(&mut parent, i as u32), root(&mut parent, (m + j as usize) as u32));
            if a != b {
                parent[a.max(b) as usize] = a.min(b);
            }
        }
    }
    let mut names = vec![u32::MAX; m + n];
    let mut count = 0;
    let label = (0..(m + n) as u32)
        .map(|x| {
            let r = root(&mut parent, x) as usize;
            if names[r] == u32::MAX {
                names[r] = count;
                count += 1;
            }
            names[r]
        })
        .collect();
    (label, count as usize)
}
