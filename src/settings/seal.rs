//! What clients' secrets are sealed with.

use std::path::PathBuf;

use clap::Args;
use protocol::ids::Secret;

use super::read::Read;
use super::{SettingsError, SettingsErrors, files, secrets};

/// Characters that the key must have: it is not stretched.
const LEAST: usize = 32;

/// `SECRETS_KEY` and the one before it, as words.
#[derive(Args, Clone, Debug, Default)]
pub struct SealArgs {
    /// Seals the secrets that clients' tools need, 32 characters or more; without it none can be stored.
    #[arg(long, env = "SECRETS_KEY", hide_env_values = true, value_name = "KEY")]
    pub secrets_key: Option<String>,

    /// The key that secrets were sealed with before: it opens them until `callgate secret reseal` was run.
    #[arg(long, env = "SECRETS_KEY_OLD", hide_env_values = true, value_name = "KEY")]
    pub secrets_key_old: Option<String>,

    /// A file that holds SECRETS_KEY.
    #[arg(long, env = "SECRETS_KEY_FILE", hide_env_values = true, value_name = "FILE")]
    pub secrets_key_file: Option<PathBuf>,
}

/// `SECRETS_KEY` and the one before it.
#[derive(Clone, Debug, Default)]
pub struct SealSettings {
    /// Seals, and opens.
    pub key: Option<Secret>,
    /// Opens.
    pub old: Option<Secret>,
}

impl SealArgs {
    /// The keys, checked.
    ///
    /// # Errors
    /// When one can be guessed, or its file cannot be read.
    pub(crate) fn read(&self) -> Result<SealSettings, SettingsErrors> {
        let mut wrong = SettingsErrors::default();
        let held = files::held_instead("SECRETS_KEY_FILE", &self.secrets_key_file, &self.secrets_key);
        let held = wrong.take(held).flatten().or_else(|| self.secrets_key.clone());
        let sealing = wrong.take(key("SECRETS_KEY", &held)).flatten();
        let old = wrong.take(key("SECRETS_KEY_OLD", &self.secrets_key_old)).flatten();
        wrong.or(Some(SealSettings { key: sealing, old }))
    }
}

fn key(name: &'static str, told: &Option<String>) -> Read<Option<Secret>> {
    match secrets::chosen(name, told)? {
        Some(key) if key.reveal().chars().count() < LEAST => {
            let problem = format!("is shorter than {LEAST} characters: `openssl rand -hex 24` makes one");
            Err(SettingsError::new(name, problem))
        }
        key => Ok(key),
    }
}
