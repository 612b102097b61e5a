//! Dense linear algebra of moderate size: faer behind a narrow door.
//!
//! Everything here is sequential: families get their threads from [`pool`](super::pool) over independent
//! pieces, so that results do not depend on their number. No faer type appears in a public signature; what
//! crosses is a [`MatrixView`] or an owned, column-major [`Matrix`].

use super::view::{MatrixView, Real};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::linalg::solvers::Solve as _;
use faer::linalg::{matmul, solvers, triangular_solve};
use faer::{Accum, MatMut, MatRef, Par, Side};
use std::borrow::Cow;

/// What the factorisations need of an element; implemented for `f32` and `f64`, and not outside.
pub trait Field: Real + sealed::Scalar {}
impl Field for f32 {}
impl Field for f64 {}

mod sealed {
    pub trait Scalar: faer::traits::RealField {}
    impl Scalar for f32 {}
    impl Scalar for f64 {}
}

/// Why a factorisation does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DenseError {
    /// Cholesky met a pivot that is not positive.
    #[error("pivot {pivot} is not positive; expected a positive definite matrix")]
    NotPositiveDefinite {
        /// Index of the pivot.
        pivot: usize,
    },
    /// An element is nan or infinite.
    #[error("the matrix has an element that is nan or infinite; expected finite values")]
    NotFinite,
    /// The QR sweeps of an SVD or eigendecomposition did not converge.
    #[error("the decomposition did not converge")]
    NoConvergence,
}

/// An owned matrix, columns one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix<T> {
    data: Vec<T>,
    rows: usize,
    columns: usize,
}

impl<T: Field> Matrix<T> {
    /// All zeros.
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self { data: vec![T::default(); rows * columns], rows, columns }
    }

    /// The identity.
    pub fn identity(n: usize) -> Self {
        Self::from_fn(n, n, |i, j| T::from_f64(if i == j { 1.0 } else { 0.0 }))
    }

    /// Element by element.
    pub fn from_fn(rows: usize, columns: usize, f: impl Fn(usize, usize) -> T) -> Self {
        let mut data = Vec::with_capacity(rows * columns);
        for j in 0..columns {
            data.extend((0..rows).map(|i| f(i, j)));
        }
        Self { data, rows, columns }
    }

    /// Adopts column-major data; panics unless there are `rows · columns` elements.
    pub fn from_column_major(data: Vec<T>, rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "a {rows} by {columns} matrix of {} elements", data.len());
        Self { data, rows, columns }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The element at `(i, j)`.
    #[inline(always)]
    pub fn get(&self, i: usize, j: usize) -> T {
        self.column(j)[i]
    }

    /// Sets the element at `(i, j)`.
    #[inline(always)]
    pub fn set(&mut self, i: usize, j: usize, value: T) {
        self.column_mut(j)[i] = value;
    }

    /// Column `j`.
    #[inline(always)]
    pub fn column(&self, j: usize) -> &[T] {
        &self.data[j * self.rows..(j + 1) * self.rows]
    }

    /// Column `j`, to be written.
    #[inline(always)]
    pub fn column_mut(&mut self, j: usize) -> &mut [T] {
        &mut self.data[j * self.rows..(j + 1) * self.rows]
    }

    /// All elements, column-major.
    pub fn as_slice(&self) -> &[T] {
        &self.data
    }

    /// All elements, column-major, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// The elements, column-major.
    pub fn into_vec(self) -> Vec<T> {
        self.data
    }

    /// The matrix as a view.
    pub fn view(&self) -> MatrixView<'_, T> {
        MatrixView::column_major(&self.data, self.rows, self.columns).expect("shape and data agree")
    }

    fn faer_mut(&mut self) -> MatMut<'_, T> {
        MatMut::from_column_major_slice_mut(&mut self.data, self.rows, self.columns)
    }

    fn from_faer(matrix: MatRef<'_, T>) -> Self {
        Self::from_fn(matrix.nrows(), matrix.ncols(), |i, j| matrix[(i, j)])
    }
}

impl<T: Field> From<MatrixView<'_, T>> for Matrix<T> {
    fn from(view: MatrixView<'_, T>) -> Self {
        Self::from_column_major(view.to_column_major().into_owned(), view.rows(), view.columns())
    }
}

/// A view as faer sees it: borrowed where rows or columns are contiguous, else copied.
struct Operand<'a, T: Clone> {
    data: Cow<'a, [T]>,
    shape: (usize, usize),
    row_major: bool,
    /// Distance of the rows, or columns.
    stride: usize,
}

impl<'a, T: Field> Operand<'a, T> {
    /// Without gaps: copied where there are any.
    fn new(view: &MatrixView<'a, T>) -> Self {
        let shape = view.shape();
        match view.as_row_major() {
            Some(slice) => Self { data: Cow::Borrowed(slice), shape, row_major: true, stride: shape.1 },
            None => Self { data: view.to_column_major(), shape, row_major: false, stride: shape.0 },
        }
    }

    /// Perhaps with gaps between rows or columns: a part of a matrix is not copied.
    fn spaced(view: &MatrixView<'a, T>) -> Self {
        let shape = view.shape();
        if let Some((slice, stride)) = view.as_rows() {
            return Self { data: Cow::Borrowed(slice), shape, row_major: true, stride };
        }
        match view.transpose().as_rows() {
            Some((slice, stride)) => Self { data: Cow::Borrowed(slice), shape, row_major: false, stride },
            None => Self::new(view),
        }
    }

    /// As [`new`](Self::new), but nothing is factorised that is not finite.
    fn finite(view: &MatrixView<'a, T>) -> Result<Self, DenseError> {
        let operand = Self::new(view);
        let finite = operand.data.iter().all(|x| x.to_f64().is_finite());
        if finite { Ok(operand) } else { Err(DenseError::NotFinite) }
    }

    fn faer(&self) -> MatRef<'_, T> {
        let (rows, columns) = self.shape;
        if self.row_major {
            MatRef::from_row_major_slice_with_stride(&self.data, rows, columns, self.stride)
        } else {
            MatRef::from_column_major_slice_with_stride(&self.data, rows, columns, self.stride)
        }
    }
}

/// What happens to the old content of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onto {
    /// It is overwritten; nan there does no harm.
    Replace,
    /// The product is added to it.
    Add,
}

/// `out = alpha a b` or `out += alpha a b`. Panics unless the shapes agree.
pub fn gemm<T: Field>(out: &mut Matrix<T>, onto: Onto, alpha: T, a: MatrixView<'_, T>, b: MatrixView<'_, T>) {
    assert_eq!(
        (a.rows(), a.columns(), b.columns()),
        (out.rows, b.rows(), out.columns),
        "gemm: {:?} times {:?} into {:?}",
        a.shape(),
        b.shape(),
        (out.rows, out.columns)
    );
    let beta = match onto {
        Onto::Replace => Accum::Replace,
        Onto::Add => Accum::Add,
    };
    let (a, b) = (Operand::spaced(&a), Operand::spaced(&b));
    matmul::matmul(out.faer_mut(), beta, a.faer(), b.faer(), alpha, Par::Seq);
}

/// Which half of a matrix is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Triangle {
    /// The lower half with the diagonal.
    Lower,
    /// The upper half with the diagonal.
    Upper,
}

/// Solves `T X = B` in place, `T` being one triangle of `a`. A zero on the diagonal gives infinities, as
/// substitution does. Panics unless the shapes agree.
pub fn solve_triangular<T: Field>(a: MatrixView<'_, T>, triangle: Triangle, b: &mut Matrix<T>) {
    assert_eq!((a.rows(), a.columns()), (b.rows, b.rows), "solve_triangular: shapes");
    let a = Operand::new(&a);
    match triangle {
        Triangle::Lower => {
            triangular_solve::solve_lower_triangular_in_place(a.faer(), b.faer_mut(), Par::Seq);
        }
        Triangle::Upper => {
            triangular_solve::solve_upper_triangular_in_place(a.faer(), b.faer_mut(), Par::Seq);
        }
    }
}

/// Refuses a symmetric matrix whose lower triangle is not finite; the upper one may hold anything.
fn lower_is_finite<T: Field>(a: &MatrixView<'_, T>) -> Result<(), DenseError> {
    let finite = (0..a.rows()).all(|i| (0..=i).all(|j| a.get(i, j).to_f64().is_finite()));
    if finite { Ok(()) } else { Err(DenseError::NotFinite) }
}

/// The factor of `A = L L^T`.
#[derive(Debug, Clone)]
pub struct Cholesky<T: Field> {
    lower: Matrix<T>,
}

impl<T: Field> Cholesky<T> {
    /// As [`new`](Self::new), in the memory of the matrix itself.
    pub fn in_place(mut a: Matrix<T>) -> Result<Self, DenseError> {
        assert_eq!(a.rows, a.columns, "cholesky: expected a square matrix");
        let n = a.rows;
        let finite = (0..n).all(|j| a.column(j)[j..].iter().all(|x| x.to_f64().is_finite()));
        if !finite {
            return Err(DenseError::NotFinite);
        }
        let mut memory =
            MemBuffer::new(llt::factor::cholesky_in_place_scratch::<T>(n, Par::Seq, Default::default()));
        let stack = MemStack::new(&mut memory);
        let regularization = llt::factor::LltRegularization::default();
        let factored =
            llt::factor::cholesky_in_place(a.faer_mut(), regularization, Par::Seq, stack, Default::default());
        match factored {
            Ok(_) => {
                (1..n).for_each(|j| a.column_mut(j)[..j].fill(T::default()));
                Ok(Self { lower: a })
            }
            Err(llt::factor::LltError::NonPositivePivot { index }) => {
                Err(DenseError::NotPositiveDefinite { pivot: index })
            }
        }
    }
}

/// `P A = L U` of a square matrix, with row interchanges.
pub struct Lu<T: Field> {
    factors: solvers::PartialPivLu<T>,
}

impl<T: Field> Lu<T> {
    /// Factorises. A singular matrix has a zero pivot; what is solved with it is then not finite.
    pub fn new(a: MatrixView<'_, T>) -> Result<Self, DenseError> {
        assert_eq!(a.rows(), a.columns(), "lu: expected a square matrix");
        Ok(Self { factors: solvers::PartialPivLu::new(Operand::finite(&a)?.faer()) })
    }

    /// Solves `A X = B` in place.
    pub fn solve(&self, b: &mut Matrix<T>) {
        self.factors.solve_in_place(b.faer_mut());
    }

    /// Solves `A^T X = B` in place.
    pub fn solve_transpose(&self, b: &mut Matrix<T>) {
        self.factors.solve_transpose_in_place(b.faer_mut());
    }
}

impl<T: Field> Cholesky<T> {
    /// Factorises the symmetric matrix whose lower triangle is given; the upper one is not read.
    pub fn new(a: MatrixView<'_, T>) -> Result<Self, DenseError> {
        assert_eq!(a.rows(), a.columns(), "cholesky: expected a square matrix");
        lower_is_finite(&a)?;
        match solvers::Llt::new(Operand::new(&a).faer(), Side::Lower) {
            Ok(llt) => Ok(Self { lower: Matrix::from_faer(llt.L()) }),
            Err(llt::factor::LltError::NonPositivePivot { index }) => {
                Err(DenseError::NotPositiveDefinite { pivot: index })
            }
        }
    }

    /// Adopts a factor that was computed elsewhere; what is above the diagonal is set to 0.
    pub fn from_lower(mut lower: Matrix<T>) -> Self {
        assert_eq!(lower.rows, lower.columns, "cholesky: expected a square matrix");
        (1..lower.columns).for_each(|j| lower.column_mut(j)[..j].fill(T::default()));
        Self { lower }
    }

    /// `L` alone.
    pub fn into_lower(self) -> Matrix<T> {
        self.lower
    }

    /// `L`; zeros above the diagonal.
    pub fn lower(&self) -> &Matrix<T> {
        &self.lower
    }

    /// Solves `A X = B` in place.
    pub fn solve(&self, b: &mut Matrix<T>) {
        solve_triangular(self.lower.view(), Triangle::Lower, b);
        solve_triangular(self.lower.view().transpose(), Triangle::Upper, b);
    }

    /// Logarithm of the determinant of `A`.
    pub fn log_determinant(&self) -> f64 {
        (0..self.lower.rows).map(|i| 2.0 * self.lower.get(i, i).to_f64().ln()).sum()
    }
}

/// `A = Q R` by Householder reflections, for any shape.
pub struct Qr<T: Field> {
    factors: solvers::Qr<T>,
}

impl<T: Field> Qr<T> {
    /// Factorises.
    pub fn new(a: MatrixView<'_, T>) -> Result<Self, DenseError> {
        Ok(Self { factors: solvers::Qr::new(Operand::finite(&a)?.faer()) })
    }

    /// The upper triangular (trapezoidal) factor, `min(m, n)` by `n`.
    pub fn r(&self) -> Matrix<T> {
        Matrix::from_faer(self.factors.thin_R())
    }

    /// The orthonormal factor, `m` by `min(m, n)`.
    pub fn q(&self) -> Matrix<T> {
        Matrix::from_faer(self.factors.compute_thin_Q().as_ref())
    }
}

/// `A = U diag(S) V^T`, thin: `k = min(m, n)` columns, `S` descending.
#[derive(Debug, Clone, PartialEq)]
pub struct Svd<T> {
    /// Left singular vectors, `m` by `k`.
    pub u: Matrix<T>,
    /// Singular values, descending.
    pub s: Vec<T>,
    /// Right singular vectors, `n` by `k`.
    pub v: Matrix<T>,
}

/// Thin singular value decomposition.
pub fn svd<T: Field>(a: MatrixView<'_, T>) -> Result<Svd<T>, DenseError> {
    let svd = solvers::Svd::new_thin(Operand::finite(&a)?.faer()).map_err(|_| DenseError::NoConvergence)?;
    let s = svd.S().column_vector().iter().copied().collect();
    Ok(Svd { u: Matrix::from_faer(svd.U()), s, v: Matrix::from_faer(svd.V()) })
}

/// `A = U diag(w) U^T` of a symmetric matrix, `w` ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct Eigh<T> {
    /// Eigenvalues, ascending.
    pub values: Vec<T>,
    /// Eigenvectors, one a column.
    pub vectors: Matrix<T>,
}

/// Eigendecomposition of the symmetric matrix whose lower triangle is given.
pub fn eigh<T: Field>(a: MatrixView<'_, T>) -> Result<Eigh<T>, DenseError> {
    assert_eq!(a.rows(), a.columns(), "eigh: expected a square matrix");
    lower_is_finite(&a)?;
    let eigen = solvers::SelfAdjointEigen::new(Operand::new(&a).faer(), Side::Lower)
        .map_err(|_| DenseError::NoConvergence)?;
    let values = eigen.S().column_vector().iter().copied().collect();
    Ok(Eigh { values, vectors: Matrix::from_faer(eigen.U()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Philox;

    fn random(rows: usize, columns: usize, stream: u32) -> Matrix<f64> {
        let mut rng = Philox::new(42, stream, 0);
        let data = (0..rows * columns).map(|_| rng.normal()).collect();
        Matrix::from_column_major(data, rows, columns)
    }

    /// The textbook product, for an oracle.
    fn product(a: MatrixView<'_, f64>, b: MatrixView<'_, f64>) -> Matrix<f64> {
        Matrix::from_fn(a.rows(), b.columns(), |i, j| {
            crate::base::sum::dot2(&a.row(i).to_contiguous(), &b.column(j).to_contiguous())
        })
    }

    fn distance(a: &Matrix<f64>, b: &Matrix<f64>) -> f64 {
        assert_eq!((a.rows, a.columns), (b.rows, b.columns));
        a.data.iter().zip(&b.data).fold(0.0, |worst, (x, y)| worst.max((x - y).abs()))
    }

    #[test]
    fn products_agree_for_every_layout() {
        let (a, b) = (random(7, 5, 1), random(5, 6, 2));
        let expected = product(a.view(), b.view());
        let row_major = a.view().to_row_major().into_owned();
        let spread: Vec<f64> = a.data.iter().flat_map(|&x| [x, f64::NAN]).collect();
        let layouts = [
            a.view(),
            MatrixView::row_major(&row_major, 7, 5).unwrap(),
            MatrixView::new(&spread, 0, (7, 5), (2, 14)).unwrap(),
        ];
        for view in layouts {
            let mut out = Matrix::from_fn(7, 6, |_, _| f64::NAN);
            gemm(&mut out, Onto::Replace, 1.0, view, b.view());
            assert!(distance(&out, &expected) < 1e-14);
            gemm(&mut out, Onto::Add, -1.0, view, b.view());
            assert!(distance(&out, &Matrix::zeros(7, 6)) < 1e-14);
        }
    }

    #[test]
    fn cholesky_of_a_known_matrix() {
        // [[4, 2], [2, 5]] = L L^T with L = [[2, 0], [1, 2]]; determinant 16. The upper half is not read.
        let a = [4.0, 2.0, f64::NAN, 5.0];
        let factor = Cholesky::new(MatrixView::column_major(&a, 2, 2).unwrap()).unwrap();
        assert_eq!(factor.lower().as_slice(), [2.0, 1.0, 0.0, 2.0]);
        assert!((factor.log_determinant() - 16f64.ln()).abs() < 1e-15);
        let mut b = Matrix::from_column_major(vec![8.0, 12.0], 2, 1);
        factor.solve(&mut b);
        assert_eq!(b.as_slice(), [1.0, 2.0]);
        let indefinite = [1.0, 2.0, 2.0, 1.0];
        let error = Cholesky::new(MatrixView::column_major(&indefinite, 2, 2).unwrap()).unwrap_err();
        assert_eq!(error, DenseError::NotPositiveDefinite { pivot: 1 });
        let lower_nan = [1.0, f64::NAN, 0.0, 1.0];
        assert_eq!(
            Cholesky::new(MatrixView::column_major(&lower_nan, 2, 2).unwrap()).unwrap_err(),
            DenseError::NotFinite
        );
    }

    #[test]
    fn in_place_it_is_the_same_factor() {
        let b = random(30, 40, 5);
        let mut a = Matrix::zeros(30, 30);
        gemm(&mut a, Onto::Replace, 1.0, b.view(), b.view().transpose());
        let expected = Cholesky::new(a.view()).unwrap();
        // The upper half is not read.
        let held = Matrix::from_fn(30, 30, |i, j| if i < j { f64::NAN } else { a.get(i, j) });
        let factor = Cholesky::in_place(held).unwrap();
        assert!(distance(factor.lower(), expected.lower()) < 1e-13);
        let indefinite = Matrix::from_column_major(vec![1.0, 2.0, 2.0, 1.0], 2, 2);
        assert_eq!(Cholesky::in_place(indefinite).unwrap_err(), DenseError::NotPositiveDefinite { pivot: 1 });
        let broken = Matrix::from_column_major(vec![1.0, f64::NAN, 0.0, 1.0], 2, 2);
        assert_eq!(Cholesky::in_place(broken).unwrap_err(), DenseError::NotFinite);
    }

    #[test]
    fn lu_solves_with_the_matrix_and_its_transpose() {
        for n in [1, 2, 17, 80] {
            let (a, x) = (random(n, n, 6), random(n, 2, 7));
            let lu = Lu::new(a.view()).unwrap();
            let mut b = product(a.view(), x.view());
            lu.solve(&mut b);
            assert!(distance(&b, &x) < 1e-9);
            let mut b = product(a.view().transpose(), x.view());
            lu.solve_transpose(&mut b);
            assert!(distance(&b, &x) < 1e-9);
        }
        let singular = Matrix::from_column_major(vec![1.0, 2.0, 2.0, 4.0], 2, 2);
        let mut b: Matrix<f64> = Matrix::from_column_major(vec![1.0, 0.0], 2, 1);
        Lu::new(singular.view()).unwrap().solve(&mut b);
        assert!(b.as_slice().iter().any(|x| !x.is_finite()));
    }

    #[test]
    fn qr_and_svd_rebuild_the_matrix() {
        for (rows, columns) in [(9, 4), (4, 9), (1, 1), (40, 40), (3, 0)] {
            let a = random(rows, columns, 3);
            let k = rows.min(columns);
            let qr = Qr::new(a.view()).unwrap();
            let (q, r) = (qr.q(), qr.r());
            assert!(distance(&product(q.view(), r.view()), &a) < 1e-13);
            assert!(distance(&product(q.view().transpose(), q.view()), &Matrix::identity(k)) < 1e-14);
            assert!((0..r.columns()).all(|j| (j + 1..k).all(|i| r.get(i, j) == 0.0)));
            let Svd { u, s, v } = svd(a.view()).unwrap();
            assert!(s.windows(2).all(|pair| pair[0] >= pair[1]) && s.iter().all(|&x| x >= 0.0));
            let us = Matrix::from_fn(rows, k, |i, j| u.get(i, j) * s[j]);
            assert!(distance(&product(us.view(), v.view().transpose()), &a) < 1e-13);
            assert!(distance(&product(v.view().transpose(), v.view()), &Matrix::identity(k)) < 1e-13);
        }
        // Singular values of [[3, 0], [4, 5]] are sqrt(45) and sqrt(5).
        let s = svd(MatrixView::row_major(&[3.0, 0.0, 4.0, 5.0], 2, 2).unwrap()).unwrap().s;
        assert!((s[0] - 45f64.sqrt()).abs() < 1e-14 && (s[1] - 5f64.sqrt()).abs() < 1e-14);
        let bad = [1.0, f64::INFINITY];
        assert_eq!(svd(MatrixView::row_major(&bad, 1, 2).unwrap()).unwrap_err(), DenseError::NotFinite);
    }

    #[test]
    fn eigenvalues_of_the_second_difference() {
        // tridiag(-1, 2, -1) of order n has eigenvalues 2 - 2 cos(k pi / (n + 1)).
        let n = 12;
        let a = Matrix::from_fn(n, n, |i, j| match i.abs_diff(j) {
            0 => 2.0,
            1 => -1.0,
            _ => 0.0,
        });
        let lower = Matrix::from_fn(n, n, |i, j| if i < j { f64::NAN } else { a.get(i, j) });
        let Eigh { values, vectors } = eigh(lower.view()).unwrap();
        for (k, value) in values.iter().enumerate() {
            let angle = (k + 1) as f64 * std::f64::consts::PI / (n + 1) as f64;
            assert!((value - (2.0 - 2.0 * angle.cos())).abs() < 1e-14);
        }
        let scaled = Matrix::from_fn(n, n, |i, j| vectors.get(i, j) * values[j]);
        assert!(distance(&product(scaled.view(), vectors.view().transpose()), &a) < 1e-14);
    }

    #[test]
    fn single_precision_works_too() {
        let a = [4.0_f32, 2.0, 2.0, 5.0];
        let factor = Cholesky::new(MatrixView::row_major(&a, 2, 2).unwrap()).unwrap();
        let mut b = Matrix::from_column_major(vec![8.0_f32, 12.0], 2, 1);
        factor.solve(&mut b);
        assert_eq!(b.as_slice(), [1.0, 2.0]);
        assert_eq!(svd(MatrixView::row_major(&a, 2, 2).unwrap()).unwrap().s.len(), 2);
    }
}
