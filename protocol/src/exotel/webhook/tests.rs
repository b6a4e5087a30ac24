use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::ids::StreamSid;

fn form(body: &str) -> Fields {
    Fields::from_urlencoded(body.as_bytes())
}

fn body(body: serde_json::Value) -> Fields {
    Fields::from_json(body.to_string().as_bytes()).unwrap()
}

const DYNAMIC_URL: &str = "CallSid=5979a54734e3bf7505cb8e41b96e1917&CallFrom=09494860000&CallTo=08047113155&Direction=outbound-dial&\
    Created=Tue%2C+07+Jan+2025+15%3A51%3A06&DialWhomNumber=&HangupLatencyStartTime=&From=09494860000&To=09513886363&\
    CustomField=7e9095cd-b91d-4df0&CurrentTime=2025-01-07+15%3A51%3A06";

#[test]
fn a_captured_start_of_a_call_is_understood() {
    let start = CallStart::try_from(&form(DYNAMIC_URL)).unwrap();
    assert_eq!(start.call_sid.as_str(), "5979a54734e3bf7505cb8e41b96e1917");
    assert_eq!(start.from.unwrap().reveal(), "09494860000");
    assert_eq!(start.to.unwrap().reveal(), "08047113155", "CallTo decides, not To");
    let lines: Vec<_> = start.lines.iter().map(PhoneNumber::reveal).collect();
    assert_eq!(lines, ["08047113155", "09513886363", "09494860000"]);
    assert_eq!(start.direction, Direction::Outbound);
    assert_eq!(start.custom_field.as_deref(), Some("7e9095cd-b91d-4df0"));
}

#[test]
fn from_and_to_stand_in_and_a_withheld_number_is_none() {
    let start = CallStart::try_from(&form("call_sid=abc&CallTo=&To=%2B918047113155&From=null")).unwrap();
    assert_eq!(start.to.unwrap().reveal(), "+918047113155");
    assert_eq!(start.from, None);
    assert_eq!(start.direction, Direction::Inbound);
    assert_eq!(start.custom_field, None);
}

#[test]
fn whoever_calls_of_their_own_accord_is_never_taken_for_the_number_that_was_called() {
    let lines = |form_of: &str| {
        let start = CallStart::try_from(&form(form_of)).unwrap();
        start.lines.iter().map(|line| line.reveal().to_owned()).collect::<Vec<_>>()
    };
    let numbers = "CallSid=a&CallFrom=1&From=1&CallTo=2&To=3&PhoneNumberSid=4";
    assert_eq!(lines(numbers), ["2", "3", "4"]);
    assert_eq!(lines(&format!("{numbers}&Direction=incoming")), ["2", "3", "4"]);
    assert_eq!(lines(&format!("{numbers}&Direction=outbound-dial")), ["2", "3", "4", "1"]);
    assert_eq!(lines("CallSid=a&CallFrom=1&Direction=outbound-api"), ["1"]);
    assert_eq!(CallStart::try_from(&form("CallSid=a&CallFrom=1")).unwrap_err().field, "CallTo");
}

#[test]
fn a_missing_or_malformed_field_is_named() {
    for (fields, field) in [
        ("CallTo=1", "CallSid"),
        ("CallSid=&CallTo=1", "CallSid"),
        ("CallSid=a%20b&CallTo=1", "CallSid"),
        ("CallSid=..%2F..&CallTo=1", "CallSid"),
        ("CallSid=abc", "CallTo"),
        ("CallSid=abc&CallTo=null", "CallTo"),
    ] {
        assert_eq!(CallStart::try_from(&form(fields)).unwrap_err().field, field, "{fields}");
    }
    let long = format!("CallSid={}&CallTo=1", "a".repeat(65));
    assert_eq!(CallStart::try_from(&form(&long)).unwrap_err().field, "CallSid");
    let error = CallStart::try_from(&form("CallSid=%3Cscript%3E")).unwrap_err().to_string();
    assert_eq!(error, "CallSid is malformed: 1 to 64 letters, digits, `_` or `-`");
}

#[test]
fn a_status_callback_in_json_is_understood() {
    let end = CallEnd::try_from(&body(json!({
        "CallSid": "492205107c5fb48f4ac25d1f77759339", "EventType": "terminal", "DateCreated": "2019-04-08 03:17:59",
        "Status": "completed", "To": "+918867990000", "From": "+919413740000", "StartTime": "2019-04-08 03:17:59",
        "EndTime": "2019-04-08 03:18:36", "Direction": "outbound-api", "RecordingUrl": "https://s3.example/r.mp3",
        "ConversationDuration": 32, "CustomField": null, "Legs": [{"OnCallDuration": 41, "Status": "completed"}]
    })))
    .unwrap();
    assert_eq!(end.status, "completed");
    assert!(end.is_final());
    assert_eq!(end.direction, Direction::Outbound);
    assert_eq!((end.started_at, end.ended_at), (Some(1_554_673_679), Some(1_554_673_716)));
    assert_eq!(end.conversation_secs, Some(32));
    assert_eq!(end.recording_url.as_deref(), Some("https://s3.example/r.mp3"));
    assert_eq!(end.custom_field, None);
}

#[test]
fn a_passthru_without_a_call_status_is_understood() {
    let end = CallEnd::try_from(&form(
        "CallSid=23c162077629863c1a2d7f29263a162m&CallFrom=09999999991&Direction=incoming&ForwardedFrom=null&\
         StartTime=2022-02-23+12%3A31%3A58&EndTime=1970-01-01+05%3A30%3A00&DialCallStatus=no-answer&CallType=incomplete",
    ))
    .unwrap();
    assert_eq!(end.status, "no-answer");
    assert_eq!(end.ended_at, None, "Exotel's epoch is no time");
    assert_eq!(end.started_at, Some(1_645_599_718));
    let end = CallEnd::try_from(&form("CallSid=a&Stream%5BStatus%5D=Cancelled")).unwrap();
    assert_eq!(end.status, "canceled");
    assert_eq!(CallEnd::try_from(&form("CallSid=a")).unwrap_err().field, "CallStatus");
    assert_eq!(CallEnd::try_from(&form("CallSid=a&Status=%3Cb%3E")).unwrap_err().field, "CallStatus");
}

#[test]
fn a_call_that_was_only_answered_is_not_over() {
    for fields in [
        "CallSid=a&Status=in-progress",
        "CallSid=a&CallStatus=Ringing",
        "CallSid=a&Status=completed&EventType=answered",
    ] {
        assert!(!CallEnd::try_from(&form(fields)).unwrap().is_final(), "{fields}");
    }
}

#[test]
fn a_recording_is_a_web_address_and_is_found_in_the_stream_too() {
    let ready =
        RecordingReady::try_from(&form("CallSid=a&RecordingUrl=https%3A%2F%2Frecordings.exotel.com%2Fx.mp3")).unwrap();
    assert_eq!(ready.url, "https://recordings.exotel.com/x.mp3");
    let ready = RecordingReady::try_from(&body(json!({"CallSid": "a", "Stream": {"RecordingUrl": "https://h/y.mp3"}})))
        .unwrap();
    assert_eq!(ready.url, "https://h/y.mp3");
    for url in ["", "null", "ftp://h/x.mp3", "file:///etc/passwd", "नमस्ते"] {
        let fields = body(json!({"CallSid": "a", "RecordingUrl": url}));
        assert_eq!(RecordingReady::try_from(&fields).unwrap_err().field, "RecordingUrl", "{url}");
    }
}

#[test]
fn both_shapes_of_a_stream_report_are_one() {
    let flat = form(
        "CallSid=56b1&flow_id=f&Stream[StreamSID]=6f04&Stream%5BStatus%5D=completed&Stream[Duration]=28&\
         Stream[RecordingUrl]=https://h/6f04.mp3&Stream[StreamUrl]=wss://h/media&Stream[DisconnectedBy]=bot&Stream[Error]=",
    );
    let mut json = form("CallSid=56b1");
    json.push(
        "Stream",
        r#"{"StreamSID":"6f04","RecordingUrl":"https://h/6f04.mp3","Status":"completed","Duration":28,"DisconnectedBy":"bot","Error":null}"#,
    );
    let nested =
        body(json!({"CallSid": "56b1", "Stream": {"StreamSID": "6f04", "Status": "completed", "Duration": "28",
        "RecordingUrl": "https://h/6f04.mp3", "DisconnectedBy": "bot"}}));
    let expected = StreamReport {
        call_sid: CallSid::new("56b1"),
        stream_sid: Some(StreamSid::new("6f04")),
        status: Some("completed".into()),
        duration_secs: Some(28),
        recording_url: Some("https://h/6f04.mp3".into()),
        disconnected_by: Some(DisconnectedBy::Us),
        error: None,
        detailed_status: None,
    };
    for fields in [flat, json, nested] {
        assert_eq!(StreamReport::try_from(&fields).unwrap(), expected);
    }
    let none = StreamReport::try_from(&form("CallSid=56b1&Stream=junk")).unwrap();
    assert_eq!((none.status, none.disconnected_by), (None, None));
}

#[test]
fn names_are_found_without_regard_to_case_and_underscores() {
    let fields = form("callsid=abc&Legs%5B0%5D%5BStatus%5D=busy&digits=%228%22");
    assert_eq!(fields.get("CallSid"), Some("abc"));
    assert_eq!(fields.get("legs[0][status]"), Some("busy"));
    assert_eq!(fields.get("Digits"), Some("8"));
    assert_eq!(form("digits=%22%22").get("digits"), None);
    assert_eq!(form("a=null&a=&a=%20&a=1&a=2").get("a"), Some("1"), "the first that is a value");
    assert_eq!(fields.get("CallFrom"), None);
}

#[test]
fn bad_escapes_and_bytes_cost_nothing_but_themselves() {
    let fields = Fields::from_urlencoded(b"a=%zz%4&&b&=c&d=%ff%41&e=1=2&f=%E0%A4%A8+x");
    let all: Vec<_> = fields.iter().collect();
    assert_eq!(all, [("a", "%zz%4"), ("b", ""), ("", "c"), ("d", "\u{fffd}A"), ("e", "1=2"), ("f", "न x")]);
}

#[test]
fn json_that_is_no_object_is_refused_without_repeating_it() {
    for text in ["", "[1]", "09876543210", "\"09876543210\"", "{\"From\":\"09876543210\"", "{\"From\":truth}"] {
        let error = Fields::from_json(text.as_bytes()).unwrap_err();
        assert_eq!(error.field, "body");
        assert!(!error.to_string().contains("98765"), "{error}");
    }
    assert!(Fields::from_json(&[0xff, b'{']).is_err());
}

#[test]
fn nesting_cannot_blow_a_body_up() {
    let wide = form(&"a=1&".repeat(16_000));
    assert_eq!(wide.iter().count(), 1000);
    let long = body(json!({ "n".repeat(30_000): vec![1; 10_000], "CallSid": "abc" }));
    assert_eq!(long.iter().count(), 1);
    assert!(Fields::from_json("[".repeat(60_000).as_bytes()).is_err());
}

#[test]
fn the_audit_payload_keeps_everything_but_secrets() {
    let fields = form(
        "CallSid=abc&x=1&x=2&x=3&key=s3cret&Stream[StreamUrl]=wss%3A%2F%2Fuser%3Ap%40ss%40h%2Fmedia%3Fa%3Db%40c&\
         passthru=%22https%3A%5C%2F%5C%2Fu%3Ap%40h%5C%2Fx%3Fkey%3Ds3cret%26CallSid%3Dabc%26key%3Ds3cret%22&mail=a%40b.in",
    );
    assert_eq!(
        fields.to_json(),
        json!({
            "CallSid": "abc", "x": ["1", "2", "3"], "key": "[redacted]", "Stream[StreamUrl]": "wss://[redacted]@h/media?[redacted]",
            "passthru": "\"https:\\/\\/[redacted]@h\\/x?[redacted]\"", "mail": "a@b.in"
        })
    );
    assert!(!format!("{fields:?}").contains("s3cret"));
}

proptest! {
    #[test]
    fn any_body_is_read_or_refused(body in any::<Vec<u8>>()) {
        for fields in [Some(Fields::from_urlencoded(&body)), Fields::from_json(&body).ok()].into_iter().flatten() {
            let _ = (CallStart::try_from(&fields), CallEnd::try_from(&fields), RecordingReady::try_from(&fields));
            let _ = (StreamReport::try_from(&fields), fields.to_json());
        }
    }

    #[test]
    fn any_values_are_read_or_refused(values in prop::collection::vec(any::<String>(), 8)) {
        let names = ["CallSid", "CallTo", "Status", "StartTime", "Stream", "RecordingUrl", "Direction", "digits"];
        let mut fields = Fields::default();
        names.iter().zip(values).for_each(|(name, value)| fields.push(*name, value));
        let _ = (CallStart::try_from(&fields), CallEnd::try_from(&fields), RecordingReady::try_from(&fields));
        let _ = (StreamReport::try_from(&fields), fields.to_json());
    }

    #[test]
    fn any_text_is_a_number_or_none(text in any::<String>(), digits in "[+0-9 -]{0,18}") {
        for raw in [text, digits] {
            if let Some(number) = crate::exotel::normalise_number(&raw, "IN") {
                prop_assert_eq!(crate::exotel::normalise_number(&number, "IN"), Some(number.clone()));
                prop_assert!(number.len() <= 16 && number[1..].bytes().all(|byte| byte.is_ascii_digit()));
            }
        }
    }

    #[test]
    fn any_greeting_makes_well_formed_xml(greeting in any::<String>(), language in any::<String>(), url in any::<String>()) {
        let xml = crate::exotel::answer_xml(&greeting, &language, &url);
        let mut reader = quick_xml::Reader::from_str(&xml);
        while !matches!(reader.read_event().unwrap(), quick_xml::events::Event::Eof) {}
        prop_assert!(xml.starts_with("<Response>") && xml.ends_with("</Response>"));
    }
}
