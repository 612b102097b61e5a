//! Functions of the margins `b_i z_i` of logistic models, elementwise on lanes.

use super::{Pick, Rows, gamma, twice};
use crate::base::sum::Sum;
use solvent_simd::{F64s, Kernel, Lanes, Simd, exp, log1p};

/// A function of a label b and a product z.
pub trait Margin {
    /// Its value.
    fn at<V: F64s>(&self, b: V, z: V) -> V;
}

/// `-b σ(-b z) = -b / (1 + exp(b z))`.
pub struct Slope;

impl Margin for Slope {
    #[inline(always)]
    fn at<V: F64s>(&self, b: V, z: V) -> V {
        -(b / (V::splat(1.0) + exp(b * z)))
    }
}

/// `log(1 + exp(-b z)) = max(-t, 0) + log(1 + exp(-|t|))`, t = b z: neither term overflows or cancels.
pub struct Loss;

impl Margin for Loss {
    #[inline(always)]
    fn at<V: F64s>(&self, b: V, z: V) -> V {
        let t = b * z;
        (-t).max(V::splat(0.0)) + log1p(exp(-t.abs()))
    }
}

/// `z_i <- f(b_i, z_i)`.
pub struct OfMargins<'a, M> {
    /// f.
    pub f: M,
    /// b.
    pub labels: &'a [f64],
    /// z.
    pub z: &'a mut [f64],
}

impl<M: Margin> Kernel for OfMargins<'_, M> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let lanes = <S::F64 as Lanes>::LANES;
        let body = self.z.len() - self.z.len() % lanes;
        for c in (0..body).step_by(lanes) {
            let b = <S::F64 as Lanes>::load(&self.labels[c..]);
            self.f.at(b, <S::F64 as Lanes>::load(&self.z[c..])).store(&mut self.z[c..]);
        }
        if body < self.z.len() {
            let rest = self.z.len() - body;
            let (mut b, mut z) = ([1.0; 8], [0.0; 8]);
            b[..rest].copy_from_slice(&self.labels[body..]);
            z[..rest].copy_from_slice(&self.z[body..]);
            self.f.at(<S::F64 as Lanes>::load(&b), <S::F64 as Lanes>::load(&z)).store(&mut z);
            self.z[body..].copy_from_slice(&z[..rest]);
        }
    }
}

/// `a_i . w` of the rows picked, by sums in twice the precision, and what each can be off.
pub fn margins_twice(rows: &Rows<'_>, pick: Pick<'_>, w: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (mut exact, mut size) = (vec![Sum::new(); pick.len()], vec![0.0; pick.len()]);
    rows.dots_twice(pick, w, &mut exact);
    rows.dots_of_magnitudes(pick, w, &mut size);
    let dots = twice::error(rows.longest());
    let z: Vec<f64> = exact.iter().map(|z| z.value()).collect();
    size.iter_mut().zip(&z).for_each(|(size, z)| *size = gamma(1) * z.abs() + dots * *size);
    (z, size)
}

/// By how much a slope of this magnitude changes, relative to its own size at most, where its margin moves by `delta`:
/// `σ(t ± δ)` is at most `exp(δ)` times `σ(t)`.
pub fn steepest(slope: f64, delta: f64) -> f64 {
    1.01 * slope * delta.exp_m1()
}
