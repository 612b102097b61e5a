use super::*;
use crate::base::monitor::{Budget, Silent};
use crate::base::pool;
use crate::base::rng::Philox;
use crate::base::sum::dot2;

const UNIT: f64 = 1.1102230246251565e-16;

fn random(count: usize, seed: u64) -> Vec<f64> {
    let mut rng = Philox::new(seed, 0, 0);
    (0..count).map(|_| rng.normal()).collect()
}

fn threaded(workers: usize, a: MatrixView<'_, f64>, weights: Option<&[f64]>) -> Matrix<f64> {
    pool::run(Some(workers), || {
        let mut silent = Silent;
        let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut silent, &[]);
        gram(a, weights, &mut monitor).unwrap()
    })
}

#[test]
fn every_order_and_number_of_rows_is_within_its_bound() {
    for (n, d) in
        [(0, 3), (1, 1), (3, 7), (70, 8), (256, 9), (257, 20), (700, 25), (515, 33), (300, 50), (130, 121)]
    {
        for weighted in [false, true] {
            let a = random(n * d, 7 + n as u64);
            let w: Vec<f64> = random(n, 3).iter().map(|x| if *x < -1.0 { 0.0 } else { x * x }).collect();
            let mut gram = Gram::new(d);
            let mut panels = Panels::new(d);
            // In two pieces: the second one begins in the middle of a chunk's worth of rows.
            let cut = n / 3;
            gram.accumulate(&mut panels, &a[..cut * d], d, weighted.then(|| &w[..cut]));
            gram.accumulate(&mut panels, &a[cut * d..], d, weighted.then(|| &w[cut..]));
            let terms = TERMS + if weighted { WEIGHT_TERMS } else { 0 };
            for j in 0..d {
                let left: Vec<f64> =
                    (0..n).map(|i| if weighted { w[i] } else { 1.0 } * a[i * d + j]).collect();
                for k in 0..=j {
                    let right: Vec<f64> = (0..n).map(|i| a[i * d + k]).collect();
                    let size: f64 = left.iter().zip(&right).map(|(x, y)| (x * y).abs()).sum();
                    let error = (gram.get(j, k) - dot2(&left, &right)).abs();
                    assert!(
                        error <= (terms + 2) as f64 * UNIT * size,
                        "{n} {d} {j} {k}: {error:e} of {size:e}"
                    );
                    assert_eq!(gram.get(j, k), gram.get(k, j));
                }
            }
        }
    }
}

#[test]
fn layouts_threads_and_precisions_agree() {
    let (n, d) = (5000, 13);
    let a = random(n * d, 1);
    let c = MatrixView::row_major(&a, n, d).unwrap();
    let one = threaded(1, c, None);
    assert!([2, 3, 5].iter().all(|&workers| threaded(workers, c, None) == one));
    let f: Vec<f64> = c.to_column_major().into_owned();
    assert_eq!(threaded(2, MatrixView::column_major(&f, n, d).unwrap(), None), one);
    let wide: Vec<f64> = (0..n).flat_map(|i| [&a[i * d..(i + 1) * d], &[f64::NAN; 3]].concat()).collect();
    let window = MatrixView::new(&wide, 0, (n, d), (d as isize + 3, 1)).unwrap();
    assert_eq!(threaded(1, window, None), one);
    let reversed = MatrixView::new(&a, (n - 1) * d, (n, d), (-(d as isize), 1)).unwrap();
    assert!(
        threaded(1, reversed, None).as_slice().iter().zip(one.as_slice()).all(|(x, y)| (x - y).abs() < 1e-9)
    );
    // Weights that are exact squares round nothing.
    let twice: Vec<f64> = a.iter().map(|x| 2.0 * x).collect();
    let doubled = threaded(1, MatrixView::row_major(&twice, n, d).unwrap(), None);
    assert_eq!(threaded(1, c, Some(&vec![4.0; n])), doubled);
    let single: Vec<f32> = a.iter().map(|&x| x as f32).collect();
    let widened: Vec<f64> = single.iter().map(|&x| f64::from(x)).collect();
    let (mut from_single, mut from_double, mut panels) = (Gram::new(d), Gram::new(d), Panels::new(d));
    from_single.accumulate(&mut panels, &single, d, None);
    from_double.accumulate(&mut panels, &widened, d, None);
    assert_eq!(from_single, from_double);
}

#[test]
fn many_chunks_lose_nothing() {
    // A chunk with a 1, then 2^-60 a row: heads alone would drop every later chunk.
    let n = 1 << 18;
    let entry = |i| {
        if i == 0 {
            1.0
        } else if i < CHUNK {
            0.0
        } else {
            2f64.powi(-30)
        }
    };
    let a: Vec<f64> = (0..n).map(entry).collect();
    let mut gram = Gram::new(1);
    gram.accumulate(&mut Panels::new(1), &a, 1, None);
    let exact = 1.0 + (n - CHUNK) as f64 * 2f64.powi(-60);
    assert!((gram.get(0, 0) - exact).abs() <= UNIT * exact);
}

#[test]
fn merging_adds_heads_and_tails() {
    let (n, d) = (600, 10);
    let a = random(n * d, 5);
    let (mut whole, mut left, mut right) = (Gram::new(d), Gram::new(d), Gram::new(d));
    let mut panels = Panels::new(d);
    whole.accumulate(&mut panels, &a, d, None);
    left.accumulate(&mut panels, &a[..512 * d], d, None);
    right.accumulate(&mut panels, &a[512 * d..], d, None);
    left.merge(&right);
    assert!(
        (0..d).all(|i| (0..=i).all(|j| (left.get(i, j) - whole.get(i, j)).abs() <= UNIT * 2.0 * n as f64))
    );
}

#[test]
fn appended_columns_and_infinities() {
    let mut panels = Panels::new(11);
    let (a, b) = (random(5 * 9, 2), random(5, 3));
    panels.begin(5);
    panels.write(0, &a, 9, 9, None);
    panels.write_constant(9, 1.0, None);
    panels.write(10, &b, 1, 1, None);
    let mut gram = Gram::new(11);
    gram.add(&panels);
    assert_eq!(gram.get(9, 9), 5.0);
    assert!((gram.get(10, 9) - b.iter().sum::<f64>()).abs() < 1e-14);
    let column: Vec<f64> = (0..5).map(|i| a[i * 9 + 4]).collect();
    assert!((gram.get(10, 4) - dot2(&column, &b)).abs() < 1e-14);
    let mut overflown = Gram::new(1);
    overflown.accumulate(&mut Panels::new(1), &[1e200, 1.0], 1, None);
    assert_eq!(overflown.get(0, 0), f64::INFINITY);
    overflown.accumulate(&mut Panels::new(1), &[f64::NAN], 1, None);
    assert!(overflown.get(0, 0).is_nan());
}

#[test]
fn rows_given_by_their_entries_are_the_same_rows() {
    let (n, d) = (400, 19);
    let mut rng = Philox::new(11, 0, 0);
    let mut gram = Gram::new(d);
    let mut full = vec![0.0; n * d];
    for i in 0..n {
        // Up to four columns, in any order.
        let mut columns: Vec<usize> = Vec::new();
        for _ in 0..4 {
            let j = (rng.normal().abs() * 7.0) as usize % d;
            if !columns.contains(&j) {
                columns.push(j);
            }
        }
        let values: Vec<f64> = columns.iter().map(|_| rng.normal()).collect();
        columns.iter().zip(&values).for_each(|(&j, &v)| full[i * d + j] = v);
        gram.add_outer(&columns, &values);
    }
    for j in 0..d {
        for k in 0..d {
            let column = |j: usize| (0..n).map(|i| full[i * d + j]).collect::<Vec<_>>();
            let (left, right) = (column(j), column(k));
            let size: f64 = left.iter().zip(&right).map(|(a, b)| (a * b).abs()).sum();
            // A rounding of each product, and one of the sum.
            assert!((gram.get(j, k) - dot2(&left, &right)).abs() <= 2.0 * UNIT * size);
        }
    }
}
