//! What a server's failures mean for what to do next.

use std::time::Duration;

use crate::realtime::event::ServerError;

/// Codes (or types) after which trying again cannot help: credentials, money, configuration.
const FATAL: [&str; 9] = [
    "invalid_api_key",
    "authentication_error",
    "permission_error",
    "account_deactivated",
    "insufficient_quota",
    "credit_balance_exhausted",
    "billing_hard_limit_reached",
    "model_not_found",
    "beta_api_shape_disabled",
];

/// Whether the error ends the use of this server: do not retry. Servers put the telling word into `code` or into `type`.
#[must_use]
pub fn is_fatal(error: &ServerError) -> bool {
    is_fatal_code(&error.code) || is_fatal_code(&error.kind)
}

/// The same for a code alone, such as that of a failed response. `invalid_request_error.model_not_found` counts too.
#[must_use]
pub fn is_fatal_code(code: &str) -> bool {
    FATAL.contains(&code.rsplit('.').next().unwrap_or(code))
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

/// Whether an error tells of nothing more than a race.
#[must_use]
pub fn is_harmless(error: &ServerError) -> bool {
    HARMLESS.contains(&error.code.as_str())
}

/// Whether it is the language of the recogniser that a server will not have.
#[must_use]
pub fn names_language(error: &ServerError) -> bool {
    let param = error.param.as_deref().unwrap_or_default();
    let told = [param, error.code.as_str(), error.message.as_str()];
    param.contains("transcription") || told.iter().any(|told| told.to_ascii_lowercase().contains("language"))
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
            assert!(names_language(&error(param, code, message)), "{param:?} {code} {message}");
        }
        for (param, code) in
            [(Some("session.audio.input.noise_reduction"), "unknown_parameter"), (None, "server_error")]
        {
            assert!(!names_language(&error(param, code, "The server had an error.")), "{param:?} {code}");
        }
    }

    #[test]
    fn credentials_money_and_configuration_are_fatal_wherever_they_stand() {
        let error =
            |code: &str, kind: &str| ServerError { code: code.into(), kind: kind.into(), ..ServerError::default() };
        for (code, kind) in [
            ("invalid_api_key", "invalid_request_error"),
            ("", "authentication_error"),
            ("insufficient_quota", "insufficient_quota"),
            ("", "insufficient_quota"),
            ("model_not_found", ""),
            ("beta_api_shape_disabled", "invalid_request_error"),
            ("", "invalid_request_error.beta_api_shape_disabled"),
        ] {
            assert!(is_fatal(&error(code, kind)), "{code} {kind}");
        }
        for (code, kind) in [
            ("", ""),
            ("rate_limit_exceeded", "tokens"),
            ("session_expired", "invalid_request_error"),
            ("unknown_parameter", "invalid_request_error"),
            ("", "server_error"),
        ] {
            assert!(!is_fatal(&error(code, kind)), "{code} {kind}");
        }
    }
}
