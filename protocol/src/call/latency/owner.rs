//! Whose a slow answer is: of its largest part whoever took most of it.

use super::{Awaited, Latency, Part};

/// A longer wait than this is slow: callers say "hello?" after about two seconds of silence, and then the answer comes into their word.
pub const SLOW_MS: u64 = 2_000;
/// The same of a greeting: whoever picks up says something within a second.
pub const SLOW_GREETING_MS: u64 = 1_000;
/// Round trips until a session is there: TCP, TLS, the WebSocket's handshake and the configuration.
const TRIPS_TO_CONNECT: u64 = 4;

/// Who a wait is owed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The carrier, or its line to the caller.
    Carrier,
    /// The way to the model's server and back.
    Network,
    /// The model's server.
    Model,
    /// This gateway.
    Us,
    /// A setting of the client's, by its name in an agent file.
    Setting(&'static str),
    /// A function of the client's own.
    Tool,
}

impl Owner {
    /// As written down; of a setting that it is one.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Carrier => "carrier",
            Self::Network => "network",
            Self::Model => "model",
            Self::Us => "us",
            Self::Setting(_) => "setting",
            Self::Tool => "tool",
        }
    }

    /// The setting, if it is one.
    #[must_use]
    pub const fn setting(self) -> Option<&'static str> {
        match self {
            Self::Setting(name) => Some(name),
            _ => None,
        }
    }
}

impl Latency {
    /// More than this is slow, ms.
    #[must_use]
    pub const fn slow_ms(&self) -> u64 {
        match self.of {
            Awaited::Greeting => SLOW_GREETING_MS,
            Awaited::Turn | Awaited::Tool | Awaited::Nudge => SLOW_MS,
        }
    }

    /// Whether the caller waited for too long.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        self.whole_ms() > self.slow_ms()
    }

    /// The largest part, and who owns most of it.
    #[must_use]
    pub fn largest(&self) -> Option<(Part, Owner)> {
        let (part, _) = self.parts.largest()?;
        let first_most = |most: (Owner, u64), next: (Owner, u64)| if next.1 > most.1 { next } else { most };
        let (owner, _) = self.shares(part).into_iter().flatten().reduce(first_most)?;
        Some((part, owner))
    }

    /// Who took how much of a part, ms.
    #[must_use]
    pub fn shares(&self, part: Part) -> [Option<(Owner, u64)>; 3] {
        let ms = self.parts.ms(part);
        let whole = |owner| [Some((owner, ms)), None, None];
        match part {
            Part::Endpointing => {
                let named = if self.settings.semantic { "eagerness" } else { "silence_ms" };
                let setting = ms.min(u64::from(self.settings.endpointing_ms));
                // The audio's way there, and the word's way back.
                let [network, model, _] = self.on_the_way(ms - setting, 1);
                [Some((Owner::Setting(named), setting)), network, model]
            }
            Part::Deciding if self.settings.confirmed => whole(Owner::Setting("interruptions")),
            Part::Deciding => whole(Owner::Us),
            Part::Tool => whole(Owner::Tool),
            Part::Connecting => self.on_the_way(ms, TRIPS_TO_CONNECT),
            // What the server begins by itself comes as late as the word that the caller had stopped.
            Part::Starting => self.on_the_way(ms, u64::from(self.asked)),
            Part::Generating => whole(Owner::Model),
            Part::Sending => whole(if self.stalled { Owner::Carrier } else { Owner::Us }),
            Part::Playing => whole(Owner::Carrier),
        }
    }

    /// So much of it was the network's, by the round trip that was measured, and the rest the model's.
    fn on_the_way(&self, ms: u64, trips: u64) -> [Option<(Owner, u64)>; 3] {
        let network = self.network_ms.unwrap_or(0).saturating_mul(trips).min(ms);
        [Some((Owner::Network, network)), Some((Owner::Model, ms - network)), None]
    }
}
