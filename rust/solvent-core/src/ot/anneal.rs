//! The schedule of the regularisation, and where each stage begins.

/// How fast reg falls.
pub const RATIO: f64 = 3.0;
/// A stage ends at this marginal error, relative to the mass: close enough to extrapolate from.
pub const STAGE_ERROR: f64 = 0.02;
/// The first reg, relative to the spread of the costs.
const FIRST: f64 = 0.25;

/// From a first reg down to the one asked for.
#[derive(Debug, Clone)]
pub struct Schedule {
    last: f64,
    reg: f64,
    ratio: f64,
    /// The end of the stage before: its reg and its columns' potentials.
    past: Option<(f64, Vec<f64>)>,
}

impl Schedule {
    /// From `first` (by default a quarter of `spread`) to `last`.
    pub fn new(last: f64, first: Option<f64>, spread: f64) -> Self {
        let first = first.unwrap_or(FIRST * spread);
        Self { last, reg: first.max(last), ratio: RATIO, past: None }
    }

    /// The stage's reg.
    pub fn reg(&self) -> f64 {
        self.reg
    }

    /// Whether this is the stage that was asked for.
    pub fn at_end(&self) -> bool {
        self.reg <= self.last
    }

    /// Ends a stage at these column potentials and gives those the next begins with: the secant in reg through the last
    /// two stages' ends.
    pub fn advance(&mut self, g: &[f64]) -> Vec<f64> {
        let next = (self.reg / self.ratio).max(self.last);
        // The last step is never a tiny one.
        let next = if next < 1.3 * self.last { self.last } else { next };
        let begin = self.from(g, next);
        self.past = Some((self.reg, g.to_vec()));
        self.reg = next;
        begin
    }

    fn from(&self, g: &[f64], next: f64) -> Vec<f64> {
        let secant = |(reg, past): &(f64, Vec<f64>)| {
            let step = (next - self.reg) / (self.reg - reg);
            let along: Vec<f64> = g.iter().zip(past).map(|(g, p)| g + (g - p) * step).collect();
            along.iter().all(|g| g.is_finite()).then_some(along)
        };
        self.past.as_ref().and_then(secant).unwrap_or_else(|| g.to_vec())
    }

    /// Returns to the end of the last finished stage, to go on in smaller steps from there; `None` if there is none.
    pub fn retreat(&mut self) -> Option<Vec<f64>> {
        let (reg, g) = self.past.take()?;
        self.ratio = self.ratio.sqrt();
        self.reg = (reg / self.ratio).max(self.last);
        Some(g)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_at_the_last_and_extrapolates_lines() {
        let mut schedule = Schedule::new(1e-3, None, 1.0);
        let line = |reg: f64| vec![2.0 - 3.0 * reg, 5.0 * reg];
        let mut stages = 1;
        while !schedule.at_end() {
            let begin = schedule.advance(&line(schedule.reg()));
            stages += 1;
            if stages > 2 {
                for (x, y) in begin.iter().zip(line(schedule.reg())) {
                    assert!((x - y).abs() < 1e-14);
                }
            }
        }
        assert_eq!((schedule.reg(), stages), (1e-3, 6));
    }

    #[test]
    fn it_retreats_by_smaller_steps() {
        let mut schedule = Schedule::new(1e-3, Some(0.9), 1.0);
        assert!(schedule.retreat().is_none());
        schedule.advance(&[1.0]);
        assert_eq!(schedule.retreat(), Some(vec![1.0]));
        assert!((schedule.reg() - 0.9 / 3f64.sqrt()).abs() < 1e-15);
        assert_eq!(Schedule::new(2.0, None, 1.0).reg(), 2.0);
    }
}
