//! Anderson's extrapolation, type II: `x⁺ = T(x) - (ΔX + ΔR) γ` with `γ = argmin ‖r - ΔR γ‖₂`, r = T(x) - x.

use std::collections::VecDeque;

/// Differences whose residual part is to this share a combination of newer ones are left out.
const RCOND: f64 = 1e-12;

/// The last differences of iterates and residuals.
#[derive(Debug, Clone)]
pub struct Memory {
    depth: usize,
    /// The last iterate and residual.
    last: Option<(Vec<f64>, Vec<f64>)>,
    /// `(ΔX + ΔR, ΔR)`, the newest first.
    pairs: VecDeque<(Vec<f64>, Vec<f64>)>,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn minus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

impl Memory {
    /// Remembers `depth` differences at most.
    pub fn new(depth: usize) -> Self {
        Self { depth, last: None, pairs: VecDeque::with_capacity(depth) }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.last = None;
        self.pairs.clear();
    }

    /// The next point to evaluate, from x, T(x) and r = T(x) - x.
    pub fn next(&mut self, x: &[f64], image: &[f64], r: &[f64]) -> Vec<f64> {
        if let Some((last_x, last_r)) = &self.last {
            let of_r = minus(r, last_r);
            let both = minus(x, last_x).iter().zip(&of_r).map(|(a, b)| a + b).collect();
            if self.pairs.len() == self.depth {
                self.pairs.pop_back();
            }
            self.pairs.push_front((both, of_r));
        }
        self.last = Some((x.to_vec(), r.to_vec()));
        let mut next = image.to_vec();
        for (k, gamma) in self.coefficients(r) {
            next.iter_mut().zip(&self.pairs[k].0).for_each(|(x, d)| *x -= gamma * d);
        }
        next
    }

    /// The least-squares coefficients by Gram-Schmidt, each column twice, newest first; what depends on newer ones is
    /// dropped.
    fn coefficients(&self, r: &[f64]) -> Vec<(usize, f64)> {
        let mut basis: Vec<Vec<f64>> = Vec::new();
        // Column by column of the triangular factor, with the pair it belongs to.
        let mut factor: Vec<(usize, Vec<f64>)> = Vec::new();
        let mut largest = 0.0_f64;
        for (k, (_, column)) in self.pairs.iter().enumerate() {
            let size = dot(column, column).sqrt();
            largest = largest.max(size);
            let mut rest = column.clone();
            let mut entries = vec![0.0; basis.len()];
            for _ in 0..2 {
                for (entry, q) in entries.iter_mut().zip(&basis) {
                    let share = dot(q, &rest);
                    *entry += share;
                    rest.iter_mut().zip(q).for_each(|(x, q)| *x -= share * q);
                }
            }
            let left = dot(&rest, &rest).sqrt();
            if !left.is_finite() || left <= RCOND * largest || left <= 1e-10 * size {
                continue;
            }
            rest.iter_mut().for_each(|x| *x /= left);
            entries.push(left);
            basis.push(rest);
            factor.push((k, entries));
        }
        let mut right: Vec<f64> = basis.iter().map(|q| dot(q, r)).collect();
        let mut gamma = vec![0.0; right.len()];
        for i in (0..right.len()).rev() {
            gamma[i] = right[i] / factor[i].1[i];
            for j in 0..i {
                right[j] -= factor[i].1[j] * gamma[i];
            }
        }
        factor.iter().map(|(k, _)| *k).zip(gamma).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_affine_map_is_solved_in_as_many_differences_as_it_has_dimensions() {
        // T(x) = A x + b with A far from small: only the secants can find the fixed point (1, 2, 3).
        let a = [[0.9, 2.0, 0.0], [-2.0, 0.5, 1.0], [0.3, 0.0, -3.0]];
        let fixed = [1.0, 2.0, 3.0];
        let map = |x: &[f64]| -> Vec<f64> {
            (0..3).map(|i| fixed[i] + (0..3).map(|j| a[i][j] * (x[j] - fixed[j])).sum::<f64>()).collect()
        };
        let mut memory = Memory::new(5);
        let mut x = vec![0.0; 3];
        for _ in 0..6 {
            let image = map(&x);
            let r = minus(&image, &x);
            x = memory.next(&x, &image, &r);
        }
        assert!(x.iter().zip(&fixed).all(|(a, b)| (a - b).abs() < 1e-9));
    }

    #[test]
    fn repeated_differences_are_dropped() {
        let mut memory = Memory::new(4);
        for _ in 0..5 {
            let next = memory.next(&[1.0, 1.0], &[1.5, 1.0], &[0.5, 0.0]);
            assert_eq!(next, [1.5, 1.0]);
        }
    }
}
