//! Secrets taken out of URLs in a text: in one pass, whoever wrote it.

use memchr::memchr3;

/// What stands in a text where a secret was.
pub(super) const REDACTED: &str = "[redacted]";

/// Takes out of URLs in a text what must not be kept: `user:password@` and the value of `key=`.
#[must_use]
pub fn redact(text: &str) -> String {
    rewrite(text, false)
}

/// The same for the beginning of a longer text: what may be the beginning of a secret at its very end is one.
#[must_use]
pub fn redact_cut(beginning: &str) -> String {
    rewrite(beginning, true)
}

/// What a secret can stand behind.
#[derive(Clone, Copy)]
enum Mark {
    /// `://`: credentials may follow, up to the last `@` before the host's end.
    Scheme(usize),
    /// `?key=` or `&key=`.
    Key(usize),
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
        }
    }

    /// Bytes of the secret that follows the mark.
    fn secret(self, after: &str, cut: bool) -> usize {
        let ends: &[char] = match self {
            Self::Scheme(_) => &['/', '\\', '?', '#', '"', ' '],
            Self::Key(_) => &['&', '#', '"', ' '],
        };
        let end = after.find(ends);
        let part = &after[..end.unwrap_or(after.len())];
        match self {
            Self::Key(_) => part.len(),
            Self::Scheme(_) if cut && end.is_none() => part.len(),
            Self::Scheme(_) => part.rfind('@').unwrap_or(0),
        }
    }
}

/// Looks at each byte a fixed number of times: a part that was searched for its end holds no mark of its own kind.
fn rewrite(text: &str, cut: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut from) = (text, 0);
    while let Some(found) = memchr3(b':', b'?', b'&', &rest.as_bytes()[from..]) {
        let at = from + found;
        let Some(mark) = Mark::at_start_of(&rest[at..]) else {
            from = at + 1;
            continue;
        };
        let (before, after) = rest.split_at(at + mark.len());
        out.push_str(before);
        let secret = mark.secret(after, cut);
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
        while let Some((at, mark)) =
            ["://", r":\/\/", "?key=", "&key="].iter().filter_map(|mark| rest.find(mark).map(|at| (at, *mark))).min()
        {
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
