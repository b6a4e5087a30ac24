//! A verdict in words, and as JSON.

use serde_json::{Value, json};

use super::verdict::{Finding, Noticed, Symptom, Verdict};
use crate::store::{Recording, RecordingStatus};

/// Things of a kind that are told one by one; of more, how many there were.
const ONE_BY_ONE: usize = 2;
/// Looks that are told.
const MOST_LOOKS: usize = 4;

impl Verdict {
    /// The five lines: what each is of, and what it says.
    pub(crate) fn lines(&self) -> [(&'static str, String); 5] {
        [
            ("noticed", self.noticed()),
            ("where", self.place_words()),
            ("shown by", self.shown()),
            ("look at", self.looks().join("; ")),
            ("sure", self.sure()),
        ]
    }

    pub(crate) fn to_json(&self) -> Value {
        let findings: Vec<Value> = self.findings.iter().map(finding_json).collect();
        let words = |symptoms: &[Symptom]| symptoms.iter().map(|symptom| symptom.words.clone()).collect::<Vec<_>>();
        json!({
            "call_sid": self.call_sid.as_str(),
            "so_far": self.so_far,
            "noticed": words(&self.noticed),
            "places": self.places().into_iter().map(|place| place.name()).collect::<Vec<_>>(),
            "findings": findings,
            "unexplained": words(&self.unexplained),
            "missing": self.missing(),
            "known": self.known(),
            "sound": self.sound,
            "lines": self.lines().into_iter().map(|(name, said)| format!("{name}: {said}")).collect::<Vec<_>>(),
        })
    }

    fn noticed(&self) -> String {
        let so_far = if self.so_far { " so far" } else { "" };
        if self.noticed.is_empty() {
            return format!("nothing{so_far}: no answer was slow, and nothing was lost");
        }
        let mut kinds: Vec<Noticed> = Vec::new();
        let mut told = Vec::new();
        for symptom in &self.noticed {
            if kinds.contains(&symptom.of) {
                continue;
            }
            kinds.push(symptom.of);
            let alike: Vec<&Symptom> = self.noticed.iter().filter(|other| other.of == symptom.of).collect();
            told.extend(alike.iter().take(ONE_BY_ONE).map(|symptom| symptom.words.clone()));
            if alike.len() > ONE_BY_ONE {
                told.push(format!("and {} times more", alike.len() - ONE_BY_ONE));
            }
        }
        format!("{}{}", told.join("; "), if self.so_far { " (so far)" } else { "" })
    }

    fn place_words(&self) -> String {
        let places: Vec<&str> = self.places().into_iter().map(super::verdict::Place::name).collect();
        match (places.is_empty(), self.unexplained.is_empty()) {
            (true, true) => "nowhere".to_owned(),
            (true, false) => "not known".to_owned(),
            (false, true) => places.join(" and "),
            (false, false) => format!("{}, and for the rest not known", places.join(" and ")),
        }
    }

    fn shown(&self) -> String {
        if self.findings.is_empty() {
            return if self.unexplained.is_empty() { self.ending() } else { "nothing on record".to_owned() };
        }
        let told = |finding: &Finding| match finding.facts.is_empty() {
            true => format!("{}: {}", finding.place.name(), finding.what),
            false => format!("{}: {} ({})", finding.place.name(), finding.what, finding.facts.join(", ")),
        };
        self.findings.iter().map(told).collect::<Vec<_>>().join("; ")
    }

    fn looks(&self) -> Vec<String> {
        let mut looks: Vec<String> = Vec::new();
        let is_about_sound = self.noticed.iter().any(|symptom| symptom.of == Noticed::Misheard);
        for look in self.findings.iter().flat_map(|finding| &finding.next) {
            if !looks.contains(look) && looks.len() < MOST_LOOKS {
                looks.push(look.clone());
            }
        }
        if is_about_sound {
            looks.push(format!("listen: {}", self.sound));
        }
        if looks.is_empty() || !self.unexplained.is_empty() {
            looks.push(format!("`callgate calls {}`", self.call_sid));
        }
        looks
    }

    fn sure(&self) -> String {
        match self.known() {
            "yes" if self.findings.is_empty() => format!("yes: {}", self.ending()),
            "yes" => "yes: the record says so itself".to_owned(),
            "likely" => "likely: its numbers say so".to_owned(),
            _ => format!("not known: {}", self.missing().join("; ")),
        }
    }

    /// `yes`, `likely`, or `no`.
    fn known(&self) -> &'static str {
        match (self.unexplained.is_empty(), self.findings.iter().all(|finding| finding.is_told)) {
            (false, _) => "no",
            (true, true) => "yes",
            (true, false) => "likely",
        }
    }

    fn missing(&self) -> Vec<String> {
        let mut missing: Vec<String> = self.unexplained.iter().map(|symptom| symptom.missing.clone()).collect();
        missing.dedup();
        missing
    }

    fn ending(&self) -> String {
        match &self.end {
            _ if self.so_far => "the call goes on".to_owned(),
            Some((code, why)) => format!("it ended as `{}`: {why}", code.name()),
            None => "how it ended is not on record".to_owned(),
        }
    }
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "place": finding.place.name(),
        "what": finding.what,
        "facts": finding.facts,
        "next": finding.next,
        "told": finding.is_told,
    })
}

/// What there is to listen to, or why there is nothing.
pub(crate) fn sound(recordings: &[Recording], is_live: bool) -> String {
    let told = |recording: &Recording| {
        let why = recording.error.as_deref().unwrap_or_default();
        match (recording.status, &recording.stored_url) {
            (RecordingStatus::Stored, Some(url)) => url.clone(),
            (RecordingStatus::Failed, _) => format!("none of {}: {why}", recording.source_url),
            _ if why.is_empty() => format!("{} waits to be stored", recording.source_url),
            _ => format!("{} waits to be stored: {why}", recording.source_url),
        }
    };
    match (recordings.is_empty(), is_live) {
        (true, true) => "nothing yet: a recording is stored when the call is over".to_owned(),
        (true, false) => "nothing: the call was not recorded (`callgate client set NUMBER --recording on`)".to_owned(),
        (false, _) => recordings.iter().map(told).collect::<Vec<_>>().join("; "),
    }
}
