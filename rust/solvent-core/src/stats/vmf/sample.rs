//! Random directions in O(d) each.
//!
//! t = mu.x is drawn first, then a uniform direction of the tangent space at e1, then **one Householder reflection**
//! carries e1 to mu. t comes from Wood's rejection (Comm. Stat. Simul. 23 (1994) 157), with closed forms for d = 2 and
//! d = 3. All of it is written in s = 1 - t, which keeps its relative accuracy when kappa is large and t all but 1.

use super::VmfError;
use crate::base::monitor::Monitor;
use crate::base::rng::Philox;

/// Doubles of one block of rows; each block has its own Philox stream, so that neither threads nor the number of rows
/// asked for can change a row.
const BLOCK_ELEMENTS: usize = 8192;

/// Draws s = 1 - mu.x.
enum Radial {
    /// kappa = 0: the whole vector is uniform and s is not needed.
    Uniform,
    /// d = 3: the distribution function of t inverted.
    Langevin { kappa: f64, expm1: f64 },
    /// Rejection from the envelope `t = (1 - (1+b) z)/(1 - (1-b) z)`, z beta distributed.
    Wood { kappa: f64, d: f64, b: f64, mode: f64 },
}

/// Beyond this kappa no dimension counts beside it.
const LARGE: f64 = 1e300;

impl Radial {
    fn new(d: usize, kappa: f64) -> Self {
        if kappa == 0.0 {
            return Self::Uniform;
        }
        if d == 3 {
            return Self::Langevin { kappa, expm1: (-2.0 * kappa).exp_m1() };
        }
        let m = d as f64 - 1.0;
        // (Of the largest kappa the double overflows, and m is nothing beside it.)
        let b = if kappa > LARGE { 0.25 * (m / kappa) } else { m / (2.0 * kappa + (2.0 * kappa).hypot(m)) };
        Self::Wood { kappa, d: d as f64, b, mode: 2.0 * b / (1.0 + b) }
    }

    fn draw(&self, rng: &mut Philox) -> f64 {
        match *self {
            Self::Uniform => 1.0,
            // F(t) = u: s = -log(1 + u (e^(-2 kappa) - 1))/kappa.
            Self::Langevin { kappa, expm1 } => -(rng.uniform() * expm1).ln_1p() / kappa,
            Self::Wood { kappa, d, b, mode } => loop {
                let z = beta(rng, d);
                // 1 - t, and the log of target over envelope relative to its value at s = mode.
                let s = 2.0 * b * z / (1.0 - (1.0 - b) * z);
                let off = (s - mode) * (1.0 - mode) / (mode * (2.0 - mode));
                if kappa * (mode - s) + (d - 1.0) * off.ln_1p() >= -rng.exponential() {
                    return s;
                }
            },
        }
    }
}

/// Beta((d-1)/2, (d-1)/2): the arcsine law for d = 2, else from two gammas.
fn beta(rng: &mut Philox, d: f64) -> f64 {
    if d == 2.0 {
        let sine = (std::f64::consts::FRAC_PI_2 * rng.uniform()).sin();
        return sine * sine;
    }
    let shape = 0.5 * (d - 1.0);
    let (a, b) = (rng.gamma(shape), rng.gamma(shape));
    a / (a + b)
}

/// The reflection `x - u (2 u.x/u.u)` with `u = mu + sign e1`, sign that of mu's first element: it carries `-sign e1`
/// to mu, and u.u >= 2 whatever mu is (e1 - mu would vanish beside e1 and lose all digits).
struct Reflection {
    u: Vec<f64>,
    factor: f64,
    sign: f64,
}

impl Reflection {
    fn new(mu: &[f64]) -> Self {
        let norm = dot(mu, mu).sqrt();
        let mut u: Vec<f64> = mu.iter().map(|m| m / norm).collect();
        let sign = if u[0] < 0.0 { -1.0 } else { 1.0 };
        u[0] += sign;
        let factor = 2.0 / dot(&u, &u);
        Self { u, factor, sign }
    }

    /// Carries a row given in the frame of e1 (its first element along e1) to the frame of mu.
    fn apply(&self, row: &mut [f64]) {
        row[0] *= -self.sign;
        let s = self.factor * dot(&self.u, row);
        row.iter_mut().zip(&self.u).for_each(|(x, u)| *x -= s * u);
    }
}

/// A dot product in eight running sums.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (mut a8, mut b8) = (a.chunks_exact(8), b.chunks_exact(8));
    for (x, y) in (&mut a8).zip(&mut b8) {
        for i in 0..8 {
            sums[i] += x[i] * y[i];
        }
    }
    let rest: f64 = a8.remainder().iter().zip(b8.remainder()).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f64>() + rest
}

/// A uniform unit vector.
fn uniform_direction(rng: &mut Philox, out: &mut [f64]) {
    if let [one] = out {
        *one = if rng.next_u32() & 1 == 0 { 1.0 } else { -1.0 };
        return;
    }
    rng.fill_normal(out);
    let scale = 1.0 / dot(out, out).sqrt();
    out.iter_mut().for_each(|x| *x *= scale);
}

/// Fills `out` with unit rows (one after the other, `mu.len()` elements each) drawn around `mu` with concentration
/// `kappa`. The rows are a function of (seed, stream) and their index alone.
pub fn sample(
    mu: &[f64],
    kappa: f64,
    (seed, stream): (u64, u32),
    out: &mut [f64],
    monitor: &mut Monitor<'_>,
) -> Result<(), VmfError> {
    let d = mu.len();
    let radial = Radial::new(d, kappa);
    let reflection = Reflection::new(mu);
    let rows = (BLOCK_ELEMENTS / d).max(1);
    let blocks = out.chunks_mut(rows * d).enumerate();
    monitor.map_items(blocks, |(index, block)| {
        let mut rng = Philox::new(seed, stream, index as u32);
        for row in block.chunks_exact_mut(d) {
            if let Radial::Uniform = radial {
                uniform_direction(&mut rng, row);
                continue;
            }
            let s = radial.draw(&mut rng);
            let across = (s * (2.0 - s)).max(0.0).sqrt();
            uniform_direction(&mut rng, &mut row[1..]);
            row[1..].iter_mut().for_each(|x| *x *= across);
            row[0] = 1.0 - s;
            reflection.apply(row);
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;
    use crate::base::monitor::{Budget, Silent};

    #[test]
    fn the_reflection_carries_e1_to_mu_even_beside_e1() {
        for tiny in [1.0, 1e-3, 1e-9, 0.0] {
            for sign in [1.0, -1.0] {
                let mu = [sign, tiny, -tiny];
                let norm = dot(&mu, &mu).sqrt();
                let mut e1 = [1.0, 0.0, 0.0];
                Reflection::new(&mu).apply(&mut e1);
                for (x, m) in e1.iter().zip(mu) {
                    assert_relative_eq!(*x, m / norm, epsilon = 1e-30, max_relative = 1.5e-15);
                }
            }
        }
    }

    #[test]
    fn rows_are_unit_and_a_longer_sample_begins_with_the_shorter() {
        let mut silent = Silent;
        let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut silent, &[]);
        for (d, kappa) in [(2, 3.0), (3, 1e9), (17, 0.0), (600, 400.0)] {
            let mu: Vec<f64> = (0..d).map(|i| ((i * 7 + 3) % 11) as f64 - 5.0).collect();
            let (mut long, mut short) = (vec![0.0; 40 * d], vec![0.0; 29 * d]);
            sample(&mu, kappa, (7, 1), &mut long, &mut monitor).unwrap();
            sample(&mu, kappa, (7, 1), &mut short, &mut monitor).unwrap();
            assert_eq!(long[..short.len()], short[..]);
            for row in long.chunks(d) {
                assert_relative_eq!(dot(row, row), 1.0, epsilon = 4e-15);
            }
        }
    }
}
