//! What the functions of all clients are run with, on this node.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use protocol::ids::{CallSid, Secret};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::toolset::Toolset;
use crate::agent::Secrets;
use crate::outgoing::{ClientError, Outgoing, PrivateHosts, Times};
use crate::store::{AuditEntry, Store};
use crate::trace_context::{Sampler, SpanOf};

/// Functions that run at once on this node.
pub const MOST_RUNNING: usize = 512;
/// How long a function that changes something waits until it is on record that it begins.
pub const AHEAD: Duration = Duration::from_millis(50);
/// Connecting, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// Between two pieces of an answer; the function's own deadline is sooner, as a rule.
const IDLE: Duration = Duration::from_secs(120);

/// Who writes down what calls do.
pub trait CallLog: Send + Sync + 'static {
    /// Resolves when all that was told of calls so far is on record: false when it could not be written.
    fn written(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>>;

    /// Appends to the audit log, soon.
    fn audit(&self, entry: AuditEntry);
}

/// See the module.
pub struct Runner {
    pub(super) store: Store,
    pub(super) outgoing: Outgoing,
    pub(super) log: Arc<dyn CallLog>,
    pub(super) runtime: Handle,
    secrets: Secrets,
    permits: Permits,
    /// None: calls are not traced.
    sampler: Option<Sampler>,
}

/// How much may run at once. Asking who calls takes no room from functions: a client that hangs there has those still.
#[derive(Clone, Debug)]
pub(super) struct Permits {
    functions: Arc<Semaphore>,
    lookups: Arc<Semaphore>,
}

impl Permits {
    pub(super) fn new(most: usize) -> Self {
        Self { functions: Arc::new(Semaphore::new(most)), lookups: Arc::new(Semaphore::new(most)) }
    }
}

/// Room for one thing to run.
pub(super) struct Permit {
    _of_node: OwnedSemaphorePermit,
    _of_client: OwnedSemaphorePermit,
}

impl Permit {
    fn of(node: &Arc<Semaphore>, client: &Arc<Semaphore>) -> Option<Self> {
        let client = Arc::clone(client).try_acquire_owned().ok()?;
        let node = Arc::clone(node).try_acquire_owned().ok()?;
        metrics::gauge!("callgate_tools_running").increment(1);
        Some(Self { _of_node: node, _of_client: client })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        metrics::gauge!("callgate_tools_running").decrement(1);
    }
}

impl Runner {
    /// Runs on a runtime that carries no calls; asks public hosts and those.
    ///
    /// # Errors
    /// When there can be no HTTP client.
    pub fn new(
        store: Store,
        private: &PrivateHosts,
        log: Arc<dyn CallLog>,
        secrets: Secrets,
        runtime: Handle,
    ) -> Result<Self, ClientError> {
        let outgoing = Outgoing::new(private, Times { connect: CONNECT, idle: IDLE })?;
        Ok(Self { store, outgoing, log, runtime, secrets, permits: Permits::new(MOST_RUNNING), sampler: None })
    }

    /// Requests say to which trace they belong.
    #[must_use]
    pub(crate) fn traced(self, sampler: Option<Sampler>) -> Self {
        Self { sampler, ..self }
    }

    /// What a request of a call's says of the span that it belongs to.
    pub(super) fn traceparent(&self, call: &CallSid, of: SpanOf<'_>) -> Option<String> {
        self.sampler.map(|sampler| sampler.traceparent(call, of))
    }

    /// Room for a function of a client, if there is any.
    pub(super) fn permit(&self, toolset: &Toolset) -> Option<Permit> {
        Permit::of(&self.permits.functions, &toolset.permits.functions)
    }

    /// Room to ask a client who calls, if there is any.
    pub(super) fn lookup_permit(&self, toolset: &Toolset) -> Option<Permit> {
        Permit::of(&self.permits.lookups, &toolset.permits.lookups)
    }

    /// What is about to be done is on record, if it can be in time: else it is done all the same, and counted.
    pub(super) async fn write_ahead(&self) {
        if !timeout(AHEAD, self.log.written()).await.unwrap_or(false) {
            metrics::counter!("callgate_tools_unwritten_total").increment(1);
        }
    }

    /// Sealed secrets of a client, opened; those that cannot be are left out. One that is not on record has none.
    pub(super) async fn opened(
        &self,
        client: Option<i64>,
        names: impl Iterator<Item = &str>,
    ) -> BTreeMap<String, Secret> {
        let mut opened = BTreeMap::new();
        let Some(client) = client else { return opened };
        for name in names {
            match self.secrets.open(client, name).await {
                Ok(secret) => drop(opened.insert(name.to_owned(), secret)),
                Err(error) => tracing::warn!(client, %error, "a header's secret cannot be opened"),
            }
        }
        opened
    }
}
