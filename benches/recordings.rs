//! What a recording costs after its call: from the tracks in the spool to a file, and to the store. A minute of a call at a time: a
//! sixtieth of it is a call-second's.
//!
//! With `--count` each is made once, for whoever counts instructions (`tools/instructions.sh recordings`).

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use callgate::testing::{FileType, Objects, RecordingTarget, encode_now};
use codecs::{Resampler, pcm};
use criterion::Criterion;

type Failed = Box<dyn std::error::Error>;

/// A minute of a call at 8 kHz as it is recorded: the caller on the left and the agent on the right, in turn.
fn conversation() -> Result<Vec<i16>, Box<dyn std::error::Error>> {
    let clip = |name: &str| -> Result<Vec<i16>, Box<dyn std::error::Error>> {
        let path = format!("{}/simulator/fixtures/{name}.wav", env!("CARGO_MANIFEST_DIR"));
        let samples: Vec<i16> = hound::WavReader::open(path)?.into_samples().collect::<Result<_, _>>()?;
        let (mut wide, mut narrow, mut out) = (Vec::new(), Vec::new(), Vec::new());
        pcm::i16_to_bytes(&samples, &mut wide);
        Resampler::new(16_000, 8_000)?.push(&wide, &mut narrow);
        pcm::bytes_to_i16(&narrow, &mut out);
        Ok(out)
    };
    let turns =
        [clip("caller_en_hours")?, clip("answer_en_hours")?, clip("caller_hi_booking")?, clip("answer_hi_hours")?];
    let mut minute = Vec::new();
    for (turn, said) in turns.iter().enumerate().cycle() {
        minute.extend(said.iter().flat_map(|sample| if turn % 2 == 0 { [*sample, 0] } else { [0, *sample] }));
        if minute.len() >= 60 * 16_000 {
            minute.truncate(60 * 16_000);
            return Ok(minute);
        }
    }
    Ok(minute)
}

/// A spool with one call in it. Gone with it.
struct Spool(PathBuf);

impl Spool {
    fn of_a_minute() -> Result<Self, Failed> {
        let spool = Self(std::env::temp_dir().join(format!("callgate-bench-{}", std::process::id())));
        std::fs::create_dir_all(spool.call())?;
        let minute = conversation()?;
        // A line is never silent: some steps of noise on the caller's side.
        let hiss = |n: usize| (n.wrapping_mul(2_654_435_761) >> 16) as i16 % 16;
        let caller = minute.iter().step_by(2).enumerate().map(|(n, sample)| sample.saturating_add(hiss(n)));
        let agent = minute.iter().skip(1).step_by(2).copied();
        std::fs::write(spool.call().join("caller.s16"), caller.flat_map(i16::to_le_bytes).collect::<Vec<_>>())?;
        std::fs::write(spool.call().join("agent.s16"), agent.flat_map(i16::to_le_bytes).collect::<Vec<_>>())?;
        let note = r#"{"call_sid":"call","began":"2026-11-22T12:00:00Z","rate_hz":8000,"format":"s16le"}"#;
        std::fs::write(spool.call().join("call.json"), note)?;
        Ok(spool)
    }

    fn call(&self) -> PathBuf {
        self.0.join("call")
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Encodes the call; what was encoded is not kept, or it would not be encoded again.
#[inline(never)]
fn encoded(call: &Path, file_type: FileType) -> u64 {
    let Ok(encoded) = encode_now(black_box(call), file_type) else { return 0 };
    let bytes = std::fs::metadata(&encoded.file).map_or(0, |file| file.len());
    let _ = std::fs::remove_file(encoded.file);
    bytes
}

/// The same, summed and stored in a folder.
async fn stored(call: &Path, objects: &Objects) -> u64 {
    let Ok(encoded) = encode_now(call, FileType::Opus) else { return 0 };
    let stored = objects.put_file(&encoded.file, "2026/11/22/call.opus", None).await;
    let _ = std::fs::remove_file(encoded.file);
    stored.map_or(0, |stored| stored.bytes)
}

fn main() -> Result<(), Failed> {
    let spool = Spool::of_a_minute()?;
    let call = spool.call();
    if std::env::args().any(|word| word == "--count") {
        black_box(encoded(&call, FileType::Opus));
        return Ok(());
    }
    let runtime = tokio::runtime::Runtime::new()?;
    let objects = Objects::open(&RecordingTarget::Folder(spool.0.join("kept")))?;
    let mut criterion = Criterion::default().configure_from_args().warm_up_time(Duration::from_millis(500));
    let mut group = criterion.benchmark_group("recording_minute");
    group.sample_size(10);
    group.bench_function("opus", |b| b.iter(|| encoded(&call, FileType::Opus)));
    group.bench_function("wav", |b| b.iter(|| encoded(&call, FileType::Wav)));
    group.bench_function("opus_and_stored", |b| b.iter(|| runtime.block_on(stored(&call, &objects))));
    group.finish();
    criterion.final_summary();
    Ok(())
}
