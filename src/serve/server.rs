//! Connections accepted, and served by threads of their own.
//!
//! The accept loop is ours and not actix-server's, which knows nothing of who holds a connection: it stops accepting at its bound,
//! whoever may be waiting, and keeps the files of those who only wait themselves.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_http::HttpService;
use actix_rt::Arbiter;
use actix_service::{Service, ServiceFactory, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::{App, middleware, web};
use actors::answer_upgrade;
use anyhow::Context;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep, timeout};

use crate::address::Cidr;
use crate::http::connections::{Connections, Held, Watched};
use crate::http::request_id::name_request;
use crate::http::{Gateway, Plane, routes_of};
use crate::recordings::spool::EventLoopLag;
use crate::serve::watchdog::{Marks, Watchdog};

/// A connection without a request is closed after it; longer than the idle time of the usual proxies.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// For the head of a request; a media socket is past it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// For the last bytes of a connection that is to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// A peer that takes nothing of what is sent for so long, or acknowledges nothing, is gone: the kernel would go on for a quarter of an hour.
const STALLED: Duration = Duration::from_secs(30);
/// Connections on their way to one thread.
const HANDED_OVER: usize = 256;
/// Pause when no connection can be accepted: no file is left, as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often connections that have been idle for too long are looked for.
const TIDY_EVERY: Duration = Duration::from_secs(1);
/// How often that is logged.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// One connection on its way to its thread.
struct Accepted {
    socket: std::net::TcpStream,
    peer: SocketAddr,
    plane: Plane,
    connection: Held,
}

/// Threads that serve, and the loops that accept for them.
pub(super) struct Server {
    loops: Vec<JoinHandle<()>>,
    threads: Vec<Arbiter>,
    connections: Connections,
    _watchdog: Watchdog,
}

impl Server {
    /// Accepts and serves from now on.
    pub(super) fn start(
        listeners: Vec<(std::net::TcpListener, Plane)>,
        workers: usize,
        gateway: &Arc<Gateway>,
        connections: Connections,
        lag: EventLoopLag,
    ) -> anyhow::Result<Self> {
        let (mut threads, marks) = (Vec::new(), Marks::new(lag));
        let mut ways = Vec::new();
        for _ in 0..workers {
            let (way, taken) = mpsc::channel(HANDED_OVER);
            let thread = Arbiter::try_new().context("no thread to serve on")?;
            let gateway = Arc::clone(gateway);
            let marks = marks.clone();
            thread.spawn_fn(move || {
                marks.join();
                drop(actix_rt::spawn(work(taken, gateway)));
            });
            threads.push(thread);
            ways.push(way);
        }
        let proxies: Arc<[Cidr]> = gateway.rules.trusted_proxies.as_slice().into();
        let mut loops = Vec::new();
        let idle = connections.clone();
        for (listener, plane) in listeners {
            let listener = TcpListener::from_std(listener).context("the listener")?;
            let listener =
                ListenerThreads { listener, plane, ways: ways.clone(), next: 0, proxies: Arc::clone(&proxies) };
            loops.push(actix_rt::spawn(listener.accept(connections.clone())));
        }
        loops.push(actix_rt::spawn(async move {
            let mut every = interval(TIDY_EVERY);
            loop {
                every.tick().await;
                idle.close_idle(Instant::now());
            }
        }));
        let switchboard = gateway.switchboard.clone();
        let watchdog = Watchdog::start(marks, move |number| switchboard.call_in_place(number));
        let _watchdog = watchdog.context("no thread to watch the others from")?;
        Ok(Self { loops, threads, connections, _watchdog })
    }

    pub(super) fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Whether nothing is accepted any more, which nobody asked for.
    pub(super) async fn failed(&mut self) {
        match self.loops.first_mut() {
            Some(first) => drop(first.await),
            None => std::future::pending().await,
        }
    }

    /// Accepts nothing more, lets what is being answered be answered, and ends its threads.
    pub(super) async fn stop(self, patience: Duration) {
        self.loops.iter().for_each(JoinHandle::abort);
        self.connections.close_all();
        let _ = timeout(patience, self.connections.emptied()).await;
        let threads = self.threads;
        for thread in &threads {
            thread.stop();
        }
        // One that panicked has said so.
        let joined = tokio::task::spawn_blocking(move || threads.into_iter().all(|thread| thread.join().is_ok()));
        let _ = timeout(patience, joined).await;
    }
}

/// A listener and the threads behind it.
struct ListenerThreads {
    listener: TcpListener,
    plane: Plane,
    ways: Vec<mpsc::Sender<Accepted>>,
    next: usize,
    proxies: Arc<[Cidr]>,
}

impl ListenerThreads {
    async fn accept(mut self, connections: Connections) {
        let mut told: Option<Instant> = None;
        loop {
            // Whoever is told to go gives its file back first.
            connections.settled().await;
            let (socket, peer) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) if is_its_own(&error) => continue,
                Err(error) => {
                    metrics::counter!("callgate_accept_errors_total").increment(1);
                    if told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
                        told = Some(Instant::now());
                        tracing::error!(%error, "no connection can be accepted: with too many open files, raise the limit or lower MAX_CALLS");
                    }
                    connections.give_up_one();
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // To the reactor of its own thread.
            let Ok(socket) = socket.into_std() else { continue };
            let trusted = self.plane == Plane::Operators || self.proxies.iter().any(|proxy| proxy.holds(peer.ip()));
            let Ok(connection) = connections.open(peer.ip(), trusted, Instant::now()) else { continue };
            self.hand_over(Accepted { socket, peer, plane: self.plane, connection }).await;
        }
    }

    /// To each thread in turn; one that is slow to take it is passed over.
    async fn hand_over(&mut self, mut accepted: Accepted) {
        for _ in 0..self.ways.len() {
            self.next = (self.next + 1) % self.ways.len();
            match self.ways[self.next].try_send(accepted) {
                Ok(()) => return,
                Err(mpsc::error::TrySendError::Full(back) | mpsc::error::TrySendError::Closed(back)) => accepted = back,
            }
        }
        let _ = self.ways[self.next].send(accepted).await;
    }
}

/// Errors of the connection that was to be accepted, and of no other.
fn is_its_own(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// One thread's work: connections as they are handed over, each a task of its own.
async fn work(mut taken: mpsc::Receiver<Accepted>, gateway: Arc<Gateway>) {
    let (public, operators) = match (service(&gateway, Plane::Public).await, service(&gateway, Plane::Operators).await)
    {
        (Ok(public), Ok(operators)) => (Rc::new(public), Rc::new(operators)),
        _ => return tracing::error!("the routes of this thread cannot be built"),
    };
    while let Some(Accepted { socket, peer, plane, connection }) = taken.recv().await {
        let Ok(socket) = prepared(socket) else { continue };
        let socket = Watched::new(socket, connection);
        let service = if plane == Plane::Operators { Rc::clone(&operators) } else { Rc::clone(&public) };
        // Errors are the peer's: it went away, or spoke no HTTP.
        actix_rt::spawn(async move { drop(service.call((socket, Some(peer))).await) });
    }
}

/// The routes of one plane over HTTP/1.1.
async fn service(
    gateway: &Arc<Gateway>,
    plane: Plane,
) -> Result<
    impl Service<(Watched, Option<SocketAddr>), Response = (), Error = actix_http::error::DispatchError> + use<>,
    (),
> {
    let gateway = web::Data::from(Arc::clone(gateway));
    // No request logger: a webhook logs its own line, and a media socket must not log its frames. `//exotel/voicebot` and
    // `/exotel/voicebot/` are what people paste together.
    let app = App::new()
        .app_data(gateway.clone())
        .wrap(middleware::NormalizePath::trim())
        .wrap(middleware::from_fn(name_request))
        .configure(move |config| routes_of(plane, &gateway, config));
    let app = Rc::new(map_config(app, |()| AppConfig::default()).new_service(()).await?);
    let routes = Rc::clone(&app);
    HttpService::build()
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(CLOSE_TIMEOUT)
        .on_connect_ext(|socket: &Watched, data| {
            data.insert(Arc::clone(socket.connection()));
        })
        .upgrade(fn_service(move |(request, connection)| {
            let answered = app.call(request);
            async move { answer_upgrade(answered.await?.into(), connection).await.map_err(actix_web::Error::from) }
        }))
        .h1(fn_service(move |request| routes.call(request)))
        .new_service(())
        .await
}

fn prepared(socket: std::net::TcpStream) -> io::Result<TcpStream> {
    socket.set_nodelay(true)?;
    if let Err(error) = SockRef::from(&socket).set_tcp_user_timeout(Some(STALLED)) {
        tracing::warn!(%error, "a connection whose peer reads nothing is not ended early");
    }
    TcpStream::from_std(socket)
}
