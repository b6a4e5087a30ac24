//! The media socket of one call, driven in real time.

mod hearing;

use std::time::{Duration, Instant};

use codecs::SampleRate;
use futures_util::{SinkExt, StreamExt};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::dial::Socket;
use super::earpiece::Earpiece;
use super::plan::{FrameShape, HangUp};
use super::report::{CallReport, EndedBy, EventKind, Stereo};
use super::rude::{Ending, Line, Outgoing};
use super::script::{Caller, Cue};
use super::timeline::Timeline;
use super::wire::Speaker;

/// A peer that does not take a message within this is gone.
const SEND_PATIENCE: Duration = Duration::from_secs(5);
/// How long a closing handshake is waited for.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// An open media socket and both ends of the line behind it.
pub(crate) struct Media {
    pub(crate) socket: Socket,
    pub(crate) speaker: Speaker,
    pub(crate) line: Line,
    pub(crate) caller: Caller,
    pub(crate) earpiece: Earpiece,
    pub(crate) cut: Cut,
    pub(crate) opened: Instant,
    pub(crate) deadline: Instant,
    pub(crate) end: HangUp,
    pub(crate) ending: Ending,
    pub(crate) echo_cleared: bool,
    /// Marks to be echoed late, by when.
    pub(crate) late_marks: Vec<(Instant, String)>,
}

/// The caller's audio, cut into frames.
pub(crate) struct Cut {
    shape: FrameShape,
    rate: SampleRate,
    rng: SmallRng,
    /// Sample at which the frame being spoken begins.
    at: u64,
    /// And its length.
    length: u64,
    frame: Vec<u8>,
    said: Vec<i16>,
}

impl Cut {
    pub(crate) fn new(shape: FrameShape, rate: SampleRate, seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed ^ 0x0043_7574);
        let length = shape.next_samples(rate, &mut rng) as u64;
        Self { shape, rate, rng, at: 0, length, frame: Vec::new(), said: Vec::new() }
    }

    fn next(&mut self) {
        self.at += self.length;
        self.length = self.shape.next_samples(self.rate, &mut self.rng) as u64;
    }
}

impl Media {
    fn hz(&self) -> u64 {
        u64::from(self.cut.rate.hz())
    }

    /// Now, in samples since the socket opened.
    fn now(&self) -> u64 {
        (self.opened.elapsed().as_micros() as u64) * self.hz() / 1_000_000
    }

    fn when(&self, sample: u64) -> Instant {
        // Rounded up, so that waking then finds the sample reached.
        self.opened + Duration::from_micros((sample * 1_000_000).div_ceil(self.hz()))
    }

    fn ms(&self, sample: u64) -> u64 {
        sample * 1_000 / self.hz()
    }

    /// Carries the call to its end.
    pub(crate) async fn run(mut self, report: &mut CallReport, timeline: &mut Timeline) {
        let hello = [self.speaker.connected(), self.speaker.start()].map(Outgoing::Text);
        let mut ended = self.send(hello.into()).await;
        while ended.is_none() {
            let due = self.next_due();
            tokio::select! {
                message = self.socket.next() => ended = self.hear(message, report, timeline),
                () = sleep_until(due.into()) => {}
            }
            if ended.is_none() {
                ended = self.tick(report, timeline).await;
            }
        }
        let ended = match ended.unwrap_or_default() {
            // Perhaps it closed the socket while we were speaking: its reason is still to be read.
            EndedBy::Broken => self.last_words(report).await,
            ended => ended,
        };
        report.ended_by = ended;
        report.media_ms = self.opened.elapsed().as_millis() as u64;
        match ended {
            EndedBy::Caller | EndedBy::Timeout => self.hang_up(ended, report, timeline).await,
            // The close frame is answered as the socket is read to its end.
            EndedBy::Gateway => {
                self.last_words(report).await;
            }
            EndedBy::Broken | EndedBy::NotOpened => {}
        }
        let code = report.close_code.map_or_else(String::new, |code| format!(", code {code}"));
        timeline.note(EventKind::MediaClosed, format!("by {ended:?}{code}"));
        self.account(report);
    }

    fn next_due(&self) -> Instant {
        let mut due = self.when(self.cut.at + self.cut.length).min(self.deadline);
        if let Some(playback) = self.earpiece.next_due() {
            due = due.min(self.when(playback));
        }
        self.late_marks.iter().fold(due, |due, (when, _)| due.min(*when))
    }

    /// Does what is due: playback, marks, the next frame, the end.
    async fn tick(&mut self, report: &mut CallReport, timeline: &mut Timeline) -> Option<EndedBy> {
        let now = self.now();
        self.listen(now, timeline);
        let mut out = Vec::new();
        let at = Instant::now();
        let speaker = &mut self.speaker;
        self.late_marks.retain(|(when, name)| {
            if *when <= at {
                timeline.note(EventKind::MarkEcho, name.clone());
                out.push(Outgoing::Text(speaker.mark(name)));
            }
            *when > at
        });
        while self.cut.at + self.cut.length <= now {
            self.speak(timeline, &mut out);
        }
        if let Some(broken) = self.send(out).await {
            return Some(broken);
        }
        if Instant::now() >= self.deadline {
            return Some(EndedBy::Timeout);
        }
        report.gave_up = self.caller.gave_up;
        (self.caller.done() && self.end != HangUp::Gateway).then_some(EndedBy::Caller)
    }

    /// Speaks the frame whose time is over.
    fn speak(&mut self, timeline: &mut Timeline, out: &mut Vec<Outgoing>) {
        let (at, length) = (self.cut.at, self.cut.length);
        self.cut.frame.resize(length as usize * 2, 0);
        let mut cues = Vec::new();
        self.caller.fill(at, &mut self.cut.frame, self.earpiece.view(), &mut cues);
        let timestamp = self.ms(at);
        if self.line.frame(&mut self.speaker, timestamp, &self.cut.frame, out) {
            Stereo::place(&mut self.cut.said, at, &self.cut.frame);
        }
        self.cut.next();
        for cue in cues {
            match cue {
                Cue::Speaks(label, at) => timeline.note_at(self.ms(at) as i64, EventKind::CallerSpeaks, label),
                Cue::Stops(label, at) => timeline.note_at(self.ms(at) as i64, EventKind::CallerStops, label),
                Cue::GaveUp(what) => timeline.note(EventKind::GaveUp, format!("waiting for {what}")),
                Cue::Dtmf(key) => {
                    timeline.note(EventKind::Dtmf, key.to_string());
                    self.line.flush(out);
                    out.push(Outgoing::Text(self.speaker.dtmf(key)));
                }
            }
        }
    }

    async fn send(&mut self, messages: Vec<Outgoing>) -> Option<EndedBy> {
        for message in messages {
            let message = match message {
                Outgoing::Text(text) => Message::text(text),
                Outgoing::Binary(bytes) => Message::binary(bytes),
            };
            match timeout(SEND_PATIENCE, self.socket.send(message)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Some(EndedBy::Broken),
            }
        }
        None
    }

    /// Reads what is left on a socket that takes no more: who ended it.
    async fn last_words(&mut self, report: &mut CallReport) -> EndedBy {
        let read = async {
            while let Some(Ok(message)) = self.socket.next().await {
                if let Message::Close(frame) = message {
                    return Some(frame.map(|frame| frame.code.into()));
                }
            }
            None
        };
        match timeout(CLOSE_PATIENCE, read).await {
            Ok(Some(code)) => {
                report.close_code = report.close_code.or(code);
                EndedBy::Gateway
            }
            Ok(None) | Err(_) => EndedBy::Broken,
        }
    }

    /// Ends the stream from the caller's side, in the manner planned.
    async fn hang_up(&mut self, ended: EndedBy, report: &mut CallReport, timeline: &mut Timeline) {
        let mut out = Vec::new();
        self.line.flush(&mut out);
        let reason = if self.end == HangUp::Applet || ended == EndedBy::Timeout { "stopped" } else { "callended" };
        match self.ending {
            Ending::Stop => {
                timeline.note(EventKind::HangUp, reason);
                out.push(Outgoing::Text(self.speaker.stop(reason)));
            }
            Ending::NoStop => timeline.note(EventKind::HangUp, "without a stop"),
            Ending::Drop => {
                timeline.note(EventKind::HangUp, "the line drops");
                return;
            }
        }
        if self.send(out).await.is_some() {
            return;
        }
        let close = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        if timeout(SEND_PATIENCE, self.socket.send(Message::Close(Some(close)))).await.is_ok() {
            self.last_words(report).await;
        }
    }

    /// Closes the books.
    fn account(mut self, report: &mut CallReport) {
        if self.earpiece.overflowed() > 0 {
            report.faults.push(format!("{} messages more than ten minutes ahead, dropped", self.earpiece.overflowed()));
        }
        let length = (report.media_ms * self.hz() / 1_000) as usize;
        self.cut.said.resize(length.max(self.cut.said.len()), 0);
        // What had begun to be played when the stream ended was not heard past its end.
        self.earpiece.sound.resize(self.cut.said.len(), 0);
        report.gave_up = self.caller.gave_up;
        report.utterances = self.caller.utterances;
        report.heard = self.earpiece.heard;
        report.rude = self.line.done;
        report.sound = Stereo { rate: self.cut.rate, left: self.cut.said, right: self.earpiece.sound };
    }
}
