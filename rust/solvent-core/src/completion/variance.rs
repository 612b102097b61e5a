//! How well each entry of a completed matrix is determined: `var(x_ij) = sigma² a^T (J^T J)^+ a`, J the Jacobian of the
//! factors (and biases) into the weighted observed entries, a the gradient of x_ij.
//!
//! J has a null space of dimension k², the gauge, which every a is orthogonal to; conjugate gradients that begin at zero
//! stay out of it. A larger null space means that some entries are not determined: there the answer is infinite.

use std::ops::Range;

use super::CompletionError;
use super::certify::pattern::components;
use super::entry::{Entry, run_double};
use super::kernels::tangent::{Couple, Relax, SIDES, Steer, Tangent, Then};
use super::payload::Payload;
use super::step::{chunks, split};
use crate::base::dense::{Cholesky, Matrix};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sparse::{Sparse, SparseView};

/// How a variance is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// All rows and columns together.
    Joint,
    /// The row's and the column's own Gram matrices.
    Gram,
}

/// Ridge of the preconditioner, relative to the mean diagonal.
const RIDGE: f64 = 1e-10;
/// A Gram matrix is regular if the part of each column outside the span of those before is above this, squared.
const REGULAR: f64 = 1e-6;
/// Below this tolerance no side is eliminated: differences of its images would lose the digits that are asked for.
const REDUCED: f64 = 1e-6;
/// Steps of conjugate gradients at most.
const STEPS: usize = 400;
/// Rows of one piece of a step.
const BLOCK: usize = 128;
/// A variance so many times that of the Gram matrices is infinite.
const INFINITE: f64 = 1e12;

/// One side: its pattern, its factor, and the inverse Gram matrices of its rows.
struct Side {
    entries: Sparse<f64>,
    weights: Option<Vec<f64>>,
    factor: Vec<f64>,
    /// `L` of each row's Gram matrix, lower triangle row-major.
    grams: Vec<f64>,
    /// Pieces of its rows.
    cuts: Vec<Range<usize>>,
    /// Whether all Gram matrices are far from singular.
    regular: bool,
}

/// The Jacobian of a payload at the observed entries.
pub struct Jacobian {
    rows: Side,
    columns: Side,
    width: usize,
    component: Vec<u32>,
    m: usize,
}

/// Directions for all right sides: rows, then columns.
type Pair = (Vec<f64>, Vec<f64>);

/// What conjugate gradients keep: directions, images, solutions, residuals, preconditioned residuals.
struct State {
    p: Pair,
    q: Pair,
    x: Pair,
    r: Pair,
    z: Pair,
}

impl Jacobian {
    /// Builds the patterns and the Gram matrices.
    pub fn new<T: Entry>(
        entries: SparseView<'_, T>,
        weights: Option<&[T]>,
        payload: &Payload<T>,
        monitor: &mut Monitor<'_>,
    ) -> Result<Self, CompletionError> {
        let bias = usize::from(payload.bias.is_some());
        let (k, width) = (payload.rank(), payload.rank() + bias);
        // In units of the largest singular value: variances have no scale.
        let first = payload.s.first().map_or(1.0, |s| s.to_f64());
        let first = if first > 0.0 { first } else { 1.0 };
        let side = |count: usize, x: &[T]| -> Vec<f64> {
            let mut out = Vec::with_capacity(count * width);
            for i in 0..count {
                for l in 0..k {
                    out.push(x[i * k + l].to_f64() * (payload.s[l].to_f64() / first).sqrt());
                }
                if bias == 1 {
                    // A constant of the size of the factors' rows.
                    out.push(1.0 / ((payload.m as f64) * (payload.n as f64)).sqrt().sqrt());
                }
            }
            out
        };
        let (u, v) = (side(payload.m, &payload.u), side(payload.n, &payload.v));
        let (turned, origin) = entries.transpose();
        let nothing = |x: &SparseView<'_, T>| Sparse {
            indptr: x.indptr().to_vec(),
            indices: x.indices().to_vec(),
            data: vec![0.0; x.nnz()],
            columns: x.columns(),
        };
        let wide: Option<Vec<f64>> = weights.map(|w| w.iter().map(|w| w.to_f64()).collect());
        let column_weights = wide.as_ref().map(|w| origin.iter().map(|&e| w[e]).collect());
        let build = |entries: Sparse<f64>,
                     weights: Option<Vec<f64>>,
                     factor: Vec<f64>,
                     other: &[f64],
                     monitor: &mut Monitor<'_>|
         -> Result<Side, Aborted> {
            let (grams, regular) = grams(&entries.view(), weights.as_deref(), other, width, monitor)?;
            let cuts = chunks(&entries.view());
            Ok(Side { entries, weights, factor, grams, cuts, regular })
        };
        let columns = build(nothing(&turned.view()), column_weights, v.clone(), &u, monitor)?;
        let rows = build(nothing(&entries), wide, u, &v, monitor)?;
        let (component, _) = components(&entries);
        Ok(Self { rows, columns, width, component, m: payload.m })
    }

    /// `z = (block-diagonal Gram)^-1 r`, in place.
    fn precondition(&self, r: &mut Pair) {
        for (side, x) in [(&self.rows, &mut r.0), (&self.columns, &mut r.1)] {
            let (k, line) = (self.width, self.width * SIDES);
            let triangle = k * (k + 1) / 2;
            for (l, x) in side.grams.chunks_exact(triangle).zip(x.chunks_exact_mut(line)) {
                substitute(l, x, k, SIDES);
            }
        }
    }

    /// `q = J^T J x`, and `x · q`.
    fn apply(&self, x: &Pair, q: &mut Pair, monitor: &mut Monitor<'_>) -> Result<[f64; SIDES], Aborted> {
        let width = self.width;
        let mut one = |own: &Side, other: &Side, da: &[f64], db: &[f64], out: &mut [f64]| {
            let entries = own.entries.view();
            let parts = split(&own.cuts, out, width * SIDES);
            monitor.map_items(parts.into_iter(), |(rows, out)| {
                let (weights, a, b) = (own.weights.as_deref(), &own.factor[..], &other.factor[..]);
                run_double(Tangent { entries, weights, a, b, width, da, db, rows, out })
            })
        };
        let mut sums = one(&self.rows, &self.columns, &x.0, &x.1, &mut q.0)?;
        sums.extend(one(&self.columns, &self.rows, &x.1, &x.0, &mut q.1)?);
        Ok(total(&sums))
    }

    /// One step along `p`, whose image is `q`; the new `r · z`.
    fn relax(
        &self,
        state: &mut State,
        step: &[f64; SIDES],
        monitor: &mut Monitor<'_>,
    ) -> Result<[f64; SIDES], Aborted> {
        let width = self.width;
        let (block, triangle) = (BLOCK * width * SIDES, width * (width + 1) / 2);
        let State { p, q, x, r, z } = state;
        let mut sums = Vec::new();
        for (side, p, q, x, r, z) in [
            (&self.rows, &p.0, &q.0, &mut x.0, &mut r.0, &mut z.0),
            (&self.columns, &p.1, &q.1, &mut x.1, &mut r.1, &mut z.1),
        ] {
            let given = side.grams.chunks(BLOCK * triangle).zip(p.chunks(block)).zip(q.chunks(block));
            let made = x.chunks_mut(block).zip(r.chunks_mut(block)).zip(z.chunks_mut(block));
            sums.extend(monitor.map_items(given.zip(made), |(((triangles, p), q), ((x, r), z))| {
                run_double(Relax { triangles, width, step, p, q, x: Some(x), r, z })
            })?);
        }
        Ok(total(&sums))
    }

    /// `a^T (J^T J)^+ a` for each position; infinite where an entry is not determined.
    pub fn variances(
        &self,
        rows: &[u32],
        columns: &[u32],
        way: Way,
        tol: f64,
        monitor: &mut Monitor<'_>,
    ) -> Result<Vec<f64>, CompletionError> {
        if self.width == 0 {
            // Nothing was fitted, so nothing varies.
            return Ok(vec![0.0; rows.len()]);
        }
        let mut out = Vec::with_capacity(rows.len());
        for (rows, columns) in rows.chunks(SIDES).zip(columns.chunks(SIDES)) {
            let grams: Vec<f64> =
                rows.iter().zip(columns).map(|(&i, &j)| self.gram(i as usize, j as usize)).collect();
            match way {
                Way::Gram => out.extend(grams),
                Way::Joint if self.rows.regular && self.columns.regular && tol >= REDUCED => {
                    out.extend(self.reduced(rows, columns, &grams, tol, monitor)?);
                }
                Way::Joint => out.extend(self.joint(rows, columns, &grams, tol, monitor)?),
            }
        }
        Ok(out)
    }

    fn is_connected(&self, i: usize, j: usize) -> bool {
        self.component[i] == self.component[self.m + j]
    }

    /// The variance from the row's and the column's Gram matrices alone.
    fn gram(&self, i: usize, j: usize) -> f64 {
        if !self.is_connected(i, j) {
            return f64::INFINITY;
        }
        let k = self.width;
        let triangle = k * (k + 1) / 2;
        let one = |side: &Side, at: usize, other: &Side, from: usize| {
            let a = &other.factor[from * k..(from + 1) * k];
            let mut x = a.to_vec();
            substitute(&side.grams[at * triangle..(at + 1) * triangle], &mut x, k, 1);
            a.iter().zip(&x).map(|(a, x)| a * x).sum::<f64>()
        };
        one(&self.rows, i, &self.columns, j) + one(&self.columns, j, &self.rows, i)
    }

    fn joint(
        &self,
        rows: &[u32],
        columns: &[u32],
        grams: &[f64],
        tol: f64,
        monitor: &mut Monitor<'_>,
    ) -> Result<Vec<f64>, CompletionError> {
        let (k, line) = (self.width, self.width * SIDES);
        let zero =
            || (vec![0.0; self.rows.factor.len() * SIDES], vec![0.0; self.columns.factor.len() * SIDES]);
        let mut right = zero();
        for (s, (&i, &j)) in rows.iter().zip(columns).enumerate() {
            let (i, j) = (i as usize, j as usize);
            if grams[s].is_finite() {
                for l in 0..k {
                    right.0[i * line + l * SIDES + s] = self.columns.factor[j * k + l];
                    right.1[j * line + l * SIDES + s] = self.rows.factor[i * k + l];
                }
            }
        }
        let mut z = right.clone();
        self.precondition(&mut z);
        let mut rz = dots(&right, &z);
        let mut state = State { p: z.clone(), q: zero(), x: zero(), r: right.clone(), z };
        let first = rz;
        let mut value = [0.0; SIDES];
        let mut settled = [0u32; SIDES];
        for _ in 0..STEPS {
            let pq = self.apply(&state.p, &mut state.q, monitor)?;
            let mut alpha = [0.0; SIDES];
            let mut active = false;
            for s in 0..SIDES {
                let open = rz[s] > 1e-30 * first[s] && pq[s] > 0.0 && settled[s] < 3;
                if open {
                    alpha[s] = rz[s] / pq[s];
                    // The energy grows by alpha rz a step: what it still grows is what is missing of the variance.
                    let gain = alpha[s] * rz[s];
                    value[s] += gain;
                    settled[s] = if gain <= 0.1 * tol * value[s] { settled[s] + 1 } else { 0 };
                    active |= settled[s] < 3 && value[s] <= INFINITE * grams[s];
                }
            }
            let next = self.relax(&mut state, &alpha, monitor)?;
            if !active {
                break;
            }
            let mut by = [0.0; SIDES];
            for s in 0..SIDES {
                by[s] = if rz[s] > 0.0 && alpha[s] != 0.0 { next[s] / rz[s] } else { 0.0 };
                rz[s] = if alpha[s] != 0.0 { next[s] } else { rz[s] };
            }
            let by = &by;
            for (p, z) in [(&mut state.p.0, &state.z.0), (&mut state.p.1, &state.z.1)] {
                let pieces = p.chunks_mut(BLOCK * line).zip(z.chunks(BLOCK * line));
                monitor.map_items(pieces, |(p, z)| run_double(Steer { by, z, p }))?;
            }
        }
        let x = &state.x;
        let exact = dots(&right, x);
        let judge = |s: usize| {
            let fine = grams[s].is_finite() && exact[s].is_finite() && exact[s] <= INFINITE * grams[s];
            if fine && (settled[s] >= 3 || rz[s] <= 1e-12 * first[s]) { exact[s] } else { f64::INFINITY }
        };
        Ok((0..rows.len()).map(judge).collect())
    }

    /// As [`joint`](Self::joint), with one side eliminated: `S = A - B D^-1 B^T` on the side with fewer rows, A and D the
    /// Gram matrices. Scaled by A, the eigenvalues that were 1 - s and 1 + s are 1 - s² and 1: half of the steps, each
    /// of two passes that need the directions of one side only.
    fn reduced(
        &self,
        rows: &[u32],
        columns: &[u32],
        grams: &[f64],
        tol: f64,
        monitor: &mut Monitor<'_>,
    ) -> Result<Vec<f64>, CompletionError> {
        let (k, line) = (self.width, self.width * SIDES);
        let turned = self.columns.factor.len() < self.rows.factor.len();
        let (keep, gone) = if turned { (&self.columns, &self.rows) } else { (&self.rows, &self.columns) };
        let (inside, outside) = if turned { (columns, rows) } else { (rows, columns) };
        let mut r = vec![0.0; keep.factor.len() * SIDES];
        let mut y = vec![0.0; gone.factor.len() * SIDES];
        for (s, (&i, &j)) in inside.iter().zip(outside).enumerate().filter(|(s, _)| grams[*s].is_finite()) {
            let (i, j) = (i as usize, j as usize);
            for l in 0..k {
                r[i * line + l * SIDES + s] = gone.factor[j * k + l];
                y[j * line + l * SIDES + s] = keep.factor[i * k + l];
            }
        }
        // What the eliminated side explains alone, and what its elimination leaves of the right sides.
        let mut value = [0.0; SIDES];
        for (s, (&i, &j)) in inside.iter().zip(outside).enumerate() {
            let (i, j) = (i as usize, j as usize);
            let a = &keep.factor[i * k..(i + 1) * k];
            let mut x = a.to_vec();
            substitute(&gone.grams[j * (k * (k + 1) / 2)..][..k * (k + 1) / 2], &mut x, k, 1);
            value[s] = a.iter().zip(&x).map(|(a, x)| a * x).sum();
            for l in 0..k {
                y[j * line + l * SIDES + s] = if grams[s].is_finite() { x[l] } else { 0.0 };
            }
        }
        let couple = |own: &Side,
                      other: &Side,
                      db: &[f64],
                      then: Then<'_>,
                      out: &mut [f64],
                      monitor: &mut Monitor<'_>| {
            let entries = own.entries.view();
            let parts = split(&own.cuts, out, line);
            monitor.map_items(parts.into_iter(), |(rows, out)| {
                let (weights, a, b) = (own.weights.as_deref(), &own.factor[..], &other.factor[..]);
                run_double(Couple { entries, weights, a, b, width: k, db, rows, then, out })
            })
        };
        let relax = |step: &[f64; SIDES],
                     p: &[f64],
                     q: &[f64],
                     r: &mut [f64],
                     z: &mut [f64],
                     monitor: &mut Monitor<'_>| {
            let (block, triangle) = (BLOCK * line, k * (k + 1) / 2);
            let given = keep.grams.chunks(BLOCK * triangle).zip(p.chunks(block)).zip(q.chunks(block));
            let made = r.chunks_mut(block).zip(z.chunks_mut(block));
            monitor.map_items(given.zip(made), |(((triangles, p), q), (r, z))| {
                run_double(Relax { triangles, width: k, step, p, q, x: None, r, z })
            })
        };
        let mut q = vec![0.0; r.len()];
        couple(keep, gone, &y, Then::Subtract(&r, &r), &mut q, monitor)?;
        r.copy_from_slice(&q);
        let mut z = vec![0.0; r.len()];
        let mut rz = total(&relax(&[0.0; SIDES], &q, &q, &mut r, &mut z, monitor)?);
        let first = rz;
        // The directions and their images under A, which is the residual's recurrence.
        let (mut p, mut image) = (z.clone(), r.clone());
        let mut settled = [0u32; SIDES];
        for _ in 0..STEPS {
            couple(gone, keep, &p, Then::Solve(&gone.grams), &mut y, monitor)?;
            let pq = total(&couple(keep, gone, &y, Then::Subtract(&image, &p), &mut q, monitor)?);
            let mut alpha = [0.0; SIDES];
            let mut active = false;
            for s in 0..SIDES {
                if rz[s] > 1e-30 * first[s] && pq[s] > 0.0 && settled[s] < 2 {
                    alpha[s] = rz[s] / pq[s];
                    let gain = alpha[s] * rz[s];
                    value[s] += gain;
                    settled[s] = if gain <= 0.1 * tol * value[s] { settled[s] + 1 } else { 0 };
                    active |= settled[s] < 2 && value[s] <= INFINITE * grams[s];
                }
            }
            if !active {
                break;
            }
            let next = total(&relax(&alpha, &p, &q, &mut r, &mut z, monitor)?);
            let mut by = [0.0; SIDES];
            for s in 0..SIDES {
                by[s] = if rz[s] > 0.0 && alpha[s] != 0.0 { next[s] / rz[s] } else { 0.0 };
                rz[s] = if alpha[s] != 0.0 { next[s] } else { rz[s] };
            }
            let by = &by;
            for (p, z) in [(&mut p, &z), (&mut image, &r)] {
                let pieces = p.chunks_mut(BLOCK * line).zip(z.chunks(BLOCK * line));
                monitor.map_items(pieces, |(p, z)| run_double(Steer { by, z, p }))?;
            }
        }
        let judge = |s: usize| {
            let fine = grams[s].is_finite() && value[s].is_finite() && value[s] <= INFINITE * grams[s];
            if fine && (settled[s] >= 2 || rz[s] <= 1e-12 * first[s]) { value[s] } else { f64::INFINITY }
        };
        Ok((0..rows.len()).map(judge).collect())
    }
}

/// Column sums of the products, one a right side.
fn dots(x: &Pair, y: &Pair) -> [f64; SIDES] {
    let mut sums = [0.0; SIDES];
    for (x, y) in [(&x.0, &y.0), (&x.1, &y.1)] {
        for (x, y) in x.chunks_exact(SIDES).zip(y.chunks_exact(SIDES)) {
            for s in 0..SIDES {
                sums[s] += x[s] * y[s];
            }
        }
    }
    sums
}

/// The sum of what the pieces found, in their order.
fn total(parts: &[[f64; SIDES]]) -> [f64; SIDES] {
    let mut sums = [0.0; SIDES];
    for part in parts {
        for s in 0..SIDES {
            sums[s] += part[s];
        }
    }
    sums
}

/// Solves `L L^T x = x` in place for `sides` right sides side by side.
fn substitute(l: &[f64], x: &mut [f64], k: usize, sides: usize) {
    for i in 0..k {
        let row = &l[i * (i + 1) / 2..];
        let (before, rest) = x.split_at_mut(i * sides);
        let here = &mut rest[..sides];
        for (p, before) in before.chunks_exact(sides).enumerate() {
            for (a, b) in here.iter_mut().zip(before) {
                *a -= row[p] * b;
            }
        }
        here.iter_mut().for_each(|a| *a /= row[i]);
    }
    for i in (0..k).rev() {
        let row = &l[i * (i + 1) / 2..];
        let (before, rest) = x.split_at_mut(i * sides);
        let here = &mut rest[..sides];
        here.iter_mut().for_each(|a| *a /= row[i]);
        for (p, before) in before.chunks_exact_mut(sides).enumerate() {
            for (a, b) in before.iter_mut().zip(here.iter()) {
                *a -= row[p] * b;
            }
        }
    }
}

/// Cholesky factors of the rows' Gram matrices, with a small ridge where one is nearly singular; whether none is.
fn grams(
    entries: &SparseView<'_, f64>,
    weights: Option<&[f64]>,
    other: &[f64],
    k: usize,
    monitor: &mut Monitor<'_>,
) -> Result<(Vec<f64>, bool), Aborted> {
    let mean = other.iter().map(|x| x * x).sum::<f64>() / (other.len() / k.max(1)).max(1) as f64;
    let parts = monitor.map_items(chunks(entries).into_iter(), |rows| {
        let mut out = Vec::with_capacity(rows.len() * k * (k + 1) / 2);
        let mut regular = true;
        for i in rows {
            let mut gram = Matrix::<f64>::zeros(k, k);
            for e in entries.range(i) {
                let j = entries.indices()[e] as usize;
                let (b, w) = (&other[j * k..(j + 1) * k], weights.map_or(1.0, |w| w[e]));
                for c in 0..k {
                    let x = w * b[c];
                    for (g, y) in gram.column_mut(c)[c..].iter_mut().zip(&b[c..]) {
                        *g += x * y;
                    }
                }
            }
            let trace: f64 = (0..k).map(|c| gram.get(c, c)).sum();
            let mut ridge = RIDGE * (trace / k.max(1) as f64).max(1e-10 * mean).max(1e-300);
            let plain = Cholesky::new(gram.view()).ok().filter(|f| {
                let distance = |c: usize| f.lower().get(c, c).powi(2) / gram.get(c, c);
                (0..k).all(|c| distance(c) > REGULAR)
            });
            regular &= plain.is_some();
            let factor = loop {
                if plain.is_some() {
                    break plain;
                }
                let mut lifted = gram.clone();
                for c in 0..k {
                    lifted.set(c, c, gram.get(c, c) + ridge);
                }
                match Cholesky::new(lifted.view()) {
                    Ok(factor) => break Some(factor),
                    Err(_) if ridge < 1e300 => ridge *= 10.0,
                    Err(_) => break None,
                }
            };
            for r in 0..k {
                for c in 0..=r {
                    let unit = if r == c { 1.0 } else { 0.0 };
                    out.push(factor.as_ref().map_or(unit, |f| f.lower().get(r, c)));
                }
            }
        }
        (out, regular)
    })?;
    let regular = parts.iter().all(|part| part.1);
    Ok((parts.into_iter().flat_map(|part| part.0).collect(), regular))
}
