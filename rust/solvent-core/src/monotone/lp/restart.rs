//! When the method begins anew at where it is.
//!
//! Halpern's iteration is sublinear from one anchor, linear with restarts on sharp problems (H. Lu & J. Yang, arXiv
//! 2407.16144, theorem 3). The measure is the fixed-point error in the metric of the step,
//! f² = ω‖x − x⁺‖² + ‖y − y⁺‖²/ω + 2η (x − x⁺)·Aᵀ(y − y⁺), which costs one product with Aᵀ.

/// Enough of a decrease by itself.
const SUFFICIENT: f64 = 0.2;
/// Enough where the error has begun to rise.
const NECESSARY: f64 = 0.5;
/// The longest run from one anchor, as a share of all iterations.
const ARTIFICIAL: f64 = 0.36;

/// The rule's state.
#[derive(Debug, Clone, Copy)]
pub struct Restart {
    /// The error one iteration after the anchor.
    pub first: f64,
    /// The error at the last check since the anchor.
    last: f64,
    /// Restarts so far.
    pub count: u64,
}

impl Restart {
    /// Nothing known yet.
    pub fn new() -> Self {
        Self { first: f64::INFINITY, last: f64::INFINITY, count: 0 }
    }

    /// Whether to restart at a check with error `f`, `since` iterations after the anchor and `total` in all.
    pub fn due(&mut self, f: f64, since: u64, total: u64) -> bool {
        let due = (self.count == 0 && since == total)
            || f <= SUFFICIENT * self.first
            || (f <= NECESSARY * self.first && f > self.last)
            || since as f64 >= ARTIFICIAL * total as f64;
        self.last = f;
        due
    }

    /// Notes a restart.
    pub fn done(&mut self) {
        self.count += 1;
        (self.first, self.last) = (f64::INFINITY, f64::INFINITY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_counts() {
        let mut rule = Restart::new();
        assert!(rule.due(1.0, 64, 64), "the first check");
        rule.done();
        rule.first = 1.0;
        assert!(!rule.due(0.45, 64, 640));
        assert!(!rule.due(0.4, 128, 640));
        assert!(rule.due(0.41, 192, 640), "it rises");
        assert!(rule.due(0.2, 192, 640));
        assert!(rule.due(9.0, 576, 1200), "too long");
    }
}
