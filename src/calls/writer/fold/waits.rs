//! How long the caller of one call waited for answers.

use protocol::call::fact::Turn;
use protocol::call::latency::Latency;

/// Of the answers that were heard so far.
#[derive(Clone, Debug, Default)]
pub struct Waits {
    /// How long each took until it was sent, as far as the turns on record say, ms.
    pub(super) answers_ms: Vec<u64>,
    /// The slowest.
    pub(super) slowest: Option<Box<Latency>>,
    /// How many were slow.
    pub(super) slow: u32,
}

impl Waits {
    /// One more was heard.
    pub(super) fn heard(&mut self, latency: &Latency) {
        self.slow += u32::from(latency.is_slow());
        if self.slowest.as_ref().is_none_or(|slowest| slowest.whole_ms() < latency.whole_ms()) {
            self.slowest = Some(Box::new(latency.clone()));
        }
    }
}

/// Those of the turns on record.
impl<'a> FromIterator<&'a Turn> for Waits {
    fn from_iter<T: IntoIterator<Item = &'a Turn>>(turns: T) -> Self {
        let mut waits = Self::default();
        for turn in turns {
            waits.answers_ms.extend(turn.answer_ms);
            turn.latency.iter().for_each(|latency| waits.heard(latency));
        }
        waits
    }
}
