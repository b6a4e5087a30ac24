//! How the domain's types are read from columns: each has a column type here that becomes the domain's own.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, Queryable};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, SingleValue, SqlType, Text, Timestamp};
use protocol::call::end::{EndCode, EndedBy};
use protocol::call::fact::{Turn, Who};
use protocol::call::latency::Latency;
use protocol::ids::{CallSid, PhoneNumber, StreamSid};

use super::schema::turns;
use super::{Entry, JobStatus, NodeId, RecordingStatus, Tokens};

diesel::define_sql_function! {
    /// The first that is not null.
    fn coalesce<T: SqlType + SingleValue>(first: Nullable<T>, second: Nullable<T>) -> Nullable<T>;
}

/// A type kept as text.
trait FromText: Sized {
    /// The value; none when the text is no such value.
    fn from_text(text: String) -> Option<Self>;
}

/// A text column that holds a `T`.
#[derive(Debug)]
pub struct Word<T>(T);

/// A text column that holds a `T` or null.
#[derive(Debug)]
pub struct Maybe<T>(Option<T>);

/// A time in UTC.
#[derive(Debug)]
pub struct Time(NaiveDateTime);

/// A time in UTC, or null.
#[derive(Debug)]
pub struct MaybeTime(Option<NaiveDateTime>);

impl<DB: Backend, T: FromText> FromSql<Text, DB> for Word<T>
where
    String: FromSql<Text, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        let text = String::from_sql(bytes)?;
        T::from_text(text).map(Self).ok_or_else(|| "a text that this version does not know".into())
    }
}

impl<DB: Backend, T: FromText> FromSql<Nullable<Text>, DB> for Maybe<T>
where
    Word<T>: FromSql<Text, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Word::from_sql(bytes).map(|word| Self(Some(word.0)))
    }

    fn from_nullable_sql(bytes: Option<DB::RawValue<'_>>) -> deserialize::Result<Self> {
        bytes.map_or(Ok(Self(None)), Self::from_sql)
    }
}

impl<DB: Backend> FromSql<Timestamp, DB> for Time
where
    NaiveDateTime: FromSql<Timestamp, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        NaiveDateTime::from_sql(bytes).map(Self)
    }
}

impl<DB: Backend> FromSql<Nullable<Timestamp>, DB> for MaybeTime
where
    NaiveDateTime: FromSql<Timestamp, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        NaiveDateTime::from_sql(bytes).map(|time| Self(Some(time)))
    }

    fn from_nullable_sql(bytes: Option<DB::RawValue<'_>>) -> deserialize::Result<Self> {
        bytes.map_or(Ok(Self(None)), Self::from_sql)
    }
}

impl From<Time> for DateTime<Utc> {
    fn from(time: Time) -> Self {
        time.0.and_utc()
    }
}

impl From<MaybeTime> for Option<DateTime<Utc>> {
    fn from(time: MaybeTime) -> Self {
        time.0.map(|time| time.and_utc())
    }
}

/// Says which columns a type is read from. Diesel's derive says it for every column type and every database at once, and the
/// compiler then takes longer over these four types than over the rest of the crate.
macro_rules! readable {
    ($($rust:ident $(<$t:ident>)? from $sql:ty;)*) => {$(
        readable!(@ $rust $(<$t>)?, $sql, diesel::sqlite::Sqlite);
        readable!(@ $rust $(<$t>)?, $sql, diesel::pg::Pg);
    )*};
    (@ $rust:ident $(<$t:ident>)?, $sql:ty, $db:ty) => {
        impl $(<$t>)? Queryable<$sql, $db> for $rust $(<$t>)?
        where
            Self: FromSql<$sql, $db>,
        {
            type Row = Self;

            fn build(row: Self) -> deserialize::Result<Self> {
                Ok(row)
            }
        }
    };
}

readable! {
    Word<T> from Text;
    Maybe<T> from Nullable<Text>;
    Time from Timestamp;
    MaybeTime from Nullable<Timestamp>;
}

/// Makes a type readable from a text column, nullable or not.
macro_rules! text {
    ($($type:ty = $from:expr;)*) => {$(
        impl FromText for $type {
            fn from_text(text: String) -> Option<Self> {
                let from: fn(String) -> Option<Self> = $from;
                from(text)
            }
        }

        impl From<Word<$type>> for $type {
            fn from(word: Word<$type>) -> Self {
                word.0
            }
        }

        impl From<Maybe<$type>> for Option<$type> {
            fn from(word: Maybe<$type>) -> Self {
                word.0
            }
        }
    )*};
}

text! {
    CallSid = |text| Some(CallSid::new(text));
    StreamSid = |text| Some(StreamSid::new(text));
    PhoneNumber = |text| Some(PhoneNumber::new(text));
    NodeId = |text| Some(NodeId::stored(text));
    Who = |text| who_from(&text);
    Entry = |text| Entry::from_name(&text);
    EndedBy = |text| EndedBy::from_name(&text);
    EndCode = |text| Some(EndCode::from_name(&text));
    JobStatus = |text| JobStatus::from_name(&text);
    RecordingStatus = |text| RecordingStatus::from_name(&text);
    Tokens = |text| serde_json::from_str(&text).ok();
    serde_json::Value = |text| serde_json::from_str(&text).ok();
}

/// How a side of the conversation is spelt.
pub(super) fn who_name(who: Who) -> &'static str {
    match who {
        Who::Caller => "caller",
        Who::Agent => "agent",
    }
}

fn who_from(name: &str) -> Option<Who> {
    [Who::Caller, Who::Agent].into_iter().find(|who| who_name(*who) == name)
}

/// A row of `turns`: the protocol's [`Turn`] in the databases' integers.
#[derive(Queryable, Selectable)]
#[diesel(table_name = turns)]
pub(super) struct TurnRow {
    index: i32,
    #[diesel(deserialize_as = Word<Who>)]
    who: Who,
    text: String,
    at_ms: i64,
    heard_ms: i64,
    generated_ms: i64,
    interrupted: bool,
    answer_ms: Option<i64>,
    clip: bool,
    backchannel: bool,
    #[diesel(deserialize_as = Maybe<serde_json::Value>)]
    latency: Option<serde_json::Value>,
}

impl TurnRow {
    pub(super) fn turn(self) -> Turn {
        let whole = |number: i64| u64::try_from(number).unwrap_or(0);
        Turn {
            index: u32::try_from(self.index).unwrap_or(0),
            who: self.who,
            text: self.text,
            at_ms: whole(self.at_ms),
            heard_ms: whole(self.heard_ms),
            generated_ms: whole(self.generated_ms),
            interrupted: self.interrupted,
            answer_ms: self.answer_ms.map(whole),
            latency: self.latency.as_ref().and_then(Latency::from_json).map(Box::new),
            clip: self.clip,
            backchannel: self.backchannel,
        }
    }
}
