//! What a client's agent may do besides talking, and what comes of it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::realtime::command::Tool;

/// A function of the client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// As the model is told of it.
    pub tool: Tool,
    /// How long it may take; none: [`super::policy::Policy::tool_wait`].
    pub wait: Option<Duration>,
    /// Whether it changes something.
    pub effect: FunctionEffect,
    /// What the caller hears while it runs; none: [`super::policy::Setup::hold_words`].
    pub say_while: Vec<String>,
    /// Whether the model says something once it has returned.
    pub answer: FunctionAnswer,
    /// It may be given what the caller typed in secret.
    pub takes_digits: bool,
}

impl Function {
    /// One that nothing special is known of: it may change something.
    #[must_use]
    pub const fn new(tool: Tool) -> Self {
        let (effect, answer) = (FunctionEffect::Write, FunctionAnswer::Speak);
        Self { tool, wait: None, effect, say_while: Vec::new(), answer, takes_digits: false }
    }
}

/// Whether a function changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionEffect {
    /// It only looks: once nobody waits for it any more, it may be given up.
    Read,
    /// It does, or may: what was begun is let finish.
    Write,
}

/// Whether the model says something once a function has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionAnswer {
    /// It does.
    Speak,
    /// It does not, and nobody waits for it.
    Silent,
}

/// What an effect came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// A function returned.
    Function(Returned),
    /// It is known who calls, as far as the client says.
    Context(CallContext),
}

/// What a function returned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Returned {
    /// For the model: JSON or words.
    pub output: String,
    /// What is to become of the call.
    pub steer: Option<Steer>,
}

impl From<String> for Returned {
    fn from(output: String) -> Self {
        Self { output, steer: None }
    }
}

impl From<Returned> for Ran {
    fn from(returned: Returned) -> Self {
        Self::Function(returned)
    }
}

impl From<String> for Ran {
    fn from(output: String) -> Self {
        Self::Function(output.into())
    }
}

/// What is to become of a call, by the word of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Steer {
    /// The caller is handed on to that destination.
    Transfer(String),
    /// It ends, once the agent has said what it has to say.
    HangUp,
}

/// What a client says of a call that begins. All of it is data, of bounded length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallContext {
    /// For the templates of the greeting and the instructions.
    pub variables: BTreeMap<String, String>,
    /// Added to the instructions.
    pub instructions: Option<String>,
    /// BCP 47.
    pub language: Option<String>,
    /// Voice name.
    pub voice: Option<String>,
    /// The call is not wanted: why.
    pub refuse: Option<String>,
}
