//! One call's facts, folded into its figures.

mod line;
mod waits;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use protocol::call::end::{Ended, Transfer};
use protocol::call::fact::{Fact, Turn, Who};
use protocol::realtime::event::Usage;
use protocol::wire::without_nul;

use super::steps::Steps;
use crate::store::{Call, CallUpdate, Figures, Finish, MediaStart, NodeId, Tokens};
use protocol::ids::CallSid;

pub use waits::Waits;

/// What is counted as a frame lost.
const LOST: [&str; 3] = ["caller_lost", "uplink_dropped", "playout_overflow"];

/// A call that this gateway has from now on, and what is on record of it.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// Under which it is written.
    pub(super) generation: i32,
    /// Whose call it is.
    pub(super) client: Option<i64>,
    /// Who had it before.
    pub(super) before: Option<NodeId>,
    /// Media streams that began.
    pub(super) streams: i32,
    /// When the first of them did.
    pub(super) media_at: Option<DateTime<Utc>>,
    /// What it came to so far.
    pub(super) figures: Figures,
    /// How long its caller waited for answers, as far as the turns on record say.
    pub(super) waits: Waits,
}

impl Held {
    /// As its row was found.
    pub(super) fn found(was: &Call, generation: i32, waits: Waits) -> Self {
        let streams = i32::try_from(was.streams()).unwrap_or(i32::MAX);
        let (before, media_at) = (was.ownership.owner.clone(), was.times.media_at);
        Self { generation, client: was.client_id, before, streams, media_at, figures: was.figures.clone(), waits }
    }
}

/// What a call came to so far, and what of it is not yet written.
#[derive(Debug)]
pub(super) struct Fold {
    /// None: nobody said that this gateway has the call, which is to be seen when it is written.
    generation: Option<i32>,
    client: Option<i64>,
    streams: i32,
    media_at: Option<DateTime<Utc>>,
    talk: Talk,
    interruptions: u32,
    unheard_ms: u64,
    first_audio_ms: Option<u64>,
    dials: u32,
    frames_lost: u64,
    tokens: Option<Tokens>,
    duration_ms: Option<u64>,
    /// When the carrier's side was over: what the model had to say of the call after that is no part of it.
    left_at: Option<DateTime<Utc>>,
    /// The account of its last end.
    end: Option<Finish>,
    /// When that was told, unless the call goes on.
    over: Option<DateTime<Utc>>,
    unwritten: Unwritten,
}

/// Who spoke for how long, and how long the caller waited for it.
#[derive(Debug, Default)]
struct Talk {
    /// Turns that the record had when the call came here, and what was spoken and heard in them.
    turns_before: u32,
    caller_ms: u64,
    agent_ms: u64,
    waits: Waits,
    longest_answer_ms: Option<u64>,
    /// Those that were told here.
    turns: BTreeMap<u32, Spoken>,
}

/// What counts of a turn.
#[derive(Debug)]
struct Spoken {
    who: Who,
    heard_ms: u64,
    answer_ms: Option<u64>,
}

impl Talk {
    fn before(figures: &Figures, waits: Waits) -> Self {
        Self {
            waits,
            turns_before: figures.turn_count.and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
            caller_ms: natural(figures.caller_talk_ms),
            agent_ms: natural(figures.agent_talk_ms),
            longest_answer_ms: figures.answer_max_ms.and_then(|ms| u64::try_from(ms).ok()),
            turns: BTreeMap::new(),
        }
    }

    fn of(&self, side: Who) -> u64 {
        let before = if side == Who::Caller { self.caller_ms } else { self.agent_ms };
        let here: u64 = self.turns.values().filter(|turn| turn.who == side).map(|turn| turn.heard_ms).sum();
        before.saturating_add(here)
    }

    fn count(&self) -> usize {
        self.turns_before as usize + self.turns.len()
    }

    /// How long each answer took, the longest last.
    fn answers_ms(&self) -> Vec<u64> {
        let here = self.turns.values().filter_map(|turn| turn.answer_ms);
        let mut all: Vec<u64> = self.waits.answers_ms.iter().copied().chain(here).collect();
        all.sort_unstable();
        all
    }
}

/// What has to be written.
#[derive(Debug, Default)]
struct Unwritten {
    reopened: bool,
    media: Option<MediaStart>,
    turns: BTreeMap<u32, Turn>,
    steps: Steps,
    secret_keys: bool,
    figures: bool,
    finish: Option<Finish>,
}

impl Fold {
    /// A call goes on from what its record says of it.
    pub(super) fn new(held: Option<&Held>) -> Self {
        let figures = held.map(|held| held.figures.clone()).unwrap_or_default();
        let waits = held.map(|held| held.waits.clone()).unwrap_or_default();
        Self {
            generation: held.map(|held| held.generation),
            client: held.and_then(|held| held.client),
            streams: held.map_or(0, |held| held.streams),
            media_at: held.and_then(|held| held.media_at),
            talk: Talk::before(&figures, waits),
            interruptions: figures.interruptions.and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
            unheard_ms: natural(figures.unheard_ms),
            first_audio_ms: figures.first_audio_ms.and_then(|ms| u64::try_from(ms).ok()),
            dials: figures.model_reconnects.and_then(|n| u32::try_from(n).ok()).map_or(0, |n| n.saturating_add(1)),
            frames_lost: natural(figures.frames_lost),
            tokens: figures.tokens,
            duration_ms: None,
            left_at: None,
            end: None,
            over: None,
            unwritten: Unwritten::default(),
        }
    }

    /// Takes one fact. Figures are written with the next turn, and at the end: a live call's are seldom looked at.
    pub(super) fn apply(&mut self, at: DateTime<Utc>, fact: Fact) {
        match fact {
            Fact::MediaStarted { stream, .. } => {
                self.streams = self.streams.saturating_add(1);
                let at = *self.media_at.get_or_insert(at);
                self.unwritten.media = Some(MediaStart { at, stream, number: self.streams });
            }
            Fact::ModelDialled { attempt } => self.dials = self.dials.max(attempt),
            Fact::FirstAudio { after_ms } => {
                self.first_audio_ms.get_or_insert(after_ms);
            }
            Fact::Interrupted { unheard_ms, .. } => {
                self.interruptions += 1;
                self.unheard_ms += unheard_ms;
            }
            Fact::Latency(latency) => self.talk.waits.heard(&latency),
            Fact::Turn(mut turn) => {
                turn.text = without_nul(turn.text);
                // What the record had when the call came here is in its figures.
                if turn.index >= self.talk.turns_before {
                    let Turn { who, heard_ms, answer_ms, .. } = turn;
                    self.talk.turns.insert(turn.index, Spoken { who, heard_ms, answer_ms });
                }
                self.unwritten.turns.insert(turn.index, turn);
                self.unwritten.figures = true;
            }
            fact @ (Fact::ToolCalled(_) | Fact::ToolReturned { .. } | Fact::KeysEntered { .. }) => {
                let at_ms = self.media_at.and_then(|media| u64::try_from((at - media).num_milliseconds()).ok());
                self.unwritten.steps.apply(at_ms.unwrap_or(0), fact);
            }
            Fact::KeysCollected { secret: true, .. } => self.unwritten.secret_keys = true,
            Fact::Usage(usage) => add(self.tokens.get_or_insert_default(), &usage),
            Fact::Counted { what, count } if LOST.contains(&what) => self.frames_lost += count,
            Fact::Resumed if self.is_over() => {
                self.over = None;
                (self.unwritten.reopened, self.unwritten.finish) = (true, None);
            }
            Fact::Left(_) => self.left_at = Some(at),
            Fact::Ended(ended) => {
                let at = self.left_at.take().unwrap_or(at);
                self.ended(at, &ended);
            }
            _ => {}
        }
    }

    fn ended(&mut self, at: DateTime<Utc>, ended: &Ended) {
        self.over = Some(at);
        // A call that came to nothing has no figures, only what it cost.
        self.unwritten.figures |= self.media_at.is_some() || self.tokens.is_some();
        if *ended == Ended::NoMedia && self.media_at.is_some() && self.end.is_some() {
            // It was expected back and did not come: it ended when it was left.
            self.unwritten.finish = self.end.clone();
            return;
        }
        self.duration_ms = self.media_at.and_then(|media| u64::try_from((at - media).num_milliseconds()).ok());
        // The carrier's own word for it says more than `completed`.
        let status = match ended {
            Ended::CallEnd { status } => status,
            _ => ended.status(),
        };
        let (status, why) = (status.to_owned(), without_nul(ended.words()));
        let transfer = if let Ended::Transferred(transfer) = ended { Some(without_nuls(transfer)) } else { None };
        self.end = Some(Finish { at, status, code: ended.code(), why, transfer });
        self.unwritten.finish = self.end.clone();
    }

    /// The call goes on under a newer generation, with what it came to so far.
    pub(super) const fn goes_on(&mut self, generation: i32) {
        self.generation = Some(generation);
    }

    /// Under which the call is written.
    pub(super) const fn generation(&self) -> Option<i32> {
        self.generation
    }

    /// Whether the call is this gateway's or was seen to begin, and goes on.
    pub(super) fn is_live(&self) -> bool {
        (self.generation.is_some() || self.dials > 0 || self.media_at.is_some()) && !self.is_over()
    }

    /// Whether the call is over, for good or for now.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// When the call ended, if it may come back: what it came to so far goes on then.
    pub(super) fn rests_since(&self) -> Option<DateTime<Utc>> {
        self.over.filter(|_| self.end.as_ref().is_some_and(|end| end.code.is_provisional()))
    }

    /// What has to be written, if anything.
    pub(super) fn update(&self, call_sid: &CallSid, owner: &NodeId) -> Option<CallUpdate> {
        let Unwritten { reopened, media, turns, steps, secret_keys, figures, finish } = &self.unwritten;
        let flags = *reopened || *secret_keys || *figures;
        if !flags && media.is_none() && turns.is_empty() && steps.are_written() && finish.is_none() {
            return None;
        }
        Some(CallUpdate {
            call_sid: call_sid.clone(),
            owner: owner.clone(),
            generation: self.generation,
            reopened: *reopened,
            media: media.clone(),
            turns: turns.values().cloned().collect(),
            steps: steps.unwritten(),
            secret_keys: *secret_keys,
            figures: figures.then(|| self.figures()),
            finish: finish.clone(),
        })
    }

    /// Everything was written.
    pub(super) fn written(&mut self) {
        let mut steps = std::mem::take(&mut self.unwritten.steps);
        steps.written();
        self.unwritten = Unwritten { steps, ..Unwritten::default() };
    }

    fn figures(&self) -> Figures {
        let answers = self.talk.answers_ms();
        Figures {
            duration_ms: self.duration_ms.map(big),
            caller_talk_ms: Some(big(self.talk.of(Who::Caller))),
            agent_talk_ms: Some(big(self.talk.of(Who::Agent))),
            turn_count: Some(i32::try_from(self.talk.count()).unwrap_or(i32::MAX)),
            interruptions: Some(i32::try_from(self.interruptions).unwrap_or(i32::MAX)),
            first_audio_ms: self.first_audio_ms.map(big),
            answer_p50_ms: percentile(&answers, 50).map(big),
            answer_p95_ms: percentile(&answers, 95).map(big),
            answer_max_ms: answers.last().copied().max(self.talk.longest_answer_ms).map(big),
            unheard_ms: Some(big(self.unheard_ms)),
            model_reconnects: Some(i32::try_from(self.dials.saturating_sub(1)).unwrap_or(i32::MAX)),
            frames_lost: Some(big(self.frames_lost)),
            tokens: self.tokens,
            cost_microusd: None,
        }
    }
}

/// As every database keeps it.
fn without_nuls(transfer: &Transfer) -> Transfer {
    let Transfer { reason, to, summary } = transfer.clone();
    Transfer { reason: without_nul(reason), to: to.map(without_nul), summary: summary.map(without_nul) }
}

/// A column's number; what is not known is nothing.
fn natural(number: Option<i64>) -> u64 {
    number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
}

fn big(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The nearest-rank percentile of sorted values.
fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

/// The tokens of one more response.
pub(super) const fn add(tokens: &mut Tokens, usage: &Usage) {
    tokens.input_text += usage.input_text;
    tokens.input_audio += usage.input_audio;
    tokens.cached_text += usage.cached_text;
    tokens.cached_audio += usage.cached_audio;
    tokens.output_text += usage.output_text;
    tokens.output_audio += usage.output_audio;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_happened() {
        assert_eq!(percentile(&[], 50), None);
        assert_eq!(percentile(&[7], 95), Some(7));
        assert_eq!(percentile(&[1, 2, 3, 4], 50), Some(2));
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(percentile(&hundred, 95), Some(95));
        assert_eq!(percentile(&hundred[..10], 95), Some(10));
    }
}
