//! What goes wrong at a text model, and for how many requests.

use serde_json::Value;

/// One way to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFault {
    /// It will not answer.
    Refuses,
    /// It runs out of tokens.
    Length,
    /// It answers in words.
    Words,
    /// It answers with another object.
    Wrong,
    /// It puts the object in a fence.
    Fenced,
    /// A response that is no JSON.
    Junk,
    /// A web page.
    Page,
    /// 5 MB.
    Huge,
    /// It takes no `response_format`: those without one are answered.
    NoFormat,
    /// 429 with `Retry-After`.
    TooOften,
    /// 401.
    Unauthorized,
    /// 500.
    Broken,
    /// A byte a second.
    Drips,
}

/// By their names.
const NAMED: [(&str, TextFault); 13] = [
    ("refuses", TextFault::Refuses),
    ("length", TextFault::Length),
    ("words", TextFault::Words),
    ("wrong", TextFault::Wrong),
    ("fenced", TextFault::Fenced),
    ("junk", TextFault::Junk),
    ("page", TextFault::Page),
    ("huge", TextFault::Huge),
    ("no-format", TextFault::NoFormat),
    ("too-often", TextFault::TooOften),
    ("unauthorized", TextFault::Unauthorized),
    ("broken", TextFault::Broken),
    ("drips", TextFault::Drips),
];

/// The names.
pub const TEXT_FAULT_NAMES: &str =
    "refuses, length, words, wrong, fenced, junk, page, huge, no-format, too-often, unauthorized, broken, drips";

/// A fault that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no fault of a text model: there are {TEXT_FAULT_NAMES}, each with =N for the first N requests")]
pub struct TextFaultError(String);

/// One after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextFaults(Vec<(TextFault, usize)>);

impl TextFaults {
    /// Each for so many requests, in this order.
    #[must_use]
    pub fn new(faults: impl IntoIterator<Item = (TextFault, usize)>) -> Self {
        Self(faults.into_iter().collect())
    }

    /// As they are named: `length=2`, or `length` for ever.
    ///
    /// # Errors
    /// Which there is not.
    pub fn from_flags(flags: &[String]) -> Result<Self, TextFaultError> {
        let read = |flag: &String| {
            let (name, count) = flag.split_once('=').unwrap_or((flag, "18446744073709551615"));
            let fault = NAMED.iter().find(|(known, _)| *known == name).map(|(_, fault)| *fault);
            fault.zip(count.parse().ok()).ok_or_else(|| TextFaultError(flag.clone()))
        };
        flags.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// What becomes of the request of that number, from 1.
    pub(super) fn at(&self, number: usize, asked: &Value) -> Option<TextFault> {
        let mut before = 0_usize;
        let due = self.0.iter().find(|(_, count)| {
            before = before.saturating_add(*count);
            number <= before
        });
        let fault = due.map(|(fault, _)| *fault)?;
        (fault != TextFault::NoFormat || asked.get("response_format").is_some()).then_some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_one_after_the_other_and_every_name_is_known() {
        let faults = TextFaults::from_flags(&["length=2".to_owned(), "junk=1".to_owned()]).unwrap();
        let of: Vec<_> = (1..5).map(|number| faults.at(number, &Value::Null)).collect();
        assert_eq!(of, [Some(TextFault::Length), Some(TextFault::Length), Some(TextFault::Junk), None]);
        for name in TEXT_FAULT_NAMES.split(", ") {
            assert!(TextFaults::from_flags(&[name.to_owned()]).is_ok(), "{name}");
        }
        assert_eq!(TEXT_FAULT_NAMES.split(", ").count(), NAMED.len());
        assert!(TextFaults::from_flags(&["lenght".to_owned()]).unwrap_err().to_string().contains("length"));
    }
}
