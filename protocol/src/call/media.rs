//! The carrier's stream: it has to come, to carry audio, and to end one day.

use std::time::SystemTime;

use super::clock::between;
use super::context::Context;
use super::end::Ended;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// It should have begun by now.
    Wait,
    /// It carries no audio.
    Silence,
    /// The longest call is over.
    Longest,
}

/// The stream is to come.
pub(super) fn awaits_start(cx: &mut Context) {
    cx.deadlines.set(Timer::Wait, cx.now + cx.policy.media_wait);
}

/// It is here. The call's first one began then.
pub(super) fn began(cx: &mut Context, first: SystemTime) {
    cx.deadlines.clear(Timer::Wait);
    let left = cx.policy.max_call.saturating_sub(between(first, cx.wall()));
    cx.deadlines.set(Timer::Longest, cx.now + left);
    heard(cx);
}

/// A frame of the caller's came.
pub(super) fn heard(cx: &mut Context) {
    cx.deadlines.set(Timer::Silence, cx.now + cx.policy.media_silence);
}

/// Whatever it was, the call ends.
pub(super) fn expired(timer: Timer) -> Ended {
    match timer {
        Timer::Wait => Ended::NoMedia,
        Timer::Silence => Ended::MediaSilent,
        Timer::Longest => Ended::TooLong,
    }
}
