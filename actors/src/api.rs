//! What the service and the drivers know of each other.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use codecs::SampleRate;
use protocol::call::fact::Fact;
use protocol::call::policy::{Policy, Setup};
use protocol::call::tape::Taped;
use protocol::exotel::stream::Start;
use protocol::ids::{CallSid, Secret};
use url::Url;

/// Where the model is.
#[derive(Clone, Debug)]
pub struct ModelEndpoint {
    /// `ws://` or `wss://`, without the model.
    pub url: Url,
    /// Sent as `Authorization: Bearer`; none for servers that want none.
    pub key: Option<Secret>,
    /// Appended as `?model=`, unless the client names its own.
    pub model: String,
}

/// Limits of the switchboard.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Live calls on this node, waiting ones included.
    pub max_calls: usize,
    /// Restarts of one actor within `restart_window` before its call is given up.
    pub restarts: u32,
    /// The window.
    pub restart_window: Duration,
    /// A call that has waited for its stream for so long gives its place to another where there is none left.
    pub gives_way_after: Duration,
}

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

/// How a media socket says which call it is.
#[derive(Clone, Debug)]
pub enum MediaEntry {
    /// By a token that was checked: the `start` event must name this call.
    Token(CallSid),
    /// By such a token, of a call that is not on this node: another one announced it. The `start` event must name this call, and
    /// the [`FrontDesk`] gives it to whoever asks first.
    Elsewhere(CallSid),
    /// Not yet: the `start` event does, and the [`FrontDesk`] admits it.
    Static,
}

/// Takes what happens in calls. Called on call arbiters: it must not block, and must not fail.
pub trait Recorder: Send + Sync + 'static {
    /// One fact of one call.
    fn record(&self, call: &CallSid, at: SystemTime, fact: &Fact);

    /// One event of a call's supervision. It was logged already.
    fn supervised(&self, call: &CallSid, at: SystemTime, event: &SupervisorEvent<'_>);

    /// What takes the sound of a call whose policy asks for a recording; none where recordings are not kept.
    fn tape(&self, _call: &CallSid) -> Option<Arc<dyn Tape>> {
        None
    }
}

/// Takes what each side of one call heard, over all the actors that drive it. Called on call arbiters: it must not block, and must
/// not fail.
pub trait Tape: Send + Sync + 'static {
    /// A media stream began: what is taped is at this rate. Of the first one, the clock starts here.
    fn began(&self, rate: SampleRate, at: Instant);

    /// Something was heard.
    fn take(&self, taped: Taped);

    /// The stream is over: nothing is heard any more, unless another one begins.
    fn paused(&self) {
        self.ended();
    }

    /// The call is over: where its last stream was.
    fn ended(&self);
}

/// What a supervisor did, or saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupervisorEvent<'a> {
    /// What happened.
    pub step: Step,
    /// To whom: `CallActor` or `ModelLeg`.
    pub actor: &'static str,
    /// Why, in words; none when it was to be expected.
    pub cause: Option<&'a str>,
    /// Restarts within the window; of a `ModelLeg` which connection of the call.
    pub count: Option<u64>,
    /// It should not have happened.
    pub fault: bool,
}

/// A step in the life of an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It began.
    Start,
    /// It was started again after a fault.
    Restart,
    /// It ended.
    Stop,
    /// It is not started again: the call is over.
    GiveUp,
}

impl Step {
    /// As logged.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Restart => "restart",
            Self::Stop => "stop",
            Self::GiveUp => "give_up",
        }
    }
}

/// What the [`FrontDesk`] says of a call. The error is for people: it goes to the log and the audit.
pub type DeskAnswer = Pin<Box<dyn Future<Output = Result<Admission, String>> + Send>>;

/// Admits the calls whose media stream comes to a node that nobody told of them.
pub trait FrontDesk: Send + Sync + 'static {
    /// A stream on a static media URL, which no webhook announced: looks the client up and writes the call down.
    fn admit(&self, start: Start) -> DeskAnswer;

    /// A further stream on a static media URL, of a call that is here or was a moment ago.
    fn readmit(&self, start: Start) -> DeskAnswer {
        self.admit(start)
    }

    /// The stream of a call that was announced to another node: writes down that it is here. One of all that ask gets it.
    fn take(&self, start: Start) -> DeskAnswer;

    /// A media socket was turned away after its upgrade (wrong call, reused token, junk): for the audit.
    fn refused(&self, call: Option<&CallSid>, why: &str);
}
