//! `.env`: lines of NAME=value. What is in the environment already wins.

use std::path::Path;

use dotenvy::Error;

use super::SettingsError;

/// Reads a file of settings into the environment, if it is there. Call it before any thread is started.
///
/// # Errors
/// When the file is there and cannot be read or understood.
pub fn load_env_file(path: &Path) -> Result<(), SettingsError> {
    match dotenvy::from_path(path) {
        Ok(()) => Ok(()),
        Err(error) if error.not_found() => Ok(()),
        // The line itself may hold a secret.
        Err(Error::LineParse(line, _)) => {
            let name = line.split('=').next().unwrap_or_default().trim();
            Err(SettingsError::new(
                ".env",
                format!("the line of `{name}` is not understood: write NAME=value, and quote spaces"),
            ))
        }
        Err(error) => Err(SettingsError::new(".env", format!("cannot be read ({error}): mend or remove it"))),
    }
}
