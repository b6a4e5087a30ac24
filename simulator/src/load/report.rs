//! What a load test found.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::fleet::Fleet;
use super::kernel::{Machine, Process, Usage, Used};
use super::latency::{downlink, uplink};
use super::plan::{LoadPlan, Target};
use super::tap::Session;

/// What a load test found. What could not be measured is none, and [`LoadReport::not_measured`] says why.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LoadReport {
    /// What was loaded: `gateway` or `media socket`.
    pub target: &'static str,
    /// How long the steady load was measured, in seconds.
    pub window_secs: f64,
    /// Caller audio in a message, in milliseconds.
    pub frame_ms: u32,
    /// The calls.
    pub calls: CallCounts,
    /// Frames of caller audio sent, over the whole test.
    pub frames_sent: u64,
    /// Frames the model never saw, over the whole test.
    pub frames_lost: Option<u64>,
    /// Messages of agent audio received, over the whole test.
    pub messages_received: u64,
    /// Messages of agent audio in the window that no response of the model's explains.
    pub messages_unexplained: Option<u64>,
    /// From the sending of the frame that completes it to an append's arrival at the model, in the window.
    pub uplink: Option<Percentiles>,
    /// From when a message of agent audio was complete and allowed by the pacing to its arrival, in the window.
    pub downlink: Option<Percentiles>,
    /// From a media socket's opening to its first agent audio.
    pub first_audio: Option<Percentiles>,
    /// The process loaded.
    pub process: Option<ProcessFigures>,
    /// This process: what making the load cost.
    pub generator: Option<ProcessFigures>,
    /// How late 99 of 100 frames were sent at most, in milliseconds: large when the generator is starved.
    pub generator_late_p99_ms: f64,
    /// How busy all cores together were in the window, in per cent.
    pub machine_busy_percent: f64,
    /// What was not measured, and why.
    pub not_measured: Vec<String>,
}

/// The calls of a load test.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CallCounts {
    /// Asked for.
    pub planned: usize,
    /// Opened.
    pub opened: usize,
    /// Would not open.
    pub failed: u64,
    /// Opened, and ended before the test did.
    pub ended_early: u64,
    /// Opened and never seen by the model.
    pub unseen: Option<u64>,
    /// Seconds of open call in the window, over all calls.
    pub call_secs: f64,
    /// Why calls failed or ended early, and how many for each reason.
    pub reasons: BTreeMap<String, u64>,
}

/// A distribution of times, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// Times measured.
    pub count: usize,
    /// Half are at most this.
    pub p50_ms: f64,
    /// Nine of ten are at most this.
    pub p90_ms: f64,
    /// 99 of 100 are at most this.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Percentiles {
    /// Of times in microseconds; none of no times.
    pub(super) fn of(mut us: Vec<u64>) -> Option<Self> {
        us.sort_unstable();
        let at = |percent: usize| {
            us.get((us.len() * percent).div_ceil(100).saturating_sub(1)).map(|us| *us as f64 / 1_000.0)
        };
        Some(Self { count: us.len(), p50_ms: at(50)?, p90_ms: at(90)?, p99_ms: at(99)?, max_ms: at(100)? })
    }
}

/// What a process used in the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ProcessFigures {
    /// Its id.
    pub pid: u32,
    /// CPU time of all its threads by the kernel's accounting, in milliseconds per second of open call.
    pub cpu_ms_per_call_sec: f64,
    /// The same in per cent of one core.
    pub core_percent: f64,
    /// Threads.
    pub threads: usize,
    /// Resident memory before the first call, in KiB.
    pub rss_before_kib: u64,
    /// Resident memory at the window's end, in KiB.
    pub rss_steady_kib: u64,
    /// Growth of resident memory per open call, in KiB.
    pub rss_kib_per_call: f64,
    /// Voluntary context switches per second of open call: wake-ups, near enough.
    pub voluntary_switches_per_call_sec: f64,
    /// Involuntary context switches per second of open call.
    pub involuntary_switches_per_call_sec: f64,
}

/// Readings at both ends of the steady time.
pub(super) struct Window {
    begin_us: u64,
    end_us: u64,
    process: Option<Reading>,
    own: Reading,
    machine: (Machine, Machine),
}

struct Reading {
    pid: u32,
    first_rss_kib: u64,
    before: Option<Usage>,
    after: Option<Usage>,
}

impl Reading {
    fn open(process: &Process) -> Self {
        Self { pid: process.pid, first_rss_kib: process.first_rss_kib, before: process.usage(), after: None }
    }

    fn figures(&self, calls: usize, window_secs: f64, call_secs: f64) -> Option<ProcessFigures> {
        let (before, after) = (self.before.as_ref()?, self.after.as_ref()?);
        let Used { cpu_ms, voluntary, involuntary, threads } = after.since(before);
        let each = |total: f64, of: f64| if of > 0.0 { total / of } else { 0.0 };
        Some(ProcessFigures {
            pid: self.pid,
            cpu_ms_per_call_sec: each(cpu_ms, call_secs),
            core_percent: each(cpu_ms / 10.0, window_secs),
            threads,
            rss_before_kib: self.first_rss_kib,
            rss_steady_kib: after.rss_kib,
            rss_kib_per_call: each(after.rss_kib.saturating_sub(self.first_rss_kib) as f64, calls as f64),
            voluntary_switches_per_call_sec: each(voluntary as f64, call_secs),
            involuntary_switches_per_call_sec: each(involuntary as f64, call_secs),
        })
    }
}

impl Window {
    pub(super) fn open(now_us: u64, process: Option<&mut Process>, own: &Process, machine: Machine) -> Self {
        Self {
            begin_us: now_us,
            end_us: now_us,
            process: process.map(|process| Reading::open(process)),
            own: Reading::open(own),
            machine: (machine, machine),
        }
    }

    pub(super) fn close(&mut self, now_us: u64, process: Option<&mut Process>, own: &Process, machine: Machine) {
        self.end_us = now_us;
        if let Some(reading) = &mut self.process {
            reading.after = process.and_then(|process| process.usage());
        }
        self.own.after = own.usage();
        self.machine.1 = machine;
    }

    fn secs(&self) -> f64 {
        (self.end_us - self.begin_us) as f64 / 1e6
    }
}

/// Puts everything together.
pub(super) fn draw_up(plan: &LoadPlan, fleet: &Fleet, window: &Window, sessions: Option<Vec<Session>>) -> LoadReport {
    let mut report = LoadReport {
        target: match plan.target {
            Target::Gateway { .. } => "gateway",
            Target::Media(_) => "media socket",
        },
        window_secs: window.secs(),
        frame_ms: plan.frame_ms,
        calls: count(plan, fleet, window),
        generator_late_p99_ms: fleet.late_p99_us() as f64 / 1_000.0,
        machine_busy_percent: window.machine.1.busy_percent_since(window.machine.0),
        ..LoadReport::default()
    };
    let mut first_audio = Vec::new();
    fleet.each(|line| {
        report.frames_sent += line.sent.frames() as u64;
        report.messages_received += line.messages;
        first_audio.extend(line.first_audio_us.map(|at| at.saturating_sub(line.opened_us)));
    });
    report.first_audio = Percentiles::of(first_audio);
    if report.first_audio.is_none() {
        report.not_measured.push("first audio: no agent audio came".into());
    }
    match sessions {
        Some(sessions) => compare(plan, fleet, window, sessions, &mut report),
        None => report.not_measured.push("latency and lost frames: no model's tap was named (--model)".into()),
    }
    let (secs, call_secs) = (window.secs(), report.calls.call_secs);
    report.generator = window.own.figures(report.calls.opened, secs, call_secs);
    report.process = window.process.as_ref().and_then(|reading| reading.figures(report.calls.opened, secs, call_secs));
    match (&window.process, &report.process) {
        (None, _) => report.not_measured.push("CPU and memory of the target: no process was named (--pid)".into()),
        (Some(reading), None) => report.not_measured.push(format!("CPU and memory: process {} ended", reading.pid)),
        _ => {}
    }
    report
}

fn count(plan: &LoadPlan, fleet: &Fleet, window: &Window) -> CallCounts {
    let reasons = fleet.failures();
    let mut counts =
        CallCounts { planned: plan.calls, failed: reasons.values().sum(), reasons, ..CallCounts::default() };
    fleet.each(|line| {
        counts.opened += 1;
        let end_us = match &line.ended {
            Some((at, why)) => {
                counts.ended_early += 1;
                *counts.reasons.entry(why.clone()).or_default() += 1;
                (*at).min(window.end_us)
            }
            None => window.end_us,
        };
        counts.call_secs += end_us.saturating_sub(line.opened_us.max(window.begin_us)) as f64 / 1e6;
    });
    counts
}

/// Latency both ways and losses, from what the model measured.
fn compare(plan: &LoadPlan, fleet: &Fleet, window: &Window, sessions: Vec<Session>, report: &mut LoadReport) {
    let local = fleet.clock.unix_to_local();
    let mut by_call: BTreeMap<u16, Session> = BTreeMap::new();
    for session in sessions {
        // Should a call have had two sessions, the one that heard more of it is the one to compare.
        if let Some(call) = session.call
            && by_call.get(&call).is_none_or(|other| other.up.len() < session.up.len())
        {
            by_call.insert(call, session);
        }
    }
    let within = window.begin_us..window.end_us;
    let (mut ups, mut downs, mut lost, mut unexplained, mut unseen) = (Vec::new(), Vec::new(), 0, 0, 0);
    fleet.each(|line| {
        let Some(session) = by_call.remove(&line.number) else {
            unseen += 1;
            lost += line.sent.frames() as u64;
            return;
        };
        let up: Vec<_> = session.up.iter().map(|(ms, at)| (*ms, local(*at))).collect();
        let measured = uplink(&line.sent, &up, plan.frame_ms, &within);
        lost += measured.lost_frames;
        ups.extend(measured.latencies_us);
        let down: Vec<_> = session.down.iter().map(|(response, ms, at)| (*response, *ms, local(*at))).collect();
        let measured = downlink(&line.arrivals, &down, plan.lead_ms, &within);
        unexplained += measured.unexplained;
        downs.extend(measured.latencies_us);
    });
    report.calls.unseen = Some(unseen);
    report.frames_lost = Some(lost);
    report.messages_unexplained = Some(unexplained);
    report.uplink = Percentiles::of(ups);
    report.downlink = Percentiles::of(downs);
    for (what, measured) in [("uplink", report.uplink), ("downlink", report.downlink)] {
        if measured.is_none() {
            report.not_measured.push(format!("{what} latency: the model saw none of these calls speak in the window"));
        }
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = &self.calls;
        writeln!(
            f,
            "{} under {} calls ({} opened, {} failed, {} ended early), {} ms frames, {:.1} s measured",
            self.target, calls.planned, calls.opened, calls.failed, calls.ended_early, self.frame_ms, self.window_secs
        )?;
        for (why, times) in &calls.reasons {
            writeln!(f, "  {times} calls: {why}")?;
        }
        writeln!(f, "  {:<22} {:>9} {:>9} {:>9} {:>9} {:>9}", "ms", "p50", "p90", "p99", "max", "count")?;
        for (what, times) in
            [("caller to model", self.uplink), ("model to caller", self.downlink), ("first audio", self.first_audio)]
        {
            if let Some(Percentiles { count, p50_ms, p90_ms, p99_ms, max_ms }) = times {
                writeln!(f, "  {what:<22} {p50_ms:>9.2} {p90_ms:>9.2} {p99_ms:>9.2} {max_ms:>9.2} {count:>9}")?;
            }
        }
        write!(f, "  frames sent {}", self.frames_sent)?;
        if let (Some(lost), Some(unseen)) = (self.frames_lost, calls.unseen) {
            write!(f, ", lost {lost}; calls the model never saw {unseen}")?;
        }
        writeln!(f, "; messages received {}", self.messages_received)?;
        for (what, figures) in [("target", self.process), ("this generator", self.generator)] {
            let Some(figures) = figures else { continue };
            writeln!(
                f,
                "  {what:<14} {:>7.3} ms CPU per call-second, {:>5.1} % of a core, {} threads, {:.1}+{:.1} switches per call-second; \
                 {} KiB resident, {:.0} KiB per call",
                figures.cpu_ms_per_call_sec,
                figures.core_percent,
                figures.threads,
                figures.voluntary_switches_per_call_sec,
                figures.involuntary_switches_per_call_sec,
                figures.rss_steady_kib,
                figures.rss_kib_per_call,
            )?;
        }
        writeln!(
            f,
            "  all cores {:.0} % busy; frames sent at most {:.1} ms late (p99)",
            self.machine_busy_percent, self.generator_late_p99_ms
        )?;
        for what in &self.not_measured {
            writeln!(f, "  not measured: {what}")?;
        }
        Ok(())
    }
}
