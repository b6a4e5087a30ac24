//! What a recording really is, by its first bytes: hosts call sound anything, and error pages too.

use file_format::{FileFormat, Kind};

/// As many bytes are looked at, or as there are.
pub(super) const HEAD: usize = 4096;

/// What is told of sound that has no signature: it is believed if it is one of these.
const TOLD: [(&str, &str); 12] = [
    ("audio/mpeg", "mp3"),
    ("audio/mp3", "mp3"),
    ("audio/wav", "wav"),
    ("audio/x-wav", "wav"),
    ("audio/wave", "wav"),
    ("audio/vnd.wave", "wav"),
    ("audio/ogg", "ogg"),
    ("audio/opus", "ogg"),
    ("audio/flac", "flac"),
    ("audio/aac", "aac"),
    ("audio/mp4", "m4a"),
    ("audio/basic", "au"),
];

/// What is stored of a recording beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sound {
    /// Its content type.
    pub(super) content_type: &'static str,
    /// What its name ends with.
    pub(super) ending: &'static str,
}

const fn sound(content_type: &'static str, ending: &'static str) -> Sound {
    Sound { content_type, ending }
}

/// No sound; the words go on after "the host sent".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} instead of a recording")]
pub(super) struct NotAudio(String);

/// Judges the beginning of an answer, and what was told of it.
pub(super) fn sniff(head: &[u8], told: Option<&str>) -> Result<Sound, NotAudio> {
    let told = told.and_then(|text| text.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
    let format = FileFormat::from_bytes(behind_tags(head));
    if let Some(known) = known(format, &told) {
        return Ok(known);
    }
    if let Some(text) = text(head) {
        return Err(NotAudio(text.to_owned()));
    }
    if format != FileFormat::ArbitraryBinaryData {
        return Err(NotAudio(format!("{} ({})", format.name(), format.media_type())));
    }
    match TOLD.iter().find(|(name, _)| *name == told) {
        Some((name, ending)) => Ok(sound(name, ending)),
        None if told.starts_with("audio/") || is_any_type(&told) => Ok(sound("application/octet-stream", "bin")),
        None => Err(NotAudio(format!("something that it calls {told}"))),
    }
}

fn is_any_type(told: &str) -> bool {
    matches!(told, "" | "application/octet-stream" | "binary/octet-stream" | "application/x-download")
}

/// Sound of a kind that a carrier may record in.
fn known(format: FileFormat, told: &str) -> Option<Sound> {
    Some(match format {
        FileFormat::Mpeg12AudioLayer3 | FileFormat::Mpeg12AudioLayer2 | FileFormat::Id3v2 => sound("audio/mpeg", "mp3"),
        FileFormat::WaveformAudio => sound("audio/wav", "wav"),
        FileFormat::OggOpus
        | FileFormat::OggVorbis
        | FileFormat::OggFlac
        | FileFormat::OggSpeex
        | FileFormat::OggMultiplexedMedia => sound("audio/ogg", "ogg"),
        FileFormat::FreeLosslessAudioCodec => sound("audio/flac", "flac"),
        FileFormat::AdvancedAudioCoding => sound("audio/aac", "aac"),
        FileFormat::AppleItunesAudio => sound("audio/mp4", "m4a"),
        FileFormat::Mpeg4Part14 if told.starts_with("audio/") => sound("audio/mp4", "m4a"),
        FileFormat::AdaptiveMultiRate => sound("audio/amr", "amr"),
        FileFormat::AudioInterchangeFileFormat => sound("audio/aiff", "aiff"),
        FileFormat::Au => sound("audio/basic", "au"),
        // Other sound has a name, and is kept as it is.
        other if other.kind() == Kind::Audio => sound("application/octet-stream", "bin"),
        _ => return None,
    })
}

/// What lies behind tags that may stand before any kind of sound. Tags without an end within sight are those of an MP3.
fn behind_tags(head: &[u8]) -> &[u8] {
    let [b'I', b'D', b'3', 2..=4, _, _, size @ ..] = head else { return head };
    let Some(size) = size.first_chunk::<4>().filter(|size| size.iter().all(|byte| byte & 0x80 == 0)) else {
        return head;
    };
    let size = size.iter().fold(0_usize, |sum, byte| (sum << 7) | usize::from(*byte));
    let behind = head.get(size.saturating_add(10)..).filter(|behind| behind.len() >= 16);
    // Padding may follow; it is an MP3's.
    behind.filter(|behind| behind.first() != Some(&0)).unwrap_or(head)
}

/// What kind of text it is, if it is one: named by the first byte that is not blank.
fn text(head: &[u8]) -> Option<&'static str> {
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return Some("text (UTF-16)");
    }
    let bare = head.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(head);
    let readable = match std::str::from_utf8(bare) {
        Ok(text) => text,
        // Only the last character may be cut.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(bare.get(..error.valid_up_to())?).ok()?,
        Err(_) if bare.trim_ascii_start().starts_with(b"<") => return Some("markup (XML or HTML)"),
        Err(_) => return None,
    };
    let odd = |character: char| character.is_control() && !character.is_ascii_whitespace() && character != '\u{1b}';
    if readable.contains(odd) {
        return None;
    }
    let begins = readable.trim_start();
    let lower = begins.get(..begins.len().min(512)).unwrap_or(begins).to_ascii_lowercase();
    let page = ["<!doctype html", "<html", "<head", "<body", "<title", "<script", "<form"];
    Some(match begins.as_bytes().first()? {
        b'{' | b'[' => "JSON",
        b'<' if page.iter().any(|tag| lower.contains(tag)) => "a web page (HTML)",
        b'<' => "XML",
        _ => "text",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mp3(version: u8) -> Vec<u8> {
        [&[0xff, version, 0x18, 0xc4][..], &[0; 200]].concat()
    }

    #[test]
    fn sound_is_known_by_itself_whatever_its_host_calls_it() {
        let wav = [&b"RIFF\x24\x00\x00\x00WAVEfmt "[..], &[0; 40]].concat();
        let ogg = |codec: &[u8]| [&b"OggS\x00\x02"[..], &[0; 22], codec, &[1; 20]].concat();
        let tagged = |behind: &[u8]| [&b"ID3\x04\x00\x00\x00\x00\x01\x00"[..], &[b'T'; 128], behind].concat();
        let flac = [&b"fLaC\x00\x00\x00\x22"[..], &[0; 40]].concat();
        let m4a = |brand: &[u8]| [&b"\x00\x00\x00\x20ftyp"[..], brand, &[0; 24]].concat();
        for (bytes, content_type, ending) in [
            // MPEG-1, MPEG-2, MPEG-2.5: 8 kHz is the last.
            (mp3(0xfb), "audio/mpeg", "mp3"),
            (mp3(0xf3), "audio/mpeg", "mp3"),
            (mp3(0xe3), "audio/mpeg", "mp3"),
            (tagged(&mp3(0xe3)), "audio/mpeg", "mp3"),
            (b"ID3\x03\x00\x00\x00\x7f\x7f\x7f a large picture".to_vec(), "audio/mpeg", "mp3"),
            (wav.clone(), "audio/wav", "wav"),
            (ogg(b"OpusHead"), "audio/ogg", "ogg"),
            (ogg(b"\x01vorbis"), "audio/ogg", "ogg"),
            (flac.clone(), "audio/flac", "flac"),
            (tagged(&flac), "audio/flac", "flac"),
            (m4a(b"M4A "), "audio/mp4", "m4a"),
            (b"#!AMR\n\x3c\x91\x17".to_vec(), "audio/amr", "amr"),
            (b".snd\x00\x00\x00\x18\x00\x00\x00\x00".to_vec(), "audio/basic", "au"),
        ] {
            for told in [None, Some("text/html"), Some("application/octet-stream"), Some("audio/mpeg; charset=utf-8")] {
                assert_eq!(sniff(&bytes, told), Ok(sound(content_type, ending)), "{told:?} {:?}", &bytes[..4]);
            }
        }
        assert_eq!(sniff(&m4a(b"isom"), Some("audio/mp4")), Ok(sound("audio/mp4", "m4a")));
    }

    #[test]
    fn an_error_page_is_no_recording_whatever_its_host_calls_it() {
        for (bytes, words) in [
            (&b"<html>Sign in</html>"[..], "a web page (HTML)"),
            (b"\xef\xbb\xbf  <!DOCTYPE html><html>", "a web page (HTML)"),
            (b"\n\n<head><title>403</title></head>", "a web page (HTML)"),
            (b"<!-- edge --><HTML><BODY>", "a web page (HTML)"),
            (b"\xff\xfe<\x00h\x00t\x00m\x00l\x00>\x00", "text (UTF-16)"),
            (b"<Error><Code>AccessDenied</Code></Error>", "XML"),
            (b"<?xml version=\"1.0\"?><Error/>", "XML"),
            (b"<RestException>\xe9t\xe9", "markup"),
            (b"{\"error\":\"no such recording\"}", "JSON"),
            (b"\xef\xbb\xbf [ ]", "JSON"),
            (b"Recording is not available yet", "text"),
            ("रिकॉर्डिंग".as_bytes().get(..29).unwrap(), "text"),
            (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb", "gzip"),
            (b"PK\x03\x04\x14\x00\x00\x00\x08\x00\x00\x00\x21\x00", "ZIP"),
            (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "PDF"),
            (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "PNG"),
        ] {
            for told in [None, Some("audio/mpeg"), Some("text/html"), Some("application/octet-stream")] {
                let why = sniff(bytes, told).unwrap_err().to_string();
                assert!(why.contains(words) || why.contains(&words.to_lowercase()), "{why}");
                assert!(why.ends_with("instead of a recording"), "{why}");
            }
        }
    }

    #[test]
    fn sound_without_a_signature_is_kept_as_what_its_host_calls_it_if_that_is_sound() {
        let raw = [7; 300];
        assert_eq!(sniff(&raw, Some("Audio/MPEG")), Ok(sound("audio/mpeg", "mp3")));
        assert_eq!(sniff(&raw, Some("audio/x-wav; rate=8000")), Ok(sound("audio/x-wav", "wav")));
        for told in [None, Some("application/octet-stream"), Some("audio/x-strange"), Some("")] {
            assert_eq!(sniff(&raw, told), Ok(sound("application/octet-stream", "bin")), "{told:?}");
        }
        for told in ["text/html", "application/json", "image/png"] {
            assert!(sniff(&raw, Some(told)).unwrap_err().to_string().contains(told));
        }
    }
}
