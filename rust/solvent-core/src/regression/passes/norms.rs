//! The margins of the Gram matrix of `[A 1 b]`: its diagonal and its rows of the right sides, where that is all that a route
//! needs of its first read.

use solvent_simd::{F64s, Kernel, Simd};

use super::{Entry, Pass, RUN, Share, padded};
use crate::base::sum::{Sum, two_sum};

/// The pass.
#[derive(Debug, Clone)]
pub struct Norms {
    /// Columns of A.
    pub columns: usize,
    /// Whether a column of ones follows.
    pub intercept: bool,
    /// How many right sides follow.
    pub sides: usize,
}

/// What it adds up.
#[derive(Debug, Clone)]
pub struct Margins {
    /// Heads of the squares of the columns, then of their products with every right side: padded vectors.
    head: Vec<f64>,
    tail: Vec<f64>,
    run: Vec<f64>,
    /// `sum_i w_i`, then for every right side `sum_i w_i b_i` and `sum_i w_i b_i²`.
    ones: Vec<Sum>,
}

impl Norms {
    /// Entry (i, j) of the Gram matrix of `[A 1 b]`: on the diagonal, or with a right side i.
    pub fn entry(&self, sum: &Margins, i: usize, j: usize) -> f64 {
        let (d, width) = (self.columns, padded(self.columns));
        let order = d + usize::from(self.intercept);
        let at = |k: usize| sum.head[k] + sum.tail[k];
        match (i, j) {
            (i, j) if j < d && i == j => at(j),
            (i, j) if j < d => at((1 + i - order) * width + j),
            (i, j) if i < order && j < order => sum.ones[0].value(),
            (i, j) if j < order => sum.ones[1 + 2 * (i - order)].value(),
            (i, _) => sum.ones[2 + 2 * (i - order)].value(),
        }
    }
}

impl Pass for Norms {
    type Sum = Margins;

    fn begin(&self) -> Margins {
        let zeros = vec![0.0; (1 + self.sides) * padded(self.columns)];
        let ones = vec![Sum::new(); 1 + 2 * self.sides];
        Margins { head: zeros.clone(), tail: zeros.clone(), run: zeros, ones }
    }

    fn bytes(&self) -> usize {
        3 * (1 + self.sides) * padded(self.columns) * size_of::<f64>()
    }

    fn absorb<T: Entry>(&self, sum: &mut Margins, share: &Share<'_, T>) {
        solvent_simd::dispatch(Absorb { pass: self, sum, share });
    }

    fn merge(&self, total: &mut Margins, part: Margins) {
        for i in 0..total.head.len() {
            let (s, e) = two_sum(total.head[i], part.head[i]);
            total.head[i] = s;
            total.tail[i] += e + part.tail[i];
        }
        total.ones.iter_mut().zip(part.ones).for_each(|(a, b)| a.merge(b));
    }
}

struct Absorb<'a, T> {
    pass: &'a Norms,
    sum: &'a mut Margins,
    share: &'a Share<'a, T>,
}

impl<T: Entry> Kernel for Absorb<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { pass, sum, share } = self;
        let (d, k, width) = (pass.columns, pass.sides, padded(pass.columns));
        let mut last = vec![0.0; width];
        for start in (0..share.count).step_by(RUN) {
            let end = (start + RUN).min(share.count);
            sum.run.fill(0.0);
            let mut i = start;
            // Whole registers are read: what lies behind a row (the next one) goes to the padding.
            while i + 4 <= end && (i + 3) * share.stride + width <= share.rows.len() {
                let row = |g: usize| &share.rows[(i + g) * share.stride..][..width];
                add::<S::F64, T, 4>(&[row(0), row(1), row(2), row(3)], share, i, k, &mut sum.run);
                i += 4;
            }
            while i < end {
                let row = &share.rows[i * share.stride..][..d];
                for j in 0..d {
                    last[j] = row[j].to_f64();
                }
                add::<S::F64, f64, 1>(&[&last[..]], share, i, k, &mut sum.run);
                i += 1;
            }
            for i in start..end {
                let w = share.weight(i);
                sum.ones[0].add(w);
                for (c, &b) in share.b[i * k..][..k].iter().enumerate() {
                    sum.ones[1 + 2 * c].add(w * b);
                    sum.ones[2 + 2 * c].add(w * b * b);
                }
            }
            for (j, &run) in sum.run.iter().enumerate() {
                let (s, e) = two_sum(sum.head[j], run);
                sum.head[j] = s;
                sum.tail[j] += e;
            }
        }
    }
}

/// Adds `G` rows from row i on to the run: their squares, then their products with the right sides.
#[inline(always)]
fn add<V: F64s, T: Entry, const G: usize>(
    rows: &[&[T]; G],
    share: &Share<'_, impl Entry>,
    i: usize,
    k: usize,
    run: &mut [f64],
) {
    let width = rows[0].len();
    let (squares, products) = run.split_at_mut(width);
    let mut weights = [V::splat(1.0); G];
    for g in 0..G {
        weights[g] = V::splat(share.weight(i + g));
    }
    let mut j = 0;
    while j < width {
        let mut sum = V::load(&squares[j..]);
        for g in 0..G {
            let a = T::load::<V>(&rows[g][j..]);
            sum = (a * weights[g]).mul_add(a, sum);
        }
        sum.store(&mut squares[j..]);
        j += V::LANES;
    }
    for c in 0..k {
        let out = &mut products[c * width..][..width];
        let mut factors = [V::splat(0.0); G];
        for g in 0..G {
            factors[g] = V::splat(share.weight(i + g) * share.b[(i + g) * k + c]);
        }
        let mut j = 0;
        while j < width {
            let mut sum = V::load(&out[j..]);
            for g in 0..G {
                sum = T::load::<V>(&rows[g][j..]).mul_add(factors[g], sum);
            }
            sum.store(&mut out[j..]);
            j += V::LANES;
        }
    }
}

/// Two passes in one read.
#[derive(Debug, Clone)]
pub struct Both<P, Q>(pub P, pub Q);

impl<P: Pass, Q: Pass> Pass for Both<P, Q> {
    type Sum = (P::Sum, Q::Sum);

    fn grain(&self) -> usize {
        // Grains are powers of two times small numbers; a multiple of both is what counts.
        let (p, q) = (self.0.grain(), self.1.grain());
        if q.is_multiple_of(p) { q } else { p * q }
    }

    fn begin(&self) -> Self::Sum {
        (self.0.begin(), self.1.begin())
    }

    fn bytes(&self) -> usize {
        self.0.bytes() + self.1.bytes()
    }

    fn absorb<T: Entry>(&self, sum: &mut Self::Sum, share: &Share<'_, T>) {
        self.0.absorb(&mut sum.0, share);
        self.1.absorb(&mut sum.1, share);
    }

    fn merge(&self, total: &mut Self::Sum, part: Self::Sum) {
        self.0.merge(&mut total.0, part.0);
        self.1.merge(&mut total.1, part.1);
    }
}
