//! Where the program goes when data says where: the command line and a gateway with the settings of a deployment.

use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::Value;

use super::support::{WEBHOOK_KEY, eventually, sid};
use crate::process::TestProcess;

/// A receiver of events, and a proxy that nobody shall use: both are this one server, at two addresses.
struct Rig {
    heard: Arc<Mutex<Vec<Value>>>,
    knocked: Arc<AtomicUsize>,
    host: String,
    proxy: String,
    process: TestProcess,
}

impl Rig {
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
        Self { heard, knocked, host, proxy, process: TestProcess::new() }
    }

    fn command(&self, words: &[&str], private: Option<&str>) -> Command {
        let mut command = self.process.command(words);
        for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            command.env(name, &self.proxy);
        }
        command.envs(private.map(|private| ("PRIVATE_HOSTS", private)));
        command
    }

    fn run(&self, words: &[&str], private: Option<&str>) -> (Option<i32>, String) {
        let mut command = self.command(words, private);
        let Output { status, stdout, stderr } = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
    }

    async fn serve(&mut self, private: Option<&str>) {
        let mut serve = self.command(&["serve"], private);
        self.process.serve(&mut serve).await;
    }
}

#[actix_web::test]
async fn a_client_is_told_at_a_private_host_only_once_it_is_listed_and_nothing_is_lost_meanwhile() {
    let mut rig = Rig::new().await;
    let url = format!("http://{}/events", rig.host);
    let add = ["client", "add", "--name", "Acme", "--number", "08047112233", "--events-url"];
    for refused in [&*url, "https://169.254.169.254/x", "https://metadata.google.internal/", "https://127.1/x"] {
        let (code, said) = rig.run(&[&add[..], &[refused]].concat(), None);
        assert!(code == Some(64) && said.contains("PRIVATE_HOSTS"), "{refused}: {said}");
    }
    assert_eq!(rig.run(&["client", "list"], Some("http://x")).0, Some(0), "what it does not use it does not judge");
    let (code, said) = rig.run(&[&add[..], &[&*url]].concat(), Some("http://x"));
    assert!(code == Some(64) && said.contains("PRIVATE_HOSTS"), "{said}");
    assert_eq!(rig.run(&[&add[..], &[&*url]].concat(), Some(&rig.host)).0, Some(0));

    // A gateway that may not go there.
    rig.serve(None).await;
    let sid = sid();
    let form = [("CallSid", &*sid), ("CallFrom", "09876543210"), ("CallTo", "08047112233")];
    let hook = rig.process.url(&format!("/exotel/call-start?key={WEBHOOK_KEY}"));
    let answer = reqwest::Client::builder().no_proxy().build().unwrap().post(hook).form(&form).send();
    assert_eq!(answer.await.unwrap().status(), 200);
    let jobs = || rig.run(&["jobs"], None).1;
    eventually("the event is parked", || async { jobs().contains("parked") }).await;
    let said = jobs();
    assert!(said.contains("call.started") && said.contains("PRIVATE_HOSTS"), "{said}");
    rig.process.kill();
    assert!(rig.heard.lock().unwrap().is_empty(), "it was not even asked");

    // One that may.
    let host = rig.host.clone();
    rig.serve(Some(&host)).await;
    eventually("the client is told", || async { !rig.heard.lock().unwrap().is_empty() }).await;
    let told = rig.heard.lock().unwrap()[0].clone();
    assert_eq!((&told["type"], &told["call_sid"]), (&"call.started".into(), &(&*sid).into()));
    assert_eq!(rig.knocked.load(Ordering::Acquire), 0, "proxies of the environment are not used");
}
