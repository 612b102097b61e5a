//! The rows of one chunk of a half-sweep: each gets the solver that is cheapest for its length.

use std::ops::Range;

use super::cg::{Descend, Descent};
use super::cholesky::{Batch, Factorise, SMALL};
use super::dual::Dual;
use super::gather::Gather;
use super::gram::Gram;
use super::residual::Residual;
use super::{fallback, nonneg};
use crate::base::sparse::SparseView;
use crate::completion::entry::Entry;
use crate::completion::factor::{Factor, Lines};

/// How a row is solved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Inner {
    /// Exactly, through the Gram matrix.
    Cholesky,
    /// By at most `steps` steps of conjugate gradients, until the residual fell by `eta`.
    Cg {
        /// Steps at most.
        steps: usize,
        /// Part of the first residual that is small enough.
        eta: f64,
    },
}

/// One half of a sweep: all rows, for the other side's factor as it stands.
#[derive(Clone, Copy)]
pub struct Half<'a, T> {
    /// The observed entries, by the rows that are solved.
    pub entries: SparseView<'a, T>,
    /// Their weights.
    pub weights: Option<&'a [T]>,
    /// The other side's factor; with biases its last column is one.
    pub design: &'a Factor<T>,
    /// The other side's biases.
    pub offset: Option<&'a [T]>,
    /// Subtracted from every entry,
    pub mean: T,
    /// and the power of two that multiplies the rest.
    pub unit: T,
    /// The ridge,
    pub ridge: f64,
    /// times the number of a row's entries.
    pub count: bool,
    /// Where a robust loss turns linear, in scaled units.
    pub delta: Option<T>,
    /// The first so many coefficients are kept non-negative.
    pub nonneg: Option<usize>,
    /// The solver.
    pub inner: Inner,
    /// Whether losses are wanted.
    pub measure: bool,
    /// A Gram matrix (full, `stride` by `stride`) that every row's own is added to.
    pub base: Option<&'a [T]>,
    /// What the design's last column holds throughout, with biases.
    pub constant: Option<T>,
    /// Mean squares of the design's columns, `stride` of them: conjugate gradients are scaled by what they say of a row's
    /// system. `None`: they are not scaled.
    pub moment: Option<&'a [T]>,
}

impl<T: Entry> Half<'_, T> {
    /// What entry `e` in column `j` should be, less what is not the row's to explain.
    #[inline(always)]
    pub fn target(&self, e: usize, j: usize) -> T {
        let y = (self.entries.data()[e] - self.mean) * self.unit;
        self.offset.map_or(y, |offset| y - offset[j])
    }

    /// Length of a row of the panel of conjugate gradients: a constant column that alone would fill one more line is left
    /// out.
    #[inline(always)]
    pub fn line(&self) -> usize {
        let free = self.design.width() - 1;
        if self.constant.is_some() && free > 0 && free.is_multiple_of(T::LINE) {
            free
        } else {
            self.design.stride()
        }
    }

    /// The ridge of a row with `n` entries.
    #[inline(always)]
    fn ridge_of(&self, n: usize) -> f64 {
        if self.count { self.ridge * n as f64 } else { self.ridge }
    }
}

/// What a half-sweep found on its way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tally {
    /// `sum w l(r) / 2` after the solves.
    pub loss: f64,
    /// `sum r²` after the solves.
    pub squares: f64,
    /// `sum a_i |u_i|² / 2`.
    pub penalty: f64,
    /// Smallest pivot ratio.
    pub pivot: f64,
    /// Steps of conjugate gradients.
    pub steps: u64,
    /// Rows with entries.
    pub rows: u64,
}

impl Tally {
    /// Of no row.
    pub const NONE: Self =
        Self { loss: 0.0, squares: 0.0, penalty: 0.0, pivot: f64::INFINITY, steps: 0, rows: 0 };

    /// Of both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self {
            loss: self.loss + other.loss,
            squares: self.squares + other.squares,
            penalty: self.penalty + other.penalty,
            pivot: self.pivot.min(other.pivot),
            steps: self.steps + other.steps,
            rows: self.rows + other.rows,
        }
    }
}

/// Bytes of a gathered panel: half of a second-level cache, or a quarter.
const PANEL: usize = 1 << 19;
/// Design rows gathered at a time for a Gram matrix: they stay in the first-level cache.
const STRIP: usize = 128;
/// Up to so many entries the dual system beats a few steps of conjugate gradients.
const SHORT: usize = 12;

/// Below this ridge, in units of the largest entry, short rows go through their dual system.
const SMALL_RIDGE: f64 = 1e-3;

/// What the rows of a chunk are solved in. Nothing in it survives from one row to the next.
pub struct Scratch<T> {
    panel: Lines<T>,
    targets: Vec<T>,
    gram: Lines<T>,
    b: Vec<T>,
    gradient: Vec<T>,
    batch: Batch<T>,
    waiting: Vec<usize>,
    dual: Dual<T>,
    descent: Descent<T>,
}

impl<T: Entry> Scratch<T> {
    /// For rows of up to `longest` entries.
    pub fn new(half: &Half<'_, T>, longest: usize) -> Self {
        let (width, stride) = (half.design.width(), half.design.stride());
        let cg = half.nonneg.is_none() && matches!(half.inner, Inner::Cg { .. });
        // Whole panels for the dual and for conjugate gradients, strips for Gram matrices.
        let whole = (PANEL / (stride * size_of::<T>())).max(STRIP).max(width);
        let room = longest.max(1).min(if cg { whole } else { STRIP.max(width) });
        let order = if cg { 0 } else { stride };
        Self {
            panel: Lines::zeros(room * stride),
            targets: vec![T::ZERO; room],
            gram: Lines::zeros(order * order),
            b: vec![T::ZERO; order],
            gradient: vec![T::ZERO; order],
            batch: Batch::new(if cg || half.nonneg.is_some() || width > SMALL { 0 } else { width }, stride),
            waiting: Vec::with_capacity(T::LINE),
            dual: Dual::new(if cg { SHORT.min(longest) } else { width.min(longest) }),
            descent: Descent::new(stride, if cg { longest } else { 0 }),
        }
    }
}

/// The rows of a chunk, and where their solutions stand.
pub struct Chunk<'a, 'b, T> {
    /// What is solved.
    pub half: &'b Half<'a, T>,
    /// Which rows.
    pub rows: Range<usize>,
    /// Their present solutions, padding included; overwritten.
    pub out: &'b mut [T],
}

impl<T: Entry> Chunk<'_, '_, T> {
    /// Solves them.
    pub fn run(self, scratch: &mut Scratch<T>) -> Tally {
        let Self { half, rows, out } = self;
        let (width, stride) = (half.design.width(), half.design.stride());
        let Scratch { panel, targets, gram, b, gradient, batch, waiting, dual, descent } = scratch;
        let (panel, gram) = (panel.as_mut_slice(), gram.as_mut_slice());
        let room = targets.len();
        let mut tally = Tally::NONE;
        let first = rows.start;
        for i in rows.clone() {
            let range = half.entries.range(i);
            let n = range.len();
            let u = &mut out[(i - first) * stride..(i - first + 1) * stride];
            if n == 0 {
                u.fill(T::ZERO);
                continue;
            }
            tally.rows += 1;
            let ridge = half.ridge_of(n);
            let plain = half.nonneg.is_none();
            // A Gram matrix of too few entries is singular but for the ridge; batches of them are cheap where it is not.
            let deficient = 4 * n <= width || ridge < SMALL_RIDGE;
            let short = half.base.is_none()
                && n < width
                && ridge > 0.0
                && (half.inner == Inner::Cholesky && deficient || n <= SHORT);
            if plain && short {
                T::gather(Gather { half, range: range.clone(), u, panel, targets: &mut targets[..n] });
                let pivot = dual.solve(&panel[..n * stride], &targets[..n], stride, T::from_f64(ridge), u);
                if pivot > T::PIVOT {
                    tally.pivot = tally.pivot.min(pivot);
                } else {
                    fallback::solve(&panel[..n * stride], &targets[..n], width, stride, ridge, u);
                }
                finish(half, i, u, &mut tally);
                continue;
            }
            if let (true, Inner::Cg { steps, eta }) = (plain, half.inner) {
                let ridge = T::from_f64(ridge);
                let found = T::descend(Descend { half, range, panel, descent, ridge, steps, eta, u });
                tally.steps += found.steps;
                tally.loss += 0.5 * found.loss;
                tally.squares += found.squares;
                tally.penalty += 0.5 * if half.count { n as f64 } else { 1.0 } * square(u).to_f64();
                continue;
            }
            // Without a ridge a wide panel has a singular Gram matrix, whose pivots rounding may hide, and a square one
            // often a small singular value, which the Gram matrix squares.
            if plain && half.base.is_none() && ridge == 0.0 && n <= width + 1 {
                rescue(half, i, u);
                tally.pivot = 0.0;
                finish(half, i, u, &mut tally);
                continue;
            }
            // Small systems are collected where the batch wants them.
            let together = plain && width <= SMALL;
            let (gram, b) = if together { batch.slot() } else { (&mut *gram, &mut **b) };
            match half.base {
                Some(base) => gram.copy_from_slice(base),
                None => gram.fill(T::ZERO),
            }
            b.fill(T::ZERO);
            let mut at = range.start;
            while at < range.end {
                let count = (range.end - at).min(STRIP).min(room);
                T::gather(Gather { half, range: at..at + count, u, panel, targets: &mut targets[..count] });
                let (panel, targets) = (&panel[..count * stride], &targets[..count]);
                T::gram(Gram { panel, targets, width, stride, gram: &mut *gram, b: &mut *b });
                at += count;
            }
            if together {
                batch.push(T::from_f64(ridge));
                waiting.push(i);
                if batch.is_full() {
                    flush(half, batch, waiting, first, out, &mut tally);
                }
                continue;
            }
            if let Some(free) = half.nonneg {
                for l in 0..width {
                    gram[l * stride + l] += T::from_f64(ridge);
                    for c in 0..l {
                        gram[l * stride + c] = gram[c * stride + l];
                    }
                }
                let eta = match half.inner {
                    Inner::Cholesky => 4.0 * T::UNIT,
                    Inner::Cg { eta, .. } => eta.max(4.0 * T::UNIT),
                };
                nonneg::solve(gram, b, (width, stride), free, eta, u, gradient);
                finish(half, i, u, &mut tally);
                continue;
            }
            for l in 0..width {
                gram[l * stride + l] += T::from_f64(ridge);
            }
            let pivot = T::factorise(Factorise { gram, width, stride, b });
            if pivot > T::PIVOT {
                tally.pivot = tally.pivot.min(pivot);
                u[..width].copy_from_slice(&b[..width]);
            } else {
                rescue(half, i, u);
                tally.pivot = tally.pivot.min(pivot.max(0.0));
            }
            finish(half, i, u, &mut tally);
        }
        if batch.used() > 0 {
            flush(half, batch, waiting, first, out, &mut tally);
        }
        tally
    }
}

/// Solves what waits in a batch and hands the solutions to their rows.
fn flush<T: Entry>(
    half: &Half<'_, T>,
    batch: &mut Batch<T>,
    waiting: &mut Vec<usize>,
    first: usize,
    out: &mut [T],
    tally: &mut Tally,
) {
    let stride = half.design.stride();
    let solved = T::batch(batch);
    tally.pivot = tally.pivot.min(if solved.failed == 0 { solved.pivot } else { 0.0 });
    for (lane, &i) in waiting.iter().enumerate() {
        let u = &mut out[(i - first) * stride..(i - first + 1) * stride];
        if solved.failed >> lane & 1 == 1 {
            rescue(half, i, u);
        } else {
            batch.read(lane, u);
        }
        finish(half, i, u, tally);
    }
    batch.clear();
    waiting.clear();
}

/// Solves a row whose Gram matrix is of no use.
#[cold]
#[inline(never)]
fn rescue<T: Entry>(half: &Half<'_, T>, i: usize, u: &mut [T]) {
    let (range, stride) = (half.entries.range(i), half.design.stride());
    let n = range.len();
    let mut panel = Lines::zeros(n * stride);
    let mut targets = vec![T::ZERO; n];
    T::gather(Gather { half, range, u, panel: panel.as_mut_slice(), targets: &mut targets });
    let (width, ridge) = (half.design.width(), half.ridge_of(n));
    match half.base {
        Some(base) => fallback::solve_with_base(panel.as_slice(), &targets, base, (width, stride), ridge, u),
        None => fallback::solve(panel.as_slice(), &targets, width, stride, ridge, u),
    }
}

/// Counts the penalty of a solved row and, where asked for, its loss.
fn finish<T: Entry>(half: &Half<'_, T>, i: usize, u: &[T], tally: &mut Tally) {
    let range = half.entries.range(i);
    let scale = if half.count { range.len() as f64 } else { 1.0 };
    tally.penalty += 0.5 * scale * square(u).to_f64();
    if !half.measure {
        return;
    }
    let (loss, squares) = T::residual(Residual { half, row: i, u });
    tally.loss += 0.5 * loss;
    tally.squares += squares;
}

/// `x · x` over whole lines, in an order that does not depend on the machine.
fn square<T: Entry>(x: &[T]) -> T {
    let mut sums = [T::ZERO; 8];
    for part in x.chunks_exact(8) {
        for l in 0..8 {
            sums[l] += part[l] * part[l];
        }
    }
    sums.into_iter().sum()
}
