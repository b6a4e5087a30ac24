//! Caller audio before, during and between model sessions.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use codecs::SampleRate;

use super::context::Context;
use super::io::ConnId;
use super::keypad::Keypad;
use super::recording::CallerTrack;
use crate::realtime::command::ClientEvent;

/// A frame at least this loud may be speech.
const LOUD_DBFS: f32 = -35.0;
/// So much of it is.
const VOICE: Duration = Duration::from_millis(400);
/// How long a server's detector may take to notice that a voice has gone.
const DETECTOR_LAG: Duration = Duration::from_millis(500);
/// A server measures silence in the audio it gets: a line that stops while its caller speaks never ends the turn.
const GAP: Duration = Duration::from_millis(750);
/// Silence appended then.
const FILL_MS: usize = 1000;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// Audio of a caller who is speaking stopped coming.
    Gap,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Uplink {
    rate: SampleRate,
    /// Appended since the session was ready, in bytes.
    appended: u64,
    held: VecDeque<Vec<u8>>,
    held_bytes: usize,
    hold: Duration,
    voice: Duration,
    last_loud: Option<Instant>,
    track: CallerTrack,
    /// What the caller presses: its tones are not for every ear.
    pub(super) keypad: Keypad,
}

impl Uplink {
    pub(crate) fn new(hold: Duration, resumed: bool) -> Self {
        Self {
            rate: SampleRate::Hz8000,
            appended: 0,
            held: VecDeque::new(),
            held_bytes: 0,
            hold,
            voice: Duration::ZERO,
            last_loud: None,
            track: CallerTrack::new(resumed),
            keypad: Keypad::default(),
        }
    }

    /// A stream begins, at that sample of the recording.
    pub(crate) fn start(&mut self, rate: SampleRate, at: u64) {
        self.rate = rate;
        self.track.begin(at);
    }

    /// One frame from the caller, for the recording.
    pub(crate) fn tape(&mut self, cx: &mut Context, sent_ms: Option<u64>, pcm: &[u8]) {
        if cx.policy.record {
            self.track.frame(cx, self.rate, sent_ms, pcm);
        }
    }

    /// One frame from the caller: to the session if there is one, else held within the bound, the oldest dropped.
    pub(crate) fn push(&mut self, cx: &mut Context, session: Option<ConnId>, pcm: Vec<u8>) {
        match session {
            Some(conn) => self.append(cx, conn, pcm),
            None => {
                self.held_bytes += pcm.len();
                self.held.push_back(pcm);
                let bound = usize::try_from(self.hold.as_millis()).unwrap_or(usize::MAX) * self.rate.bytes_per_ms();
                while self.held_bytes > bound {
                    let Some(oldest) = self.held.pop_front() else { break };
                    self.held_bytes -= oldest.len();
                    cx.count("uplink_dropped", 1);
                }
            }
        }
    }

    fn append(&mut self, cx: &mut Context, conn: ConnId, pcm: Vec<u8>) {
        self.appended += pcm.len() as u64;
        cx.send(conn, ClientEvent::Append(pcm));
    }

    /// A session is ready: what was held goes first.
    pub(crate) fn open(&mut self, cx: &mut Context, conn: ConnId) {
        self.appended = 0;
        self.held_bytes = 0;
        for pcm in std::mem::take(&mut self.held) {
            self.append(cx, conn, pcm);
        }
    }

    /// The session is gone: hold a little, what is older would only delay the conversation.
    pub(crate) fn close(&mut self, hold: Duration) {
        self.hold = hold;
    }

    /// How long a frame is.
    pub(crate) fn length(&self, bytes: usize) -> Duration {
        Duration::from_micros((bytes * 1000 / self.rate.bytes_per_ms()) as u64)
    }

    /// ms appended in this session.
    pub(crate) fn appended_ms(&self) -> u64 {
        self.appended / self.rate.bytes_per_ms() as u64
    }

    /// Watches the gap timer while the server thinks that the caller speaks.
    pub(crate) fn watch_gap(cx: &mut Context, speaking: bool) {
        if speaking {
            cx.deadlines.set(Timer::Gap, cx.now + GAP);
        } else {
            cx.deadlines.clear(Timer::Gap);
        }
    }

    /// The line stopped while its caller spoke.
    pub(super) fn expired(&mut self, cx: &mut Context, Timer::Gap: Timer, session: Option<ConnId>) {
        if let Some(conn) = session {
            cx.count("uplink_gap_filled", 1);
            self.append_silence(cx, conn);
        }
    }

    /// Silence enough for a server to see that whoever spoke does no more.
    pub(crate) fn append_silence(&mut self, cx: &mut Context, conn: ConnId) {
        let silence = vec![0; FILL_MS * self.rate.bytes_per_ms()];
        self.append(cx, conn, silence);
    }

    /// When the caller was last loud, if that was up to half a second before the server's detector says that speech ended:
    /// detectors are slow to let go. A noisy line is loud all the time, and tells nothing.
    pub(crate) fn last_speech(&self, detected: Instant) -> Instant {
        let credible = |at: &Instant| *at < detected && detected.saturating_duration_since(*at) <= DETECTOR_LAG;
        self.last_loud.filter(credible).unwrap_or(detected)
    }

    /// When the caller was last loud, however long ago; now, if that is not known.
    pub(crate) fn last_loud(&self, now: Instant) -> Instant {
        self.last_loud.unwrap_or(now)
    }

    /// Whether the caller makes no sound, and has not for so long.
    pub(crate) fn is_silent(&self, now: Instant, silence: Duration) -> bool {
        self.last_loud.is_none_or(|at| now.saturating_duration_since(at) >= silence)
    }

    /// Whether the caller was loud for a while and then silent: a voice that a server should have noticed. A noisy line
    /// never falls silent.
    pub(crate) fn has_spoken(&mut self, now: Instant, bytes: usize, level_dbfs: f32) -> bool {
        if level_dbfs >= LOUD_DBFS {
            self.last_loud = Some(now);
            self.voice += self.length(bytes);
            return false;
        }
        let silent = self.last_loud.is_some_and(|at| now.saturating_duration_since(at) > GAP);
        silent && std::mem::take(&mut self.voice) >= VOICE
    }

    /// The server noticed, or the model speaks: begin again.
    pub(crate) fn forget_voice(&mut self) {
        self.voice = Duration::ZERO;
    }
}
