//! Sparse matrices by compressed rows, as SciPy keeps them: `indptr` (i64), `indices` (i32), `data`.
//!
//! Order and repetition of the columns inside a row are the caller's; a family that needs them sorted says so.

use super::error::ArgumentError;
use std::ops::Range;

/// Compressed rows, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct SparseView<'a, T> {
    indptr: &'a [i64],
    indices: &'a [i32],
    data: &'a [T],
    columns: usize,
}

impl<'a, T: Copy> SparseView<'a, T> {
    /// A view of `indptr.len() - 1` rows; every index is checked to lie in range.
    pub fn new(
        indptr: &'a [i64],
        indices: &'a [i32],
        data: &'a [T],
        columns: usize,
    ) -> Result<Self, ArgumentError> {
        let entries = data.len();
        let wrong = |was: String, expected: &str| Err(ArgumentError::new("indptr", was, expected));
        if indices.len() != entries {
            return wrong(
                format!("given with {} indices and {entries} values", indices.len()),
                "as many of each",
            );
        }
        if indptr.first() != Some(&0) || indptr.last().copied() != i64::try_from(entries).ok() {
            return wrong("not from 0 to the number of entries".into(), "0, ..., nnz");
        }
        if let Some(i) = indptr.windows(2).position(|pair| pair[0] > pair[1]) {
            return wrong(format!("decreasing at {i}"), "non-decreasing offsets");
        }
        match indices.iter().position(|&j| usize::try_from(j).map_or(true, |j| j >= columns)) {
            Some(k) => Err(ArgumentError::element(
                "indices",
                &[k],
                f64::from(indices[k]),
                format!("0 <= index < {columns}"),
            )),
            None => Ok(Self { indptr, indices, data, columns }),
        }
    }

    /// Number of rows.
    #[inline]
    pub fn rows(&self) -> usize {
        self.indptr.len() - 1
    }

    /// Number of columns.
    #[inline]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of stored entries.
    #[inline]
    pub fn nnz(&self) -> usize {
        self.data.len()
    }

    /// Where the entries of row i lie in `indices` and `data`.
    #[inline]
    pub fn range(&self, i: usize) -> Range<usize> {
        self.indptr[i] as usize..self.indptr[i + 1] as usize
    }

    /// Columns and values of row i.
    pub fn row(&self, i: usize) -> (&'a [i32], &'a [T]) {
        let range = self.range(i);
        (&self.indices[range.clone()], &self.data[range])
    }

    /// The offsets of the rows, one more than there are rows.
    #[inline]
    pub fn indptr(&self) -> &'a [i64] {
        self.indptr
    }

    /// The column of each entry.
    #[inline]
    pub fn indices(&self) -> &'a [i32] {
        self.indices
    }

    /// The value of each entry.
    #[inline]
    pub fn data(&self) -> &'a [T] {
        self.data
    }

    /// The transpose, and for each of its entries the place it came from. Columns come out in ascending order;
    /// repeated ones keep their order. O(nnz + rows + columns).
    pub fn transpose(&self) -> (Sparse<T>, Vec<usize>) {
        let mut indptr = vec![0i64; self.columns + 1];
        for &j in self.indices {
            indptr[j as usize + 1] += 1;
        }
        for j in 0..self.columns {
            indptr[j + 1] += indptr[j];
        }
        let mut next: Vec<usize> = indptr[..self.columns].iter().map(|&k| k as usize).collect();
        let (mut indices, mut origin) = (vec![0i32; self.nnz()], vec![0usize; self.nnz()]);
        for i in 0..self.rows() {
            for k in self.range(i) {
                let place = &mut next[self.indices[k] as usize];
                indices[*place] = i as i32;
                origin[*place] = k;
                *place += 1;
            }
        }
        let data = origin.iter().map(|&k| self.data[k]).collect();
        (Sparse { indptr, indices, data, columns: self.rows() }, origin)
    }

    /// A copy of its own.
    pub fn to_owned(&self) -> Sparse<T> {
        Sparse {
            indptr: self.indptr.to_vec(),
            indices: self.indices.to_vec(),
            data: self.data.to_vec(),
            columns: self.columns,
        }
    }
}

/// Compressed rows, owned.
#[derive(Debug, Clone, PartialEq)]
pub struct Sparse<T> {
    /// Offsets of the rows, one more than there are rows.
    pub indptr: Vec<i64>,
    /// Column of each entry.
    pub indices: Vec<i32>,
    /// Value of each entry.
    pub data: Vec<T>,
    /// Number of columns.
    pub columns: usize,
}

impl<T: Copy> Sparse<T> {
    /// The entries as kernels see them; made by this module or [checked](SparseView::new), and so valid.
    pub fn view(&self) -> SparseView<'_, T> {
        SparseView { indptr: &self.indptr, indices: &self.indices, data: &self.data, columns: self.columns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_twice_sorts_the_rows() {
        let (indptr, indices, data) = ([0, 2, 2, 5], [3, 0, 2, 1, 3], [1.0, 2.0, 3.0, 4.0, 5.0]);
        let a = SparseView::new(&indptr, &indices, &data, 4).unwrap();
        let (t, origin) = a.transpose();
        assert_eq!(t.view().row(3), (&[0, 2][..], &[1.0, 5.0][..]));
        assert_eq!(origin, [1, 3, 2, 0, 4]);
        let (twice, _) = t.view().transpose();
        assert_eq!((twice.indptr, twice.indices), (vec![0, 2, 2, 5], vec![0, 3, 1, 2, 3]));
        assert_eq!(twice.data, [2.0, 1.0, 4.0, 3.0, 5.0]);
    }

    #[test]
    fn entries_out_of_place_are_named() {
        let told = |indptr: &[i64], indices: &[i32]| {
            SparseView::new(indptr, indices, &vec![0.0; indices.len()], 3).unwrap_err().to_string()
        };
        assert!(told(&[0, 2], &[0, 3]).contains("indices[1] is 3"));
        assert!(told(&[0, 1], &[-1]).contains("indices[0] is -1"));
        assert!(told(&[0, 2, 1, 2], &[0, 1]).contains("decreasing at 1"));
        assert!(told(&[0, 1], &[0, 1]).contains("0, ..., nnz"));
        assert!(told(&[], &[]).contains("0, ..., nnz"));
    }
}
