//! What texts of an agent file must be, each by itself. A check gives the text back as it is kept, or says what is wrong and the mend.

use protocol::call::listening_words;
use protocol::call::template::Template;
use url::Url;

use super::shape::{LONGEST_INSTRUCTIONS, LONGEST_MODEL, LONGEST_NAME, LONGEST_SAID};
use crate::tenant::{self, voice};

type Read = Result<String, String>;

/// Not every database keeps NUL.
fn whole(told: &str) -> Result<&str, String> {
    if told.contains('\0') { Err("holds a NUL character: take it out".to_owned()) } else { Ok(told) }
}

/// Something, whatever it is.
pub(super) fn filled(told: &str) -> Read {
    if whole(told)?.trim().is_empty() { Err("is empty: give it a value".to_owned()) } else { Ok(told.to_owned()) }
}

/// What is said to everybody alike.
pub(super) fn fixed(told: &str) -> Read {
    match filled(told)?.contains("{{") {
        true => Err("has places to fill, and is the same for all callers: take the {{ out".to_owned()),
        false => Ok(told.to_owned()),
    }
}

/// A text with places to fill.
pub(super) fn template(told: &str) -> Read {
    match Template::parse(whole(told)?) {
        Ok(_) => Ok(told.to_owned()),
        Err(wrong) => Err(wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; and ")),
    }
}

/// A fixed sentence.
pub(super) fn sentence(told: &str) -> Read {
    let (characters, most) = (told.chars().count(), crate::clips::LONGEST_SENTENCE);
    if characters > most {
        return Err(format!("has {characters} characters: {most} are the most of a sentence that is played"));
    }
    filled(told)
}

pub(super) fn region(told: &str) -> Read {
    tenant::region(told).ok_or_else(|| format!("is no region: give {}", tenant::REGION_WANTED))
}

pub(super) fn language(told: &str) -> Read {
    if tenant::is_language(told) {
        return Ok(told.to_owned());
    }
    Err(format!("is no language: give {}", tenant::LANGUAGE_WANTED))
}

pub(super) fn voice(told: &str) -> Read {
    voice::voice(told).ok_or_else(|| format!("is no voice that is known: give {}", voice::VOICE_WANTED))
}

pub(super) fn unlisted_voice(told: &str) -> Read {
    voice::unlisted_voice(told).ok_or_else(|| format!("is no name of a voice: give {}", voice::UNLISTED_WANTED))
}

pub(super) fn transcription_language(told: &str) -> Read {
    let language = voice::transcription_language(told);
    language.ok_or_else(|| format!("is no language: give {}", voice::TRANSCRIPTION_WANTED))
}

/// What a listener says.
pub(super) fn listening_word(told: &str) -> Read {
    match listening_words::normal(told).next() {
        Some(_) => filled(told),
        None => Err("holds no word: give what a listener says, as in haan ji".to_owned()),
    }
}

/// A model, of whichever server.
pub(super) fn model(told: &str) -> Read {
    if told.is_empty() || told.trim() != told || told.chars().any(char::is_control) {
        return Err("is no name of a model: give one such as gpt-realtime-2.1, or leave it out".to_owned());
    }
    Ok(told.to_owned())
}

/// The name of a function, as models take it.
pub(super) fn function(told: &str) -> Read {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if !told.is_empty() && told.bytes().all(plain) {
        return Ok(told.to_owned());
    }
    Err("is no name of a function: give letters, digits, _ and - alone, as in book_slot".to_owned())
}

/// The name of a destination, as models say it.
pub(super) fn destination(told: &str) -> Read {
    match function(told) {
        Ok(name) if name.len() <= 64 => Ok(name),
        _ => Err("is no name of a destination: give up to 64 letters, digits, _ and -, as in front_desk".to_owned()),
    }
}

/// A URL, wherever it leads.
pub(super) fn url(told: &str) -> Read {
    match Url::parse(told) {
        Ok(url) if url.has_host() => Ok(told.to_owned()),
        Ok(_) => Err("names no host: write it as https://host/path".to_owned()),
        Err(error) => Err(format!("is not a URL ({error}): write it as https://host/path")),
    }
}

/// What a value stands for that begins with it.
pub(super) const SECRET: &str = "secret:";
/// Headers that are ours, or the connection's.
const OURS: [&str; 9] = [
    "content-type",
    "content-length",
    "host",
    "connection",
    "transfer-encoding",
    "idempotency-key",
    "traceparent",
    "te",
    "upgrade",
];

/// The name of a header that a client may set.
pub(super) fn header_name(told: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if told.is_empty() || told.len() > 64 || !told.bytes().all(plain) {
        return Err("is no name of a header: give letters, digits and -, as in X-Api-Key".to_owned());
    }
    let low = told.to_ascii_lowercase();
    if OURS.contains(&low.as_str()) || low.starts_with("callgate-") {
        return Err("is set by callgate itself: leave it out".to_owned());
    }
    Ok(())
}

/// The value of a header.
pub(super) fn header_value(told: &str) -> Result<(), String> {
    if let Some(name) = told.strip_prefix(SECRET) {
        return secret_name(name);
    }
    let plain = |character: char| character == '\t' || (' '..='~').contains(&character);
    if told.chars().all(plain) {
        Ok(())
    } else {
        Err("holds characters that no header has: give plain ASCII".to_owned())
    }
}

/// The name of a sealed secret.
pub(super) fn secret_name(name: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(plain) {
        return Ok(());
    }
    Err("names no secret: a name has letters, digits, _ and -, at most 64, as in secret:CRM_KEY".to_owned())
}

/// What a client may be called, say or use, where it is told field by field: as in a file, so that it exports to one that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Its name.
    Name,
    /// What callers are greeted with.
    Greeting,
    /// The system prompt.
    Instructions,
    /// The model.
    Model,
}

impl Field {
    /// Checks it. `asks`: a context may be asked for what its places name.
    ///
    /// # Errors
    /// What is wrong with it, and the mend.
    pub fn check(self, told: &str, asks: bool) -> Result<(), String> {
        let most = match self {
            Self::Name => LONGEST_NAME,
            Self::Greeting => LONGEST_SAID,
            Self::Instructions => LONGEST_INSTRUCTIONS,
            Self::Model => LONGEST_MODEL,
        };
        if told.len() > most {
            return Err(format!("has {} bytes: {most} are the most", told.len()));
        }
        match self {
            Self::Name => filled(told).map(drop),
            Self::Model => model(told).map(drop),
            Self::Greeting | Self::Instructions => {
                template(told)?;
                let unfilled = Template::parse(told).map(|template| template.unfilled(asks)).unwrap_or_default();
                unfilled.first().map_or(Ok(()), |first| Err(first.to_string()))
            }
        }
    }
}
