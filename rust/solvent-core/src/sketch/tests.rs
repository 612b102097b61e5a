use super::*;
use crate::base::monitor::{Budget, Monitor, Silent};
use crate::base::pool;
use crate::base::rng::Philox;
use crate::base::view::MatrixView;

const KEY: Key = Key { seed: 77, stream: 5 };

fn random(count: usize, stream: u32) -> Vec<f64> {
    let mut rng = Philox::new(42, stream, 0);
    (0..count).map(|_| rng.normal()).collect()
}

/// Every kind of sketch, also with fewer rows than strata.
fn operators(n: usize, d: usize) -> Vec<Operator> {
    let mut all = Vec::new();
    for m in [1, 5, 8, 19, 64] {
        for name in Name::ALL {
            if name != Name::Srht || m as u64 <= padded_size(n) {
                all.push(Operator::new(name, m, (n, d), KEY));
            }
        }
        all.push(Operator::BlockHadamard(BlockHadamard::with_chunk(m, KEY, 64).mixing(2)));
        all.push(Operator::BlockHadamard(BlockHadamard::with_chunk(m, KEY, 8).mixing(3)));
    }
    all
}

fn run<T>(workers: usize, work: impl FnOnce(&mut Monitor<'_>) -> T) -> T {
    let mut silent = Silent;
    let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut silent, &[]);
    pool::run(Some(workers), || work(&mut monitor))
}

fn product(s: &[f64], a: &[f64], (m, n, d): (usize, usize, usize)) -> Vec<f64> {
    let mut out = vec![0.0; m * d];
    for i in 0..m {
        for k in 0..n {
            for j in 0..d {
                out[i * d + j] += s[i * n + k] * a[k * d + j];
            }
        }
    }
    out
}

fn close(x: &[f64], y: &[f64], n: usize) {
    assert_eq!(x.len(), y.len());
    for (x, y) in x.iter().zip(y) {
        assert!((x - y).abs() <= 1e-14 * (n as f64 + 1.0) * (1.0 + y.abs()), "{x} {y}");
    }
}

#[test]
fn products_agree_with_the_dense_matrix() {
    for (n, d) in [(0, 3), (1, 1), (7, 2), (64, 8), (203, 13), (1030, 3)] {
        let (a, weights) = (random(n * d, 1), random(n, 2));
        let view = MatrixView::row_major(&a, n, d).unwrap();
        let scaled: Vec<f64> = (0..n * d).map(|k| a[k] * weights[k / d]).collect();
        for sketch in operators(n, d) {
            let m = sketch.rows();
            let s = to_dense(&sketch, n);
            let found = run(1, |o| apply(&sketch, view, None, o)).unwrap();
            close(&found, &product(&s, &a, (m, n, d)), n);
            let found = run(1, |o| apply(&sketch, view, Some(&weights), o)).unwrap();
            close(&found, &product(&s, &scaled, (m, n, d)), n);
            let y = random(m * d, 3);
            let back = run(1, |o| apply_adjoint(&sketch, n, MatrixView::row_major(&y, m, d).unwrap(), o));
            let transposed: Vec<f64> = (0..n * m).map(|k| s[(k % m) * n + k / m]).collect();
            close(&back.unwrap(), &product(&transposed, &y, (n, m, d)), m);
            if let Some(k) = sketch.nonzeros() {
                let filled = s.iter().filter(|&&x| x != 0.0).count();
                assert_eq!(filled, n * k.min(m));
            }
        }
    }
}

#[test]
fn any_order_thread_and_cut_gives_the_same_bits() {
    let (n, d) = (5000, 11);
    let a = random(n * d, 4);
    let f: Vec<f64> = (0..n * d).map(|k| a[(k % n) * d + k / n]).collect();
    let factors: Vec<f64> = random(n, 5).iter().map(|x| x.abs()).collect();
    for sketch in operators(n, d) {
        let view = MatrixView::row_major(&a, n, d).unwrap();
        let whole = run(1, |o| apply(&sketch, view, Some(&factors), o)).unwrap();
        assert_eq!(run(3, |o| apply(&sketch, view, Some(&factors), o)).unwrap(), whole);
        let columns = MatrixView::column_major(&f, n, d).unwrap();
        assert_eq!(run(2, |o| apply(&sketch, columns, Some(&factors), o)).unwrap(), whole);
        let mut stream = Stream::new(sketch.clone(), d);
        let mut rng = Philox::new(9, 0, 0);
        let mut next = 0;
        while next < n {
            let end = n.min(next + rng.below(900) as usize);
            let block = Rows::new(&a[next * d..end * d], end - next, d).times(Some(&factors[next..end]));
            stream.push(&block);
            next = end;
        }
        assert_eq!(stream.count(), n);
        assert_eq!(stream.finish(), whole);
    }
}

#[test]
fn panels_are_cut_the_same_in_streams() {
    let (n, d) = (100_000, 2);
    let a = random(n * d, 6);
    let view = MatrixView::row_major(&a, n, d).unwrap();
    for name in Name::ALL {
        let sketch = Operator::new(name, 16, (n, d), KEY);
        let whole = run(2, |o| apply(&sketch, view, None, o)).unwrap();
        let mut stream = Stream::new(sketch, d);
        for part in a.chunks(7919 * d) {
            stream.push(&Rows::new(part, part.len() / d, d));
        }
        assert_eq!(stream.finish(), whole);
    }
}

#[test]
fn single_precision_is_widened_first() {
    let (n, d) = (333, 9);
    let a: Vec<f32> = random(n * d, 7).iter().map(|&x| x as f32).collect();
    let wide: Vec<f64> = a.iter().map(|&x| f64::from(x)).collect();
    for sketch in operators(n, d) {
        let narrow = run(1, |o| apply(&sketch, MatrixView::row_major(&a, n, d).unwrap(), None, o)).unwrap();
        let double =
            run(1, |o| apply(&sketch, MatrixView::row_major(&wide, n, d).unwrap(), None, o)).unwrap();
        assert_eq!(narrow, double);
    }
}

#[test]
fn compressed_rows_agree_with_dense_ones() {
    let (n, d) = (700, 40);
    let mut rng = Philox::new(8, 0, 0);
    let (mut indptr, mut indices, mut data) = (vec![0i64], Vec::new(), Vec::new());
    let mut dense = vec![0.0; n * d];
    for i in 0..n {
        for _ in 0..rng.below(6) {
            let (j, x) = (rng.below(d as u64) as usize, rng.normal());
            indices.push(j as i32);
            data.push(x);
            dense[i * d + j] += x;
        }
        indptr.push(data.len() as i64);
    }
    let sparse = crate::base::sparse::SparseView::new(&indptr, &indices, &data, d).unwrap();
    for sketch in operators(n, d) {
        let found = run(2, |o| apply_sparse(&sketch, sparse, o)).unwrap();
        let expected = run(1, |o| apply(&sketch, MatrixView::row_major(&dense, n, d).unwrap(), None, o));
        close(&found, &expected.unwrap(), n);
    }
}

#[test]
fn kronecker_products_need_not_be_formed() {
    for (n1, n2) in [(1, 1), (3, 5), (8, 7)] {
        let sketch = TensorSrht::new(21, (n1, n2), KEY);
        let (x, y) = (random(n1 * 2, 9), random(n2 * 2, 10));
        let pairs = sketch.apply_pair(&x, &y, 2);
        let s = sketch.to_dense();
        for c in 0..2 {
            let kron: Vec<f64> = (0..n1 * n2).map(|k| x[k / n2 * 2 + c] * y[k % n2 * 2 + c]).collect();
            let expected = product(&s, &kron, (21, n1 * n2, 1));
            close(&pairs.chunks(2).map(|p| p[c]).collect::<Vec<_>>(), &expected, n1 * n2);
            close(&sketch.apply(&kron), &expected, n1 * n2);
        }
        let z = random(21, 11);
        let transposed: Vec<f64> = (0..n1 * n2 * 21).map(|k| s[(k % 21) * n1 * n2 + k / 21]).collect();
        close(&sketch.apply_adjoint(&z), &product(&transposed, &z, (n1 * n2, 21, 1)), 21);
    }
}
