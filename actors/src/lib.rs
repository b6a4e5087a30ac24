//! The drivers: one `CallActor` a call, its two legs, and the switchboard that admits, finds, drains and supervises.
//!
//! What decides lives in [`protocol::call`]; what is here moves bytes and messages, and is too thin to hold logic:
//!
//! ```text
//! carrier's socket <-> CallerLeg <-> CallActor (drives one protocol::call::Call) <-> ModelLeg <-> Realtime socket
//!                                        ^ supervise (one task a call) ^ Switchboard
//! ```
//!
//! Three cuts are on purpose:
//!
//! * The **model leg converts audio** both ways, since only it learns the effective formats of its session. The call, its
//!   held caller audio and its playout queue live at the carrier's rate: a third of the memory of 24 kHz.
//! * A call lives on **one arbiter**, that of its media socket. It is admitted, and its model dialled, on whichever arbiter
//!   serves the webhook; the `start` event moves the call and its open connection over, once ([`switchboard`] says how).
//! * A **restart never reuses what panicked**: the new actor is made from the facts the old one recorded.

mod api;
mod bucket;
mod call_actor;
mod caller_leg;
mod model_leg;
mod probe;
pub mod switchboard;

pub use api::{
    Admission, Admitted, Announced, DeskAnswer, FrontDesk, Limits, MediaEntry, ModelEndpoint, Phase, Recorder, Refusal,
    Step, SupervisorEvent, Tape,
};
pub use probe::probe;
pub use switchboard::{ModelHealth, Switchboard};
