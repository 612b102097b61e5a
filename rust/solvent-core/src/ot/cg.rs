//! Conjugate gradients with a diagonal preconditioner.

use crate::base::error::Aborted;
use crate::base::monitor::Monitor;

/// A symmetric positive semidefinite matrix that can be multiplied by.
pub trait Operator {
    /// `A x`.
    fn product(&self, x: &[f64], monitor: &mut Monitor<'_>) -> Result<Vec<f64>, Aborted>;

    /// What a residual is measured by: the 2-norm, unless another is nearer to what the system is solved for.
    fn size(&self, residual: &[f64]) -> f64 {
        dot(residual, residual).sqrt()
    }
}

/// Iterations between looks at the clock and the signals.
const WATCH: u64 = 16;

/// Solves `A x = rhs` from 0 until the residual's size is `accuracy` times that of rhs; returns x and the number of
/// iterations, at most `most`. `diagonal` is positive. Where rounding leaves no descent, x is what was reached.
pub fn solve(
    matrix: &impl Operator,
    diagonal: &[f64],
    rhs: &[f64],
    accuracy: f64,
    most: u64,
    monitor: &mut Monitor<'_>,
) -> Result<(Vec<f64>, u64), Aborted> {
    let n = rhs.len();
    let mut x = vec![0.0; n];
    let mut residual = rhs.to_vec();
    let mut z: Vec<f64> = residual.iter().zip(diagonal).map(|(r, d)| r / d).collect();
    let mut p = z.clone();
    let mut rz = dot(&residual, &z);
    let goal = accuracy * matrix.size(rhs);
    for iteration in 1..=most {
        let q = matrix.product(&p, monitor)?;
        let pq = dot(&p, &q);
        let step = rz / pq;
        if !(pq > 0.0 && step.is_finite()) {
            return Ok((x, iteration - 1));
        }
        for i in 0..n {
            x[i] += step * p[i];
            residual[i] -= step * q[i];
            z[i] = residual[i] / diagonal[i];
        }
        if matrix.size(&residual) <= goal {
            return Ok((x, iteration));
        }
        if iteration % WATCH == 0 {
            monitor.poll()?;
            if monitor.expired() {
                return Ok((x, iteration));
            }
        }
        let next = dot(&residual, &z);
        let beta = next / rz;
        rz = next;
        for i in 0..n {
            p[i] = z[i] + beta * p[i];
        }
    }
    Ok((x, most))
}

/// Four sums side by side, in a fixed order.
fn dot(x: &[f64], y: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let whole = x.len() / 4 * 4;
    for (x, y) in x[..whole].chunks_exact(4).zip(y[..whole].chunks_exact(4)) {
        for k in 0..4 {
            sums[k] += x[k] * y[k];
        }
    }
    let rest: f64 = x[whole..].iter().zip(&y[whole..]).map(|(x, y)| x * y).sum();
    ((sums[0] + sums[1]) + (sums[2] + sums[3])) + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::monitor::{Budget, Silent};

    /// The Laplacian of a path of n nodes with weights 1, plus `shift`.
    struct Path(f64);

    impl Operator for Path {
        fn product(&self, x: &[f64], _: &mut Monitor<'_>) -> Result<Vec<f64>, Aborted> {
            let n = x.len();
            let at = |i: usize, j: usize| x[i] - x[j];
            let each = (0..n).map(|i| {
                let left = if i > 0 { at(i, i - 1) } else { 0.0 };
                let right = if i + 1 < n { at(i, i + 1) } else { 0.0 };
                left + right + self.0 * x[i]
            });
            Ok(each.collect())
        }
    }

    #[test]
    fn it_solves_what_it_is_given() {
        let n = 37;
        let wanted: Vec<f64> = (0..n).map(|i| f64::from(i * i % 11) - 4.0).collect();
        let mut silent = Silent;
        let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut silent, &[]);
        let rhs = Path(0.1).product(&wanted, &mut monitor).unwrap();
        let diagonal = vec![2.1; n as usize];
        let (x, steps) = solve(&Path(0.1), &diagonal, &rhs, 1e-13, 500, &mut monitor).unwrap();
        assert!(steps <= 60);
        assert!(x.iter().zip(&wanted).all(|(x, w)| (x - w).abs() < 1e-10));
        // Singular but consistent: the least solution, which has no mean.
        let mean = wanted.iter().sum::<f64>() / f64::from(n);
        let rhs = Path(0.0).product(&wanted, &mut monitor).unwrap();
        let diagonal = vec![2.0; n as usize];
        let (x, _) = solve(&Path(0.0), &diagonal, &rhs, 1e-12, 500, &mut monitor).unwrap();
        assert!(x.iter().zip(&wanted).all(|(x, w)| (x - (w - mean)).abs() < 1e-8));
        let (x, steps) = solve(&Path(0.0), &diagonal, &vec![0.0; n as usize], 1e-6, 9, &mut monitor).unwrap();
        assert!(steps == 0 && x.iter().all(|x| *x == 0.0));
    }
}
