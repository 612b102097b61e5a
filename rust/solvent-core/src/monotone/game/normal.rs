//! The normal equations of a step: `K = diag(e) + Mᵀ diag(d) M`, formed and factorised.

use super::problem::Dense;
use super::products::Stored;
use crate::base::dense::{Cholesky, DenseError, Field, Matrix, Onto, Triangle, gemm, solve_triangular};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::pool;
use crate::base::view::MatrixView;
use solvent_simd::{Kernel, Simd, dispatch};

/// Columns a panel of K.
const PANEL: usize = 128;

/// A factor of K, in the precision it was computed in.
pub enum Factor {
    /// Far from the optimum: directions need few digits, and single precision has twice the lanes.
    Single(Cholesky<f32>),
    /// Near it.
    Double(Cholesky<f64>),
}

impl Factor {
    /// Forms and factorises K; `Ok(Err(..))` where it is not positive definite in this precision.
    pub fn new(
        game: &Dense,
        d: &[f64],
        e: &[f64],
        single: bool,
        regularization: f64,
        monitor: &mut Monitor<'_>,
    ) -> Result<Result<Self, DenseError>, Aborted> {
        Ok(if single {
            let k = gram(game.single(), d, e, regularization, monitor)?;
            cholesky(k, monitor)?.map(Self::Single)
        } else {
            let k = gram(game.entries(), d, e, regularization, monitor)?;
            cholesky(k, monitor)?.map(Self::Double)
        })
    }

    /// Solves `K X = B` for the columns of B, in place.
    pub fn solve(&self, b: &mut Matrix<f64>) {
        match self {
            Self::Double(factor) => factor.solve(b),
            Self::Single(factor) => {
                let narrow = b.as_slice().iter().map(|&x| x as f32).collect();
                let mut narrow = Matrix::from_column_major(narrow, b.rows(), b.columns());
                factor.solve(&mut narrow);
                b.as_mut_slice().iter_mut().zip(narrow.as_slice()).for_each(|(b, &x)| *b = f64::from(x));
            }
        }
    }
}

/// Row by row, times the root of its weight.
struct Weigh<'a, E> {
    entries: &'a mut [E],
    d: &'a [f64],
}

impl<E: Field + Stored> Kernel for Weigh<'_, E> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let m = self.entries.len() / self.d.len();
        for (row, d) in self.entries.chunks_exact_mut(m).zip(self.d) {
            let root = d.sqrt();
            for x in row {
                *x = E::from_f64(Stored::widen(*x) * root);
            }
        }
    }
}

/// The lower triangle of K.
fn gram<E: Field + Stored>(
    entries: &[E],
    d: &[f64],
    e: &[f64],
    regularization: f64,
    monitor: &mut Monitor<'_>,
) -> Result<Matrix<E>, Aborted> {
    let (n, m) = (d.len(), e.len());
    let mut weighted = entries.to_vec();
    dispatch(Weigh { entries: &mut weighted, d });
    let panels = monitor.map_blocks(m, PANEL, |columns| {
        let all = MatrixView::new(&weighted, columns.start, (n, m - columns.start), (m as isize, 1));
        let own = MatrixView::new(&weighted, columns.start, (n, columns.len()), (m as isize, 1));
        let (all, own) = (all.expect("inside"), own.expect("inside"));
        let mut panel = Matrix::zeros(m - columns.start, columns.len());
        gemm(&mut panel, Onto::Replace, E::from_f64(1.0), all.transpose(), own);
        panel
    })?;
    let mut k = Matrix::zeros(m, m);
    for (p, panel) in panels.iter().enumerate() {
        let start = p * PANEL;
        for j in 0..panel.columns() {
            k.column_mut(start + j)[start + j..].copy_from_slice(&panel.column(j)[j..]);
        }
    }
    let diagonal = (0..m).map(|j| k.get(j, j).to_f64() + e[j]).collect::<Vec<_>>();
    let shift = regularization * diagonal.iter().fold(0.0, |a: f64, &b| a.max(b));
    diagonal.iter().enumerate().for_each(|(j, x)| k.set(j, j, E::from_f64(x + shift)));
    Ok(k)
}

/// Orders from which on K is factorised in blocks, between which others work and the clock is looked at.
const LARGE: usize = 1024;
/// Columns a block, and rows a share of it.
const BLOCK: (usize, usize) = (256, 512);

/// Factorises K in its own memory.
fn cholesky<E: Field>(
    mut k: Matrix<E>,
    monitor: &mut Monitor<'_>,
) -> Result<Result<Cholesky<E>, DenseError>, Aborted> {
    let m = k.rows();
    if m < LARGE {
        monitor.poll()?;
        return Ok(Cholesky::in_place(k));
    }
    for start in (0..m).step_by(BLOCK.0) {
        let end = (start + BLOCK.0).min(m);
        // What is left of the block column when the columns before it are taken off, the diagonal block first.
        let shares = std::iter::once(start..end)
            .chain(pool::blocks(m - end, BLOCK.1).map(|r| r.start + end..r.end + end));
        let shares: Vec<_> = shares.collect();
        let rest = monitor.map_items(shares.iter(), |rows| {
            let mut rest = Matrix::from_fn(rows.len(), end - start, |i, j| k.get(rows.start + i, start + j));
            if start > 0 {
                let part = |from: usize, count: usize| {
                    MatrixView::new(k.as_slice(), from, (count, start), (1, m as isize)).expect("inside")
                };
                let (own, pivots) = (part(rows.start, rows.len()), part(start, end - start));
                gemm(&mut rest, Onto::Add, E::from_f64(-1.0), own, pivots.transpose());
            }
            rest
        })?;
        let mut rest = rest.into_iter();
        let diagonal = match rest.next().map(Cholesky::in_place) {
            Some(Ok(factor)) => factor,
            Some(Err(DenseError::NotPositiveDefinite { pivot })) => {
                return Ok(Err(DenseError::NotPositiveDefinite { pivot: start + pivot }));
            }
            Some(Err(error)) => return Ok(Err(error)),
            None => break,
        };
        let below: Vec<_> = rest.collect();
        let solved = monitor.map_items(below.iter(), |share| {
            let mut turned = Matrix::from(share.view().transpose());
            solve_triangular(diagonal.lower().view(), Triangle::Lower, &mut turned);
            turned
        })?;
        for j in start..end {
            k.column_mut(j)[start..end].copy_from_slice(diagonal.lower().column(j - start));
            for (rows, turned) in shares[1..].iter().zip(&solved) {
                let column = &mut k.column_mut(j)[rows.clone()];
                column.iter_mut().enumerate().for_each(|(i, x)| *x = turned.get(j - start, i));
            }
        }
    }
    Ok(Ok(Cholesky::from_lower(k)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::monitor::{Budget, Silent};
    use crate::base::rng::Philox;

    #[test]
    fn in_blocks_it_is_the_same_factor_for_any_number_of_threads() {
        let m = LARGE + 300;
        let mut rng = Philox::new(11, 0, 0);
        let mut k = Matrix::from_fn(m, m, |i, j| if i == j { 40.0 } else { 0.0 });
        for j in 0..m {
            for i in j + 1..m {
                k.set(i, j, rng.normal());
            }
        }
        (0..m).for_each(|j| k.set(j, j, 4.0 * m as f64));
        let factor = |workers| {
            let mut silent = Silent;
            let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut silent, &[]);
            pool::run(Some(workers), || cholesky(k.clone(), &mut monitor)).unwrap().unwrap()
        };
        let (one, three) = (factor(1), factor(3));
        assert!(one.lower() == three.lower());
        let whole = Cholesky::new(k.view()).unwrap();
        let pairs = one.lower().as_slice().iter().zip(whole.lower().as_slice());
        assert!(pairs.fold(0.0, |worst: f64, (a, b)| worst.max((a - b).abs())) < 1e-11);
        k.set(LARGE + 7, LARGE + 7, -1.0);
        let mut silent = Silent;
        let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut silent, &[]);
        let failed = cholesky(k, &mut monitor).unwrap();
        assert!(matches!(failed, Err(DenseError::NotPositiveDefinite { pivot }) if pivot == LARGE + 7));
    }
}
