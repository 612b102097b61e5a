//! A mergeable state of one pass: the Gram matrix of `[A 1 b]` and a sketch of it, for streams, workers and pickles.
//!
//! Rows wait until a whole chunk of the sketch is there, so that the bits do not depend on how the stream was cut. The Gram
//! matrix alone loses `kappa²`; where it has no factor of use, the sketch beside it still solves (by sketch and solve).

use super::certify::{Judgement, from_moments};
use super::error::RegressionError;
use super::factor::Factor;
use super::minimum_norm::Range;
use super::scaling::{Layout, Moments, ldexp};
use crate::base::certificate::{Certificate, Kind};
use crate::base::dense::{Matrix, Qr, Triangle, eigh, solve_triangular};
use crate::base::gram::{Gram, Panels};
use crate::sketch::{BlockHadamard, Key, Rows, Sketch};

/// Relative singular values that a Gram matrix still resolves: the root of its rounding.
const GRAM_RESOLUTION: f64 = 1e-6;

/// What all rows of a state have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Columns of A.
    pub columns: usize,
    /// Right sides.
    pub sides: usize,
    /// Whether a column of ones is appended.
    pub intercept: bool,
    /// Rows of the sketch.
    pub m: usize,
    /// Seed of the sketch.
    pub seed: u64,
}

impl Shape {
    /// Columns of `[A 1 b]`.
    pub fn width(&self) -> usize {
        self.columns + usize::from(self.intercept) + self.sides
    }
}

/// The running state of one stream, or of several that were merged.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// What it is a state of.
    pub shape: Shape,
    /// The stream whose random numbers the next rows take.
    pub stream: u32,
    /// Rows seen.
    pub count: u64,
    /// The sketch's place of the next whole chunk.
    pub place: u64,
    /// Whether any row carried a weight.
    pub weighted: bool,
    /// The Gram matrix of all chunks so far.
    pub gram: Gram,
    /// The sketch of all chunks so far.
    pub sketch: Vec<f64>,
    /// Rows `[a 1 b]` that wait, times the roots of their weights.
    pub waiting: Vec<f64>,
}

impl State {
    /// The state of no rows.
    pub fn new(shape: Shape, stream: u32) -> Self {
        let width = shape.width();
        Self {
            shape,
            stream,
            count: 0,
            place: 0,
            weighted: false,
            gram: Gram::new(width),
            sketch: vec![0.0; shape.m * width.next_multiple_of(8)],
            waiting: Vec::new(),
        }
    }

    fn operator(&self) -> BlockHadamard {
        let key = Key { seed: self.shape.seed, stream: self.stream };
        BlockHadamard::for_columns(self.shape.m, self.shape.columns, key)
    }

    /// Adds rows (C order), their right sides (row by row) and weights.
    pub fn update(&mut self, a: &[f64], b: &[f64], weights: Option<&[f64]>) {
        let Shape { columns: d, sides: k, intercept, .. } = self.shape;
        let (n, width, grain) = (b.len() / k.max(1), self.shape.width(), self.operator().grain());
        self.weighted |= weights.is_some();
        for i in 0..n {
            let root = weights.map_or(1.0, |w| w[i].sqrt());
            self.waiting.extend(a[i * d..(i + 1) * d].iter().map(|a| a * root));
            self.waiting.extend(intercept.then_some(root));
            self.waiting.extend(b[i * k..(i + 1) * k].iter().map(|b| b * root));
            if self.waiting.len() == grain * width {
                self.flush();
            }
        }
        self.count += n as u64;
    }

    /// Takes the rows that wait into the sums; the next rows begin a new chunk.
    pub fn flush(&mut self) {
        let width = self.shape.width();
        if self.waiting.is_empty() {
            return;
        }
        let operator = self.operator();
        let n = self.waiting.len() / width;
        self.gram.accumulate(&mut Panels::new(width), &self.waiting, width, None);
        operator.add(&Rows::new(&self.waiting, n, width), self.place as usize, &mut self.sketch);
        self.place += operator.grain() as u64;
        self.waiting.clear();
    }

    /// The state of both states' rows. Shapes must agree and streams be disjoint; the sum is the same in either order.
    pub fn merge(&self, other: &Self) -> Self {
        assert_eq!(self.shape, other.shape, "states of one shape");
        let (mut a, mut b) = (self.clone(), other.clone());
        a.flush();
        b.flush();
        a.gram.merge(&b.gram);
        a.sketch.iter_mut().zip(&b.sketch).for_each(|(a, b)| *a += b);
        a.count += b.count;
        a.weighted |= b.weighted;
        // Further rows continue the stream of the least number.
        if b.stream < a.stream {
            (a.stream, a.place) = (b.stream, b.place);
        }
        a
    }

    /// Solves from the state alone.
    pub fn solve(&self, alpha: &[f64], rcond: f64) -> Result<StateSolution, RegressionError> {
        let mut all = self.clone();
        all.flush();
        let layout = Layout {
            columns: self.shape.columns,
            sides: self.shape.sides,
            intercept: self.shape.intercept,
            weighted: self.weighted,
            alpha,
        };
        let moments = Moments::assemble(&layout, |i, j| all.gram.get(i, j), &vec![0; self.shape.width()]);
        let n = moments.order();
        if let Some(factor) =
            Factor::plain(moments.whole(), moments.terms).ok().filter(|f| f.eta < 0.5 || n == 0)
        {
            let range = Range::new(factor.r(), &moments, self.shape.intercept, rcond)?;
            if range.rank == self.shape.columns {
                let solve = |g: &[f64]| factor.solve(g);
                return Ok(StateSolution::refined(
                    moments,
                    &solve,
                    self.shape.columns,
                    factor.eta,
                    factor.r().clone(),
                ));
            }
            let solve = |g: &[f64]| range.solve(g, &moments);
            let (rank, r) = (range.rank, factor.r().clone());
            return Ok(StateSolution::refined(moments.clone(), &solve, rank, f64::INFINITY, r));
        }
        all.without_factor(moments, rcond)
    }

    /// Dependent columns where the Gram matrix and the sketch see the same rank: the Gram matrix's own range. Else the
    /// columns are independent but nearly not, of which the Gram matrix knows nothing any more.
    fn without_factor(&self, moments: Moments, rcond: f64) -> Result<StateSolution, RegressionError> {
        let parts = eigh(moments.whole().view())?;
        let n = moments.order();
        let half = Matrix::from_fn(n, n, |i, j| parts.values[i].max(0.0).sqrt() * parts.vectors.get(j, i));
        let range = Range::new(&half, &moments, self.shape.intercept, rcond.max(GRAM_RESOLUTION))?;
        let sketched = self.by_sketch(moments.clone(), rcond)?;
        if sketched.rank == self.shape.columns || range.rank != sketched.rank {
            return Ok(sketched);
        }
        let solve = |g: &[f64]| range.solve(g, &moments);
        Ok(StateSolution::refined(moments.clone(), &solve, range.rank, f64::INFINITY, half))
    }

    /// `argmin |S A x - S b|`, minimum-norm where S A has dependent columns.
    fn by_sketch(&self, moments: Moments, rcond: f64) -> Result<StateSolution, RegressionError> {
        let (n, m, width) = (moments.order(), self.shape.m, self.shape.width().next_multiple_of(8));
        let scale = self.operator().scale();
        let ridge = if moments.alpha.is_empty() { 0 } else { n };
        let entry = |i: usize, j: usize, e: i32| ldexp(self.sketch[i * width + j] * scale, e);
        let stacked = Matrix::from_fn(m + ridge, n, |i, j| match i {
            i if i < m => entry(i, j, -moments.columns[j]),
            i if i - m == j => moments.alpha[j].sqrt(),
            _ => 0.0,
        });
        let qr = Qr::new(stacked.view())?;
        let (q, r) = (qr.q(), qr.r());
        let range = Range::new(&r, &moments, self.shape.intercept, rcond)?;
        let full = range.rank == self.shape.columns;
        let mut solution =
            StateSolution { rank: range.rank, ..StateSolution::empty(moments.clone(), r.clone()) };
        for c in 0..self.shape.sides {
            let side = |i: usize| entry(i, n + c, moments.sides[c]);
            let product = |k: usize| (0..m).map(|i| q.get(i, k) * side(i)).sum::<f64>();
            let mut y = Matrix::from_fn(n, 1, |k, _| product(k));
            if full {
                solve_triangular(r.view(), Triangle::Upper, &mut y);
            } else {
                // (S A)ᵀ S b = Rᵀ Qᵀ S b.
                let g: Vec<f64> = (0..n).map(|j| (0..=j).map(|i| r.get(i, j) * y.get(i, 0)).sum()).collect();
                y = Matrix::from_column_major(range.solve(&g, &moments), n, 1);
            }
            let (judged, gradient, residual) = from_moments(&moments, y.as_slice(), c);
            solution.take(y.into_vec(), judged, gradient, residual);
        }
        Ok(solution)
    }
}

/// What a state yields, balanced as its [`Moments`].
#[derive(Debug, Clone)]
pub struct StateSolution {
    /// Scales.
    pub moments: Moments,
    /// Points.
    pub y: Vec<Vec<f64>>,
    /// Gradients.
    pub gradients: Vec<Vec<f64>>,
    /// Norms of the residuals, ridge rows included.
    pub residuals: Vec<f64>,
    /// Judgements.
    pub judged: Vec<Judgement>,
    /// Columns that count.
    pub rank: usize,
    /// Quality of the Gram factor; infinite where the sketch stood in.
    pub eta: f64,
    /// The factor, balanced.
    pub r: Matrix<f64>,
}

impl StateSolution {
    fn empty(moments: Moments, r: Matrix<f64>) -> Self {
        Self {
            moments,
            y: Vec::new(),
            gradients: Vec::new(),
            residuals: Vec::new(),
            judged: Vec::new(),
            rank: 0,
            eta: f64::INFINITY,
            r,
        }
    }

    fn take(&mut self, y: Vec<f64>, judged: Judgement, gradient: Vec<f64>, residual: f64) {
        self.y.push(y);
        self.judged.push(judged);
        self.gradients.push(gradient);
        self.residuals.push(residual);
    }

    /// Steps with the moments' own gradient, each side's best point kept.
    fn refined(
        moments: Moments,
        solve: &dyn Fn(&[f64]) -> Vec<f64>,
        rank: usize,
        eta: f64,
        r: Matrix<f64>,
    ) -> Self {
        let mut out = Self { rank, eta, ..Self::empty(moments.clone(), r) };
        for c in 0..moments.sides.len() {
            let mut y = solve(&moments.products[c]);
            let mut best: Option<(Vec<f64>, Judgement, Vec<f64>, f64)> = None;
            for _ in 0..3 {
                let (judged, gradient, residual) = from_moments(&moments, &y, c);
                let next: Vec<f64> = y.iter().zip(solve(&gradient)).map(|(y, s)| y + s).collect();
                if best.as_ref().is_none_or(|(_, b, ..)| judged.bound < b.bound) {
                    best = Some((y, judged, gradient, residual));
                }
                y = next;
            }
            let (y, judged, gradient, residual) = best.expect("three steps");
            out.take(y, judged, gradient, residual);
        }
        out
    }

    /// The certificate: the worst of the sides.
    pub fn certificate(&self) -> Certificate {
        let worst = self.judged.iter().map(|j| j.bound).fold(0.0, f64::max);
        let mut certificate = Certificate::new(Kind::BackwardError, worst);
        for (c, judged) in self.judged.iter().enumerate() {
            certificate = certificate.part(format!("bound_{c}"), judged.bound);
        }
        certificate.part("eta", self.eta).part("rigorous_bound", worst).part("single_pass", 1.0)
    }
}
