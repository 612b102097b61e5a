//! The Gauss-Newton operator on many right sides at once: what the tangent map and its adjoint do to one side's rows.

use std::ops::Range;

use solvent_simd::Lanes;

use crate::base::sparse::SparseView;
use crate::completion::entry::LineKernel;

/// Right sides that go together: two lines of doubles.
pub const SIDES: usize = 16;

/// `q_i = sum_j w_ij t_ij b_j` with `t_ij = a_i · db_j + da_i · b_j`, for the rows of a range. Directions hold `SIDES`
/// numbers for each coefficient.
pub struct Tangent<'a> {
    /// The pattern by the rows of this side.
    pub entries: SparseView<'a, f64>,
    /// Weights, in its order.
    pub weights: Option<&'a [f64]>,
    /// This side's factor, row-major of `width`.
    pub a: &'a [f64],
    /// The other side's.
    pub b: &'a [f64],
    /// Columns.
    pub width: usize,
    /// This side's directions.
    pub da: &'a [f64],
    /// The other side's.
    pub db: &'a [f64],
    /// Which rows.
    pub rows: Range<usize>,
    /// Their images.
    pub out: &'a mut [f64],
}

impl LineKernel<f64> for Tangent<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes<Scalar = f64>>(self) {
        let (k, line) = (self.width, self.width * SIDES);
        for (i, out) in self.rows.zip(self.out.chunks_exact_mut(line)) {
            out.fill(0.0);
            let a = &self.a[i * k..(i + 1) * k];
            let da = &self.da[i * line..(i + 1) * line];
            for e in self.entries.range(i) {
                let j = self.entries.indices()[e] as usize;
                let b = &self.b[j * k..(j + 1) * k];
                let db = &self.db[j * line..(j + 1) * line];
                let (mut low, mut high) = (V::splat(0.0), V::splat(0.0));
                for l in 0..k {
                    let (x, y) = (V::splat(a[l]), V::splat(b[l]));
                    let (dx, dy) = (&da[l * SIDES..(l + 1) * SIDES], &db[l * SIDES..(l + 1) * SIDES]);
                    low = x.mul_add(V::load(dy), y.mul_add(V::load(dx), low));
                    high = x.mul_add(V::load(&dy[V::LANES..]), y.mul_add(V::load(&dx[V::LANES..]), high));
                }
                if let Some(w) = self.weights {
                    let w = V::splat(w[e]);
                    (low, high) = (w * low, w * high);
                }
                for l in 0..k {
                    let y = V::splat(b[l]);
                    let to = &mut out[l * SIDES..(l + 1) * SIDES];
                    y.mul_add(low, V::load(to)).store(to);
                    let to = &mut to[V::LANES..];
                    y.mul_add(high, V::load(to)).store(to);
                }
            }
        }
    }
}
