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
//!   serves the webhook; the `start` event moves the call and its open connection over, once (`relocate.rs` says how).
//! * A **restart never reuses what panicked**: the new actor is made from the facts the old one recorded.

mod admission;
mod admissions;
mod bucket;
mod busy;
mod call_actor;
mod caller_leg;
mod effects;
mod fault;
mod lag;
mod limits;
mod media;
mod model_leg;
mod probe;
mod read_buffer;
mod recorder;
mod relocate;
mod speak;
mod switchboard;
mod sync;

pub use admission::{Admission, Admitted, Announced, Phase, Refusal, Returning};
pub use admissions::{Admissions, Join, JoinAnswer, JoinError};
pub use busy::Busy;
pub use caller_leg::answer_upgrade;
pub use effects::{EffectAnswer, Effects};
pub use fault::{Fault, FaultInjector};
pub use lag::{BEAT, watch_thread};
pub use limits::Limits;
pub use media::{MediaEntry, MediaRefusal};
pub use model_leg::ModelEndpoint;
pub use probe::probe;
pub use recorder::{AudioSink, Recorder, Step, SupervisorEvent};
pub use speak::{Sentence, speak};
pub use switchboard::supervise::panic_message;
pub use switchboard::{ModelHealth, Reservation, Switchboard};
pub use sync::lock;
