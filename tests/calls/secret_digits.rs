//! What a caller types in secret, looked for in every byte that a gateway writes or sends: the program itself, its log at its finest, its
//! database, its recordings, what its model hears, what its client is told. Only the request of the function that is given it has it.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callgate::testing::Store;
use futures_util::{SinkExt, StreamExt};
use protocol::ids::CallSid;
use serde_json::{Value, json};
use simulator::exotel::{CallPlan, HangUp, Mode, Say, WebhookAuth, place_call};
use simulator::model::{ModelOptions, ModelServer, Script};
use tokio_tungstenite::tungstenite::Message;

use crate::database::{Database, Kind, Postgres, Sqlite};
use crate::process::TestProcess;
use crate::support::{NUMBER, PATIENCE, WEBHOOK_KEY, check_event, events_were_right, eventually, question};

const CARD: &str = "4539578763621486";
/// The card is asked for and given to each kind of function; then once more, and the caller stops in the middle.
const SCRIPT: &str = r#"
greeting goodbye_en
answer commentary_en + call collect_digits {"count":16,"purpose":"the card","secret":true}
answer call pay {"card":"{{digits:1}}","note":"card {{ digits:1 }}"}
answer call decline {"card":"{{digits:1}}"}
answer call bank_charge {"card":"{{digits:1}}"}
answer call crm_note {"text":"{{digits:1}}"}
answer call pay {"card":"{{digits:9}}"}
answer commentary_en + call collect_digits {"count":16,"purpose":"another card","secret":true}
answer goodbye_en + call end_call {}
"#;

/// Nobody asked for the card, and every key is secret. The first tone is heard before anybody knows, and may pass for a turn: that has the
/// first answer; else the keys have.
const UNASKED: &str = r#"
greeting goodbye_en
answer commentary_en
answer call pay {"card":"{{digits:1}}"}
answer goodbye_en + call end_call {}
"#;

/// The client's own systems: what they were asked, and what was told them.
#[derive(Clone, Default)]
struct Systems {
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

/// An answer that repeats what it was asked, in every way there is.
fn repeats() -> Value {
    json!({
        "charged": true, "card": CARD, "printed": "4539 5787 6362 1486", "dashed": "4539-5787-6362-1486", "number": 4_539_578_763_621_486_u64,
        "first_six": "453957", "last_four": "1486", "seen": [{ "deep": format!("x{CARD}x") }],
    })
}

async fn serve(systems: web::Data<Systems>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let path = request.path().to_owned();
    systems.asked.lock().unwrap().push((path.clone(), body.clone()));
    match path.as_str() {
        "/pay" => HttpResponse::Ok().json(repeats()),
        "/decline" => HttpResponse::UnprocessableEntity().body("the card 4539 5787 6362 1486 is declined"),
        "/bank" | "/crm" => mcp(&path, &body),
        "/events" => {
            check_event(&body);
            HttpResponse::NoContent().finish()
        }
        _ => HttpResponse::NoContent().finish(),
    }
}

/// A server of one function, which repeats what it was given.
fn mcp(path: &str, asked: &Value) -> HttpResponse {
    let name = if path == "/bank" { "charge" } else { "note" };
    let result = match asked["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": asked["params"]["protocolVersion"], "capabilities": { "tools": {} },
            "serverInfo": { "name": name, "version": "1" },
        }),
        Some("tools/list") => json!({ "tools": [{ "name": name, "inputSchema": { "type": "object" } }] }),
        Some("tools/call") => json!({ "content": [{ "type": "text", "text": repeats().to_string() }] }),
        _ => return HttpResponse::Accepted().finish(),
    };
    HttpResponse::Ok().json(json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result }))
}

impl Systems {
    /// Serves, and says where.
    fn serve(&self) -> String {
        let served = self.clone();
        let app = move || App::new().app_data(web::Data::new(served.clone())).default_service(web::to(serve));
        let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0).bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        actix_rt::spawn(server.run());
        url
    }

    fn asked(&self, path: &str) -> Vec<Value> {
        self.asked.lock().unwrap().iter().filter(|(known, _)| known == path).map(|(_, body)| body.clone()).collect()
    }

    /// The functions of an MCP server that were called.
    fn called(&self, path: &str) -> Vec<Value> {
        self.asked(path).into_iter().filter(|body| body["method"] == "tools/call").collect()
    }
}

/// Everything that went through the model's socket, either way.
#[derive(Clone, Default)]
struct Tap(Arc<Mutex<Vec<String>>>);

impl Tap {
    /// Stands before a model: where it is to be found.
    async fn before(model: String) -> (Self, String) {
        let (tap, listener) = (Self::default(), tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap());
        let url = format!("ws://{}/v1/realtime", listener.local_addr().unwrap());
        let kept = tap.clone();
        actix_rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tap, model) = (kept.clone(), model.clone());
                actix_rt::spawn(async move { tap.relay(stream, &model).await });
            }
        });
        (tap, url)
    }

    async fn relay(&self, stream: tokio::net::TcpStream, model: &str) -> Option<()> {
        let (mut out, mut back) = tokio_tungstenite::accept_async(stream).await.ok()?.split();
        let address = model.strip_prefix("ws://")?.split('/').next()?;
        let onward = tokio::net::TcpStream::connect(address).await.ok()?;
        let (mut there, mut here) = tokio_tungstenite::client_async(model, onward).await.ok()?.0.split();
        loop {
            tokio::select! {
                said = back.next() => there.send(self.keep(said?.ok()?)).await.ok()?,
                said = here.next() => out.send(self.keep(said?.ok()?)).await.ok()?,
            }
        }
    }

    fn keep(&self, message: Message) -> Message {
        if let Ok(text) = message.to_text() {
            self.0.lock().unwrap().push(text.to_owned());
        }
        message
    }

    fn all(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }

    /// What the model heard of the caller, 24 kHz.
    fn heard(&self) -> Vec<i16> {
        let events: Vec<Value> =
            self.0.lock().unwrap().iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
        let audio = events.iter().filter(|event| event["type"] == "input_audio_buffer.append");
        let bytes = audio.flat_map(|event| STANDARD.decode(event["audio"].as_str().unwrap()).unwrap());
        bytes.collect::<Vec<u8>>().chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
    }

    /// What the model was told that its functions came to.
    fn told(&self) -> Vec<String> {
        let events = self.0.lock().unwrap().clone();
        let events = events.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
        let told = events.filter(|event| event["type"] == "conversation.item.create");
        told.filter_map(|event| event["item"]["output"].as_str().map(str::to_owned)).collect()
    }
}

/// Windows of 20 ms that hold the tones of a key and hardly anything else.
fn tones(samples: &[i16], hz: usize) -> usize {
    let power = |window: &[i16], tone: f64| {
        let step = std::f64::consts::TAU * tone / hz as f64;
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (at, sample) in window.iter().enumerate() {
            real += f64::from(*sample) * (step * at as f64).cos();
            imaginary += f64::from(*sample) * (step * at as f64).sin();
        }
        2.0 * (real * real + imaginary * imaginary) / window.len() as f64
    };
    let is_tone = |window: &[i16]| {
        let all: f64 = window.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        let best = |tones: &[f64]| tones.iter().map(|tone| power(window, *tone)).fold(0.0, f64::max);
        let (row, column) = (best(&[697.0, 770.0, 852.0, 941.0]), best(&[1209.0, 1336.0, 1477.0]));
        all > window.len() as f64 * 10_000.0 && row > 0.25 * all && column > 0.25 * all && row + column > 0.8 * all
    };
    samples.chunks_exact(hz / 50).filter(|window| is_tone(window)).count()
}

/// Looks for six digits of the card in a row. Fractions of a second are no digits of anybody's.
#[track_caller]
fn none_in(what: &str, bytes: &[u8]) {
    for run in CARD.as_bytes().windows(6) {
        for at in (0..bytes.len().saturating_sub(5)).filter(|at| bytes[*at..].starts_with(run)) {
            let begins = (0..at).rev().find(|at| !bytes[*at].is_ascii_digit());
            let is_fraction = begins.is_some_and(|begins| bytes[begins] == b'.' && at - begins <= 4);
            let around =
                String::from_utf8_lossy(&bytes[at.saturating_sub(120)..(at + 60).min(bytes.len())]).into_owned();
            assert!(is_fraction, "{what}: {around}");
        }
    }
}

/// Every file below a folder: how many there were.
fn none_in_files(folder: &Path) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        count += match path.is_dir() {
            true => none_in_files(&path),
            false => {
                none_in(&path.display().to_string(), &std::fs::read(&path).unwrap());
                1
            }
        };
    }
    count
}

/// Every row of every table.
async fn none_in_database(url: &str) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    let driven = actix_rt::spawn(connection);
    let tables = client.query("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'", &[]).await.unwrap();
    let mut rows = 0;
    for table in tables {
        let table: String = table.get(0);
        for row in client.query(&format!("SELECT t::text FROM \"{table}\" t"), &[]).await.unwrap() {
            none_in(&table, row.get::<_, String>(0).as_bytes());
            rows += 1;
        }
    }
    assert!(rows > 20, "{rows} rows");
    driven.abort();
}

/// The caller's side as it is spooled while the call goes on: how often it was looked at, and that no tone is on it.
async fn no_tone_in_spool(folder: &Path, looks: &AtomicUsize) {
    loop {
        for call in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(bytes) = std::fs::read(call.path().join("caller.s16")) else { continue };
            let samples: Vec<i16> = bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
            assert_eq!(tones(&samples, 8_000), 0, "{} samples", samples.len());
            looks.fetch_add(usize::from(samples.len() > 8_000), Ordering::Relaxed);
        }
        // It is looked at all along: the time between is of no matter.
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn agent(systems: &str, keypad: &str) -> String {
    let tool = |name: &str| {
        json!({
            "name": name, "description": "Takes a card.", "url": format!("{systems}/{name}"),
            "parameters": {
                "type": "object", "required": ["card"],
                "properties": { "card": { "type": "string", "pattern": "^[0-9]{16}$" }, "note": { "type": "string" } },
            },
        })
    };
    let file = json!({
        "name": "Shop", "numbers": [NUMBER], "recording": true,
        "keypad": { "secret": keypad },
        "events": { "url": format!("{systems}/events") },
        "tools": [tool("pay"), tool("decline")],
        "mcp": [
            { "label": "bank", "url": format!("{systems}/bank"), "secret_digits": true },
            { "label": "crm", "url": format!("{systems}/crm") },
        ],
    });
    toml::to_string(&file).unwrap()
}

/// A gateway as a process of its own, and all that is around it.
struct World<K: Kind> {
    process: TestProcess,
    database: Option<Database>,
    systems: Systems,
    url: String,
    tap: Tap,
    kind: std::marker::PhantomData<K>,
}

impl<K: Kind> World<K> {
    async fn start(script: &str, keypad: &str, on_postgres: bool) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = ModelOptions { script: script.parse::<Script>().unwrap(), ..ModelOptions::default() };
        let server = ModelServer::bind((Ipv4Addr::LOCALHOST, 0).into(), options).await.unwrap();
        let (tap, model) = Tap::before(format!("ws://{}/v1/realtime?model=m", server.addr())).await;
        actix_rt::spawn(server.run());
        let systems = Systems::default();
        let url = systems.serve();
        let database = on_postgres.then(K::database);
        let mut world =
            Self { process: TestProcess::new(), database, systems, url, tap, kind: std::marker::PhantomData };
        let file = world.process.folder().join("agent.toml");
        std::fs::write(&file, agent(&world.url, keypad)).unwrap();
        let mut apply = world.command(&["client", "apply", "agent.toml"]);
        apply.stderr(Stdio::piped()).stdout(Stdio::piped());
        // Its servers are asked meanwhile, here.
        let applied = tokio::task::spawn_blocking(move || apply.output()).await.unwrap().unwrap();
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&[applied.stderr, applied.stdout].concat()));
        let log = std::fs::File::create(world.process.folder().join("log")).unwrap();
        let mut serve = world.command(&["serve"]);
        serve.env_remove("SIMULATED_MODEL").env("REALTIME_URL", &model).env("OPENAI_API_KEY", "sk-of-this-test");
        serve.env("RUST_LOG", "trace,tungstenite=trace,hyper=trace,actix_http=trace,rmcp=trace,reqwest=trace");
        world.process.serve(serve.env("LOG_FORMAT", "json").stderr(log)).await;
        world
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.process.command(words);
        command
            .env("PRIVATE_HOSTS", "127.0.0.1")
            .env("RECORDING_HOSTS", "127.0.0.1")
            .env("DATABASE_URL", self.database_url());
        command
    }

    fn database_url(&self) -> String {
        self.database.as_ref().map_or_else(|| self.process.database_url(), |database| database.url.clone())
    }

    /// Those that may; the model knows their number, and what they answered without them.
    fn functions_had_them(&self) {
        let arguments =
            |path: &str| self.systems.asked(path).iter().map(|asked| asked["arguments"].clone()).collect::<Vec<_>>();
        assert_eq!(arguments("/pay"), [json!({ "card": CARD, "note": format!("card {CARD}") })]);
        assert_eq!(arguments("/decline"), [json!({ "card": CARD })]);
        let charged = self.systems.called("/bank");
        assert_eq!(charged.len(), 1, "{:#?}", self.tap.told());
        assert_eq!(charged[0]["params"]["arguments"], json!({ "card": CARD }));
        assert!(self.systems.called("/crm").is_empty());

        // The model knows their number, and what was told it without them.
        let outputs = self.tap.told();
        assert_eq!(outputs[0], r#"{"digits":"{{digits:1}}","count":16}"#, "{outputs:#?}");
        for (output, words) in outputs[1..].iter().zip([
            r#""card":"[masked]""#,
            "[masked] is declined",
            r#""number":"[masked]""#,
            "may not be given",
            "{{digits:9}}",
            "pressed 9 of 16",
        ]) {
            assert!(output.contains(words), "{words}: {outputs:#?}");
        }
        assert!(outputs[1].contains(r#""last_four":"1486""#), "{outputs:#?}");
    }

    fn plan(&self, script: Vec<Say>) -> CallPlan {
        let mut plan = CallPlan::new(self.process.url("").parse().unwrap(), "+919876501234", NUMBER);
        plan.mode = Mode::Voicebot;
        plan.auth = WebhookAuth { key: Some(WEBHOOK_KEY.to_owned()), ..WebhookAuth::default() };
        (plan.script, plan.timeout, plan.end) = (script, PATIENCE, HangUp::Gateway);
        plan
    }
}

async fn nobody_but_the_function_has_them<K: Kind>(on_postgres: bool) {
    let world = World::<K>::start(SCRIPT, "asked", on_postgres).await;
    let (spool, looks) = (world.process.folder().join("spool"), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&looks);
    let watched = actix_rt::spawn(async move { no_tone_in_spool(&spool, &seen).await });
    let report = place_call(world.plan(vec![
        Say::agent_finished(),
        question(),
        Say::agent_finished(),
        // Keys beyond those that were asked for, too.
        Say::Type(format!("{CARD}99#")),
        Say::agent_finished(),
        Say::Type(CARD[..9].to_owned()),
        Say::agent_finished(),
    ]))
    .await
    .unwrap();
    assert!(!watched.is_finished(), "a tone was spooled");
    watched.abort();
    assert!(looks.load(Ordering::Relaxed) > 20, "{looks:?} looks at the spool");
    let store = Store::open(&world.database_url().parse().unwrap()).await.unwrap();
    let call = CallSid::new(&report.call_sid);
    let told = || async { world.systems.asked("/events").iter().any(|event| event["type"] == "recording.stored") };
    eventually("the client is told of everything", told).await;
    events_were_right();

    world.functions_had_them();
    // The carrier's own recording stays where it is.
    let announced = reqwest::Client::new().post(world.process.url(&format!("/exotel/recording?key={WEBHOOK_KEY}")));
    let url = format!("{}/recording.mp3", world.url);
    let form = [("CallSid", report.call_sid.as_str()), ("RecordingUrl", &url), ("digits", CARD), ("CustomField", CARD)];
    assert!(announced.form(&form).send().await.unwrap().status().is_success());
    let refused = || async {
        let rows = store.recordings_of_call(&call).await.unwrap();
        rows.iter().any(|row| row.error.as_deref().is_some_and(|why| why.contains("keys that nobody is told")))
    };
    eventually("the carrier's recording is refused", refused).await;
    assert!(world.systems.asked("/recording.mp3").is_empty());

    // Nobody heard the tones.
    let left = &report.sound.left;
    assert!(tones(left, 8_000) >= 27 * 4, "{} windows", tones(left, 8_000));
    assert_eq!(tones(&world.tap.heard(), 24_000), 0);
    let own = store.recordings_of_call(&call).await.unwrap().into_iter().find_map(|row| row.stored_url).unwrap();
    let file = std::fs::read(own.parse::<url::Url>().unwrap().to_file_path().unwrap()).unwrap();
    let decoded = codecs::ogg::read(std::io::Cursor::new(file)).unwrap();
    let caller: Vec<i16> = decoded.samples.iter().step_by(2).copied().collect();
    assert!(caller.len() > 8_000 * 10 && tones(&caller, decoded.rate_hz as usize) == 0);

    none_in("the model's socket", world.tap.all().as_bytes());
    for event in world.systems.asked("/events") {
        none_in("an event", event.to_string().as_bytes());
    }
    drop(store);
    for words in [&["calls", &report.call_sid][..], &["jobs", "--all"], &["audit", "verify"]] {
        let shown = world.command(words).stderr(Stdio::piped()).stdout(Stdio::piped()).output().unwrap();
        assert!(shown.status.success() && !shown.stdout.is_empty(), "{words:?}");
        none_in("what is shown", &[shown.stdout, shown.stderr].concat());
    }
    let files = none_in_files(world.process.folder());
    assert!(files >= if on_postgres { 3 } else { 5 }, "{files} files");
    if on_postgres {
        none_in_database(&world.database_url()).await;
    }
    let log = std::fs::read_to_string(world.process.folder().join("log")).unwrap();
    assert!(log.contains("\"level\":\"INFO\"") && log.contains(&report.call_sid));
}

#[actix_rt::test]
async fn secret_digits_are_in_no_byte_but_the_request_of_the_function_that_gets_them() {
    nobody_but_the_function_has_them::<Sqlite>(false).await;
}

#[actix_rt::test]
async fn secret_digits_are_in_no_row_of_a_postgresql_either() {
    nobody_but_the_function_has_them::<Postgres>(true).await;
}

#[actix_rt::test]
async fn where_every_key_is_secret_a_card_that_nobody_asked_for_is_in_no_byte_either() {
    let world = World::<Sqlite>::start(UNASKED, "always", false).await;
    let typed = Say::Type(format!("{CARD}#"));
    let script = vec![Say::agent_finished(), typed, Say::agent_finished(), question(), Say::agent_finished()];
    let report = place_call(world.plan(script)).await.unwrap();
    let told = || async { world.systems.asked("/events").iter().any(|event| event["type"] == "recording.stored") };
    eventually("the client is told of everything", told).await;
    events_were_right();
    let paid: Vec<Value> = world.systems.asked("/pay").iter().map(|asked| asked["arguments"].clone()).collect();
    assert_eq!(paid, [json!({ "card": CARD })], "{:#?}", world.tap.told());
    assert!(world.tap.all().contains("{{digits:1}} (16 keys)"), "the model knows that there are some");
    // What is known of the first key comes behind its tone; of those behind it nobody heard any.
    assert!(tones(&world.tap.heard(), 24_000) <= 12, "{}", tones(&world.tap.heard(), 24_000));
    none_in("the model's socket", world.tap.all().as_bytes());
    for event in world.systems.asked("/events") {
        none_in("an event", event.to_string().as_bytes());
    }
    let shown = world.command(&["calls", &report.call_sid]).stdout(Stdio::piped()).output().unwrap();
    none_in("what is shown", &shown.stdout);
    assert!(none_in_files(world.process.folder()) >= 5);
}
