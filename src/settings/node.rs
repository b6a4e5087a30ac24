//! What this node is called among those that share a database.

use super::SettingsError;

/// Where Linux keeps the host's name.
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

/// The name that was set, else the host's.
pub(super) fn name(set: Option<&str>) -> Result<String, SettingsError> {
    let name = match set {
        Some(name) => name.to_owned(),
        None => std::fs::read_to_string(HOSTNAME).unwrap_or_default().trim().to_owned(),
    };
    match name.len() {
        1..=100 => Ok(name),
        0 => Err(SettingsError::new("NODE_NAME", "not set, and this machine has no name: give one")),
        _ => Err(SettingsError::new("NODE_NAME", "is too long: up to 100 characters")),
    }
}
