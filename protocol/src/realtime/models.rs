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

/// What a recogniser can be told of what it will hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HintsTaken {
    /// Several languages.
    pub languages: bool,
    /// A list of words.
    pub keywords: bool,
    /// A text.
    pub prompt: bool,
}

/// A family of recognisers.
struct Recogniser {
    begins: &'static str,
    takes: HintsTaken,
}

const NO_HINTS: HintsTaken = HintsTaken { languages: false, keywords: false, prompt: false };
const LISTS: HintsTaken = HintsTaken { languages: true, keywords: true, prompt: false };
const PROMPT: HintsTaken = HintsTaken { languages: false, keywords: false, prompt: true };

/// The first that fits counts.
const RECOGNISERS: [Recogniser; 6] = [
    Recogniser { begins: "gpt-realtime-whisper", takes: NO_HINTS },
    Recogniser { begins: "gpt-transcribe", takes: LISTS },
    Recogniser { begins: "gpt-live-transcribe", takes: LISTS },
    Recogniser { begins: "gpt-4o-transcribe", takes: PROMPT },
    Recogniser { begins: "gpt-4o-mini-transcribe", takes: PROMPT },
    Recogniser { begins: "whisper", takes: PROMPT },
];

/// What a recogniser can be told of what it will hear. Another server's takes a prompt, if it takes anything.
#[must_use]
pub fn takes_hints(model: &str) -> HintsTaken {
    RECOGNISERS.iter().find(|known| model.starts_with(known.begins)).map_or(PROMPT, |known| known.takes)
}

/// Whether a model can write down what callers say: one that holds conversations cannot.
#[must_use]
pub fn transcribes(model: &str) -> bool {
    let recogniser = RECOGNISERS.iter().any(|known| model.starts_with(known.begins));
    recogniser || !FAMILIES.iter().any(|family| model.starts_with(family.begins))
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

    #[test]
    fn a_recogniser_is_told_what_it_takes_and_a_model_that_converses_is_none() {
        assert_eq!(takes_hints("gpt-realtime-whisper"), NO_HINTS);
        assert_eq!((takes_hints("gpt-transcribe"), takes_hints("gpt-live-transcribe-2026-09-01")), (LISTS, LISTS));
        assert_eq!((takes_hints("whisper-1"), takes_hints("our-deployment")), (PROMPT, PROMPT));
        assert!(transcribes("gpt-realtime-whisper") && transcribes("our-deployment"));
        assert!(!transcribes("gpt-realtime-2.1") && !transcribes("gpt-live-1"));
    }
}
