//! What happened second by second.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::fleet::Fleet;
use super::gauges::{Gauges, Page};
use super::kernel::{Machine, Process, Usage};
use super::latency::Measured;
use super::plan::{LoadError, LoadPlan, Progress};
use super::times::Times;

/// One second of a run.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Sample {
    /// When it ended, in seconds since the start.
    pub at_secs: f64,
    /// Whether it was of the time that is measured.
    pub steady: bool,
    /// Calls that were open.
    pub calls: usize,
    /// Calls that the gateway refused in it.
    pub refused: u64,
    /// Calls that would not open or ended early in it, the refused included.
    pub lost: usize,
    /// CPU of the target, in per cent of one core.
    pub cpu_percent: Option<f64>,
    /// Resident memory of the target, in KiB.
    pub rss_kib: Option<u64>,
    /// CPU of this generator, in per cent of one core.
    pub generator_percent: Option<f64>,
    /// How busy all cores were.
    pub machine_busy_percent: f64,
    /// How late the target's threads were at most 99 of 100 times, by its own account.
    pub loop_lag_p99_ms: Option<f64>,
    /// Added latency from caller to model.
    pub uplink_p99_ms: Option<f64>,
    /// Added latency from model to caller.
    pub downlink_p99_ms: Option<f64>,
}

/// What is looked at once a second.
pub(super) struct Observer {
    pub(super) process: Option<Process>,
    pub(super) own: Process,
    pub(super) gauges: Option<Gauges>,
    last: Reading,
    seen: (u64, usize),
    pub(super) samples: Vec<Sample>,
}

/// What everything had used at some moment.
#[derive(Clone)]
pub(super) struct Reading {
    pub(super) at: Instant,
    pub(super) process: Option<Usage>,
    pub(super) own: Option<Usage>,
    pub(super) machine: Machine,
    pub(super) page: Option<Page>,
}

impl Reading {
    /// CPU that the target used since then, in milliseconds: by the kernel's account, else by its own.
    pub(super) fn cpu_ms_since(&self, then: &Self) -> Option<f64> {
        let by_kernel = self.process.as_ref().zip(then.process.as_ref()).map(|(now, then)| now.since(then).cpu_ms);
        by_kernel.or_else(|| {
            let cpu_secs = |reading: &Self| reading.page.as_ref()?.cpu_secs();
            Some((cpu_secs(self)? - cpu_secs(then)?).max(0.0) * 1_000.0)
        })
    }

    pub(super) fn rss_kib(&self) -> Option<u64> {
        let by_kernel = self.process.as_ref().map(|usage| usage.rss_kib);
        by_kernel.or_else(|| self.page.as_ref()?.rss_kib())
    }
}

impl Observer {
    /// Looks for the first time: a page that cannot be had now is told at once.
    pub(super) async fn open(plan: &LoadPlan) -> Result<Self, LoadError> {
        let process = plan.pid.map(Process::open).transpose()?;
        let own = Process::own()?;
        let gauges = plan.metrics.as_ref().map(Gauges::new).transpose()?;
        let page = match &gauges {
            Some(gauges) => Some(gauges.fetch().await?),
            None => None,
        };
        let last = Reading { at: Instant::now(), process: None, own: None, machine: Machine::now(), page };
        let mut observer = Self { process, own, gauges, last, seen: (0, 0), samples: Vec::new() };
        observer.last = observer.read(observer.last.page.clone());
        Ok(observer)
    }

    fn read(&self, page: Option<Page>) -> Reading {
        Reading {
            at: Instant::now(),
            process: self.process.as_ref().and_then(Process::usage),
            own: self.own.usage(),
            machine: Machine::now(),
            page,
        }
    }

    /// The last look.
    pub(super) fn last(&self) -> Reading {
        self.last.clone()
    }

    /// Looks at everything; the progress so far.
    pub(super) async fn look(&mut self, fleet: &Fleet, phase: &'static str) -> Progress {
        let page = match &self.gauges {
            // One page that did not come leaves a gap.
            Some(gauges) => gauges.fetch().await.ok(),
            None => None,
        };
        let (now, then) = (self.read(page), &self.last);
        let secs = now.at.duration_since(then.at).as_secs_f64().max(0.001);
        let percent = |ms: f64| ms / secs / 10.0;
        let mut progress = fleet.progress(phase);
        progress.cpu_percent = now.cpu_ms_since(then).map(percent);
        let refused = fleet.refusals().values().sum();
        let own = now.own.as_ref().zip(then.own.as_ref()).map(|(now, then)| percent(now.since(then).cpu_ms));
        let lag = now.page.as_ref().zip(then.page.as_ref()).and_then(|(now, then)| now.lag_p99_ms(then));
        self.samples.push(Sample {
            at_secs: progress.elapsed_secs,
            steady: phase == "steady",
            calls: progress.live,
            refused: refused - self.seen.0,
            lost: progress.lost.saturating_sub(self.seen.1),
            cpu_percent: progress.cpu_percent,
            rss_kib: now.rss_kib(),
            generator_percent: own,
            machine_busy_percent: now.machine.busy_percent_since(then.machine),
            loop_lag_p99_ms: lag,
            uplink_p99_ms: None,
            downlink_p99_ms: None,
        });
        self.seen = (refused, progress.lost);
        self.last = now;
        progress
    }
}

/// Puts latencies into the seconds in which they were.
pub(super) fn fill(samples: &mut [Sample], uplink: &[Measured], downlink: &[Measured]) {
    let ends: Vec<u64> = samples.iter().map(|sample| (sample.at_secs * 1e6) as u64).collect();
    let by_second = |latencies: &[Measured]| {
        let mut seconds: BTreeMap<usize, Times> = BTreeMap::new();
        for (at, us) in latencies {
            seconds.entry(ends.partition_point(|end| end < at)).or_default().record(*us);
        }
        seconds
    };
    let (up, down) = (by_second(uplink), by_second(downlink));
    let p99 = |seconds: &BTreeMap<usize, Times>, at: usize| seconds.get(&at).and_then(|times| times.at_percent(99.0));
    for (at, sample) in samples.iter_mut().enumerate() {
        sample.uplink_p99_ms = p99(&up, at);
        sample.downlink_p99_ms = p99(&down, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_belongs_to_the_second_in_which_it_was() {
        let mut samples: Vec<Sample> =
            (1..=3).map(|at| Sample { at_secs: f64::from(at), ..Sample::default() }).collect();
        fill(&mut samples, &[(500_000, 1_000), (1_000_000, 9_000), (2_500_000, 4_000), (9_000_000, 7)], &[(1, 50)]);
        let up: Vec<_> = samples.iter().map(|sample| sample.uplink_p99_ms.map(f64::round)).collect();
        assert_eq!(up, [Some(9.0), None, Some(4.0)], "what comes behind the last is of none");
        assert_eq!(samples.iter().filter(|sample| sample.downlink_p99_ms.is_some()).count(), 1);
    }
}
