//! Calls against a gateway of a few lines on loopback.

pub(crate) mod gateway;

use std::time::Duration;

use gateway::{Bot, FakeGateway, Manners, header};
use tokio::sync::mpsc;

use super::*;

const POLITE: Manners = Manners { status: 200, refuse: 0, bot: Bot::Talks };

fn plan(gateway: &FakeGateway) -> CallPlan {
    let mut plan = CallPlan::new(gateway.http.clone(), "+919876543210", "08037091588");
    plan.timeout = Duration::from_secs(20);
    plan
}

fn tone(ms: u64) -> Voice {
    Voice::Tone(Duration::from_millis(ms))
}

fn event_ms(report: &CallReport, kind: EventKind) -> Vec<i64> {
    report.timeline.iter().filter(|event| event.kind == kind).map(|event| event.at_ms).collect()
}

#[tokio::test]
async fn a_call_is_carried_from_its_first_webhook_to_its_last() {
    let gateway = FakeGateway::start(POLITE).await;
    let (observer, mut observed) = mpsc::channel(100);
    let mut plan = plan(&gateway);
    plan.auth = WebhookAuth {
        signature_token: Some("token".into()),
        key: Some("k&y".into()),
        basic: Some(("user".into(), "pass".into())),
    };
    plan.script = vec![
        Say::AgentFinished(Duration::from_millis(250)),
        Say::Speak(tone(400)),
        Say::BargeIn(Duration::from_millis(330), tone(300)),
        Say::AgentSpeaks,
        Say::Dtmf('#'),
    ];
    plan.after = AfterCall { call_end: Some(StatusBody::Multipart), passthru: true };
    plan.observer = Some(observer);
    let report = place_call(plan).await.unwrap();

    let start = gateway.request("POST /base/exotel/call-start?key=k%26y HTTP/1.1");
    assert!(start.body.contains("CallFrom=09876543210&CallTo=08037091588"), "{}", start.body);
    assert_eq!(header(&start.head, "x-exotel-signature").unwrap().len(), 64);
    assert_eq!(header(&start.head, "authorization"), Some("Basic dXNlcjpwYXNz"));
    gateway.request("GET /media/token HTTP/1.1");
    let started = &gateway.events("start")[0]["start"];
    assert_eq!(started["custom_parameters"], serde_json::json!({"queue": "premium", "tier": "1"}));
    assert_eq!((&started["call_sid"], report.call_sid.len()), (&report.call_sid.as_str().into(), 32));
    let passthru = gateway.request("GET /base/exotel/passthru?CallSid=");
    assert!(passthru.head.contains("Stream%5BDisconnectedBy%5D=user"), "{}", passthru.head);
    let end = gateway.request("POST /base/exotel/call-end");
    assert!(end.body.contains("name=\"Status\"\r\n\r\ncompleted\r\n"), "{}", end.body);
    assert_eq!(gateway.events("stop")[0]["stop"]["reason"], "callended");

    assert_eq!(
        report.webhooks.iter().map(|answer| answer.name).collect::<Vec<_>>(),
        ["call-start", "passthru", "call-end"]
    );
    assert!(report.webhooks[0].at_ms <= 0 && report.webhooks[2].at_ms > 0);
    assert_eq!((report.ended_by, report.gave_up, report.clears), (EndedBy::Caller, 0, 1));
    assert!(report.first_audio_ms.unwrap() < 1_000, "{report:?}");
    let [first, second] = report.utterances.as_slice() else { panic!("{:?}", report.utterances) };
    assert!((180..2_000).contains(&first.reply_ms.unwrap()), "{first:?}");
    assert!(second.barge_in && second.clear_ms.unwrap() < 1_000 && second.silenced_ms.unwrap() < 1_000, "{second:?}");
    assert!(report.heard.cleared_ms > 1_000, "{:?}", report.heard);
    assert_eq!(report.heard.sizes.keys().copied().collect::<Vec<_>>(), [1_600, 3_200]);
    assert_eq!(event_ms(&report, EventKind::AgentSpeaks).len(), 3);
    assert_eq!(gateway.events("mark")[0]["mark"]["name"], "greeted");
    assert!(report.faults.iter().all(|fault| fault.contains("another stream")), "{:?}", report.faults);
    let left: usize = report.sound.left.iter().filter(|sample| **sample != 0).count();
    assert!((5_400..=5_600).contains(&left), "{left}");
    assert_eq!(report.sound.left.len(), report.sound.right.len());
    let seen: Vec<Event> = std::iter::from_fn(|| observed.try_recv().ok()).collect();
    assert_eq!(seen.len(), report.timeline.len());
}

#[tokio::test]
async fn the_voicebot_webhook_is_a_get_signed_over_its_query_without_the_key() {
    let gateway = FakeGateway::start(POLITE).await;
    let mut plan = plan(&gateway);
    plan.mode = Mode::Voicebot;
    plan.auth = WebhookAuth { signature_token: Some("token".into()), key: Some("key".into()), basic: None };
    plan.after.call_end = Some(StatusBody::Urlencoded);
    let report = place_call(plan).await.unwrap();
    assert_eq!(report.ended_by, EndedBy::Caller);
    let request = gateway.request("GET /base/exotel/voicebot?CallSid=");
    let query = request.head.split([' ', '?']).nth(2).unwrap();
    let signed = query.strip_suffix("&key=key").unwrap();
    assert!(signed.contains("&CallFrom=09876543210&CallTo=08037091588&Direction=incoming&Created="), "{signed}");
    assert!(signed.contains("&From=09876543210&To=09513886363&CurrentTime="), "{signed}");
    use hmac::{KeyInit, Mac};
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(b"token").unwrap();
    mac.update(signed.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(header(&request.head, "x-exotel-signature"), Some(hex.as_str()));
}

#[tokio::test]
async fn a_failed_handshake_is_tried_once_more() {
    let gateway = FakeGateway::start(Manners { refuse: 1, ..POLITE }).await;
    let report = place_call(plan(&gateway)).await.unwrap();
    assert_eq!(event_ms(&report, EventKind::HandshakeFailed).len(), 1);

    let gateway = FakeGateway::start(Manners { refuse: 2, ..POLITE }).await;
    let mut plan = plan(&gateway);
    plan.mode = Mode::Media(gateway.media.replace("ws://", "ws://key:token@").parse().unwrap());
    plan.after.passthru = true;
    let Err(CallError::Handshake { cause, report }) = place_call(plan).await else { panic!() };
    assert!(cause.contains("503"), "{cause}");
    assert_eq!((report.ended_by, report.timeline.len()), (EndedBy::NotOpened, 3));
    let upgrade = gateway.request("GET /media/token");
    assert_eq!(header(&upgrade.head, "authorization"), Some("Basic a2V5OnRva2Vu"));
    assert!(gateway.request("GET /base/exotel/passthru").head.contains("Stream%5BStatus%5D=failed"));
}

#[tokio::test]
async fn a_refused_webhook_ends_the_call_before_it_begins() {
    let gateway = FakeGateway::start(Manners { status: 401, ..POLITE }).await;
    let Err(CallError::Refused { status, report, .. }) = place_call(plan(&gateway)).await else { panic!() };
    assert_eq!((status, report.webhooks.len()), (401, 1));
}

#[tokio::test]
async fn a_close_by_the_gateway_moves_the_flow_on() {
    let gateway = FakeGateway::start(Manners { bot: Bot::Closes, ..POLITE }).await;
    let mut plan = plan(&gateway);
    plan.end = HangUp::Gateway;
    plan.after = AfterCall { call_end: Some(StatusBody::Json), passthru: true };
    let report = place_call(plan).await.unwrap();
    assert_eq!(report.ended_by, EndedBy::Gateway);
    assert!(gateway.request("passthru").head.contains("Stream%5BDisconnectedBy%5D=bot"));
    assert!(gateway.request("call-end").body.starts_with('{'));
}

#[tokio::test]
async fn what_exotel_would_have_trouble_with_is_in_the_report() {
    let gateway = FakeGateway::start(Manners { bot: Bot::Blunders, ..POLITE }).await;
    let mut plan = plan(&gateway);
    plan.script = vec![Say::Wait(Duration::from_millis(100))];
    let report = place_call(plan).await.unwrap();
    let faults = report.faults.join("; ");
    for part in ["not JSON", "reads as a string", "\"stop\"", "binary"] {
        assert!(faults.contains(part), "{faults}");
    }
}

#[tokio::test]
async fn rude_calls_end_as_their_seed_says() {
    let calls = (0..6).map(|seed| async move {
        let gateway = FakeGateway::start(POLITE).await;
        let mut plan = plan(&gateway);
        plan.seed = seed;
        plan.rude = Rudeness::all(seed);
        plan.rate = codecs::SampleRate::Hz16000;
        plan.script = vec![Say::agent_finished(), Say::Speak(tone(500)), Say::AgentSpeaks];
        let ending = plan.rude.ending;
        let report = place_call(plan).await.unwrap();
        assert_eq!(report.ended_by, EndedBy::Caller, "{report:?}");
        assert_eq!(gateway.events("stop").len(), usize::from(ending == Ending::Stop), "{ending:?}");
        report.rude.len()
    });
    let kinds: usize = futures_util::future::join_all(calls).await.into_iter().sum();
    assert!(kinds > 12, "{kinds}");
}

#[test]
fn a_call_may_be_placed_from_any_task() {
    fn is_send<T: Send>(_: T) {}
    is_send(place_call(CallPlan::new("http://127.0.0.1:1".parse().unwrap(), "1", "2")));
}

#[test]
fn stereo_is_padded_with_silence() {
    let sound = Stereo { left: vec![1, 2, 3], right: vec![7], ..Stereo::default() };
    let path = std::env::temp_dir().join(format!("callgate-stereo-{}.wav", std::process::id()));
    sound.write_wav(&path).unwrap();
    let samples: Vec<i16> = hound::WavReader::open(&path).unwrap().into_samples().map(Result::unwrap).collect();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(samples, [1, 7, 2, 0, 3, 0]);
}
