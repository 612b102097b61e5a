//! Where the simplex method starts: potentials, the arcs they make promising, a basis from these.

use super::anneal::Anneal;
use super::basis::spanning_tree;
use super::cost::Entry;
use super::problem::Problem;
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::ot::simplex::Simplex;
use crate::ot::simplex::price::Arcs;
use crate::ot::simplex::tree::Tree;

/// Up to so many entries, all arcs are listed at once and nothing is annealed.
const SMALL: usize = 4096;

/// The start.
#[derive(Debug)]
pub struct Start {
    /// A basis and promising arcs.
    pub simplex: Simplex,
    /// What a unit of flow over a forbidden arc costs.
    pub big: f64,
    /// The columns' potentials it was made from.
    pub g: Vec<f64>,
    /// Annealing passes.
    pub passes: u64,
}

/// Potentials of `C_ij - floor_i`, and arcs.
struct Guess {
    f: Vec<f64>,
    g: Vec<f64>,
    arcs: Vec<(u32, u32)>,
    passes: u64,
}

/// Makes a start from the caller's potentials, or from annealed ones.
pub fn start<T: Entry>(
    problem: &Problem<'_, T>,
    given: Option<(&[f64], &[f64])>,
    monitor: &mut Monitor<'_>,
) -> Result<Start, Aborted> {
    let (n, m) = (problem.rows.len(), problem.columns.len());
    let guess = if n * m <= SMALL {
        all(problem)
    } else if 1.0 / problem.span == f64::INFINITY || problem.span.is_infinite() {
        staircase(problem)
    } else {
        promising(problem, given, monitor)?
    };
    let Guess { f, g, arcs, passes } = guess;
    let reduced = |i: usize, j: usize| problem.cost(i, j) - f[i] - g[j];
    let mut order: Vec<(f64, (u32, u32))> =
        arcs.iter().map(|&(i, j)| (reduced(i as usize, j as usize), (i, j))).collect();
    order.retain(|(reduced, _)| *reduced < f64::INFINITY);
    order.sort_unstable_by(|x, y| x.0.total_cmp(&y.0).then(x.1.cmp(&y.1)));
    let mut list = Arcs::default();
    for &(i, j) in &arcs {
        let cost = problem.cost(i as usize, j as usize);
        if cost < f64::INFINITY {
            list.push(i, n as u32 + j, cost);
        }
    }
    let order: Vec<_> = order.into_iter().map(|(_, arc)| arc).collect();
    let (edges, root) = spanning_tree(&problem.supply, &problem.demand, &order, reduced);
    let unit = if problem.span > 0.0 { problem.span } else { 1.0 };
    let big = 4.0 * unit;
    let tree = Tree::new(n, m, &edges, root, |i, j| problem.priced(i, j, big));
    Ok(Start { simplex: Simplex::new(tree, list), big, g, passes })
}

/// All arcs of a small problem.
fn all<T: Entry>(problem: &Problem<'_, T>) -> Guess {
    let (n, m) = (problem.rows.len(), problem.columns.len());
    let arcs = (0..n as u32).flat_map(|i| (0..m as u32).map(move |j| (i, j))).collect();
    Guess { f: vec![0.0; n], g: problem.column_floor.clone(), arcs, passes: 0 }
}

/// The north-west corner's arcs, where costs say nothing.
fn staircase<T: Entry>(problem: &Problem<'_, T>) -> Guess {
    let (n, m) = (problem.rows.len(), problem.columns.len());
    let (mut i, mut j) = (0, 0);
    let (mut left, mut room) = (problem.supply[0], problem.demand[0]);
    let mut arcs = Vec::with_capacity(n + m);
    loop {
        arcs.push((i as u32, j as u32));
        let flow = left.min(room);
        (left, room) = (left - flow, room - flow);
        if left == 0 && i + 1 < n {
            i += 1;
            left = problem.supply[i];
        } else if j + 1 < m {
            j += 1;
            room = problem.demand[j];
        } else {
            break;
        }
    }
    Guess { f: vec![0.0; n], g: problem.column_floor.clone(), arcs, passes: 0 }
}

fn promising<T: Entry>(
    problem: &Problem<'_, T>,
    given: Option<(&[f64], &[f64])>,
    monitor: &mut Monitor<'_>,
) -> Result<Guess, Aborted> {
    let span = problem.span;
    let mut anneal = Anneal::new(problem, monitor)?;
    let mut passes = 0;
    match given {
        Some((f, g)) => {
            for ((own, &i), floor) in anneal.f.iter_mut().zip(&problem.rows).zip(&problem.floor) {
                *own = (f[i as usize] - floor) / span;
            }
            for ((own, &j), floor) in anneal.g.iter_mut().zip(&problem.columns).zip(&problem.column_floor) {
                *own = (g[j as usize] - floor) / span;
            }
        }
        None => {
            let base = problem.value_of_floors();
            while anneal.advance(monitor)? {
                passes += 1;
                let value = base + span * anneal.value() * problem.sum_a;
                let extras = [problem.sum_a * anneal.error, value, span * anneal.temperature];
                if monitor.record(0, None, &extras)?.is_some() {
                    break;
                }
            }
        }
    }
    let arcs = anneal.neighbours(monitor)?;
    let Anneal { mut f, mut g, .. } = anneal;
    f.iter_mut().for_each(|f| *f *= span);
    g.iter_mut().zip(&problem.column_floor).for_each(|(g, floor)| *g = *g * span + floor);
    Ok(Guess { f, g, arcs, passes })
}
