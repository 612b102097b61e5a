//! The residual-gradient pass in double-double: `g = Aᵀ W (b - A (x + x_lo))` as if computed in twice the precision.
//!
//! Per row, products with their errors are summed in lanes by two-sums, the lanes are folded by two-sums into
//! `r = r_hi + r_lo`, and `a_j r` goes into running pairs that are flushed every [`RUN`] rows into double-double totals:
//! an unflushed pair of n rows would err by `n² u²`, and g could come out 0 where it is not.

use solvent_simd::{F64s, Kernel, Simd};

use super::portable::{Portable, Remote};
use super::{Entry, Pass, RUN, Share, ThinShare, padded};
use crate::base::error::Aborted;
use crate::base::sum::{Dd, Sum};

/// The right sides' points.
#[derive(Debug, Clone)]
pub struct Precise {
    /// Columns of the rows.
    pub columns: usize,
    /// k padded vectors: heads of the points.
    pub x: Vec<f64>,
    /// Their tails.
    pub x_lo: Vec<f64>,
    /// Coefficients of the column of ones; 0 where there is none.
    pub intercepts: Vec<Dd>,
    /// What the right sides are multiplied by: powers of two.
    pub scales: Vec<f64>,
}

/// What the pass adds up.
#[derive(Debug, Clone)]
pub struct PreciseGradient {
    /// `Aᵀ W r`: k padded vectors.
    pub total: Vec<Dd>,
    /// `1ᵀ W r`.
    pub ones: Vec<Dd>,
    /// `|r|_W²`.
    pub squares: Vec<Sum>,
    /// Flushes on the longest path.
    pub flushes: usize,
    head: Vec<f64>,
    tail: Vec<f64>,
    row: Vec<f64>,
}

impl Pass for Precise {
    type Sum = PreciseGradient;

    fn begin(&self) -> PreciseGradient {
        let (k, width) = (self.intercepts.len(), padded(self.columns));
        PreciseGradient {
            total: vec![Dd::ZERO; k * width],
            ones: vec![Dd::ZERO; k],
            squares: vec![Sum::new(); k],
            flushes: 0,
            head: vec![0.0; k * width],
            tail: vec![0.0; k * width],
            row: vec![0.0; width],
        }
    }

    fn bytes(&self) -> usize {
        self.x.len() * 5 * size_of::<f64>()
    }

    fn absorb<T: Entry>(&self, sum: &mut PreciseGradient, share: &Share<'_, T>) {
        solvent_simd::dispatch(Absorb { pass: self, sum, share });
    }

    fn absorb_thin<T: Entry>(&self, sum: &mut PreciseGradient, share: &ThinShare<'_, T>) -> bool {
        let (k, width) = (self.intercepts.len(), padded(self.columns));
        for i in 0..share.count {
            let w = share.weight(i);
            for c in 0..k {
                let (x, lo) = (&self.x[c * width..][..width], &self.x_lo[c * width..][..width]);
                let mut r = Dd::from(share.b[i * k + c] * self.scales[c]) - self.intercepts[c];
                share.row(i).for_each(|(j, a)| r = r - (Dd::product(a, x[j]) + Dd::from(a * lo[j])));
                let u = r * Dd::from(w);
                for (j, a) in share.row(i) {
                    let total = &mut sum.total[c * width + j];
                    *total = *total + u * Dd::from(a);
                }
                sum.ones[c] = sum.ones[c] + u;
                sum.squares[c].add(w * r.hi * r.hi);
            }
        }
        // Every row is a flush of its own.
        sum.flushes += share.count;
        true
    }

    fn remotely(&self, remote: &mut dyn Remote) -> Result<Option<Self::Sum>, Aborted> {
        Ok(self.unpack(&remote.pass(Self::NAME, self.numbers())?))
    }

    fn merge(&self, total: &mut PreciseGradient, part: PreciseGradient) {
        total.total.iter_mut().zip(part.total).for_each(|(a, b)| *a = *a + b);
        total.ones.iter_mut().zip(part.ones).for_each(|(a, b)| *a = *a + b);
        total.squares.iter_mut().zip(part.squares).for_each(|(a, b)| a.merge(b));
        total.flushes = total.flushes.max(part.flushes) + 1;
    }
}

impl Portable for Precise {
    const NAME: &'static str = "precise";

    fn numbers(&self) -> Vec<f64> {
        let shape = [self.columns as f64, self.intercepts.len() as f64];
        let intercepts: Vec<f64> = self.intercepts.iter().flat_map(|d| [d.hi, d.lo]).collect();
        [&shape, &intercepts[..], &self.scales, &self.x, &self.x_lo].concat()
    }

    fn told(numbers: &[f64]) -> Option<Self> {
        let (&[columns, k], rest) = numbers.split_first_chunk()?;
        let (columns, k) = (columns as usize, k as usize);
        let (pairs, rest) = rest.split_at_checked(2 * k)?;
        let (scales, rest) = rest.split_at_checked(k)?;
        let (x, x_lo) = rest.split_at_checked(k * padded(columns))?;
        let intercepts = pairs.chunks_exact(2).map(|p| Dd { hi: p[0], lo: p[1] }).collect();
        let (scales, x, x_lo) = (scales.to_vec(), x.to_vec(), x_lo.to_vec());
        (x.len() == x_lo.len()).then_some(Self { columns, x, x_lo, intercepts, scales })
    }

    fn pack(&self, sum: PreciseGradient) -> Vec<f64> {
        let doubles = sum.total.iter().chain(&sum.ones).flat_map(|d| [d.hi, d.lo]);
        let squares = sum.squares.iter().flat_map(|s| <[f64; 2]>::from(s.parts()));
        [sum.flushes as f64].into_iter().chain(doubles).chain(squares).collect()
    }

    fn unpack(&self, numbers: &[f64]) -> Option<PreciseGradient> {
        let (&flushes, rest) = numbers.split_first()?;
        let (pairs, []) = rest.as_chunks::<2>() else { return None };
        let (n, k) = (self.x.len(), self.intercepts.len());
        let double = |&[hi, lo]: &[f64; 2]| Dd { hi, lo };
        (pairs.len() == n + 2 * k).then(|| PreciseGradient {
            total: pairs[..n].iter().map(double).collect(),
            ones: pairs[n..n + k].iter().map(double).collect(),
            squares: pairs[n + k..].iter().map(|&[head, tail]| Sum::from_parts(head, tail)).collect(),
            flushes: flushes as usize,
            ..self.begin()
        })
    }
}

struct Absorb<'a, T> {
    pass: &'a Precise,
    sum: &'a mut PreciseGradient,
    share: &'a Share<'a, T>,
}

/// Rows whose dot products run side by side, so that their chains overlap.
const GROUP: usize = 4;

impl<T: Entry> Kernel for Absorb<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { pass, sum, share } = self;
        let (k, width) = (pass.intercepts.len(), padded(pass.columns));
        for start in (0..share.count).step_by(RUN) {
            let end = (start + RUN).min(share.count);
            for c in 0..k {
                let span = c * width..(c + 1) * width;
                let point = Point {
                    x: &pass.x[span.clone()],
                    lo: &pass.x_lo[span.clone()],
                    intercept: pass.intercepts[c],
                    scale: pass.scales[c],
                    column: c,
                    k,
                };
                let (head, tail) = (&mut sum.head[span.clone()], &mut sum.tail[span]);
                head.fill(0.0);
                tail.fill(0.0);
                let mut i = start;
                while i + GROUP <= end && (i + GROUP - 1) * share.stride + width <= share.rows.len() {
                    let mut rows = [share.rows; GROUP];
                    for g in 0..GROUP {
                        rows[g] = &share.rows[(i + g) * share.stride..][..width];
                    }
                    let r = residuals::<S::F64, T, GROUP>(&rows, share, i, &point);
                    book(&mut sum.ones[c], &mut sum.squares[c], share, i, &r);
                    spread::<S::F64, T, GROUP>(&rows, share, i, &r, head, tail);
                    i += GROUP;
                }
                while i < end {
                    let row = &share.rows[i * share.stride..][..pass.columns];
                    for j in 0..pass.columns {
                        sum.row[j] = row[j].to_f64();
                    }
                    let rows = [&sum.row[..]];
                    let r = residuals::<S::F64, f64, 1>(&rows, share, i, &point);
                    book(&mut sum.ones[c], &mut sum.squares[c], share, i, &r);
                    spread::<S::F64, f64, 1>(&rows, share, i, &r, head, tail);
                    i += 1;
                }
            }
            for (total, (h, t)) in sum.total.iter_mut().zip(sum.head.iter().zip(&sum.tail)) {
                *total = *total + Dd::new(*h, *t);
            }
            sum.flushes += 1;
        }
    }
}

/// One right side.
struct Point<'a> {
    x: &'a [f64],
    lo: &'a [f64],
    intercept: Dd,
    scale: f64,
    column: usize,
    k: usize,
}

/// `(s, e)`: `s = a + b` rounded, and its error.
#[inline(always)]
fn two_sum<V: F64s>(a: V, b: V) -> (V, V) {
    let s = a + b;
    let bb = s - a;
    (s, (a - (s - bb)) + (b - bb))
}

/// `b - a (x + lo) - intercept` of `G` rows from row i on.
#[inline(always)]
fn residuals<V: F64s, T: Entry, const G: usize>(
    rows: &[&[T]; G],
    share_b: &Share<'_, impl Entry>,
    i: usize,
    point: &Point<'_>,
) -> [Dd; G] {
    let zero = V::splat(0.0);
    let (mut sums, mut errors) = ([zero; G], [zero; G]);
    let width = point.x.len();
    let mut j = 0;
    while j < width {
        let (x, lo) = (V::load(&point.x[j..]), V::load(&point.lo[j..]));
        for g in 0..G {
            let a = T::load::<V>(&rows[g][j..]);
            let p = a * x;
            let low = a.mul_add(lo, a.fma(x, -p));
            let (s, e) = two_sum(sums[g], p);
            sums[g] = s;
            errors[g] = errors[g] + (e + low);
        }
        j += V::LANES;
    }
    let mut out = [Dd::ZERO; G];
    for g in 0..G {
        let (mut s, mut e) = ([0.0; 8], [0.0; 8]);
        sums[g].store(&mut s);
        errors[g].store(&mut e);
        let mut r = Dd::from(share_b.b[(i + g) * point.k + point.column] * point.scale) - point.intercept;
        for l in 0..V::LANES {
            r = r - Dd::new(s[l], e[l]);
        }
        out[g] = r;
    }
    out
}

/// Adds `w r` and `w r²`.
#[inline(always)]
fn book<const G: usize>(
    ones: &mut Dd,
    squares: &mut Sum,
    share: &Share<'_, impl Entry>,
    i: usize,
    r: &[Dd; G],
) {
    for g in 0..G {
        let w = share.weight(i + g);
        *ones = *ones + r[g] * Dd::from(w);
        squares.add(w * r[g].hi * r[g].hi);
    }
}

/// `head + tail += a w r` for `G` rows.
#[inline(always)]
fn spread<V: F64s, T: Entry, const G: usize>(
    rows: &[&[T]; G],
    share: &Share<'_, impl Entry>,
    i: usize,
    r: &[Dd; G],
    head: &mut [f64],
    tail: &mut [f64],
) {
    let zero = V::splat(0.0);
    let (mut high, mut low) = ([zero; G], [zero; G]);
    for g in 0..G {
        let u = if share.weights.is_some() { r[g] * Dd::from(share.weight(i + g)) } else { r[g] };
        (high[g], low[g]) = (V::splat(u.hi), V::splat(u.lo));
    }
    let width = head.len();
    let mut j = 0;
    while j < width {
        let (mut s, mut e) = (V::load(&head[j..]), V::load(&tail[j..]));
        for g in 0..G {
            let a = T::load::<V>(&rows[g][j..]);
            let p = a * high[g];
            let rest = a.mul_add(low[g], a.fma(high[g], -p));
            let (sum, error) = two_sum(s, p);
            s = sum;
            e = e + (error + rest);
        }
        s.store(&mut head[j..]);
        e.store(&mut tail[j..]);
        j += V::LANES;
    }
}
