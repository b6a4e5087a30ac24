//! A model that runs in circles is stopped.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use crate::call::context::Context;
use crate::call::prompts;

/// The same function with the same arguments so often within [`REPEATS_WITHIN`], and no more.
const MOST_REPEATS: usize = 3;
/// See there.
const REPEATS_WITHIN: Duration = Duration::from_secs(30);
/// Functions called in a minute.
const MOST_A_MINUTE: usize = 20;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// Calls of the last minute: when, and of what.
    lately: VecDeque<(Instant, u64)>,
}

impl Breaker {
    /// Why that function is not run now, if it is called too often.
    pub(super) fn trips(&mut self, cx: &mut Context, name: &str, arguments: &str) -> Option<&'static str> {
        let what = fingerprint(name, arguments);
        let age = |at: Instant| cx.now.saturating_duration_since(at);
        self.lately.retain(|(at, _)| age(*at) < Duration::from_secs(60));
        let repeats = self.lately.iter().filter(|(at, known)| *known == what && age(*at) < REPEATS_WITHIN).count();
        let why = match () {
            () if repeats >= MOST_REPEATS => prompts::CALLED_AGAIN,
            () if self.lately.len() >= MOST_A_MINUTE => prompts::CALLED_TOO_OFTEN,
            () => {
                self.lately.push_back((cx.now, what));
                return None;
            }
        };
        cx.count("tool_breaker", 1);
        Some(why)
    }
}

/// The same for the same call.
fn fingerprint(name: &str, arguments: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (name, arguments).hash(&mut hasher);
    hasher.finish()
}
