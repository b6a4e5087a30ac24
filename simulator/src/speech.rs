//! The speech both simulators share: fixtures spoken by espeak-ng (`tools/make-fixtures.sh` makes them from
//! `fixtures/clips.txt`), and two synthetic clips.

mod recognise;
mod synthetic;

use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock};

use codecs::{Resampler, SampleRate};

pub(crate) use recognise::recognise;

/// Hop of the level track by which a clip is recognised, in milliseconds.
const LEVEL_HOP_MS: usize = 20;

/// The rate of the recorded fixtures.
const FIXTURE_RATE: SampleRate = SampleRate::Hz16000;

const MANIFEST: &str = include_str!("../fixtures/clips.txt");

macro_rules! recordings {
    ($($id:literal),* $(,)?) => {
        &[$(($id, include_bytes!(concat!("../fixtures/", $id, ".wav")))),*]
    };
}

/// 16 kHz mono WAV by clip id.
const RECORDINGS: &[(&str, &[u8])] = recordings![
    "greeting_en",
    "greeting_hi",
    "apology_en",
    "answer_en_hours",
    "answer_en_booking",
    "answer_hi_hours",
    "goodbye_en",
    "commentary_en",
    "caller_en_hours",
    "caller_en_interrupt",
    "caller_hi_booking",
    "caller_en_bye",
    "caller_en_hmm",
    "caller_hi_haan",
    "caller_cough",
];

static CLIPS: LazyLock<Vec<Clip>> = LazyLock::new(|| {
    let recorded = MANIFEST.lines().filter(|line| !line.starts_with('#')).filter_map(Clip::from_manifest);
    let synthetic = [("babble", "", Source::Babble), ("tone", "Tone.", Source::Tone)];
    recorded.chain(synthetic.map(|(id, text, source)| Clip::new(id, "en", Voice::Model, text, source))).collect()
});

/// Whose voice a clip is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// The simulated model's.
    Model,
    /// The simulated caller's.
    Caller,
}

/// A piece of speech and its words.
pub struct Clip {
    /// Its name in scripts.
    pub id: &'static str,
    /// ISO 639-1.
    pub language: &'static str,
    /// Who speaks.
    pub voice: Voice,
    /// What is said.
    pub text: &'static str,
    source: Source,
    rendered: [OnceLock<Arc<[u8]>>; 3],
    levels: OnceLock<Vec<f32>>,
}

#[derive(Clone, Copy)]
enum Source {
    Recording(&'static [u8]),
    Babble,
    Tone,
}

/// All clips.
#[must_use]
pub fn clips() -> &'static [Clip] {
    &CLIPS
}

/// The clip of that id.
#[must_use]
pub fn clip(id: &str) -> Option<&'static Clip> {
    clips().iter().find(|clip| clip.id == id)
}

impl Clip {
    fn new(id: &'static str, language: &'static str, voice: Voice, text: &'static str, source: Source) -> Self {
        let rendered = [const { OnceLock::new() }; 3];
        Self { id, language, voice, text, source, rendered, levels: OnceLock::new() }
    }

    /// A line of the manifest: `id|language|who|espeak-ng voice|speed|pitch|text`.
    fn from_manifest(line: &'static str) -> Option<Self> {
        let mut fields = line.split('|');
        let (id, language, who) = (fields.next()?, fields.next()?, fields.next()?);
        let voice = if who == "caller" { Voice::Caller } else { Voice::Model };
        let (_, wav) = RECORDINGS.iter().find(|(name, _)| *name == id)?;
        Some(Self::new(id, language, voice, fields.next_back()?, Source::Recording(wav)))
    }

    /// The clip as s16le mono at that rate; made once, then shared.
    pub fn pcm_at(&self, rate: SampleRate) -> Arc<[u8]> {
        let slot = match rate {
            SampleRate::Hz8000 => &self.rendered[0],
            SampleRate::Hz16000 => &self.rendered[1],
            SampleRate::Hz24000 => &self.rendered[2],
        };
        Arc::clone(slot.get_or_init(|| self.render(rate).into()))
    }

    /// How long it is.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        (self.pcm_at(FIXTURE_RATE).len() / FIXTURE_RATE.bytes_per_ms()) as u64
    }

    fn render(&self, rate: SampleRate) -> Vec<u8> {
        match self.source {
            Source::Babble => synthetic::babble(rate),
            Source::Tone => synthetic::tone(rate),
            Source::Recording(wav) if rate == FIXTURE_RATE => samples_of(wav),
            Source::Recording(_) => resampled(&self.pcm_at(FIXTURE_RATE), rate),
        }
    }

    /// dBFS of every [`LEVEL_HOP_MS`] of it.
    fn levels(&self) -> &[f32] {
        self.levels.get_or_init(|| {
            let rate = SampleRate::Hz8000;
            self.pcm_at(rate).chunks(LEVEL_HOP_MS * rate.bytes_per_ms()).map(codecs::level::rms_dbfs).collect()
        })
    }
}

impl fmt::Debug for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clip({})", self.id)
    }
}

/// The fixtures are part of the program: one that cannot be read is silence here, and caught by a test.
fn samples_of(wav: &[u8]) -> Vec<u8> {
    let Ok(reader) = hound::WavReader::new(wav) else { return Vec::new() };
    reader.into_samples::<i16>().map_while(Result::ok).flat_map(i16::to_le_bytes).collect()
}

fn resampled(pcm: &[u8], rate: SampleRate) -> Vec<u8> {
    let mut out = Vec::new();
    if let Ok(mut resampler) = Resampler::new(FIXTURE_RATE.hz(), rate.hz()) {
        resampler.push(pcm, &mut out);
        resampler.flush(&mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use codecs::level::rms_dbfs;

    use super::*;

    #[test]
    fn every_recording_is_in_the_manifest_and_speaks_at_every_rate() {
        assert_eq!(clips().len(), RECORDINGS.len() + 2);
        for clip in clips() {
            let least =
                if ["caller_en_hmm", "caller_hi_haan", "caller_cough"].contains(&clip.id) { 180 } else { 1_000 };
            assert!((least..12_000).contains(&clip.duration_ms()), "{clip:?}");
            let wordless = ["babble", "caller_cough"].contains(&clip.id);
            assert_eq!(clip.text.is_empty(), wordless, "a cough has no words, nor has babble: {clip:?}");
            for rate in [SampleRate::Hz8000, SampleRate::Hz16000, SampleRate::Hz24000] {
                let pcm = clip.pcm_at(rate);
                let ms = (pcm.len() / rate.bytes_per_ms()) as u64;
                assert!(ms.abs_diff(clip.duration_ms()) <= 25, "{clip:?} lasts {ms} ms at {rate:?}");
                assert!((-26.0..-9.0).contains(&rms_dbfs(&pcm)), "{clip:?} is at {} dBFS", rms_dbfs(&pcm));
            }
        }
    }

    #[test]
    fn a_clip_is_rendered_once() {
        let clip = clip("tone").unwrap();
        assert!(Arc::ptr_eq(&clip.pcm_at(SampleRate::Hz8000), &clip.pcm_at(SampleRate::Hz8000)));
    }
}
