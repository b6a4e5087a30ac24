//! The messages of audio that are out, each by its mark: the carrier's word for what was played.
//!
//! A message is *offered* to the driver, which says what became of it: *sent* (handed to the socket), or refused, and then it was never
//! out. One that was sent is *heard* once the carrier echoes its mark. Every mark carries a generation, which an interruption bumps, so
//! that what is told of audio that was dropped never counts.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::ids::MarkId;

/// A mark this late beyond its audio is taken as lost: the audio was played.
const MARK_GRACE: Duration = Duration::from_secs(2);
/// Where no mark was ever echoed the clock is the only witness: it has to allow for the way to the carrier's player.
const CLOCK_GRACE: Duration = Duration::from_millis(250);
/// Interruptions that no life of a call reaches.
const GENERATIONS_A_LIFE: u32 = 1_000_000;

/// A message of which the driver has not said yet what became of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Offered {
    /// Its place in the queue it came from.
    pub(crate) number: u64,
    /// Whose audio, by the ledger's serial.
    pub(crate) serial: u64,
    /// Bytes of it that are audio and not padding.
    pub(crate) audio: usize,
    /// Bytes in all.
    pub(crate) bytes: usize,
}

/// A message that was sent, and whose mark we wait for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) sequence: u64,
    /// As of [`Offered`].
    pub(crate) number: u64,
    pub(crate) serial: u64,
    pub(crate) audio: usize,
    /// Bytes of audio of that content heard once this mark comes back.
    pub(crate) heard: usize,
    /// When playback should begin and end.
    pub(crate) begins: Instant,
    pub(crate) due: Instant,
    /// Where the recording has its end.
    pub(crate) taped_to: u64,
    /// Its audio, in a call whose playback may pause.
    pub(crate) pcm: Vec<u8>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Marks {
    generation: u32,
    sequence: u64,
    /// With their sequences.
    offered: VecDeque<(u64, Offered)>,
    offered_bytes: usize,
    sent: VecDeque<Sent>,
    /// Offered when playback paused: the driver is to give them back.
    recalled: Vec<(MarkId, Offered)>,
    /// The carrier was never seen to echo a mark, and one is overdue: the clock is the only witness.
    dead: bool,
    seen: bool,
}

impl Marks {
    /// Those of a call that was rebuilt so many times are told apart from those of the calls before.
    pub(crate) fn new(resumes: u32) -> Self {
        Self {
            generation: resumes.saturating_mul(GENERATIONS_A_LIFE),
            sequence: 0,
            offered: VecDeque::new(),
            offered_bytes: 0,
            sent: VecDeque::new(),
            recalled: Vec::new(),
            dead: false,
            seen: false,
        }
    }

    /// A message goes to the driver: its mark.
    pub(crate) fn offer(&mut self, message: Offered) -> MarkId {
        self.sequence += 1;
        self.offered_bytes += message.bytes;
        self.offered.push_back((self.sequence, message));
        MarkId { generation: self.generation, sequence: self.sequence }
    }

    /// The driver says what became of a message. None if it was dropped meanwhile.
    pub(crate) fn answered(&mut self, mark: MarkId) -> Option<Offered> {
        let of_it = |(sequence, _): &(u64, Offered)| mark.generation == self.generation && *sequence == mark.sequence;
        let at = self.offered.iter().position(of_it)?;
        let (_, offered) = self.offered.remove(at)?;
        self.offered_bytes -= offered.bytes;
        Some(offered)
    }

    /// A message was sent: its mark is out.
    pub(crate) fn out(&mut self, sent: Sent) {
        self.sent.push_back(sent);
    }

    /// Bytes of audio that the driver has said nothing of.
    pub(crate) fn offered_bytes(&self) -> usize {
        self.offered_bytes
    }

    /// The carrier echoed that mark: the next message that was played by then, until there is none. A later mark stands for the ones
    /// before it, since a carrier plays in order.
    pub(crate) fn echoed(&mut self, mark: MarkId) -> Option<Sent> {
        if mark.generation != self.generation || mark.sequence > self.sequence {
            return None;
        }
        (self.seen, self.dead) = (true, false);
        self.sent.front().filter(|sent| sent.sequence <= mark.sequence)?;
        self.sent.pop_front()
    }

    /// The next message whose mark should have come long ago, until there is none: it was played all the same.
    pub(crate) fn overdue(&mut self, now: Instant) -> Option<Sent> {
        let grace = if self.dead { CLOCK_GRACE } else { MARK_GRACE };
        self.sent.front().filter(|sent| sent.due + grace <= now)?;
        self.dead = !self.seen;
        self.sent.pop_front()
    }

    /// The message being played, as far as one can tell: the first whose mark has not come, or one that the clock puts later.
    pub(crate) fn playing(&self, now: Instant) -> Option<&Sent> {
        let begun = |(index, sent): &(usize, &Sent)| *index == 0 || sent.begins <= now;
        self.sent.iter().enumerate().rfind(begun).map(|(_, sent)| sent)
    }

    /// Whether nothing is out.
    pub(crate) fn is_empty(&self) -> bool {
        self.offered.is_empty() && self.sent.is_empty()
    }

    /// Everything that is out counts no more.
    pub(crate) fn forget(&mut self) {
        self.recall();
        self.recalled.clear();
    }

    /// Everything that is out counts no more, and is to go out again: what was sent; what was offered comes back from the driver.
    pub(crate) fn recall(&mut self) -> Vec<Sent> {
        let generation = self.generation;
        let offered = self.offered.drain(..);
        self.recalled.extend(offered.map(|(sequence, message)| (MarkId { generation, sequence }, message)));
        (self.offered_bytes, self.generation) = (0, generation + 1);
        self.sent.drain(..).collect()
    }

    /// The driver gives a message back that was recalled.
    pub(crate) fn given_back(&mut self, mark: MarkId) -> Option<Offered> {
        let at = self.recalled.iter().position(|(recalled, _)| *recalled == mark)?;
        Some(self.recalled.remove(at).1)
    }

    /// Bytes that the driver is to give back.
    pub(crate) fn recalled_bytes(&self) -> usize {
        self.recalled.iter().map(|(_, message)| message.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a base for virtual time")]
    fn start() -> Instant {
        Instant::now()
    }

    fn message(bytes: usize) -> Offered {
        Offered { number: 0, serial: 7, audio: bytes, bytes }
    }

    fn at(base: Instant, ms: u64) -> Instant {
        base + Duration::from_millis(ms)
    }

    /// So many messages of 200 ms, one after the other, all of them sent.
    fn playing(base: Instant, messages: u64) -> (Marks, Vec<MarkId>) {
        let mut marks = Marks::new(0);
        let ids: Vec<MarkId> = (0..messages).map(|_| marks.offer(message(3_200))).collect();
        for (n, id) in (0..).zip(&ids) {
            let offered = marks.answered(*id).expect("it was offered");
            let (begins, due) = (at(base, 200 * n), at(base, 200 * (n + 1)));
            let (number, audio, pcm) = (0, offered.audio, Vec::new());
            marks.out(Sent {
                sequence: id.sequence,
                number,
                serial: offered.serial,
                audio,
                heard: 0,
                begins,
                due,
                taped_to: n,
                pcm,
            });
        }
        (marks, ids)
    }

    fn echoed(marks: &mut Marks, id: MarkId) -> Vec<u64> {
        std::iter::from_fn(|| marks.echoed(id)).map(|sent| sent.sequence).collect()
    }

    fn overdue(marks: &mut Marks, now: Instant) -> Vec<u64> {
        std::iter::from_fn(|| marks.overdue(now)).map(|sent| sent.sequence).collect()
    }

    #[test]
    fn a_mark_stands_for_all_that_was_sent_before_it_and_for_nothing_twice() {
        let (mut marks, ids) = playing(start(), 4);
        assert_eq!(echoed(&mut marks, ids[2]), [1, 2, 3]);
        assert_eq!(echoed(&mut marks, ids[2]), [0; 0]);
        assert_eq!(echoed(&mut marks, ids[0]), [0; 0]);
        assert!(!marks.is_empty());
        assert_eq!(echoed(&mut marks, ids[3]), [4]);
        assert!(marks.is_empty());
    }

    #[test]
    fn a_mark_says_nothing_of_audio_that_was_not_sent() {
        let mut marks = Marks::new(0);
        let ids: Vec<MarkId> = (0..3).map(|_| marks.offer(message(320))).collect();
        assert_eq!(marks.offered_bytes(), 960);
        assert_eq!(echoed(&mut marks, ids[2]), [0; 0], "nothing was sent");
        assert!(marks.answered(ids[1]).is_some(), "refused");
        assert_eq!(marks.answered(ids[1]), None, "once");
        assert_eq!(marks.offered_bytes(), 640);
        assert_eq!(overdue(&mut marks, at(start(), 1_000_000)), [0; 0], "however long ago");
    }

    #[test]
    fn what_is_told_of_audio_that_was_dropped_counts_no_more() {
        let (mut marks, ids) = playing(start(), 2);
        let offered = marks.offer(message(320));
        marks.forget();
        assert!(marks.is_empty() && marks.offered_bytes() == 0);
        assert_eq!(marks.answered(offered), None);
        let next = marks.offer(message(320));
        assert_eq!((next.generation, next.sequence), (1, 4), "no name is used twice");
        assert_eq!(echoed(&mut marks, ids[1]), [0; 0]);
        assert_eq!(Marks::new(2).offer(message(320)).generation, 2 * GENERATIONS_A_LIFE);
    }

    #[test]
    fn marks_that_do_not_come_are_waited_for_as_long_as_others_came() {
        let base = start();
        let (mut marks, ids) = playing(base, 3);
        assert_eq!(overdue(&mut marks, at(base, 2_199)), [0; 0]);
        assert_eq!(
            overdue(&mut marks, at(base, 2_200)),
            [1, 2, 3],
            "none was ever seen: from then on the clock counts"
        );
        let (mut marks, ids_2) = playing(base, 3);
        assert_eq!(echoed(&mut marks, ids_2[0]), [1]);
        assert_eq!(overdue(&mut marks, at(base, 2_399)), [0; 0], "this carrier echoes");
        assert_eq!(overdue(&mut marks, at(base, 2_400)), [2]);
        assert_eq!(ids, ids_2);
    }

    #[test]
    fn the_message_being_played_is_told_by_marks_and_by_the_clock() {
        let base = start();
        let (mut marks, ids) = playing(base, 3);
        let playing = |marks: &Marks, ms| marks.playing(at(base, ms)).map(|sent| sent.sequence);
        assert_eq!(playing(&marks, 100), Some(1));
        assert_eq!(playing(&marks, 250), Some(2));
        echoed(&mut marks, ids[1]);
        assert_eq!(playing(&marks, 250), Some(3), "the carrier is ahead of our clock");
        echoed(&mut marks, ids[2]);
        assert_eq!(playing(&marks, 250), None);
    }
}
