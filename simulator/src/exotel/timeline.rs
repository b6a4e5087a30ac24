//! The call's timeline, kept for the report and told to an observer as it grows.

use std::time::Instant;

use tokio::sync::mpsc;

use super::report::{Event, EventKind};

/// More events than this are counted, not kept.
const MOST_EVENTS: usize = 20_000;

/// Collects events. Until the media socket is open they are held back, for only then is it known how long before it they were.
#[derive(Debug)]
pub(crate) struct Timeline {
    zero: Option<Instant>,
    /// The clock of a flow starts as it is placed, not as a media socket opens.
    of_flow: bool,
    placed: Instant,
    held: Vec<(Instant, EventKind, String)>,
    events: Vec<Event>,
    observer: Option<mpsc::Sender<Event>>,
}

impl Timeline {
    pub(crate) fn new(observer: Option<mpsc::Sender<Event>>) -> Self {
        Self { zero: None, of_flow: false, placed: Instant::now(), held: Vec::new(), events: Vec::new(), observer }
    }

    /// Of a call of several streams: one clock over all of them.
    pub(crate) fn of_flow(observer: Option<mpsc::Sender<Event>>) -> Self {
        let timeline = Self::new(observer);
        Self { zero: Some(timeline.placed), of_flow: true, ..timeline }
    }

    pub(crate) const fn placed(&self) -> Instant {
        self.placed
    }

    /// From the start of what is told to the start of the stream's own clock.
    fn offset_ms(&self) -> i64 {
        match self.zero {
            Some(zero) if self.of_flow => i64::try_from((zero - self.placed).as_millis()).unwrap_or(i64::MAX),
            _ => 0,
        }
    }

    /// Milliseconds from the start of what is told to then.
    pub(crate) fn told_ms(&self, when: Instant) -> i64 {
        self.ms(when) + self.offset_ms()
    }

    /// Starts the clock of a stream.
    pub(crate) fn start(&mut self, zero: Instant) {
        self.zero = Some(zero);
        for (when, kind, detail) in std::mem::take(&mut self.held) {
            self.note_at(self.ms(when), kind, detail);
        }
    }

    /// Milliseconds from the clock's start to then.
    pub(crate) fn ms(&self, when: Instant) -> i64 {
        let zero = self.zero.unwrap_or(self.placed);
        match when.checked_duration_since(zero) {
            Some(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            None => -i64::try_from(zero.duration_since(when).as_millis()).unwrap_or(i64::MAX),
        }
    }

    /// Notes what happened just now.
    pub(crate) fn note(&mut self, kind: EventKind, detail: impl Into<String>) {
        let now = Instant::now();
        match self.zero {
            Some(_) => self.note_at(self.ms(now), kind, detail),
            None => self.held.push((now, kind, detail.into())),
        }
    }

    /// Notes what happened at that millisecond of the clock.
    pub(crate) fn note_at(&mut self, at_ms: i64, kind: EventKind, detail: impl Into<String>) {
        let event = Event { at_ms: at_ms + self.offset_ms(), kind, detail: detail.into() };
        if let Some(observer) = &self.observer {
            // A full channel loses the event for the observer only.
            let _ = observer.try_send(event.clone());
        }
        if self.events.len() < MOST_EVENTS {
            self.events.push(event);
        }
    }

    /// The timeline, in order; with the clock started at the call's placing if it never was.
    pub(crate) fn finish(&mut self) -> Vec<Event> {
        self.start(self.zero.unwrap_or(self.placed));
        let mut events = std::mem::take(&mut self.events);
        events.sort_by_key(|event| event.at_ms);
        events
    }
}
