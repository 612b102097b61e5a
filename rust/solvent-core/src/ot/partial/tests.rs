//! Partial plans against their optimality conditions, written out in plain loops, and against enumeration.

use crate::base::monitor::{Budget, Silent};
use crate::base::rng::Philox;
use crate::base::status::Status;
use crate::base::view::MatrixView;
use crate::ot::problem::{Ground, Terms};
use crate::ot::solve::{Method, Options, Transport, certify, solve};
use proptest::prelude::*;

fn options(method: Method, tol: f64) -> Options {
    Options { method, first: None, start: None, budget: Budget::new(tol, 5000) }
}

fn run(c: &[f64], a: &[f64], b: &[f64], reg: f64, mass: f64, method: Method) -> Transport {
    let view = MatrixView::row_major(c, a.len(), b.len()).unwrap();
    let terms = Terms { reg, tau_a: f64::INFINITY, tau_b: f64::INFINITY, mass: Some(mass) };
    solve(Ground::F64(view), a, b, terms, &options(method, 1e-9), &mut Silent).unwrap()
}

/// Sums of rows and columns and the plan of a solution.
fn plan(c: &[f64], a: &[f64], b: &[f64], reg: f64, it: &Transport) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (n, m) = (a.len(), b.len());
    let mut p = vec![0.0; n * m];
    let (mut rows, mut columns) = (vec![0.0; n], vec![0.0; m]);
    for i in 0..n {
        for j in 0..m {
            let exponent = (it.f[i] + it.g[j] + it.lam - c[i * m + j]) / reg;
            p[i * m + j] = a[i] * b[j] * exponent.exp();
            rows[i] += p[i * m + j];
            columns[j] += p[i * m + j];
        }
    }
    (p, rows, columns)
}

fn weights(stream: &mut Philox, n: usize) -> Vec<f64> {
    (0..n).map(|_| 0.05 + stream.uniform()).collect()
}

fn costs(stream: &mut Philox, size: usize) -> Vec<f64> {
    (0..size).map(|_| stream.uniform()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_optimality_conditions_hold(
        seed in any::<u64>(), n in 1..9usize, m in 1..9usize, share in 0.02..1.0f64, log_reg in -5.5..0.0f64,
        whole in any::<bool>(), newton in any::<bool>(),
    ) {
        let mut stream = Philox::new(seed, 0, 0);
        let (a, b) = (weights(&mut stream, n), weights(&mut stream, m));
        let c = costs(&mut stream, n * m);
        let least = a.iter().sum::<f64>().min(b.iter().sum());
        let (mass, reg) = (if whole { least } else { share * least }, log_reg.exp());
        let method = if newton { Method::Auto } else { Method::Sinkhorn };
        let it = run(&c, &a, &b, reg, mass, method);
        prop_assume!(newton || it.outcome.status == Status::Converged);
        prop_assert_eq!(it.outcome.status, Status::Converged);
        let tol = 2e-9 * mass;
        let (p, rows, columns) = plan(&c, &a, &b, reg, &it);
        prop_assert!(it.f.iter().chain(&it.g).all(|x| *x <= 0.0));
        prop_assert!((p.iter().sum::<f64>() - mass).abs() <= tol);
        for (sums, caps, x) in [(&rows, &a, &it.f), (&columns, &b, &it.g)] {
            for k in 0..caps.len() {
                prop_assert!(sums[k] <= caps[k] + tol);
                // A price only where the cap is met: otherwise it would be felt without f.
                let without = (sums[k] * (-x[k] / reg).exp()).min(caps[k]);
                prop_assert!((sums[k] - without).abs() <= tol);
            }
        }
        let certificate = it.outcome.certificate.as_ref().unwrap();
        let part = |name| certificate.get(name).unwrap();
        prop_assert!(part("lower") <= it.figures.value && it.figures.value <= part("upper"));
        prop_assert!(part("unreg_lower") <= part("unreg_upper"));
        // The same from outside.
        let view = MatrixView::row_major(&c, n, m).unwrap();
        let terms = Terms { reg, tau_a: f64::INFINITY, tau_b: f64::INFINITY, mass: Some(mass) };
        let (again, _) = certify(Ground::F64(view), &a, &b, terms, &it.f, &it.g, it.lam, &mut Silent).unwrap();
        prop_assert_eq!(again.bound, certificate.bound);
    }

    #[test]
    fn any_potentials_give_bounds(seed in any::<u64>(), share in 0.02..1.0f64, wild in 0.0..30.0f64) {
        let mut stream = Philox::new(seed, 0, 0);
        let (n, m, reg) = (4, 5, 0.1);
        let (a, b, c) = (weights(&mut stream, n), weights(&mut stream, m), costs(&mut stream, 20));
        let mass = share * a.iter().sum::<f64>().min(b.iter().sum());
        let solved = run(&c, &a, &b, reg, mass, Method::Auto);
        let value = solved.figures.value;
        let f: Vec<f64> = (0..n).map(|_| wild * (stream.uniform() - 0.7)).collect();
        let g: Vec<f64> = (0..m).map(|_| wild * (stream.uniform() - 0.7)).collect();
        let lam = wild * (stream.uniform() - 0.5);
        let view = MatrixView::row_major(&c, n, m).unwrap();
        let terms = Terms { reg, tau_a: f64::INFINITY, tau_b: f64::INFINITY, mass: Some(mass) };
        let (certificate, _) = certify(Ground::F64(view), &a, &b, terms, &f, &g, lam, &mut Silent).unwrap();
        let part = |name| certificate.get(name).unwrap();
        prop_assert!(part("lower") <= value * (1.0 + 1e-13) && value * (1.0 - 1e-13) <= part("upper"));
        let other = |name| solved.outcome.certificate.as_ref().unwrap().get(name).unwrap();
        prop_assert!(part("unreg_lower") <= other("unreg_upper") && other("unreg_lower") <= part("unreg_upper"));
    }
}

#[test]
fn two_of_three_partners_by_enumeration() {
    let c = [0.9, 0.2, 0.4, 0.3, 0.8, 0.7, 0.5, 0.6, 0.1];
    let one = [1.0; 3];
    // The cheapest two arcs without a common end.
    let mut least = f64::INFINITY;
    for (x, y) in (0..9).flat_map(|x| (0..9).map(move |y| (x, y))) {
        if x / 3 != y / 3 && x % 3 != y % 3 {
            least = least.min(c[x] + c[y]);
        }
    }
    let it = run(&c, &one, &one, 1e-3, 2.0, Method::Auto);
    let certificate = it.outcome.certificate.unwrap();
    let (lower, upper) = (certificate.get("unreg_lower").unwrap(), certificate.get("unreg_upper").unwrap());
    assert!(lower <= least && least <= upper && upper - lower < 0.01, "{lower} {least} {upper}");
}

#[test]
fn blocks_and_lines_without_arcs() {
    let no = f64::INFINITY;
    // Two blocks and a row that leads nowhere.
    let c = [0.3, no, no, no, 0.1, 0.6, no, no, no];
    let (a, b) = ([1.0, 1.0, 1.0], [0.5, 0.75, 0.5]);
    let it = run(&c, &a, &b, 0.05, 1.2, Method::Auto);
    assert_eq!(it.outcome.status, Status::Converged, "{}", it.outcome.message);
    let (p, rows, _) = plan(&c, &a, &b, 0.05, &it);
    assert!(rows[2] == 0.0 && (p.iter().sum::<f64>() - 1.2).abs() < 1e-8);
    // Column 0 takes 0.5, the second row carries 1 at most: no plan has more than 1.5.
    let it = run(&c, &a, &b, 0.05, 1.6, Method::Auto);
    assert_eq!(it.outcome.status, Status::Infeasible);
    let (u, v) = it.obstruction.map(|o| (o.u, o.v)).unwrap();
    let gain = 1.6 + (0..3).map(|i| a[i] * u[i] + b[i] * v[i]).sum::<f64>();
    assert!((gain - 0.1).abs() < 1e-12);
    assert!((0..9).all(|k| c[k] == no || u[k / 3] + v[k % 3] + 1.0 <= 0.0));
}

#[test]
fn the_level_is_not_lost_at_small_reg() {
    // Columns so far off that their entries underflow.
    let mut stream = Philox::new(7, 0, 0);
    let (n, m) = (40, 60);
    let at = |s: &mut Philox, n: usize| -> Vec<f64> { (0..n).map(|_| s.uniform()).collect() };
    let (x, y) = (at(&mut stream, n), at(&mut stream, m));
    let c: Vec<f64> = x.iter().flat_map(|x| y.iter().map(move |y| (x - 2.0 * y).powi(2))).collect();
    let (a, b) = (vec![1.0 / n as f64; n], vec![1.0 / m as f64; m]);
    for mass in [0.05, 0.3, 0.7] {
        let it = run(&c, &a, &b, 1e-4, mass, Method::Auto);
        assert_eq!(it.outcome.status, Status::Converged, "{mass}: {:?}", it.outcome.certificate);
    }
}

#[test]
fn a_mass_out_of_range_is_refused() {
    let c = [0.0];
    for mass in [0.0, -1.0, 1.1, f64::NAN, f64::INFINITY] {
        let view = MatrixView::row_major(&c, 1, 1).unwrap();
        let terms = Terms { reg: 1.0, tau_a: f64::INFINITY, tau_b: f64::INFINITY, mass: Some(mass) };
        let refused =
            solve(Ground::F64(view), &[1.0], &[1.0], terms, &options(Method::Auto, 1e-9), &mut Silent);
        assert!(refused.unwrap_err().to_string().starts_with("mass = "));
    }
}
