//! The end of a call in its row: what is written of it, and what guards it.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;
use protocol::call::COMES_BACK_WITHIN;
use protocol::call::end::{EndCode, EndedBy};

use super::schema::calls;
use super::{Call, Finish};

/// How long a person may ring to whom the agent handed the caller on, before the call counts as one that does not come back.
const RINGING: TimeDelta = TimeDelta::seconds(45);

/// Until when a call may come back that ended so; none: it is over.
pub(super) fn open_until(code: EndCode, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let ringing = if code == EndCode::Transferred { RINGING } else { TimeDelta::zero() };
    code.is_provisional().then(|| now + RETURN + ringing)
}

/// The same in the long run: how long a gateway takes a call back.
pub(super) const RETURN: TimeDelta = TimeDelta::seconds(COMES_BACK_WITHIN.as_secs().cast_signed());

/// The status of a call whose end nobody told.
pub(super) const IN_PROGRESS: &str = "in-progress";

/// Everything that a row says of the end of its call. Whoever writes it counts `ended_rev` up.
#[derive(AsChangeset)]
#[diesel(table_name = calls, treat_none_as_null = true)]
pub(super) struct EndColumns<'a> {
    status: &'a str,
    ended_by: Option<&'static str>,
    ended_code: Option<&'static str>,
    ended_rank: Option<i16>,
    ended_why: Option<&'a str>,
    ended_at: Option<NaiveDateTime>,
    ended_at_source: Option<&'static str>,
    over_at: Option<NaiveDateTime>,
}

impl<'a> EndColumns<'a> {
    /// An end that is none.
    pub(super) const fn none() -> Self {
        Self {
            status: IN_PROGRESS,
            ended_by: None,
            ended_code: None,
            ended_rank: None,
            ended_why: None,
            ended_at: None,
            ended_at_source: None,
            over_at: None,
        }
    }

    /// As a gateway or the reaper tells of it.
    pub(super) fn of(finish: &'a Finish, now: DateTime<Utc>) -> Self {
        Self {
            status: &finish.status,
            ended_by: Some(finish.code.by().name()),
            ended_code: Some(finish.code.name()),
            ended_rank: Some(finish.rank().number()),
            ended_why: Some(&finish.why),
            ended_at: Some(finish.at.naive_utc()),
            ended_at_source: Some(EndedBy::Gateway.name()),
            over_at: open_until(finish.code, now).map(|at| at.naive_utc()),
        }
    }

    /// As it stands in a row that was read.
    pub(super) fn of_call(call: &'a Call) -> Self {
        Self {
            status: &call.status,
            ended_by: call.ended_by.map(EndedBy::name),
            ended_code: call.ended_code.map(EndCode::name),
            ended_rank: call.ended_rank,
            ended_why: call.ended_why.as_deref(),
            ended_at: call.times.ended_at.map(|at| at.naive_utc()),
            ended_at_source: call.times.ended_at_source.map(EndedBy::name),
            over_at: call.over_at.map(|at| at.naive_utc()),
        }
    }
}

/// Rows whose account of the end one of that rank takes the place of: [`protocol::call::end::EndRank::outranks`], held to by the
/// database.
macro_rules! outranked {
    ($rank:expr) => {
        dsl::ended_rank.is_null().or(dsl::ended_rank.lt($rank.number()).assume_not_null())
    };
}
/// The mark of whoever knows all columns of an end.
macro_rules! next_rev {
    () => {
        dsl::ended_rev.eq(dsl::ended_rev + 1)
    };
}
pub(super) use {next_rev, outranked};
