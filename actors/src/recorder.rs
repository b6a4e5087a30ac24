//! For whoever writes calls down: the facts of a call, its sound, and what its supervisor did.

use std::sync::Arc;
use std::time::SystemTime;

use codecs::SampleRate;
use protocol::call::Clock;
use protocol::call::fact::Fact;
use protocol::call::recording::AudioSegment;
use protocol::ids::CallSid;

/// Takes what happens in calls. Called on call arbiters: it must not block, and must not fail.
pub trait Recorder: Send + Sync + 'static {
    /// One fact of one call.
    fn record(&self, call: &CallSid, at: SystemTime, fact: &Fact);

    /// One event of a call's supervision. It was logged already.
    fn supervised(&self, call: &CallSid, at: SystemTime, event: &SupervisorEvent<'_>);

    /// What takes the sound of a call whose policy asks for a recording, and which this node has under that generation; none where
    /// recordings are not kept.
    fn sink(&self, _call: &CallSid, _generation: i32) -> Option<Arc<dyn AudioSink>> {
        None
    }
}

/// Takes what each side of one call heard, over all the actors that drive it. Called on call arbiters: it must not block, and must
/// not fail.
pub trait AudioSink: Send + Sync + 'static {
    /// A media stream began: what is recorded is at this rate, and counted from `zero`, where the call's first stream began. That one may have
    /// been another node's.
    fn began(&self, rate: SampleRate, zero: Clock);

    /// Something was heard.
    fn take(&self, segment: AudioSegment);

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
