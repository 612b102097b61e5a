//! The vector code of the passes. A line of the cost is a row or a column; `across` stands for the potential that is
//! one number a line, `along` for the one that runs with its entries. Exponents are `(across + along - C) log2(e)/reg`;
//! a potential of -inf is a weight of 0.

use solvent_simd::{F64s, Kernel, Lanes, Pack, Simd, exp2, ln};

use crate::ot::entry::{Entry, MAX_LANES};

/// Entries that are added up in one chain before the chain is closed.
pub const SEGMENT: usize = 512;

#[inline(always)]
fn load_part<V: F64s>(x: &[f64], rest: f64) -> V {
    let mut padded = [rest; MAX_LANES];
    padded[..x.len()].copy_from_slice(x);
    V::load(&padded)
}

/// `2^((across + along_j - C_j) factor)` from entry `j` on.
#[inline(always)]
fn plan<W: F64s, T: Entry, const WHOLE: bool>(
    line: &[T],
    along: &[f64],
    across: f64,
    factor: f64,
    j: usize,
) -> W {
    let (cost, potential): (W, W) = if WHOLE {
        (T::load::<W>(&line[j..]), W::load(&along[j..]))
    } else {
        (T::load_part::<W>(&line[j..], T::default()), load_part(&along[j..], f64::NEG_INFINITY))
    };
    exp2(((W::splat(across) + potential) - cost) * W::splat(factor))
}

/// The sum over a line.
pub struct LineSum<'a, T> {
    pub line: &'a [T],
    pub along: &'a [f64],
    pub across: f64,
    pub factor: f64,
}

impl<T: Entry> Kernel for LineSum<'_, T> {
    type Output = f64;
    #[inline(always)]
    fn run<S: Simd>(self) -> f64 {
        line_sum::<S::F64, T>(self.line, self.along, self.across, self.factor)
    }
}

#[inline(always)]
fn line_sum<V: F64s, T: Entry>(line: &[T], along: &[f64], across: f64, factor: f64) -> f64 {
    let mut total = 0.0;
    let mut start = 0;
    while start < line.len() {
        let end = line.len().min(start + SEGMENT);
        let (line, along) = (&line[start..end], &along[start..end]);
        let (mut wide, mut one) = (Pack::<V, 4>::splat(0.0), V::splat(0.0));
        let mut j = 0;
        while j + 4 * V::LANES <= line.len() {
            wide = wide + plan::<Pack<V, 4>, T, true>(line, along, across, factor, j);
            j += 4 * V::LANES;
        }
        while j + V::LANES <= line.len() {
            one = one + plan::<V, T, true>(line, along, across, factor, j);
            j += V::LANES;
        }
        if j < line.len() {
            one = one + plan::<V, T, false>(line, along, across, factor, j);
        }
        total += wide.reduce_sum() + one.reduce_sum();
        start = end;
    }
    total
}

/// Adds a line's terms to one sum an entry.
pub struct CrossSum<'a, T> {
    pub line: &'a [T],
    pub along: &'a [f64],
    pub across: f64,
    pub factor: f64,
    pub sums: &'a mut [f64],
}

impl<T: Entry> Kernel for CrossSum<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        cross_sum::<S::F64, T>(self.line, self.along, self.across, self.factor, self.sums);
    }
}

#[inline(always)]
fn cross_sum<V: F64s, T: Entry>(line: &[T], along: &[f64], across: f64, factor: f64, sums: &mut [f64]) {
    let mut j = 0;
    while j + 4 * V::LANES <= line.len() {
        let term = plan::<Pack<V, 4>, T, true>(line, along, across, factor, j);
        (Pack::<V, 4>::load(&sums[j..]) + term).store(&mut sums[j..]);
        j += 4 * V::LANES;
    }
    while j + V::LANES <= line.len() {
        let term = plan::<V, T, true>(line, along, across, factor, j);
        (V::load(&sums[j..]) + term).store(&mut sums[j..]);
        j += V::LANES;
    }
    if j < line.len() {
        let mut padded = [0.0; MAX_LANES];
        plan::<V, T, false>(line, along, across, factor, j).store(&mut padded);
        sums[j..].iter_mut().zip(padded).for_each(|(sum, term)| *sum += term);
    }
}

/// The largest `along_j - C_j` of a line.
pub struct LineMax<'a, T> {
    pub line: &'a [T],
    pub along: &'a [f64],
}

impl<T: Entry> Kernel for LineMax<'_, T> {
    type Output = f64;
    #[inline(always)]
    fn run<S: Simd>(self) -> f64 {
        line_max::<S::F64, T>(self.line, self.along)
    }
}

#[inline(always)]
fn line_max<V: F64s, T: Entry>(line: &[T], along: &[f64]) -> f64 {
    let mut most = V::splat(f64::NEG_INFINITY);
    let mut j = 0;
    while j < line.len() {
        let end = line.len().min(j + V::LANES);
        let potential: V = load_part(&along[j..end], f64::NEG_INFINITY);
        most = most.max(potential - T::load_part::<V>(&line[j..end], T::default()));
        j += V::LANES;
    }
    most.reduce_max()
}

/// Raises one maximum an entry to `across - C_j`.
pub struct CrossMax<'a, T> {
    pub line: &'a [T],
    pub across: f64,
    pub most: &'a mut [f64],
}

impl<T: Entry> Kernel for CrossMax<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        cross_max::<S::F64, T>(self.line, self.across, self.most);
    }
}

#[inline(always)]
fn cross_max<V: F64s, T: Entry>(line: &[T], across: f64, most: &mut [f64]) {
    let body = line.len() - line.len() % V::LANES;
    let mut j = 0;
    while j < body {
        let value = V::splat(across) - T::load::<V>(&line[j..]);
        V::load(&most[j..]).max(value).store(&mut most[j..]);
        j += V::LANES;
    }
    for j in body..line.len() {
        most[j] = most[j].max(across - line[j].to_f64());
    }
}

/// `sum P` and `sum P (2 |across + along| + 6 |across + along - C|)` over a line.
pub struct LineMass<'a, T> {
    pub line: &'a [T],
    pub along: &'a [f64],
    pub across: f64,
    pub factor: f64,
}

impl<T: Entry> Kernel for LineMass<'_, T> {
    type Output = (f64, f64);
    #[inline(always)]
    fn run<S: Simd>(self) -> (f64, f64) {
        line_mass::<S::F64, T>(self.line, self.along, self.across, self.factor)
    }
}

#[inline(always)]
fn line_mass<V: F64s, T: Entry>(line: &[T], along: &[f64], across: f64, factor: f64) -> (f64, f64) {
    let (mut mass, mut error) = (0.0, 0.0);
    let mut start = 0;
    while start < line.len() {
        let end = line.len().min(start + SEGMENT);
        let (line, along) = (&line[start..end], &along[start..end]);
        let (mut masses, mut errors) = (V::splat(0.0), V::splat(0.0));
        let mut j = 0;
        while j < line.len() {
            let last = line.len().min(j + V::LANES);
            // A weight of 0 has the potential -inf: 0 times inf is nan, so such entries count with the potential 0.
            let potential: V = load_part(&along[j..last], f64::NEG_INFINITY);
            let cost: V = T::load_part::<V>(&line[j..last], T::default());
            let both = V::splat(across) + potential;
            let term = exp2((both - cost) * V::splat(factor));
            let size = both.abs().mul_add(V::splat(2.0), (both - cost).abs() * V::splat(6.0));
            let present = both.gt(V::splat(f64::NEG_INFINITY));
            masses = masses + term;
            errors = errors + V::select(present, term * size, V::splat(0.0));
            j += V::LANES;
        }
        mass += masses.reduce_sum();
        error += errors.reduce_sum();
        start = end;
    }
    (mass, error)
}

/// The value of the rounded plan over a line, `plan_j = P_j + missing share_j`.
pub struct LineValue<'a, T> {
    pub line: &'a [T],
    pub along: &'a [f64],
    pub across: f64,
    pub factor: f64,
    /// What the line lacks.
    pub missing: f64,
    /// How that is shared out.
    pub share: &'a [f64],
}

/// What [`LineValue`] adds up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Worth {
    /// `sum C plan`
    pub cost: f64,
    /// `sum |C| plan`
    pub absolute: f64,
    /// `sum plan log plan`
    pub entropy: f64,
    /// `sum plan |log plan|`
    pub logs: f64,
    /// `sum plan`
    pub mass: f64,
}

impl<T: Entry> Kernel for LineValue<'_, T> {
    type Output = Worth;
    #[inline(always)]
    fn run<S: Simd>(self) -> Worth {
        line_value::<S::F64, T>(self)
    }
}

#[inline(always)]
fn line_value<V: F64s, T: Entry>(it: LineValue<'_, T>) -> Worth {
    let mut worth = Worth::default();
    let zero = V::splat(0.0);
    let mut start = 0;
    while start < it.line.len() {
        let end = it.line.len().min(start + SEGMENT);
        let mut sums = [zero; 5];
        let mut j = start;
        while j < end {
            let last = end.min(j + V::LANES);
            let potential: V = load_part(&it.along[j..last], f64::NEG_INFINITY);
            let cost: V = T::load_part::<V>(&it.line[j..last], T::default());
            let term = exp2(((V::splat(it.across) + potential) - cost) * V::splat(it.factor));
            let plan = load_part::<V>(&it.share[j..last], 0.0).mul_add(V::splat(it.missing), term);
            let entropy = V::select(plan.gt(zero), plan * ln(plan), zero);
            sums[0] = cost.mul_add(plan, sums[0]);
            sums[1] = cost.abs().mul_add(plan, sums[1]);
            sums[2] = sums[2] + entropy;
            sums[3] = sums[3] + entropy.abs();
            sums[4] = sums[4] + plan;
            j += V::LANES;
        }
        worth.cost += sums[0].reduce_sum();
        worth.absolute += sums[1].reduce_sum();
        worth.entropy += sums[2].reduce_sum();
        worth.logs += sums[3].reduce_sum();
        worth.mass += sums[4].reduce_sum();
        start = end;
    }
    worth
}

#[cfg(test)]
mod tests {
    use super::*;
    use solvent_simd::dispatch;

    fn data(length: usize) -> (Vec<f64>, Vec<f64>) {
        let cost = (0..length).map(|i| ((i * 37) % 19) as f64 / 7.0).collect();
        let mut along: Vec<f64> = (0..length).map(|i| ((i * 11) % 23) as f64 / 9.0).collect();
        if length > 5 {
            along[3] = f64::NEG_INFINITY;
        }
        (cost, along)
    }

    #[test]
    fn sums_and_maxima_agree_with_plain_loops_at_every_length() {
        for length in [1, 3, 8, 17, 33, 64, 100, 511, 513, 1030] {
            let (line, along) = data(length);
            let (across, factor) = (0.3, 2.5);
            let terms: Vec<f64> =
                (0..length).map(|j| ((across + along[j] - line[j]) * factor).exp2()).collect();
            let total: f64 = terms.iter().sum();
            let found = dispatch(LineSum { line: &line, along: &along, across, factor });
            assert!((found - total).abs() <= 1e-13 * total);
            let single: Vec<f32> = line.iter().map(|&c| c as f32).collect();
            let found = dispatch(LineSum { line: &single, along: &along, across, factor });
            assert!((found - total).abs() <= 1e-5 * total);
            let mut sums = vec![1.0; length];
            dispatch(CrossSum { line: &line, along: &along, across, factor, sums: &mut sums });
            assert!((0..length).all(|j| (sums[j] - 1.0 - terms[j]).abs() <= 1e-13 * sums[j]));
            let most = (0..length).map(|j| along[j] - line[j]).fold(f64::NEG_INFINITY, f64::max);
            assert_eq!(dispatch(LineMax { line: &line, along: &along }), most);
            let mut maxima = vec![-1.0; length];
            dispatch(CrossMax { line: &line, across, most: &mut maxima });
            assert!((0..length).all(|j| maxima[j] == (across - line[j]).max(-1.0)));
            let (mass, error) = dispatch(LineMass { line: &line, along: &along, across, factor });
            let size = |j: usize| 2.0 * (across + along[j]).abs() + 6.0 * (across + along[j] - line[j]).abs();
            let errors: f64 = (0..length).filter(|&j| along[j].is_finite()).map(|j| terms[j] * size(j)).sum();
            assert!((mass - total).abs() <= 1e-13 * total && (error - errors).abs() <= 1e-12 * errors);
            let (share, missing) = (vec![0.25; length], 0.125);
            let worth =
                dispatch(LineValue { line: &line, along: &along, across, factor, missing, share: &share });
            let plan: Vec<f64> = terms.iter().map(|t| t + 0.03125).collect();
            let cost: f64 = plan.iter().zip(&line).map(|(p, c)| p * c).sum();
            let entropy: f64 = plan.iter().map(|p| p * p.ln()).sum();
            assert!((worth.cost - cost).abs() <= 1e-13 * worth.absolute.max(1e-300));
            assert!((worth.entropy - entropy).abs() <= 1e-13 * worth.logs);
        }
    }
}
