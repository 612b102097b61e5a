//! How a solve ends, whichever iteration makes it: what was judged last and what is kept, the best held-out iterate, the status
//! and the rule that gave it.

use super::CompletionError;
use super::certify::glance::{Glance, glance};
use super::certify::residual::Residuals;
use super::certify::{Depth, Evidence, certify, certify_with};
use super::entry::Entry;
use super::options::{Certify, Options};
use super::payload::Payload;
use super::problem::Problem;
use super::solve::Solution;
use super::verdict::{Facts, outcome};
use crate::base::certificate::{Certificate, Kind};
use crate::base::monitor::Monitor;
use crate::base::status::Status;

/// Held-out iterates without progress that end a run.
const HELD_PATIENCE: usize = 3;

/// What an iteration knows of its end.
pub struct Ending<'a, T: Entry> {
    problem: &'a Problem<'a, T>,
    options: &'a Options<T>,
    /// The bound that is asked for.
    pub tol: f64,
    /// Certificates computed so far in the whole run.
    pub evaluations: u32,
    /// The present iterate, where it was judged.
    pub judged: Option<(Payload<T>, Certificate)>,
    kept: Option<(Payload<T>, Certificate)>,
    held_best: Option<(f64, Payload<T>)>,
    held_wait: usize,
    /// Set where the method ends the run,
    pub status: Option<Status>,
    /// by a rule of its own.
    pub rule: Option<&'static str>,
}

impl<'a, T: Entry> Ending<'a, T> {
    /// Nothing is judged yet. `evaluations`: how many certificates this run has computed before.
    pub fn new(problem: &'a Problem<'a, T>, options: &'a Options<T>, tol: f64, evaluations: u32) -> Self {
        Self {
            problem,
            options,
            tol,
            evaluations,
            judged: None,
            kept: None,
            held_best: None,
            held_wait: 0,
            status: None,
            rule: None,
        }
    }

    /// Whether certificates decide.
    pub fn certifies(&self) -> bool {
        self.options.certify != Certify::None && self.tol > 0.0
    }

    /// Ends the run by a rule of the method's own.
    pub fn converge(&mut self, rule: &'static str) {
        (self.status, self.rule) = (Some(Status::Converged), Some(rule));
    }

    /// Takes back the end: the run goes on after another iteration has had its try.
    pub fn reopen(&mut self) {
        (self.status, self.rule) = (None, None);
    }

    fn evidence(&self) -> Evidence<'a, T> {
        let problem = self.problem;
        Evidence { entries: problem.rows, weights: problem.weights, penalty: problem.penalty }
    }

    fn certificate(
        &mut self,
        payload: &Payload<T>,
        residuals: Option<&Residuals>,
        monitor: &mut Monitor<'_>,
    ) -> Result<Certificate, CompletionError> {
        self.evaluations += 1;
        let evidence = self.evidence();
        let depth = Depth {
            full: self.options.certify == Certify::Full,
            seed: self.options.seed,
            evaluation: self.evaluations,
            tol: self.tol,
        };
        match residuals {
            Some(residuals) => certify_with(&evidence, payload, residuals, depth, monitor),
            None => certify(&evidence, payload, depth, monitor),
        }
    }

    /// Judges the present iterate; its bound.
    pub fn judge(&mut self, payload: Payload<T>, monitor: &mut Monitor<'_>) -> Result<f64, CompletionError> {
        let certificate = self.certificate(&payload, None, monitor)?;
        let bound = certificate.bound;
        self.judged = Some((payload, certificate));
        Ok(bound)
    }

    /// The same where the residuals are at hand.
    pub fn judge_with(
        &mut self,
        payload: &Payload<T>,
        residuals: &Residuals,
        monitor: &mut Monitor<'_>,
    ) -> Result<f64, CompletionError> {
        let certificate = self.certificate(payload, Some(residuals), monitor)?;
        let bound = certificate.bound;
        self.judged = Some((payload.clone(), certificate));
        Ok(bound)
    }

    /// The residuals of an iterate, and what a glance says of its gap.
    pub fn glance(
        &self,
        payload: &Payload<T>,
        monitor: &mut Monitor<'_>,
    ) -> Result<(Residuals, Glance), CompletionError> {
        let evidence = self.evidence();
        let residuals = Residuals::new(&evidence, payload, monitor)?;
        let glance = glance(&evidence, payload, &residuals, self.tol, monitor)?;
        Ok((residuals, glance))
    }

    /// Counts an iterate by its error at the held-out entries.
    pub fn hold(&mut self, rmse: f64, payload: Payload<T>) {
        if self.held_best.as_ref().is_none_or(|(best, _)| rmse < *best) {
            (self.held_best, self.held_wait) = (Some((rmse, payload)), 0);
            return;
        }
        self.held_wait += 1;
        if self.options.held_stop && self.held_wait >= HELD_PATIENCE {
            self.converge("the error at the held-out entries no longer falls");
        }
    }

    /// Moves it out of a method that finishes.
    #[must_use]
    pub fn take(&mut self) -> Self {
        let next = Self::new(self.problem, self.options, self.tol, self.evaluations);
        std::mem::replace(self, next)
    }

    /// Keeps what was judged last.
    pub fn keep(&mut self) {
        self.kept.clone_from(&self.judged);
    }

    /// The bound of the best certificate of this kind.
    pub fn best_bound(&self, kind: Kind) -> f64 {
        let held = self.judged.iter().chain(&self.kept).filter(|(_, certificate)| certificate.kind == kind);
        held.map(|(_, certificate)| certificate.bound).fold(f64::INFINITY, f64::min)
    }

    /// The answer: the best held-out iterate where that is the rule, else the better of what was judged last and what was
    /// kept, else the last one. `payload` makes that, `capped` says whether the rank is as large as it may become.
    pub fn finish(
        mut self,
        status: Status,
        capped: bool,
        payload: impl FnOnce() -> Result<Payload<T>, CompletionError>,
        mut monitor: Monitor<'_>,
    ) -> Result<Solution<T>, CompletionError> {
        // Where held-out entries only judge, the last iterate is the answer.
        let stops = self.options.held_stop;
        let own = self.held_best.take().filter(|_| stops).map(|(_, payload)| payload);
        let (payload, certificate) = match (own, self.options.certify) {
            (Some(own), Certify::None) => (own, None),
            (None, Certify::None) => (payload()?, None),
            (Some(own), _) => {
                let certificate = self.certificate(&own, None, &mut monitor)?;
                (own, Some(certificate))
            }
            (None, _) => {
                let (last, certificate) = match self.judged.take() {
                    Some(judged) => judged,
                    None => {
                        let last = payload()?;
                        let certificate = self.certificate(&last, None, &mut monitor)?;
                        (last, certificate)
                    }
                };
                match self.kept.take() {
                    Some(kept) if kept.1.bound < certificate.bound => (kept.0, Some(kept.1)),
                    _ => (last, Some(certificate)),
                }
            }
        };
        let held_rmse = self.options.held.as_ref().map(|aside| payload.rmse(aside));
        let facts = Facts { rule: self.rule, capped, exact: self.problem.penalty.lam == 0.0 };
        let outcome = outcome(&facts, status, certificate, monitor);
        Ok(Solution { payload, outcome, held_rmse })
    }
}
