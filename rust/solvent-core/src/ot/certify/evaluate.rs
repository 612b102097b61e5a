//! One pass over the plan, with what the bounds want of it.

use super::super::cost::Visit;
use super::super::passes::{
    AddRows, ColumnMin, CostDot, Entry, Exponentials, GROUP, Moments, RowMax, add_to, over_blocks, scale,
    together,
};
use super::super::problem::Problem;
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sum::Sum;
use solvent_simd::dispatch;

/// One evaluation of a plan and what the bounds want of it.
#[derive(Debug, Default)]
pub(in crate::ot) struct Evaluated {
    pub(in crate::ot) rows: Vec<f64>,
    pub(in crate::ot) columns: Vec<f64>,
    /// `sum |f + g| p`, `sum |f + g - C| p`, `sum C p`.
    pub(in crate::ot) moments: [Sum; 3],
    /// `min_i (C_ij - hard_i)`, if asked for.
    pub(in crate::ot) column_minima: Vec<f64>,
    /// `min_j (C_ij - hard_j)`, if asked for.
    pub(in crate::ot) row_minima: Vec<f64>,
}

/// Which hard c-transform a pass takes along.
#[derive(Clone, Copy)]
pub(in crate::ot) enum Hard<'a> {
    Columns(&'a [f64]),
    Rows(&'a [f64]),
}

struct Block<'a> {
    f: &'a [f64],
    g: &'a [f64],
    reg: f64,
    hard: Hard<'a>,
    buffer: Vec<f64>,
    out: Evaluated,
}

impl Visit for Block<'_> {
    fn group<T: Entry>(&mut self, first: usize, rows: &[&[T]]) {
        let (count, m) = (rows.len(), self.g.len());
        let mut sums = [0.0; GROUP];
        let f = &self.f[first..first + count];
        let buffer = &mut self.buffer;
        dispatch(Exponentials { rows, f, g: self.g, scale: scale(self.reg), buffer, sums: &mut sums });
        let buffer = &self.buffer[..count * m];
        dispatch(AddRows { buffer, weights: &[1.0; GROUP][..count], out: &mut self.out.columns });
        for (r, row) in rows.iter().enumerate() {
            let p = &buffer[r * m..(r + 1) * m];
            let (potentials, exponents, cost) = dispatch(Moments { row, f: f[r], g: self.g, p });
            self.out.moments[0].add(potentials);
            self.out.moments[1].add(exponents);
            self.out.moments[2].add(cost);
            if let Hard::Rows(g) = self.hard {
                self.out.row_minima.push(-dispatch(RowMax { row, g }));
            }
        }
        if let Hard::Columns(f) = self.hard {
            dispatch(ColumnMin { rows, f: &f[first..first + count], out: &mut self.out.column_minima });
        }
        self.out.rows.extend_from_slice(&sums[..count]);
    }

    fn release(&mut self) {
        self.buffer = Vec::new();
    }
}

pub(in crate::ot) fn evaluate(
    problem: &Problem<'_>,
    f: &[f64],
    g: &[f64],
    hard: Hard<'_>,
    monitor: &mut Monitor<'_>,
) -> Result<Evaluated, Aborted> {
    let m = g.len();
    let empty = || Evaluated {
        columns: vec![0.0; m],
        column_minima: if matches!(hard, Hard::Columns(_)) { vec![f64::INFINITY; m] } else { Vec::new() },
        ..Evaluated::default()
    };
    let reg = problem.reg;
    let make = |_| Block { f, g, reg, hard, buffer: vec![0.0; together(m) * m], out: empty() };
    let mut all = empty();
    over_blocks(problem.cost(), monitor, make, |block| {
        all.rows.extend(block.out.rows);
        add_to(&mut all.columns, &block.out.columns);
        all.row_minima.extend(block.out.row_minima);
        all.moments.iter_mut().zip(block.out.moments).for_each(|(a, b)| a.merge(b));
        all.column_minima.iter_mut().zip(&block.out.column_minima).for_each(|(a, b)| *a = a.min(*b));
    })?;
    Ok(all)
}

struct Bilinear<'a> {
    u: &'a [f64],
    w: &'a [f64],
    sum: Sum,
}

impl Visit for Bilinear<'_> {
    fn group<T: Entry>(&mut self, first: usize, rows: &[&[T]]) {
        for (r, row) in rows.iter().enumerate() {
            self.sum.add(self.u[first + r] * dispatch(CostDot { row, y: self.w }));
        }
    }
}

/// `u^T C w` over the finite arcs.
pub(in crate::ot) fn bilinear(
    problem: &Problem<'_>,
    u: &[f64],
    w: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<f64, Aborted> {
    let mut all = Sum::new();
    let make = |_| Bilinear { u, w, sum: Sum::new() };
    over_blocks(problem.cost(), monitor, make, |block| all.merge(block.sum))?;
    Ok(all.value())
}
