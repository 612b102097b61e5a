//! Vectors as slices: products, norms and combinations, each summed in one fixed order.

use crate::base::sum::norm2;

/// Sums that run side by side, so that additions overlap.
const LANES: usize = 8;

/// `x . y`, in plain floats.
pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let (xs, ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let rest: f64 = xs.remainder().iter().zip(ys.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in xs.zip(ys) {
        for i in 0..LANES {
            lanes[i] += a[i] * b[i];
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// `|x|`, without overflow or underflow.
pub fn norm(x: &[f64]) -> f64 {
    let square = dot(x, x);
    // Squares in this range have lost nothing that matters; the compensated norm scales, and is slow.
    if (1e-280..1e280).contains(&square) { square.sqrt() } else { norm2(x) }
}

/// `|x - y|`.
pub fn distance(x: &[f64], y: &[f64]) -> f64 {
    let difference: Vec<f64> = x.iter().zip(y).map(|(a, b)| a - b).collect();
    norm(&difference)
}

/// `x - y`.
pub fn difference(x: &[f64], y: &[f64]) -> Vec<f64> {
    x.iter().zip(y).map(|(a, b)| a - b).collect()
}

/// `out = x - t f`.
pub fn descend(x: &[f64], t: f64, f: &[f64], out: &mut [f64]) {
    for ((out, x), f) in out.iter_mut().zip(x).zip(f) {
        *out = x - t * f;
    }
}

/// `out = a x + b y`.
pub fn combine(a: f64, x: &[f64], b: f64, y: &[f64], out: &mut [f64]) {
    for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
        *out = a * x + b * y;
    }
}

/// `out += a x`.
pub fn add(out: &mut [f64], a: f64, x: &[f64]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out += a * x;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_hold_at_every_scale() {
        let x: Vec<f64> = (0..37).map(f64::from).collect();
        let exact = (0..37).map(|i| f64::from(i * i)).sum::<f64>();
        assert_eq!(dot(&x, &x), exact);
        for scale in [1.0, 1e200, 1e-200] {
            let scaled: Vec<f64> = x.iter().map(|x| x * scale).collect();
            assert!((norm(&scaled) / scale / exact.sqrt() - 1.0).abs() < 1e-15);
        }
        assert_eq!(
            (norm(&[]), norm(&[f64::INFINITY]), distance(&[3.0, 0.0], &[0.0, 4.0])),
            (0.0, f64::INFINITY, 5.0)
        );
        assert!(norm(&[f64::NAN, 1.0]).is_nan());
    }
}
