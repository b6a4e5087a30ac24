//! The call machine alone, per 20 ms of audio: what the driver pays in [`Call::handle`] and in draining it. And what a call costs beside its
//! frames: its record, waits in their parts included, and the texts that its context fills in.

use std::hint::black_box;
use std::time::{Duration, Instant};

use codecs::SampleRate;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use protocol::call::Call;
use protocol::call::fact::Fact;
use protocol::call::history::History;
use protocol::call::io::{CallerCommand, CallerEvent, ConnId, Input, ModelCommand, ModelEvent, Output};
use protocol::call::template::Template;
use protocol::ids::{ItemId, MarkId, ResponseId, StreamSid};
use protocol::realtime::command::ClientEvent;
use protocol::realtime::event::{ContentKey, ResponseDone, ResponseStatus, ServerEvent, Usage};

#[path = "../protocol/benches/support/endless.rs"]
mod endless;

const FRAME: Duration = Duration::from_millis(20);
const FRAME_BYTES: usize = 320;
/// Audio of one delta, and its bytes at 8 kHz.
const DELTA: Duration = Duration::from_millis(250);
const DELTA_BYTES: usize = 4_000;

/// A call that is live and greeted, its virtual clock, and what its peers owe it.
struct Line {
    call: Call,
    now: Instant,
    turns: u32,
    key: ContentKey,
    /// Marks to be echoed.
    marks: Vec<MarkId>,
    /// A frame that came back from the uplink: no allocation is timed that a driver need not make.
    frame: Vec<u8>,
    /// What the call told for its record, where that is wanted.
    facts: Option<Vec<Fact>>,
}

impl Line {
    fn new() -> Self {
        let now = Instant::now();
        let call = endless::call(now);
        let key = ContentKey { response: ResponseId::new("r0"), item: ItemId::new("a0"), content_index: 0 };
        let mut line = Self { call, now, turns: 0, key, marks: Vec::new(), frame: vec![0; FRAME_BYTES], facts: None };
        line.model(ModelEvent::Opened);
        line.server(ServerEvent::SessionUpdated { input: None, output: None, expires_at: None });
        let stream = StreamSid::new("3357459ca698d8c765bac10b0ec418bl");
        line.handle(Input::Caller(CallerEvent::Started { stream, rate: SampleRate::Hz8000 }));
        line
    }

    fn handle(&mut self, input: Input) {
        self.call.handle(self.now, input);
        let mut sent = Vec::new();
        while let Some(output) = self.call.poll_output() {
            assert!(!matches!(output, Output::Ended(_)), "{output:?}");
            match black_box(output) {
                Output::Model(_, ModelCommand::Send(ClientEvent::Append(pcm), _)) => self.frame = pcm,
                Output::Caller(CallerCommand::Play { pcm, mark: Some(mark) }) => sent.push((mark, pcm)),
                Output::Record(fact) => self.facts.iter_mut().for_each(|facts| facts.push(fact.clone())),
                _ => {}
            }
        }
        black_box(self.call.poll_timeout());
        for (mark, pcm) in sent {
            self.marks.push(mark);
            self.handle(Input::Caller(CallerEvent::Sent { mark, pcm }));
        }
    }

    fn model(&mut self, event: ModelEvent) {
        self.handle(Input::Model(ConnId(1), event));
    }

    fn server(&mut self, event: ServerEvent) {
        self.model(ModelEvent::Server(event));
    }

    fn frame(&mut self) {
        self.now += FRAME;
        let mut pcm = std::mem::take(&mut self.frame);
        pcm.resize(FRAME_BYTES, 0);
        self.handle(Input::Caller(CallerEvent::Audio { pcm, level_dbfs: -60.0, sent_ms: None }));
    }

    fn delta(&mut self, bytes: usize) {
        let (key, pcm) = (self.key.clone(), vec![1; bytes]);
        self.model(ModelEvent::Audio { key, pcm });
    }

    fn echo(&mut self) {
        for mark in std::mem::take(&mut self.marks) {
            self.handle(Input::Caller(CallerEvent::Mark(Some(mark))));
        }
    }

    /// The caller speaks for a second, and the model begins to answer.
    fn exchange(&mut self) {
        self.turns += 1;
        let item = ItemId::new(format!("u{}", self.turns));
        self.server(ServerEvent::SpeechStarted { item: item.clone(), audio_start_ms: None });
        (0..50).for_each(|_| self.frame());
        self.server(ServerEvent::SpeechStopped { item, audio_end_ms: 0 });
        let response = ResponseId::new(format!("r{}", self.turns));
        self.server(ServerEvent::ResponseCreated { response: response.clone(), output: None });
        self.key = ContentKey { response, item: ItemId::new(format!("a{}", self.turns)), content_index: 0 };
    }

    /// The answer was generated whole.
    fn answered(&mut self) {
        let done = ResponseDone {
            response: self.key.response.clone(),
            status: ResponseStatus::Completed,
            usage: Usage::default(),
        };
        self.server(ServerEvent::AudioDone(self.key.clone()));
        self.server(ServerEvent::ResponseDone(done));
    }
}

/// Times `what` alone: `between` is what the peers do meanwhile.
fn only(line: &mut Line, times: u64, what: impl Fn(&mut Line), between: impl Fn(&mut Line)) -> Duration {
    let mut spent = Duration::ZERO;
    for _ in 0..times {
        between(line);
        let start = Instant::now();
        what(line);
        spent += start.elapsed();
    }
    spent
}

/// A caller's word and an answer of 8 s at five times real time, five times in a minute, marks echoed as they fall due.
fn minute(line: &mut Line) {
    for _ in 0..5 {
        line.exchange();
        for frame in 0..550 {
            line.frame();
            if frame % 5 == 0 && frame / 5 < 16 {
                line.delta(DELTA_BYTES);
                line.delta(DELTA_BYTES);
            }
            if frame == 80 {
                line.answered();
            }
            if frame % 10 == 9 && !line.marks.is_empty() {
                let mark = line.marks.remove(0);
                line.handle(Input::Caller(CallerEvent::Mark(Some(mark))));
            }
        }
        line.echo();
    }
}

fn handle(c: &mut Criterion) {
    let mut group = c.benchmark_group("call");
    group.bench_function("caller frame in a quiet call", |b| {
        let mut line = Line::new();
        b.iter(|| line.frame());
    });
    group.bench_function("caller frame while the agent speaks, pacing included", |b| {
        let mut line = Line::new();
        line.exchange();
        (0..8).for_each(|_| line.delta(DELTA_BYTES));
        b.iter_custom(|times| {
            // Ten frames at a time, in which one message falls due.
            let rounds = times.div_ceil(10);
            let ten = |line: &mut Line| (0..10).for_each(|_| line.frame());
            let spent = only(&mut line, rounds, ten, |line| {
                line.echo();
                line.delta(10 * FRAME_BYTES);
            });
            spent.mul_f64(times as f64 / (rounds * 10) as f64)
        });
    });
    group.bench_function("delta of 250 ms, sending included, per 20 ms", |b| {
        let mut line = Line::new();
        line.exchange();
        b.iter_custom(|times| {
            let spent = only(
                &mut line,
                times,
                |line| line.delta(DELTA_BYTES),
                |line| {
                    line.now += DELTA;
                    line.echo();
                },
            );
            spent.mul_f64(FRAME.as_secs_f64() / DELTA.as_secs_f64())
        });
    });
    group.bench_function("mark", |b| {
        let mut line = Line::new();
        line.exchange();
        b.iter_custom(|times| {
            only(&mut line, times, Line::echo, |line| {
                line.now += 10 * FRAME;
                line.delta(10 * FRAME_BYTES);
            })
        });
    });
    group.sample_size(20);
    group.bench_function("a minute of conversation", |b| {
        b.iter_batched(Line::new, |mut line| minute(&mut line), BatchSize::SmallInput);
    });
    group.finish();
}

/// The record of a minute of conversation, from its facts; told with the waits of its turns, part by part.
fn record(c: &mut Criterion) {
    let mut group = c.benchmark_group("record");
    let mut line = Line::new();
    line.facts = Some(Vec::new());
    minute(&mut line);
    let facts = line.facts.unwrap_or_default();
    let folded = || {
        let mut history = History::default();
        facts.iter().for_each(|fact| history.apply(fact));
        history
    };
    group.bench_function("fold the facts of a minute", |b| b.iter(folded));
    let history = folded();
    assert!(history.turns().count() >= 5, "a minute has its turns");
    group.bench_function("turns of a minute, waits in their parts", |b| {
        b.iter(|| black_box(&history).turns().map(black_box).count())
    });
    group.finish();
}

/// Instructions of 4 KiB with ten places, as a client's file has them and as a call fills them.
fn context(c: &mut Criterion) {
    let mut group = c.benchmark_group("context");
    let text: String =
        (0..10).map(|at| format!("{} {{{{name_{at} | nobody}}}}. ", "Be helpful to callers. ".repeat(17))).collect();
    group.bench_function("instructions: parse", |b| b.iter(|| Template::parse(black_box(&text)).is_ok()));
    if let Ok(template) = Template::parse(&text) {
        group.bench_function("instructions: fill", |b| b.iter(|| template.fill(|_| Some("Asha".into())).len()));
    }
    group.finish();
}

criterion_group!(benches, handle, record, context);
criterion_main!(benches);
