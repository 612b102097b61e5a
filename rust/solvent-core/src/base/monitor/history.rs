//! What happened, row by row.

use super::Info;

/// Equally long columns, one row a recorded step: `nit`, `bound` (best so far), `elapsed`, the extras.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    columns: Vec<(&'static str, Vec<f64>)>,
}

impl History {
    pub(super) fn new(extras: &'static [&'static str]) -> Self {
        let names = ["nit", "bound", "elapsed"].iter().chain(extras);
        Self { columns: names.map(|&name| (name, Vec::new())).collect() }
    }

    pub(super) fn push(&mut self, info: &Info<'_>) {
        let row = [info.nit as f64, info.bound, info.elapsed].into_iter().chain(info.values.iter().copied());
        for ((_, column), value) in self.columns.iter_mut().zip(row) {
            column.push(value);
        }
    }

    /// The columns by name, in order.
    pub fn columns(&self) -> &[(&'static str, Vec<f64>)] {
        &self.columns
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&[f64]> {
        self.columns.iter().find(|(key, _)| *key == name).map(|(_, column)| column.as_slice())
    }
}
