//! Marks: the carrier's word for what was played.
//!
//! Every mark name carries the playout's generation, which an interruption bumps, so that a mark echoed for audio that the carrier
//! dropped never counts.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Playout;
use crate::call::context::Context;

/// A mark this late beyond its audio is taken as lost: the audio was played.
const MARK_GRACE: Duration = Duration::from_secs(2);
/// Where no mark was ever echoed the clock is the only witness: it has to allow for the way to the carrier's player.
const CLOCK_GRACE: Duration = Duration::from_millis(250);
/// Interruptions that no life of a call reaches.
const GENERATIONS_A_LIFE: u32 = 1_000_000;

/// A mark we wait for.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) sequence: u64,
    pub(super) serial: u64,
    /// Bytes of audio of that content heard once this mark comes back.
    pub(super) heard: usize,
    /// When playback should begin and end.
    pub(super) begins: Instant,
    pub(super) due: Instant,
    /// Where the recording has its end.
    pub(super) taped_to: u64,
}

/// The marks that are out.
#[derive(Debug)]
pub(super) struct Marks {
    pub(super) generation: u32,
    pub(super) sequence: u64,
    pub(super) out: VecDeque<Mark>,
    /// The carrier was never seen to echo a mark, and one is overdue: the clock is the only witness.
    dead: bool,
    seen: bool,
}

impl Marks {
    /// Those of a call that was rebuilt so many times are told apart from those of the playouts before.
    pub(super) fn new(resumes: u32) -> Self {
        let generation = resumes.saturating_mul(GENERATIONS_A_LIFE);
        Self { generation, sequence: 0, out: VecDeque::new(), dead: false, seen: false }
    }

    /// Everything that is out counts no more.
    pub(super) fn forget(&mut self) {
        self.out.clear();
        self.generation += 1;
    }
}

impl Playout {
    /// A mark came back. A later mark stands for the ones before it: a carrier plays in order.
    pub(crate) fn marked(&mut self, cx: &mut Context, name: &str) {
        let parsed = name.split_once('-').and_then(|(g, s)| Some((g.parse::<u32>().ok()?, s.parse::<u64>().ok()?)));
        let Some((generation, sequence)) = parsed else {
            return cx.count("unknown_mark", 1);
        };
        if generation != self.marks.generation || sequence > self.marks.sequence {
            return cx.count("stale_mark", 1);
        }
        (self.marks.seen, self.marks.dead) = (true, false);
        let mut moved = false;
        while let Some(mark) = self.marks.out.front().filter(|m| m.sequence <= sequence) {
            if mark.sequence == sequence {
                self.track.echoed(cx.now, mark.due);
            }
            moved |= self.credit();
        }
        if moved {
            self.settle(cx);
        } else {
            cx.count("stale_mark", 1);
        }
    }

    fn credit(&mut self) -> bool {
        self.marks.out.pop_front().is_some_and(|mark| {
            self.ledger.heard(mark.serial, mark.heard);
            true
        })
    }

    /// Marks that never came: the audio was played all the same.
    pub(crate) fn forgive(&mut self, cx: &mut Context) {
        let grace = if self.marks.dead { CLOCK_GRACE } else { MARK_GRACE };
        let mut missing = 0;
        while self.marks.out.front().is_some_and(|m| m.due + grace <= cx.now) {
            self.credit();
            missing += 1;
        }
        if missing > 0 {
            self.marks.dead = !self.marks.seen;
            cx.count("missing_mark", missing);
            self.settle(cx);
        }
    }
}
