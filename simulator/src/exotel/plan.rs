//! What a simulated call is to do.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use codecs::SampleRate;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::sync::mpsc;
use url::Url;

use super::report::Event;
use super::rude::Rudeness;
use super::voice::Voice;

/// One simulated call. [`CallPlan::new`] gives an ordinary, well-mannered one; every field may be changed after it.
#[derive(Clone, Debug)]
pub struct CallPlan {
    /// Base URL of the gateway's HTTP side; a path prefix is kept.
    pub gateway: Url,
    /// The caller, in any spelling; sent as Exotel spells numbers.
    pub from: String,
    /// The Exotel number called, in any spelling.
    pub to: String,
    /// The call's id; one is made from the seed when there is none.
    pub call_sid: Option<String>,
    /// How the media socket's URL is come by.
    pub mode: Mode,
    /// What the webhooks are authenticated with.
    pub auth: WebhookAuth,
    /// How caller audio is cut into messages.
    pub frame: FrameShape,
    /// Rate of the audio both ways.
    pub rate: SampleRate,
    /// What the caller does, in order.
    pub script: Vec<Say>,
    /// How the call ends once the script is done.
    pub end: HangUp,
    /// What goes wrong on purpose.
    pub rude: Rudeness,
    /// Which webhooks follow the call.
    pub after: AfterCall,
    /// Decides everything random about the call.
    pub seed: u64,
    /// How long a step of the script waits for the agent before the caller goes on regardless.
    pub patience: Duration,
    /// The longest the whole call may take; it is hung up then.
    pub timeout: Duration,
    /// Told of every event as it happens; an event that does not fit into the channel is left out of it (not out of the report).
    pub observer: Option<mpsc::Sender<Event>>,
}

impl CallPlan {
    /// A polite call through the call-start webhook: 20 ms frames at 8 kHz, nothing said, hung up by the caller.
    pub fn new(gateway: Url, from: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            gateway,
            from: from.into(),
            to: to.into(),
            call_sid: None,
            mode: Mode::CallStart,
            auth: WebhookAuth::default(),
            frame: FrameShape::Ms20,
            rate: SampleRate::Hz8000,
            script: Vec::new(),
            end: HangUp::Caller,
            rude: Rudeness::default(),
            after: AfterCall::default(),
            seed: 1,
            patience: Duration::from_secs(15),
            timeout: Duration::from_secs(120),
            observer: None,
        }
    }
}

/// How the media socket's URL is come by.
#[derive(Clone, Debug)]
pub enum Mode {
    /// POST to `/exotel/call-start`; the URL is in the XML (or JSON) answered.
    CallStart,
    /// GET of `/exotel/voicebot`, as the Voicebot applet's dynamic URL; the URL is in the JSON answered.
    Voicebot,
    /// A static URL in the applet, dialled without asking; `user:pass@` in it becomes Basic authentication.
    Media(Url),
}

/// What the webhooks are authenticated with; any of them together.
#[derive(Clone, Default)]
pub struct WebhookAuth {
    /// Key of the `X-Exotel-Signature` header.
    pub signature_token: Option<String>,
    /// Value of `?key=`.
    pub key: Option<String>,
    /// User and password of Basic authentication.
    pub basic: Option<(String, String)>,
}

impl std::fmt::Debug for WebhookAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookAuth")
            .field("signature", &self.signature_token.is_some())
            .field("key", &self.key.is_some())
            .field("basic", &self.basic.is_some())
            .finish()
    }
}

/// How caller audio is cut into messages. All three are seen in the field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FrameShape {
    /// 20 ms each.
    #[default]
    Ms20,
    /// 100 ms each.
    Ms100,
    /// Whole samples, but any number of them: about 72 ms on average, by the seed.
    Odd,
}

impl FrameShape {
    /// Samples of the next message.
    pub(crate) fn next_samples(self, rate: SampleRate, rng: &mut SmallRng) -> usize {
        let per_ms = rate.hz() as usize / 1_000;
        match self {
            Self::Ms20 => 20 * per_ms,
            Self::Ms100 => 100 * per_ms,
            Self::Odd => rng.random_range(24 * per_ms..=120 * per_ms),
        }
    }
}

/// One thing the caller does. Steps run in order; silence flows between utterances, since a phone line never stops.
#[derive(Clone, Debug)]
pub enum Say {
    /// Waits until the agent has begun to speak since the caller last spoke.
    AgentSpeaks,
    /// Waits until the agent has spoken since the caller last did, and then been silent for that long.
    AgentFinished(Duration),
    /// Waits.
    Wait(Duration),
    /// Waits until somebody sets it.
    Until(Arc<AtomicBool>),
    /// Speaks.
    Speak(Voice),
    /// Speaks over the agent, that long after it began (since the caller last spoke).
    BargeIn(Duration, Voice),
    /// The same for a sound that wants no answer, such as a cough: the agent is expected to go on.
    Aside(Duration, Voice),
    /// Presses a key: `0`-`9`, `*` or `#`.
    Dtmf(char),
    /// Types keys, one after another, as a carrier has it: each has its tone, and then its event.
    Type(String),
}

impl Say {
    /// Waits until the agent has spoken and then been silent for 700 ms.
    #[must_use]
    pub const fn agent_finished() -> Self {
        Self::AgentFinished(Duration::from_millis(700))
    }
}

/// How a call ends once its script is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HangUp {
    /// The caller hangs up: `stop` with reason `callended`, then the socket is closed.
    #[default]
    Caller,
    /// The applet ends the stream: `stop` with reason `stopped`.
    Applet,
    /// The gateway closes the socket; until the plan's timeout.
    Gateway,
}

/// Which webhooks follow the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AfterCall {
    /// The StatusCallback to `/exotel/call-end`, and how its body is encoded.
    pub call_end: Option<StatusBody>,
    /// The Passthru applet's GET of `/exotel/passthru`.
    pub passthru: bool,
}

/// How a StatusCallback's body is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatusBody {
    /// `multipart/form-data`: what Exotel sends unless told otherwise.
    #[default]
    Multipart,
    /// `application/x-www-form-urlencoded`.
    Urlencoded,
    /// `application/json`.
    Json,
}

/// A number as Exotel spells it: `0` and ten digits for an Indian one, the digits as they are for any other.
pub(crate) fn exotel_number(number: &str) -> String {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    match digits.len() {
        12 if digits.starts_with("91") => format!("0{}", &digits[2..]),
        10 => format!("0{digits}"),
        _ => digits,
    }
}

/// An id of Exotel's shape, 32 of `[0-9a-z]`. The salt tells a call's id from its stream's.
pub(crate) fn sid(seed: u64, salt: u64) -> String {
    const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut rng = SmallRng::seed_from_u64(seed ^ salt.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    (0..32).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect()
}
