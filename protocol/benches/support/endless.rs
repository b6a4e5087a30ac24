//! A call for benches: nothing of it ends by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use protocol::call::policy::{GreetedBy, Listening, Policy, Setup};
use protocol::call::{Call, Clock};

/// Longer than any run of a bench.
const FOR_EVER: Duration = Duration::from_secs(1_000_000_000);

pub(crate) fn call(now: Instant) -> Call {
    let policy = Policy { max_call: FOR_EVER, roll_after: FOR_EVER, media_silence: FOR_EVER, ..Policy::default() };
    let setup = Setup {
        instructions: "Be helpful.".to_owned(),
        greeting: "Welcome.".to_owned(),
        greeted_by: GreetedBy::Carrier,
        language: "en-IN".to_owned(),
        listening: Listening::default(),
        speed: None,
        voice: None,
        tools: Vec::new(),
        known: BTreeMap::new(),
        context: None,
        destinations: Vec::new(),
        hold_words: Vec::new(),
        clips: Arc::default(),
        secret_keys: false,
        closed: false,
    };
    Call::new(now, Clock { now, wall: SystemTime::now() }, Arc::new(policy), Arc::new(setup))
}
