//! The person on the phone: listens, answers, cuts in, loses patience.

use protocol::call::policy::GreetedBy;

use super::link::{Dice, MS, Micros, NEVER};

/// What a sound of the caller's is, and the sample that stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Cough = 9,
    Listening = 8,
    Turn = 7,
}

impl Kind {
    /// Of a frame.
    pub(crate) fn of(sample: u8) -> Option<Self> {
        [Self::Cough, Self::Listening, Self::Turn].into_iter().find(|kind| *kind as u8 == sample)
    }
}

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
    /// Chance, by answer of the agent's, of a cough, and of a listener's word.
    pub(crate) coughs: f64,
    pub(crate) listens: f64,
}

impl Manners {
    /// Of a calm person.
    pub(crate) fn calm() -> Self {
        Self {
            cuts_in: 0.3,
            utterance_ms: (900, 5000),
            think_ms: (300, 2500),
            patience_ms: (7000, 12_000),
            turns: 6,
            coughs: 0.0,
            listens: 0.0,
        }
    }
}

/// See the module.
pub(crate) struct Person {
    manners: Manners,
    /// Speaks until then.
    talking: Option<(Micros, Micros)>,
    /// A breath within the utterance.
    breath: (Micros, Micros),
    next_talk: Micros,
    /// Sounds that are to be made while the agent speaks, each so long.
    noises: Vec<(Micros, Micros, Kind)>,
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
            noises: Vec::new(),
            agent_was_audible: false,
            turns_left,
            owed_since: None,
        }
    }

    /// Whether they make a sound in the frame that begins now.
    pub(crate) fn sounds(&mut self, now: Micros, agent_audible: bool, dice: &mut Dice) -> Option<Kind> {
        if agent_audible && !self.agent_was_audible && self.noises.is_empty() {
            self.plan_noises(now, dice);
        }
        if self.talks(now, agent_audible, dice) {
            self.noises.clear();
            return Some(Kind::Turn);
        }
        self.noises.retain(|(from, length, _)| now < from + length);
        self.noises.iter().find(|(from, ..)| *from <= now).map(|(.., kind)| *kind)
    }

    fn plan_noises(&mut self, now: Micros, dice: &mut Dice) {
        if self.manners.coughs > 0.0 && dice.chance(self.manners.coughs) {
            // A cough is short, as a rule.
            let length = if dice.chance(0.06) { (250, 600) } else { (60, 240) };
            self.noises.push((now + dice.within((100, 2500)) * MS, dice.within(length) * MS, Kind::Cough));
        }
        if self.manners.listens > 0.0 && dice.chance(self.manners.listens) {
            self.noises.push((now + dice.within((2500, 4500)) * MS, dice.within((220, 900)) * MS, Kind::Listening));
        }
    }

    fn talks(&mut self, now: Micros, agent_audible: bool, dice: &mut Dice) -> bool {
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
