//! That this gateway lives, as the database knows it: a lease, renewed, judged by the database's clock.
//!
//! No call depends on it. That it ran out lets the other gateways' reapers in, and nobody else.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::store::{NodeId, Store};

/// How long a gateway of which nothing is heard counts as one that lives.
pub const LEASE: Duration = Duration::from_secs(20);
/// Renewals in that time: one that fails, or takes as long as the database may, ends no lease.
const RENEWALS: u32 = 4;

/// Since when this gateway has its lease without a gap; none while it does not know.
pub(super) type Steady = watch::Receiver<Option<Instant>>;

/// The lease of this gateway.
pub struct Lease {
    store: Store,
    node: NodeId,
    length: Duration,
    steady: Steady,
    renewing: JoinHandle<()>,
}

impl Lease {
    /// Begins it, and renews it until it is given back. A database that is away is asked again.
    pub async fn begin(store: Store, node: NodeId, length: Duration, runtime: &Handle) -> Self {
        let (mut renewal, steady) = Renewal::new(store.clone(), node.clone(), length);
        renewal.renew().await;
        let renewing = runtime.spawn(async move {
            loop {
                sleep(length / RENEWALS).await;
                renewal.renew().await;
            }
        });
        Self { store, node, length, steady, renewing }
    }

    /// Whose it is.
    #[must_use]
    pub const fn node(&self) -> &NodeId {
        &self.node
    }

    pub(super) const fn length(&self) -> Duration {
        self.length
    }

    pub(super) fn steady(&self) -> Steady {
        self.steady.clone()
    }

    /// Says that this gateway is gone: what it left open is nobody's from then on.
    pub async fn give_back(&self, patience: Duration) {
        self.renewing.abort();
        let given = timeout(patience, self.store.give_lease_back(&self.node)).await;
        if !matches!(given, Ok(Ok(()))) {
            tracing::warn!("the database could not be told that this gateway is gone: it finds out by itself");
        }
    }
}

/// Renews a lease, and says whether it had a gap.
pub(super) struct Renewal {
    store: Store,
    node: NodeId,
    length: Duration,
    steady: watch::Sender<Option<Instant>>,
}

impl Renewal {
    pub(super) fn new(store: Store, node: NodeId, length: Duration) -> (Self, Steady) {
        let (steady, seen) = watch::channel(None);
        (Self { store, node, length, steady }, seen)
    }

    pub(super) async fn renew(&mut self) {
        let was = *self.steady.borrow();
        let is = match self.store.renew_lease(&self.node, self.length).await {
            Ok(true) => was.or_else(|| Some(Instant::now())),
            // It had run out: so may those of others have, and for the same reason.
            Ok(false) => Some(Instant::now()),
            Err(error) => {
                if was.is_some() {
                    tracing::warn!(%error, "the lease of this gateway cannot be renewed: tried again, and its calls go on");
                }
                None
            }
        };
        self.steady.send_replace(is);
    }
}
