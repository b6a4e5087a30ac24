//! What a load test found.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::times::Percentiles;

/// What a load test found. What could not be measured is none, and [`LoadReport::not_measured`] says why.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct LoadReport {
    /// What was loaded: `gateway` or `media socket`.
    pub target: String,
    /// How long the steady load was measured, in seconds.
    pub window_secs: f64,
    /// Caller audio in a message, in milliseconds.
    pub frame_ms: u32,
    /// The calls.
    pub calls: CallCounts,
    /// Messages of audio.
    #[serde(flatten)]
    pub frames: FrameCounts,
    /// How long things took.
    #[serde(flatten)]
    pub times: Timings,
    /// The process loaded.
    pub process: Option<ProcessFigures>,
    /// What the gateway says of itself.
    pub gateway: Option<GatewayFigures>,
    /// This process: what making the load cost.
    pub generator: Option<ProcessFigures>,
    /// How late 99 of 100 frames were sent at most, in milliseconds: large when the generator is starved.
    pub generator_late_p99_ms: f64,
    /// How late 99 of 100 of the simulated model's looks at its clock were at most, in milliseconds.
    pub model_late_p99_ms: Option<f64>,
    /// How busy all cores together were in the window, in per cent.
    pub machine_busy_percent: f64,
    /// Why these figures tell nothing of the target: what made the load was itself too slow. Empty as a rule.
    pub void: Vec<String>,
    /// What was not measured, and why.
    pub not_measured: Vec<String>,
}

/// Messages of audio, over the whole test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct FrameCounts {
    /// Frames of caller audio sent.
    #[serde(rename = "frames_sent")]
    pub sent: u64,
    /// Frames the model never saw.
    #[serde(rename = "frames_lost")]
    pub lost: Option<u64>,
    /// Messages of agent audio received.
    #[serde(rename = "messages_received")]
    pub received: u64,
    /// Messages of agent audio in the window that no response of the model's explains.
    #[serde(rename = "messages_unexplained")]
    pub unexplained: Option<u64>,
}

/// How long things took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Timings {
    /// From the sending of the frame that completes it to an append's arrival at the model, in the window.
    pub uplink: Option<Percentiles>,
    /// From when a message of agent audio was complete and allowed by the pacing to its arrival, in the window.
    pub downlink: Option<Percentiles>,
    /// From a media socket's opening to its first agent audio.
    pub first_audio: Option<Percentiles>,
    /// Answers of the webhook that took the call.
    pub webhook: Option<Percentiles>,
}

/// The calls of a load test.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct CallCounts {
    /// To be open at once.
    pub planned: usize,
    /// Opened.
    pub opened: usize,
    /// Would not open.
    pub failed: u64,
    /// Opened, and ended before they were to.
    pub ended_early: u64,
    /// Ended by their callers, as they were to.
    pub hung_up: u64,
    /// Opened and never seen by the model.
    pub unseen: Option<u64>,
    /// Seconds of open call in the window, over all calls.
    pub call_secs: f64,
    /// Why calls failed or ended early, and how many for each reason.
    pub reasons: BTreeMap<String, u64>,
    /// How many calls the gateway refused for which of its codes.
    pub refusals: BTreeMap<String, u64>,
}

impl CallCounts {
    /// Of 1, how many would not open or ended early.
    #[must_use]
    pub fn share_lost(&self) -> f64 {
        let tried = self.opened as f64 + self.failed as f64;
        if tried > 0.0 { (self.failed + self.ended_early) as f64 / tried } else { 0.0 }
    }

    /// Of 1, how many the gateway refused.
    #[must_use]
    pub fn share_refused(&self) -> f64 {
        let tried = self.opened as f64 + self.failed as f64;
        if tried > 0.0 { self.refusals.values().sum::<u64>() as f64 / tried } else { 0.0 }
    }
}

/// What a process used in the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct ProcessFigures {
    /// Its id; none when it runs elsewhere and these figures are its own.
    pub pid: Option<u32>,
    /// Cores that it may run on, where that is known.
    pub cores: Option<usize>,
    /// CPU time of all its threads by the kernel's accounting, in milliseconds per second of open call.
    pub cpu_ms_per_call_sec: f64,
    /// The same in per cent of one core.
    pub core_percent: f64,
    /// CPU of the thread that used most, in per cent of one core.
    pub busiest_thread_percent: Option<f64>,
    /// Threads.
    pub threads: usize,
    /// Resident memory before the first call, in KiB.
    pub rss_before_kib: u64,
    /// Resident memory at the window's end, in KiB.
    pub rss_steady_kib: u64,
    /// Growth of resident memory per open call, in KiB.
    pub rss_kib_per_call: f64,
    /// Voluntary context switches per second of open call: wake-ups, near enough.
    pub voluntary_switches_per_call_sec: Option<f64>,
    /// Involuntary context switches per second of open call.
    pub involuntary_switches_per_call_sec: Option<f64>,
}

/// What a gateway says of itself, of the window where it counts.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct GatewayFigures {
    /// Its version.
    pub version: String,
    /// Which build it is.
    pub build: String,
    /// How late its threads looked after themselves at most 99 of 100 times, to the bound of a bucket, in milliseconds.
    pub loop_lag_p99_ms: Option<f64>,
    /// Times that one of its threads stood still.
    pub stalls: f64,
    /// Frames that it dropped.
    pub frames_dropped: f64,
    /// Requests that it answered before their audit entry was in the database.
    pub audit_late: f64,
    /// Age of the oldest audit entry that was not in the database at the window's end, in seconds.
    pub audit_lag_secs: f64,
    /// Records of calls that it dropped since the database was too slow.
    pub record_dropped: f64,
    /// Seconds of recorded audio that waited to be encoded at the window's end.
    pub recordings_backlog_secs: f64,
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = &self.calls;
        write!(
            f,
            "{} under {} calls ({} opened, {} failed, {} ended early",
            self.target, calls.planned, calls.opened, calls.failed, calls.ended_early
        )?;
        if calls.hung_up > 0 {
            write!(f, ", {} came and went", calls.hung_up)?;
        }
        writeln!(f, "), {} ms frames, {:.1} s measured", self.frame_ms, self.window_secs)?;
        for (why, times) in &calls.reasons {
            writeln!(f, "  {times} calls: {why}")?;
        }
        self.times.fmt(f)?;
        write!(f, "  frames sent {}", self.frames.sent)?;
        if let (Some(lost), Some(unseen)) = (self.frames.lost, calls.unseen) {
            write!(f, ", lost {lost}; calls the model never saw {unseen}")?;
        }
        writeln!(f, "; messages received {}", self.frames.received)?;
        for (what, figures) in [("target", self.process), ("this generator", self.generator)] {
            let Some(figures) = figures else { continue };
            writeln!(f, "  {what:<14} {figures}")?;
        }
        if let Some(gateway) = &self.gateway {
            writeln!(f, "  by its own account {gateway}")?;
        }
        write!(
            f,
            "  all cores {:.0} % busy; frames sent at most {:.1} ms late (p99)",
            self.machine_busy_percent, self.generator_late_p99_ms
        )?;
        match self.model_late_p99_ms {
            Some(late) => writeln!(f, ", the model at most {late:.1} ms"),
            None => writeln!(f),
        }?;
        for what in &self.not_measured {
            writeln!(f, "  not measured: {what}")?;
        }
        for why in &self.void {
            writeln!(f, "  VOID: {why}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Timings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  {:<18} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "ms", "p50", "p90", "p99", "p99.9", "max", "count"
        )?;
        for (what, times) in [
            ("caller to model", self.uplink),
            ("model to caller", self.downlink),
            ("first audio", self.first_audio),
            ("webhook answers", self.webhook),
        ] {
            if let Some(Percentiles { count, p50_ms, p90_ms, p99_ms, p99_9_ms, max_ms }) = times {
                let figures = format!("{p50_ms:>9.2} {p90_ms:>9.2} {p99_ms:>9.2} {p99_9_ms:>9.2} {max_ms:>9.2}");
                writeln!(f, "  {what:<18} {figures} {count:>9}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for ProcessFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>7.3} ms CPU per call-second, {:>5.1} % of a core, {} threads",
            self.cpu_ms_per_call_sec, self.core_percent, self.threads
        )?;
        if let (Some(own), Some(forced)) =
            (self.voluntary_switches_per_call_sec, self.involuntary_switches_per_call_sec)
        {
            write!(f, ", {own:.1}+{forced:.1} switches per call-second")?;
        }
        write!(f, "; {} KiB resident, {:.0} KiB per call", self.rss_steady_kib, self.rss_kib_per_call)
    }
}

impl fmt::Display for GatewayFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} {}): ", self.version, self.build)?;
        if let Some(lag) = self.loop_lag_p99_ms {
            write!(f, "threads late by at most {lag} ms (p99), ")?;
        }
        write!(
            f,
            "{} stalls, {} frames dropped, {} audit entries late, {} records dropped, {:.0} s of recordings wait",
            self.stalls, self.frames_dropped, self.audit_late, self.record_dropped, self.recordings_backlog_secs
        )
    }
}
