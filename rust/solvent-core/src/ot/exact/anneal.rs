//! Potentials to start from: Sinkhorn steps in single precision, each at a lower temperature than the one before.
//!
//! Nothing here needs to be accurate: the simplex method mends what is left, at a microsecond or two a pivot. What counts
//! is the error per pass, and there a single step at each temperature wins, if the potentials are carried on along their
//! secant in the temperature: that is worth as much as a momentum. On two clouds of 4000 points 20 such passes leave
//! 11 600 pivots and 7 arcs to price in; three steps at each of nine temperatures (27 passes), extrapolated likewise,
//! leave 21 300 and 226.

use super::cost::Entry;
use super::problem::{BLOCK, Problem};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use solvent_simd::lanes::SLACK;
use solvent_simd::{F64s, Kernel, Lanes, Mask, Simd, dispatch, exp2};

/// First temperature, in units of the largest reduced cost.
const HOTTEST: f64 = 0.08;
/// Each temperature is this part of the one before.
const COOLING: f64 = 1.5;
/// No lower, in the same units: single precision resolves costs to 6e-8 of the largest.
const COLDEST: f64 = 1e-5;
/// Once a row spreads over fewer columns than this (1/Σp², in the mean), the arcs of the basis are settled.
const SETTLED: f64 = 8.0;
/// And never before it spreads over this part of what it would at infinite temperature: weights may be concentrated.
const NARROWED: f64 = 0.25;
/// A spread above this part of what it was so many steps ago, after so many in all, is made of ties.
const UNCHANGED: f64 = 0.95;
const TIED_STEPS: usize = 3;
const LEAST_STEPS: usize = 8;
/// Columns are padded to a multiple of this: two registers of the widest level.
const PAD: usize = 32;
/// Rows whose exponentials are held together.
const GROUP: usize = 4;
/// Arcs proposed for each row, about.
const NEIGHBOURS: usize = 8;

/// The cost in single precision, reduced by the least of each row and column, in units of the problem's span.
pub struct Anneal {
    n: usize,
    m: usize,
    padded: usize,
    cost: Vec<f32>,
    /// Relative weights.
    a: Vec<f64>,
    b: Vec<f64>,
    /// Potentials of the reduced cost.
    pub f: Vec<f64>,
    /// See `f`.
    pub g: Vec<f64>,
    /// Temperature.
    pub temperature: f64,
    coldest: f64,
    earlier: Option<(f64, Vec<f64>, Vec<f64>)>,
    begun: bool,
    settled: f64,
    /// Mean spread of a row at the last step, and at those before it.
    pub spread: f64,
    spreads: Vec<f64>,
    /// l1 error of the rows before the last step.
    pub error: f64,
}

impl Anneal {
    /// Reads the costs.
    pub fn new<T: Entry>(problem: &Problem<'_, T>, monitor: &mut Monitor<'_>) -> Result<Self, Aborted> {
        let (n, m) = (problem.rows.len(), problem.columns.len());
        let padded = m.next_multiple_of(PAD);
        let mut cost = vec![f32::INFINITY; n * padded];
        let scale = 1.0 / problem.span;
        let columns = if problem.all_columns() { None } else { Some(problem.columns.as_slice()) };
        let blocks =
            cost.chunks_mut(BLOCK * padded).zip(problem.rows.chunks(BLOCK).zip(problem.floor.chunks(BLOCK)));
        let blocks: Vec<_> = blocks.collect();
        let tops = monitor.map_items(blocks.into_iter(), |(out, (rows, floor))| {
            let (mut scratch, mut top) = (Vec::new(), 0.0);
            for ((out, &i), &floor) in out.chunks_mut(padded).zip(rows).zip(floor) {
                let row = problem.row(i as usize);
                let row = match columns {
                    None => row,
                    Some(columns) => {
                        scratch.clear();
                        scratch.extend(columns.iter().map(|&j| row[j as usize]));
                        &scratch
                    }
                };
                let largest =
                    dispatch(Reduce { row, floor, column_floor: &problem.column_floor, scale, out });
                top = largest.max(top);
            }
            top
        })?;
        let reach = tops.into_iter().fold(f64::from(f32::MIN_POSITIVE), f64::max);
        let relative = |units: &[i64]| {
            let total = units.iter().sum::<i64>() as f64;
            units.iter().map(|&w| w as f64 / total).collect()
        };
        let (a, b): (Vec<f64>, Vec<f64>) = (relative(&problem.supply), relative(&problem.demand));
        let widest = 1.0 / b.iter().map(|b| b * b).sum::<f64>();
        Ok(Self {
            n,
            m,
            padded,
            cost,
            a,
            b,
            settled: SETTLED.min(NARROWED * widest),
            f: vec![0.0; n],
            g: vec![0.0; m],
            temperature: HOTTEST * reach,
            coldest: COLDEST * reach,
            earlier: None,
            begun: false,
            spread: f64::INFINITY,
            spreads: Vec::new(),
            error: f64::INFINITY,
        })
    }

    /// Cools and takes one Sinkhorn step: of the rows and, on the row-scaled plan, of the columns, in one pass. False once
    /// no more is useful.
    pub fn advance(&mut self, monitor: &mut Monitor<'_>) -> Result<bool, Aborted> {
        if self.begun {
            if self.spread < self.settled || self.tied() || self.temperature <= self.coldest {
                return Ok(false);
            }
            self.cool();
        }
        self.begun = true;
        self.spreads.push(self.spread);
        self.sinkhorn(monitor)?;
        Ok(true)
    }

    /// Whether cooling no longer narrows the rows: what is left are ties.
    fn tied(&self) -> bool {
        let steps = self.spreads.len();
        steps > LEAST_STEPS && self.spread > UNCHANGED * self.spreads[steps - TIED_STEPS]
    }

    /// `<f,a> + <g,b>` of the relative weights: the dual value, once the columns are exact.
    pub fn value(&self) -> f64 {
        let dot = |x: &[f64], w: &[f64]| x.iter().zip(w).map(|(x, w)| x * w).sum::<f64>();
        dot(&self.f, &self.a) + dot(&self.g, &self.b)
    }

    /// Lowers the temperature and moves the potentials along their secant in it.
    fn cool(&mut self) {
        let (warm, cold) = (self.temperature, (self.temperature / COOLING).max(self.coldest));
        let now = (warm, self.f.clone(), self.g.clone());
        if let Some((hot, f, g)) = &self.earlier {
            let ahead = (cold - warm) / (warm - hot);
            let both = self.f.iter_mut().chain(&mut self.g);
            both.zip(f.iter().chain(g)).for_each(|(x, old)| *x += ahead * (*x - old));
        }
        self.earlier = Some(now);
        self.temperature = cold;
    }

    fn sinkhorn(&mut self, monitor: &mut Monitor<'_>) -> Result<(), Aborted> {
        let per_bit = std::f64::consts::LOG2_E / self.temperature;
        let mut columns = vec![f32::NEG_INFINITY; self.padded];
        for (out, (g, b)) in columns.iter_mut().zip(self.g.iter().zip(&self.b)) {
            *out = (g * per_bit + b.log2()) as f32;
        }
        let this = &*self;
        let blocks = monitor.map_blocks(this.n, BLOCK, |rows| {
            let own: Vec<f32> = this.f[rows.clone()].iter().map(|f| (f * per_bit) as f32).collect();
            let weight: Vec<f32> = this.a[rows.clone()].iter().map(|&a| a as f32).collect();
            let mut out = Step {
                sums: vec![0.0; rows.len()],
                squares: vec![0.0; rows.len()],
                columns: vec![0.0; this.padded],
            };
            dispatch(StepRows {
                cost: &this.cost[rows.start * this.padded..rows.end * this.padded],
                per_bit: per_bit as f32,
                own: &own,
                columns: &columns,
                weight: &weight,
                buffer: &mut vec![0.0; GROUP * this.padded],
                out: &mut out,
            });
            out
        })?;
        let mut column_sums = vec![0.0; self.m];
        let (mut error, mut spread, mut i) = (0.0, 0.0, 0);
        for block in blocks {
            for (&sum, &square) in block.sums.iter().zip(&block.squares) {
                let (sum, a) = (f64::from(sum), self.a[i]);
                if sum > 0.0 && sum.is_finite() {
                    self.f[i] -= sum.log2() / per_bit;
                    error += a * (sum - 1.0).abs();
                    spread += a * sum * sum / f64::from(square);
                } else {
                    // All of the row underflowed or overflowed: the zero-temperature update is always in range.
                    self.f[i] = self.least(i);
                    error += a;
                }
                i += 1;
            }
            column_sums.iter_mut().zip(&block.columns).for_each(|(sum, &part)| *sum += f64::from(part));
        }
        for ((g, sum), b) in self.g.iter_mut().zip(column_sums).zip(&self.b) {
            let ratio: f64 = sum / b;
            if ratio > 0.0 && ratio.is_finite() {
                *g -= ratio.log2() / per_bit;
            }
        }
        (self.error, self.spread) = (error, spread);
        Ok(())
    }

    /// `min_j c_ij - g_j`; 0 where row i has no arc.
    fn least(&self, i: usize) -> f64 {
        let row = &self.cost[i * self.padded..i * self.padded + self.m];
        let reduced = row.iter().zip(&self.g).map(|(&c, g)| f64::from(c) - g);
        let least = reduced.fold(f64::INFINITY, f64::min);
        if least.is_finite() { least } else { 0.0 }
    }

    /// For each row about [`NEIGHBOURS`] arcs of the least reduced cost, more where there are more columns than rows.
    pub fn neighbours(&self, monitor: &mut Monitor<'_>) -> Result<Vec<(u32, u32)>, Aborted> {
        let wanted = NEIGHBOURS * self.m.div_ceil(self.n);
        let mut columns = vec![0.0; self.padded];
        columns.iter_mut().zip(&self.g).for_each(|(out, &g)| *out = g as f32);
        let blocks = monitor.map_blocks(self.n, BLOCK, |rows| {
            let mut arcs = Vec::with_capacity(2 * NEIGHBOURS * rows.len());
            let mut found = vec![0; self.padded + 2 * SLACK + PAD];
            for i in rows {
                let cost = &self.cost[i * self.padded..(i + 1) * self.padded];
                let count = dispatch(Nearest { cost, columns: &columns, wanted, found: &mut found });
                // Ties can make it any number: then some of them, spread out, and not the same for each row.
                let kept = count.min(4 * wanted);
                let first = i % count.max(1);
                let spread = (0..kept).map(|k| found[(first + k * count / kept) % count]);
                arcs.extend(spread.map(|j| (i as u32, j)));
            }
            arcs
        })?;
        Ok(blocks.into_iter().flatten().collect())
    }
}

/// `out_j = (C_ij - floor_i - column_floor_j) scale`; returns the largest finite one.
struct Reduce<'a, T> {
    row: &'a [T],
    floor: f64,
    column_floor: &'a [f64],
    scale: f64,
    out: &'a mut [f32],
}

impl<T: Entry> Kernel for Reduce<'_, T> {
    type Output = f64;
    #[inline(always)]
    fn run<S: Simd>(self) -> f64 {
        let lanes = S::F64::LANES;
        let len = self.row.len();
        let body = len - len % lanes;
        let (floor, scale) = (S::F64::splat(self.floor), S::F64::splat(self.scale));
        let (zero, infinite) = (S::F64::splat(0.0), S::F64::splat(f64::INFINITY));
        let mut top = zero;
        let mut j = 0;
        while j < body {
            let k = j + lanes;
            let x = T::lanes::<S::F64>(&self.row[j..k]) - floor - S::F64::load(&self.column_floor[j..k]);
            let x = x * scale;
            x.store_f32(&mut self.out[j..k]);
            top = S::F64::select(x.lt(infinite), x, zero).max(top);
            j = k;
        }
        let mut top = top.reduce_max();
        for j in body..len {
            let x = (self.row[j].to_f64() - self.floor - self.column_floor[j]) * self.scale;
            self.out[j] = x as f32;
            if x < f64::INFINITY {
                top = top.max(x);
            }
        }
        top
    }
}

/// What one pass over a block of rows gives.
struct Step {
    /// Σ_j p_ij, which should be 1.
    sums: Vec<f32>,
    /// Σ_j p_ij².
    squares: Vec<f32>,
    /// Σ_i a_i p_ij / sums_i.
    columns: Vec<f32>,
}

struct StepRows<'a> {
    cost: &'a [f32],
    per_bit: f32,
    own: &'a [f32],
    columns: &'a [f32],
    weight: &'a [f32],
    buffer: &'a mut [f32],
    out: &'a mut Step,
}

impl Kernel for StepRows<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let lanes = S::F32::LANES;
        let width = self.columns.len();
        let slope = S::F32::splat(-self.per_bit);
        for first in (0..self.own.len()).step_by(GROUP) {
            let rows = first..self.own.len().min(first + GROUP);
            for i in rows.clone() {
                let cost = &self.cost[i * width..(i + 1) * width];
                let out = &mut self.buffer[(i - first) * width..(i - first + 1) * width];
                let own = S::F32::splat(self.own[i]);
                let zero = S::F32::splat(0.0);
                let (mut sum, mut square, mut sum2, mut square2) = (zero, zero, zero, zero);
                let mut j = 0;
                while j < width {
                    let k = j + lanes;
                    let l = k + lanes;
                    let t = S::F32::load(&cost[j..k]).mul_add(slope, S::F32::load(&self.columns[j..k]) + own);
                    let t2 =
                        S::F32::load(&cost[k..l]).mul_add(slope, S::F32::load(&self.columns[k..l]) + own);
                    let (p, p2) = (exp2(t), exp2(t2));
                    p.store(&mut out[j..k]);
                    p2.store(&mut out[k..l]);
                    (sum, sum2) = (sum + p, sum2 + p2);
                    (square, square2) = (p.mul_add(p, square), p2.mul_add(p2, square2));
                    j = l;
                }
                self.out.sums[i] = (sum + sum2).reduce_sum();
                self.out.squares[i] = (square + square2).reduce_sum();
            }
            for i in rows {
                let scale = self.weight[i] / self.out.sums[i];
                if !(scale > 0.0 && scale.is_finite()) {
                    continue;
                }
                let scale = S::F32::splat(scale);
                let p = &self.buffer[(i - first) * width..(i - first + 1) * width];
                let mut j = 0;
                while j < width {
                    let k = j + lanes;
                    let sum = S::F32::load(&p[j..k]).mul_add(scale, S::F32::load(&self.out.columns[j..k]));
                    sum.store(&mut self.out.columns[j..k]);
                    j = k;
                }
            }
        }
    }
}

/// The positions of about [`NEIGHBOURS`] least `cost_j - columns_j`: the row is dealt out to so many groups, the
/// minimum of each is taken, and the k-th least of these minima is at least the k-th least of all.
struct Nearest<'a> {
    cost: &'a [f32],
    columns: &'a [f32],
    wanted: usize,
    found: &'a mut [u32],
}

/// Registers of group minima.
const DEALT: usize = 4;

impl Kernel for Nearest<'_> {
    type Output = usize;
    #[inline(always)]
    fn run<S: Simd>(self) -> usize {
        let lanes = S::F32::LANES;
        let width = self.cost.len();
        let mut least = [S::F32::splat(f32::INFINITY); DEALT];
        let mut j = 0;
        while j < width {
            for (d, least) in least.iter_mut().enumerate() {
                let k = j + d * lanes;
                if k < width {
                    let reduced =
                        S::F32::load(&self.cost[k..k + lanes]) - S::F32::load(&self.columns[k..k + lanes]);
                    *least = reduced.min(*least);
                }
            }
            j += DEALT * lanes;
        }
        let mut minima = [f32::INFINITY; DEALT * 16];
        for d in 0..DEALT {
            least[d].store(&mut minima[d * lanes..(d + 1) * lanes]);
        }
        let minima = &mut minima[..DEALT * lanes];
        minima.sort_unstable_by(f32::total_cmp);
        // Forbidden arcs are inf, and so is the threshold where there are few others.
        let threshold = S::F32::splat(minima[self.wanted.min(minima.len() / 2) - 1].min(f32::MAX));
        let (mut count, mut j) = (0, 0);
        while j < width {
            let reduced = S::F32::load(&self.cost[j..j + lanes]) - S::F32::load(&self.columns[j..j + lanes]);
            let near = reduced.le(threshold);
            if near.any() {
                count += near.positions(j as u32, &mut self.found[count..]);
            }
            j += lanes;
        }
        count
    }
}
