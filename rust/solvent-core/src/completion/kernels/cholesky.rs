//! Cholesky solves of Gram matrices: one at a time, or one a lane where they are small.

use solvent_simd::{Lanes, Mask};

use crate::completion::entry::{Entry, LineKernel};
use crate::completion::factor::Lines;

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

/// How many rows and columns of a triangle are eliminated together, in registers.
const TILE: usize = 4;

/// Many small systems, one a lane. They are collected as they come, then packed: the lower triangles row by row, then the
/// right sides.
pub struct Batch<T> {
    /// The systems as they come: a matrix (`stride` by `stride`, the upper triangle counts), and apart.
    grams: Lines<T>,
    /// From one of them to the next: not a power of two, so that they do not compete for the same cache sets.
    step: usize,
    /// Their right sides.
    moments: Vec<T>,
    /// Element (i, j) of system l lies at `(i (i + 1)/2 + j) lanes + l`. The order is filled up to whole tiles with ones
    /// on the diagonal.
    matrices: Lines<T>,
    sides: Lines<T>,
    width: usize,
    stride: usize,
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
    /// Room for a line of systems of this order, each in rows of length `stride`.
    pub fn new(width: usize, stride: usize) -> Self {
        let (lanes, order) = (T::LINE, width.next_multiple_of(TILE));
        let step = if width == 0 { 0 } else { stride * stride + T::LINE };
        let mut matrices = Lines::zeros(order * (order + 1) / 2 * lanes);
        for i in width..order {
            matrices.as_mut_slice()[(i * (i + 1) / 2 + i) * lanes..][..lanes].fill(T::ONE);
        }
        Self {
            grams: Lines::zeros(step * lanes),
            step,
            moments: vec![T::ZERO; if width == 0 { 0 } else { stride * lanes }],
            matrices,
            sides: Lines::zeros(order * lanes),
            width,
            stride,
            used: 0,
        }
    }

    /// How many systems wait.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Whether no further system fits.
    pub fn is_full(&self) -> bool {
        self.used == T::LINE
    }

    /// Where the next system is written: matrix and right side. What stood there before is still there.
    pub fn slot(&mut self) -> (&mut [T], &mut [T]) {
        let (l, stride) = (self.used, self.stride);
        let gram = &mut self.grams.as_mut_slice()[l * self.step..][..stride * stride];
        (gram, &mut self.moments[l * stride..][..stride])
    }

    /// Takes in what was written there, with `ridge` on the diagonal.
    pub fn push(&mut self, ridge: T) {
        let (width, stride) = (self.width, self.stride);
        let (gram, _) = self.slot();
        for l in 0..width {
            gram[l * stride + l] += ridge;
        }
        self.used += 1;
    }

    /// The solution of system `lane` into `x`.
    pub fn read(&self, lane: usize, x: &mut [T]) {
        let sides = self.sides.as_slice();
        for (i, x) in x[..self.width].iter_mut().enumerate() {
            *x = sides[i * T::LINE + lane];
        }
    }

    /// Empties the batch.
    pub fn clear(&mut self) {
        self.used = 0;
    }

    /// Brings the systems side by side; lanes without one repeat the first.
    #[inline(always)]
    fn pack(&mut self) {
        let (lanes, stride, step, used) = (T::LINE, self.stride, self.step, self.used);
        let (grams, matrices) = (self.grams.as_slice(), self.matrices.as_mut_slice());
        for j in 0..self.width {
            for i in j..self.width {
                let at = j * stride + i;
                let to = &mut matrices[(i * (i + 1) / 2 + j) * lanes..][..lanes];
                for l in 0..lanes {
                    to[l] = grams[if l < used { l } else { 0 } * step + at];
                }
            }
        }
        let sides = self.sides.as_mut_slice();
        for i in 0..self.width {
            for (l, x) in sides[i * lanes..][..lanes].iter_mut().enumerate() {
                *x = self.moments[if l < used { l } else { 0 } * stride + i];
            }
        }
    }
}

/// Start of row `i` of a packed triangle.
#[inline(always)]
const fn row(i: usize) -> usize {
    i * (i + 1) / 2
}

/// `a[r][c] -= sum over p < depth of x_r[p] y_c[p]` for rows that begin at `x` and `y`, in registers.
#[inline(always)]
fn eliminate<V: Lanes<Scalar = T>, T: Entry>(
    m: &[T],
    x: [usize; TILE],
    y: [usize; TILE],
    depth: usize,
    a: &mut [[V; TILE]; TILE],
) {
    let lanes = V::LANES;
    let part = |from: usize| &m[from * lanes..][..depth * lanes];
    let (x0, x1, x2, x3) = (part(x[0]), part(x[1]), part(x[2]), part(x[3]));
    let (y0, y1, y2, y3) = (part(y[0]), part(y[1]), part(y[2]), part(y[3]));
    for p in 0..depth {
        let at = p * lanes;
        let left = [V::load(&x0[at..]), V::load(&x1[at..]), V::load(&x2[at..]), V::load(&x3[at..])];
        let right = [V::load(&y0[at..]), V::load(&y1[at..]), V::load(&y2[at..]), V::load(&y3[at..])];
        for r in 0..TILE {
            let minus = -left[r];
            for c in 0..TILE {
                a[r][c] = minus.mul_add(right[c], a[r][c]);
            }
        }
    }
}

/// Factorises and solves all of them.
impl<T: Entry> LineKernel<T> for &mut Batch<T> {
    type Output = Solved;
    #[inline(always)]
    fn run<V: Lanes<Scalar = T>>(self) -> Solved {
        self.pack();
        let (d, lanes) = (self.width, V::LANES);
        let order = d.next_multiple_of(TILE);
        let m = self.matrices.as_mut_slice();
        let mut largest = V::splat(T::ZERO);
        for i in 0..d {
            largest = largest.max(V::load(&m[(row(i) + i) * lanes..]));
        }
        let floor = largest * V::splat(T::from_f64(T::PIVOT));
        let (mut least, one) = (V::splat(T::INFINITY), V::splat(T::ONE));
        let mut good = one.eq(one);
        for j in (0..order).step_by(TILE) {
            let columns = [row(j), row(j + 1), row(j + 2), row(j + 3)];
            let mut inverse = [one; TILE];
            // The corner of the tile: what lies above its diagonal is not used.
            let mut corner = [[one; TILE]; TILE];
            for r in 0..TILE {
                for c in 0..=r {
                    corner[r][c] = V::load(&m[(columns[r] + j + c) * lanes..]);
                }
            }
            eliminate::<V, T>(m, columns, columns, j, &mut corner);
            for c in 0..TILE {
                let mut pivot = corner[c][c];
                for p in 0..c {
                    pivot = (-corner[c][p]).mul_add(corner[c][p], pivot);
                }
                if j + c < d {
                    let fine = pivot.gt(floor);
                    good = good.and(fine);
                    pivot = V::select(fine, pivot, one);
                    least = least.min(V::select(fine, pivot / largest, one));
                }
                inverse[c] = one / pivot.sqrt();
                inverse[c].store(&mut m[(columns[c] + j + c) * lanes..]);
                for r in c + 1..TILE {
                    let mut x = corner[r][c];
                    for p in 0..c {
                        x = (-corner[r][p]).mul_add(corner[c][p], x);
                    }
                    corner[r][c] = x * inverse[c];
                    corner[r][c].store(&mut m[(columns[r] + j + c) * lanes..]);
                }
            }
            for i in (j + TILE..order).step_by(TILE) {
                let rows = [row(i), row(i + 1), row(i + 2), row(i + 3)];
                let mut a = [[one; TILE]; TILE];
                for r in 0..TILE {
                    for c in 0..TILE {
                        a[r][c] = V::load(&m[(rows[r] + j + c) * lanes..]);
                    }
                }
                eliminate::<V, T>(m, rows, columns, j, &mut a);
                for c in 0..TILE {
                    for r in 0..TILE {
                        let mut x = a[r][c];
                        for p in 0..c {
                            x = (-a[r][p]).mul_add(corner[c][p], x);
                        }
                        a[r][c] = x * inverse[c];
                        a[r][c].store(&mut m[(rows[r] + j + c) * lanes..]);
                    }
                }
            }
        }
        let sides = self.sides.as_mut_slice();
        // Four rows at a time: their chains of sums overlap.
        for i in (0..order).step_by(TILE) {
            let mut x = [one; TILE];
            for r in 0..TILE {
                x[r] = V::load(&sides[(i + r) * lanes..]);
            }
            for p in 0..i {
                let b = -V::load(&sides[p * lanes..]);
                for r in 0..TILE {
                    x[r] = b.mul_add(V::load(&m[(row(i + r) + p) * lanes..]), x[r]);
                }
            }
            for r in 0..TILE {
                for p in 0..r {
                    x[r] = (-x[p]).mul_add(V::load(&m[(row(i + r) + i + p) * lanes..]), x[r]);
                }
                x[r] = x[r] * V::load(&m[(row(i + r) + i + r) * lanes..]);
                x[r].store(&mut sides[(i + r) * lanes..]);
            }
        }
        for i in (0..order).rev() {
            let line = &m[row(i) * lanes..];
            let (before, rest) = sides.split_at_mut(i * lanes);
            let x = V::load(rest) * V::load(&line[i * lanes..]);
            x.store(rest);
            let mut at = 0;
            while at < before.len() {
                (-V::load(&line[at..])).mul_add(x, V::load(&before[at..])).store(&mut before[at..]);
                at += lanes;
            }
        }
        let used = ((1u64 << self.used) - 1) as u32;
        Solved { pivot: least.reduce_min().to_f64(), failed: !good.bits() & used }
    }
}
