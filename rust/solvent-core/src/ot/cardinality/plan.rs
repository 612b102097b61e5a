//! The coupling, column by column.

/// A sparse matrix in compressed columns; row indices ascend in each.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Where each column begins, and the end.
    pub indptr: Vec<i64>,
    /// Rows.
    pub indices: Vec<i32>,
    /// Masses, representable in the precision of the cost.
    pub data: Vec<f64>,
}

impl Plan {
    /// The rows and masses of column `j`.
    pub fn column(&self, j: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let range = self.indptr[j] as usize..self.indptr[j + 1] as usize;
        range.map(|at| (self.indices[at] as usize, self.data[at]))
    }

    /// How many entries column `j` has.
    pub fn count(&self, j: usize) -> usize {
        (self.indptr[j + 1] - self.indptr[j]) as usize
    }

    /// Appends a column, rounded to the precision of the cost.
    pub fn push<T>(&mut self, column: &[(u32, f64)], from: impl Fn(f64) -> T, to: impl Fn(T) -> f64) {
        for &(row, mass) in column {
            self.indices.push(row as i32);
            self.data.push(to(from(mass)));
        }
        self.indptr.push(self.data.len() as i64);
    }
}
