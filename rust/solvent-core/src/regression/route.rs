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
use super::passes::norms::{Both, Norms};
use super::passes::sketched::{RunningSketch, Sketched};
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
    /// R, balanced: `A'ᵀ A' ~ Rᵀ R`; `None` where it is the core's.
    r: Option<Matrix<f64>>,
    /// Whether the factor was not measured, because the usual is expected of it.
    pub trusted: bool,
}

impl Found {
    /// R, balanced: `A'ᵀ A' ~ Rᵀ R`.
    pub fn into_r(self) -> Matrix<f64> {
        match (self.r, self.core) {
            (Some(r), _) => r,
            (None, Core::Full(factor)) => factor.into_r(),
            (None, _) => Matrix::zeros(0, 0),
        }
    }
}

/// What a read of the rows that begins with the sketch found.
pub struct Opening {
    /// Norms and products, without a Gram matrix.
    pub moments: Moments,
    /// The triangular factor of `S A'`.
    pub r0: Matrix<f64>,
    /// The sketched problem's solution, one vector a right side, balanced.
    pub start: Vec<Vec<f64>>,
}

/// One read for a route that begins with a sketch, which needs no Gram matrix: norms, products and `S [A 1 b]`. `None` for
/// other routes and where the rows' number is not known before, or they are few; and where columns are zero or
/// dependent, or squares out of range, so that the longer way has to look at them.
pub fn open(
    problem: &mut Problem<'_>,
    options: &Options,
    monitor: &mut Monitor<'_>,
) -> Result<Option<Opening>, RegressionError> {
    let (n, high) = (problem.order(), options.accuracy == Accuracy::High);
    let multiple = match options.route {
        Route::SketchGram => FEW,
        Route::SketchCg if !high => MANY,
        // A sketch tells the condition at a small part of what the first Gram matrix costs, if that would not do.
        Route::Auto if high && n >= GRADIENTS_FROM => FEW,
        _ => return Ok(None),
    };
    let Some(operator) = operator(problem, options, multiple) else { return Ok(None) };
    if n == 0 || !problem.is_dense() {
        return Ok(None);
    }
    let (columns, intercept, sides) = (problem.columns, problem.intercept, problem.sides);
    let pass = Both(Norms { columns, intercept, sides }, Sketched { columns, intercept, sides, operator });
    let Some((norms, sketched)) = problem.pass(&pass, monitor)? else { return Ok(None) };
    let Some(moments) = Moments::outline(&problem.layout(), |i, j| pass.0.entry(&norms, i, j)) else {
        return Ok(None);
    };
    let found = triangle(&pass.1, &sketched, &moments, monitor)?;
    let found = found.filter(|(r0, _)| {
        let slack = gamma(moments.terms) * moments.norms.iter().map(|n| n * n).sum::<f64>();
        let least = Factor::sketched(r0.clone(), false).least(|_| 1.0);
        options.route != Route::Auto || slack > options.eta() * least * least
    });
    Ok(found.map(|(r0, start)| Opening { moments, r0, start }))
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

/// The core of a route that was opened by a sketch; `None` where it shows that the longer way has to look at the columns.
/// The moments get their Gram matrix where the certificate will need it.
pub fn opened(
    problem: &mut Problem<'_>,
    moments: &mut Moments,
    options: &Options,
    r0: Matrix<f64>,
    monitor: &mut Monitor<'_>,
) -> Result<Option<Found>, RegressionError> {
    let found = if options.route == Route::SketchCg {
        let found = settle(Factor::sketched(r0, false), "sketch-cg", problem, moments, options)?;
        Found { iterative: true, ..found }
    } else {
        let (r0, t, _) = inverted(r0, true)?;
        let Some(gram) = precondition(problem, moments, &t, monitor)? else { return Ok(None) };
        let ridge = ridge_share(moments, &t);
        let factor = Factor::preconditioned(&gram, t, &r0, moments.terms, &moments.norms, ridge);
        let Ok(factor) = factor else { return Ok(None) };
        let good = factor.eta <= options.eta();
        if !good {
            if options.accuracy == Accuracy::High {
                return Ok(None);
            }
            moments.complete(problem, monitor)?;
            if !converging(&factor, moments) {
                return Ok(None);
            }
        }
        Found { trusted: !good, ..settle(factor, "sketch-gram", problem, moments, options)? }
    };
    Ok(Some(found).filter(|found| matches!(found.core, Core::Full(_))))
}

/// As [`expected`], for the factor of a Gram matrix of preconditioned rows: these were rounded, which counts times their
/// condition.
fn converging(factor: &Factor, moments: &Moments) -> bool {
    let n = moments.order();
    let least = Factor::sketched(factor.r1.clone(), false).least(|_| 1.0);
    let greatest = (0..n).map(|k| factor.r1.column(k).iter().map(|r| r * r).sum::<f64>()).fold(0.0, f64::max);
    let rows = factor.preconditioner.as_ref().map_or(0.0, |t| {
        let weighted =
            |k: usize| t.column(k).iter().zip(&moments.norms).map(|(t, n)| t.abs() * n).sum::<f64>();
        (0..n).map(|k| weighted(k).powi(2)).sum::<f64>().sqrt()
    });
    EXPECTED * ((n as f64).sqrt() * greatest / (least * least) + rows / least) <= CONTRACTION
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
        return Ok(Found { core: Core::Empty, name: "gram", iterative: false, r: None, trusted: false });
    }
    let trusting = trusting && options.accuracy == Accuracy::Backward;
    let good = |factor: &Factor| factor.eta <= options.eta();
    let mut first = match options.route {
        Route::SketchGram | Route::SketchCg => None,
        Route::Gram | Route::Auto => Factor::bare(moments.whole()).ok(),
    };
    if !trusting {
        first = first.map(|factor| factor.measured(moments.whole(), moments.terms));
    }
    let enough = first.as_ref().is_some_and(|f| {
        options.route == Route::Gram || good(f) || (trusting && expected(f, moments.order()))
    });
    if enough && let Some(factor) = first {
        // Where it was not measured, the usual was expected of it.
        let trusted = factor.eta.is_infinite();
        return Ok(Found { trusted, ..settle(factor, "gram", problem, moments, options)? });
    }
    let (mut gram, mut preconditioned) = (moments.whole().clone(), false);
    if moments.frobenius == 0.0 {
        let zero = Matrix::zeros(gram.rows(), gram.rows());
        let range = Range::new(&zero, moments, problem.intercept, options.rcond)?;
        let core = Core::Dependent(range);
        return Ok(Found { core, name: "gram", iterative: false, r: Some(zero), trusted: false });
    }
    // Every coefficient's bound needs a factor that is measured, so the high accuracy pays for the second Gram matrix.
    let many = options.route == Route::Auto
        && options.accuracy == Accuracy::Backward
        && moments.order() >= GRADIENTS_FROM;
    if (options.route == Route::SketchCg || many)
        && let Some(r0) = sketch(problem, moments, options, MANY, monitor)?
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
        _ => sketch(problem, moments, options, FEW, monitor)?,
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
            Ok(factor) => {
                r = factor.r().clone();
                if trusting && converging(&factor, moments) {
                    let found = settle(factor, "sketch-gram", problem, moments, options)?;
                    if matches!(found.core, Core::Full(_)) {
                        return Ok(Found { trusted: true, ..found });
                    }
                }
            }
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
    let core = Core::Dependent(range);
    Ok(Found { core, name: "sketch-gram", iterative: false, r: Some(factor), trusted: false })
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
    let found = |core, r| Found { core, name, iterative: false, r, trusted: false };
    if sure {
        return Ok(found(Core::Full(factor), None));
    }
    let range = Range::new(factor.r(), moments, problem.intercept, options.rcond)?;
    Ok(if range.rank == problem.columns {
        found(Core::Full(factor), None)
    } else {
        found(Core::Dependent(range), Some(factor.into_r()))
    })
}

/// The estimate may be too large by a small factor.
pub(super) const SURE: f64 = 16.0;

/// Rows of a sketch, for each unknown: where a second Gram matrix follows, and where conjugate gradients do, which lose
/// the factor `(unknowns / rows)^(1/2)` a step.
const FEW: usize = 4;
const MANY: usize = 8;

/// The sketch with `multiple` rows an unknown; `None` where the rows are too few for it.
fn operator(problem: &Problem<'_>, options: &Options, multiple: usize) -> Option<Operator> {
    let m = (multiple * problem.order()).next_multiple_of(8);
    let shape = (problem.count, problem.columns);
    (problem.count >= 2 * m).then(|| Operator::new(options.sketch, m, shape, Key::new(options.seed)))
}

/// The triangular factor of `S A'` with `multiple` rows a column, and of the ridge; `None` where the rows are too few for
/// that or cannot be read again, or where the sketch shows no independent columns.
fn sketch(
    problem: &mut Problem<'_>,
    moments: &Moments,
    options: &Options,
    multiple: usize,
    monitor: &mut Monitor<'_>,
) -> Result<Option<Matrix<f64>>, RegressionError> {
    let Some(operator) = operator(problem, options, multiple) else { return Ok(None) };
    let pass = Sketched { columns: problem.columns, intercept: problem.intercept, sides: 0, operator };
    let Some(sum) = problem.pass(&pass, monitor)? else { return Ok(None) };
    Ok(triangle(&pass, &sum, moments, monitor)?.map(|(r, _)| r))
}

/// A triangular factor, and solutions of the sketched problem.
type Triangular = (Matrix<f64>, Vec<Vec<f64>>);

/// The triangular factor of a sketch and of the ridge, with the solutions for the right sides that were sketched with it; `None` where no
/// independent columns show.
fn triangle(
    pass: &Sketched,
    sum: &RunningSketch,
    moments: &Moments,
    monitor: &mut Monitor<'_>,
) -> Result<Option<Triangular>, RegressionError> {
    let n = moments.order();
    // Half the work of a QR factorisation, wherever the condition allows it: the factor only preconditions.
    let penalty = |i: usize, j: usize| match moments.alpha.get(j) {
        Some(&alpha) if i == j => alpha,
        _ => 0.0,
    };
    let gram = pass.gram(sum, &moments.columns, monitor)?;
    let ridged = Matrix::from_fn(n, n, |i, j| gram.get(i, j) + penalty(i, j));
    if let Some(factor) = Factor::bare(&ridged).ok().filter(|factor| expected(factor, n)) {
        let products = pass.products(sum, &moments.columns, &moments.sides);
        let start = products.iter().map(|p| factor.solve(p)).collect();
        return Ok(Some((factor.r1, start)));
    }
    let (sketched, sides) = pass.matrices(sum, &moments.columns, &moments.sides);
    let (m, k) = (sketched.rows(), sides.columns());
    let rows = if moments.alpha.is_empty() { m } else { m + n };
    let stacked = Matrix::from_fn(rows, n + k, |i, j| match (i < m, j < n) {
        (true, true) => sketched.get(i, j),
        (true, false) => sides.get(i, j - n),
        (false, _) => penalty(i - m, j).sqrt(),
    });
    let all = Qr::new(stacked.view())?.r();
    let mut r = Matrix::from_fn(n, n, |i, j| all.get(i, j));
    let mut start = Matrix::from_fn(n, k, |i, j| all.get(i, n + j));
    let size = frobenius(&r);
    // A pivot at rounding level says nothing of the columns, and its inverse must not overflow.
    if (0..n).any(|i| r.get(i, i).abs() <= 1e-15 * size) {
        return Ok(None);
    }
    solve_triangular(r.view(), Triangle::Upper, &mut start);
    for i in 0..n {
        if r.get(i, i) < 0.0 {
            (i..n).for_each(|j| r.set(i, j, -r.get(i, j)));
        }
    }
    Ok(Some((r, (0..k).map(|c| start.column(c).to_vec()).collect())))
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
    let floor = (FLOOR * n as f64).min(FLOOR_ROOT * (n as f64).sqrt()) * f64::EPSILON;
    if triangular {
        let mut t = Matrix::identity(n);
        solve_triangular(r.view(), Triangle::Upper, &mut t);
        let size = frobenius(&r);
        // A triangle is half the work of a full matrix. The estimate of its least singular value is from above.
        let clear = || Factor::sketched(r.clone(), false).least(|_| 1.0) > 2.0 * floor * size;
        if frobenius(&t) * size * floor < 1.0 || clear() {
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

/// Of many unknowns most roundings average out: as many units times the root of their number.
const FLOOR_ROOT: f64 = 16.0;

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
