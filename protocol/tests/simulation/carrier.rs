//! The other end of the media socket: plays in real time by whole messages, echoes marks, and is rude about both.

use std::collections::VecDeque;

use codecs::SampleRate;
use protocol::call::io::CallerEvent;
use protocol::ids::MarkId;

use super::link::{Dice, Link, MS, Micros, NEVER};
use super::person::Person;
use super::tape::Tape;

/// What a carrier does with marks and frames.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    /// Never echoes a mark.
    pub(crate) mute_marks: bool,
    /// Chance that an echo is lost.
    pub(crate) loses_marks: f64,
    /// Chance that an echo comes twice.
    pub(crate) doubles_marks: f64,
    /// Chance that an echo is held back, by up to this many ms.
    pub(crate) late_marks: (f64, u64),
    /// Echoes the marks of what it cleared, at once.
    pub(crate) echoes_cleared: bool,
    /// Bytes of a frame at 8 kHz, from and to.
    pub(crate) frame_bytes: (u64, u64),
    /// Chance that a frame is lost and told as such.
    pub(crate) loses_frames: f64,
    /// Chance, by frame, that the line falls silent for 0.8 to 4 s.
    pub(crate) gaps: f64,
    /// Stops sending audio for good, the socket staying open.
    pub(crate) dies_at: Micros,
}

impl Habits {
    /// Whether a mark that comes back says when playback got there.
    pub(crate) fn honest(&self) -> bool {
        !self.mute_marks && self.loses_marks == 0.0 && self.late_marks.0 == 0.0
    }
}

/// What reaches the carrier.
#[derive(Debug)]
pub(crate) enum Command {
    /// One message of audio: whose (none: silence), how much of it is audio, and its length.
    Media {
        content: Option<usize>,
        /// Where it begins in its content.
        at: usize,
        audio: usize,
        bytes: usize,
    },
    Mark(MarkId),
    Clear,
    Close,
}

/// The message being played.
struct Playing {
    content: Option<usize>,
    at: usize,
    audio: usize,
    from: Micros,
    until: Micros,
}

/// See the module.
pub(crate) struct Carrier {
    pub(crate) habits: Habits,
    rate: SampleRate,
    /// Media and marks, in order.
    queue: VecDeque<Command>,
    playing: Option<Playing>,
    /// The agent was heard since the last frame: an answer may be shorter than one.
    sounded: bool,
    /// Echoes held back.
    echoes: Vec<(Micros, MarkId)>,
    next_frame: Micros,
    next_echo: Micros,
    pub(crate) to_call: Link<CallerEvent>,
    pub(crate) from_call: Link<Command>,
    pub(crate) closed: bool,
}

impl Carrier {
    pub(crate) fn new(habits: Habits, rate: SampleRate, way: (Micros, Micros)) -> Self {
        Self {
            habits,
            rate,
            queue: VecDeque::new(),
            playing: None,
            sounded: false,
            echoes: Vec::new(),
            next_frame: NEVER,
            next_echo: NEVER,
            to_call: Link::new(way),
            from_call: Link::new(way),
            closed: false,
        }
    }

    pub(crate) fn start(&mut self, now: Micros) {
        self.next_frame = now;
    }

    /// The last that is said by this end.
    pub(crate) fn hang_up(&mut self, now: Micros, dice: &mut Dice, goodbye: CallerEvent) {
        self.next_frame = NEVER;
        self.to_call.push(now, dice, goodbye);
    }

    /// The socket is gone from one moment to the next: nothing more of it is played.
    pub(crate) fn cut_off(&mut self, now: Micros, tape: &mut Tape) {
        if let Some(Playing { content: Some(content), at, audio, from, .. }) = self.playing.take() {
            tape.contents[content].play_to(at + audio.min(self.bytes(now.saturating_sub(from))));
        }
        self.queue.clear();
        self.echoes.clear();
        self.sounded = false;
        (self.next_frame, self.next_echo) = (NEVER, NEVER);
        self.to_call.clear();
        self.from_call.clear();
    }

    /// When something happens here next.
    pub(crate) fn next_at(&self) -> Micros {
        let playing = self.playing.as_ref().map_or(NEVER, |p| p.until);
        self.next_frame.min(playing).min(self.next_echo).min(self.from_call.next_at())
    }

    /// Whether the caller hears the agent.
    pub(crate) fn is_audible(&self) -> bool {
        self.sounded || self.playing.as_ref().is_some_and(|playing| playing.content.is_some())
    }

    /// Bytes of a content part that the caller has really heard.
    pub(crate) fn played(&self, now: Micros, content: usize, tape: &Tape) -> usize {
        let playing = self.playing.as_ref().filter(|p| p.content == Some(content));
        let part = playing.map_or(0, |p| p.at + p.audio.min(self.bytes(now - p.from)));
        tape.contents[content].played.max(part)
    }

    /// Everything that is due: commands, playback, echoes, and one frame. Returns whether there was a frame.
    pub(crate) fn advance(&mut self, now: Micros, tape: &mut Tape, person: &mut Person, dice: &mut Dice) -> bool {
        self.play(now, tape, dice);
        while let Some(command) = self.from_call.pop(now) {
            match command {
                Command::Clear => self.clear(now, dice),
                Command::Close => {
                    self.closed = true;
                    self.next_frame = NEVER;
                }
                media_or_mark => self.queue.push_back(media_or_mark),
            }
            self.play(now, tape, dice);
        }
        if self.next_echo <= now {
            self.echo_held_back(now, dice);
        }
        let frame = self.next_frame <= now;
        if frame {
            self.frame(now, person, dice);
        }
        frame
    }

    /// What is being played is played on; the unit is the message.
    fn clear(&mut self, now: Micros, dice: &mut Dice) {
        for queued in std::mem::take(&mut self.queue) {
            if let Command::Mark(mark) = queued
                && self.habits.echoes_cleared
            {
                self.echo(now, mark, dice);
            }
        }
    }

    fn play(&mut self, now: Micros, tape: &mut Tape, dice: &mut Dice) {
        loop {
            let at = match &self.playing {
                Some(playing) if playing.until > now => return,
                Some(playing) => {
                    if let Some(content) = playing.content {
                        tape.contents[content].play_to(playing.at + playing.audio);
                    }
                    playing.until
                }
                None => now,
            };
            self.playing = None;
            match self.queue.pop_front() {
                Some(Command::Media { content, at: place, audio, bytes }) => {
                    self.sounded |= content.is_some();
                    let until = at + (bytes * 1000 / self.rate.bytes_per_ms()) as u64;
                    self.playing = Some(Playing { content, at: place, audio, from: at, until });
                }
                Some(Command::Mark(mark)) => self.echo(now, mark, dice),
                _ => return,
            }
        }
    }

    fn echo(&mut self, now: Micros, mark: MarkId, dice: &mut Dice) {
        if self.habits.mute_marks || dice.chance(self.habits.loses_marks) {
            return;
        }
        if dice.chance(self.habits.doubles_marks) {
            self.hold_back(now + dice.within((0, 2000)) * MS, mark);
        }
        if dice.chance(self.habits.late_marks.0) {
            self.hold_back(now + dice.within((0, self.habits.late_marks.1)) * MS, mark);
        } else {
            self.to_call.push(now, dice, CallerEvent::Mark(Some(mark)));
        }
    }

    fn hold_back(&mut self, until: Micros, mark: MarkId) {
        self.echoes.push((until, mark));
        self.next_echo = self.next_echo.min(until);
    }

    fn echo_held_back(&mut self, now: Micros, dice: &mut Dice) {
        for (until, mark) in std::mem::take(&mut self.echoes) {
            if until <= now {
                self.to_call.push(now, dice, CallerEvent::Mark(Some(mark)));
            } else {
                self.echoes.push((until, mark));
            }
        }
        self.next_echo = self.echoes.iter().map(|(at, _)| *at).min().unwrap_or(NEVER);
    }

    fn frame(&mut self, now: Micros, person: &mut Person, dice: &mut Dice) {
        if now >= self.habits.dies_at {
            self.next_frame = NEVER;
            return;
        }
        let scale = self.rate.bytes_per_ms() / SampleRate::Hz8000.bytes_per_ms();
        let bytes = dice.within(self.habits.frame_bytes) as usize / 2 * 2 * scale;
        self.next_frame = now + (bytes * 1000 / self.rate.bytes_per_ms()) as u64;
        let sound = person.sounds(now, self.is_audible(), dice);
        self.sounded = false;
        if dice.chance(self.habits.gaps) {
            self.next_frame = now + dice.within((800, 4000)) * MS;
        }
        let event = if dice.chance(self.habits.loses_frames) {
            CallerEvent::Lost { messages: 1 }
        } else {
            let (sample, level_dbfs) = sound.map_or((0, -100.0), |kind| (kind as u8, -20.0));
            CallerEvent::Audio { pcm: vec![sample; bytes], level_dbfs, sent_ms: None }
        };
        self.to_call.push(now, dice, event);
    }

    fn bytes(&self, micros: Micros) -> usize {
        micros as usize * self.rate.bytes_per_ms() / 1000
    }
}
