//! One caller's line: when it speaks, what it is sent, and when. Time is an argument: microseconds on the load's clock.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write as _};
use std::ops::Range;

use serde_json::Value;
use tokio::net::tcp::OwnedWriteHalf;

use super::audio::{Preamble, Script};
use super::frame::{self, Head};
use super::play::Play;
use super::scenario::Role;

/// More unsent bytes than this: the other side has stopped reading.
const MOST_PENDING: usize = 256 * 1024;
/// Times kept of frames sent: seven minutes of 20 ms frames, a little more than the tap keeps.
const MOST_SENT: usize = 21_000;

/// Keys that a caller presses in a pause, and how far apart.
const KEYS: &[u8] = b"147#";
const KEY_US: u64 = 250_000;
/// From one pause in which keys are pressed to the next.
const KEYS_EVERY_US: u64 = 6_000_000;

/// An open call.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) number: u16,
    pub(super) opened_us: u64,
    /// When it ended, and how.
    pub(super) ended: Option<(u64, Over)>,
    pub(super) sent: Sent,
    pub(super) heard: Heard,
    stream_sid: String,
    /// None once it hung up without a word.
    write: Option<OwnedWriteHalf>,
    habits: Habits,
    preamble: Option<Preamble>,
    /// Frame of the shared script the caller begins at.
    phase: usize,
    next_due_us: u64,
    frame_us: u64,
    sequence: u64,
    pending: Vec<u8>,
    play: Play,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// The caller hung up, as it was to.
    HungUp,
    /// Something else ended it: what.
    Lost(String),
}

/// What a caller was sent.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) first_audio_us: Option<u64>,
    pub(super) arrivals: Vec<Arrival>,
    pub(super) messages: u64,
}

/// How a caller, and the carrier on its behalf, behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    pub(super) role: Role,
    /// Its carrier tells what was played.
    pub(super) echoes: bool,
    /// It hangs up without a word.
    pub(super) abrupt: bool,
    /// When it hangs up by itself.
    pub(super) leaves_us: Option<u64>,
    /// When the next keys are due.
    pub(super) keys_us: Option<u64>,
}

/// What a new line is made of.
pub(super) struct Opening {
    pub(super) number: u16,
    pub(super) call_sid: String,
    pub(super) stream_sid: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) phase: usize,
    pub(super) opened_us: u64,
    pub(super) first_due_us: u64,
    pub(super) frame_ms: u32,
    pub(super) habits: Habits,
}

/// When each frame was sent.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Number of the first frame still known of.
    pub(super) base: usize,
    pub(super) at_us: VecDeque<u64>,
}

impl Sent {
    pub(super) fn frames(&self) -> usize {
        self.base + self.at_us.len()
    }

    pub(super) fn at(&self, frame: usize) -> Option<u64> {
        self.at_us.get(frame.checked_sub(self.base)?).copied()
    }

    pub(super) fn push(&mut self, at_us: u64) {
        if self.at_us.len() == MOST_SENT {
            self.at_us.pop_front();
            self.base += 1;
        }
        self.at_us.push_back(at_us);
    }
}

/// Something that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// A message of agent audio of that many samples.
    Audio(u64, u32),
    /// A `clear`: what comes next belongs to another response.
    Clear(u64),
}

impl Line {
    pub(super) fn new(opening: Opening, write: OwnedWriteHalf, preamble: Preamble) -> Self {
        let mut line = Self {
            number: opening.number,
            opened_us: opening.opened_us,
            ended: None,
            sent: Sent::default(),
            heard: Heard::default(),
            stream_sid: opening.stream_sid,
            write: Some(write),
            habits: opening.habits,
            preamble: Some(preamble),
            phase: opening.phase,
            next_due_us: opening.first_due_us,
            frame_us: u64::from(opening.frame_ms) * 1_000,
            sequence: 1,
            pending: Vec::with_capacity(1_024),
            play: Play::default(),
        };
        let (stream, call, from, to) = (&line.stream_sid, opening.call_sid, opening.from, opening.to);
        let start = format!(
            r#"{{"event":"start","stream_sid":"{stream}","sequence_number":"1","start":{{"stream_sid":"{stream}","call_sid":"{call}","account_sid":"callgate1","from":"{from}","to":"{to}","media_format":{{"encoding":"base64","sample_rate":"8000","bit_rate":"128kbps"}}}}}}"#
        );
        frame::encode(&mut line.pending, frame::TEXT, br#"{"event":"connected"}"#);
        frame::encode(&mut line.pending, frame::TEXT, start.as_bytes());
        line
    }

    pub(super) const fn live(&self) -> bool {
        self.ended.is_none()
    }

    /// Something ended it.
    pub(super) fn end(&mut self, at_us: u64, why: impl Into<String>) {
        if self.live() {
            self.ended = Some((at_us, Over::Lost(why.into())));
            self.write = None;
        }
    }

    pub(super) fn was_lost(&self) -> bool {
        matches!(self.ended, Some((_, Over::Lost(_))))
    }

    pub(super) const fn role(&self) -> Role {
        self.habits.role
    }

    /// Says what is due; how late each frame was goes to `late_us`.
    pub(super) fn visit(
        &mut self,
        now: u64,
        speaking: bool,
        script: &Script,
        text: &mut Vec<u8>,
        late_us: &mut impl FnMut(u64),
    ) {
        if !self.live() {
            return;
        }
        while speaking && self.next_due_us <= now {
            self.frame(script, text);
            late_us(now - self.next_due_us);
            self.next_due_us += self.frame_us;
            self.sent.push(now);
        }
        if speaking {
            self.press(now);
        }
        while let Some(name) = self.play.due(now) {
            if !self.habits.echoes {
                continue;
            }
            self.sequence += 1;
            text.clear();
            let _ = write!(
                text,
                r#"{{"event":"mark","sequence_number":"{}","stream_sid":"{}","mark":{{"name":{name}}}}}"#,
                self.sequence, self.stream_sid
            );
            frame::encode(&mut self.pending, frame::TEXT, text);
        }
        self.flush(now);
        if self.habits.leaves_us.is_some_and(|at| at <= now) {
            self.hang_up(now);
            self.ended.get_or_insert((now, Over::HungUp));
            self.write = None;
        }
    }

    /// Presses the keys that are due.
    fn press(&mut self, now: u64) {
        while let Some(due) = self.habits.keys_us.filter(|due| *due <= now) {
            let key = due / KEY_US % KEYS.len() as u64;
            let digit = char::from(KEYS.get(key as usize).copied().unwrap_or(b'0'));
            self.sequence += 1;
            let text = format!(
                r#"{{"event":"dtmf","sequence_number":"{}","stream_sid":"{}","dtmf":{{"duration":"100","digit":"{digit}"}}}}"#,
                self.sequence, self.stream_sid
            );
            frame::encode(&mut self.pending, frame::TEXT, text.as_bytes());
            let last = key + 1 == KEYS.len() as u64;
            self.habits.keys_us = Some(due + if last { KEYS_EVERY_US - key * KEY_US } else { KEY_US });
        }
    }

    fn frame(&mut self, script: &Script, text: &mut Vec<u8>) {
        let index = self.sent.frames();
        self.preamble.take_if(|preamble| index >= preamble.frames());
        let payload = match &self.preamble {
            Some(preamble) => preamble.frame(index),
            None => script.frame(index + self.phase),
        };
        self.sequence += 1;
        text.clear();
        // Writing to a Vec cannot fail.
        let _ = write!(
            text,
            r#"{{"event":"media","sequence_number":"{}","stream_sid":"{}","media":{{"chunk":"{}","timestamp":"{}","payload":""#,
            self.sequence,
            self.stream_sid,
            index + 1,
            index as u64 * self.frame_us / 1_000
        );
        text.extend_from_slice(payload);
        text.extend_from_slice(b"\"}}");
        frame::encode(&mut self.pending, frame::TEXT, text);
    }

    fn flush(&mut self, now: u64) {
        while let (Some(write), false) = (&self.write, self.pending.is_empty()) {
            match write.try_write(&self.pending) {
                Ok(count) => {
                    self.pending.drain(..count);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.pending.len() > MOST_PENDING {
                        self.end(now, "the other side stopped reading");
                    }
                    return;
                }
                Err(error) => return self.end(now, format!("write: {}", error.kind())),
            }
        }
    }

    /// Says goodbye, `stop` and a close frame; or is gone without a word.
    pub(super) fn hang_up(&mut self, now: u64) {
        if self.habits.abrupt {
            self.write = None;
            return;
        }
        let stop = format!(
            r#"{{"event":"stop","sequence_number":"{}","stream_sid":"{}","stop":{{"account_sid":"callgate1","reason":"callended"}}}}"#,
            self.sequence + 1,
            self.stream_sid
        );
        frame::encode(&mut self.pending, frame::TEXT, stop.as_bytes());
        frame::encode(&mut self.pending, frame::CLOSE, &1_000_u16.to_be_bytes());
        self.flush(now);
    }

    /// Takes in the whole frames at the head of what was read.
    pub(super) fn read(&mut self, now: u64, bytes: &mut Vec<u8>) {
        let mut used = 0;
        while self.live() {
            match frame::decode(&bytes[used..]) {
                Head::Partial => break,
                Head::Wrong(what) => self.end(now, format!("sent {what}")),
                Head::Frame { opcode, body } => {
                    let Range { start, end } = body;
                    self.message(now, opcode, &bytes[used + start..used + end]);
                    used += end;
                }
            }
        }
        bytes.drain(..used);
    }

    fn message(&mut self, now: u64, opcode: u8, body: &[u8]) {
        match opcode {
            frame::TEXT | frame::BINARY => match understand(body) {
                Said::Audio(samples) => {
                    self.heard.first_audio_us.get_or_insert(now);
                    self.heard.messages += 1;
                    self.heard.arrivals.push(Arrival::Audio(now, samples));
                    self.play.audio(now, samples);
                }
                Said::Mark(name) => self.play.mark(now, name),
                Said::Clear => {
                    self.heard.arrivals.push(Arrival::Clear(now));
                    self.play.clear(now);
                }
                Said::Other => {}
            },
            frame::PING => frame::encode(&mut self.pending, frame::PONG, body),
            frame::CLOSE => {
                let code = body.first_chunk::<2>().map_or(1005, |code| u16::from_be_bytes(*code));
                self.end(now, format!("closed by the other side, code {code}"));
            }
            _ => {}
        }
    }
}

/// What a message says, as far as load cares.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// Agent audio of that many samples.
    Audio(u32),
    /// A mark's name, as JSON.
    Mark(String),
    Clear,
    Other,
}

/// Measures agent audio without decoding it; reads the rest as JSON.
fn understand(body: &[u8]) -> Said {
    const KEY: &[u8] = b"\"payload\"";
    let head = &body[..body.len().min(512)];
    if let Some(at) = head.windows(KEY.len()).position(|part| part == KEY) {
        let behind = &body[at + KEY.len()..];
        let Some(open) = behind.iter().take(8).position(|byte| *byte == b'"') else { return Said::Other };
        let value = &behind[open + 1..];
        // The payload is nearly always the last string: then its end need not be looked for from its beginning.
        let last = value.iter().rposition(|byte| *byte == b'"').filter(|last| !value[..*last].contains(&b'"'));
        let Some(end) = last.or_else(|| value.iter().position(|byte| *byte == b'"')) else { return Said::Other };
        let padding = value[..end].iter().rev().take_while(|byte| **byte == b'=').count();
        return Said::Audio(((end / 4 * 3).saturating_sub(padding) / 2) as u32);
    }
    let Ok(json) = serde_json::from_slice::<Value>(body) else { return Said::Other };
    match json["event"].as_str() {
        Some("mark") if json["mark"]["name"].is_string() => Said::Mark(json["mark"]["name"].to_string()),
        Some("clear") => Said::Clear,
        _ => Said::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_is_measured_wherever_its_payload_stands() {
        let payload = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, vec![1; 3_200]);
        for text in [
            format!(r#"{{"event":"media","stream_sid":"S","media":{{"payload":"{payload}"}}}}"#),
            format!(r#"{{"event":"media","media":{{"payload": "{payload}","chunk":"7"}},"stream_sid":"S"}}"#),
        ] {
            assert_eq!(understand(text.as_bytes()), Said::Audio(1_600));
        }
        assert_eq!(understand(br#"{"event": "mark","mark":{"name":"a\"b"}}"#), Said::Mark(r#""a\"b""#.into()));
        assert_eq!(understand(br#"{"stream_sid":"S","event":"clear"}"#), Said::Clear);
        for junk in [br#"{"payload""#.as_slice(), br#"{"payload":"#, br#"{"payload":"AAAA"#, b"{", b"", b"null"] {
            assert_eq!(understand(junk), Said::Other, "{junk:?}");
        }
    }

    #[test]
    fn only_the_latest_frames_are_remembered() {
        let mut sent = Sent::default();
        for frame in 0..MOST_SENT as u64 + 5 {
            sent.push(frame * 10);
        }
        assert_eq!((sent.frames(), sent.at(4), sent.at(5)), (MOST_SENT + 5, None, Some(50)));
    }
}
