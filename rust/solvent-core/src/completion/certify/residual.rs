//! The residuals of a payload with the rounding of their evaluation, and the sums that certificates are made of.
//!
//! Operation count of one residual: y - mean (1), the roots of S (1 each side), U S^1/2 and V S^1/2 (1 each), the dot
//! product (k), two biases and the difference (3): less than k + 8 roundings on any path, each at most u of a partial sum
//! of the moduli, so that |r - r_exact| <= gamma_(k+8) (|y| + |mean| + |beta| + |gamma| + |u_i| |v_j|), where the dot
//! product of the moduli is bounded by the norms. `TINY` covers underflow.

use std::ops::Range;

use super::{Evidence, U, gamma};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sum::Sum;
use crate::completion::entry::Entry;
use crate::completion::factor::Factor;
use crate::completion::kernels::product::Fitted;
use crate::completion::payload::Payload;
use crate::completion::problem::unit_of;
use crate::completion::step::chunks;

/// Absolute error of one evaluation by underflow, in scaled units.
const TINY: f64 = 1e-290;

/// Residuals and dual variables in scaled units, in the order of the entries.
pub struct Residuals {
    /// The power of two that scales the data.
    pub unit: f64,
    /// `u_i` and `v_j` with `U S^1/2`, `V S^1/2`.
    pub u: Factor<f64>,
    /// The right factor.
    pub v: Factor<f64>,
    /// `z = w psi(r)`, with |z| <= w delta.
    pub z: Vec<f64>,
    /// `sum w l(r)/2`, rounded.
    pub loss: f64,
    /// How much the exact loss may exceed it: `sum w (|psi| rho + rho²/2)`, and its own rounding.
    pub loss_slack: f64,
    /// `<Z, Y - mean>`.
    pub inner: f64,
    /// Its error.
    pub inner_slack: f64,
    /// At least `sum z²/w`.
    pub quadratic: f64,
    /// `|r|`, Euclidean.
    pub norm: f64,
    /// At least the norm of the errors of the residuals.
    pub norm_slack: f64,
    /// At least the norm of `w` times these errors.
    pub weighted_slack: f64,
    /// `|P(Y - mean)|`; the data's own norm, `|P(Y)|`, is `data`.
    pub centred: f64,
    /// `|P(Y)|`.
    pub data: f64,
    /// `sum w y²/2`, rounded.
    pub energy: f64,
    /// The largest modulus of an entry, in scaled units.
    pub largest: f64,
}

#[derive(Default)]
struct Part {
    z: Vec<f64>,
    loss: Sum,
    slack: f64,
    inner: Sum,
    inner_moduli: f64,
    quadratic: Sum,
    squares: Sum,
    rho2: f64,
    weighted2: f64,
    centred: Sum,
    data: Sum,
    energy: f64,
}

/// The bases of the sides and what a block of rows needs.
struct Pass<'a, 'b, T> {
    evidence: &'a Evidence<'b, T>,
    u: &'a Factor<f64>,
    v: &'a Factor<f64>,
    norms: (&'a [f64], &'a [f64]),
    bias: Option<(&'a [f64], &'a [f64])>,
    mean: f64,
    unit: f64,
    delta: Option<f64>,
}

impl<T: Entry> Pass<'_, '_, T> {
    fn block(&self, rows: Range<usize>) -> Part {
        let entries = self.evidence.entries;
        let (from, to) = (entries.range(rows.start).start, entries.range(rows.end - 1).end);
        let mut fit = vec![0.0; to - from];
        let (indptr, indices) = (entries.indptr(), entries.indices());
        f64::fitted(Fitted { indptr, indices, u: self.u, v: self.v, rows: rows.clone(), out: &mut fit });
        let mut part = Part { z: Vec::with_capacity(to - from), ..Part::default() };
        let g = gamma(self.u.width() as f64 + 8.0);
        for i in rows {
            for e in entries.range(i) {
                let j = entries.indices()[e] as usize;
                let given = entries.data()[e].to_f64();
                let y = (given - self.mean) * self.unit;
                let (beta, shift) = self.bias.map_or((0.0, 0.0), |(row, column)| (row[i], column[j]));
                let r = y - beta - shift - fit[e - from];
                let moduli = (given.abs() + self.mean.abs()) * self.unit
                    + beta.abs()
                    + shift.abs()
                    + self.norms.0[i] * self.norms.1[j];
                // Nothing rounds where every operand is zero.
                let rho = if moduli > 0.0 { g * 1.01 * moduli + TINY } else { 0.0 };
                let w = self.evidence.weights.map_or(1.0, |w| w[e].to_f64());
                // The clip keeps |w psi| <= w delta after rounding.
                let psi = self.delta.map_or(r, |d| r.clamp(-d * (1.0 - 4.0 * U), d * (1.0 - 4.0 * U)));
                let z = w * psi;
                match self.delta {
                    Some(d) if r.abs() > d => part.loss.add(0.5 * w * d * (2.0 * r.abs() - d)),
                    _ => part.loss.add_product(0.5 * w * r, r),
                }
                part.slack += w * (psi.abs() * rho * (1.0 + 8.0 * U) + 0.5 * rho * rho);
                part.inner.add_product(z, y);
                part.inner_moduli += (z * y).abs();
                part.quadratic.add_product(z, z / w);
                part.squares.add_product(r, r);
                part.rho2 += rho * rho;
                part.weighted2 += w * w * rho * rho;
                part.centred.add_product(y, y);
                part.data.add_product(given * self.unit, given * self.unit);
                part.energy += 0.5 * w * (given * self.unit) * (given * self.unit);
                part.z.push(z);
            }
        }
        part
    }
}

impl Residuals {
    /// One pass over the entries.
    pub fn new<T: Entry>(
        evidence: &Evidence<'_, T>,
        payload: &Payload<T>,
        monitor: &mut Monitor<'_>,
    ) -> Result<Self, Aborted> {
        let (entries, mean) = (evidence.entries, payload.mean);
        let unit = unit_of(entries.data(), mean, false);
        let (u, v) = wide(payload, unit);
        // Norms from above: k + 2 roundings.
        let norms = |x: &Factor<f64>| -> Vec<f64> {
            let up = 1.0 + 2.0 * gamma(x.width() as f64 + 4.0);
            (0..x.rows()).map(|i| up * x.row(i).iter().map(|a| a * a).sum::<f64>().sqrt()).collect()
        };
        let scaled = |x: &[T]| -> Vec<f64> { x.iter().map(|b| b.to_f64() * unit).collect() };
        let (row_norms, column_norms) = (norms(&u), norms(&v));
        let bias = payload.bias.as_ref().map(|(row, column)| (scaled(row), scaled(column)));
        let delta = evidence.penalty.delta.map(|d| d * unit);
        let pass = Pass {
            evidence,
            u: &u,
            v: &v,
            norms: (&row_norms, &column_norms),
            bias: bias.as_ref().map(|(row, column)| (row.as_slice(), column.as_slice())),
            mean,
            unit,
            delta,
        };
        let parts = monitor.map_items(chunks(&entries).into_iter(), |rows| pass.block(rows))?;
        let mut all = Part { z: Vec::with_capacity(entries.nnz()), ..Part::default() };
        for mut part in parts {
            all.z.append(&mut part.z);
            all.loss.merge(part.loss);
            all.inner.merge(part.inner);
            all.quadratic.merge(part.quadratic);
            all.squares.merge(part.squares);
            all.centred.merge(part.centred);
            all.data.merge(part.data);
            all.energy += part.energy;
            all.slack += part.slack;
            all.inner_moduli += part.inner_moduli;
            all.rho2 += part.rho2;
            all.weighted2 += part.weighted2;
        }
        let count = entries.nnz() as f64;
        // Plain sums of non-negative terms: at most `count` roundings each, and the few of a term.
        let plain = 1.0 + 2.0 * gamma(count + 8.0);
        // Compensated ones: 2 u of the result and 2 n² u² of the moduli; products of three factors 2 u more.
        let compensated = 8.0 * U + 4.0 * (count * U) * (count * U);
        let loss = all.loss.value();
        let inner = all.inner.value();
        let u_of_moduli = compensated + 2.0 * U;
        let tiny = if all.rho2 > 0.0 { TINY * count } else { 0.0 };
        Ok(Self {
            unit,
            loss,
            loss_slack: all.slack * plain + compensated * loss + tiny,
            inner,
            inner_slack: u_of_moduli * all.inner_moduli * plain + tiny,
            quadratic: all.quadratic.value() * (1.0 + compensated) + tiny,
            norm: all.squares.value().max(0.0).sqrt() * (1.0 + compensated),
            norm_slack: (all.rho2 * plain).sqrt(),
            weighted_slack: (all.weighted2 * plain).sqrt(),
            centred: all.centred.value().sqrt(),
            data: all.data.value().sqrt(),
            energy: all.energy,
            largest: entries.data().iter().fold(0.0, |m: f64, y| m.max(y.to_f64().abs())) * unit,
            z: all.z,
            u,
            v,
        })
    }
}

/// `U S^1/2` and `V S^1/2` of a payload in double precision, scaled.
pub fn wide<T: Entry>(payload: &Payload<T>, unit: f64) -> (Factor<f64>, Factor<f64>) {
    let r = payload.rank();
    let roots: Vec<f64> = payload.s.iter().map(|s| (s.to_f64() * unit).max(0.0).sqrt()).collect();
    let side = |count: usize, x: &[T]| Factor::from_fn(count, r, |i, l| x[i * r + l].to_f64() * roots[l]);
    (side(payload.m, &payload.u), side(payload.n, &payload.v))
}
