//! The triangular factor of the rows, and a rigorous measure of how good it is.
//!
//! T' is taken as stored and `R = R1 T'⁻¹`: `(A' T')ᵀ (A' T') = R1ᵀ (I + E) R1` with `|E| <= eta`. Everything that a
//! certificate says of A goes through this identity.

use super::scaling::gamma;
use crate::base::dense::{Cholesky, DenseError, Matrix, Onto, Triangle, gemm, solve_triangular};
use crate::base::rng::Philox;
use crate::base::sum::{Dd, norm2};
use crate::base::view::MatrixView;

/// `A' T' ~ Q R1`.
#[derive(Debug, Clone)]
pub struct Factor {
    /// T'; `None` = the identity.
    pub preconditioner: Option<Matrix<f64>>,
    /// R1, upper triangular.
    pub r1: Matrix<f64>,
    /// `R = R1 T'⁻¹`, where it is not R1.
    previous: Option<Matrix<f64>>,
    /// `T' R1⁻¹`, where the factor was measured.
    inverse: Option<Matrix<f64>>,
    /// Bound on `|E|`; infinite where none is known.
    pub eta: f64,
}

/// The `|E|` that is supposed where none below 1/2 is proven. (A sketch of 8 rows an unknown: the eigenvalues of `I + E`
/// lie in 0.54..2.4 by the theory of embeddings.)
pub const SUPPOSED: f64 = 0.75;

/// Steps of inverse iteration: the estimate is then within a factor of two or so.
const INVERSE_STEPS: usize = 8;

/// Frobenius norm.
pub fn frobenius(a: &Matrix<f64>) -> f64 {
    a.as_slice().iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// The inverse of an upper triangular matrix.
fn inverse(upper: &Matrix<f64>) -> Matrix<f64> {
    let mut x = Matrix::identity(upper.rows());
    solve_triangular(upper.view(), Triangle::Upper, &mut x);
    x
}

fn product(a: &Matrix<f64>, b: &Matrix<f64>) -> Matrix<f64> {
    let mut out = Matrix::zeros(a.rows(), b.columns());
    gemm(&mut out, Onto::Replace, 1.0, a.view(), b.view());
    out
}

/// Transposes a square matrix in its own memory.
fn transpose(a: &mut Matrix<f64>) {
    let n = a.rows();
    let data = a.as_mut_slice();
    for j in 0..n {
        for i in 0..j {
            data.swap(j * n + i, i * n + j);
        }
    }
}

fn transposed(a: &Matrix<f64>) -> Matrix<f64> {
    Matrix::from_fn(a.columns(), a.rows(), |i, j| a.get(j, i))
}

impl Factor {
    /// From the Gram matrix of A' itself, unmeasured: its Cholesky factor and nothing more.
    pub fn bare(gram: &Matrix<f64>) -> Result<Self, DenseError> {
        // In the memory of one copy: small matrices have no room for more.
        let mut r1 = Cholesky::in_place(gram.clone())?.into_lower();
        transpose(&mut r1);
        Ok(Self { preconditioner: None, previous: None, inverse: None, r1, eta: f64::INFINITY })
    }

    /// From the Gram matrix of A' itself, whose entries are off by `gamma_terms |a_j| |a_k|` at most.
    pub fn plain(gram: &Matrix<f64>, terms: usize) -> Result<Self, DenseError> {
        Ok(Self::bare(gram)?.measured(gram, terms))
    }

    /// A bare factor with its measure.
    #[must_use]
    pub fn measured(self, gram: &Matrix<f64>, terms: usize) -> Self {
        let trace: f64 = (0..gram.rows()).map(|j| gram.get(j, j)).sum();
        let slack = gamma(terms) * trace * (1.0 + gamma(terms + gram.rows()));
        let x = inverse(&self.r1);
        let eta = measure(gram, &self.r1, &x, slack);
        Self { inverse: Some(x), eta, ..self }
    }

    /// From the Gram matrix of `A' T'`, `T' = previous⁻¹` as stored; `norms` are those of the columns of A', and
    /// `ridge` the trace of the penalty's share.
    pub fn preconditioned(
        gram: &Matrix<f64>,
        t: Matrix<f64>,
        previous: &Matrix<f64>,
        terms: usize,
        norms: &[f64],
        ridge: f64,
    ) -> Result<Self, DenseError> {
        let n = gram.rows();
        let r1 = transposed(Cholesky::new(gram.view())?.lower());
        let trace: f64 = (0..n).map(|j| gram.get(j, j)).sum();
        let b2 = trace * (1.0 + gamma(terms + n));
        let weighted = |k: usize| t.column(k).iter().zip(norms).map(|(t, n)| t.abs() * n).sum::<f64>();
        let delta =
            gamma(n + 4) * (0..n).map(|k| weighted(k).powi(2)).sum::<f64>().sqrt() * (1.0 + gamma(2 * n));
        let slack = 2.0 * delta * b2.sqrt() + delta * delta + gamma(terms) * b2 + gamma(n + 3) * ridge;
        let x = inverse(&r1);
        let eta = measure(gram, &r1, &x, slack);
        let (inverse, previous) = (product(&t, &x), product(&r1, previous));
        Ok(Self { previous: Some(previous), preconditioner: Some(t), inverse: Some(inverse), r1, eta })
    }

    /// From a sketch's triangular factor: `R = R0`, and how good it is follows from the theory of embeddings alone. Its
    /// inverse is kept where coefficients are to be judged.
    pub fn sketched(r0: Matrix<f64>, judged: bool) -> Self {
        let inverse = judged.then(|| inverse(&r0));
        Self { preconditioner: None, previous: None, inverse, r1: r0, eta: SUPPOSED }
    }

    /// `R` alone.
    pub fn into_r(self) -> Matrix<f64> {
        self.previous.unwrap_or(self.r1)
    }

    /// `R`.
    pub fn r(&self) -> &Matrix<f64> {
        self.previous.as_ref().unwrap_or(&self.r1)
    }

    /// An estimate of the least singular value of `R D`, from above, by inverse iteration.
    pub fn least(&self, weights: impl Fn(usize) -> f64) -> f64 {
        let n = self.order();
        let mut rng = Philox::new(0, 0, 0);
        let mut v: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
        let mut least = f64::INFINITY;
        for _ in 0..INVERSE_STEPS {
            let size = norm2(&v);
            // Infinite or not a number: singular as far as doubles can tell.
            if !(size > 0.0 && size.is_finite()) {
                return 0.0;
            }
            let scaled: Vec<f64> = v.iter().enumerate().map(|(j, v)| v / size / weights(j)).collect();
            let half = self.down(&scaled);
            least = least.min(1.0 / norm2(&half));
            v = self.up(&half);
            v.iter_mut().enumerate().for_each(|(j, v)| *v /= weights(j));
        }
        if least.is_nan() { 0.0 } else { least }
    }

    /// `(T' R1⁻¹)ᵀ g`.
    pub fn down(&self, g: &[f64]) -> Vec<f64> {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let mut h = match &self.preconditioner {
            None => g.to_vec(),
            Some(t) => (0..g.len()).map(|k| dot(t.column(k), g)).collect(),
        };
        for k in 0..h.len() {
            let column = self.r1.column(k);
            h[k] = (h[k] - dot(&column[..k], &h)) / column[k];
        }
        h
    }

    /// `T' R1⁻¹ v`.
    pub fn up(&self, v: &[f64]) -> Vec<f64> {
        let axpy = |y: &mut [f64], a: f64, x: &[f64]| y.iter_mut().zip(x).for_each(|(y, x)| *y += a * x);
        let mut h = v.to_vec();
        for k in (0..h.len()).rev() {
            let column = self.r1.column(k);
            h[k] /= column[k];
            let top = h[k];
            axpy(&mut h[..k], -top, column);
        }
        let Some(t) = &self.preconditioner else { return h };
        let mut out = vec![0.0; h.len()];
        for (k, &top) in h.iter().enumerate() {
            axpy(&mut out, top, t.column(k));
        }
        out
    }

    /// Number of unknowns.
    pub fn order(&self) -> usize {
        self.r1.rows()
    }

    /// `(A'ᵀ A')⁻¹ g`, nearly.
    pub fn solve(&self, g: &[f64]) -> Vec<f64> {
        self.up(&self.down(g))
    }

    /// `R⁻ᵀ g` in double-double: its norm is `|A' (y* - y)|`, nearly.
    pub fn whiten(&self, g: &[Dd]) -> Vec<Dd> {
        let n = g.len();
        let mut h: Vec<Dd> = match &self.preconditioner {
            None => g.to_vec(),
            Some(t) => (0..n).map(|k| dot(t.column(k), g)).collect(),
        };
        // R1ᵀ v = h.
        for k in 0..n {
            let column = self.r1.column(k);
            let (done, rest) = h.split_at_mut(k);
            rest[0] = (rest[0] - dot(&column[..k], done)) / Dd::from(column[k]);
        }
        h
    }

    /// `R⁻¹ v` in double-double.
    pub fn unwhiten(&self, v: &[Dd]) -> Vec<Dd> {
        let n = v.len();
        let mut h = v.to_vec();
        for k in (0..n).rev() {
            let column = self.r1.column(k);
            h[k] = h[k] / Dd::from(column[k]);
            let top = h[k];
            for i in 0..k {
                h[i] = h[i] - top * Dd::from(column[i]);
            }
        }
        match &self.preconditioner {
            None => h,
            Some(t) => {
                let mut out = vec![Dd::ZERO; n];
                for (k, &top) in h.iter().enumerate() {
                    for i in 0..n {
                        out[i] = out[i] + top * Dd::from(t.get(i, k));
                    }
                }
                out
            }
        }
    }

    /// Norms of the rows of `R⁻¹`; infinite where the factor was not measured.
    pub fn row_norms(&self) -> Vec<f64> {
        let n = self.order();
        let Some(inverse) = &self.inverse else { return vec![f64::INFINITY; n] };
        let mut squares = vec![0.0; n];
        for k in 0..n {
            squares.iter_mut().zip(inverse.column(k)).for_each(|(s, m)| *s += m * m);
        }
        squares.into_iter().map(|s| s.sqrt() * (1.0 + 1e-6)).collect()
    }

    /// `|nuᵀ |R⁻¹||` for column norms nu; infinite where the factor was not measured.
    pub fn spread(&self, norms: &[f64]) -> f64 {
        let Some(inverse) = &self.inverse else { return f64::INFINITY };
        let column = |k: usize| inverse.column(k).iter().zip(norms).map(|(m, n)| m.abs() * n).sum::<f64>();
        (0..self.order()).map(|k| column(k).powi(2)).sum::<f64>().sqrt() * (1.0 + 1e-6)
    }
}

fn dot(a: &[f64], b: &[Dd]) -> Dd {
    a.iter().zip(b).fold(Dd::ZERO, |sum, (&a, &b)| sum + b * Dd::from(a))
}

/// `eta`: `|R1⁻ᵀ G R1⁻¹ - I|_F`, its own rounding, and what G may be off by.
///
/// With `X ~ R1⁻¹` from substitution, `|R1 X - I| <= gamma_d |R1||X|`, so `sigma_min(R1) >= (1 - f) / |X|`; for `|X|`
/// see [`spectral`].
fn measure(gram: &Matrix<f64>, r1: &Matrix<f64>, x: &Matrix<f64>, slack: f64) -> f64 {
    let n = r1.rows();
    if n == 0 {
        return 0.0;
    }
    let du = n as f64 * 0.5 * f64::EPSILON;
    let (size, inverse) = (frobenius(r1), frobenius(x));
    let product = size * inverse;
    let f = 2.0 * du * product;
    // Also where the norms have overflowed.
    if f.is_nan() || f >= 0.5 {
        return f64::INFINITY;
    }
    let lower = r1.view().transpose();
    let mut w = Matrix::from_fn(n, n, |i, j| gram.get(i, j));
    solve_triangular(lower, Triangle::Lower, &mut w);
    let mut w = transposed(&w);
    solve_triangular(lower, Triangle::Lower, &mut w);
    for j in 0..n {
        let entry = w.get(j, j) - 1.0;
        w.set(j, j, entry);
    }
    let e = frobenius(&w) * (1.0 + gamma(n * n));
    let own = e + 4.0 * du * (1.0 + e) * product / (1.0 - f);
    let with = |norm: f64| {
        let least = (1.0 - f) / norm - 4.0 * du * size;
        if least > 0.0 { own + slack / (least * least) * (1.0 + 1e-10) } else { f64::INFINITY }
    };
    // The sharper norm costs two products of matrices: only where it can matter.
    let rough = with(inverse);
    if rough <= NEGLIGIBLE { rough } else { rough.min(with(spectral(x))) }
}

/// An eta that no route and no bound is sensitive to.
const NEGLIGIBLE: f64 = 1e-4;

/// A bound of the spectral norm: `|X|⁴ <= |(Xᵀ X)²|_F`, at most the fourth root of d too large and usually a few per cent.
fn spectral(x: &Matrix<f64>) -> f64 {
    let n = x.columns();
    let scale = frobenius(x);
    if !(scale > 0.0 && scale.is_finite()) {
        return scale;
    }
    let square = |a: &Matrix<f64>, left: MatrixView<'_, f64>| {
        let mut out = Matrix::zeros(n, n);
        gemm(&mut out, Onto::Replace, 1.0, left, a.view());
        out
    };
    let scaled = Matrix::from_fn(x.rows(), n, |i, j| x.get(i, j) / scale);
    let once = square(&scaled, scaled.view().transpose());
    let twice = square(&once, once.view().transpose());
    // Rounding of the two products, of matrices of norm <= 1 in Frobenius' norm.
    let rounding = 6.0 * gamma(n + 8);
    (frobenius(&twice) * (1.0 + gamma(n * n)) + rounding).powf(0.25) * scale * (1.0 + 1e-12)
}
