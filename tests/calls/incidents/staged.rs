//! How an incident is staged, and what `why` says of it.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use actors::Fault;
use callgate::testing::NewClient;
use protocol::ids::CallSid;
use reqwest::Method;
use serde_json::{Value, json};
use simulator::exotel::{Event, EventKind, HangUp, Rudeness, Say};
use simulator::model::{Faults, SessionLog};
use tokio::sync::mpsc;

use crate::support::{ADMIN_TOKEN, Answer, Gateway, PATIENCE, SHORT, Setup, clinic, question, settled, sid};

/// The thread of a call stood still: on a machine that is busy with other tests that may be so besides.
const STOOD_STILL: &str = "the thread that serves the call stood still";
/// So long nothing can be written: an outage that a call is told of.
const OUTAGE: Duration = Duration::from_secs(3);

/// What goes wrong.
#[derive(Clone, Copy)]
pub(super) struct Incident {
    /// What the model says.
    pub(super) script: &'static str,
    /// Its faults.
    pub(super) model: &'static [&'static str],
    /// They are gone with its second session.
    pub(super) is_mended: bool,
    /// The gateway ends the call, not its caller.
    pub(super) is_ended: bool,
    /// How long a function takes, for clients that have one.
    pub(super) tool: Option<Duration>,
    pub(super) rude: fn(&mut Rudeness),
    /// What our own parts do once the caller has asked something.
    pub(super) inject: &'static [Fault],
    /// What has no room, from then on.
    pub(super) disk: Option<Disk>,
    /// The database is away from then on, until the call is over.
    pub(super) is_away: bool,
    pub(super) seed: u64,
}

/// A disk without room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disk {
    Spool,
    Database,
}

/// Nothing.
pub(super) const FINE: Incident = Incident {
    script: SHORT,
    model: &[],
    is_mended: false,
    is_ended: false,
    tool: None,
    rude: |_| {},
    inject: &[],
    disk: None,
    is_away: false,
    seed: 1,
};

/// Stages an incident: `why` names exactly these places, and tells such evidence.
pub(super) async fn judge(test: &str, incident: Incident, places: &[&str], shows: &[&str]) {
    let disk = match incident.disk.map(|_| SmallDisk::new(test)) {
        Some(None) => return,
        disk => disk.flatten(),
    };
    let told = staged(incident, disk.as_ref()).await;
    let findings = told["findings"].as_array().unwrap();
    let is_extra = |finding: &&Value| finding["what"] == STOOD_STILL && !places.contains(&"us");
    let named = |place: &str| findings.iter().any(|finding| finding["place"] == place && !is_extra(&finding));
    for place in places {
        assert!(named(place), "{place} is not named: {told:#}");
    }
    for finding in findings.iter().filter(|finding| !is_extra(finding)) {
        assert!(places.contains(&finding["place"].as_str().unwrap()), "wrongly blamed: {told:#}");
    }
    let evidence: String =
        findings.iter().map(|finding| format!("{} {}\n", finding["what"], finding["facts"])).collect();
    for shown in shows {
        assert!(evidence.contains(shown), "{shown} is not shown: {told:#}");
    }
    assert_eq!(told["lines"].as_array().unwrap().len(), 5, "{told:#}");
}

async fn staged(incident: Incident, disk: Option<&SmallDisk>) -> Value {
    let recorded = incident.disk == Some(Disk::Spool);
    let setup = Setup {
        script: incident.script,
        faults: incident.model,
        client: NewClient { recording: recorded, ..clinic() },
        ..Setup::default()
    };
    let gateway = Gateway::with_changed(setup, |args| match (incident.disk, disk) {
        (Some(Disk::Spool), Some(disk)) => args.spool_dir = disk.0.join("spool").display().to_string(),
        (Some(Disk::Database), Some(disk)) => args.database_url = format!("sqlite://{}/calls.db", disk.0.display()),
        _ => {}
    })
    .await;
    if let Some(takes) = incident.tool {
        equip(&gateway, takes).await;
    }
    let sid = sid();
    let mut plan = gateway.plan();
    (plan.call_sid, plan.seed) = (Some(sid.clone()), incident.seed);
    (incident.rude)(&mut plan.rude);
    plan.script = vec![Say::agent_finished(), question(), Say::agent_finished(), question(), Say::agent_finished()];
    if incident.is_ended {
        (plan.script, plan.end) = (vec![Say::Wait(Duration::from_millis(300)), question()], HangUp::Gateway);
    }
    let (observer, events) = mpsc::channel(1024);
    plan.observer = Some(observer);
    if recorded {
        disk.unwrap().fill();
    }
    let mended = async {
        if incident.is_mended {
            let replaced = |sessions: &[SessionLog]| sessions.iter().filter(|session| session.configured).count() > 1;
            assert!(gateway.model.wait_for(replaced, PATIENCE).await);
            gateway.model.set_faults(Faults::default());
        }
    };
    // A call whose model refuses may end before its socket opens.
    let (_, (), ()) = tokio::join!(gateway.try_call(plan), mended, meddle(&gateway, incident, &sid, disk, events));
    gateway.record(&sid).await;
    if recorded {
        settled(gateway.running.store(), &sid).await;
    }
    let told = gateway.operate(Method::GET, &format!("/api/v1/calls/{sid}/why")).await;
    assert_eq!(told.status, 200, "{told:?}");
    gateway.stop().await;
    told.json()
}

/// Does what is to happen once the caller has asked something, and undoes it when the call is over and that was seen.
async fn meddle(
    gateway: &Gateway,
    incident: Incident,
    sid: &str,
    disk: Option<&SmallDisk>,
    mut events: mpsc::Receiver<Event>,
) {
    let (mut asked, mut held) = (false, None);
    let fills = disk.filter(|_| incident.disk == Some(Disk::Database));
    while let Some(event) = events.recv().await {
        if event.kind != EventKind::CallerStops || asked {
            continue;
        }
        asked = true;
        if incident.is_away {
            held = Some(gateway.database.lock());
        }
        if let Some(disk) = fills {
            disk.fill();
        }
        for fault in incident.inject {
            while !gateway.faults.inject(&CallSid::new(sid), *fault) {
                tokio::task::yield_now().await;
            }
        }
    }
    if held.is_some() || fills.is_some() {
        // The gateway has tried for so long, and in vain.
        let recorder = gateway.running.recorder();
        while recorder.flush().await {}
        let since = Instant::now();
        while since.elapsed() < OUTAGE {
            assert!(!recorder.flush().await, "it can be written");
        }
        if let Some(disk) = fills {
            disk.empty();
        }
    }
}

/// Gives the gateway's client a function that takes its time.
async fn equip(gateway: &Gateway, takes: Duration) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/find", listener.local_addr().unwrap());
    let find = move || async move {
        tokio::time::sleep(takes).await;
        HttpResponse::Ok().json(json!({ "status": "on its way" }))
    };
    let app = move || App::new().default_service(web::to(find));
    let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0).listen(listener).unwrap();
    actix_rt::spawn(server.run());
    let place = format!("/api/v1/clients/{}/agent", gateway.tenant.id);
    let mut agent = gateway.operate(Method::GET, &place).await.json();
    agent["tools"] = json!([{
        "name": "find_order", "description": "Finds an order.", "url": url, "effect": "read",
        "parameters": { "type": "object", "properties": { "order": { "type": "string" } }, "required": ["order"] },
    }]);
    let put = gateway.request(Method::PUT, &place).bearer_auth(ADMIN_TOKEN).json(&agent);
    let put = Answer::of(put.send().await.unwrap()).await;
    assert_eq!(put.status, 200, "{put:?}");
}

/// A file system of its own, in memory; gone with the test.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(test: &str) -> Option<Self> {
        let path = std::env::temp_dir().join(format!("callgate-disk-{}", uuid::Uuid::now_v7()));
        fs::create_dir(&path).unwrap();
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(&path).output();
        if done.is_ok_and(|done| done.status.success()) {
            return Some(Self(path));
        }
        fs::remove_dir(&path).unwrap();
        // Straight to the terminal: what a test that passes prints is not shown, and this one did not run.
        let mut past = std::io::stderr();
        writeln!(past, "SKIPPED test {test}: a file system can be mounted by root only").unwrap();
        None
    }

    /// Leaves no room.
    fn fill(&self) {
        let mut filler = File::create(self.0.join("filler")).unwrap();
        for piece in [1 << 16, 1 << 12] {
            while filler.write_all(&vec![1; piece]).is_ok() {}
        }
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
        let _ = fs::remove_dir(&self.0);
    }
}
