//! The Gaussian sketch: independent normal entries of variance 1/m. Column i has a Philox stream of its own.

use super::Sketch;
use super::draws::{Key, Purpose};
use super::rows::{Element, Rows};
use solvent_simd::{F64s, Kernel, Lanes, Simd};
use std::ops::Range;

/// Rows of the input that share one load and store of the sketch.
const GROUP: usize = 8;

/// The sketch of m rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gaussian {
    m: usize,
    key: Key,
}

impl Gaussian {
    /// With m rows.
    ///
    /// # Panics
    /// Unless m >= 1.
    pub fn new(m: usize, key: Key) -> Self {
        assert!(m > 0, "m = 0");
        Self { m, key }
    }

    /// Column i, without the scale.
    fn column(&self, i: usize, out: &mut [f64]) {
        self.key.words(Purpose::Entries, 0, i as u64).fill_normal(out);
    }
}

impl Sketch for Gaussian {
    fn rows(&self) -> usize {
        self.m
    }

    /// Groups of rows are added at once, so they begin at fixed places.
    fn grain(&self) -> usize {
        GROUP
    }

    fn scale(&self) -> f64 {
        1.0 / (self.m as f64).sqrt()
    }

    fn add<T: Element>(&self, block: &Rows<'_, T>, first: usize, out: &mut [f64]) {
        let mut g = vec![0.0; GROUP * self.m];
        for start in (0..block.count()).step_by(GROUP) {
            let rows = block.range(start, block.count().min(start + GROUP));
            for (r, column) in g.chunks_exact_mut(self.m).take(rows.count()).enumerate() {
                self.column(first + start + r, column);
            }
            solvent_simd::dispatch(AddOuter { block: &rows, g: &g, out });
        }
    }

    fn add_adjoint(&self, y: &[f64], padded: usize, first: usize, out: &mut [f64]) {
        let mut g = vec![0.0; self.m];
        for (i, out) in out.chunks_exact_mut(padded.max(1)).enumerate() {
            self.column(first + i, &mut g);
            solvent_simd::dispatch(Combine { y, padded, g: &g, out });
        }
    }

    fn nonzeros(&self) -> Option<usize> {
        None
    }

    fn visit(&self, _n: usize, range: Range<usize>, visit: &mut dyn FnMut(usize, usize, f64)) {
        let mut g = vec![0.0; self.m];
        for i in range {
            self.column(i, &mut g);
            g.iter().enumerate().for_each(|(p, &x)| visit(i, p, x));
        }
    }
}

/// `out += g^T block`: one row of `g` a row of the block.
struct AddOuter<'a, T> {
    block: &'a Rows<'a, T>,
    g: &'a [f64],
    out: &'a mut [f64],
}

impl<T: Element> Kernel for AddOuter<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { block, g, out } = self;
        let padded = block.padded();
        let m = out.len() / padded.max(1);
        let mut edge = Vec::new();
        if block.count() == GROUP {
            let x = block.padded_rows([0, 1, 2, 3, 4, 5, 6, 7], &mut edge);
            let mut factor = [S::F64::splat(1.0); GROUP];
            for r in 0..GROUP {
                factor[r] = S::F64::splat(block.factor(r));
            }
            for (p, out) in out.chunks_exact_mut(padded.max(1)).enumerate() {
                let mut weight = [S::F64::splat(0.0); GROUP];
                for r in 0..GROUP {
                    weight[r] = S::F64::splat(g[r * m + p]);
                }
                add_group(x, factor, weight, out);
            }
        } else {
            for r in 0..block.count() {
                let x = block.padded_rows([r], &mut edge);
                let factor = [S::F64::splat(block.factor(r))];
                for (p, out) in out.chunks_exact_mut(padded.max(1)).enumerate() {
                    add_group(x, factor, [S::F64::splat(g[r * m + p])], out);
                }
            }
        }
    }
}

/// `out += sum_r weight_r (factor_r x_r)`, in the order of the rows; a row times its factor is rounded first, as it is
/// where a stream keeps it.
#[inline(always)]
fn add_group<V: F64s, T: Element, const R: usize>(
    x: [&[T]; R],
    factor: [V; R],
    weight: [V; R],
    out: &mut [f64],
) {
    let padded = out.len();
    let mut c = 0;
    while c + V::LANES <= padded {
        let o = &mut out[c..c + V::LANES];
        let mut sum = V::load(o);
        for r in 0..R {
            sum = sum + T::load::<V>(&x[r][c..c + V::LANES]) * factor[r] * weight[r];
        }
        sum.store(o);
        c += V::LANES;
    }
}

/// `out += sum_p g_p y_p`.
struct Combine<'a> {
    y: &'a [f64],
    padded: usize,
    g: &'a [f64],
    out: &'a mut [f64],
}

impl Kernel for Combine<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        for (y, &g) in self.y.chunks_exact(self.padded.max(1)).zip(self.g) {
            add_group([y], [S::F64::splat(1.0)], [S::F64::splat(g)], self.out);
        }
    }
}
