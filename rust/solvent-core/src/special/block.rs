//! Evaluation of one function over slices: classify, sort by class, run each class dense, scatter.
//!
//! A block of [`BLOCK`] elements is sorted by class (counting sort, stable), so that every kernel runs over
//! contiguous lanes of its own class; a block of one class runs in place. A kernel may overrun its segment by part of a
//! register: those lanes hold elements of the next class, whose own kernel overwrites them. Each element's result
//! depends on its own (v, x) alone, so neither position nor block nor thread can change a bit.

use core::marker::PhantomData;

use solvent_simd::{Kernel, Lanes, Pack, Simd, dispatch};

use super::domain::{BANDS, CLASSES, FAR, INNER, SPECIAL, classify};
use super::function::Function;

/// Elements sorted at a time: the working arrays of a block fit the first-level cache.
pub const BLOCK: usize = 512;
/// Room for the overrun of the last segment.
const ROOM: usize = BLOCK + 32;
const INNER_1: usize = INNER + 1;
const INNER_2: usize = INNER + 2;
const INNER_3: usize = INNER + 3;

/// Writes the function of every (v, x) over `out0` (and `out1`, for pairs; for others `out1` may be empty).
///
/// # Panics
/// If the lengths differ.
pub fn evaluate<F: Function>(v: &[f64], x: &[f64], out0: &mut [f64], out1: &mut [f64]) {
    assert_eq!(v.len(), x.len());
    assert_eq!(v.len(), out0.len());
    assert!(!F::PAIR || v.len() == out1.len());
    let mut work = Work::new();
    for start in (0..v.len()).step_by(BLOCK) {
        let end = (start + BLOCK).min(v.len());
        let second = if F::PAIR { &mut out1[start..end] } else { &mut [] };
        let (v, x, first) = (&v[start..end], &x[start..end], &mut out0[start..end]);
        run_block::<F>(v, x, first, second, &mut work);
        negative_orders::<F>(v, x, first, second);
    }
}

/// The working arrays of a block, in class order but for `class`.
struct Work {
    class: [f64; ROOM],
    order: [u32; BLOCK],
    v: [f64; ROOM],
    x: [f64; ROOM],
    y0: [f64; ROOM],
    y1: [f64; ROOM],
}

impl Work {
    fn new() -> Self {
        Work {
            class: [0.0; ROOM],
            order: [0; BLOCK],
            v: [1.0; ROOM],
            x: [1.0; ROOM],
            y0: [0.0; ROOM],
            y1: [0.0; ROOM],
        }
    }
}

/// Absolute orders and classes of the first `n` elements.
struct Classify<'a>(&'a mut Work, usize);

impl Kernel for Classify<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Classify(w, n) = self;
        for i in (0..n).step_by(S::F64::LANES) {
            let v = S::F64::load(&w.v[i..]).abs();
            v.store(&mut w.v[i..]);
            classify(v, S::F64::load(&w.x[i..])).store(&mut w.class[i..]);
        }
    }
}

/// The kernel of class `C` over the elements `from..to` of the working arrays. A kernel a class, each compiled alone.
struct Class<'a, F, const C: usize> {
    work: &'a mut Work,
    from: usize,
    to: usize,
    function: PhantomData<F>,
}

impl<F: Function, const C: usize> Kernel for Class<'_, F, C> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        macro_rules! run {
            ($lanes:ty, $kernel:expr) => {
                for i in (self.from..self.to).step_by(<$lanes>::LANES) {
                    let w = &mut *self.work;
                    let (a, b) = $kernel(<$lanes>::load(&w.v[i..]), <$lanes>::load(&w.x[i..]));
                    a.store(&mut w.y0[i..]);
                    if F::PAIR {
                        b.store(&mut w.y1[i..]);
                    }
                }
            };
        }
        // Recurrences run as long as their slowest lane: two registers share the loop.
        match C {
            INNER => run!(Pack<S::F64, 2>, F::inner::<Pack<S::F64, 2>, 0>),
            INNER_1 => run!(Pack<S::F64, 2>, F::inner::<Pack<S::F64, 2>, 1>),
            INNER_2 => run!(Pack<S::F64, 2>, F::inner::<Pack<S::F64, 2>, 2>),
            INNER_3 => run!(Pack<S::F64, 2>, F::inner::<Pack<S::F64, 2>, 3>),
            _ => run!(S::F64, F::outer::<S::F64, C>),
        }
    }
}

/// Runs the kernel of a class.
fn run_class<F: Function>(class: usize, from: usize, to: usize, work: &mut Work) {
    macro_rules! run {
        ($c:expr) => {
            dispatch(Class::<F, { $c }> { work, from, to, function: PhantomData })
        };
    }
    // A function that is not worth seven bands runs each element in a band that begins further in.
    let class = if F::FEW_BANDS && class < BANDS { class.min(4) & !1 } else { class };
    match class {
        0 => run!(0),
        1 if !F::FEW_BANDS => run!(1),
        2 => run!(2),
        3 if !F::FEW_BANDS => run!(3),
        4 => run!(4),
        5 if !F::FEW_BANDS => run!(5),
        6 if !F::FEW_BANDS => run!(6),
        INNER => run!(INNER),
        INNER_1 => run!(INNER_1),
        INNER_2 => run!(INNER_2),
        INNER_3 => run!(INNER_3),
        _ => run!(FAR),
    }
}

/// One block.
fn run_block<F: Function>(v: &[f64], x: &[f64], out0: &mut [f64], out1: &mut [f64], w: &mut Work) {
    let n = v.len();
    w.v[..n].copy_from_slice(v);
    w.x[..n].copy_from_slice(x);
    dispatch(Classify(w, n));
    let mut ends = [0usize; CLASSES + 1];
    for class in &w.class[..n] {
        ends[*class as usize + 1] += 1;
    }
    let first = w.class[0] as usize;
    if ends[first + 1] == n && first != SPECIAL {
        run_class::<F>(first, 0, n, w);
        out0.copy_from_slice(&w.y0[..n]);
        if F::PAIR {
            out1.copy_from_slice(&w.y1[..n]);
        }
        return;
    }
    for c in 0..CLASSES {
        ends[c + 1] += ends[c];
    }
    let mut next = ends;
    for i in 0..n {
        let slot = &mut next[w.class[i] as usize];
        let at = *slot;
        *slot += 1;
        w.order[at] = i as u32;
        w.v[at] = v[i].abs();
        w.x[at] = x[i];
    }
    for class in 0..SPECIAL {
        if ends[class] < ends[class + 1] {
            run_class::<F>(class, ends[class], ends[class + 1], w);
        }
    }
    for at in ends[SPECIAL]..n {
        let i = w.order[at] as usize;
        (w.y0[at], w.y1[at]) = F::limit(v[i], x[i]);
    }
    for (at, i) in w.order[..n].iter().enumerate() {
        out0[*i as usize] = w.y0[at];
        if F::PAIR {
            out1[*i as usize] = w.y1[at];
        }
    }
}

/// Evaluates again, by the function's own rule, the elements of negative order.
fn negative_orders<F: Function>(v: &[f64], x: &[f64], out0: &mut [f64], out1: &mut [f64]) {
    let wanted = |v: f64, x: f64| v < 0.0 && v > f64::NEG_INFINITY && x > 0.0 && x < f64::INFINITY;
    if !v.iter().zip(x).any(|(&v, &x)| wanted(v, x)) {
        return;
    }
    let (mut m, mut xs, mut order) = ([0.0; BLOCK], [0.0; BLOCK], [0usize; BLOCK]);
    let mut n = 0;
    for i in 0..v.len() {
        if wanted(v[i], x[i]) {
            (m[n], xs[n], order[n]) = (-v[i], x[i], i);
            n += 1;
        }
    }
    let (mut y0, mut y1) = ([0.0; BLOCK], [0.0; BLOCK]);
    for (at, &i) in order[..n].iter().enumerate() {
        y0[at] = out0[i];
        if F::PAIR {
            y1[at] = out1[i];
        }
    }
    F::negative(&m[..n], &xs[..n], &mut y0[..n], &mut y1[..n]);
    for (at, &i) in order[..n].iter().enumerate() {
        out0[i] = y0[at];
        if F::PAIR {
            out1[i] = y1[at];
        }
    }
}
