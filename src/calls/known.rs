//! What is known of a call for the places of its texts, without asking anybody: who calls whom, when, and what there was before.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::DateTime;
use chrono_tz::Tz;
use protocol::call::template::Template;
use protocol::ids::PhoneNumber;
use tokio::time::timeout;

use crate::store::{Call, Client, EarlierCall, Parties, Store};

/// Calls of a caller that are told of.
const MOST_EARLIER: i64 = 5;
/// So long a call's beginning waits for them: later, the place has its default.
const EARLIER_WAIT: Duration = Duration::from_millis(100);
/// How times are told.
const TIME: &str = "%A, %-d %B %Y, %H:%M";

/// What a client's texts want to know of a call. `now` is when it began: whoever asks again is answered the same.
pub(super) async fn known(
    store: &Store,
    client: &Client,
    lines: &[PhoneNumber],
    row: &Call,
    custom_field: Option<&str>,
) -> BTreeMap<String, String> {
    let parties = &row.parties;
    let wanted = wanted(client);
    let wants = |name: &str| wanted.iter().any(|wanted| wanted == name);
    let (mut known, zone) = (BTreeMap::new(), zone(client));
    let mut tell = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|_| wants(name)) {
            known.insert(name.to_owned(), value);
        }
    };
    let other = caller(lines, parties);
    tell("caller", other.map(|number| number.reveal().to_owned()));
    tell("called", parties.to.as_ref().map(|number| number.reveal().to_owned()));
    tell("now", Some(row.times.started_at.with_timezone(&zone).format(TIME).to_string()));
    tell("custom_field", custom_field.map(str::to_owned));
    if let Some(other) = other.filter(|_| wants("previous_calls")) {
        let earlier = store.earlier_calls(client.id, other, &row.call_sid, MOST_EARLIER);
        match timeout(EARLIER_WAIT, earlier).await {
            Ok(Ok(earlier)) => tell("previous_calls", told(&earlier, zone)),
            Ok(Err(_)) | Err(_) => metrics::counter!("callgate_previous_calls_missed_total").increment(1),
        }
    }
    known
}

/// Who talks with the agent of the client whose lines these are: of a call that the client placed, whoever was called.
pub(super) fn caller<'p>(lines: &[PhoneNumber], parties: &'p Parties) -> Option<&'p PhoneNumber> {
    [&parties.from, &parties.to].into_iter().flatten().find(|number| !lines.contains(number))
}

/// The client's time zone.
pub(super) fn zone(client: &Client) -> Tz {
    client.time_zone.parse().unwrap_or(Tz::Asia__Kolkata)
}

/// Names of the places of a client's texts.
fn wanted(client: &Client) -> Vec<String> {
    let texts = [&client.agent.greeting, &client.agent.instructions];
    let templates = texts.into_iter().filter(|text| text.contains("{{")).filter_map(|text| Template::parse(text).ok());
    templates.flat_map(|template| template.names(true).map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Calls in words, the latest first; none: there were none.
fn told(earlier: &[EarlierCall], zone: Tz) -> Option<String> {
    let call = |call: &EarlierCall| {
        let at: DateTime<Tz> = call.at.with_timezone(&zone);
        let took = match call.duration_ms {
            Some(ms) => format!(" ({} s)", ms / 1000),
            None => String::new(),
        };
        format!("{}{took}", at.format(TIME))
    };
    (!earlier.is_empty()).then(|| earlier.iter().map(call).collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_called_from_any_of_the_clients_numbers_is_the_one_the_agent_talks_with() {
        let number = |told: &str| PhoneNumber::new(told);
        let lines = [number("+918047112233"), number("+918047112234")];
        for line in &lines {
            let (person, line) = (Some(number("+919876543210")), Some(line.clone()));
            for (from, to) in [(person.clone(), line.clone()), (line, person.clone())] {
                let parties = Parties { from, to, ..Parties::default() };
                assert_eq!(caller(&lines, &parties), person.as_ref());
            }
        }
        let withheld = Parties { to: Some(lines[1].clone()), ..Parties::default() };
        assert_eq!(caller(&lines, &withheld), None);
    }

    #[test]
    fn earlier_calls_are_told_in_the_clients_time_and_none_are_not_told() {
        let at = "2026-11-20T18:45:00Z".parse().unwrap();
        let earlier = [EarlierCall { at, duration_ms: Some(62_900) }, EarlierCall { at, duration_ms: None }];
        let told_of = told(&earlier, Tz::Asia__Kolkata).unwrap();
        assert_eq!(told_of, "Saturday, 21 November 2026, 00:15 (62 s); Saturday, 21 November 2026, 00:15");
        assert_eq!(told(&[], Tz::UTC), None);
    }
}
