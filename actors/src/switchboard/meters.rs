//! Counters of the media path: handles made once and held, since a look-up by name costs more than the frame it counts.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use protocol::call::fact::Fact;
use protocol::ids::CallSid;

use super::health::HealthKeeper;

/// The handles. Made when the switchboard is, so the process's recorder must be installed by then.
#[derive(Debug)]
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
    waits: Waits,
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
    first_audio: Histogram,
    answer: Histogram,
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
            waits: Waits {
                first_audio: histogram!("callgate_first_audio_seconds"),
                answer: histogram!("callgate_answer_seconds"),
            },
        }
    }

    /// Counts what a fact says. Facts are rare, so names are looked up here.
    pub(crate) fn fact(&self, call: &CallSid, fact: &Fact) {
        self.health.fact(call, fact);
        match fact {
            Fact::ModelDialled { .. } => counter!("callgate_model_dials_total").increment(1),
            Fact::ModelLost { .. } => counter!("callgate_model_lost_total").increment(1),
            Fact::Interrupted { .. } => counter!("callgate_interruptions_total").increment(1),
            Fact::ResponseFailed { .. } => counter!("callgate_responses_failed_total").increment(1),
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
            Fact::Counted { what, count } => counter!("callgate_counted_total", "what" => *what).increment(*count),
            Fact::Ended(ended) => {
                counter!("callgate_calls_ended_total", "status" => ended.status(), "code" => ended.code().name())
                    .increment(1)
            }
            _ => {}
        }
    }
}
