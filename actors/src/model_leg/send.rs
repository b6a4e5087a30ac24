//! What the call says, as it goes to the model's server: its audio converted to what the session takes.

use protocol::realtime::command::{self, ClientEvent};
use protocol::realtime::event_id::EventId;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::convert::Converter;
use super::scratch::{self, Scratch};

/// Caller audio at the carrier's rate. None while a block of the converter fills up.
pub(super) fn audio(convert: &mut Converter, pcm: &[u8]) -> Option<Frame> {
    scratch::with(|Scratch { audio, pcm: other, text, wire }| {
        audio.clear();
        convert.encode(pcm, other, audio);
        if audio.is_empty() {
            return None;
        }
        command::write_append(text, audio);
        // Once the frame is in the connection's own buffer nobody else holds it, and its place here is used again.
        wire.extend_from_slice(text.as_bytes());
        // Made as a frame and not as a message, since what was written as text need not be checked for being text.
        Some(Frame::message(wire.split().freeze(), OpCode::Data(Data::Text), true))
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
