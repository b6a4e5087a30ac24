//! What is done beside the calls: recordings fetched, clients told, and the jobs that see to it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use callgate::testing::{EventsTarget, JobStatus, SettingsArgs};
use protocol::ids::{CallSid, Secret};
use serde_json::{Value, json};

use super::support::{Gateway, check_event, eventually, incoming, sid};

pub(super) type Heard = Arc<Mutex<Vec<Value>>>;

/// A recording host and an event receiver in one.
async fn serve(heard: web::Data<Heard>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    match request.path() {
        "/a.mp3" if request.headers().contains_key("authorization") => {
            HttpResponse::Ok().content_type("audio/mpeg").body(vec![7; 100_000])
        }
        // Nobody is let in but who comes a second time.
        "/later.mp3" => {
            let mut heard = heard.lock().unwrap();
            heard.push(json!("later"));
            if heard.len() == 1 { HttpResponse::Forbidden().finish() } else { HttpResponse::Ok().body(vec![7; 1000]) }
        }
        "/events" => {
            let event = serde_json::from_slice(&body).unwrap();
            check_event(&event);
            heard.lock().unwrap().push(event);
            HttpResponse::NoContent().finish()
        }
        _ => HttpResponse::Unauthorized().finish(),
    }
}

/// Its host:port, and what it heard.
pub(super) fn neighbour() -> (String, Heard) {
    let heard = Heard::default();
    let served = heard.clone();
    let app = move || App::new().app_data(web::Data::new(served.clone())).default_service(web::to(serve));
    let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0).bind("127.0.0.1:0").unwrap();
    let host = server.addrs()[0].to_string();
    actix_rt::spawn(server.run());
    (host, heard)
}

#[actix_web::test]
async fn an_announced_recording_is_fetched_and_shown_and_the_client_is_told_in_order() {
    let (host, heard) = neighbour();
    let gateway = Gateway::start_with(|args| args.recording_hosts = host.clone()).await;
    let target = EventsTarget { url: format!("http://{host}/events"), secret: Secret::new("whsec_0123456789") };
    let store = gateway.running.store();
    assert!(store.set_events_target(gateway.tenant.id, Some(target)).await.unwrap());
    let sid = sid();
    gateway.post("/exotel/call-start", &incoming(&sid)).await;
    gateway.post("/exotel/call-end", &[("CallSid", &sid), ("Status", "completed")]).await;
    let url = format!("http://{host}/a.mp3");
    for _ in 0..2 {
        let answer = gateway.post("/exotel/recording", &[("CallSid", &sid), ("RecordingUrl", &url)]).await;
        assert_eq!(answer.json(), json!({ "call_sid": sid, "recording": "pending" }));
    }
    let call = CallSid::new(&sid);
    eventually("the recording is stored", || async {
        let rows = store.recordings_of_call(&call).await.unwrap();
        rows.len() == 1 && rows[0].status.name() == "stored"
    })
    .await;
    let shown = gateway.operate(reqwest::Method::GET, &format!("/api/v1/calls/{sid}")).await.json();
    let recording = &shown["recordings"][0];
    assert_eq!((&recording["status"], &recording["bytes"]), (&json!("stored"), &json!(100_000)));
    assert!(recording["url"].as_str().unwrap().ends_with(".mp3") && recording["error"].is_null());
    eventually("three events are told", || async { heard.lock().unwrap().len() >= 3 }).await;
    let types: Vec<Value> = heard.lock().unwrap().iter().map(|event| event["type"].clone()).collect();
    assert_eq!(types.len(), 3, "{types:?}");
    assert_eq!(types[0], "call.started");
    assert!(types.contains(&json!("call.ended")) && types.contains(&json!("recording.stored")));
    gateway.stop().await;
}

#[actix_web::test]
async fn a_recording_that_may_not_be_had_says_why() {
    let (host, _) = neighbour();
    let gateway = Gateway::start_with(|args| args.recording_hosts = host.clone()).await;
    let sid = sid();
    let url = format!("http://{host}/locked.mp3");
    gateway.post("/exotel/recording", &[("CallSid", &sid), ("RecordingUrl", &url)]).await;
    let call = CallSid::new(&sid);
    eventually("the recording is given up", || async {
        let rows = gateway.running.store().recordings_of_call(&call).await.unwrap();
        rows.iter()
            .any(|row| row.status.name() == "failed" && row.error.as_deref().is_some_and(|why| why.contains("401")))
    })
    .await;
    let url = gateway.database.url.clone();
    let said = |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_callgate"));
        let output = command.args(words).args(["--database-url", &url]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    eventually("the job is closed", || async { said(&["jobs"]).contains("failed") }).await;
    let jobs = said(&["jobs", "--limit", "5"]);
    assert!(jobs.contains("fetch_recording") && jobs.contains("401"), "{jobs}");
    let shown = said(&["calls", &sid]);
    assert!(shown.contains("Recordings") && shown.contains("401") && shown.contains("/locked.mp3"), "{shown}");
    gateway.stop().await;
}

#[actix_web::test]
async fn a_job_that_was_given_up_is_done_when_it_is_asked_for_again() {
    let (host, _) = neighbour();
    let gateway = Gateway::start_with(|args| args.recording_hosts = host.clone()).await;
    let database = gateway.database.url.clone();
    let ask = |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_callgate"));
        let output = command.arg("jobs").args(words).args(["--database-url", &database]).output().unwrap();
        let said = |bytes| String::from_utf8(bytes).unwrap().trim_end().to_owned();
        (output.status.code(), said(output.stdout), said(output.stderr))
    };
    assert_eq!(ask(&["retry", "--all-failed"]), (Some(0), "No job has failed.".to_owned(), String::new()));
    let store = gateway.running.store();
    let url = format!("http://{host}/later.mp3");
    let (one, other) = (sid(), sid());
    gateway.post("/exotel/recording", &[("CallSid", &one), ("RecordingUrl", &url)]).await;
    let failed = || async { store.jobs(true, None, 9).await.unwrap().iter().any(|job| job.status.name() == "failed") };
    eventually("the job is given up", failed).await;
    let id = store.jobs(true, None, 9).await.unwrap()[0].id.to_string();
    let becomes = async |sid: &str| {
        let call = CallSid::new(sid);
        eventually("the recording is stored", || async {
            store.recordings_of_call(&call).await.unwrap()[0].status.name() == "stored"
        })
        .await;
    };
    assert_eq!(store.recordings_of_call(&CallSid::new(&one)).await.unwrap()[0].status.name(), "failed");
    let (code, said, _) = ask(&["retry", &id]);
    assert_eq!(code, Some(0));
    assert!(
        said.starts_with(&format!("Job {id} (fetch_recording ")) && said.ends_with("is tried again now."),
        "{said}"
    );
    becomes(&one).await;
    let done = || async { store.job(id.parse().unwrap()).await.unwrap().unwrap().status.name() == "done" };
    eventually("the job is done", done).await;
    assert_eq!(store.job(id.parse().unwrap()).await.unwrap().unwrap().attempts, 1);

    // What is not there, and what did not fail, is said.
    let (code, _, said) = ask(&["retry", &id]);
    assert_eq!(
        (code, &*said),
        (Some(1), &*format!("callgate: job {id} is done, and only a failed one can be retried"))
    );
    let (code, _, said) = ask(&["retry", "999"]);
    assert!(code == Some(1) && said.contains("there is no job 999"), "{said}");
    assert_eq!(ask(&["retry"]).0, Some(64));
    assert_eq!(ask(&["retry", &id, "--all-failed"]).0, Some(64));
    gateway.post("/exotel/recording", &[("CallSid", &other), ("RecordingUrl", &url)]).await;
    becomes(&other).await;
    gateway.stop().await;
}

/// A second of a call that an earlier process recorded, and the place where recordings are kept. Gone with the test.
struct Left {
    folder: PathBuf,
    sid: String,
}

impl Left {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("callgate-left-{}", uuid::Uuid::now_v7()));
        let left = Self { folder, sid: sid() };
        std::fs::create_dir_all(left.spooled()).unwrap();
        for track in ["caller.s16", "agent.s16"] {
            std::fs::write(left.spooled().join(track), [7; 16_000]).unwrap();
        }
        let note =
            json!({ "call_sid": left.sid, "began": "2026-11-22T12:00:00Z", "rate_hz": 8_000, "format": "s16le" });
        std::fs::write(left.spooled().join("call.json"), note.to_string()).unwrap();
        left
    }

    fn spooled(&self) -> PathBuf {
        self.folder.join("spool").join(&self.sid)
    }

    /// Where recordings are kept; not those of a year whose folder is a file.
    fn kept(&self) -> PathBuf {
        self.folder.join("kept")
    }

    async fn start(&self, url: Option<&str>) -> Gateway {
        self.start_as("auto", url).await
    }

    async fn start_as(&self, format: &str, url: Option<&str>) -> Gateway {
        let change = |args: &mut SettingsArgs| {
            args.spool_dir = self.folder.join("spool").display().to_string();
            args.recording_format = format.to_owned();
            args.recordings_url = format!("file://{}", self.kept().display());
            args.database_url = url.map_or_else(|| args.database_url.clone(), str::to_owned);
        };
        Gateway::start_with(change).await
    }

    /// Waits until there is one recording, of that status and with such an error.
    async fn becomes(&self, gateway: &Gateway, status: &str, why: &str) {
        let call = CallSid::new(&self.sid);
        eventually(&format!("{status}: {why}"), || async {
            let rows = gateway.running.store().recordings_of_call(&call).await.unwrap();
            let told = |error: &Option<String>| error.as_deref().map_or(why.is_empty(), |error| error.contains(why));
            matches!(&rows[..], [row] if row.status.name() == status && told(&row.error))
        })
        .await;
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[actix_web::test]
async fn a_recording_of_ours_waits_in_words_while_it_cannot_be_stored_and_is_when_it_was_given_up_and_found_again() {
    let left = Left::new();
    std::fs::create_dir(left.kept()).unwrap();
    std::fs::write(left.kept().join("2026"), "in the way").unwrap();
    let gateway = left.start(None).await;
    let url = gateway.database.url.clone();
    left.becomes(&gateway, "pending", "2026").await;
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_callgate"));
    let output = command.args(["calls", &left.sid, "--database-url", &url]).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("pending") && shown.contains("2026/11/22"), "{shown}");
    // Tried for more than half a year, and still waited for.
    let hurry = || {
        let attempts = "attempts = CASE WHEN attempts < 90000 THEN 90000 ELSE attempts END";
        let old = "run_at = '2026-01-01 00:00:00', created_at = '2026-01-01 00:00:00'";
        let waits = "kind = 'encode_recording' AND status = 'waiting'";
        gateway.database.execute(&format!("UPDATE jobs SET {attempts}, {old} WHERE {waits}")).unwrap();
    };
    let job = async || gateway.running.store().jobs(true, None, 1).await.unwrap().remove(0);
    eventually("it was tried again, and will be", || async {
        hurry();
        let job = job().await;
        job.attempts > 90_000 && job.status == JobStatus::Waiting
    })
    .await;
    left.becomes(&gateway, "pending", "2026").await;
    // Nothing is there to encode: that ends it.
    let away = left.folder.join("away");
    std::fs::rename(left.spooled(), &away).unwrap();
    eventually("it is given up", || async {
        hurry();
        job().await.status == JobStatus::Failed
    })
    .await;
    left.becomes(&gateway, "failed", "the spool has no recording").await;
    gateway.running.stop().await.unwrap();
    std::fs::rename(&away, left.spooled()).unwrap();
    std::fs::remove_file(left.kept().join("2026")).unwrap();
    let next = left.start(Some(&url)).await;
    left.becomes(&next, "stored", "").await;
    eventually("the spool is empty", || async { !left.spooled().exists() }).await;
    assert!(left.kept().join(format!("2026/11/22/{}.opus", left.sid)).is_file());
    next.stop().await;
}

#[actix_web::test]
async fn a_recording_is_kept_as_what_it_was_meant_for_when_it_was_found_whatever_the_setting_says_by_then() {
    let left = Left::new();
    std::fs::create_dir(left.kept()).unwrap();
    std::fs::write(left.kept().join("2026"), "in the way").unwrap();
    let gateway = left.start_as("wav", None).await;
    let url = gateway.database.url.clone();
    left.becomes(&gateway, "pending", "2026").await;
    gateway.running.stop().await.unwrap();
    std::fs::remove_file(left.kept().join("2026")).unwrap();
    let next = left.start_as("opus", Some(&url)).await;
    eventually("it is stored", || async {
        gateway.database.execute("UPDATE jobs SET run_at = '2026-01-01 00:00:00' WHERE status = 'waiting'").unwrap();
        let rows = next.running.store().recordings_of_call(&CallSid::new(&left.sid)).await.unwrap();
        rows[0].status.name() == "stored"
    })
    .await;
    let shown = next.operate(reqwest::Method::GET, &format!("/api/v1/calls/{}", left.sid)).await.json();
    let recording = &shown["recordings"][0];
    assert_eq!((&recording["content_type"], &recording["bytes"]), (&json!("audio/wav"), &json!(58 + 16_000)));
    assert!(recording["url"].as_str().unwrap().ends_with(&format!("{}.wav", left.sid)));
    let file = left.kept().join(format!("2026/11/22/{}.wav", left.sid));
    assert_eq!(std::fs::metadata(file).unwrap().len(), 58 + 16_000, "a second of both sides, a byte a sample");
    let page = next.get_bare("/metrics").await.body;
    for metric in
        ["recordings_backlog_seconds", "recordings_done_seconds_bucket", "spool_free_bytes", "recordings_as_wav"]
    {
        assert!(page.contains(&format!("callgate_{metric}")), "{metric}: {page}");
    }
    next.stop().await;
}
