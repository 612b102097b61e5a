//! Cholesky solves of Gram matrices: one at a time, or one a lane where they are small.

use solvent_simd::{Lanes, Mask};

use crate::completion::entry::{Entry, LineKernel};

/// Up to this order a whole register of systems is factorised at once, one a lane.
pub const SMALL: usize = 128;

/// Solves `G x = b` in place, `G = R^T R` in the upper triangle (`stride` by `stride`, row-major, overwritten). Gives the
/// smallest pivot relative to the largest diagonal element; below [`Entry::PIVOT`] nothing was solved.
pub struct Factorise<'a, T> {
    /// The matrix.
    pub gram: &'a mut [T],
    /// Its order.
    pub width: usize,
    /// From one row to the next.
    pub stride: usize,
    /// The right side, then the solution.
    pub b: &'a mut [T],
}

impl<T: Entry> LineKernel<T> for Factorise<'_, T> {
    type Output = f64;
    #[inline(always)]
    fn run<V: Lanes<Scalar = T>>(self) -> f64 {
        let Self { gram, width, stride, b } = self;
        let largest = (0..width).fold(0.0, |m: f64, i| m.max(gram[i * stride + i].to_f64()));
        let mut least = f64::INFINITY;
        for i in 0..width {
            let (head, tail) = gram.split_at_mut((i + 1) * stride);
            let row = &mut head[i * stride..];
            let ratio = row[i].to_f64() / largest;
            if ratio.is_nan() || ratio <= T::PIVOT {
                return ratio.max(0.0);
            }
            least = least.min(ratio);
            let first = i / V::LANES * V::LANES;
            let s = V::splat(T::ONE / row[i].root());
            for x in row[first..].chunks_exact_mut(V::LANES) {
                (s * V::load(x)).store(x);
            }
            for r in i + 1..width {
                let f = V::splat(-row[r]);
                let first = r / V::LANES * V::LANES;
                let to = &mut tail[(r - i - 1) * stride..][..stride];
                for (x, y) in row[first..].chunks_exact(V::LANES).zip(to[first..].chunks_exact_mut(V::LANES))
                {
                    f.mul_add(V::load(x), V::load(y)).store(y);
                }
            }
        }
        for i in 0..width {
            let x = b[i] / gram[i * stride + i];
            b[i] = x;
            for j in i + 1..width {
                b[j] -= x * gram[i * stride + j];
            }
        }
        for i in (0..width).rev() {
            let mut x = b[i];
            for j in i + 1..width {
                x -= gram[i * stride + j] * b[j];
            }
            b[i] = x / gram[i * stride + i];
        }
        least
    }
}

/// Many small systems, one a lane: the lower triangles row by row, then the right sides.
pub struct Batch<T> {
    /// Element (i, j) of system l lies at `(i (i + 1)/2 + j) lanes + l`.
    matrices: Vec<T>,
    sides: Vec<T>,
    width: usize,
    lanes: usize,
    used: usize,
}

/// What became of the systems of a batch.
pub struct Solved {
    /// The smallest pivot ratio among those that were solved.
    pub pivot: f64,
    /// Bit l: system l met a pivot that is noise, and was not solved.
    pub failed: u32,
}

impl<T: Entry> Batch<T> {
    /// Room for `lanes` systems of this order.
    pub fn new(width: usize, lanes: usize) -> Self {
        let triangle = width * (width + 1) / 2;
        Self {
            matrices: vec![T::ZERO; triangle * lanes],
            sides: vec![T::ZERO; width * lanes],
            width,
            lanes,
            used: 0,
        }
    }

    /// How many systems wait.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Whether no further system fits.
    pub fn is_full(&self) -> bool {
        self.used == self.lanes
    }

    /// Takes a system in: the upper triangle of `gram` (row-major) with `ridge` on its diagonal, and `b`.
    pub fn push(&mut self, gram: &[T], stride: usize, ridge: T, b: &[T]) {
        let (lane, lanes) = (self.used, self.lanes);
        let mut at = lane;
        for i in 0..self.width {
            for j in 0..i {
                self.matrices[at] = gram[j * stride + i];
                at += lanes;
            }
            self.matrices[at] = gram[i * stride + i] + ridge;
            at += lanes;
            self.sides[i * lanes + lane] = b[i];
        }
        self.used += 1;
    }

    /// The solution of system `lane` into `x`.
    pub fn read(&self, lane: usize, x: &mut [T]) {
        for (i, x) in x[..self.width].iter_mut().enumerate() {
            *x = self.sides[i * self.lanes + lane];
        }
    }

    /// Empties the batch.
    pub fn clear(&mut self) {
        self.used = 0;
    }
}

/// Factorises and solves all of them.
impl<T: Entry> LineKernel<T> for &mut Batch<T> {
    type Output = Solved;
    #[inline(always)]
    fn run<V: Lanes<Scalar = T>>(self) -> Solved {
        let (d, lanes) = (self.width, V::LANES);
        let mut largest = V::splat(T::ZERO);
        for i in 0..d {
            largest = largest.max(V::load(&self.matrices[(i * (i + 1) / 2 + i) * lanes..]));
        }
        let floor = largest * V::splat(T::from_f64(T::PIVOT));
        let (mut least, one) = (V::splat(T::INFINITY), V::splat(T::ONE));
        let mut good = one.eq(one);
        for j in 0..d {
            let (head, tail) = self.matrices.split_at_mut((j + 1) * (j + 2) / 2 * lanes);
            let row = &mut head[j * (j + 1) / 2 * lanes..];
            let (left, diagonal) = row.split_at_mut(j * lanes);
            let mut pivot = V::load(diagonal);
            for x in left.chunks_exact(lanes) {
                let x = V::load(x);
                pivot = (-x).mul_add(x, pivot);
            }
            let fine = pivot.gt(floor);
            good = good.and(fine);
            pivot = V::select(fine, pivot, one);
            least = least.min(V::select(fine, pivot / largest, one));
            let inverse = one / pivot.sqrt();
            inverse.store(diagonal);
            // The rows below, four at a time: each element of row j is loaded once for all of them.
            let mut i = j + 1;
            while i < d {
                let count = (d - i).min(4);
                let start = |i: usize| (i * (i + 1) / 2 - (j + 1) * (j + 2) / 2) * lanes;
                let mut sums = [V::splat(T::ZERO); 4];
                let mut rows = [0; 4];
                for c in 0..4 {
                    rows[c] = start(i + c.min(count - 1));
                    sums[c] = V::load(&tail[rows[c] + j * lanes..]);
                }
                for (p, x) in left.chunks_exact(lanes).enumerate() {
                    let x = -V::load(x);
                    for c in 0..4 {
                        sums[c] = x.mul_add(V::load(&tail[rows[c] + p * lanes..]), sums[c]);
                    }
                }
                for c in 0..count {
                    (sums[c] * inverse).store(&mut tail[rows[c] + j * lanes..]);
                }
                i += count;
            }
        }
        for i in 0..d {
            let row = &self.matrices[i * (i + 1) / 2 * lanes..];
            let (before, rest) = self.sides.split_at_mut(i * lanes);
            let mut x = V::load(rest);
            for (l, b) in row.chunks_exact(lanes).zip(before.chunks_exact(lanes)) {
                x = (-V::load(l)).mul_add(V::load(b), x);
            }
            (x * V::load(&row[i * lanes..])).store(rest);
        }
        for i in (0..d).rev() {
            let row = &self.matrices[i * (i + 1) / 2 * lanes..];
            let (before, rest) = self.sides.split_at_mut(i * lanes);
            let x = V::load(rest) * V::load(&row[i * lanes..]);
            x.store(rest);
            for (l, b) in row.chunks_exact(lanes).zip(before.chunks_exact_mut(lanes)) {
                (-V::load(l)).mul_add(x, V::load(b)).store(b);
            }
        }
        let used = ((1u64 << self.used) - 1) as u32;
        Solved { pivot: least.reduce_min().to_f64(), failed: !good.bits() & used }
    }
}
