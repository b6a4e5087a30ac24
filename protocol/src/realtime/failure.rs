//! What a server's failures mean for what to do next.

use std::time::Duration;

use crate::realtime::event::ServerError;

/// Why a provider will not have us: credentials, money, configuration. Another call would fare no better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderRefusal {
    /// It takes no configuration of ours.
    Configuration,
    /// There is no money left, or no quota.
    Quota,
    /// It does not know the key.
    Unauthorized,
    /// The key may not do this.
    Forbidden,
    /// It has no such model.
    NotFound,
    /// Anything else.
    Other,
}

impl ProviderRefusal {
    /// The word for programs, which anybody may read.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Quota => "quota",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Other => "other",
        }
    }

    /// Of an error's code or type. `invalid_request_error.model_not_found` counts too.
    fn of(code: &str) -> Option<Self> {
        let code = code.rsplit('.').next().unwrap_or(code);
        FATAL.iter().find(|(fatal, _)| *fatal == code).map(|(_, refusal)| *refusal)
    }
}

/// Codes (or types) after which trying again cannot help.
const FATAL: [(&str, ProviderRefusal); 9] = [
    ("invalid_api_key", ProviderRefusal::Unauthorized),
    ("authentication_error", ProviderRefusal::Unauthorized),
    ("permission_error", ProviderRefusal::Forbidden),
    ("account_deactivated", ProviderRefusal::Forbidden),
    ("insufficient_quota", ProviderRefusal::Quota),
    ("credit_balance_exhausted", ProviderRefusal::Quota),
    ("billing_hard_limit_reached", ProviderRefusal::Quota),
    ("model_not_found", ProviderRefusal::NotFound),
    ("beta_api_shape_disabled", ProviderRefusal::Other),
];

/// What an error leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The session is as old as it may be.
    Expired,
    /// A response was asked for while one is active.
    Busy,
    /// The provider will not have us: asking again cannot help.
    Refused(ProviderRefusal),
    /// The recogniser will not have its language.
    Language,
    /// A race that every client has with its server: nothing is wrong.
    Harmless,
    /// Anything else.
    Other,
}

impl Failure {
    /// Of an error. Servers put the telling word into `code` or into `type`.
    #[must_use]
    pub fn of(error: &ServerError) -> Self {
        let refusal = ProviderRefusal::of(&error.code).or_else(|| ProviderRefusal::of(&error.kind));
        match (error.name(), refusal) {
            ("session_expired", _) => Self::Expired,
            ("conversation_already_has_active_response", _) => Self::Busy,
            (_, Some(refusal)) => Self::Refused(refusal),
            _ if HARMLESS.contains(&error.code.as_str()) => Self::Harmless,
            _ if names_language(error) => Self::Language,
            _ => Self::Other,
        }
    }

    /// Of a code alone, such as that of a failed response.
    #[must_use]
    pub fn of_code(code: &str) -> Self {
        ProviderRefusal::of(code).map_or(Self::Other, Self::Refused)
    }
}

impl ServerError {
    /// What it is called: its code, else its type.
    #[must_use]
    pub fn name(&self) -> &str {
        if self.code.is_empty() { &self.kind } else { &self.code }
    }
}

/// What of a configuration a server may not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The language that the recogniser is told.
    Language,
    /// The caller's words as text.
    Transcription,
    /// Noise reduction.
    NoiseReduction,
    /// Functions.
    Tools,
    /// The voice.
    Voice,
    /// How fast it speaks.
    Speed,
    /// What the recogniser should expect.
    Hints,
    /// The end of a turn found by what was said.
    Semantic,
}

impl Field {
    /// Which one an error names, by its `param` as a rule.
    #[must_use]
    pub fn of(error: &ServerError) -> Option<Self> {
        let param = error.param.as_deref().unwrap_or_default();
        match param {
            _ if param.contains("noise_reduction") => Some(Self::NoiseReduction),
            _ if param.contains("tool") => Some(Self::Tools),
            _ if param.contains("voice") || error.code == "cannot_update_voice" => Some(Self::Voice),
            _ if param.contains("speed") => Some(Self::Speed),
            _ if ["transcription.languages", "keywords", "prompt"].iter().any(|hint| param.contains(hint)) => {
                Some(Self::Hints)
            }
            _ if param.contains("turn_detection") => Some(Self::Semantic),
            _ if says_language(error) => Some(Self::Language),
            _ if param.contains("transcription") => Some(Self::Transcription),
            _ => None,
        }
    }
}

/// Errors of races that every client has with its server: nothing is wrong.
const HARMLESS: [&str; 7] = [
    "response_cancel_not_active",
    "input_audio_buffer_commit_empty",
    "item_truncate_invalid_item_id",
    "item_delete_invalid_item_id",
    "item_retrieve_invalid_item_id",
    "unsupported_content_type",
    "cannot_update_voice",
];

/// Whether it is the language of the recogniser that a server will not have, as far as it says.
fn names_language(error: &ServerError) -> bool {
    says_language(error) || error.param.as_deref().is_some_and(|param| param.contains("transcription"))
}

fn says_language(error: &ServerError) -> bool {
    let told = [error.param.as_deref().unwrap_or_default(), &error.code, &error.message];
    told.iter().any(|told| told.to_ascii_lowercase().contains("language"))
}

/// How long a rate limit asks to wait: "try again in 7.853s", "1m26.4s", "174ms". Not capped.
#[must_use]
pub fn retry_after(message: &str) -> Option<Duration> {
    let message = message.to_ascii_lowercase();
    let (at, phrase) = ["again in ", "retry in ", "retry after ", "again after "]
        .iter()
        .find_map(|phrase| message.find(phrase).map(|at| (at, *phrase)))?;
    let mut rest = message[at + phrase.len()..].trim_start();
    let mut secs = None;
    loop {
        let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(rest.len());
        let Ok(amount) = rest[..end].parse::<f64>() else { break };
        rest = rest[end..].trim_start();
        let end = rest.find(|character: char| !character.is_ascii_lowercase()).unwrap_or(rest.len());
        let factor = match &rest[..end] {
            "ms" | "millisecond" | "milliseconds" => 0.001,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hour" | "hours" => 3600.0,
            // `1m26.4s` has no break between a unit and the next amount, so what is left is another word.
            _ => break,
        };
        *secs.get_or_insert(0.0) += amount * factor;
        rest = rest[end..].trim_start();
    }
    secs.and_then(|secs| Duration::try_from_secs_f64(secs).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_as_long_as_told() {
        for (message, ms) in [
            ("Rate limit reached … Limit 40000, Used 37040, Requested 8196. Please try again in 7.853s.", 7853),
            ("Please try again in 1m26.4s. Visit https://example.com to learn more.", 86_400),
            ("please try again in 174ms.", 174),
            ("Try again in 20 seconds.", 20_000),
            ("Try again in 1 minute 5 seconds", 65_000),
            ("try again in 1h0m3s", 3_603_000),
            ("Retry after 2s", 2_000),
            ("नमस्ते try again in 6s नमस्ते", 6_000),
        ] {
            assert_eq!(retry_after(message), Some(Duration::from_millis(ms)), "{message}");
        }
    }

    #[test]
    fn is_told_nothing_by_other_words() {
        for message in [
            "",
            "try again in ",
            "try again in a while",
            "try again in 5",
            "try again in 5 apples",
            "try again in 1.2.3s",
            "7s",
        ] {
            assert_eq!(retry_after(message), None, "{message}");
        }
        assert_eq!(retry_after(&format!("try again in {}h", "9".repeat(400))), None);
    }

    #[test]
    fn a_language_that_is_refused_is_told_from_what_else_may_be_wrong() {
        let error = |param: Option<&str>, code: &str, message: &str| ServerError {
            code: code.to_owned(),
            message: message.to_owned(),
            param: param.map(str::to_owned),
            ..ServerError::default()
        };
        for (param, code, message) in [
            (Some("session.audio.input.transcription.language"), "invalid_value", "no"),
            (Some("session.audio.input.transcription"), "unknown_parameter", "no"),
            (None, "unsupported_language", ""),
            (None, "invalid_request_error", "Language 'xx' is not supported by this model."),
        ] {
            assert_eq!(Failure::of(&error(param, code, message)), Failure::Language, "{param:?} {code} {message}");
        }
        for (param, code) in
            [(Some("session.audio.input.noise_reduction"), "unknown_parameter"), (None, "server_error")]
        {
            assert_eq!(
                Failure::of(&error(param, code, "The server had an error.")),
                Failure::Other,
                "{param:?} {code}"
            );
        }
    }

    #[test]
    fn what_of_a_configuration_is_refused_is_told_by_its_param() {
        for (param, code, message, field) in [
            ("session.audio.input.noise_reduction", "unknown_parameter", "no", Some(Field::NoiseReduction)),
            ("session.tools[0].name", "invalid_value", "This language is no name", Some(Field::Tools)),
            ("session.tool_choice", "unknown_parameter", "", Some(Field::Tools)),
            ("session.audio.output.voice", "invalid_value", "", Some(Field::Voice)),
            ("", "cannot_update_voice", "", Some(Field::Voice)),
            ("session.audio.input.transcription.language", "invalid_value", "", Some(Field::Language)),
            ("session.audio.input.transcription", "unknown_parameter", "", Some(Field::Transcription)),
            ("input_audio_transcription.model", "invalid_value", "", Some(Field::Transcription)),
            ("", "", "Language 'xx' is not supported", Some(Field::Language)),
            ("session.audio.input.transcription.keywords", "unknown_parameter", "", Some(Field::Hints)),
            ("session.audio.input.transcription.languages", "unknown_parameter", "", Some(Field::Hints)),
            ("session.audio.input.transcription.prompt", "invalid_value", "", Some(Field::Hints)),
            ("session.audio.input.turn_detection.type", "invalid_value", "", Some(Field::Semantic)),
            ("session.audio.output.speed", "unknown_parameter", "", Some(Field::Speed)),
            ("session.type", "unknown_parameter", "", None),
            ("", "server_error", "", None),
        ] {
            let (code, message) = (code.to_owned(), message.to_owned());
            let param = Some(param.to_owned()).filter(|param| !param.is_empty());
            let error = ServerError { code, message, param, ..ServerError::default() };
            assert_eq!(Field::of(&error), field, "{error:?}");
        }
    }

    #[test]
    fn credentials_money_and_configuration_are_fatal_wherever_they_stand() {
        let error =
            |code: &str, kind: &str| ServerError { code: code.into(), kind: kind.into(), ..ServerError::default() };
        for (code, kind, refusal) in [
            ("invalid_api_key", "invalid_request_error", ProviderRefusal::Unauthorized),
            ("", "authentication_error", ProviderRefusal::Unauthorized),
            ("", "permission_error", ProviderRefusal::Forbidden),
            ("insufficient_quota", "insufficient_quota", ProviderRefusal::Quota),
            ("", "insufficient_quota", ProviderRefusal::Quota),
            ("model_not_found", "", ProviderRefusal::NotFound),
            ("beta_api_shape_disabled", "invalid_request_error", ProviderRefusal::Other),
            ("", "invalid_request_error.beta_api_shape_disabled", ProviderRefusal::Other),
        ] {
            assert_eq!(Failure::of(&error(code, kind)), Failure::Refused(refusal), "{code} {kind}");
        }
        for (code, kind) in [
            ("", ""),
            ("rate_limit_exceeded", "tokens"),
            ("session_expired", "invalid_request_error"),
            ("unknown_parameter", "invalid_request_error"),
            ("", "server_error"),
        ] {
            assert!(!matches!(Failure::of(&error(code, kind)), Failure::Refused(_)), "{code} {kind}");
        }
        assert_eq!(
            Failure::of_code("invalid_request_error.model_not_found"),
            Failure::Refused(ProviderRefusal::NotFound)
        );
        assert_eq!(Failure::of_code("rate_limit_exceeded"), Failure::Other);
    }

    #[test]
    fn what_an_error_leads_to_is_told_by_its_code_or_else_its_type() {
        let error =
            |code: &str, kind: &str| ServerError { code: code.into(), kind: kind.into(), ..ServerError::default() };
        for (code, kind, failure) in [
            ("session_expired", "invalid_request_error", Failure::Expired),
            ("", "session_expired", Failure::Expired),
            ("conversation_already_has_active_response", "", Failure::Busy),
            ("response_cancel_not_active", "invalid_request_error", Failure::Harmless),
            ("cannot_update_voice", "", Failure::Harmless),
            ("insufficient_quota", "", Failure::Refused(ProviderRefusal::Quota)),
            ("server_error", "server_error", Failure::Other),
            ("", "", Failure::Other),
        ] {
            assert_eq!(Failure::of(&error(code, kind)), failure, "{code} {kind}");
        }
    }
}
