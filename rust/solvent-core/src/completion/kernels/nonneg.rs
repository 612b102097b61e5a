//! `min x^T G x / 2 - b^T x` over x >= 0 by coordinate descent from where the row stands.

use crate::completion::entry::Entry;

/// Sweeps over the coordinates at most.
const SWEEPS: usize = 200;

/// Descends until a sweep moves nothing by more than `eta` of the largest coordinate. Coordinates from `free` on have no
/// sign. `gram` is symmetric and full, `gradient` scratch.
pub fn solve<T: Entry>(
    gram: &[T],
    b: &[T],
    (width, stride): (usize, usize),
    free: usize,
    eta: f64,
    x: &mut [T],
    gradient: &mut [T],
) {
    for (l, x) in x[..free.min(width)].iter_mut().enumerate() {
        let open = *x > T::ZERO && gram[l * stride + l] > T::ZERO;
        if !open {
            *x = T::ZERO;
        }
    }
    for l in 0..width {
        let row = &gram[l * stride..l * stride + width];
        gradient[l] = row.iter().zip(&x[..width]).map(|(&g, &x)| g * x).sum::<T>() - b[l];
    }
    for _ in 0..SWEEPS {
        let (mut moved, mut largest) = (0.0f64, 0.0f64);
        for l in 0..width {
            let row = &gram[l * stride..l * stride + width];
            let curved = row[l] > T::ZERO;
            if !curved {
                continue;
            }
            let mut to = x[l] - gradient[l] / row[l];
            if l < free && to <= T::ZERO {
                to = T::ZERO;
            }
            let step = to - x[l];
            if step != T::ZERO {
                x[l] = to;
                for (g, &h) in gradient[..width].iter_mut().zip(row) {
                    *g += step * h;
                }
            }
            moved = moved.max(step.to_f64().abs());
            largest = largest.max(to.to_f64().abs());
        }
        if moved <= eta * largest {
            return;
        }
    }
}
