//! Secrets: whoever shows one is let in, so none may be guessed.

use protocol::ids::Secret;

use super::read::{Read, set};
use super::{Settings, SettingsError};

/// Characters that a secret of our own choosing must have.
const LEAST: usize = 16;
/// Fewer kinds of characters than this are no secret at any length: `aaaaaaaaaaaaaaaa`, `0101010101010101`.
const LEAST_KINDS: usize = 5;
const MEND: &str = "`openssl rand -hex 24` makes one";

/// A secret that we choose: refused when it can be guessed.
pub(super) fn chosen(name: &'static str, text: &Option<String>) -> Read<Option<Secret>> {
    let Some(text) = set(text) else { return Ok(None) };
    match weakness(text) {
        Some(why) => Err(SettingsError::new(name, format!("{why}: {MEND}"))),
        None => Ok(Some(Secret::new(text))),
    }
}

/// What Exotel made is as long as Exotel made it: who uses it is warned.
pub(super) fn warnings(settings: &Settings) -> impl Iterator<Item = String> {
    let token = settings.exotel.api_token.as_ref().and_then(|token| weakness(token.reveal()));
    token.into_iter().map(|why| {
        format!(
            "EXOTEL_API_TOKEN {why}: have Exotel make another one, or take `signature` and `basic` off WEBHOOK_AUTH"
        )
    })
}

/// Why a secret can be guessed. Never the secret itself.
fn weakness(secret: &str) -> Option<String> {
    let characters = secret.chars().count();
    if characters < LEAST {
        return Some(format!("can be guessed: its length is {characters}, and {LEAST} characters are the least"));
    }
    let mut kinds: Vec<char> = secret.chars().collect();
    kinds.sort_unstable();
    kinds.dedup();
    (kinds.len() < LEAST_KINDS)
        .then(|| format!("can be guessed: it is made of fewer than {LEAST_KINDS} different characters"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_can_be_guessed_is_refused_without_being_shown() {
        for weak in [
            "1",
            "hush",
            "fifteen-letters",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            "0101010101010101",
            "ab cab cab cab ca",
            "äöüäöüäöüäöüäöüä",
        ] {
            let error = chosen("WEBHOOK_KEY", &Some(weak.to_owned())).unwrap_err().to_string();
            assert!(error.starts_with("WEBHOOK_KEY: ") && error.contains("openssl"), "{error}");
            assert!(weak.len() == 1 || !error.contains(weak), "{error}");
        }
        // Characters count, not bytes; spaces around it do not.
        assert!(chosen("ADMIN_TOKEN", &Some(format!("{}   ", "äb3d5".repeat(3)))).is_err());
        assert!(chosen("ADMIN_TOKEN", &Some("sixteen-letters-".to_owned())).unwrap().is_some());
        assert!(chosen("ADMIN_TOKEN", &Some("  ".to_owned())).unwrap().is_none());
    }
}
