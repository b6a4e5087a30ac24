//! What the log of a gateway says, and what it never does: the program itself, its log read from standard error.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::Value;
use simulator::exotel::{CallPlan, Mode, Say, WebhookAuth, place_call};
use simulator::model::{Faults, ModelHandle, ModelOptions, ModelServer, Script};

use crate::process::TestProcess;
use crate::support::{NUMBER, PATIENCE, SHORT, question};

const SECRETS: [(&str, &str); 5] = [
    ("WEBHOOK_KEY", "the-hooks-key-of-this-test"),
    ("ADMIN_TOKEN", "the-operators-token-of-this-test"),
    ("EXOTEL_API_TOKEN", "the-carriers-token-of-this-test"),
    ("EXOTEL_API_KEY", "the-carriers-name-of-this-test"),
    ("OPENAI_API_KEY", "sk-the-models-key-of-this-test"),
];

const COLLECTORS_KEY: &str = "the-collectors-key-of-this-test";

/// A gateway whose log goes to a file.
struct Logged {
    process: TestProcess,
    model: ModelHandle,
}

impl Logged {
    async fn start(faults: &[&str], filter: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = ModelOptions {
            script: SHORT.parse::<Script>().unwrap(),
            faults: Faults::from_flags(faults).unwrap(),
            api_key: Some(SECRETS[4].1.to_owned()),
            ..ModelOptions::default()
        };
        let server = ModelServer::bind((Ipv4Addr::LOCALHOST, 0).into(), options).await.unwrap();
        let (model, url) = (server.handle(), format!("ws://{}/v1/realtime", server.addr()));
        actix_rt::spawn(server.run());
        let mut process = TestProcess::new();
        let command = |words: &[&str]| {
            let mut command = process.command(words);
            command.env_remove("SIMULATED_MODEL").envs(SECRETS).env("REALTIME_URL", &url);
            // A collector of traces that is not there.
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
            command.env("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer%20{COLLECTORS_KEY}"));
            command.env("WEBHOOK_AUTH", "key,basic,signature").env("RUST_LOG", filter).env("LOG_FORMAT", "json");
            command
        };
        let added = command(&["client", "add", "--name", "Clinic", "--number", NUMBER, "--recording", "on"]).status();
        assert!(added.unwrap().success());
        let log = std::fs::File::create(process.folder().join("log")).unwrap();
        let mut serve = command(&["serve"]);
        process.serve(serve.stderr(log)).await;
        Self { process, model }
    }

    async fn until(&self, holds: impl AsyncFn() -> bool) {
        let waited = async {
            let mut look = tokio::time::interval(Duration::from_millis(20));
            while !holds().await {
                look.tick().await;
            }
        };
        if tokio::time::timeout(PATIENCE, waited).await.is_err() {
            panic!("it never came to it: {}", self.log());
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.process.folder().join("log")).unwrap()
    }

    fn lines(&self) -> Vec<Value> {
        self.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn said(&self, level: &str, words: &str) -> Vec<Value> {
        let mut lines = self.lines();
        lines
            .retain(|line| line["level"] == level && line["message"].as_str().is_some_and(|said| said.contains(words)));
        lines
    }

    fn plan(&self, from: &str) -> CallPlan {
        let mut plan = CallPlan::new(self.process.url("").parse().unwrap(), from, NUMBER);
        plan.mode = Mode::Voicebot;
        plan.call_sid = Some(uuid::Uuid::now_v7().simple().to_string());
        plan.auth = WebhookAuth { key: Some(SECRETS[0].1.to_owned()), ..WebhookAuth::default() };
        plan.script = vec![Say::agent_finished(), question(), Say::agent_finished()];
        plan.timeout = PATIENCE;
        plan
    }

    async fn get(&self, path: &str) -> String {
        let request = reqwest::Client::new().get(self.process.url(path)).bearer_auth(SECRETS[1].1);
        request.send().await.unwrap().text().await.unwrap()
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        self.model.stop();
    }
}

#[actix_rt::test]
async fn no_level_of_the_log_has_a_secret_or_a_callers_number_in_it() {
    let gateway = Logged::start(&[], "trace,tungstenite::handshake=trace,hyper=trace,actix_http=trace").await;
    let mut plan = gateway.plan("+919876501234");
    plan.after.call_end = Some(simulator::exotel::StatusBody::Multipart);
    place_call(plan).await.unwrap();
    let mut basic = gateway.plan("+919876501235");
    basic.auth =
        WebhookAuth { basic: Some((SECRETS[3].1.to_owned(), SECRETS[2].1.to_owned())), ..WebhookAuth::default() };
    place_call(basic).await.unwrap();
    let calls = gateway.get("/api/v1/calls").await;
    assert!(calls.contains("+919876501234"), "{calls}");
    let client = reqwest::Client::new();
    let url = gateway.process.url(&format!("/exotel/recording?key={}", SECRETS[0].1));
    let form = [
        ("CallSid", "a1"),
        ("RecordingUrl", "https://recordings.exotel.com/a.mp3"),
        ("CustomField", SECRETS[1].1),
        ("token", SECRETS[2].1),
        ("key", COLLECTORS_KEY),
    ];
    client.post(&url).form(&form).send().await.unwrap();
    client.get(gateway.process.url("/api/v1/calls")).bearer_auth("a-wrong-token-of-an-operator").send().await.unwrap();
    gateway.until(async || !gateway.said("INFO", "answered").is_empty()).await;
    let no_traces = async || gateway.log().contains("the collector does not take traces");
    gateway.until(no_traces).await;
    let log = gateway.log();
    for secret in SECRETS.map(|(_, secret)| secret).into_iter().chain([
        "a-wrong-token-of-an-operator",
        COLLECTORS_KEY,
        "9876501234",
        "9876501235",
    ]) {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
    // Nor does the audit log, in whatever field it came.
    let store = gateway.process.database_url().parse().unwrap();
    let entries = callgate::testing::Store::open(&store).await.unwrap().recent_audit(500).await.unwrap();
    let told = entries.iter().find(|entry| entry.kind == "webhook.recording").expect("it was written down");
    assert_eq!((&told.payload["CustomField"], &told.payload["token"]), (&"[redacted]".into(), &"[redacted]".into()));
    for entry in &entries {
        let payload = entry.payload.to_string();
        let secrets = SECRETS.iter().map(|(_, secret)| *secret);
        assert!(!secrets.chain([COLLECTORS_KEY]).any(|secret| payload.contains(secret)), "{entry:?}");
    }
}

#[actix_rt::test]
async fn a_provider_that_refuses_is_one_error_a_minute_with_its_cause_and_counted() {
    let gateway = Logged::start(&["refuse-handshake=401"], "info").await;
    for caller in ["+919876501236", "+919876501237"] {
        // The call is let go: the flow goes on.
        let _ = place_call(gateway.plan(caller)).await;
    }
    // A stream that comes once its model has failed has it dialled again: each call is refused once, or twice.
    gateway.until(async || gateway.said("WARN", "the call ended since the model failed").len() >= 2).await;
    gateway.until(async || gateway.get("/metrics").await.contains("\ncallgate_calls_live 0\n")).await;
    let refused = gateway.said("WARN", "the connection to the model was lost or refused").len();
    assert!((2..=4).contains(&refused), "{}", gateway.log());
    let counted = format!("callgate_model_refused_total{{reason=\"unauthorized\"}} {refused}");
    gateway.until(async || gateway.get("/metrics").await.contains(&counted)).await;
    let dialled = format!("\",outcome=\"unauthorized\"}} {refused}");
    assert!(gateway.get("/metrics").await.contains(&dialled));
    let ready: Value = serde_json::from_str(&gateway.get("/readyz").await).unwrap();
    assert_eq!(
        (&ready["status"], &ready["model"]["refused_for"]),
        (&"ready".into(), &"unauthorized".into()),
        "{ready}"
    );
    assert_eq!(
        (&ready["model"]["refusals_since_answer"], &ready["model"]["answered_secs_ago"]),
        (&refused.into(), &Value::Null)
    );
    let errors = gateway.said("ERROR", "the model's provider refuses");
    assert_eq!(errors.len(), 1, "{}", gateway.log());
    assert!(errors[0]["cause"].as_str().unwrap().contains("401"), "{errors:?}");
    assert_eq!(gateway.said("WARN", "the call ended since the model failed").len(), refused);
    let stops: Vec<Value> =
        gateway.lines().into_iter().filter(|line| line["actor"] == "ModelLeg" && line["event"] == "stop").collect();
    assert!(
        stops.len() >= 2 && stops.iter().all(|stop| stop["cause"].as_str().is_some_and(|cause| cause.contains("401"))),
        "{stops:?}"
    );
}

#[actix_rt::test]
async fn a_session_that_is_lost_is_a_warning_with_its_cause_and_its_call() {
    let gateway = Logged::start(&["drop-after-ms=1500"], "info").await;
    let plan = gateway.plan("+919876501238");
    let report = place_call(plan).await.unwrap();
    gateway.until(async || !gateway.said("WARN", "was lost").is_empty()).await;
    let lost = gateway.said("WARN", "was lost")[0].clone();
    assert_eq!(lost["call_sid"], report.call_sid.as_str(), "{lost}");
    assert!(lost["cause"].as_str().is_some_and(|cause| !cause.is_empty()), "{lost}");
    let stops = gateway.lines().into_iter().filter(|line| line["actor"] == "ModelLeg" && line["event"] == "stop");
    assert!(
        stops.into_iter().all(|stop| stop["cause"].as_str().is_some_and(|cause| !cause.is_empty())),
        "{}",
        gateway.log()
    );
}

#[actix_rt::test]
async fn a_calls_end_is_one_line_with_all_that_ends_are_grouped_by_and_the_metrics_have_its_client() {
    let gateway = Logged::start(&[], "info").await;
    let report = place_call(gateway.plan("+919876501239")).await.unwrap();
    let ends = || -> Vec<Value> {
        let of_call = |line: &Value| line["target"] == "call" && line["call_sid"] == report.call_sid.as_str();
        gateway.lines().into_iter().filter(of_call).collect()
    };
    gateway.until(async || !ends().is_empty()).await;
    let end = &ends()[0];
    assert_eq!((&end["client"], &end["code"], &end["level"]), (&1.into(), &"caller_hung_up".into(), &"INFO".into()));
    for figure in ["duration_ms", "first_audio_ms", "answer_p95_ms", "turns", "agent_talk_ms", "streams", "tokens_out"]
    {
        assert!(end[figure].as_u64().is_some_and(|value| value > 0), "{figure}: {end}");
    }
    for figure in ["generation", "interruptions", "unheard_ms", "model_reconnects", "frames_lost", "tools"] {
        assert!(end[figure].is_u64(), "{figure}: {end}");
    }
    assert_eq!(end["trace_id"].as_str().map(str::len), Some(32), "{end}");
    assert_eq!((&end["status"], &end["provisional"]), (&"completed".into(), &false.into()));
    let page = gateway.get("/metrics").await;
    for series in [
        "callgate_calls_ended_total{status=\"completed\",code=\"caller_hung_up\",client=\"1\"} 1",
        "callgate_tokens_total{kind=\"output_audio\",client=\"1\"} ",
        "callgate_cost_microusd_total{client=\"1\"} ",
        "\",outcome=\"opened\"} 1",
        "callgate_model_connect_seconds_count{endpoint=\"127.0.0.1:",
        "callgate_model_ready_seconds_count 1",
        "callgate_calls_limit 1000",
        "callgate_model_answered_seconds_ago ",
        "callgate_build_info{version=",
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
    ] {
        assert!(page.contains(series), "{series} is not in {page}");
    }
    assert_eq!(ends().len(), 1);
}

#[actix_rt::test]
async fn a_gateway_that_its_host_did_not_run_says_so_and_blames_no_call() {
    let gateway = Logged::start(&[], "info").await;
    let marks = async || {
        let page = gateway.get("/metrics").await;
        let count =
            page.lines().find_map(|line| line.strip_prefix("callgate_event_loop_lag_seconds_count{worker=\"0\"} "));
        count.and_then(|count| count.parse::<u32>().ok()).unwrap_or(0)
    };
    // It has been seen to run.
    gateway.until(async || marks().await >= 5).await;
    let pid = gateway.process.pid().unwrap().to_string();
    let signal =
        |name: &str| assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
    signal("-STOP");
    // It is the time that counts here.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    signal("-CONT");
    gateway.until(async || !gateway.said("WARN", "the host did not run").is_empty()).await;
    let told = gateway.said("WARN", "the host did not run")[0].clone();
    assert!(told["target"] == "watchdog" && told["still_ms"].as_u64().is_some_and(|still| still >= 1_000), "{told}");
    assert!(gateway.said("ERROR", "is blocked").is_empty(), "{}", gateway.log());
    gateway.until(async || gateway.get("/metrics").await.contains("callgate_stalls_total{cause=\"host\"} ")).await;
}
