//! One connection: its handshake, and then the session's driver.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep_until;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

use super::far;
use super::faults::Faults;
use super::handle::{Control, Shared, lock};
use super::handshake::{self, Head};
use super::lookup;
use super::session::{Ending, Session, query_value};

/// An append may be 15 MiB of base64.
const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// Every read clears that much first: enough for a frame of 20 ms, and no more than is cheap at 50 reads a second.
const READ_BUFFER_BYTES: usize = 4 << 10;
/// How long the peer may take over a closing handshake.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<TcpStream>;

/// Serves one connection to its end.
pub(super) async fn serve(mut stream: TcpStream, shared: Arc<Shared>, next_number: Arc<AtomicU64>) {
    let mut control = shared.control.subscribe();
    let faults = shared.faults.get();
    if faults.network_ms > 0 {
        let Ok(far) = far::away(stream, Duration::from_millis(faults.network_ms)).await else { return };
        stream = far;
    }
    // A failure here is the client's business: it sees the connection close.
    let Ok(head) = (tokio::select! {
        biased;
        // One that stalls may be told to end before it has read anything.
        _ = until_dropped(&mut control), if faults.stall => {
            // Best effort: the point is not to say goodbye.
            let _ = stream.set_zero_linger();
            return;
        }
        head = Head::read(&mut stream) => head,
    }) else {
        return;
    };
    let Some(key) = head.websocket_key() else {
        let _ = plain(&mut stream, &head, &shared).await;
        return;
    };
    if faults.stall {
        until_dropped(&mut control).await;
        let _ = stream.set_zero_linger();
        return;
    }
    if let Some((status, code, message)) = refusal(&head, &shared) {
        let _ = handshake::refuse(&mut stream, status, code, &message).await;
        return;
    }
    if handshake::accept(&mut stream, &head, key).await.is_err() {
        return;
    }
    let number = next_number.fetch_add(1, Ordering::Relaxed);
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(64 << 10)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let mut session = Session::new(Arc::clone(&shared), number, &head.target, &head.headers);
    session.start(Instant::now(), head.header("openai-beta").is_some_and(|beta| beta.contains("realtime=v1")));
    let mut socket = WebSocketStream::from_partially_read(stream, head.rest, Role::Server, Some(config)).await;

    let mut orders = shared.control.subscribe();
    let end = tokio::select! {
        biased;
        order = until_dropped(&mut control) => Ok(order),
        end = converse(&mut socket, &mut session, &mut orders) => end,
    };
    session.ended(close(socket, end).await);
}

/// Why the upgrade is refused, if it is: status, code and words.
fn refusal(head: &Head, shared: &Shared) -> Option<(u16, &'static str, String)> {
    if let Some(status) = shared.faults.get().refuse_handshake {
        let code = if status == 401 { "invalid_api_key" } else { "server_error" };
        return Some((status, code, "The upgrade is refused.".into()));
    }
    if !head.path().ends_with("/realtime") {
        return Some((404, "not_found", format!("Invalid URL (GET {})", head.path())));
    }
    if let Some(key) = &shared.options.api_key
        && head.header("authorization").and_then(|value| value.strip_prefix("Bearer ")) != Some(key)
    {
        return Some((401, "invalid_api_key", "Incorrect API key provided.".into()));
    }
    None
}

/// Returns when the session is to end from outside.
async fn until_dropped(control: &mut watch::Receiver<Control>) -> Ending {
    let drops = control.borrow().drops;
    match control.wait_for(|control| control.stop || control.drops != drops).await {
        Ok(control) if control.drops != drops => Ending::Reset,
        _ => Ending::Close { code: 1001, reason: "The server is stopping." },
    }
}

/// Drives the session; returns how the server ends it, or what ended it from outside.
async fn converse(
    socket: &mut Socket,
    session: &mut Session,
    orders: &mut watch::Receiver<Control>,
) -> Result<Ending, Error> {
    let timer = sleep_until(tokio::time::Instant::now());
    tokio::pin!(timer);
    let mut armed = None;
    loop {
        if !session.out.is_empty() {
            for message in session.out.drain(..) {
                socket.feed(message).await?;
            }
            socket.flush().await?;
        }
        if let Some(ending) = session.ending.take() {
            return Ok(ending);
        }
        let deadline = session.deadline();
        if let Some(at) = deadline.filter(|_| deadline != armed) {
            timer.as_mut().reset(at.into());
        }
        armed = deadline;
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(message)) => session.on_message(Instant::now(), &message),
                Some(Err(error)) => return Err(error),
                None => return Err(Error::ConnectionClosed),
            },
            () = &mut timer, if armed.is_some() => {
                armed = None;
                session.on_tick(Instant::now());
            }
            order = orders.changed() => match order {
                Ok(()) => session.arm_faults(Instant::now()),
                Err(_) => return Ok(Ending::Reset),
            },
        }
    }
}

/// Ends the connection; how, in words for the log.
async fn close(mut socket: Socket, end: Result<Ending, Error>) -> String {
    match end {
        Ok(Ending::Close { code, reason }) => {
            let frame = CloseFrame { code: code.into(), reason: reason.into() };
            let goodbye = async {
                socket.close(Some(frame)).await?;
                while socket.next().await.transpose()?.is_some() {}
                Ok::<_, Error>(())
            };
            // Whether the peer answers is its own business.
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, goodbye).await;
            format!("closed {code}: {reason}")
        }
        Ok(Ending::Reset) => {
            let _ = socket.get_ref().set_zero_linger();
            "reset".into()
        }
        Err(Error::ConnectionClosed) => "closed by the client".into(),
        Err(error) => format!("lost: {error}"),
    }
}

/// Plain HTTP: the measurement tap, what goes wrong, a function to call, and the health check.
async fn plain(stream: &mut TcpStream, head: &Head, shared: &Shared) -> io::Result<()> {
    match (head.method.as_str(), head.path()) {
        ("GET", "/healthz") => handshake::answer(stream, 200, "text/plain", "ok").await,
        ("GET", "/measurements") => measurements(stream, query_value(&head.target, "clear") == Some("1"), shared).await,
        ("POST", "/faults") => match Faults::from_query(&head.target) {
            Ok(faults) => {
                shared.set_faults(faults);
                handshake::answer(stream, 200, "text/plain", "ok").await
            }
            Err(error) => handshake::refuse(stream, 400, "unknown_fault", &error.to_string()).await,
        },
        ("POST", "/lookup") => lookup::answer(stream, head).await,
        _ => {
            let there_are = "There are /v1/realtime, /measurements, /faults and /lookup (POST), and /healthz.";
            handshake::refuse(stream, 404, "not_found", there_are).await
        }
    }
}

/// Written session by session, since under load all of them together are large.
async fn measurements(stream: &mut TcpStream, clear: bool, shared: &Shared) -> io::Result<()> {
    let late_ms = shared.late.p99_ms();
    if clear {
        shared.late.clear();
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{{\"late_p99_ms\":{late_ms:.3},\"sessions\":["
    );
    stream.write_all(head.as_bytes()).await?;
    let sessions: Vec<_> = shared.sessions().iter().cloned().collect();
    let mut text = String::new();
    let mut first = true;
    for tracked in sessions {
        text.clear();
        if !first {
            text.push(',');
        }
        let written = {
            let mut tap = lock(&tracked.tap);
            let written = tap.write(&mut text);
            if clear {
                tap.clear();
            }
            written
        };
        if written {
            first = false;
            stream.write_all(text.as_bytes()).await?;
        }
    }
    stream.write_all(b"]}").await?;
    stream.shutdown().await
}
