//! What the caller's voice is made of.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use codecs::SampleRate;
use codecs::level::rms_dbfs;

use crate::speech;

/// Quieter than this is a pause, not speech.
const SPEECH_DBFS: f32 = -45.0;

/// Something to say.
#[derive(Clone, Debug)]
pub enum Voice {
    /// A recorded clip of [`crate::speech`], by its id.
    Clip(String),
    /// s16le mono at the plan's rate.
    Pcm {
        /// What to call it in the report.
        label: String,
        /// The audio.
        pcm: Arc<[u8]>,
    },
    /// A 16-bit WAV file of any rate; channels are mixed.
    Wav(PathBuf),
    /// A 440 Hz tone at -12 dBFS.
    Tone(Duration),
}

impl Voice {
    /// A recorded clip, by its id.
    pub fn clip(id: impl Into<String>) -> Self {
        Self::Clip(id.into())
    }

    /// The audio at that rate, or why there is none.
    pub(crate) fn load(&self, rate: SampleRate) -> Result<Spoken, String> {
        match self {
            Self::Clip(id) => {
                let clip = speech::clip(id).ok_or_else(|| format!("there is no clip `{id}`"))?;
                Ok(Spoken::new(id.clone(), clip.pcm_at(rate), rate))
            }
            Self::Pcm { label, pcm } => Ok(Spoken::new(label.clone(), pcm.clone(), rate)),
            Self::Wav(path) => {
                let label = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
                let pcm = read_wav(path, rate).map_err(|error| format!("{}: {error}", path.display()))?;
                Ok(Spoken::new(label, pcm.into(), rate))
            }
            Self::Tone(length) => {
                let label = format!("a tone of {} ms", length.as_millis());
                Ok(Spoken::new(
                    label,
                    tone(440.0, 0.25 * 32_767.0 * std::f64::consts::SQRT_2, *length, rate).into(),
                    rate,
                ))
            }
        }
    }
}

/// Loaded audio, and where in it there is sound.
#[derive(Clone, Debug)]
pub(crate) struct Spoken {
    pub(crate) label: String,
    pub(crate) pcm: Arc<[u8]>,
    /// Samples before the first audible sound.
    pub(crate) lead_in: u64,
    /// Samples to the end of the last audible sound.
    pub(crate) last_sound: u64,
}

impl Spoken {
    fn new(label: String, pcm: Arc<[u8]>, rate: SampleRate) -> Self {
        let window = 10 * rate.bytes_per_ms();
        let loud = |at: &usize| rms_dbfs(&pcm[*at..(at + window).min(pcm.len())]) > SPEECH_DBFS;
        let starts = || (0..pcm.len()).step_by(window);
        let first = starts().find(loud).unwrap_or(0);
        let last = starts().rev().find(loud).map_or(pcm.len(), |at| (at + window).min(pcm.len()));
        Self { label, lead_in: first as u64 / 2, last_sound: last as u64 / 2, pcm }
    }
}

/// How long a key is held.
const KEY_HELD: Duration = Duration::from_millis(120);
/// The frequencies of a keypad's rows and columns, Hz.
const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f64; 3] = [1209.0, 1336.0, 1477.0];

impl Spoken {
    /// The tone of a key (ITU-T Q.23), which has no words; none if there is no such key.
    pub(crate) fn key(key: char, rate: SampleRate) -> Option<Self> {
        let at = "123456789*0#".find(key)?;
        let half = |hz| tone(hz, 8_000.0, KEY_HELD, rate);
        let both = half(ROWS[at / 3])
            .chunks_exact(2)
            .zip(half(COLUMNS[at % 3]).chunks_exact(2))
            .flat_map(|(one, other)| {
                let sample = |bytes: &[u8]| i16::from_le_bytes([bytes[0], bytes[1]]);
                (sample(one) + sample(other)).to_le_bytes()
            })
            .collect::<Vec<_>>();
        let last_sound = both.len() as u64 / 2;
        Some(Self { label: String::new(), pcm: both.into(), lead_in: 0, last_sound })
    }
}

/// A sine of that amplitude, s16le.
pub(crate) fn tone(hz: f64, amplitude: f64, length: Duration, rate: SampleRate) -> Vec<u8> {
    let samples = length.as_millis() as u64 * u64::from(rate.hz()) / 1_000;
    let step = std::f64::consts::TAU * hz / f64::from(rate.hz());
    (0..samples).flat_map(|at| (((at as f64 * step).sin() * amplitude) as i16).to_le_bytes()).collect()
}

fn read_wav(path: &Path, rate: SampleRate) -> Result<Vec<u8>, hound::Error> {
    let mut file = hound::WavReader::open(path)?;
    let spec = file.spec();
    if spec.bits_per_sample != 16 || spec.sample_format != hound::SampleFormat::Int || spec.channels == 0 {
        return Err(hound::Error::Unsupported);
    }
    let samples = file.samples::<i16>().collect::<Result<Vec<_>, _>>()?;
    let mono: Vec<f32> = samples
        .chunks(usize::from(spec.channels))
        .map(|frame| frame.iter().map(|sample| f32::from(*sample)).sum::<f32>() / frame.len() as f32)
        .collect();
    Ok(convert(&mono, spec.sample_rate, rate.hz()).into_iter().flat_map(|s| (s as i16).to_le_bytes()).collect())
}

/// Any rate to any other, good enough for a caller's voice: each output sample is the mean of the input it spans when going
/// down, and lies on the line between its neighbours when going up.
fn convert(mono: &[f32], from_hz: u32, to_hz: u32) -> Vec<f32> {
    if from_hz == to_hz || from_hz == 0 {
        return mono.to_vec();
    }
    let ratio = f64::from(from_hz) / f64::from(to_hz);
    let count = (mono.len() as f64 / ratio) as usize;
    let sample = |at: usize| mono.get(at).or(mono.last()).copied().unwrap_or(0.0);
    (0..count)
        .map(|at| {
            let start = at as f64 * ratio;
            let (low, high) = (start as usize, (start + ratio) as usize);
            if ratio > 1.0 && high > low {
                (low..high).map(sample).sum::<f32>() / (high - low) as f32
            } else {
                let part = (start - low as f64) as f32;
                sample(low) * (1.0 - part) + sample(low + 1) * part
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_around_speech_are_not_speech() {
        let mut pcm = vec![0; 1_600];
        pcm.extend(tone(440.0, 8_000.0, Duration::from_millis(200), SampleRate::Hz8000));
        pcm.extend(vec![0; 4_800]);
        let spoken = Spoken::new("x".into(), pcm.into(), SampleRate::Hz8000);
        assert_eq!((spoken.lead_in, spoken.last_sound), (800, 2_400));
    }

    #[test]
    fn a_wav_of_another_rate_keeps_its_length_and_level() {
        let path = std::env::temp_dir().join(format!("callgate-voice-{}.wav", std::process::id()));
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 44_100,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut file = hound::WavWriter::create(&path, spec).unwrap();
        for at in 0..44_100 {
            let sample = (f64::from(at) * std::f64::consts::TAU * 300.0 / 44_100.0).sin() * 10_000.0;
            file.write_sample(sample as i16).unwrap();
            file.write_sample(sample as i16).unwrap();
        }
        file.finalize().unwrap();
        let pcm = read_wav(&path, SampleRate::Hz8000).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(pcm.len(), 16_000);
        assert!((rms_dbfs(&pcm) - -13.3).abs() < 0.5, "{}", rms_dbfs(&pcm));
    }
}
