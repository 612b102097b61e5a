//! The rows of a data matrix, dense or compressed: their products with a vector, and their weighted sum.

use super::Pick;
use crate::base::sparse::SparseView;
use solvent_simd::{F64s, Kernel, Simd, dispatch};
use std::borrow::Cow;

/// Rows of length d.
#[derive(Debug, Clone)]
pub enum Rows<'a> {
    /// One after the other.
    Dense {
        /// The entries.
        data: Cow<'a, [f64]>,
        /// d.
        columns: usize,
    },
    /// Compressed.
    Sparse(SparseView<'a, f64>),
}

impl Rows<'_> {
    /// Number of rows.
    pub fn count(&self) -> usize {
        match self {
            Self::Dense { data, columns } => data.len() / (*columns).max(1),
            Self::Sparse(view) => view.rows(),
        }
    }

    /// d.
    pub fn columns(&self) -> usize {
        match self {
            Self::Dense { columns, .. } => *columns,
            Self::Sparse(view) => view.columns(),
        }
    }

    /// Entries of a row, on average.
    pub fn size(&self) -> usize {
        match self {
            Self::Dense { columns, .. } => *columns,
            Self::Sparse(view) => view.nnz().div_ceil(view.rows().max(1)),
        }
    }

    /// Most entries of a row: the length of its longest chain of additions.
    pub fn longest(&self) -> usize {
        match self {
            Self::Dense { columns, .. } => *columns,
            Self::Sparse(view) => (0..view.rows()).map(|i| view.range(i).len()).max().unwrap_or(0),
        }
    }

    /// Rows that are read twice from the cache instead of from memory.
    pub fn chunk(&self) -> usize {
        (4096 / self.size().max(1)).clamp(8, 256)
    }

    /// The same rows, borrowed.
    pub fn borrowed(&self) -> Rows<'_> {
        match self {
            Self::Dense { data, columns } => Rows::Dense { data: Cow::Borrowed(data), columns: *columns },
            Self::Sparse(view) => Rows::Sparse(*view),
        }
    }

    /// `out_k = a_k . u` for the rows picked.
    pub fn dots(&self, pick: Pick<'_>, u: &[f64], out: &mut [f64]) {
        match self {
            Self::Dense { data, .. } => dispatch(Dots::<false> { data, pick, u, out }),
            Self::Sparse(view) => sparse_dots(view, pick, u, out, |a, b| a * b),
        }
    }

    /// `out_k = |a_k| . |u|`.
    pub fn dots_of_magnitudes(&self, pick: Pick<'_>, u: &[f64], out: &mut [f64]) {
        match self {
            Self::Dense { data, .. } => dispatch(Dots::<true> { data, pick, u, out }),
            Self::Sparse(view) => sparse_dots(view, pick, u, out, |a, b| (a * b).abs()),
        }
    }

    /// `out += Σ_k c_k a_k`.
    pub fn accumulate(&self, pick: Pick<'_>, c: &[f64], out: &mut [f64]) {
        match self {
            Self::Dense { data, .. } => dispatch(Accumulate::<false> { data, pick, c, out }),
            Self::Sparse(view) => sparse_accumulate(view, pick, c, out, |a| a),
        }
    }

    /// `out += Σ_k c_k |a_k|`.
    pub fn accumulate_magnitudes(&self, pick: Pick<'_>, c: &[f64], out: &mut [f64]) {
        match self {
            Self::Dense { data, .. } => dispatch(Accumulate::<true> { data, pick, c, out }),
            Self::Sparse(view) => sparse_accumulate(view, pick, c, out, f64::abs),
        }
    }

    /// `|a_i|²` of row i.
    pub fn norm2(&self, i: usize) -> f64 {
        let row = match self {
            Self::Dense { data, columns } => &data[i * columns..(i + 1) * columns],
            Self::Sparse(view) => view.row(i).1,
        };
        row.iter().map(|a| a * a).sum()
    }

    /// The rows in this order, one after the other; `None` unless they are dense and fit into `limit` bytes.
    pub fn arranged(&self, order: &[usize], limit: usize) -> Option<Rows<'static>> {
        let Self::Dense { data, columns } = self else { return None };
        if order.len().saturating_mul(*columns).saturating_mul(8) > limit {
            return None;
        }
        let mut copy = Vec::with_capacity(order.len() * columns);
        for &i in order {
            copy.extend_from_slice(&data[i * columns..(i + 1) * columns]);
        }
        Some(Rows::Dense { data: Cow::Owned(copy), columns: *columns })
    }
}

fn sparse_dots(
    view: &SparseView<'_, f64>,
    pick: Pick<'_>,
    u: &[f64],
    out: &mut [f64],
    product: impl Fn(f64, f64) -> f64,
) {
    for (k, out) in out.iter_mut().enumerate() {
        let (columns, values) = view.row(pick.at(k));
        *out = columns.iter().zip(values).map(|(&j, &a)| product(a, u[j as usize])).sum();
    }
}

fn sparse_accumulate(
    view: &SparseView<'_, f64>,
    pick: Pick<'_>,
    c: &[f64],
    out: &mut [f64],
    entry: impl Fn(f64) -> f64,
) {
    for (k, &c) in c.iter().enumerate() {
        let (columns, values) = view.row(pick.at(k));
        for (&j, &a) in columns.iter().zip(values) {
            out[j as usize] += c * entry(a);
        }
    }
}

/// The most lanes of an `f64` register.
const MAX_LANES: usize = 8;

/// The lanes from `c` on, zeros behind the end.
#[inline(always)]
fn load<V: F64s, const PART: bool>(x: &[f64], c: usize) -> V {
    if PART {
        let mut padded = [0.0; MAX_LANES];
        padded[..x.len() - c].copy_from_slice(&x[c..]);
        V::load(&padded)
    } else {
        V::load(&x[c..c + V::LANES])
    }
}

#[inline(always)]
fn store<V: F64s, const PART: bool>(v: V, out: &mut [f64], c: usize) {
    if PART {
        let mut padded = [0.0; MAX_LANES];
        v.store(&mut padded);
        let rest = out.len() - c;
        out[c..].copy_from_slice(&padded[..rest]);
    } else {
        v.store(&mut out[c..c + V::LANES]);
    }
}

#[inline(always)]
fn entry<V: F64s, const MAGNITUDE: bool>(v: V) -> V {
    if MAGNITUDE { v.abs() } else { v }
}

/// Rows that share one load of the vector.
const GROUP: usize = 4;

/// Products of dense rows with a vector; with `MAGNITUDE`, of their magnitudes.
struct Dots<'a, const MAGNITUDE: bool> {
    data: &'a [f64],
    pick: Pick<'a>,
    u: &'a [f64],
    out: &'a mut [f64],
}

impl<const MAGNITUDE: bool> Kernel for Dots<'_, MAGNITUDE> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let body = self.out.len() - self.out.len() % GROUP;
        let (groups, rest) = self.out.split_at_mut(body);
        for (g, out) in groups.chunks_exact_mut(GROUP).enumerate() {
            dot_group::<S::F64, GROUP, MAGNITUDE>(self.data, self.pick, GROUP * g, self.u, out);
        }
        for (k, out) in rest.chunks_exact_mut(1).enumerate() {
            dot_group::<S::F64, 1, MAGNITUDE>(self.data, self.pick, body + k, self.u, out);
        }
    }
}

/// A row's product does not depend on the group it is in: each has one register of partial sums.
#[inline(always)]
fn dot_group<V: F64s, const G: usize, const MAGNITUDE: bool>(
    data: &[f64],
    pick: Pick<'_>,
    first: usize,
    u: &[f64],
    out: &mut [f64],
) {
    let d = u.len();
    let mut rows = [data; G];
    for g in 0..G {
        let i = pick.at(first + g);
        rows[g] = &data[i * d..(i + 1) * d];
    }
    let mut sums = [V::splat(0.0); G];
    let body = d - d % V::LANES;
    let mut c = 0;
    while c < body {
        let x = entry::<V, MAGNITUDE>(load::<V, false>(u, c));
        for g in 0..G {
            sums[g] = entry::<V, MAGNITUDE>(load::<V, false>(rows[g], c)).mul_add(x, sums[g]);
        }
        c += V::LANES;
    }
    if c < d {
        let x = entry::<V, MAGNITUDE>(load::<V, true>(u, c));
        for g in 0..G {
            sums[g] = entry::<V, MAGNITUDE>(load::<V, true>(rows[g], c)).mul_add(x, sums[g]);
        }
    }
    for g in 0..G {
        out[g] = sums[g].reduce_sum();
    }
}

/// `out += Σ_k c_k a_k` over dense rows; with `MAGNITUDE`, of their magnitudes.
struct Accumulate<'a, const MAGNITUDE: bool> {
    data: &'a [f64],
    pick: Pick<'a>,
    c: &'a [f64],
    out: &'a mut [f64],
}

impl<const MAGNITUDE: bool> Kernel for Accumulate<'_, MAGNITUDE> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let body = self.c.len() - self.c.len() % GROUP;
        for first in (0..body).step_by(GROUP) {
            add_group::<S::F64, GROUP, MAGNITUDE>(self.data, self.pick, first, self.c, self.out);
        }
        for first in body..self.c.len() {
            add_group::<S::F64, 1, MAGNITUDE>(self.data, self.pick, first, self.c, self.out);
        }
    }
}

#[inline(always)]
fn add_group<V: F64s, const G: usize, const MAGNITUDE: bool>(
    data: &[f64],
    pick: Pick<'_>,
    first: usize,
    c: &[f64],
    out: &mut [f64],
) {
    let d = out.len();
    let mut rows = [data; G];
    let mut weights = [V::splat(0.0); G];
    for g in 0..G {
        let i = pick.at(first + g);
        rows[g] = &data[i * d..(i + 1) * d];
        weights[g] = V::splat(c[first + g]);
    }
    let body = d - d % V::LANES;
    let mut j = 0;
    while j < body {
        add_chunk::<V, G, MAGNITUDE, false>(&rows, &weights, out, j);
        j += V::LANES;
    }
    if j < d {
        add_chunk::<V, G, MAGNITUDE, true>(&rows, &weights, out, j);
    }
}

#[inline(always)]
fn add_chunk<V: F64s, const G: usize, const MAGNITUDE: bool, const PART: bool>(
    rows: &[&[f64]; G],
    weights: &[V; G],
    out: &mut [f64],
    j: usize,
) {
    let mut sum = load::<V, PART>(out, j);
    for g in 0..G {
        sum = entry::<V, MAGNITUDE>(load::<V, PART>(rows[g], j)).mul_add(weights[g], sum);
    }
    store::<V, PART>(sum, out, j);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Philox;

    #[test]
    fn dense_and_compressed_rows_agree_with_plain_sums() {
        let mut rng = Philox::new(1, 0, 0);
        for d in [1, 3, 8, 13, 40] {
            let n = 11;
            let data: Vec<f64> = (0..n * d).map(|_| rng.normal()).collect();
            let indptr: Vec<i64> = (0..=n).map(|i| (i * d) as i64).collect();
            let indices: Vec<i32> = (0..n * d).map(|k| (k % d) as i32).collect();
            let sparse = Rows::Sparse(SparseView::new(&indptr, &indices, &data, d).unwrap());
            let dense = Rows::Dense { data: Cow::Borrowed(&data), columns: d };
            let u: Vec<f64> = (0..d).map(|_| rng.normal()).collect();
            let order = [3, 0, 10, 7, 7, 2];
            let exact: Vec<f64> =
                order.iter().map(|&i| crate::base::sum::dot2(&data[i * d..(i + 1) * d], &u)).collect();
            for rows in [&dense, &sparse] {
                assert_eq!((rows.count(), rows.columns(), rows.longest()), (n, d, d));
                let mut z = [0.0; 6];
                rows.dots(Pick::List(&order), &u, &mut z);
                assert!(z.iter().zip(&exact).all(|(a, b)| (a - b).abs() < 1e-13));
                let mut sum = vec![0.0; d];
                rows.accumulate(Pick::List(&order), &z, &mut sum);
                let mut magnitudes = vec![0.0; d];
                rows.accumulate_magnitudes(Pick::Run { first: 2, len: 5 }, &[1.0; 5], &mut magnitudes);
                for j in 0..d {
                    let plain: f64 = order.iter().zip(&z).map(|(&i, z)| z * data[i * d + j]).sum();
                    assert!((sum[j] - plain).abs() < 1e-12);
                    let plain: f64 = (2..7).map(|i| data[i * d + j].abs()).sum();
                    assert!((magnitudes[j] - plain).abs() < 1e-12);
                }
            }
        }
    }
}
