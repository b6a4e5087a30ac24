//! Calls through a gateway of a test's own, and what is left of them.

use std::io::Cursor;
use std::time::Duration;

use callgate::testing::{CallWithTurns, Recording, RecordingStatus, Store};
use codecs::ogg::Decoded;
use protocol::ids::CallSid;
use sha2::{Digest, Sha256};
use simulator::exotel::{CallError, CallPlan, CallReport, Mode, Say, Voice, WebhookAuth, place_call};

use super::{Kind, NUMBER, PATIENCE, TestGateway, WEBHOOK_KEY};

impl<K: Kind> TestGateway<K> {
    /// A polite call through the voicebot webhook that asks one question and hangs up after the answer.
    pub fn plan(&self) -> CallPlan {
        let gateway = format!("http://{}", self.running.addr()).parse().unwrap();
        let mut plan = CallPlan::new(gateway, "+919876543210", NUMBER);
        plan.mode = Mode::Voicebot;
        plan.auth = WebhookAuth { key: Some(WEBHOOK_KEY.into()), ..WebhookAuth::default() };
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
