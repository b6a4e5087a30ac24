//! Webhook fields: from whatever body they came in, to types.
//!
//! Exotel's names are looked up without regard to case and underscores. An empty value and the word `null` are no value:
//! both are how Exotel says that it has none.

mod fields;
mod redact;
mod report;

use std::fmt;

pub use fields::{Fields, KEPT_VALUE};
pub use redact::{redact, redact_cut};
pub use report::{Address, CallEnd, DisconnectedBy, RecordingReady, Status, StreamReport};

use crate::exotel::is_sid;
use crate::ids::{CallSid, PhoneNumber};
use crate::wire::Text;

/// What an API request that placed a call said of it. (Exotel takes 128 characters of some requests.)
pub type CustomField = Text<1024>;

/// A field that is missing or malformed. Display says which, and the mend; it never repeats a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct FieldError {
    /// The field, as Exotel spells it; `body` when the whole cannot be read.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: FieldProblem,
}

/// What is wrong with a field, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldProblem {
    /// It is not there: what to send.
    #[error("is missing: {0}")]
    Missing(String),
    /// It is there and will not do: why, in words that follow its name.
    #[error("{0}")]
    Malformed(String),
    /// It is the whole body, and cannot be read.
    #[error("{0}")]
    Body(String),
}

impl FieldError {
    /// A field that is not there, and what to send.
    pub fn missing(field: &'static str, send: impl Into<String>) -> Self {
        Self { field, problem: FieldProblem::Missing(send.into()) }
    }

    /// A field that will not do, and why, in words that follow its name.
    pub fn malformed(field: &'static str, why: impl Into<String>) -> Self {
        Self { field, problem: FieldProblem::Malformed(why.into()) }
    }

    /// A body that cannot be read, and why.
    pub(crate) fn body(why: impl Into<String>) -> Self {
        Self { field: "body", problem: FieldProblem::Body(why.into()) }
    }
}

/// Who placed the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// The caller did. Also when it is not told.
    #[default]
    Inbound,
    /// An API request did; `from` is still the person and `to` the Exotel number.
    Outbound,
}

impl Direction {
    /// `inbound` or `outbound`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }

    /// Exotel spells it `incoming`, `inbound`, `outbound-dial`, `outbound dial` or `outbound-api`.
    fn told(fields: &Fields) -> Self {
        match fields.get("Direction") {
            Some(told) if told.trim().get(..3).is_some_and(|start| start.eq_ignore_ascii_case("out")) => Self::Outbound,
            _ => Self::Inbound,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The call of a webhook: the one field that every webhook must have.
///
/// # Errors
/// When it is missing or not 1 to 64 of `[0-9A-Za-z_-]`.
pub fn call_sid(fields: &Fields) -> Result<CallSid, FieldError> {
    let sid = fields.get("CallSid").ok_or_else(|| FieldError::missing("CallSid", "send Exotel's id of the call"))?;
    if is_sid(sid) {
        Ok(CallSid::new(sid))
    } else {
        Err(FieldError::malformed("CallSid", "is malformed: 1 to 64 letters, digits, `_` or `-`"))
    }
}

/// Numbers of a report of which one may be the Exotel number that makes the call somebody's, the likeliest first. In which field it stands
/// depends on who placed the call and by which request.
#[must_use]
pub fn lines(fields: &Fields) -> Vec<PhoneNumber> {
    numbers_of(fields, &["CallTo", "To", "PhoneNumberSid", "CallFrom", "From"])
}

/// The numbers in those fields, each once.
fn numbers_of(fields: &Fields, names: &[&str]) -> Vec<PhoneNumber> {
    let mut numbers: Vec<PhoneNumber> = Vec::with_capacity(names.len());
    for number in names.iter().filter_map(|name| fields.number(&[name])) {
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    numbers
}

/// A call asks for an answer (call-start, the voicebot URL).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallStart {
    /// The call.
    pub call_sid: CallSid,
    /// The person's number as spelt by Exotel; none when it is withheld.
    pub from: Option<PhoneNumber>,
    /// The number that was called as spelt by Exotel. `CallTo` before `To`, which can be a shared number.
    pub to: Option<PhoneNumber>,
    /// Numbers of which one is the Exotel number that decides the tenant, `CallTo` first. Of a call that an API request placed it may be
    /// the one that calls; whoever calls us of their own accord is never taken for it.
    pub lines: Vec<PhoneNumber>,
    /// Who placed the call.
    pub direction: Direction,
    /// What the API request that placed the call said of it.
    pub custom_field: Option<CustomField>,
}

impl TryFrom<&Fields> for CallStart {
    type Error = FieldError;

    fn try_from(fields: &Fields) -> Result<Self, FieldError> {
        let (call_sid, direction) = (call_sid(fields)?, Direction::told(fields));
        let lines = match direction {
            Direction::Outbound => lines(fields),
            Direction::Inbound => numbers_of(fields, &["CallTo", "To", "PhoneNumberSid"]),
        };
        if lines.is_empty() {
            return Err(FieldError::missing("CallTo", "send the Exotel number that was called"));
        }
        Ok(Self {
            call_sid,
            from: fields.number(&["CallFrom", "From"]),
            to: fields.number(&["CallTo", "To"]),
            lines,
            direction,
            custom_field: fields.text("CustomField"),
        })
    }
}

#[cfg(test)]
mod tests;
