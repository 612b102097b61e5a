//! A pair of mixed strategies, and its gap.

/// Mixed strategies of both players and what they could gain by deviating, `max Mᵀx - min My`.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The row player's weights.
    pub x: Vec<f64>,
    /// The column player's.
    pub y: Vec<f64>,
    /// Gap, by plain sums: it steers, and does not certify.
    pub gap: f64,
}

impl Pair {
    /// A pair of weights that sum to 1 with its products `h = M y`, `g = Mᵀ x`.
    pub fn new(x: Vec<f64>, y: Vec<f64>, h: &[f64], g: &[f64]) -> Self {
        let gap = spread(h, g);
        Self { x, y, gap }
    }

    /// Each strategy with the same weight; nothing known of the gap.
    pub fn uniform(n: usize, m: usize) -> Self {
        Self { x: vec![1.0 / n as f64; n], y: vec![1.0 / m as f64; m], gap: f64::INFINITY }
    }

    /// Weights made fit: negative ones 0, sum 1; the uniform ones where nothing is left.
    pub fn fitted(x: &[f64], y: &[f64]) -> Self {
        Self { x: fitted(x), y: fitted(y), gap: f64::INFINITY }
    }
}

/// `max g - min h`; nan where an entry is.
pub fn spread(h: &[f64], g: &[f64]) -> f64 {
    let pick = |x: &[f64], better: fn(f64, f64) -> bool| {
        x[1..].iter().fold(x[0], |a, &b| if better(b, a) || b.is_nan() { b } else { a })
    };
    pick(g, |a, b| a > b) - pick(h, |a, b| a < b)
}

/// Negative weights as 0, sum 1.
pub fn fitted(weights: &[f64]) -> Vec<f64> {
    let sum: f64 = weights.iter().map(|w| w.max(0.0)).sum();
    if sum > 0.0 && sum.is_finite() {
        weights.iter().map(|w| w.max(0.0) / sum).collect()
    } else {
        vec![1.0 / weights.len() as f64; weights.len()]
    }
}
