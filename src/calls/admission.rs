//! From a client's row to a call that may begin.

use std::sync::Arc;
use std::time::Duration;

use actors::Admission;
use protocol::call::policy::{GreetedBy, Policy, Setup};
use protocol::ids::CallSid;

use crate::agent::{SecretKeys, SilenceConfig};
use crate::clips::{ClipLibrary, Voice};
use crate::store::Client;
use crate::tools::CallTools;

/// Characters that a carrier's voice says in a second.
const SAID_A_SECOND: u64 = 12;
/// The longest call that comes when nobody answers: however often the caller speaks into what is said.
const LONGEST_CLOSED: Duration = Duration::from_secs(60);

/// The admission of a call: what its client's row and the node's policy say of it. The tighter limit holds.
pub(super) fn admission(
    call: &CallSid,
    client: &Client,
    greeted_by: GreetedBy,
    node: &Policy,
    tools: CallTools,
    clips: &ClipLibrary,
) -> Admission {
    let agent = &client.agent;
    let setup = Setup {
        instructions: agent.instructions.clone(),
        greeting: agent.greeting.clone(),
        greeted_by,
        language: agent.language.clone(),
        listening: tools.document.listening.of_call_in(agent.transcription_language.clone()),
        speed: tools.document.speed,
        voice: agent.voice.clone(),
        // Rows of earlier days may name functions: none is offered that cannot run.
        tools: tools.functions,
        known: std::collections::BTreeMap::new(),
        context: tools.context,
        destinations: Vec::new(),
        hold_words: tools.document.hold_words.clone(),
        clips: clips.of(&Voice::of(agent), tools.document.fixed_sentences()),
        secret_keys: tools.document.follow_up.keypad.secret == SecretKeys::Always,
        closed: false,
    };
    let mut policy = node.clone();
    policy.record = client.recording;
    policy.silence = tools.document.follow_up.silence.as_ref().map(SilenceConfig::of_call);
    if let Some(secs) = client.limits.max_call_secs.and_then(|secs| u64::try_from(secs).ok()).filter(|secs| *secs > 0) {
        policy.max_call = policy.max_call.min(Duration::from_secs(secs));
    }
    Admission {
        call_sid: call.clone(),
        client: client.id.to_string(),
        max_concurrent: max_concurrent(client),
        setup,
        policy: Arc::new(policy),
        model: agent.model.clone(),
        generation: 1,
        returns: None,
        effects: tools.effects,
    }
}

/// A call that comes when its client's agent does not answer: these words are all that is said.
pub(super) fn close(admission: &mut Admission, words: String) {
    admission.setup = admission.setup.clone().closed(words);
    admission.effects = None;
    let policy = Arc::make_mut(&mut admission.policy);
    policy.max_call = policy.max_call.min(LONGEST_CLOSED);
}

/// The stream of a call that the carrier greets comes so much later.
pub(super) fn wait_for_greeting(admission: &mut Admission) {
    if admission.setup.greeted_by == GreetedBy::Carrier {
        let greeting = admission.setup.greeting_as_known();
        Arc::make_mut(&mut admission.policy).media_wait += said_within(&greeting);
    }
}

/// How long the carrier takes to say a greeting, before it opens the stream.
fn said_within(greeting: &str) -> Duration {
    let chars = u64::try_from(greeting.trim().chars().count()).unwrap_or(u64::MAX);
    Duration::from_secs(chars.div_ceil(SAID_A_SECOND))
}

/// Live calls a client may have; none: as many as the node.
fn max_concurrent(client: &Client) -> Option<u32> {
    client.limits.max_concurrent.and_then(|calls| u32::try_from(calls).ok())
}
