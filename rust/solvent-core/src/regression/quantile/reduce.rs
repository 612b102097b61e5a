//! Portnoy & Koenker's preprocessing: rows whose sign is certain are added up to two.
//!
//! A fit x of a sample puts every row at `r_i/|a_i R^-1|` standard errors; those far from the quantile keep their sign at
//! the optimum, all but a few, and their duals are ends of boxes. Their sums, the two globs, are rows of a small
//! program with the same optimum. |a_i R^-1| is taken from random directions where there are many columns: a band need not
//! be exact.

use super::QuantileError;
use super::design::{GROUP, padded, panel_rows};
use super::factor::Frame;
use super::interior::Interior;
use super::kernels::{Apply, Collect, Panel, Squares};
use super::problem::{Problem, SEED};
use crate::base::buffer::Buffer;
use crate::base::monitor::Monitor;
use crate::base::rng::Philox;
use solvent_simd::dispatch;

/// Random directions of a leverage; up to as many columns it is exact.
const DIRECTIONS: usize = 24;

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// In the program, row by row.
    Middle,
    /// In the lower glob: its residual is taken to be negative.
    Below,
    /// In the upper glob.
    Above,
}

/// What a row of a program is in the problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This row.
    Row(u32),
    /// Many rows.
    Glob,
    /// The penalty of this column of the frame.
    Penalty(usize),
}

impl Origin {
    /// The row, if it is one.
    pub fn row(&self) -> Option<usize> {
        match self {
            Self::Row(i) => Some(*i as usize),
            Self::Glob | Self::Penalty(_) => None,
        }
    }
}

/// Weighted sums of rows.
#[derive(Debug, Clone)]
pub struct Glob {
    /// `sum w a`, over the columns of A.
    pub row: Vec<f64>,
    /// `sum w b`
    pub y: f64,
    /// How many rows.
    pub count: usize,
}

impl Glob {
    fn new(width: usize) -> Self {
        Self { row: vec![0.0; width], y: 0.0, count: 0 }
    }

    fn join(&mut self, other: &Self) {
        self.row.iter_mut().zip(&other.row).for_each(|(a, b)| *a += b);
        self.y += other.y;
        self.count += other.count;
    }
}

/// Rows of a program: some one by one, the others in globs.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Of every row of the problem; all `Middle` where the program is a sample.
    pub class: Vec<Class>,
    /// Rows that stand for themselves, ascending.
    pub middle: Vec<u32>,
    /// The two globs, `Below` first; none in a sample.
    pub globs: Vec<Glob>,
    /// What the penalties are multiplied by.
    pub share: f64,
}

impl Selection {
    /// Every row of positive weight.
    pub fn all(problem: &Problem<'_>) -> Self {
        let middle = (0..problem.count()).map(|k| problem.index(k) as u32).collect();
        Self { class: vec![Class::Middle; problem.rows()], middle, globs: Vec::new(), share: 1.0 }
    }

    /// A sample of `m` rows.
    pub fn sample(problem: &Problem<'_>, m: usize, round: u32) -> Self {
        let share = m as f64 / problem.count() as f64;
        Self { class: Vec::new(), middle: problem.sample(m, round), globs: Vec::new(), share }
    }

    /// Globs all rows outside of a band around the fit `x` (coefficients of A) that holds about `most` rows, by a pass.
    /// `shift` is how much larger a share of the rows the new fit is to leave below it than x.
    pub fn banded(
        problem: &Problem<'_>,
        frame: &Frame,
        x: &[f64],
        sampled: &[u32],
        (most, shift): (usize, f64),
        monitor: &mut Monitor<'_>,
    ) -> Result<Self, QuantileError> {
        let (n, width) = (problem.rows(), problem.width());
        let directions = directions(frame, width);
        let band = Band { problem, x, directions: &directions };
        let (low, high) = band.limits(sampled, most, shift, monitor)?;
        let stride = panel_rows(width);
        let part = |rows: std::ops::Range<usize>| {
            let mut scratch = Scratch::new(stride, width);
            let mut found = Found {
                class: Vec::with_capacity(rows.len()),
                middle: Vec::new(),
                globs: [Glob::new(width), Glob::new(width)],
            };
            for start in rows.clone().step_by(stride) {
                let count = (rows.end - start).min(stride);
                band.measure(|i| start + i, count, stride, &mut scratch);
                found.sort(problem, start, count, stride, (low, high), &mut scratch);
            }
            found
        };
        let (mut class, mut middle) = (Vec::with_capacity(n), Vec::new());
        let mut globs = vec![Glob::new(width), Glob::new(width)];
        monitor.fold_blocks(n, stride * GROUP, 64, part, |own: Found| -> Result<(), QuantileError> {
            class.extend_from_slice(&own.class);
            middle.extend_from_slice(&own.middle);
            globs.iter_mut().zip(&own.globs).for_each(|(glob, own)| glob.join(own));
            Ok(())
        })?;
        Ok(Self { class, middle, globs, share: 1.0 })
    }

    /// Takes rows out of their globs.
    pub fn release(&mut self, problem: &Problem<'_>, rows: &[u32]) {
        let (width, stride) = (problem.width(), 8);
        let mut panel = vec![0.0; stride * width];
        for &i in rows {
            let glob = match self.class[i as usize] {
                Class::Middle => continue,
                Class::Below => 0,
                Class::Above => 1,
            };
            self.class[i as usize] = Class::Middle;
            let weight = problem.weight(i as usize);
            problem.design.fill(|_| i as usize, 1, stride, &mut panel);
            let glob = &mut self.globs[glob];
            (0..width).for_each(|j| glob.row[j] -= weight * panel[j * stride]);
            glob.y -= weight * problem.b[i as usize];
            glob.count -= 1;
        }
        self.middle.extend_from_slice(rows);
        self.middle.sort_unstable();
    }

    /// Rows of the program that stand for several.
    pub fn special(&self) -> std::ops::Range<usize> {
        self.middle.len()..self.middle.len() + self.globs.len()
    }

    /// The program at level `tau`.
    pub fn program(
        &self,
        problem: &Problem<'_>,
        frame: &Frame,
        tau: f64,
        monitor: &mut Monitor<'_>,
    ) -> Result<Interior, QuantileError> {
        let (rank, width) = (frame.rank(), problem.width());
        let penalties = penalised(problem, frame);
        let rows = self.middle.len();
        let count = rows + self.globs.len() + penalties.len();
        let mut program = Interior::new(count, rank);
        let (stride, per) = (program.stride, program.slab_rows());
        let ends = (tau - 1.0, tau);
        monitor.map_items(program.slabs.iter_mut().enumerate(), |(k, slab)| {
            let mut panel = Buffer::zeros(stride * width);
            for start in (0..slab.rows).step_by(stride) {
                let first = k * per + start;
                if first >= rows {
                    break;
                }
                let count = (rows - first).min(stride).min(slab.rows - start);
                let index = |i: usize| self.middle[first + i] as usize;
                problem.design.fill(index, count, stride, &mut panel);
                let own = &mut slab.x[start * rank..];
                frame.transform(&panel, stride, count, own);
                for i in 0..count {
                    slab.y[start + i] = problem.b[index(i)] * problem.weight(index(i));
                    (slab.lo[start + i], slab.hi[start + i]) = ends;
                }
                if problem.w.is_some() {
                    for c in 0..rank {
                        (0..count).for_each(|i| own[c * stride + i] *= problem.weight(index(i)));
                    }
                }
            }
        })?;
        for (k, glob) in self.globs.iter().enumerate() {
            let row: Vec<f64> = (0..rank)
                .map(|c| (0..=c).map(|r| frame.t.get(r, c) * glob.row[frame.kept[r]]).sum())
                .collect();
            program.set(rows + k, |c| row[c], glob.y, ends);
        }
        for (at, &k) in penalties.iter().enumerate() {
            let penalty = problem.penalty[frame.kept[k]] * self.share;
            let row = rows + self.globs.len() + at;
            program.set(row, |c| penalty * frame.t.get(k, c), 0.0, (-1.0, 1.0));
        }
        Ok(program)
    }

    /// The dual of every row of the problem, in the caller's units, from that of the program's.
    pub fn dual(&self, problem: &Problem<'_>, tau: f64, own: impl Fn(usize) -> f64) -> Vec<f64> {
        let caller = |i: usize| problem.weight(i) / problem.unit_w;
        let outside = |(i, class): (usize, &Class)| match class {
            Class::Middle => 0.0,
            Class::Below => caller(i) * (tau - 1.0),
            Class::Above => caller(i) * tau,
        };
        let mut dual: Vec<f64> = self.class.iter().enumerate().map(outside).collect();
        for (k, &i) in self.middle.iter().enumerate() {
            dual[i as usize] = caller(i as usize) * own(k);
        }
        dual
    }

    /// What rows of the program are in the problem.
    pub fn origins(&self, problem: &Problem<'_>, frame: &Frame, rows: &[usize]) -> Vec<Origin> {
        let penalties = penalised(problem, frame);
        let first = self.special().end;
        let origin = |&k: &usize| match self.middle.get(k) {
            Some(&i) => Origin::Row(i),
            None if k < first => Origin::Glob,
            None => Origin::Penalty(penalties[k - first]),
        };
        rows.iter().map(origin).collect()
    }

    /// Where rows of the problem are in the program; `None` unless all of them are there.
    pub fn places(&self, problem: &Problem<'_>, frame: &Frame, origins: &[Origin]) -> Option<Vec<usize>> {
        let penalties = penalised(problem, frame);
        let first = self.special().end;
        let place = |origin: &Origin| match origin {
            Origin::Row(i) => self.middle.binary_search(i).ok(),
            Origin::Glob => None,
            Origin::Penalty(j) => penalties.iter().position(|k| k == j).map(|at| first + at),
        };
        origins.iter().map(place).collect()
    }

    /// Rows of globs whose residual has the wrong sign.
    pub fn wrong(&self, problem: &Problem<'_>, residual: &[f64]) -> Vec<u32> {
        let wrong = |i: &usize| match self.class[*i] {
            Class::Middle => false,
            Class::Below => residual[*i] > 0.0 && problem.weight(*i) > 0.0,
            Class::Above => residual[*i] < 0.0,
        };
        (0..residual.len()).filter(wrong).map(|i| i as u32).collect()
    }
}

/// Columns of the frame with a penalty.
fn penalised(problem: &Problem<'_>, frame: &Frame) -> Vec<usize> {
    (0..frame.rank()).filter(|&k| problem.penalty[frame.kept[k]] > 0.0).collect()
}

/// What a pass over a block finds.
struct Found {
    class: Vec<Class>,
    middle: Vec<u32>,
    globs: [Glob; 2],
}

/// A panel, its residuals in standard errors, and what the sums need.
struct Scratch {
    panel: Buffer,
    band: Buffer,
    below: Buffer,
    above: Buffer,
}

impl Scratch {
    fn new(stride: usize, width: usize) -> Self {
        let vector = || Buffer::zeros(stride);
        Self { panel: Buffer::zeros(stride * width), band: vector(), below: vector(), above: vector() }
    }
}

impl Found {
    fn sort(
        &mut self,
        problem: &Problem<'_>,
        start: usize,
        count: usize,
        stride: usize,
        (low, high): (f64, f64),
        scratch: &mut Scratch,
    ) {
        let (m, width) = (padded(count), self.globs[0].row.len());
        scratch.below[..m].fill(0.0);
        scratch.above[..m].fill(0.0);
        for i in 0..count {
            let (row, band, weight) = (start + i, scratch.band[i], problem.weight(start + i));
            let (class, glob, share) = if band < low || weight == 0.0 {
                (Class::Below, &mut self.globs[0], &mut scratch.below[i])
            } else if band > high {
                (Class::Above, &mut self.globs[1], &mut scratch.above[i])
            } else {
                self.class.push(Class::Middle);
                self.middle.push(row as u32);
                continue;
            };
            self.class.push(class);
            *share = weight;
            glob.y += weight * problem.b[row];
            glob.count += 1;
        }
        let [first, second] = &mut self.globs;
        dispatch(Collect {
            panel: Panel { x: &scratch.panel, stride, m, d: width },
            v: [&scratch.below, &scratch.above],
            out: [&mut first.row[..], &mut second.row[..]],
        });
    }
}

/// Residuals in standard errors.
struct Band<'a, 'p> {
    problem: &'a Problem<'p>,
    x: &'a [f64],
    directions: &'a [Vec<f64>],
}

impl Band<'_, '_> {
    /// The band of rows `index(0..count)`, in `scratch.band`; the panel stays.
    fn measure(&self, index: impl Fn(usize) -> usize, count: usize, stride: usize, scratch: &mut Scratch) {
        let (m, d) = (padded(count), self.problem.width());
        self.problem.design.fill(&index, count, stride, &mut scratch.panel);
        let panel = Panel { x: &scratch.panel, stride, m, d };
        dispatch(Squares { panel, c: self.directions, out: &mut scratch.below[..m] });
        dispatch(Apply { panel, c: self.x, out: &mut scratch.band });
        for i in 0..count {
            // A null row is in nobody's way: its sign is certain.
            let error = scratch.below[i].sqrt().max(f64::MIN_POSITIVE);
            scratch.band[i] = (self.problem.b[index(i)] - scratch.band[i]) / error;
        }
    }

    /// Ends of the band: quantiles of the sample, as far apart as `most` rows are of all, around its sign change.
    fn limits(
        &self,
        sampled: &[u32],
        most: usize,
        shift: f64,
        monitor: &mut Monitor<'_>,
    ) -> Result<(f64, f64), QuantileError> {
        let (width, stride) = (self.problem.width(), panel_rows(self.problem.width()));
        let parts = monitor.map_blocks(sampled.len(), stride, |range| {
            let mut scratch = Scratch::new(stride, width);
            let own = &sampled[range];
            self.measure(|i| own[i] as usize, own.len(), stride, &mut scratch);
            scratch.band[..own.len()].to_vec()
        })?;
        let mut band: Vec<f64> = parts.into_iter().flatten().collect();
        let m = band.len();
        band.sort_unstable_by(f64::total_cmp);
        let zero = band.partition_point(|b| *b < 0.0) as f64 + shift * m as f64;
        let zero = zero.round().clamp(0.0, m as f64) as usize;
        let half = (most as f64 / self.problem.count() as f64 * m as f64 / 2.0).ceil() as usize;
        let low = if zero >= half { band[zero - half] } else { f64::NEG_INFINITY };
        let high = if zero + half < m { band[zero + half] } else { f64::INFINITY };
        Ok(if shift == 0.0 { (low.min(0.0), high.max(0.0)) } else { (low, high) })
    }
}

/// Vectors g with `sum (a g)^2 = |a R^-1|^2`, or with that expectation.
fn directions(frame: &Frame, width: usize) -> Vec<Vec<f64>> {
    let d = frame.rank();
    // R^-1 = T L^-T.
    let turned = |normal: &[f64]| {
        let turned: Vec<f64> =
            (0..d).map(|i| (i..d).map(|j| frame.inverse.get(j, i) * normal[j]).sum()).collect();
        frame.coefficients(&turned, width)
    };
    if d <= DIRECTIONS {
        let unit = |k: usize| (0..d).map(|j| if j == k { 1.0 } else { 0.0 }).collect::<Vec<f64>>();
        return (0..d).map(|k| turned(&unit(k))).collect();
    }
    let make = |k: usize| {
        let mut rng = Philox::new(SEED, 1, k as u32);
        turned(&(0..d).map(|_| rng.normal()).collect::<Vec<f64>>())
    };
    (0..DIRECTIONS).map(make).collect()
}
