//! Counts instructions, where time wobbles: what a message of audio costs between two sockets, each way. `tools/instructions.sh` runs this below
//! valgrind and compares with the counts that are stored.
//!
//! Parsed, decoded, resampled, through the call, encoded and written, as the two legs do it; without sockets, mailboxes and timers.

#![allow(clippy::disallowed_methods, reason = "a base for virtual time")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench fails as a test does, and tells what it did"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use codecs::{Resampler, SampleRate, level};
use protocol::call::Call;
use protocol::call::io::{CallerCommand, CallerEvent, ConnId, Input, ModelCommand, ModelEvent, Output};
use protocol::exotel::stream::{self, AudioIn, CarrierMessage, Encoding};
use protocol::ids::{MarkId, StreamSid};
use protocol::realtime::command::{self, ClientEvent};
use protocol::realtime::event::{self, Parsed, ServerEvent};
use protocol::wire;

#[path = "support/endless.rs"]
mod endless;

/// A call that is live and being answered, between two peers that are not there.
struct Line {
    call: Call,
    now: Instant,
    stream: StreamSid,
    audio: AudioIn,
    up: Resampler,
    down: Resampler,
    marks: Vec<MarkId>,
    pcm: Vec<u8>,
    other: Vec<u8>,
    text: String,
}

impl Line {
    fn new() -> Self {
        let now = Instant::now();
        let call = endless::call(now);
        let stream = StreamSid::new("3357459ca698d8c765bac10b0ec418bl");
        let resampler = |from, to| Resampler::new(from, to).expect("rates of every server");
        let mut line = Self {
            call,
            now,
            stream: stream.clone(),
            audio: AudioIn::new(Encoding::Pcm),
            up: resampler(8_000, 24_000),
            down: resampler(24_000, 8_000),
            marks: Vec::new(),
            pcm: Vec::new(),
            other: Vec::new(),
            text: String::new(),
        };
        line.handle(Input::Model(ConnId(1), ModelEvent::Opened));
        line.server(ServerEvent::SessionUpdated { input: None, output: None, expires_at: None });
        line.handle(Input::Caller(CallerEvent::Started { stream, rate: SampleRate::Hz8000 }));
        line
    }

    fn server(&mut self, event: ServerEvent) {
        self.handle(Input::Model(ConnId(1), ModelEvent::Server(event)));
    }

    fn handle(&mut self, input: Input) {
        self.call.handle(self.now, input);
        let mut sent = Vec::new();
        while let Some(output) = self.call.poll_output() {
            match output {
                Output::Model(_, ModelCommand::Send(ClientEvent::Append(pcm), _)) => {
                    self.other.clear();
                    self.up.push(&pcm, &mut self.other);
                    command::write_append(&mut self.text, &self.other);
                }
                Output::Caller(CallerCommand::Play { pcm, mark: Some(mark) }) => {
                    self.text.clear();
                    stream::write_media(&mut self.text, &self.stream, &pcm);
                    self.text.clear();
                    stream::write_mark(&mut self.text, &self.stream, mark);
                    sent.push((mark, pcm));
                }
                _ => {}
            }
            black_box(&self.text);
        }
        black_box(self.call.poll_timeout());
        for (mark, pcm) in sent {
            self.marks.push(mark);
            self.handle(Input::Caller(CallerEvent::Sent { mark, pcm }));
        }
    }

    fn carrier_says(&mut self, text: &str) {
        let Ok(CarrierMessage::Media(media)) = stream::parse(text) else { panic!("no audio: {text:.100}") };
        let mut pcm = Vec::with_capacity(media.payload.len() / 4 * 3);
        self.audio.decode(&media.payload, &mut pcm).expect("audio");
        let level_dbfs = level::rms_dbfs(&pcm);
        self.handle(Input::Caller(CallerEvent::Audio { pcm, level_dbfs, sent_ms: media.timestamp_ms }));
    }

    fn model_says(&mut self, text: &str) {
        let Ok(Parsed::Audio { key, delta }) = event::parse(text) else { panic!("no audio: {text:.100}") };
        self.pcm.clear();
        wire::decode_base64(&delta, &mut self.pcm).expect("audio");
        let mut pcm = Vec::with_capacity(self.pcm.len() / 3 + 640);
        self.down.push(&self.pcm, &mut pcm);
        self.handle(Input::Model(ConnId(1), ModelEvent::Audio { key, pcm }));
        for mark in std::mem::take(&mut self.marks) {
            self.handle(Input::Caller(CallerEvent::Mark(Some(mark))));
        }
    }
}

/// Something that is never silent, s16le.
fn sound(samples: usize) -> Vec<u8> {
    (0..samples).flat_map(|n| (((n * 7_919) % 4_001) as i16 - 2_000).to_le_bytes()).collect()
}

/// A message of the carrier's with so much audio.
fn media(ms: usize) -> String {
    let payload = STANDARD.encode(sound(8 * ms));
    format!(
        r#"{{"event":"media","sequence_number":2,"stream_sid":"3357459ca698d8c765bac10b0ec418bl","media":{{"chunk":1,"timestamp":"100","payload":"{payload}"}}}}"#
    )
}

/// A delta of the model's, of 200 ms.
fn delta() -> String {
    let payload = STANDARD.encode(sound(24 * 200));
    format!(
        r#"{{"type":"response.output_audio.delta","event_id":"event_1","response_id":"r1","item_id":"a1","output_index":0,"content_index":0,"delta":"{payload}"}}"#
    )
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let after = |word: &str| words.iter().skip_while(|given| *given != word).nth(1);
    let times = after("--times").and_then(|times| times.parse().ok()).unwrap_or(10);
    for (name, text, ms) in [("up-20ms", media(20), 20), ("up-100ms", media(100), 100), ("down-200ms", delta(), 200)] {
        // As a test each of them, a few times.
        if after("--only").is_some_and(|only| only != name) {
            continue;
        }
        let mut line = Line::new();
        for _ in 0..times {
            line.now += Duration::from_millis(ms);
            if name.starts_with("up") { line.carrier_says(&text) } else { line.model_says(&text) }
        }
        println!("{name}: {times} messages");
    }
}
