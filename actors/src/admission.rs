//! For whoever admits calls: what a call begins with, and what becomes of the wish.

use std::sync::Arc;
use std::time::SystemTime;

use protocol::call::history::History;
use protocol::call::policy::{Policy, Setup};
use protocol::ids::CallSid;

use crate::effects::Effects;

/// A call that may begin.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The call.
    pub call_sid: CallSid,
    /// The tenant: counted against `max_concurrent`, named in logs.
    pub client: String,
    /// Live calls this tenant may have; none: as many as the node.
    pub max_concurrent: Option<u32>,
    /// What the call is about.
    pub setup: Setup,
    /// Its limits.
    pub policy: Arc<Policy>,
    /// The tenant's model, instead of the node's.
    pub model: Option<String>,
    /// Under which this node has the call: it grows whenever another takes it.
    pub generation: i32,
    /// The call goes on, as it is on record; none: it begins, or this node has it still.
    pub returns: Option<Returning>,
    /// What does for the call what it wants done beside its sockets; none: nothing can be.
    pub effects: Option<Arc<dyn Effects>>,
}

/// A call that goes on with a further stream.
#[derive(Clone, Debug)]
pub struct Returning {
    /// What is on record of it; none: this node remembers it, and knows more than the record.
    pub history: Option<Box<History>>,
    /// Which of its streams is asked for, or begins: counts from 1 over the whole call.
    pub stream: u32,
    /// Since when it is asked for.
    pub since: SystemTime,
    /// What became of the last transfer, in the carrier's word (`DialCallStatus`); none when there was none.
    pub dial_status: Option<String>,
}

/// How an admission went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// The call was here already: nothing was started twice.
    pub replayed: bool,
}

/// Which stream of a call its URL is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Counts from 1 over the whole call.
    pub stream: u32,
    /// When it was first announced.
    pub since: SystemTime,
    /// The caller comes back to a conversation.
    pub conversed: bool,
}

/// Why a call may not begin now. All of these are `503` with `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The node is stopping.
    #[error("this node is draining and takes no new calls")]
    Draining,
    /// The node has all the calls it may have.
    #[error("this node is full")]
    Full,
    /// The tenant has all the calls it may have.
    #[error("the client has as many live calls as it may have")]
    ClientFull,
}

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Admitted; its media stream has not started.
    Waiting,
    /// Its `start` event came: a token for it is used up.
    Live,
}
