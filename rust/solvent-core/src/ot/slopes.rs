//! Derivatives of costs between points, summed against a matrix of weights.

use super::points::Metric;
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::view::MatrixView;

/// `sum_j W_ij d c(x_i, y_j)/d x_i` for every i, and `sum_i W_ij d c(x_i, y_j)/d y_j` for every j. Points in C order, d
/// coordinates each. Where two points coincide the cost has a kink (but for the squared distance) and 0 is taken.
pub fn slopes(
    x: &[f64],
    y: &[f64],
    d: usize,
    metric: Metric,
    weights: MatrixView<'_, f64>,
    monitor: &mut Monitor<'_>,
) -> Result<(Vec<f64>, Vec<f64>), Aborted> {
    let (n, m) = weights.shape();
    let block = 65_536_usize.div_ceil(m * d.max(1)).max(n.div_ceil(16));
    let (mut of_x, mut of_y) = (Vec::with_capacity(n * d), vec![0.0; m * d]);
    let parts = monitor.map_blocks(n, block, |range| {
        let (mut own, mut others) = (vec![0.0; range.len() * d], vec![0.0; m * d]);
        let mut scratch = Vec::new();
        for (r, i) in range.enumerate() {
            let w = weights.row_in(i, &mut scratch);
            for (j, &w) in w.iter().enumerate() {
                if w != 0.0 {
                    let own = &mut own[r * d..(r + 1) * d];
                    let other = &mut others[j * d..(j + 1) * d];
                    add(metric, &x[i * d..(i + 1) * d], &y[j * d..(j + 1) * d], w, own, other);
                }
            }
        }
        (own, others)
    })?;
    for (own, others) in parts {
        of_x.extend(own);
        of_y.iter_mut().zip(&others).for_each(|(s, o)| *s += o);
    }
    Ok((of_x, of_y))
}

/// Adds w times the derivatives of one pair's cost.
fn add(metric: Metric, x: &[f64], y: &[f64], w: f64, of_x: &mut [f64], of_y: &mut [f64]) {
    if metric == Metric::Cosine {
        let norm = |p: &[f64]| p.iter().map(|t| t * t).sum::<f64>().sqrt();
        let (nx, ny) = (norm(x), norm(y));
        if nx == 0.0 || ny == 0.0 {
            return;
        }
        let cosine = x.iter().zip(y).map(|(x, y)| (x / nx) * (y / ny)).sum::<f64>();
        for k in 0..x.len() {
            let (ex, ey) = (x[k] / nx, y[k] / ny);
            of_x[k] -= w * (ey - cosine * ex) / nx;
            of_y[k] -= w * (ex - cosine * ey) / ny;
        }
        return;
    }
    let power = |p: f64| x.iter().zip(y).map(|(x, y)| (x - y).abs().powf(p)).sum::<f64>();
    let size = match metric {
        Metric::Euclidean => x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt(),
        Metric::Lp(p) => power(p).powf(1.0 / p),
        _ => 1.0,
    };
    if size == 0.0 {
        return;
    }
    for k in 0..x.len() {
        let t = x[k] - y[k];
        let slope = match metric {
            Metric::SqEuclidean => 2.0 * t,
            Metric::Euclidean => t / size,
            Metric::Lp(p) if t != 0.0 => t.signum() * (t.abs() / size).powf(p - 1.0),
            _ if t == 0.0 => 0.0,
            _ => t.signum(),
        };
        of_x[k] += w * slope;
        of_y[k] -= w * slope;
    }
}
