//! What the carrier tells of a call: who called whom, whose it is, and when.

use chrono::{DateTime, TimeDelta, Utc};
use protocol::ids::CallSid;
use reqwest::Method;
use serde_json::Value;

use super::support::{Gateway, incoming, sid};

async fn store_call(gateway: &Gateway, sid: &str) -> callgate::testing::Call {
    gateway.running.store().call(&CallSid::new(sid)).await.unwrap().unwrap().call
}

#[actix_web::test]
async fn callers_who_show_no_number_share_no_limit() {
    let gateway = Gateway::start().await;
    for shown in ["Anonymous", "sip:anonymous@anonymous.invalid", "+266696687"] {
        for _ in 0..11 {
            let sid = sid();
            let told = [("CallSid", sid.as_str()), ("CallFrom", shown), ("CallTo", "08037091588")];
            let answer = gateway.post("/exotel/voicebot", &told).await;
            assert_eq!(answer.status, 200, "{shown}: {answer:?}");
        }
    }
    let call = &gateway.running.store().recent_calls(1).await.unwrap()[0].0;
    assert_eq!(call.parties.from, None);
    assert_eq!(call.parties.from_raw.as_ref().unwrap().reveal(), "+266696687");
    gateway.stop().await;
}

#[actix_web::test]
async fn a_number_is_found_in_whatever_the_carrier_puts_around_it() {
    let gateway = Gateway::start().await;
    for (from, to) in [
        ("+09876543210", "+08037091588"),
        ("sip:+919876543210@203.0.113.7:5060", "sip:08037091588@x"),
        ("<sip:09876543210@pbx.example>;tag=1", "tel:+91-80-3709-1588"),
        ("\"Ravi\" <sip:9876543210@pbx.example>", "0918037091588"),
        ("९८७६५४३२१०", "＋９１ ８０３７０９１５８８"),
    ] {
        let sid = sid();
        let told = [("CallSid", sid.as_str()), ("CallFrom", from), ("CallTo", to)];
        let answer = gateway.post("/exotel/voicebot", &told).await;
        assert_eq!(answer.status, 200, "{from} to {to}: {answer:?}");
        let parties = store_call(&gateway, &sid).await.parties;
        assert_eq!(parties.from.unwrap().reveal(), "+919876543210", "{from}");
        assert_eq!(parties.to.unwrap().reveal(), "+918037091588", "{to}");
    }
    let sid = sid();
    let foreign = [("CallSid", sid.as_str()), ("CallFrom", "+44 (0) 20 7946 0958"), ("CallTo", "08037091588")];
    assert_eq!(gateway.post("/exotel/voicebot", &foreign).await.status, 200);
    assert_eq!(store_call(&gateway, &sid).await.parties.from.unwrap().reveal(), "+442079460958");
    gateway.stop().await;
}

#[actix_web::test]
async fn a_call_known_by_its_report_alone_is_its_clients() {
    let gateway = Gateway::start().await;
    let mut all = vec![];
    for fields in [
        &[("To", "08037091588")][..],
        &[("CallTo", "+918037091588"), ("To", "09513886363")],
        &[("PhoneNumberSid", "08037091588"), ("To", "09876543210"), ("Direction", "outbound-api")],
        &[("CallFrom", "08037091588"), ("CallTo", "09876543210"), ("Direction", "outbound-dial")],
    ] {
        let sid = sid();
        let told = [&[("CallSid", sid.as_str()), ("Status", "no-answer")], fields].concat();
        assert_eq!(gateway.post("/exotel/call-end", &told).await.status, 200);
        assert_eq!(store_call(&gateway, &sid).await.client_id, Some(gateway.tenant.id), "{fields:?}");
        all.push(sid);
    }
    // A recording of a call, and what became of a stream, tell it as well.
    let sid = sid();
    let url = ("RecordingUrl", "https://recordings.exotel.com/exotelrecordings/acme/a.mp3");
    gateway.post("/exotel/recording", &[("CallSid", &sid), url, ("CallTo", "08037091588")]).await;
    assert_eq!(store_call(&gateway, &sid).await.client_id, Some(gateway.tenant.id));
    let listed = gateway.operate(Method::GET, &format!("/api/v1/calls?client={}", gateway.tenant.id)).await.json();
    let listed = listed.to_string();
    assert!(all.iter().all(|sid| listed.contains(sid.as_str())), "{listed}");
    // Nobody's number is nobody's call.
    let sid = self::sid();
    gateway.post("/exotel/call-end", &[("CallSid", &sid), ("Status", "busy"), ("To", "08037091589")]).await;
    assert_eq!(store_call(&gateway, &sid).await.client_id, None);
    gateway.stop().await;
}

#[actix_web::test]
async fn an_outgoing_call_is_the_clients_whose_number_it_goes_out_from() {
    let gateway = Gateway::start().await;
    for hook in ["/exotel/voicebot", "/exotel/call-start"] {
        // More than one caller may place in a minute: they go to many people.
        for person in 0..11 {
            let (sid, person) = (sid(), format!("098765432{person:02}"));
            let told = [
                ("CallSid", sid.as_str()),
                ("Direction", "outbound-dial"),
                ("CallFrom", "08037091588"),
                ("CallTo", &person),
            ];
            let answer = gateway.post(hook, &told).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(store_call(&gateway, &sid).await.client_id, Some(gateway.tenant.id));
        }
    }
    // A client that calls a number which is nobody's is not its own caller.
    let sid = sid();
    let stray = [("CallSid", sid.as_str()), ("CallFrom", "08037091588"), ("CallTo", "08037091589")];
    gateway.post("/exotel/voicebot", &stray).await.refused(404, "unknown_client");
    gateway.stop().await;
}

#[actix_web::test]
async fn a_client_abroad_is_found_by_its_number_as_it_is_dialled_there() {
    let gateway = Gateway::start().await;
    let mut abroad = super::support::tenant("+6561234567");
    abroad.region = "SG".to_owned();
    let abroad = gateway.running.store().add_client(abroad).await.unwrap();
    for to in ["+6561234567", "006561234567", "61234567", "6123 4567"] {
        let sid = sid();
        let told = [("CallSid", sid.as_str()), ("CallFrom", "91234567"), ("CallTo", to)];
        let answer = gateway.post("/exotel/voicebot", &told).await;
        assert_eq!(answer.status, 200, "{to}: {answer:?}");
        let call = store_call(&gateway, &sid).await;
        assert_eq!(call.client_id, Some(abroad.id));
        assert_eq!(call.parties.from.unwrap().reveal(), "+6591234567");
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn a_call_never_ends_before_it_began_or_after_it_was_told_to_have_ended() {
    let gateway = Gateway::start().await;
    let india = |at: DateTime<Utc>| (at + TimeDelta::minutes(330)).format("%Y-%m-%d %H:%M:%S").to_string();
    let ahead = india(Utc::now() + TimeDelta::minutes(150));
    let past = india(Utc::now() - TimeDelta::hours(3));
    for begins in [None, Some(true), Some(false)] {
        for (start, end) in [(&past, &ahead), (&ahead, &ahead), (&ahead, &past), (&past, &past)] {
            let sid = sid();
            if begins == Some(true) {
                assert_eq!(gateway.post("/exotel/voicebot", &caller(&sid)).await.status, 200);
            }
            let told = [("CallSid", sid.as_str()), ("Status", "completed"), ("StartTime", start), ("EndTime", end)];
            assert_eq!(gateway.post("/exotel/call-end", &told).await.status, 200);
            if begins == Some(false) {
                // Whether it gets an answer is not the question here.
                gateway.post("/exotel/voicebot", &caller(&sid)).await;
            }
            let times = store_call(&gateway, &sid).await.times;
            let ended = times.ended_at.unwrap();
            assert!(times.started_at <= ended && ended <= Utc::now(), "{begins:?} {start} {end}: {times:?}");
        }
    }
    gateway.stop().await;
}

/// A caller nobody had before: the calls of one are limited.
fn caller(sid: &str) -> [(&str, &str); 3] {
    [("CallSid", sid), ("CallFrom", "Private"), ("CallTo", "08037091588")]
}

#[actix_web::test]
async fn the_carriers_times_are_read_in_every_spelling() {
    let gateway = Gateway::start().await;
    let noon = DateTime::from_timestamp(1_795_329_000, 0).unwrap();
    for told in [
        "2026-11-22 12:00:00",
        "2026-11-22T06:30:00Z",
        "2026-11-22T12:00:00+05:30",
        "2026-11-22T12:00:00.250+0530",
        "Sun, 22 Nov 2026 12:00:00",
        "Sun, 22 Nov 2026 06:30:00 GMT",
        "1795329000",
        "1795329000000",
    ] {
        let sid = sid();
        let report = [("CallSid", sid.as_str()), ("Status", "busy"), ("StartTime", told), ("EndTime", told)];
        assert_eq!(gateway.post("/exotel/call-end", &report).await.status, 200);
        let times = store_call(&gateway, &sid).await.times;
        assert_eq!((times.started_at, times.ended_at), (noon, Some(noon)), "{told}");
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn no_text_of_a_webhook_is_kept_longer_than_anybody_needs() {
    let gateway = Gateway::start().await;
    let (sid, long) = (sid(), "x".repeat(60_000));
    let told = [("CallSid", sid.as_str()), ("From", &long), ("To", "08037091588"), ("Note", "short")];
    let answer = gateway.post("/exotel/voicebot", &told).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let call = store_call(&gateway, &sid).await;
    assert!(call.parties.from_raw.unwrap().reveal().len() <= 64);
    let payload = gateway.audited("webhook.voicebot", "ok").await.remove(0).payload;
    let from = payload["From"].as_str().unwrap();
    assert!(from.len() <= 2048 && from.ends_with("…(60,000 bytes)"), "{from}");
    assert_eq!(payload["Note"], "short");
    // One entry has a bound; what is left out is counted, and the short fields stay.
    let many: Vec<(String, String)> = (0..30).map(|n| (format!("A{n}"), "y".repeat(1900))).collect();
    let sid = self::sid();
    let mut told: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    told.extend([("CallSid", sid.as_str()), ("CallTo", "08037091588")]);
    assert_eq!(gateway.post("/exotel/voicebot", &told).await.status, 200);
    let payload = gateway.audited("webhook.voicebot", "ok").await.remove(0).payload;
    assert!(payload.to_string().len() <= 16 * 1024, "{}", payload.to_string().len());
    assert_eq!((&payload["CallTo"], &payload["CallSid"]), (&"08037091588".into(), &sid.as_str().into()));
    assert!(payload["left_out"].as_u64().unwrap() > 10, "{payload}");
    gateway.stop().await;
}

#[actix_web::test]
async fn all_times_of_the_api_have_one_form() {
    let gateway = Gateway::start().await;
    let sid = sid();
    let url = ("RecordingUrl", "https://recordings.exotel.com/exotelrecordings/acme/a.mp3");
    gateway.post("/exotel/call-start", &incoming(&sid)).await;
    gateway.post("/exotel/call-end", &[("CallSid", &sid), ("Status", "completed"), url]).await;
    let mut seen = 0;
    for path in [format!("/api/v1/calls/{sid}"), "/api/v1/calls".to_owned(), "/api/v1/clients".to_owned()] {
        times_of(&gateway.operate(Method::GET, &path).await.json(), &mut |name, time| {
            let told = DateTime::parse_from_rfc3339(time).unwrap_or_else(|_| panic!("{name}: {time}"));
            assert_eq!(told.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(), time, "{name}");
            seen += 1;
        });
    }
    assert!(seen >= 8, "{seen}");
    gateway.stop().await;
}

fn times_of(value: &Value, look: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                match value.as_str().filter(|_| name == "at" || name.ends_with("_at")) {
                    Some(time) => look(name, time),
                    None => times_of(value, look),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| times_of(value, look)),
        _ => {}
    }
}
