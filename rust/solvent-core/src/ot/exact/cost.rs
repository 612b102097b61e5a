//! Passes over the cost without an exponential: one to get to know it, one for c-transforms.

use crate::base::view::Real;
use solvent_simd::{F64s, Kernel, Lanes, Mask, Simd, dispatch};

/// What a cost matrix holds.
pub trait Entry: Real {
    /// The first lanes of `x`, as doubles.
    fn lanes<V: F64s>(x: &[Self]) -> V;
}

impl Entry for f64 {
    #[inline(always)]
    fn lanes<V: F64s>(x: &[Self]) -> V {
        V::load(x)
    }
}

impl Entry for f32 {
    #[inline(always)]
    fn lanes<V: F64s>(x: &[Self]) -> V {
        V::load_f32(x)
    }
}

/// What a block of rows looks like.
#[derive(Debug, Default)]
pub struct Survey {
    /// First entry that is nan or -inf.
    pub refused: Option<(usize, usize)>,
    /// Least cost of each row that takes part; inf where none is finite.
    pub floor: Vec<f64>,
    /// Least `C_ij - floor_i` of each column that takes part.
    pub column_floor: Vec<f64>,
    /// Largest finite cost.
    pub high: f64,
    /// Largest finite `C_ij - floor_i`.
    pub span: f64,
    /// Whether any is +inf.
    pub forbidden: bool,
}

impl Survey {
    /// Looks at rows; of those that take part, at `columns` (or all).
    pub fn of<'a, T: Entry>(
        rows: impl Iterator<Item = &'a [T]>,
        takes_part: &[bool],
        columns: Option<&[u32]>,
    ) -> Self {
        let mut survey = Self { high: f64::NEG_INFINITY, ..Self::default() };
        let mut scratch = Vec::new();
        for (i, (row, &takes_part)) in rows.zip(takes_part).enumerate() {
            if !dispatch(Valid { row }) {
                let bad = row.iter().position(|x| x.to_f64().is_nan() || x.to_f64() == f64::NEG_INFINITY);
                survey.refused = Some((i, bad.unwrap_or(0)));
                return survey;
            }
            if !takes_part {
                continue;
            }
            let row = match columns {
                None => row,
                Some(columns) => {
                    scratch.clear();
                    scratch.extend(columns.iter().map(|&j| row[j as usize]));
                    &scratch
                }
            };
            survey.column_floor.resize(row.len(), f64::INFINITY);
            let (low, high, forbidden) = dispatch(Extremes { row, column_floor: &mut survey.column_floor });
            survey.floor.push(low);
            survey.forbidden |= forbidden;
            if high > f64::NEG_INFINITY {
                survey.high = survey.high.max(high);
                survey.span = survey.span.max(high - low);
            }
        }
        survey
    }
}

/// Whether all entries are above -inf.
struct Valid<'a, T> {
    row: &'a [T],
}

impl<T: Entry> Kernel for Valid<'_, T> {
    type Output = bool;
    #[inline(always)]
    fn run<S: Simd>(self) -> bool {
        let lanes = S::F64::LANES;
        let body = self.row.len() - self.row.len() % lanes;
        let bottom = S::F64::splat(f64::NEG_INFINITY);
        let mut valid = bottom.le(bottom);
        let mut j = 0;
        while j < body {
            valid = valid.and(T::lanes::<S::F64>(&self.row[j..j + lanes]).gt(bottom));
            j += lanes;
        }
        valid.all() && self.row[body..].iter().all(|x| x.to_f64() > f64::NEG_INFINITY)
    }
}

/// Least and largest finite entry and whether any is +inf; then the columns' least over `C_ij - low`.
struct Extremes<'a, T> {
    row: &'a [T],
    column_floor: &'a mut [f64],
}

impl<T: Entry> Kernel for Extremes<'_, T> {
    type Output = (f64, f64, bool);
    #[inline(always)]
    fn run<S: Simd>(self) -> (f64, f64, bool) {
        let lanes = S::F64::LANES;
        let body = self.row.len() - self.row.len() % lanes;
        let (top, bottom) = (S::F64::splat(f64::INFINITY), S::F64::splat(f64::NEG_INFINITY));
        let (mut least, mut most, mut finite) = (top, bottom, top.le(top));
        let mut j = 0;
        while j < body {
            let x = T::lanes::<S::F64>(&self.row[j..j + lanes]);
            let inside = x.lt(top);
            least = x.min(least);
            most = S::F64::select(inside, x, bottom).max(most);
            finite = finite.and(inside);
            j += lanes;
        }
        let (mut low, mut high, mut forbidden) = (least.reduce_min(), most.reduce_max(), !finite.all());
        for x in &self.row[body..] {
            let x = x.to_f64();
            low = low.min(x);
            if x < f64::INFINITY {
                high = high.max(x);
            } else {
                forbidden = true;
            }
        }
        if low < f64::INFINITY {
            let shift = S::F64::splat(low);
            let mut j = 0;
            while j < body {
                let x = T::lanes::<S::F64>(&self.row[j..j + lanes]) - shift;
                x.min(S::F64::load(&self.column_floor[j..j + lanes]))
                    .store(&mut self.column_floor[j..j + lanes]);
                j += lanes;
            }
            for (least, x) in self.column_floor[body..].iter_mut().zip(&self.row[body..]) {
                *least = least.min(x.to_f64() - low);
            }
        }
        (low, high, forbidden)
    }
}

/// `min_j (C_ij - shift) + add_j` over a row: a c-transform where `add = -g`.
pub struct HardRow<'a, T> {
    /// The row.
    pub row: &'a [T],
    /// Taken off every entry.
    pub shift: f64,
    /// Added column by column.
    pub add: &'a [f64],
}

impl<T: Entry> Kernel for HardRow<'_, T> {
    type Output = f64;
    #[inline(always)]
    fn run<S: Simd>(self) -> f64 {
        let lanes = S::F64::LANES;
        let len = self.row.len().min(self.add.len());
        let (row, add) = (&self.row[..len], &self.add[..len]);
        let (pairs, body) = (len - len % (2 * lanes), len - len % lanes);
        let shift = S::F64::splat(self.shift);
        let (mut even, mut odd) = (S::F64::splat(f64::INFINITY), S::F64::splat(f64::INFINITY));
        let mut j = 0;
        while j < pairs {
            let k = j + lanes;
            even = ((T::lanes::<S::F64>(&row[j..k]) - shift) + S::F64::load(&add[j..k])).min(even);
            let l = k + lanes;
            odd = ((T::lanes::<S::F64>(&row[k..l]) - shift) + S::F64::load(&add[k..l])).min(odd);
            j = l;
        }
        if j < body {
            even = ((T::lanes::<S::F64>(&row[j..body]) - shift) + S::F64::load(&add[j..body])).min(even);
        }
        let mut least = even.min(odd).reduce_min();
        for (x, add) in row[body..].iter().zip(&add[body..]) {
            least = least.min((x.to_f64() - self.shift) + add);
        }
        least
    }
}
