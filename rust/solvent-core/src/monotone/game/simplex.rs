//! Euclidean projection onto the simplex of mixed strategies, in linear time as a rule.

/// Replaces `v` by the nearest point of `{x >= 0, 1ᵀx = 1}`, `max(v - t, 0)`.
///
/// Michelot's iteration (J. Optim. Theory Appl. 50 (1986) 195): t from all entries, those below it dropped, t again from
/// the rest, until none is. `active` is scratch, kept between calls. Entries are taken relative to the largest, so that
/// t loses no digits to a common offset; what is left of the sum's rounding is spread by a last scaling.
pub fn project(v: &mut [f64], active: &mut Vec<f64>) {
    let top = v.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    // Entries more than 1 below the largest have no weight: with the largest alone the threshold is `top - 1`.
    active.clear();
    active.extend(v.iter().map(|x| x - top).filter(|&x| x > -1.0));
    let threshold = loop {
        let count = active.len();
        let threshold = (active.iter().sum::<f64>() - 1.0) / count as f64;
        active.retain(|&x| x > threshold);
        if active.len() == count || active.is_empty() {
            break threshold;
        }
    };
    let mut sum = 0.0;
    for x in v.iter_mut() {
        *x = (*x - top - threshold).max(0.0);
        sum += *x;
    }
    if sum > 0.0 {
        let scale = 1.0 / sum;
        v.iter_mut().for_each(|x| *x *= scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By sorting, as in the textbook.
    fn sorted(v: &[f64]) -> Vec<f64> {
        let mut u = v.to_vec();
        u.sort_by(|a, b| b.total_cmp(a));
        let (mut sum, mut threshold) = (0.0, 0.0);
        for (k, x) in u.iter().enumerate() {
            sum += x;
            let t = (sum - 1.0) / (k + 1) as f64;
            if *x > t {
                threshold = t;
            }
        }
        v.iter().map(|x| (x - threshold).max(0.0)).collect()
    }

    proptest! {
        #[test]
        fn agrees_with_sorting(v in prop::collection::vec(-3.0..3.0_f64, 1..60)) {
            let expected = sorted(&v);
            let mut x = v;
            project(&mut x, &mut Vec::new());
            let worst = x.iter().zip(&expected).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs()));
            prop_assert!(worst < 1e-14);
        }
    }

    #[test]
    fn a_common_offset_and_ties_do_no_harm() {
        let mut x = vec![1e15, 1e15, 1e15 - 2.0];
        project(&mut x, &mut Vec::new());
        assert_eq!(x, [0.5, 0.5, 0.0]);
        let mut one = vec![-7.0];
        project(&mut one, &mut Vec::new());
        assert_eq!(one, [1.0]);
    }
}
