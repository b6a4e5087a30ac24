//! What can be said of a client, checked.

use std::path::Path;

use super::super::Failure;
use super::super::args::ClientFields;
use crate::agent::Field;
use crate::tenant;
use crate::tenant::voice::{self, TRANSCRIPTION_WANTED, UNLISTED_WANTED, VOICE_WANTED};

/// What is said of its voice and its callers' language: none leaves things as they are, `Some(None)` is the default.
pub(super) struct Spoken {
    pub(super) voice: Option<Option<String>>,
    pub(super) transcription: Option<Option<String>>,
}

impl Spoken {
    pub(super) fn of(fields: &mut ClientFields) -> Result<Self, Failure> {
        let read =
            |flag: &str, told: Option<String>, known: fn(&str) -> Option<String>, wanted: &str| match told.as_deref() {
                None => Ok(None),
                Some("") => Ok(Some(None)),
                Some(told) => match known(told) {
                    Some(kept) => Ok(Some(Some(kept))),
                    None => Err(Failure::Usage(format!("{flag} {told}: {wanted}"))),
                },
            };
        let listed = read("--voice", fields.voice.take(), voice::voice, VOICE_WANTED)?;
        let unlisted = read("--unlisted-voice", fields.unlisted_voice.take(), voice::unlisted_voice, UNLISTED_WANTED)?;
        let told = fields.transcription_language.take();
        let transcription =
            read("--transcription-language", told, voice::transcription_language, TRANSCRIPTION_WANTED)?;
        Ok(Self { voice: listed.or(unlisted), transcription })
    }
}

/// Texts as an agent file would take them. `asks`: the client may have a context that fills what nobody else knows.
pub(super) fn said(
    name: Option<&str>,
    fields: &ClientFields,
    instructions: Option<&str>,
    asks: bool,
) -> Result<(), Failure> {
    let model = fields.model.as_deref().filter(|model| !model.is_empty());
    for (flag, kind, told) in [
        ("--name", Field::Name, name),
        ("--greeting", Field::Greeting, fields.greeting.as_deref()),
        ("--instructions", Field::Instructions, instructions),
        ("--model", Field::Model, model),
    ] {
        let Some(told) = told else { continue };
        kind.check(told, asks).map_err(|problem| Failure::Usage(format!("{flag} {problem}")))?;
    }
    Ok(())
}

pub(super) fn check(fields: &ClientFields) -> Result<(), Failure> {
    let counts = [
        ("--max-concurrent", fields.max_concurrent),
        ("--calls-per-minute", fields.calls_per_minute),
        ("--caller-calls-per-minute", fields.caller_calls_per_minute),
        ("--max-call-secs", fields.max_call_secs),
    ];
    if let Some((flag, count)) = counts.into_iter().find_map(|(flag, n)| n.filter(|&n| n < 0).map(|n| (flag, n))) {
        return Err(Failure::Usage(format!("{flag} {count}: a count, or 0 for no limit of its own")));
    }
    let told = [
        ("--language", &fields.language, tenant::is_language as fn(&str) -> bool, tenant::LANGUAGE_WANTED),
        ("--region", &fields.region, |told| tenant::region(told).is_some(), tenant::REGION_WANTED),
    ];
    for (flag, told, is, wanted) in told {
        if let Some(told) = told.as_deref().filter(|told| !is(told)) {
            return Err(Failure::Usage(format!("{flag} {told}: {wanted}")));
        }
    }
    match fields.time_zone.as_deref().map(|told| (told, tenant::time_zone(told))) {
        Some((told, Err(why))) => Err(Failure::Usage(format!("--time-zone {told}: {why}"))),
        _ => Ok(()),
    }
}

pub(super) fn instructions(fields: &ClientFields) -> Result<Option<String>, Failure> {
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .map_err(|e| Failure::Usage(format!("--instructions-file {}: {e}", path.display())))
    };
    match &fields.instructions_file {
        Some(path) => read(path).map(Some),
        None => Ok(fields.instructions.clone()),
    }
}
