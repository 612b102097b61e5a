//! The projection of one column.

use std::cmp::Ordering;

/// A possible arc of a column.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Arc {
    /// `alpha_i - C_ij`.
    pub score: f64,
    /// `C_ij`.
    pub cost: f64,
    /// i.
    pub row: u32,
}

impl Arc {
    /// The best first; of equal scores the smallest row.
    #[inline(always)]
    pub fn order(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.row.cmp(&other.row))
    }
}

/// Best first. Lists are nearly in order from the last time, where an insertion sort takes one look at each.
pub fn sort(arcs: &mut [Arc]) {
    if arcs.len() > 96 {
        arcs.sort_unstable_by(Arc::order);
        return;
    }
    for i in 1..arcs.len() {
        let arc = arcs[i];
        let mut j = i;
        while j > 0 && arc.order(&arcs[j - 1]) == Ordering::Less {
            arcs[j] = arcs[j - 1];
            j -= 1;
        }
        arcs[j] = arc;
    }
}

/// What a column contributes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Projection {
    /// The threshold: masses are `(score - theta)_+ / gamma`.
    pub theta: f64,
    /// `h_j`.
    pub conjugate: f64,
    /// How many masses are positive; they belong to the first arcs.
    pub count: usize,
}

/// The best masses on arcs that come best first, written to `masses`: they are positive, and add up to `weight`.
pub fn project(arcs: &[Arc], weight: f64, gamma: f64, masses: &mut [f64]) -> Projection {
    let Some(best) = arcs.first() else {
        return Projection { theta: 0.0, conjugate: 0.0, count: 0 };
    };
    if weight == 0.0 {
        return Projection { theta: best.score, conjugate: 0.0, count: 0 };
    }
    // Relative to the best score, so that a common shift of the scores costs no digits. Held, Wolfe & Crowder's rule:
    // the threshold of the longest prefix whose last mass is positive.
    let (mut total, mut theta, mut count) = (0.0, 0.0, 0);
    for (r, arc) in arcs.iter().enumerate() {
        let v = arc.score - best.score;
        total += v;
        let candidate = (total - gamma * weight) / (r + 1) as f64;
        if r > 0 && v <= candidate {
            break;
        }
        (theta, count) = (candidate, r + 1);
    }
    let (mut rest, mut conjugate) = (weight, best.score * weight);
    for r in (0..count).rev() {
        let v = arcs[r].score - best.score;
        // The largest mass takes what is left, so that the column adds up to its weight.
        let mass = if r == 0 { rest } else { ((v - theta) / gamma).min(rest) };
        rest -= mass;
        masses[r] = mass;
        conjugate += mass * (v - 0.5 * gamma * mass);
    }
    Projection { theta: best.score + theta, conjugate, count }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arcs(scores: &[f64]) -> Vec<Arc> {
        let mut arcs: Vec<_> =
            scores.iter().enumerate().map(|(i, &score)| Arc { score, cost: -score, row: i as u32 }).collect();
        sort(&mut arcs);
        arcs
    }

    #[test]
    fn order_breaks_ties_by_row_at_any_length() {
        for n in [1, 2, 5, 40, 200] {
            let scores: Vec<f64> = (0..n).map(|i| ((i * 31) % 7) as f64).collect();
            let sorted = arcs(&scores);
            assert!(
                sorted
                    .windows(2)
                    .all(|p| p[0].score > p[1].score || (p[0].score == p[1].score && p[0].row < p[1].row))
            );
        }
    }

    #[test]
    fn projections_meet_the_optimality_conditions() {
        for (scores, weight, gamma) in [
            (vec![0.3, -0.1, 0.9, 0.85, -4.0], 0.7, 0.5),
            (vec![1e6, 1e6 + 0.01, 1e6 - 0.02], 1e-3, 10.0),
            (vec![2.0; 6], 0.25, 1e-9),
            (vec![0.0, -1e9], 1.0, 1e-3),
        ] {
            let arcs = arcs(&scores);
            let mut masses = vec![0.0; arcs.len()];
            let found = project(&arcs, weight, gamma, &mut masses);
            let total: f64 = masses[..found.count].iter().sum();
            assert!((total - weight).abs() <= 4.0 * f64::EPSILON * weight);
            for (r, arc) in arcs.iter().enumerate() {
                let mass = ((arc.score - found.theta) / gamma).max(0.0);
                let held = if r < found.count { masses[r] } else { 0.0 };
                assert!((mass - held).abs() <= 1e-9 * weight.max(arc.score.abs() * 1e-6 / gamma));
            }
            let direct: f64 =
                (0..found.count).map(|r| masses[r] * (arcs[r].score - 0.5 * gamma * masses[r])).sum();
            assert!((direct - found.conjugate).abs() <= 1e-12 * direct.abs());
        }
    }

    #[test]
    fn columns_without_weight_hold_nothing() {
        let found = project(&arcs(&[1.0, 3.0]), 0.0, 1.0, &mut [0.0; 2]);
        assert_eq!(found, Projection { theta: 3.0, conjugate: 0.0, count: 0 });
    }
}
