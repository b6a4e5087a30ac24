//! What a client's agent speaks with, and in which language its callers are written down.

use protocol::realtime::models::VOICES;

/// What the id of an own voice begins with, of an account that has some.
const OWN: &str = "voice_";
/// Longest name of a voice.
const LONGEST: usize = 64;

/// What a voice must be, and the way out for other servers.
pub(crate) const VOICE_WANTED: &str = "one of alloy, ash, ballad, cedar, coral, echo, marin, sage, shimmer, verse, or an id that begins \
    with voice_; for a voice of another server, or a newer one, use unlisted_voice (--unlisted-voice) instead";
/// What the name of a voice that is not listed must be.
pub(crate) const UNLISTED_WANTED: &str = "up to 64 letters, digits, spaces and any of _ . : -";
/// What the language of the transcription must be.
pub(crate) const TRANSCRIPTION_WANTED: &str =
    "a language in two letters (ISO 639-1), such as hi; empty where callers mix languages";

/// ISO 639-1.
const LANGUAGES: &str = "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo es \
    et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr \
    ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt \
    qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo \
    wa wo xh yi yo za zh zu";

/// A voice as it is kept, if the usual server has one of that name.
pub(crate) fn voice(told: &str) -> Option<String> {
    let told = told.trim();
    let known = VOICES.iter().find(|known| known.eq_ignore_ascii_case(told)).map(ToString::to_string);
    known.or_else(|| unlisted_voice(told).filter(|told| told.starts_with(OWN)))
}

/// A voice that is taken without being known.
pub(crate) fn unlisted_voice(told: &str) -> Option<String> {
    let told = told.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:- ".contains(&byte);
    ((1..=LONGEST).contains(&told.len()) && told.bytes().all(plain)).then(|| told.to_owned())
}

/// The language that callers are written down in, as it is kept; a region behind it is left out.
pub(crate) fn transcription_language(told: &str) -> Option<String> {
    let mut parts = told.trim().split(['-', '_']);
    let language = parts.next()?.to_ascii_lowercase();
    let rest = parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    (rest && LANGUAGES.split(' ').any(|known| known == language)).then_some(language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voices_that_there_are_not_are_told_from_those_that_there_are() {
        for (told, kept) in [("marin", "marin"), (" Cedar ", "cedar"), ("voice_68a1b2", "voice_68a1b2")] {
            assert_eq!(voice(told).as_deref(), Some(kept));
        }
        for told in ["doesnotexist", "", "nova", "marin2", "voice_\u{1b}", "alloy,ash"] {
            assert_eq!(voice(told), None, "{told}");
        }
        assert_eq!(unlisted_voice("Asha hi-IN: v2").as_deref(), Some("Asha hi-IN: v2"));
        for told in ["", "a\nb", "\u{1b}[2J", "नीरज", &"x".repeat(65)] {
            assert_eq!(unlisted_voice(told), None, "{told}");
        }
        assert!(VOICES.iter().all(|voice| VOICE_WANTED.contains(voice)));
    }

    #[test]
    fn the_recogniser_gets_a_language_in_two_letters() {
        for (told, kept) in [("hi", "hi"), ("EN-us", "en"), ("en_IN", "en"), (" Ta ", "ta"), ("zh-Hant-TW", "zh")] {
            assert_eq!(transcription_language(told).as_deref(), Some(kept), "{told}");
        }
        for told in ["", "hin", "xx", "e", "english", "en-", "en please", "-en", "en\u{1b}", "हि"] {
            assert_eq!(transcription_language(told), None, "{told}");
        }
    }
}
