//! A call takes anything, in any order, at any time: it never panics, never says anything after its end, and never has an endless
//! amount to say at once.
//!
//! The input is lines: a byte that says from whom, and what they say. Lines of the carrier and of the model are their messages as
//! they are on the wire, so that the seeds are conversations.
#![no_main]

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use codecs::SampleRate;
use libfuzzer_sys::fuzz_target;
use protocol::call::{Call, Clock};
use protocol::call::end::Ended;
use protocol::call::fact::Fact;
use protocol::call::io::{CallerCommand, CallerEvent, ConnId, Control, EffectId, Input, ModelCommand, ModelEvent, Output};
use protocol::call::functions::Function;
use protocol::call::policy::{GreetedBy, Policy, Setup};
use protocol::exotel::stream::{self, AudioIn, CarrierMessage};
use protocol::ids::MarkId;
use protocol::realtime::command::Tool;
use protocol::realtime::event::{self, Parsed};
use protocol::realtime::failure::ProviderRefusal;
use protocol::wire;

/// A step says at most: playout up to its lead, replayed history, and some words.
const MOST_AT_ONCE: usize = 10_000;

fuzz_target!(|data: &[u8]| {
    let setup = Setup {
        instructions: "Help.".to_owned(),
        greeting: "Namaste".to_owned(),
        greeted_by: if data.len().is_multiple_of(2) { GreetedBy::Model } else { GreetedBy::Carrier },
        language: "hi-IN".to_owned(),
        listening: protocol::call::policy::Listening::default(),
        speed: None,
        voice: None,
        tools: vec![Function::new(Tool { name: "look_up".to_owned(), description: String::new(), parameters: "{}".to_owned() })],
        known: std::collections::BTreeMap::new(),
        context: None,
        destinations: Vec::new(),
        hold_words: Vec::new(),
        clips: std::sync::Arc::default(),
        closed: false,
    };
    let (policy, setup) = (Arc::new(Policy::default()), Arc::new(setup));
    let mut now = Instant::now();
    let clock = Clock { now, wall: SystemTime::now() };
    let mut call = Call::new(now, clock, policy.clone(), setup.clone());
    let mut told = Told::default();
    told.drain(&mut call, now);
    for line in data.split(|byte| *byte == b'\n').take(2_000) {
        let Some((from, text)) = line.split_first() else { continue };
        match from {
            b't' => {
                now += Duration::from_millis(text.first().map_or(20, |ms| u64::from(*ms).pow(2)));
                call.handle(now, Input::Tick);
            }
            // A call that is over is not begun again.
            b'r' if told.over => {}
            b'r' => call = Call::resume(now, clock, policy.clone(), setup.clone(), call.history().clone()),
            b'h' => call.handle(now, Input::Control(Control::HangUp(Ended::Operator))),
            b'f' => told.socket = told.socket.next(),
            _ => {
                let Some(input) = input(*from, text, told.newest) else { continue };
                call.handle(now, input);
            }
        }
        told.drain(&mut call, now);
    }
});

/// What becomes of audio on its way to the carrier.
#[derive(Clone, Copy, Default)]
enum Socket {
    #[default]
    Sends,
    Keeps,
    Refuses,
}

impl Socket {
    fn next(self) -> Self {
        match self {
            Self::Sends => Self::Keeps,
            Self::Keeps => Self::Refuses,
            Self::Refuses => Self::Sends,
        }
    }
}

#[derive(Default)]
struct Told {
    newest: u32,
    over: bool,
    socket: Socket,
    /// Audio that was taken and not sent yet.
    taken: Vec<(MarkId, Vec<u8>)>,
}

impl Told {
    /// Hears the call out, and tells it what became of its audio.
    fn drain(&mut self, call: &mut Call, now: Instant) {
        let mut refused = Vec::new();
        self.outputs(call, &mut refused);
        for (mark, pcm) in refused {
            call.handle(now, Input::Caller(CallerEvent::Refused { mark, pcm }));
        }
        let sent = if matches!(self.socket, Socket::Sends) { std::mem::take(&mut self.taken) } else { Vec::new() };
        for (mark, pcm) in sent {
            call.handle(now, Input::Caller(CallerEvent::Sent { mark, pcm }));
        }
        self.outputs(call, &mut Vec::new());
    }

    fn outputs(&mut self, call: &mut Call, refused: &mut Vec<(MarkId, Vec<u8>)>) {
        let mut outputs = 0;
        while let Some(output) = call.poll_output() {
            outputs += 1;
            assert!(outputs < MOST_AT_ONCE, "it does not stop talking");
            assert!(!self.over || matches!(output, Output::Record(Fact::Counted { .. })), "{output:?} after its end");
            match output {
                Output::Model(conn, ModelCommand::Dial) => self.newest = conn.0,
                Output::Caller(CallerCommand::Play { pcm, mark }) => {
                    assert!(!pcm.is_empty() && pcm.len().is_multiple_of(320), "{} bytes to the carrier", pcm.len());
                    match (mark, self.socket) {
                        (Some(mark), Socket::Refuses) => refused.push((mark, pcm)),
                        (Some(mark), Socket::Sends | Socket::Keeps) => self.taken.push((mark, pcm)),
                        (None, _) => {}
                    }
                }
                Output::Ended(_) => self.over = true,
                _ => {}
            }
        }
    }
}

fn input(from: u8, text: &[u8], newest: u32) -> Option<Input> {
    let text = std::str::from_utf8(text).ok();
    Some(match from {
        b'c' => Input::Caller(match stream::parse(text?).ok()? {
            CarrierMessage::Start(start) => {
                CallerEvent::Started { stream: start.stream_sid, rate: SampleRate::default() }
            }
            CarrierMessage::Media(media) => {
                let mut pcm = Vec::new();
                AudioIn::default().decode(&media.payload, &mut pcm).ok()?;
                CallerEvent::Audio { pcm, level_dbfs: -20.0, sent_ms: None }
            }
            CarrierMessage::Mark { name } => CallerEvent::Mark(MarkId::parse(&name)),
            CarrierMessage::Dtmf { digit } => CallerEvent::Dtmf(digit),
            CarrierMessage::Stop { reason } => CallerEvent::Stopped(reason.map(String::from)),
            _ => return None,
        }),
        b'e' => {
            let (id, result) = text?.split_at_checked(1)?;
            let result = if result.is_empty() { Err(result.to_owned()) } else { Ok(result.to_owned()) };
            Input::Ran { id: EffectId(id.parse().ok()?), result: result.map(Into::into) }
        }
        b'g' => Input::Caller(CallerEvent::Gone),
        b'l' => Input::Caller(CallerEvent::Lost { messages: u32::from(text?.bytes().next()?) }),
        b'm' => Input::Model(ConnId(newest), model(text?)?),
        b'o' => Input::Model(ConnId(newest), ModelEvent::Opened),
        b's' => Input::Model(ConnId(newest.saturating_sub(1)), model(text?)?),
        b'x' => Input::Model(ConnId(newest), ModelEvent::Closed("gone".to_owned())),
        b'y' => Input::Model(ConnId(newest), ModelEvent::Refused(ProviderRefusal::Unauthorized, "401".to_owned())),
        _ => return None,
    })
}

fn model(text: &str) -> Option<ModelEvent> {
    Some(match event::parse(text).ok()? {
        Parsed::Audio { key, delta } => {
            let mut pcm = Vec::new();
            wire::decode_base64(&delta, &mut pcm).ok()?;
            pcm.truncate(pcm.len() & !1);
            ModelEvent::Audio { key, pcm }
        }
        Parsed::Event { event, .. } => ModelEvent::Server(event),
    })
}
