//! Mehrotra's predictor-corrector method on the pair of linear programs that a game is, with its structure.
//!
//! ```text
//! Mᵀx + s = v 1,   1ᵀx = 1,   x, s >= 0        M y - z = u 1,   1ᵀy = 1,   y, z >= 0
//! ```
//!
//! minimising v and maximising u; complementarity x∘z and y∘s. A step eliminates everything but dy, du, dv: with D = x/z
//! and `K = diag(s/y) + Mᵀ D M`, S = K⁻¹ [MᵀD1, 1],
//!
//! ```text
//! w = D (r3 + r5/x),   q = K⁻¹ (r6/y - r1 + Mᵀw),   dy = q + S₀ du - S₁ dv,   dx = w - D (M dy - du)
//! ```
//!
//! where du, dv solve a 2x2 system. r1..r4 are the residuals of the four equations, r5 and r6 what the products x∘z and
//! y∘s are to change by. The gap of (x, y), scaled to sum 1, is exact whatever the residuals: it judges.
//!
//! (Mehrotra, SIAM J. Optim. 2 (1992) 575; the correctors of Gondzio, Comput. Optim. Appl. 6 (1996) 137.)

use super::normal::Factor;
use super::pair::{Pair, spread};
use super::problem::{Dense, Form, Payoff, Precision};
use crate::base::dense::Matrix;
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;

/// Steps end this little before the boundary.
const DAMPING: f64 = 0.9995;
/// Relative shifts of the diagonal to try where K is not positive definite to working precision.
const SHIFTS: [f64; 5] = [0.0, 1e-15, 1e-14, 1e-13, 1e-12];
/// Gaps above this many max|M| need directions to few digits only.
const SINGLE: f64 = 1e-4;
/// Centrality correctors a step.
const CORRECTORS: usize = 2;

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stepped {
    /// The iterate moved.
    Moved,
    /// No direction can be computed any more.
    Stuck,
}

/// The iterate.
pub struct Ipm<'a> {
    game: &'a Dense,
    x: Vec<f64>,
    z: Vec<f64>,
    y: Vec<f64>,
    s: Vec<f64>,
    u: f64,
    v: f64,
    /// `M y`.
    h: Vec<f64>,
    /// `Mᵀ x`.
    g: Vec<f64>,
    gap: f64,
    /// Which of the shifts the last factorisation took.
    shift: usize,
    mixed: bool,
    /// Whether this step is taken in single precision.
    single: bool,
    /// Products with M so far.
    pub matvecs: u64,
}

/// A direction.
struct Direction {
    x: Vec<f64>,
    z: Vec<f64>,
    y: Vec<f64>,
    s: Vec<f64>,
    u: f64,
    v: f64,
}

/// How far the two programs go along a direction: (x, s, v) and (y, z, u).
#[derive(Clone, Copy)]
struct Lengths {
    row: f64,
    column: f64,
}

/// The right-hand side of Newton's system.
struct Target<'a> {
    r1: &'a [f64],
    r2: f64,
    r3: &'a [f64],
    r4: f64,
    r5: Vec<f64>,
    r6: Vec<f64>,
}

/// What all directions of a step share.
struct System {
    factor: Factor,
    d: Vec<f64>,
    /// `MᵀD1`.
    a: Vec<f64>,
    /// `K⁻¹ [MᵀD1, 1]`.
    s0: Vec<f64>,
    s1: Vec<f64>,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn total(a: &[f64]) -> f64 {
    a.iter().sum()
}

/// The largest step in (0, 1] that keeps p >= 0.
fn reach(p: &[f64], dp: &[f64]) -> f64 {
    p.iter().zip(dp).fold(1.0, |t: f64, (&p, &dp)| if dp < 0.0 { t.min(-p / dp) } else { t })
}

impl<'a> Ipm<'a> {
    /// Starts at (x, y) > 0 that sum to 1.
    pub fn new(
        game: &'a Dense,
        x: Vec<f64>,
        y: Vec<f64>,
        mixed: bool,
        monitor: &mut Monitor<'_>,
    ) -> Result<Self, Aborted> {
        let (mut h, mut g) = (vec![0.0; x.len()], vec![0.0; y.len()]);
        game.rows().both(&x, &y, &mut h, &mut g, monitor)?;
        let v = g.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b)) + 0.1;
        let u = h.iter().fold(f64::INFINITY, |a, &b| a.min(b)) - 0.1;
        let s = g.iter().map(|g| v - g).collect();
        let z = h.iter().map(|h| h - u).collect();
        let gap = spread(&h, &g);
        Ok(Self { game, x, z, y, s, u, v, h, g, gap, shift: 0, mixed, single: false, matvecs: 2 })
    }

    /// The gap of the iterate, scaled to sum 1.
    pub fn gap(&self) -> f64 {
        self.gap
    }

    /// The iterate as a pair of strategies.
    pub fn pair(&self) -> Pair {
        Pair { gap: self.gap, ..Pair::fitted(&self.x, &self.y) }
    }

    /// `M y` and `Mᵀ x` of the pair.
    pub fn products(&self) -> (Vec<f64>, Vec<f64>) {
        let (of_x, of_y) = (total(&self.x), total(&self.y));
        (self.h.iter().map(|h| h / of_y).collect(), self.g.iter().map(|g| g / of_x).collect())
    }

    /// One step: a factorisation, predictor, corrector, and what centrality correctors help.
    pub fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Stepped, Aborted> {
        let (n, m) = self.game.shape();
        let r1: Vec<f64> = (0..m).map(|j| self.v - self.g[j] - self.s[j]).collect();
        let r3: Vec<f64> = (0..n).map(|i| self.z[i] + self.u - self.h[i]).collect();
        let (r2, r4) = (1.0 - total(&self.x), 1.0 - total(&self.y));
        let mu = (dot(&self.x, &self.z) + dot(&self.y, &self.s)) / (n + m) as f64;

        let affine = Target {
            r5: self.x.iter().zip(&self.z).map(|(x, z)| -x * z).collect(),
            r6: self.y.iter().zip(&self.s).map(|(y, s)| -y * s).collect(),
            r1: &r1,
            r2,
            r3: &r3,
            r4,
        };
        let Some((system, predictor)) = self.system(&affine, monitor)? else { return Ok(Stepped::Stuck) };
        let lengths = self.lengths(&predictor);
        let mu_affine = self.complementarity(&predictor, lengths);
        let centre = (mu_affine / mu).powi(3) * mu;
        if !centre.is_finite() {
            return Ok(Stepped::Stuck);
        }
        let aim = |r: &[f64], a: &[f64], b: &[f64]| {
            r.iter().zip(a.iter().zip(b)).map(|(r, (a, b))| centre + r - a * b).collect::<Vec<f64>>()
        };
        let target = Target {
            r5: aim(&affine.r5, &predictor.x, &predictor.z),
            r6: aim(&affine.r6, &predictor.y, &predictor.s),
            ..affine
        };
        let mut direction = self.direction(&system, &target, monitor)?;
        let mut lengths = self.lengths(&direction);
        for _ in 0..CORRECTORS {
            let Some((better, longer)) = self.corrected(&system, &direction, lengths, centre, monitor)?
            else {
                break;
            };
            (direction, lengths) = (better, longer);
        }
        if !self.advance(&direction, lengths) {
            return Ok(Stepped::Stuck);
        }
        self.game.rows().both(&self.x, &self.y, &mut self.h, &mut self.g, monitor)?;
        self.matvecs += 2;
        let (h, g) = self.products();
        self.gap = spread(&h, &g);
        Ok(if self.gap.is_nan() { Stepped::Stuck } else { Stepped::Moved })
    }

    /// Forms and factorises K, and solves for the predictor with what else is known by then.
    fn system(
        &mut self,
        affine: &Target<'_>,
        monitor: &mut Monitor<'_>,
    ) -> Result<Option<(System, Direction)>, Aborted> {
        let m = self.y.len();
        let d: Vec<f64> = self.x.iter().zip(&self.z).map(|(x, z)| x / z).collect();
        let e: Vec<f64> = self.s.iter().zip(&self.y).map(|(s, y)| s / y).collect();
        let single = self.mixed && self.gap > SINGLE * self.game.magnitude();
        self.single = single;
        let mut factor = Factor::new(self.game, &d, &e, single, SHIFTS[self.shift], monitor)?;
        while factor.is_err() {
            // A degenerate game: K loses rank. Single precision gives way to double first, then the diagonal is shifted.
            if !self.single {
                self.shift += 1;
                if self.shift == SHIFTS.len() {
                    self.shift -= 1;
                    return Ok(None);
                }
            }
            (self.single, self.mixed) = (false, false);
            factor = Factor::new(self.game, &d, &e, false, SHIFTS[self.shift], monitor)?;
        }
        let Ok(factor) = factor else { return Ok(None) };
        let mut a = vec![0.0; m];
        self.product(Form::Transposed, &d, &mut a, monitor)?;
        let (w, b) = self.reduced(&d, affine, monitor)?;
        let mut columns = Matrix::zeros(m, 3);
        columns.column_mut(0).copy_from_slice(&a);
        columns.column_mut(1).fill(1.0);
        columns.column_mut(2).copy_from_slice(&b);
        factor.solve(&mut columns);
        let q = columns.column(2).to_vec();
        let system = System { factor, d, a, s0: columns.column(0).to_vec(), s1: columns.column(1).to_vec() };
        let direction = self.assemble(&system, affine, w, q, monitor)?;
        Ok(Some((system, direction)))
    }

    /// `w` and `r6/y - r1 + Mᵀw`.
    fn reduced(
        &mut self,
        d: &[f64],
        target: &Target<'_>,
        monitor: &mut Monitor<'_>,
    ) -> Result<(Vec<f64>, Vec<f64>), Aborted> {
        let w: Vec<f64> = (0..d.len()).map(|i| d[i] * (target.r3[i] + target.r5[i] / self.x[i])).collect();
        let mut b = vec![0.0; self.y.len()];
        self.product(Form::Transposed, &w, &mut b, monitor)?;
        for j in 0..b.len() {
            b[j] += target.r6[j] / self.y[j] - target.r1[j];
        }
        Ok((w, b))
    }

    fn direction(
        &mut self,
        system: &System,
        target: &Target<'_>,
        monitor: &mut Monitor<'_>,
    ) -> Result<Direction, Aborted> {
        let (w, b) = self.reduced(&system.d, target, monitor)?;
        let mut b = Matrix::from_column_major(b, self.y.len(), 1);
        system.factor.solve(&mut b);
        self.assemble(system, target, w, b.into_vec(), monitor)
    }

    fn assemble(
        &mut self,
        system: &System,
        target: &Target<'_>,
        w: Vec<f64>,
        q: Vec<f64>,
        monitor: &mut Monitor<'_>,
    ) -> Result<Direction, Aborted> {
        let System { d, a, s0, s1, .. } = system;
        let (n, m) = (d.len(), q.len());
        let (b00, b01) = (total(s0), -total(s1));
        let (b10, b11) = (total(d) - dot(a, s0), dot(a, s1));
        let (c0, c1) = (target.r4 - total(&q), target.r2 - total(&w) + dot(a, &q));
        let determinant = b00 * b11 - b01 * b10;
        let u = (c0 * b11 - b01 * c1) / determinant;
        let v = (b00 * c1 - b10 * c0) / determinant;
        let y: Vec<f64> = (0..m).map(|j| q[j] + s0[j] * u - s1[j] * v).collect();
        let mut z = vec![0.0; n];
        self.product(Form::Plain, &y, &mut z, monitor)?;
        let x: Vec<f64> = (0..n).map(|i| w[i] - d[i] * (z[i] - u)).collect();
        z.iter_mut().zip(target.r3).for_each(|(z, r3)| *z -= u + r3);
        let mut s = vec![0.0; m];
        self.product(Form::Transposed, &x, &mut s, monitor)?;
        s.iter_mut().zip(target.r1).for_each(|(s, r1)| *s = r1 + v - *s);
        Ok(Direction { x, z, y, s, u, v })
    }

    /// The precision of directions. Residuals are always in double, so that what a step misses the next one sees.
    fn precision(&self) -> Precision {
        if self.single { Precision::Single } else { Precision::Double }
    }

    /// `M v` or `Mᵀ v` for a direction.
    fn product(
        &mut self,
        form: Form,
        v: &[f64],
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        self.matvecs += 1;
        self.game.product(form, v, self.precision(), out, monitor)
    }

    fn lengths(&self, step: &Direction) -> Lengths {
        Lengths {
            row: reach(&self.x, &step.x).min(reach(&self.s, &step.s)),
            column: reach(&self.y, &step.y).min(reach(&self.z, &step.z)),
        }
    }

    /// The mean product of complementary variables after a step.
    fn complementarity(&self, step: &Direction, at: Lengths) -> f64 {
        let rows =
            (0..self.x.len()).map(|i| (self.x[i] + at.row * step.x[i]) * (self.z[i] + at.column * step.z[i]));
        let columns =
            (0..self.y.len()).map(|j| (self.y[j] + at.column * step.y[j]) * (self.s[j] + at.row * step.s[j]));
        (rows.sum::<f64>() + columns.sum::<f64>()) / (self.x.len() + self.y.len()) as f64
    }

    /// Gondzio's centrality corrector: where a longer step would take products far from their target, aim at bringing
    /// those back. `None` unless that lengthens the step.
    fn corrected(
        &mut self,
        system: &System,
        step: &Direction,
        lengths: Lengths,
        centre: f64,
        monitor: &mut Monitor<'_>,
    ) -> Result<Option<(Direction, Lengths)>, Aborted> {
        if centre <= 0.0 {
            return Ok(None);
        }
        let longer = |t: f64| (1.08 * t + 0.08).min(1.0);
        let (row, column) = (longer(lengths.row), longer(lengths.column));
        let pull = |p: f64| (p.clamp(0.1 * centre, 10.0 * centre) - p).max(-10.0 * centre);
        let r5 = (0..self.x.len())
            .map(|i| pull((self.x[i] + row * step.x[i]) * (self.z[i] + column * step.z[i])))
            .collect();
        let r6 = (0..self.y.len())
            .map(|j| pull((self.y[j] + column * step.y[j]) * (self.s[j] + row * step.s[j])))
            .collect();
        let (r1, r3) = (vec![0.0; self.y.len()], vec![0.0; self.x.len()]);
        let target = Target { r1: &r1, r2: 0.0, r3: &r3, r4: 0.0, r5, r6 };
        let correction = self.direction(system, &target, monitor)?;
        let add = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<f64>>();
        let sum = Direction {
            x: add(&step.x, &correction.x),
            z: add(&step.z, &correction.z),
            y: add(&step.y, &correction.y),
            s: add(&step.s, &correction.s),
            u: step.u + correction.u,
            v: step.v + correction.v,
        };
        let reached = self.lengths(&sum);
        let gained = reached.row + reached.column - lengths.row - lengths.column;
        let holds = reached.row >= lengths.row && reached.column >= lengths.column && gained > 0.02;
        Ok(holds.then_some((sum, reached)))
    }

    /// Moves; false where the iterate would not stay finite and positive.
    fn advance(&mut self, step: &Direction, lengths: Lengths) -> bool {
        let damped = |t: f64| if t >= 1.0 { 1.0 } else { DAMPING * t };
        let (row, column) = (damped(lengths.row), damped(lengths.column));
        let finite = [&step.x, &step.z, &step.y, &step.s].iter().all(|d| total(d).is_finite());
        if !(finite && step.u.is_finite() && step.v.is_finite()) {
            return false;
        }
        let go = |p: &mut [f64], d: &[f64], t: f64| p.iter_mut().zip(d).for_each(|(p, d)| *p += t * d);
        go(&mut self.x, &step.x, row);
        go(&mut self.s, &step.s, row);
        self.v += row * step.v;
        go(&mut self.y, &step.y, column);
        go(&mut self.z, &step.z, column);
        self.u += column * step.u;
        // Rounding may take a tiny entry to 0 or below it.
        for p in [&mut self.x, &mut self.s, &mut self.y, &mut self.z] {
            p.iter_mut().for_each(|p| *p = p.max(1e-300));
        }
        true
    }
}
