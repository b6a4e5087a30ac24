//! One session of a virtual Realtime server, with the conversation rules of the real one.

use codecs::SampleRate;
use protocol::call::io::ModelEvent;
use protocol::ids::ItemId;
use protocol::realtime::command::{ClientEvent, NewItem, SessionConfig};
use protocol::realtime::event::{ServerError, ServerEvent};
use protocol::realtime::event_id::EventId;
use protocol::realtime::failure::ProviderRefusal;

use super::link::{BEGAN, Dice, Link, MS, Micros, NEVER, SEC};
use super::person::Kind;
use super::response::Response;
use super::scenario::{Expiry, Fate, Names, Temper};
use super::tape::Tape;
use super::vad::{Heard, Vad};

/// What a server has at hand in one step.
pub(crate) struct Air<'a> {
    pub(crate) now: Micros,
    pub(crate) dice: &'a mut Dice,
    pub(crate) tape: &'a mut Tape,
    pub(crate) temper: &'a Temper,
    pub(crate) rate: SampleRate,
}

/// Something a server does later.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Todo {
    Open,
    Refuse,
    Close(&'static str),
    Updated,
    RefuseUpdate(Option<EventId>),
    Flood,
    Expire,
    Transcript(ItemId),
    /// The next move of the response of that number.
    Generate(u32),
}

/// What strict servers do not know of a configuration.
const DISLIKES: [Option<&str>; 4] = [
    None,
    Some("session.audio.input.noise_reduction"),
    Some("session.audio.input.transcription.model"),
    Some("session.tools"),
];

/// See the module.
pub(crate) struct Server {
    pub(crate) id: u32,
    fate: Fate,
    deaf: bool,
    /// The configuration was taken.
    configured: bool,
    pub(crate) closed: bool,
    agenda: Vec<(Micros, Todo)>,
    pub(crate) to_call: Link<ModelEvent>,
    pub(crate) from_call: Link<(ClientEvent, Option<EventId>)>,
    vad: Option<Vad>,
    /// It answers turns by itself, and stops for them.
    answers: bool,
    /// ms that it keeps before speech.
    prefix_ms: u64,
    /// What the caller is saying.
    kind: Option<Kind>,
    /// Items of the caller's that there are.
    items: Vec<ItemId>,
    pub(crate) response: Option<Response>,
    responses: u32,
    user_items: u32,
    /// The caller's turn waits for a response until a cancelled one has ended.
    reply_due: bool,
    /// When it ends.
    expires_at: Micros,
    /// What of a configuration it refuses; it may not say so.
    dislikes: Option<&'static str>,
    /// Ids of function calls in this conversation.
    calls: Vec<String>,
    /// Those of them that have their result.
    returned: Vec<String>,
    /// Requests for a response that came while one was active.
    pub(crate) collisions: u32,
    /// Other requests that it refused.
    pub(crate) refusals: u32,
}

impl Server {
    pub(crate) fn dial(id: u32, way: (Micros, Micros), air: &mut Air<'_>) -> Self {
        let temper = air.temper;
        let fate = temper.fates.iter().find(|(p, _)| air.dice.chance(*p)).map_or(Fate::Ready, |(_, fate)| *fate);
        let mut it = Self {
            id,
            fate,
            deaf: air.dice.chance(air.temper.deaf),
            configured: false,
            closed: false,
            agenda: Vec::new(),
            to_call: Link::new(way),
            from_call: Link::new(way),
            vad: None,
            answers: true,
            prefix_ms: 0,
            kind: None,
            items: Vec::new(),
            response: None,
            responses: 0,
            user_items: 0,
            reply_due: false,
            expires_at: air.now + temper.expires_after,
            dislikes: None,
            calls: Vec::new(),
            returned: Vec::new(),
            collisions: 0,
            refusals: 0,
        };
        if fate == Fate::RefusesExtras {
            it.dislikes = air.dice.pick(&DISLIKES);
        }
        let open_at = air.now + air.dice.within(air.temper.open_ms) * MS;
        match fate {
            Fate::Refused => it.later(open_at, Todo::Refuse),
            Fate::ClosedAtOnce => it.later(open_at, Todo::Close("connection reset")),
            Fate::NeverOpens => {}
            _ => it.later(open_at, Todo::Open),
        }
        if air.dice.chance(air.temper.drops) {
            it.later(air.now + air.dice.within(temper.drop_ms) * MS, Todo::Close("1006"));
        }
        it.later(it.expires_at, Todo::Expire);
        it
    }

    fn later(&mut self, at: Micros, todo: Todo) {
        self.agenda.push((at, todo));
    }

    /// When something happens here next, what is on its way to the call included.
    pub(crate) fn next_at(&self) -> Micros {
        let todo = self.agenda.iter().map(|(at, _)| *at).min().unwrap_or(NEVER);
        todo.min(self.from_call.next_at()).min(self.to_call.next_at())
    }

    /// Says something, some of it twice, as servers do.
    pub(crate) fn say(&mut self, air: &mut Air<'_>, event: ServerEvent) {
        use ServerEvent::{
            AudioDone, Committed, FunctionCall, InputTranscript, ResponseCreated, ResponseDone, SessionUpdated,
            SpeechStarted, SpeechStopped,
        };
        if matches!(
            event,
            AudioDone(_)
                | Committed { .. }
                | FunctionCall(_)
                | InputTranscript { .. }
                | ResponseCreated { .. }
                | ResponseDone(_)
                | SessionUpdated { .. }
                | SpeechStarted { .. }
                | SpeechStopped { .. }
        ) && air.dice.chance(air.temper.repeats)
        {
            self.to_call.push(air.now, air.dice, ModelEvent::Server(event.clone()));
        }
        self.to_call.push(air.now, air.dice, ModelEvent::Server(event));
    }

    pub(crate) fn error(&mut self, air: &mut Air<'_>, code: &str, answers: Option<EventId>) {
        self.error_about(air, code, answers, None);
    }

    fn error_about(&mut self, air: &mut Air<'_>, code: &str, answers: Option<EventId>, param: Option<&str>) {
        let event_id = answers.and_then(|id| match air.temper.names {
            Names::Right => Some(id.to_string()),
            Names::Foreign => Some("event_TODO".to_owned()),
            Names::Missing => None,
        });
        let (code, message, param) = (code.to_owned(), format!("{code} it is"), param.map(str::to_owned));
        self.say(air, ServerEvent::Error(ServerError { code, message, event_id, param, ..ServerError::default() }));
    }

    fn close(&mut self, air: &mut Air<'_>, why: &str) {
        self.to_call.push(air.now, air.dice, ModelEvent::Closed(why.to_owned()));
        self.stop();
    }

    /// The socket is gone.
    pub(crate) fn stop(&mut self) {
        self.closed = true;
        self.agenda.clear();
        self.response = None;
        self.from_call.clear();
    }

    /// Everything that is due here; what is due to the call is taken by the world.
    pub(crate) fn advance(&mut self, air: &mut Air<'_>) {
        while let Some((event, id)) = self.from_call.pop(air.now) {
            self.take(air, event, id);
        }
        while let Some(due) = self.agenda.iter().position(|(at, _)| *at <= air.now) {
            let (_, todo) = self.agenda.remove(due);
            self.act(air, todo);
        }
    }

    fn act(&mut self, air: &mut Air<'_>, todo: Todo) {
        match todo {
            Todo::Open => {
                self.to_call.push(air.now, air.dice, ModelEvent::Opened);
                let expires_at = self.told_expiry(air);
                self.say(air, ServerEvent::SessionCreated { expires_at });
            }
            Todo::Refuse => {
                self.to_call.push(
                    air.now,
                    air.dice,
                    ModelEvent::Refused(ProviderRefusal::Unauthorized, "HTTP 401".to_owned()),
                );
                self.stop();
            }
            Todo::Close(why) => self.close(air, why),
            Todo::Updated => {
                self.configured = true;
                let expires_at = self.told_expiry(air);
                self.say(air, ServerEvent::SessionUpdated { input: None, output: None, expires_at });
                if self.fate == Fate::FloodsErrors {
                    self.later(air.now + air.dice.within((0, 9_000)) * MS, Todo::Flood);
                }
            }
            Todo::RefuseUpdate(id) => self.error_about(air, "unknown_parameter", id, self.dislikes),
            Todo::Flood => {
                self.error(air, "server_error", None);
                self.later(air.now + 70 * MS, Todo::Flood);
            }
            Todo::Expire => {
                self.error(air, "session_expired", None);
                self.close(air, "1001");
            }
            Todo::Transcript(item) => {
                let text = match air.tape.kind_of(&item) {
                    Some(Kind::Cough) => String::new(),
                    Some(Kind::Listening) => "Haan ji.".to_owned(),
                    _ => format!("these are the words of {item}"),
                };
                self.say(air, ServerEvent::InputTranscript { item, text });
            }
            Todo::Generate(number) => self.generate(air, number),
        }
    }

    /// When it says that it ends, unix seconds.
    fn told_expiry(&self, air: &Air<'_>) -> Option<i64> {
        let secs = |at: Micros| i64::try_from(BEGAN + at / SEC).ok();
        match air.temper.expiry {
            Expiry::Absent => None,
            Expiry::Right => secs(self.expires_at),
            Expiry::Past => secs(air.now).map(|now| now - 10),
            Expiry::YearsAhead => secs(air.now).map(|now| now + 100_000_000),
        }
    }

    /// Some of what is asked of it is refused.
    fn take(&mut self, air: &mut Air<'_>, event: ClientEvent, id: Option<EventId>) {
        let may_refuse = !matches!(event, ClientEvent::SessionUpdate(_) | ClientEvent::Append(_));
        if !may_refuse || !air.dice.chance(air.temper.refuses) {
            return self.obey(air, event, id);
        }
        if let ClientEvent::CreateItem(item) = event {
            self.take_item(item);
        }
        self.refusals += 1;
        let code = air.dice.pick(&["server_error", "invalid_value", "rate_limit_exceeded"]);
        self.error(air, code, id);
    }

    fn obey(&mut self, air: &mut Air<'_>, event: ClientEvent, id: Option<EventId>) {
        match event {
            ClientEvent::SessionUpdate(config) => self.configure(air, &config, id),
            ClientEvent::Append(pcm) => self.hear(air, &pcm),
            ClientEvent::CreateItem(item) => self.take_item(item),
            ClientEvent::DeleteItem { item } => {
                let at = self.items.iter().position(|known| *known == item);
                self.items.remove(at.unwrap_or_else(|| panic!("{item} is deleted, and there is no such item")));
            }
            ClientEvent::Truncate { .. } => self.say(air, ServerEvent::Ignored),
            ClientEvent::Transcribe { .. } => {}
            ClientEvent::CreateResponse { .. } => {
                assert!(self.configured, "a response was asked of a session that is not configured");
                if self.response.is_some() {
                    self.collisions += 1;
                    self.error(air, "conversation_already_has_active_response", id);
                } else {
                    self.respond(air);
                }
            }
            ClientEvent::CancelResponse { response } => {
                if self.response.as_ref().is_some_and(|r| r.id == response) {
                    self.cancel(air);
                } else {
                    self.error(air, "response_cancel_not_active", id);
                }
            }
        }
    }

    fn configure(&mut self, air: &mut Air<'_>, config: &SessionConfig, id: Option<EventId>) {
        let at = air.now + air.dice.within(air.temper.update_ms) * MS;
        (self.answers, self.prefix_ms) = (config.answers_by_itself, u64::from(config.vad.prefix_padding_ms));
        self.vad = Some(Vad::new(u64::from(config.vad.silence_duration_ms) * MS));
        match self.fate {
            Fate::NeverUpdates => {}
            Fate::RefusesExtras if self.will_not_have(config) => self.later(at, Todo::RefuseUpdate(id)),
            Fate::RefusesAll => self.later(at, Todo::RefuseUpdate(id)),
            _ => self.later(at, Todo::Updated),
        }
    }

    fn will_not_have(&self, config: &SessionConfig) -> bool {
        match self.dislikes {
            Some(param) if param.contains("transcription") => config.transcription_model.is_some(),
            Some(param) if param.contains("tools") => !config.tools.is_empty(),
            _ => config.noise_reduction.is_some(),
        }
    }

    /// An orphan is refused by servers: every output needs its call in the same conversation.
    fn take_item(&mut self, item: NewItem) {
        match item {
            NewItem::FunctionCall { call_id, .. } => {
                assert!(!self.calls.contains(&call_id), "{call_id} is told twice in session {}", self.id);
                self.calls.push(call_id);
            }
            NewItem::FunctionOutput { call_id, .. } => {
                assert!(self.calls.contains(&call_id), "the output of {call_id} has no call in session {}", self.id);
                assert!(!self.returned.contains(&call_id), "{call_id} has two results in session {}", self.id);
                self.returned.push(call_id);
            }
            NewItem::System(_) | NewItem::User(_) | NewItem::Assistant(_) => {}
        }
    }

    fn hear(&mut self, air: &mut Air<'_>, pcm: &[u8]) {
        assert!(self.configured, "audio was appended to a session that is not configured");
        let Some(vad) = &mut self.vad else { return };
        let micros = (pcm.len() * 1000 / air.rate.bytes_per_ms()) as u64;
        let kind = pcm.first().copied().and_then(Kind::of);
        let heard = vad.hear(micros, kind.is_some());
        let (appended_ms, from_ms) = (vad.appended() / MS, vad.from() / MS);
        // What is said in a sound is the most that is in it.
        self.kind = self.kind.into_iter().chain(kind).min();
        if heard == Heard::Nothing && !vad.is_heard() {
            self.kind = kind;
        }
        match heard {
            _ if self.deaf => {}
            Heard::Nothing => {}
            Heard::Began => {
                self.user_items += 1;
                air.tape.speech_begins(self.user_item());
                let audio_start_ms = Some(from_ms.saturating_sub(self.prefix_ms));
                let speech = ServerEvent::SpeechStarted { item: self.user_item(), audio_start_ms };
                if !self.answers {
                    self.say(air, speech);
                } else if air.temper.done_before_speech && self.response.is_some() {
                    self.cancel(air);
                    self.end_now(air);
                    self.say(air, speech);
                } else {
                    self.say(air, speech);
                    self.cancel(air);
                }
                self.reply_due = false;
            }
            Heard::Ended => {
                let item = self.user_item();
                let kind = self.kind.take().unwrap_or(Kind::Turn);
                air.tape.kinds.push((item.clone(), kind));
                self.items.push(item.clone());
                if !air.dice.chance(air.temper.loses_stops) {
                    self.say(air, ServerEvent::SpeechStopped { item: item.clone(), audio_end_ms: appended_ms });
                    self.say(air, ServerEvent::Committed { item: item.clone() });
                }
                if kind != Kind::Turn {
                    self.later(air.now + air.dice.within((60, 450)) * MS, Todo::Transcript(item));
                } else if air.dice.chance(0.9) {
                    self.later(air.now + air.dice.within((100, 3000)) * MS, Todo::Transcript(item));
                }
                self.reply_due = self.answers;
                self.reply(air);
            }
        }
    }

    fn user_item(&self) -> ItemId {
        ItemId::new(format!("u{}-{}", self.id, self.user_items))
    }

    /// Answers the caller's turn by itself.
    fn reply(&mut self, air: &mut Air<'_>) {
        if self.reply_due && self.response.is_none() {
            self.reply_due = false;
            self.respond(air);
        }
    }

    fn respond(&mut self, air: &mut Air<'_>) {
        self.responses += 1;
        let response = Response::new(self.id, self.responses, air);
        self.later(air.now + air.dice.within((2, 60)) * MS, Todo::Generate(self.responses));
        self.response = Some(response);
    }

    fn cancel(&mut self, air: &mut Air<'_>) {
        if let Some(response) = &mut self.response {
            response.cancel(air.dice.within((0, air.temper.late_deltas)));
            self.later(air.now, Todo::Generate(self.responses));
        }
    }

    /// Ends a cancelled response without any late delta.
    fn end_now(&mut self, air: &mut Air<'_>) {
        if let Some(mut response) = self.response.take() {
            response.cancel(0);
            while response.generate(self, air).is_some() {}
        }
    }

    fn generate(&mut self, air: &mut Air<'_>, number: u32) {
        // A response that was cancelled has two of these on the agenda: the earlier one counts.
        if number != self.responses {
            return;
        }
        let Some(mut response) = self.response.take() else { return };
        match response.generate(self, air) {
            Some(pause) => {
                self.response = Some(response);
                self.agenda.retain(|(_, todo)| !matches!(todo, Todo::Generate(_)));
                if pause != NEVER {
                    self.later(air.now + pause, Todo::Generate(number));
                }
            }
            None => self.reply(air),
        }
    }

    pub(crate) fn called(&mut self, call_id: String) {
        self.calls.push(call_id);
    }
}
