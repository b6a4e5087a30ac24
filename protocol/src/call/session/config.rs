//! What a session is configured with, and what is left out for a server that refuses it.

use super::super::context::Context;
use super::super::io::ConnId;
use super::super::tools;
use crate::call::policy::Listening;
use crate::realtime::command::{ClientEvent, SessionConfig, TranscriptionHints};
use crate::realtime::event::ServerError;
use crate::realtime::event_id::EventId;
use crate::realtime::failure::Field;
use crate::realtime::models::takes_hints;

/// Some of what a configuration asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(u8);

impl Fields {
    /// What a strict or older server may not know.
    const EXTRAS: Self = Self::of(Field::Transcription)
        .and(Self::of(Field::NoiseReduction))
        .and(Self::of(Field::Tools))
        .and(Self::of(Field::Speed))
        .and(Self::of(Field::Hints))
        .and(Self::of(Field::Semantic));

    const fn of(field: Field) -> Self {
        Self(1 << field as u8)
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn have(self, field: Field) -> bool {
        self.0 & Self::of(field).0 != 0
    }
}

/// How a connection was configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// The update that was sent last.
    pub(super) update: Option<EventId>,
    /// What it left out.
    pub(super) without: Fields,
    /// Of that, what this server is known not to have, and what it need not be asked again.
    pub(super) known: Fields,
}

impl Asked {
    /// The first one: without what the server is known not to have.
    pub(super) fn first(known: Fields) -> Self {
        Self { update: None, without: known, known }
    }

    /// Without the language, which a recogniser would not have.
    pub(super) fn any_language(self) -> Self {
        let language = Fields::of(Field::Language);
        Self { without: self.without.and(language), known: self.known.and(language), ..self }
    }

    /// What is left to be tried after a refusal: without exactly what it names. One that names nothing may be about the language:
    /// transcription is not given up before that was tried. Then all goes that a strict server may not know; and then nothing is left.
    pub(super) fn after(self, cx: &Context, error: &ServerError) -> Option<Self> {
        let asks = |field: &Field| self.asks(cx, *field);
        let named = match Field::of(error) {
            Some(Field::Transcription) if asks(&Field::Language) => Some(Field::Language),
            Some(Field::Language) if !asks(&Field::Language) => Some(Field::Transcription),
            named => named,
        };
        if named.is_some_and(|field| self.without.have(field)) {
            // It was not asked for that.
            return None;
        }
        if let Some(field) = named.filter(asks) {
            let field = Fields::of(field);
            return Some(Self { without: self.without.and(field), known: self.known.and(field), ..self });
        }
        if error.param.as_deref().is_none_or(str::is_empty) && asks(&Field::Language) {
            return Some(self.any_language());
        }
        let without = self.without.and(Fields::EXTRAS);
        (without != self.without).then_some(Self { without, ..self })
    }

    /// Whether a server was asked for it.
    pub(super) fn asks(self, cx: &Context, field: Field) -> bool {
        let transcription = cx.transcription_model().is_some() && !self.without.have(Field::Transcription);
        let wished = match field {
            Field::Language => transcription && language(cx).is_some(),
            Field::Transcription => transcription,
            Field::Hints => transcription && hints(cx) != TranscriptionHints::default(),
            Field::Voice => cx.setup.voice.is_some(),
            Field::Speed => cx.setup.speed.is_some(),
            Field::NoiseReduction => cx.setup.listening.noise_reduction.is_some(),
            Field::Semantic => cx.setup.listening.detection.semantic.is_some(),
            Field::Tools => true,
        };
        wished && !self.without.have(field)
    }
}

/// Configures a session.
pub(super) fn configure(cx: &mut Context, conn: ConnId, asked: Asked) -> Asked {
    let asks = |field| asked.asks(cx, field);
    let listening = &cx.setup.listening;
    let config = SessionConfig {
        instructions: cx.setup.instructions.clone(),
        voice: cx.setup.voice.clone().filter(|_| asks(Field::Voice)),
        speed: cx.setup.speed.filter(|_| asks(Field::Speed)),
        format: cx.policy.format,
        transcription_language: language(cx).filter(|_| asks(Field::Language)),
        transcription_model: cx.transcription_model().filter(|_| asks(Field::Transcription)).map(str::to_owned),
        hints: if asks(Field::Hints) { hints(cx) } else { TranscriptionHints::default() },
        vad: cx.vad(),
        semantic: listening.detection.semantic.filter(|_| asks(Field::Semantic)),
        answers_by_itself: !listening.interruptions.are_ours(),
        noise_reduction: listening.noise_reduction.filter(|_| asks(Field::NoiseReduction)),
        tools: if asks(Field::Tools) { tools::declared(&cx.setup, cx.now) } else { Vec::new() },
    };
    Asked { update: cx.send(conn, ClientEvent::SessionUpdate(Box::new(config))), ..asked }
}

/// What the recogniser is told to expect, as far as its model can be told.
fn hints(cx: &Context) -> TranscriptionHints {
    let Some(takes) = cx.transcription_model().map(takes_hints) else { return TranscriptionHints::default() };
    let Listening { languages, hint_words, .. } = &cx.setup.listening;
    let said = |wanted: bool, words: &[String]| if wanted { words.to_vec() } else { Vec::new() };
    TranscriptionHints {
        languages: said(takes.languages && language(cx).is_none(), languages),
        keywords: said(takes.keywords, hint_words),
        prompt: (takes.prompt && !hint_words.is_empty()).then(|| hint_words.join(", ")),
    }
}

/// The language that the recogniser is told: ISO 639-1 is lower case, and has no region.
pub(super) fn language(cx: &Context) -> Option<String> {
    let listening = &cx.setup.listening;
    let only = || match listening.languages.as_slice() {
        [only] => Some(only.as_str()),
        _ => None,
    };
    let told = listening.transcription_language.as_deref().or_else(only)?;
    let primary = told.split(['-', '_']).next().unwrap_or_default().trim().to_ascii_lowercase();
    Some(primary).filter(|primary| !primary.is_empty())
}
