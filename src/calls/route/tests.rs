use chrono::TimeDelta;
use protocol::ids::PhoneNumber;
use serde_json::json;

use super::*;
use crate::store::Entry;

fn document(told: serde_json::Value) -> Document {
    serde_json::from_value(told).unwrap()
}

/// A desk for whom the agent fails, billing, and a night desk from six to nine.
fn with_people() -> Document {
    document(json!({
        "hours": { "open": ["Mon-Fri 09:00-18:00"], "to": "night" },
        "destinations": {
            "desk": { "to": "+918047112290" },
            "billing": { "to": "+918047112291", "hours": ["Mon-Fri 09:00-12:00"] },
            "night": { "to": "+918047112292", "hours": ["Mon-Fri 17:00-21:00"] },
        },
        "failure": { "to": "desk" },
    }))
}

/// Monday, 2026-11-23.
fn monday(time: &str) -> DateTime<Utc> {
    format!("2026-11-23T{time}:00+05:30").parse().unwrap()
}

fn call(ended: Option<EndCode>, at: DateTime<Utc>) -> Call {
    let mut call = crate::calls::tests::call(Some(Entry::Voicebot), at);
    call.ended_code = ended;
    call
}

fn to(destination: Option<&str>) -> CallTransfer {
    CallTransfer {
        number: 1,
        at: monday("10:00"),
        destination: destination.map(str::to_owned),
        reason: String::new(),
        summary: None,
        cause: EndCode::Transferred,
        outcome: None,
    }
}

struct Case {
    document: Document,
    call: Call,
    stands: Option<CallTransfer>,
    failed: bool,
    too_often: bool,
    ours: Vec<NumberOwner>,
}

impl Case {
    fn of(ended: Option<EndCode>, at: &str) -> Self {
        let call = call(ended, monday(at));
        Self { document: with_people(), call, stands: None, failed: false, too_often: false, ours: Vec::new() }
    }

    fn route(&self) -> String {
        let on_file = OnFile {
            call: &self.call,
            stands: self.stands.as_ref(),
            stream_failed: self.failed,
            too_often: self.too_often,
            document: &self.document,
            zone: Tz::Asia__Kolkata,
            ours: &self.ours,
            now: self.call.times.started_at + TimeDelta::minutes(1),
        };
        match route(&on_file) {
            Route::Flow(next) => format!("{next:?}"),
            Route::To(name, _) => name.to_owned(),
            Route::Nowhere => "nowhere".to_owned(),
        }
    }
}

#[test]
fn whom_the_agent_handed_on_goes_there_and_whom_it_failed_to_the_desk_and_whoever_hung_up_nowhere() {
    let transferred = |name| Case { stands: Some(to(name)), ..Case::of(Some(EndCode::Transferred), "10:00") };
    assert_eq!(transferred(Some("billing")).route(), "billing");
    // It was open when that was decided.
    assert_eq!(
        Case { call: call(Some(EndCode::Transferred), monday("11:59")), ..transferred(Some("billing")) }.route(),
        "billing"
    );
    assert_eq!(transferred(Some("gone")).route(), "desk", "there is no such destination any more");
    assert_eq!(transferred(None).route(), "desk");
    for code in EndCode::ALL {
        let expected = match code {
            EndCode::Closed => "nowhere",
            code if code.hands_on() => "desk",
            _ => "nowhere",
        };
        assert_eq!(Case::of(Some(code), "10:00").route(), expected, "{code:?}");
    }
    assert_eq!(Case::of(None, "10:00").route(), "nowhere");
    assert_eq!(Case { failed: true, ..Case::of(None, "10:00") }.route(), "desk");
}

#[test]
fn who_comes_outside_of_hours_goes_where_the_hours_say_if_somebody_is_there() {
    assert_eq!(Case::of(Some(EndCode::Closed), "19:00").route(), "night");
    assert_eq!(Case::of(Some(EndCode::Closed), "23:00").route(), "nowhere");
    assert_eq!(Case::of(Some(EndCode::ModelFailed), "19:00").route(), "night", "the words could not be said");
    assert_eq!(Case { failed: true, ..Case::of(None, "19:00") }.route(), "night");
    assert_eq!(Case::of(Some(EndCode::CallerHungUp), "19:00").route(), "nowhere");
}

#[test]
fn who_was_refused_goes_to_the_desk_but_not_who_calls_too_often_or_is_gone() {
    let mut refused = Case::of(None, "10:00");
    refused.call.entry = None;
    assert_eq!(refused.route(), "desk");
    refused.too_often = true;
    assert_eq!(refused.route(), "nowhere");
    refused.too_often = false;
    refused.call.carrier_status = Some("completed".to_owned());
    assert_eq!(refused.route(), "nowhere");
    assert_eq!(Case::of(Some(EndCode::ContextRefused), "10:00").route(), "desk");
}

#[test]
fn nobody_is_sent_to_a_number_that_an_agent_answers() {
    let owner = |number: &str| NumberOwner { number: PhoneNumber::new(number), id: 7, client: "B".to_owned() };
    let transferred = Case { stands: Some(to(Some("billing"))), ..Case::of(Some(EndCode::Transferred), "10:00") };
    assert_eq!(Case { ours: vec![owner("+918047112291")], ..transferred }.route(), "desk");
    let failed = Case { ours: vec![owner("+918047112290")], ..Case::of(Some(EndCode::ModelFailed), "10:00") };
    assert_eq!(failed.route(), "nowhere");
}

#[test]
fn a_client_without_destinations_has_it_as_it_was() {
    for code in EndCode::ALL.into_iter().map(Some).chain([None]) {
        for failed in [false, true] {
            let case = Case { document: Document::default(), failed, ..Case::of(code, "10:00") };
            assert_eq!(case.route(), format!("{:?}", Next::after(code, failed)), "{code:?}");
        }
    }
    // And one whose agent fails without that being provided for: to nobody, as connect would say.
    let mut case = Case::of(Some(EndCode::ModelFailed), "10:00");
    case.document.transfers.failure = None;
    assert_eq!(case.route(), "nowhere");
}
