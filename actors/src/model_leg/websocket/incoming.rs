//! Frames that come: read into the thread's buffer, and given on as parts of it.

use std::io::Cursor;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::model_leg::dial::Socket;
use crate::read_buffer::ReadBuffer;

/// The longest message taken.
const MESSAGE: usize = 16 << 20;
/// The longest head of a frame.
const HEAD: usize = 14;
/// The most that a control frame may hold.
const CONTROL: u64 = 125;

/// See the module.
#[derive(Debug)]
pub(super) struct Incoming {
    bytes: ReadBuffer,
    /// Bytes that the frame at the head of `bytes` takes, as far as that is known.
    wanted: usize,
    /// The frames so far of a message that comes in several, and whether it is text.
    parts: Option<(bool, BytesMut)>,
}

impl Incoming {
    /// `early` was read before.
    pub(super) fn new(early: &[u8]) -> Self {
        Self { bytes: ReadBuffer::new(early), wanted: HEAD, parts: None }
    }

    /// The next message. What is read and not told stays in the thread's buffer, which is given back once there is nothing more.
    pub(super) fn poll_next(&mut self, socket: &mut Socket, task: &mut Context<'_>) -> Poll<Result<Message, Error>> {
        loop {
            if let Some(next) = self.parse().transpose() {
                return Poll::Ready(next);
            }
            match self.bytes.poll_read(self.wanted, socket, task) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(ProtocolError::ResetWithoutClosingHandshake.into())),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending => {
                    self.bytes.give_back(self.wanted);
                    return Poll::Pending;
                }
            }
        }
    }

    /// Bytes that it keeps for itself.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.bytes.capacity() + self.parts.as_ref().map_or(0, |(_, parts)| parts.capacity())
    }

    /// The next message, if the last frame of it has come.
    fn parse(&mut self) -> Result<Option<Message>, Error> {
        loop {
            let mut head = Cursor::new(&self.bytes[..]);
            let Some((header, length)) = FrameHeader::parse(&mut head)? else {
                self.wanted = HEAD;
                return Ok(None);
            };
            let begins = usize::try_from(head.position()).unwrap_or(HEAD);
            check(&header, length)?;
            let length = within(usize::try_from(length).unwrap_or(usize::MAX))?;
            self.wanted = begins + length;
            if self.bytes.len() < self.wanted {
                return Ok(None);
            }
            self.bytes.advance(begins);
            let payload = self.bytes.split_to(length).freeze();
            if let Some(message) = self.frame(&header, payload)? {
                return Ok(Some(message));
            }
        }
    }

    /// A whole frame: the message that it ends, if it does.
    fn frame(&mut self, header: &FrameHeader, payload: Bytes) -> Result<Option<Message>, Error> {
        let is_text = match header.opcode {
            OpCode::Control(Control::Ping) => return Ok(Some(Message::Ping(payload))),
            OpCode::Control(Control::Pong) => return Ok(Some(Message::Pong(payload))),
            OpCode::Control(_) => return Ok(Some(Message::Close(close(&payload)?))),
            OpCode::Data(Data::Continue) => {
                let (is_text, mut parts) = self.parts.take().ok_or(ProtocolError::UnexpectedContinueFrame)?;
                within(parts.len() + payload.len())?;
                parts.extend_from_slice(&payload);
                if header.is_final {
                    return whole(is_text, parts.freeze()).map(Some);
                }
                self.parts = Some((is_text, parts));
                return Ok(None);
            }
            OpCode::Data(data) if self.parts.is_some() => return Err(ProtocolError::ExpectedFragment(data).into()),
            OpCode::Data(data) => data == Data::Text,
        };
        if header.is_final {
            return whole(is_text, payload).map(Some);
        }
        self.parts = Some((is_text, BytesMut::from(&payload[..])));
        Ok(None)
    }
}

/// What a frame may be that comes from a server.
fn check(header: &FrameHeader, length: u64) -> Result<(), Error> {
    let is_control = matches!(header.opcode, OpCode::Control(_));
    let wrong = if header.rsv1 || header.rsv2 || header.rsv3 {
        ProtocolError::NonZeroReservedBits
    } else if header.mask.is_some() {
        ProtocolError::MaskedFrameFromServer
    } else if is_control && !header.is_final {
        ProtocolError::FragmentedControlFrame
    } else if is_control && length > CONTROL {
        ProtocolError::ControlFrameTooBig
    } else {
        return Ok(());
    };
    Err(wrong.into())
}

fn within(size: usize) -> Result<usize, Error> {
    if size <= MESSAGE { Ok(size) } else { Err(CapacityError::MessageTooLong { size, max_size: MESSAGE }.into()) }
}

fn whole(is_text: bool, payload: Bytes) -> Result<Message, Error> {
    Ok(if is_text { Message::Text(Utf8Bytes::try_from(payload)?) } else { Message::Binary(payload) })
}

fn close(payload: &Bytes) -> Result<Option<CloseFrame>, Error> {
    match payload[..] {
        [] => Ok(None),
        [_] => Err(ProtocolError::InvalidCloseSequence.into()),
        [high, low, ..] => {
            let reason = Utf8Bytes::try_from(payload.slice(2..))?;
            Ok(Some(CloseFrame { code: u16::from_be_bytes([high, low]).into(), reason }))
        }
    }
}
