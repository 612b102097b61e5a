//! W runs in lockstep: their vectors interleaved, so that what one iteration does to a row is done to all in a register.

use super::run::Run;
use super::spmm::{StoreMany, UpdateMany};
use super::step::{Engine, Side, Steps, dual, primal};
use crate::base::buffer::Buffer;
use solvent_simd::F64s;

/// What an iteration reads of a variable beside Aᵀy, W numbers each: x, the cost, the limits, the anchor. Together, for
/// these streams are all that does not stay in the cache.
const VARIABLE: usize = 5;
/// What it reads of a constraint beside y and A xr: the limits and the anchor.
const CONSTRAINT: usize = 3;

/// W runs, interleaved: a register is a line of the cache, or part of one.
struct Group<const W: usize> {
    variables: Buffer,
    constraints: Buffer,
    /// The reflection of x, which A is multiplied with.
    reflected: Buffer,
    /// Multipliers, which Aᵀ is multiplied with.
    y: Buffer,
    tau: [f64; W],
    sigma: [f64; W],
}

/// What is looked at after an iteration: x⁺ and the slack, y⁺ and its reflection.
struct Seen {
    x: Buffer,
    slack: Buffer,
    y: Buffer,
    reflected: Buffer,
}

/// Writes one vector of each run as part `part` of elements of `parts`; where runs are missing the first stands again.
fn interleave<const W: usize>(out: &mut [f64], (part, parts): (usize, usize), vectors: &[&[f64]]) {
    let lanes: [&[f64]; W] = std::array::from_fn(|lane| *vectors.get(lane).unwrap_or(&vectors[0]));
    for (i, element) in out.chunks_exact_mut(parts * W).enumerate() {
        let own = &mut element[part * W..][..W];
        own.iter_mut().zip(&lanes).for_each(|(out, vector)| *out = vector[i]);
    }
}

/// The way back, for one run.
fn separate<const W: usize>(from: &[f64], (part, parts): (usize, usize), lane: usize, out: &mut [f64]) {
    let elements = from.chunks_exact(parts * W);
    out.iter_mut().zip(elements).for_each(|(out, element)| *out = element[part * W + lane]);
}

impl<const W: usize> Group<W> {
    fn new(engine: &Engine, group: &[&mut Run]) -> Self {
        let (m, n) = (engine.rows.padded(), engine.columns.padded());
        let of = |pick: fn(&Run) -> &[f64]| group.iter().map(|run| pick(run)).collect::<Vec<_>>();
        let (mut variables, mut constraints) =
            (Buffer::zeros(n * VARIABLE * W), Buffer::zeros(m * CONSTRAINT * W));
        let mut y = Buffer::zeros(m * W);
        let picks: [fn(&Run) -> &[f64]; VARIABLE] = [
            |run| &run.point.primal.x,
            |run| &run.point.c,
            |run| &run.point.primal.lower,
            |run| &run.point.primal.upper,
            |run| &run.point.primal.anchor,
        ];
        for (part, pick) in picks.into_iter().enumerate() {
            interleave::<W>(&mut variables, (part, VARIABLE), &of(pick));
        }
        let picks: [fn(&Run) -> &[f64]; CONSTRAINT] =
            [|run| &run.point.dual.lower, |run| &run.point.dual.upper, |run| &run.point.dual.anchor];
        for (part, pick) in picks.into_iter().enumerate() {
            interleave::<W>(&mut constraints, (part, CONSTRAINT), &of(pick));
        }
        interleave::<W>(&mut y, (0, 1), &of(|run| &run.point.dual.x));
        let (mut tau, mut sigma) = ([1.0; W], [1.0; W]);
        for (lane, run) in group.iter().enumerate() {
            let steps = Steps::new(engine.eta, run.weight.omega);
            (tau[lane], sigma[lane]) = (steps.tau, steps.sigma);
        }
        Self { variables, constraints, reflected: Buffer::zeros(n * W), y, tau, sigma }
    }

    /// One iteration with the weights k/(k + 1) of the runs.
    fn iterate(&mut self, engine: &Engine, weight: &[f64; W], mut seen: Option<&mut Seen>) {
        engine.at.rows_of_many::<W, _>(
            &self.y,
            Primal {
                variables: &mut self.variables,
                reflected: &mut self.reflected,
                tau: &self.tau,
                weight,
                seen: seen.as_mut().map(|seen| (&mut *seen.x, &mut *seen.slack)),
            },
        );
        engine.a.rows_of_many::<W, _>(
            &self.reflected,
            Dual {
                constraints: &mut self.constraints,
                y: &mut self.y,
                sigma: &self.sigma,
                weight,
                seen: seen.as_mut().map(|seen| (&mut *seen.y, &mut *seen.reflected)),
            },
        );
    }

    /// What the error of an iteration is made of: x⁺ and y⁺, their reflections, Aᵀ(y − y⁺).
    fn give_step(&self, engine: &Engine, seen: &Seen, group: &mut [&mut Run], wanted: impl Fn(&Run) -> bool) {
        let mut step = seen.y.clone();
        step.iter_mut().zip(&*seen.reflected).for_each(|(p, r)| *p -= r);
        let mut aty = Buffer::zeros(self.reflected.len());
        engine.at.rows_of_many::<W, _>(&step, StoreMany { out: &mut aty });
        let whole = (0, 1);
        for (lane, run) in group.iter_mut().enumerate().filter(|(_, run)| wanted(run)) {
            let Side { projected, reflected, .. } = &mut run.point.primal;
            separate::<W>(&seen.x, whole, lane, projected);
            separate::<W>(&self.reflected, whole, lane, reflected);
            let Side { projected, reflected, .. } = &mut run.point.dual;
            separate::<W>(&seen.y, whole, lane, projected);
            separate::<W>(&seen.reflected, whole, lane, reflected);
            separate::<W>(&aty, whole, lane, &mut run.step_aty);
            run.known = true;
        }
    }

    /// All that is looked at next: the step, the slack, A x⁺ and Aᵀy⁺, and where the next iteration starts.
    fn give_back(&self, engine: &Engine, seen: &Seen, group: &mut [&mut Run]) {
        self.give_step(engine, seen, group, |_| true);
        let (mut ax, mut aty) = (Buffer::zeros(self.y.len()), Buffer::zeros(self.reflected.len()));
        engine.a.rows_of_many::<W, _>(&seen.x, StoreMany { out: &mut ax });
        engine.at.rows_of_many::<W, _>(&seen.y, StoreMany { out: &mut aty });
        let whole = (0, 1);
        for (lane, run) in group.iter_mut().enumerate() {
            separate::<W>(&self.variables, (0, VARIABLE), lane, &mut run.point.primal.x);
            separate::<W>(&self.y, whole, lane, &mut run.point.dual.x);
            separate::<W>(&seen.slack, whole, lane, &mut run.point.slack);
            separate::<W>(&ax, whole, lane, &mut run.ax);
            separate::<W>(&aty, whole, lane, &mut run.aty);
        }
    }
}

/// `count` iterations of at most W runs, and the products that are looked at next.
pub fn lockstep<const W: usize>(engine: &Engine, group: &mut [&mut Run], count: u64) {
    let mut it = Group::<W>::new(engine, group);
    let (m, n) = (it.y.len(), it.reflected.len());
    let zeros = Buffer::zeros;
    let mut seen = Seen { x: zeros(n), slack: zeros(n), y: zeros(m), reflected: zeros(m) };
    for k in 1..=count {
        let mut weight = [0.0; W];
        for (weight, run) in weight.iter_mut().zip(&*group) {
            *weight = ((run.since + k) as f64) / ((run.since + k + 1) as f64);
        }
        // The error one iteration after an anchor decides on the next one.
        let fresh = k == 1 && group.iter().any(|run| run.since == 0);
        let last = k == count;
        it.iterate(engine, &weight, (fresh || last).then_some(&mut seen));
        if fresh {
            it.give_step(engine, &seen, group, |run| run.since == 0);
            for run in group.iter_mut().filter(|run| run.since == 0) {
                run.restart.first = run.fixed_point_error(engine);
            }
        }
    }
    it.give_back(engine, &seen, group);
    group.iter_mut().for_each(|run| run.advanced(count));
    group.iter_mut().for_each(|run| run.known = true);
}

/// The first half of an iteration.
struct Primal<'a, const W: usize> {
    variables: &'a mut [f64],
    reflected: &'a mut [f64],
    tau: &'a [f64; W],
    weight: &'a [f64; W],
    seen: Option<(&'a mut [f64], &'a mut [f64])>,
}

impl<const W: usize> UpdateMany<W> for Primal<'_, W> {
    #[inline(always)]
    fn apply<V: F64s, const P: usize>(&mut self, row: usize, sums: &[V; P]) {
        let own = &mut self.variables[row * VARIABLE * W..][..VARIABLE * W];
        let reflected = &mut self.reflected[row * W..][..W];
        let mut p = 0;
        while p < P {
            let at = p * V::LANES;
            let tau = V::load(&self.tau[at..]);
            let lanes = primal(
                V::load(&own[at..]),
                sums[p],
                V::load(&own[W + at..]),
                V::load(&own[2 * W + at..]),
                V::load(&own[3 * W + at..]),
                V::load(&own[4 * W + at..]),
                tau,
                V::load(&self.weight[at..]),
            );
            lanes.reflected.store(&mut reflected[at..]);
            lanes.next.store(&mut own[at..]);
            if let Some((x, slack)) = &mut self.seen {
                lanes.projected.store(&mut x[row * W + at..]);
                ((lanes.projected - lanes.free) / tau).store(&mut slack[row * W + at..]);
            }
            p += 1;
        }
    }
}

/// The second half.
struct Dual<'a, const W: usize> {
    constraints: &'a mut [f64],
    y: &'a mut [f64],
    sigma: &'a [f64; W],
    weight: &'a [f64; W],
    seen: Option<(&'a mut [f64], &'a mut [f64])>,
}

impl<const W: usize> UpdateMany<W> for Dual<'_, W> {
    #[inline(always)]
    fn apply<V: F64s, const P: usize>(&mut self, row: usize, sums: &[V; P]) {
        let own = &self.constraints[row * CONSTRAINT * W..][..CONSTRAINT * W];
        let y = &mut self.y[row * W..][..W];
        let mut p = 0;
        while p < P {
            let at = p * V::LANES;
            let lanes = dual(
                V::load(&y[at..]),
                sums[p],
                V::load(&own[at..]),
                V::load(&own[W + at..]),
                V::load(&own[2 * W + at..]),
                V::load(&self.sigma[at..]),
                V::load(&self.weight[at..]),
            );
            lanes.next.store(&mut y[at..]);
            if let Some((projected, reflected)) = &mut self.seen {
                lanes.projected.store(&mut projected[row * W + at..]);
                lanes.reflected.store(&mut reflected[row * W + at..]);
            }
            p += 1;
        }
    }
}
