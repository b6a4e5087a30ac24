//! What a sound of the caller's is while the agent speaks: a cough, what a listener says, or a turn.
//!
//! The server decides nothing here (`interrupt_response` and `create_response` are off): it tells where sounds begin and end, and what
//! was said. By its length a sound is a cough or a turn; between the two its words decide, if they come in time. Until then playback
//! pauses, unless our own measure of the frames says that the sound is over already.

mod measure;
mod sound;

use std::time::{Duration, Instant};

use super::context::Context;
use super::policy::{Confirmed, Interruptions};
use super::recent::Recent;
use crate::ids::ItemId;
use measure::Measure;
use sound::{LONGEST, verdict};
pub(super) use sound::{Sound, Verdict, Words};

/// Sounds that are judged together.
const MOST_SOUNDS: usize = 8;
/// Items that are to be deleted once there are any.
const MOST_AWAY: usize = 16;
/// The agent has enough to say for a listener to say something to it.
const ENOUGH_TO_SAY: Duration = Duration::from_secs(1);
/// Words come within that after their item is there,
const WORDS_WITHIN: Duration = Duration::from_millis(700);
/// and an item within that after the sound is over.
const ITEM_WITHIN: Duration = Duration::from_millis(500);
/// The server's detector should have let go of a sound that we heard end so long ago, beyond the silence that it waits for.
const LET_GO: Duration = Duration::from_millis(1_500);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// A sound that goes on pauses the agent.
    Pause,
    /// Words, or an item, should be here by now.
    Words,
    /// The turn that is to be answered should be an item by now.
    Item,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Interruption {
    measure: Measure,
    /// What is being judged.
    sounds: Vec<Sound>,
    /// A listener's words count in it.
    has_floor: bool,
    /// Judged away, and no items yet.
    away: Recent<ItemId, MOST_AWAY>,
    /// A turn that is over, and is answered once it is an item.
    unanswered: Option<ItemId>,
    /// Something was said that is answered when the agent is done.
    kept: bool,
}

impl Interruption {
    /// A frame of the caller's.
    pub(super) fn frame(&mut self, cx: &Context, length: Duration, level_dbfs: f32) {
        if cx.setup.listening.interruptions.are_ours() {
            self.measure.frame(cx.now, length, level_dbfs);
        }
    }

    /// Whether a sound is being judged.
    pub(super) fn is_open(&self) -> bool {
        !self.sounds.is_empty()
    }

    /// Whether a sound goes on.
    pub(super) fn is_heard(&self) -> bool {
        self.sounds.last().is_some_and(|sound| !sound.stopped)
    }

    /// Whether nothing is judged, and nothing that was said waits to be asked about.
    pub(super) fn is_quiet(&self) -> bool {
        !self.is_open() && self.unanswered.is_none() && !self.kept
    }

    /// Whether that item is being judged; one that has no name is the last.
    pub(super) fn of(&mut self, item: &ItemId) -> Option<&mut Sound> {
        match item.as_str() {
            "" => self.sounds.last_mut(),
            _ => self.sounds.iter_mut().find(|sound| sound.item == *item),
        }
    }

    /// A sound begins, or is told of only now. While others are judged it joins them.
    pub(super) fn begins(&mut self, cx: &mut Context, sound: Sound, left: Duration) {
        if !self.is_open() {
            self.has_floor = left > ENOUGH_TO_SAY;
        }
        cx.deadlines.clear(Timer::Words);
        if self.sounds.len() == MOST_SOUNDS {
            cx.count("sounds_joined", 1);
            self.sounds.remove(0);
        }
        self.sounds.push(sound);
    }

    /// Whether the newest sound pauses the agent now; if not yet, it is looked at again.
    pub(super) fn pauses(&self, cx: &mut Context) -> bool {
        let Interruptions::Confirmed(Confirmed { pause_after, .. }) = cx.setup.listening.interruptions else {
            return false;
        };
        let Some(sound) = self.sounds.last().filter(|sound| !sound.stopped) else { return false };
        let due = sound.began + pause_after;
        if cx.now < due {
            cx.deadlines.set(Timer::Pause, due);
            return false;
        }
        !self.measure.ended_within(sound.began, pause_after)
    }

    /// What the sounds are, as far as their lengths and words tell; what is still to come is waited for.
    pub(super) fn judge(&mut self, cx: &mut Context, transcribed: bool) -> Option<Verdict> {
        let last = self.sounds.last()?;
        let Interruptions::Confirmed(confirmed) = cx.setup.listening.interruptions else {
            // Whatever it is, it is answered later; a server may not say that it made an item of it.
            if last.stopped && !last.committed {
                cx.deadlines.set_if_unset(Timer::Words, cx.now + ITEM_WITHIN);
            }
            return (last.stopped && last.committed).then_some(Verdict::Turn);
        };
        let verdict = verdict(&self.sounds, confirmed, &cx.setup, self.has_floor, transcribed);
        if verdict.is_none() && last.stopped {
            let wait = if last.committed { WORDS_WITHIN } else { ITEM_WITHIN + WORDS_WITHIN };
            cx.deadlines.set_if_unset(Timer::Words, cx.now + wait);
        }
        verdict
    }

    /// An item came of a sound: its words are waited for from now on.
    pub(super) fn waits_anew(cx: &mut Context) {
        cx.deadlines.clear(Timer::Words);
    }

    /// Whether a sound has gone on for too long to be anything but a turn; `appended_ms`: of this session. Not by the time that went
    /// by: by what we heard of it, or the server did not tell the end of.
    pub(super) fn is_long(&self, cx: &Context, appended_ms: u64) -> bool {
        let Some(sound) = self.sounds.last().filter(|sound| !sound.stopped) else { return false };
        let before: Duration = self.sounds.iter().filter_map(|sound| sound.length).sum();
        let since = self.measure.goes_on().map(|began| began.max(sound.began));
        let heard = since.map_or(Duration::ZERO, |since| cx.now.saturating_duration_since(since));
        let silence = u64::from(cx.vad().silence_duration_ms);
        // A server that does not say that a sound is over which we heard end may have lost that.
        let ended = since.is_none() && self.measure.of(sound.began, cx.now).is_some();
        let start_ms = sound.start_ms.filter(|_| !ended);
        let told = start_ms.map_or(0, |start| appended_ms.saturating_sub(start + silence));
        before + heard.max(Duration::from_millis(told)) > LONGEST
    }

    /// A sound that ended long ago by our own measure, and of which the server does not say so.
    pub(super) fn never_stopped(&mut self, cx: &Context) -> bool {
        let wait = LET_GO + Duration::from_millis(u64::from(cx.vad().silence_duration_ms));
        let Some(sound) = self.sounds.last_mut().filter(|sound| !sound.stopped) else { return false };
        let Some((length, _)) = self.measure.of(sound.began, cx.now).filter(|(_, over)| *over >= wait) else {
            return false;
        };
        (sound.stopped, sound.length) = (true, Some(length));
        true
    }

    /// A turn that began then ended long ago by our own measure, and the server does not say so.
    pub(super) fn is_long_over(&self, cx: &Context, began: Instant) -> bool {
        let wait = 2 * LET_GO + Duration::from_millis(u64::from(cx.vad().silence_duration_ms));
        self.measure.goes_on().is_none() && self.measure.of(began, cx.now).is_some_and(|(_, over)| over >= wait)
    }

    /// What can be said of them now, since nothing more will be told: they are coughs by their length, or a turn.
    pub(super) fn judge_by_length(&mut self, cx: &Context) -> Verdict {
        let Interruptions::Confirmed(Confirmed { min, .. }) = cx.setup.listening.interruptions else {
            return Verdict::Turn;
        };
        let mut all = Duration::ZERO;
        for sound in &self.sounds {
            let own = || self.measure.of(sound.began, cx.now).filter(|_| self.measure.goes_on().is_none());
            match sound.length.filter(|_| sound.stopped).or_else(|| own().map(|(length, _)| length)) {
                Some(length) => all += length,
                None => return Verdict::Turn,
            }
        }
        if all < min { Verdict::Away } else { Verdict::Turn }
    }

    /// They are judged.
    pub(super) fn take(&mut self, cx: &mut Context) -> Vec<Sound> {
        cx.deadlines.clear(Timer::Pause);
        cx.deadlines.clear(Timer::Words);
        std::mem::take(&mut self.sounds)
    }

    /// An item is to be deleted as soon as it is one.
    pub(super) fn judged_away(&mut self, item: ItemId) {
        self.away.insert(item);
    }

    /// Whether that item is one to delete now.
    pub(super) fn deletes(&mut self, item: &ItemId) -> bool {
        let known = self.away.contains(item);
        self.away.remove(item);
        known
    }

    /// A turn is over: it is answered once it is an item.
    pub(super) fn answers_when_committed(&mut self, cx: &mut Context, item: ItemId) {
        cx.deadlines.set(Timer::Item, cx.now + ITEM_WITHIN);
        self.unanswered = Some(item);
    }

    /// Whether that is the turn to answer; one that has no name is.
    pub(super) fn awaits(&self, item: &ItemId) -> bool {
        self.unanswered.as_ref().is_some_and(|awaited| item.as_str().is_empty() || awaited == item)
    }

    /// It is answered now, or not at all.
    pub(super) fn answered(&mut self, cx: &mut Context) {
        cx.deadlines.clear(Timer::Item);
        (self.unanswered, self.kept) = (None, false);
    }

    /// What was said is answered when the agent is done.
    pub(super) fn keep(&mut self) {
        self.kept = true;
    }

    /// Whether there is something to answer once nobody speaks.
    pub(super) fn has_kept(&self) -> bool {
        self.kept && !self.is_open()
    }

    /// The session is gone.
    pub(super) fn forget_session(&mut self, cx: &mut Context) {
        self.take(cx);
        self.answered(cx);
        self.away.clear();
    }
}
