//! Every parser and writer of both wires. What carries audio is told per 20 ms of it, whatever its own length.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use protocol::exotel::stream::{self, AudioIn, CarrierMessage};
use protocol::exotel::webhook::{CallEnd, CallStart, Fields};
use protocol::exotel::{answer_xml, normalise_number};
use protocol::ids::{MarkId, StreamSid};
use protocol::realtime::command::{self, ClientEvent, NewItem};
use protocol::realtime::event::{self, Parsed};
use protocol::wire::decode_base64;

/// Times so many runs and tells the time of a part of one: of 20 ms in a message of `frames` times 20 ms.
fn per_frame(frames: u32, mut run: impl FnMut()) -> impl FnMut(u64) -> Duration {
    move |times| {
        let start = Instant::now();
        for _ in 0..times {
            run();
        }
        start.elapsed() / frames
    }
}

/// Bytes that are not silence.
fn audio(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 31 % 251) as u8).collect()
}

fn media_message(pcm: &[u8]) -> String {
    let mut body = String::new();
    stream::write_media(&mut body, &StreamSid::new("3357459ca698d8c765bac10b0ec418bl"), pcm);
    body.replacen("\"stream_sid\"", "\"sequence_number\":\"1234\",\"stream_sid\"", 1).replacen(
        "\"payload\"",
        "\"chunk\":\"1232\",\"timestamp\":\"24640\",\"payload\"",
        1,
    )
}

fn delta_message(audio: &[u8]) -> String {
    let mut append = String::new();
    command::write_append(&mut append, audio);
    append.replacen("input_audio_buffer.append", "response.output_audio.delta", 1).replacen(
        "\"audio\"",
        "\"event_id\":\"event_E6U0x5zQRGJVzr6MR41ud\",\"response_id\":\"resp_E6U0xfWhN878XBMhc0LKn\",\
             \"item_id\":\"item_E6U0xWSFIFri2uw2kTLLq\",\"output_index\":0,\"content_index\":0,\"delta\"",
        1,
    )
}

fn carrier(c: &mut Criterion) {
    let sid = StreamSid::new("3357459ca698d8c765bac10b0ec418bl");
    let mut group = c.benchmark_group("exotel");
    for (name, frames) in [("20 ms", 1), ("100 ms", 5)] {
        let message = media_message(&audio(320 * frames as usize));
        let (mut pcm, mut audio) = (Vec::new(), AudioIn::default());
        group.bench_function(format!("media of {name}: parse, per 20 ms"), |b| {
            b.iter_custom(per_frame(frames, || drop(black_box(stream::parse(black_box(&message))))));
        });
        group.bench_function(format!("media of {name}: parse and decode, per 20 ms"), |b| {
            b.iter_custom(per_frame(frames, || {
                pcm.clear();
                if let Ok(CarrierMessage::Media(media)) = stream::parse(black_box(&message)) {
                    let _ = black_box(audio.decode(&media.payload, &mut pcm));
                }
            }));
        });
    }
    let mut out = String::new();
    for (name, frames) in [("20 ms", 1), ("200 ms", 10)] {
        let pcm = audio(320 * frames as usize);
        group.bench_function(format!("media of {name}: write, per 20 ms"), |b| {
            b.iter_custom(per_frame(frames, || stream::write_media(black_box(&mut out), &sid, black_box(&pcm))));
        });
    }
    let mark = MarkId { generation: 12, sequence: 345 };
    group.bench_function("mark: write", |b| b.iter(|| stream::write_mark(black_box(&mut out), &sid, black_box(mark))));
    let mark = out.clone();
    group.bench_function("mark: parse", |b| b.iter(|| drop(black_box(stream::parse(black_box(&mark))))));
    group.finish();
}

fn model(c: &mut Criterion) {
    let mut group = c.benchmark_group("realtime");
    // 24 kHz s16le: 960 bytes are 20 ms.
    let delta = delta_message(&audio(9600));
    let mut pcm = Vec::new();
    group.bench_function("delta of 200 ms: parse, per 20 ms", |b| {
        b.iter_custom(per_frame(10, || drop(black_box(event::parse(black_box(&delta))))));
    });
    group.bench_function("delta of 200 ms: parse and decode, per 20 ms", |b| {
        b.iter_custom(per_frame(10, || {
            pcm.clear();
            if let Ok(Parsed::Audio { delta, .. }) = event::parse(black_box(&delta)) {
                let _ = black_box(decode_base64(&delta, &mut pcm));
            }
        }));
    });
    let words = r#"{"type":"response.output_audio_transcript.delta","event_id":"event_E6U0x4CPpGXckBREkhDss","response_id":"resp_E6U0xfWhN878XBMhc0LKn","item_id":"item_E6U0xWSFIFri2uw2kTLLq","output_index":0,"content_index":0,"delta":"Hello","obfuscation":"kX1yigxefJb"}"#;
    group.bench_function("transcript delta: parse", |b| b.iter(|| drop(black_box(event::parse(black_box(words))))));
    let mut out = String::new();
    let audio = audio(960);
    group.bench_function("append of 20 ms: write", |b| {
        b.iter(|| command::write_append(black_box(&mut out), black_box(&audio)))
    });
    let item = ClientEvent::CreateItem(NewItem::User("The caller pressed 1.".to_owned()));
    group.bench_function("item: write", |b| b.iter(|| command::write(black_box(&mut out), black_box(&item), None)));
    group.finish();
}

fn webhook(c: &mut Criterion) {
    let mut group = c.benchmark_group("webhook");
    let start = "CallSid=5979a54734e3bf7505cb8e41b96e1917&CallFrom=09494860000&CallTo=08047113155&Direction=outbound-dial\
        &Created=Tue%2C+07+Jan+2025+15%3A51%3A06&DialWhomNumber=&HangupLatencyStartTimeExocc=&HangupLatencyStartTime=\
        &From=09494860000&To=09513886363&CustomField=7e9095cd-b91d-4df0-945b&CurrentTime=2025-01-07+15%3A51%3A06";
    group.bench_function("call-start, urlencoded", |b| {
        b.iter(|| black_box(CallStart::try_from(&Fields::from_urlencoded(black_box(start.as_bytes())))));
    });
    let end = r#"{"CallSid":"492205107c5fb48f4ac25d1f77759339","EventType":"terminal","DateCreated":"2019-04-08 03:17:59","Status":"completed","To":"+918867990000","From":"+919413740000","StartTime":"2019-04-08 03:17:59","EndTime":"2019-04-08 03:18:36","Direction":"outbound-api","ConversationDuration":32,"Legs":[{"OnCallDuration":41,"Status":"completed"},{"OnCallDuration":32,"Status":"completed"}]}"#;
    group.bench_function("call-end, JSON", |b| {
        b.iter(|| Fields::from_json(black_box(end.as_bytes())).map(|fields| black_box(CallEnd::try_from(&fields))));
    });
    group.bench_function("number to E.164", |b| b.iter(|| normalise_number(black_box("09494860000"), "IN")));
    group.bench_function("answer", |b| {
        b.iter(|| {
            answer_xml(black_box("Namaste, how can I help you?"), "hi-IN", "wss://gateway.example/exotel/media/token")
        });
    });
    group.finish();
}

criterion_group!(benches, carrier, model, webhook);
criterion_main!(benches);
