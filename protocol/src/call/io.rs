//! What goes into a call and what comes out of it.

use codecs::SampleRate;

use super::digits::SecretDigits;
use super::end::Ended;
use super::fact::Fact;
use super::functions::Ran;
use super::recording::AudioSegment;
use crate::ids::{MarkId, StreamSid};
use crate::realtime::command::ClientEvent;
use crate::realtime::event::{ContentKey, ServerEvent};
use crate::realtime::event_id::EventId;
use crate::realtime::failure::ProviderRefusal;

/// Anything that can happen to a call.
#[derive(Debug)]
pub enum Input {
    /// From the carrier's socket.
    Caller(CallerEvent),
    /// From a model connection: which one, and what.
    Model(ConnId, ModelEvent),
    /// What an effect came to.
    Ran {
        /// Which.
        id: EffectId,
        /// What, or of one that failed what is wrong, for the model.
        result: Result<Ran, String>,
    },
    /// From us.
    Control(Control),
    /// A deadline of [`super::Call::poll_timeout`] may have passed.
    Tick,
}

/// The carrier's side of the call.
#[derive(Debug)]
pub enum CallerEvent {
    /// The `start` event.
    Started {
        /// The stream to name in what we send.
        stream: StreamSid,
        /// Rate of the PCM both ways.
        rate: SampleRate,
    },
    /// Caller audio.
    Audio {
        /// s16le mono at the stream's rate, whole samples.
        pcm: Vec<u8>,
        /// Loudness of this frame, dB relative to full scale (-100 for digital silence).
        level_dbfs: f32,
        /// When it began, ms since the stream began, by the carrier's clock and as it says.
        sent_ms: Option<u64>,
    },
    /// Messages that the carrier numbered and that never came.
    Lost {
        /// How many.
        messages: u32,
    },
    /// Messages of audio that came late or twice, and so count for nothing.
    Late {
        /// How many.
        messages: u32,
    },
    /// Events beside audio that came faster than a call takes them.
    Dropped {
        /// How many.
        events: u32,
    },
    /// An echoed mark; none for a name that is not of our making.
    Mark(Option<MarkId>),
    /// Audio of a [`CallerCommand::Play`] was handed to the socket: told of each message, in their order.
    Sent {
        /// Its mark.
        mark: MarkId,
        /// Its audio, given back.
        pcm: Vec<u8>,
    },
    /// Audio of a [`CallerCommand::Play`] found no way to the socket, and neither did any that was asked for since. It was never sent.
    Refused {
        /// Its mark.
        mark: MarkId,
        /// Its audio, given back.
        pcm: Vec<u8>,
    },
    /// A key was pressed: one of `0-9*#ABCD`, or `?` for what stood in the place of one.
    Dtmf(char),
    /// The `stop` event, with its reason.
    Stopped(Option<String>),
    /// The socket is gone without a `stop`.
    Gone,
}

/// Numbers the model connections of a call from 1; what comes from an older one is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub u32);

/// Numbers what a call wants done, from 1 over the whole call: sessions are lost and calls rebuilt, and it is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EffectId(pub u32);

/// What a call wants done beside its sockets. It takes its time, and is done at most once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A function of the client's is called.
    Function {
        /// The session's name for the call.
        call_id: String,
        /// The function: one of [`super::policy::Setup::tools`].
        name: String,
        /// A JSON object as the model wrote it.
        arguments: String,
        /// What its places for digits are filled with, and what is masked in what comes back.
        digits: SecretDigits,
    },
    /// The client is asked who calls.
    Context,
}

/// A model connection's side of the call.
#[derive(Debug)]
pub enum ModelEvent {
    /// The socket is open.
    Opened,
    /// A ping of the connection was answered.
    RoundTrip {
        /// After so many ms.
        ms: u64,
    },
    /// The server would not have us, and asking again is no use (401, unknown model).
    Refused(ProviderRefusal, String),
    /// The server answered with an error that may pass: its HTTP status (429: it has no room for us just now), and words.
    TurnedAway(u16, String),
    /// The connection failed or ended; asking again may help.
    Closed(String),
    /// A delta of model audio.
    Audio {
        /// Which content it belongs to.
        key: ContentKey,
        /// s16le mono, already at the carrier's rate.
        pcm: Vec<u8>,
    },
    /// Any other server event.
    Server(ServerEvent),
}

/// Commands of our own side.
#[derive(Debug)]
pub enum Control {
    /// End the call; the reason is for people and the record.
    HangUp(Ended),
}

/// Anything a call wants done.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// To the carrier's socket.
    Caller(CallerCommand),
    /// To a model connection.
    Model(ConnId, ModelCommand),
    /// To be done, not waited for: what it came to is told as [`Input::Ran`], now or much later.
    Run {
        /// Which.
        id: EffectId,
        /// What.
        effect: Effect,
    },
    /// Nobody waits for that effect any more: it may be given up.
    Cancel {
        /// Which.
        id: EffectId,
    },
    /// Something happened that others must know.
    Record(Fact),
    /// Something was heard (only where the policy asks for a recording): of the agent what was handed to the carrier's socket.
    Heard(AudioSegment),
    /// The call is over; nothing follows.
    Ended(Ended),
}

/// What the carrier's socket is asked to do.
#[derive(Debug, PartialEq)]
pub enum CallerCommand {
    /// Queue audio, and ask for an echo of its mark when playback has got to its end. What becomes of it comes back as
    /// [`CallerEvent::Sent`] or [`CallerEvent::Refused`].
    Play {
        /// s16le mono at the stream's rate, a multiple of 320 bytes.
        pcm: Vec<u8>,
        /// None for silence that only shows that somebody is there: nothing comes back of it.
        mark: Option<MarkId>,
    },
    /// Drop what is not yet played.
    Clear,
    /// Close the socket: the flow goes on to its next applet.
    Close,
}

/// What a model connection is asked to do.
#[derive(Debug, PartialEq)]
pub enum ModelCommand {
    /// Open it.
    Dial,
    /// Say this, by that name if an answer to it matters.
    Send(ClientEvent, Option<EventId>),
    /// Convert audio to and from this carrier rate from now on.
    CarrierRate(SampleRate),
    /// Close it.
    Close,
}
