//! Limited-memory BFGS: a minimiser of functions that have a gradient almost everywhere.
//!
//! Two-loop recursion (Nocedal & Wright, Numerical Optimization, algorithm 7.4) and a bracketing line search for the
//! strong Wolfe conditions (3.7). Where the function has a kink on the ray no step meets them: the search then settles
//! for the weak ones, which hold just behind the kink and are all that the update of the metric needs (Lewis &
//! Overton, Math. Program. 141 (2013) 135). Differences below the rounding of the function count as none: there the
//! slope alone decides (Hager & Zhang, SIAM J. Optim. 16 (2005) 170).

use std::collections::VecDeque;

use super::monitor::Monitor;

/// A function to minimise.
pub trait Objective {
    /// The family's error enum.
    type Error;

    /// The value at `x`; its gradient goes to `gradient`.
    fn evaluate(
        &mut self,
        x: &[f64],
        gradient: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<Value, Self::Error>;

    /// Multiplies `q` by a positive approximation of the inverse Hessian at the point evaluated last. False (the
    /// default) where none is known: a multiple of the identity is then learnt from the last step.
    fn precondition(&self, q: &mut [f64]) -> bool {
        let _ = q;
        false
    }

    /// Brings a direction at the point evaluated last back to where it can be trusted.
    fn restrict(&self, gradient: &[f64], direction: &mut [f64]) {
        let _ = (gradient, direction);
    }

    /// The first step length to try along a direction of which nothing is known.
    fn first_length(&self, direction: &[f64]) -> f64;

    /// No step is longer: for functions that may fall for ever.
    fn longest(&self, direction: &[f64]) -> f64 {
        let _ = direction;
        f64::INFINITY
    }
}

/// A value with its rounding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    /// The value.
    pub value: f64,
    /// Differences of values below this are rounding.
    pub noise: f64,
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The point moved.
    Moved,
    /// No lower point was found along the direction of steepest descent either: a minimiser, a kink, or the end of
    /// the precision.
    Stuck,
}

/// Sufficient decrease.
const DECREASE: f64 = 1e-4;
/// Sufficient flattening.
const CURVATURE: f64 = 0.9;
/// Evaluations of one line search.
const SEARCH: usize = 20;
/// Evaluations after which the weak conditions are enough.
const PATIENCE: usize = 5;

/// The state of a minimisation.
#[derive(Debug, Clone)]
pub struct Lbfgs {
    memory: usize,
    pairs: VecDeque<Pair>,
    point: Point,
    trial: Point,
    direction: Vec<f64>,
    evaluations: u64,
}

#[derive(Debug, Clone)]
struct Pair {
    s: Vec<f64>,
    y: Vec<f64>,
    sy: f64,
}

#[derive(Debug, Clone)]
struct Point {
    x: Vec<f64>,
    gradient: Vec<f64>,
    value: Value,
}

/// An end of the bracket: step length, value, slope.
#[derive(Debug, Clone, Copy)]
struct End {
    length: f64,
    value: f64,
    slope: f64,
}

impl Lbfgs {
    /// A minimisation from `x` that remembers `memory` steps. [`start`](Self::start) comes next.
    pub fn new(x: Vec<f64>, memory: usize) -> Self {
        let n = x.len();
        let value = Value { value: f64::NAN, noise: 0.0 };
        let point = Point { x, gradient: vec![0.0; n], value };
        let trial = point.clone();
        Self { memory, pairs: VecDeque::new(), point, trial, direction: vec![0.0; n], evaluations: 0 }
    }

    /// Evaluates at the present point and forgets all steps: at the beginning, and wherever the function has changed.
    pub fn start<O: Objective>(
        &mut self,
        objective: &mut O,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), O::Error> {
        self.pairs.clear();
        self.evaluations += 1;
        self.point.value = objective.evaluate(&self.point.x, &mut self.point.gradient, monitor)?;
        Ok(())
    }

    /// The present point.
    pub fn x(&self) -> &[f64] {
        &self.point.x
    }

    /// The present point, to be changed; [`start`](Self::start) must follow.
    pub fn x_mut(&mut self) -> &mut [f64] {
        &mut self.point.x
    }

    /// The gradient there.
    pub fn gradient(&self) -> &[f64] {
        &self.point.gradient
    }

    /// The value there.
    pub fn value(&self) -> f64 {
        self.point.value.value
    }

    /// Evaluations so far.
    pub fn evaluations(&self) -> u64 {
        self.evaluations
    }

    /// One step. The objective's last evaluation is then at the present point.
    pub fn step<O: Objective>(
        &mut self,
        objective: &mut O,
        monitor: &mut Monitor<'_>,
    ) -> Result<Step, O::Error> {
        loop {
            let fresh = self.pairs.is_empty();
            self.descend(objective);
            let slope = dot(&self.direction, &self.point.gradient);
            let usable = slope < 0.0 && slope.is_finite();
            if usable && self.search(objective, slope, monitor)? {
                return Ok(Step::Moved);
            }
            if fresh {
                return Ok(Step::Stuck);
            }
            // The metric may be to blame; steepest descent is the last word.
            self.pairs.clear();
        }
    }

    /// The direction: minus the inverse metric times the gradient.
    fn descend(&mut self, objective: &impl Objective) {
        let q = &mut self.direction;
        q.copy_from_slice(&self.point.gradient);
        let mut factors = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let factor = dot(&pair.s, q) / pair.sy;
            add(q, -factor, &pair.y);
            factors.push(factor);
        }
        let known = objective.precondition(q);
        if let Some(last) = self.pairs.back().filter(|_| !known) {
            // The scale of the metric along the last step.
            let scale = last.sy / dot(&last.y, &last.y);
            if scale > 0.0 && scale.is_finite() {
                q.iter_mut().for_each(|q| *q *= scale);
            }
        }
        for (pair, factor) in self.pairs.iter().zip(factors.into_iter().rev()) {
            let other = dot(&pair.y, q) / pair.sy;
            add(q, factor - other, &pair.s);
        }
        q.iter_mut().for_each(|q| *q = -*q);
        objective.restrict(&self.point.gradient, q);
    }

    /// Moves along the direction; false where no point on it is lower.
    fn search<O: Objective>(
        &mut self,
        objective: &mut O,
        slope: f64,
        monitor: &mut Monitor<'_>,
    ) -> Result<bool, O::Error> {
        let origin = self.point.value;
        let start = End { length: 0.0, value: origin.value, slope };
        let (mut low, mut high): (End, Option<End>) = (start, None);
        // The end `high` where it meets the weak conditions.
        let mut weak: Option<End> = None;
        let known = !self.pairs.is_empty();
        let longest = objective.longest(&self.direction);
        let mut length = if known { 1.0 } else { objective.first_length(&self.direction) }.min(longest);
        for evaluation in 1..=SEARCH {
            let end = self.probe(objective, length, monitor)?;
            let limit = origin.value + DECREASE * length * slope + origin.noise;
            // A nan fails this test.
            let lower = end.value <= limit && end.slope.is_finite();
            let far = length >= longest && end.slope < 0.0;
            if lower && (far || end.slope.abs() <= CURVATURE * -slope) {
                self.accept();
                return Ok(true);
            }
            if lower && end.slope < 0.0 {
                low = end;
            } else {
                weak = lower.then_some(end);
                high = Some(end);
            }
            let enough = evaluation >= PATIENCE && weak.is_some();
            let collapsed = high.is_some_and(|high| high.length - low.length <= 1e-12 * high.length);
            if enough || collapsed || monitor.expired() {
                break;
            }
            length = match high {
                None => (extrapolated(&start, &low)).clamp(2.0 * low.length, 8.0 * low.length).min(longest),
                Some(high) => interpolated(&low, &high, evaluation),
            };
        }
        let best = weak.unwrap_or(low);
        if best.length == 0.0 {
            return Ok(false);
        }
        self.probe(objective, best.length, monitor)?;
        self.accept();
        Ok(true)
    }

    fn probe<O: Objective>(
        &mut self,
        objective: &mut O,
        length: f64,
        monitor: &mut Monitor<'_>,
    ) -> Result<End, O::Error> {
        self.evaluations += 1;
        for (t, (x, d)) in self.trial.x.iter_mut().zip(self.point.x.iter().zip(&self.direction)) {
            *t = x + length * d;
        }
        self.trial.value = objective.evaluate(&self.trial.x, &mut self.trial.gradient, monitor)?;
        let slope = dot(&self.trial.gradient, &self.direction);
        Ok(End { length, value: self.trial.value.value, slope })
    }

    /// The trial becomes the point, the step a pair.
    fn accept(&mut self) {
        let mut pair = if self.pairs.len() >= self.memory { self.pairs.pop_front() } else { None }
            .unwrap_or_else(|| Pair { s: self.point.x.clone(), y: self.point.x.clone(), sy: 0.0 });
        for i in 0..self.point.x.len() {
            pair.s[i] = self.trial.x[i] - self.point.x[i];
            pair.y[i] = self.trial.gradient[i] - self.point.gradient[i];
        }
        pair.sy = dot(&pair.s, &pair.y);
        if self.memory > 0 && pair.sy > 1e-300 && pair.sy.is_finite() {
            self.pairs.push_back(pair);
        }
        std::mem::swap(&mut self.point, &mut self.trial);
    }
}

/// Where the slope vanishes if it goes on to change as it did from `from` to `to`.
fn extrapolated(from: &End, to: &End) -> f64 {
    let bend = to.slope - from.slope;
    let zero = to.length - to.slope * (to.length - from.length) / bend;
    if zero > to.length { zero } else { f64::INFINITY }
}

/// The minimiser of the cubic through both ends, kept off them; every third time the middle.
fn interpolated(low: &End, high: &End, evaluation: usize) -> f64 {
    let width = high.length - low.length;
    let middle = low.length + 0.5 * width;
    if evaluation.is_multiple_of(3) || !(high.value.is_finite() && high.slope.is_finite()) {
        // Where the function is not even finite, come back quickly.
        return if high.value.is_finite() { middle } else { low.length + 0.1 * width };
    }
    let d1 = low.slope + high.slope - 3.0 * (high.value - low.value) / width;
    let d2 = (d1 * d1 - low.slope * high.slope).max(0.0).sqrt();
    let share = 1.0 - (high.slope + d2 - d1) / (high.slope - low.slope + 2.0 * d2);
    if share.is_finite() { low.length + share.clamp(0.1, 0.9) * width } else { middle }
}

/// A dot product in eight chains: the same order on every machine.
pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (xs, ys) = (x.chunks_exact(8), y.chunks_exact(8));
    let rest: f64 = xs.remainder().iter().zip(ys.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in xs.zip(ys) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + b) + (c + d)) + ((e + f) + (g + h)) + rest
}

fn add(x: &mut [f64], factor: f64, y: &[f64]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += factor * y);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Aborted;
    use crate::base::monitor::{Budget, Silent};

    struct Function<F>(F);

    impl<F: Fn(&[f64], &mut [f64]) -> f64> Objective for Function<F> {
        type Error = Aborted;
        fn evaluate(&mut self, x: &[f64], g: &mut [f64], _: &mut Monitor<'_>) -> Result<Value, Aborted> {
            Ok(Value { value: (self.0)(x, g), noise: 0.0 })
        }
        fn first_length(&self, d: &[f64]) -> f64 {
            1.0 / dot(d, d).sqrt()
        }
    }

    fn minimise(f: impl Fn(&[f64], &mut [f64]) -> f64, x: Vec<f64>, steps: usize) -> (Lbfgs, usize) {
        let mut silent = Silent;
        let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut silent, &[]);
        let (mut function, mut search) = (Function(f), Lbfgs::new(x, 10));
        search.start(&mut function, &mut monitor).unwrap();
        for taken in 0..steps {
            if search.step(&mut function, &mut monitor).unwrap() == Step::Stuck {
                return (search, taken);
            }
        }
        (search, steps)
    }

    #[test]
    fn rosenbrock_is_minimised() {
        let f = |x: &[f64], g: &mut [f64]| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            (g[0], g[1]) = (-2.0 * a - 400.0 * x[0] * b, 200.0 * b);
            a * a + 100.0 * b * b
        };
        let (search, _) = minimise(f, vec![-1.2, 1.0], 60);
        assert!((search.x()[0] - 1.0).abs() < 1e-7 && (search.x()[1] - 1.0).abs() < 1e-7);
        assert!(search.evaluations() < 120);
    }

    #[test]
    fn ill_conditioned_quadratics_take_few_steps() {
        let f = |x: &[f64], g: &mut [f64]| {
            let mut value = 0.0;
            for i in 0..x.len() {
                let w = 1.2f64.powi(i as i32);
                g[i] = w * x[i];
                value += 0.5 * w * x[i] * x[i];
            }
            value
        };
        let (search, steps) = minimise(f, vec![1.0; 40], 400);
        assert!(search.value() < 1e-13, "{} after {steps}", search.value());
        // Steepest descent would have gained a factor of 2 by now.
        let (search, _) = minimise(f, vec![1.0; 40], 120);
        assert!(search.value() < 1e-3, "{}", search.value());
    }

    #[test]
    fn kinks_do_not_stop_it_far_from_the_minimiser() {
        // max(|x|, 2 |y|, 3 |z|) + the same smooth: least at 0.
        let f = |x: &[f64], g: &mut [f64]| {
            let parts = [x[0].abs(), 2.0 * x[1].abs(), 3.0 * x[2].abs()];
            let i = (0..3).max_by(|&i, &j| parts[i].total_cmp(&parts[j])).unwrap();
            for j in 0..3 {
                g[j] = 0.1 * x[j] + if i == j { (j + 1) as f64 * x[j].signum() } else { 0.0 };
            }
            parts[i] + 0.05 * dot(x, x)
        };
        let (search, _) = minimise(f, vec![3.0, -2.0, 1.0], 200);
        assert!(search.value() < 1e-3, "{}", search.value());
    }

    #[test]
    fn a_wall_of_infinity_is_survived_and_a_minimiser_is_kept() {
        let f = |x: &[f64], g: &mut [f64]| {
            g[0] = 1.0 - 1.0 / x[0];
            if x[0] > 0.0 { x[0] - x[0].ln() } else { f64::NAN }
        };
        let (search, _) = minimise(f, vec![50.0], 50);
        assert!((search.x()[0] - 1.0).abs() < 1e-7);
        let (search, steps) = minimise(|x, g| (g[0] = 0.0, x[0]).1, vec![2.0], 5);
        assert_eq!((search.x()[0], steps), (2.0, 0));
    }
}
