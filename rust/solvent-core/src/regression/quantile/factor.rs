//! The frame in which the columns are nearly orthonormal, and how surely.
//!
//! T holds a combination of the columns that were kept, one a column of the frame; L is the Cholesky factor of the
//! computed Gram matrix of the weighted rows of A T (and of the penalties). With
//! `(A T)^T (A T) = L (I + E) L^T`, `|E|_2 <= eta`, every `|s^T z|` is at most `|L^-1 T^T s| |A z|_2/sqrt(1 - eta)`:
//! that, and only that, is what a certificate asks of a frame.
//!
//! Mostly T is diagonal, powers of two. Where the columns are too dependent for that (eta > 1/4), T comes from a QR
//! decomposition by Householder reflections, with columns pivoted, and a second Gram matrix is taken.

use super::QuantileError;
use super::design::{GROUP, TILE, padded, panel_rows};
use super::interior::even_power;
use super::kernels::{Gram, Panel, Sizes};
use super::problem::Problem;
use crate::base::buffer::Buffer;
use crate::base::dense::{Cholesky, Matrix, Qr, Triangle, solve_triangular};
use crate::base::monitor::Monitor;
use crate::base::sum::{Dd, two_sum};
use solvent_simd::dispatch;

/// Unit roundoff.
pub const U: f64 = f64::EPSILON / 2.0;
/// eta of a diagonal T that is good enough.
const DIAGONAL: f64 = 0.25;
/// A sample's squared column norms, over what its share of the rows lets expect, at least.
const FAIR: f64 = 0.25;
/// Squared column norms outside of this range ask for scaled columns.
const CALM: (f64, f64) = (1e-200, 1e200);

/// What a Gram pass gives: the matrix, and how it was summed.
struct Sums {
    /// `d` by `d`, both halves; the diagonal alone after a pass for norms.
    gram: Vec<f64>,
    /// Columns.
    d: usize,
    /// Terms that are added one after the other, at most.
    chain: f64,
}

impl Sums {
    /// Squared norms of the columns.
    fn diagonal(&self) -> impl Iterator<Item = f64> + '_ {
        let step = if self.gram.len() == self.d { 1 } else { self.d + 1 };
        self.gram.iter().step_by(step).copied()
    }
}

/// Columns, their frame, and its factor.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The columns that were kept, ascending where T is diagonal.
    pub kept: Vec<usize>,
    /// T: row k belongs to column `kept[k]`. Upper triangular.
    pub t: Matrix<f64>,
    /// Whether T is diagonal.
    pub diagonal: bool,
    /// L.
    pub lower: Matrix<f64>,
    /// L^-1.
    pub inverse: Matrix<f64>,
    /// The bound on E; not proven where `proven` is false.
    pub eta: f64,
    /// Whether eta is proven and the columns left out are surely in the span of those that were kept.
    pub proven: bool,
    /// Upper bounds of the norms of all columns, weights included.
    pub norms: Vec<f64>,
}

impl Frame {
    /// Takes one pass: a Gram matrix, or, where there are many rows, their norms, with the Gram matrix of a sample.
    /// Three more where the columns are nearly dependent.
    ///
    /// `|A_S z| <= |A z|` for any rows S, so that a sample bounds `|s^T z|/|A z|` too, by `sqrt(n/m)` more or so: nothing
    /// where s is rounding.
    pub fn new(problem: &mut Problem<'_>, monitor: &mut Monitor<'_>) -> Result<Self, QuantileError> {
        let width = problem.width();
        let size = problem.sample_size(width).filter(|m| *m <= problem.count() / 2);
        let first = |problem: &Problem<'_>, monitor: &mut Monitor<'_>| match size {
            None => gram(problem, None, None, monitor),
            Some(_) => squares(problem, monitor),
        };
        let mut sums = first(problem, monitor)?;
        if sums.diagonal().any(|square| !(CALM.0..=CALM.1).contains(&square)) {
            problem.calm(monitor)?;
            sums = first(problem, monitor)?;
        }
        let norm = |square: f64| (square * (1.0 + sums.chain * U)).sqrt() * (1.0 + 4.0 * U);
        let norms: Vec<f64> = sums.diagonal().map(norm).collect();
        let scales: Vec<f64> = sums.diagonal().map(even_power).collect();
        if let Some(m) = size {
            let own = gram(problem, Some(&problem.sample(m, 0)), None, monitor)?;
            let share = FAIR * m as f64 / problem.count() as f64;
            if own.diagonal().zip(sums.diagonal()).all(|(own, all)| own >= share * all)
                && let Some(frame) = Self::plain(&own, &scales, &norms)
            {
                return Ok(frame);
            }
            sums = gram(problem, None, None, monitor)?;
        }
        match Self::plain(&sums, &scales, &norms) {
            Some(frame) => Ok(frame),
            None => Self::pivoted(problem, &scales, &norms, monitor),
        }
    }

    /// The frame of powers of two, if that is good enough.
    fn plain(sums: &Sums, scales: &[f64], norms: &[f64]) -> Option<Self> {
        let width = scales.len();
        let diagonal = Matrix::from_fn(width, width, |i, j| if i == j { scales[i] } else { 0.0 });
        let scaled = Matrix::from_fn(width, width, |i, j| sums.gram[i * width + j] * scales[i] * scales[j]);
        let all = (0..width).collect();
        Self::from_gram(all, diagonal, true, &scaled, norms, sums.chain, 0.0)
            .filter(|frame| frame.eta <= DIAGONAL)
    }

    /// The frame of a Gram matrix; `None` where it has no Cholesky factor. `slack` bounds what the rounding of the rows
    /// has changed.
    fn from_gram(
        kept: Vec<usize>,
        t: Matrix<f64>,
        diagonal: bool,
        gram: &Matrix<f64>,
        norms: &[f64],
        chain: f64,
        slack: f64,
    ) -> Option<Self> {
        let d = kept.len();
        let factor = Cholesky::new(gram.view()).ok()?;
        let lower = factor.lower().clone();
        let mut inverse = Matrix::identity(d);
        solve_triangular(lower.view(), Triangle::Lower, &mut inverse);
        let square = |m: &Matrix<f64>| m.as_slice().iter().map(|v| v * v).sum::<f64>();
        let trace: f64 = (0..d).map(|j| gram.get(j, j)).sum();
        // N = fl(L^-1): |N L - I| <= d u |N||L| (Higham 2002, section 14.2), so |L^-1|_2 <= |N|_F/(1 - shift).
        let (n2, l2) = (square(&inverse), square(&lower));
        let shift = d as f64 * U * (n2 * l2).sqrt() * 1.01;
        // Chain of sums, and two roundings of a weighted row in each factor.
        let summed = (chain + 6.0) * U * 1.01;
        // |G - L L^T|_F <= gamma_(d+1) |L|_F^2 (Higham 2002, theorem 10.3).
        let cholesky = (d + 2) as f64 * U * 1.01 * l2;
        let off = summed * trace * 1.01 + slack + cholesky;
        let eta = if shift < 0.5 { off * n2 / (1.0 - shift).powi(2) * 1.01 } else { f64::INFINITY };
        let norms = norms.to_vec();
        eta.is_finite().then_some(Self { kept, t, diagonal, lower, inverse, eta, proven: eta < 0.5, norms })
    }

    /// Householder QR of the scaled columns, columns pivoted on its small factor, and a Gram matrix in that frame.
    fn pivoted(
        problem: &mut Problem<'_>,
        scales: &[f64],
        norms: &[f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<Self, QuantileError> {
        let width = problem.width();
        let r = triangle(problem, scales, monitor)?;
        let rows = problem.count() + if problem.penalised() { width } else { 0 };
        let (order, factor) = pivot(&r, rows.max(width) as f64 * 8.0 * U, rows);
        let kept = order[..factor.columns()].to_vec();
        let k = kept.len();
        let mut t = Matrix::identity(k);
        solve_triangular(factor.view(), Triangle::Upper, &mut t);
        for (row, &j) in kept.iter().enumerate() {
            (row..k).for_each(|column| t.set(row, column, t.get(row, column) * scales[j]));
        }
        let sums = gram(problem, None, Some((&kept, &t)), monitor)?;
        let gram = Matrix::from_fn(k, k, |i, j| sums.gram[i * k + j]);
        // Rows a_i T are rounded: |fl(a_i T) - a_i T| <= gamma_k |a_i||T|, over all rows at most delta.
        let spread: f64 = (0..k)
            .map(|c| (0..=c).map(|r| norms[kept[r]] * t.get(r, c).abs()).sum::<f64>().powi(2))
            .sum::<f64>()
            .sqrt();
        let delta = (k + 3) as f64 * U * spread * 1.01;
        let trace: f64 = (0..k).map(|j| gram.get(j, j)).sum::<f64>() * 1.01;
        // The penalties' rows are summed apart, k of them at most in an entry.
        let penalties = if problem.penalised() { (k + 4) as f64 * U * spread * spread } else { 0.0 };
        let slack = (2.0 * delta * trace.sqrt() + delta * delta + penalties) * 1.01;
        let made = Self::from_gram(kept.clone(), t.clone(), false, &gram, norms, sums.chain, slack);
        let mut frame = match made {
            Some(frame) => frame,
            // No factor at all: nothing is proven, and the frame is taken for orthonormal.
            None => Self {
                norms: norms.to_vec(),
                lower: Matrix::identity(k),
                inverse: Matrix::identity(k),
                eta: 0.75,
                proven: false,
                diagonal: false,
                kept,
                t,
            },
        };
        if !frame.proven {
            frame.eta = 0.75;
        }
        if frame.proven && frame.kept.len() < width {
            frame.proven = frame.kept.len() == rows
                || copies(problem, &frame.kept, &order[frame.kept.len()..], scales, monitor)?;
        }
        Ok(frame)
    }

    /// Number of columns.
    pub fn rank(&self) -> usize {
        self.kept.len()
    }

    /// The rows of a panel of A in this frame; `panel` has the columns of A.
    pub fn transform(&self, panel: &[f64], stride: usize, m: usize, out: &mut [f64]) {
        transform(&self.kept, &self.t, self.diagonal, panel, stride, m, out);
    }

    /// T x: coefficients of A.
    pub fn coefficients(&self, x: &[f64], width: usize) -> Vec<f64> {
        let mut out = vec![0.0; width];
        for (row, &j) in self.kept.iter().enumerate() {
            out[j] = if self.diagonal {
                self.t.get(row, row) * x[row]
            } else {
                (row..self.rank())
                    .map(|c| Dd::product(self.t.get(row, c), x[c]))
                    .fold(Dd::ZERO, |s, p| s + p)
                    .to_f64()
            };
        }
        out
    }

    /// T^-1 x for coefficients of A: those of the columns left out are ignored.
    pub fn from_coefficients(&self, x: &[f64]) -> Vec<f64> {
        let mut out = Matrix::from_fn(self.rank(), 1, |k, _| x[self.kept[k]]);
        solve_triangular(self.t.view(), Triangle::Upper, &mut out);
        out.into_vec()
    }

    /// T^T s for a vector over the columns of A, in double-double.
    pub fn gradient(&self, s: &[Dd]) -> Vec<Dd> {
        let column = |c: usize| {
            let first = if self.diagonal { c } else { 0 };
            (first..=c).fold(Dd::ZERO, |sum, r| sum + Dd::from(self.t.get(r, c)) * s[self.kept[r]])
        };
        (0..self.rank()).map(column).collect()
    }

    /// An upper bound of `|s^T z|/|A z|_2` over all z, for any s within `doubt` of the one given, entry by entry.
    pub fn dual_norm(&self, s: &[Dd], doubt: &[f64]) -> f64 {
        let d = self.rank();
        let g = self.gradient(s);
        let mut h = vec![Dd::ZERO; d];
        for i in 0..d {
            let rest = (0..i).fold(g[i], |rest, j| rest - Dd::from(self.lower.get(i, j)) * h[j]);
            h[i] = rest / Dd::from(self.lower.get(i, i));
        }
        // What double-double rounding can add to T^T s and to the substitution is below 8 (d + 4)^2 u^2 of the
        // absolute values; it goes through |L^-1| with the doubt, N standing for L^-1 up to the shift above.
        let size = |r: usize| s[self.kept[r]].abs().hi;
        let share = 8.0 * ((d + 4) as f64 * U).powi(2);
        let through: Vec<f64> = (0..d)
            .map(|c| {
                let first = if self.diagonal { c } else { 0 };
                let entry = |r: usize| self.t.get(r, c).abs() * (doubt[self.kept[r]] + share * size(r));
                (first..=c).map(entry).sum::<f64>()
            })
            .collect();
        let mut extra = 0.0;
        let mut held = 0.0;
        for i in 0..d {
            let row: f64 = (0..=i).map(|j| self.inverse.get(i, j).abs() * through[j]).sum();
            let substitution: f64 =
                (0..i).map(|j| (self.lower.get(i, j) * h[j].hi).abs()).sum::<f64>() * share;
            extra += (row + substitution * self.inverse.get(i, i).abs()).powi(2);
            held += h[i].hi * h[i].hi;
        }
        (held.sqrt() + 2.0 * extra.sqrt()) * (1.0 + 1e-9) / (1.0 - self.eta).sqrt()
    }
}

/// Rows of a panel times T.
fn transform(
    kept: &[usize],
    t: &Matrix<f64>,
    diagonal: bool,
    panel: &[f64],
    stride: usize,
    m: usize,
    out: &mut [f64],
) {
    for c in 0..kept.len() {
        let to = &mut out[c * stride..c * stride + m];
        if diagonal {
            let from = &panel[kept[c] * stride..kept[c] * stride + m];
            let factor = t.get(c, c);
            (0..m).for_each(|i| to[i] = from[i] * factor);
            continue;
        }
        to.fill(0.0);
        for r in 0..=c {
            let from = &panel[kept[r] * stride..kept[r] * stride + m];
            let factor = t.get(r, c);
            (0..m).for_each(|i| to[i] += from[i] * factor);
        }
    }
}

/// Squared norms of the weighted columns, the penalties' rows included.
fn squares(problem: &Problem<'_>, monitor: &mut Monitor<'_>) -> Result<Sums, QuantileError> {
    let (n, d) = (problem.rows(), problem.width());
    let stride = panel_rows(d);
    let (mut head, mut tail) = (vec![0.0; d], vec![0.0; d]);
    let part = |rows: std::ops::Range<usize>| {
        let mut out = vec![0.0; d];
        let (mut panel, mut weights) = (Buffer::zeros(stride * d), Buffer::zeros(stride));
        for start in rows.clone().step_by(stride) {
            let count = (rows.end - start).min(stride);
            let m = padded(count);
            problem.design.fill(|i| start + i, count, stride, &mut panel);
            if let Some(w) = &problem.w {
                weights[..count].copy_from_slice(&w[start..start + count]);
                weights[count..m].fill(0.0);
            }
            dispatch(Sizes {
                panel: Panel { x: &panel, stride, m, d },
                weights: problem.w.is_some().then_some(&weights[..]),
                out: &mut out,
            });
        }
        out
    };
    monitor.fold_blocks(n, stride * GROUP, 64, part, |own: Vec<f64>| -> Result<(), QuantileError> {
        add(&mut head, &mut tail, &own);
        Ok(())
    })?;
    let gram: Vec<f64> =
        (0..d).map(|j| head[j] + tail[j] + problem.penalty[j] * problem.penalty[j]).collect();
    Ok(Sums { gram, d, chain: chain(stride) + 2.0 })
}

/// `head + tail += own`, by two-sums.
fn add(head: &mut [f64], tail: &mut [f64], own: &[f64]) {
    for (k, &v) in own.iter().enumerate() {
        let (s, e) = two_sum(head[k], v);
        (head[k], tail[k]) = (s, tail[k] + e);
    }
}

/// Terms of a sum over rows that are added one after the other, at most.
fn chain(stride: usize) -> f64 {
    (stride / TILE) as f64 * lane_factor() + (TILE + GROUP + 8) as f64
}

/// The Gram matrix of the weighted rows, all or these (in the frame, if one is given), the penalties' rows included.
fn gram(
    problem: &Problem<'_>,
    sample: Option<&[u32]>,
    frame: Option<(&[usize], &Matrix<f64>)>,
    monitor: &mut Monitor<'_>,
) -> Result<Sums, QuantileError> {
    let width = problem.width();
    let n = sample.map_or(problem.rows(), <[u32]>::len);
    let index = |i: usize| sample.map_or(i, |rows| rows[i] as usize);
    let d = frame.map_or(width, |(kept, _)| kept.len());
    let stride = panel_rows(width);
    let (mut head, mut tail) = (vec![0.0; d * d], vec![0.0; d * d]);
    let part = |rows: std::ops::Range<usize>| {
        let mut out = vec![0.0; d * d];
        let mut panel = Buffer::zeros(stride * width);
        let mut moved = Buffer::zeros(if frame.is_some() { stride * d } else { 0 });
        let mut scratch = Buffer::zeros(if problem.w.is_some() { stride * d } else { 0 });
        let mut weights = Buffer::zeros(stride);
        for start in rows.clone().step_by(stride) {
            let count = (rows.end - start).min(stride);
            let m = padded(count);
            problem.design.fill(|i| index(start + i), count, stride, &mut panel);
            let x = match frame {
                None => &panel,
                Some((kept, t)) => {
                    transform(kept, t, false, &panel, stride, m, &mut moved);
                    &moved
                }
            };
            if let Some(w) = &problem.w {
                (0..count).for_each(|i| weights[i] = w[index(start + i)]);
                weights[count..m].fill(0.0);
            }
            dispatch(Gram {
                panel: Panel { x, stride, m, d },
                weights: problem.w.is_some().then_some(&weights[..]),
                scratch: &mut scratch,
                out: &mut out,
            });
        }
        out
    };
    monitor.fold_blocks(n, stride * GROUP, 64, part, |own: Vec<f64>| -> Result<(), QuantileError> {
        add(&mut head, &mut tail, &own);
        Ok(())
    })?;
    head.iter_mut().zip(&tail).for_each(|(h, t)| *h += t);
    if problem.penalised() {
        add_penalties(problem, frame, d, &mut head);
    }
    // Both halves: blocks on the diagonal hold both, the others one.
    for j in 0..d {
        for k in j + 1..d {
            head[k * d + j] = head[j * d + k];
        }
    }
    Ok(Sums { gram: head, d, chain: chain(stride) })
}

/// How many rows more than with the widest registers one lane sums.
fn lane_factor() -> f64 {
    match solvent_simd::level().name() {
        "v4" => 1.0,
        "v3" => 2.0,
        _ => 4.0,
    }
}

fn add_penalties(problem: &Problem<'_>, frame: Option<(&[usize], &Matrix<f64>)>, d: usize, gram: &mut [f64]) {
    match frame {
        None => (0..d).for_each(|j| gram[j * d + j] += problem.penalty[j] * problem.penalty[j]),
        Some((kept, t)) => {
            for j in 0..d {
                for k in j..d {
                    let rows = 0..=j;
                    let product = |r: usize| problem.penalty[kept[r]].powi(2) * t.get(r, j) * t.get(r, k);
                    gram[j * d + k] += rows.map(product).sum::<f64>();
                }
            }
        }
    }
}

/// R of the QR decomposition of the scaled, weighted rows, block after block.
fn triangle(
    problem: &Problem<'_>,
    scales: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<Matrix<f64>, QuantileError> {
    let (n, d) = (problem.rows(), problem.width());
    let block = (4 * d).max(1024).next_multiple_of(TILE);
    let mut r = Matrix::from_fn(d, d, |i, j| if i == j { problem.penalty[j] * scales[j] } else { 0.0 });
    let part = |rows: std::ops::Range<usize>| {
        let count = rows.len();
        let mut panel = vec![0.0; padded(count) * d];
        problem.design.fill(|i| rows.start + i, count, padded(count), &mut panel);
        let own = Matrix::from_fn(count, d, |i, j| {
            panel[j * padded(count) + i] * scales[j] * problem.weight(rows.start + i)
        });
        Qr::new(own.view()).map(|qr| qr.r())
    };
    monitor.fold_blocks(n, block, 16, part, |own| -> Result<(), QuantileError> {
        let own = own?;
        let stacked =
            Matrix::from_fn(d + own.rows(), d, |i, j| if i < d { r.get(i, j) } else { own.get(i - d, j) });
        let next = Qr::new(stacked.view())?.r();
        r = Matrix::from_fn(d, d, |i, j| if i < next.rows() { next.get(i, j) } else { 0.0 });
        Ok(())
    })?;
    Ok(r)
}

/// Householder QR with column pivoting of a small matrix: the order of the columns, and the leading triangle whose
/// diagonal is above `floor` times its first entry, `most` columns of it.
fn pivot(r: &Matrix<f64>, floor: f64, most: usize) -> (Vec<usize>, Matrix<f64>) {
    let d = r.columns();
    let mut a = r.clone();
    let mut order: Vec<usize> = (0..d).collect();
    let mut rank = 0;
    let mut first = 0.0;
    while rank < d.min(most) {
        let norm2 = |j: usize| a.column(j)[rank..].iter().map(|v| v * v).sum::<f64>();
        let best =
            (rank..d).fold((rank, -1.0), |best, j| if norm2(j) > best.1 { (j, norm2(j)) } else { best });
        let norm = best.1.sqrt();
        if rank == 0 {
            first = norm;
        }
        if norm <= floor * first || norm == 0.0 {
            break;
        }
        order.swap(rank, best.0);
        for i in 0..d {
            let (x, y) = (a.get(i, rank), a.get(i, best.0));
            a.set(i, rank, y);
            a.set(i, best.0, x);
        }
        let mut v: Vec<f64> = a.column(rank)[rank..].to_vec();
        let head = if v[0] > 0.0 { -norm } else { norm };
        v[0] -= head;
        let v2: f64 = v.iter().map(|v| v * v).sum();
        for j in rank..d {
            let column = &mut a.column_mut(j)[rank..];
            let dot: f64 = column.iter().zip(&v).map(|(c, v)| c * v).sum();
            let factor = if v2 > 0.0 { 2.0 * dot / v2 } else { 0.0 };
            column.iter_mut().zip(&v).for_each(|(c, v)| *c -= factor * v);
        }
        a.column_mut(rank)[rank] = head;
        rank += 1;
    }
    let kept = Matrix::from_fn(rank, rank, |i, j| if i <= j { a.get(i, j) } else { 0.0 });
    (order, kept)
}

/// Whether every column left out is zero, or a kept one times a power of two, entry by entry.
fn copies(
    problem: &Problem<'_>,
    kept: &[usize],
    left: &[usize],
    scales: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<bool, QuantileError> {
    if problem.penalised() {
        // Copies are not exchangeable then: a coefficient that is 0 here could carry a part of its twin's.
        return Ok(false);
    }
    let (n, width, stride) = (problem.rows(), problem.width(), panel_rows(problem.width()));
    // Bit c of the mask of a column left out: it is still like the kept column c, or (the last) zero; with both signs.
    let same = |x: &[f64], y: &[f64], sx: f64, sy: f64| x.iter().zip(y).all(|(x, y)| x * sx == y * sy);
    let parts = monitor.map_blocks(n, stride, |rows| {
        let count = rows.len();
        let mut panel = vec![0.0; stride * width];
        problem.design.fill(|i| rows.start + i, count, stride, &mut panel);
        let column = |j: usize| &panel[j * stride..j * stride + count];
        let mut like = Vec::with_capacity(left.len() * (2 * kept.len() + 1));
        for &j in left {
            for &k in kept {
                like.push(same(column(j), column(k), scales[j], scales[k]));
                like.push(same(column(j), column(k), scales[j], -scales[k]));
            }
            like.push(column(j).iter().all(|v| *v == 0.0));
        }
        like
    })?;
    let choices = 2 * kept.len() + 1;
    let all = |l: usize, c: usize| parts.iter().all(|part| part[l * choices + c]);
    Ok((0..left.len()).all(|l| (0..choices).any(|c| all(l, c))))
}
