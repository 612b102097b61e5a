//! One iteration of reflected Halpern PDHG: one pass over Aᵀ and one over A, everything else in their row loops.
//!
//! With w = k/(k + 1), k the iterations since the anchor (x0, y0), and steps τ = η/ω, σ = ηω:
//!
//! ```text
//! t  = x − τ (c − Aᵀy),    x⁺ = clip(t, lv, uv),    xr = 2x⁺ − x,    x ← w xr + (1 − w) x0
//! q  = y/σ − A xr,         y⁺ = σ (q − clip(q, −uc, −lc)),  yr = 2y⁺ − y,  y ← w yr + (1 − w) y0
//! ```
//!
//! (x⁺, y⁺) is what the method returns; the averages x and y never are. Source: H. Lu & J. Yang, "Restarted Halpern PDHG
//! for linear programming", arXiv 2407.16144, with the reflection of its section 5.

use super::problem::Problem;
use super::scale::{Factors, Scaling};
use super::sell::{C, Order};
use super::spmv::{Matrix, Update, threads, tree};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::rng::Philox;
use solvent_simd::F64s;
use std::ops::Range;

/// Values of the scaled matrix are kept in f32 from this many entries on: smaller ones stay in the caches anyway.
const SINGLE_FROM: usize = 1 << 18;

/// The scaled matrix both ways, and what one run's vectors are arranged by.
#[derive(Debug, Clone)]
pub struct Engine {
    /// A, rows of constraints.
    pub a: Matrix,
    /// Its transpose.
    pub at: Matrix,
    /// The order of the constraints.
    pub rows: Order,
    /// The order of the variables.
    pub columns: Order,
    /// What made them.
    pub scaling: Scaling,
    /// Step: 0.998 / the largest singular value.
    pub eta: f64,
    /// Whether values were rounded to f32.
    pub single: bool,
    /// Entries of the matrix.
    pub entries: usize,
    /// Products with A or its transpose that the step took.
    pub products: u64,
}

/// Streams of the fixed seed.
const POWER_STREAM: u32 = 0x6c70;

impl Engine {
    /// Scales and stores the matrix; `mixed` allows values in f32.
    pub fn new(problem: &Problem, mixed: bool, monitor: &mut Monitor<'_>) -> Result<Self, Aborted> {
        let scaling = Scaling::new(problem);
        let (rows, columns) = (Order::new(problem.a.view()), Order::new(problem.at.view()));
        let single = mixed && problem.nnz() >= SINGLE_FROM;
        let (e, d) = (&scaling.e, &scaling.d);
        let a = Matrix::new(problem.a.view(), &rows, &columns, single, |i, j, v| v / (e[i] * d[j]));
        let at = Matrix::new(problem.at.view(), &columns, &rows, single, |j, i, v| v / (e[i] * d[j]));
        let mut engine =
            Self { a, at, rows, columns, scaling, eta: 1.0, single, entries: problem.nnz(), products: 0 };
        engine.eta = 0.998 / engine.norm(problem.nnz(), monitor)?;
        Ok(engine)
    }

    /// The same in f64.
    pub fn widened(&self, problem: &Problem) -> Self {
        let (e, d) = (&self.scaling.e, &self.scaling.d);
        let (rows, columns) = (&self.rows, &self.columns);
        let a = Matrix::new(problem.a.view(), rows, columns, false, |i, j, v| v / (e[i] * d[j]));
        let at = Matrix::new(problem.at.view(), columns, rows, false, |j, i, v| v / (e[i] * d[j]));
        Self { a, at, single: false, ..self.clone() }
    }

    /// The largest singular value by the power method on A Aᵀ; at most 1 by the scaling.
    fn norm(&mut self, nnz: usize, monitor: &mut Monitor<'_>) -> Result<f64, Aborted> {
        if nnz == 0 {
            return Ok(1.0);
        }
        let (most, settle) = if nnz > 1_000_000 { (100, 40) } else { (5000, 100) };
        let mut v: Vec<f64> = vec![0.0; self.rows.padded()];
        Philox::new(0, POWER_STREAM, 0).fill_normal(&mut v[..self.rows.row.len()]);
        let (mut w, mut back) = (vec![0.0; v.len()], vec![0.0; self.columns.padded()]);
        let (mut square, mut earlier) = (0.0, 0.0);
        for k in 0..most {
            let length = dot(&v, &v).sqrt();
            if length == 0.0 {
                break;
            }
            v.iter_mut().for_each(|v| *v /= length);
            self.at.multiply(&v, &mut back);
            self.a.multiply(&back, &mut w);
            self.products += 2;
            monitor.poll()?;
            square = dot(&v, &w);
            let off: f64 = v.iter().zip(&w).map(|(v, w)| (w - square * v).powi(2)).sum::<f64>().sqrt();
            if off < 1e-4 * square {
                return Ok(square.sqrt());
            }
            if k % 20 == 0 {
                if k >= settle && square - earlier < 1e-4 * square {
                    break;
                }
                earlier = square;
            }
            std::mem::swap(&mut v, &mut w);
        }
        // Settled or out of patience: an estimate from below, and 1 is a bound.
        Ok(if square > 0.0 { (1.01 * square.sqrt()).min(1.0) } else { 1.0 })
    }
}

/// Plain dot product in eight interleaved sums; the order is fixed.
pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    let mut sums = [0.0; C];
    let (xs, ys) = (x.chunks_exact(C), y.chunks_exact(C));
    let rest: f64 = xs.remainder().iter().zip(ys.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in xs.zip(ys) {
        for l in 0..C {
            sums[l] += x[l] * y[l];
        }
    }
    tree(sums) + rest
}

/// One side (primal or dual) of a run, in the order of its engine.
#[derive(Debug, Clone)]
pub struct Side {
    /// Where the next iteration starts.
    pub x: Vec<f64>,
    /// The anchor.
    pub anchor: Vec<f64>,
    /// The reflection 2x⁺ − x.
    pub reflected: Vec<f64>,
    /// x⁺ of a block's last iteration.
    pub projected: Vec<f64>,
    /// Limits: of the variables, or the negative ones of the rows, swapped.
    pub lower: Vec<f64>,
    /// As `lower`.
    pub upper: Vec<f64>,
}

impl Side {
    fn new(start: Vec<f64>, lower: Vec<f64>, upper: Vec<f64>) -> Self {
        Self {
            anchor: start.clone(),
            reflected: start.clone(),
            projected: start.clone(),
            x: start,
            lower,
            upper,
        }
    }

    /// Begins anew at the last projected point.
    pub fn restart(&mut self) {
        self.x.copy_from_slice(&self.projected);
        self.anchor.copy_from_slice(&self.projected);
    }
}

impl Side {
    /// Begins anew at 0: multipliers.
    pub fn begin_at_zero(&mut self) {
        self.x.fill(0.0);
        self.anchor.fill(0.0);
    }

    /// Begins anew at the point of the bounds that is nearest to 0: variables.
    pub fn begin_within_bounds(&mut self) {
        for (x, (lower, upper)) in self.x.iter_mut().zip(self.lower.iter().zip(&self.upper)) {
            *x = 0.0f64.max(*lower).min(*upper);
        }
        self.anchor.copy_from_slice(&self.x);
    }
}

/// One run's vectors.
#[derive(Debug, Clone)]
pub struct Point {
    /// Variables.
    pub primal: Side,
    /// Multipliers.
    pub dual: Side,
    /// Scaled costs.
    pub c: Vec<f64>,
    /// (x⁺ − t)/τ of a block's last iteration: the reduced costs that the projection used.
    pub slack: Vec<f64>,
    /// Factors of limits and costs.
    pub factors: Factors,
}

impl Point {
    /// The scaled problem at a start in the caller's units.
    pub fn new(problem: &Problem, engine: &Engine, start: Option<(&[f64], &[f64])>) -> Self {
        let (c, rows, columns, factors) = engine.scaling.apply(problem);
        let scaling = &engine.scaling;
        let (x, y): (Vec<f64>, Vec<f64>) = match start {
            Some((x, y)) => (
                x.iter().zip(&scaling.d).map(|(x, d)| x * d * factors.limits).collect(),
                y.iter().zip(&scaling.e).map(|(y, e)| y * e * factors.costs).collect(),
            ),
            None => (vec![0.0; problem.n()], vec![0.0; problem.m()]),
        };
        let x: Vec<f64> = x.iter().enumerate().map(|(j, &x)| columns.clip(j, x)).collect();
        let negative = |side: &[f64]| side.iter().map(|v| -v).collect::<Vec<_>>();
        let by_row = |x: &[f64]| engine.rows.arrange(x, 0.0);
        let by_column = |x: &[f64]| engine.columns.arrange(x, 0.0);
        Self {
            primal: Side::new(by_column(&x), by_column(&columns.lower), by_column(&columns.upper)),
            dual: Side::new(by_row(&y), by_row(&negative(&rows.upper)), by_row(&negative(&rows.lower))),
            slack: vec![0.0; engine.columns.padded()],
            c: by_column(&c),
            factors,
        }
    }
}

/// Step sizes of a run.
#[derive(Debug, Clone, Copy)]
pub struct Steps {
    /// Primal.
    pub tau: f64,
    /// Dual.
    pub sigma: f64,
}

impl Steps {
    /// For a step η and a primal weight ω.
    pub fn new(eta: f64, omega: f64) -> Self {
        Self { tau: eta / omega, sigma: eta * omega }
    }
}

/// `count` iterations from the `since`-th after the anchor on.
pub fn iterate(
    engine: &Engine,
    point: &mut Point,
    steps: Steps,
    since: u64,
    count: u64,
    monitor: &mut Monitor<'_>,
) -> Result<(), Aborted> {
    for k in 1..=count {
        let weight = ((since + k) as f64) / ((since + k + 1) as f64);
        let last = k == count;
        let Point { primal, dual, c, slack, .. } = &mut *point;
        let halved = Pieces::new(primal, c, slack, engine.at.blocks());
        half(halved, monitor, |block, piece| {
            engine.at.rows(block, &dual.x, Primal { piece, tau: steps.tau, weight, last });
        })?;
        let halved = Pieces::new(dual, &[], &mut [], engine.a.blocks());
        half(halved, monitor, |block, piece| {
            engine.a.rows(block, &primal.reflected, Dual { piece, sigma: steps.sigma, weight, last });
        })?;
    }
    Ok(())
}

/// Half an iteration: the blocks of one side, on the pool's threads where there are many.
fn half<'a>(
    pieces: Pieces<'a>,
    monitor: &mut Monitor<'_>,
    work: impl Fn(usize, Piece<'a>) + Sync,
) -> Result<(), Aborted> {
    if threads(pieces.blocks.as_slice()).is_some() {
        pieces.enumerate().for_each(|(block, piece)| work(block, piece));
        return monitor.poll();
    }
    monitor.map_items(pieces.enumerate(), |(block, piece)| work(block, piece)).map(|_| ())
}

/// The rows of one block of a side.
struct Piece<'a> {
    x: &'a mut [f64],
    anchor: &'a [f64],
    reflected: &'a mut [f64],
    projected: &'a mut [f64],
    lower: &'a [f64],
    upper: &'a [f64],
    /// The primal's own; empty for the dual.
    c: &'a [f64],
    slack: &'a mut [f64],
}

/// The blocks of a side, one after the other.
struct Pieces<'a> {
    blocks: std::slice::Iter<'a, Range<usize>>,
    rest: Piece<'a>,
}

impl<'a> Pieces<'a> {
    fn new(side: &'a mut Side, c: &'a [f64], slack: &'a mut [f64], blocks: &'a [Range<usize>]) -> Self {
        let Side { x, anchor, reflected, projected, lower, upper } = side;
        Self {
            blocks: blocks.iter(),
            rest: Piece { x, anchor, reflected, projected, lower, upper, c, slack },
        }
    }
}

/// The first `count` numbers, or all where there are fewer.
fn take<'a>(x: &mut &'a [f64], count: usize) -> &'a [f64] {
    let (head, rest) = x.split_at(count.min(x.len()));
    *x = rest;
    head
}

/// As [`take`].
fn take_mut<'a>(x: &mut &'a mut [f64], count: usize) -> &'a mut [f64] {
    let all = std::mem::take(x);
    let (head, rest) = all.split_at_mut(count.min(all.len()));
    *x = rest;
    head
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let count = self.blocks.next()?.len() * C;
        let rest = &mut self.rest;
        Some(Piece {
            x: take_mut(&mut rest.x, count),
            anchor: take(&mut rest.anchor, count),
            reflected: take_mut(&mut rest.reflected, count),
            projected: take_mut(&mut rest.projected, count),
            lower: take(&mut rest.lower, count),
            upper: take(&mut rest.upper, count),
            c: take(&mut rest.c, count),
            slack: take_mut(&mut rest.slack, count),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.blocks.size_hint()
    }
}

impl ExactSizeIterator for Pieces<'_> {}

/// The first half of an iteration.
struct Primal<'a> {
    piece: Piece<'a>,
    tau: f64,
    weight: f64,
    last: bool,
}

impl Update for Primal<'_> {
    #[inline(always)]
    fn apply<V: F64s>(&mut self, at: usize, sum: V) {
        let piece = &mut self.piece;
        let (x, tau) = (V::load(&piece.x[at..]), V::splat(self.tau));
        let lanes = primal(
            x,
            sum,
            V::load(&piece.c[at..]),
            V::load(&piece.lower[at..]),
            V::load(&piece.upper[at..]),
            V::load(&piece.anchor[at..]),
            tau,
            V::splat(self.weight),
        );
        lanes.reflected.store(&mut piece.reflected[at..]);
        lanes.next.store(&mut piece.x[at..]);
        if self.last {
            lanes.projected.store(&mut piece.projected[at..]);
            ((lanes.projected - lanes.free) / tau).store(&mut piece.slack[at..]);
        }
    }
}

/// What half an iteration makes of some lanes.
pub struct Halved<V> {
    /// t, or v = y/σ − A xr.
    pub free: V,
    /// x⁺.
    pub projected: V,
    /// 2x⁺ − x.
    pub reflected: V,
    /// The next x.
    pub next: V,
}

/// The primal half on lanes.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "lanes of as many vectors")]
pub fn primal<V: F64s>(x: V, sum: V, c: V, lower: V, upper: V, anchor: V, tau: V, weight: V) -> Halved<V> {
    let free = x - tau * (c - sum);
    let projected = free.min(upper).max(lower);
    let reflected = projected + projected - x;
    let next = weight.mul_add(reflected - anchor, anchor);
    Halved { free, projected, reflected, next }
}

/// The dual half on lanes; `lower` and `upper` are −uc and −lc.
#[inline(always)]
pub fn dual<V: F64s>(y: V, sum: V, lower: V, upper: V, anchor: V, sigma: V, weight: V) -> Halved<V> {
    let free = y / sigma - sum;
    let projected = sigma * (free - free.min(upper).max(lower));
    let reflected = projected + projected - y;
    let next = weight.mul_add(reflected - anchor, anchor);
    Halved { free, projected, reflected, next }
}

/// The second half of an iteration.
struct Dual<'a> {
    piece: Piece<'a>,
    sigma: f64,
    weight: f64,
    last: bool,
}

impl Update for Dual<'_> {
    #[inline(always)]
    fn apply<V: F64s>(&mut self, at: usize, sum: V) {
        let piece = &mut self.piece;
        let lanes = dual(
            V::load(&piece.x[at..]),
            sum,
            V::load(&piece.lower[at..]),
            V::load(&piece.upper[at..]),
            V::load(&piece.anchor[at..]),
            V::splat(self.sigma),
            V::splat(self.weight),
        );
        lanes.next.store(&mut piece.x[at..]);
        if self.last {
            lanes.projected.store(&mut piece.projected[at..]);
            lanes.reflected.store(&mut piece.reflected[at..]);
        }
    }
}
