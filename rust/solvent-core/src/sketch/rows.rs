//! Rows of a matrix as the kernels of this family read them: consecutive, each one element after the other, widened to
//! `f64` in registers.

use crate::base::view::{MatrixView, Real};
use solvent_simd::F64s;

/// Output rows are padded to a multiple of this: the most lanes of an `f64` register.
pub const LANES: usize = 8;

/// An element that kernels widen to `f64` while they load it.
pub trait Element: Real {
    /// The first `V::LANES` of `a`.
    fn load<V: F64s>(a: &[Self]) -> V;
    /// The same elements, where they are doubles.
    fn doubles(a: &[Self]) -> Option<&[f64]>;
}

impl Element for f64 {
    #[inline(always)]
    fn load<V: F64s>(a: &[f64]) -> V {
        V::load(a)
    }

    fn doubles(a: &[f64]) -> Option<&[f64]> {
        Some(a)
    }
}

impl Element for f32 {
    #[inline(always)]
    fn load<V: F64s>(a: &[f32]) -> V {
        V::load_f32(a)
    }

    fn doubles(_: &[f32]) -> Option<&[f64]> {
        None
    }
}

/// Consecutive rows (or a stripe of their columns), and what each is multiplied by.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a, T> {
    data: &'a [T],
    pitch: usize,
    offset: usize,
    count: usize,
    width: usize,
    factors: Option<&'a [f64]>,
}

impl<'a, T: Element> Rows<'a, T> {
    /// `count` rows of `width` elements, one after the other.
    ///
    /// # Panics
    /// Unless `data` holds that many.
    pub fn new(data: &'a [T], count: usize, width: usize) -> Self {
        assert!(data.len() >= count * width, "{count} rows of {width} in {} elements", data.len());
        Self { data, pitch: width, offset: 0, count, width, factors: None }
    }

    /// The rows of a view in C order; `None` for other orders, which the caller packs first.
    pub fn of(view: &MatrixView<'a, T>) -> Option<Self> {
        view.as_row_major().map(|data| Self::new(data, view.rows(), view.columns()))
    }

    /// Each row times its factor (the square root of its weight).
    ///
    /// # Panics
    /// Unless there is one factor a row.
    #[must_use]
    pub fn times(mut self, factors: Option<&'a [f64]>) -> Self {
        assert!(factors.is_none_or(|f| f.len() == self.count), "one factor a row");
        self.factors = factors;
        self
    }

    /// Columns `from..to` of the same rows.
    #[must_use]
    pub fn columns(mut self, from: usize, to: usize) -> Self {
        assert!(from <= to && to <= self.width, "columns {from}..{to} of {}", self.width);
        self.offset += from;
        self.width = to - from;
        self
    }

    /// Rows `from..to`.
    #[must_use]
    pub fn range(mut self, from: usize, to: usize) -> Self {
        assert!(from <= to && to <= self.count, "rows {from}..{to} of {}", self.count);
        self.offset += from * self.pitch;
        self.count = to - from;
        self.factors = self.factors.map(|f| &f[from..to]);
        self
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Columns of the padded output.
    pub fn padded(&self) -> usize {
        self.width.next_multiple_of(LANES)
    }

    /// What row i is multiplied by.
    #[inline(always)]
    pub fn factor(&self, i: usize) -> f64 {
        self.factors.map_or(1.0, |f| f[i])
    }

    /// Row i.
    #[inline(always)]
    pub fn row(&self, i: usize) -> &'a [T] {
        let start = self.offset + i * self.pitch;
        &self.data[start..start + self.width]
    }

    /// Elements from one row to the next.
    #[inline(always)]
    pub(super) fn pitch(&self) -> usize {
        self.pitch
    }

    /// Whether rows have factors of their own.
    #[inline(always)]
    pub(super) fn is_weighted(&self) -> bool {
        self.factors.is_some()
    }

    /// Where row i begins, for [`padded_at`](Self::padded_at).
    #[inline(always)]
    pub(super) fn start(&self, i: usize) -> usize {
        self.offset + i * self.pitch
    }

    /// The rows that begin at these places, in ascending order, as [`padded_rows`](Self::padded_rows) gives them.
    #[inline(always)]
    pub(super) fn padded_at<'b, const R: usize>(
        &self,
        starts: [usize; R],
        padded: usize,
        edge: &'b mut Vec<T>,
    ) -> [&'b [T]; R]
    where
        'a: 'b,
    {
        let mut rows: [&'b [T]; R] = [&[]; R];
        if starts[R - 1] + padded <= self.data.len() {
            for r in 0..R {
                rows[r] = &self.data[starts[r]..starts[r] + padded];
            }
        } else {
            edge.clear();
            edge.resize(R * padded, T::default());
            for r in 0..R {
                edge[r * padded..r * padded + self.width]
                    .copy_from_slice(&self.data[starts[r]..starts[r] + self.width]);
            }
            for r in 0..R {
                rows[r] = &edge[r * padded..(r + 1) * padded];
            }
        }
        rows
    }

    /// `R` rows in ascending order, each followed by whatever stands behind it up to the padded width: what the padding
    /// of an output collects is never read. Rows at the very end of the data are copied into `edge`.
    #[inline(always)]
    pub(super) fn padded_rows<'b, const R: usize>(
        &self,
        index: [usize; R],
        edge: &'b mut Vec<T>,
    ) -> [&'b [T]; R]
    where
        'a: 'b,
    {
        let mut starts = [0; R];
        for r in 0..R {
            starts[r] = self.start(index[r]);
        }
        self.padded_at(starts, self.padded(), edge)
    }
}

/// `out += factor x`, one product and one sum an element.
pub(super) fn add_scaled<T: Element>(x: &[T], factor: f64, out: &mut [f64]) {
    for (o, x) in out.iter_mut().zip(x) {
        *o += factor * x.to_f64();
    }
}

/// A block of rows and columns of a view of any strides, copied in C order into `scratch`; 8 x 8 tiles keep both the
/// reads and the writes of a transposition inside the cache lines they touch.
pub fn pack<'b, T: Element>(
    view: &MatrixView<'_, T>,
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
    scratch: &'b mut Vec<T>,
) -> Rows<'b, T> {
    let (count, width) = (rows.len(), columns.len());
    scratch.clear();
    scratch.resize(count * width, T::default());
    if view.has_contiguous_rows() {
        for (i, out) in rows.zip(scratch.chunks_mut(width.max(1))) {
            if let Some(row) = view.row_slice(i) {
                out.copy_from_slice(&row[columns.clone()]);
            }
        }
        return Rows::new(scratch, count, width);
    }
    let columnwise = view.transpose();
    for j0 in (0..width).step_by(LANES) {
        let j1 = width.min(j0 + LANES);
        for j in j0..j1 {
            let column = columnwise.row(columns.start + j);
            match column.as_contiguous() {
                Some(slice) => {
                    for (i, &x) in slice[rows.clone()].iter().enumerate() {
                        scratch[i * width + j] = x;
                    }
                }
                None => {
                    for i in 0..count {
                        scratch[i * width + j] = column.get(rows.start + i);
                    }
                }
            }
        }
    }
    Rows::new(scratch, count, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_order_packs_to_the_same_rows() {
        let (n, d) = (21, 13);
        let value = |i: usize, j: usize| (100 * i + j) as f64;
        let c: Vec<f64> = (0..n * d).map(|k| value(k / d, k % d)).collect();
        let f: Vec<f64> = (0..n * d).map(|k| value(k % n, k / n)).collect();
        let spread: Vec<f64> = c.iter().flat_map(|&x| [x, f64::NAN]).collect();
        let views = [
            MatrixView::row_major(&c, n, d).unwrap(),
            MatrixView::column_major(&f, n, d).unwrap(),
            MatrixView::new(&spread, 0, (n, d), (2 * d as isize, 2)).unwrap(),
        ];
        for view in views {
            let mut scratch = Vec::new();
            let block = pack(&view, 3..19, 2..12, &mut scratch);
            assert_eq!((block.count(), block.width(), block.padded()), (16, 10, 16));
            for i in 0..16 {
                assert!((0..10).all(|j| block.row(i)[j] == value(i + 3, j + 2)));
            }
        }
    }

    #[test]
    fn rows_at_the_end_of_the_data_are_padded_in_a_copy() {
        let data: Vec<f32> = (0..15).map(|k| k as f32).collect();
        let (rows, mut edge) = (Rows::new(&data, 3, 5), Vec::new());
        let [first] = rows.padded_rows([0], &mut edge);
        assert_eq!(first, &data[..8]);
        let [a, b] = rows.padded_rows([0, 2], &mut edge);
        assert_eq!(
            (a, b),
            (&[0., 1., 2., 3., 4., 0., 0., 0.][..], &[10., 11., 12., 13., 14., 0., 0., 0.][..])
        );
    }
}
