//! Playback of what a caller is sent, by whole messages and as times alone: when its marks are due.

use std::collections::VecDeque;

/// Playback by whole messages, as times alone.
#[derive(Debug, Default)]
pub(super) struct Play {
    /// When each message not yet played out ends.
    ends: VecDeque<u64>,
    end: u64,
    marks: VecDeque<(u64, String)>,
}

impl Play {
    pub(super) fn audio(&mut self, now: u64, samples: u32) {
        while self.ends.front().is_some_and(|end| *end <= now) {
            self.ends.pop_front();
        }
        self.end = self.end.max(now) + u64::from(samples) * 125;
        self.ends.push_back(self.end);
    }

    pub(super) fn mark(&mut self, now: u64, name: String) {
        self.marks.push_back((self.end.max(now), name));
    }

    pub(super) fn clear(&mut self, now: u64) {
        self.ends.retain(|end| *end > now);
        self.ends.truncate(1);
        self.end = self.ends.front().copied().unwrap_or(now);
        self.marks.retain(|(due, _)| *due <= self.end);
    }

    /// The next mark that playback has reached.
    pub(super) fn due(&mut self, now: u64) -> Option<String> {
        self.marks.front().filter(|(due, _)| *due <= now)?;
        self.marks.pop_front().map(|(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_echo_when_playback_gets_there_and_not_when_cleared() {
        let mut play = Play::default();
        play.mark(0, "idle".into());
        assert_eq!(play.due(0).as_deref(), Some("idle"));
        for name in ["first", "second"] {
            play.audio(1_000, 800);
            play.mark(1_000, name.into());
        }
        assert_eq!(play.due(100_999), None);
        play.clear(50_000);
        assert_eq!(play.due(101_000).as_deref(), Some("first"));
        assert_eq!(play.due(1_000_000), None);
        play.audio(2_000_000, 800);
        assert_eq!(play.end, 2_100_000);
    }
}
