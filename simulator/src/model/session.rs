//! One session: everything a client's event or the passing of time makes the server say.
//!
//! No socket and no timer here: events go in with the time, what is to be sent comes out in `out`, and `deadline` says
//! when to come back.

mod answer;
mod client;
mod faults;
mod listen;
mod plan;
mod respond;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::{Rng, SeedableRng, distr::Alphanumeric, rngs::SmallRng};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::config::{Config, Refusal};
use super::handle::{Shared, Tracked};
use super::input::Input;
use faults::Fault;
use respond::Active;

/// How long the real server lets a session live.
const LIFETIME: Duration = Duration::from_secs(3_600);

/// How the server ends a connection.
#[derive(Debug)]
pub(super) enum Ending {
    /// With a close frame.
    Close { code: u16, reason: &'static str },
    /// By resetting TCP.
    Reset,
}

pub(super) struct Session {
    shared: Arc<Shared>,
    tracked: Arc<Tracked>,
    rng: SmallRng,
    began: Instant,
    /// To be sent, in order.
    pub(super) out: Vec<Message>,
    /// To be done once `out` is sent.
    pub(super) ending: Option<Ending>,
    config: Config,
    input: Input,
    /// Decoded audio of the append at hand.
    scratch: Vec<u8>,
    agenda: Vec<(Instant, Due)>,
    response: Option<Active>,
    history: History,
    /// The id that the caller's turn at hand will have.
    user_item: String,
    /// The conversation's id.
    conversation_id: String,
}

/// What was said so far.
#[derive(Debug, Default)]
struct History {
    /// Responses so far.
    responses: u32,
    /// The script's next answer.
    turn: usize,
    /// ms of the caller's audio committed.
    user_ms: f64,
    /// ms of audio generated.
    assistant_ms: f64,
    /// Input tokens of the last response: cached for the next.
    cached_tokens: u64,
}

/// Something to do later.
#[derive(Debug)]
enum Due {
    TranscriptDelta { item: String, delta: String },
    TranscriptDone { item: String, text: String, seconds: u64 },
    Fault(Fault),
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, number: u64, target: &str, headers: &[(String, String)]) -> Self {
        let mut rng = SmallRng::seed_from_u64(shared.options.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (id, conversation_id) = (new_id(&mut rng, "sess_"), new_id(&mut rng, "conv_"));
        let expires_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| (now + LIFETIME).as_secs());
        let model = query_value(target, "model").unwrap_or_default();
        let config = Config::new(&id, model, expires_at);
        let tracked = shared.track(number, &id, target, headers);
        tracked.update(|log| log.config = config.session.clone());
        Self {
            shared,
            tracked,
            rng,
            began: Instant::now(),
            out: Vec::new(),
            ending: None,
            config,
            input: Input::new(),
            scratch: Vec::new(),
            agenda: Vec::new(),
            response: None,
            history: History::default(),
            user_item: String::new(),
            conversation_id,
        }
    }

    /// What the server says first. `beta`: the client asked for the interface that is no more.
    pub(super) fn start(&mut self, now: Instant, beta: bool) {
        self.began = now;
        if beta {
            let message = "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API.";
            self.error("beta_api_shape_disabled", message, None, None);
            let reason = "invalid_request_error.beta_api_shape_disabled";
            self.ending = Some(Ending::Close { code: 4000, reason });
            return;
        }
        let session = self.config.session.clone();
        self.emit("session.created", json!({"session": session}));
        self.arm_faults(now);
    }

    /// When [`Self::on_tick`] is next due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let agenda = self.agenda.iter().map(|(at, _)| *at).min();
        agenda.into_iter().chain(self.response.as_ref().and_then(Active::next_at)).min()
    }

    pub(super) fn on_tick(&mut self, now: Instant) {
        self.continue_response(now);
        while let Some(index) = self.agenda.iter().position(|(at, _)| *at <= now) {
            match self.agenda.remove(index).1 {
                Due::TranscriptDelta { item, delta } => self.transcript_delta(&item, &delta),
                Due::TranscriptDone { item, text, seconds } => self.transcript_done(&item, &text, seconds),
                Due::Fault(fault) => self.run_fault(fault, now),
            }
        }
        self.shared.changed();
    }

    /// The session is over.
    pub(super) fn ended(&self, how: String) {
        self.tracked.update(|log| log.closed = Some(how));
        self.shared.changed();
    }

    /// Sends an event: `fields` and what every event has, in the order in which the real server has them.
    fn emit(&mut self, kind: &'static str, fields: Value) {
        let fields = fields.to_string();
        let event_id = self.id("event_");
        let unknown = if self.shared.faults.get().unknown_events { r#""x_new":{"nested":[1,null]},"# } else { "" };
        let rest = fields.get(1..).unwrap_or("}");
        let comma = if rest == "}" { "" } else { "," };
        self.out.push(Message::text(format!(r#"{{"type":"{kind}",{unknown}"event_id":"{event_id}"{comma}{rest}"#)));
        self.tracked.sent(kind);
    }

    fn refuse(&mut self, refusal: Refusal, event_id: Option<&str>) {
        self.error(refusal.code, &refusal.message, refusal.param, event_id);
    }

    fn error(&mut self, code: &str, message: &str, param: Option<String>, event_id: Option<&str>) {
        let kind = if matches!(code, "server_error" | "session_expired") { code } else { "invalid_request_error" };
        let error = json!({"type": kind, "code": code, "message": message, "param": param, "event_id": event_id});
        self.emit("error", json!({"error": error}));
        self.tracked.error(code);
    }

    fn id(&mut self, prefix: &str) -> String {
        new_id(&mut self.rng, prefix)
    }

    fn after(&mut self, now: Instant, ms: std::ops::Range<u64>) -> Instant {
        now + Duration::from_millis(self.rng.random_range(ms))
    }
}

fn new_id(rng: &mut SmallRng, prefix: &str) -> String {
    let mut id = String::with_capacity(prefix.len() + 21);
    id.push_str(prefix);
    id.extend(rng.sample_iter(Alphanumeric).take(21).map(char::from));
    id
}

/// The value of a query parameter; those of this protocol need no decoding.
pub(super) fn query_value<'a>(target: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = target.split_once('?')?;
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}
