//! Secrets in files: an argument can be read in the process list by every user of the machine, and a variable by whatever is started.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{SettingsArgs, SettingsError, SettingsErrors};
use crate::store::DatabaseUrl;

/// More is no secret.
const LONGEST: u64 = 64 << 10;

/// Files that hold secrets, instead of the secrets themselves.
#[derive(Args, Clone, Debug, Default)]
pub struct SecretFiles {
    /// A file that holds DATABASE_URL, or - for standard input; so with each of these.
    #[arg(long, env = "DATABASE_URL_FILE", hide_env_values = true, value_name = "FILE")]
    pub database_url_file: Option<PathBuf>,

    /// A file that holds OPENAI_API_KEY.
    #[arg(long, env = "OPENAI_API_KEY_FILE", hide_env_values = true, value_name = "FILE")]
    pub openai_api_key_file: Option<PathBuf>,

    /// A file that holds EXOTEL_API_TOKEN.
    #[arg(long, env = "EXOTEL_API_TOKEN_FILE", hide_env_values = true, value_name = "FILE")]
    pub exotel_api_token_file: Option<PathBuf>,

    /// A file that holds WEBHOOK_KEY.
    #[arg(long, env = "WEBHOOK_KEY_FILE", hide_env_values = true, value_name = "FILE")]
    pub webhook_key_file: Option<PathBuf>,

    /// A file that holds ADMIN_TOKEN.
    #[arg(long, env = "ADMIN_TOKEN_FILE", hide_env_values = true, value_name = "FILE")]
    pub admin_token_file: Option<PathBuf>,
}

impl SettingsArgs {
    /// The database, whatever the other settings are.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn database(&self) -> Result<DatabaseUrl, SettingsError> {
        super::read::database(&self.database_url, &self.files.database_url_file)
    }

    /// With what its files hold; of a file that cannot be taken only the name stays.
    pub(super) fn filled(&self, wrong: &mut SettingsErrors) -> Self {
        let mut filled = self.clone();
        let SecretFiles {
            database_url_file,
            openai_api_key_file,
            exotel_api_token_file,
            webhook_key_file,
            admin_token_file,
        } = &self.files;
        if let Some(url) = wrong.take(held("DATABASE_URL_FILE", database_url_file)).flatten() {
            filled.database_url = url;
        }
        for (name, file, setting) in [
            ("OPENAI_API_KEY_FILE", openai_api_key_file, &mut filled.openai_api_key),
            ("EXOTEL_API_TOKEN_FILE", exotel_api_token_file, &mut filled.exotel_api_token),
            ("WEBHOOK_KEY_FILE", webhook_key_file, &mut filled.webhook_key),
            ("ADMIN_TOKEN_FILE", admin_token_file, &mut filled.admin_token),
        ] {
            if let Some(secret) = wrong.take(held_instead(name, file, setting)).flatten() {
                *setting = Some(secret);
            }
        }
        filled
    }
}

/// What a file holds in the place of a setting that is not set itself.
pub(super) fn held_instead(
    name: &'static str,
    file: &Option<PathBuf>,
    setting: &Option<String>,
) -> Result<Option<String>, SettingsError> {
    match held(name, file)? {
        Some(_) if super::read::set(setting).is_some() => {
            Err(SettingsError::new(name, "is set, and so is the setting itself: leave one of them"))
        }
        held => Ok(held),
    }
}

pub(super) fn held(name: &'static str, file: &Option<PathBuf>) -> Result<Option<String>, SettingsError> {
    let Some(file) = file.as_deref().filter(|file| !file.as_os_str().is_empty()) else { return Ok(None) };
    read_secret(file).map(Some).map_err(|problem| SettingsError::new(name, problem))
}

/// The one line that a file, or with `-` standard input, holds. Its error is in words, with the mend.
pub(crate) fn read_secret(file: &Path) -> Result<String, String> {
    let name = if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() };
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().take(LONGEST).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(LONGEST).read_to_string(&mut text))
    };
    read.map_err(|error| {
        format!("{name} cannot be read ({error}): name a file that holds the secret, and nothing else")
    })?;
    let secret = text.trim();
    if secret.is_empty() || secret.contains('\n') {
        let held = if secret.is_empty() { "is empty" } else { "has more than one line" };
        return Err(format!("{name} {held}: let it hold the secret, and nothing else"));
    }
    Ok(secret.to_owned())
}
