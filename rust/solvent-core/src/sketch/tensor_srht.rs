//! A sketch of Kronecker products: S = m^-1/2 P (H D1 (x) H D2), P a sample of m pairs of rows with replacement. The
//! product x (x) y is never formed: S (x (x) y) is, output by output, the product of one entry of H D1 x and one of
//! H D2 y (Ahle et al., SODA 2020, Def. 15).

use super::draws::{Key, Purpose};
use super::hadamard::{is_negative, transform};
use super::srht::{padded_size, signs};

/// The sketch of m rows for factors of n1 and n2 elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSrht {
    key: Key,
    shape: (usize, usize),
    kept: Vec<(usize, usize)>,
}

impl TensorSrht {
    /// With m rows for factors of `shape` elements.
    ///
    /// # Panics
    /// Unless m >= 1.
    pub fn new(m: usize, shape: (usize, usize), key: Key) -> Self {
        assert!(m > 0, "m = 0");
        let mut words = key.words(Purpose::Sample, 1, 0);
        let (p, q) = (padded_size(shape.0), padded_size(shape.1));
        let kept = (0..m).map(|_| (words.below(p) as usize, words.below(q) as usize)).collect();
        Self { key, shape, kept }
    }

    /// m.
    pub fn rows(&self) -> usize {
        self.kept.len()
    }

    fn signs(&self, factor: usize) -> Vec<f64> {
        match factor {
            0 => signs(self.key, Purpose::Signs, 0, self.shape.0),
            _ => signs(self.key, Purpose::SecondSigns, 0, self.shape.1),
        }
    }

    fn scale(&self) -> f64 {
        1.0 / (self.kept.len() as f64).sqrt()
    }

    /// H D x of one factor, k columns in C order.
    fn turned(&self, x: &[f64], k: usize, factor: usize) -> Vec<f64> {
        let n = if factor == 0 { self.shape.0 } else { self.shape.1 };
        let mut z = vec![0.0; padded_size(n) as usize * k];
        for ((z, x), sign) in z.chunks_mut(k.max(1)).zip(x.chunks(k.max(1))).zip(self.signs(factor)) {
            z.iter_mut().zip(x).for_each(|(z, x)| *z = sign * x);
        }
        transform(&mut z, k);
        z
    }

    /// `S (x_c (x) y_c)` for k pairs of columns, everything in C order: m by k.
    ///
    /// # Panics
    /// Unless x has n1 k elements and y n2 k.
    pub fn apply_pair(&self, x: &[f64], y: &[f64], k: usize) -> Vec<f64> {
        assert_eq!((x.len(), y.len()), (self.shape.0 * k, self.shape.1 * k), "factors of {:?}", self.shape);
        let (x, y, scale) = (self.turned(x, k, 0), self.turned(y, k, 1), self.scale());
        let mut out = Vec::with_capacity(self.kept.len() * k);
        for &(p, q) in &self.kept {
            out.extend((0..k).map(|c| scale * (x[p * k + c] * y[q * k + c])));
        }
        out
    }

    /// `S v` for one vector of n1 n2 elements, the second index running fastest.
    ///
    /// # Panics
    /// Unless v has that many.
    pub fn apply(&self, v: &[f64]) -> Vec<f64> {
        let (n1, n2) = self.shape;
        assert_eq!(v.len(), n1 * n2, "a vector of {n1} times {n2} elements");
        let (p, q) = (padded_size(n1) as usize, padded_size(n2) as usize);
        let (s1, s2) = (self.signs(0), self.signs(1));
        let mut z = vec![0.0; p * q];
        for ((row, v), s1) in z.chunks_mut(q).zip(v.chunks(n2.max(1))).zip(s1) {
            row.iter_mut().zip(v).zip(&s2).for_each(|((z, v), s2)| *z = s1 * s2 * v);
        }
        both_axes(&mut z, q);
        let scale = self.scale();
        self.kept.iter().map(|&(i, j)| scale * z[i * q + j]).collect()
    }

    /// `S^T y`: n1 n2 elements.
    ///
    /// # Panics
    /// Unless y has m.
    pub fn apply_adjoint(&self, y: &[f64]) -> Vec<f64> {
        assert_eq!(y.len(), self.kept.len(), "one element a row of S");
        let (n1, n2) = self.shape;
        let (p, q) = (padded_size(n1) as usize, padded_size(n2) as usize);
        let mut z = vec![0.0; p * q];
        let scale = self.scale();
        for (&(i, j), y) in self.kept.iter().zip(y) {
            z[i * q + j] += scale * y;
        }
        both_axes(&mut z, q);
        let (s1, s2) = (self.signs(0), self.signs(1));
        let mut out = Vec::with_capacity(n1 * n2);
        for (row, s1) in z.chunks(q).zip(s1) {
            out.extend(row.iter().zip(&s2).map(|(z, s2)| s1 * s2 * z));
        }
        out
    }

    /// S itself, m by n1 n2 in C order.
    pub fn to_dense(&self) -> Vec<f64> {
        let (n1, n2) = self.shape;
        let (s1, s2, scale) = (self.signs(0), self.signs(1), self.scale());
        let mut out = Vec::with_capacity(self.kept.len() * n1 * n2);
        for &(p, q) in &self.kept {
            for i in 0..n1 {
                for j in 0..n2 {
                    let negative = is_negative(p as u64, i as u64) != is_negative(q as u64, j as u64);
                    let sign = s1[i] * s2[j] * scale;
                    out.push(if negative { -sign } else { sign });
                }
            }
        }
        out
    }
}

/// H z H for a matrix of 2^a rows of `width` = 2^b elements.
fn both_axes(z: &mut [f64], width: usize) {
    transform(z, width);
    z.chunks_mut(width).for_each(|row| transform(row, 1));
}
