//! Gateways as the database knows them: each run of one by itself.

use std::fmt;

use uuid::Uuid;

/// One run of one gateway: its name and what it was started as. Two runs never share one, also when their names are alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(String);

impl NodeId {
    /// A run that begins now, of the gateway of that name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(format!("{name}/{}", Uuid::now_v7().simple()))
    }

    /// As stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// One that was read.
    pub(super) const fn stored(id: String) -> Self {
        Self(id)
    }

    /// The name of the gateway.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&*self.0, |(name, _)| name)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
