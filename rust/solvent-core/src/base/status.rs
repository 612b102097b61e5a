//! How a run ended. An outcome, never an error.

use std::fmt;

/// How a run ended; the words are the user's `result.status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// The certificate that was asked for holds: `bound <= tol`.
    Converged,
    /// The budget of units of work is used up.
    MaxIterations,
    /// The budget of seconds is used up.
    MaxTime,
    /// The callback raised `StopIteration`.
    Interrupted,
    /// No progress for the family's patience.
    Stalled,
    /// The dtype allows no smaller bound for these data.
    RoundingFloor,
    /// No feasible point exists; a checked ray proves it.
    Infeasible,
    /// The objective is unbounded; a checked ray proves it.
    Unbounded,
    /// A recession ray is known, a feasible point is not.
    UnboundedOrInfeasible,
    /// A non-convex problem whose gap is honestly open.
    DualityGap,
    /// The maximiser is at infinity, or not unique in the way the family names.
    Degenerate,
    /// The caller's operator returned nan or grew without limit.
    Diverged,
}

impl Status {
    /// Every status, in the order of the documentation's table.
    pub const ALL: [Self; 12] = [
        Self::Converged,
        Self::MaxIterations,
        Self::MaxTime,
        Self::Interrupted,
        Self::Stalled,
        Self::RoundingFloor,
        Self::Infeasible,
        Self::Unbounded,
        Self::UnboundedOrInfeasible,
        Self::DualityGap,
        Self::Degenerate,
        Self::Diverged,
    ];

    /// The word that `result.status` holds.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::MaxIterations => "max_iterations",
            Self::MaxTime => "max_time",
            Self::Interrupted => "interrupted",
            Self::Stalled => "stalled",
            Self::RoundingFloor => "rounding_floor",
            Self::Infeasible => "infeasible",
            Self::Unbounded => "unbounded",
            Self::UnboundedOrInfeasible => "unbounded_or_infeasible",
            Self::DualityGap => "duality_gap",
            Self::Degenerate => "degenerate",
            Self::Diverged => "diverged",
        }
    }

    /// Cause and remedy where the family has nothing more specific to say.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Converged => "the certificate asked for holds",
            Self::MaxIterations => "maxiter is used up; raise maxiter, or pass this result as x0 to go on",
            Self::MaxTime => "maxtime is used up; raise maxtime, or pass this result as x0 to go on",
            Self::Interrupted => "the callback stopped the run; pass this result as x0 to go on",
            Self::Stalled => "no progress; the bound returned is the best that was reached",
            Self::RoundingFloor => {
                "rounding allows no smaller bound for these data; raise tol, or pass float64 arrays if they are float32"
            }
            Self::Infeasible => "no feasible point exists; the ray in the result proves it",
            Self::Unbounded => "the objective has no finite optimum; the ray in the result proves it",
            Self::UnboundedOrInfeasible => {
                "a recession ray is proven but no feasible point is known; solve with a zero objective to tell them apart"
            }
            Self::DualityGap => "the problem is not convex and its duality gap stays open at this value",
            Self::Degenerate => "the optimum is at infinity or not unique",
            Self::Diverged => {
                "the operator returned nan or its values grow without limit; check it, or lower the step"
            }
        }
    }

    /// The status to report once the final certificate is known, computed on the original data: `bound <= tol`
    /// and `Converged` say the same thing, whatever the running bound said. Statuses proven by a ray, and
    /// `Degenerate`, stay. For `tol = 0` see [`outcome`](super::outcome).
    #[must_use]
    pub fn settle(self, bound: f64, tol: f64) -> Self {
        match self {
            Self::Infeasible | Self::Unbounded | Self::UnboundedOrInfeasible | Self::Degenerate => self,
            _ if met(bound, tol) => Self::Converged,
            // The running bound met tol, the certificate does not: by its rounding allowance, or because it
            // bounds nothing.
            Self::Converged if tol > 0.0 => {
                if bound.is_finite() {
                    Self::RoundingFloor
                } else {
                    Self::Stalled
                }
            }
            _ => self,
        }
    }
}

/// Whether a bound meets a target; the rule is [`outcome`](super::outcome)'s.
pub(super) fn met(bound: f64, tol: f64) -> bool {
    tol > 0.0 && bound <= tol
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_distinct_and_described() {
        let words: std::collections::BTreeSet<_> = Status::ALL.iter().map(|s| s.as_str()).collect();
        assert_eq!(words.len(), Status::ALL.len());
        assert!(Status::ALL.iter().all(|s| s.describe().len() > 20 && !s.as_str().contains(' ')));
    }

    #[test]
    fn converged_and_the_bound_say_the_same() {
        assert_eq!(Status::MaxIterations.settle(1e-10, 1e-9), Status::Converged);
        assert_eq!(Status::Converged.settle(2e-9, 1e-9), Status::RoundingFloor);
        assert_eq!(Status::Converged.settle(f64::NAN, 1e-9), Status::Stalled);
        assert_eq!(Status::Converged.settle(f64::INFINITY, 1e-9), Status::Stalled);
        assert_eq!(Status::Converged.settle(0.0, 0.0), Status::Converged);
        assert_eq!(Status::MaxTime.settle(2e-9, 1e-9), Status::MaxTime);
        assert_eq!(Status::MaxIterations.settle(0.0, 0.0), Status::MaxIterations);
        assert_eq!(Status::Infeasible.settle(0.0, 1e-9), Status::Infeasible);
    }
}
