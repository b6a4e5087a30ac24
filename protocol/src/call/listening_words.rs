//! What a listener says without wanting the floor: "hmm", "haan ji", "okay". Recognisers spell such words as they like, and in either
//! script: words are compared as [`normal`] makes them, and nowhere else.

use super::policy::Setup;

/// More words than that are no listener's.
const MOST: usize = 8;
/// Words of one entry.
const LONGEST_ENTRY: usize = 3;

/// By language, ISO 639-1. A caller mixes languages: what is said in all of India stands with each.
const KNOWN: [(&str, &[&str]); 12] = [
    (
        "en",
        &[
            "mm",
            "uh huh",
            "uhuh",
            "mhm",
            "mm hmm",
            "ah",
            "oh",
            "aha",
            "yeah",
            "yea",
            "yep",
            "yup",
            "ya",
            "yes",
            "right",
            "sure",
            "alright",
            "all right",
            "i see",
            "got it",
            "of course",
            "good",
            "great",
            "fine",
            "cool",
            "exactly",
        ],
    ),
    (
        "hi",
        &[
            "haan",
            "haanji",
            "ji",
            "ha",
            "han",
            "hoon",
            "hm",
            "accha",
            "achchha",
            "theek",
            "thik",
            "theek hai",
            "thik hai",
            "sahi",
            "sahi hai",
            "bilkul",
            "jee",
            "हाँ",
            "हां",
            "हा",
            "जी",
            "हाँजी",
            "हूँ",
            "हम्म",
            "अच्छा",
            "ठीक",
            "ठीक है",
            "सही",
            "सही है",
            "बिल्कुल",
            "ओके",
            "यस",
            "राइट",
            "हं",
        ],
    ),
    (
        "bn",
        &[
            "hyan",
            "haan",
            "hya",
            "accha",
            "achha",
            "thik",
            "thik ache",
            "thik achhe",
            "ji",
            "হ্যাঁ",
            "হাঁ",
            "হুম",
            "আচ্ছা",
            "ঠিক",
            "ঠিক আছে",
            "জি",
            "ওকে",
        ],
    ),
    ("ta", &["aama", "aamaa", "aam", "sari", "seri", "ok sari", "mm", "ஆமா", "ஆம்", "ஆமாம்", "சரி", "ம்", "ம்ம்", "ஓகே"]),
    ("te", &["avunu", "aunu", "sare", "sari", "haa", "అవును", "సరే", "హా", "ఊఁ", "ఊ", "మ్", "ఓకే"]),
    (
        "mr",
        &[
            "ho",
            "hoy",
            "haan",
            "barobar",
            "bara",
            "theek",
            "thik aahe",
            "accha",
            "हो",
            "होय",
            "हां",
            "बरं",
            "बर",
            "बरोबर",
            "ठीक",
            "ठीक आहे",
            "अच्छा",
            "हम्म",
            "ओके",
        ],
    ),
    (
        "gu",
        &[
            "ha",
            "haan",
            "haa ji",
            "barabar",
            "saru",
            "theek",
            "thik che",
            "accha",
            "હા",
            "હાં",
            "જી",
            "બરાબર",
            "સારું",
            "ઠીક",
            "ઠીક છે",
            "અચ્છા",
            "હમ્મ",
            "ઓકે",
        ],
    ),
    ("kn", &["houdu", "haudu", "howdu", "sari", "aaytu", "haa", "ಹೌದು", "ಸರಿ", "ಹಾ", "ಹೂಂ", "ಆಯ್ತು", "ಓಕೆ"]),
    ("ml", &["athe", "sheri", "shari", "seri", "mm", "aa", "അതെ", "ശരി", "മ്", "ആ", "ഉം", "ഓക്കെ"]),
    (
        "pa",
        &[
            "haan",
            "haanji",
            "ji",
            "accha",
            "theek",
            "theek hai",
            "sahi",
            "ਹਾਂ",
            "ਹਾਂਜੀ",
            "ਜੀ",
            "ਅੱਛਾ",
            "ਠੀਕ",
            "ਠੀਕ ਹੈ",
            "ਸਹੀ",
            "ਓਕੇ",
        ],
    ),
    ("or", &["han", "haan", "hau", "accha", "thik", "thik achi", "ହଁ", "ହଉ", "ଆଚ୍ଛା", "ଠିକ", "ଠିକ ଅଛି", "ଓକେ"]),
    (
        "ur",
        &[
            "haan",
            "haanji",
            "ji",
            "ji haan",
            "accha",
            "theek",
            "theek hai",
            "sahi",
            "ہاں",
            "جی",
            "اچھا",
            "ٹھیک",
            "ٹھیک ہے",
            "صحیح",
            "ہوں",
            "اوکے",
        ],
    ),
];
/// In whichever language.
const EVERYWHERE: [&str; 6] = ["hmm", "mm", "uh huh", "mhm", "ok", "okay"];

/// The words of a text as they are compared: small letters, no punctuation, a letter that is repeated once, and one sign for either of
/// the two that Indian scripts nasalise with.
pub fn normal(text: &str) -> impl Iterator<Item = String> + '_ {
    let parts = text.split(|letter: char| !is_of_word(letter));
    parts.map(normal_word).filter(|word| !word.is_empty())
}

/// Joiners show how letters are drawn, and not which they are.
const fn is_joiner(letter: char) -> bool {
    matches!(letter, '\u{200c}' | '\u{200d}' | '\u{feff}')
}

/// Letters, and the signs of Indian scripts that stand upon them and are letters to nobody: virama, nukta and their like.
fn is_of_word(letter: char) -> bool {
    let sign = ('\u{900}'..='\u{dff}').contains(&letter) && !matches!(letter, '\u{964}' | '\u{965}' | '\u{970}');
    letter.is_alphanumeric() || sign || is_joiner(letter) || ('\u{300}'..='\u{36f}').contains(&letter)
}

fn normal_word(word: &str) -> String {
    let mut normal = String::with_capacity(word.len());
    for letter in word.chars().flat_map(char::to_lowercase).filter(|letter| !is_joiner(*letter)) {
        let letter = match u32::from(letter) {
            // Candrabindu and anusvara, in each script of the block.
            sign @ 0x900..0xe00 if sign % 0x80 == 1 => char::from_u32(sign + 1).unwrap_or(letter),
            _ => letter,
        };
        if !normal.ends_with(letter) {
            normal.push(letter);
        }
    }
    normal
}

/// Whether all of what was said is what a listener says, in the languages of that call. No words at all are none that want the floor.
#[must_use]
pub fn are_all(setup: &Setup, text: &str) -> bool {
    let said: Vec<String> = normal(text).take(MOST + 1).collect();
    if said.len() > MOST {
        return false;
    }
    let languages = languages(setup);
    let mut at = 0;
    while at < said.len() {
        let longest = (1..=LONGEST_ENTRY.min(said.len() - at)).rev();
        let Some(found) = longest.into_iter().find(|words| is_known(setup, &languages, &said[at..at + words])) else {
            return false;
        };
        at += found;
    }
    true
}

/// The languages of a call: the client's word, or else its agent's and its recogniser's.
fn languages(setup: &Setup) -> Vec<String> {
    let listening = &setup.listening;
    let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    if !listening.languages.is_empty() {
        return listening.languages.iter().map(|language| primary(language)).collect();
    }
    std::iter::once(&setup.language)
        .chain(&listening.transcription_language)
        .map(|language| primary(language))
        .collect()
}

fn is_known(setup: &Setup, languages: &[String], said: &[String]) -> bool {
    let is_it = |entry: &str| normal(entry).eq(said.iter().cloned());
    EVERYWHERE.iter().any(|entry| is_it(entry))
        || languages.iter().any(|language| match setup.listening.listening_words.get(language) {
            Some(own) => own.iter().any(|entry| is_it(entry)),
            None => known(language).iter().any(|entry| is_it(entry)),
        })
}

fn known(language: &str) -> &'static [&'static str] {
    KNOWN.iter().find(|(known, _)| *known == language).map_or(&[], |(_, words)| words)
}

#[cfg(test)]
mod tests;
