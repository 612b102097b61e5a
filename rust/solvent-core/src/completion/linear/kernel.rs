//! One pass over the entries of one side, for the map of directions to entries and its adjoint.
//!
//! Sums over a row's entries stay in registers while they fit: through memory, each entry would wait for the last one's store.

use std::ops::Range;

use solvent_simd::Lanes;

use crate::base::sparse::SparseView;
use crate::completion::entry::LineKernel;
use crate::completion::factor::Factor;
use crate::completion::kernels::gather::axpy;

// Loops count and slices are taken out of them: what is not inlined into a kernel costs more than an entry does.

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
        match self.at.0.stride() / V::LANES {
            1 => self.pass::<V, 1>(),
            2 => self.pass::<V, 2>(),
            3 => self.pass::<V, 3>(),
            4 => self.pass::<V, 4>(),
            _ => self.wide::<V>(),
        }
    }
}

impl Forward<'_> {
    /// For rows of `N` registers.
    #[inline(always)]
    fn pass<V: Lanes<Scalar = f64>, const N: usize>(self) {
        let Self { entries, roots, z, at, along, rows, values, out } = self;
        let stride = N * V::LANES;
        let (offsets, indices) = (entries.indptr(), entries.indices());
        let (u, v, du, dv) = (at.0.as_slice(), at.1.as_slice(), along.0.as_slice(), along.1.as_slice());
        let (start, first) = (rows.start, offsets[rows.start] as usize);
        for i in rows {
            let (mut a, mut da, mut sums) = ([V::splat(0.0); N], [V::splat(0.0); N], [V::splat(0.0); N]);
            let (own, change) = (&u[i * stride..][..stride], &du[i * stride..][..stride]);
            for l in 0..N {
                a[l] = V::load(&own[l * V::LANES..]);
                da[l] = V::load(&change[l * V::LANES..]);
            }
            for e in offsets[i] as usize..offsets[i + 1] as usize {
                let j = indices[e] as usize * stride;
                let (other, turn) = (&v[j..][..stride], &dv[j..][..stride]);
                let (mut b, mut db) = ([V::splat(0.0); N], [V::splat(0.0); N]);
                let mut sum = V::splat(0.0);
                for l in 0..N {
                    b[l] = V::load(&other[l * V::LANES..]);
                    db[l] = V::load(&turn[l * V::LANES..]);
                    sum = a[l].mul_add(db[l], sum);
                    sum = da[l].mul_add(b[l], sum);
                }
                let mut t = sum.reduce_sum();
                let mut s = t;
                if let Some(roots) = roots {
                    t *= roots[e];
                    s = t * roots[e];
                }
                values[e - first] = t;
                let s = V::splat(s);
                for l in 0..N {
                    sums[l] = s.mul_add(b[l], sums[l]);
                }
                if let Some(z) = z {
                    let s = V::splat(-z[e]);
                    for l in 0..N {
                        sums[l] = s.mul_add(db[l], sums[l]);
                    }
                }
            }
            let to = &mut out[(i - start) * stride..][..stride];
            for l in 0..N {
                sums[l].store(&mut to[l * V::LANES..]);
            }
        }
    }

    /// For longer rows.
    #[inline(always)]
    fn wide<V: Lanes<Scalar = f64>>(self) {
        let Self { entries, roots, z, at, along, rows, values, out } = self;
        let stride = at.0.stride();
        let (offsets, indices) = (entries.indptr(), entries.indices());
        let (u, v, du, dv) = (at.0.as_slice(), at.1.as_slice(), along.0.as_slice(), along.1.as_slice());
        let (start, first) = (rows.start, offsets[rows.start] as usize);
        for i in rows {
            let to = &mut out[(i - start) * stride..][..stride];
            to.fill(0.0);
            let (a, da) = (&u[i * stride..][..stride], &du[i * stride..][..stride]);
            for e in offsets[i] as usize..offsets[i + 1] as usize {
                let j = indices[e] as usize * stride;
                let (b, db) = (&v[j..][..stride], &dv[j..][..stride]);
                let mut sum = V::splat(0.0);
                let mut l = 0;
                while l < stride {
                    sum = V::load(&a[l..]).mul_add(V::load(&db[l..]), sum);
                    sum = V::load(&da[l..]).mul_add(V::load(&b[l..]), sum);
                    l += V::LANES;
                }
                let mut t = sum.reduce_sum();
                let mut s = t;
                if let Some(roots) = roots {
                    t *= roots[e];
                    s = t * roots[e];
                }
                values[e - first] = t;
                axpy::<V, f64>(s, b, to);
                if let Some(z) = z {
                    axpy::<V, f64>(-z[e], db, to);
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
        match self.x.stride() / V::LANES {
            1 => self.pass::<V, 1>(),
            2 => self.pass::<V, 2>(),
            3 => self.pass::<V, 3>(),
            4 => self.pass::<V, 4>(),
            _ => self.wide::<V>(),
        }
    }
}

impl Back<'_> {
    /// For rows of `N` registers.
    #[inline(always)]
    fn pass<V: Lanes<Scalar = f64>, const N: usize>(self) {
        let Self { entries, order, roots, values, x, bend, rows, out } = self;
        let stride = N * V::LANES;
        let (offsets, indices, x) = (entries.indptr(), entries.indices(), x.as_slice());
        let (start, mut sums) = (rows.start, [V::splat(0.0); N]);
        for i in rows {
            for l in 0..N {
                sums[l] = V::splat(0.0);
            }
            for e in offsets[i] as usize..offsets[i + 1] as usize {
                let at = match order {
                    Some(order) => order[e],
                    None => e,
                };
                let j = indices[e] as usize * stride;
                let mut t = values[at];
                if let Some(roots) = roots {
                    t *= roots[at];
                }
                let (t, row) = (V::splat(t), &x[j..][..stride]);
                for l in 0..N {
                    sums[l] = t.mul_add(V::load(&row[l * V::LANES..]), sums[l]);
                }
                if let Some((z, dx)) = bend {
                    let (s, row) = (V::splat(-z[at]), &dx.as_slice()[j..][..stride]);
                    for l in 0..N {
                        sums[l] = s.mul_add(V::load(&row[l * V::LANES..]), sums[l]);
                    }
                }
            }
            let to = &mut out[(i - start) * stride..][..stride];
            for l in 0..N {
                sums[l].store(&mut to[l * V::LANES..]);
            }
        }
    }

    /// For longer rows.
    #[inline(always)]
    fn wide<V: Lanes<Scalar = f64>>(self) {
        let Self { entries, order, roots, values, x, bend, rows, out } = self;
        let stride = x.stride();
        let (offsets, indices, x) = (entries.indptr(), entries.indices(), x.as_slice());
        let start = rows.start;
        for i in rows {
            let to = &mut out[(i - start) * stride..][..stride];
            to.fill(0.0);
            for e in offsets[i] as usize..offsets[i + 1] as usize {
                let at = match order {
                    Some(order) => order[e],
                    None => e,
                };
                let j = indices[e] as usize * stride;
                let mut t = values[at];
                if let Some(roots) = roots {
                    t *= roots[at];
                }
                axpy::<V, f64>(t, &x[j..][..stride], to);
                if let Some((z, dx)) = bend {
                    axpy::<V, f64>(-z[at], &dx.as_slice()[j..][..stride], to);
                }
            }
        }
    }
}
