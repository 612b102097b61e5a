//! The x with A(x) = I_v(x)/I_{v-1}(x) = r: the maximum-likelihood equation of von Mises-Fisher.
//!
//! Newton's method in log x, on log A where r <= 1/2 and on log(1 - A) beyond: both are nearly straight lines there
//! (A ~ x/(2v) for small x, 1 - A ~ (v - 1/2)/x for large), so that few steps do. Where v is next to 1/2, 1 - A falls as
//! exp(-2x) before it does as 1/x: there steps are taken in x itself. They are kept inside the bracket that inverting
//! Amos's bounds gives (Amos, Math. Comp. 28, 1974, v >= 1/2),
//!
//! ```text
//! x/(v - 1/2 + hypot(x, v + 1/2)) <= A <= x/(v - 1/2 + hypot(x, v - 1/2)).
//! ```

use super::block::{BLOCK, evaluate};
use super::ratio::{IvRatio, IvRatioC};

/// Newton's steps at most; three or four are common.
const STEPS: usize = 12;
/// Halvings of the bracket after those, at most.
const HALVINGS: usize = 100;
/// Where 1 - A falls faster than this power of x, it falls as an exponential.
const POWER: f64 = 2.0;
/// From here on the two leading terms of the expansion give A' to a part in a thousand.
const EXPANSION_FROM: f64 = 1e3;

/// Writes the x with I_v(x)/I_{v-1}(x) = r over `out`: v >= 1/2, 0 <= r <= 1, elsewhere nan.
///
/// # Panics
/// If the lengths differ.
pub fn iv_ratio_inv(v: &[f64], r: &[f64], out: &mut [f64]) {
    assert_eq!(v.len(), r.len());
    assert_eq!(v.len(), out.len());
    for ((v, r), out) in v.chunks(BLOCK).zip(r.chunks(BLOCK)).zip(out.chunks_mut(BLOCK)) {
        invert_block(v, r, out);
    }
}

/// An equation that is being solved.
#[derive(Clone, Copy, Default)]
struct Search {
    low: f64,
    high: f64,
    active: bool,
}

fn invert_block(v: &[f64], r: &[f64], out: &mut [f64]) {
    let n = v.len();
    let mut searches = [Search::default(); BLOCK];
    for i in 0..n {
        (out[i], searches[i]) = start(v[i], r[i]);
    }
    let (mut ratio, mut complement) = ([0.0; BLOCK], [0.0; BLOCK]);
    for k in 0..STEPS + HALVINGS {
        if !searches[..n].iter().any(|s| s.active) {
            return;
        }
        evaluate::<IvRatio>(v, out, &mut ratio[..n], &mut []);
        evaluate::<IvRatioC>(v, out, &mut complement[..n], &mut []);
        for i in 0..n {
            if searches[i].active {
                out[i] = searches[i].step(k, v[i], r[i], out[i], ratio[i], complement[i]);
            }
        }
    }
}

/// The solution at the ends of the domain, or a first guess and its bracket.
fn start(v: f64, r: f64) -> (f64, Search) {
    let done = Search::default();
    if !(v >= 0.5 && (0.0..=1.0).contains(&r)) {
        return (f64::NAN, done);
    }
    if r == 0.0 {
        return (0.0, done);
    }
    if r == 1.0 || v == f64::INFINITY {
        return (f64::INFINITY, done);
    }
    let low = invert_amos(v, v - 0.5, r);
    let high = invert_amos(v, v + 0.5, r);
    if low == f64::INFINITY || high == 0.0 {
        return (low, done);
    }
    // Banerjee et al. (2005), equation 4.4, for dimension 2v.
    let guess = r * (2.0 * v - r * r) / ((1.0 - r) * (1.0 + r));
    let high = high.min(f64::MAX);
    (guess.clamp(low, high), Search { low, high, active: true })
}

/// The x with `x = r (v - 1/2 + hypot(x, h))`.
fn invert_amos(v: f64, h: f64, r: f64) -> f64 {
    // Squared: x^2 (1 - r^2) - 2 r c x + r^2 (c^2 - h^2) = 0; the discriminant c^2 - (1 - r^2)(c^2 - h^2) is written
    // as the sum of squares that it is.
    let c = v - 0.5;
    let less = (1.0 - r) * (1.0 + r);
    r * ((c + (r * c).hypot(less.sqrt() * h)) / less)
}

impl Search {
    /// The next x, from A and 1 - A at the present one, which took `taken` steps.
    fn step(&mut self, taken: usize, v: f64, r: f64, x: f64, a: f64, c: f64) -> f64 {
        // Distance in the log of what is solved for, and the slope of that log in log x.
        let near_one = r > 0.5;
        let slope = a_slope(v, x, a, c);
        let (distance, slope) = if near_one {
            (((c - (1.0 - r)) / (1.0 - r)).ln_1p(), x * slope / c)
        } else {
            (-((a - r) / r).ln_1p(), x * slope / a)
        };
        if (near_one && c < 1.0 - r) || (!near_one && a > r) {
            self.high = self.high.min(x);
        } else {
            self.low = self.low.max(x);
        }
        let step = distance / slope;
        let exponential = near_one && slope > POWER;
        let mut next = if exponential { x + x * step } else { x + x * step.exp_m1() };
        // An ulp beyond the bracket is rounding, more is a step not to be trusted (nan fails both tests).
        let room = 4.0 * f64::EPSILON;
        let inside = next >= self.low * (1.0 - room) && next <= self.high * (1.0 + room);
        if !inside || taken >= STEPS {
            let wide = self.low > 0.0 && self.high > 4.0 * self.low;
            let middle = 0.5 * self.low + 0.5 * self.high;
            next = if wide { self.low.sqrt() * self.high.sqrt() } else { middle };
            self.active = self.high - self.low > room * self.high;
        } else {
            self.active = step.abs() > f64::EPSILON;
        }
        next
    }
}

/// dA/dx = 1 - A^2 - (2v - 1) A/x, to the accuracy that Newton's method needs.
fn a_slope(v: f64, x: f64, a: f64, c: f64) -> f64 {
    let order = v - 1.0;
    let w = order.hypot(x);
    if w > EXPANSION_FROM {
        // Derivative of d/dx log I_{v-1} by the expansion: the closed form above loses a factor x.
        let (g, r) = (x / w, 1.0 / w);
        order * r / (w + order) + r * r * (g * g - 0.5)
    } else {
        (1.0 + a) * c - (2.0 * v - 1.0) * a / x
    }
}
