//! A simulated Exotel: places one real call against a running gateway, over real HTTP and a real WebSocket.
//!
//! It asks the gateway's webhook where to stream, dials that URL as Exotel does (query string stripped, one automatic retry),
//! speaks a script in real time, plays what it is sent by whole messages, and reports what each side heard.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use simulator::exotel::{CallPlan, Say, Voice, place_call};
//! let mut plan = CallPlan::new("http://127.0.0.1:8080".parse()?, "+919876543210", "08037091588");
//! plan.script = vec![Say::agent_finished(), Say::Speak(Voice::clip("caller_en_hours")), Say::agent_finished()];
//! let report = place_call(plan).await?;
//! report.sound.write_wav("call.wav")?;
//! # Ok(())
//! # }
//! ```

mod carrier;
mod dial;
mod earpiece;
mod flow;
mod media;
mod plan;
mod playback;
mod report;
mod rude;
mod script;
mod timeline;
mod timestamp;
mod voice;
mod webhook;
mod wire;

pub use carrier::place_call;
pub use flow::{
    Applet, Asks, Connect, Dialled, Flow, FlowEnd, FlowPlan, FlowReport, OnRefused, Person, Stream, place_flow,
};
pub use plan::{AfterCall, CallPlan, FrameShape, HangUp, Mode, Say, StatusBody, WebhookAuth};
pub use report::{CallError, CallReport, EndedBy, Event, EventKind, Heard, Stereo, Utterance, WebhookAnswer};
pub use rude::{Ending, MarkManners, Rudeness};
pub use voice::Voice;

pub(crate) use dial::{MediaTarget, tls_config};
pub(crate) use plan::{exotel_number, sid};
pub(crate) use timestamp::IndianTime;
pub(crate) use webhook::{CallFields, Webhooks, refusal, refusal_code, stream_url};

#[cfg(test)]
pub(crate) mod tests;
