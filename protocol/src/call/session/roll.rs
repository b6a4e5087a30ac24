//! A session is replaced before its server ends it: the next one is ready first, and takes over in a quiet moment.
//!
//! If no such moment comes, the server closes the session, and the next one takes over as after any loss.

use std::time::{Duration, Instant, SystemTime};

use super::super::context::Context;
use super::super::io::{ConnId, ModelCommand};
use super::{Session, Stage, Timer};

/// So long before its end a session's replacement is dialled. A conversation has a quiet moment every minute or so, and a dial that
/// fails is tried again after [`ROLL_RETRY`]: there is time for many of both.
const MARGIN: Duration = Duration::from_secs(5 * 60);
/// Of a short life the last quarter is enough.
const SHARE: u32 = 4;
/// Who is said to live for less, or for longer, was told of in another unit or by another clock.
const SHORTEST_LIFE: Duration = Duration::from_secs(60);
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);
/// How long a replacement that could not be had is not tried again.
const ROLL_RETRY: Duration = Duration::from_secs(30);

impl Session {
    /// The server says when it will end a session, unix seconds: it is replaced before that. It may say so again.
    pub(crate) fn expires(&mut self, cx: &mut Context, id: ConnId, expires_at: Option<i64>) {
        let Some(conn) = self.find(id).filter(|conn| conn.expires.is_none()) else { return };
        let Some(told) = expires_at else { return };
        conn.expires = moment(cx, told);
        if conn.expires.is_none() {
            cx.count("expiry_ignored", 1);
        } else if self.ready() == Some(id) && self.next.is_none() {
            self.arm_roll(cx);
        }
    }

    /// When the session in use is old.
    pub(super) fn arm_roll(&self, cx: &mut Context) {
        if let Some(conn) = &self.current {
            let at = conn.expires.map_or(conn.since + cx.policy.roll_after, |at| roll_at(conn.since, at));
            cx.deadlines.set(Timer::Roll, at);
        }
    }

    /// The session is old: have its replacement ready before it is needed.
    pub(super) fn roll(&mut self, cx: &mut Context) {
        if self.ready().is_some() && self.next.is_none() {
            let next = self.open(cx);
            self.next = Some(next);
            cx.deadlines.set(Timer::Roll, cx.now + ROLL_RETRY);
        } else if self.next.as_ref().is_some_and(|c| c.stage != Stage::Ready) {
            self.drop_next(cx);
        }
    }

    pub(super) fn drop_next(&mut self, cx: &mut Context) {
        if let Some(next) = self.next.take() {
            cx.model(next.id, ModelCommand::Close);
        }
        cx.deadlines.set(Timer::Roll, cx.now + ROLL_RETRY);
    }

    /// A quiet moment: if a replacement is ready, it takes over.
    pub(crate) fn take_over(&mut self, cx: &mut Context) -> Option<ConnId> {
        let next = self.next.take_if(|c| c.stage == Stage::Ready)?;
        if let Some(old) = self.current.take() {
            cx.model(old.id, ModelCommand::Close);
        }
        cx.stopwatch.other_way();
        let id = next.id;
        self.current = Some(next);
        self.errors.clear();
        self.arm_roll(cx);
        Some(id)
    }

    /// Closes the replacement, if there is one.
    pub(crate) fn close_next(&mut self, cx: &mut Context) {
        if let Some(next) = self.next.take() {
            cx.model(next.id, ModelCommand::Close);
        }
    }
}

/// The moment of an end that a server tells, unix seconds. It does not tell what its own clock shows, so ours is believed.
fn moment(cx: &Context, expires_at: i64) -> Option<Instant> {
    let secs = u64::try_from(expires_at).ok()?;
    let end = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(secs))?;
    let left = end.duration_since(cx.wall()).ok()?;
    (SHORTEST_LIFE..=LONGEST_LIFE).contains(&left).then(|| cx.now + left)
}

/// When to dial the replacement of a session that was dialled then and ends then.
fn roll_at(since: Instant, expires: Instant) -> Instant {
    let life = expires.saturating_duration_since(since);
    since + life.saturating_sub(MARGIN.min(life / SHARE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a base for virtual time")]
    fn a_replacement_is_had_five_minutes_early_or_a_quarter_of_a_short_life() {
        let since = Instant::now();
        let secs = |secs| Duration::from_secs(secs);
        for (life, at) in [(3_600, 3_300), (7_200, 6_900), (1_200, 900), (600, 450), (40, 30), (0, 0)] {
            assert_eq!(roll_at(since, since + secs(life)), since + secs(at), "{life} s");
        }
    }
}
