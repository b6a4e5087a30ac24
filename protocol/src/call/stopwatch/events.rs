//! What happens in a call, as far as it is part of a caller's wait.

use std::time::Instant;

use super::{MOST_WAITS, Message, ON_TIME, SentAnswer, TAKEN_WITHIN, Timer, Wait};
use crate::call::context::{Context, millis};
use crate::call::fact::Fact;
use crate::call::latency::{Awaited, Latency, Part, Settings};
use crate::call::policy::Interruptions;
use crate::ids::ResponseId;
use crate::realtime::command::Eagerness;

impl Context {
    fn begins(&mut self, wait: Wait) {
        let dropped = !self.stopwatch.push(wait);
        self.count("wait_dropped", u64::from(dropped));
    }

    /// From now on the caller waits for that, and has since `from`; until now the time went to `before`.
    pub(crate) fn awaits(&mut self, of: Awaited, from: Instant, before: Part, part: Part) {
        self.stopwatch.waits.clear();
        let mut wait = Wait::new(of, from, before);
        wait.goes_to(part, self.now);
        wait.audio = part == Part::Sending;
        self.begins(wait);
    }

    /// A turn of the caller's is over, whose last sound was then. `begun`: what the server began to answer by itself is heard.
    pub(crate) fn awaits_answer(&mut self, last: Instant, begun: bool, part: Part) {
        let (now, stopped) = (self.now, self.stopwatch.stopped.take());
        let mut wait = Wait::new(Awaited::Turn, last.min(now), Part::Endpointing);
        match self.stopwatch.newest.filter(|_| begun) {
            Some((began, audio)) => {
                // It knew before it said so, or instead.
                wait.goes_to(Part::Generating, began);
                if let Some(audio) = audio {
                    wait.goes_to(Part::Deciding, audio);
                    wait.goes_to(Part::Sending, now);
                    wait.audio = true;
                }
            }
            None => {
                wait.goes_to(Part::Deciding, stopped.filter(|at| *at >= last).unwrap_or(now));
                wait.goes_to(part, now);
            }
        }
        self.stopwatch.waits.clear();
        self.begins(wait);
    }

    /// Nobody waits any more, and nothing more is heard of what was sent.
    pub(crate) fn awaits_nothing(&mut self) {
        self.playback_cut();
        self.stopwatch.waits.clear();
    }

    /// Nothing comes of what the model was asked for.
    pub(crate) fn nothing_comes(&mut self) {
        self.stopwatch.waits.retain(|wait| wait.audio);
    }

    /// From now on the time goes to that.
    pub(crate) fn spends(&mut self, part: Part) {
        let now = self.now;
        if let Some(wait) = self.stopwatch.open() {
            wait.goes_to(part, now);
        }
    }

    /// The same, unless a function is waited for, which runs on whatever becomes of sessions.
    pub(crate) fn session_spends(&mut self, part: Part) {
        let now = self.now;
        if let Some(wait) = self.stopwatch.open().filter(|wait| wait.part != Part::Tool) {
            wait.goes_to(part, now);
        }
    }

    /// The session in use is gone.
    pub(crate) fn session_gone(&mut self) {
        self.stopwatch.other_way();
        self.session_spends(Part::Connecting);
    }

    /// A response was asked for.
    pub(crate) fn response_asked(&mut self) {
        if let Some(wait) = self.stopwatch.open() {
            wait.asked += 1;
        }
        self.spends(Part::Starting);
    }

    /// A response began that is to be heard, or may be.
    pub(crate) fn response_came(&mut self) {
        self.stopwatch.newest = Some((self.now, None));
        self.session_spends(Part::Generating);
    }

    /// Audio of a response came in.
    pub(crate) fn audio_came(&mut self, response: &ResponseId) {
        let now = self.now;
        if let Some((_, audio)) = &mut self.stopwatch.newest {
            audio.get_or_insert(now);
        }
        let goes_on = self.stopwatch.heard.as_ref() == Some(response);
        let is_answer = |wait: &&mut Wait| wait.of != Awaited::Tool || !goes_on && !wait.is_behind(response);
        if let Some(wait) = self.stopwatch.open().filter(is_answer) {
            wait.goes_to(Part::Sending, now);
            wait.audio = true;
        }
    }

    /// A fixed sentence is to be played. One that fills a wait for a function is what the caller hears first, and no answer of the function's:
    /// that is waited for still, and has been since the function was called.
    pub(crate) fn clip_came(&mut self) {
        let now = self.now;
        let Some(wait) = self.stopwatch.open().filter(|wait| wait.of != Awaited::Tool) else { return };
        let called = wait.called.filter(|_| wait.part == Part::Tool);
        wait.goes_to(Part::Sending, now);
        wait.audio = true;
        if let Some(called) = called {
            self.begins(Wait { called: Some(called), ..Wait::new(Awaited::Tool, called, Part::Tool) });
        }
    }

    /// The model called a function whose result is to be spoken of.
    pub(crate) fn function_called(&mut self, response: &ResponseId) {
        let now = self.now;
        match self.stopwatch.open() {
            Some(wait) => {
                wait.goes_to(Part::Tool, now);
                wait.called.get_or_insert(now);
            }
            None => {
                // Whoever is spoken to does not wait.
                let from = self.stopwatch.speaks_until.map_or(now, |until| until.max(now));
                let (behind, called) = (Some(response.clone()), Some(now));
                self.begins(Wait { behind, called, ..Wait::new(Awaited::Tool, from, Part::Tool) });
            }
        }
    }

    /// All functions have returned that were waited for.
    pub(crate) fn functions_returned(&mut self, part: Part) {
        let now = self.now;
        if let Some(wait) = self.stopwatch.open().filter(|wait| wait.part == Part::Tool) {
            wait.goes_to(part, now);
        }
    }

    /// Playback pauses until it is known what the caller wants: what was sent is said again.
    pub(crate) fn playback_paused(&mut self) {
        self.playback_cut();
        let now = self.now;
        self.stopwatch.waits.iter_mut().filter(|wait| wait.audio).for_each(|wait| wait.goes_to(Part::Deciding, now));
    }

    /// It goes on.
    pub(crate) fn playback_goes_on(&mut self) {
        let now = self.now;
        self.stopwatch.waits.iter_mut().filter(|wait| wait.audio).for_each(|wait| wait.goes_to(Part::Sending, now));
    }

    /// A message is offered to the carrier's socket: the first of an answer should be taken at once.
    pub(crate) fn message_offered(&mut self) {
        if self.stopwatch.offered.is_none() && self.stopwatch.waits.iter().any(|wait| wait.audio) {
            self.stopwatch.offered = Some(self.now);
            self.deadlines.set(Timer::Taken, self.now + TAKEN_WITHIN);
        }
    }

    /// It was not.
    pub(crate) fn not_taken(&mut self) {
        let due = self.stopwatch.offered.take().map(|at| at + TAKEN_WITHIN);
        if due.is_some_and(|due| self.now.saturating_duration_since(due) < ON_TIME) {
            self.playback_refused();
        }
    }

    /// The carrier's socket would not take audio.
    pub(crate) fn playback_refused(&mut self) {
        self.stopwatch.waits.iter_mut().filter(|wait| wait.audio).for_each(|wait| wait.stalled = true);
    }

    /// What was sent was dropped, or will not be known to be heard: of such an answer it is known when it was sent.
    pub(crate) fn playback_cut(&mut self) {
        self.stopwatch.speaks_until = None;
        for sent in std::mem::take(&mut self.stopwatch.sent) {
            self.tell(sent, None);
        }
    }

    /// All that was not sent was dropped.
    pub(crate) fn audio_dropped(&mut self) {
        self.playback_cut();
        let now = self.now;
        for wait in self.stopwatch.waits.iter_mut().filter(|wait| wait.audio) {
            wait.goes_to(Part::Deciding, now);
            wait.audio = false;
        }
    }

    /// A message was handed to the carrier's socket: the first of an answer ends its wait.
    pub(crate) fn message_sent(&mut self, message: Message<'_>) {
        let Message { item, response, is_clip, sequence, begins, due } = message;
        let goes_on = self.stopwatch.heard.as_ref() == Some(response);
        let is_behind = |wait: &Wait| wait.of == Awaited::Tool && (goes_on || wait.is_behind(response));
        for wait in self.stopwatch.waits.iter_mut().filter(|wait| !is_clip && is_behind(wait)) {
            // Whoever is spoken to does not wait.
            wait.begins_at(due);
        }
        let ends = |wait: &Wait| wait.of != Awaited::Tool || !is_clip && !is_behind(wait);
        let Some(at) = self.stopwatch.waits.iter().position(ends) else { return };
        let mut wait = self.stopwatch.waits.remove(at);
        self.stopwatch.heard = Some(response.clone());
        wait.goes_to(Part::Playing, self.now);
        self.stopwatch.offered = None;
        self.deadlines.clear(Timer::Taken);
        if self.stopwatch.sent.len() == MOST_WAITS {
            let oldest = self.stopwatch.sent.remove(0);
            self.tell(oldest, None);
        }
        self.stopwatch.sent.push(SentAnswer { wait, item: item.clone(), sequence, begins });
    }

    /// The carrier echoed a mark: all up to that message was played, which should have been over by `due`. The echo comes when the
    /// message ends.
    pub(crate) fn message_heard(&mut self, sequence: u64, due: Instant) {
        while let Some(sent) = self.stopwatch.sent_up_to(sequence) {
            let since = due.saturating_duration_since(sent.begins);
            let heard = self.now.checked_sub(since).unwrap_or(self.now);
            self.tell(sent, Some(heard));
        }
    }

    /// The mark of that message will not come any more.
    pub(crate) fn message_unheard(&mut self, sequence: u64) {
        while let Some(sent) = self.stopwatch.sent_up_to(sequence) {
            self.tell(sent, None);
        }
    }

    fn tell(&mut self, SentAnswer { mut wait, item, .. }: SentAnswer, heard: Option<Instant>) {
        if let Some(at) = heard {
            wait.goes_to(Part::Playing, at);
        }
        let waited = millis(self.now.saturating_duration_since(wait.from));
        let latency = Latency {
            of: wait.of,
            item,
            from_ms: self.at_ms().saturating_sub(waited),
            parts: wait.parts(),
            heard: heard.is_some(),
            network_ms: self.stopwatch.trips.iter().min().copied(),
            carrier_echo_ms: self.stopwatch.echo.map(millis),
            asked: wait.asked,
            stalled: wait.stalled,
            settings: self.settings(),
        };
        self.record(Fact::Latency(latency));
    }

    /// What the client's settings have a caller wait.
    fn settings(&self) -> Settings {
        let semantic = self.setup.listening.detection.semantic;
        Settings {
            // The longest that a server of the protocol waits.
            endpointing_ms: match semantic {
                None => self.vad().silence_duration_ms,
                Some(Eagerness::Low) => 8_000,
                Some(Eagerness::Medium | Eagerness::Auto) => 4_000,
                Some(Eagerness::High) => 2_000,
            },
            semantic: semantic.is_some(),
            confirmed: matches!(self.setup.listening.interruptions, Interruptions::Confirmed(_)),
        }
    }
}
