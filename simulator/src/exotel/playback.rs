//! Exotel's playback: whole messages, in real time. Time is an argument: samples since the media socket opened.

use std::collections::VecDeque;

use super::wire::UNIT_BYTES;

/// Playback waits this long after a message that is not a whole multiple of [`UNIT_BYTES`].
const RAGGED_GAP_MS: u64 = 20;
/// More audio than this waiting is dropped: ten minutes.
const MOST_QUEUED_MS: u64 = 600_000;

#[derive(Debug)]
enum Item {
    /// When it arrived, and what.
    Audio(u64, Vec<u8>),
    Mark(String),
}

/// A message that was played, whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Played {
    /// Sample at which it began.
    pub(crate) at: u64,
    pub(crate) pcm: Vec<u8>,
}

/// What a `clear` did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Cleared {
    pub(crate) messages: usize,
    pub(crate) samples: u64,
    pub(crate) marks: Vec<String>,
    /// Samples of the message being played that will still be heard.
    pub(crate) still_playing: u64,
}

/// The queue of what is to be played to the caller.
#[derive(Debug)]
pub(crate) struct Playback {
    samples_per_ms: u64,
    queue: VecDeque<Item>,
    queued_samples: u64,
    /// Sample at which the message being played, or the last one, ends.
    free_at: u64,
    /// Dropped because too much was waiting.
    pub(crate) overflowed: u64,
}

impl Playback {
    pub(crate) fn new(hz: u32) -> Self {
        Self {
            samples_per_ms: u64::from(hz) / 1_000,
            queue: VecDeque::new(),
            queued_samples: 0,
            free_at: 0,
            overflowed: 0,
        }
    }

    /// Queues a message that arrives.
    pub(crate) fn push_audio(&mut self, now: u64, pcm: Vec<u8>) {
        let samples = samples(&pcm);
        if self.queued_samples + samples > MOST_QUEUED_MS * self.samples_per_ms {
            self.overflowed += 1;
            return;
        }
        self.queued_samples += samples;
        self.queue.push_back(Item::Audio(now, pcm));
    }

    /// Queues a mark behind what is queued.
    pub(crate) fn push_mark(&mut self, name: String) {
        self.queue.push_back(Item::Mark(name));
    }

    /// Drops every message that has not been picked up, and its marks; marks of the message being played stay.
    pub(crate) fn clear(&mut self, now: u64) -> Cleared {
        let mut cleared = Cleared { still_playing: self.free_at.saturating_sub(now), ..Cleared::default() };
        let first = self.queue.iter().position(|item| matches!(item, Item::Audio(..))).unwrap_or(self.queue.len());
        for item in self.queue.drain(first..) {
            match item {
                Item::Audio(..) => cleared.messages += 1,
                Item::Mark(name) => cleared.marks.push(name),
            }
        }
        cleared.samples = std::mem::take(&mut self.queued_samples);
        cleared
    }

    /// Picks up what is due: messages that begin to be played, in order, and marks that playback has reached.
    pub(crate) fn advance(&mut self, now: u64, played: &mut Vec<Played>, marks: &mut Vec<String>) {
        while self.free_at <= now {
            match self.queue.pop_front() {
                Some(Item::Mark(name)) => marks.push(name),
                Some(Item::Audio(arrived, pcm)) => {
                    let length = samples(&pcm);
                    self.queued_samples -= length;
                    // Back to back with the message before it if it was there in time, however late we look.
                    let at = if self.late(arrived) { arrived } else { self.free_at };
                    let ragged = !pcm.len().is_multiple_of(UNIT_BYTES);
                    self.free_at = at + length + if ragged { RAGGED_GAP_MS * self.samples_per_ms } else { 0 };
                    played.push(Played { at, pcm });
                }
                None => break,
            }
        }
    }

    /// The message before had ended longer ago than a carrier's own buffer bridges.
    fn late(&self, arrived: u64) -> bool {
        arrived.saturating_sub(self.free_at) > 5 * self.samples_per_ms
    }

    /// Sample at which [`Self::advance`] has something to do next, while anything waits.
    pub(crate) fn next_due(&self) -> Option<u64> {
        (!self.queue.is_empty()).then_some(self.free_at)
    }

    /// Samples that wait to be heard: queued, and the rest of the message being played.
    pub(crate) fn waiting(&self, now: u64) -> u64 {
        self.queued_samples + self.free_at.saturating_sub(now)
    }
}

fn samples(pcm: &[u8]) -> u64 {
    pcm.len() as u64 / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 8;

    fn message(ms: usize) -> Vec<u8> {
        vec![1; ms * 16]
    }

    fn advance(playback: &mut Playback, now_ms: u64) -> (Vec<u64>, Vec<String>) {
        let (mut played, mut marks) = (Vec::new(), Vec::new());
        playback.advance(now_ms * MS, &mut played, &mut marks);
        (played.into_iter().map(|played| played.at / MS).collect(), marks)
    }

    #[test]
    fn messages_play_back_to_back_and_marks_echo_when_playback_gets_there() {
        let mut playback = Playback::new(8_000);
        playback.push_mark("before".into());
        playback.push_audio(1_000 * MS, message(200));
        playback.push_mark("first".into());
        playback.push_audio(1_000 * MS, message(100));
        playback.push_mark("second".into());
        assert_eq!(advance(&mut playback, 1_000), (vec![1_000], vec!["before".to_owned()]));
        assert_eq!(playback.next_due(), Some(1_200 * MS));
        assert_eq!(advance(&mut playback, 1_199), (vec![], vec![]));
        assert_eq!(advance(&mut playback, 1_203), (vec![1_200], vec!["first".to_owned()]));
        assert_eq!(advance(&mut playback, 1_300), (vec![], vec!["second".to_owned()]));
        assert_eq!(playback.next_due(), None);
    }

    #[test]
    fn clear_spares_the_message_being_played() {
        let mut playback = Playback::new(8_000);
        playback.push_audio(0, message(5_000));
        playback.push_mark("first".into());
        playback.push_audio(0, message(5_000));
        playback.push_mark("end".into());
        advance(&mut playback, 0);
        let cleared = playback.clear(3_000 * MS);
        assert_eq!((cleared.messages, cleared.samples / MS, cleared.still_playing / MS), (1, 5_000, 2_000));
        assert_eq!(cleared.marks, ["end"]);
        assert_eq!(playback.waiting(3_000 * MS), 2_000 * MS);
        assert_eq!(advance(&mut playback, 6_000), (vec![], vec!["first".to_owned()]));
    }

    #[test]
    fn a_mark_with_nothing_queued_echoes_at_once_and_a_message_after_a_gap_plays_at_once() {
        let mut playback = Playback::new(8_000);
        playback.push_mark("idle".into());
        assert_eq!(advance(&mut playback, 7).1, ["idle"]);
        playback.push_audio(10 * MS, message(20));
        assert_eq!(advance(&mut playback, 10).0, [10]);
        playback.push_audio(90 * MS, message(20));
        assert_eq!(advance(&mut playback, 90).0, [90]);
    }

    #[test]
    fn a_machine_that_wakes_us_late_leaves_no_hole_in_what_was_there_in_time() {
        let mut playback = Playback::new(8_000);
        playback.push_audio(100 * MS, message(200));
        playback.push_audio(150 * MS, message(200));
        playback.push_audio(600 * MS, message(200));
        assert_eq!(advance(&mut playback, 170).0, [100]);
        assert_eq!(advance(&mut playback, 650).0, [300, 600]);
    }

    #[test]
    fn a_ragged_message_costs_a_gap() {
        let mut playback = Playback::new(8_000);
        playback.push_audio(0, vec![0; 330]);
        playback.push_audio(0, message(20));
        advance(&mut playback, 0);
        assert_eq!(playback.next_due(), Some(165 + 20 * MS));
    }
}
