//! What a refinement can prove of a point beyond its own pass, and the certificate.

use super::super::certify::{Core, Evidence, Judgement, by_companion, energy, least};
use super::super::error::RegressionError;
use super::super::finding::Finding;
use super::super::options::Accuracy;
use super::super::reading::{Points, read_precisely};
use super::super::scaling::ldexp;
use super::{COMPANIONS, PLAUSIBLE, Refinement, UNLUCKY};
use crate::base::certificate::{Certificate, Kind};
use crate::base::monitor::Monitor;
use crate::base::sum::Dd;

impl Refinement<'_, '_> {
    /// Where plain passes see no more than their own rounding: a judgement by a point ahead, a correction away, whose
    /// gradient vanishes in double-double ([`by_companion`]).
    pub(super) fn look_ahead(
        &mut self,
        finding: &mut Finding,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), RegressionError> {
        let tol = monitor.budget().tol;
        let plausible = finding.bound() <= PLAUSIBLE.max(1e3 * tol);
        let asked =
            self.options.accuracy == Accuracy::Backward || matches!(self.found().core, Core::Dependent(_));
        if finding.looked || finding.bound() <= tol || !plausible || !asked || self.exhausted {
            return Ok(());
        }
        finding.looked = true;
        let mut ahead = Points::plain(finding.points.y.clone());
        let mut last = f64::INFINITY;
        for _ in 0..=COMPANIONS {
            let moments = self.moments.as_ref().expect("read by prepare");
            let read = read_precisely(self.problem, moments, &ahead, monitor)?;
            let Some((readings, flushes)) = read else { return Ok(()) };
            let (mut size, mut gradients, mut doubles) = (0.0_f64, Vec::new(), Vec::new());
            for (c, reading) in readings.into_iter().enumerate() {
                let gradient: Vec<f64> = reading.gradient.iter().map(|g| g.hi).collect();
                let y = &finding.points.y[c];
                let evidence = Evidence { y, gradient: &gradient, residual: reading.length, side: c };
                let judged = by_companion(moments, self.problem.columns, evidence, &ahead.lo[c], flushes);
                size = gradient.iter().fold(size, |size, g| size.hypot(*g));
                if judged.bound < finding.judged[c].bound {
                    finding.judged[c] = Judgement { estimate: finding.judged[c].estimate, ..judged };
                }
                gradients.push(gradient);
                doubles.push(reading.gradient);
            }
            // The bound is of this point and may be large for its own sake; what converges ahead of it is the gradient.
            if finding.bound() <= tol || size >= 0.5 * last || size.is_nan() {
                break;
            }
            last = size;
            let steps = match &self.found().core {
                // Of small singular values only the tails of the gradient know.
                Core::Full(factor) if !self.found().iterative => {
                    let solve =
                        |g: &Vec<Dd>| factor.unwhiten(&factor.whiten(g)).iter().map(|v| v.hi).collect();
                    doubles.iter().map(solve).collect()
                }
                _ => self.corrections(&gradients, &[], monitor)?,
            };
            for (lo, step) in ahead.lo.iter_mut().zip(&steps) {
                lo.iter_mut().zip(step).for_each(|(lo, step)| *lo += step);
            }
            if ahead.lo.iter().flatten().any(|lo| !lo.is_finite()) {
                break;
            }
            finding.ahead = Some(ahead.clone());
        }
        Ok(())
    }

    /// Bounds on `|A (x - x*)|`, over all right sides, and on the factor's `|E|`.
    fn energy(&self, finding: &Finding, high: bool) -> (f64, f64) {
        let (moments, core) = (self.moments(), &self.found().core);
        let raw = |(c, energy): (usize, f64)| ldexp(energy, -moments.sides[c]);
        match core {
            Core::Empty => (0.0, 0.0),
            Core::Full(factor) if high => {
                let each = finding.judged.iter().map(|j| j.energy);
                (each.enumerate().map(raw).fold(0.0, f64::max), factor.eta)
            }
            _ if self.exhausted || finding.lengths.is_empty() => (f64::INFINITY, f64::INFINITY),
            _ => {
                let (least, eta) = least(moments, core);
                let read = finding.base.as_deref().unwrap_or(finding);
                let each = (0..finding.judged.len()).map(|c| {
                    let (y, gradient) = (&read.points.y[c], &read.gradients[c]);
                    let evidence = Evidence { y, gradient, residual: read.lengths[c], side: c };
                    energy(moments, core, self.problem.columns, evidence, &finding.points.y[c], least)
                });
                (each.enumerate().map(raw).fold(0.0, f64::max), eta)
            }
        }
    }

    pub(super) fn certificate(&self, finding: &Finding) -> Certificate {
        let moments = self.moments();
        let high = self.high() && !self.exhausted;
        let kind = if high { Kind::ForwardError } else { Kind::BackwardError };
        let mut certificate = Certificate::new(kind, finding.bound());
        certificate.rigorous = finding.judged.iter().all(|j| j.rigorous);
        if !certificate.rigorous && self.found().iterative {
            // The theory of embeddings, for the sketch's rows.
            certificate.failure_probability = UNLUCKY;
        }
        for (c, judged) in finding.judged.iter().enumerate() {
            certificate = certificate.part(format!("bound_{c}"), judged.bound);
        }
        let most = |f: &dyn Fn(&Judgement) -> f64| finding.judged.iter().map(f).fold(0.0, f64::max);
        let (energy, eta) = self.energy(finding, high);
        certificate = certificate
            .part("allowance", most(&|j| j.allowance))
            .part("eta", eta)
            .part(if high { "whitened_gradient" } else { "kw_factor" }, most(&|j| j.measured))
            .part("energy", energy)
            .part("objective_gap", energy * energy)
            .part("rigorous_bound", most(&|j| j.rigorous_bound));
        if self.problem.intercept && high {
            let last = moments.order() - 1;
            let each = finding.judged.iter().enumerate();
            let bound = each.map(|(c, j)| moments.raw(j.coefficients[last], last, c)).fold(0.0, f64::max);
            certificate = certificate.part("intercept_bound", bound);
        }
        if self.exhausted {
            certificate = certificate.part("single_pass", 1.0);
        }
        certificate
    }
}
