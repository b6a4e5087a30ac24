//! Each audio stage, per 20 ms frame.

use std::hint::black_box;
use std::time::Duration;

use codecs::opus::{Channels, Coder, Decoder, Encoder, Settings};
use codecs::{Framer, Resampler, g711, level, pcm};
use criterion::{Criterion, criterion_group, criterion_main};

/// Streams that a core carries at 300 calls, both ways: more than its cache would hold if each had its own filter.
const STREAMS: usize = 600;

/// A stage of bytes to bytes.
type Stage = fn(&[u8], &mut Vec<u8>);

/// 20 ms of two tones over noise, s16le mono.
fn frame(rate_hz: u32) -> Vec<u8> {
    let sample = |n: u32| {
        let noise = f64::from(n.wrapping_mul(2_654_435_761) >> 24);
        let turn = std::f64::consts::TAU * f64::from(n) / f64::from(rate_hz);
        (6_000.0 * (300.0 * turn).sin() + 3_000.0 * (1_900.0 * turn).sin() + noise) as i16
    };
    (0..rate_hz / 50).flat_map(|n| sample(n).to_le_bytes()).collect()
}

fn conversions(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame_20ms");
    let bytes = frame(8_000);
    let (mut samples, mut floats, mut out) = (Vec::new(), Vec::new(), Vec::new());
    pcm::bytes_to_i16(&bytes, &mut samples);
    pcm::bytes_to_f32(&bytes, &mut floats);
    let (integers_in, floats_in) = (samples.clone(), floats.clone());
    group.bench_function("pcm/bytes_to_i16", |b| {
        b.iter(|| {
            samples.clear();
            pcm::bytes_to_i16(black_box(&bytes), &mut samples);
        });
    });
    group.bench_function("pcm/i16_to_bytes", |b| {
        b.iter(|| {
            out.clear();
            pcm::i16_to_bytes(black_box(&integers_in), &mut out);
        });
    });
    group.bench_function("pcm/bytes_to_f32", |b| {
        b.iter(|| {
            floats.clear();
            pcm::bytes_to_f32(black_box(&bytes), &mut floats);
        });
    });
    group.bench_function("pcm/f32_to_bytes", |b| {
        b.iter(|| {
            out.clear();
            pcm::f32_to_bytes(black_box(&floats_in), &mut out);
        });
    });
    group.bench_function("level/rms_dbfs", |b| b.iter(|| level::rms_dbfs(black_box(&bytes))));
    group.finish();
}

fn companding(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame_20ms");
    let bytes = frame(8_000);
    let mut codes = Vec::new();
    g711::pcm_to_ulaw(&bytes, &mut codes);
    let mut out = Vec::new();
    let stages: [(&str, &[u8], Stage); 4] = [
        ("g711/ulaw_to_pcm", &codes, g711::ulaw_to_pcm),
        ("g711/pcm_to_ulaw", &bytes, g711::pcm_to_ulaw),
        ("g711/alaw_to_pcm", &codes, g711::alaw_to_pcm),
        ("g711/pcm_to_alaw", &bytes, g711::pcm_to_alaw),
    ];
    for (name, input, stage) in stages {
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                stage(black_box(input), &mut out);
            });
        });
    }
    group.finish();
}

fn resampling(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame_20ms");
    for (from_hz, to_hz) in [(8_000, 24_000), (24_000, 8_000), (8_000, 16_000), (16_000, 24_000)] {
        let bytes = frame(from_hz);
        let mut out = Vec::new();
        for (streams, kind) in [(1, "one_stream"), (STREAMS, "600_streams")] {
            let made: Result<Vec<_>, _> = (0..streams).map(|_| Resampler::new(from_hz, to_hz)).collect();
            let Ok(mut resamplers) = made else { continue };
            let mut turn = (0..streams).cycle();
            group.bench_function(format!("resample/{from_hz}_{to_hz}/{kind}"), |b| {
                b.iter(|| {
                    out.clear();
                    let stream = turn.next().unwrap_or_default();
                    resamplers[stream].push(black_box(&bytes), &mut out);
                });
            });
        }
    }
    group.finish();
}

fn framing(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame_20ms");
    let bytes = frame(8_000);
    for chunk_bytes in [320, 3_200] {
        let mut framer = Framer::new(chunk_bytes);
        group.bench_function(format!("framer/{chunk_bytes}_bytes"), |b| {
            b.iter(|| {
                framer.push(black_box(&bytes), &mut |chunk| {
                    black_box(chunk);
                });
            });
        });
    }
    group.finish();
}

fn opus(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame_20ms");
    for (channels, kind) in [(Channels::Mono, "mono"), (Channels::Stereo, "stereo")] {
        let settings = Settings { rate_hz: 8_000, channels, bitrate_bps: 24_000, complexity: 5, coder: Coder::Silk };
        let (Ok(mut encoder), Ok(mut decoder)) = (Encoder::new(settings), Decoder::new(8_000, channels)) else {
            continue;
        };
        let mut samples = Vec::new();
        pcm::bytes_to_i16(&frame(8_000).repeat(channels.count()), &mut samples);
        let mut packet = Vec::new();
        group.bench_function(format!("opus/encode_8000_{kind}"), |b| {
            b.iter(|| {
                packet.clear();
                encoder.encode(black_box(&samples), &mut packet)
            });
        });
        let mut decoded = Vec::new();
        group.bench_function(format!("opus/decode_8000_{kind}"), |b| {
            b.iter(|| {
                decoded.clear();
                decoder.decode(Some(black_box(&packet)), &mut decoded)
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = conversions, companding, resampling, framing, opus
}
criterion_main!(benches);
