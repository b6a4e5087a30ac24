//! The caller's earpiece: plays what arrives and keeps account of it. Time is an argument: samples since the media socket opened.

use codecs::SampleRate;

use super::playback::{Cleared, Playback};
use super::report::{Heard, Stereo};
use super::script::AgentView;

/// Silence this long between two messages divides what the agent says in two.
const GAP_MS: u64 = 200;

/// Something heard, and when.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PlayoutEvent {
    /// The agent began to be heard.
    Began(u64),
    /// The agent is no longer heard since then.
    Ended(u64),
    /// Playback has got to this mark.
    Reached(String),
}

/// Plays agent audio to the caller.
#[derive(Debug)]
pub(crate) struct Earpiece {
    playback: Playback,
    view: AgentView,
    /// The agent was told to be quiet: whatever comes next is something new.
    cleared: bool,
    /// [`PlayoutEvent::Ended`] is still to be told.
    sounding: bool,
    /// Sample at which what was heard last ends.
    heard_to: u64,
    samples_per_ms: u64,
    pub(crate) heard: Heard,
    /// What was played, on the caller's clock.
    pub(crate) sound: Vec<i16>,
}

impl Earpiece {
    pub(crate) fn new(rate: SampleRate) -> Self {
        Self {
            playback: Playback::new(rate.hz()),
            view: AgentView::default(),
            cleared: false,
            sounding: false,
            heard_to: 0,
            samples_per_ms: u64::from(rate.hz()) / 1_000,
            heard: Heard::default(),
            sound: Vec::new(),
        }
    }

    /// A `media` message came in.
    pub(crate) fn audio(&mut self, now: u64, pcm: Vec<u8>) {
        self.heard.messages += 1;
        self.heard.bytes += pcm.len() as u64;
        *self.heard.sizes.entry(pcm.len()).or_default() += 1;
        self.playback.push_audio(now, pcm);
        self.heard.max_lead_ms = self.heard.max_lead_ms.max(self.playback.waiting(now) / self.samples_per_ms);
    }

    /// A mark came in.
    pub(crate) fn mark(&mut self, name: String) {
        self.playback.push_mark(name);
    }

    /// A `clear` came in. Call [`Self::listen`] first, so that what was due before it is picked up.
    pub(crate) fn clear(&mut self, now: u64) -> Cleared {
        let cleared = self.playback.clear(now);
        self.heard.cleared_ms += cleared.samples / self.samples_per_ms;
        self.cleared = true;
        cleared
    }

    /// Plays what is due.
    pub(crate) fn listen(&mut self, now: u64) -> Vec<PlayoutEvent> {
        let (mut played, mut marks, mut playout_event) = (Vec::new(), Vec::new(), Vec::new());
        self.playback.advance(now, &mut played, &mut marks);
        for message in played {
            let fresh = self.view.began.is_none()
                || self.cleared
                || message.at.saturating_sub(self.heard_to) >= GAP_MS * self.samples_per_ms;
            if fresh && message.pcm.iter().all(|&byte| byte == 0) {
                // A sign of life: nobody hears it.
                continue;
            }
            if fresh {
                self.end(self.heard_to, &mut playout_event);
                self.view.began = Some(message.at);
                self.sounding = true;
                self.cleared = false;
                playout_event.push(PlayoutEvent::Began(message.at));
            }
            self.heard_to = message.at + message.pcm.len() as u64 / 2;
            self.heard.played_ms += message.pcm.len() as u64 / 2 / self.samples_per_ms;
            Stereo::place(&mut self.sound, message.at, &message.pcm);
        }
        let heard_to = self.heard_to;
        let silent = heard_to <= now;
        self.view.silent_since = silent.then_some(heard_to);
        if silent && (self.cleared || now - heard_to >= GAP_MS * self.samples_per_ms) {
            self.end(heard_to, &mut playout_event);
        }
        playout_event.extend(marks.into_iter().map(PlayoutEvent::Reached));
        playout_event
    }

    fn end(&mut self, at: u64, playout_event: &mut Vec<PlayoutEvent>) {
        if std::mem::take(&mut self.sounding) {
            playout_event.push(PlayoutEvent::Ended(at));
        }
    }

    /// When [`Self::listen`] has something to do next, if it has.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.playback.next_due()
    }

    /// What the caller knows of the agent.
    pub(crate) const fn view(&self) -> AgentView {
        self.view
    }

    /// Messages dropped because more than ten minutes were waiting.
    pub(crate) const fn overflowed(&self) -> u64 {
        self.playback.overflowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 8;

    #[test]
    fn short_gaps_do_not_divide_what_the_agent_says() {
        let mut earpiece = Earpiece::new(SampleRate::Hz8000);
        earpiece.audio(0, vec![1; 3_200]);
        assert_eq!(earpiece.listen(0), [PlayoutEvent::Began(0)]);
        assert_eq!(earpiece.listen(290 * MS), []);
        assert_eq!(earpiece.view().silent_since, Some(200 * MS));
        earpiece.audio(300 * MS, vec![1; 3_200]);
        assert_eq!(earpiece.listen(300 * MS), []);
        assert_eq!(earpiece.view(), AgentView { began: Some(0), silent_since: None });
        assert_eq!(earpiece.listen(700 * MS), [PlayoutEvent::Ended(500 * MS)]);
        assert_eq!((earpiece.heard.played_ms, earpiece.sound.len()), (400, 4_000));
    }

    #[test]
    fn silence_that_is_sent_is_not_taken_for_the_agent_speaking() {
        let mut earpiece = Earpiece::new(SampleRate::Hz8000);
        earpiece.audio(1_000 * MS, vec![0; 1_600]);
        assert_eq!(earpiece.listen(1_000 * MS), []);
        assert_eq!(earpiece.listen(2_000 * MS), []);
        assert_eq!(earpiece.view().began, None);
        earpiece.audio(3_000 * MS, vec![1; 320]);
        assert_eq!(earpiece.listen(3_000 * MS), [PlayoutEvent::Began(3_000 * MS)]);
    }

    #[test]
    fn silence_between_answers_is_not_heard_as_one() {
        let mut earpiece = Earpiece::new(SampleRate::Hz8000);
        earpiece.audio(0, vec![1; 3_200]);
        assert_eq!(earpiece.listen(0), [PlayoutEvent::Began(0)]);
        assert_eq!(earpiece.listen(500 * MS), [PlayoutEvent::Ended(200 * MS)]);
        earpiece.audio(6_000 * MS, vec![0; 1_600]);
        assert_eq!(earpiece.listen(6_050 * MS), []);
        assert_eq!(earpiece.view(), AgentView { began: Some(0), silent_since: Some(200 * MS) });
        earpiece.audio(6_100 * MS, vec![1; 3_200]);
        assert_eq!(earpiece.listen(6_100 * MS), [PlayoutEvent::Began(6_100 * MS)]);
    }

    #[test]
    fn after_a_clear_whatever_comes_is_new() {
        let mut earpiece = Earpiece::new(SampleRate::Hz8000);
        for _ in 0..3 {
            earpiece.audio(0, vec![1; 3_200]);
        }
        earpiece.listen(0);
        earpiece.listen(100 * MS);
        assert_eq!(earpiece.clear(100 * MS).messages, 2);
        assert_eq!(earpiece.listen(200 * MS), [PlayoutEvent::Ended(200 * MS)]);
        earpiece.audio(250 * MS, vec![1; 320]);
        assert_eq!(earpiece.listen(250 * MS), [PlayoutEvent::Began(250 * MS)]);
        assert_eq!((earpiece.heard.cleared_ms, earpiece.heard.max_lead_ms), (400, 600));
    }
}
