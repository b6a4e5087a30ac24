//! The call as its two peers would see it, in virtual time.

mod backpressure;
mod broken;
mod closed;
mod context_lookup;
mod conversation;
mod copies;
mod elsewhere;
mod ending;
mod entries;
mod floor;
mod greeting;
mod holding;
mod interruptions;
mod keypad;
mod latency;
mod one_voice;
mod recording;
mod refusals;
mod rolls;
mod silence;
mod streams;
mod tools;
mod transfers;
mod trouble;
mod worn;

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime};

use codecs::SampleRate;

use super::end::Ended;
use super::fact::{BrokenBy, Fact, Turn, Who};
use super::history::History;
use super::io::{CallerCommand, CallerEvent, ConnId, Effect, EffectId, Input, ModelCommand, ModelEvent, Output};
use super::policy::{GreetedBy, Listening, Policy, Setup};
use super::{Call, Clock};
use crate::ids::{ItemId, MarkId, ResponseId, StreamSid};
use crate::realtime::command::ClientEvent;
use crate::realtime::event::{ContentKey, FunctionCall, ResponseDone, ResponseStatus, ServerError, ServerEvent, Usage};

/// A call with a clock, and everything it said since it was last asked.
struct Rig {
    call: Call,
    start: Instant,
    now: Instant,
    said: Vec<Output>,
    socket: Socket,
}

/// The way to the carrier's socket.
struct Socket {
    /// Audio that was taken and not handed on yet.
    taken: VecDeque<(MarkId, Vec<u8>)>,
    /// Messages that may wait there.
    room: usize,
    /// Nothing is handed on.
    frozen: bool,
}

fn setup(greeted_by: GreetedBy) -> Setup {
    Setup {
        instructions: "Be helpful.".to_owned(),
        greeting: "Welcome to the clinic.".to_owned(),
        greeted_by,
        language: "en-IN".to_owned(),
        listening: Listening::default(),
        speed: None,
        voice: None,
        tools: Vec::new(),
        known: std::collections::BTreeMap::new(),
        context: None,
        destinations: Vec::new(),
        hold_words: Vec::new(),
        clips: std::sync::Arc::default(),
        secret_keys: false,
        closed: false,
    }
}

/// The clock of the process.
fn clock() -> Clock {
    #[expect(clippy::disallowed_methods, reason = "a base for virtual time")]
    static NOW: LazyLock<Instant> = LazyLock::new(Instant::now);
    Clock { now: *NOW, wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000) }
}

/// The first stream began then.
fn media_started(at: Instant) -> Fact {
    let (stream, rate) = (StreamSid::new("s"), SampleRate::Hz8000);
    Fact::MediaStarted { stream, rate, at_ms: 0, wall: clock().wall(at) }
}

fn key(response: &str, item: &str) -> ContentKey {
    ContentKey { response: ResponseId::new(response), item: ItemId::new(item), content_index: 0 }
}

fn pcm(ms: usize) -> Vec<u8> {
    vec![1; ms * SampleRate::Hz8000.bytes_per_ms()]
}

impl Rig {
    fn new(greeted_by: GreetedBy) -> Self {
        Self::with(Policy::default(), greeted_by)
    }

    fn with(policy: Policy, greeted_by: GreetedBy) -> Self {
        Self::about(policy, setup(greeted_by))
    }

    fn about(policy: Policy, setup: Setup) -> Self {
        let now = clock().now;
        Self::of(Call::new(now, clock(), Arc::new(policy), Arc::new(setup)), now)
    }

    fn of(call: Call, now: Instant) -> Self {
        let socket = Socket { taken: VecDeque::new(), room: usize::MAX, frozen: false };
        let mut rig = Self { call, start: now, now, said: Vec::new(), socket };
        rig.drain();
        rig
    }

    /// Greeted by the carrier, session ready, stream started, nothing said yet.
    fn live() -> Self {
        let mut rig = Self::new(GreetedBy::Carrier);
        rig.ready(1);
        rig.start_media();
        rig.take();
        rig
    }

    /// What the call says; of audio what the socket has room for.
    fn drain(&mut self) {
        let mut refused = Vec::new();
        while let Some(output) = self.call.poll_output() {
            if let Output::Caller(CallerCommand::Play { pcm, mark: Some(mark) }) = &output {
                if !refused.is_empty() || self.socket.taken.len() >= self.socket.room {
                    refused.push((*mark, pcm.clone()));
                    continue;
                }
                self.socket.taken.push_back((*mark, pcm.clone()));
            }
            self.said.push(output);
        }
        if !refused.is_empty() {
            for (mark, pcm) in refused {
                self.call.handle(self.now, Input::Caller(CallerEvent::Refused { mark, pcm }));
            }
            return self.drain();
        }
        if let Some((mark, pcm)) = self.socket.taken.pop_front_if(|_| !self.socket.frozen) {
            self.caller(CallerEvent::Sent { mark, pcm });
        }
    }

    fn input(&mut self, input: Input) {
        self.call.handle(self.now, input);
        self.drain();
    }

    fn caller(&mut self, event: CallerEvent) {
        self.input(Input::Caller(event));
    }

    fn server(&mut self, conn: u32, event: ServerEvent) {
        self.input(Input::Model(ConnId(conn), ModelEvent::Server(event)));
    }

    fn opened(&mut self, conn: u32) {
        self.input(Input::Model(ConnId(conn), ModelEvent::Opened));
    }

    fn ready(&mut self, conn: u32) {
        self.opened(conn);
        self.server(conn, ServerEvent::SessionUpdated { input: None, output: None, expires_at: None });
    }

    fn start_media(&mut self) {
        self.caller(CallerEvent::Started { stream: StreamSid::new("s"), rate: SampleRate::Hz8000 });
    }

    fn audio(&mut self, conn: u32, key: &ContentKey, ms: usize) {
        self.input(Input::Model(ConnId(conn), ModelEvent::Audio { key: key.clone(), pcm: pcm(ms) }));
    }

    fn speech_started(&mut self, conn: u32, item: &str) {
        self.server(conn, ServerEvent::SpeechStarted { item: ItemId::new(item), audio_start_ms: None });
    }

    fn speech_stopped(&mut self, conn: u32, item: &str) {
        let audio_end_ms = u64::MAX;
        self.server(conn, ServerEvent::SpeechStopped { item: ItemId::new(item), audio_end_ms });
    }

    fn caller_turn(&mut self, conn: u32, item: &str) {
        self.speech_started(conn, item);
        self.speech_stopped(conn, item);
    }

    fn response_created(&mut self, conn: u32, response: &str) {
        self.server(conn, ServerEvent::ResponseCreated { response: ResponseId::new(response), output: None });
    }

    fn response_done(&mut self, conn: u32, response: &str, status: ResponseStatus) {
        let done = ResponseDone { response: ResponseId::new(response), status, usage: Usage::default() };
        self.server(conn, ServerEvent::ResponseDone(done));
    }

    /// The model calls a function in a response.
    fn calls(&mut self, conn: u32, response: &str, call_id: &str, name: &str) {
        self.calls_with(conn, response, call_id, name, "{}");
    }

    /// The same with arguments.
    fn calls_with(&mut self, conn: u32, response: &str, call_id: &str, name: &str, arguments: &str) {
        self.server(
            conn,
            ServerEvent::FunctionCall(FunctionCall {
                response: ResponseId::new(response),
                item: ItemId::new(format!("f-{call_id}")),
                call_id: call_id.to_owned(),
                name: name.to_owned(),
                arguments: arguments.to_owned(),
                complete: true,
            }),
        );
    }

    /// A goodbye of so much audio, which asks for the end.
    fn goodbye(&mut self, ms: usize) {
        self.response_created(1, "r1");
        self.audio(1, &key("r1", "a1"), ms);
        self.calls(1, "r1", "c1", "end_call");
        self.response_done(1, "r1", ResponseStatus::Completed);
    }

    /// What was run for a function comes to something.
    fn ran(&mut self, id: u32, result: &str) {
        self.input(Input::Ran { id: EffectId(id), result: Ok(result.to_owned().into()) });
    }

    /// What is to be run.
    fn runs(&self) -> Vec<(u32, &Effect)> {
        self.said
            .iter()
            .filter_map(|o| if let Output::Run { id, effect } = o { Some((id.0, effect)) } else { None })
            .collect()
    }

    /// Our fault: the call is built anew from what is on record.
    fn rebuilt(&self, setup: Setup) -> Self {
        let history = self.call.history().clone();
        let call = Call::resume(self.now, clock(), Arc::new(Policy::default()), Arc::new(setup), history);
        Self::of(call, self.now)
    }

    fn error(&mut self, conn: u32, code: &str) {
        let error = ServerError { code: code.to_owned(), message: "no".to_owned(), ..ServerError::default() };
        self.server(conn, ServerEvent::Error(error));
    }

    /// Time passes with silence on the line, 20 ms a frame; marks are not echoed.
    fn pass(&mut self, ms: u64) {
        for _ in 0..ms / 20 {
            self.now += Duration::from_millis(20);
            let silence = vec![0; 320];
            self.caller(CallerEvent::Audio { pcm: silence, level_dbfs: -100.0, sent_ms: None });
        }
    }

    /// Time passes and nothing comes in: only the call's own timers run.
    fn wait(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while let Some(at) = self.call.poll_timeout().filter(|&at| at <= until) {
            self.now = at.max(self.now);
            self.input(Input::Tick);
        }
        self.now = until;
    }

    fn echo(&mut self, mark: &MarkId) {
        self.caller(CallerEvent::Mark(Some(*mark)));
    }

    /// All that was sent is played, and the carrier says so.
    fn play_out(&mut self) {
        for _ in 0..600 {
            self.pass(100);
            match self.marks().last().cloned() {
                Some(mark) if self.call.lead_ms(self.now) == 0 => self.echo(&mark),
                _ => {}
            }
            if self.call.playout.is_idle() {
                return;
            }
        }
        panic!("it never ends");
    }

    fn transcript(&mut self, conn: u32, item: &str, text: &str) {
        self.server(conn, ServerEvent::InputTranscript { item: ItemId::new(item), text: text.to_owned() });
    }

    fn words(&mut self, conn: u32, key: &ContentKey, words: &str) {
        self.server(conn, ServerEvent::TranscriptDelta { key: key.clone(), delta: words.to_owned() });
    }

    fn closed(&mut self, conn: u32) {
        self.input(Input::Model(ConnId(conn), ModelEvent::Closed("1006".to_owned())));
    }

    /// The caller makes a sound for so long.
    fn loud(&mut self, ms: u64) {
        for _ in 0..ms / 20 {
            self.now += Duration::from_millis(20);
            self.caller(CallerEvent::Audio { pcm: vec![7; 320], level_dbfs: -20.0, sent_ms: None });
        }
    }

    /// The transcript as the record has it.
    fn rows(&self) -> Vec<Turn> {
        let mut rows = std::collections::BTreeMap::new();
        for fact in self.facts() {
            if let Fact::Turn(turn) = fact {
                rows.insert(turn.index, turn.clone());
            }
        }
        rows.into_values().collect()
    }

    fn counted(&self, what: &str) -> u64 {
        let of_it = |fact: &&Fact| matches!(fact, Fact::Counted { what: counted, .. } if *counted == what);
        let counts = self.facts().into_iter().filter(of_it);
        counts.map(|fact| if let Fact::Counted { count, .. } = fact { *count } else { 0 }).sum()
    }

    fn asked(&self) -> usize {
        self.sent().iter().filter(|e| matches!(e, ClientEvent::CreateResponse { .. })).count()
    }

    fn take(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.said)
    }

    fn sent(&self) -> Vec<&ClientEvent> {
        self.said
            .iter()
            .filter_map(|o| match o {
                Output::Model(_, ModelCommand::Send(event, _)) => Some(event),
                _ => None,
            })
            .collect()
    }

    fn facts(&self) -> Vec<&Fact> {
        self.said
            .iter()
            .filter_map(|o| match o {
                Output::Record(fact) => Some(fact),
                _ => None,
            })
            .collect()
    }

    fn marks(&self) -> Vec<MarkId> {
        self.said
            .iter()
            .filter_map(|o| match o {
                Output::Caller(CallerCommand::Play { mark, .. }) => *mark,
                _ => None,
            })
            .collect()
    }

    fn media_ms(&self) -> usize {
        self.said
            .iter()
            .map(|o| match o {
                Output::Caller(CallerCommand::Play { pcm, .. }) => pcm.len() / 16,
                _ => 0,
            })
            .sum()
    }

    fn ended(&self) -> Option<&Ended> {
        self.said.iter().find_map(|o| match o {
            Output::Ended(why) => Some(why),
            _ => None,
        })
    }

    fn appended_ms(&self) -> usize {
        self.sent()
            .iter()
            .map(|e| match e {
                ClientEvent::Append(pcm) => pcm.len() / 16,
                _ => 0,
            })
            .sum()
    }

    fn dialled(&self) -> Vec<u32> {
        self.said
            .iter()
            .filter_map(|o| match o {
                Output::Model(ConnId(id), ModelCommand::Dial) => Some(*id),
                _ => None,
            })
            .collect()
    }
}
