//! Spans and what they say, made in few words.

use chrono::{DateTime, Utc};

use super::otlp::{AnyValue, Event, KeyValue, Kind, Span, Status, Value};
use crate::trace_context::{SpanOf, TraceId};

/// Bytes of one value of an attribute.
pub const LONGEST_VALUE: usize = 256;
/// Events of one span.
pub const MOST_EVENTS: usize = 128;
/// As the protocol numbers it.
const ERROR: i32 = 2;
const SAMPLED: u32 = 1;

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(protocol::wire::clip(text, LONGEST_VALUE).into_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Whole(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Whole(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

/// An attribute.
pub(super) fn attribute(key: &str, value: impl Into<Value>) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value.into()) }) }
}

fn nanos(at: DateTime<Utc>) -> u64 {
    at.timestamp_nanos_opt().and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or(0)
}

impl Span {
    /// A span of a trace below its root, or the root itself. One that ends before it begins takes no time.
    pub(super) fn new(
        trace: TraceId,
        of: SpanOf<'_>,
        name: impl Into<String>,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Self {
        let parent = match of {
            SpanOf::Call => Vec::new(),
            _ => trace.span(SpanOf::Call).bytes().to_vec(),
        };
        Self {
            trace_id: trace.bytes().to_vec(),
            span_id: trace.span(of).bytes().to_vec(),
            parent_span_id: parent,
            flags: SAMPLED,
            name: name.into(),
            kind: Kind::Internal.into(),
            start_time_unix_nano: nanos(from),
            end_time_unix_nano: nanos(to.max(from)),
            ..Self::default()
        }
    }

    pub(super) fn kind_of(mut self, kind: Kind) -> Self {
        self.kind = kind.into();
        self
    }

    /// Below another than the root.
    pub(super) fn below(mut self, parent: &Self) -> Self {
        self.parent_span_id.clone_from(&parent.span_id);
        self
    }

    pub(super) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.attributes.push(attribute(key, value));
        self
    }

    /// The same, where it is known.
    pub(super) fn with_known(self, key: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// It failed: why, in a code.
    pub(super) fn failed(mut self, code: &str) -> Self {
        let message = protocol::wire::clip(code, LONGEST_VALUE).into_owned();
        self.status = Some(Status { message, code: ERROR });
        self
    }

    pub(super) fn failed_if(self, failed: bool, code: &str) -> Self {
        if failed { self.failed(code).with("error.type", code) } else { self }
    }

    /// Something that happened in it. Beyond as many as are told they are counted.
    pub(super) fn happened(&mut self, at: DateTime<Utc>, name: &str, attributes: Vec<KeyValue>) {
        if self.events.len() >= MOST_EVENTS {
            self.dropped_events_count += 1;
            return;
        }
        self.events.push(Event { time_unix_nano: nanos(at), name: name.to_owned(), attributes });
    }

    /// It lasts as long as another does, at least.
    pub(super) fn reach(&mut self, other: &Self) {
        self.start_time_unix_nano = self.start_time_unix_nano.min(other.start_time_unix_nano);
        self.end_time_unix_nano = self.end_time_unix_nano.max(other.end_time_unix_nano);
    }
}
