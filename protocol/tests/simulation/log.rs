//! The last that happened in a world, for when it fails.

use std::collections::VecDeque;
use std::fmt;

use protocol::call::io::{CallerCommand, CallerEvent, Input, ModelCommand, ModelEvent, Output};
use protocol::realtime::command::ClientEvent;

use super::link::Micros;

/// Events that are kept.
const LINES: usize = 40;
/// Characters of one.
const WIDTH: usize = 220;

/// See the module.
#[derive(Default)]
pub(crate) struct Log(VecDeque<String>);

impl Log {
    /// What the call is told; the caller's audio would crowd out the rest.
    pub(crate) fn input(&mut self, now: Micros, input: &Input) {
        match input {
            Input::Caller(CallerEvent::Audio { .. }) => {}
            Input::Model(conn, ModelEvent::Audio { key, pcm }) => {
                self.note(now, "<-", &format_args!("{conn:?} {} bytes of {key:?}", pcm.len()));
            }
            Input::Caller(CallerEvent::Sent { mark, pcm }) => {
                self.note(now, "<-", &format_args!("sent {} bytes, {mark}", pcm.len()));
            }
            Input::Caller(CallerEvent::Refused { mark, pcm }) => {
                self.note(now, "<-", &format_args!("refused {} bytes, {mark}", pcm.len()));
            }
            _ => self.note(now, "<-", input),
        }
    }

    /// What the call wants done.
    pub(crate) fn output(&mut self, now: Micros, output: &Output) {
        match output {
            Output::Model(_, ModelCommand::Send(ClientEvent::Append(_), _)) | Output::Heard(_) => {}
            Output::Caller(CallerCommand::Play { pcm, mark }) => {
                self.note(now, "  ->", &format_args!("play {} bytes, {mark:?}", pcm.len()));
            }
            _ => self.note(now, "  ->", output),
        }
    }

    pub(crate) fn note(&mut self, now: Micros, way: &str, what: &impl fmt::Debug) {
        if self.0.len() == LINES {
            self.0.pop_front();
        }
        let what: String = format!("{what:?}").chars().take(WIDTH).collect();
        self.0.push_back(format!("{:>12.3} ms {way} {what}", now as f64 / 1000.0));
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
