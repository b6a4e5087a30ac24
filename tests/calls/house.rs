//! A gateway, its database and its model, for one test.

use std::io::Cursor;
use std::marker::PhantomData;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use actors::FaultInjector;
use callgate::serve::{Running, start_with_faults};
use callgate::settings::{Settings, SettingsArgs};
use callgate::store::{Agent, CallWithTurns, ClientLimits, NewClient, Recording, RecordingStatus, Store};
use codecs::ogg::Decoded;
use protocol::ids::{CallSid, PhoneNumber};
use sha2::{Digest, Sha256};
use simulator::exotel::{CallError, CallPlan, CallReport, Mode, Say, Voice, WebhookAuth, place_call};
use simulator::model::{Faults, ModelHandle, ModelOptions, ModelServer, Script};

use crate::database::{Database, Kind, Sqlite};

pub const NUMBER: &str = "+918047112233";
pub const KEY: &str = "a-key-of-the-tests";
pub const ACCOUNT: (&str, &str) = ("api-key", "api-token");
/// Far beyond what anything here takes: a test that needs it has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Short answers, so that a call takes seconds.
pub const SHORT: &str = "greeting goodbye_en\nanswer commentary_en";

pub type House = HouseOn<Sqlite>;

/// On one database or the other.
pub struct HouseOn<K: Kind> {
    pub running: Running,
    pub faults: FaultInjector,
    pub model: ModelHandle,
    pub database: Database,
    folder: PathBuf,
    kind: PhantomData<K>,
}

pub struct Wishes {
    pub script: &'static str,
    pub faults: &'static [&'static str],
    pub set: fn(&mut SettingsArgs),
    /// The client's calls are recorded.
    pub recording: bool,
}

impl Default for Wishes {
    fn default() -> Self {
        Self { script: SHORT, faults: &[], set: |_| {}, recording: false }
    }
}

impl<K: Kind> HouseOn<K> {
    pub async fn new() -> Self {
        Self::with(Wishes::default()).await
    }

    pub async fn with(wishes: Wishes) -> Self {
        Self::on(K::database(), wishes).await
    }

    /// On a database that is there.
    pub async fn on(database: Database, wishes: Wishes) -> Self {
        let folder = std::env::temp_dir().join(format!("callgate-calls-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&folder).unwrap();
        let options = ModelOptions {
            script: Script::from_str(wishes.script).unwrap(),
            faults: Faults::from_flags(wishes.faults).unwrap(),
            ..ModelOptions::default()
        };
        let server = ModelServer::bind((Ipv4Addr::LOCALHOST, 0).into(), options).await.unwrap();
        let model = server.handle();
        let mut args = SettingsArgs {
            host: "127.0.0.1".into(),
            port: "0".into(),
            // Two, so that a call is admitted on one arbiter and its socket may come on another.
            workers: Some("2".into()),
            database_url: database.url.clone(),
            recordings_url: database.recordings_url(),
            webhook_auth: "key".into(),
            webhook_key: Some(KEY.into()),
            exotel_api_key: Some(ACCOUNT.0.into()),
            exotel_api_token: Some(ACCOUNT.1.into()),
            realtime_url: format!("ws://{}/v1/realtime", server.addr()),
            spool_dir: folder.join("spool").display().to_string(),
            ..SettingsArgs::default()
        };
        (wishes.set)(&mut args);
        actix_rt::spawn(server.run());
        let (running, faults) = start_with_faults(Settings::read(&args).unwrap()).await.unwrap();
        let client = NewClient {
            name: "Clinic".into(),
            exotel_number: PhoneNumber::new(NUMBER),
            region: "IN".into(),
            time_zone: "Asia/Kolkata".into(),
            agent: Agent {
                greeting: "Thank you for calling.".into(),
                language: "en-IN".into(),
                transcription_language: None,
                voice: None,
                instructions: "Be brief.".into(),
                model: None,
                tools: "[]".into(),
            },
            limits: ClientLimits::default(),
            recording: wishes.recording,
        };
        running.store().add_client(client).await.unwrap();
        Self { running, faults, model, database, folder, kind: PhantomData }
    }

    /// A polite call through the voicebot webhook that asks one question and hangs up after the answer.
    pub fn plan(&self) -> CallPlan {
        let gateway = format!("http://{}", self.running.addr()).parse().unwrap();
        let mut plan = CallPlan::new(gateway, "+919876543210", NUMBER);
        plan.mode = Mode::Voicebot;
        plan.auth = WebhookAuth { key: Some(KEY.into()), ..WebhookAuth::default() };
        plan.script = vec![Say::agent_finished(), question(), Say::agent_finished()];
        plan.timeout = PATIENCE;
        plan
    }

    pub async fn call(&self, plan: CallPlan) -> CallReport {
        place_call(plan).await.unwrap()
    }

    pub async fn try_call(&self, plan: CallPlan) -> Result<CallReport, CallError> {
        place_call(plan).await
    }

    /// The record of a call, once it is over.
    pub async fn record(&self, sid: &str) -> CallWithTurns {
        assert!(self.running.switchboard().drained(PATIENCE).await, "a call is still there");
        self.running.recorder().flush().await;
        let found = self.running.store().call(&CallSid::new(sid)).await.unwrap().expect("the call is on record");
        assert!(found.call.is_over(), "{found:?}");
        found
    }

    /// The only recording of a call, once it is stored: its row, and what one hears.
    pub async fn recording(&self, sid: &str) -> (Recording, Decoded) {
        let stored = stored(self.running.store(), sid).await;
        let emptied = async {
            let mut look = tokio::time::interval(Duration::from_millis(20));
            while std::fs::read_dir(self.spool()).unwrap().next().is_some() {
                look.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, emptied).await.expect("what is stored is spooled no more");
        stored
    }

    pub fn spool(&self) -> PathBuf {
        self.folder.join("spool")
    }

    pub async fn close(self) {
        let (folder, model) = (self.folder.clone(), self.model.clone());
        self.running.stop().await.unwrap();
        model.stop();
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// The only recording of a call, once it is stored or failed.
pub async fn settled(store: &Store, sid: &str) -> Recording {
    let settled = async {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        loop {
            look.tick().await;
            let mut rows = store.recordings_of_call(&CallSid::new(sid)).await.unwrap();
            assert!(rows.len() <= 1, "one call, one recording: {rows:?}");
            if let Some(row) = rows.pop().filter(|row| row.status != RecordingStatus::Pending) {
                return row;
            }
        }
    };
    tokio::time::timeout(PATIENCE, settled).await.expect("the recording comes to something")
}

/// The only recording of a call, once it is stored: its row, and what one hears.
pub async fn stored(store: &Store, sid: &str) -> (Recording, Decoded) {
    let row = settled(store, sid).await;
    assert_eq!((row.status.name(), &row.error), ("stored", &None), "{row:?}");
    let url: url::Url = row.stored_url.as_deref().unwrap().parse().unwrap();
    let file = std::fs::read(url.to_file_path().unwrap()).unwrap();
    assert_eq!(row.bytes, Some(file.len() as i64));
    let sha256: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(row.sha256.as_deref(), Some(sha256.as_str()));
    (row, codecs::ogg::read(Cursor::new(file)).unwrap())
}

pub fn question() -> Say {
    Say::Speak(Voice::clip("caller_en_hours"))
}

/// Every utterance was answered.
pub fn answered(report: &CallReport) -> bool {
    !report.utterances.is_empty() && report.utterances.iter().all(|u| u.reply_ms.is_some())
}
