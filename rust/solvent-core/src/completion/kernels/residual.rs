//! What a solved row leaves unexplained.

use solvent_simd::Lanes;

use super::gather::dot;
use super::row::Half;
use crate::completion::entry::{Entry, LineKernel};

/// `sum w l(r)` and `sum r²` of a row.
pub struct Residual<'a, 'h, T> {
    /// Whose row it is.
    pub half: &'a Half<'h, T>,
    /// Which row.
    pub row: usize,
    /// Its solution.
    pub u: &'a [T],
}

impl<T: Entry> LineKernel<T> for Residual<'_, '_, T> {
    type Output = (f64, f64);
    #[inline(always)]
    fn run<V: Lanes<Scalar = T>>(self) -> (f64, f64) {
        let half = self.half;
        let range = half.entries.range(self.row);
        let columns = half.entries.indices();
        let (mut loss, mut squares) = (0.0, 0.0);
        for e in range {
            let j = columns[e] as usize;
            let r = (half.target(e, j) - dot::<V, T>(half.design.row(j), self.u)).to_f64();
            squares += r * r;
            let l = match half.delta {
                Some(delta) if r.abs() > delta.to_f64() => {
                    let delta = delta.to_f64();
                    2.0 * delta * r.abs() - delta * delta
                }
                _ => r * r,
            };
            loss += half.weights.map_or(l, |w| w[e].to_f64() * l);
        }
        (loss, squares)
    }
}
