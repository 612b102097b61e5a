//! Rounding to the marginals where some arcs are forbidden: what is missing flows along a forest of large entries.
//!
//! With every forest edge at least twice the missing mass, no flow can make an entry negative. A component whose rows and
//! columns weigh the same takes nothing from the others and gives them nothing: small entries that lead out of it, as they
//! stand in every plan of finite potentials where arcs go one way only, are taken out before. Where rows and columns of a
//! component weigh different amounts nothing is claimed.

use super::OtError;
use super::certify::{Rounded, Upper};
use super::passes::{Thresholds, chain, probe};
use super::problem::Problem;
use crate::base::monitor::Monitor;
use crate::base::sum::{Dd, Sum};
use std::collections::BTreeMap;

/// The forest's flows.
pub struct Routed {
    rounded: Rounded,
    /// `sum delta C`, `sum |delta| (|C| + reg |log|)`, `sum delta (1 + log(entry/(a b)))`; none if it cannot be done.
    sums: Option<(f64, f64, f64)>,
    /// What is left over.
    left: f64,
    cost: f64,
    reg: f64,
    mass: f64,
}

/// An edge of the forest: row, column, the plan's entry.
type Edge = (u32, u32, f64);

/// Routes what `rounded` lacks along its own support. `cost` is `<C, Q>`.
pub fn routed(
    problem: &Problem<'_>,
    rounded: Rounded,
    cost: f64,
    monitor: &mut Monitor<'_>,
) -> Result<Routed, OtError> {
    let (n, m) = (rounded.u.len(), rounded.w.len());
    let (reg, mass) = (problem.reg, problem.mass.unwrap_or_else(|| problem.a.mass()));
    let missing = rounded.u.iter().sum::<f64>().max(rounded.w.iter().sum::<f64>());
    let least = vec![2.0 * missing; m];
    let mut edges: Vec<Edge> = Vec::new();
    let mut joined = Components::new(n + m);
    entries(problem, &rounded, &least, monitor, |i, j, entry| {
        if entry >= 2.0 * missing && joined.join(i, n + j) {
            edges.push((i as u32, j as u32, entry));
        }
    })?;
    let nothing = |rounded| Ok(Routed { rounded, sums: None, left: 0.0, cost, reg, mass });
    if !balanced(problem, &mut joined) {
        return nothing(rounded);
    }
    let forest = edges.len();
    let (mut flows, mut left) = along(&edges, &rounded.u, &rounded.w);
    // What rounding leaves over moves along arcs of the same component.
    let rounding = 4.0 * (chain(n, m) + 8.0) * f64::EPSILON * mass;
    if left > rounding {
        let (mut u, mut w) = (rounded.u.clone(), rounded.w.clone());
        let mut crossing: Vec<Edge> = Vec::new();
        let least = vec![f64::EPSILON * mass / (n * m) as f64; m];
        entries(problem, &rounded, &least, monitor, |i, j, entry| {
            if joined.root(i) != joined.root(n + j) {
                u[i] += entry;
                w[j] += entry;
                crossing.push((i as u32, j as u32, entry));
            }
        })?;
        (flows, left) = along(&edges, &u, &w);
        let kept = edges.iter().zip(&flows).all(|(edge, flow)| edge.2 + flow >= 0.25 * edge.2);
        if left > rounding || !kept {
            return nothing(rounded);
        }
        flows.extend(crossing.iter().map(|edge| -edge.2));
        edges.extend(crossing);
    }
    let (f, g) = (&rounded.f, &rounded.g);
    let (mut costs, mut size, mut entropy) = (Sum::new(), Sum::new(), Sum::new());
    for (k, (&(i, j, entry), &flow)) in edges.iter().zip(&flows).enumerate() {
        let (i, j) = (i as usize, j as usize);
        let level = (entry / rounded.theta).ln();
        let price = (f[i] + g[j]) - reg * level;
        // The most that x log x can rise: by its slope at the end, and by all of it where the entry goes.
        let stays = k < forest;
        let end = if stays { entry + flow } else { entry };
        let log = end.ln() - problem.a.logs()[i] - problem.b.logs()[j];
        costs.add(flow * price);
        entropy.add(if stays { flow * (1.0 + log) } else { flow * log });
        size.add(flow.abs() * (f[i].abs() + g[j].abs() + reg * (level.abs() + log.abs() + 2.0)));
    }
    let mut rounded = rounded;
    rounded.flows = Some(edges.iter().zip(&flows).map(|(e, &flow)| (e.0, e.1, flow)).collect());
    Ok(Routed { rounded, sums: Some((costs.value(), size.value(), entropy.value())), left, cost, reg, mass })
}

/// Calls `f(i, j, entry)` for the entries of the rounded plan that are at least these in their column.
fn entries(
    problem: &Problem<'_>,
    rounded: &Rounded,
    least: &[f64],
    monitor: &mut Monitor<'_>,
    mut f: impl FnMut(usize, usize, f64),
) -> Result<(), OtError> {
    let thresholds = Thresholds { row: f64::INFINITY, columns: least, room: usize::MAX, exact: true };
    let found = probe::<f64>(problem.cost(), &rounded.f, &rounded.g, problem.reg, thresholds, monitor)?;
    found.support.each(|i, j, share| f(i, j, share * found.rows[i] * rounded.theta));
    Ok(())
}

impl Routed {
    /// The upper bounds: `level` is the plan's own share of the value, `total` its mass, `price` what moving a unit of
    /// mass may cost.
    pub fn into_upper(
        self,
        level: f64,
        total: f64,
        evaluation: f64,
        cost_rounding: f64,
        moving: f64,
        price: f64,
    ) -> Upper {
        let Self { rounded, sums, left, cost, reg, mass } = self;
        let Some((along, size, entropy)) = sums else {
            return Upper { entropic: f64::INFINITY, linear: f64::INFINITY, allowance: 0.0, rounded };
        };
        let theta = rounded.theta;
        // Where arcs are few, mass gets from a row to a column by a path through all others at worst.
        let steps = (rounded.u.len() + rounded.w.len()) as f64;
        let moving = steps * moving;
        // (Entries and flows are as exact as double precision: generous, and nothing beside what is missing.)
        let by_entries = 1e-6 * size + 2.0 * steps * left * price;
        let allowance = theta * evaluation + by_entries + moving;
        let entropic =
            theta * level + theta * theta.ln() * reg * total + along + reg * entropy - reg * mass + allowance;
        let linear = theta * cost + along + cost_rounding + by_entries + moving;
        Upper { entropic, linear, allowance, rounded }
    }
}

/// Whether the rows and columns of each component weigh the same, but for what weights in floats cannot say (as a set of
/// rows that lacks no more than that is no proof of infeasibility): mass cannot leave one.
fn balanced(problem: &Problem<'_>, joined: &mut Components) -> bool {
    let (a, b) = (problem.a.weights(), problem.b.weights());
    let total = |w: &[f64]| w.iter().fold(Dd::ZERO, |sum, &w| sum + Dd::from(w));
    let (of_a, of_b) = (total(a), total(b));
    let mut parts: BTreeMap<usize, (Dd, Dd)> = BTreeMap::new();
    for (i, &w) in a.iter().enumerate() {
        let part = parts.entry(joined.root(i)).or_default();
        part.0 = part.0 + Dd::from(w);
    }
    for (j, &w) in b.iter().enumerate() {
        let part = parts.entry(joined.root(a.len() + j)).or_default();
        part.1 = part.1 + Dd::from(w);
    }
    // One component balances by the scaling of b.
    parts.len() == 1
        || parts.values().all(|&(x, y)| {
            let off = x - y * of_a / of_b;
            off.abs().to_f64() <= 2.0 * f64::EPSILON * of_a.to_f64()
        })
}

/// Flows along the edges of a forest that give every node what it lacks, and how much is left over: one node of each
/// component keeps what its component does not balance by.
fn along(edges: &[Edge], u: &[f64], w: &[f64]) -> (Vec<f64>, f64) {
    let n = u.len();
    let mut lacks: Vec<f64> = u.iter().chain(w).copied().collect();
    let mut at: Vec<Vec<u32>> = vec![Vec::new(); lacks.len()];
    for (e, &(i, j, _)) in edges.iter().enumerate() {
        at[i as usize].push(e as u32);
        at[n + j as usize].push(e as u32);
    }
    let mut degree: Vec<usize> = at.iter().map(Vec::len).collect();
    let mut flows = vec![f64::NAN; edges.len()];
    let mut leaves: Vec<usize> = (0..degree.len()).filter(|&v| degree[v] == 1).collect();
    while let Some(leaf) = leaves.pop() {
        let Some(&e) = at[leaf].iter().find(|&&e| flows[e as usize].is_nan()) else { continue };
        let (i, j, _) = edges[e as usize];
        let other = if leaf == i as usize { n + j as usize } else { i as usize };
        flows[e as usize] = lacks[leaf];
        lacks[other] -= lacks[leaf];
        lacks[leaf] = 0.0;
        degree[leaf] -= 1;
        degree[other] -= 1;
        if degree[other] == 1 {
            leaves.push(other);
        }
    }
    let left = lacks.iter().map(|l| l.abs()).sum();
    (flows, left)
}

/// Union by path halving.
struct Components(Vec<u32>);

impl Components {
    fn new(n: usize) -> Self {
        Self((0..n as u32).collect())
    }

    fn root(&mut self, mut v: usize) -> usize {
        while self.0[v] as usize != v {
            self.0[v] = self.0[self.0[v] as usize];
            v = self.0[v] as usize;
        }
        v
    }

    /// Whether they were apart.
    fn join(&mut self, v: usize, w: usize) -> bool {
        let (v, w) = (self.root(v), self.root(w));
        self.0[v] = w as u32;
        v != w
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_give_every_node_what_it_lacks() {
        // Two trees: rows 0, 1 with columns 0, 1; row 2 with column 2.
        let edges = [(0, 0, 1.0), (0, 1, 1.0), (1, 1, 1.0), (2, 2, 1.0)];
        let (u, w) = ([0.3, 0.2, 0.1], [0.4, 0.1, 0.1]);
        let (found, left) = along(&edges, &u, &w);
        assert!(left < 1e-15);
        let (mut rows, mut columns) = ([0.0; 3], [0.0; 3]);
        for (&(i, j, _), flow) in edges.iter().zip(&found) {
            rows[i as usize] += flow;
            columns[j as usize] += flow;
        }
        for k in 0..3 {
            assert!((rows[k] - u[k]).abs() < 1e-15 && (columns[k] - w[k]).abs() < 1e-15);
        }
        let (_, left) = along(&edges, &u, &[0.4, 0.2, 0.0]);
        assert!((left - 0.2).abs() < 1e-15, "neither tree balances");
    }
}
