//! A simulated text model behind the Chat Completions API, which answers as the schema of its request says, and goes wrong as it is told to.

mod answer;
mod faults;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use answer::completion;
pub use faults::{TEXT_FAULT_NAMES, TextFault, TextFaultError, TextFaults};

const LONGEST_HEAD: usize = 16 * 1_024;
const LONGEST_BODY: usize = 4 * 1_024 * 1_024;
const WITHIN: Duration = Duration::from_secs(10);
/// How long to wait when the system has no connection to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What such a server is like.
#[derive(Clone, Debug, Default)]
pub struct TextOptions {
    /// What goes wrong.
    pub faults: TextFaults,
    /// The only key that is let in; none: everybody is.
    pub api_key: Option<String>,
    /// How long it thinks.
    pub thinks: Duration,
}

/// A bound server that does not serve yet.
#[derive(Debug)]
pub struct TextServer {
    listener: TcpListener,
    addr: SocketAddr,
    shared: Arc<Shared>,
}

/// What it was asked.
#[derive(Clone, Debug)]
pub struct TextHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: TextOptions,
    asked: Mutex<Vec<Value>>,
    /// Requests that are being answered, and the most there ever were.
    now: AtomicUsize,
    most: AtomicUsize,
}

impl TextHandle {
    /// Every request, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Value> {
        self.0.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many it was asked at once, at most.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.0.most.load(Ordering::Acquire)
    }
}

impl TextServer {
    /// Binds the address; port 0 is any free one.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn bind(addr: SocketAddr, options: TextOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        Ok(Self {
            listener,
            addr,
            shared: Arc::new(Shared {
                options,
                asked: Mutex::default(),
                now: AtomicUsize::default(),
                most: AtomicUsize::default(),
            }),
        })
    }

    /// The address that was bound.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A handle for while it runs.
    #[must_use]
    pub fn handle(&self) -> TextHandle {
        TextHandle(Arc::clone(&self.shared))
    }

    /// Serves until it is dropped.
    pub async fn run(self) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let shared = Arc::clone(&self.shared);
                    tokio::spawn(async move { shared.serve(stream).await });
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

impl Shared {
    /// One request, and what comes of it; whoever goes away goes away.
    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let (head, body) = timeout(WITHIN, read(&mut stream)).await.ok()??;
        let path = head.split(' ').nth(1).unwrap_or_default();
        let key = head.lines().find_map(|line| line.strip_prefix("authorization: Bearer "));
        if !path.ends_with("/chat/completions") {
            return answer(&mut stream, 404, "", &error("not_found")).await;
        }
        if self.options.api_key.is_some() && key != self.options.api_key.as_deref() {
            return answer(&mut stream, 401, "", &error("invalid_api_key")).await;
        }
        let Ok(asked) = serde_json::from_slice::<Value>(&body) else {
            return answer(&mut stream, 400, "", &error("invalid_json")).await;
        };
        let number = {
            let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            all.push(asked.clone());
            all.len()
        };
        self.most.fetch_max(self.now.fetch_add(1, Ordering::AcqRel) + 1, Ordering::AcqRel);
        sleep(self.options.thinks).await;
        self.now.fetch_sub(1, Ordering::AcqRel);
        let good = completion(&asked);
        match self.options.faults.at(number, &asked) {
            None => answer(&mut stream, 200, "", &good.to_string()).await,
            Some(fault) => go_wrong(&mut stream, fault, good).await,
        }
    }
}

async fn go_wrong(stream: &mut TcpStream, fault: TextFault, mut good: Value) -> Option<()> {
    let choice = &mut good["choices"][0];
    match fault {
        TextFault::Refuses => {
            choice["message"]["content"] = Value::Null;
            choice["message"]["refusal"] = "I cannot help with that.".into();
        }
        TextFault::Length => {
            choice["finish_reason"] = "length".into();
            choice["message"]["content"] = "{\"".into();
        }
        TextFault::Words => choice["message"]["content"] = "I would say that it went well.".into(),
        TextFault::Wrong => choice["message"]["content"] = "{\"nothing\":\"of the kind\"}".into(),
        TextFault::Fenced => {
            let told = choice["message"]["content"].as_str().unwrap_or_default();
            choice["message"]["content"] = format!("Here it is:\n```json\n{told}\n```").into();
        }
        TextFault::Junk => return answer(stream, 200, "", "{\"choices\":").await,
        TextFault::Page => return answer(stream, 200, "Content-Type: text/html\r\n", "<html>Sign in</html>").await,
        TextFault::Huge => return answer(stream, 200, "", &"x".repeat(5 * 1_024 * 1_024)).await,
        TextFault::NoFormat => return answer(stream, 400, "", &error("unsupported_response_format")).await,
        TextFault::TooOften => return answer(stream, 429, "Retry-After: 1\r\n", &error("rate_limit_exceeded")).await,
        TextFault::Unauthorized => return answer(stream, 401, "", &error("invalid_api_key")).await,
        TextFault::Broken => return answer(stream, 500, "", &error("server_error")).await,
        TextFault::Drips => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n").await.ok()?;
            loop {
                stream.write_all(b" ").await.ok()?;
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
    answer(stream, 200, "", &good.to_string()).await
}

fn error(code: &str) -> String {
    serde_json::json!({ "error": { "message": "no", "type": "invalid_request_error", "code": code } }).to_string()
}

/// The head, names of headers in lower case, and the body.
async fn read(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if bytes.len() > LONGEST_HEAD || stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut body = bytes.split_off(end);
    let head: String = String::from_utf8(bytes).ok()?.lines().map(named_low).collect();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.trim().parse::<usize>().ok()?;
    while body.len() < length.min(LONGEST_BODY) {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    (length <= LONGEST_BODY).then_some((head, body))
}

fn named_low(line: &str) -> String {
    match line.split_once(": ") {
        Some((name, value)) => format!("{}: {value}\n", name.to_lowercase()),
        None => format!("{line}\n"),
    }
}

async fn answer(stream: &mut TcpStream, status: u16, headers: &str, body: &str) -> Option<()> {
    let kind = if headers.contains("Content-Type") { "" } else { "Content-Type: application/json\r\n" };
    let head =
        format!("HTTP/1.1 {status} .\r\n{kind}{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}
