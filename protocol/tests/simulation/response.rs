//! One response of a virtual server: words ahead of audio, audio ahead of real time, and what may go wrong with it.

use std::collections::VecDeque;

use protocol::call::io::ModelEvent;
use protocol::ids::{ItemId, ResponseId};
use protocol::realtime::event::{ContentKey, FunctionCall, ResponseDone, ResponseStatus, ServerEvent, Usage};

use super::functions::{DESK, NAMES, NOBODY};
use super::link::{MS, Micros, NEVER};
use super::server::{Air, Server};

/// ms of audio a word takes.
const WORD_MS: usize = 350;
/// How far words run ahead, in ms of audio.
const AHEAD_MS: usize = 1200;
const WORDS: [&str; 8] = ["we ", "are ", "open ", "from ", "nine ", "नमस्ते ", "कल ", "tomorrow "];

/// What becomes of a response that nobody cancels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Completes,
    /// Begins, and then nothing ever comes.
    Mute,
    Fails,
    /// Cut by a limit in the middle.
    Incomplete,
}

/// One content part still to be generated.
struct Part {
    content: usize,
    key: ContentKey,
    bytes: usize,
    made: usize,
    /// Words said, in ms of audio.
    words_ms: usize,
    text: String,
}

/// See the module.
pub(crate) struct Response {
    pub(crate) id: ResponseId,
    number: u32,
    created: bool,
    course: Course,
    parts: VecDeque<Part>,
    /// `done` events owed for a part, held back behind the next one's first delta.
    owed_done: Option<Part>,
    /// Cancelled: so many more deltas come.
    late: Option<u64>,
    /// Functions called at the end.
    calls: Vec<&'static str>,
}

impl Response {
    pub(crate) fn new(conn: u32, number: u32, air: &mut Air<'_>) -> Self {
        let id = ResponseId::new(format!("r{conn}-{number}"));
        let temper = air.temper;
        let course = match air.dice.within((0, 999)) as f64 / 1000.0 {
            p if p < temper.mute => Course::Mute,
            p if p < temper.mute + temper.fails => Course::Fails,
            p if p < temper.mute + temper.fails + temper.incomplete => Course::Incomplete,
            _ => Course::Completes,
        };
        let calls = match air.dice.within((0, 999)) as f64 / 1000.0 {
            p if p < temper.says_goodbye => vec![air.dice.pick(&["end_call", "end_call", "transfer_call"])],
            p if p < temper.says_goodbye + temper.calls_tool => {
                let count = if air.dice.chance(temper.two_calls) { 2 } else { 1 };
                (0..count).map(|_| air.dice.pick(&NAMES)).collect()
            }
            _ => Vec::new(),
        };
        let items = if air.dice.chance(temper.empty) {
            0
        } else if air.dice.chance(temper.two_items) {
            2
        } else {
            1
        };
        let parts = (0..items)
            .map(|item| {
                let item = ItemId::new(format!("a{conn}-{number}-{item}"));
                let key = ContentKey { response: id.clone(), item, content_index: 0 };
                // Not in whole milliseconds: a resampler stands between the server and the call.
                let bytes =
                    air.dice.within(temper.item_ms) as usize * air.rate.bytes_per_ms() + 2 * (number as usize % 5);
                let content = air.tape.add(conn, key.clone());
                Part { content, key, bytes, made: 0, words_ms: 0, text: String::new() }
            })
            .collect();
        Self { id, number, created: false, course, parts, owed_done: None, late: None, calls }
    }

    /// Generation ends after so many more deltas; there are none of what has not begun.
    pub(crate) fn cancel(&mut self, late: u64) {
        self.late.get_or_insert(if self.created { late } else { 0 });
    }

    /// The next move: how long until the one after it, or none when this was the last.
    pub(crate) fn generate(&mut self, server: &mut Server, air: &mut Air<'_>) -> Option<Micros> {
        if !std::mem::replace(&mut self.created, true) {
            let response = self.id.clone();
            server.say(air, ServerEvent::ResponseCreated { response, output: None });
            let think = air.dice.within(air.temper.think_ms) * MS;
            return Some(if self.late.is_some() { 0 } else { think });
        }
        if let Some(left) = &mut self.late {
            if *left == 0 || self.parts.is_empty() || self.course == Course::Mute {
                return self.done(server, air, ResponseStatus::Cancelled);
            }
            *left -= 1;
            return Some(self.delta(server, air));
        }
        match self.course {
            Course::Mute => Some(NEVER),
            Course::Fails => {
                let code = air.dice.pick(&["rate_limit_exceeded", "rate_limit_exceeded", "server_error"]).to_owned();
                let message =
                    air.dice.pick(&["", "Please try again in 1.2s.", "Please try again in 1m26.4s."]).to_owned();
                self.done(server, air, ResponseStatus::Failed { code, message })
            }
            Course::Incomplete if self.parts.front().is_none_or(|p| p.made > p.bytes / 2) => {
                self.parts.clear();
                self.done(server, air, ResponseStatus::Incomplete { reason: "max_output_tokens".to_owned() })
            }
            _ if self.parts.is_empty() => {
                self.part_done(server, air);
                self.call_functions(server, air);
                self.done(server, air, ResponseStatus::Completed)
            }
            Course::Incomplete | Course::Completes => Some(self.delta(server, air)),
        }
    }

    /// Words and one delta of audio: how long generating it took.
    fn delta(&mut self, server: &mut Server, air: &mut Air<'_>) -> Micros {
        let Some(part) = self.parts.front_mut() else { return 0 };
        let ms = air.dice.within((188, 275));
        let bytes_per_ms = air.rate.bytes_per_ms();
        if part.made == 0 {
            // The item was added.
            server.say(air, ServerEvent::Ignored);
        }
        let target = (part.made / bytes_per_ms + AHEAD_MS).min(part.bytes / bytes_per_ms);
        let mut delta = String::new();
        while part.words_ms < target {
            delta.push_str(air.dice.pick(&WORDS));
            part.words_ms += WORD_MS;
        }
        if !delta.is_empty() {
            part.text.push_str(&delta);
            server.say(air, ServerEvent::TranscriptDelta { key: part.key.clone(), delta });
        }
        let bytes = (ms as usize * bytes_per_ms).min(part.bytes - part.made);
        let key = part.key.clone();
        part.made += bytes;
        if bytes > 0 {
            let pcm = air.tape.generate(part.content, bytes);
            server.to_call.push(air.now, air.dice, ModelEvent::Audio { key, pcm });
        }
        if air.dice.chance(air.temper.unknown_events) {
            server.say(air, ServerEvent::Unknown { kind: "ping".to_owned() });
        }
        let over = part.made >= part.bytes;
        self.part_done(server, air);
        if over {
            self.owed_done = self.parts.pop_front();
            if !air.temper.interleaves {
                self.part_done(server, air);
            }
        }
        ms * MS / air.temper.speed
    }

    /// `done` of a part that is generated whole.
    fn part_done(&mut self, server: &mut Server, air: &mut Air<'_>) {
        if let Some(part) = self.owed_done.take() {
            server.say(air, ServerEvent::AudioDone(part.key.clone()));
            server.say(air, ServerEvent::TranscriptDone { key: part.key, text: part.text });
        }
    }

    fn call_functions(&mut self, server: &mut Server, air: &mut Air<'_>) {
        for (index, name) in std::mem::take(&mut self.calls).into_iter().enumerate() {
            let call_id = format!("c{}-{}-{index}", server.id, self.number);
            let to = if self.number.is_multiple_of(3) { NOBODY } else { DESK };
            server.called(call_id.clone());
            let call = FunctionCall {
                response: self.id.clone(),
                item: ItemId::new(format!("f{}-{}-{index}", server.id, self.number)),
                call_id,
                name: name.to_owned(),
                arguments: format!(r#"{{"reason":"{} of {}","to":"{to}"}}"#, self.number, server.id),
                complete: true,
            };
            server.say(air, ServerEvent::FunctionCall(call));
        }
    }

    fn done(&mut self, server: &mut Server, air: &mut Air<'_>, status: ResponseStatus) -> Option<Micros> {
        self.part_done(server, air);
        let usage = Usage { output_audio: 10, ..Usage::default() };
        server.say(air, ServerEvent::ResponseDone(ResponseDone { response: self.id.clone(), status, usage }));
        None
    }
}
