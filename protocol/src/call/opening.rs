//! The first word: the agent has it in a call that it is to greet, and in one that comes back.

use super::history::History;
use super::policy::{GreetedBy, Setup};
use super::prompts;

/// See the module.
#[derive(Debug)]
pub(super) struct Opening {
    /// The call was begun, or rebuilt, with the greeting to be had from the model.
    greets: bool,
    /// It is still to be had.
    greeting: bool,
    /// The caller comes back to a conversation, and was not spoken to yet.
    returned: bool,
    /// The caller was sent audio of the agent's.
    spoken: bool,
}

impl Opening {
    pub(super) fn new(setup: &Setup, history: &History) -> Self {
        let spoken = history.agent_heard();
        let conversed = history.turns().next().is_some();
        // A fault of ours on the way back leaves it to be said.
        let returned = !setup.closed && history.is_away() && (conversed || history.is_recorded());
        // What was heard of the agent when its gateway was lost is not on record; whoever spoke since was greeted.
        let greeted = spoken || conversed && history.is_recorded();
        let greets = setup.greeted_by == GreetedBy::Model && !greeted;
        Self { greets, greeting: greets, returned, spoken }
    }

    /// Whether the agent greets at all.
    pub(super) const fn greets(&self) -> bool {
        self.greets
    }

    /// Whether the agent is to speak first.
    pub(super) fn is_due(&self) -> bool {
        self.greeting || self.returned
    }

    /// Audio of the agent's came.
    pub(super) fn audio_came(&mut self) {
        (self.greeting, self.returned) = (false, false);
    }

    /// Audio of the agent's went out. True the first time.
    pub(super) fn first_audio(&mut self) -> bool {
        !std::mem::replace(&mut self.spoken, true)
    }

    /// What a response that is asked for now is told, and no other: to greet, as long as nobody did.
    pub(super) fn instructions(&self, setup: &Setup) -> Option<String> {
        self.greeting.then(|| prompts::greeting(setup))
    }

    /// What the conversation is told before the first word, if that is no greeting.
    pub(super) fn note(&self, history: &History) -> Option<String> {
        (!self.greeting).then(|| prompts::back(history.back(), history.broken_words()))
    }
}
