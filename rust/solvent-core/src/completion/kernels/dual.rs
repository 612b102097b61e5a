//! Rows with fewer entries than columns: `u = P^T (P P^T + ridge I)^-1 y`, a system of the order of the entries.

use solvent_simd::Lanes;

use super::cholesky::Factorise;
use super::gather::dot;
use crate::completion::entry::{Entry, LineKernel};

/// `K_st = p_s · p_t` for the rows of a panel, upper triangle.
pub struct Similarity<'a, T> {
    /// The rows, a line each.
    pub panel: &'a [T],
    /// Length of a line.
    pub line: usize,
    /// The matrix, row-major.
    pub kernel: &'a mut [T],
    /// From one of its rows to the next.
    pub stride: usize,
}

impl<T: Entry> LineKernel<T> for Similarity<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes<Scalar = T>>(self) {
        for (s, a) in self.panel.chunks_exact(self.line).enumerate() {
            for (t, b) in self.panel.chunks_exact(self.line).enumerate().skip(s) {
                self.kernel[s * self.stride + t] = dot::<V, T>(a, b);
            }
        }
    }
}

/// Scratch of the dual solver.
pub struct Dual<T> {
    kernel: Vec<T>,
    side: Vec<T>,
}

impl<T: Entry> Dual<T> {
    /// For up to `most` entries.
    pub fn new(most: usize) -> Self {
        let stride = most.max(1).next_multiple_of(T::LINE);
        Self { kernel: vec![T::ZERO; stride * stride], side: vec![T::ZERO; stride] }
    }

    /// Solves for `u`; gives the pivot ratio, as [`Factorise`] does.
    pub fn solve(&mut self, panel: &[T], targets: &[T], line: usize, ridge: T, u: &mut [T]) -> f64 {
        let n = targets.len();
        let stride = n.next_multiple_of(T::LINE);
        let kernel = &mut self.kernel[..stride * stride];
        T::similarity(Similarity { panel, line, kernel, stride });
        for s in 0..n {
            kernel[s * stride + s] += ridge;
        }
        let side = &mut self.side[..n];
        side.copy_from_slice(targets);
        let pivot = T::factorise(Factorise { gram: kernel, width: n, stride, b: side });
        if pivot > T::PIVOT {
            u.fill(T::ZERO);
            for (p, &c) in panel.chunks_exact(line).zip(side.iter()) {
                for (x, &y) in u.iter_mut().zip(p) {
                    *x += c * y;
                }
            }
        }
        pivot
    }
}
