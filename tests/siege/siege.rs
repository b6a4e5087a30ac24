//! One attack on one gateway: live callers before and during it, honest ones all the while, and what became of them.

#![allow(dead_code, reason = "the bench and the test use their parts of it")]

use std::path::Path;
use std::time::Duration;

use simulator::load::{LoadError, LoadReport};

use super::attacks::{Attack, Done};
use super::rig::{Ground, Rig, heard};

/// Between two honest callers.
const HONEST_EVERY: Duration = Duration::from_secs(3);
/// How long an honest caller listens once they are through, s.
const HONEST_SECS: u64 = 1;
/// What a load test takes besides its ramp and its window: settling, draining, closing.
const AROUND: Duration = Duration::from_secs(4);

/// How large.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Live calls.
    pub live: usize,
    /// How long they are measured under the attack, s.
    pub secs: u64,
    /// Whether they are measured without it first.
    pub calm: bool,
}

/// What became of it.
pub struct Outcome {
    pub calm: Option<Result<LoadReport, LoadError>>,
    pub live: Result<LoadReport, LoadError>,
    /// Callers who came during the attack.
    pub honest: Vec<Result<LoadReport, LoadError>>,
    pub done: Done,
    /// Audit entries that no place was left for.
    pub audit_lost: f64,
}

impl Outcome {
    /// Live calls that did not open, or ended before they should.
    pub fn lost(&self) -> u64 {
        self.live.as_ref().map_or(u64::MAX, |report| report.calls.failed + report.calls.ended_early)
    }

    /// Honest callers who were admitted and heard the agent.
    pub fn served(&self) -> usize {
        let served = |report: &LoadReport| {
            report.calls.failed + report.calls.ended_early == 0
                && report.times.first_audio.is_some_and(|first| first.count == 1)
        };
        self.honest.iter().filter(|caller| caller.as_ref().is_ok_and(served)).count()
    }

    /// In words, for whoever has to find out why.
    pub fn troubles(&self) -> Vec<String> {
        let of = |report: &Result<LoadReport, LoadError>| match report {
            Ok(report) => report.calls.reasons.iter().map(|(why, times)| format!("{times} x {why}")).collect(),
            Err(error) => vec![error.to_string()],
        };
        std::iter::once(&self.live).chain(&self.honest).flat_map(of).collect()
    }

    /// The worst hundredth of added latency, either way, ms; none where it was not measured.
    pub fn p99_ms(report: &LoadReport) -> Option<f64> {
        Some(report.times.uplink?.p99_ms.max(report.times.downlink?.p99_ms))
    }
}

/// Besieges a fresh gateway.
pub async fn besiege(binary: &Path, ground: Ground, attack: Attack, scale: Scale) -> Outcome {
    let rig = Rig::start(binary, ground).await;
    let calm = match scale.calm {
        true => Some(heard(rig.callers(scale.live, scale.secs, true, 101)).await),
        false => None,
    };
    let live = rig.callers(scale.live, scale.secs, true, 202);
    let opened = async {
        let mut look = tokio::time::interval(Duration::from_millis(50));
        while rig.metric("callgate_calls_live").await < scale.live as f64 {
            look.tick().await;
        }
    };
    // Should they not open, their report says so.
    let _ = tokio::time::timeout(Duration::from_secs(30), opened).await;
    let time = Duration::from_secs(scale.secs) + AROUND;
    let (done, honest) = tokio::join!(attack.carry_out(&rig, time), honest(&rig, time));
    let live = heard(live).await;
    Outcome { calm, live, honest, done, audit_lost: rig.metric("callgate_audit_lost_total").await }
}

async fn honest(rig: &Rig, time: Duration) -> Vec<Result<LoadReport, LoadError>> {
    let end = tokio::time::Instant::now() + time;
    let mut every = tokio::time::interval(HONEST_EVERY);
    // The first tick is at once: the attack is to have begun.
    every.tick().await;
    let mut callers = Vec::new();
    for seed in 1_000.. {
        every.tick().await;
        if tokio::time::Instant::now() + Duration::from_secs(HONEST_SECS) >= end {
            break;
        }
        callers.push(heard(rig.callers(1, HONEST_SECS, false, seed)).await);
    }
    callers
}

/// What refused call-starts leave behind.
pub struct Residue {
    pub done: Done,
    pub rss_before_kib: u64,
    pub rss_after_kib: u64,
    pub database_grew: u64,
}

/// Refuses many call-starts, and looks at what is left of them. The first few are not counted: they warm it up.
pub async fn refuse(binary: &Path, count: usize, time: Duration) -> Residue {
    let rig = Rig::start(binary, Ground { max_calls: 50, ..Ground::default() }).await;
    Attack::Refused { count: count / 30 }.carry_out(&rig, time).await;
    let (rss_before_kib, before) = (rig.rss_kib(), rig.database_bytes());
    let done = Attack::Refused { count }.carry_out(&rig, time).await;
    let grew = rig.database_bytes().saturating_sub(before);
    Residue { done, rss_before_kib, rss_after_kib: rig.rss_kib(), database_grew: grew }
}
