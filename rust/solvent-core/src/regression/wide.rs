//! More columns than rows: the minimum-norm solution through the Gram matrix of the rows.
//!
//! `x = Aᵀ y` with `A Aᵀ y = b`, refined by `x += Aᵀ (A Aᵀ)⁻¹ (b - A x)`: n² d flops and an n by n matrix, where the Gram matrix of
//! the columns would take n d² and d by d. It is taken where the rows are independent beyond doubt; the residual is then
//! zero but for rounding, and the first term of the backward error's bound (see [`certify`](super::certify)), `t |r|`, is all that is needed.

use super::error::RegressionError;
use super::factor::Factor;
use super::message::{Facts, describe};
use super::options::{Accuracy, Options, Route};
use super::passes::{Entry, Pass, gram::Augmented};
use super::problem::{Problem, Rows, Source, transpose_into};
use super::route::{SURE, expected};
use super::scaling::{Layout, Moments, SAFE, exponent, ldexp};
use super::solve::Solution;
use crate::base::certificate::{Certificate, Kind};
use crate::base::dense::Matrix;
use crate::base::error::Aborted;
use crate::base::monitor::{Method, Monitor, Progress};
use crate::base::outcome::Outcome;
use crate::base::status::Status;
use crate::base::sum::{Dd, Sum, norm2, two_prod, two_sum};
use solvent_simd::{Kernel, Simd};

/// Passes without a better bound after which rounding is blamed.
const PATIENCE: usize = 3;

/// Half an ulp of 1.
const U: f64 = 0.5 * f64::EPSILON;

/// The data, the factor, the iterate.
pub struct Wide<'p, 'o> {
    rows: Rows<'p>,
    b: &'p [f64],
    weights: Option<&'p [f64]>,
    sides: usize,
    options: &'o Options,
    /// Indices of the rows of positive weight.
    kept: Vec<usize>,
    /// Of the kept rows, scaled by powers of two.
    moments: Moments,
    factor: Factor,
    /// `|A|_F`, weighted.
    size: f64,
    /// Exponents of the right sides, and their weighted norms when scaled.
    scales: Vec<i32>,
    norms: Vec<f64>,
    next: Vec<Vec<f64>>,
    best: Finding,
    booked: u64,
    passes: u64,
    idle: usize,
}

/// Points with their residuals.
#[derive(Debug, Clone, Default)]
struct Finding {
    x: Vec<Vec<f64>>,
    residuals: Vec<Vec<f64>>,
    lengths: Vec<f64>,
    bounds: Vec<f64>,
    allowance: f64,
}

impl Finding {
    fn bound(&self) -> f64 {
        self.bounds.iter().fold(0.0, |most, &b| if b >= most || b.is_nan() { b } else { most })
    }
}

impl<'p, 'o> Wide<'p, 'o> {
    /// The method for a problem; `None` where another one is to solve it.
    pub fn prepare(
        problem: &Problem<'p>,
        options: &'o Options,
        monitor: &mut Monitor<'_>,
    ) -> Result<Option<Self>, RegressionError> {
        let Source::Memory { a, b, weights } = &problem.source else { return Ok(None) };
        let (a, b, weights, sides) = (*a, *b, *weights, problem.sides);
        let (n, d) = a.shape();
        let plain = problem.alpha.iter().all(|&alpha| alpha == 0.0) && !problem.intercept;
        if n >= d || n == 0 || !plain || options.route != Route::Auto || options.start.is_some() {
            return Ok(None);
        }
        let kept: Vec<usize> = (0..n).filter(|&i| weights.is_none_or(|w| w[i] > 0.0)).collect();
        if kept.is_empty() || b.iter().any(|b| !b.is_finite()) {
            return Ok(None);
        }
        let gram = gram_of_rows(a, monitor)?;
        let diagonal = |i: usize| gram(i, i);
        if !kept.iter().all(|&i| SAFE.contains(&diagonal(i))) {
            return Ok(None);
        }
        let layout = Layout { columns: kept.len(), sides: 0, intercept: false, weighted: false, alpha: &[] };
        let pre = vec![0; kept.len()];
        let moments = Moments::assemble(&layout, |i, j| gram(kept[i], kept[j]), &pre);
        let Ok(factor) = Factor::bare(moments.whole()) else { return Ok(None) };
        let independent = factor.least(|i| moments.weight(i)) > SURE * options.rcond * moments.frobenius;
        if !independent || !expected(&factor, moments.order()) {
            return Ok(None);
        }
        let weight = |i: usize| weights.map_or(1.0, |w| w[i]);
        let size = kept.iter().map(|&i| weight(i) * diagonal(i)).sum::<f64>().sqrt() * (1.0 + 1e-10);
        let (mut scales, mut norms) = (Vec::new(), Vec::new());
        for c in 0..sides {
            let side: Vec<f64> = kept.iter().map(|&i| weight(i).sqrt() * b[i * sides + c]).collect();
            let e = -exponent(norm2(&side));
            scales.push(e);
            norms.push(ldexp(norm2(&side), e) * (1.0 + 1e-12));
        }
        let wide = Self {
            rows: a,
            b,
            weights,
            sides,
            options,
            kept,
            moments,
            factor,
            size,
            scales,
            norms,
            next: vec![vec![0.0; d]; sides],
            best: Finding::default(),
            booked: 0,
            passes: 1,
            idle: 0,
        };
        // Weights or sides at the ends of the doubles are for the general way, which scales them.
        let fine = wide.size.is_finite() && wide.size > 0.0 && wide.norms.iter().all(|b| b.is_finite());
        Ok(fine.then_some(wide))
    }

    fn weight(&self, i: usize) -> f64 {
        self.weights.map_or(1.0, |w| w[i])
    }

    /// The certificate of given coefficients.
    pub fn certify(
        &mut self,
        x: &[Vec<f64>],
        monitor: &mut Monitor<'_>,
    ) -> Result<Certificate, RegressionError> {
        let scaled = |(c, x): (usize, &Vec<f64>)| x.iter().map(|&x| ldexp(x, self.scales[c])).collect();
        let x = x.iter().enumerate().map(scaled).collect();
        let finding = self.evaluate(x, monitor)?;
        Ok(self.certificate(&finding))
    }

    /// Residuals at points, and what they prove.
    fn evaluate(&mut self, x: Vec<Vec<f64>>, monitor: &mut Monitor<'_>) -> Result<Finding, RegressionError> {
        let (b, k, scales) = (self.b, self.sides, &self.scales);
        let residual = |i: usize, c: usize, row: &dyn Fn(&[f64]) -> Dd| {
            let side = ldexp(b[i * k + c], scales[c]);
            (Dd::from(side) - row(&x[c])).to_f64()
        };
        let all: Vec<f64> = each_row(&self.rows, &self.kept, k, monitor, &residual)?;
        self.passes += 1;
        let d = self.rows.shape().1;
        let mut finding = Finding::default();
        for c in 0..k {
            let residuals: Vec<f64> = all.iter().skip(c).step_by(k).copied().collect();
            let weighted: Vec<f64> =
                residuals.iter().zip(&self.kept).map(|(r, &i)| self.weight(i).sqrt() * r).collect();
            let (length, size) = (norm2(&weighted), norm2(&x[c]));
            // Products with their errors, summed in eight lanes by two-sums.
            let chain = (d as f64 / 8.0 + 20.0).powi(2) * U * U;
            let allowance = 4.0 * U * length + chain * (self.size * size + self.norms[c]);
            let t = 1.0 / (self.norms[c] / self.size).hypot(size * (1.0 - 1e-12));
            let zero = self.norms[c] == 0.0 && size == 0.0;
            let bound = if zero { 0.0 } else { (1.0 + 1e-6) * t * (length + allowance) / self.size };
            finding.bounds.push(bound);
            finding.allowance = finding.allowance.max(if zero { 0.0 } else { t * allowance / self.size });
            finding.lengths.push(length);
            finding.residuals.push(residuals);
        }
        finding.x = x;
        Ok(finding)
    }

    /// `Aᵀ v` for each right side's v, one entry a kept row.
    fn combine(
        &mut self,
        v: &[Vec<f64>],
        monitor: &mut Monitor<'_>,
    ) -> Result<Vec<Vec<f64>>, RegressionError> {
        let (d, k) = (self.rows.shape().1, self.sides);
        let (rows, kept) = (&self.rows, &self.kept);
        let block = block_rows(d);
        let mut total = vec![vec![0.0; d]; k];
        let part = |range: std::ops::Range<usize>| {
            let mut part = vec![vec![0.0; d]; k];
            for_rows(rows, &kept[range.clone()], &mut |l, row: Row<'_>| {
                for c in 0..k {
                    row.add_to(v[c][range.start + l], &mut part[c]);
                }
            });
            part
        };
        monitor.fold_blocks(kept.len(), block, 4, part, |part| -> Result<(), Aborted> {
            for (total, part) in total.iter_mut().zip(part) {
                total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
            }
            Ok(())
        })?;
        self.passes += 1;
        Ok(total)
    }

    /// The points one correction further.
    fn corrected(
        &mut self,
        finding: &Finding,
        monitor: &mut Monitor<'_>,
    ) -> Result<Vec<Vec<f64>>, RegressionError> {
        let moments = &self.moments;
        let solve = |r: &Vec<f64>| -> Vec<f64> {
            let scaled: Vec<f64> =
                r.iter().enumerate().map(|(i, &r)| ldexp(r, -moments.columns[i])).collect();
            let y = self.factor.solve(&scaled);
            y.iter().enumerate().map(|(i, &y)| ldexp(y, -moments.columns[i])).collect()
        };
        let y: Vec<Vec<f64>> = finding.residuals.iter().map(solve).collect();
        let steps = self.combine(&y, monitor)?;
        let mut next = finding.x.clone();
        for (c, step) in steps.iter().enumerate() {
            for (x, step) in next[c].iter_mut().zip(step) {
                let moved = *x + step;
                let raw = ldexp(moved, -self.scales[c]);
                *x = if self.options.single {
                    ldexp(f64::from(raw as f32), self.scales[c])
                } else {
                    ldexp(raw, self.scales[c])
                };
            }
        }
        Ok(next)
    }

    fn certificate(&self, finding: &Finding) -> Certificate {
        let mut certificate = Certificate::new(Kind::BackwardError, finding.bound());
        for (c, bound) in finding.bounds.iter().enumerate() {
            certificate = certificate.part(format!("bound_{c}"), *bound);
        }
        // The least residual is zero.
        let energies =
            finding.lengths.iter().enumerate().map(|(c, r)| ldexp(r * (1.0 + 1e-6), -self.scales[c]));
        let energy = energies.fold(0.0, f64::max);
        certificate
            .part("allowance", finding.allowance)
            .part("eta", f64::INFINITY)
            .part("kw_factor", (finding.bound() - finding.allowance).max(0.0))
            .part("energy", energy)
            .part("objective_gap", energy * energy)
            .part("rigorous_bound", finding.bound())
    }
}

impl Method<2> for Wide<'_, '_> {
    type Solution = Solution;
    type Error = RegressionError;
    const EXTRAS: [&'static str; 2] = ["n_passes", "residual_norm"];

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, RegressionError> {
        // At x = 0 the residual is b: the first correction needs no pass over A before it.
        let (kept, k) = (&self.kept, self.sides);
        let side = |c: usize| kept.iter().map(|&i| ldexp(self.b[i * k + c], self.scales[c])).collect();
        let start = Finding {
            x: std::mem::take(&mut self.next),
            residuals: (0..k).map(side).collect(),
            ..Finding::default()
        };
        self.next = self.corrected(&start, monitor)?;
        Ok(None)
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<2>, RegressionError> {
        let x = std::mem::take(&mut self.next);
        let finding = self.evaluate(x, monitor)?;
        let (bound, old) =
            (finding.bound(), if self.best.x.is_empty() { f64::INFINITY } else { self.best.bound() });
        self.idle = if bound < 0.5 * old { 0 } else { self.idle + 1 };
        if bound > monitor.budget().tol || bound.is_nan() {
            self.next = self.corrected(&finding, monitor)?;
        }
        let lengths = finding.lengths.iter().enumerate();
        let residual = lengths.map(|(c, r)| ldexp(*r, -self.scales[c])).fold(0.0_f64, f64::hypot);
        if self.best.x.is_empty() || bound < old {
            self.best = finding;
        }
        let units = self.passes - self.booked;
        self.booked = self.passes;
        Ok(Progress { units, bound: Some(bound), extras: [self.passes as f64, residual] })
    }

    fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
        (self.idle >= PATIENCE).then_some(Status::RoundingFloor)
    }

    fn finish(mut self, status: Status, mut monitor: Monitor<'_>) -> Result<Solution, RegressionError> {
        if self.best.x.is_empty() {
            let x = std::mem::take(&mut self.next);
            self.best = self.evaluate(x, &mut monitor)?;
        }
        let best = std::mem::take(&mut self.best);
        let weighted = |r: &Vec<f64>| r.iter().zip(&self.kept).map(|(r, &i)| self.weight(i) * r).collect();
        let weighted: Vec<Vec<f64>> = best.residuals.iter().map(weighted).collect();
        let gradients = self.combine(&weighted, &mut monitor)?;
        let certificate = self.certificate(&best);
        let (n, d) = self.rows.shape();
        let back = |v: &[Vec<f64>]| -> Vec<Vec<f64>> {
            let side = |(c, v): (usize, &Vec<f64>)| v.iter().map(|&v| ldexp(v, -self.scales[c])).collect();
            v.iter().enumerate().map(side).collect()
        };
        let tol = monitor.budget().tol;
        let mut outcome = Outcome::new(monitor.end(status), Some(certificate));
        if self.options.accuracy == Accuracy::High && outcome.success {
            // The backward error holds, but the forward error was asked for.
            (outcome.success, outcome.status) = (false, Status::Degenerate);
        }
        let rank = self.kept.len();
        describe(&mut outcome, &Facts { columns: d, rank, rcond: self.options.rcond, tol, exhausted: false });
        let (r, moments) = (self.factor.r(), &self.moments);
        Ok(Solution {
            x: back(&best.x),
            x_lo: None,
            intercepts: vec![0.0; self.sides],
            residual_norms: best
                .lengths
                .iter()
                .enumerate()
                .map(|(c, r)| ldexp(*r, -self.scales[c]))
                .collect(),
            gradients: back(&gradients),
            coefficient_bounds: None,
            rank,
            r: Matrix::from_fn(r.rows(), r.columns(), |i, j| r.get(i, j) * moments.weight(j)),
            scale: moments.top,
            method: "gram",
            passes: self.passes,
            base: None,
            rows: n,
            outcome,
        })
    }
}

/// Entries of `A Aᵀ`, by the pass that other problems take over their rows, over those of the transpose.
fn gram_of_rows(
    a: Rows<'_>,
    monitor: &mut Monitor<'_>,
) -> Result<impl Fn(usize, usize) -> f64, RegressionError> {
    let (n, _) = a.shape();
    let pass = Augmented { columns: n, intercept: false, sides: 0, scales: Vec::new() };
    let sum = match a {
        Rows::F64(a) => over(Rows::F64(a.transpose()), &pass, monitor)?,
        Rows::F32(a) => over(Rows::F32(a.transpose()), &pass, monitor)?,
        Rows::Sparse64(a) => {
            let (transposed, _) = a.transpose();
            over(Rows::Sparse64(transposed.view()), &pass, monitor)?
        }
        Rows::Sparse32(a) => {
            let (transposed, _) = a.transpose();
            over(Rows::Sparse32(transposed.view()), &pass, monitor)?
        }
    };
    Ok(move |i: usize, j: usize| sum.gram.get(i, j))
}

fn over<P: Pass>(rows: Rows<'_>, pass: &P, monitor: &mut Monitor<'_>) -> Result<P::Sum, RegressionError> {
    let mut problem = Problem::new(rows, &[], 0, None, Vec::new(), false)?;
    Ok(problem.pass(pass, monitor)?.expect("the first pass"))
}

/// Rows that are worked at a time.
fn block_rows(columns: usize) -> usize {
    ((1 << 17) / columns.max(1)).max(1)
}

/// A row as it lies, or as it was gathered.
enum Row<'a> {
    F64(&'a [f64]),
    F32(&'a [f32]),
    Thin(&'a [i32], &'a [f64]),
    Thin32(&'a [i32], &'a [f32]),
}

impl Row<'_> {
    /// `row · x` in twice the precision.
    fn dot(&self, x: &[f64]) -> Dd {
        match self {
            Row::F64(row) => solvent_simd::dispatch(Dot { row, x }),
            Row::F32(row) => solvent_simd::dispatch(Dot { row, x }),
            Row::Thin(columns, values) => thin_dot(columns, values, x),
            Row::Thin32(columns, values) => thin_dot(columns, values, x),
        }
    }

    /// `out += v row`.
    fn add_to(&self, v: f64, out: &mut [f64]) {
        match self {
            Row::F64(row) => out.iter_mut().zip(*row).for_each(|(o, a)| *o += v * a),
            Row::F32(row) => out.iter_mut().zip(*row).for_each(|(o, a)| *o += v * f64::from(*a)),
            Row::Thin(columns, values) => thin_add(columns, values, v, out),
            Row::Thin32(columns, values) => thin_add(columns, values, v, out),
        }
    }
}

fn thin_dot<T: Entry>(columns: &[i32], values: &[T], x: &[f64]) -> Dd {
    let mut sum = Sum::new();
    columns.iter().zip(values).for_each(|(&j, a)| sum.add_product(a.to_f64(), x[j as usize]));
    sum.double()
}

fn thin_add<T: Entry>(columns: &[i32], values: &[T], v: f64, out: &mut [f64]) {
    columns.iter().zip(values).for_each(|(&j, a)| out[j as usize] += v * a.to_f64());
}

/// A dot product in eight lanes of sums with their errors.
struct Dot<'a, T> {
    row: &'a [T],
    x: &'a [f64],
}

impl<T: Entry> Kernel for Dot<'_, T> {
    type Output = Dd;
    #[inline(always)]
    fn run<S: Simd>(self) -> Dd {
        let (mut sums, mut errors) = ([0.0; 8], [0.0; 8]);
        let (rows, tail) = self.row.as_chunks::<8>();
        let (points, last) = self.x.as_chunks::<8>();
        for (row, x) in rows.iter().zip(points) {
            for l in 0..8 {
                let (p, low) = two_prod(row[l].to_f64(), x[l]);
                let (s, e) = two_sum(sums[l], p);
                sums[l] = s;
                errors[l] += e + low;
            }
        }
        let mut total = Dd::ZERO;
        for l in 0..8 {
            total = total + Dd::new(sums[l], errors[l]);
        }
        for (a, &x) in tail.iter().zip(last) {
            total = total + Dd::product(a.to_f64(), x);
        }
        total
    }
}

/// Calls `f` with each of the rows, in order, and its place among them.
fn for_rows(rows: &Rows<'_>, which: &[usize], f: &mut dyn FnMut(usize, Row<'_>)) {
    match rows {
        Rows::F64(a) => {
            let mut held = Vec::new();
            for (l, &i) in which.iter().enumerate() {
                let view = a.row_range(i, i + 1);
                match view.as_rows() {
                    Some((row, _)) => f(l, Row::F64(&row[..a.columns()])),
                    None => {
                        transpose_into(&view, &mut held);
                        f(l, Row::F64(&held));
                    }
                }
            }
        }
        Rows::F32(a) => {
            let mut held = Vec::new();
            for (l, &i) in which.iter().enumerate() {
                let view = a.row_range(i, i + 1);
                match view.as_rows() {
                    Some((row, _)) => f(l, Row::F32(&row[..a.columns()])),
                    None => {
                        transpose_into(&view, &mut held);
                        f(l, Row::F32(&held));
                    }
                }
            }
        }
        Rows::Sparse64(a) => which.iter().enumerate().for_each(|(l, &i)| {
            let (columns, values) = a.row(i);
            f(l, Row::Thin(columns, values));
        }),
        Rows::Sparse32(a) => which.iter().enumerate().for_each(|(l, &i)| {
            let (columns, values) = a.row(i);
            f(l, Row::Thin32(columns, values));
        }),
    }
}

/// What is made of a row's index, a right side's, and the row's product with a vector.
type PerRow<'a> = dyn Fn(usize, usize, &dyn Fn(&[f64]) -> Dd) -> f64 + Sync + 'a;

/// `f(row index, right side, the row's product)` for every kept row and right side, row by row.
fn each_row(
    rows: &Rows<'_>,
    kept: &[usize],
    sides: usize,
    monitor: &mut Monitor<'_>,
    f: &PerRow<'_>,
) -> Result<Vec<f64>, Aborted> {
    let blocks = monitor.map_blocks(kept.len(), block_rows(rows.shape().1), |range| {
        let mut out = Vec::with_capacity(range.len() * sides);
        for_rows(rows, &kept[range.clone()], &mut |l, row: Row<'_>| {
            for c in 0..sides {
                out.push(f(kept[range.start + l], c, &|x| row.dot(x)));
            }
        });
        out
    })?;
    Ok(blocks.concat())
}
