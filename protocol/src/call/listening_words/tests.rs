use super::*;
use crate::call::policy::{GreetedBy, Listening};

fn setup(language: &str, languages: &[&str]) -> Setup {
    Setup {
        instructions: String::new(),
        greeting: String::new(),
        known: std::collections::BTreeMap::new(),
        context: None,
        greeted_by: GreetedBy::Model,
        language: language.to_owned(),
        listening: Listening { languages: languages.iter().map(ToString::to_string).collect(), ..Listening::default() },
        speed: None,
        voice: None,
        tools: Vec::new(),
        destinations: Vec::new(),
        hold_words: Vec::new(),
        clips: std::sync::Arc::default(),
        secret_keys: false,
        closed: false,
    }
}

#[test]
fn a_listener_is_known_in_either_script_and_however_it_is_spelt() {
    let hindi = setup("hi-IN", &[]);
    for said in [
        "Hmm.",
        "hmmmm",
        "Haan ji",
        "HAAN, JI!",
        "haanji",
        "हाँ जी।",
        "हां",
        "हाँ हाँ",
        "अच्छा…",
        "Accha, accha",
        "theek hai",
        "ठीक है",
        "OK",
        "ओके",
        "Mm-hmm",
        "uh-huh",
        "",
        "…",
        "हम्म",
    ] {
        assert!(are_all(&hindi, said), "{said}");
    }
    for said in [
        "नहीं",
        "nahi",
        "haan par",
        "हाँ लेकिन सुनिए",
        "no",
        "stop",
        "hello",
        "रुकिए",
        "haan haan haan haan haan haan haan haan haan",
    ] {
        assert!(!are_all(&hindi, said), "{said}");
    }
}

#[test]
fn whose_listening_words_count_is_the_clients_to_say() {
    assert!(are_all(&setup("en-IN", &[]), "Yeah, I see."));
    assert!(!are_all(&setup("en-IN", &[]), "haan ji"), "that is Hindi");
    assert!(are_all(&setup("en-IN", &["en", "hi"]), "haan ji, I see"));
    assert!(are_all(&setup("ta", &[]), "சரி") && are_all(&setup("bn-IN", &[]), "হ্যাঁ"));
    let mut own = setup("hi", &[]);
    own.listening.listening_words.insert("hi".to_owned(), vec!["Wah wah!".to_owned()]);
    assert!(are_all(&own, "wah, wah") && are_all(&own, "hmm"));
    assert!(!are_all(&own, "haan"), "instead of what is known");
    assert!(are_all(&setup("xx", &[]), "okay"), "of a language that nobody knows");
}

#[test]
fn every_word_that_is_known_is_a_word_and_is_found_again() {
    for (language, words) in KNOWN {
        for word in words {
            let parts = normal(word).count();
            assert!((1..=LONGEST_ENTRY).contains(&parts), "{language}: {word}");
            assert!(are_all(&setup(language, &[]), word), "{language}: {word}");
        }
    }
}

#[test]
fn nothing_that_is_said_can_make_it_slow_or_fail() {
    let hindi = setup("hi", &[]);
    assert!(!are_all(&hindi, &"haan ".repeat(100_000)));
    assert!(!are_all(&hindi, &"h".repeat(1_000_000).replace("hh", "ha")));
}
