//! How callers are understood.

use super::{Key, Kind, LONGEST_MODEL, Shape, key, text};
use crate::agent::words;

/// Languages of one client's callers.
const MOST_LANGUAGES: usize = 8;
/// Words that a recogniser is told.
const MOST_HINTS: usize = 64;
/// Listening words of a language.
const MOST_LISTENING_WORDS: usize = 100;
/// Bytes of one of either.
const LONGEST_WORD: usize = 64;

pub(super) const LISTENING: Shape = Shape {
    keys: &[
        key(
            "languages",
            Kind::Texts { most: MOST_LANGUAGES, each: 35, read: words::transcription_language },
            "What callers speak, ISO 639-1: for the recogniser, and for whose listening words count (default: [agent] language)",
        ),
        key(
            "turn_detection",
            Kind::OneOf(&["server", "semantic"]),
            "How the end of a turn is found. server (the default): by silence. semantic: by what was said",
        ),
        key(
            "threshold",
            Kind::Number { least: 0.0, most: 1.0 },
            "How sure the server's detector must be of speech (default 0.5; 0.6 to 0.8 on noisy lines)",
        ),
        key("prefix_ms", Kind::Count { least: 0, most: 2_000 }, "Sound kept before speech, ms (default 300)"),
        key("silence_ms", Kind::Count { least: 100, most: 5_000 }, "Silence that ends a turn, ms (default 500)"),
        key(
            "eagerness",
            Kind::OneOf(&["low", "medium", "high", "auto"]),
            "With turn_detection = semantic: how soon a turn is taken for over, within 8, 4 or 2 s (default auto)",
        ),
        key(
            "noise_reduction",
            Kind::OneOf(&["near", "far", "off"]),
            "Where the microphone is: near (the default) at the mouth, far across a room",
        ),
        key(
            "transcription_model",
            text(LONGEST_MODEL, words::model),
            "Who writes down what callers say, or off (default: the gateway's)",
        ),
        key(
            "transcription_language",
            text(35, words::transcription_language),
            "The language callers are written down in, ISO 639-1 (default: whichever they speak)",
        ),
        key(
            "hint_words",
            Kind::Texts { most: MOST_HINTS, each: LONGEST_WORD, read: words::filled },
            "Names and words that the recogniser should expect",
        ),
        key(
            "interruptions",
            Kind::OneOf(&["at_once", "confirmed", "never"]),
            "What a sound of the caller's does to an agent that speaks. at_once (the default): it silences it. confirmed: it pauses it \
             until it is known to be a word. never: nothing, it is answered later",
        ),
        key(
            "min_ms",
            Kind::Count { least: 0, most: 1_200 },
            "With interruptions = confirmed: a shorter sound is no word, ms (default 200)",
        ),
        key(
            "pause_after_ms",
            Kind::Count { least: 0, most: 1_200 },
            "With interruptions = confirmed: a sound that is over by then does not pause the agent, ms (default 250)",
        ),
        LISTENING_WORDS,
    ],
};

const LISTENING_WORDS: Key = key(
    "listening_words",
    Kind::NamedTexts {
        most_names: MOST_LANGUAGES,
        name: words::transcription_language,
        most: MOST_LISTENING_WORDS,
        each: LONGEST_WORD,
        read: words::listening_word,
    },
    "With interruptions = confirmed: what a listener says without wanting the floor, by language, instead of the words that are known",
);
