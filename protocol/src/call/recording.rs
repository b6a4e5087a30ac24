//! What each side heard, and when: the recording of a call, as decisions.
//!
//! One clock for both: ours, from the start of the call's first media stream, counted in samples of the stream. Three things are decided here.
//!
//! * A frame of the caller's belongs where the carrier's timestamps put it. Timestamps that cannot be (missing, standing still, of
//!   another unit) count for nothing; then frames follow each other as they come, and a line that fell silent left a gap.
//! * A message of the agent's belongs where its playback takes place: back to back with the one before it, however far ahead of
//!   real time it is sent. Playback runs later than our sending, and so do the caller's words in reaching us: echoed marks tell by how
//!   much both together, so what begins after a pause is placed that much later, where the caller heard it between words of theirs.
//! * After a `clear` the message being played is played to its end, and nothing after it is heard.

use std::time::{Duration, Instant, SystemTime};

use codecs::SampleRate;

use super::clock;
use super::context::Context;
use super::io::Output;

/// Messages this close to each other are one stretch of sound: less is a timer's lateness or a rounding.
const SNAP_MS: u64 = 10;
/// Without timestamps a pause between frames is jitter up to here.
const JITTER_MS: u64 = 200;
/// A count that begins with the stream is ahead of its first frame's arrival by no more.
const EARLY_MS: u64 = 250;
/// Frames come so late at most: what a stalled line then sends at once is what was said meanwhile.
const LATE_MS: u64 = 2_000;
/// Audio beyond what real time holds, by this much, is a carrier that does not keep time: it is left out.
const AHEAD_MS: u64 = 2_000;
/// An echo this late says nothing of the way.
const LONGEST_LAG: Duration = Duration::from_secs(1);

/// Something that was heard. `at` is the sample of the recording at which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AudioSegment {
    /// The caller's side, as it reached us.
    Caller {
        /// Where.
        at: u64,
        /// s16le mono at the stream's rate.
        pcm: Vec<u8>,
    },
    /// The agent's side, as it will be played unless a cut comes. Never before what was taped of it last, however it is told.
    Agent {
        /// Where.
        at: u64,
        /// s16le mono at the stream's rate.
        pcm: Vec<u8>,
    },
    /// Nothing that was placed from here on is heard of the agent.
    AgentCut {
        /// Where.
        at: u64,
    },
}

/// The sample of a recording that is at a moment.
fn sample(cx: &Context, at: Instant, rate: SampleRate) -> u64 {
    cx.history.started().map_or(0, |began| samples_between(began, cx.clock.wall(at), rate))
}

/// How many samples lie between two moments.
pub(crate) fn samples_between(from: SystemTime, to: SystemTime, rate: SampleRate) -> u64 {
    let since = clock::between(from, to);
    u64::try_from(since.as_micros() * u128::from(rate.hz()) / 1_000_000).unwrap_or(u64::MAX)
}

fn samples(ms: u64, rate: SampleRate) -> u64 {
    ms * u64::from(rate.hz()) / 1_000
}

/// Where the caller's frames belong.
#[derive(Debug)]
pub(crate) struct CallerTrack {
    /// Where the next frame follows the last one.
    end: u64,
    /// A timestamp of the carrier's, ms, and the sample it stands for.
    anchor: Option<(u64, u64)>,
    /// Where the stream begins, and a count that is its own.
    stream: u64,
    /// How far a timestamp may be ahead of its frame's arrival.
    early_ms: u64,
}

impl CallerTrack {
    /// Of a call that was rebuilt, or not.
    pub(crate) fn new(resumed: bool) -> Self {
        Self { end: 0, anchor: None, stream: 0, early_ms: if resumed { AHEAD_MS } else { EARLY_MS } }
    }

    /// A stream begins, there. The carrier's count begins with it, as it says it does. The arrival of the first frame says less: it may be
    /// late, and after a restart it has waited for the call to be rebuilt. It counts only where the timestamps are of another count; a call
    /// that was rebuilt has no first frame to see that by.
    pub(crate) fn begin(&mut self, at: u64) {
        (self.anchor, self.stream) = (Some((0, at)), at);
    }

    /// A frame came in, which the carrier says began at `sent_ms` of its stream.
    pub(crate) fn frame(&mut self, cx: &mut Context, rate: SampleRate, sent_ms: Option<u64>, pcm: &[u8]) {
        let (now, length) = (sample(cx, cx.now, rate), pcm.len() as u64 / 2);
        let arrived = now.saturating_sub(length);
        let (wanted, slack_ms) = match self.by_timestamp(rate, sent_ms, arrived) {
            Some(at) => (at, SNAP_MS),
            None => (arrived, JITTER_MS),
        };
        let at = if wanted > self.end + samples(slack_ms, rate) { wanted } else { self.end };
        if at + length > now + samples(AHEAD_MS, rate) {
            return cx.count("recording_ahead", 1);
        }
        self.end = at + length;
        cx.out.push_back(Output::Heard(AudioSegment::Caller { at, pcm: pcm.to_vec() }));
    }

    fn by_timestamp(&mut self, rate: SampleRate, sent_ms: Option<u64>, arrived: u64) -> Option<u64> {
        let sent = sent_ms?;
        let (first, base) = *self.anchor.get_or_insert((sent, arrived));
        let at = sent.checked_sub(first).map(|ms| base.saturating_add(ms.saturating_mul(samples(1, rate))));
        let early = arrived + samples(self.early_ms, rate);
        let credible = at.filter(|&at| at <= early && at + samples(LATE_MS, rate) >= arrived);
        match credible {
            // The `start` that our clock begins with may have come late itself: then all that follows is ahead by that.
            Some(_) if self.anchor == Some((0, self.stream)) => self.early_ms = AHEAD_MS,
            Some(_) => {}
            None => (self.anchor, self.early_ms) = (None, EARLY_MS),
        }
        credible
    }
}

/// Where the agent's messages belong.
#[derive(Debug, Default)]
pub(crate) struct AgentTrack {
    /// Where what was sent so far ends.
    end: u64,
    /// The shortest time from the moment a message should have been played to its echo: the way there and back.
    lag: Option<Duration>,
}

impl AgentTrack {
    /// A message was sent whose playback begins then. Returns where it ends.
    pub(crate) fn message(&mut self, cx: &mut Context, rate: SampleRate, begins: Instant, pcm: Vec<u8>) -> u64 {
        let wanted = sample(cx, begins + self.lag.unwrap_or_default(), rate);
        let at = if wanted > self.end + samples(SNAP_MS, rate) { wanted } else { self.end };
        self.end = at + pcm.len() as u64 / 2;
        cx.out.push_back(Output::Heard(AudioSegment::Agent { at, pcm }));
        self.end
    }

    /// The mark of a message that should have been played by `due` was echoed.
    pub(crate) fn echoed(&mut self, now: Instant, due: Instant) {
        let lag = now.saturating_duration_since(due);
        if lag <= LONGEST_LAG {
            self.lag = Some(self.lag.map_or(lag, |least| least.min(lag)));
        }
    }

    /// What was placed from there on is not heard.
    pub(crate) fn cut(&mut self, cx: &mut Context, at: u64) {
        if at < self.end {
            self.end = at;
            cx.out.push_back(Output::Heard(AudioSegment::AgentCut { at }));
        }
    }
}
