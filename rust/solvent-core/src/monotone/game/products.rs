//! `M y` and `Mᵀ x` of a dense matrix, row-major, plain and compensated, on SIMD lanes.
//!
//! Rows are cut into blocks that fit into L2, whatever the number of threads; a block's products with both vectors are
//! taken while it is there. Sums over blocks run in their order, so that every result has the same bits for any number of
//! threads.

use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sum::Sum;
use solvent_simd::{F64s, Kernel, Lanes, Simd, dispatch};
use std::ops::Range;

/// Bytes a block: half of L2.
const BLOCK: usize = 1 << 19;

/// What entries are kept in; all arithmetic is in double precision.
pub trait Stored: Copy + Send + Sync {
    /// The first lanes of `a`, widened.
    fn load<V: F64s>(a: &[Self]) -> V;
    /// Widened.
    fn widen(self) -> f64;
}

impl Stored for f64 {
    #[inline(always)]
    fn load<V: F64s>(a: &[Self]) -> V {
        V::load(a)
    }
    #[inline(always)]
    fn widen(self) -> f64 {
        self
    }
}

impl Stored for f32 {
    #[inline(always)]
    fn load<V: F64s>(a: &[Self]) -> V {
        V::load_f32(a)
    }
    #[inline(always)]
    fn widen(self) -> f64 {
        f64::from(self)
    }
}

/// A dense matrix by rows.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a, E> {
    entries: &'a [E],
    columns: usize,
}

impl<'a, E: Stored> Rows<'a, E> {
    /// `entries.len() / columns` rows, one after the other.
    pub fn new(entries: &'a [E], columns: usize) -> Self {
        debug_assert!(columns > 0 && entries.len().is_multiple_of(columns));
        Self { entries, columns }
    }

    fn count(&self) -> usize {
        self.entries.len() / self.columns
    }

    /// Rows a block.
    fn block(&self) -> usize {
        (BLOCK / (size_of::<E>() * self.columns)).max(8)
    }

    fn part(&self, rows: &Range<usize>) -> &'a [E] {
        &self.entries[rows.start * self.columns..rows.end * self.columns]
    }

    /// `M y`.
    pub fn apply(&self, y: &[f64], out: &mut [f64], monitor: &mut Monitor<'_>) -> Result<(), Aborted> {
        let step = self.block();
        let items = self.entries.chunks(step * self.columns).zip(out.chunks_mut(step));
        monitor.map_items(items, |(entries, out)| dispatch(Dots { entries, y, out }))?;
        Ok(())
    }

    /// `Mᵀ x`.
    pub fn adjoint(&self, x: &[f64], out: &mut [f64], monitor: &mut Monitor<'_>) -> Result<(), Aborted> {
        let parts = monitor.map_blocks(self.count(), self.block(), |rows| {
            let mut part = vec![0.0; self.columns];
            dispatch(Sums { entries: self.part(&rows), x: &x[rows], out: &mut part });
            part
        })?;
        add_up(out, &parts);
        Ok(())
    }

    /// `M y` and `Mᵀ x`, the matrix being read once.
    pub fn both(
        &self,
        x: &[f64],
        y: &[f64],
        rows_out: &mut [f64],
        columns_out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let step = self.block();
        let items =
            self.entries.chunks(step * self.columns).zip(x.chunks(step).zip(rows_out.chunks_mut(step)));
        let parts = monitor.map_items(items, |(entries, (x, out))| {
            let mut part = vec![0.0; self.columns];
            dispatch(Dots { entries, y, out });
            dispatch(Sums { entries, x, out: &mut part });
            part
        })?;
        add_up(columns_out, &parts);
        Ok(())
    }
}

impl Rows<'_, f64> {
    /// `M y` and `Mᵀ x` by compensated sums of exact products. Two additions to a tail go with
    /// each term and with each of the blocks and lanes that are joined, blocks having eight rows at least: N of them,
    /// less than `3 (rows + columns) + 64`, and an error of `(N² + 64) u² Σ|terms|` at most.
    pub fn compensated(
        &self,
        x: &[f64],
        y: &[f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(Vec<Sum>, Vec<Sum>), Aborted> {
        let m = self.columns;
        let parts = monitor.map_blocks(self.count(), self.block(), |rows| {
            let mut out = vec![Sum::new(); rows.len()];
            let (mut head, mut tail) = (vec![0.0; m], vec![0.0; m]);
            let entries = self.part(&rows);
            dispatch(ExactDots { entries, y, out: &mut out });
            dispatch(ExactSums { entries, x: &x[rows], head: &mut head, tail: &mut tail });
            (out, head, tail)
        })?;
        let (mut of_rows, mut of_columns) = (Vec::with_capacity(self.count()), vec![Sum::new(); m]);
        for (out, head, tail) in parts {
            of_rows.extend(out);
            for (sum, (&head, &tail)) in of_columns.iter_mut().zip(head.iter().zip(&tail)) {
                sum.merge(Sum::from_parts(head, tail));
            }
        }
        Ok((of_rows, of_columns))
    }
}

/// The blocks' sums, in their order.
fn add_up(out: &mut [f64], parts: &[Vec<f64>]) {
    match parts {
        [one] => out.copy_from_slice(one),
        many => {
            out.fill(0.0);
            for part in many {
                out.iter_mut().zip(part).for_each(|(out, part)| *out += part);
            }
        }
    }
}

/// `out_i = row_i · y`.
struct Dots<'a, E> {
    entries: &'a [E],
    y: &'a [f64],
    out: &'a mut [f64],
}

impl<E: Stored> Kernel for Dots<'_, E> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let m = self.y.len();
        let whole = self.out.len() - self.out.len() % 4;
        let mut i = 0;
        while i < whole {
            dots::<S::F64, E, 4>(&self.entries[i * m..], self.y, &mut self.out[i..]);
            i += 4;
        }
        while i < self.out.len() {
            dots::<S::F64, E, 1>(&self.entries[i * m..], self.y, &mut self.out[i..]);
            i += 1;
        }
    }
}

/// `R` rows at once; the bits of a row's product do not depend on `R`.
#[inline(always)]
fn dots<V: F64s, E: Stored, const R: usize>(entries: &[E], y: &[f64], out: &mut [f64]) {
    let m = y.len();
    let step = 2 * V::LANES;
    let body = m - m % step;
    let mut rows = [entries; R];
    for r in 0..R {
        rows[r] = &entries[r * m..(r + 1) * m];
    }
    let mut even = [V::splat(0.0); R];
    let mut odd = [V::splat(0.0); R];
    let mut c = 0;
    while c < body {
        let (first, second) = (V::load(&y[c..c + V::LANES]), V::load(&y[c + V::LANES..c + step]));
        for r in 0..R {
            even[r] = E::load::<V>(&rows[r][c..c + V::LANES]).mul_add(first, even[r]);
            odd[r] = E::load::<V>(&rows[r][c + V::LANES..c + step]).mul_add(second, odd[r]);
        }
        c += step;
    }
    for r in 0..R {
        let mut sum = (even[r] + odd[r]).reduce_sum();
        for k in body..m {
            sum += rows[r][k].widen() * y[k];
        }
        out[r] = sum;
    }
}

/// `out += Σ_i x_i row_i`.
struct Sums<'a, E> {
    entries: &'a [E],
    x: &'a [f64],
    out: &'a mut [f64],
}

impl<E: Stored> Kernel for Sums<'_, E> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let m = self.out.len();
        let whole = self.x.len() - self.x.len() % 8;
        let mut i = 0;
        while i < whole {
            sums::<S::F64, E, 8>(&self.entries[i * m..], &self.x[i..], self.out);
            i += 8;
        }
        while i < self.x.len() {
            sums::<S::F64, E, 1>(&self.entries[i * m..], &self.x[i..], self.out);
            i += 1;
        }
    }
}

#[inline(always)]
fn sums<V: F64s, E: Stored, const R: usize>(entries: &[E], x: &[f64], out: &mut [f64]) {
    let m = out.len();
    let body = m - m % V::LANES;
    let mut rows = [entries; R];
    let mut weights = [V::splat(0.0); R];
    for r in 0..R {
        rows[r] = &entries[r * m..(r + 1) * m];
        weights[r] = V::splat(x[r]);
    }
    let mut c = 0;
    while c < body {
        let mut sum = V::load(&out[c..c + V::LANES]);
        for r in 0..R {
            sum = E::load::<V>(&rows[r][c..c + V::LANES]).mul_add(weights[r], sum);
        }
        sum.store(&mut out[c..c + V::LANES]);
        c += V::LANES;
    }
    for k in body..m {
        for r in 0..R {
            out[k] += rows[r][k].widen() * x[r];
        }
    }
}

/// One compensated step: `head + tail += a b`, the errors of product and sum going to `tail`.
#[inline(always)]
fn add_product<V: F64s>(head: &mut V, tail: &mut V, a: V, b: V) {
    let product = a * b;
    let error = a.fma(b, -product);
    let sum = *head + product;
    let back = sum - *head;
    *tail = *tail + ((*head - (sum - back)) + (product - back) + error);
    *head = sum;
}

/// [`Dots`], compensated.
struct ExactDots<'a> {
    entries: &'a [f64],
    y: &'a [f64],
    out: &'a mut [Sum],
}

impl Kernel for ExactDots<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let m = self.y.len();
        let body = m - m % <S::F64 as Lanes>::LANES;
        for (row, out) in self.entries.chunks_exact(m).zip(self.out.iter_mut()) {
            let mut head = <S::F64 as Lanes>::splat(0.0);
            let mut tail = head;
            let mut c = 0;
            while c < body {
                let a = <f64 as Stored>::load::<S::F64>(&row[c..]);
                let b = <f64 as Stored>::load::<S::F64>(&self.y[c..]);
                add_product(&mut head, &mut tail, a, b);
                c += <S::F64 as Lanes>::LANES;
            }
            *out = fold(head, tail);
            for k in body..m {
                out.add_product(row[k], self.y[k]);
            }
        }
    }
}

/// The lanes' sums, joined in their order.
#[inline(always)]
fn fold<V: F64s>(head: V, tail: V) -> Sum {
    let (mut heads, mut tails) = ([0.0; 8], [0.0; 8]);
    head.store(&mut heads);
    tail.store(&mut tails);
    let mut sum = Sum::new();
    for lane in 0..V::LANES {
        sum.merge(Sum::from_parts(heads[lane], tails[lane]));
    }
    sum
}

/// [`Sums`], compensated. Rows of weight 0 are passed over: nothing is added exactly.
struct ExactSums<'a> {
    entries: &'a [f64],
    x: &'a [f64],
    head: &'a mut [f64],
    tail: &'a mut [f64],
}

impl Kernel for ExactSums<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let m = self.head.len();
        for (row, &x) in self.entries.chunks_exact(m).zip(self.x) {
            if x != 0.0 {
                exact_row::<S::F64>(row, x, self.head, self.tail);
            }
        }
    }
}

#[inline(always)]
fn exact_row<V: F64s>(row: &[f64], x: f64, head: &mut [f64], tail: &mut [f64]) {
    let m = row.len();
    let body = m - m % V::LANES;
    let weight = V::splat(x);
    let mut c = 0;
    while c < body {
        let at = c..c + V::LANES;
        let (mut h, mut t) = (V::load(&head[at.clone()]), V::load(&tail[at.clone()]));
        add_product(&mut h, &mut t, V::load(&row[at.clone()]), weight);
        h.store(&mut head[at.clone()]);
        t.store(&mut tail[at]);
        c += V::LANES;
    }
    for k in body..m {
        let mut sum = Sum::from_parts(head[k], tail[k]);
        sum.add_product(row[k], x);
        (head[k], tail[k]) = sum.parts();
    }
}
