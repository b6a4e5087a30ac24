//! Queries of `jobs`.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::dsl::{count_star, exists, min, not};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::locking::skip_locked;
use super::{Conn, RunQueryDsl};
use crate::store::due;
use crate::store::engine::prepared::prepared;
use crate::store::schema::calls;
use crate::store::schema::jobs::{self, dsl};
use crate::store::{Job, JobStatus, NewJob, StoreError, Waiting};

const WAITING: &str = JobStatus::Waiting.name();
const RUNNING: &str = JobStatus::Running.name();
const FAILED: &str = JobStatus::Failed.name();
const DONE: &str = JobStatus::Done.name();
const PARKED: &str = JobStatus::Parked.name();

/// Row id and number of the attempt: what a lease is held by.
type Held = (i64, i32);

diesel::alias!(jobs as earlier: Earlier);

/// The jobs that a node could take, if they were due: none that has to wait for an earlier one of its ordering.
macro_rules! unblocked {
    ($node:expr) => {{
        let unfinished = earlier.field(dsl::status).eq(WAITING).or(earlier.field(dsl::status).eq(RUNNING));
        let blocked = earlier
            .filter(earlier.field(dsl::ordering).eq(dsl::ordering))
            .filter(earlier.field(dsl::id).lt(dsl::id))
            .filter(unfinished);
        dsl::jobs.filter(dsl::node.is_null().or(dsl::node.eq($node).assume_not_null())).filter(not(exists(blocked)))
    }};
}

/// Those of a kind.
macro_rules! takeable {
    ($kind:expr, $node:expr) => {
        unblocked!($node).filter(dsl::kind.eq($kind))
    };
}

/// The row, if it is still held.
macro_rules! held {
    ($held:expr) => {
        dsl::jobs.filter(dsl::id.eq($held.0).and(dsl::attempts.eq($held.1)).and(dsl::status.eq(RUNNING)))
    };
}

pub(in crate::store) async fn enqueue(conn: &mut Conn, job: &NewJob) -> Result<bool, StoreError> {
    let now = Utc::now().naive_utc();
    let added = diesel::insert_into(dsl::jobs)
        .values((
            dsl::kind.eq(job.kind),
            dsl::key.eq(&job.key),
            dsl::payload.eq(job.payload.to_string()),
            dsl::status.eq(WAITING),
            dsl::run_at.eq(job.run_at.naive_utc()),
            dsl::ordering.eq(job.ordering.as_deref()),
            dsl::node.eq(job.node.as_deref()),
            dsl::created_at.eq(now),
            dsl::updated_at.eq(now),
        ))
        .on_conflict((dsl::kind, dsl::key))
        .do_nothing()
        .execute(conn)
        .await?;
    if added > 0 {
        due::left(job.run_at);
    }
    Ok(added > 0)
}

/// A job that nobody has tried yet.
macro_rules! untried {
    ($kind:expr, $key:expr) => {
        dsl::jobs
            .filter(dsl::kind.eq($kind).and(dsl::key.eq($key)))
            .filter(dsl::status.eq(WAITING).and(dsl::attempts.eq(0)))
    };
}

/// Lets a job that nobody has tried yet be done then, if it was to wait longer.
pub(in crate::store) async fn hurry(
    conn: &mut Conn,
    kind: &str,
    key: &str,
    to: DateTime<Utc>,
) -> Result<(), StoreError> {
    let at = to.naive_utc();
    let row = untried!(kind, key).filter(dsl::run_at.gt(at));
    if prepared(diesel::update(row).set(dsl::run_at.eq(at))).execute(conn).await? > 0 {
        due::left(to);
    }
    Ok(())
}

/// Lets a job that nobody has tried yet be done then, whenever it was to be.
pub(in crate::store) async fn reschedule(
    conn: &mut Conn,
    kind: &str,
    key: &str,
    to: DateTime<Utc>,
) -> Result<(), StoreError> {
    prepared(diesel::update(untried!(kind, key)).set(dsl::run_at.eq(to.naive_utc()))).execute(conn).await?;
    due::left(to);
    Ok(())
}

/// Takes back a job that nobody has tried yet.
pub(in crate::store) async fn withdraw(conn: &mut Conn, kind: &str, key: &str) -> Result<(), StoreError> {
    diesel::delete(untried!(kind, key)).execute(conn).await?;
    Ok(())
}

/// Whether there is such a job, or was one lately.
pub(in crate::store) async fn is_known(conn: &mut Conn, kind: &str, key: &str) -> Result<bool, StoreError> {
    let known = dsl::jobs.filter(dsl::kind.eq(kind).and(dsl::key.eq(key))).select(dsl::id);
    Ok(known.get_result::<i64>(conn).await.optional()?.is_some())
}

/// Jobs that could be leased: those of workers that died, then the longest due. It only reads: with many that wait for others, looking takes longer than leasing.
pub(in crate::store) async fn due(conn: &mut Conn, kind: &str, node: &str, limit: i64) -> Result<Vec<i64>, StoreError> {
    let now = Utc::now().naive_utc();
    let lost = takeable!(kind, node).filter(dsl::status.eq(RUNNING));
    let lost = lost.filter(dsl::leased_until.le(now).assume_not_null()).order((dsl::run_at, dsl::id)).limit(limit);
    let mut due: Vec<i64> = lost.select(dsl::id).load(conn).await?;
    let waits = takeable!(kind, node).filter(dsl::status.eq(WAITING)).filter(dsl::run_at.le(now));
    due.extend(waits.order((dsl::run_at, dsl::id)).limit(limit).select(dsl::id).load::<i64>(conn).await?);
    Ok(due)
}

/// Leases those of some jobs that are due still.
pub(in crate::store) async fn lease(
    conn: &mut Conn,
    worker: &str,
    node: &str,
    ids: &[i64],
    how_long: Duration,
) -> Result<Vec<Job>, StoreError> {
    let now = Utc::now();
    let waits = dsl::status.eq(WAITING).and(dsl::run_at.le(now.naive_utc()));
    let lost = dsl::status.eq(RUNNING).and(dsl::leased_until.le(now.naive_utc()).assume_not_null());
    // By their ids alone: with the kind beside them, SQLite would look through all of the kind.
    let due = unblocked!(node).filter(dsl::id.eq_any(ids.to_vec())).filter(waits.or(lost)).select(dsl::id);
    let ids: Vec<i64> = skip_locked!(due).load(conn).await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut taken: Vec<Job> = diesel::update(dsl::jobs.filter(dsl::id.eq_any(ids)))
        .set((
            dsl::status.eq(RUNNING),
            dsl::attempts.eq(dsl::attempts + 1),
            dsl::lease_owner.eq(worker),
            dsl::leased_until.eq((now + how_long).naive_utc()),
            dsl::updated_at.eq(now.naive_utc()),
        ))
        .returning(Job::as_returning())
        .load(conn)
        .await?;
    taken.sort_unstable_by_key(|job| (job.run_at, job.id));
    Ok(taken)
}

pub(in crate::store) async fn next(
    conn: &mut Conn,
    kind: &str,
    node: &str,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let waits = takeable!(kind, node).filter(dsl::status.eq(WAITING)).order(dsl::run_at).select(dsl::run_at);
    let waits: Option<NaiveDateTime> = waits.first(conn).await.optional()?;
    let runs = takeable!(kind, node).filter(dsl::status.eq(RUNNING)).select(min(dsl::leased_until));
    let runs: Option<NaiveDateTime> = runs.first(conn).await?;
    Ok(waits.into_iter().chain(runs).min().map(|at| at.and_utc()))
}

pub(in crate::store) async fn renew(conn: &mut Conn, held: Held, how_long: Duration) -> Result<bool, StoreError> {
    let until = (Utc::now() + how_long).naive_utc();
    let kept = prepared(diesel::update(held!(held)).set(dsl::leased_until.eq(until))).execute(conn).await?;
    Ok(kept > 0)
}

pub(in crate::store) async fn finish(
    conn: &mut Conn,
    held: Held,
    status: JobStatus,
    error: Option<&str>,
) -> Result<bool, StoreError> {
    release(conn, held, status.name(), error, None).await
}

pub(in crate::store) async fn put_back(
    conn: &mut Conn,
    held: Held,
    error: Option<&str>,
    run_at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    release(conn, held, WAITING, error, Some(run_at)).await
}

/// Ends a lease; false when it was somebody else's by then. Without an error or a time the row keeps the ones it has.
async fn release(
    conn: &mut Conn,
    held: Held,
    status: &str,
    error: Option<&str>,
    run_at: Option<DateTime<Utc>>,
) -> Result<bool, StoreError> {
    let released = diesel::update(held!(held))
        .set((
            dsl::status.eq(status),
            run_at.map(|at| dsl::run_at.eq(at.naive_utc())),
            error.map(|error| dsl::last_error.eq(error)),
            dsl::lease_owner.eq(None::<String>),
            dsl::leased_until.eq(None::<NaiveDateTime>),
            dsl::updated_at.eq(Utc::now().naive_utc()),
        ))
        .execute(conn)
        .await?;
    Ok(released > 0)
}

pub(in crate::store) async fn relocate(conn: &mut Conn, kind: &str, key: &str, node: &str) -> Result<bool, StoreError> {
    let row = dsl::jobs.filter(dsl::kind.eq(kind).and(dsl::key.eq(key)).and(dsl::status.eq_any([WAITING, RUNNING])));
    let moved = diesel::update(row).set(dsl::node.eq(node)).execute(conn).await? > 0;
    if moved {
        due::left(Utc::now());
    }
    Ok(moved)
}

/// The row id of a job, if it failed.
pub(in crate::store) async fn failed(conn: &mut Conn, kind: &str, key: &str) -> Result<Option<i64>, StoreError> {
    let row = dsl::jobs.filter(dsl::kind.eq(kind).and(dsl::key.eq(key)).and(dsl::status.eq(FAILED)));
    Ok(row.select(dsl::id).get_result(conn).await.optional()?)
}

/// Jobs that failed or are parked, one or all, as if they were new.
pub(in crate::store) async fn retry(conn: &mut Conn, id: Option<i64>) -> Result<Vec<Job>, StoreError> {
    let now = Utc::now().naive_utc();
    let one = dsl::id.eq(id.unwrap_or_default()).or(id.is_none().into_sql::<Bool>());
    let mut retried: Vec<Job> = diesel::update(dsl::jobs.filter(dsl::status.eq_any([FAILED, PARKED])).filter(one))
        .set((
            dsl::status.eq(WAITING),
            dsl::attempts.eq(0),
            dsl::run_at.eq(now),
            dsl::created_at.eq(now),
            dsl::updated_at.eq(now),
        ))
        .returning(Job::as_returning())
        .load(conn)
        .await?;
    retried.sort_unstable_by_key(|job| job.id);
    if !retried.is_empty() {
        due::left(Utc::now());
    }
    Ok(retried)
}

/// Parked jobs of a kind whose ordering is a call of those clients, or that have none, as if they were new.
pub(in crate::store) async fn unpark(conn: &mut Conn, kind: &str, of: &[i64]) -> Result<usize, StoreError> {
    let now = Utc::now().naive_utc();
    let theirs = calls::table.filter(calls::client_id.eq_any(of.to_vec())).select(calls::call_sid.nullable());
    let rows = dsl::jobs.filter(dsl::kind.eq(kind).and(dsl::status.eq(PARKED)));
    let rows = rows.filter(dsl::ordering.is_null().or(dsl::ordering.eq_any(theirs)));
    let unparked = diesel::update(rows).set((
        dsl::status.eq(WAITING),
        dsl::attempts.eq(0),
        dsl::run_at.eq(now),
        dsl::created_at.eq(now),
        dsl::updated_at.eq(now),
    ));
    let unparked = unparked.execute(conn).await?;
    if unparked > 0 {
        due::left(Utc::now());
    }
    Ok(unparked)
}

pub(in crate::store) async fn parked(conn: &mut Conn, kinds: &[&str]) -> Result<Vec<(String, i64)>, StoreError> {
    // By kind: so the index finds the few there are.
    let rows = dsl::jobs.filter(dsl::kind.eq_any(kinds.to_vec()).and(dsl::status.eq(PARKED))).group_by(dsl::kind);
    Ok(rows.select((dsl::kind, count_star())).load(conn).await?)
}

pub(in crate::store) async fn by_id(conn: &mut Conn, id: i64) -> Result<Option<Job>, StoreError> {
    Ok(dsl::jobs.find(id).select(Job::as_select()).first(conn).await.optional()?)
}

pub(in crate::store) async fn list(
    conn: &mut Conn,
    all: bool,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Job>, StoreError> {
    let hidden = if all { "" } else { DONE };
    let rows = dsl::jobs.filter(dsl::status.ne(hidden)).filter(dsl::id.lt(before.unwrap_or(i64::MAX)));
    Ok(rows.order(dsl::id.desc()).limit(limit).select(Job::as_select()).load(conn).await?)
}

pub(in crate::store) async fn waiting(conn: &mut Conn) -> Result<Vec<Waiting>, StoreError> {
    let open = dsl::jobs.filter(dsl::status.eq_any([WAITING, RUNNING])).group_by(dsl::kind);
    let rows: Vec<(String, i64, Option<NaiveDateTime>)> =
        open.select((dsl::kind, count_star(), min(dsl::created_at))).load(conn).await?;
    let told = |(kind, count, oldest): (String, i64, Option<NaiveDateTime>)| {
        oldest.map(|oldest| Waiting { kind, count, oldest: oldest.and_utc() })
    };
    Ok(rows.into_iter().filter_map(told).collect())
}

pub(in crate::store) async fn forget(
    conn: &mut Conn,
    done: DateTime<Utc>,
    failed: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let old = |status: &'static str, at: DateTime<Utc>| dsl::status.eq(status).and(dsl::updated_at.lt(at.naive_utc()));
    let over = old(DONE, done).or(old(FAILED, failed)).or(old(PARKED, failed));
    Ok(diesel::delete(dsl::jobs.filter(over)).execute(conn).await?)
}
