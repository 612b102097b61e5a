//! Affine operators: `F_i(u) = B_i u + c_i`.

use super::blocks::Blocks;
use super::{Constants, Kind, Operator, Pick, Rows, gamma, twice};
use crate::base::dense::{DenseError, Matrix, Onto, eigh, gemm};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sum::Sum;
use crate::monotone::binary::{exponent_of, ldexp};
use crate::monotone::vector::{difference, norm};
use std::borrow::Cow;

/// What the matrices say of the operator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Symmetry {
    /// Smallest eigenvalue of the symmetric part of the mean; below 0 (by more than rounding) F is not monotone.
    pub smallest: f64,
    /// Largest magnitude of its eigenvalues, or of the mean's singular values: the scale of `smallest`; inf where sums overflow.
    pub scale: f64,
    /// The kind, if it is monotone.
    pub kind: Kind,
    /// Lipschitz constant, or the cocoercivity constant where the kind says so.
    pub constant: f64,
}

impl Symmetry {
    /// That of a matrix `2^e` times as large.
    fn scaled(self, e: i32) -> Self {
        let up = |x| ldexp(x, e);
        Self { smallest: up(self.smallest), scale: up(self.scale), constant: up(self.constant), ..self }
    }
}

/// An operator counts as cocoercive only if its constant is at most this many times its norm: methods for cocoercive
/// operators are slower by that factor, and those for monotone ones are not.
const WORTH: f64 = 10.0;

/// See the [module](self).
pub struct Quadratic<'a> {
    /// `n d` rows of length d.
    rows: Rows<'a>,
    /// `n d` numbers; none: 0.
    shift: Option<&'a [f64]>,
    dim: usize,
    components: usize,
    /// Of the mean, from [`Symmetry`].
    constant: f64,
    blocks: Blocks,
}

impl<'a> Quadratic<'a> {
    /// `data` holds n matrices of d by d, each row by row; `constant` is [`Symmetry::constant`].
    pub fn new(data: &'a [f64], shift: Option<&'a [f64]>, dim: usize, constant: f64) -> Self {
        let components = data.len() / (dim * dim).max(1);
        assert_eq!(data.len(), components * dim * dim, "whole matrices");
        assert!(shift.is_none_or(|c| c.len() == components * dim), "one vector a matrix");
        let rows = Rows::Dense { data: Cow::Borrowed(data), columns: dim };
        Self { rows, shift, dim, components, constant, blocks: Blocks::new(dim * dim, dim) }
    }

    /// Tests n matrices of d by d: O(n d² + d³).
    pub fn symmetry(
        data: &[f64],
        dim: usize,
        monitor: &mut Monitor<'_>,
    ) -> Result<Result<Symmetry, DenseError>, Aborted> {
        let size = dim * dim;
        let n = data.len() / size.max(1);
        let mut mean = vec![0.0; size];
        Blocks::new(size, size).sum(Pick::all(n), &mut mean, monitor, |pick, out| {
            for k in 0..pick.len() {
                let matrix = &data[pick.at(k) * size..(pick.at(k) + 1) * size];
                out.iter_mut().zip(matrix).for_each(|(out, x)| *out += x);
            }
        })?;
        mean.iter_mut().for_each(|x| *x /= n as f64);
        // In units of a power of two, so that squares of entries neither overflow nor vanish.
        let exponent = exponent_of(mean.iter().fold(0.0, |m: f64, x| m.max(x.abs())));
        mean.iter_mut().for_each(|x| *x = ldexp(*x, -exponent));
        let odd = monitor.map_blocks(n, 64, |range| {
            range.into_iter().any(|i| !symmetric(&data[i * size..(i + 1) * size], dim))
        })?;
        if mean.iter().any(|x| !x.is_finite()) {
            let scale = f64::INFINITY;
            return Ok(Ok(Symmetry { smallest: 0.0, scale, kind: Kind::Monotone, constant: scale }));
        }
        Ok(judge(&mean, dim, !odd.contains(&true)).map(|found| found.scaled(exponent)))
    }
}

/// Whether a matrix is its transpose, to rounding.
fn symmetric(a: &[f64], d: usize) -> bool {
    let largest = a.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    (0..d).all(|i| (0..i).all(|j| (a[i * d + j] - a[j * d + i]).abs() <= 1e-13 * largest))
}

/// The symmetry of one matrix; `gradients`: all that it is the mean of are symmetric.
fn judge(mean: &[f64], d: usize, gradients: bool) -> Result<Symmetry, DenseError> {
    let q = Matrix::from_fn(d, d, |i, j| mean[i * d + j]);
    let part = eigh(Matrix::from_fn(d, d, |i, j| 0.5 * (mean[i * d + j] + mean[j * d + i])).view())?;
    let (smallest, largest) = (part.values.first().copied(), part.values.last().copied());
    let (smallest, largest) = (smallest.unwrap_or(0.0), largest.unwrap_or(0.0));
    let mut gram = Matrix::zeros(d, d);
    gemm(&mut gram, Onto::Replace, 1.0, q.view().transpose(), q.view());
    let squares = eigh(gram.view())?.values;
    let lipschitz = squares.last().copied().unwrap_or(0.0).max(0.0).sqrt();
    let scale = lipschitz.max(smallest.abs()).max(largest.abs());
    if gradients {
        return Ok(Symmetry { smallest, scale, kind: Kind::Gradient, constant: largest.max(0.0) });
    }
    // On the range of S = sym(Q): the largest eigenvalue of S^(-1/2) QᵀQ S^(-1/2). Where S vanishes, Q has to.
    let floor = 1e-12 * scale;
    let kept: Vec<usize> = (0..d).filter(|&j| part.values[j] > floor).collect();
    let whitened =
        Matrix::from_fn(d, kept.len(), |i, j| part.vectors.get(i, kept[j]) / part.values[kept[j]].sqrt());
    let mut image = Matrix::zeros(d, kept.len());
    gemm(&mut image, Onto::Replace, 1.0, q.view(), whitened.view());
    let mut form = Matrix::zeros(kept.len(), kept.len());
    gemm(&mut form, Onto::Replace, 1.0, image.view().transpose(), image.view());
    let constant = if kept.is_empty() { 0.0 } else { *eigh(form.view())?.values.last().expect("not empty") };
    let lost = (0..d).filter(|j| !kept.contains(j)).any(|j| {
        let mut column = Matrix::zeros(d, 1);
        let vector = Matrix::from_fn(d, 1, |i, _| part.vectors.get(i, j));
        gemm(&mut column, Onto::Replace, 1.0, q.view(), vector.view());
        norm(column.as_slice()) > 1e-10 * scale
    });
    let cocoercive = !lost && constant <= WORTH * lipschitz;
    let (kind, constant) =
        if cocoercive { (Kind::Cocoercive, constant) } else { (Kind::Monotone, lipschitz) };
    Ok(Symmetry { smallest, scale, kind, constant })
}

impl Quadratic<'_> {
    /// `Σ_k (B_k u + c_k)` over the components picked; without the shifts if `linear`.
    fn sum(
        &self,
        u: &[f64],
        linear: bool,
        pick: Pick<'_>,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let d = self.dim;
        self.blocks.sum(pick, out, monitor, |pick, out| {
            let mut image = vec![0.0; d];
            for k in 0..pick.len() {
                let i = pick.at(k);
                self.rows.dots(Pick::Run { first: i * d, len: d }, u, &mut image);
                out.iter_mut().zip(&image).for_each(|(out, x)| *out += x);
                if let (Some(c), false) = (self.shift, linear) {
                    out.iter_mut().zip(&c[i * d..(i + 1) * d]).for_each(|(out, x)| *out += x);
                }
            }
        })
    }
}

impl Operator for Quadratic<'_> {
    fn dim(&self) -> usize {
        self.dim
    }

    fn components(&self) -> usize {
        self.components
    }

    fn products(&self) -> f64 {
        1.0
    }

    fn full(&self, u: &[f64], out: &mut [f64], monitor: &mut Monitor<'_>) -> Result<(), Aborted> {
        self.batch(u, Pick::all(self.components), out, monitor)
    }

    fn batch(
        &self,
        u: &[f64],
        pick: Pick<'_>,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        self.sum(u, false, pick, out, monitor)?;
        out.iter_mut().for_each(|out| *out /= pick.len() as f64);
        Ok(())
    }

    fn diff(
        &self,
        u: &[f64],
        v: &[f64],
        pick: Pick<'_>,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        self.sum(&difference(u, v), true, pick, out, monitor)?;
        out.iter_mut().for_each(|out| *out /= pick.len() as f64);
        Ok(())
    }

    /// The constant of the mean is known; the norms of the components are taken from at most 256 of them, evenly
    /// spaced, by power iteration.
    fn constants(&self, monitor: &mut Monitor<'_>) -> Result<Option<Constants>, Aborted> {
        if self.components <= 1 {
            return Ok(Some(Constants { full: self.constant, average: self.constant }));
        }
        let d = self.dim;
        let stride = self.components.div_ceil(256);
        let sample: Vec<usize> = (0..self.components).step_by(stride).collect();
        // In units of a power of two, as for the mean.
        let exponent = exponent_of(self.constant);
        let squares = monitor.map_blocks(sample.len(), 8, |range| {
            range.into_iter().map(|k| self.square_norm(sample[k] * d, exponent)).sum::<f64>()
        })?;
        let average = ldexp((squares.iter().sum::<f64>() / sample.len() as f64).sqrt(), exponent);
        Ok(Some(Constants { full: self.constant, average: average.max(self.constant) }))
    }

    /// A product errs by `γ_d |B_i| |u|`, the sum over components by the blocks' γ of all that is added, the division
    /// by one rounding.
    fn allowance(&self, u: &[f64], out: &mut [f64], monitor: &mut Monitor<'_>) -> Result<bool, Aborted> {
        self.terms(u, out, monitor)?;
        let factor = 1.002 * (gamma(self.dim + 2) + self.blocks.gamma(2 * self.components) + gamma(4));
        out.iter_mut().for_each(|out| *out *= factor);
        Ok(true)
    }

    /// `(1/n) Σ |B_i| |u| + |c_i|`.
    fn terms(&self, u: &[f64], out: &mut [f64], monitor: &mut Monitor<'_>) -> Result<bool, Aborted> {
        let (n, d) = (self.components, self.dim);
        self.blocks.sum(Pick::all(n), out, monitor, |pick, out| {
            let mut image = vec![0.0; d];
            for k in 0..pick.len() {
                let i = pick.at(k);
                self.rows.dots_of_magnitudes(Pick::Run { first: i * d, len: d }, u, &mut image);
                out.iter_mut().zip(&image).for_each(|(out, x)| *out += x);
                if let Some(c) = self.shift {
                    out.iter_mut().zip(&c[i * d..(i + 1) * d]).for_each(|(out, x)| *out += x.abs());
                }
            }
        })?;
        out.iter_mut().for_each(|out| *out /= n as f64);
        Ok(true)
    }

    /// One sum a coordinate over components and columns; its value and the division are two roundings.
    fn precise(
        &self,
        u: &[f64],
        out: &mut [f64],
        slack: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<bool, Aborted> {
        let (n, d) = (self.components, self.dim);
        let mut total = vec![Sum::new(); d];
        self.blocks.sum_twice(n, &mut total, monitor, |pick, total| {
            for k in 0..pick.len() {
                let i = pick.at(k);
                self.rows.dots_twice(Pick::Run { first: i * d, len: d }, u, total);
                if let Some(c) = self.shift {
                    total.iter_mut().zip(&c[i * d..(i + 1) * d]).for_each(|(total, &x)| total.add(x));
                }
            }
        })?;
        self.terms(u, slack, monitor)?;
        let factor = 1.002 * twice::error(self.blocks.chain(n, d + 8));
        for j in 0..d {
            out[j] = total[j].value() / n as f64;
            slack[j] = factor * slack[j] + gamma(3) * out[j].abs();
        }
        Ok(true)
    }
}

impl Quadratic<'_> {
    /// `|B/2^e|₂²` of the matrix whose rows begin at `first`: 20 steps of power iteration on `BᵀB`.
    fn square_norm(&self, first: usize, exponent: i32) -> f64 {
        let d = self.dim;
        let pick = Pick::Run { first, len: d };
        let mut v: Vec<f64> =
            (0..d).map(|j| 1.0 + 0.5 * ((j as f64 + 1.0) * 0.618_033_988_749_895).fract()).collect();
        let mut image = vec![0.0; d];
        let mut top = 0.0;
        for _ in 0..20 {
            let size = norm(&v);
            if size == 0.0 {
                return 0.0;
            }
            v.iter_mut().for_each(|v| *v /= size);
            self.rows.dots(pick, &v, &mut image);
            image.iter_mut().for_each(|x| *x = ldexp(*x, -exponent));
            v.fill(0.0);
            self.rows.accumulate(pick, &image, &mut v);
            v.iter_mut().for_each(|x| *x = ldexp(*x, -exponent));
            top = norm(&v);
        }
        top
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::monitor::{Budget, Silent};

    fn symmetry(data: &[f64], d: usize) -> Symmetry {
        let mut silent = Silent;
        let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut silent, &[]);
        Quadratic::symmetry(data, d, &mut monitor).unwrap().unwrap()
    }

    #[test]
    fn kinds_are_told_apart() {
        let spd = symmetry(&[2.0, 1.0, 1.0, 2.0], 2);
        assert_eq!(spd.kind, Kind::Gradient);
        assert!((spd.constant - 3.0).abs() < 1e-14 && (spd.smallest - 1.0).abs() < 1e-14);
        assert_eq!(symmetry(&[0.0, 1.0, -1.0, 0.0], 2).kind, Kind::Monotone);
        // Q = I + J, J a rotation by 90 degrees: |Qw|² = 2 |w|² and <Qw, w> = |w|², so the constant is 2.
        let tilted = symmetry(&[1.0, 1.0, -1.0, 1.0], 2);
        assert_eq!(tilted.kind, Kind::Cocoercive);
        assert!((tilted.constant - 2.0).abs() < 1e-13);
        assert!(symmetry(&[0.1, 0.0, 0.0, -0.3], 2).smallest < -0.29);
        // Neither squares that overflow nor such that vanish tell otherwise.
        for size in [1e300, 1e-300] {
            let turned = symmetry(&[0.0, size, -size, 0.0], 2);
            assert!(turned.kind == Kind::Monotone && (turned.constant / size - 1.0).abs() < 1e-14);
            assert_eq!(symmetry(&[size, 0.0, 0.0, size], 2).kind, Kind::Gradient);
        }
        // The mean is the identity, the components are not symmetric.
        assert_eq!(symmetry(&[1.0, 1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0], 2).kind, Kind::Cocoercive);
    }
}
