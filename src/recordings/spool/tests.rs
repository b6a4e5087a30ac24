use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::Duration;

use codecs::{g711, ogg, wav};
use proptest::prelude::*;

use super::disk::Space;
use super::tracks::TrackWriter;
use super::*;
use crate::recordings::format::{FileType, RecordingFormat};

const FIRST: Part = Part { generation: 1, number: 1 };

/// The moment so long ago, by both clocks.
fn ago(time: Duration) -> Clock {
    Clock { now: Instant::now().checked_sub(time).unwrap(), wall: SystemTime::now() - time }
}

/// A spool of a test's own, gone with it.
struct Spool(PathBuf);

impl Spool {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("callgate-spool-{}", uuid::Uuid::now_v7())))
    }

    fn backlog(&self) -> Backlog {
        Backlog::new(&self.0, RecordingFormat::Opus)
    }

    fn tracks(&self, call: &str) -> TrackWriter {
        self.part(call, FIRST)
    }

    fn part(&self, call: &str, part: Part) -> TrackWriter {
        TrackWriter::create(&self.0, &CallSid::new(call), part, SampleRate::Hz8000, SystemTime::now()).unwrap()
    }

    fn track(&self, call: &str, name: &str) -> Vec<i16> {
        let bytes = fs::read(self.0.join(call).join(name)).unwrap();
        bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A buzz: a codec leaves out what does not change.
fn loud(samples: usize) -> Vec<u8> {
    (0..samples).flat_map(|n| if n % 20 < 10 { 4_000_i16 } else { -4_000 }.to_le_bytes()).collect()
}

fn caller(at: u64, samples: usize) -> AudioSegment {
    AudioSegment::Caller { at, pcm: loud(samples) }
}

fn agent(at: u64, samples: usize) -> AudioSegment {
    AudioSegment::Agent { at, pcm: loud(samples) }
}

/// Stretches of sound, in samples.
fn sounds(track: &[i16]) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for at in (0..track.len()).filter(|at| track[*at] != 0) {
        match found.last_mut().filter(|(_, to)| *to == at) {
            Some((_, to)) => *to = at + 1,
            None => found.push((at, at + 1)),
        }
    }
    found
}

#[test]
fn what_was_heard_lies_where_it_was_heard_and_what_was_cut_does_not() {
    let spool = Spool::new();
    let mut tracks = spool.tracks("a");
    for segment in [caller(100, 160), caller(260, 160), agent(300, 1_600), agent(1_900, 1_600), caller(1_000, 160)] {
        tracks.put(&segment).unwrap();
    }
    tracks.put(&AudioSegment::AgentCut { at: 1_900 }).unwrap();
    tracks.put(&agent(4_000, 160)).unwrap();
    tracks.flush(4_000).unwrap();
    tracks.finish(5_000).unwrap();
    assert_eq!(sounds(&spool.track("a", "caller.s16")), [(100, 420), (1_000, 1_160)]);
    assert_eq!(sounds(&spool.track("a", "agent.s16")), [(300, 1_900), (4_000, 4_160)]);
    assert_eq!(spool.track("a", "caller.s16").len(), 5_000, "the caller's track is as long as the call");
}

#[test]
fn what_was_sent_and_not_played_when_the_call_ended_is_not_there() {
    let spool = Spool::new();
    let mut tracks = spool.tracks("a");
    tracks.put(&caller(0, 800)).unwrap();
    tracks.put(&agent(0, 4_000)).unwrap();
    tracks.finish(1_000).unwrap();
    assert_eq!(sounds(&spool.track("a", "agent.s16")), [(0, 1_000)]);
}

#[test]
fn an_actor_that_died_had_its_last_audio_played_before_the_next_ones() {
    let spool = Spool::new();
    let mut tracks = spool.tracks("a");
    tracks.put(&agent(0, 4_000)).unwrap();
    tracks.put(&agent(3_000, 1_000)).unwrap();
    tracks.put(&agent(4_000, 1_000)).unwrap();
    tracks.finish(9_000).unwrap();
    assert_eq!(spool.track("a", "agent.s16").len(), 6_000, "nothing is written over");
}

#[test]
fn a_call_that_is_recorded_is_nobody_elses_and_one_that_is_not_is_found() {
    let spool = Spool::new();
    let mut tracks = spool.tracks("a");
    tracks.put(&caller(0, 160)).unwrap();
    assert_eq!(left_behind(&spool.0).unwrap(), [], "it is being written");
    tracks.flush(160).unwrap();
    drop(tracks);
    let found = left_behind(&spool.0).unwrap();
    assert_eq!((found.len(), found[0].call.as_str(), found[0].rate), (1, "a", SampleRate::Hz8000));
    fs::create_dir(spool.0.join("junk")).unwrap();
    assert_eq!(left_behind(&spool.0).unwrap().len(), 1, "what is no recording is left alone");
    found[0].remove().unwrap();
    assert_eq!(left_behind(&spool.0).unwrap(), []);
}

#[test]
fn no_two_recordings_of_a_call_have_one_name_whoever_made_them() {
    let parts = (1..4).flat_map(|generation| (1..4).map(move |number| Part { generation, number }));
    let mut names: Vec<String> = parts.map(|part| part.folder(&CallSid::new("a"))).collect();
    assert_eq!(names[..4], ["a", "a.1-2", "a.1-3", "a.2"]);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 9);
}

#[test]
fn what_is_in_the_spool_under_that_name_is_not_recorded_over() {
    let spool = Spool::new();
    for generation in [1, 1, 2, 2] {
        drop(spool.part("a", Part { generation, number: 1 }));
    }
    let mut folders: Vec<_> = left_behind(&spool.0).unwrap().into_iter().map(|found| found.folder).collect();
    folders.sort();
    assert_eq!(folders, ["a", "a.1-2", "a.2", "a.2-2"].map(|name| spool.0.join(name)));
}

#[test]
fn a_spool_that_was_never_used_is_empty() {
    assert_eq!(left_behind(&Spool::new().0).unwrap(), []);
}

#[test]
fn an_id_that_is_no_file_name_records_nothing() {
    let spool = Spool::new();
    let made = TrackWriter::create(&spool.0, &CallSid::new("../../a"), FIRST, SampleRate::Hz8000, SystemTime::now());
    assert!(made.is_err());
}

#[test]
fn a_recording_that_could_not_begin_leaves_nothing_behind() {
    let spool = Spool::new();
    // There is room for the folder's path, and none for its files'.
    let mut root = spool.0.clone();
    while root.as_os_str().len() < 4_000 {
        root.push("d".repeat(80));
    }
    root.push("d".repeat(4_088 - root.as_os_str().len() - 1));
    let error =
        TrackWriter::create(&root, &CallSid::new("a"), FIRST, SampleRate::Hz8000, SystemTime::now()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidFilename);
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0, "the folder is gone again");
}

#[test]
fn folders_in_which_nothing_was_recorded_are_removed_at_a_start_and_others_are_left_alone() {
    let spool = Spool::new();
    let files: [(&str, &[(&str, &str)]); 6] = [
        ("empty", &[]),
        ("half.2", &[("caller.s16", ""), ("agent.s16", ""), ("call.json", "{\"call_sid\":\"ha")]),
        ("heard", &[("caller.s16", "sound")]),
        ("other", &[("caller.s16", ""), ("notes.txt", "")]),
        ("fresh", &[]),
        ("lost+found", &[]),
    ];
    for (folder, files) in files {
        let path = spool.0.join(folder);
        fs::create_dir_all(&path).unwrap();
        files.iter().for_each(|(name, text)| fs::write(path.join(name), text).unwrap());
        if folder != "fresh" {
            let before = SystemTime::now() - Duration::from_secs(120);
            fs::File::open(&path).unwrap().set_modified(before).unwrap();
        }
    }
    assert_eq!(left_behind(&spool.0).unwrap(), []);
    let mut left: Vec<_> = fs::read_dir(&spool.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["fresh", "heard", "lost+found", "other"]);
}

/// What came out of the spool for one call.
async fn finished(receiver: &mut tokio::sync::mpsc::Receiver<Finished>) -> Finished {
    tokio::time::timeout(Duration::from_secs(10), receiver.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_call_goes_through_the_deck_and_the_press_and_can_be_listened_to() {
    let spool = Spool::new();
    let (spool_handle, writer_thread, mut receiver) = SpoolHandle::start(&spool.backlog()).unwrap();
    let sink = spool_handle.sink(&CallSid::new("a"), 1);
    sink.began(SampleRate::Hz8000, ago(Duration::from_secs(3)));
    for n in 0..100 {
        sink.take(caller(n * 160, 160));
    }
    sink.take(agent(16_000, 4_000));
    sink.take(AudioSegment::AgentCut { at: 18_000 });
    sink.ended();
    let finished = finished(&mut receiver).await;
    assert_eq!((finished.call.as_str(), &finished.incomplete), ("a", &None));
    let encoded = Encoders::new(&spool.backlog()).unwrap().encode(finished.clone(), FileType::Opus).await.unwrap();
    assert!((3_000..5_000).contains(&encoded.duration_ms), "{encoded:?}");
    let decoded = ogg::read(Cursor::new(fs::read(&encoded.file).unwrap())).unwrap();
    let level = |side: usize, from: usize, to: usize| {
        let samples = decoded.samples.iter().skip(side).step_by(2).skip(from).take(to - from);
        samples.map(|sample| f64::from(*sample).abs()).sum::<f64>() / (to - from) as f64
    };
    assert!(level(0, 100, 15_900) > 5.0 * level(0, 17_000, 24_000).max(1.0), "the caller spoke for 2 s");
    assert!(level(1, 16_100, 17_900) > 5.0 * level(1, 0, 15_000).max(1.0), "the agent after that");
    assert!(level(1, 18_400, 24_000) < 50.0, "and was cut");
    finished.remove().unwrap();
    drop(writer_thread);
}

#[tokio::test]
async fn what_is_kept_as_wav_says_what_it_is_and_has_both_sides_as_g711() {
    let spool = Spool::new();
    let mut tracks = spool.tracks("a");
    for segment in [caller(0, 4_000), agent(2_000, 4_000)] {
        tracks.put(&segment).unwrap();
    }
    tracks.finish(9_000).unwrap();
    let finished = tracks.leave(None);
    let encoders = Encoders::new(&spool.backlog()).unwrap();
    let encoded = encoders.encode(finished, FileType::Wav).await.unwrap();
    assert_eq!((encoded.file, encoded.duration_ms), (spool.0.join("a/recording.wav"), 1_125));
    let file = fs::read(spool.0.join("a/recording.wav")).unwrap();
    let (head, codes) = file.split_at(58);
    assert_eq!(head, wav::ulaw_stereo_head(8_000, 9_000));
    assert_eq!(codes.len(), 2 * 9_000);
    let side =
        |side: usize| codes.iter().skip(side).step_by(2).map(|code| g711::ulaw_decode(*code)).collect::<Vec<_>>();
    assert_eq!([sounds(&side(0)), sounds(&side(1))], [[(0, 4_000)], [(2_000, 6_000)]]);
    assert!(side(0)[..4_000].iter().all(|sample| (3_800..4_200).contains(&sample.abs())));
}

#[tokio::test]
async fn a_recording_that_could_not_be_stored_is_not_encoded_again() {
    let spool = Spool::new();
    spool.tracks("a").finish(8_000).unwrap();
    let encoders = Encoders::new(&spool.backlog()).unwrap();
    let order = || encoders.encode(find(&spool.0.join("a")).unwrap().unwrap(), FileType::Opus);
    let encoded = order().await.unwrap();
    fs::write(&encoded.file, "whole").unwrap();
    assert_eq!(order().await.unwrap(), encoded);
    assert_eq!(fs::read(&encoded.file).unwrap(), b"whole");
    // What a process that died had begun is no file yet.
    fs::rename(&encoded.file, spool.0.join("a/recording.opus.part")).unwrap();
    order().await.unwrap();
    assert!(fs::read(&encoded.file).unwrap().starts_with(b"OggS"));
}

#[tokio::test]
async fn what_waits_is_told_in_seconds_until_it_is_encoded() {
    let spool = Spool::new();
    let backlog = spool.backlog();
    for (call, secs) in [("a", 2), ("b", 3)] {
        spool.tracks(call).finish(secs * 8_000).unwrap();
        backlog.add(&find(&spool.0.join(call)).unwrap().unwrap());
    }
    assert_eq!(backlog.secs(), 5);
    let encoders = Encoders::new(&backlog).unwrap();
    for (call, file_type, left) in [("a", FileType::Opus, 3), ("b", FileType::Wav, 0)] {
        encoders.encode(find(&spool.0.join(call)).unwrap().unwrap(), file_type).await.unwrap();
        assert_eq!(backlog.secs(), left);
    }
    // One that is gone waits for nothing.
    spool.tracks("c").finish(8_000).unwrap();
    let gone = find(&spool.0.join("c")).unwrap().unwrap();
    backlog.add(&gone);
    gone.remove().unwrap();
    assert!(matches!(encoders.encode(gone, FileType::Opus).await, Err(EncodeError::Nothing)));
    assert_eq!(backlog.secs(), 0);
}

#[tokio::test]
async fn while_much_waits_two_recordings_are_encoded_at_once_and_while_little_does_one() {
    let spool = Spool::new();
    let backlog = spool.backlog();
    let (begun, mut began) = tokio::sync::mpsc::channel(4);
    let (go, wait) = mpsc::sync_channel::<()>(4);
    let wait = Arc::new(Mutex::new(wait));
    let encoders = Encoders::with(&backlog, move |finished, backlog| {
        begun.try_send(finished.call.clone()).unwrap();
        lock(&wait).recv().unwrap();
        encode::opus(finished, backlog, encode::rest)
    });
    let encoders = encoders.unwrap();
    let order = |call: &'static str| {
        spool.tracks(call).finish(8_000).unwrap();
        let (encoders, finished) = (encoders.clone(), find(&spool.0.join(call)).unwrap().unwrap());
        tokio::spawn(async move { encoders.encode(finished, FileType::Opus).await.unwrap() })
    };
    let first = [order("a"), order("b")];
    assert!(began.recv().await.is_some());
    assert!(began.try_recv().is_err(), "the other waits for it");
    // A long one: nobody has encoded it yet.
    spool.tracks("long").finish(8_000 * 4_000).unwrap();
    backlog.add(&find(&spool.0.join("long")).unwrap().unwrap());
    let second = [order("c"), order("d")];
    assert!(began.recv().await.is_some(), "another thread helps");
    (0..4).for_each(|_| go.send(()).unwrap());
    for done in first.into_iter().chain(second) {
        done.await.unwrap();
    }
}

#[tokio::test]
async fn on_a_disk_that_fills_new_calls_are_not_recorded_then_live_ones_are_cut_and_what_is_finished_is_still_encoded()
{
    let spool = Spool::new();
    let free_mib = Arc::new(AtomicU64::new(1_000));
    let seen = Arc::clone(&free_mib);
    let measure = move |_: &Path| Ok(Space { free: seen.load(Ordering::Relaxed) << 20, size: 1 << 40 });
    let backlog = Backlog::on(&spool.0, RecordingFormat::Auto, measure);
    let (spool_handle, _spooling, mut receiver) = SpoolHandle::start(&backlog).unwrap();
    let record = |call: &str| {
        let sink = spool_handle.sink(&CallSid::new(call), 1);
        sink.began(SampleRate::Hz8000, ago(Duration::from_secs(2)));
        sink.take(caller(0, 8_000));
        sink
    };
    let has = |free: u64| {
        free_mib.store(free, Ordering::Relaxed);
        backlog.disk().look();
    };
    let live = record("live");
    let written = async {
        while fs::metadata(spool.0.join("live/caller.s16")).map_or(0, |file| file.len()) < 16_000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), written).await.unwrap();
    has(200);
    record("new").ended();
    let new = finished(&mut receiver).await;
    assert!(new.incomplete.as_ref().is_some_and(|why| why.contains("nothing was recorded") && why.contains("200 MiB")));
    has(100);
    live.ended();
    let cut = finished(&mut receiver).await;
    assert_eq!((cut.call.as_str(), cut.incomplete.is_some()), ("live", true));
    let encoded = Encoders::new(&backlog).unwrap().encode(cut, FileType::Opus).await.unwrap();
    assert!(encoded.file.is_file() && encoded.duration_ms >= 1_000, "{encoded:?}");
    has(1_000);
    record("later").ended();
    assert_eq!(finished(&mut receiver).await.incomplete, None);
}

#[tokio::test]
async fn a_fault_in_the_encoder_costs_its_recording_an_attempt_and_the_next_one_nothing() {
    let spool = Spool::new();
    for call in ["a", "b"] {
        spool.tracks(call).finish(8_000).unwrap();
    }
    let faults = Arc::new(Mutex::new(vec!["no such sample"]));
    let encoders = Encoders::with(&spool.backlog(), move |finished, backlog| {
        let fault = lock(&faults).pop();
        match fault {
            Some(fault) => panic!("{fault}"),
            None => encode::opus(finished, backlog, encode::rest),
        }
    });
    let encoders = encoders.unwrap();
    let order = |call: &str| encoders.encode(find(&spool.0.join(call)).unwrap().unwrap(), FileType::Opus);
    let error = order("a").await.unwrap_err();
    assert_eq!(error.to_string(), "a fault of ours: no such sample");
    for call in ["b", "a"] {
        assert_eq!(order(call).await.unwrap().duration_ms, 1_000);
    }
}

#[tokio::test]
async fn a_call_that_comes_back_has_one_recording_with_silence_between_its_streams() {
    let spool = Spool::new();
    let (spool_handle, writer_thread, mut receiver) = SpoolHandle::start(&spool.backlog()).unwrap();
    let sink = spool_handle.call_tape(&CallSid::new("a"), 1);
    let zero = ago(Duration::from_secs(3));
    sink.began(SampleRate::Hz8000, zero);
    sink.take(caller(0, 160));
    // Sent ahead, and not played when the line broke.
    sink.take(agent(8_000, 160));
    sink.take(agent(40_000, 160));
    sink.paused_at(zero.now + Duration::from_secs(2));
    sink.began(SampleRate::Hz8000, zero);
    let back = 20_000;
    sink.take(caller(back, 160));
    sink.take(agent(back + 200, 160));
    sink.paused_at(zero.now + Duration::from_secs(3));
    sink.ended();
    let finished = finished(&mut receiver).await;
    assert_eq!(finished.folder, spool.0.join("a"));
    let back = back as usize;
    assert_eq!(sounds(&spool.track("a", "caller.s16")), [(0, 160), (back, back + 160)]);
    let agents = sounds(&spool.track("a", "agent.s16"));
    assert_eq!(agents, [(8_000, 8_160), (back + 200, back + 360)]);
    assert!(receiver.try_recv().is_err(), "and no other");
    drop(writer_thread);
}

#[tokio::test]
async fn a_recording_ends_where_the_last_stream_did_however_long_the_call_was_awaited() {
    let spool = Spool::new();
    let (spool_handle, _spooling, mut receiver) = SpoolHandle::start(&spool.backlog()).unwrap();
    let sink = spool_handle.call_tape(&CallSid::new("a"), 1);
    let zero = ago(Duration::from_secs(2));
    sink.began(SampleRate::Hz8000, zero);
    sink.take(caller(0, 160));
    sink.paused_at(zero.now + Duration::from_secs(1));
    sink.ended();
    finished(&mut receiver).await;
    assert_eq!(spool.track("a", "caller.s16").len(), 8_000);
}

#[tokio::test]
async fn a_stream_at_another_rate_is_a_recording_of_its_own_on_the_same_clock() {
    let spool = Spool::new();
    let (spool_handle, _spooling, mut receiver) = SpoolHandle::start(&spool.backlog()).unwrap();
    let sink = spool_handle.sink(&CallSid::new("a"), 1);
    let zero = ago(Duration::from_secs(2));
    let rates = [SampleRate::Hz8000, SampleRate::Hz16000, SampleRate::Hz8000, SampleRate::Hz24000];
    let mut folders = Vec::new();
    sink.began(rates[0], zero);
    // There, back, and to another one: each is stored, and gone from the spool, before the next one is.
    for (rate, at) in rates.into_iter().zip([0_usize, 8_000, 8_000, 8_000]) {
        sink.take(caller(at as u64, 320));
        sink.paused();
        match rates.get(folders.len() + 1) {
            Some(next) => sink.began(*next, zero),
            None => sink.ended(),
        }
        let part = finished(&mut receiver).await;
        assert_eq!((part.rate, part.began), (rate, zero.wall.into()));
        let folder = part.folder.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(sounds(&spool.track(&folder, "caller.s16")), [(at, at + 320)]);
        part.remove().unwrap();
        folders.push(folder);
    }
    assert_eq!(folders, ["a", "a.1-2", "a.1-3", "a.1-4"]);
}

#[tokio::test]
async fn a_call_that_comes_to_another_gateway_is_recorded_there_on_the_clock_that_it_has() {
    let spool = Spool::new();
    let (spool_handle, _spooling, mut receiver) = SpoolHandle::start(&spool.backlog()).unwrap();
    // Its first stream began a minute ago, somewhere else.
    let zero = ago(Duration::from_secs(60));
    let sink = spool_handle.call_tape(&CallSid::new("a"), 3);
    sink.began(SampleRate::Hz8000, zero);
    let now = 60 * 8_000;
    sink.take(caller(now, 160));
    sink.take(agent(now + 200, 160));
    sink.paused_at(zero.now + Duration::from_secs(61));
    sink.ended();
    let part = finished(&mut receiver).await;
    assert_eq!((&part.folder, part.began), (&spool.0.join("a.3"), zero.wall.into()));
    let now = now as usize;
    assert_eq!(sounds(&spool.track("a.3", "caller.s16")), [(now, now + 160)]);
    assert_eq!(sounds(&spool.track("a.3", "agent.s16")), [(now + 200, now + 360)]);
    assert_eq!(spool.track("a.3", "caller.s16").len(), now + 8_000);
}

#[tokio::test]
async fn a_disk_that_will_not_have_it_says_so_and_no_more() {
    // A file where the folder should be: nothing can be made below it.
    let spool = Spool::new();
    fs::write(&spool.0, "in the way").unwrap();
    let (spool_handle, writer_thread, mut receiver) = SpoolHandle::start(&spool.backlog()).unwrap();
    let sink = spool_handle.sink(&CallSid::new("a"), 1);
    sink.began(SampleRate::Hz8000, ago(Duration::ZERO));
    sink.take(caller(0, 160));
    sink.ended();
    let finished = finished(&mut receiver).await;
    assert!(finished.incomplete.as_ref().unwrap().contains("nothing was recorded"), "{finished:?}");
    assert!(matches!(
        Encoders::new(&spool.backlog()).unwrap().encode(finished, FileType::Opus).await,
        Err(EncodeError::Nothing)
    ));
    drop(writer_thread);
    fs::remove_file(&spool.0).unwrap();
}

#[test]
fn what_the_queue_cannot_take_is_silence_and_the_rest_is_in_place() {
    let spool = Spool::new();
    let (spool_handle, writer_thread, mut receiver) = SpoolHandle::start(&spool.backlog()).unwrap();
    let sink = spool_handle.sink(&CallSid::new("a"), 1);
    sink.began(SampleRate::Hz8000, ago(Duration::from_secs(60)));
    // Much more at once than it holds: how much gets in depends on how soon the writer looks.
    (0..40_000).for_each(|n| sink.take(caller(n * 10, 10)));
    sink.ended();
    drop(writer_thread);
    let finished = receiver.blocking_recv().unwrap();
    assert!(find(&finished.folder).unwrap().is_some());
    let sounds = sounds(&spool.track("a", "caller.s16"));
    assert!(sounds.iter().all(|(from, to)| from % 10 == 0 && to % 10 == 0), "{sounds:?}");
    assert_eq!(sounds[0].0, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// However a process dies between two writes: what is found is what was written, and it is as long as the clock had got but for what a
    /// write is not worth.
    #[test]
    fn what_a_crash_leaves_is_all_but_the_last_400_ms(frames in 1_usize..200, ahead in 0_usize..4_000) {
        let spool = Spool::new();
        let mut tracks = spool.tracks("a");
        for n in 0..frames {
            tracks.put(&caller(n as u64 * 160, 160)).unwrap();
            tracks.flush((n as u64 + 1) * 160).unwrap();
        }
        tracks.put(&agent(frames as u64 * 160, ahead)).unwrap();
        // No finish: the handles just go.
        drop(tracks);
        let found = left_behind(&spool.0).unwrap().remove(0);
        let encoded = encode::opus(&found, &spool.backlog(), |_| ()).unwrap();
        prop_assert_eq!(encoded.duration_ms, frames as u64 / 20 * 400, "more was sent ahead, and never heard");
    }
}
