//! The line of log that tells a call's end.

use protocol::call::latency::{Latency, Owner, Part};
use protocol::ids::CallSid;

use super::Fold;
use crate::store::NodeId;
use crate::trace_context::TraceId;

impl Fold {
    /// One line of log with everything that ends of calls are grouped by. Without the words of the end: they may be anybody's.
    pub(in crate::calls::writer) fn tell_end(&self, call_sid: &CallSid, node: &NodeId, traced: bool) {
        let Some(end) = &self.end else { return };
        let figures = self.figures();
        let tokens = figures.tokens.unwrap_or_default();
        let (waits, slowest) = (&self.talk.waits, self.talk.waits.slowest.as_deref());
        let (part, owner) = slowest.and_then(Latency::largest).unzip();
        tracing::info!(
            target: "call",
            %call_sid,
            trace_id = traced.then(|| TraceId::of(call_sid).to_string()),
            client = self.client,
            node = node.as_str(),
            generation = self.generation,
            streams = self.streams,
            status = end.status,
            code = end.code.name(),
            provisional = end.code.is_provisional(),
            duration_ms = figures.duration_ms,
            first_audio_ms = figures.first_audio_ms,
            answer_p50_ms = figures.answer_p50_ms,
            answer_p95_ms = figures.answer_p95_ms,
            answer_max_ms = figures.answer_max_ms,
            slow_answers = waits.slow,
            slowest_ms = slowest.map(Latency::whole_ms),
            slowest_of = slowest.map(|slowest| slowest.of.name()),
            slowest_part = part.map(Part::name),
            slowest_owner = owner.map(Owner::name),
            slowest_setting = owner.and_then(Owner::setting),
            network_ms = slowest.and_then(|slowest| slowest.network_ms),
            carrier_echo_ms = slowest.and_then(|slowest| slowest.carrier_echo_ms),
            turns = figures.turn_count,
            interruptions = figures.interruptions,
            caller_talk_ms = figures.caller_talk_ms,
            agent_talk_ms = figures.agent_talk_ms,
            unheard_ms = figures.unheard_ms,
            model_reconnects = figures.model_reconnects,
            frames_lost = figures.frames_lost,
            tools = self.unwritten.steps.called(),
            tokens_in = tokens.input_text + tokens.input_audio,
            tokens_out = tokens.output_text + tokens.output_audio,
            "ended"
        );
    }
}
