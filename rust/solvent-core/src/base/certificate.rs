//! What a result proves about itself.

use std::borrow::Cow;
use std::fmt;

/// What a bound proves. The words are the user's `certificate.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Value minus optimum, relative to the scale that the family names.
    DualityGap,
    /// Relative gap over matrices of any rank.
    NuclearGap,
    /// The fit at the observed entries, and no more.
    Interpolation,
    /// Size of the gradient on the manifold, or of the change one more sweep would make; no optimality.
    Stationarity,
    /// Normwise backward error.
    BackwardError,
    /// Largest relative error of a coefficient.
    ForwardError,
    /// Probabilistic error bars; `failure_probability` holds for all of them together.
    ErrorBars,
    /// Residual of the full operator at the returned point.
    OperatorResidual,
    /// Residual of the fixed-point equation at the returned point.
    FixedPointResidual,
    /// Worst relative measure of the optimality conditions.
    Kkt,
    /// A checked ray that proves infeasibility.
    Farkas,
    /// A checked ray along which the objective falls for ever.
    RecessionRay,
    /// Half-width of a bracket of the maximum-likelihood concentration.
    KappaBracket,
}

impl Kind {
    /// Every kind, in the order of the documentation's table.
    pub const ALL: [Self; 13] = [
        Self::DualityGap,
        Self::NuclearGap,
        Self::Interpolation,
        Self::Stationarity,
        Self::BackwardError,
        Self::ForwardError,
        Self::ErrorBars,
        Self::OperatorResidual,
        Self::FixedPointResidual,
        Self::Kkt,
        Self::Farkas,
        Self::RecessionRay,
        Self::KappaBracket,
    ];

    /// The word that `certificate.kind` holds.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DualityGap => "duality-gap",
            Self::NuclearGap => "nuclear-gap",
            Self::Interpolation => "interpolation",
            Self::Stationarity => "stationarity",
            Self::BackwardError => "backward-error",
            Self::ForwardError => "forward-error",
            Self::ErrorBars => "error-bars",
            Self::OperatorResidual => "operator-residual",
            Self::FixedPointResidual => "fixed-point-residual",
            Self::Kkt => "kkt",
            Self::Farkas => "farkas",
            Self::RecessionRay => "recession-ray",
            Self::KappaBracket => "kappa-bracket",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A bound on the error of a result, computed from the caller's original data.
#[derive(Debug, Clone, PartialEq)]
pub struct Certificate {
    /// What the bound proves.
    pub kind: Kind,
    /// The bound itself; nan where none is known.
    pub bound: f64,
    /// Relative to the scale that the family names, or absolute.
    pub relative: bool,
    /// True: holds in exact arithmetic plus a stated rounding allowance. False: an estimate.
    pub rigorous: bool,
    /// Probability that the bound is wrong; 0 where it is deterministic.
    pub failure_probability: f64,
    /// Named numbers the bound was made of, in the order they are shown.
    pub parts: Vec<(Cow<'static, str>, f64)>,
}

impl Certificate {
    /// A relative, rigorous, deterministic bound without parts; the builders below change each of these.
    pub fn new(kind: Kind, bound: f64) -> Self {
        Self { kind, bound, relative: true, rigorous: true, failure_probability: 0.0, parts: Vec::new() }
    }

    /// An absolute bound.
    #[must_use]
    pub fn absolute(mut self) -> Self {
        self.relative = false;
        self
    }

    /// An estimate: no theorem covers it with a stated rounding allowance.
    #[must_use]
    pub fn estimate(mut self) -> Self {
        self.rigorous = false;
        self
    }

    /// A bound that fails with at most this probability.
    #[must_use]
    pub fn failing_with(mut self, probability: f64) -> Self {
        self.failure_probability = probability;
        self
    }

    /// Adds a named number.
    #[must_use]
    pub fn part(mut self, name: impl Into<Cow<'static, str>>, value: f64) -> Self {
        self.parts.push((name.into(), value));
        self
    }

    /// The part of this name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.parts.iter().find(|(key, _)| key == name).map(|&(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builders_say_what_they_change() {
        let plain =
            Certificate::new(Kind::DualityGap, 1e-9).part("lower", 1.0).part(format!("bound_{}", 3), 2.0);
        assert!(plain.relative && plain.rigorous && plain.failure_probability == 0.0);
        assert_eq!(
            (plain.get("lower"), plain.get("bound_3"), plain.get("upper")),
            (Some(1.0), Some(2.0), None)
        );
        let bars = Certificate::new(Kind::ErrorBars, 0.1).absolute().estimate().failing_with(0.01);
        assert!(!bars.relative && !bars.rigorous && bars.failure_probability == 0.01);
    }

    #[test]
    fn words_are_distinct() {
        let words: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|k| k.as_str()).collect();
        assert_eq!(words.len(), Kind::ALL.len());
    }
}
