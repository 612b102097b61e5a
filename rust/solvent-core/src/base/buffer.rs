//! Scratch that begins at a cache line.

use std::ops::{Deref, DerefMut};

/// Doubles of a cache line.
const LINE: usize = 8;

/// Doubles whose first begins a cache line: no register's worth of them straddles two, which would cost twice the loads
/// and stores. Results don't depend on it.
#[derive(Debug, Default)]
pub struct Buffer {
    data: Vec<f64>,
    first: usize,
    len: usize,
}

impl Buffer {
    /// Zeros.
    pub fn zeros(len: usize) -> Self {
        let mut buffer = Self { data: vec![0.0; len + LINE - 1], first: 0, len };
        buffer.align();
        buffer
    }

    /// Zeros, in the memory that is held if that is enough.
    pub fn reset(&mut self, len: usize) {
        self.data.clear();
        self.data.resize(len + LINE - 1, 0.0);
        self.len = len;
        self.align();
    }

    /// Makes it longer by zeros, if it is shorter.
    pub fn lengthen(&mut self, len: usize) {
        if self.len == 0 {
            self.reset(len);
        } else if len > self.len {
            let mut longer = Self::zeros(len);
            longer[..self.len].copy_from_slice(self);
            *self = longer;
        }
    }

    /// Where the line begins; anywhere, if the platform cannot tell.
    fn align(&mut self) {
        self.first = self.data.as_ptr().align_offset(LINE * size_of::<f64>()).min(LINE - 1);
    }
}

impl Deref for Buffer {
    type Target = [f64];
    #[inline]
    fn deref(&self) -> &[f64] {
        &self.data[self.first..self.first + self.len]
    }
}

impl DerefMut for Buffer {
    #[inline]
    fn deref_mut(&mut self) -> &mut [f64] {
        &mut self.data[self.first..self.first + self.len]
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begins_a_line_and_keeps_what_it_holds() {
        for len in [0, 1, 7, 8, 1000] {
            let mut buffer = Buffer::zeros(len);
            assert_eq!(buffer.len(), len);
            assert!(buffer.as_ptr().align_offset(64) == 0);
            buffer.fill(2.0);
            let copy = buffer.clone();
            assert!(copy.as_ptr().align_offset(64) == 0 && copy == buffer);
            buffer.lengthen(len + 3);
            assert!(buffer[..len].iter().all(|v| *v == 2.0) && buffer[len..] == [0.0; 3]);
            buffer.reset(len);
            assert!(buffer.len() == len && buffer.iter().all(|v| *v == 0.0));
        }
    }
}
