//! Rows drawn with replacement by given probabilities.

use crate::base::rng::Philox;

/// The probabilities that scores stand for: scores over their sum; all equal where the sum is 0.
pub fn probabilities(scores: &[f64]) -> Vec<f64> {
    let total = crate::base::sum::sum(scores);
    if total > 0.0 {
        scores.iter().map(|s| s / total).collect()
    } else {
        vec![1.0 / scores.len().max(1) as f64; scores.len()]
    }
}

/// `size` indices, each i with probability p_i, and weights (size p_i)^(-1/p): the sum of |w (A x)_i|^p over the sample is
/// |A x|_p^p on average.
pub fn draw(probabilities: &[f64], size: usize, p: f64, seed: u64) -> (Vec<i64>, Vec<f64>) {
    let mut sums = Vec::with_capacity(probabilities.len());
    let mut sum = crate::base::sum::Sum::new();
    for &x in probabilities {
        sum.add(x);
        sums.push(sum.value());
    }
    let total = sums.last().copied().unwrap_or(0.0);
    // A row of probability 0 is never drawn, also at the end of the table.
    let last = probabilities.iter().rposition(|&x| x > 0.0).unwrap_or(0);
    let mut rng = Philox::new(seed, 0, 0);
    let mut weights = Vec::with_capacity(size);
    let indices = (0..size).map(|_| {
        let target = rng.uniform() * total;
        let i = sums.partition_point(|&s| s <= target).min(last);
        weights.push((size as f64 * probabilities[i]).powf(-1.0 / p));
        i as i64
    });
    (indices.collect(), weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_as_often_as_they_should() {
        let p = probabilities(&[0.0, 3.0, 1.0, 0.0, 4.0, 0.0]);
        let size = 80_000;
        let (indices, weights) = draw(&p, size, 2.0, 5);
        for (i, &expected) in p.iter().enumerate() {
            let share = indices.iter().filter(|&&k| k == i as i64).count() as f64 / size as f64;
            assert!((share - expected).abs() <= 5.0 * (expected / size as f64).sqrt(), "{i}: {share}");
        }
        let k = indices.iter().position(|&i| i == 4).unwrap();
        assert!((weights[k] - (size as f64 * 0.5).powf(-0.5)).abs() < 1e-15);
        assert_eq!(probabilities(&[0.0, 0.0]), [0.5, 0.5]);
    }
}
