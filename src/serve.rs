//! The service put together: bind, build, run; and the way down: refuse, drain, flush, close.

use std::any::Any;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, middleware, web};
use actors::{Limits, Switchboard};
use anyhow::Context;
use protocol::call::fact::Ended;
use protocol::call::policy::Policy;
use protocol::ids::CallSid;
use simulator::model::{ModelHandle, ModelOptions, ModelServer};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::http::auth::Gate;
use crate::http::request_id::name_request;
use crate::http::{Desk, Gateway, Rules, Strangers, routes};
use crate::jobs::{self, Jobs};
use crate::record::{RecordRules, RecordWriter, Sweep};
use crate::settings::{PublicUrl, Settings};
use crate::spool::{Deck, Spool, TapingRecorder};
use crate::store::Store;
use crate::telemetry;
use crate::token::TokenKey;

mod begin;
mod work;

/// Connections that may wait to be accepted: a node takes thousands of calls, and they can come at once.
const BACKLOG: u32 = 2048;
/// A connection without a request is closed after it; longer than the idle time of the usual proxies.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// For the head of a request; a media socket is past it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// A peer that takes nothing of what is sent for so long, or acknowledges nothing, is gone: the kernel would go on for a quarter of an hour.
const STALLED: Duration = Duration::from_secs(30);
/// What requests in flight get once the calls are over, s.
const CLOSING_SECS: u64 = 2;
/// What calls get to end once they are told to.
const ENDING: Duration = Duration::from_secs(3);
/// What the database gets to take the last records.
const FLUSHING: Duration = Duration::from_secs(10);
/// What jobs that run get to end; the rest is done by another node, or at the next start.
const WORKING: Duration = Duration::from_secs(5);
/// How often old samples are taken out of the metrics.
const UPKEEP: Duration = Duration::from_secs(5);
/// Restarts of one actor within `RESTART_WINDOW` before its call is given up.
const RESTARTS: u32 = 3;
const RESTART_WINDOW: Duration = Duration::from_secs(10);
/// The carrier's handshake is over within it.
const GIVES_WAY_AFTER: Duration = Duration::from_secs(10);

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
        ended = &mut running.server_task => ended.context("the server's task")?.context("the server stopped by itself")?,
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
    server: ServerHandle,
    server_task: JoinHandle<io::Result<()>>,
    upkeep: JoinHandle<()>,
    sweep: JoinHandle<()>,
    work: jobs::Running,
    spool: Spool,
    model: Option<ModelHandle>,
}

/// Binds, opens the database, and serves. Returns once requests are answered.
///
/// # Errors
/// When the address cannot be bound, the database not be opened, or a setting does not do.
pub async fn start(mut settings: Settings) -> anyhow::Result<Running> {
    settings.check_serving()?;
    begin::look_about(&settings);
    // Fails when a provider was installed before: then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let page = telemetry::metrics();
    let listener = bind(&settings.http.host, settings.http.port).await?;
    let addr = listener.local_addr().context("the bound address")?;
    settings.http.public.bound_to(addr.port());
    let store = Store::open(&settings.database).await?;
    let jobs = Jobs::default();
    let work = work::start(&settings, &store, &jobs)?;
    let (deck, spool) = Spool::start(settings.recordings.spool.clone(), store.clone(), jobs.clone(), &settings.node)
        .context("no thread to write recordings on")?;
    let model = simulated_model(&mut settings).await?;
    let gateway = Arc::new(gateway(&settings, store, jobs, deck, page.clone())?);
    let server = run(listener, settings.http.workers.get(), Arc::clone(&gateway))?;
    let handle = server.handle();
    let server_task = actix_rt::spawn(server);
    let upkeep = actix_rt::spawn(async move {
        let mut every = tokio::time::interval(UPKEEP);
        loop {
            every.tick().await;
            page.run_upkeep();
        }
    });
    let sweep = sweep(&gateway, settings.calls.max_call);
    let public = settings.http.public;
    if let Some((row, hash)) = gateway.store.audit_head().await? {
        // Outside the database, so that a log rewritten from end to end does not fit it.
        tracing::info!(row, hash, "the audit log ends here");
    }
    tracing::info!(%addr, public_base_url = %public.base(), source = %public.source(), "listening");
    let drain = settings.calls.drain;
    Ok(Running { addr, public, gateway, drain, server: handle, server_task, upkeep, sweep, work, spool, model })
}

impl Running {
    /// The address that was bound.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
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
        if !timeout(FLUSHING, self.gateway.recorder.flush()).await.unwrap_or(false) {
            tracing::error!("the database did not take the last records: what was not written is lost");
        }
        self.spool.stop(FLUSHING).await;
        self.work.stop(WORKING).await;
        self.server.stop(true).await;
        self.upkeep.abort();
        self.sweep.abort();
        if let Some(model) = &self.model {
            model.stop();
        }
        let ended = if self.server_task.is_finished() { Ok(Ok(())) } else { self.server_task.await };
        tracing::info!("stopped");
        ended.context("the server's task")?.context("the server")
    }
}

/// Binds the first address of a host that can be bound.
async fn bind(host: &str, port: u16) -> anyhow::Result<TcpListener> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let mut last = None;
    for addr in lookup_host((bare, port)).await.with_context(|| format!("HOST {host} is no address"))? {
        match listen(addr) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = Some(error),
        }
    }
    let error = last.unwrap_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable));
    Err(error).with_context(|| format!("cannot listen on {host}:{port}"))
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// With `--simulated-model`, the model is in this process, on a port of its own.
async fn simulated_model(settings: &mut Settings) -> anyhow::Result<Option<ModelHandle>> {
    if !settings.model.simulated {
        return Ok(None);
    }
    let server = ModelServer::bind((Ipv4Addr::LOCALHOST, 0).into(), ModelOptions::default()).await;
    let server = server.context("the simulated model's port")?;
    let handle = server.handle();
    settings.model.url = format!("ws://{}/v1/realtime", server.addr()).parse().context("the simulated model's URL")?;
    settings.model.key = None;
    tracing::info!(url = %settings.model.url, "the model is simulated");
    actix_rt::spawn(server.run());
    Ok(Some(handle))
}

fn gateway(
    settings: &Settings,
    store: Store,
    jobs: Jobs,
    deck: Deck,
    page: metrics_exporter_prometheus::PrometheusHandle,
) -> anyhow::Result<Gateway> {
    let Settings { webhooks, exotel, calls, .. } = settings;
    let policy = Policy { format: settings.model.audio, max_call: calls.max_call, ..Policy::default() };
    policy.validate()?;
    let recorder = RecordWriter::new(
        store.clone(),
        RecordRules {
            model: settings.model.model.clone(),
            prices: settings.prices.clone(),
            numbers: settings.audit_numbers,
            secrets: settings.secrets(),
        },
        jobs.clone(),
    );
    let desk = Arc::new(Desk::new(store.clone(), recorder.clone(), policy, webhooks.deadline));
    let limits = Limits {
        max_calls: calls.max_calls,
        restarts: RESTARTS,
        restart_window: RESTART_WINDOW,
        gives_way_after: GIVES_WAY_AFTER,
    };
    let switchboard = Switchboard::new(
        settings.model.endpoint(),
        limits,
        Arc::new(TapingRecorder { record: recorder.clone(), deck }),
        Arc::new(crate::http::StaticDesk(Arc::clone(&desk))),
    );
    // A configured secret lets a token outlive this process, and be taken by another node of the same account.
    let tokens = match exotel.api_token.as_ref().or(webhooks.key.as_ref()) {
        Some(secret) => TokenKey::derived(secret),
        None => TokenKey::random().context("no randomness for the key of media tokens")?,
    };
    Ok(Gateway {
        rules: rules(settings)?,
        recorder,
        switchboard,
        desk,
        tokens,
        gate: Gate::new(&webhooks.auth, webhooks.key.clone(), exotel.api_key.clone(), exotel.api_token.clone()),
        page,
        strangers: Strangers::default(),
        jobs,
        store,
    })
}

/// Ends what other gateways left behind, or this one before it was started again.
fn sweep(gateway: &Gateway, max_call: Duration) -> JoinHandle<()> {
    let Gateway { store, recorder, jobs, switchboard, .. } = gateway;
    let here = switchboard.clone();
    let is_live = move |call: &CallSid| here.phase(call).is_some();
    store.runtime().spawn(Sweep::new(store.clone(), recorder.clone(), jobs.clone(), max_call, is_live).keep())
}

fn rules(settings: &Settings) -> anyhow::Result<Rules> {
    let Settings { webhooks, http, .. } = settings;
    Ok(Rules {
        allowed_ips: webhooks.allowed_ips.clone(),
        trusted_proxies: webhooks.trusted_proxies.clone(),
        deadline: webhooks.deadline,
        stream_base: http.public.stream_url("").parse().context("the stream URL of the public base URL")?,
        recording_hosts: settings.recordings.hosts.clone(),
        private_hosts: settings.private_hosts.clone(),
        admin_token: settings.admin_token.clone(),
    })
}

fn run(listener: TcpListener, workers: usize, gateway: Arc<Gateway>) -> anyhow::Result<actix_web::dev::Server> {
    let gateway = web::Data::from(gateway);
    // No request logger: a webhook logs its own line, and a media socket must not log its frames.
    // `//exotel/voicebot` and `/exotel/voicebot/` are what people paste together.
    let app = move || {
        App::new()
            .app_data(gateway.clone())
            .wrap(middleware::NormalizePath::trim())
            .wrap(middleware::from_fn(name_request))
            .configure(routes)
    };
    let server = HttpServer::new(app)
        .workers(workers)
        .tcp_nodelay(true)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        .on_connect(|connection, _| end_when_stalled(connection))
        .shutdown_timeout(CLOSING_SECS)
        .disable_signals()
        .listen(listener.into_std().context("the listener")?)
        .context("the listener")?;
    Ok(server.run())
}

fn end_when_stalled(connection: &dyn Any) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
    if let Err(error) = SockRef::from(stream).set_tcp_user_timeout(Some(STALLED)) {
        tracing::warn!(%error, "a connection whose peer reads nothing is not ended early");
    }
}
