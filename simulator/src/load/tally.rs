//! Puts together what was seen at both ends.

use std::collections::BTreeMap;

use super::fleet::Fleet;
use super::kernel::Used;
use super::latency::{Measured, downlink, uplink};
use super::line::{Line, Over};
use super::plan::LoadPlan;
use super::report::{CallCounts, FrameCounts, LoadReport, ProcessFigures};
use super::series::{Observer, Reading, Sample, fill};
use super::tap::{Measurements, Session};
use super::times::Times;
use super::{Histograms, LoadRun};

/// A call that comes and goes says its number in its first second: until then the model does not know it.
const NUMBERED_US: u64 = 2_000_000;

/// Readings at both ends of the steady time.
pub(super) struct Window {
    pub(super) begin_us: u64,
    pub(super) end_us: u64,
    /// At the first look, at the window's start, and at its end.
    pub(super) first: Reading,
    pub(super) before: Reading,
    pub(super) after: Reading,
    /// How late frames were sent in it.
    pub(super) late: Times,
}

impl Window {
    fn secs(&self) -> f64 {
        (self.end_us - self.begin_us) as f64 / 1e6
    }
}

/// Puts everything together.
pub(super) fn draw_up(
    plan: &LoadPlan,
    fleet: &Fleet,
    window: &Window,
    observer: Observer,
    measured: Option<Measurements>,
) -> LoadRun {
    let mut report = LoadReport {
        target: plan.target.name().to_owned(),
        window_secs: window.secs(),
        frame_ms: plan.frame_ms,
        calls: count(plan, fleet, window),
        generator_late_p99_ms: window.late.at_percent(99.0).unwrap_or(0.0),
        model_late_p99_ms: measured.as_ref().map(|measured| measured.late_p99_ms),
        machine_busy_percent: window.after.machine.busy_percent_since(window.before.machine),
        ..LoadReport::default()
    };
    let mut histograms = Histograms { webhook: fleet.answers(), ..Histograms::default() };
    fleet.each(|line| {
        report.frames.sent += line.sent.frames() as u64;
        report.frames.received += line.heard.messages;
        if let Some(at) = line.heard.first_audio_us {
            histograms.first_audio.record(at.saturating_sub(line.opened_us));
        }
    });
    let mut samples = observer.samples.clone();
    match measured {
        Some(measured) => {
            both_ends(plan, fleet, window, measured.sessions).tell(&mut report, &mut histograms, &mut samples)
        }
        None => report.not_measured.push("latency and lost frames: no model's tap was named (--model-url)".into()),
    }
    report.times = histograms.timings();
    if report.times.first_audio.is_none() {
        report.not_measured.push("first audio: no agent audio came".into());
    }
    usage(plan, window, &observer, &mut report);
    report.gateway = window.after.page.as_ref().zip(window.before.page.as_ref()).map(|(now, then)| now.figures(then));
    report.void = void(&report, plan.late_ms);
    LoadRun { report, histograms, series: samples }
}

/// Why the figures tell nothing of the target.
fn void(report: &LoadReport, late_ms: f64) -> Vec<String> {
    let mut void = Vec::new();
    let late = report.generator_late_p99_ms;
    if late > late_ms {
        void.push(format!("this generator was too slow itself: it sent frames {late:.1} ms late (p99)"));
    }
    if let Some(late) = report.model_late_p99_ms.filter(|late| *late > late_ms) {
        void.push(format!("the simulated model was too slow itself: it was {late:.1} ms late (p99)"));
    }
    void
}

/// CPU and memory of the target, and of this process.
fn usage(plan: &LoadPlan, window: &Window, observer: &Observer, report: &mut LoadReport) {
    let (secs, call_secs) = (window.secs(), report.calls.call_secs);
    let calls = plan.at_once().min(report.calls.opened);
    let each = |total: f64, of: f64| if of > 0.0 { total / of } else { 0.0 };
    let figures = |used: Used, pid: u32, cores: usize, first_kib: u64, rss_kib: u64| ProcessFigures {
        pid: Some(pid),
        cores: Some(cores),
        cpu_ms_per_call_sec: each(used.cpu_ms, call_secs),
        core_percent: each(used.cpu_ms / 10.0, secs),
        busiest_thread_percent: (used.busiest_ms > 0.0).then(|| each(used.busiest_ms / 10.0, secs)),
        threads: used.threads,
        rss_before_kib: first_kib,
        rss_steady_kib: rss_kib,
        rss_kib_per_call: each(rss_kib.saturating_sub(first_kib) as f64, calls as f64),
        voluntary_switches_per_call_sec: Some(each(used.voluntary as f64, call_secs)),
        involuntary_switches_per_call_sec: Some(each(used.involuntary as f64, call_secs)),
    };
    let (before, after) = (&window.before, &window.after);
    if let (Some(then), Some(now)) = (&before.own, &after.own) {
        let own = &observer.own;
        report.generator = Some(figures(now.since(then), own.pid, own.cores, own.first_rss_kib, now.rss_kib));
    }
    if let Some(process) = &observer.process {
        match (&before.process, &after.process) {
            (Some(then), Some(now)) => {
                let used = now.since(then);
                report.process = Some(figures(used, process.pid, process.cores, process.first_rss_kib, now.rss_kib));
            }
            _ => report.not_measured.push(format!("CPU and memory: process {} ended", process.pid)),
        }
        return;
    }
    let Some((cpu_ms, page)) = after.cpu_ms_since(before).zip(after.page.as_ref()) else {
        let why = "CPU and memory of the target: no process was named (--pid), and no page of metrics (--metrics)";
        report
            .not_measured
            .push(if observer.gauges.is_some() { "CPU and memory: /metrics did not come" } else { why }.into());
        return;
    };
    let (first_kib, rss_kib) = (window.first.rss_kib().unwrap_or(0), after.rss_kib().unwrap_or(0));
    report.process = Some(ProcessFigures {
        cpu_ms_per_call_sec: each(cpu_ms, call_secs),
        core_percent: each(cpu_ms / 10.0, secs),
        threads: page.threads(),
        rss_before_kib: first_kib,
        rss_steady_kib: rss_kib,
        rss_kib_per_call: each(rss_kib.saturating_sub(first_kib) as f64, calls as f64),
        ..ProcessFigures::default()
    });
}

fn count(plan: &LoadPlan, fleet: &Fleet, window: &Window) -> CallCounts {
    let reasons = fleet.failures();
    let mut counts = CallCounts {
        planned: plan.at_once(),
        failed: reasons.values().sum(),
        reasons,
        refusals: fleet.refusals(),
        ..CallCounts::default()
    };
    fleet.each(|line| {
        counts.opened += 1;
        let end_us = match &line.ended {
            Some((at, over)) => {
                match over {
                    Over::HungUp => counts.hung_up += 1,
                    Over::Lost(why) => {
                        counts.ended_early += 1;
                        *counts.reasons.entry(why.clone()).or_default() += 1;
                    }
                }
                (*at).min(window.end_us)
            }
            None => window.end_us,
        };
        counts.call_secs += end_us.saturating_sub(line.opened_us.max(window.begin_us)) as f64 / 1e6;
    });
    counts
}

/// Latency both ways and losses.
#[derive(Default)]
struct BothEnds {
    ups: Vec<Measured>,
    downs: Vec<Measured>,
    lost: u64,
    unexplained: u64,
    unseen: u64,
}

impl BothEnds {
    fn tell(self, report: &mut LoadReport, histograms: &mut Histograms, samples: &mut [Sample]) {
        report.calls.unseen = Some(self.unseen);
        report.frames = FrameCounts { lost: Some(self.lost), unexplained: Some(self.unexplained), ..report.frames };
        fill(samples, &self.ups, &self.downs);
        histograms.uplink = self.ups.into_iter().map(|(_, us)| us).collect();
        histograms.downlink = self.downs.into_iter().map(|(_, us)| us).collect();
        for (what, times) in [("uplink", &histograms.uplink), ("downlink", &histograms.downlink)] {
            if times.count() == 0 {
                let why = "the model saw none of these calls speak in the window";
                report.not_measured.push(format!("{what} latency: {why}"));
            }
        }
    }
}

/// Compares what callers saw with what the model measured.
fn both_ends(plan: &LoadPlan, fleet: &Fleet, window: &Window, sessions: Vec<Session>) -> BothEnds {
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
    let mut ends = BothEnds::default();
    let young = |line: &Line| {
        let end_us = line.ended.as_ref().map_or(window.end_us, |(at, _)| *at);
        plan.scenario.churn.is_some() && end_us < line.opened_us + NUMBERED_US
    };
    fleet.each(|line| {
        let Some(session) = by_call.remove(&line.number) else {
            if !young(line) {
                ends.unseen += 1;
                ends.lost += line.sent.frames() as u64;
            }
            return;
        };
        let up: Vec<_> = session.up.iter().map(|(ms, at)| (*ms, local(*at))).collect();
        let measured = uplink(&line.sent, &up, plan.frame_ms, &within);
        // What was under way when a caller hung up is nobody's loss.
        if !matches!(line.ended, Some((_, Over::HungUp))) {
            ends.lost += measured.lost_frames;
        }
        ends.ups.extend(measured.latencies);
        let down: Vec<_> = session.down.iter().map(|(response, ms, at)| (*response, *ms, local(*at))).collect();
        let measured = downlink(&line.heard.arrivals, &down, plan.lead_ms, &within);
        ends.unexplained += measured.unexplained;
        ends.downs.extend(measured.latencies);
    });
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_whose_maker_was_too_slow_is_void_and_says_who() {
        let mut report = LoadReport { generator_late_p99_ms: 9.9, ..LoadReport::default() };
        assert_eq!(void(&report, 10.0), Vec::<String>::new());
        report.generator_late_p99_ms = 12.0;
        report.model_late_p99_ms = Some(31.5);
        assert_eq!(
            void(&report, 10.0),
            [
                "this generator was too slow itself: it sent frames 12.0 ms late (p99)",
                "the simulated model was too slow itself: it was 31.5 ms late (p99)"
            ]
        );
    }
}
