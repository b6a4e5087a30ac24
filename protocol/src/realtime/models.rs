//! What models of the usual server can take. One field that a model does not know costs the whole of a session's configuration.

/// Voices of OpenAI's Realtime models, November 2026.
pub const VOICES: [&str; 10] =
    ["alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse"];

/// What an agent may want of its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish<'a> {
    /// To hold a conversation.
    Conversation,
    /// To call functions.
    Functions,
    /// To speak with that voice.
    Voice(&'a str),
}

/// A family of models, by what its names begin with, and what it cannot do.
struct Family {
    begins: &'static str,
    conversation: bool,
    functions: bool,
    not_voices: &'static [&'static str],
}

/// The first that fits counts.
const FAMILIES: [Family; 6] = [
    Family { begins: "gpt-realtime-whisper", conversation: false, functions: false, not_voices: &[] },
    Family { begins: "gpt-realtime-translate", conversation: false, functions: false, not_voices: &[] },
    Family { begins: "gpt-realtime", conversation: true, functions: true, not_voices: &[] },
    Family { begins: "gpt-4o-realtime", conversation: true, functions: true, not_voices: &["marin", "cedar"] },
    Family { begins: "gpt-4o-mini-realtime", conversation: true, functions: true, not_voices: &["marin", "cedar"] },
    Family { begins: "gpt-live", conversation: false, functions: false, not_voices: &[] },
];

/// Whether a model can do what is wished. Of a model that nobody knows anything is believed: it is another server's, or newer.
#[must_use]
pub fn can(model: &str, wish: Wish<'_>) -> bool {
    let Some(family) = FAMILIES.iter().find(|family| model.starts_with(family.begins)) else { return true };
    match wish {
        Wish::Conversation => family.conversation,
        Wish::Functions => family.functions,
        Wish::Voice(voice) => !family.not_voices.contains(&voice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_model_cannot_take_is_known_and_of_a_strange_one_anything_is_believed() {
        assert!(VOICES.iter().all(|voice| can("gpt-realtime-2.1", Wish::Voice(voice))));
        assert!(!can("gpt-4o-realtime-preview-2025-06-03", Wish::Voice("marin")));
        assert!(can("gpt-4o-realtime-preview", Wish::Voice("alloy")));
        assert!(!can("gpt-realtime-whisper", Wish::Conversation));
        assert!(can("somebody-elses", Wish::Functions));
    }
}
