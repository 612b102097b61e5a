//! The fused residual-gradient pass: `g = Aᵀ W (b - A x)` and `|b - A x|_W²` in one read of the rows.

use solvent_simd::{F64s, Kernel, Lanes, Simd, prefetch};

use super::portable::{Portable, Remote};
use super::{Entry, PAD, Pass, RUN, Share, ThinShare, padded};
use crate::base::error::Aborted;
use crate::base::sum::{Sum, two_sum};

/// The right sides' points: one padded vector each, and the intercepts.
#[derive(Debug, Clone)]
pub struct Residual {
    /// Columns of the rows.
    pub columns: usize,
    /// k vectors of `padded(columns)` entries.
    pub x: Vec<f64>,
    /// Coefficient of the column of ones, one a right side; 0 where there is none.
    pub intercepts: Vec<f64>,
    /// What the right sides are multiplied by: powers of two.
    pub scales: Vec<f64>,
}

/// What the pass adds up.
#[derive(Debug, Clone)]
pub struct Gradient {
    /// Heads of `Aᵀ W r`: k padded vectors.
    pub head: Vec<f64>,
    /// Their tails.
    pub tail: Vec<f64>,
    /// `1ᵀ W r`, one a right side.
    pub ones: Vec<Sum>,
    /// `|r|_W²`, one a right side.
    pub squares: Vec<Sum>,
    run: Vec<f64>,
    last: Vec<f64>,
}

impl Gradient {
    /// Of `k` right sides and `columns` columns.
    fn new(columns: usize, k: usize) -> Self {
        let zeros = vec![0.0; padded(columns) * k];
        Self {
            head: zeros.clone(),
            tail: zeros.clone(),
            run: zeros,
            ones: vec![Sum::new(); k],
            squares: vec![Sum::new(); k],
            last: vec![0.0; padded(columns)],
        }
    }

    /// Component j of right side c's gradient.
    pub fn get(&self, c: usize, j: usize) -> f64 {
        let at = c * self.last.len() + j;
        self.head[at] + self.tail[at]
    }
}

impl Pass for Residual {
    type Sum = Gradient;

    fn begin(&self) -> Gradient {
        Gradient::new(self.columns, self.intercepts.len())
    }

    fn bytes(&self) -> usize {
        self.x.len() * 4 * size_of::<f64>()
    }

    fn absorb<T: Entry>(&self, sum: &mut Gradient, share: &Share<'_, T>) {
        solvent_simd::dispatch(Absorb { pass: self, sum, share });
    }

    fn absorb_thin<T: Entry>(&self, sum: &mut Gradient, share: &ThinShare<'_, T>) -> bool {
        let (k, width) = (self.intercepts.len(), padded(self.columns));
        for i in 0..share.count {
            let w = share.weight(i);
            for c in 0..k {
                let x = &self.x[c * width..][..width];
                let mut r = Sum::new();
                r.add(share.b[i * k + c] * self.scales[c] - self.intercepts[c]);
                share.row(i).for_each(|(j, a)| r.add_product(-a, x[j]));
                let r = r.value();
                let u = w * r;
                for (j, a) in share.row(i) {
                    let at = c * width + j;
                    let (s, e) = two_sum(sum.head[at], a * u);
                    sum.head[at] = s;
                    sum.tail[at] += e;
                }
                sum.ones[c].add(u);
                sum.squares[c].add(u * r);
            }
        }
        true
    }

    fn remotely(&self, remote: &mut dyn Remote) -> Result<Option<Self::Sum>, Aborted> {
        Ok(self.unpack(&remote.pass(Self::NAME, self.numbers())?))
    }

    fn merge(&self, total: &mut Gradient, part: Gradient) {
        for i in 0..total.head.len() {
            let (s, e) = two_sum(total.head[i], part.head[i]);
            total.head[i] = s;
            total.tail[i] += e + part.tail[i];
        }
        for c in 0..total.ones.len() {
            total.ones[c].merge(part.ones[c]);
            total.squares[c].merge(part.squares[c]);
        }
    }
}

impl Portable for Residual {
    const NAME: &'static str = "residual";

    fn numbers(&self) -> Vec<f64> {
        let shape = [self.columns as f64, self.intercepts.len() as f64];
        [&shape, &self.intercepts[..], &self.scales, &self.x].concat()
    }

    fn told(numbers: &[f64]) -> Option<Self> {
        let (&[columns, k], rest) = numbers.split_first_chunk()?;
        let (columns, k) = (columns as usize, k as usize);
        let (intercepts, rest) = rest.split_at_checked(k)?;
        let (scales, x) = rest.split_at_checked(k)?;
        let (intercepts, scales, x) = (intercepts.to_vec(), scales.to_vec(), x.to_vec());
        (x.len() == k * padded(columns)).then_some(Self { columns, x, intercepts, scales })
    }

    fn pack(&self, sum: Gradient) -> Vec<f64> {
        let pairs = sum.ones.iter().chain(&sum.squares).flat_map(|s| <[f64; 2]>::from(s.parts()));
        let sums: Vec<f64> = pairs.collect();
        [sum.head, sum.tail, sums].concat()
    }

    fn unpack(&self, numbers: &[f64]) -> Option<Gradient> {
        let (k, mut sum) = (self.intercepts.len(), self.begin());
        let (head, rest) = numbers.split_at_checked(self.x.len())?;
        let (tail, rest) = rest.split_at_checked(self.x.len())?;
        sum.head.copy_from_slice(head);
        sum.tail.copy_from_slice(tail);
        let (pairs, []) = rest.as_chunks::<2>() else { return None };
        let sums: Vec<Sum> = pairs.iter().map(|&[head, tail]| Sum::from_parts(head, tail)).collect();
        (sums.len() == 2 * k).then(|| Gradient {
            ones: sums[..k].to_vec(),
            squares: sums[k..].to_vec(),
            ..sum
        })
    }
}

struct Absorb<'a, T> {
    pass: &'a Residual,
    sum: &'a mut Gradient,
    share: &'a Share<'a, T>,
}

impl<T: Entry> Kernel for Absorb<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { pass, sum, share } = self;
        let (k, width) = (pass.intercepts.len(), padded(pass.columns));
        for start in (0..share.count).step_by(RUN) {
            let end = (start + RUN).min(share.count);
            for c in 0..k {
                let x = &pass.x[c * width..][..width];
                let side = Side { b: share.b, k, c, scale: pass.scales[c], intercept: pass.intercepts[c] };
                let run = &mut sum.run[c * width..][..width];
                run.fill(0.0);
                let (mut ones, mut squares) = (0.0, 0.0);
                let mut i = start;
                while i + 4 <= end && (i + 3) * share.stride + width <= share.rows.len() {
                    let (u, parts) = four::<S::F64, T>(share, width, i, x, &side, run);
                    ones += u;
                    squares += parts;
                    i += 4;
                }
                while i < end {
                    // What lies behind the last row's end is not ours to read.
                    let row = &share.rows[i * share.stride..][..pass.columns];
                    for j in 0..pass.columns {
                        sum.last[j] = row[j].to_f64();
                    }
                    let (u, part) = one::<S::F64>(&sum.last, side.residual(i), share.weight(i), x, run);
                    ones += u;
                    squares += part;
                    i += 1;
                }
                sum.ones[c].add(ones);
                sum.squares[c].add(squares);
            }
            flush::<S::F64>(&sum.run, &mut sum.head, &mut sum.tail);
        }
    }
}

/// One right side, before the product with the row is taken off.
struct Side<'a> {
    b: &'a [f64],
    k: usize,
    c: usize,
    scale: f64,
    intercept: f64,
}

impl Side<'_> {
    #[inline(always)]
    fn residual(&self, i: usize) -> f64 {
        self.b[i * self.k + self.c] * self.scale - self.intercept
    }
}

/// How far ahead rows are asked for, in bytes, where four are shorter: the hardware loses track of short ones.
const AHEAD: usize = 4096;

/// Rows i..i + 4: adds `a w r` to `run`, returns the sums of `w r` and `w r²`.
///
/// Whole registers are read, so up to [`PAD`] - 1 entries behind a row (the next row's, finite) meet zeros of x, and
/// what they add to `run` lies in its padding.
#[inline(always)]
fn four<V: F64s, T: Entry>(
    share: &Share<'_, T>,
    width: usize,
    i: usize,
    x: &[f64],
    side: &Side<'_>,
    run: &mut [f64],
) -> (f64, f64) {
    let row = |g: usize| &share.rows[(i + g) * share.stride..][..width];
    let (a0, a1, a2, a3) = (row(0), row(1), row(2), row(3));
    let zero = V::splat(0.0);
    let (mut d0, mut d1, mut d2, mut d3) = (zero, zero, zero, zero);
    let ahead = i * share.stride + (4 * share.stride).max(AHEAD / size_of::<T>());
    let mut j = 0;
    while j < width {
        for g in 0..4 {
            prefetch(share.rows, ahead + g * share.stride + j);
        }
        let x = V::load(&x[j..]);
        d0 = T::load::<V>(&a0[j..]).mul_add(x, d0);
        d1 = T::load::<V>(&a1[j..]).mul_add(x, d1);
        d2 = T::load::<V>(&a2[j..]).mul_add(x, d2);
        d3 = T::load::<V>(&a3[j..]).mul_add(x, d3);
        j += V::LANES;
    }
    let dots = [d0.reduce_sum(), d1.reduce_sum(), d2.reduce_sum(), d3.reduce_sum()];
    let (mut u, mut r) = ([0.0; 4], [0.0; 4]);
    for g in 0..4 {
        r[g] = side.residual(i + g) - dots[g];
        u[g] = share.weight(i + g) * r[g];
    }
    let (u0, u1, u2, u3) = (V::splat(u[0]), V::splat(u[1]), V::splat(u[2]), V::splat(u[3]));
    let mut j = 0;
    while j < width {
        let mut sum = V::load(&run[j..]);
        sum = T::load::<V>(&a0[j..]).mul_add(u0, sum);
        sum = T::load::<V>(&a1[j..]).mul_add(u1, sum);
        sum = T::load::<V>(&a2[j..]).mul_add(u2, sum);
        sum = T::load::<V>(&a3[j..]).mul_add(u3, sum);
        sum.store(&mut run[j..]);
        j += V::LANES;
    }
    let squares = (u[0] * r[0] + u[1] * r[1]) + (u[2] * r[2] + u[3] * r[3]);
    ((u[0] + u[1]) + (u[2] + u[3]), squares)
}

/// A single row, padded.
#[inline(always)]
fn one<V: F64s>(row: &[f64], before: f64, weight: f64, x: &[f64], run: &mut [f64]) -> (f64, f64) {
    let mut dot = V::splat(0.0);
    for (a, x) in row.chunks_exact(V::LANES).zip(x.chunks_exact(V::LANES)) {
        dot = V::load(a).mul_add(V::load(x), dot);
    }
    let r = before - dot.reduce_sum();
    let u = weight * r;
    let factor = V::splat(u);
    for (a, y) in row.chunks_exact(V::LANES).zip(run.chunks_exact_mut(V::LANES)) {
        V::load(a).mul_add(factor, V::load(y)).store(y);
    }
    (u, u * r)
}

/// `head + tail += run`, by two-sums.
#[inline(always)]
fn flush<V: F64s>(run: &[f64], head: &mut [f64], tail: &mut [f64]) {
    let heads = head.chunks_exact_mut(V::LANES).zip(tail.chunks_exact_mut(V::LANES));
    for ((head, tail), run) in heads.zip(run.chunks_exact(V::LANES)) {
        let (h, p) = (V::load(head), V::load(run));
        let s = h + p;
        let back = s - h;
        let error = (h - (s - back)) + (p - back);
        s.store(head);
        (V::load(tail) + error).store(tail);
    }
}

/// Roundings of a dot product with a row, in its longest chain: a lane's products, the fold of the lanes, the
/// right side and the intercept. `|r^_i - r_i| <= γ (|a_i| |x| + |b_i|)` with these many units.
pub fn dot_terms(columns: usize) -> usize {
    struct Width;
    impl Kernel for Width {
        type Output = usize;
        #[inline(always)]
        fn run<S: Simd>(self) -> usize {
            <S::F64 as Lanes>::LANES
        }
    }
    let lanes = solvent_simd::dispatch(Width);
    columns.div_ceil(lanes) + lanes.ilog2() as usize + 4
}

/// Roundings of a component of the gradient: the weight, the products of a run with their sum, head and tail, ridge.
pub const GRADIENT_TERMS: usize = RUN + 7;

const _: () = assert!(PAD.is_multiple_of(8));
