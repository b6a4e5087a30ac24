//! What the call says, as it goes to the model's server: its audio converted to what the session takes.

use protocol::realtime::command::{self, ClientEvent};
use protocol::realtime::event_id::EventId;
use tokio_tungstenite::tungstenite::Message;

use super::convert::Converter;
use super::scratch::{self, Scratch};

/// Caller audio at the carrier's rate, as text for `write`. None while a block of the converter fills up.
pub(super) fn audio<R>(convert: &mut Converter, pcm: &[u8], write: impl FnOnce(&str) -> R) -> Option<R> {
    scratch::with(|Scratch { audio, pcm: other, text }| {
        audio.clear();
        convert.encode(pcm, other, audio);
        if audio.is_empty() {
            return None;
        }
        command::write_append(text, audio);
        Some(write(text))
    })
}

/// Anything else, by that name.
pub(super) fn event(convert: &mut Converter, event: &ClientEvent, id: Option<EventId>) -> Message {
    if let ClientEvent::SessionUpdate(config) = event {
        // Until the server says what it really uses, it uses what was asked.
        convert.set_input(config.format);
        convert.set_output(config.format);
    }
    let mut text = String::new();
    command::write(&mut text, event, id);
    Message::Text(text.into())
}
