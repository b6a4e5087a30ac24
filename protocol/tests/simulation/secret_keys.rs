//! Keys that nobody is told: nothing that comes out of a call has one of them, and nobody hears whoever presses them.

use protocol::call::fact::Fact;
use protocol::call::io::{ModelCommand, Output};
use protocol::call::recording::AudioSegment;
use protocol::realtime::command::ClientEvent;

use super::link::{Micros, SEC};

/// So many keys in a row are no coincidence.
const RUN: usize = 8;
/// So long behind a key nobody hears the caller.
const UNHEARD: Micros = 3 * SEC;

/// See the module.
#[derive(Default)]
pub(crate) struct SecretKeys {
    watched: bool,
    typed: String,
    unheard_until: Micros,
}

impl SecretKeys {
    /// Of a call whose every key is secret, or of another.
    pub(crate) fn new(watched: bool) -> Self {
        Self { watched, ..Self::default() }
    }

    pub(crate) fn are_watched(&self) -> bool {
        self.watched
    }

    /// The call is told a key.
    pub(crate) fn pressed(&mut self, now: Micros, key: char) {
        self.typed.push(key);
        self.unheard_until = now + UNHEARD;
    }

    /// What stands on record of an entry.
    pub(crate) fn entered(keys: &str) {
        assert!(keys.starts_with("{{digits:") || keys == "#" || keys == "?", "{keys} is told");
    }

    pub(crate) fn judge(&self, now: Micros, output: &Output) {
        let told = match output {
            _ if !self.watched => return,
            Output::Record(Fact::Dtmf { digit }) => panic!("{digit} is on record"),
            Output::Heard(AudioSegment::Caller { pcm, .. }) => {
                let silent = now >= self.unheard_until || pcm.iter().all(|byte| *byte == 0);
                return assert!(
                    silent,
                    "the caller is heard, {} ms before they may be",
                    (self.unheard_until - now) / 1000
                );
            }
            Output::Record(fact) => format!("{fact:?}"),
            Output::Model(_, ModelCommand::Send(ClientEvent::Append(_), _)) => return,
            Output::Model(_, ModelCommand::Send(event, _)) => format!("{event:?}"),
            Output::Run { effect, .. } => format!("{effect:?}"),
            _ => return,
        };
        let keys = self.typed.as_bytes();
        let found = keys.windows(RUN).find(|run| told.as_bytes().windows(RUN).any(|text| text == *run));
        assert!(found.is_none(), "{told}");
    }
}
