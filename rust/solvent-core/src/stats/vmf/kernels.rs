//! The three passes over rows that everything here is made of, on SIMD lanes: compensated column sums fused with the
//! norms, dot products with several means, and sums weighted by several components.
//!
//! Rows lie one after the other in a block that fits into L2. A row's own results (norm, dots) do not depend on its place
//! in the block.

use solvent_simd::{F64s, Kernel, Simd};

/// The most lanes of an `f64` register.
const MAX_LANES: usize = 8;

/// The first `x.len()` lanes of `x`, zeros behind.
#[inline(always)]
fn load_part<V: F64s>(x: &[f64]) -> V {
    let mut padded = [0.0; MAX_LANES];
    padded[..x.len()].copy_from_slice(x);
    V::load(&padded)
}

/// A chunk of elements from `c` on: `V::LANES` of them, or (`PART`) those that are left of the row.
#[inline(always)]
fn load_at<V: F64s, const PART: bool>(x: &[f64], c: usize) -> V {
    if PART { load_part(&x[c..]) } else { V::load(&x[c..c + V::LANES]) }
}

#[inline(always)]
fn store_at<V: F64s, const PART: bool>(v: V, out: &mut [f64], c: usize) {
    if PART {
        let mut padded = [0.0; MAX_LANES];
        v.store(&mut padded);
        let rest = out.len() - c;
        out[c..].copy_from_slice(&padded[..rest]);
    } else {
        v.store(&mut out[c..c + V::LANES]);
    }
}

/// Walks `0..d` in chunks: one expression for the full ones, one for what is left at the end. A macro, because a closure
/// cannot be forced inline, and only inlined code is compiled for the instruction set of the dispatch.
macro_rules! chunks {
    ($lanes:ty, $d:expr, |$c:ident| $whole:expr, $part:expr) => {{
        let body = $d - $d % <$lanes>::LANES;
        let mut $c = 0;
        while $c < body {
            $whole;
            $c += <$lanes>::LANES;
        }
        if $c < $d {
            $part;
        }
    }};
}

/// `head + tail += sum_i weight_i x_i` (column by column, the rounding of every product and sum kept in `tail`) and
/// `norms2_i = |x_i|^2`, in one pass over the block. Without weights each row counts once.
///
/// `head` must begin at an [`anchor`] and not at 0: a number that outweighs whatever is added to it. The error of
/// `s = h + p` is then `p - (s - h)` exactly (Dekker's fast two-sum), which saves three additions of the seven that a
/// general compensated step takes; the caller takes the anchor off again, which is exact.
pub struct ColumnSums<'a> {
    /// Rows, one after the other.
    pub x: &'a [f64],
    /// One a row.
    pub weights: Option<&'a [f64]>,
    /// Squared norms, one a row.
    pub norms2: &'a mut [f64],
    /// Heads of the sums, one a column.
    pub head: &'a mut [f64],
    /// Tails of the sums.
    pub tail: &'a mut [f64],
}

/// Where heads begin that rows of norm <= 1.001 and of this total weight are added to: at least four times what all
/// of them could add up to, so that it stays in one binade or the next, and less than eight times.
pub fn anchor(weight: f64) -> f64 {
    // The power of two in (4.2 w, 8.4 w]: exact arithmetic on it.
    2f64.powi((4.2 * weight).log2().floor() as i32 + 1)
}

/// Rows that share one load and store of the column sums.
const GROUP: usize = 8;

impl Kernel for ColumnSums<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let d = self.head.len();
        let n = self.norms2.len();
        for first in (0..n).step_by(GROUP) {
            let rows = &self.x[first * d..];
            let norms2 = &mut self.norms2[first..n.min(first + GROUP)];
            match (self.weights, norms2.len()) {
                (None, GROUP) => sum_group::<S::F64, GROUP, false>(rows, &[], norms2, self.head, self.tail),
                (Some(w), GROUP) => {
                    sum_group::<S::F64, GROUP, true>(rows, &w[first..], norms2, self.head, self.tail);
                }
                (weights, _) => {
                    for (i, norm2) in norms2.chunks_mut(1).enumerate() {
                        let row = &rows[i * d..];
                        match weights {
                            None => sum_group::<S::F64, 1, false>(row, &[], norm2, self.head, self.tail),
                            Some(w) => {
                                sum_group::<S::F64, 1, true>(
                                    row,
                                    &w[first + i..],
                                    norm2,
                                    self.head,
                                    self.tail,
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn sum_group<V: F64s, const G: usize, const WEIGHTED: bool>(
    x: &[f64],
    weights: &[f64],
    norms2: &mut [f64],
    head: &mut [f64],
    tail: &mut [f64],
) {
    let d = head.len();
    let mut rows = [x; G];
    let mut weight = [V::splat(1.0); G];
    for g in 0..G {
        rows[g] = &x[g * d..(g + 1) * d];
        if WEIGHTED {
            weight[g] = V::splat(weights[g]);
        }
    }
    let mut squares = [V::splat(0.0); G];
    chunks!(
        V,
        d,
        |c| sum_chunk::<V, G, WEIGHTED, false>(&rows, &weight, &mut squares, head, tail, c),
        sum_chunk::<V, G, WEIGHTED, true>(&rows, &weight, &mut squares, head, tail, c)
    );
    for g in 0..G {
        norms2[g] = squares[g].reduce_sum();
    }
}

#[inline(always)]
fn sum_chunk<V: F64s, const G: usize, const WEIGHTED: bool, const PART: bool>(
    rows: &[&[f64]; G],
    weight: &[V; G],
    squares: &mut [V; G],
    head: &mut [f64],
    tail: &mut [f64],
    c: usize,
) {
    let one = V::splat(1.0);
    let mut s: V = load_at::<V, PART>(head, c);
    let mut t: V = load_at::<V, PART>(tail, c);
    for g in 0..G {
        let v: V = load_at::<V, PART>(rows[g], c);
        squares[g] = v.mul_add(v, squares[g]);
        let mut p = v;
        if WEIGHTED {
            p = v * weight[g];
            t = t + v.fma(weight[g], -p);
        }
        let sum = s + p;
        // `error + t`, as a multiply-add by 1: it goes through the units that the additions leave idle.
        t = (p - (sum - s)).mul_add(one, t);
        s = sum;
    }
    store_at::<V, PART>(s, head, c);
    store_at::<V, PART>(t, tail, c);
}

/// `norms2_i = |x_i|^2`, with the bits that [`ColumnSums`] gives.
pub struct Norms<'a> {
    /// Rows, one after the other.
    pub x: &'a [f64],
    /// Squared norms, one a row.
    pub norms2: &'a mut [f64],
}

impl Kernel for Norms<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let d = self.x.len() / self.norms2.len().max(1);
        for (norms2, rows) in self.norms2.chunks_mut(4).zip(self.x.chunks(4 * d)) {
            match norms2.len() {
                4 => norm_group::<S::F64, 4>(rows, d, norms2),
                _ => {
                    for (norm2, row) in norms2.chunks_mut(1).zip(rows.chunks_exact(d)) {
                        norm_group::<S::F64, 1>(row, d, norm2);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn norm_group<V: F64s, const G: usize>(x: &[f64], d: usize, norms2: &mut [f64]) {
    let mut rows = [x; G];
    for g in 0..G {
        rows[g] = &x[g * d..(g + 1) * d];
    }
    let mut squares = [V::splat(0.0); G];
    chunks!(
        V,
        d,
        |c| norm_chunk::<V, G, false>(&rows, &mut squares, c),
        norm_chunk::<V, G, true>(&rows, &mut squares, c)
    );
    for g in 0..G {
        norms2[g] = squares[g].reduce_sum();
    }
}

#[inline(always)]
fn norm_chunk<V: F64s, const G: usize, const PART: bool>(rows: &[&[f64]; G], squares: &mut [V; G], c: usize) {
    for g in 0..G {
        let v: V = load_at::<V, PART>(rows[g], c);
        squares[g] = v.mul_add(v, squares[g]);
    }
}

/// `out[j * stride + i] = mean_j . x_i`: component by component, so that later passes run along rows.
pub struct Dots<'a> {
    /// Rows of dimension `d`, one after the other.
    pub x: &'a [f64],
    /// Means, one after the other.
    pub means: &'a [f64],
    /// Dimension.
    pub d: usize,
    /// Products, `stride` apart for each mean.
    pub out: &'a mut [f64],
    /// At least the number of rows.
    pub stride: usize,
}

impl Kernel for Dots<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let d = self.d;
        let (n, k) = (self.x.len() / d, self.means.len() / d);
        let mut i = 0;
        while i < n {
            let x = &self.x[i * d..];
            let tall = n - i >= 4;
            let mut j = 0;
            while j < k {
                let means = &self.means[j * d..];
                let out = &mut self.out[j * self.stride + i..];
                let wide = k - j >= 2;
                match (tall, wide) {
                    (true, true) => dot_tile::<S::F64, 4, 2>(x, means, d, out, self.stride),
                    (true, false) => dot_tile::<S::F64, 4, 1>(x, means, d, out, self.stride),
                    (false, true) => dot_tile::<S::F64, 1, 2>(x, means, d, out, self.stride),
                    (false, false) => dot_tile::<S::F64, 1, 1>(x, means, d, out, self.stride),
                }
                j += if wide { 2 } else { 1 };
            }
            i += if tall { 4 } else { 1 };
        }
    }
}

#[inline(always)]
fn dot_tile<V: F64s, const R: usize, const C: usize>(
    x: &[f64],
    means: &[f64],
    d: usize,
    out: &mut [f64],
    stride: usize,
) {
    let mut rows = [x; R];
    let mut columns = [means; C];
    for a in 0..R {
        rows[a] = &x[a * d..(a + 1) * d];
    }
    for b in 0..C {
        columns[b] = &means[b * d..(b + 1) * d];
    }
    let mut sums = [[V::splat(0.0); C]; R];
    chunks!(
        V,
        d,
        |c| dot_chunk::<V, R, C, false>(&rows, &columns, &mut sums, c),
        dot_chunk::<V, R, C, true>(&rows, &columns, &mut sums, c)
    );
    for a in 0..R {
        for b in 0..C {
            out[b * stride + a] = sums[a][b].reduce_sum();
        }
    }
}

#[inline(always)]
fn dot_chunk<V: F64s, const R: usize, const C: usize, const PART: bool>(
    rows: &[&[f64]; R],
    columns: &[&[f64]; C],
    sums: &mut [[V; C]; R],
    c: usize,
) {
    let mut m = [V::splat(0.0); C];
    for b in 0..C {
        m[b] = load_at::<V, PART>(columns[b], c);
    }
    for a in 0..R {
        let v: V = load_at::<V, PART>(rows[a], c);
        for b in 0..C {
            sums[a][b] = v.mul_add(m[b], sums[a][b]);
        }
    }
}

/// `sums_j += sum_i share[j * stride + i] x_i`.
pub struct Accumulate<'a> {
    /// Rows of dimension `d`, one after the other.
    pub x: &'a [f64],
    /// Shares of each row, component by component.
    pub share: &'a [f64],
    /// Distance between the shares of two components.
    pub stride: usize,
    /// Dimension.
    pub d: usize,
    /// Sums, one vector a component.
    pub sums: &'a mut [f64],
}

impl Kernel for Accumulate<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let d = self.d;
        let n = self.x.len() / d;
        let mut i = 0;
        while i < n {
            let x = &self.x[i * d..];
            let tall = n - i >= 4;
            for (j, pair) in self.sums.chunks_mut(2 * d).enumerate() {
                let share = &self.share[2 * j * self.stride + i..];
                match (tall, pair.len() > d) {
                    (true, true) => add_tile::<S::F64, 4, 2>(x, share, self.stride, d, pair),
                    (true, false) => add_tile::<S::F64, 4, 1>(x, share, self.stride, d, pair),
                    (false, true) => add_tile::<S::F64, 1, 2>(x, share, self.stride, d, pair),
                    (false, false) => add_tile::<S::F64, 1, 1>(x, share, self.stride, d, pair),
                }
            }
            i += if tall { 4 } else { 1 };
        }
    }
}

#[inline(always)]
fn add_tile<V: F64s, const R: usize, const C: usize>(
    x: &[f64],
    share: &[f64],
    stride: usize,
    d: usize,
    sums: &mut [f64],
) {
    let mut rows = [x; R];
    let mut shares = [[V::splat(0.0); R]; C];
    for a in 0..R {
        rows[a] = &x[a * d..(a + 1) * d];
        for b in 0..C {
            shares[b][a] = V::splat(share[b * stride + a]);
        }
    }
    chunks!(
        V,
        d,
        |c| add_chunk::<V, R, C, false>(&rows, &shares, d, sums, c),
        add_chunk::<V, R, C, true>(&rows, &shares, d, sums, c)
    );
}

#[inline(always)]
fn add_chunk<V: F64s, const R: usize, const C: usize, const PART: bool>(
    rows: &[&[f64]; R],
    shares: &[[V; R]; C],
    d: usize,
    sums: &mut [f64],
    c: usize,
) {
    let mut v = [V::splat(0.0); R];
    for a in 0..R {
        v[a] = load_at::<V, PART>(rows[a], c);
    }
    for b in 0..C {
        let column = &mut sums[b * d..(b + 1) * d];
        let mut s: V = load_at::<V, PART>(column, c);
        for a in 0..R {
            s = v[a].mul_add(shares[b][a], s);
        }
        store_at::<V, PART>(s, column, c);
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use solvent_simd::dispatch;

    use super::*;

    fn table(n: usize, d: usize) -> Vec<f64> {
        (0..n * d).map(|i| ((i * 7919 + 13) % 1009) as f64 / 1009.0 - 0.5).collect()
    }

    #[test]
    fn dots_and_sums_agree_with_plain_loops_at_every_remainder() {
        for (n, d, k) in [(1, 1, 1), (5, 3, 3), (8, 8, 2), (13, 17, 5), (4, 9, 1)] {
            let (x, means) = (table(n, d), table(k, d));
            let mut out = vec![0.0; k * n];
            dispatch(Dots { x: &x, means: &means, d, out: &mut out, stride: n });
            let mut sums = vec![0.0; k * d];
            dispatch(Accumulate { x: &x, share: &out, stride: n, d, sums: &mut sums });
            for j in 0..k {
                for i in 0..n {
                    let plain: f64 = (0..d).map(|c| x[i * d + c] * means[j * d + c]).sum();
                    assert_relative_eq!(out[j * n + i], plain, epsilon = 1e-14);
                }
                for c in 0..d {
                    let plain: f64 = (0..n).map(|i| out[j * n + i] * x[i * d + c]).sum();
                    assert_relative_eq!(sums[j * d + c], plain, epsilon = 1e-13);
                }
            }
        }
    }

    #[test]
    fn column_sums_keep_what_a_plain_sum_loses() {
        // 1, then 2^-60 a thousand times, then -1, with weights 1 and 1/3.
        let (n, d) = (1002, 3);
        let mut x = vec![2f64.powi(-60); n * d];
        x[..d].fill(1.0);
        x[(n - 1) * d..].fill(-1.0);
        let (mut norms2, mut norms2_alone) = (vec![0.0; n], vec![0.0; n]);
        dispatch(Norms { x: &x, norms2: &mut norms2_alone });
        let third = vec![1.0 / 3.0; n];
        for weights in [None, Some(third.as_slice())] {
            let weight = weights.map_or(1.0, |w| w[0]);
            let start = anchor(weight * n as f64);
            let (mut head, mut tail) = (vec![start; d], vec![0.0; d]);
            let heads = &mut head;
            dispatch(ColumnSums { x: &x, weights, norms2: &mut norms2, head: heads, tail: &mut tail });
            assert_relative_eq!(
                (head[1] - start) + tail[1],
                1000.0 * 2f64.powi(-60) * weight,
                max_relative = 1e-12
            );
            assert_eq!(norms2, norms2_alone);
            assert_eq!((norms2[0], norms2[n - 1]), (3.0, 3.0));
        }
    }

    #[test]
    fn anchors_outweigh_what_is_added() {
        for weight in [1e-200, 0.3, 1.0, 512.0, 1e200] {
            let a = anchor(weight);
            assert!(a > 4.2 * weight && a <= 8.4 * weight, "{weight} {a}");
        }
    }
}
