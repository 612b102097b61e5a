//! S A of rows that come in a stream, in pieces of any length.

use super::rows::{Element, LANES, Rows};
use super::{Sketch, panel_rows};
use crate::base::buffer::Buffer;

/// The total of some panels' sums.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Panels {
    m: usize,
    width: usize,
    total: Option<Buffer>,
}

impl Panels {
    pub(super) fn new(m: usize, width: usize) -> Self {
        Self { m, width, total: None }
    }

    /// Adds the sum of the next panel, and gives its memory back unless it became the total's.
    pub(super) fn add(&mut self, sum: Buffer) -> Option<Buffer> {
        let Some(total) = &mut self.total else {
            self.total = Some(sum);
            return None;
        };
        total.iter_mut().zip(sum.iter()).for_each(|(t, s)| *t += s);
        Some(sum)
    }

    /// Writes the total times `scale` to columns `from..` of an array of m rows of `d` elements.
    pub(super) fn write(&self, scale: f64, out: &mut [f64], d: usize, from: usize) {
        let Some(total) = &self.total else { return };
        let padded = self.width.next_multiple_of(LANES);
        if self.width == 0 {
            return;
        }
        for (row, out) in total.chunks_exact(padded).zip(out.chunks_exact_mut(d)).take(self.m) {
            for (x, out) in row[..self.width].iter().zip(&mut out[from..]) {
                *out = scale * x;
            }
        }
    }
}

/// Sketches rows as they come. The result has the same bits as [`apply`](super::apply) on all rows at once, however the
/// stream is cut; up to a grain of rows is kept until it is whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream<S> {
    sketch: S,
    width: usize,
    /// Rows seen.
    count: usize,
    /// Rows of the grain that is not yet whole, widened and times their factors.
    waiting: Vec<f64>,
    /// The sum of the panel that is not yet whole.
    panel: Buffer,
    panels: Panels,
}

impl<S: Sketch> Stream<S> {
    /// A stream of rows of `width` elements.
    pub fn new(sketch: S, width: usize) -> Self {
        let panels = Panels::new(sketch.rows(), width);
        Self { sketch, width, count: 0, waiting: Vec::new(), panel: Buffer::default(), panels }
    }

    /// Rows seen so far.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The sketch.
    pub fn sketch(&self) -> &S {
        &self.sketch
    }

    /// The next rows.
    ///
    /// # Panics
    /// Unless they are as wide as the stream.
    pub fn push<T: Element>(&mut self, block: &Rows<'_, T>) {
        assert_eq!(block.width(), self.width, "rows of the stream's width");
        let (grain, panel) = (self.sketch.grain(), panel_rows(&self.sketch));
        let mut next = 0;
        while next < block.count() {
            let within = self.count % grain;
            let left = block.count() - next;
            let step = if within == 0 && left >= grain {
                let whole = (left - left % grain).min(panel - self.count % panel);
                self.add(&block.range(next, next + whole), self.count);
                whole
            } else {
                let some = left.min(grain - within);
                self.keep(&block.range(next, next + some));
                if within + some == grain {
                    self.add_waiting(self.count - within);
                }
                some
            };
            next += step;
            self.count += step;
            if self.count.is_multiple_of(panel) {
                self.close_panel();
            }
        }
    }

    fn add<T: Element>(&mut self, block: &Rows<'_, T>, first: usize) {
        self.panel.lengthen(self.sketch.rows() * block.padded());
        self.sketch.add(block, first, &mut self.panel);
    }

    fn keep<T: Element>(&mut self, block: &Rows<'_, T>) {
        for i in 0..block.count() {
            let factor = block.factor(i);
            self.waiting.extend(block.row(i).iter().map(|x| factor * x.to_f64()));
        }
    }

    fn add_waiting(&mut self, first: usize) {
        let waiting = std::mem::take(&mut self.waiting);
        let count = waiting.len().checked_div(self.width).unwrap_or(0);
        self.add(&Rows::new(&waiting, count, self.width), first);
    }

    fn close_panel(&mut self) {
        let sum = std::mem::take(&mut self.panel);
        if !sum.is_empty() {
            self.panel = self.panels.add(sum).unwrap_or_default();
            self.panel.reset(0);
        }
    }

    /// S A of all rows seen, m by `width` in C order.
    #[must_use]
    pub fn finish(mut self) -> Vec<f64> {
        if !self.waiting.is_empty() {
            self.add_waiting(self.count - self.count % self.sketch.grain());
        }
        self.close_panel();
        let mut out = vec![0.0; self.sketch.rows() * self.width];
        self.panels.write(self.sketch.scale(), &mut out, self.width, 0);
        out
    }
}
