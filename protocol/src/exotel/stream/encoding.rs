//! How the audio of a stream is coded, and from its payloads to PCM.

use std::borrow::Cow;

use codecs::g711;
use serde_json::{Map, Value};

use crate::wire::{self, Text, WireError};

/// Bytes from which one can tell where the samples begin.
const TELLING: usize = 64;

/// How audio is coded, both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// s16le.
    #[default]
    Pcm,
    /// G.711 μ-law.
    Ulaw,
    /// G.711 A-law.
    Alaw,
}

impl Encoding {
    /// Reads a coding as carriers spell it: as a media type with parameters, with or without `x-`, in any case.
    ///
    /// `base64`, which is what Exotel's streams say, names no coding at all: they are PCM, and so is whatever says nothing.
    fn named(told: &str) -> Option<Self> {
        let name = told.split(';').next().unwrap_or_default().trim().to_lowercase();
        let name = name.strip_prefix("audio/").unwrap_or(&name);
        let name = name.strip_prefix("x-").unwrap_or(name);
        let plain: String = name.chars().filter(|character| character.is_alphanumeric()).collect();
        Some(match plain.as_str() {
            "" | "null" | "base64" | "raw" | "lpcm" | "l16" | "linear" | "linear16" | "s16le" | "s16" => Self::Pcm,
            "mulaw" | "ulaw" | "μlaw" | "µlaw" | "pcmu" | "pcmmulaw" | "g711u" | "g711ulaw" | "g711mulaw" | "basic" => {
                Self::Ulaw
            }
            "alaw" | "pcma" | "pcmalaw" | "g711a" | "g711alaw" => Self::Alaw,
            // With a width, a byte order, or a rate behind it: `pcm_s16le`, `pcm16`, `slin16`.
            other => match other.strip_prefix("pcm").or_else(|| other.strip_prefix("slin"))? {
                "" | "8" | "16" | "24" | "16le" | "s16" | "s16le" | "16bit" | "8000" | "16000" | "24000" => Self::Pcm,
                _ => return None,
            },
        })
    }

    /// PCM in this coding.
    #[must_use]
    pub fn encode(self, pcm: &[u8]) -> Cow<'_, [u8]> {
        let law = match self {
            Self::Pcm => return Cow::Borrowed(pcm),
            Self::Ulaw => g711::pcm_to_ulaw,
            Self::Alaw => g711::pcm_to_alaw,
        };
        let mut codes = Vec::with_capacity(pcm.len() / 2);
        law(pcm, &mut codes);
        Cow::Owned(codes)
    }
}

/// What a media format says of the coding. The error is a coding that cannot be carried, as sent.
pub(super) fn encoding(format: Option<&Value>) -> Result<Encoding, Text<32>> {
    let told = told(format).unwrap_or_default();
    Encoding::named(&told).ok_or_else(|| Text::new(told))
}

/// The rate among a coding's parameters: `audio/PCMU;rate=8000`.
pub(super) fn rate_parameter(format: Option<&Value>) -> Option<u64> {
    let told = told(format)?;
    let rate = told.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("rate").then(|| value.trim().trim_matches('"').to_owned())
    })?;
    wire::leading_count(&rate)
}

fn told(format: Option<&Value>) -> Option<Cow<'_, str>> {
    let format: &Map<String, Value> = format?.as_object()?;
    ["encoding", "content_type", "contentType"].iter().find_map(|name| format.get(*name).and_then(wire::text))
}

/// From the payloads of one stream to whole samples. A carrier cuts its audio where it likes: the odd byte at the end of one frame
/// is the first half of a sample that ends in the next. (Unless that is noise, and its other half the sound: then it was cut short.)
#[derive(Debug, Default)]
pub struct AudioIn {
    encoding: Encoding,
    half: Option<u8>,
    /// Frames of this stream end within samples.
    odd: bool,
    /// What was lost may have ended within a sample: where the next one begins has to be found.
    adrift: bool,
}

impl AudioIn {
    /// Of a stream with that coding.
    #[must_use]
    pub fn new(encoding: Encoding) -> Self {
        Self { encoding, ..Self::default() }
    }

    /// Appends what is whole of a payload, as s16le.
    ///
    /// # Errors
    /// When the payload is not base64: nothing is appended, and the frame is lost.
    pub fn decode(&mut self, payload: &str, out: &mut Vec<u8>) -> Result<(), WireError> {
        let law = match self.encoding {
            Encoding::Pcm => return self.decode_pcm(payload, out),
            Encoding::Ulaw => g711::ulaw_to_pcm,
            Encoding::Alaw => g711::alaw_to_pcm,
        };
        let mut codes = Vec::with_capacity(payload.len() / 4 * 3);
        wire::decode_base64(payload, &mut codes)?;
        law(&codes, out);
        Ok(())
    }

    fn decode_pcm(&mut self, payload: &str, out: &mut Vec<u8>) -> Result<(), WireError> {
        let start = out.len();
        let half = self.half.take();
        out.extend(half);
        if let Err(error) = wire::decode_base64(payload, out) {
            out.truncate(start);
            self.lost();
            return Err(error);
        }
        if (half.is_some() || self.adrift) && out.len() - start >= TELLING {
            let (here, later) = (roughness(&out[start..]), roughness(&out[start + 1..]));
            // Plain noise: the frame before just lacked its last byte, or what was lost ended within a sample.
            if later < here / 2 {
                out.remove(start);
            }
            // Silence looks the same from either end.
            self.adrift = here == 0 && later == 0;
        }
        if (out.len() - start) % 2 == 1 {
            self.half = out.pop();
            self.odd = true;
        }
        Ok(())
    }

    /// A frame never came, or could not be read: the half of a sample that is held has lost its other one.
    pub fn lost(&mut self) {
        self.half = None;
        self.adrift = self.odd;
    }
}

/// How far samples are from each other: read from their second halves, they jump about.
fn roughness(pcm: &[u8]) -> u64 {
    let samples = pcm.as_chunks::<2>().0.iter().map(|sample| i16::from_le_bytes(*sample));
    samples.clone().zip(samples.skip(1)).map(|(one, next)| u64::from(one.abs_diff(next))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(bytes: &[u8]) -> String {
        let mut text = String::new();
        wire::push_base64(&mut text, bytes);
        text
    }

    fn voice(samples: u32) -> Vec<u8> {
        (0..samples).flat_map(|n| (((n as f32 * 0.3).sin() * 6_000.0) as i16).to_le_bytes()).collect()
    }

    fn heard(audio: &mut AudioIn, frames: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for frame in frames {
            let before = out.len();
            audio.decode(&payload(frame), &mut out).unwrap();
            assert_eq!((out.len() - before) % 2, 0, "whole samples");
        }
        out
    }

    #[test]
    fn every_spelling_of_a_coding_is_known_and_any_other_is_refused() {
        for told in [
            "",
            " ",
            "base64",
            "raw",
            "audio/x-raw",
            "<>",
            "slin",
            "slin16",
            "audio/x-l16",
            "audio/L16;rate=8000",
            "pcm",
            "PCM16",
            "pcm_s16le",
            "linear16",
            "audio/pcm",
            "null",
            "audio/x-raw; rate=8000",
        ] {
            assert_eq!(Encoding::named(told), Some(Encoding::Pcm), "{told}");
        }
        for told in [
            "audio/x-mulaw",
            "mulaw",
            "MULAW",
            "PCMU",
            "audio/PCMU;rate=8000",
            "audio/PCMU; rate=8000",
            "mu-law",
            "ulaw",
            "g711_ulaw",
            "audio/basic",
            "audio/x-mulaw;rate=8000",
            "μ-law",
        ] {
            assert_eq!(Encoding::named(told), Some(Encoding::Ulaw), "{told}");
        }
        for told in ["alaw", "PCMA", "audio/x-alaw", "A-law", "audio/PCMA;rate=8000", "g711_alaw"] {
            assert_eq!(Encoding::named(told), Some(Encoding::Alaw), "{told}");
        }
        for told in ["audio/opus", "opus", "g722", "audio/G729", "mp3", "pcm_s24le", "pcm_f32le", "gsm", "amr"] {
            assert_eq!(Encoding::named(told), None, "{told}");
        }
    }

    #[test]
    fn audio_cut_anywhere_is_heard_as_it_was_said() {
        let said = voice(1_000);
        for cut in [1, 2, 3, 319, 321, 1_999] {
            let frames: Vec<&[u8]> = said.chunks(cut).collect();
            assert_eq!(heard(&mut AudioIn::default(), &frames), said, "every {cut} bytes");
        }
        let (one, rest) = said.split_at(321);
        let (two, three) = rest.split_at(319);
        assert_eq!(heard(&mut AudioIn::default(), &[one, &[], two, &[], three]), said);
    }

    #[test]
    fn a_frame_that_is_lost_costs_itself_however_it_was_cut() {
        let said = voice(4_000);
        let mut frames: Vec<&[u8]> = Vec::new();
        let mut rest = &said[..];
        while !rest.is_empty() {
            let (frame, other) =
                rest.split_at((if frames.len().is_multiple_of(2) { 321 } else { 319 }).min(rest.len()));
            frames.push(frame);
            rest = other;
        }
        for lost in [4, 5, 6, 7] {
            let mut audio = AudioIn::default();
            heard(&mut audio, &frames[..lost]);
            audio.lost();
            let after = heard(&mut audio, &frames[lost + 1..]);
            assert!(said.ends_with(&after[2..]), "without frame {lost}");
            assert!(after.len() + 320 * (lost + 1) + 4 >= said.len());
        }
    }

    #[test]
    fn a_frame_that_lacks_its_last_byte_costs_one_sample_and_no_noise() {
        let said = voice(1_600);
        let mut frames: Vec<&[u8]> = said.chunks(320).collect();
        for short in [1, 4, 5] {
            frames[short] = &frames[short][..319];
        }
        let expected: Vec<u8> = frames.iter().flat_map(|frame| frame[..frame.len() / 2 * 2].iter().copied()).collect();
        assert_eq!(heard(&mut AudioIn::default(), &frames), expected);
        // In silence nobody can tell, and nobody hears it: it is told by the first sound.
        let silence = vec![0; 320];
        let out = heard(&mut AudioIn::default(), &[&silence[..319], &silence, &said[..320], &said[320..640]]);
        assert!(out.ends_with(&said[..640]));
    }

    #[test]
    fn what_is_no_base64_takes_nothing_of_its_neighbours_but_half_a_sample() {
        let said = voice(400);
        let mut audio = AudioIn::default();
        let mut out = Vec::new();
        audio.decode(&payload(&said[..321]), &mut out).unwrap();
        assert_eq!(audio.decode("***", &mut out), Err(WireError::NotBase64));
        assert_eq!(out, said[..320]);
        audio.decode(&payload(&said[640..]), &mut out).unwrap();
        assert_eq!(out[320..], said[640..]);
    }

    #[test]
    fn a_byte_of_g711_is_a_sample_and_comes_back_as_one() {
        let said = voice(160);
        for (encoding, law) in
            [(Encoding::Ulaw, g711::ulaw_decode as fn(u8) -> i16), (Encoding::Alaw, g711::alaw_decode)]
        {
            let codes = encoding.encode(&said).into_owned();
            assert_eq!(codes.len(), 160);
            let expected: Vec<u8> = codes.iter().flat_map(|code| law(*code).to_le_bytes()).collect();
            let (one, rest) = codes.split_at(1);
            assert_eq!(heard(&mut AudioIn::new(encoding), &[one, &[], rest]), expected);
        }
        assert_eq!(Encoding::Pcm.encode(&said), said);
    }
}
