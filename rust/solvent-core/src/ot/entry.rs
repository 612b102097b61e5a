//! Entries of a cost matrix, in the precision that they are stored in; all arithmetic is in double precision.

use std::borrow::Cow;

use solvent_simd::{F64s, Kernel, Mask, Simd};

use crate::base::view::{MatrixView, Real};

/// The most lanes of an `f64` register.
pub const MAX_LANES: usize = 8;

/// `f32` or `f64`, loaded as lanes of doubles.
pub trait Entry: Real {
    /// The first `V::LANES` entries, widened.
    fn load<V: F64s>(x: &[Self]) -> V;

    /// All entries of a slice shorter than `V::LANES`; `rest` in the lanes behind.
    #[inline(always)]
    fn load_part<V: F64s>(x: &[Self], rest: Self) -> V {
        let mut padded = [rest; MAX_LANES];
        padded[..x.len()].copy_from_slice(x);
        Self::load::<V>(&padded)
    }
}

impl Entry for f64 {
    #[inline(always)]
    fn load<V: F64s>(x: &[f64]) -> V {
        V::load(x)
    }
}

impl Entry for f32 {
    #[inline(always)]
    fn load<V: F64s>(x: &[f32]) -> V {
        V::load_f32(x)
    }
}

/// Line after line of a matrix: its rows (C order), or its columns (Fortran order).
#[derive(Debug, Clone)]
pub struct Lines<'a, T: Entry> {
    data: Cow<'a, [T]>,
    /// Length of a line.
    pub length: usize,
    /// Whether the lines are rows of the matrix.
    pub rows: bool,
}

impl<'a, T: Entry> Lines<'a, T> {
    /// The lines of a matrix; copied only where neither its rows nor its columns lie one after the other.
    pub fn new(matrix: MatrixView<'a, T>) -> Self {
        let (n, m) = matrix.shape();
        if let Some(data) = matrix.as_row_major() {
            return Self { data: Cow::Borrowed(data), length: m, rows: true };
        }
        if let Some(data) = matrix.transpose().as_row_major() {
            return Self { data: Cow::Borrowed(data), length: n, rows: false };
        }
        let data = (0..n).flat_map(|i| (0..m).map(move |j| matrix.get(i, j))).collect();
        Self { data: Cow::Owned(data), length: m, rows: true }
    }

    /// How many lines.
    pub fn count(&self) -> usize {
        self.data.len() / self.length.max(1)
    }

    /// One line.
    #[inline(always)]
    pub fn line(&self, i: usize) -> &[T] {
        &self.data[i * self.length..(i + 1) * self.length]
    }

    /// The entry in row `i`, column `j` of the matrix.
    pub fn get(&self, i: usize, j: usize) -> f64 {
        let at = if self.rows { i * self.length + j } else { j * self.length + i };
        self.data[at].to_f64()
    }
}

/// Least and largest finite entry of a line, and whether it holds nan or -inf.
pub struct Extremes<'a, T>(pub &'a [T]);

/// What [`Extremes`] finds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// Least finite entry; inf where there is none.
    pub low: f64,
    /// Largest finite entry; -inf where there is none.
    pub high: f64,
    /// Whether an entry is nan or -inf.
    pub bad: bool,
    /// Whether an entry is inf.
    pub infinite: bool,
}

impl Extent {
    /// Of no entry.
    pub const NONE: Self = Self { low: f64::INFINITY, high: f64::NEG_INFINITY, bad: false, infinite: false };

    /// Of both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
            bad: self.bad || other.bad,
            infinite: self.infinite || other.infinite,
        }
    }
}

impl<T: Entry> Kernel for Extremes<'_, T> {
    type Output = Extent;
    #[inline(always)]
    fn run<S: Simd>(self) -> Extent {
        extremes::<S::F64, T>(self.0)
    }
}

#[inline(always)]
fn extremes<V: F64s, T: Entry>(x: &[T]) -> Extent {
    let inf = V::splat(f64::INFINITY);
    let (mut low, mut high) = (inf, -inf);
    let (mut bad, mut infinite) = (inf.lt(inf), inf.lt(inf));
    let mut j = 0;
    while j < x.len() {
        let v: V = if j + V::LANES <= x.len() {
            T::load::<V>(&x[j..])
        } else {
            // The first entry again: it changes nothing.
            T::load_part::<V>(&x[j..], x[0])
        };
        let above = v.eq(inf);
        infinite = infinite.or(above);
        bad = bad.or(v.gt(-inf).not());
        low = V::select(v.lt(low), v, low);
        high = V::select(above, high, V::select(v.gt(high), v, high));
        j += V::LANES;
    }
    Extent { low: low.reduce_min(), high: high.reduce_max(), bad: bad.any(), infinite: infinite.any() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use solvent_simd::dispatch;

    #[test]
    fn extremes_of_every_length() {
        for n in 1..40 {
            let x: Vec<f64> = (0..n).map(|i| ((i * 7919 + 3) % 101) as f64 - 50.0).collect();
            let low = x.iter().copied().fold(f64::INFINITY, f64::min);
            let high = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let found = dispatch(Extremes(&x));
            assert_eq!(found, Extent { low, high, bad: false, infinite: false });
            let single: Vec<f32> = x.iter().map(|&v| v as f32).collect();
            assert_eq!(dispatch(Extremes(&single)), found);
            for at in [0, n - 1, n / 2] {
                let mut y = x.clone();
                y[at] = f64::INFINITY;
                let found = dispatch(Extremes(&y));
                assert!(found.infinite && !found.bad && found.high < 100.0);
                for wrong in [f64::NAN, f64::NEG_INFINITY] {
                    y[at] = wrong;
                    assert!(dispatch(Extremes(&y)).bad);
                }
            }
        }
    }

    #[test]
    fn lines_of_every_layout() {
        let data: Vec<f64> = (0..12).map(f64::from).collect();
        let row = Lines::new(MatrixView::row_major(&data, 3, 4).unwrap());
        let column = Lines::new(MatrixView::column_major(&data, 4, 3).unwrap());
        let strided = Lines::new(MatrixView::new(&data, 0, (2, 2), (8, 2)).unwrap());
        assert!(row.rows && !column.rows && strided.rows);
        assert_eq!((row.get(1, 2), column.get(2, 1), strided.get(1, 1)), (6.0, 6.0, 10.0));
        assert_eq!((row.count(), column.count(), strided.count()), (3, 3, 2));
    }
}
