//! What was generated, sent and heard: the heard-truth ledger, pacing, and the truncation point.
//!
//! Only marks move `heard`. Every mark name carries the playout's generation, which an interruption bumps, so that a mark
//! echoed for audio that the carrier dropped never counts.

mod convert;
mod ledger;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use codecs::{Framer, SampleRate};

use super::context::{Context, millis};
use super::deadlines::Timer;
use super::fact::Fact;
use super::io::CallerCommand;
use super::tape::AgentTrack;
use crate::ids::ResponseId;
use crate::realtime::event::ContentKey;
pub(crate) use ledger::Cut;
use ledger::Ledger;

/// Playback this close to running dry takes what there is instead of waiting for a whole message.
const STARVING: Duration = Duration::from_millis(40);
/// A mark this late beyond its audio is taken as lost: the audio was played.
const MARK_GRACE: Duration = Duration::from_secs(2);
/// Where no mark was ever echoed the clock is the only witness: it has to allow for the way to the carrier's player.
const CLOCK_GRACE: Duration = Duration::from_millis(250);
/// Interruptions that no life of a call reaches.
const GENERATIONS_A_LIFE: u32 = 1_000_000;
/// Unheard audio kept for one call; a model that generates more is told to stop.
const QUEUE_LIMIT: Duration = Duration::from_secs(300);

/// A message ready to be sent.
#[derive(Debug)]
struct Piece {
    /// Whose audio, by the ledger's serial.
    serial: u64,
    /// A multiple of 320 bytes.
    pcm: Vec<u8>,
    /// Bytes of it that are audio and not padding.
    audio: usize,
}

/// A mark we wait for.
#[derive(Debug)]
struct Mark {
    sequence: u64,
    serial: u64,
    /// Bytes of audio of that content heard once this mark comes back.
    heard: usize,
    /// When playback should begin and end.
    begins: Instant,
    due: Instant,
    /// Where the recording has its end.
    taped_to: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Playout {
    rate: SampleRate,
    live: bool,
    generation: u32,
    sequence: u64,
    framer: Framer,
    /// Whose audio the framer holds.
    framing: Option<u64>,
    queue: VecDeque<Piece>,
    queued_bytes: usize,
    ledger: Ledger,
    marks: VecDeque<Mark>,
    /// The carrier was never seen to echo a mark, and one is overdue: the clock is the only witness.
    marks_dead: bool,
    marks_seen: bool,
    /// When all that was sent will have been played.
    play_end: Option<Instant>,
    /// Audio went out since this was last asked.
    sent: bool,
    /// The model was lost in the middle of something, and what there is of it is all there will be.
    cut_off: bool,
    track: AgentTrack,
}

/// What came of new audio.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// Queued.
    Queued,
    /// More unheard audio than a call may have: the response has to be stopped.
    Overflow,
}

impl Playout {
    /// A call that was rebuilt `resumes` times: its marks are told apart from those of the playouts before.
    pub(crate) fn new(chunk_ms: u32, resumes: u32) -> Self {
        let (rate, resumed) = (SampleRate::default(), resumes > 0);
        let generation = resumes.saturating_mul(GENERATIONS_A_LIFE);
        Self {
            rate,
            live: false,
            generation,
            sequence: 0,
            framer: framer(chunk_ms, rate),
            framing: None,
            queue: VecDeque::new(),
            queued_bytes: 0,
            ledger: Ledger::default(),
            marks: VecDeque::new(),
            marks_dead: false,
            marks_seen: false,
            play_end: None,
            sent: false,
            cut_off: resumed,
            track: AgentTrack::default(),
        }
    }

    /// The stream began: from here on audio is sent. What was prepared at another rate is converted.
    pub(crate) fn start(&mut self, cx: &mut Context, rate: SampleRate) {
        if rate != self.rate {
            self.convert(cx.policy.chunk_ms, rate);
        }
        self.live = true;
        self.pump(cx);
    }

    /// Audio of one content part, at the carrier's rate.
    pub(crate) fn push(&mut self, cx: &mut Context, key: &ContentKey, pcm: &[u8]) -> Pushed {
        let limit = usize::try_from(QUEUE_LIMIT.as_millis()).unwrap_or(usize::MAX) * self.rate.bytes_per_ms();
        if self.queued_bytes + pcm.len() > limit {
            return Pushed::Overflow;
        }
        let serial = self.expect(cx, key);
        if self.framing != Some(serial) {
            self.close_frame();
        }
        self.ledger.generated(serial, pcm.len());
        self.refill(serial, pcm);
        self.pump(cx);
        Pushed::Queued
    }

    /// A content part is being generated: its words come before its audio.
    pub(crate) fn expect(&mut self, cx: &mut Context, key: &ContentKey) -> u64 {
        let (serial, began) = self.ledger.open(key);
        if began {
            let at_ms = cx.at_ms();
            cx.record(Fact::AgentBegan { item: key.item.clone(), at_ms });
        }
        serial
    }

    /// A content part was generated whole.
    pub(crate) fn content_done(&mut self, cx: &mut Context, key: &ContentKey) {
        if let Some(serial) = self.ledger.finish(|k| k == key) {
            if self.framing == Some(serial) {
                self.close_frame();
            }
            self.pump(cx);
            self.settle(cx);
        }
    }

    /// A response ended: nothing more of its contents will come.
    pub(crate) fn response_done(&mut self, cx: &mut Context, response: &ResponseId) {
        while let Some(serial) = self.ledger.finish(|k| k.response == *response) {
            if self.framing == Some(serial) {
                self.close_frame();
            }
        }
        self.pump(cx);
        self.settle(cx);
    }

    /// The model is gone: nothing more of anything will come.
    pub(crate) fn model_gone(&mut self, cx: &mut Context) {
        self.close_frame();
        self.cut_off |= self.ledger.orphan();
        self.pump(cx);
        self.settle(cx);
    }

    /// Sends what is due, keeps the lead bounded, and arms the next time.
    pub(crate) fn pump(&mut self, cx: &mut Context) {
        if !self.live {
            return;
        }
        loop {
            let ahead = self.ahead(cx.now);
            let Some(front) = self.queue.front() else {
                if self.framer.buffered() < 320 {
                    return cx.deadlines.clear(Timer::Pace);
                }
                if ahead > STARVING {
                    return self.pace_at(cx, STARVING);
                }
                let (Some(serial), Some(pcm)) = (self.framing, self.framer.take_units()) else {
                    return cx.deadlines.clear(Timer::Pace);
                };
                self.send(cx, Piece { serial, audio: pcm.len(), pcm });
                continue;
            };
            let room = cx.policy.lead.saturating_sub(self.duration(front.pcm.len()));
            if ahead > room {
                return self.pace_at(cx, room);
            }
            if let Some(piece) = self.queue.pop_front() {
                self.queued_bytes -= piece.pcm.len();
                self.send(cx, piece);
            }
        }
    }

    /// Arms the pacing timer for when only `left` is still to be played.
    fn pace_at(&self, cx: &mut Context, left: Duration) {
        if let Some(at) = self.play_end.and_then(|end| end.checked_sub(left)) {
            cx.deadlines.set(Timer::Pace, at.max(cx.now));
        }
    }

    fn send(&mut self, cx: &mut Context, piece: Piece) {
        let begins = self.play_end.map_or(cx.now, |end| end.max(cx.now));
        let due = begins + self.duration(piece.pcm.len());
        self.play_end = Some(due);
        self.sent = true;
        self.sequence += 1;
        let heard = self.ledger.sent(piece.serial, piece.audio);
        let taped = cx.policy.record.then(|| piece.pcm.clone());
        cx.caller(CallerCommand::Media(piece.pcm));
        cx.caller(CallerCommand::Mark(format!("{}-{}", self.generation, self.sequence)));
        let taped_to = taped.map_or(0, |pcm| self.track.message(cx, self.rate, begins, pcm));
        self.marks.push_back(Mark { sequence: self.sequence, serial: piece.serial, heard, begins, due, taped_to });
    }

    /// A mark came back. A later mark stands for the ones before it: a carrier plays in order.
    pub(crate) fn marked(&mut self, cx: &mut Context, name: &str) {
        let parsed = name.split_once('-').and_then(|(g, s)| Some((g.parse::<u32>().ok()?, s.parse::<u64>().ok()?)));
        let Some((generation, sequence)) = parsed else {
            return cx.count("unknown_mark", 1);
        };
        if generation != self.generation || sequence > self.sequence {
            return cx.count("stale_mark", 1);
        }
        self.marks_seen = true;
        self.marks_dead = false;
        let mut moved = false;
        while let Some(mark) = self.marks.front().filter(|m| m.sequence <= sequence) {
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
        self.marks.pop_front().is_some_and(|mark| {
            self.ledger.heard(mark.serial, mark.heard);
            true
        })
    }

    /// Marks that never came: the audio was played all the same.
    pub(crate) fn forgive(&mut self, cx: &mut Context) {
        let grace = if self.marks_dead { CLOCK_GRACE } else { MARK_GRACE };
        let mut missing = 0;
        while self.marks.front().is_some_and(|m| m.due + grace <= cx.now) {
            self.credit();
            missing += 1;
        }
        if missing > 0 {
            self.marks_dead = !self.marks_seen;
            cx.count("missing_mark", missing);
            self.settle(cx);
        }
    }

    /// The caller cut in: everything not yet heard is dropped, and what the model has to be told is returned.
    pub(crate) fn interrupt(&mut self, cx: &mut Context) -> Vec<Cut> {
        self.forgive(cx);
        if self.marks.front().is_some() {
            cx.caller(CallerCommand::Clear);
            self.cut_tape(cx);
        }
        self.cut_off = false;
        self.queue.clear();
        self.queued_bytes = 0;
        self.framer.clear();
        self.framing = None;
        self.marks.clear();
        self.generation += 1;
        self.play_end = None;
        cx.deadlines.clear(Timer::Pace);
        self.ledger.cut(self.rate)
    }

    /// A carrier plays the message it has picked up to its end: the first one that was not echoed, or one that the clock puts later.
    fn cut_tape(&mut self, cx: &mut Context) {
        let picked_up = self.marks.iter().enumerate().rfind(|(index, mark)| *index == 0 || mark.begins <= cx.now);
        if let Some(heard_to) = picked_up.map(|(_, mark)| mark.taped_to) {
            self.track.cut(cx, heard_to);
        }
    }

    /// Whether audio went out since this was last asked.
    pub(crate) fn take_sent(&mut self) -> bool {
        std::mem::take(&mut self.sent)
    }

    /// Whether the model was lost in the middle of what it said, since this was last asked.
    pub(crate) fn take_cut_off(&mut self) -> bool {
        std::mem::take(&mut self.cut_off)
    }

    /// Everything that was generated was heard.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.marks.is_empty() && self.framer.buffered() == 0
    }

    /// Responses that have audio queued or playing.
    pub(crate) fn responses(&self) -> Vec<ResponseId> {
        self.ledger.responses()
    }

    /// What is still to be played, sent or not.
    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        self.ahead(now) + self.duration(self.queued_bytes + self.framer.buffered())
    }

    fn ahead(&self, now: Instant) -> Duration {
        self.play_end.map_or(Duration::ZERO, |end| end.saturating_duration_since(now))
    }

    fn duration(&self, bytes: usize) -> Duration {
        Duration::from_micros((bytes * 1000 / self.rate.bytes_per_ms()) as u64)
    }

    /// Ends the message being filled: the rest of a content part goes out padded with silence.
    fn close_frame(&mut self) {
        if let (Some(serial), Some((pcm, audio))) = (self.framing.take(), self.framer.finish()) {
            self.queued_bytes += pcm.len();
            self.queue.push_back(Piece { serial, pcm, audio });
        }
    }

    /// Tells how far each content was heard, and which turns are over.
    fn settle(&mut self, cx: &mut Context) {
        for progress in self.ledger.settle(self.rate) {
            cx.record(Fact::Heard {
                item: progress.item.clone(),
                generated_ms: progress.generated_ms,
                heard_ms: progress.heard_ms,
            });
            if progress.over {
                cx.record_turn(&progress.item);
            }
        }
    }

    fn refill(&mut self, serial: u64, pcm: &[u8]) {
        self.framing = Some(serial);
        let (queue, queued) = (&mut self.queue, &mut self.queued_bytes);
        self.framer.push(pcm, &mut |chunk: Vec<u8>| {
            *queued += chunk.len();
            queue.push_back(Piece { serial, audio: chunk.len(), pcm: chunk });
        });
    }

    /// For invariants: how much is ahead of real time.
    pub(crate) fn lead_ms(&self, now: Instant) -> u64 {
        millis(self.ahead(now))
    }
}

fn framer(chunk_ms: u32, rate: SampleRate) -> Framer {
    // A chunk of whole 20 ms at any rate is a multiple of 320 bytes.
    Framer::new(chunk_ms as usize * rate.bytes_per_ms())
}
