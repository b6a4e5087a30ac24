//! Against a simulated text model on this machine.

use std::net::Ipv4Addr;

use protocol::call::end::EndCode;
use protocol::call::fact::{Turn, Who};
use protocol::ids::Secret;
use serde_json::json;
use simulator::text::{TextFault, TextFaults, TextHandle, TextOptions, TextServer};
use tokio::runtime::Handle;

use super::*;
use crate::agent::{OnRecord, Plan, Rules, read_json};
use crate::jobs::{Runner, Running};
use crate::outgoing::PrivateHosts;
use crate::store::tests::{TempDb, new_call, new_client, node};
use crate::store::{Batch, CallUpdate, Finish, JobStatus};

const ENDLESS: usize = usize::MAX;

struct Rig {
    store: Store,
    running: Option<Running>,
    model: TextHandle,
    url: String,
    client: i64,
    _db: TempDb,
}

fn here() -> PrivateHosts {
    "127.0.0.1".parse().unwrap()
}

fn schema() -> Value {
    json!({ "type": "object", "properties": { "settled": { "type": "boolean" } }, "required": ["settled"], "additionalProperties": false })
}

impl Rig {
    /// With a client whose calls are looked at, and a model that goes wrong so.
    async fn new(faults: &[(TextFault, usize)]) -> Self {
        Self::with(TextOptions { faults: TextFaults::new(faults.iter().copied()), ..TextOptions::default() }).await
    }

    async fn with(options: TextOptions) -> Self {
        let server = TextServer::bind((Ipv4Addr::LOCALHOST, 0).into(), options).await.unwrap();
        let (model, url) = (server.handle(), format!("http://{}/v1/chat/completions", server.addr()));
        actix_rt::spawn(server.run());
        let db = TempDb::new();
        let store = db.store().await;
        let client = store.add_client(new_client("+918047112233")).await.unwrap();
        let rig = Self { store, running: None, model, url, client: client.id, _db: db };
        rig.wishes(Some(json!({ "schema": schema(), "prompt": "Was it settled?" }))).await;
        rig
    }

    /// What the client's file says of outcomes.
    async fn wishes(&self, outcome: Option<Value>) {
        let client = self.store.client(self.client).await.unwrap().unwrap();
        let stands = OnRecord::of(&self.store, client).await.unwrap();
        let mut told = serde_json::to_value(stands.file()).unwrap();
        told["outcome"] = outcome.unwrap_or_default();
        let private = here();
        let file = read_json(&told, Rules { private: &private, folder: None }).unwrap();
        Plan::over(stands, file).carry_out(&self.store, &private).await.unwrap();
    }

    fn start(&mut self, asks: bool) {
        let told =
            TextModel { url: self.url.parse().unwrap(), key: Some(Secret::new("hush")), model: "text-1".to_owned() };
        let model = asks.then(|| TextModelClient::open(told, &here()).unwrap());
        let analyse = AnalyseCall::new(self.store.clone(), model);
        self.running = Some(Runner::new(self.store.clone(), "here").with(analyse).start(&Handle::current()));
    }

    /// A call with these words of its caller's, which ends so.
    async fn call(&self, sid: &str, words: &str, code: EndCode) {
        self.store.begin_call(new_call(sid, self.client)).await.unwrap();
        let turn = Turn {
            index: 0,
            who: Who::Caller,
            text: words.to_owned(),
            at_ms: 1_000,
            heard_ms: 900,
            generated_ms: 0,
            interrupted: false,
            answer_ms: None,
            latency: None,
            clip: false,
            backchannel: false,
        };
        let finish = Finish {
            at: Utc::now(),
            status: code.status().to_owned(),
            code,
            why: "it ended".to_owned(),
            transfer: None,
        };
        let update = CallUpdate {
            reopened: false,
            call_sid: CallSid::new(sid),
            owner: node(),
            generation: None,
            media: None,
            // What a listener says is nobody's answer.
            turns: vec![turn.clone(), Turn { index: 1, text: "haan ji".to_owned(), backchannel: true, ..turn }],
            steps: vec![],
            secret_keys: false,
            figures: None,
            finish: Some(finish),
        };
        self.store.write_batch(Batch { calls: vec![update], reports: vec![] }).await.unwrap();
    }

    /// What is known of a call once that is so.
    async fn outcome(&self, sid: &str, is: impl Fn(&CallOutcome) -> bool) -> CallOutcome {
        let known = async {
            let mut look = tokio::time::interval(Duration::from_millis(5));
            loop {
                look.tick().await;
                let call = self.store.call(&CallSid::new(sid)).await.unwrap().unwrap().call;
                if let Some(known) = self.store.outcome_of_call(&call).await.unwrap().filter(&is) {
                    return known;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), known).await.unwrap()
    }

    /// Likewise, once it is over.
    async fn came_to(&self, sid: &str) -> CallOutcome {
        self.outcome(sid, |known| known.status != OutcomeStatus::Waiting).await
    }
}

#[actix_rt::test]
async fn what_came_of_a_call_is_asked_once_and_known_as_the_clients_schema_has_it() {
    let mut rig = Rig::new(&[]).await;
    rig.start(true);
    rig.call("c1", "I want to book. My number is 09876543210.", EndCode::CallerHungUp).await;
    let known = rig.came_to("c1").await;
    assert_eq!((known.status, known.outcome), (OutcomeStatus::Done, Some(json!({ "settled": true }))));
    assert_eq!((known.why, known.model.as_deref()), (None, Some("text-1")));
    let asked = rig.model.asked();
    assert_eq!(asked.len(), 1);
    let format = &asked[0]["response_format"];
    assert_eq!((&format["type"], &format["json_schema"]["strict"]), (&json!("json_schema"), &json!(true)));
    assert_eq!(format["json_schema"]["schema"], schema());
    let told = asked[0]["messages"].to_string();
    assert!(!told.contains("haan ji"), "what a listener says is no turn: {told}");
    assert!(told.contains("I want to book.") && told.contains("Was it settled?"));
    assert!(!told.contains("98765") && told.contains("[number of the calling side]"), "{told}");
}

#[actix_rt::test]
async fn an_answer_that_will_not_do_is_told_why_and_asked_for_again_a_few_times() {
    for fault in
        [TextFault::Length, TextFault::Words, TextFault::Wrong, TextFault::Junk, TextFault::Huge, TextFault::Refuses]
    {
        let mut rig = Rig::new(&[(fault, 2)]).await;
        rig.start(true);
        rig.call("c1", "Hello", EndCode::CallerHungUp).await;
        assert_eq!(rig.came_to("c1").await.status, OutcomeStatus::Done, "{fault:?}");
        let asked = rig.model.asked();
        assert_eq!(asked.len(), 3, "{fault:?}");
        assert!(asked[1]["messages"][3]["content"].as_str().unwrap().starts_with("That will not do: "), "{fault:?}");
    }
    for (fault, words) in [
        (TextFault::Refuses, "it refused"),
        (TextFault::Length, "fewer words"),
        (TextFault::Wrong, "settled is missing"),
        (TextFault::Junk, "no JSON"),
        (TextFault::Huge, "more than 262144 bytes"),
    ] {
        let mut rig = Rig::new(&[(fault, ENDLESS)]).await;
        rig.start(true);
        rig.call("c1", "Hello", EndCode::CallerHungUp).await;
        let known = rig.came_to("c1").await;
        assert_eq!((known.status, rig.model.asked().len()), (OutcomeStatus::Failed, MOST_ANSWERS), "{fault:?}");
        assert!(known.why.as_deref().is_some_and(|why| why.contains(words)), "{known:?}");
    }
}

#[actix_rt::test]
async fn a_server_that_holds_no_answer_to_a_schema_is_asked_in_words_alone() {
    for (fault, requests) in [(TextFault::NoFormat, 2), (TextFault::Fenced, 1)] {
        let mut rig = Rig::new(&[(fault, ENDLESS)]).await;
        rig.wishes(Some(json!({ "schema": { "type": "object", "properties": { "settled": { "type": "boolean" } } }, "model": "own" }))).await;
        rig.start(true);
        rig.call("c1", "Hello", EndCode::CallerHungUp).await;
        let known = rig.came_to("c1").await;
        assert_eq!((known.status, known.model.as_deref()), (OutcomeStatus::Done, Some("own")), "{known:?}");
        let asked = rig.model.asked();
        assert_eq!((asked.len(), &asked[0]["model"]), (requests, &json!("own")));
        assert_eq!(asked[0]["response_format"]["json_schema"]["strict"], false, "it leaves fields open");
    }
}

#[actix_rt::test]
async fn a_server_that_is_in_trouble_is_left_alone_for_as_long_as_it_says_and_asked_later() {
    let mut rig = Rig::new(&[(TextFault::TooOften, 1)]).await;
    rig.start(true);
    rig.call("c1", "Hello", EndCode::CallerHungUp).await;
    let begun = Instant::now();
    assert_eq!((rig.came_to("c1").await.status, rig.model.asked().len()), (OutcomeStatus::Done, 2));
    assert!(begun.elapsed() >= Duration::from_millis(900), "it asked for a second");
    for (fault, words) in [
        (TextFault::Broken, "answered 500"),
        (TextFault::Page, "web page"),
        (TextFault::Unauthorized, "OUTCOME_API_KEY"),
    ] {
        let mut rig = Rig::new(&[(fault, 1)]).await;
        rig.start(true);
        rig.call("c1", "Hello", EndCode::CallerHungUp).await;
        let waits = rig.outcome("c1", |_| true).await;
        if waits.status == OutcomeStatus::Waiting {
            assert!(waits.why.as_deref().is_some_and(|why| why.contains(words)), "{waits:?}");
        }
        assert_eq!(rig.came_to("c1").await.status, OutcomeStatus::Done, "{fault:?}");
        assert_eq!(rig.model.asked().len(), 2);
    }
}

#[actix_rt::test]
async fn a_wrong_key_is_told_without_being_shown() {
    let mut rig = Rig::with(TextOptions { api_key: Some("another".to_owned()), ..TextOptions::default() }).await;
    rig.start(true);
    rig.call("c1", "Hello", EndCode::CallerHungUp).await;
    let waits = rig.outcome("c1", |_| true).await;
    let why = waits.why.unwrap();
    assert_eq!(waits.status, OutcomeStatus::Waiting);
    assert!(why.contains("401") && why.contains("invalid_api_key") && !why.contains("hush"), "{why}");
}

#[actix_rt::test]
async fn without_a_model_or_words_nobody_is_asked_and_that_is_said_and_without_a_schema_there_is_nothing() {
    let mut rig = Rig::new(&[]).await;
    rig.start(false);
    rig.call("c1", "Hello", EndCode::CallerHungUp).await;
    let known = rig.came_to("c1").await;
    assert_eq!(known.status, OutcomeStatus::Skipped);
    assert!(known.why.is_some_and(|why| why.contains("OUTCOME_API_KEY")));

    let mut rig = Rig::new(&[]).await;
    rig.start(true);
    rig.call("c1", " ", EndCode::CallerHungUp).await;
    assert!(rig.came_to("c1").await.why.is_some_and(|why| why.contains("nothing was said")));
    rig.wishes(None).await;
    rig.call("c2", "Hello", EndCode::CallerHungUp).await;
    let jobs = rig.store.jobs(true, None, 10).await.unwrap();
    assert!(jobs.iter().all(|job| job.key != "c2"), "{jobs:?}");
    assert!(rig.model.asked().is_empty());
}

#[actix_rt::test]
async fn a_call_that_may_come_back_is_looked_at_once_it_cannot_and_one_that_does_after_its_real_end() {
    let rig = Rig::new(&[]).await;
    rig.call("c1", "Hello", EndCode::StreamLost).await;
    let due = async || {
        let jobs = rig.store.jobs(true, None, 10).await.unwrap();
        jobs.into_iter().find(|job| job.kind == ANALYSE_CALL).map(|job| job.run_at)
    };
    assert!(due().await.is_some_and(|at| at > Utc::now() + chrono::TimeDelta::seconds(50)));
    // It comes back: nothing is found out of it meanwhile.
    rig.store.begin_call(new_call("c1", rig.client)).await.unwrap();
    assert_eq!(due().await, None);
    rig.call("c1", "Hello", EndCode::CallerHungUp).await;
    assert!(due().await.is_some_and(|at| at <= Utc::now()));
}

#[actix_rt::test]
async fn an_outcome_that_is_known_is_not_asked_for_again_and_one_that_failed_may_be_by_hand() {
    let mut rig = Rig::new(&[(TextFault::Refuses, MOST_ANSWERS)]).await;
    rig.start(true);
    rig.call("c1", "Hello", EndCode::CallerHungUp).await;
    assert_eq!(rig.came_to("c1").await.status, OutcomeStatus::Failed);
    let failed = async {
        let mut look = tokio::time::interval(Duration::from_millis(5));
        while rig.store.jobs(true, None, 1).await.unwrap()[0].status != JobStatus::Failed {
            look.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), failed).await.unwrap();
    assert_eq!(rig.store.retry_failed_jobs(None).await.unwrap().len(), 1);
    assert_eq!(rig.outcome("c1", |known| known.status == OutcomeStatus::Done).await.why, None);
    let failed =
        CallOutcome { status: OutcomeStatus::Failed, outcome: None, why: None, model: None, updated_at: Utc::now() };
    rig.store.set_outcome(&CallSid::new("c1"), failed).await.unwrap();
    assert_eq!(rig.came_to("c1").await.status, OutcomeStatus::Done, "what is known stays");
    assert!(!rig.store.set_outcome(&CallSid::new("nobody"), rig.came_to("c1").await).await.unwrap());
}

#[actix_rt::test]
async fn what_came_of_many_calls_that_end_at_once_is_known_soon_and_never_asked_by_more_than_may_ask() {
    const CALLS: usize = 300;
    let mut rig = Rig::with(TextOptions { thinks: Duration::from_millis(50), ..TextOptions::default() }).await;
    for call in 0..CALLS {
        rig.call(&format!("c{call}"), "Hello", EndCode::CallerHungUp).await;
    }
    let begun = Instant::now();
    rig.start(true);
    for call in 0..CALLS {
        assert_eq!(rig.came_to(&format!("c{call}")).await.status, OutcomeStatus::Done);
    }
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    assert_eq!(rig.model.asked().len(), CALLS, "each is asked of once");
    assert!(rig.model.most_at_once() <= AnalyseCall::AT_ONCE, "{}", rig.model.most_at_once());
}
