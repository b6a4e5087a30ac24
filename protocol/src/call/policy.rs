//! Every limit of a call, in one place, validated once.

mod listening;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::clips::Clips;
use super::destinations::Destination;
use super::functions::{CallContext, Function};
use super::prompts;
use super::template::Template;
use crate::realtime::command::Vad;
use crate::realtime::event::AudioFormat;
pub use listening::{Confirmed, Detection, Interruptions, Listening, Transcriber};

/// What one call is about: from its client's row.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// System prompt; a template.
    pub instructions: String,
    /// What the caller is greeted with; a template.
    pub greeting: String,
    /// What is known for the templates without asking anybody.
    pub known: BTreeMap<String, String>,
    /// How long a session waits for the client to say who calls; none: it is not asked.
    pub context: Option<Duration>,
    /// Who speaks the greeting.
    pub greeted_by: GreetedBy,
    /// BCP 47, e.g. `hi-IN`.
    pub language: String,
    /// How the caller is listened to.
    pub listening: Listening,
    /// How fast the voice speaks, 0.25 to 1.5; none: as it does.
    pub speed: Option<f32>,
    /// Voice name, or the server's default.
    pub voice: Option<String>,
    /// Functions the client's agent may call besides the built-in `end_call` and `transfer_call`.
    pub tools: Vec<Function>,
    /// Where callers may be handed on to; none: the flow knows.
    pub destinations: Vec<Destination>,
    /// Sentences for a caller who waits for a function that has none of its own.
    pub hold_words: Vec<String>,
    /// Fixed sentences, as audio.
    pub clips: Arc<Clips>,
    /// No model is told any key that the caller presses.
    pub secret_keys: bool,
    /// The client's agent does not answer at this time: the greeting says so, and the call ends when it was heard.
    pub closed: bool,
}

impl Setup {
    /// The greeting with what is known without asking anybody.
    #[must_use]
    pub fn greeting_as_known(&self) -> String {
        self.fill(&self.greeting, None, plainly)
    }

    /// The same call as far as it is known by now. What the carrier greeted with was said before anybody was asked.
    pub(crate) fn filled(self: &Arc<Self>, context: Option<&CallContext>) -> Arc<Self> {
        let has_places = self.instructions.contains("{{") || self.greeting.contains("{{");
        if !has_places && context.is_none() {
            return Arc::clone(self);
        }
        let mut setup = Self::clone(self);
        let asked = context.filter(|_| self.greeted_by == GreetedBy::Model);
        setup.greeting = self.fill(&self.greeting, asked, plainly);
        setup.instructions = self.fill(&self.instructions, context, prompts::quoted);
        if setup.instructions != self.instructions {
            setup.instructions = format!("{}\n\n{}", setup.instructions, prompts::QUOTED);
        }
        if let Some(context) = context {
            if let Some(more) = &context.instructions {
                setup.instructions = format!("{}\n\n{more}", setup.instructions);
            }
            setup.language = context.language.clone().unwrap_or(setup.language);
            setup.voice = context.voice.clone().or(setup.voice);
        }
        Arc::new(setup)
    }

    /// A template with what is known; a text that is none stays as it is.
    fn fill(&self, text: &str, context: Option<&CallContext>, as_told: fn(&str) -> Cow<'_, str>) -> String {
        let Ok(template) = Template::parse(text) else { return text.to_owned() };
        template.fill(|name| {
            let asked = || context.and_then(|context| context.variables.get(name));
            self.known.get(name).or_else(asked).filter(|value| !value.trim().is_empty()).map(|value| as_told(value))
        })
    }

    /// The same call outside of the client's hours: these words are all that is said.
    #[must_use]
    pub fn closed(self, words: String) -> Self {
        let greeted_by = if words.trim().is_empty() { GreetedBy::Carrier } else { self.greeted_by };
        let instructions = prompts::CLOSED.to_owned();
        let (tools, destinations) = (Vec::new(), Vec::new());
        Self { instructions, greeting: words, greeted_by, tools, destinations, context: None, closed: true, ..self }
    }

    /// The function of that name.
    pub(crate) fn function(&self, name: &str) -> Option<&Function> {
        self.tools.iter().find(|function| function.tool.name == name)
    }
}

/// As it is said.
fn plainly(value: &str) -> Cow<'_, str> {
    Cow::from(value)
}

/// Who speaks the greeting: never both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GreetedBy {
    /// The model, as its first response (voicebot URL, static URL).
    Model,
    /// Exotel's `<Say>` before the stream (call-start's XML); the model is told that it was said.
    Carrier,
}

/// Every limit of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Asked of the model, both ways.
    pub format: AudioFormat,
    /// Recogniser for the caller's words.
    pub transcription_model: Option<String>,
    /// Server VAD.
    pub vad: Vad,
    /// ms of audio in one message to the carrier (200 ms is 3,200 bytes at 8 kHz).
    pub chunk_ms: u32,
    /// How far ahead of real time we send.
    pub lead: Duration,
    /// Caller audio held before the first session is ready.
    pub hold: Duration,
    /// Caller audio held while a session is replaced.
    pub hold_redial: Duration,
    /// Longest call.
    pub max_call: Duration,
    /// How long an admitted call waits for its media stream: twice what the carrier's handshake takes, and the time in which the
    /// carrier says the greeting.
    pub media_wait: Duration,
    /// A greeting that the model speaks is asked for before the stream begins; else when it does.
    pub greet_early: bool,
    /// A media stream without audio for this long is over.
    pub media_silence: Duration,
    /// One connection attempt, from dial to `session.updated`.
    pub connect_timeout: Duration,
    /// How long a caller waits without a usable model before the flow goes on.
    pub model_wait: Duration,
    /// How long the model may take to answer a turn.
    pub answer_wait: Duration,
    /// How long a caller waits for an answer in all, over sessions that are lost and words of theirs that nobody answers.
    pub patience: Duration,
    /// How long a function of the client's may take; then the model is told that it took too long.
    pub tool_wait: Duration,
    /// First pause between connection attempts; doubles.
    pub redial_backoff: Duration,
    /// So many sessions lost within [`Policy::session_loss_window`], and the model is given up, however much each of them said.
    pub session_losses: usize,
    /// See there.
    pub session_loss_window: Duration,
    /// Age at which a session is replaced in a quiet moment, if its server does not say when it ends it.
    pub roll_after: Duration,
    /// Failed responses in a row that are retried.
    pub response_retries: u32,
    /// After the goodbye is sent, how long its last mark may take beyond the audio.
    pub goodbye_slack: Duration,
    /// How long the model's connection is kept for the transcript of what the caller said last, once they have left.
    pub last_words: Duration,
    /// Turns of history replayed into a new session.
    pub replay_turns: usize,
    /// What each side hears is recorded.
    pub record: bool,
    /// What is done about a caller who says nothing any more; none: nothing.
    pub silence: Option<Silence>,
}

/// What is done about a caller who says nothing any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// So long nobody speaks before the caller is nudged, or the call ends.
    pub after: Duration,
    /// What they hear then, one at a time; none: the model says it.
    pub words: Vec<String>,
    /// How often.
    pub nudges: u32,
    /// What follows.
    pub then: Then,
}

/// What follows when a caller was nudged in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// The call ends.
    HangUp,
    /// They are handed on to that destination.
    Transfer(String),
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            format: AudioFormat::Pcm { rate: 24_000 },
            transcription_model: Some("gpt-realtime-whisper".to_owned()),
            vad: Vad { threshold: 0.5, prefix_padding_ms: 300, silence_duration_ms: 500 },
            chunk_ms: 200,
            lead: Duration::from_millis(500),
            hold: Duration::from_secs(3),
            hold_redial: Duration::from_secs(1),
            max_call: Duration::from_secs(3300),
            media_wait: Duration::from_secs(20),
            greet_early: true,
            media_silence: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            model_wait: Duration::from_secs(10),
            answer_wait: Duration::from_secs(8),
            patience: Duration::from_secs(30),
            tool_wait: Duration::from_secs(15),
            redial_backoff: Duration::from_millis(250),
            session_losses: 5,
            session_loss_window: Duration::from_secs(60),
            roll_after: Duration::from_secs(50 * 60),
            response_retries: 2,
            goodbye_slack: Duration::from_secs(2),
            last_words: Duration::from_secs(2),
            replay_turns: 20,
            record: false,
            silence: None,
        }
    }
}

/// A limit that cannot hold.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{name}: {problem}")]
pub struct PolicyError {
    /// The field.
    pub name: &'static str,
    /// What is wrong, and the mend.
    pub problem: &'static str,
}

impl Policy {
    /// Checks every limit against the others.
    ///
    /// # Errors
    /// Names the first limit that cannot hold.
    pub fn validate(&self) -> Result<(), PolicyError> {
        let check = |ok: bool, name, problem| if ok { Ok(()) } else { Err(PolicyError { name, problem }) };
        check(
            self.chunk_ms >= 20 && self.chunk_ms <= 1000 && self.chunk_ms.is_multiple_of(20),
            "chunk_ms",
            "must be a multiple of 20 from 20 to 1000",
        )?;
        check(self.lead >= Duration::from_millis(u64::from(self.chunk_ms)), "lead", "must be at least one chunk")?;
        check(self.lead <= Duration::from_secs(5), "lead", "must be at most 5 s, or an interruption is heard late")?;
        check((0.0..=1.0).contains(&self.vad.threshold), "vad.threshold", "must be from 0 to 1")?;
        check(!self.max_call.is_zero(), "max_call", "must not be zero")?;
        check(!self.connect_timeout.is_zero(), "connect_timeout", "must not be zero")?;
        check(self.session_losses > 0, "session_losses", "must be at least 1")?;
        check(self.last_words <= Duration::from_secs(2), "last_words", "must be at most 2 s")?;
        check(self.hold <= Duration::from_secs(30), "hold", "must be at most 30 s")?;
        Ok(())
    }
}
