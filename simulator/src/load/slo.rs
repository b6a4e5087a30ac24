//! What a run is held to, and what broke first.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::report::LoadReport;

/// A core this busy has nothing left.
const FULL_PERCENT: f64 = 90.0;
/// All cores together.
const MACHINE_FULL_PERCENT: f64 = 95.0;
/// Threads that are this late, 99 of 100 times, are what callers hear.
const LATE_LOOP_MS: f64 = 25.0;
/// An audit log this far behind is a database that does not keep up.
const AUDIT_LAG_SECS: f64 = 5.0;

/// What a run is held to.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Slos {
    /// Added latency either way, p99, in milliseconds.
    pub p99_ms: f64,
    /// First audio, p99, in milliseconds; none: not looked at.
    pub first_audio_ms: Option<f64>,
    /// Answers of the webhook, p99, in milliseconds; none: not looked at.
    pub webhook_ms: Option<f64>,
    /// Of 1, how many calls may be refused, fail, or end early.
    pub refusals: f64,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Breach {
    /// What was promised.
    pub what: String,
    /// What was measured.
    pub measured: f64,
    /// What was allowed.
    pub allowed: f64,
    /// Unit of both.
    pub unit: String,
}

/// What broke first.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// What made the load was itself too slow: the target may carry more.
    Tester,
    /// A limit of the gateway's: its code.
    Limit(String),
    /// The database did not keep up.
    Database,
    /// The cores that the target may use were full.
    Cpu,
    /// One thread of the target's was full: more `WORKERS` would have used more cores.
    Thread,
    /// The target's threads were late, though there was CPU left.
    LoopLag,
    /// Nothing that was looked at says.
    Unknown,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, measured, allowed, unit } = self;
        write!(f, "{what} {measured:.1} {unit} (allowed: {allowed:.1})")
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tester => f.write_str("the tester itself: give it, and the simulated model, more of a machine"),
            Self::Limit(code) => write!(f, "a limit of the gateway's: {code}"),
            Self::Database => f.write_str("the database"),
            Self::Cpu => f.write_str("CPU"),
            Self::Thread => f.write_str("CPU of one thread: raise WORKERS where there are cores left"),
            Self::LoopLag => f.write_str("loop lag: the gateway's threads were late with CPU left"),
            Self::Unknown => f.write_str("not known from here: look at the gateway's log and dashboard"),
        }
    }
}

impl Slos {
    /// What a run broke of what was promised.
    #[must_use]
    pub fn breaches(&self, report: &LoadReport) -> Vec<Breach> {
        let mut breaches = Vec::new();
        let mut hold = |what: &str, measured: Option<f64>, allowed: Option<f64>, unit: &str| {
            if let (Some(measured), Some(allowed)) = (measured, allowed)
                && measured > allowed
            {
                breaches.push(Breach { what: what.into(), measured, allowed, unit: unit.into() });
            }
        };
        let times = &report.times;
        hold("caller to model, p99", times.uplink.map(|times| times.p99_ms), Some(self.p99_ms), "ms");
        hold("model to caller, p99", times.downlink.map(|times| times.p99_ms), Some(self.p99_ms), "ms");
        hold("first audio, p99", times.first_audio.map(|times| times.p99_ms), self.first_audio_ms, "ms");
        hold("webhook answers, p99", times.webhook.map(|times| times.p99_ms), self.webhook_ms, "ms");
        let percent = |share: f64| Some(share * 100.0);
        hold("calls lost", percent(report.calls.share_lost()), percent(self.refusals), "%");
        let frames = report.frames.lost.map(|lost| lost as f64 * 100.0 / report.frames.sent.max(1) as f64);
        hold("frames lost", frames, percent(self.refusals), "%");
        breaches
    }
}

impl Cause {
    /// Why a run broke what was promised.
    #[must_use]
    pub fn of(report: &LoadReport) -> Self {
        let most = report.calls.refusals.iter().max_by_key(|(_, times)| **times);
        let process = report.process.unwrap_or_default();
        let cores = process.cores.unwrap_or(1) as f64;
        let full = process.core_percent >= cores * FULL_PERCENT || report.machine_busy_percent >= MACHINE_FULL_PERCENT;
        let gateway = report.gateway.clone().unwrap_or_default();
        let database = gateway.audit_lag_secs > AUDIT_LAG_SECS || gateway.record_dropped > 0.0;
        match most {
            // A limit is a limit, however slow anybody is.
            Some((code, _))
                if code != "storage_away" && report.calls.share_refused() >= report.calls.share_lost() / 2.0 =>
            {
                Self::Limit(code.clone())
            }
            Some((code, _)) if code == "storage_away" => Self::Database,
            _ if !report.void.is_empty() => Self::Tester,
            _ if full => Self::Cpu,
            _ if process.busiest_thread_percent.is_some_and(|percent| percent >= FULL_PERCENT) => Self::Thread,
            _ if database => Self::Database,
            _ if gateway.loop_lag_p99_ms.is_some_and(|lag| lag > LATE_LOOP_MS) => Self::LoopLag,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::out::tests::run_file;
    use super::*;

    const SLOS: Slos = Slos { p99_ms: 10.0, first_audio_ms: Some(300.0), webhook_ms: Some(50.0), refusals: 0.001 };

    fn report() -> LoadReport {
        run_file(100).run.report
    }

    #[test]
    fn what_was_promised_is_held_to_each_figure() {
        assert_eq!(SLOS.breaches(&report()), []);
        let mut slow = report();
        slow.times.downlink.as_mut().unwrap().p99_ms = 12.5;
        slow.calls.failed = 30;
        let told: Vec<String> = SLOS.breaches(&slow).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["model to caller, p99 12.5 ms (allowed: 10.0)", "calls lost 9.1 % (allowed: 0.1)"]);
        let lax = Slos { p99_ms: 20.0, first_audio_ms: None, webhook_ms: None, refusals: 0.2 };
        assert_eq!(lax.breaches(&slow), []);
        // What was not measured is not broken.
        slow.times.downlink = None;
        slow.calls.failed = 0;
        assert_eq!(SLOS.breaches(&slow), []);
    }

    #[test]
    fn what_broke_first_is_named_by_what_was_full() {
        let with = |change: fn(&mut LoadReport)| {
            let mut report = report();
            change(&mut report);
            Cause::of(&report)
        };
        assert_eq!(with(|_| ()), Cause::Unknown);
        assert_eq!(with(|report| report.process.as_mut().unwrap().core_percent = 185.0), Cause::Cpu);
        assert_eq!(with(|report| report.machine_busy_percent = 97.0), Cause::Cpu);
        assert_eq!(with(|report| report.process.as_mut().unwrap().busiest_thread_percent = Some(96.0)), Cause::Thread);
        assert_eq!(with(|report| report.void.push("late".into())), Cause::Tester);
        let refused = |report: &mut LoadReport, code: &str| {
            report.calls.failed = 20;
            report.calls.refusals.insert(code.into(), 20);
        };
        let mut full = report();
        refused(&mut full, "client_full");
        full.void.push("late".into());
        assert_eq!(Cause::of(&full), Cause::Limit("client_full".into()));
        let mut away = report();
        refused(&mut away, "storage_away");
        assert_eq!(Cause::of(&away), Cause::Database);
        let lag = |report: &mut LoadReport| report.gateway.get_or_insert_default().loop_lag_p99_ms = Some(50.0);
        let mut late = report();
        lag(&mut late);
        assert_eq!(Cause::of(&late), Cause::LoopLag);
        late.gateway.as_mut().unwrap().audit_lag_secs = 9.0;
        assert_eq!(Cause::of(&late), Cause::Database);
    }
}
