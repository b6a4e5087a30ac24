//! What is wrong with settings: all of it at once.

use std::fmt;

/// A setting that is wrong or missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct SettingsError {
    /// The variable, as in the documentation.
    pub name: &'static str,
    /// What is wrong, and the mend. Never a secret.
    pub problem: String,
}

impl SettingsError {
    /// Names a setting, what is wrong with it and the mend.
    pub fn new(name: &'static str, problem: impl Into<String>) -> Self {
        Self { name, problem: problem.into() }
    }
}

/// All settings that are wrong or missing, a line each: the process exits with 64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsErrors(Vec<SettingsError>);

impl SettingsErrors {
    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &SettingsError> {
        self.0.iter()
    }

    /// Keeps what is wrong, and answers with what is right.
    pub(crate) fn take<T, E: Into<Self>>(&mut self, read: Result<T, E>) -> Option<T> {
        read.map_err(|errors| self.0.extend(errors.into().0)).ok()
    }

    pub(super) fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// Whether a setting is among them.
    pub(crate) fn names(&self, setting: &str) -> bool {
        self.0.iter().any(|error| error.name == setting)
    }

    /// The value, unless something is wrong.
    pub(crate) fn or<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self),
        }
    }
}

impl fmt::Display for SettingsErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsErrors {}

impl From<SettingsError> for SettingsErrors {
    fn from(error: SettingsError) -> Self {
        Self(vec![error])
    }
}
