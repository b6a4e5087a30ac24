//! Secrets taken out of URLs in a text: in one pass, whoever wrote it.

use memchr::memchr3;

/// What stands in a text where a secret was.
pub(super) const REDACTED: &str = "[redacted]";

/// Takes out of URLs in a text what must not be kept: `user:password@`, what is behind the `?`, and the value of `key=` anywhere.
#[must_use]
pub fn redact(text: &str) -> String {
    rewrite(text, false)
}

/// The same for the beginning of a longer text: what may be the beginning of a secret at its very end is one.
#[must_use]
pub fn redact_cut(beginning: &str) -> String {
    rewrite(beginning, true)
}

/// A URL ends before one of these.
const AFTER_URL: [char; 3] = [' ', '"', '#'];

/// What a secret can stand behind.
#[derive(Clone, Copy)]
enum Mark {
    /// `://`: credentials may follow, up to the last `@` before the host's end.
    Scheme(usize),
    /// `?key=` or `&key=`.
    Key(usize),
    /// `?` in a URL.
    Query,
}

impl Mark {
    /// The mark that a text begins with. Exotel spells `/` as `\/` in URLs that it quotes.
    fn at_start_of(text: &str) -> Option<Self> {
        let marks = [
            ("://", Self::Scheme as fn(usize) -> Self),
            (r":\/\/", Self::Scheme),
            ("?key=", Self::Key),
            ("&key=", Self::Key),
        ];
        marks.into_iter().find_map(|(mark, kind)| text.starts_with(mark).then(|| kind(mark.len())))
    }

    const fn len(self) -> usize {
        match self {
            Self::Scheme(len) | Self::Key(len) => len,
            Self::Query => 1,
        }
    }

    /// Bytes of the secret that follows the mark.
    fn secret(self, after: &str, cut: bool) -> usize {
        let ends: &[char] = match self {
            Self::Scheme(_) => &['/', '\\', '?', '#', '"', ' '],
            Self::Key(_) => &['&', '#', '"', ' '],
            Self::Query => &['#', '"', ' '],
        };
        let end = after.find(ends);
        let part = &after[..end.unwrap_or(after.len())];
        match self {
            Self::Key(_) | Self::Query => part.len(),
            Self::Scheme(_) if cut && end.is_none() => part.len(),
            Self::Scheme(_) => part.rfind('@').unwrap_or(0),
        }
    }
}

/// Looks at each byte a fixed number of times: a part that was searched for its end holds no mark of its own kind.
fn rewrite(text: &str, cut: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut from, mut in_url) = (text, 0, false);
    while let Some(found) = memchr3(b':', b'?', b'&', &rest.as_bytes()[from..]) {
        let at = from + found;
        in_url = in_url && !rest[from..at].contains(AFTER_URL);
        let mark = match Mark::at_start_of(&rest[at..]) {
            // All of it may be anything: keys that a caller pressed, a name, another URL.
            _ if in_url && rest[at..].starts_with('?') => Mark::Query,
            Some(mark) => mark,
            None => {
                from = at + 1;
                continue;
            }
        };
        let (before, after) = rest.split_at(at + mark.len());
        out.push_str(before);
        let secret = mark.secret(after, cut);
        in_url = matches!(mark, Mark::Scheme(_)) || in_url && matches!(mark, Mark::Key(_));
        if secret > 0 {
            out.push_str(REDACTED);
        }
        (rest, from) = (&after[secret..], 0);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As it was first written: plain, and quadratic.
    fn plainly(value: &str) -> String {
        let mut out = String::new();
        let mut rest = value;
        let mut url = false;
        loop {
            let query =
                if url { rest.find([' ', '"', '#', '?']).filter(|at| rest[*at..].starts_with('?')) } else { None };
            let mark = ["://", r":\/\/", "?key=", "&key="]
                .iter()
                .filter_map(|mark| rest.find(mark).map(|at| (at, *mark)))
                .min();
            if let Some(at) = query.filter(|at| mark.is_none_or(|(other, _)| *at <= other)) {
                let after = &rest[at + 1..];
                let end = after.find(['#', '"', ' ']).unwrap_or(after.len());
                out += &rest[..=at];
                out += if end > 0 { REDACTED } else { "" };
                (rest, url) = (&after[end..], false);
                continue;
            }
            let Some((at, mark)) = mark else { break };
            url = !mark.ends_with('=') || url && !rest[..at].contains([' ', '"', '#']);
            let (before, after) = rest.split_at(at + mark.len());
            out.push_str(before);
            let ends: &[char] =
                if mark.ends_with('=') { &['&', '#', '"', ' '] } else { &['/', '\\', '?', '#', '"', ' '] };
            let part = after.find(ends).unwrap_or(after.len());
            let secret = if mark.ends_with('=') { part } else { after[..part].rfind('@').unwrap_or(0) };
            if secret > 0 {
                out.push_str(REDACTED);
            }
            rest = &after[secret..];
        }
        out + rest
    }

    #[test]
    fn nothing_that_stands_behind_a_urls_question_mark_is_kept() {
        for (text, kept) in [
            (r#""https:\/\/host\/dtmf?CallSid=1&digits=%228%22""#, r#""https:\/\/host\/dtmf?[redacted]""#),
            (
                "wss://a:b@host/m?number=4539 and https://x/?y#z?w",
                "wss://[redacted]@host/m?[redacted] and https://x/?[redacted]#z?w",
            ),
            ("what? https://x/ who?", "what? https://x/ who?"),
            ("https://x/?", "https://x/?"),
            ("?key=1&a=2", "?key=[redacted]&a=2"),
        ] {
            assert_eq!(redact(text), kept);
        }
    }

    proptest! {
        #[test]
        fn a_text_is_redacted_as_it_always_was(text in r#"(://|:\\/\\/|[?&]key=|[@/&?:#" \\]|[a-zन]{1,3}){0,40}"#) {
            prop_assert_eq!(redact(&text), plainly(&text));
        }

        #[test]
        fn the_cut_end_of_a_text_gives_no_part_of_a_password_away(host in "[a-z]{0,5}", password in "[A-Z0-9]{1,40}", at in 0_usize..80) {
            let text = format!("{host} https://user:{password}@host/?key={password}");
            let beginning = &text[..at.min(text.len())];
            let kept = redact_cut(beginning);
            prop_assert!(!kept.bytes().any(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()), "{}", kept);
        }
    }
}
