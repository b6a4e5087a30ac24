//! Gateways as the database knows them: each run of one by itself.

use std::fmt;
use std::time::Duration;

use uuid::Uuid;

use super::{Store, StoreError, query, transaction};

/// One run of one gateway: its name and what it was started as. Two runs never share one, also when their names are alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

impl Store {
    /// Says that a gateway lives, for so long from now by the database's clock. False when its lease had run out, or was its first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew_lease(&self, node: &NodeId, lease: Duration) -> Result<bool, StoreError> {
        let node = node.clone();
        transaction!(self, nodes::renew(&node, lease))
    }

    /// Says that a gateway is gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give_lease_back(&self, node: &NodeId) -> Result<(), StoreError> {
        let node = node.clone();
        query!(self, write, nodes::give_back(&node))
    }

    /// Forgets gateways that are gone for a day and left no call behind; says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_nodes(&self) -> Result<usize, StoreError> {
        query!(self, write, nodes::forget())
    }
}
