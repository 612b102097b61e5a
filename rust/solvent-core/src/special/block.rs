//! Evaluation of one function over slices: classify, sort by class, run each class dense, scatter.
//!
//! The positions of a block of [`BLOCK`] elements are sorted by class, so that every kernel runs over full registers of
//! its own class; a block of one class runs in place. A kernel may overrun its segment by part of a register: those
//! lanes hold elements of the next class, whose own kernel overwrites them. Each element's result depends on its own
//! (v, x) alone, so neither position nor block nor thread can change a bit.

use core::marker::PhantomData;
use core::ops::Range;

use solvent_simd::{F64s, Kernel, Lanes, Mask, Simd, dispatch};

use super::domain::{BANDS, CLASSES, FAR, INNER, SPECIAL, classify};
use super::function::Function;

/// Elements sorted at a time: few enough for the first-level cache, enough that rare classes fill their registers.
pub const BLOCK: usize = 1024;
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
        let negative = run_block::<F>(v, x, first, second, &mut work);
        if negative {
            negative_orders::<F>(v, x, first, second);
        }
    }
}

/// The working arrays of a block: classes as the elements come, positions sorted by class, and results in that order.
struct Work {
    class: [f64; ROOM],
    order: [u32; ROOM],
    y0: [f64; ROOM],
    y1: [f64; ROOM],
}

impl Work {
    fn new() -> Self {
        Work { class: [0.0; ROOM], order: [0; ROOM], y0: [0.0; ROOM], y1: [0.0; ROOM] }
    }
}

/// Where each class begins in `order`; its end is the beginning of the next.
type Ends = [usize; CLASSES + 1];

/// What a sort found.
struct Sorted {
    /// Some order is negative.
    negative: bool,
    /// The one class of all elements (then nothing was sorted), or where the classes begin.
    classes: Result<usize, Ends>,
}

/// The register that begins at element `i`; past the end it repeats a harmless 1.
#[inline(always)]
fn load<V: F64s>(a: &[f64], i: usize) -> V {
    if i + V::LANES <= a.len() {
        V::load(&a[i..])
    } else {
        let mut padded = [1.0; ROOM - BLOCK];
        padded[..a.len() - i].copy_from_slice(&a[i..]);
        V::load(&padded)
    }
}

/// Classifies a block and sorts its positions by class.
struct Sort<'a> {
    v: &'a [f64],
    x: &'a [f64],
    work: &'a mut Work,
}

impl Kernel for Sort<'_> {
    type Output = Sorted;

    #[inline(always)]
    fn run<S: Simd>(self) -> Sorted {
        let (n, w) = (self.v.len(), self.work);
        let mut lowest = S::F64::splat(0.0);
        for i in (0..n).step_by(S::F64::LANES) {
            let v = load::<S::F64>(self.v, i);
            lowest = v.min(lowest);
            classify(v.abs(), load(self.x, i)).store(&mut w.class[i..]);
        }
        // The padding takes the class of the last element, then one that no element has.
        let last = w.class[n - 1];
        w.class[n..].fill(last);
        let (mut least, mut most) = (S::F64::splat(SPECIAL as f64), S::F64::splat(0.0));
        for i in (0..n).step_by(S::F64::LANES) {
            let class = S::F64::load(&w.class[i..]);
            (least, most) = (least.min(class), most.max(class));
        }
        let (least, most) = (least.reduce_min(), most.reduce_max());
        let negative = lowest.reduce_min() < 0.0;
        if least == most {
            return Sorted { negative, classes: Ok(least as usize) };
        }
        w.class[n..].fill(-1.0);
        let mut ends = [0; CLASSES + 1];
        let mut at = 0;
        for class in 0..CLASSES {
            ends[class] = at;
            if class as f64 >= least && class as f64 <= most {
                for i in (0..n).step_by(S::F64::LANES) {
                    let mask = S::F64::load(&w.class[i..]).eq(S::F64::splat(class as f64));
                    if mask.any() {
                        at += mask.positions(i as u32, &mut w.order[at..]);
                    }
                }
            }
        }
        ends[CLASSES] = at;
        // The last register of the last class gathers past the end.
        w.order[at..].fill(0);
        Sorted { negative, classes: Err(ends) }
    }
}

/// The kernel of class `C` over the elements `from..to` of the working arrays. A kernel a class, each compiled alone.
struct Class<'a, F, const C: usize> {
    v: &'a [f64],
    x: &'a [f64],
    work: &'a mut Work,
    from: usize,
    to: usize,
    /// Whether `order` tells where the elements are; otherwise they are where they came.
    sorted: bool,
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
                    let (v, x) = if self.sorted {
                        let order = &w.order[i..];
                        (<$lanes>::gather(self.v, order), <$lanes>::gather(self.x, order))
                    } else {
                        (load::<$lanes>(self.v, i), load::<$lanes>(self.x, i))
                    };
                    let (a, b) = $kernel(v.abs(), x);
                    a.store(&mut w.y0[i..]);
                    if F::PAIR {
                        b.store(&mut w.y1[i..]);
                    }
                }
            };
        }
        match C {
            INNER => run!(S::F64, F::inner::<S::F64, 0>),
            INNER_1 => run!(S::F64, F::inner::<S::F64, 1>),
            INNER_2 => run!(S::F64, F::inner::<S::F64, 2>),
            INNER_3 => run!(S::F64, F::inner::<S::F64, 3>),
            _ => run!(S::F64, F::outer::<S::F64, C>),
        }
    }
}

/// Runs the kernel of a class.
fn run_class<F: Function>(
    class: usize,
    v: &[f64],
    x: &[f64],
    part: Range<usize>,
    sorted: bool,
    work: &mut Work,
) {
    let (from, to) = (part.start, part.end);
    macro_rules! run {
        ($c:expr) => {
            dispatch(Class::<F, { $c }> { v, x, work, from, to, sorted, function: PhantomData })
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

/// One block, negative orders by their absolute value; returns whether there are any.
fn run_block<F: Function>(v: &[f64], x: &[f64], out0: &mut [f64], out1: &mut [f64], w: &mut Work) -> bool {
    let n = v.len();
    let Sorted { negative, classes } = dispatch(Sort { v, x, work: w });
    let ends = match classes {
        Ok(class) if class != SPECIAL => {
            run_class::<F>(class, v, x, 0..n, false, w);
            out0.copy_from_slice(&w.y0[..n]);
            if F::PAIR {
                out1.copy_from_slice(&w.y1[..n]);
            }
            return negative;
        }
        Ok(_) => {
            for i in 0..n {
                w.order[i] = i as u32;
            }
            let mut ends = [0; CLASSES + 1];
            ends[SPECIAL + 1] = n;
            ends
        }
        Err(ends) => ends,
    };
    for class in 0..SPECIAL {
        if ends[class] < ends[class + 1] {
            run_class::<F>(class, v, x, ends[class]..ends[class + 1], true, w);
        }
    }
    for at in ends[SPECIAL]..n {
        let i = w.order[at] as usize;
        (w.y0[at], w.y1[at]) = F::limit(v[i], x[i]);
    }
    scatter(&w.order[..n], &w.y0, out0);
    if F::PAIR {
        scatter(&w.order[..n], &w.y1, out1);
    }
    negative
}

/// Writes `y[k]` to `out[order[k]]`.
fn scatter(order: &[u32], y: &[f64], out: &mut [f64]) {
    if let Ok(out) = <&mut [f64; BLOCK]>::try_from(&mut *out) {
        // A full block: positions reduced to it need no check.
        for (i, y) in order.iter().zip(y) {
            out[*i as usize % BLOCK] = *y;
        }
    } else {
        for (i, y) in order.iter().zip(y) {
            out[*i as usize] = *y;
        }
    }
}

/// Evaluates again, by the function's own rule, the elements of negative order.
fn negative_orders<F: Function>(v: &[f64], x: &[f64], out0: &mut [f64], out1: &mut [f64]) {
    let wanted = |v: f64, x: f64| v < 0.0 && v > f64::NEG_INFINITY && x > 0.0 && x < f64::INFINITY;
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
