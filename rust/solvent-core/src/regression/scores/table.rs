//! A matrix in memory, dense in any order or in compressed rows, and the ways its rows are read here.

use crate::base::error::{Aborted, ArgumentError};
use crate::base::monitor::Monitor;
use crate::base::sparse::SparseView;
use crate::base::view::{MatrixView, Real};
use crate::regression::RegressionError;
use crate::sketch::{Operator, apply, apply_sparse};
use std::ops::Range;

/// Rows of one item of a scan.
const SCAN: usize = 1 << 12;

/// A matrix as it lies in memory.
#[derive(Debug, Clone, Copy)]
pub enum Table<'a> {
    /// Doubles, in any order.
    Double(MatrixView<'a, f64>),
    /// Singles, in any order.
    Single(MatrixView<'a, f32>),
    /// Compressed rows.
    Sparse(SparseView<'a, f64>),
}

impl Table<'_> {
    /// (rows, columns).
    pub fn shape(&self) -> (usize, usize) {
        match self {
            Self::Double(a) => a.shape(),
            Self::Single(a) => a.shape(),
            Self::Sparse(a) => (a.rows(), a.columns()),
        }
    }

    /// Rows of the range in C order, each column times its scale (a power of two, so nothing is rounded).
    pub fn read(&self, rows: Range<usize>, scale: &[f64], out: &mut Vec<f64>) {
        let d = scale.len();
        out.clear();
        out.resize(rows.len() * d, 0.0);
        match self {
            Self::Double(a) => read_dense(a, rows, scale, out),
            Self::Single(a) => read_dense(a, rows, scale, out),
            Self::Sparse(a) => {
                for (i, out) in rows.zip(out.chunks_mut(d.max(1))) {
                    let (indices, data) = a.row(i);
                    for (&j, x) in indices.iter().zip(data) {
                        out[j as usize] += x * scale[j as usize];
                    }
                }
            }
        }
    }

    /// The greatest magnitude of each column; refuses an entry that is not finite.
    pub fn greatest(&self, monitor: &mut Monitor<'_>) -> Result<Vec<f64>, RegressionError> {
        let (n, d) = self.shape();
        let ones = vec![1.0; d];
        let mut greatest = vec![0.0f64; d];
        let scan = |rows: Range<usize>| {
            let mut block = Vec::new();
            self.read(rows.clone(), &ones, &mut block);
            let mut most = vec![0.0f64; d];
            for (i, row) in block.chunks(d.max(1)).enumerate() {
                for (j, (m, x)) in most.iter_mut().zip(row).enumerate() {
                    if !x.is_finite() {
                        return Err((rows.start + i, j, *x));
                    }
                    *m = m.max(x.abs());
                }
            }
            Ok(most)
        };
        monitor.fold_blocks(n, SCAN, 64, scan, |part| match part {
            Ok(most) => {
                greatest.iter_mut().zip(most).for_each(|(g, m)| *g = g.max(m));
                Ok(())
            }
            Err((i, j, x)) => {
                Err(RegressionError::from(ArgumentError::element("a", &[i, j], x, "finite values")))
            }
        })?;
        Ok(greatest)
    }

    /// S A in C order.
    pub fn sketch(&self, sketch: &Operator, monitor: &mut Monitor<'_>) -> Result<Vec<f64>, Aborted> {
        match self {
            Self::Double(a) => apply(sketch, *a, None, monitor),
            Self::Single(a) => apply(sketch, *a, None, monitor),
            Self::Sparse(a) => apply_sparse(sketch, *a, monitor),
        }
    }
}

fn read_dense<T: Real>(a: &MatrixView<'_, T>, rows: Range<usize>, scale: &[f64], out: &mut [f64]) {
    let d = scale.len();
    if a.has_contiguous_rows() {
        for (i, out) in rows.zip(out.chunks_mut(d.max(1))) {
            let row = a.row_slice(i).unwrap_or_default();
            for ((o, x), s) in out.iter_mut().zip(row).zip(scale) {
                *o = x.to_f64() * s;
            }
        }
    } else {
        for j in 0..d {
            let column = a.column(j);
            for (k, i) in rows.clone().enumerate() {
                out[k * d + j] = column.get(i).to_f64() * scale[j];
            }
        }
    }
}

/// 2^-e for each magnitude in [2^e, 2^(e+1)); 1 for zeros.
pub fn inverse_powers(magnitudes: &[f64]) -> Vec<f64> {
    let power = |x: &f64| {
        if *x == 0.0 {
            return 1.0;
        }
        let exponent = ((x.to_bits() >> 52) as i64 - 1023).clamp(-1022, 1022);
        f64::from_bits(((1023 - exponent) as u64) << 52)
    };
    magnitudes.iter().map(power).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_bring_magnitudes_to_one() {
        for x in [1.0, 1.5, 3.0e150, 7e-310, f64::MAX, 1e-300] {
            let scaled = x * inverse_powers(&[x])[0];
            assert!(scaled < 4.0 && (scaled >= 1.0 || x < 1e-300), "{x} {scaled}");
        }
        assert_eq!(inverse_powers(&[0.0]), [1.0]);
    }
}
