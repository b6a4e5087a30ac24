//! A real object store of a test's own: s3s-fs, an S3 server over a folder, which verifies signatures and puts parts together as S3
//! does. It has a thread and a runtime to itself, so that it can die like a process and come back at the same address.

#![allow(dead_code, unreachable_pub, reason = "every test binary uses its part of it")]

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::sync::oneshot;

pub const BUCKET: &str = "calls";
pub const ACCESS_KEY: &str = "AKIDEXAMPLE";
pub const SECRET: &str = "a-secret-of-the-tests";

/// The server and its folder, gone with the test.
pub struct S3 {
    folder: PathBuf,
    pub address: SocketAddr,
    sick: Arc<AtomicU32>,
    up: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl S3 {
    /// With one empty bucket.
    pub fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("callgate-s3-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(folder.join(BUCKET)).unwrap();
        // An address of its own: while it is down, no other test's server gets its port.
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let [.., high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let address = ([127, 1, high, low], 0).into();
        let mut s3 = Self { folder, address, sick: Arc::default(), up: None };
        s3.resume();
        s3
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers 503 to so many requests from now on.
    pub fn sicken(&self, requests: u32) {
        self.sick.store(requests, Ordering::Release);
    }

    /// As a crash would: every socket is closed at once, what is on disk stays.
    pub fn crash(&mut self) {
        if let Some((stop, thread)) = self.up.take() {
            drop(stop);
            thread.join().unwrap();
        }
    }

    /// Starts it again where it was.
    pub fn resume(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        listener.set_nonblocking(true).unwrap();
        self.address = listener.local_addr().unwrap();
        let mut service = S3ServiceBuilder::new(FileSystem::new(&self.folder).unwrap());
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET));
        let (service, folder, sick) = (service.build(), self.folder.clone(), self.sick.clone());
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, service, folder, sick) => {}
                }
            });
        });
        self.up = Some((stop, thread));
    }

    /// Parts of uploads that are neither finished nor given up.
    pub fn loose_parts(&self) -> usize {
        let names = std::fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().contains(".part-")).count()
    }

    /// Keys in the bucket.
    pub fn objects(&self) -> usize {
        fn count(folder: PathBuf) -> usize {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            entries.map(|path| if path.is_dir() { count(path) } else { 1 }).sum()
        }
        count(self.folder.join(BUCKET))
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.crash();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn accept(listener: TcpListener, service: S3Service, folder: PathBuf, sick: Arc<AtomicU32>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    while let Ok((socket, _)) = listener.accept().await {
        let (service, folder, sick) = (service.clone(), folder.clone(), sick.clone());
        let answer = service_fn(move |request: Request<Incoming>| {
            let answer = match fault(&request, &folder, &sick) {
                None => Ok(Service::call(&service, request)),
                Some(fault) => Err(fault),
            };
            async move {
                match answer {
                    Ok(answer) => answer.await,
                    Err((status, body)) => Ok(Response::builder().status(status).body(body.into()).unwrap()),
                }
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), answer));
    }
}

/// What the server does not do itself: be sick, and refuse what is put into a bucket nobody has made, in the words of S3.
fn fault(request: &Request<Incoming>, folder: &Path, sick: &AtomicU32) -> Option<(StatusCode, String)> {
    if sick.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1)).is_ok() {
        return Some((StatusCode::SERVICE_UNAVAILABLE, String::new()));
    }
    let bucket = request.uri().path().split('/').nth(1).unwrap_or_default();
    let code = "<Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message>";
    let refused = || (StatusCode::NOT_FOUND, format!("<?xml version=\"1.0\"?>\n<Error>{code}</Error>"));
    (!folder.join(bucket).is_dir()).then(refused)
}
