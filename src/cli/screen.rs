//! What a terminal is shown: text from outside is printed there, never obeyed.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write};

/// A text on one line, with everything spelled out that a terminal would act on: `\u{1b}`.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    let mut before = None;
    let acts = text.chars().any(|character| acts(character, before.replace(character)));
    if !acts {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    spell(text, None, &mut out, |_| false);
    Cow::Owned(out)
}

/// Whether a terminal would act on a character, or hide or turn round what stands beside it.
fn acts(character: char, before: Option<char>) -> bool {
    match character {
        // Joiners are part of how Indian words are written; anywhere else they hide something.
        '\u{200c}' | '\u{200d}' => !before.is_some_and(|before| ('\u{900}'..='\u{dff}').contains(&before)),
        '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => true,
        other => other.is_control(),
    }
}

fn spell(text: &str, mut before: Option<char>, out: &mut String, stays: impl Fn(char) -> bool) -> Option<char> {
    for character in text.chars() {
        if acts(character, before) && !stays(character) {
            // A `String` takes whatever is written to it.
            let _ = write!(out, "{}", character.escape_unicode());
        } else {
            out.push(character);
        }
        before = Some(character);
    }
    before
}

/// Where a command prints. Whatever reaches it, lines apart, is spelled out as by [`shown`].
pub(crate) struct Screen<W> {
    to: W,
    /// The beginning of a character whose end comes with the next write.
    cut: Vec<u8>,
    before: Option<char>,
}

impl<W: Write> Screen<W> {
    pub(crate) fn new(to: W) -> Self {
        Self { to, cut: Vec::new(), before: None }
    }

    fn spell(&mut self, text: &str, out: &mut String) {
        self.before = spell(text, self.before, out, |character| character == '\n');
    }
}

impl<W: Write> Write for Screen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut whole = std::mem::take(&mut self.cut);
        whole.extend_from_slice(bytes);
        let (mut rest, mut out) = (whole.as_slice(), String::with_capacity(whole.len()));
        while let Err(error) = std::str::from_utf8(rest) {
            let (text, after) = rest.split_at(error.valid_up_to());
            self.spell(&String::from_utf8_lossy(text), &mut out);
            let Some(bad) = error.error_len() else {
                self.cut = after.to_vec();
                rest = &[];
                break;
            };
            out.push(char::REPLACEMENT_CHARACTER);
            rest = &after[bad..];
        }
        self.spell(&String::from_utf8_lossy(rest), &mut out);
        self.to.write_all(out.as_bytes()).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush().map_err(gone)
    }
}

/// Whoever read what a command prints has seen enough: `callgate calls | head`.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads what is printed")]
struct ReaderGone;

/// Tells a reader who is gone from other failures.
pub(crate) fn gone(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::BrokenPipe { io::Error::new(ErrorKind::BrokenPipe, ReaderGone) } else { error }
}

/// Whether a command failed only because its reader had seen enough.
pub(crate) fn is_reader_gone(error: &anyhow::Error) -> bool {
    let gone = |error: &io::Error| error.get_ref().is_some_and(|inner| inner.is::<ReaderGone>());
    error.chain().any(|cause| cause.downcast_ref().is_some_and(gone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_spelled_out_and_words_stay_as_they_are() {
        let acts =
            ["\u{0}", "\u{7}", "\u{8}", "\t", "\n", "\r", "\u{1b}", "\u{7f}", "\u{80}", "\u{85}", "\u{9b}", "\u{9d}"];
        let hides = [
            "\u{ad}", "\u{61c}", "\u{200b}", "\u{200c}", "\u{200d}", "\u{200e}", "\u{200f}", "\u{2028}", "\u{2029}",
            "\u{2060}",
        ];
        let turns = [
            "\u{202a}",
            "\u{202b}",
            "\u{202d}",
            "\u{202e}",
            "\u{2066}",
            "\u{2067}",
            "\u{2069}",
            "\u{feff}",
            "\u{e0041}",
        ];
        for raw in acts.into_iter().chain(hides).chain(turns) {
            let spelled = shown(raw).into_owned();
            assert_eq!(spelled, format!("\\u{{{:x}}}", u32::from(raw.chars().next().unwrap())));
            assert_eq!(shown(&format!("a{raw}b")), format!("a{spelled}b"));
        }
        for word in ["Asha & Sons – “hello”", "नमस्ते, क्\u{200d}ष", "മലയാളം ന്\u{200d}", "اردو", "日本語", "naïve 🙂"]
        {
            assert_eq!(shown(word), word);
        }
    }

    #[test]
    fn nothing_that_reaches_the_screen_is_obeyed_however_it_is_cut_up() {
        let text = "one \u{1b}[2J\u{9b}2J é नम\u{202e}\r\ntwo\n";
        for size in 1..7 {
            let mut screen = Screen::new(Vec::new());
            for piece in text.as_bytes().chunks(size) {
                screen.write_all(piece).unwrap();
            }
            let printed = String::from_utf8(screen.to).unwrap();
            assert_eq!(printed, "one \\u{1b}[2J\\u{9b}2J é नम\\u{202e}\\u{d}\ntwo\n", "{size}");
        }
        let mut screen = Screen::new(Vec::new());
        screen.write_all(b"a\xff\x1bb").unwrap();
        assert_eq!(screen.to, "a\u{fffd}\\u{1b}b".as_bytes());
    }

    #[test]
    fn a_reader_who_has_seen_enough_is_told_from_other_broken_pipes() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let error = writeln!(Screen::new(Closed), "x").unwrap_err();
        assert!(is_reader_gone(&anyhow::Error::from(error).context("printing")));
        assert!(!is_reader_gone(&io::Error::from(ErrorKind::BrokenPipe).into()));
    }
}
