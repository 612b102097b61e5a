//! Where the sweeps begin.

use super::CompletionError;
use super::entry::Entry;
use super::factor::Factor;
use super::init::{Operator, noise};
use super::options::Init;
use super::solve::Als;
use crate::base::monitor::Monitor;

impl<T: Entry> Als<'_, T> {
    /// The start.
    pub(super) fn begin(&mut self, monitor: &mut Monitor<'_>) -> Result<(), CompletionError> {
        let (problem, bias) = (self.problem, self.bias());
        let (m, n) = problem.shape();
        let lam = problem.penalty.lam;
        if let Some((u, v)) = &self.options.start {
            // U V^T counts: each side takes half of the scale.
            let root = problem.unit.sqrt();
            let side = |x: &Factor<T>| {
                Factor::from_fn(x.rows(), x.width(), |i, l| {
                    let scale = if bias && l == self.k { problem.unit / self.constant } else { root };
                    T::from_f64(x.row(i)[l].to_f64() * scale)
                })
            };
            (self.u, self.v) = (side(u), side(v));
            self.ahead = self.v.clone();
            self.ridge = self.floor_of_start();
            return Ok(());
        }
        let spectral = match self.options.init {
            Init::Auto => lam == 0.0 || !bias,
            Init::Spectral => true,
            Init::Random => false,
        };
        let operator = Operator::centred(problem);
        let k = self.k.min(m).min(n);
        let triples =
            operator.leading(if spectral { k } else { 1 }, if spectral { 6 } else { 3 }, monitor)?;
        self.sigma = triples.s.first().copied().unwrap_or(0.0);
        if spectral {
            let fill = m as f64 * n as f64 / problem.rows.nnz() as f64;
            let size = |s: f64| {
                let s = if lam > 0.0 { (s - self.target).max(0.01 * s) } else { s };
                (s * fill).max(0.0).sqrt()
            };
            let side = |count: usize, x: &Factor<T>| {
                Factor::from_fn(count, self.v.width(), |i, l| {
                    if l >= triples.s.len() {
                        return T::ZERO;
                    }
                    let value = x.row(i)[l].to_f64() * size(triples.s[l]);
                    T::from_f64(if problem.penalty.nonneg { value.abs() } else { value })
                })
            };
            (self.u, self.v) = (side(m, &triples.u), side(n, &triples.v));
        } else {
            let size = (problem.squares / problem.rows.nnz() as f64).sqrt().sqrt() / (self.k as f64).sqrt();
            self.v = noise(n, self.k, 0.3 * size, self.options.seed).with_width(self.k + usize::from(bias));
            if problem.penalty.nonneg {
                self.v.as_mut_slice().iter_mut().for_each(|x| *x = x.modulus());
            }
        }
        self.ahead = self.v.clone();
        let first = 0.3 * self.sigma;
        let small = self.target < 1e-3 * self.sigma;
        self.ridge = if small && !problem.penalty.count { first.max(self.floor()) } else { self.target };
        Ok(())
    }

    /// A warm start skips the continuation.
    fn floor_of_start(&mut self) -> f64 {
        self.sigma = self.problem.squares.sqrt();
        if self.target > 0.0 { self.target } else { (1e-12 * self.sigma).max(self.floor()) }
    }
}
