//! What the tests of several use cases have in common.

use chrono::{DateTime, Utc};
use protocol::ids::CallSid;

use crate::store::{Call, Entry, Figures, Ownership, Parties, Times};

/// A call that goes on, and came in so.
pub(super) fn call(entry: Option<Entry>, started_at: DateTime<Utc>) -> Call {
    Call {
        id: 1,
        call_sid: CallSid::new("c1"),
        client_id: Some(1),
        parties: Parties::default(),
        entry,
        status: "in-progress".to_owned(),
        carrier_status: None,
        ended_by: None,
        ended_code: None,
        ended_rank: None,
        ended_why: None,
        over_at: None,
        ownership: Ownership::default(),
        times: Times { started_at, answered_at: None, media_at: None, ended_at: None, ended_at_source: None },
        stream_sid: None,
        figures: Figures::default(),
    }
}
