//! What `serve` needs besides settings that are right: the secrets that its ways to authenticate hang on, and a model.

use super::{Settings, SettingsError, SettingsErrors};
use crate::http::auth::AuthMethod;

/// What is there.
pub(super) struct Need<'a> {
    pub(super) ways: &'a [AuthMethod],
    pub(super) key: bool,
    pub(super) api_key: bool,
    pub(super) api_token: bool,
    pub(super) model: bool,
}

impl<'a> Need<'a> {
    pub(super) fn of(settings: &'a Settings) -> Self {
        let Settings { webhooks, exotel, model, .. } = settings;
        Self {
            ways: &webhooks.auth,
            key: webhooks.key.is_some(),
            api_key: exotel.api_key.is_some(),
            api_token: exotel.api_token.is_some(),
            model: model.is_usable(),
        }
    }

    /// All that is missing, each named once.
    pub(super) fn missing(&self) -> SettingsErrors {
        let has = |way| self.ways.contains(&way);
        let token = if has(AuthMethod::Signature) {
            "not set, and WEBHOOK_AUTH lists `signature`, whose key it is: set it, or choose WEBHOOK_AUTH=key"
        } else {
            "not set, and WEBHOOK_AUTH lists `basic`: set it to the password"
        };
        let needs = [
            (
                has(AuthMethod::Basic) && !self.api_key,
                "EXOTEL_API_KEY",
                "not set, and WEBHOOK_AUTH lists `basic`: set it to the user name",
            ),
            ((has(AuthMethod::Signature) || has(AuthMethod::Basic)) && !self.api_token, "EXOTEL_API_TOKEN", token),
            (
                has(AuthMethod::Key) && !self.key,
                "WEBHOOK_KEY",
                "not set, and WEBHOOK_AUTH lists `key`: set it to a long random word (`openssl rand -hex 24` makes one)",
            ),
            (
                !self.model,
                "OPENAI_API_KEY",
                "not set: set it, or start with --simulated-model, or name a server that needs no key in REALTIME_URL",
            ),
        ];
        let mut missing = SettingsErrors::default();
        for (_, name, problem) in needs.into_iter().filter(|(is_missing, ..)| *is_missing) {
            missing.take::<(), _>(Err(SettingsError::new(name, problem)));
        }
        missing
    }
}
