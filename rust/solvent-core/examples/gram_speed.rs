//! Speed of the Gram kernel beside faer's gemm, one thread: `cargo run --profile quick --example gram_speed`.
#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::time::Instant;

use solvent_core::base::dense::{Matrix, Onto, gemm};
use solvent_core::base::gram::{Gram, Panels};
use solvent_core::base::rng::Philox;
use solvent_core::base::view::MatrixView;

fn best(mut work: impl FnMut()) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..5 {
        let begin = Instant::now();
        work();
        least = least.min(begin.elapsed().as_secs_f64());
    }
    least
}

fn main() {
    for (n, d) in [(200_000, 20), (100_000, 50), (40_000, 100), (10_000, 300), (3_000, 1000), (1_500, 2000)] {
        let mut rng = Philox::new(1, 0, 0);
        let a: Vec<f64> = (0..n * d).map(|_| rng.normal()).collect();
        let (mut gram, mut panels) = (Gram::new(d), Panels::new(d));
        let ours = best(|| gram.accumulate(&mut panels, &a, d, None));
        let weights = vec![2.0; n];
        let weighted = best(|| gram.accumulate(&mut panels, &a, d, Some(&weights)));
        let view = MatrixView::row_major(&a, n, d).expect("shape");
        let mut out = Matrix::zeros(d, d);
        let theirs = best(|| gemm(&mut out, Onto::Replace, 1.0, view.transpose(), view));
        let flops = n as f64 * (d * d) as f64;
        println!(
            "d = {d}: {:.1} GF/s (n d^2), weighted {:.1}, faer gemm {:.1} GF/s (2 n d^2)",
            flops / ours / 1e9,
            flops / weighted / 1e9,
            2.0 * flops / theirs / 1e9
        );
    }
}
