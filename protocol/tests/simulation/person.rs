//! The person on the phone: listens, answers, cuts in, loses patience.

use protocol::call::policy::GreetedBy;

use super::link::{Dice, MS, Micros, NEVER};

/// How somebody talks on the phone.
#[derive(Clone, Debug)]
pub(crate) struct Manners {
    /// Chance of cutting in on an answer of the agent.
    pub(crate) cuts_in: f64,
    /// How long an utterance is, in ms.
    pub(crate) utterance_ms: (u64, u64),
    /// How long they think after the agent fell silent, in ms.
    pub(crate) think_ms: (u64, u64),
    /// How long they stand silence before they speak up, in ms.
    pub(crate) patience_ms: (u64, u64),
    /// Turns until they have had enough.
    pub(crate) turns: u32,
}

/// See the module.
pub(crate) struct Person {
    manners: Manners,
    /// Speaks until then.
    talking: Option<(Micros, Micros)>,
    /// A breath within the utterance.
    breath: (Micros, Micros),
    next_talk: Micros,
    agent_was_audible: bool,
    /// Utterances left.
    turns_left: u32,
    /// Since when they wait for an answer to something that was long enough to be noticed.
    pub(crate) owed_since: Option<Micros>,
}

impl Person {
    pub(crate) fn new(manners: Manners) -> Self {
        let turns_left = manners.turns;
        Self {
            manners,
            talking: None,
            breath: (NEVER, NEVER),
            next_talk: NEVER,
            agent_was_audible: false,
            turns_left,
            owed_since: None,
        }
    }

    /// Whether they make a sound in the frame that begins now.
    pub(crate) fn sounds(&mut self, now: Micros, agent_audible: bool, dice: &mut Dice) -> bool {
        if agent_audible {
            self.owed_since = None;
        }
        if let Some((from, until)) = self.talking {
            if now < until {
                return !(self.breath.0..self.breath.1).contains(&now);
            }
            self.talking = None;
            self.turns_left = self.turns_left.saturating_sub(1);
            // What follows a breath that the server took for the end is a turn of its own.
            let last_words = if self.breath.1 < until { from.max(self.breath.1) } else { from };
            if until - last_words >= 900 * MS {
                self.owed_since.get_or_insert(now);
            }
            self.next_talk = now + dice.within(self.manners.patience_ms) * MS;
            self.agent_was_audible = agent_audible;
            return false;
        }
        if agent_audible != self.agent_was_audible {
            self.agent_was_audible = agent_audible;
            self.next_talk = if !agent_audible {
                now + dice.within(self.manners.think_ms) * MS
            } else if dice.chance(self.manners.cuts_in) {
                now + dice.within((100, 3000)) * MS
            } else {
                NEVER
            };
        }
        if now < self.next_talk || self.has_said_all() {
            return false;
        }
        let length = dice.within(self.manners.utterance_ms) * MS;
        self.talking = Some((now, now + length));
        self.breath = (NEVER, NEVER);
        if length > 2_000 * MS && dice.chance(0.3) {
            let at = now + 900 * MS;
            self.breath = (at, at + dice.within((60, 350)) * MS);
        }
        true
    }

    /// The line is open: somebody greets them, or did.
    pub(crate) fn connected(&mut self, now: Micros, greeted_by: GreetedBy, dice: &mut Dice) {
        match greeted_by {
            GreetedBy::Model => {
                self.owed_since = Some(now);
                self.next_talk = now + dice.within(self.manners.patience_ms) * MS;
            }
            GreetedBy::Carrier => self.next_talk = now + dice.within(self.manners.think_ms) * MS,
        }
    }

    /// They are on the line again: somebody has to tell them what happened.
    pub(crate) fn reconnected(&mut self, now: Micros, dice: &mut Dice) {
        (self.talking, self.agent_was_audible) = (None, false);
        self.owed_since = Some(now);
        self.next_talk = now + dice.within(self.manners.patience_ms) * MS;
    }

    /// Nothing more to say, and no answer to wait for.
    pub(crate) fn has_said_all(&self) -> bool {
        self.talking.is_none() && self.turns_left == 0 && self.owed_since.is_none()
    }
}
