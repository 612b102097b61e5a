//! Whether any plan avoids the forbidden arcs: a maximum flow on the finite ones, by Dinic's algorithm (1970).
//!
//! Rows hold a, columns take b, arcs of finite cost carry any amount. Where the flow stays below what the plan must
//! carry, the rows S that can still reach more from what is left over have too little room: all their finite arcs lead
//! into a set N(S), and `a(S) > b(N(S))` (Hall's condition). The flow only finds S; the proof is `a(S) - b(N(S))`,
//! computed from the weights and beyond what their rounding explains.

use super::cost::{Cost, Visit};
use super::passes::{Entry, Exponentials, GROUP, over_blocks};
use super::problem::Problem;
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sum::Sum;
use solvent_simd::dispatch;

/// Why no plan exists, in the caller's order: `u_i + v_j <= 0` on every finite arc, and yet `<u, a> + <v, b> > 0`
/// (balanced), or `<u, a> + <v, b> + mass > 0` with `u_i + v_j + 1 <= 0` (partial).
#[derive(Debug, Clone, PartialEq)]
pub struct Obstruction {
    /// Balanced: 1 on S. Partial: -1 on the rows that are full.
    pub u: Vec<f64>,
    /// -1 on N(S).
    pub v: Vec<f64>,
    /// What cannot be carried.
    pub excess: f64,
    /// How many rows and columns the proof names.
    pub sizes: (usize, usize),
}

impl Obstruction {
    /// In words.
    pub fn describe(&self, partial: bool) -> String {
        let (rows, columns) = self.sizes;
        if partial {
            format!(
                "no plan exists: every finite arc meets one of {rows} rows or {columns} columns, whose weights are {:.3e} \
                 less than mass; the ray in the result proves it",
                self.excess
            )
        } else {
            format!(
                "no plan exists: the finite arcs of {rows} rows lead into {columns} columns of positive weight, which weigh \
                 {:.3e} less than these rows; the ray in the result proves it",
                self.excess
            )
        }
    }
}

/// Finite arcs as bits, row by row.
struct Arcs {
    words: usize,
    bits: Vec<u64>,
}

struct Finite<'a> {
    unit: f64,
    zeros: &'a [f64],
    words: usize,
    buffer: Vec<f64>,
    bits: Vec<u64>,
}

impl Visit for Finite<'_> {
    fn group<T: Entry>(&mut self, _: usize, rows: &[&[T]]) {
        let (count, m) = (rows.len(), self.zeros.len());
        let mut sums = [0.0; GROUP];
        let scale = 1.0 / self.unit;
        let (f, g) = (&[0.0; GROUP][..count], self.zeros);
        // Between 1/2 and 2 where the cost is finite, 0 where it is not.
        dispatch(Exponentials { rows, f, g, scale, buffer: &mut self.buffer, sums: &mut sums });
        for row in self.buffer[..count * m].chunks_exact(m) {
            let start = self.bits.len();
            self.bits.resize(start + self.words, 0);
            for (j, p) in row.iter().enumerate() {
                self.bits[start + j / 64] |= u64::from(*p > 0.0) << (j % 64);
            }
        }
    }
}

impl Arcs {
    fn new(cost: &Cost<'_>, largest: f64, monitor: &mut Monitor<'_>) -> Result<Self, Aborted> {
        let m = cost.shape().1;
        if m == 0 {
            return Ok(Self { words: 0, bits: Vec::new() });
        }
        let (words, zeros) = (m.div_ceil(64), vec![0.0; m]);
        let unit = if largest > 0.0 { largest.max(f64::MIN_POSITIVE) } else { 1.0 };
        let make = |_| Finite { unit, zeros: &zeros, words, buffer: vec![0.0; GROUP * m], bits: Vec::new() };
        let mut bits = Vec::new();
        over_blocks(cost, monitor, make, |block| bits.extend(block.bits))?;
        Ok(Self { words, bits })
    }

    fn row(&self, i: usize) -> &[u64] {
        &self.bits[i * self.words..(i + 1) * self.words]
    }
}

/// The least set bit of `x & y`, from word `from` on.
fn first_common(x: &[u64], y: &[u64], from: usize) -> Option<usize> {
    let word = (from..x.len()).find(|&w| x[w] & y[w] != 0)?;
    Some(word * 64 + (x[word] & y[word]).trailing_zeros() as usize)
}

/// The flow and what is left of supplies and room.
struct Flow<'a> {
    arcs: &'a Arcs,
    /// What rows still hold.
    left: Vec<f64>,
    /// What columns still take.
    room: Vec<f64>,
    /// `(row, amount)` into each column.
    into: Vec<Vec<(u32, f64)>>,
    /// Below this nothing is moved.
    tiny: f64,
}

/// No level.
const NONE: u32 = u32::MAX;

/// Distances from the rows that hold something, in steps from rows to columns and back.
struct Levels {
    rows: Vec<u32>,
    /// The columns of each level, as bits.
    columns: Vec<Vec<u64>>,
    /// Whether a column with room was reached.
    reached: bool,
}

impl Flow<'_> {
    fn levels(&self) -> Levels {
        let words = self.arcs.words;
        let mut unseen = vec![0u64; words];
        (0..self.room.len()).for_each(|j| unseen[j / 64] |= 1 << (j % 64));
        let mut rows = vec![NONE; self.left.len()];
        let mut here: Vec<usize> = (0..rows.len()).filter(|&i| self.left[i] > self.tiny).collect();
        here.iter().for_each(|&i| rows[i] = 0);
        let (mut columns, mut reached) = (Vec::new(), false);
        while !here.is_empty() {
            let mut found = vec![0u64; words];
            for &i in &here {
                for ((f, u), a) in found.iter_mut().zip(&mut unseen).zip(self.arcs.row(i)) {
                    *f |= *a & *u;
                    *u &= !*a;
                }
            }
            here.clear();
            let level = columns.len() as u32 + 1;
            for j in ones(&found) {
                reached |= self.room[j] > self.tiny;
                for &(i, amount) in &self.into[j] {
                    if amount > 0.0 && rows[i as usize] == NONE {
                        rows[i as usize] = level;
                        here.push(i as usize);
                    }
                }
            }
            columns.push(found);
        }
        Levels { rows, columns, reached }
    }

    /// Sends along paths of the levels until none is left.
    fn block(&mut self, levels: &mut Levels, monitor: &mut Monitor<'_>) -> Result<(), Aborted> {
        let mut place = vec![0usize; self.room.len()];
        for source in 0..self.left.len() {
            if source % 64 == 0 {
                monitor.poll()?;
            }
            while self.left[source] > self.tiny && self.augment(source, levels, &mut place) {}
        }
        Ok(())
    }

    /// One path from a row; false if there is none.
    fn augment(&mut self, source: usize, levels: &mut Levels, place: &mut [usize]) -> bool {
        // Rows of the path; the column after each; where in the column's list the next row stands.
        let (mut rows, mut columns, mut backs) = (vec![source], Vec::new(), Vec::new());
        loop {
            let Some(&i) = rows.last() else { return false };
            let depth = rows.len() - 1;
            let found = levels.columns.get(depth).and_then(|bits| first_common(self.arcs.row(i), bits, 0));
            let Some(j) = found else {
                // A dead end: back to the column before, which looks at its next row.
                rows.pop();
                levels.rows[i] = NONE;
                if columns.pop().is_none() {
                    return false;
                }
                backs.pop();
                continue;
            };
            columns.push(j);
            if self.room[j] > self.tiny {
                self.send(source, &rows, &columns, &backs);
                return true;
            }
            let list = &self.into[j];
            let next = (place[j]..list.len()).find(|&k| {
                let (i, amount) = list[k];
                amount > 0.0 && levels.rows[i as usize] == depth as u32 + 1
            });
            if let Some(k) = next {
                place[j] = k;
                rows.push(list[k].0 as usize);
                backs.push(k);
            } else {
                // Nothing goes on from this column.
                levels.columns[depth][j / 64] &= !(1 << (j % 64));
                columns.pop();
            }
        }
    }

    fn send(&mut self, source: usize, rows: &[usize], columns: &[usize], backs: &[usize]) {
        let last = columns[columns.len() - 1];
        let mut amount = self.left[source].min(self.room[last]);
        for (&j, &k) in columns.iter().zip(backs) {
            amount = amount.min(self.into[j][k].1);
        }
        self.left[source] -= amount;
        self.room[last] -= amount;
        for (&j, &k) in columns.iter().zip(backs) {
            self.into[j][k].1 -= amount;
        }
        for (&i, &j) in rows.iter().zip(columns) {
            match self.into[j].iter_mut().find(|(row, _)| *row as usize == i) {
                Some((_, flow)) => *flow += amount,
                None => self.into[j].push((i as u32, amount)),
            }
        }
    }
}

/// The places of the bits that are set.
fn ones(bits: &[u64]) -> impl Iterator<Item = usize> + '_ {
    bits.iter().enumerate().flat_map(|(w, &word)| {
        let mut rest = word;
        std::iter::from_fn(move || {
            let bit = (rest != 0).then(|| w * 64 + rest.trailing_zeros() as usize)?;
            rest &= rest - 1;
            Some(bit)
        })
    })
}

/// A proof that no plan exists, for a balanced or a partial problem; `None` if there is none beyond rounding. O(nm) time
/// a phase on bits, a few phases as a rule.
pub fn obstruction(problem: &Problem<'_>, monitor: &mut Monitor<'_>) -> Result<Option<Obstruction>, Aborted> {
    let (a, b) = (problem.a.weights(), problem.b.weights());
    let needed = problem.mass.unwrap_or_else(|| problem.a.mass());
    let arcs = Arcs::new(problem.cost(), problem.largest(), monitor)?;
    let mut flow = Flow {
        arcs: &arcs,
        left: a.to_vec(),
        room: b.to_vec(),
        into: vec![Vec::new(); b.len()],
        tiny: 0.25 * f64::EPSILON * needed / (a.len() + b.len()).max(1) as f64,
    };
    let levels = loop {
        let mut levels = flow.levels();
        if !levels.reached {
            break levels;
        }
        flow.block(&mut levels, monitor)?;
        if monitor.expired() {
            return Ok(None);
        }
    };
    let within: Vec<bool> = levels.rows.iter().map(|l| *l != NONE).collect();
    let mut near = vec![false; b.len()];
    levels.columns.iter().for_each(|bits| ones(bits).for_each(|j| near[j] = true));
    let weight = |side: &[f64], keep: &dyn Fn(usize) -> bool| {
        (0..side.len()).filter(|&i| keep(i)).map(|i| side[i]).collect::<Sum>().value()
    };
    let partial = problem.mass.is_some();
    let full = weight(b, &|j| near[j]);
    let excess =
        if partial { needed - weight(a, &|i| !within[i]) - full } else { weight(a, &|i| within[i]) - full };
    if excess <= 2.0 * f64::EPSILON * needed {
        return Ok(None);
    }
    let (rows, columns) = problem.kept();
    let (n, m) = problem.whole().shape();
    // Weights of 0 cost nothing: they stand where they make the ray hold on all of C.
    let (mut u, mut v) = (vec![if partial { -1.0 } else { 0.0 }; n], vec![-1.0; m]);
    rows.iter().zip(&within).for_each(|(&i, &s)| {
        u[i] = match (partial, s) {
            (true, true) | (false, false) => 0.0,
            (true, false) => -1.0,
            (false, true) => 1.0,
        };
    });
    columns.iter().zip(&near).for_each(|(&j, &s)| v[j] = if s { -1.0 } else { 0.0 });
    // What has no arc to a positive weight needs no price.
    problem.idle().0.iter().for_each(|&i| u[i] = 0.0);
    problem.idle().1.iter().for_each(|&j| v[j] = 0.0);
    let count = |set: &[bool], wanted: bool| set.iter().filter(|s| **s == wanted).count();
    let mut sizes = (count(&within, !partial), count(&near, true));
    if problem.transposed {
        (u, v, sizes) = (v, u, (sizes.1, sizes.0));
        if !partial {
            // The caller's rows are the columns here: the complement of N(S) holds too much for the rest.
            u.iter_mut().for_each(|u| *u += 1.0);
            v.iter_mut().for_each(|v| *v -= 1.0);
            sizes = (u.iter().filter(|u| **u > 0.0).count(), v.iter().filter(|v| **v < 0.0).count());
        }
    }
    Ok(Some(Obstruction { u, v, excess, sizes }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::monitor::{Budget, Silent};
    use crate::base::view::MatrixView;
    use crate::ot::problem::{Ground, Terms};
    use proptest::prelude::*;

    fn find(
        c: &[f64],
        a: &[f64],
        b: &[f64],
        mass: Option<f64>,
        transposed: bool,
    ) -> Result<Option<Obstruction>, crate::ot::OtError> {
        let mut silent = Silent;
        let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut silent, &[]);
        let (n, m) = (a.len(), b.len());
        let across: Vec<f64> = (0..m).flat_map(|j| (0..n).map(move |i| c[i * m + j])).collect();
        let view = if transposed {
            MatrixView::row_major(&across, m, n).unwrap().transpose()
        } else {
            MatrixView::row_major(c, n, m).unwrap()
        };
        let terms = Terms { reg: 1.0, tau_a: f64::INFINITY, tau_b: f64::INFINITY, mass };
        let problem = Problem::new(Ground::F64(view), a, b, terms, &mut monitor)?;
        Ok(obstruction(&problem, &mut monitor)?)
    }

    /// The most that any set of rows holds beyond what its neighbours take; partial: the mass beyond the least cut.
    fn by_enumeration(c: &[f64], a: &[f64], b: &[f64], mass: f64) -> f64 {
        let (n, m) = (a.len(), b.len());
        let mut worst = f64::NEG_INFINITY;
        for set in 0..1u32 << n {
            let within = |i: usize| set >> i & 1 == 1;
            let near = |j: usize| (0..n).any(|i| within(i) && c[i * m + j] < f64::INFINITY);
            let outside: f64 = (0..n).filter(|&i| !within(i)).map(|i| a[i]).sum();
            let room: f64 = (0..m).filter(|&j| near(j)).map(|j| b[j]).sum();
            worst = worst.max(mass - outside - room);
        }
        worst
    }

    proptest! {
        #[test]
        fn it_is_found_where_enumeration_finds_it(
            (n, m) in (1..7usize, 1..7usize),
            finite in prop::collection::vec(prop::bool::weighted(0.4), 36),
            rows in prop::collection::vec(0..4u32, 6), share in 1..12u32,
            transposed in any::<bool>(), partial in any::<bool>(),
        ) {
            // Integers, so that ties are ties; the columns share the rows' total unevenly.
            let mut a: Vec<f64> = rows[..n].iter().map(|w| f64::from(*w)).collect();
            a[0] += 1.0;
            let total = a.iter().sum::<f64>();
            let mut b = vec![0.0; m];
            for unit in 0..total as usize {
                b[(unit * share as usize) % m] += 1.0;
            }
            let c: Vec<f64> =
                (0..n * m).map(|k| if finite[k] { k as f64 - 3.0 } else { f64::INFINITY }).collect();
            let mass = if partial { (total * f64::from(share) / 12.0).ceil() } else { total };
            let worst = by_enumeration(&c, &a, &b, mass);
            // A line without any arc is refused where it must carry mass.
            let Ok(found) = find(&c, &a, &b, partial.then_some(mass), transposed) else {
                prop_assert!(!partial && worst > 0.0);
                return Ok(());
            };
            prop_assert_eq!(found.is_some(), worst > 0.0);
            if let Some(it) = found {
                prop_assert_eq!(it.excess, worst);
                let offset = if partial { 1.0 } else { 0.0 };
                let arcs = (0..n * m).filter(|&k| finite[k]);
                prop_assert!(arcs.into_iter().all(|k| it.u[k / m] + it.v[k % m] + offset <= 0.0));
                let gain = a.iter().zip(&it.u).chain(b.iter().zip(&it.v)).map(|(w, x)| w * x).sum::<f64>();
                prop_assert_eq!(gain + offset * mass, it.excess);
            }
        }
    }

    #[test]
    fn tight_sets_are_no_obstruction_and_a_hair_more_is() {
        let no = f64::INFINITY;
        // Rows 0 and 1 lead into column 0 alone.
        let c = [0.0, no, 0.0, no, 0.0, 0.0];
        let a = [0.1, 0.2, 0.7];
        let b = |room: f64| [room, 1.0 - room];
        assert_eq!(find(&c, &a, &b(0.1 + 0.2), None, false).unwrap(), None);
        assert_eq!(find(&c, &a, &b(0.3), None, false).unwrap(), None);
        let found = find(&c, &a, &b(0.3 - 1e-14), None, false).unwrap().unwrap();
        assert_eq!(
            (found.sizes, &found.u[..], &found.v[..]),
            ((2, 1), &[1.0, 1.0, 0.0][..], &[-1.0, 0.0][..])
        );
        assert!((found.excess - 1e-14).abs() < 1e-15);
    }

    #[test]
    fn long_alternating_paths() {
        // A chain: each row reaches its own column and the next. A short first column is made up for by all rows moving
        // on; a short last column is not, because its row has nowhere else to go.
        let n = 200;
        let mut c = vec![f64::INFINITY; n * n];
        for i in 0..n {
            c[i * n + i] = 1.0;
            if i + 1 < n {
                c[i * n + i + 1] = 2.0;
            }
        }
        let a = vec![1.0; n];
        let mut b = vec![1.0; n];
        assert_eq!(find(&c, &a, &b, None, false).unwrap(), None);
        (b[0], b[n - 1]) = (0.5, 1.5);
        assert_eq!(find(&c, &a, &b, None, false).unwrap(), None);
        (b[0], b[n - 1]) = (1.5, 0.5);
        let found = find(&c, &a, &b, None, false).unwrap().unwrap();
        assert_eq!((found.excess, found.sizes), (0.5, (1, 1)));
    }
}
