//! What is said and set right before anything is served.

use std::io::ErrorKind;

use crate::agent::{SecretError, Secrets, warn_of_old_tools};
use crate::settings::private::tighten;
use crate::settings::{Settings, SettingsError};
use crate::store::Store;

/// Tells what is not as it should be, and takes the spool, which is nobody else's, from everybody else.
pub(super) fn look_about(settings: &Settings) {
    for warning in settings.warnings() {
        tracing::warn!("{warning}");
    }
    let spool = &settings.recordings.spool;
    match tighten(spool) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(folder = %spool.display(), %error, "the spool cannot be taken from other users of this machine");
        }
        _ => {}
    }
}

/// Tells of agents as an earlier version kept them, and does not start where sealed secrets cannot be opened: tools would be called
/// without them.
pub(super) async fn agents(settings: &Settings, store: &Store) -> anyhow::Result<()> {
    warn_of_old_tools(store).await?;
    let seal = &settings.seal;
    match Secrets::new(store.clone(), seal.key.as_ref(), seal.old.as_ref()).check().await {
        Err(SecretError::Store(error)) => Err(error.into()),
        Err(SecretError::NoKey) => {
            let problem = "not set, and the database holds secrets of clients that are sealed with it: set it, or remove them \
                (`callgate secret remove`)";
            Err(SettingsError::new("SECRETS_KEY", problem).into())
        }
        Err(error) => Err(SettingsError::new("SECRETS_KEY", format!("is another one: {error}")).into()),
        Ok(()) => Ok(()),
    }
}
