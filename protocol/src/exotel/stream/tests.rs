use proptest::prelude::*;
use serde_json::json;

use super::*;

const START: &str = r#"{"event":"start","stream_sid":"3357459ca698d8c765bac10b0ec418bl","sequence_number":"1","start":{"stream_sid":"3357459ca698d8c765bac10b0ec418bl","call_sid":"b0c8aea60aceb0007fc5a1bb75c218bl","account_sid":"acme1","from":"09992700000","to":"04446970000","media_format":{"encoding":"base64","sample_rate":"8000","bit_rate":"128kbps"}}}"#;
const MEDIA: &str = r#"{"event":"media","sequence_number":"3","stream_sid":"S","media":{"chunk":"2","timestamp":"10","payload":"AAAA"}}"#;

fn start_of(text: &str) -> Start {
    match parse(text) {
        Ok(CarrierMessage::Start(start)) => *start,
        other => panic!("{other:?}"),
    }
}

fn media_of(text: &str) -> Media<'_> {
    match parse(text) {
        Ok(CarrierMessage::Media(media)) => media,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_captured_start_is_understood() {
    let start = start_of(START);
    assert_eq!(start.stream_sid.as_str(), "3357459ca698d8c765bac10b0ec418bl");
    assert_eq!(start.call_sid.as_str(), "b0c8aea60aceb0007fc5a1bb75c218bl");
    assert_eq!(start.account_sid.as_deref(), Some("acme1"));
    assert_eq!(start.from.unwrap().reveal(), "09992700000");
    assert_eq!(start.to.unwrap().reveal(), "04446970000");
    assert_eq!(start.sample_rate, Ok(SampleRate::Hz8000));
    assert!(start.custom_parameters.is_empty());
}

#[test]
fn a_start_in_camel_case_without_its_own_stream_sid_is_understood() {
    let start = start_of(
        r#"{"event":"start","streamSid":"S1","start":{"callSid":"C1","accountSid":7,"from":9876543210,
            "customParameters":{"queue":"premium","n":3,"flag":true,"list":[1],"none":null},"mediaFormat":{"sampleRate":16000}}}"#,
    );
    assert_eq!(start.stream_sid.as_str(), "S1");
    assert_eq!(start.call_sid.as_str(), "C1");
    assert_eq!(start.account_sid.as_deref(), Some("7"));
    assert_eq!(start.from.unwrap().reveal(), "9876543210");
    assert_eq!(start.to, None);
    assert_eq!(start.sample_rate, Ok(SampleRate::Hz16000));
    let parameters: Vec<_> =
        start.custom_parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(parameters, [("flag", "true"), ("list", "[1]"), ("n", "3"), ("queue", "premium")]);
}

#[test]
fn the_sample_rate_is_read_in_every_spelling_and_a_strange_one_is_told() {
    let rate = |told: Value| {
        let message = json!({"event":"start","start":{"call_sid":"C","media_format":{"sample_rate":told}}});
        start_of(&message.to_string()).sample_rate
    };
    assert_eq!(rate(json!(8000)), Ok(SampleRate::Hz8000));
    assert_eq!(rate(json!("8000Hz")), Ok(SampleRate::Hz8000));
    assert_eq!(rate(json!("24000")), Ok(SampleRate::Hz24000));
    assert_eq!(rate(json!(16000.0)), Ok(SampleRate::Hz16000));
    assert_eq!(rate(json!(null)), Ok(SampleRate::Hz8000));
    assert_eq!(rate(json!("")), Ok(SampleRate::Hz8000));
    assert_eq!(rate(json!({})), Ok(SampleRate::Hz8000));
    assert_eq!(rate(json!("44100")), Err("44100".into()));
    assert_eq!(rate(json!(0)), Err("0".into()));
    assert_eq!(rate(json!("wide")), Err("wide".into()));
    let formatless = start_of(r#"{"event":"start","start":{"call_sid":"C","media_format":"slin"}}"#);
    assert_eq!(formatless.sample_rate, Ok(SampleRate::Hz8000));
}

#[test]
fn a_start_without_a_usable_call_is_refused() {
    for text in [
        r#"{"event":"start"}"#,
        r#"{"event":"start","start":{}}"#,
        r#"{"event":"start","start":{"call_sid":""}}"#,
        r#"{"event":"start","start":{"call_sid":"a b"}}"#,
        r#"{"event":"start","start":{"call_sid":["C"]}}"#,
    ] {
        assert_eq!(parse(text), Err(WireError::Field { field: "start.call_sid" }), "{text}");
    }
}

#[test]
fn usual_media_borrows_its_payload() {
    let media = media_of(MEDIA);
    assert_eq!((media.sequence_number, media.timestamp_ms), (Some(3), Some(10)));
    assert!(matches!(media.payload, Cow::Borrowed("AAAA")));
}

#[test]
fn media_is_media_whatever_its_other_fields_are() {
    for text in [
        r#"{"event":"media","media":{"payload":"AAAA"}}"#,
        r#"{"event":"media","sequenceNumber":3,"streamSid":"S","media":{"chunk":2,"timestamp":10,"payload":"AAAA"}}"#,
        r#"{"event":"media","sequence_number":{},"media":{"timestamp":{"at":1},"payload":"AAAA"}}"#,
        r#"{"event":"media","sequence_number":-1.5,"media":{"timestamp":true,"payload":"AAAA","chunk":[[]]}}"#,
        r#"{"event":"media","event":"media","sequence_number":"1","sequence_number":"2","media":{"payload":"x","payload":"AAAA"}}"#,
        r#"{"event":"media","payload":"AAAA"}"#,
        r#" {"event":"Media","Media":3,"media":{"payload":"AAAA"}} "#,
        r#"{"ev\u0065nt":"m\u0065dia","media":{"payload":"\u0041AAA"}}"#,
    ] {
        assert_eq!(media_of(text).payload, "AAAA", "{text}");
    }
    assert_eq!(media_of(r#"{"event":"media","media":{"payload":"ab\/+"}}"#).payload, "ab/+");
    assert_eq!(media_of(r#"{"event":"media","media":{"timestamp":"9e9","payload":""}}"#).timestamp_ms, Some(9));
    let huge = media_of(r#"{"event":"media","sequence_number":18446744073709551615,"media":{"payload":""}}"#);
    assert_eq!(huge.sequence_number, None);
}

#[test]
fn media_without_a_payload_is_refused() {
    for text in [
        r#"{"event":"media"}"#,
        r#"{"event":"media","media":{"payload":3}}"#,
        r#"{"event":"media","media":{"payload":null}}"#,
    ] {
        assert_eq!(parse(text), Err(WireError::Field { field: "media.payload" }), "{text}");
    }
}

#[test]
fn keys_marks_and_stops_are_understood_in_every_spelling() {
    for (text, digit) in [
        (r#"{"event":"dtmf","sequence_number":"7","stream_sid":"S","dtmf":{"duration":"200","digit":"5"}}"#, '5'),
        (r#"{"event":"dtmf","dtmf":{"digit":0}}"#, '0'),
        (r#"{"event":"dtmf","dtmf":{"digit":"\"9\""}}"#, '9'),
        (r#"{"event":"dtmf","dtmf":{"digit":"*"}}"#, '*'),
        (r##"{"event":"dtmf","dtmf":{"digit":"#"}}"##, '#'),
        (r#"{"event":"dtmf","digit":"d"}"#, 'D'),
    ] {
        assert_eq!(parse(text), Ok(CarrierMessage::Dtmf { digit }), "{text}");
    }
    for digit in ["\"E\"", "\"12\"", "12", "\"५\"", "\"gAAAAABl\""] {
        let text = format!(r#"{{"event":"dtmf","dtmf":{{"digit":{digit}}}}}"#);
        assert_eq!(parse(&text), Ok(CarrierMessage::Dtmf { digit: UNREADABLE_KEY }), "{text}");
    }
    for digit in ["\"\"", "null", "{}"] {
        let text = format!(r#"{{"event":"dtmf","dtmf":{{"digit":{digit}}}}}"#);
        assert_eq!(parse(&text), Err(WireError::Field { field: "dtmf.digit" }), "{text}");
    }
    let mark = parse(r#"{"event":"mark","sequence_number":"15","stream_sid":"S","mark":{"name":"label"}}"#);
    assert_eq!(mark, Ok(CarrierMessage::Mark { name: "label".into() }));
    assert_eq!(parse(r#"{"event":"mark","mark":{"name":7}}"#), Ok(CarrierMessage::Mark { name: "7".into() }));
    assert_eq!(parse(r#"{"event":"mark","mark":{}}"#), Err(WireError::Field { field: "mark.name" }));
    let stop =
        r#"{"event":"stop","sequence_number":"10","stream_sid":"S","stop":{"call_sid":"C","reason":"callended"}}"#;
    assert_eq!(parse(stop), Ok(CarrierMessage::Stop { reason: Some("callended".into()) }));
    assert_eq!(parse(r#"{"event":"stop"}"#), Ok(CarrierMessage::Stop { reason: None }));
}

#[test]
fn no_text_of_the_carrier_is_longer_than_it_needs_to_be() {
    let long = "९".repeat(20_000);
    let message = |event: &str, body: Value| json!({"event": event, event: body}).to_string();
    let Ok(CarrierMessage::Stop { reason: Some(reason) }) = parse(&message("stop", json!({"reason": long}))) else {
        panic!("a stop");
    };
    assert!(reason.len() <= 256 && reason.ends_with("९…(60,000 bytes)"), "{reason}");
    let Ok(CarrierMessage::Mark { name }) = parse(&message("mark", json!({"name": long}))) else { panic!("a mark") };
    assert!(name.len() <= 128, "{name}");
    let Ok(CarrierMessage::Unknown { event }) = parse(&json!({"event": long}).to_string()) else { panic!("an event") };
    assert!(event.len() <= 128, "{event}");
    let parameters: Map<_, _> = (0..500).map(|n| (format!("{n}{long}"), json!(long))).collect();
    let start = start_of(&message(
        "start",
        json!({"call_sid": "C", "account_sid": long, "from": long, "to": [long], "custom_parameters": parameters,
            "media_format": {"sample_rate": long}}),
    ));
    assert!(start.account_sid.is_some_and(|account| account.len() <= 128));
    assert!(start.from.is_some_and(|from| from.reveal().len() <= 64));
    assert_eq!(start.to, None);
    assert!(start.custom_parameters.len() <= 16);
    assert!(start.custom_parameters.iter().all(|(name, value)| name.len() <= 128 && value.len() <= 512));
    assert!(start.sample_rate.is_err_and(|told| told.len() <= 32));
}

#[test]
fn a_stream_whose_id_is_none_goes_on_without_one() {
    let long = "s".repeat(65);
    for sid in [json!(long), json!("a b"), json!("\"},{"), json!("नमस्ते"), json!({}), json!("")] {
        let start = start_of(&json!({"event": "start", "start": {"call_sid": "C", "stream_sid": sid}}).to_string());
        let mut out = String::new();
        write_clear(&mut out, &start.stream_sid);
        assert_eq!(out, r#"{"event":"clear"}"#, "{sid}");
    }
    let outer = start_of(&json!({"event": "start", "stream_sid": "S", "start": {"call_sid": "C"}}).to_string());
    assert_eq!(outer.stream_sid.as_str(), "S");
}

#[test]
fn bodiless_and_unknown_events_are_told_apart() {
    assert_eq!(parse(r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#), Ok(CarrierMessage::Connected));
    assert_eq!(parse(r#"{"event":"clear","stream_sid":"S"}"#), Ok(CarrierMessage::Clear));
    assert_eq!(
        parse(r#"{"event":"Silence","media":{"payload":"x"}}"#),
        Ok(CarrierMessage::Unknown { event: "Silence".into() })
    );
}

#[test]
fn junk_is_an_error_that_repeats_nothing_of_it() {
    for text in [
        "",
        " ",
        "hello",
        "{",
        "[]",
        "3",
        "null",
        "\"media\"",
        "{\"event\":\"media\"",
        "{}{}",
        "{\"event\":\"\\ud800\"}",
    ] {
        let error = parse(text).unwrap_err();
        assert!(matches!(error, WireError::NotJson { .. }), "{text}: {error:?}");
    }
    for text in ["{}", r#"{"event":null}"#, r#"{"event":3}"#, r#"{"event":["media"],"media":{"payload":"AAAA"}}"#] {
        assert_eq!(parse(text), Err(WireError::Field { field: "event" }), "{text}");
    }
    let error = parse(r#"{"from":"09876543210","event":truth}"#).unwrap_err().to_string();
    assert!(!error.contains("98765"), "{error}");
}

#[test]
fn a_large_junk_frame_is_refused() {
    assert!(parse(&"[".repeat(100_000)).is_err());
    assert!(parse(&format!(r#"{{"event":"media","media":{}1{}}}"#, "[".repeat(50_000), "]".repeat(50_000))).is_err());
}

fn start_with(media_format: &str) -> Start {
    let text = format!(r#"{{"event":"start","start":{{"call_sid":"C","media_format":{media_format}}}}}"#);
    match parse(&text) {
        Ok(CarrierMessage::Start(start)) => *start,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn a_start_says_how_its_audio_is_coded() {
    for (format, encoding, rate) in [
        (r#"{"encoding":"audio/x-mulaw","sample_rate":"8000"}"#, Encoding::Ulaw, SampleRate::Hz8000),
        (r#"{"encoding":"audio/PCMU;rate=8000"}"#, Encoding::Ulaw, SampleRate::Hz8000),
        (r#"{"encoding":"audio/PCMA; rate=16000"}"#, Encoding::Alaw, SampleRate::Hz16000),
        (r#"{"encoding":"audio/x-l16;rate=24000","sample_rate":"16000"}"#, Encoding::Pcm, SampleRate::Hz16000),
        (r#"{"content_type":"audio/x-mulaw;rate=8000"}"#, Encoding::Ulaw, SampleRate::Hz8000),
        (r#"{"encoding":null,"sample_rate":"24000"}"#, Encoding::Pcm, SampleRate::Hz24000),
        (r#"{"encoding":{"of":"mulaw"}}"#, Encoding::Pcm, SampleRate::Hz8000),
        ("{}", Encoding::Pcm, SampleRate::Hz8000),
    ] {
        let start = start_with(format);
        assert_eq!((start.encoding, start.sample_rate), (Ok(encoding), Ok(rate)), "{format}");
    }
    assert_eq!(start_with(r#"{"encoding":"audio/opus"}"#).encoding, Err("audio/opus".into()));
    assert_eq!(start_with(r#"{"encoding":"PCMU;rate=44100"}"#).sample_rate, Err("44100".into()));
    let long = format!(r#"{{"encoding":"{}"}}"#, "é".repeat(10_000));
    assert_eq!(start_with(&long).encoding.map_err(|sent| sent.len() <= 32), Err(true));
}

#[test]
fn what_we_write_is_what_exotel_documents() {
    let stream = StreamSid::new("3357459ca698d8c765bac10b0ec418bl");
    let mut out = "left over".to_owned();
    write_media(&mut out, &stream, &[0, 1, 2]);
    assert_eq!(out, r#"{"event":"media","stream_sid":"3357459ca698d8c765bac10b0ec418bl","media":{"payload":"AAEC"}}"#);
    write_mark(&mut out, &stream, MarkId { generation: 3, sequence: 41 });
    assert_eq!(out, r#"{"event":"mark","stream_sid":"3357459ca698d8c765bac10b0ec418bl","mark":{"name":"3-41"}}"#);
    write_clear(&mut out, &stream);
    assert_eq!(out, r#"{"event":"clear","stream_sid":"3357459ca698d8c765bac10b0ec418bl"}"#);
    write_clear(&mut out, &StreamSid::new(""));
    assert_eq!(out, r#"{"event":"clear"}"#);
}

proptest! {
    #[test]
    fn any_text_is_a_message_or_an_error(text in any::<String>()) {
        let _ = parse(&text);
        let _ = AudioIn::default().decode(&text, &mut Vec::new());
    }

    #[test]
    fn a_real_message_with_any_byte_replaced_is_a_message_or_an_error(
        message in prop_oneof![Just(START), Just(MEDIA)], at in any::<proptest::sample::Index>(), with in any::<char>(),
    ) {
        let at = at.index(message.len());
        let _ = parse(&format!("{}{with}{}", &message[..at], &message[at + 1..]));
        let _ = parse(&message[..at]);
    }

    #[test]
    fn media_survives_any_other_fields(other in json_value(), name in "[a-z_A-Z]{1,12}") {
        prop_assume!(name != "event" && name != "media" && name != "payload");
        let fields = [("event".to_owned(), json!("media")), (name.clone(), other.clone()), ("media".to_owned(), json!({name: other, "payload": "AAAA"}))];
        let text = Value::Object(fields.into_iter().collect()).to_string();
        prop_assert_eq!(&media_of(&text).payload, "AAAA");
    }

    #[test]
    fn our_media_and_marks_read_back_as_they_were(sid in any::<String>(), mark in any::<(u32, u64)>(), pcm in any::<Vec<u8>>()) {
        let stream = StreamSid::new(sid);
        let mut out = String::new();
        write_media(&mut out, &stream, &pcm);
        let mut back = Vec::new();
        AudioIn::default().decode(&media_of(&out).payload, &mut back).unwrap();
        prop_assert_eq!(&back[..], &pcm[..pcm.len() - pcm.len() % 2]);
        let mark = MarkId { generation: mark.0, sequence: mark.1 };
        write_mark(&mut out, &stream, mark);
        let Ok(CarrierMessage::Mark { name }) = parse(&out) else { panic!("{out}") };
        prop_assert_eq!(MarkId::parse(&name), Some(mark));
    }
}

/// Any JSON, a few levels deep.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
