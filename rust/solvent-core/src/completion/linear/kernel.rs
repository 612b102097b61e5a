//! One pass over the entries of one side, for the map of directions to entries and its adjoint.

use std::ops::Range;

use solvent_simd::Lanes;

use crate::base::sparse::SparseView;
use crate::completion::entry::LineKernel;
use crate::completion::factor::Factor;
use crate::completion::kernels::gather::axpy;

/// `t_ij = root_ij (u_i · dv_j + du_i · v_j)` and, in the same pass, `out_i = sum_j root_ij t_ij v_j - z_ij dv_j`.
pub struct Forward<'a> {
    /// The pattern by rows.
    pub entries: SparseView<'a, ()>,
    /// Square roots of the weights, in its order.
    pub roots: Option<&'a [f64]>,
    /// What a residual adds to the curvature; `None`: nothing.
    pub z: Option<&'a [f64]>,
    /// The factors,
    pub at: (&'a Factor<f64>, &'a Factor<f64>),
    /// and the directions.
    pub along: (&'a Factor<f64>, &'a Factor<f64>),
    /// Which rows.
    pub rows: Range<usize>,
    /// What the entries of those rows change by.
    pub values: &'a mut [f64],
    /// Where the adjoint's row side goes, padding included.
    pub out: &'a mut [f64],
}

impl LineKernel<f64> for Forward<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes<Scalar = f64>>(self) {
        let ((u, v), (du, dv)) = (self.at, self.along);
        let stride = u.stride();
        let first = self.entries.range(self.rows.start).start;
        for (i, out) in self.rows.zip(self.out.chunks_exact_mut(stride)) {
            out.fill(0.0);
            let (a, da) = (u.row(i), du.row(i));
            for e in self.entries.range(i) {
                let j = self.entries.indices()[e] as usize;
                let (b, db) = (v.row(j), dv.row(j));
                let mut sum = V::splat(0.0);
                let mut l = 0;
                while l < stride {
                    sum = V::load(&a[l..]).mul_add(V::load(&db[l..]), sum);
                    sum = V::load(&da[l..]).mul_add(V::load(&b[l..]), sum);
                    l += V::LANES;
                }
                let root = self.roots.map_or(1.0, |roots| roots[e]);
                let t = root * sum.reduce_sum();
                self.values[e - first] = t;
                axpy::<V, f64>(root * t, b, out);
                if let Some(z) = self.z {
                    axpy::<V, f64>(-z[e], db, out);
                }
            }
        }
    }
}

/// `out_i = sum_j root_ij t_ij x_j - z_ij dx_j` over the rows of one side; `order` says where each entry's value stands.
pub struct Back<'a> {
    /// The pattern by this side's rows.
    pub entries: SparseView<'a, ()>,
    /// Place of each entry in `values` and `roots`; `None`: its own.
    pub order: Option<&'a [usize]>,
    /// Square roots of the weights.
    pub roots: Option<&'a [f64]>,
    /// The values t.
    pub values: &'a [f64],
    /// The other side's factor.
    pub x: &'a Factor<f64>,
    /// The residual's part of the curvature, and the other side's direction.
    pub bend: Option<(&'a [f64], &'a Factor<f64>)>,
    /// Which rows.
    pub rows: Range<usize>,
    /// Where they go, padding included.
    pub out: &'a mut [f64],
}

impl LineKernel<f64> for Back<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes<Scalar = f64>>(self) {
        for (i, out) in self.rows.zip(self.out.chunks_exact_mut(self.x.stride())) {
            out.fill(0.0);
            for e in self.entries.range(i) {
                let at = self.order.map_or(e, |order| order[e]);
                let (j, root) =
                    (self.entries.indices()[e] as usize, self.roots.map_or(1.0, |roots| roots[at]));
                axpy::<V, f64>(root * self.values[at], self.x.row(j), out);
                if let Some((z, dx)) = self.bend {
                    axpy::<V, f64>(-z[at], dx.row(j), out);
                }
            }
        }
    }
}
