//! Counters of the media path: handles made once and held, since a look-up by name costs more than the frame it counts.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use protocol::call::fact::Fact;
use protocol::call::latency::Latency;
use protocol::ids::CallSid;
use protocol::realtime::event::Usage;

use super::busiest::Busiest;
use super::health::HealthKeeper;

/// Codes of failed responses that have series of their own.
const RESPONSE_FAILURES: [&str; 6] = [
    "rate_limit_exceeded",
    "server_error",
    "insufficient_quota",
    "session_expired",
    "content_filter",
    "max_output_tokens",
];

/// What one response of a model costs, millionths of a US dollar, if that is known.
pub(crate) type Pricing = Box<dyn Fn(Option<&str>, &Usage) -> Option<u64> + Send + Sync>;

/// Of which call a fact tells.
#[derive(Clone, Copy)]
pub(crate) struct Told<'a> {
    pub(crate) call: &'a CallSid,
    pub(crate) client: &'a str,
    /// The client's own model; none: the node's.
    pub(crate) model: Option<&'a str>,
}

/// The handles. Made when the switchboard is, so the process's recorder must be installed by then.
pub(crate) struct Meters {
    /// Calls admitted and not ended.
    pub(crate) live: Gauge,
    /// Caller frames taken in.
    pub(crate) frames_in: Counter,
    /// Messages of agent audio sent to the carrier.
    pub(crate) frames_out: Counter,
    pub(crate) dropped: Dropped,
    pub(crate) junk: Junk,
    /// Frames the carrier sent late or twice.
    pub(crate) late: Counter,
    /// Media sockets turned away.
    pub(crate) refused: Counter,
    /// Actors started again after a fault.
    pub(crate) restarts: Counter,
    /// Calls moved to the arbiter of their media socket.
    pub(crate) rehomed: Counter,
    /// How the model's provider does.
    pub(crate) health: HealthKeeper,
    /// None: nothing is priced.
    pub(crate) pricing: OnceLock<Pricing>,
    waits: Waits,
    busiest: Busiest,
}

/// Frames and events that found a queue full.
#[derive(Debug)]
pub(crate) struct Dropped {
    /// Caller frames lost between the caller's leg and the call (mailbox full).
    pub(crate) caller: Counter,
    /// Caller frames and events lost while the call had no actor for longer than the leg holds them.
    pub(crate) held: Counter,
    /// Signs of life for a carrier that does not read; audio goes back to the call.
    pub(crate) playout: Counter,
    /// Caller audio lost on its way to a model that does not read.
    pub(crate) append: Counter,
    /// Model audio lost between the model's leg and the call (mailbox full).
    pub(crate) delta: Counter,
}

/// What nobody understood.
#[derive(Debug)]
pub(crate) struct Junk {
    /// Messages of the carrier that were not understood.
    pub(crate) carrier: Counter,
    /// Messages of the model that were not understood.
    pub(crate) model: Counter,
}

/// How long callers wait.
#[derive(Debug)]
struct Waits {
    ready: Histogram,
    first_audio: Histogram,
    answer: Histogram,
    /// A ping of a model's connection.
    round_trip: Histogram,
}

impl Meters {
    pub(crate) fn new() -> Self {
        let dropped = |at: &'static str| counter!("callgate_frames_dropped_total", "at" => at);
        let junk = |from: &'static str| counter!("callgate_junk_total", "from" => from);
        Self {
            live: gauge!("callgate_calls_live"),
            frames_in: counter!("callgate_frames_total", "direction" => "in"),
            frames_out: counter!("callgate_frames_total", "direction" => "out"),
            dropped: Dropped {
                caller: dropped("caller"),
                held: dropped("held"),
                playout: dropped("playout"),
                append: dropped("append"),
                delta: dropped("delta"),
            },
            junk: Junk { carrier: junk("carrier"), model: junk("model") },
            late: counter!("callgate_frames_late_total"),
            refused: counter!("callgate_media_refused_total"),
            restarts: counter!("callgate_restarts_total"),
            rehomed: counter!("callgate_calls_rehomed_total"),
            health: HealthKeeper::default(),
            pricing: OnceLock::new(),
            busiest: Busiest::default(),
            waits: Waits {
                ready: histogram!("callgate_model_ready_seconds"),
                first_audio: histogram!("callgate_first_audio_seconds"),
                answer: histogram!("callgate_answer_seconds"),
                round_trip: histogram!("callgate_model_round_trip_seconds"),
            },
        }
    }

    /// A ping of a model's connection was answered after that long.
    pub(crate) fn round_trip(&self, after: Duration) {
        self.waits.round_trip.record(after);
    }

    /// Counts what a fact says. Facts are rare, so names are looked up here.
    pub(crate) fn fact(&self, told: Told<'_>, fact: &Fact) {
        let Told { call, client, .. } = told;
        self.health.fact(call, fact);
        match fact {
            Fact::ModelReady { after_ms } => self.waits.ready.record(Duration::from_millis(*after_ms)),
            Fact::ModelLost { .. } => counter!("callgate_model_lost_total").increment(1),
            Fact::Interrupted { .. } => counter!("callgate_interruptions_total").increment(1),
            Fact::Backchannel { .. } => counter!("callgate_backchannels_total").increment(1),
            Fact::ResponseFailed { code } => {
                // As the server has it: only the words that are known become a label.
                let code = RESPONSE_FAILURES.into_iter().find(|known| known == code).unwrap_or("other");
                counter!("callgate_responses_failed_total", "code" => code).increment(1);
            }
            Fact::Usage(usage) => self.usage(told, usage),
            Fact::ResponseIncomplete { reason } => {
                // As the server has it: only the words that are known become a label.
                let known = ["content_filter", "max_output_tokens"].into_iter().find(|known| known == reason);
                let reason = known.unwrap_or("other");
                counter!("callgate_responses_incomplete_total", "reason" => reason).increment(1);
            }
            Fact::BrokenOff { by, .. } => {
                counter!("callgate_answers_broken_off_total", "by" => by.name()).increment(1);
            }
            Fact::FirstAudio { after_ms } => self.waits.first_audio.record(Duration::from_millis(*after_ms)),
            Fact::Answered { after_ms, .. } => self.waits.answer.record(Duration::from_millis(*after_ms)),
            Fact::Latency(latency) => waited(latency),
            Fact::Counted { what, count } => counter!("callgate_counted_total", "what" => *what).increment(*count),
            Fact::Ended(ended) => {
                let client = self.busiest.count(client, Instant::now());
                let (status, code) = (ended.status(), ended.code().name());
                counter!("callgate_calls_ended_total", "status" => status, "code" => code, "client" => client)
                    .increment(1)
            }
            _ => {}
        }
    }

    fn usage(&self, told: Told<'_>, usage: &Usage) {
        let client = self.busiest.label(told.client);
        if let Some(cost) = self.pricing.get().and_then(|pricing| pricing(told.model, usage)) {
            counter!("callgate_cost_microusd_total", "client" => client.clone()).increment(cost);
        }
        for (kind, count) in [
            ("input_text", usage.input_text),
            ("input_audio", usage.input_audio),
            ("cached_text", usage.cached_text),
            ("cached_audio", usage.cached_audio),
            ("output_text", usage.output_text),
            ("output_audio", usage.output_audio),
        ] {
            if count > 0 {
                counter!("callgate_tokens_total", "kind" => kind, "client" => client.clone()).increment(count);
            }
        }
    }
}

/// A caller heard what they waited for. Of the parts those that took time, and the whole.
fn waited(latency: &Latency) {
    let of = latency.of.name();
    let record = |part: &'static str, ms| {
        histogram!("callgate_latency_seconds", "of" => of, "part" => part).record(Duration::from_millis(ms));
    };
    latency.parts.spans().for_each(|(part, _, ms)| record(part.name(), ms));
    record("whole", latency.whole_ms());
    if let Some((part, owner)) = latency.largest().filter(|_| latency.is_slow()) {
        counter!("callgate_slow_answers_total", "of" => of, "part" => part.name(), "owner" => owner.name())
            .increment(1);
    }
}
