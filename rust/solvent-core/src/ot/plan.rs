//! The plan of given potentials, evaluated when it is asked for: whole, sparse, or as an operator.

use super::OtError;
use super::cost::Visit;
use super::passes::{
    AddRows, Dot, Entry, Exponentials, GROUP, Keep, SLACK, add_to, over_blocks, scale, together,
};
use super::problem::Problem;
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sum::Sum;
use solvent_simd::dispatch;

/// A plan `P_ij = exp((f_i + g_j - C_ij)/reg)` over a problem's positive weights; potentials folded.
#[derive(Debug, Clone)]
pub struct Plan<'p, 'a> {
    problem: &'p Problem<'a>,
    f: Vec<f64>,
    g: Vec<f64>,
}

/// What is done with the rows of a plan.
trait Rows: Send {
    /// Row i of the problem.
    fn row(&mut self, i: usize, p: &[f64], sum: f64);
}

struct Each<'a, R> {
    f: &'a [f64],
    g: &'a [f64],
    reg: f64,
    buffer: Vec<f64>,
    rows: R,
}

impl<R: Rows> Visit for Each<'_, R> {
    fn group<T: Entry>(&mut self, first: usize, rows: &[&[T]]) {
        let (count, m) = (rows.len(), self.g.len());
        let mut sums = [0.0; GROUP];
        let f = &self.f[first..first + count];
        let buffer = &mut self.buffer;
        dispatch(Exponentials { rows, f, g: self.g, scale: scale(self.reg), buffer, sums: &mut sums });
        for r in 0..count {
            self.rows.row(first + r, &self.buffer[r * m..(r + 1) * m], sums[r]);
        }
    }
}

/// A sparse matrix by rows.
#[derive(Debug, Clone, Default)]
pub struct Csr {
    /// Entries.
    pub data: Vec<f64>,
    /// Their columns.
    pub indices: Vec<i32>,
    /// Where each row begins, and the end.
    pub starts: Vec<i64>,
    /// The mass that was left out, rounded up.
    pub dropped: f64,
}

impl<'p, 'a> Plan<'p, 'a> {
    /// Potentials in the caller's order, not folded. `shift` is added to every `f + g`.
    pub fn new(problem: &'p Problem<'a>, f: &[f64], g: &[f64], shift: f64) -> Self {
        let (f, g) = problem.restrict(f, g);
        let fold = |p: &[f64], logs: &[f64], shift: f64| {
            p.iter().zip(logs).map(|(p, l)| p + shift + problem.reg * l).collect()
        };
        Self { problem, f: fold(&f, problem.a.logs(), shift), g: fold(&g, problem.b.logs(), 0.0) }
    }

    fn over<R: Rows>(
        &self,
        monitor: &mut Monitor<'_>,
        make: impl Fn() -> R + Sync,
        mut fold: impl FnMut(R),
    ) -> Result<(), Aborted> {
        let make = |_| Each {
            f: &self.f,
            g: &self.g,
            reg: self.problem.reg,
            buffer: vec![0.0; together(self.g.len()) * self.g.len()],
            rows: make(),
        };
        over_blocks(self.problem.cost(), monitor, make, |block| fold(block.rows))
    }

    /// The caller's index of the problem's row i and column j.
    fn place(&self, i: usize, j: usize) -> (usize, usize) {
        let (rows, columns) = self.problem.kept();
        if self.problem.transposed { (columns[j], rows[i]) } else { (rows[i], columns[j]) }
    }

    /// The shape of the caller's plan.
    fn shape(&self) -> (usize, usize) {
        let (n, m) = self.problem.whole().shape();
        if self.problem.transposed { (m, n) } else { (n, m) }
    }

    /// The whole plan, in C order. O(nm) memory.
    pub fn dense(&self, monitor: &mut Monitor<'_>) -> Result<Vec<f64>, OtError> {
        #[derive(Default)]
        struct Copied(Vec<(usize, Vec<f64>)>);
        impl Rows for Copied {
            fn row(&mut self, i: usize, p: &[f64], _: f64) {
                self.0.push((i, p.to_vec()));
            }
        }
        let (n, m) = self.shape();
        let mut out = vec![0.0; n * m];
        self.over(monitor, Copied::default, |block| {
            for (i, p) in block.0 {
                for (j, p) in p.into_iter().enumerate() {
                    let (row, column) = self.place(i, j);
                    out[row * m + column] = p;
                }
            }
        })?;
        Ok(out)
    }

    /// The entries above a threshold so low that what is left out weighs `drop` of the plan at most.
    pub fn sparse(&self, drop: f64, monitor: &mut Monitor<'_>) -> Result<Csr, OtError> {
        struct Kept<'a> {
            least: &'a [f64],
            positions: Vec<u32>,
            entries: Vec<(usize, Vec<(u32, f64)>)>,
            dropped: Sum,
        }
        impl Rows for Kept<'_> {
            fn row(&mut self, i: usize, p: &[f64], _: f64) {
                let (least, out) = (self.least, &mut self.positions);
                let kept = dispatch(Keep { p, row: f64::INFINITY, columns: least, out });
                let entries = self.positions[..kept].iter().map(|&j| (j, p[j as usize])).collect();
                self.entries.push((i, entries));
                self.dropped.add(p.iter().filter(|&&p| p <= least[0]).sum());
            }
        }
        let total = self.total(monitor)?;
        let (n, m) = (self.f.len(), self.g.len());
        let least = vec![drop * total / (n * m) as f64; m];
        let make = || Kept {
            least: &least,
            positions: vec![0; m + SLACK],
            entries: Vec::new(),
            dropped: Sum::new(),
        };
        let (rows, _) = self.shape();
        let mut lines: Vec<Vec<(i32, f64)>> = vec![Vec::new(); rows];
        let mut dropped = Sum::new();
        self.over(monitor, make, |block| {
            dropped.merge(block.dropped);
            for (i, entries) in block.entries {
                for (j, p) in entries {
                    let (row, column) = self.place(i, j as usize);
                    lines[row].push((column as i32, p));
                }
            }
        })?;
        let mut csr = Csr { starts: vec![0], ..Csr::default() };
        for line in lines {
            for (j, p) in line {
                csr.indices.push(j);
                csr.data.push(p);
            }
            csr.starts.push(csr.data.len() as i64);
        }
        // Sums of m nonnegative numbers are off by m units in the last place at most.
        csr.dropped = dropped.value() * (1.0 + (m as f64 + 4.0) * f64::EPSILON);
        Ok(csr)
    }

    /// `sum P`.
    pub fn total(&self, monitor: &mut Monitor<'_>) -> Result<f64, OtError> {
        #[derive(Default)]
        struct Total(Sum);
        impl Rows for Total {
            fn row(&mut self, _: usize, _: &[f64], sum: f64) {
                self.0.add(sum);
            }
        }
        let mut all = Sum::new();
        self.over(monitor, Total::default, |block| all.merge(block.0))?;
        Ok(all.value())
    }

    /// `P V` (or `P^T V`) for V of k columns, in C order.
    pub fn apply(
        &self,
        v: &[f64],
        k: usize,
        transpose: bool,
        monitor: &mut Monitor<'_>,
    ) -> Result<Vec<f64>, OtError> {
        let (rows, columns) = self.problem.kept();
        let (n, m) = self.shape();
        // Whether the problem's own rows are what is summed over.
        let along_rows = transpose != self.problem.transposed;
        let (into, from) = if along_rows { (columns, rows) } else { (rows, columns) };
        let by_column: Vec<Vec<f64>> = (0..k).map(|c| from.iter().map(|&i| v[i * k + c]).collect()).collect();
        let results =
            if along_rows { self.left(&by_column, monitor)? } else { self.right(&by_column, monitor)? };
        let mut out = vec![0.0; if transpose { m } else { n } * k];
        for (c, result) in results.iter().enumerate() {
            for (&i, &x) in into.iter().zip(result) {
                out[i * k + c] = x;
            }
        }
        Ok(out)
    }

    /// `P v` for each v, over the problem's own rows.
    pub fn right(&self, v: &[Vec<f64>], monitor: &mut Monitor<'_>) -> Result<Vec<Vec<f64>>, OtError> {
        struct Dots<'a> {
            v: &'a [Vec<f64>],
            out: Vec<Vec<f64>>,
        }
        impl Rows for Dots<'_> {
            fn row(&mut self, _: usize, p: &[f64], _: f64) {
                for (v, out) in self.v.iter().zip(&mut self.out) {
                    out.push(dispatch(Dot { x: p, y: v }));
                }
            }
        }
        let mut all = vec![Vec::new(); v.len()];
        let make = || Dots { v, out: vec![Vec::new(); v.len()] };
        self.over(monitor, make, |block| {
            all.iter_mut().zip(block.out).for_each(|(all, part)| all.extend(part));
        })?;
        Ok(all)
    }

    /// `P^T u` for each u, over the problem's own rows.
    pub fn left(&self, u: &[Vec<f64>], monitor: &mut Monitor<'_>) -> Result<Vec<Vec<f64>>, OtError> {
        struct Sums<'a> {
            u: &'a [Vec<f64>],
            out: Vec<Vec<f64>>,
        }
        impl Rows for Sums<'_> {
            fn row(&mut self, i: usize, p: &[f64], _: f64) {
                for (u, out) in self.u.iter().zip(&mut self.out) {
                    dispatch(AddRows { buffer: p, weights: &[u[i]], out });
                }
            }
        }
        let m = self.g.len();
        let mut all = vec![vec![0.0; m]; u.len()];
        let make = || Sums { u, out: vec![vec![0.0; m]; u.len()] };
        self.over(monitor, make, |block| {
            all.iter_mut().zip(block.out).for_each(|(all, part)| add_to(all, &part));
        })?;
        Ok(all)
    }

    /// The problem.
    pub fn problem(&self) -> &'p Problem<'a> {
        self.problem
    }

    /// Folded potentials.
    pub fn potentials(&self) -> (&[f64], &[f64]) {
        (&self.f, &self.g)
    }
}
