//! From the moments to a factor that the certificate can stand on.
//!
//! For a backward error a Cholesky factor of the Gram matrix is enough wherever refinement with it converges: the
//! certificate asks nothing of the factor. For a forward error its `eta` must be small. Otherwise its factor (of the matrix
//! shifted by its own rounding where Cholesky fails) preconditions the rows, and the Gram matrix of `A T` is taken on
//! another pass, as it is with a sketch's factor where one was asked for: Cholesky QR, repeated (Fukaya, Kannan, Nakatsukasa, Yamamoto & Yanagisawa, SIAM J. Sci. Comput. 42
//! (2020) A477). Each round multiplies the condition that can be resolved by about 1e7.

use super::certify::Core;
use super::error::RegressionError;
use super::factor::{Factor, frobenius};
use super::minimum_norm::Range;
use super::options::{Accuracy, GRADIENTS_FROM, Options, Route};
use super::passes::gram::Preconditioned;
use super::passes::sketched::Sketched;
use super::problem::Problem;
use super::scaling::{Moments, gamma, ldexp};
use crate::base::dense::{
    Cholesky, DenseError, Matrix, Onto, Qr, Triangle, eigh, gemm, solve_triangular, svd,
};
use crate::base::monitor::Monitor;
use crate::sketch::{Key, Operator};

/// Rounds of preconditioning at most: the last one of three meets condition 1e21.
const ROUNDS: usize = 3;

/// A core, and the name of the way it was found.
pub struct Found {
    /// What was found.
    pub core: Core,
    /// `"gram"`, `"sketch-gram"` or `"sketch-cg"`.
    pub name: &'static str,
    /// Whether the factor only preconditions, so that corrections take conjugate gradients.
    pub iterative: bool,
    /// R of the core, balanced: `A'ᵀ A' ~ Rᵀ R`.
    pub r: Matrix<f64>,
}

/// Refinement gains at least this factor a step where the Gram matrix's rounding is as expected.
const CONTRACTION: f64 = 0.05;

/// The expected relative error of a Gram matrix of unit columns, over the root of their number: its own rounding, of
/// which most averages out, and that of Cholesky's factor.
const EXPECTED: f64 = 4.0 * f64::EPSILON;

/// Whether refinement with the factor of a Gram matrix of balanced columns is expected to converge quickly.
pub(super) fn expected(factor: &Factor, order: usize) -> bool {
    EXPECTED * (order as f64).sqrt() <= CONTRACTION * factor.least(|_| 1.0).powi(2)
}

/// Finds a core; reads the rows again only where the first Gram matrix is not enough. `trusting` = false measures its
/// factor instead of expecting the usual of it.
pub fn find(
    problem: &mut Problem<'_>,
    moments: &Moments,
    options: &Options,
    trusting: bool,
    monitor: &mut Monitor<'_>,
) -> Result<Found, RegressionError> {
    if moments.order() == 0 {
        return Ok(Found { core: Core::Empty, name: "gram", iterative: false, r: Matrix::zeros(0, 0) });
    }
    let good = |factor: &Factor| factor.eta <= options.eta();
    let mut first = match options.route {
        Route::SketchGram | Route::SketchCg => None,
        Route::Gram | Route::Auto => Factor::bare(&moments.gram).ok(),
    };
    if options.accuracy == Accuracy::High || !trusting {
        first = first.map(|factor| factor.measured(&moments.gram, moments.terms));
    }
    let trusted = |factor: &Factor| {
        trusting && options.accuracy == Accuracy::Backward && expected(factor, moments.order())
    };
    let enough = first.as_ref().is_some_and(|f| options.route == Route::Gram || good(f) || trusted(f));
    if enough && let Some(factor) = first {
        return settle(factor, "gram", problem, moments, options);
    }
    let (mut gram, mut preconditioned) = (moments.gram.clone(), false);
    if moments.frobenius == 0.0 {
        let zero = Matrix::zeros(gram.rows(), gram.rows());
        let range = Range::new(&zero, moments, problem.intercept, options.rcond)?;
        return Ok(Found { core: Core::Dependent(range), name: "gram", iterative: false, r: zero });
    }
    // Every coefficient's bound needs a factor that is measured, so the high accuracy pays for the second Gram matrix.
    let many = options.route == Route::Auto
        && options.accuracy == Accuracy::Backward
        && moments.order() >= GRADIENTS_FROM;
    if (options.route == Route::SketchCg || many)
        && let Some(r0) = sketch(problem, moments, options, 8, monitor)?
    {
        let factor = Factor::sketched(r0, options.accuracy == Accuracy::High);
        let found = settle(factor, "sketch-cg", problem, moments, options)?;
        if matches!(found.core, Core::Full(_)) {
            return Ok(Found { iterative: true, ..found });
        }
    }
    // A factor that exists preconditions as well as a sketch's, and is there already.
    let sketched = match (&first, options.route) {
        (Some(_), Route::Auto | Route::Gram) => None,
        _ => sketch(problem, moments, options, 4, monitor)?,
    };
    let mut r = match (sketched, &first) {
        (Some(r0), _) => r0,
        (None, Some(factor)) => factor.r().clone(),
        (None, None) => shifted(&gram, moments.terms)?,
    };
    let mut triangular = true;
    for round in 1..=ROUNDS {
        let t;
        (r, t, triangular) = inverted(r, triangular)?;
        let Some(next) = precondition(problem, moments, &t, monitor)? else {
            break;
        };
        (gram, preconditioned) = (next, true);
        let ridge = ridge_share(moments, &t);
        match Factor::preconditioned(&gram, t, &r, moments.terms, &moments.norms, ridge) {
            Ok(factor) if good(&factor) || round == ROUNDS => {
                return settle(factor, "sketch-gram", problem, moments, options);
            }
            Ok(factor) => r = factor.r().clone(),
            Err(_) if round < ROUNDS => r = times(&shifted(&gram, moments.terms)?, &r),
            Err(_) => {}
        }
    }
    if let Some(factor) = first.filter(|_| !preconditioned) {
        return settle(factor, "gram", problem, moments, options);
    }
    // Dependent columns: `A' T' = Q sqrt(Lambda) Vᵀ`, so that `sqrt(Lambda) Vᵀ T'⁻¹` is a factor of A'.
    let parts = eigh(gram.view())?;
    let n = gram.rows();
    let half = Matrix::from_fn(n, n, |i, j| parts.values[i].max(0.0).sqrt() * parts.vectors.get(j, i));
    let factor = if preconditioned { times(&half, &r) } else { half };
    let range = Range::new(&factor, moments, problem.intercept, options.rcond)?;
    Ok(Found { core: Core::Dependent(range), name: "sketch-gram", iterative: false, r: factor })
}

/// A factor of all columns, unless their singular values say that they are dependent.
fn settle(
    factor: Factor,
    name: &'static str,
    problem: &Problem<'_>,
    moments: &Moments,
    options: &Options,
) -> Result<Found, RegressionError> {
    // An estimate of the least singular value settles it in most cases without a decomposition.
    let sure = match options.rcond {
        // rcond = 0 asks for the rank of the balanced matrix: full wherever its factor means anything.
        0.0 => factor.least(|_| 1.0) > f64::EPSILON,
        rcond => factor.least(|j| moments.weight(j)) > SURE * rcond * moments.frobenius,
    };
    let r = factor.r().clone();
    if sure {
        return Ok(Found { core: Core::Full(factor), name, iterative: false, r });
    }
    let range = Range::new(&r, moments, problem.intercept, options.rcond)?;
    let core = if range.rank == problem.columns { Core::Full(factor) } else { Core::Dependent(range) };
    Ok(Found { core, name, iterative: false, r })
}

/// The estimate may be too large by a small factor.
pub(super) const SURE: f64 = 16.0;

/// The triangular factor of `S A'` with `multiple` rows a column, and of the ridge; `None` where the rows are too few for
/// that or cannot be read again, or where the sketch shows no independent columns.
fn sketch(
    problem: &mut Problem<'_>,
    moments: &Moments,
    options: &Options,
    multiple: usize,
    monitor: &mut Monitor<'_>,
) -> Result<Option<Matrix<f64>>, RegressionError> {
    let n = moments.order();
    let m = (multiple * n).next_multiple_of(8);
    if problem.count < 2 * m {
        return Ok(None);
    }
    let shape = (problem.count, problem.columns);
    let operator = Operator::new(options.sketch, m, shape, Key::new(options.seed));
    let pass = Sketched { columns: problem.columns, intercept: problem.intercept, operator };
    let Some(sum) = problem.pass(&pass, monitor)? else { return Ok(None) };
    let sketched = pass.matrix(&sum, &moments.columns);
    let ridge = |i: usize, j: usize| match moments.alpha.get(j) {
        Some(alpha) if i == j => alpha.sqrt(),
        _ => 0.0,
    };
    let rows = if moments.alpha.is_empty() { m } else { m + n };
    let stacked = Matrix::from_fn(rows, n, |i, j| if i < m { sketched.get(i, j) } else { ridge(i - m, j) });
    let mut r = Qr::new(stacked.view())?.r();
    let size = frobenius(&r);
    for k in 0..n {
        if r.get(k, k) < 0.0 {
            (k..n).for_each(|j| r.set(k, j, -r.get(k, j)));
        }
        // A pivot at rounding level says nothing of the columns, and its inverse must not overflow.
        if r.get(k, k) <= 1e-15 * size {
            return Ok(None);
        }
    }
    Ok(Some(r))
}

/// The factor of a Gram matrix that is shifted just enough to have one.
fn shifted(gram: &Matrix<f64>, terms: usize) -> Result<Matrix<f64>, RegressionError> {
    let n = gram.rows();
    let trace: f64 = (0..n).map(|j| gram.get(j, j)).sum();
    let mut shift = 4.0 * gamma(terms + n) * trace.max(f64::MIN_POSITIVE);
    loop {
        let moved = Matrix::from_fn(n, n, |i, j| gram.get(i, j) + if i == j { shift } else { 0.0 });
        match Cholesky::new(moved.view()) {
            Ok(factor) => {
                let lower = factor.lower();
                return Ok(Matrix::from_fn(n, n, |i, j| lower.get(j, i)));
            }
            Err(error @ DenseError::NotFinite) => return Err(error.into()),
            // A shift of the trace makes any such matrix diagonally dominant, so this ends.
            Err(_) => shift *= 16.0,
        }
    }
}

/// A factor R with its inverse T, its singular values floored at the rounding of the rows. An inverse that knows less would
/// blow that rounding up until it drowns the other directions; what lies below the floor is measured by the next factor.
fn inverted(r: Matrix<f64>, triangular: bool) -> Result<(Matrix<f64>, Matrix<f64>, bool), RegressionError> {
    let n = r.rows();
    let floor = FLOOR * n as f64 * f64::EPSILON;
    if triangular {
        let mut t = Matrix::identity(n);
        solve_triangular(r.view(), Triangle::Upper, &mut t);
        if frobenius(&t) * frobenius(&r) * floor < 1.0 {
            return Ok((r, t, true));
        }
    }
    let parts = svd(r.view())?;
    let least = floor * parts.s.first().copied().unwrap_or(0.0);
    let s = |i: usize| parts.s[i].max(least);
    let factor = Matrix::from_fn(n, n, |i, j| s(i) * parts.v.get(j, i));
    let t = Matrix::from_fn(n, n, |i, j| parts.v.get(i, j) / s(j));
    Ok((factor, t, false))
}

/// Singular values below this many units of rounding an unknown are not told from zero by a preconditioner.
const FLOOR: f64 = 4.0;

fn times(a: &Matrix<f64>, b: &Matrix<f64>) -> Matrix<f64> {
    let mut out = Matrix::zeros(a.rows(), b.columns());
    gemm(&mut out, Onto::Replace, 1.0, a.view(), b.view());
    out
}

/// `trace(Tᵀ alpha T)`.
fn ridge_share(moments: &Moments, t: &Matrix<f64>) -> f64 {
    let column = |k: usize| t.column(k).iter().zip(&moments.alpha).map(|(t, a)| a * t * t).sum::<f64>();
    (0..t.columns()).map(column).sum()
}

/// `(A' T)ᵀ W (A' T) + Tᵀ alpha T`; `None` if the rows cannot be read again.
fn precondition(
    problem: &mut Problem<'_>,
    moments: &Moments,
    t: &Matrix<f64>,
    monitor: &mut Monitor<'_>,
) -> Result<Option<Matrix<f64>>, RegressionError> {
    let n = moments.order();
    let raw = Matrix::from_fn(n, n, |i, j| ldexp(t.get(i, j), -moments.columns[i]));
    let pass = Preconditioned { columns: problem.columns, intercept: problem.intercept, t: raw };
    let Some(sum) = problem.pass(&pass, monitor)? else { return Ok(None) };
    let mut gram = sum.gram.matrix();
    if !moments.alpha.is_empty() {
        let weighted = Matrix::from_fn(n, n, |i, j| t.get(i, j) * moments.alpha[i]);
        let ridge = t.view().transpose();
        gemm(&mut gram, Onto::Add, 1.0, ridge, weighted.view());
    }
    Ok(Some(gram))
}
