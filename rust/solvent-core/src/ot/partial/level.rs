//! One side of a partial plan, solved exactly: its potentials and the level together.

/// The shift t at which `sum_j min(cap_j, size_j e^t)` is `total`, sizes and caps given by their logarithms too. Where
/// `total` is the caps' sum or more, the least t at which each size has reached its cap. nan if nothing has a size.
pub fn level(log_sizes: &[f64], caps: &[f64], log_caps: &[f64], total: f64) -> f64 {
    let reached: Vec<f64> = log_caps.iter().zip(log_sizes).map(|(c, s)| c - s).collect();
    // What has no size never reaches its cap.
    let mut order: Vec<usize> = (0..caps.len()).filter(|&j| reached[j] < f64::INFINITY).collect();
    order.sort_unstable_by(|&i, &j| reached[i].total_cmp(&reached[j]).then(i.cmp(&j)));
    let Some(&last) = order.last() else { return f64::NAN };
    if total == f64::INFINITY {
        return reached[last];
    }
    // Logarithms of the sizes' sums from each place on.
    let mut rest = vec![f64::NEG_INFINITY; order.len() + 1];
    for (k, &j) in order.iter().enumerate().rev() {
        rest[k] = log_add(rest[k + 1], log_sizes[j]);
    }
    let mut filled = crate::base::sum::Sum::new();
    for (k, &j) in order.iter().enumerate() {
        let t = (total - filled.value()).ln() - rest[k];
        // None of the others is at its cap yet; nan once the caps before are more than the total, which rounding
        // may bring about where the one before was reached exactly.
        if t <= reached[j] || t.is_nan() {
            let before = if k > 0 { reached[order[k - 1]] } else { f64::NEG_INFINITY };
            return t.max(before);
        }
        filled.add(caps[j]);
    }
    reached[last]
}

/// `log(e^x + e^y)`.
fn log_add(x: f64, y: f64) -> f64 {
    let (low, high) = if x < y { (x, y) } else { (y, x) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mass(log_sizes: &[f64], caps: &[f64], t: f64) -> f64 {
        log_sizes.iter().zip(caps).map(|(s, c)| (s + t).exp().min(*c)).sum()
    }

    proptest! {
        #[test]
        fn the_mass_is_met(
            pairs in prop::collection::vec((-300.0..300.0f64, 1e-6..10.0f64), 1..40), share in 1e-9..1.0f64,
        ) {
            let (sizes, caps): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let logs: Vec<f64> = caps.iter().map(|c| c.ln()).collect();
            let total = share * caps.iter().sum::<f64>();
            let t = level(&sizes, &caps, &logs, total);
            prop_assert!((mass(&sizes, &caps, t) - total).abs() <= 1e-12 * total + 1e-14 * caps.iter().sum::<f64>());
        }
    }

    #[test]
    fn the_ends() {
        let caps = [1.0, 2.0];
        let logs = [0.0, 2.0f64.ln()];
        assert_eq!(level(&[0.0, 0.0], &caps, &logs, f64::INFINITY), 2.0f64.ln());
        assert!((level(&[0.0, 0.0], &caps, &logs, 3.0) - 2.0f64.ln()).abs() < 1e-15);
        assert!((level(&[0.0, 0.0], &caps, &logs, 1.0) - 0.5f64.ln()).abs() < 1e-15);
        // No size: never filled.
        let none = f64::NEG_INFINITY;
        assert!((level(&[0.0, none], &caps, &logs, 0.5) - 0.5f64.ln()).abs() < 1e-15);
        assert!(level(&[none, none], &caps, &logs, 0.5).is_nan());
    }
}
