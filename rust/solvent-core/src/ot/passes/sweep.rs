//! The passes of Sinkhorn's iteration: a row update and the column sums that answer it, with one exponential an entry.

use super::super::cost::{Cost, Visit};
use super::super::side::Side;
use super::{AddRows, ColumnMin, Entry, Exponentials, Precision, RowMax, add_to, over_blocks, scale};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use solvent_simd::dispatch;
use std::ops::Range;

/// What a row update gives.
#[derive(Debug, Default)]
pub struct Swept {
    /// The rows' sums before the update.
    pub sums: Vec<f64>,
    /// The rows' potentials after it.
    pub f: Vec<f64>,
    /// The columns' sums after it, at the old column potentials.
    pub columns: Vec<f64>,
}

struct Rows<'a, P> {
    /// None: each row begins at its largest exponent.
    f: Option<&'a [f64]>,
    g: &'a [f64],
    /// g, rounded.
    rounded: &'a [P],
    reg: f64,
    side: &'a Side,
    buffer: Vec<P>,
    columns: Vec<P>,
    sums: Vec<f64>,
    moved: Vec<f64>,
}

impl<P: Precision> Rows<'_, P> {
    /// Begins a row of the group at its largest exponent, so that it neither overflows nor vanishes: its potential there
    /// and its sum.
    fn afresh<T: Entry>(&mut self, row: &[T], r: usize) -> (f64, f64) {
        let m = self.g.len();
        let f = -dispatch(RowMax { row, g: self.g });
        let mut sums = [0.0; super::GROUP];
        let buffer = &mut self.buffer[r * m..(r + 1) * m];
        let scale = scale(self.reg);
        dispatch(Exponentials {
            rows: &[row],
            f: &[P::of(f)],
            g: self.rounded,
            scale,
            buffer,
            sums: &mut sums,
        });
        (f, sums[0])
    }
}

impl<P: Precision> Visit for Rows<'_, P> {
    fn group<T: Entry>(&mut self, first: usize, rows: &[&[T]]) {
        let (count, m) = (rows.len(), self.g.len());
        let mut f = [0.0; super::GROUP];
        for (r, row) in rows.iter().enumerate() {
            f[r] = match self.f {
                Some(f) => f[first + r],
                None => -dispatch(RowMax { row, g: self.g }),
            };
        }
        let mut sums = [0.0; super::GROUP];
        dispatch(Exponentials {
            rows,
            f: &f.map(P::of)[..count],
            g: self.rounded,
            scale: scale(self.reg),
            buffer: &mut self.buffer,
            sums: &mut sums,
        });
        let mut weights = [P::ZERO; super::GROUP];
        for r in 0..count {
            let mut sum = sums[r];
            if !P::RANGE.contains(&sum) && !self.side.left(first + r, f[r], sum, self.reg) {
                (f[r], sum) = self.afresh(rows[r], r);
            }
            let (moved, factor) = self.side.exact(first + r, f[r], sum, self.reg);
            self.moved.push(moved);
            weights[r] = P::of(factor);
        }
        self.sums.extend_from_slice(&sums[..count]);
        let buffer = &self.buffer[..count * m];
        dispatch(AddRows { buffer, weights: &weights[..count], out: &mut self.columns });
    }

    fn release(&mut self) {
        self.buffer = Vec::new();
    }
}

fn rows_pass<P: Precision>(
    cost: &Cost<'_>,
    side: &Side,
    f: Option<&[f64]>,
    g: &[f64],
    reg: f64,
    monitor: &mut Monitor<'_>,
) -> Result<Swept, Aborted> {
    let m = g.len();
    let rounded: Vec<P> = g.iter().map(|&g| P::of(g)).collect();
    let make = |range: Range<usize>| Rows {
        f,
        g,
        rounded: &rounded,
        reg,
        side,
        buffer: vec![P::ZERO; super::together(m) * m],
        columns: vec![P::ZERO; m],
        sums: Vec::with_capacity(range.len()),
        moved: Vec::with_capacity(range.len()),
    };
    let mut all = Swept { columns: vec![0.0; m], ..Swept::default() };
    over_blocks(cost, monitor, make, |block| {
        all.sums.extend(block.sums);
        all.f.extend(block.moved);
        add_to(&mut all.columns, &block.columns);
    })?;
    Ok(all)
}

/// Makes the rows exact from any column potentials: each row begins at its largest exponent, so that nothing overflows
/// and no row vanishes. `sums` are relative to that beginning.
pub fn start<P: Precision>(
    cost: &Cost<'_>,
    side: &Side,
    g: &[f64],
    reg: f64,
    monitor: &mut Monitor<'_>,
) -> Result<Swept, Aborted> {
    rows_pass::<P>(cost, side, None, g, reg, monitor)
}

/// Makes the rows exact from potentials that are nearly so.
pub fn sweep<P: Precision>(
    cost: &Cost<'_>,
    side: &Side,
    f: &[f64],
    g: &[f64],
    reg: f64,
    monitor: &mut Monitor<'_>,
) -> Result<Swept, Aborted> {
    rows_pass::<P>(cost, side, Some(f), g, reg, monitor)
}

struct Columns<'a> {
    f: &'a [f64],
    g: &'a [f64],
    reg: f64,
    buffer: Vec<f64>,
    sums: Vec<f64>,
}

impl Visit for Columns<'_> {
    fn group<T: Entry>(&mut self, first: usize, rows: &[&[T]]) {
        let mut sums = [0.0; super::GROUP];
        let f = &self.f[first..first + rows.len()];
        let buffer = &mut self.buffer;
        dispatch(Exponentials { rows, f, g: self.g, scale: scale(self.reg), buffer, sums: &mut sums });
        let buffer = &self.buffer[..rows.len() * self.g.len()];
        dispatch(AddRows { buffer, weights: &[1.0; super::GROUP][..rows.len()], out: &mut self.sums });
    }

    fn release(&mut self) {
        self.buffer = Vec::new();
    }
}

/// The columns' sums.
pub fn columns(
    cost: &Cost<'_>,
    f: &[f64],
    g: &[f64],
    reg: f64,
    monitor: &mut Monitor<'_>,
) -> Result<Vec<f64>, Aborted> {
    let m = g.len();
    let make = |_| Columns { f, g, reg, buffer: vec![0.0; super::together(m) * m], sums: vec![0.0; m] };
    let mut all = vec![0.0; m];
    over_blocks(cost, monitor, make, |block| add_to(&mut all, &block.sums))?;
    Ok(all)
}

struct Minima<'a> {
    f: &'a [f64],
    out: Vec<f64>,
}

impl Visit for Minima<'_> {
    fn group<T: Entry>(&mut self, first: usize, rows: &[&[T]]) {
        dispatch(ColumnMin { rows, f: &self.f[first..first + rows.len()], out: &mut self.out });
    }
}

/// `min_i (C_ij - f_i)`: the hard c-transform, and the potential at which a column's largest exponent is 0.
pub fn column_minima(cost: &Cost<'_>, f: &[f64], monitor: &mut Monitor<'_>) -> Result<Vec<f64>, Aborted> {
    let m = cost.shape().1;
    let mut all = vec![f64::INFINITY; m];
    over_blocks(
        cost,
        monitor,
        |_| Minima { f, out: vec![f64::INFINITY; m] },
        |block| all.iter_mut().zip(&block.out).for_each(|(a, b)| *a = a.min(*b)),
    )?;
    Ok(all)
}
