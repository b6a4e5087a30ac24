//! Whether callers get where a file sends them.

use protocol::exotel::normalise_number;

use super::{AgentFile, Mistakes};
use crate::agent::hours::ever_without;

/// Judges all of it: numbers in the one spelling that they are kept in, and every name that is a destination's.
pub(super) fn judge(file: &mut AgentFile, mistakes: &mut Mistakes) {
    numbers(file, mistakes);
    if let Some(failure) = &file.transfers.failure {
        known(file, "failure.to", &failure.to, mistakes);
    }
    let Some((hours, to)) = file.hours.as_ref().and_then(|hours| Some((hours, hours.to.as_ref()?))) else { return };
    if !known(file, "hours.to", to, mistakes) {
        return;
    }
    let there = file.transfers.destinations.get(to).and_then(|destination| destination.hours.as_deref());
    if !ever_without(None, &hours.open) {
        mistakes.tell("hours.to", "is never taken, since the agent is always there: leave it out");
    } else if !ever_without(there, &hours.open) {
        mistakes.tell(
            "hours.to",
            format!("is {to}, which is closed whenever the agent is: name one that is open then, or leave it out"),
        );
    }
}

/// Whether there is a destination of that name; else that is told of the key.
pub(in crate::agent) fn known(file: &AgentFile, key: &str, name: &str, mistakes: &mut Mistakes) -> bool {
    let there = file.transfers.destinations.keys();
    // What is empty was told.
    if name.is_empty() || file.transfers.destinations.contains_key(name) {
        return !name.is_empty();
    }
    let names = there.map(String::as_str).collect::<Vec<_>>().join(", ");
    let mend = match names.is_empty() {
        true => format!("add [destinations.{name}], or leave it out"),
        false => format!("there are {names}"),
    };
    mistakes.tell(key, format!("is {name}, which is no destination: {mend}"));
    false
}

fn numbers(file: &mut AgentFile, mistakes: &mut Mistakes) {
    let (ours, region) = (&file.numbers, &file.region);
    for (name, destination) in &mut file.transfers.destinations {
        let key = |key: &str| format!("destinations.{name}.{key}");
        if let Some(shown) = &mut destination.caller_id {
            match normalise_number(shown, region) {
                Some(number) => *shown = number,
                None => mistakes.tell(&key("caller_id"), "is no phone number: give an ExoPhone, as +918047112233"),
            }
        }
        if destination.hours.as_ref().is_some_and(Vec::is_empty) {
            mistakes
                .tell(&key("hours"), "is empty, so that nobody is ever there: give days and times, or leave it out");
        }
        if destination.to.is_empty() || is_sip(&destination.to) {
            continue;
        }
        match normalise_number(&destination.to, region) {
            Some(number) => destination.to = number,
            None => {
                let problem =
                    "is neither a phone number nor a SIP address: give +918047112233, 08047112233 or sip:desk@host";
                mistakes.tell(&key("to"), problem);
            }
        }
        if ours.contains(&destination.to) {
            let problem =
                "is a number of this client's own, whose calls the agent answers: give the number of a person";
            mistakes.tell(&key("to"), problem);
        } else if destination.caller_id.as_ref() == Some(&destination.to) {
            mistakes.tell(&key("caller_id"), "is the number that is called: give another, or leave it out");
        }
    }
}

/// What a carrier takes as a SIP address: `sip:`, and then a user or a trunk.
fn is_sip(told: &str) -> bool {
    let rest = ["sip:", "sips:"].into_iter().find_map(|scheme| told.strip_prefix(scheme));
    rest.is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>,".contains(&byte))
    })
}
