//! How the model's provider does, as the calls of this node see it: for probes, for the log, for whoever is woken by it.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use protocol::call::end::Ended;
use protocol::call::fact::Fact;
use protocol::ids::CallSid;
use protocol::realtime::event_id::EventKind;
use protocol::realtime::failure::ProviderRefusal;

use crate::sync::lock;

/// A provider that refuses refuses every call: it is said this often, and counted each time.
const SAID_EVERY: Duration = Duration::from_secs(60);
/// Characters kept of a cause.
const LONGEST_CAUSE: usize = 300;

/// What is known of the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelHealth {
    /// When an answer last began to be heard.
    pub answered_at: Option<SystemTime>,
    /// When it last refused what it was asked (a key, a model, a quota), and why.
    pub refused: Option<(SystemTime, ProviderRefusal)>,
    /// Refusals since an answer was last heard.
    pub refusals: u64,
}

impl ModelHealth {
    /// Why it last refused, in a word that anybody may read.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        self.refused.map(|(_, refusal)| refusal.name())
    }
}

/// What is kept of it.
#[derive(Debug, Default)]
pub(crate) struct HealthKeeper(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    health: ModelHealth,
    said: Option<Instant>,
    unsaid: u64,
}

impl HealthKeeper {
    pub(crate) fn now(&self) -> ModelHealth {
        lock(&self.0).health.clone()
    }

    /// Takes what a call's fact says of the provider, and says in the log what should not be.
    pub(crate) fn fact(&self, call_sid: &CallSid, fact: &Fact) {
        match fact {
            Fact::FirstAudio { .. } | Fact::Answered { .. } => {
                let health = &mut lock(&self.0).health;
                (health.answered_at, health.refusals) = (Some(SystemTime::now()), 0);
            }
            Fact::ModelLost { cause, refused } => {
                if let Some(refusal) = refused {
                    self.refused(call_sid, *refusal, cause);
                }
                let cause = short(cause);
                tracing::warn!(target: "model", %call_sid, cause, "the connection to the model was lost or refused");
            }
            Fact::ResponseFailed { code } => {
                tracing::warn!(target: "model", %call_sid, code = short(code), "the model failed to respond");
            }
            // It lacks a part of the conversation: a turn that was replayed, or what a function returned.
            Fact::ModelError { code, answers: Some(EventKind::Item), .. } => {
                tracing::warn!(target: "model", %call_sid, code = short(code), "the model refused an item of the conversation");
            }
            Fact::Ended(Ended::ModelFailed { cause }) => {
                let cause = short(cause);
                tracing::warn!(target: "model", %call_sid, cause, "the call ended since the model failed");
            }
            _ => {}
        }
    }

    /// The provider refused: another call would fare no better.
    fn refused(&self, call_sid: &CallSid, refusal: ProviderRefusal, cause: &str) {
        let (cause, reason) = (short(cause), refusal.name());
        metrics::counter!("callgate_model_refused_total", "reason" => reason).increment(1);
        let now = Instant::now();
        let mut kept = lock(&self.0);
        kept.health.refusals = kept.health.refusals.saturating_add(1);
        kept.health.refused = Some((SystemTime::now(), refusal));
        if kept.said.is_some_and(|said| now.duration_since(said) < SAID_EVERY) {
            kept.unsaid = kept.unsaid.saturating_add(1);
            return;
        }
        kept.said = Some(now);
        let unsaid = std::mem::take(&mut kept.unsaid);
        drop(kept);
        tracing::error!(
            target: "model", %call_sid, cause, reason, not_said_since = unsaid,
            "the model's provider refuses: no call can be answered until its cause is mended"
        );
    }
}

fn short(text: &str) -> &str {
    text.char_indices().nth(LONGEST_CAUSE).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_cut_between_characters() {
        assert_eq!(short(&"नमस्ते".repeat(200)).chars().count(), LONGEST_CAUSE);
        assert_eq!(short("too bad"), "too bad");
    }

    #[test]
    fn the_provider_is_known_by_what_calls_saw_of_it_last() {
        let (keeper, call) = (HealthKeeper::default(), CallSid::new("a1"));
        assert_eq!(keeper.now(), ModelHealth::default());
        let lost = |cause: String, refused| keeper.fact(&call, &Fact::ModelLost { cause, refused });
        lost("the model's server answered 401 Unauthorized".to_owned(), Some(ProviderRefusal::Unauthorized));
        lost("insufficient_quota: too bad".to_owned(), Some(ProviderRefusal::Quota));
        lost("the model closed".to_owned(), None);
        let health = keeper.now();
        assert_eq!((health.refusals, health.answered_at), (2, None));
        assert_eq!(lock(&keeper.0).unsaid, 1, "said once a minute");
        keeper.fact(&call, &Fact::Answered { item: protocol::ids::ItemId::new("a"), after_ms: 1 });
        let health = keeper.now();
        assert_eq!((health.answered_at.is_some(), health.reason(), health.refusals), (true, Some("quota"), 0));
    }
}
