//! Against real web servers on this machine, a real database and a real folder.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use chrono::Utc;
use futures_util::stream;
use protocol::ids::CallSid;
use sha2::{Digest, Sha256};

use super::*;
use crate::outgoing::PrivateHosts;
use crate::recordings::objects::RecordingTarget;
use crate::store::tests::TempDb;
use crate::store::{Announced, CallEndReport, Parties};

const MIB: usize = 1 << 20;

/// What the host was asked, newest last.
type Asked = Arc<std::sync::Mutex<Vec<(String, Option<String>)>>>;

#[derive(Clone)]
struct Site {
    asked: Asked,
    other: String,
    sick: Arc<AtomicU32>,
}

fn sound() -> Vec<u8> {
    (0..3 * MIB).map(|n| u8::try_from(n / 7 % 251).unwrap()).collect()
}

/// A server that sends its head and then says nothing, or little.
fn slowly(pause: Duration) -> HttpResponse {
    let bytes = stream::unfold((), move |()| async move {
        tokio::time::sleep(pause).await;
        Some((Ok::<_, std::io::Error>(web::Bytes::from_static(b"x")), ()))
    });
    HttpResponse::Ok().content_type("audio/mpeg").streaming(bytes)
}

async fn serve(site: web::Data<Site>, request: HttpRequest) -> HttpResponse {
    let auth = request.headers().get("authorization").map(|auth| auth.to_str().unwrap().to_owned());
    site.asked.lock().unwrap().push((request.uri().to_string(), auth.clone()));
    let to = |target: String| HttpResponse::Found().insert_header(("location", target)).finish();
    let endless = || stream::repeat_with(|| Ok::<_, std::io::Error>(web::Bytes::from(vec![0; MIB])));
    match request.path() {
        "/a.mp3" => HttpResponse::Ok().content_type("audio/mpeg").body(sound()),
        "/locked.mp3" if auth.as_deref() == Some("Basic a2V5OnRva2Vu") => HttpResponse::Ok().body(sound()),
        "/locked.mp3" => HttpResponse::Unauthorized().finish(),
        "/forbidden.mp3" => HttpResponse::Forbidden().finish(),
        "/sick.mp3" if site.sick.fetch_sub(1, Ordering::AcqRel) > 1 => HttpResponse::InternalServerError().finish(),
        "/sick.mp3" => HttpResponse::Ok().body(sound()),
        "/here" => to("/a.mp3".to_owned()),
        "/there" => to(format!("{}/a.mp3", site.other)),
        "/elsewhere" => to("https://evil.example/a.mp3".to_owned()),
        "/inside" => to("http://169.254.169.254/latest/meta-data".to_owned()),
        "/round" => to("/round".to_owned()),
        "/huge" => HttpResponse::Ok().no_chunking(5 << 30).streaming(endless()),
        "/endless" => HttpResponse::Ok().streaming(endless()),
        "/drip" => slowly(Duration::from_millis(10)),
        "/silent" => slowly(Duration::from_secs(3600)),
        "/broken" => {
            let body = stream::iter([Ok(web::Bytes::from(vec![0; MIB])), Err(std::io::Error::other("gone"))]);
            HttpResponse::Ok().no_chunking(4 * MIB as u64).streaming(body)
        }
        "/empty" => HttpResponse::Ok().finish(),
        "/page.mp3" => HttpResponse::Ok().content_type("audio/mpeg").body("<html>Sorry</html>"),
        "/login" => to("/page.mp3".to_owned()),
        "/error.mp3" => HttpResponse::Ok().json(serde_json::json!({ "error": "no such recording" })),
        "/xml.mp3" => {
            HttpResponse::Ok().content_type("binary/octet-stream").body("<Error><Code>NoSuchKey</Code></Error>")
        }
        "/zipped.mp3" => HttpResponse::Ok().insert_header(("content-encoding", "gzip")).body(sound()),
        "/wave.mp3" => {
            // Comes in pieces: no single one says what it is.
            let pieces = [&b"RI"[..], b"FF\x24\x00\x00\x00W", b"AVEfmt ", &[0; 40]]
                .map(|piece| Ok::<_, std::io::Error>(web::Bytes::from_static(piece)));
            HttpResponse::Ok().content_type("application/octet-stream").streaming(stream::iter(pieces))
        }
        _ => HttpResponse::NotFound().finish(),
    }
}

/// Serves a site; its base URL.
fn start(site: Site) -> String {
    let app = move || App::new().app_data(web::Data::new(site.clone())).default_service(web::to(serve));
    let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0).bind("127.0.0.1:0").unwrap();
    let address = server.addrs()[0];
    actix_rt::spawn(server.run());
    format!("http://{address}")
}

struct Rig {
    store: Store,
    fetch: Fetch,
    base: String,
    asked: Asked,
    others_asked: Asked,
    _db: TempDb,
    folder: std::path::PathBuf,
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Rig {
    async fn new() -> Self {
        Self::listing(|base, other| format!("{base},{other}")).await
    }

    /// That waits for no host.
    async fn impatient() -> Self {
        Self::with(Duration::from_millis(300), |base, other| format!("{base},{other}")).await
    }

    /// With some of two hosts listed, each as host:port. A host may take as long as a busy machine makes it.
    async fn listing(list: impl Fn(&str, &str) -> String) -> Self {
        Self::with(Duration::from_secs(30), list).await
    }

    async fn with(idle: Duration, list: impl Fn(&str, &str) -> String) -> Self {
        let db = TempDb::new();
        let store = db.store().await;
        let (asked, others_asked) = (Asked::default(), Asked::default());
        let site = |asked: &Asked, other: &str| Site {
            asked: asked.clone(),
            other: other.to_owned(),
            sick: Arc::new(AtomicU32::new(3)),
        };
        let other = start(site(&others_asked, ""));
        let base = start(site(&asked, &other));
        let host = |url: &str| url.trim_start_matches("http://").to_owned();
        let hosts: RecordingHosts = list(&host(&base), &host(&other)).parse().unwrap();
        let folder = db.0.with_extension("recordings");
        let objects = Objects::open(&RecordingTarget::Folder(folder.clone())).unwrap();
        let limits = FetchLimits {
            bytes: 8 * MIB as u64,
            connect: Duration::from_secs(30),
            idle,
            grace: Duration::from_millis(1100),
            least_rate: 4096,
        };
        let credentials = Credentials { key: Secret::new("key"), token: Secret::new("token") };
        let fetch = Fetch::new(store.clone(), objects, hosts, Some(credentials), limits).unwrap();
        Self { store, fetch, base, asked, others_asked, _db: db, folder }
    }

    /// Announces a recording as the webhooks do, and takes up the job that came of it.
    async fn announce(&self, url: &str) -> Job {
        let report = CallEndReport {
            call_sid: CallSid::new("c1"),
            lines: vec![],
            status: None,
            parties: Parties::default(),
            started_at: None,
            answered_at: None,
            ended_at: None,
            duration_secs: None,
            recording: Some(Announced::new(url)),
            at: Utc::now(),
            stream_only: false,
        };
        self.store.report_call(report.clone()).await.unwrap();
        self.store.report_call(report).await.unwrap();
        let mut jobs = self.store.lease_jobs("w", Fetch::KIND, "here", 10, Duration::from_secs(60)).await.unwrap();
        assert_eq!(jobs.len(), 1, "announced twice, fetched once");
        jobs.remove(0)
    }

    /// What becomes of a recording in one attempt.
    async fn fetch(&self, path: &str) -> Result<(), JobError> {
        let job = self.announce(&format!("{}{path}", self.base)).await;
        self.fetch.run(&job).await
    }

    async fn row(&self) -> Recording {
        self.store.recordings_of_call(&CallSid::new("c1")).await.unwrap().remove(0)
    }

    fn files(&self) -> usize {
        fn count(folder: &std::path::Path) -> usize {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
        }
        count(&self.folder)
    }
}

fn gives_up(outcome: Result<(), JobError>, words: &str) {
    let Err(JobError::GiveUp(why)) = outcome else { panic!("not given up: {outcome:?}") };
    assert!(why.contains(words), "{why}");
}

fn tries_again(outcome: Result<(), JobError>, words: &str) {
    let Err(JobError::Retry(why)) = outcome else { panic!("not tried again: {outcome:?}") };
    assert!(why.contains(words), "{why}");
}

#[actix_web::test]
async fn a_recording_is_stored_as_it_was_sent_with_its_type_and_checksum() {
    let rig = Rig::new().await;
    let job = rig.announce(&format!("{}/a.mp3", rig.base)).await;
    assert_eq!(rig.row().await.status.name(), "pending");
    rig.fetch.run(&job).await.unwrap();
    let row = rig.row().await;
    assert_eq!((row.status.name(), row.bytes), ("stored", Some(3 * MIB as i64)));
    assert_eq!((row.content_type.as_deref(), row.error), (Some("audio/mpeg"), None));
    let file = Url::parse(&row.stored_url.unwrap()).unwrap().to_file_path().unwrap();
    assert!(file.ends_with(format!("c1/exotel-{}.mp3", row.id)), "{}", file.display());
    let stored = std::fs::read(file).unwrap();
    assert!(stored == sound());
    let sha: String = Sha256::digest(&stored).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(row.sha256, Some(sha));
    // Done again, nothing is asked for again.
    rig.fetch.run(&job).await.unwrap();
    assert_eq!(rig.asked.lock().unwrap().len(), 1);
}

#[actix_web::test]
async fn our_credentials_open_the_recording_and_wrong_ones_are_given_up_in_words() {
    let rig = Rig::new().await;
    rig.fetch("/locked.mp3").await.unwrap();
    let rig = Rig::new().await;
    let job = rig.announce(&format!("{}/forbidden.mp3", rig.base)).await;
    let Err(JobError::GiveUp(why)) = rig.fetch.run(&job).await else { panic!("not given up") };
    assert!(why.contains("403") && why.contains("EXOTEL_API_TOKEN"), "{why}");
    rig.fetch.given_up(&job, &why).await.unwrap();
    let row = rig.row().await;
    assert_eq!((row.status.name(), row.error), ("failed", Some(why)));
}

#[actix_web::test]
async fn a_redirect_is_followed_and_another_host_never_sees_our_credentials() {
    let rig = Rig::new().await;
    rig.fetch("/here").await.unwrap();
    assert!(rig.asked.lock().unwrap().iter().all(|(_, auth)| auth.is_some()));
    let rig = Rig::new().await;
    rig.fetch("/there").await.unwrap();
    assert!(rig.asked.lock().unwrap()[0].1.is_some());
    assert_eq!(*rig.others_asked.lock().unwrap(), [("/a.mp3".to_owned(), None)]);
    // A URL that proves itself is not given a second proof.
    let rig = Rig::new().await;
    rig.fetch("/a.mp3?X-Amz-Signature=00").await.unwrap();
    assert_eq!(rig.asked.lock().unwrap()[0].1, None);
}

#[actix_web::test]
async fn a_redirect_to_where_nothing_may_be_fetched_is_given_up() {
    for (path, words) in
        [("/elsewhere", "none of RECORDING_HOSTS"), ("/inside", "not https"), ("/round", "more than 3 redirects")]
    {
        gives_up(Rig::new().await.fetch(path).await, words);
    }
    let rig = Rig::listing(|base, _| base.to_owned()).await;
    gives_up(rig.fetch("/there").await, "not https");
    assert!(rig.others_asked.lock().unwrap().is_empty(), "it was not even asked");
}

#[actix_web::test]
async fn a_name_that_stands_for_a_private_address_is_not_connected_to() {
    // `localhost` is a public name's stand-in here: it is listed as no private host, and resolves to this machine.
    let rig = Rig::listing(|base, _| base.to_owned()).await;
    let private: PrivateHosts = "10.0.0.0/8".parse().unwrap();
    let limits = FetchLimits::default();
    let client = Outgoing::new(&private, Times { connect: limits.connect, idle: limits.idle }).unwrap();
    let port = Url::parse(&rig.base).unwrap().port().unwrap();
    let url = Url::parse(&format!("https://localhost:{port}/a.mp3")).unwrap();
    let error = client.request(Method::GET, &url).unwrap().send().await.unwrap_err();
    assert_eq!(refused_by_guard(&error), Some(Forbidden::Private), "{error:?}");
    assert!(rig.asked.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn what_is_too_large_is_given_up_whether_it_says_so_or_not() {
    let rig = Rig::new().await;
    gives_up(rig.fetch("/huge").await, "larger than the limit: 5368709120 bytes");
    let rig = Rig::new().await;
    gives_up(rig.fetch("/endless").await, "larger than the limit");
    assert_eq!(rig.files(), 0);
}

#[actix_web::test]
async fn a_host_that_drips_hangs_or_breaks_off_is_left_and_tried_again() {
    for (path, words) in
        [("/drip", "bytes in "), ("/broken", "broke off"), ("/empty", "empty recording"), ("/none.mp3", "404")]
    {
        let rig = Rig::new().await;
        tries_again(rig.fetch(path).await, words);
        assert_eq!(rig.row().await.status.name(), "pending", "{path}");
    }
    let rig = Rig::impatient().await;
    tries_again(rig.fetch("/silent").await, "did not answer in time");
    // Nobody listens on a port below 1024 that no service has.
    let nobody = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
    let rig = Rig::listing(|_, _| nobody.to_string()).await;
    let job = rig.announce(&format!("http://{nobody}/a.mp3")).await;
    tries_again(rig.fetch.run(&job).await, "cannot be connected to");
}

#[actix_web::test]
async fn an_error_page_is_not_stored_as_a_recording_and_is_asked_for_again() {
    for (path, words) in [
        ("/page.mp3", "a web page (HTML) instead of a recording"),
        ("/login", "a web page (HTML)"),
        ("/error.mp3", "JSON"),
        ("/xml.mp3", "XML"),
        ("/zipped.mp3", "gzip"),
    ] {
        let rig = Rig::new().await;
        tries_again(rig.fetch(path).await, words);
        assert_eq!((rig.row().await.status.name(), rig.files()), ("pending", 0), "{path}");
    }
}

#[actix_web::test]
async fn a_recording_is_named_and_typed_by_what_it_is() {
    let rig = Rig::new().await;
    rig.fetch("/wave.mp3").await.unwrap();
    let row = rig.row().await;
    assert_eq!((row.content_type.as_deref(), row.bytes), (Some("audio/wav"), Some(56)));
    assert!(row.stored_url.unwrap().ends_with(&format!("exotel-{}.wav", row.id)));
}

#[actix_web::test]
async fn a_recording_whose_host_is_not_allowed_any_more_waits_for_the_setting() {
    let rig = Rig::listing(|base, _| base.to_owned()).await;
    for url in ["https://s3-ap-southeast-1.amazonaws.com/attacker/a.mp3", "http://recordings.exotel.com/a.mp3"] {
        let job = rig.announce(url).await;
        let Err(JobError::Park(why)) = rig.fetch.run(&job).await else { panic!("not parked") };
        assert!(why.contains("RECORDING_HOSTS") || why.contains("PRIVATE_HOSTS"), "{why}");
    }
    assert!(rig.asked.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn a_host_that_is_sick_for_a_while_gives_the_recording_in_the_end() {
    let rig = Rig::new().await;
    let job = rig.announce(&format!("{}/sick.mp3", rig.base)).await;
    for _ in 0..2 {
        tries_again(rig.fetch.run(&job).await, "500");
    }
    rig.fetch.run(&job).await.unwrap();
    assert_eq!(rig.row().await.status.name(), "stored");
}
