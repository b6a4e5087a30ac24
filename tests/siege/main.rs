//! The short form of `make siege`: what somebody who means ill does to a gateway costs nobody else their call. Outcomes only; how fast
//! is for `make siege` to say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

#[path = "../support/account.rs"]
mod account;
mod attacks;
#[path = "../support/port.rs"]
mod port;
#[path = "../support/process.rs"]
mod process;
mod rig;
mod siege;

use std::path::Path;
use std::time::Duration;

use attacks::Attack;
use rig::Ground;
use siege::{Outcome, Scale, besiege, refuse};

const BINARY: &str = env!("CARGO_BIN_EXE_callgate");
const SCALE: Scale = Scale { live: 4, secs: 6, calm: false };

async fn under(attack: Attack, ground: Ground) -> Outcome {
    // One at a time: the attacks are sized for a gateway that has the machine to itself.
    static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _alone = ALONE.lock().await;
    let outcome = besiege(Path::new(BINARY), ground, attack, SCALE).await;
    assert!(outcome.done.sent > 0, "{}: nothing was sent", attack.words());
    assert_eq!(outcome.lost(), 0, "live calls were lost: {:?}", outcome.troubles());
    assert!(!outcome.honest.is_empty());
    assert_eq!(outcome.served(), outcome.honest.len(), "honest callers were not heard: {:?}", outcome.troubles());
    assert!(outcome.audit_lost == 0.0, "{} audit entries were lost", outcome.audit_lost);
    outcome
}

const GROUND: Ground = Ground { soft_files: None, max_calls: 1_000 };

#[tokio::test]
async fn a_stranger_who_sends_the_worst_texts_silences_nobody() {
    let outcome = under(Attack::WorstTexts { a_second: 20 }, GROUND).await;
    assert!(outcome.done.answers.keys().any(|answer| answer == "401" || answer == "429"), "{:?}", outcome.done);
}

#[tokio::test]
async fn a_thousand_idle_connections_keep_no_honest_caller_out() {
    under(Attack::IdleConnections { count: 1_100 }, Ground { soft_files: Some(1024), ..GROUND }).await;
}

#[tokio::test]
async fn a_caller_whose_keys_never_rest_costs_no_other_call_its_record() {
    under(Attack::KeyPresses { a_second: 2_000 }, GROUND).await;
}

#[tokio::test]
async fn calls_that_never_bring_their_media_keep_no_honest_caller_out() {
    under(Attack::NoMedia { a_second: 17 }, GROUND).await;
}

#[tokio::test]
async fn refused_call_starts_leave_neither_memory_nor_disk_behind() {
    let residue = refuse(Path::new(BINARY), 3_000, Duration::from_secs(60)).await;
    let count = residue.done.sent;
    // The client's one call a minute is let through.
    let refused = residue.done.answers.get("429").copied().unwrap_or(0);
    assert!(refused > 0 && refused + 3 >= count, "{:?}", residue.done);
    assert!(residue.database_grew <= count * 1024, "{} bytes for {count} refusals", residue.database_grew);
    // A debug build's allocator breathes; what every refusal left behind would be 150 MiB.
    assert!(
        residue.rss_after_kib < residue.rss_before_kib * 3 / 2,
        "{} KiB, then {}",
        residue.rss_before_kib,
        residue.rss_after_kib
    );
}
