//! The normal equations of a step: `K = diag(e) + Mᵀ diag(d) M`, formed and factorised.

use super::problem::Dense;
use super::products::Stored;
use crate::base::dense::{Cholesky, DenseError, Field, Matrix, Onto, gemm};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
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
            Cholesky::in_place(k).map(Self::Single)
        } else {
            let k = gram(game.entries(), d, e, regularization, monitor)?;
            Cholesky::in_place(k).map(Self::Double)
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
