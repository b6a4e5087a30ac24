//! From what happened to what is said of it.

use protocol::call::end::EndCode;
use protocol::ids::CallSid;

use super::evidence::{Evidence, Span, short};
use super::{rules, told};

/// Where in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// The carrier, or its line to the caller.
    Carrier,
    /// The way to the model's server.
    Network,
    /// The model's server, or its provider.
    Model,
    /// A system of the client's own: a function, or who is asked who calls.
    Tool,
    /// This gateway.
    Us,
    /// The database.
    Database,
    /// A disk without room.
    Disk,
    /// What somebody set.
    Setting,
}

impl Place {
    /// All of them.
    pub(crate) const ALL: [Self; 8] =
        [Self::Carrier, Self::Network, Self::Model, Self::Tool, Self::Us, Self::Database, Self::Disk, Self::Setting];

    /// As told.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Carrier => "carrier",
            Self::Network => "network",
            Self::Model => "model",
            Self::Tool => "tool",
            Self::Us => "us",
            Self::Database => "database",
            Self::Disk => "disk",
            Self::Setting => "setting",
        }
    }
}

/// What a caller notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noticed {
    /// The agent was never there.
    NeverBegan,
    /// It was gone in the middle.
    CutOff,
    /// Its first word came late.
    LateGreeting,
    /// An answer came late, or none.
    LateAnswer,
    /// An answer broke off.
    BrokenOff,
    /// It may have misheard.
    Misheard,
    /// It could not do what it was asked.
    NotDone,
}

impl Noticed {
    /// Time that a caller spent in silence, and how such a time ends.
    pub(super) const WAITED: &'static [Self] = &[Self::CutOff, Self::LateGreeting, Self::LateAnswer, Self::BrokenOff];
}

/// One thing that the caller noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Symptom {
    pub(super) of: Noticed,
    /// In words.
    pub(super) words: String,
    /// When; none: the whole call.
    pub(super) span: Option<Span>,
    /// What would have to be on record to tell whose it is.
    pub(super) missing: String,
}

/// Something that happened at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Where.
    pub(crate) place: Place,
    /// In words.
    pub(crate) what: String,
    /// What on record shows it.
    pub(crate) facts: Vec<String>,
    /// What to look at next.
    pub(crate) next: Vec<String>,
    /// The record says so by a code; otherwise its numbers do.
    pub(crate) is_told: bool,
    /// What of it a caller notices.
    pub(super) explains: &'static [Noticed],
    /// When; none: all through the call.
    pub(super) spans: Vec<Span>,
}

impl Finding {
    /// One that the record tells by a code.
    pub(super) fn told(place: Place, what: impl Into<String>, explains: &'static [Noticed]) -> Self {
        let (facts, next, spans) = (Vec::new(), Vec::new(), Vec::new());
        Self { place, what: what.into(), facts, next, is_told: true, explains, spans }
    }

    /// One that follows from numbers.
    pub(super) fn measured(place: Place, what: impl Into<String>, explains: &'static [Noticed]) -> Self {
        Self { is_told: false, ..Self::told(place, what, explains) }
    }

    pub(super) fn fact(mut self, fact: impl Into<String>) -> Self {
        self.facts.push(fact.into());
        self
    }

    pub(super) fn facts(mut self, facts: impl IntoIterator<Item = String>) -> Self {
        self.facts.extend(facts);
        self
    }

    /// A command, or a page.
    pub(super) fn next(mut self, look: impl Into<String>) -> Self {
        self.next.push(look.into());
        self
    }

    pub(super) fn at(mut self, spans: impl IntoIterator<Item = Span>) -> Self {
        self.spans.extend(spans);
        self
    }

    /// Whether it is why the caller noticed that.
    pub(super) fn is_why(&self, symptom: &Symptom) -> bool {
        let meets = |span: &Span| symptom.span.is_none_or(|noticed| span.0 <= noticed.1 && noticed.0 <= span.1);
        self.explains.contains(&symptom.of) && (self.spans.is_empty() || self.spans.iter().any(meets))
    }
}

/// What is said of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) call_sid: CallSid,
    /// The call goes on: so far.
    pub(crate) so_far: bool,
    pub(super) noticed: Vec<Symptom>,
    /// What happened, place by place.
    pub(crate) findings: Vec<Finding>,
    /// What was noticed and nothing explains.
    pub(super) unexplained: Vec<Symptom>,
    /// How it ended, in words too.
    pub(super) end: Option<(EndCode, String)>,
    /// What there is to listen to.
    pub(crate) sound: String,
}

impl Verdict {
    /// The places, each once.
    pub(crate) fn places(&self) -> Vec<Place> {
        let mut places: Vec<Place> = self.findings.iter().map(|finding| finding.place).collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}

/// The verdict on what is on record.
pub(super) fn judge(evidence: &Evidence<'_>) -> Verdict {
    let noticed = rules::noticed(evidence);
    // What the record tells by a code comes first: what numbers say of the same moment may be no more than its effect.
    let mut findings = rules::told(evidence);
    for finding in rules::measured(evidence, &noticed, &findings) {
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    let is_unexplained = |symptom: &&Symptom| !findings.iter().any(|finding| finding.is_why(symptom));
    let unexplained = noticed.iter().filter(is_unexplained).cloned().collect();
    Verdict {
        call_sid: evidence.sid.clone(),
        so_far: evidence.call.is_some_and(|call| !call.is_over()),
        noticed,
        findings,
        unexplained,
        end: evidence.code().zip(evidence.call.map(|call| short(call.ended_why.as_deref().unwrap_or_default()))),
        sound: told::sound(evidence.recordings, evidence.call.is_some_and(|call| !call.is_over())),
    }
}
