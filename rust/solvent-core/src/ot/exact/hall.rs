//! Why a pattern of forbidden arcs admits no plan: a set of rows that weighs more than all columns it can reach.

use super::cost::Entry;
use super::problem::Problem;
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sum::Sum;
use crate::ot::simplex::tree::Tree;

/// A set of rows and one of columns that holds all that these reach, of the caller's matrix, with `a(S) - b'(N)`.
#[derive(Debug, Clone)]
pub struct Hall {
    /// Membership of each row.
    pub rows: Vec<bool>,
    /// Membership of each column.
    pub columns: Vec<bool>,
    /// What the rows weigh more than the columns can take.
    pub excess: f64,
}

impl Hall {
    /// Follows the arcs from the rows whose flow goes over forbidden arcs, and the flows back from the columns reached.
    /// `None` if that leads to a column which is itself supplied over a forbidden arc: less would then do.
    pub fn find<T: Entry>(
        problem: &Problem<'_, T>,
        tree: &Tree,
        monitor: &mut Monitor<'_>,
    ) -> Result<Option<Self>, Aborted> {
        let (n, m) = (problem.rows.len(), problem.columns.len());
        let mut inside = vec![false; n];
        let mut starved = vec![false; m];
        let mut suppliers = vec![Vec::new(); m];
        let mut queue = Vec::new();
        for e in tree.edges().filter(|e| e.flow > 0) {
            let (i, j) = (e.row as usize, e.column as usize);
            if problem.cost(i, j).is_finite() {
                suppliers[j].push(i);
            } else {
                starved[j] = true;
                if !std::mem::replace(&mut inside[i], true) {
                    queue.push(i);
                }
            }
        }
        let mut reached = vec![false; m];
        while let Some(i) = queue.pop() {
            monitor.poll()?;
            for j in 0..m {
                if reached[j] || !problem.cost(i, j).is_finite() {
                    continue;
                }
                if starved[j] {
                    return Ok(None);
                }
                reached[j] = true;
                for &i in &suppliers[j] {
                    if !std::mem::replace(&mut inside[i], true) {
                        queue.push(i);
                    }
                }
            }
        }
        Ok(Some(Self::weigh(problem, &inside)))
    }

    /// The set of these rows (of those that take part), and all columns they reach, also those of no weight.
    fn weigh<T: Entry>(problem: &Problem<'_, T>, inside: &[bool]) -> Self {
        let mut rows = vec![false; problem.a.len()];
        let mut columns = vec![false; problem.b.len()];
        let (mut heavy, mut room) = (Sum::new(), Sum::new());
        for (&i, _) in problem.rows.iter().zip(inside).filter(|(_, inside)| **inside) {
            rows[i as usize] = true;
            heavy.add(problem.a[i as usize]);
            let row = problem.row(i as usize);
            columns.iter_mut().zip(row).for_each(|(reached, c)| *reached |= c.to_f64() < f64::INFINITY);
        }
        let share = problem.sum_a / problem.sum_b;
        columns
            .iter()
            .zip(&problem.b)
            .filter(|(reached, _)| **reached)
            .for_each(|(_, &b)| room.add(b * share));
        let excess = heavy.value() - room.value();
        if problem.transposed {
            // The rows that those columns do not reach can only go to the other columns: the same excess.
            let others = |set: Vec<bool>| set.into_iter().map(|x| !x).collect();
            return Self { rows: others(columns), columns: others(rows), excess };
        }
        Self { rows, columns, excess }
    }
}
