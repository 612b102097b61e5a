//! From the interior to a basis: d rows that x interpolates, and the dual that goes with them.
//!
//! The rows with the largest Newton weights are the basis B: there both multipliers vanish. x = X_B^-1 y_B; a is at an end
//! of its box wherever the residual has a sign, and on B it follows from X^T a = 0. Where it leaves its box, the row is
//! exchanged along the edge that it leads down (Barrodale & Roberts 1973; Koenker & d'Orey 1987): x moves until the
//! slope, which changes at every row whose residual passes zero, is no longer negative.

use super::QuantileError;
use super::interior::{Interior, Slab};
use crate::base::dense::{Matrix, Qr, Triangle, solve_triangular};
use crate::base::monitor::Monitor;
use crate::base::sum::Dd;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// How far a dual may leave its box, relative to its width: what clipping then costs is far below every tolerance.
const INSIDE: f64 = 1e-9;
/// Rows among which exchanges are looked for first, and how many more for each column: those of the smallest residuals.
const CLOSE: (usize, usize) = (500, 16);
/// Independent rows: what is left of a row after projection, relative to it.
const INDEPENDENT: f64 = 1e-6;

/// An optimal basis of a program.
#[derive(Debug, Clone)]
pub struct Vertex {
    /// Coefficients in the frame.
    pub x: Vec<f64>,
    /// The dual, row by row.
    pub dual: Vec<f64>,
    /// Rows that are interpolated.
    pub basis: Vec<usize>,
    /// `X_B^-1`.
    pub inverse: Matrix<f64>,
}

/// The basis, while it moves.
struct Walk<'p> {
    program: &'p Interior,
    basis: Vec<usize>,
    /// Column k answers row k of the basis.
    inverse: Matrix<f64>,
    x: Vec<f64>,
    residual: Vec<f64>,
    dual: Vec<f64>,
    lo: Vec<f64>,
    hi: Vec<f64>,
    /// Residuals below this are 0.
    floor: Vec<f64>,
    inside: Vec<bool>,
    /// X^T a over the rows outside of the basis.
    rest: Vec<Dd>,
    /// Whether everything is as the basis alone has it.
    fresh: bool,
}

/// A row whose residual passes zero after `at`.
struct Crossing {
    at: f64,
    row: usize,
    /// By how much the slope grows.
    gain: f64,
}

impl PartialEq for Crossing {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Crossing {}
impl PartialOrd for Crossing {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Crossing {
    // The heap gives its greatest first: the earliest crossing.
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.total_cmp(&self.at).then(other.row.cmp(&self.row))
    }
}

/// Finds an optimal basis within so many exchanges, from the basis `first` or from near the interior point; `None` where
/// there is none to be had. The rows `special`, sums of others, are kept out of the first basis.
pub fn polish(
    program: &Interior,
    special: std::ops::Range<usize>,
    first: Option<Vec<usize>>,
    pivots: usize,
    monitor: &mut Monitor<'_>,
) -> Result<Option<Vertex>, QuantileError> {
    let first = first.filter(|rows| rows.len() == program.width);
    let basis = match first {
        Some(basis) => Some(basis),
        None => independent(program, special, monitor)?,
    };
    let Some(basis) = basis else { return Ok(None) };
    let Some(inverse) = invert(program, &basis) else { return Ok(None) };
    let count = program.count;
    let mut inside = vec![false; count];
    basis.iter().for_each(|&i| inside[i] = true);
    let flat = |of: fn(&Slab) -> &[f64]| -> Vec<f64> {
        program.slabs.iter().flat_map(of).copied().take(count).collect()
    };
    let mut walk = Walk {
        program,
        basis,
        inverse,
        x: vec![0.0; program.width],
        residual: Vec::new(),
        dual: flat(|slab| &slab.p),
        lo: flat(|slab| &slab.lo),
        hi: flat(|slab| &slab.hi),
        floor: Vec::new(),
        inside,
        rest: Vec::new(),
        fresh: false,
    };
    walk.settle(monitor)?;
    walk.snap();
    walk.sum(monitor)?;
    let mut left = pivots;
    if !walk.narrow(&mut left, monitor)? {
        return Ok(None);
    }
    if walk.go(&mut left, monitor)? { walk.finish(monitor) } else { Ok(None) }
}

/// The rows with the largest weights that are independent.
fn independent(
    program: &Interior,
    special: std::ops::Range<usize>,
    monitor: &mut Monitor<'_>,
) -> Result<Option<Vec<usize>>, QuantileError> {
    let d = program.width;
    let mut scored: Vec<(f64, usize)> = Vec::with_capacity(program.count);
    for i in (0..program.count).filter(|i| !special.contains(i)) {
        let (slab, at) = program.place(i);
        let slab = &program.slabs[slab];
        // p s/(w s + z p), from what the last step left.
        let (p, s, z, w) = (slab.p[at], slab.s[at], slab.z[at], slab.w[at]);
        scored.push((p * s / (w * s + z * p), i));
    }
    let by_score = |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    let most = (3 * d + 20).min(scored.len());
    if most < scored.len() {
        scored.select_nth_unstable_by(most, by_score);
        scored.truncate(most);
    }
    scored.sort_unstable_by(by_score);
    let mut basis = Vec::with_capacity(d);
    let mut directions: Vec<Vec<f64>> = Vec::with_capacity(d);
    for (_, i) in scored {
        monitor.poll()?;
        let mut row = program.row(i);
        let norm = |row: &[f64]| row.iter().map(|v| v * v).sum::<f64>().sqrt();
        let before = norm(&row);
        // Twice is enough (Kahan, in Parlett 1998, section 6.9).
        for _ in 0..2 {
            for q in &directions {
                let dot: f64 = q.iter().zip(&row).map(|(q, v)| q * v).sum();
                row.iter_mut().zip(q).for_each(|(v, q)| *v -= dot * q);
            }
        }
        let after = norm(&row);
        if after > INDEPENDENT * before {
            row.iter_mut().for_each(|v| *v /= after);
            directions.push(row);
            basis.push(i);
            if basis.len() == d {
                return Ok(Some(basis));
            }
        }
    }
    Ok(None)
}

/// `X_B^-1` by QR.
fn invert(program: &Interior, basis: &[usize]) -> Option<Matrix<f64>> {
    let d = basis.len();
    let rows = Matrix::from_fn(d, d, |k, j| program.entry(basis[k], j));
    let qr = Qr::new(rows.view()).ok()?;
    let q = qr.q();
    let mut inverse = Matrix::from_fn(d, d, |i, j| q.get(j, i));
    solve_triangular(qr.r().view(), Triangle::Upper, &mut inverse);
    inverse.as_slice().iter().all(|v| v.is_finite()).then_some(inverse)
}

impl Walk<'_> {
    /// Exchanges until the dual is inside of its boxes; false where that is not to be had.
    fn go(&mut self, left: &mut usize, monitor: &mut Monitor<'_>) -> Result<bool, QuantileError> {
        loop {
            self.balance();
            let Some((k, up)) = self.worst() else { return Ok(true) };
            monitor.poll()?;
            if *left == 0 || monitor.expired() || !self.exchange(k, up, monitor)? {
                return Ok(false);
            }
            *left -= 1;
            self.fresh = false;
        }
    }

    /// Does the exchanges among the rows with the smallest residuals, where others are too far away to be met; whether
    /// they were, all rows tell afterwards. False where there is no vertex to be had.
    fn narrow(&mut self, left: &mut usize, monitor: &mut Monitor<'_>) -> Result<bool, QuantileError> {
        let (d, count) = (self.program.width, self.program.count);
        let most = CLOSE.0 + CLOSE.1 * d;
        if count < 3 * most {
            return Ok(true);
        }
        let mut rows: Vec<usize> = (0..count).collect();
        // The basis has residual 0.
        let by_size = |&i: &usize, &j: &usize| {
            self.residual[i]
                .abs()
                .total_cmp(&self.residual[j].abs())
                .then(self.inside[j].cmp(&self.inside[i]))
        };
        rows.select_nth_unstable_by(most, |i, j| by_size(i, j).then(i.cmp(j)));
        rows.truncate(most);
        rows.sort_unstable();
        let mut close = Interior::new(most, d);
        for (k, &i) in rows.iter().enumerate() {
            let (slab, at) = self.program.place(i);
            let y = self.program.slabs[slab].y[at];
            close.set(k, |j| self.program.entry(i, j), y, (self.lo[i], self.hi[i]));
        }
        let pick = |from: &[f64]| rows.iter().map(|&i| from[i]).collect::<Vec<f64>>();
        let Some(basis) = self.basis.iter().map(|i| rows.binary_search(i).ok()).collect() else {
            return Ok(true);
        };
        let mut walk = Walk {
            program: &close,
            basis,
            inverse: self.inverse.clone(),
            x: self.x.clone(),
            residual: pick(&self.residual),
            dual: pick(&self.dual),
            lo: pick(&self.lo),
            hi: pick(&self.hi),
            floor: pick(&self.floor),
            inside: rows.iter().map(|&i| self.inside[i]).collect(),
            rest: self.rest.clone(),
            fresh: false,
        };
        if !walk.go(left, monitor)? {
            return Ok(false);
        }
        for (k, &i) in rows.iter().enumerate() {
            (self.dual[i], self.inside[i]) = (walk.dual[k], walk.inside[k]);
        }
        self.basis = walk.basis.iter().map(|&k| rows[k]).collect();
        self.renew(monitor)
    }

    /// Everything anew from the basis alone. False where it is singular.
    fn renew(&mut self, monitor: &mut Monitor<'_>) -> Result<bool, QuantileError> {
        let Some(inverse) = invert(self.program, &self.basis) else { return Ok(false) };
        self.inverse = inverse;
        self.settle(monitor)?;
        for i in 0..self.program.count {
            if !self.inside[i] && self.residual[i].abs() > self.floor[i] {
                self.dual[i] = if self.residual[i] > 0.0 { self.hi[i] } else { self.lo[i] };
            }
        }
        self.sum(monitor)?;
        self.fresh = true;
        Ok(true)
    }

    /// x of the basis, with residuals in double-double until it no longer changes, and all rows' residuals.
    fn settle(&mut self, monitor: &mut Monitor<'_>) -> Result<(), QuantileError> {
        let (program, d) = (self.program, self.program.width);
        for _ in 0..3 {
            let rest: Vec<f64> = self
                .basis
                .iter()
                .map(|&i| {
                    let (slab, at) = program.place(i);
                    let start = Dd::from(program.slabs[slab].y[at]);
                    (0..d).fold(start, |r, j| r - Dd::product(program.entry(i, j), self.x[j])).to_f64()
                })
                .collect();
            for j in 0..d {
                self.x[j] += (0..d).map(|k| self.inverse.get(j, k) * rest[k]).sum::<f64>();
            }
        }
        self.residual = program.residuals(&self.x, monitor)?;
        self.residual.truncate(program.count);
        self.basis.iter().for_each(|&i| self.residual[i] = 0.0);
        if self.floor.is_empty() {
            let sizes: Vec<f64> = self.x.iter().map(|x| x.abs()).collect();
            self.floor = program.sizes(&sizes, monitor)?;
            self.floor.truncate(program.count);
            self.floor.iter_mut().for_each(|floor| *floor *= 64.0 * f64::EPSILON);
        }
        Ok(())
    }

    /// From the interior's p: the dual where the residual has a sign; the interior's where it has none.
    fn snap(&mut self) {
        for i in 0..self.dual.len() {
            let (lo, hi) = (self.lo[i], self.hi[i]);
            self.dual[i] = if self.residual[i].abs() > self.floor[i] {
                if self.residual[i] > 0.0 { hi } else { lo }
            } else {
                (self.dual[i] + lo).clamp(lo, hi)
            };
        }
    }

    /// X^T a over the rows outside of the basis.
    fn sum(&mut self, monitor: &mut Monitor<'_>) -> Result<(), QuantileError> {
        self.basis.iter().for_each(|&i| self.dual[i] = 0.0);
        self.rest = self.program.collect(&self.dual, monitor)?;
        Ok(())
    }

    /// Changes the dual of a row outside of the basis.
    fn assign(&mut self, i: usize, dual: f64) {
        let change = dual - self.dual[i];
        self.dual[i] = dual;
        for j in 0..self.rest.len() {
            self.rest[j] = self.rest[j] + Dd::product(self.program.entry(i, j), change);
        }
    }

    /// The dual on the basis, from X^T a = 0.
    fn balance(&mut self) {
        let (program, d) = (self.program, self.program.width);
        // Once more from what is left of X^T a = 0, which the inverse's own rounding was lost in.
        self.basis.iter().for_each(|&i| self.dual[i] = 0.0);
        for _ in 0..2 {
            let mut left = self.rest.clone();
            for &i in &self.basis {
                let a = self.dual[i];
                (0..d).for_each(|j| left[j] = left[j] + Dd::product(program.entry(i, j), a));
            }
            for k in 0..d {
                let column = self.inverse.column(k).iter().zip(&left);
                self.dual[self.basis[k]] -= column.fold(Dd::ZERO, |s, (n, l)| s + Dd::from(*n) * *l).to_f64();
            }
        }
    }

    /// The place in the basis whose dual is furthest outside of its box, and whether above it.
    fn worst(&self) -> Option<(usize, bool)> {
        let mut worst = (INSIDE, None);
        for (k, &i) in self.basis.iter().enumerate() {
            let (lo, hi) = (self.lo[i], self.hi[i]);
            let (over, under) = ((self.dual[i] - hi) / (hi - lo), (lo - self.dual[i]) / (hi - lo));
            if over > worst.0 || over.is_nan() {
                worst = (over, Some((k, true)));
            }
            if under > worst.0 {
                worst = (under, Some((k, false)));
            }
        }
        worst.1
    }

    /// Moves along the edge on which row k of the basis leaves zero, `up` or down, to the lowest point. False where
    /// there is none.
    fn exchange(&mut self, k: usize, up: bool, monitor: &mut Monitor<'_>) -> Result<bool, QuantileError> {
        let (program, d) = (self.program, self.program.width);
        let leaving = self.basis[k];
        let sign = if up { 1.0 } else { -1.0 };
        let dx: Vec<f64> = (0..d).map(|j| -sign * self.inverse.get(j, k)).collect();
        let moved = program.apply(&dx, monitor)?;
        let (lo, hi) = (self.lo[leaving], self.hi[leaving]);
        let mut slope = if up { hi - self.dual[leaving] } else { self.dual[leaving] - lo };
        let mut crossings = Vec::new();
        let largest = moved.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        for i in 0..program.count {
            let (g, r, lo, hi) = (-moved[i], self.residual[i], self.lo[i], self.hi[i]);
            if r * g > 0.0 && r.abs() > self.floor[i] || g.abs() <= 1e-13 * largest || self.inside[i] {
                continue;
            }
            if r.abs() <= self.floor[i] {
                let gain = if g > 0.0 { (hi - self.dual[i]) * g } else { (self.dual[i] - lo) * -g };
                crossings.push(Crossing { at: 0.0, row: i, gain });
            } else {
                crossings.push(Crossing { at: -r / g, row: i, gain: g.abs() * (hi - lo) });
            }
        }
        let mut heap = BinaryHeap::from(crossings);
        let mut passed = Vec::new();
        let entering = loop {
            let Some(next) = heap.pop() else { return Ok(false) };
            slope += next.gain;
            if slope >= 0.0 {
                break next;
            }
            passed.push(next.row);
        };
        let length = entering.at;
        for i in 0..program.count {
            self.residual[i] = if self.inside[i] { 0.0 } else { self.residual[i] - length * moved[i] };
        }
        for i in passed {
            self.assign(i, if moved[i] < 0.0 { self.hi[i] } else { self.lo[i] });
        }
        self.x.iter_mut().zip(&dx).for_each(|(x, dx)| *x += length * dx);
        // One leaves the sum, the other comes into it.
        self.assign(entering.row, 0.0);
        self.dual[leaving] = 0.0;
        self.assign(leaving, if up { hi } else { lo });
        self.residual[leaving] = length * sign;
        self.residual[entering.row] = 0.0;
        self.inside[leaving] = false;
        self.inside[entering.row] = true;
        self.basis[k] = entering.row;
        Ok(self.update(k))
    }

    /// The inverse after row k of the basis was replaced. False where it is singular.
    fn update(&mut self, k: usize) -> bool {
        let d = self.program.width;
        let row = self.program.row(self.basis[k]);
        let v: Vec<f64> =
            (0..d).map(|c| (0..d).map(|j| row[j] * self.inverse.get(j, c)).sum::<f64>()).collect();
        if v[k].abs() < 1e-10 * v.iter().fold(0.0f64, |m, v| m.max(v.abs())) {
            return false;
        }
        let column: Vec<f64> = self.inverse.column(k).iter().map(|n| n / v[k]).collect();
        for c in 0..d {
            let factor = if c == k { v[k] - 1.0 } else { v[c] };
            self.inverse.column_mut(c).iter_mut().zip(&column).for_each(|(n, u)| *n -= factor * u);
        }
        true
    }

    /// The vertex, from the basis alone.
    fn finish(mut self, monitor: &mut Monitor<'_>) -> Result<Option<Vertex>, QuantileError> {
        if !self.fresh {
            if !self.renew(monitor)? {
                return Ok(None);
            }
            self.balance();
            if self.worst().is_some() {
                return Ok(None);
            }
        }
        for &i in &self.basis {
            self.dual[i] = self.dual[i].clamp(self.lo[i], self.hi[i]);
        }
        Ok(Some(Vertex { x: self.x, dual: self.dual, basis: self.basis, inverse: self.inverse }))
    }
}
