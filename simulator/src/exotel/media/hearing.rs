//! What the gateway sends on the media socket, and the caller hears.

use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::{Error, Message};

use super::super::earpiece::PlayoutEvent;
use super::super::report::{CallReport, EndedBy, EventKind, Utterance};
use super::super::timeline::Timeline;
use super::super::wire::{FromGateway, understand};
use super::Media;

/// Faults kept for the report.
const MOST_FAULTS: usize = 32;

impl Media {
    /// Takes in a message of the gateway.
    pub(super) fn hear(
        &mut self,
        message: Option<Result<Message, Error>>,
        report: &mut CallReport,
        timeline: &mut Timeline,
    ) -> Option<EndedBy> {
        let text = match message {
            None | Some(Err(_)) => return Some(EndedBy::Broken),
            Some(Ok(Message::Close(frame))) => {
                report.close_code = frame.map(|frame| frame.code.into());
                return Some(EndedBy::Gateway);
            }
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Binary(_))) => {
                fault(report, timeline, "a binary message; Exotel reads text");
                return None;
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return None,
        };
        let (said, remark) = understand(text.as_str(), &self.speaker.stream_sid);
        if let Some(remark) = remark {
            fault(report, timeline, remark);
        }
        let now = self.now();
        match said {
            FromGateway::Fault(why) => fault(report, timeline, why),
            FromGateway::Media(pcm) => {
                let ms = self.ms(now);
                // Silence says that somebody is there, and answers nothing.
                if pcm.iter().any(|&byte| byte != 0) {
                    report.first_audio_ms.get_or_insert(ms);
                    if let Some(last) = self.caller.utterances.last_mut().filter(|last| last.ended_ms <= ms) {
                        last.reply_ms.get_or_insert(ms - last.ended_ms);
                    }
                }
                self.earpiece.audio(now, pcm);
            }
            FromGateway::Mark(name) => {
                timeline.note(EventKind::Mark, name.clone());
                report.marks.push(name.clone());
                self.earpiece.mark(name);
            }
            FromGateway::Clear => self.clear(now, report, timeline),
        }
        None
    }

    fn clear(&mut self, now: u64, report: &mut CallReport, timeline: &mut Timeline) {
        self.listen(now, timeline);
        report.clears += 1;
        let ms = self.ms(now);
        if let Some(last) =
            self.caller.utterances.last_mut().filter(|last| last.began_ms <= ms && last.reply_ms.is_none())
        {
            last.clear_ms.get_or_insert(ms - last.began_ms);
        }
        let cleared = self.earpiece.clear(now);
        let (dropped, playing) = (self.ms(cleared.samples), self.ms(cleared.still_playing));
        timeline.note(
            EventKind::Clear,
            format!(
                "drops {} messages ({dropped} ms); {playing} ms of the one being played are still heard",
                cleared.messages
            ),
        );
        if self.echo_cleared {
            self.late_marks.extend(cleared.marks.into_iter().map(|name| (Instant::now(), name)));
        }
    }

    /// Plays what is due; names of the marks reached go to those to be echoed.
    pub(super) fn listen(&mut self, now: u64, timeline: &mut Timeline) {
        for playout_event in self.earpiece.listen(now) {
            match playout_event {
                PlayoutEvent::Began(at) => timeline.note_at(self.ms(at) as i64, EventKind::AgentSpeaks, ""),
                PlayoutEvent::Ended(at) => {
                    let ms = self.ms(at);
                    timeline.note_at(ms as i64, EventKind::AgentStops, "");
                    let over = |last: &&mut _| is_silenced(last, ms);
                    if let Some(last) = self.caller.utterances.last_mut().filter(over) {
                        last.silenced_ms = Some(ms - last.began_ms);
                    }
                }
                PlayoutEvent::Reached(name) => {
                    if let Some(delay) = self.line.mark_delay_ms() {
                        self.late_marks.push((Instant::now() + Duration::from_millis(delay), name));
                    }
                }
            }
        }
    }
}

fn is_silenced(last: &Utterance, ms: u64) -> bool {
    last.barge_in && last.silenced_ms.is_none() && last.began_ms <= ms
}

fn fault(report: &mut CallReport, timeline: &mut Timeline, what: impl Into<String>) {
    let what = what.into();
    if report.faults.len() < MOST_FAULTS && !report.faults.contains(&what) {
        timeline.note(EventKind::Fault, what.clone());
        report.faults.push(what);
    }
}
