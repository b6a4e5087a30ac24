//! Who is who in a trace (W3C Trace Context): ids that follow from the call, so that every gateway, job and tool of it agrees on them
//! and nothing has to be stored.

use std::fmt::{self, Write};

use protocol::ids::CallSid;
use sha2::{Digest, Sha256};

/// The name of the header, and of the key in what an MCP server is asked.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// A call's trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceId([u8; 16]);

/// A span of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SpanId([u8; 8]);

/// What of a call has a span that others may name as their parent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SpanOf<'a> {
    /// All of it.
    Call,
    /// The client is asked who calls.
    Context,
    /// A function, by the number of what the call wants done.
    Tool(u64),
    /// One attempt at a job, by its row.
    Job(i64, i32),
    /// What else there is, by what it is known by.
    Part(fmt::Arguments<'a>),
}

impl TraceId {
    /// That of a call.
    pub(crate) fn of(call: &CallSid) -> Self {
        Self(digest(&[b"callgate trace\0", call.as_str().as_bytes()]))
    }

    pub(crate) const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// The id of a span of it.
    pub(crate) fn span(self, of: SpanOf<'_>) -> SpanId {
        let mut name = String::with_capacity(32);
        // A string takes all that is written.
        let _ = match of {
            SpanOf::Call => name.write_str("call"),
            SpanOf::Context => name.write_str("context"),
            SpanOf::Tool(number) => write!(name, "tool/{number}"),
            SpanOf::Job(id, attempt) => write!(name, "job/{id}/{attempt}"),
            SpanOf::Part(part) => write!(name, "part/{part}"),
        };
        SpanId(digest(&[&self.0, name.as_bytes()]))
    }
}

impl SpanId {
    pub(crate) const fn bytes(self) -> [u8; 8] {
        self.0
    }
}

/// The first bytes of a hash; never all zero, which is nobody's id.
fn digest<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let hash = parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize();
    let mut id = [0; N];
    id.copy_from_slice(&hash[..N]);
    if id == [0; N] {
        id[N - 1] = 1;
    }
    id
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Which calls are traced: decided by the trace's id, so that whoever looks decides alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sampler {
    /// All.
    AlwaysOn,
    /// None.
    AlwaysOff,
    /// That part of them, and whichever failed.
    Ratio(f64),
}

impl Sampler {
    /// Whether a call's trace is kept, however the call goes. Decided as other SDKs of OpenTelemetry do it.
    pub(crate) fn keeps(self, trace: TraceId) -> bool {
        match self {
            Self::AlwaysOn => true,
            Self::AlwaysOff => false,
            Self::Ratio(part) => {
                let [.., a, b, c, d, e, f, g, h] = trace.0;
                let drawn = u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1;
                (drawn as f64) < part * (1_u64 << 63) as f64
            }
        }
    }

    /// Whether that of a call that failed is.
    pub(crate) fn keeps_failed(self) -> bool {
        self != Self::AlwaysOff
    }

    /// What a request of a call's says of the span that it belongs to.
    pub(crate) fn traceparent(self, call: &CallSid, of: SpanOf<'_>) -> String {
        let trace = TraceId::of(call);
        format!("00-{trace}-{}-{:02x}", trace.span(of), u8::from(self.keeps(trace)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_looks_at_a_call_finds_the_same_ids_and_every_span_has_its_own() {
        let trace = TraceId::of(&CallSid::new("c1"));
        assert_eq!(trace, TraceId::of(&CallSid::new("c1")));
        assert_ne!(trace, TraceId::of(&CallSid::new("c2")));
        let of = [
            SpanOf::Call,
            SpanOf::Context,
            SpanOf::Tool(1),
            SpanOf::Tool(11),
            SpanOf::Job(1, 1),
            SpanOf::Part(format_args!("tool/1")),
        ];
        let mut spans: Vec<String> = of.into_iter().map(|of| trace.span(of).to_string()).collect();
        spans.sort_unstable();
        spans.dedup();
        assert!(spans.len() == of.len() && spans.iter().all(|span| span.len() == 16), "{spans:?}");
        let told = Sampler::AlwaysOn.traceparent(&CallSid::new("c1"), SpanOf::Tool(1));
        assert_eq!(told, format!("00-{trace}-{}-01", trace.span(SpanOf::Tool(1))));
        assert!(Sampler::Ratio(0.0).traceparent(&CallSid::new("c1"), SpanOf::Call).ends_with("-00"));
    }

    #[test]
    fn a_ratio_keeps_that_part_of_all_calls() {
        let kept = |part: f64| {
            let all = (0..4_000).map(|n| TraceId::of(&CallSid::new(format!("call-{n}"))));
            all.filter(|trace| Sampler::Ratio(part).keeps(*trace)).count()
        };
        assert_eq!((kept(0.0), kept(1.0)), (0, 4_000));
        let quarter = kept(0.25);
        assert!((900..1_100).contains(&quarter), "{quarter}");
    }
}
