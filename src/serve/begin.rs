//! What is said and set right before anything is served.

use std::io::ErrorKind;

use crate::settings::Settings;
use crate::settings::private::tighten;

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
