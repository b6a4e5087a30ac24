//! The service put together: bind, build, run; and the way down: refuse, drain, flush, close.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actors::{FaultInjector, Limits, ModelEndpoint, Recorder, Switchboard};
use anyhow::Context;
use protocol::call::end::Ended;
use simulator::model::ModelHandle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::calls::Lease;
use crate::calls::writer::RecordWriter;
use crate::http::connections::{Bounds, Connections, files};
use crate::http::public_url::PublicUrl;
use crate::http::{Gateway, Plane};
use crate::jobs;
use crate::recordings::spool::{Backlog, Spool};
use crate::settings::Settings;
use crate::store::Store;
use crate::telemetry;
use crate::traces::Exporting;
use background::Background;
use server::Server;

mod background;
mod begin;
mod compose;
mod listen;
mod server;
mod watchdog;
mod work;

/// What requests in flight get once the calls are over.
const CLOSING: Duration = Duration::from_secs(2);
/// What calls get to end once they are told to.
const ENDING: Duration = Duration::from_secs(3);
/// What the database gets to take the last records.
const FLUSHING: Duration = Duration::from_secs(10);
/// What jobs that run get to end; the rest is done by another node, or at the next start.
const WORKING: Duration = Duration::from_secs(5);
/// How often old samples are taken out of the metrics.
const UPKEEP: Duration = Duration::from_secs(5);

/// Runs the gateway until `shutdown`, then lets the live calls go on to their end. A signal meanwhile ends them at once.
///
/// Needs an actix system: `actix_rt::System::new().block_on(serve(..))`.
///
/// # Errors
/// When it cannot start: the address, the database, a setting.
pub async fn serve(settings: Settings, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    let mut running = start(settings).await?;
    tokio::select! {
        () = shutdown => {}
        () = running.server.failed() => anyhow::bail!("the server stopped by itself"),
    }
    let drain = running.drain;
    running
        .stop_after(async |switchboard: &Switchboard| {
            tracing::info!(live_calls = switchboard.live(), drain_secs = drain.as_secs(), "draining");
            tokio::select! {
                done = switchboard.drained(drain) => done,
                () = signals() => false,
            }
        })
        .await
}

/// Resolves at the next SIGTERM or SIGINT.
pub async fn signals() {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        tracing::error!("signals cannot be listened to: only SIGKILL ends this process");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

/// A gateway that serves.
pub struct Running {
    addr: SocketAddr,
    public: PublicUrl,
    gateway: Arc<Gateway>,
    drain: Duration,
    operators: Option<SocketAddr>,
    server: Server,
    housekeeping: JoinHandle<()>,
    lease: Lease,
    reaper: JoinHandle<()>,
    work: jobs::Running,
    exporting: Option<Exporting>,
    spool: Spool,
    model: Option<ModelHandle>,
    /// Last: what runs on it is over by then.
    _background: Background,
}

/// Binds, opens the database, and serves. Returns once requests are answered.
///
/// # Errors
/// When the address cannot be bound, the database not be opened, or a setting does not do.
pub async fn start(settings: Settings) -> anyhow::Result<Running> {
    let alone = |endpoint, limits, recorder, desk| (Switchboard::new(endpoint, limits, recorder, desk), ());
    start_on(settings, alone).await.map(|(running, ())| running)
}

/// The same for tests and drills, with a handle that makes actors of its calls fail. [`serve`] has none.
///
/// # Errors
/// As there.
pub async fn start_with_faults(settings: Settings) -> anyhow::Result<(Running, FaultInjector)> {
    start_on(settings, Switchboard::with_faults).await
}

/// Starts on a switchboard that is made like this; what else comes with one is given back.
async fn start_on<F>(
    mut settings: Settings,
    new_switchboard: impl FnOnce(ModelEndpoint, Limits, Arc<dyn Recorder>, Arc<dyn actors::Admissions>) -> (Switchboard, F),
) -> anyhow::Result<(Running, F)> {
    settings.check_serving()?;
    begin::look_about(&settings);
    // Fails when a provider was installed before: then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let page = telemetry::metrics();
    let files = files::raise_limit();
    let listener = listen::bind("HOST", &settings.http.host, settings.http.port).await?;
    let addr = listener.local_addr().context("the bound address")?;
    settings.http.public.bound_to(addr.port());
    let mut listeners = vec![(listener, Plane::Public)];
    let operators = match &settings.http.operators {
        Some((host, port)) => {
            let listener = listen::bind("ADMIN_HOST", host, *port).await?;
            let addr = listener.local_addr().context("the bound address")?;
            listeners.push((listener, Plane::Operators));
            Some(addr)
        }
        None => None,
    };
    let store = Store::open(&settings.database).await?;
    begin::agents(&settings, &store).await?;
    let background = Background::start()?;
    let runtime = background.handle();
    let (traces, exporting) = compose::traces(&settings, &store, runtime)?;
    let backlog = Backlog::new(&settings.recordings.spool, settings.recordings.format);
    let work = work::start(&settings, &store, &backlog, traces, runtime)?;
    let (spool_handle, spool) =
        Spool::start(&backlog, store.clone(), &settings.node, runtime).context("no thread to write recordings on")?;
    let model = compose::simulated_model(&mut settings).await?;
    let (gateway, faults) = compose::gateway(&settings, store, spool_handle, runtime, page.clone(), new_switchboard)?;
    let gateway = Arc::new(gateway);
    let (lease, reaper) = compose::lease(&gateway, settings.calls.max_call, runtime).await;
    let connections = Connections::new(Bounds::of_node(files, settings.calls.max_calls));
    let server = Server::start(listeners, settings.http.workers.get(), &gateway, connections, backlog.lag())?;
    let housekeeping = actix_rt::spawn(async move {
        let mut every = tokio::time::interval(UPKEEP);
        loop {
            every.tick().await;
            page.run_upkeep();
        }
    });
    let public = settings.http.public;
    if let Some((row, hash)) = gateway.store.audit_head().await? {
        // Outside the database, so that a log rewritten from end to end does not fit it.
        tracing::info!(row, hash, "the audit log ends here");
    }
    tracing::info!(%addr, public_base_url = %public.base(), source = %public.source(), "listening");
    if let Some(addr) = operators {
        tracing::info!(%addr, "operators are listened to here, and nowhere else");
    }
    let drain = settings.calls.drain;
    Ok((
        Running {
            addr,
            public,
            gateway,
            drain,
            operators,
            server,
            housekeeping,
            lease,
            reaper,
            work,
            exporting,
            spool,
            model,
            _background: background,
        },
        faults,
    ))
}

impl Running {
    /// The address that was bound.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address for operators, when they have one of their own.
    #[must_use]
    pub fn operators_addr(&self) -> Option<SocketAddr> {
        self.operators
    }

    /// Who holds a connection.
    #[must_use]
    pub fn connections(&self) -> &Connections {
        self.server.connections()
    }

    /// How others reach it.
    #[must_use]
    pub fn public(&self) -> &PublicUrl {
        &self.public
    }

    /// The live calls.
    #[must_use]
    pub fn switchboard(&self) -> &Switchboard {
        &self.gateway.switchboard
    }

    /// The database.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.gateway.store
    }

    /// What takes the calls' facts to the database: flush it before reading what a call came to.
    #[must_use]
    pub fn recorder(&self) -> &RecordWriter {
        &self.gateway.recorder
    }

    /// What requests are served with: to serve them without a socket.
    #[must_use]
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// The simulated model, when it was asked for.
    #[must_use]
    pub fn model(&self) -> Option<&ModelHandle> {
        self.model.as_ref()
    }

    /// Stops: new calls are refused, live ones go on to their end up to `DRAIN_SECS`, then the records are written and the port closed.
    ///
    /// # Errors
    /// When the server failed.
    pub async fn stop(self) -> anyhow::Result<()> {
        let drain = self.drain;
        self.stop_after(async |switchboard: &Switchboard| switchboard.drained(drain).await).await
    }

    async fn stop_after(self, drained: impl AsyncFnOnce(&Switchboard) -> bool) -> anyhow::Result<()> {
        let switchboard = &self.gateway.switchboard;
        switchboard.drain();
        if !drained(switchboard).await {
            let calls = switchboard.end_all(&Ended::Shutdown);
            tracing::warn!(calls, "these calls were ended by the shutdown");
            switchboard.drained(ENDING).await;
        }
        // Their recordings are over.
        switchboard.forget_returns();
        if !timeout(FLUSHING, self.gateway.recorder.flush()).await.unwrap_or(false) {
            tracing::error!("the database did not take the last records: what was not written is lost");
        }
        self.spool.stop(FLUSHING).await;
        self.work.stop(WORKING).await;
        if let Some(exporting) = self.exporting {
            exporting.stop(CLOSING).await;
        }
        self.reaper.abort();
        self.lease.give_back(CLOSING).await;
        self.server.stop(CLOSING).await;
        // What was asked meanwhile.
        let _ = timeout(CLOSING, self.gateway.recorder.flush()).await;
        self.housekeeping.abort();
        if let Some(model) = &self.model {
            model.stop();
        }
        tracing::info!("stopped");
        Ok(())
    }
}
