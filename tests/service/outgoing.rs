//! Where the program goes when data says where: the command line and a gateway with the settings of a deployment.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::Value;

use super::support::{WEBHOOK_KEY, sid};

/// Far beyond what anything here takes: a test that needs it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A receiver of events, and a proxy that nobody shall use: both are this one server, at two addresses.
struct Town {
    heard: Arc<Mutex<Vec<Value>>>,
    knocked: Arc<AtomicUsize>,
    host: String,
    proxy: String,
    folder: PathBuf,
}

impl Town {
    async fn new() -> Self {
        let heard = Arc::<Mutex<Vec<Value>>>::default();
        let served = heard.clone();
        let hear = move |body: web::Bytes| {
            served.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
            async { HttpResponse::NoContent().finish() }
        };
        let app = move || App::new().default_service(web::to(hear.clone()));
        let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0).bind("127.0.0.1:0").unwrap();
        let host = server.addrs()[0].to_string();
        actix_rt::spawn(server.run());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("http://{}", listener.local_addr().unwrap());
        let knocked = Arc::<AtomicUsize>::default();
        let count = knocked.clone();
        actix_rt::spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, Ordering::AcqRel);
            }
        });
        let folder = std::env::temp_dir().join(format!("callgate-outgoing-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&folder).unwrap();
        Self { heard, knocked, host, proxy, folder }
    }

    fn command(&self, words: &[&str], private: Option<&str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
        command.args(words).current_dir(&self.folder).env_clear().stdin(Stdio::null());
        for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            command.env(name, &self.proxy);
        }
        command.envs(private.map(|private| ("PRIVATE_HOSTS", private)));
        command
    }

    fn run(&self, words: &[&str], private: Option<&str>) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } = self.command(words, private).output().unwrap();
        (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
    }

    async fn serve(&self, private: Option<&str>) -> Program {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = self.command(&["serve"], private);
        command.env("HOST", "127.0.0.1").env("PORT", port.to_string()).env("WORKERS", "1").env("SIMULATED_MODEL", "on");
        command.env("WEBHOOK_AUTH", "key").env("WEBHOOK_KEY", WEBHOOK_KEY);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let program = Program { child, base: format!("http://127.0.0.1:{port}"), http };
        let ready = format!("{}/readyz", program.base);
        until("it serves", || async {
            program.http.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        program
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

struct Program {
    child: Child,
    base: String,
    http: reqwest::Client,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let waited = async {
        let mut look = tokio::time::interval(Duration::from_millis(50));
        while !holds().await {
            look.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[actix_web::test]
async fn a_client_is_told_at_a_private_host_only_once_it_is_listed_and_nothing_is_lost_meanwhile() {
    let town = Town::new().await;
    let url = format!("http://{}/events", town.host);
    let add = ["client", "add", "--name", "Acme", "--number", "08047112233", "--events-url"];
    for refused in [&*url, "https://169.254.169.254/x", "https://metadata.google.internal/", "https://127.1/x"] {
        let (code, said) = town.run(&[&add[..], &[refused]].concat(), None);
        assert!(code == Some(64) && said.contains("PRIVATE_HOSTS"), "{refused}: {said}");
    }
    assert_eq!(town.run(&["client", "list"], Some("http://x")).0, Some(0), "what it does not use it does not judge");
    let (code, said) = town.run(&[&add[..], &[&*url]].concat(), Some("http://x"));
    assert!(code == Some(64) && said.contains("PRIVATE_HOSTS"), "{said}");
    assert_eq!(town.run(&[&add[..], &[&*url]].concat(), Some(&town.host)).0, Some(0));

    // A gateway that may not go there.
    let program = town.serve(None).await;
    let sid = sid();
    let form = [("CallSid", &*sid), ("CallFrom", "09876543210"), ("CallTo", "08047112233")];
    let answer = program.http.post(format!("{}/exotel/call-start?key={WEBHOOK_KEY}", program.base)).form(&form);
    assert_eq!(answer.send().await.unwrap().status(), 200);
    let jobs = || town.run(&["jobs"], None).1;
    until("the event is parked", || async { jobs().contains("parked") }).await;
    let said = jobs();
    assert!(said.contains("call.started") && said.contains("PRIVATE_HOSTS"), "{said}");
    drop(program);
    assert!(town.heard.lock().unwrap().is_empty(), "it was not even asked");

    // One that may.
    let program = town.serve(Some(&town.host)).await;
    until("the client is told", || async { !town.heard.lock().unwrap().is_empty() }).await;
    let told = town.heard.lock().unwrap()[0].clone();
    assert_eq!((&told["type"], &told["call_sid"]), (&"call.started".into(), &(&*sid).into()));
    assert_eq!(town.knocked.load(Ordering::Acquire), 0, "proxies of the environment are not used");
    drop(program);
}
