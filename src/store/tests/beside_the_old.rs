//! A gateway of the version before goes on writing beside this one: it knows an end by `ended_by`, `ended_why` and `status` alone.

use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Nullable, SmallInt, Text};
use diesel_migrations::MigrationHarness;
use protocol::call::end::{EndCode, EndRank, Ended, Transfer};
use protocol::ids::{CallSid, StreamSid};

use super::{ALL, Backend, Conn, Db};
use crate::store::tests::{
    at, batch, finish, lose, media, neighbour, new_call, new_client, report, stream_there, update,
};
use crate::store::*;

/// One account of the end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Account {
    Reaper,
    InVain,
    Stream,
    Busy,
    Completed,
    HadIt,
}

use Account::{Busy, Completed, HadIt, InVain, Reaper, Stream};

const ACCOUNTS: [Account; 6] = [Reaper, InVain, Stream, Busy, Completed, HadIt];

/// As this version tells it.
async fn told_by_us(store: &Store, sid: &str, account: Account) {
    let media = Some(media());
    let ours = |ended: &Ended| {
        let (status, code, why) = (ended.status().to_owned(), ended.code(), ended.words());
        Some(Finish { at: at(50) + chrono::TimeDelta::milliseconds(125), status, code, why, transfer: None })
    };
    let update = match account {
        Reaper => return drop(lose(store, &[CallSid::new(sid)]).await),
        Busy => return drop(store.report_call(report(sid, "busy")).await.unwrap()),
        Completed => return drop(store.report_call(report(sid, "completed")).await.unwrap()),
        Stream => {
            let stream = CallEndReport { stream_only: true, ..report(sid, "canceled") };
            return drop(store.report_call(stream).await.unwrap());
        }
        InVain => CallUpdate { finish: ours(&Ended::NoMedia), ..update(sid) },
        HadIt => CallUpdate { media, finish: ours(&Ended::AgentHungUp), ..update(sid) },
    };
    store.write_batch(batch(vec![update])).await.unwrap();
}

/// The statements of the version before, as it sent them; where it looked at the row between two of them, what it looked for is a condition.
fn told_by_the_old(db: &Db, sid: &str, account: Account) {
    let ended_at = at(50).format("%Y-%m-%d %H:%M:%S.125");
    let media_at = at(2).format("%Y-%m-%d %H:%M:%S");
    let report = |status: &str, certain: bool, less: &str| {
        let told_at = at(60).format("%Y-%m-%d %H:%M:%S");
        let word = if certain {
            format!(
                "UPDATE calls SET carrier_status = '{status}' WHERE call_sid = '{sid}' AND (carrier_status IS NULL OR carrier_status IN ({less}));"
            )
        } else {
            String::new()
        };
        let first = if certain { "" } else { "AND carrier_status IS NULL" };
        format!(
            "UPDATE calls SET status = '{status}', ended_by = 'carrier', \
             ended_why = 'the carrier reported the call as {status}', ended_at = '{told_at}' WHERE call_sid = '{sid}' \
             AND (ended_by IS NULL OR ended_by <> 'gateway' OR (media_at IS NULL AND ended_why = 'the media stream never started')) \
             AND (carrier_status IS NULL OR carrier_status IN ({less})) {first}; {word}"
        )
    };
    let statements = match account {
        Reaper => format!(
            "UPDATE calls SET status = 'failed', ended_by = 'upkeep', ended_at = started_at, \
             ended_why = 'its gateway stopped before the call ended, and nobody told of the end' \
             WHERE call_sid = '{sid}' AND ended_by IS NULL"
        ),
        InVain => format!(
            "UPDATE calls SET status = 'failed', ended_by = 'gateway', ended_why = 'the media stream never started', \
             ended_at = '{ended_at}' WHERE call_sid = '{sid}' AND (ended_by IS NULL OR ended_by = 'upkeep') AND media_at IS NULL"
        ),
        Stream => report("canceled", false, "'in-progress'"),
        Busy => report("busy", true, "'in-progress', 'canceled', 'busy'"),
        Completed => report("completed", true, "'in-progress', 'canceled', 'busy', 'completed'"),
        HadIt => format!(
            "UPDATE calls SET status = 'in-progress', ended_by = NULL, ended_why = NULL, ended_at = NULL \
             WHERE call_sid = '{sid}' AND media_at IS NULL AND ended_by <> 'carrier'; \
             UPDATE calls SET media_at = '{media_at}', stream_sid = 's1' WHERE call_sid = '{sid}' AND media_at IS NULL; \
             UPDATE calls SET status = 'completed', ended_by = 'gateway', ended_why = 'the agent ended the call', \
             ended_at = '{ended_at}' WHERE call_sid = '{sid}' AND (ended_by IS NULL OR ended_by <> 'gateway')"
        ),
    };
    db.execute(&statements).unwrap();
}

/// What stands of the end.
async fn stands(store: &Store, sid: &str) -> Call {
    let call = store.call(&CallSid::new(sid)).await.unwrap().unwrap().call;
    let told = (call.ended_by, call.ended_rank);
    let code = call.ended_code.unwrap();
    assert_eq!(told, (Some(code.by()), Some(EndRank::of(code, &call.status).number())), "{sid}: {call:?}");
    call
}

/// Both orders, and each account by the one or the other.
#[tokio::test]
async fn an_end_that_the_version_before_wrote_counts_for_as_much_as_one_of_this() {
    let db = Db::new();
    let store = db.store().await;
    let client = store.add_client(new_client("+918047112233")).await.unwrap().id;
    for (one, another) in ACCOUNTS.iter().flat_map(|one| ACCOUNTS.map(|another| (*one, another))) {
        let [ours, first, second] = ["ours", "first", "second"].map(|by| format!("{by}-{one:?}-{another:?}"));
        for sid in [&ours, &first, &second] {
            store.begin_call(new_call(sid, client)).await.unwrap();
        }
        told_by_us(&store, &ours, one).await;
        told_by_us(&store, &ours, another).await;
        told_by_the_old(&db, &first, one);
        told_by_us(&store, &first, another).await;
        told_by_us(&store, &second, one).await;
        told_by_the_old(&db, &second, another);
        let expected = stands(&store, &ours).await;
        for sid in [&first, &second] {
            let call = stands(&store, sid).await;
            let told = |call: &Call| (call.status.clone(), call.ended_code, call.times.ended_at_source);
            assert_eq!(told(&call), told(&expected), "{sid}");
        }
        let more = EndRank::stored(expected.ended_rank.unwrap());
        assert!(more >= EndRank::of(EndCode::NoMedia, "failed") || one.max(another) == Reaper, "{one:?} {another:?}");
    }
}

#[tokio::test]
async fn an_end_that_the_version_before_took_back_is_none_and_the_next_one_counts() {
    let db = Db::new();
    let store = db.store().await;
    let client = store.add_client(new_client("+918047112233")).await.unwrap().id;
    store.begin_call(new_call("c1", client)).await.unwrap();
    let left = finish("completed", "the caller's side ended the stream (stopped)");
    store.write_batch(batch(vec![CallUpdate { finish: left, ..update("c1") }])).await.unwrap();
    db.execute(
        "UPDATE calls SET status = 'in-progress', ended_by = NULL, ended_why = NULL, ended_at = NULL \
         WHERE ended_by IS NOT NULL AND (carrier_status IS NULL OR carrier_status <> 'completed')",
    )
    .unwrap();
    let call = store.call(&CallSid::new("c1")).await.unwrap().unwrap().call;
    assert_eq!((call.ended_code, call.ended_rank, call.times.ended_at_source), (None, None, None));
    assert_eq!(lose(&store, &[CallSid::new("c1")]).await.len(), 1);
    assert_eq!(stands(&store, "c1").await.ended_code, Some(EndCode::Reaped));
}

/// Every sentence that a gateway ever wrote down.
fn every_way() -> Vec<Ended> {
    let words = || "100 % _ of it".to_owned();
    vec![
        Ended::CallerHungUp { reason: Some("callended".to_owned()) },
        Ended::CallerHungUp { reason: Some("Call_Ended".to_owned()) },
        Ended::CallerHungUp { reason: Some("stopped".to_owned()) },
        Ended::CallerHungUp { reason: None },
        Ended::AgentHungUp,
        Ended::Transferred(Transfer::because(words())),
        Ended::Operator,
        Ended::TooLong,
        Ended::NoMedia,
        Ended::MediaSilent,
        Ended::ModelFailed { cause: words() },
        Ended::GaveUp { cause: words() },
        Ended::Shutdown,
    ]
}

#[test]
fn rows_from_before_are_given_their_codes() {
    let db = Db::new();
    let mut conn = db.connection();
    let before = |version: &str| version < "20261125000050";
    let all = MigrationSource::<Backend>::migrations(&ALL).unwrap();
    let olds = all.iter().filter(|one| before(&one.name().version().to_string())).count();
    (0..olds).for_each(|_| drop(conn.run_next_migration(ALL).unwrap()));
    let insert = |sid: &str, by: &str, why: &str, status: &str| {
        let why = why.replace('\'', "''");
        db.execute(&format!(
            "INSERT INTO calls (call_sid, status, carrier_status, ended_by, ended_why, started_at, ended_at) VALUES \
             ('{sid}', '{status}', '{status}', '{by}', '{why}', '2026-11-20 10:00:00', '2026-11-20 10:01:00')"
        ))
        .unwrap();
    };
    let ways = every_way();
    for (number, ended) in ways.iter().enumerate() {
        insert(&number.to_string(), "gateway", &ended.words(), "in-progress");
    }
    insert("odd", "gateway", "for a reason of its own", "completed");
    insert("theirs", "carrier", "the carrier reported the call as busy", "busy");
    insert("lost", "upkeep", "its gateway stopped", "failed");
    conn.run_pending_migrations(ALL).unwrap();
    let row = |conn: &mut Conn, sid: &str| -> (String, i16, String) {
        let query = format!("SELECT ended_code, ended_rank, ended_at_source FROM calls WHERE call_sid = '{sid}'");
        let row: Row = sql_query(query).get_result(conn).unwrap();
        (row.ended_code.unwrap(), row.ended_rank.unwrap(), row.ended_at_source.unwrap())
    };
    for (number, ended) in ways.iter().enumerate() {
        let code = ended.code();
        let expected = (code.name().to_owned(), EndRank::of(code, ended.status()).number(), "gateway".to_owned());
        assert_eq!(row(&mut conn, &number.to_string()), expected, "{ended:?}");
    }
    assert_eq!(row(&mut conn, "odd"), ("unknown".to_owned(), 40, "gateway".to_owned()));
    assert_eq!(row(&mut conn, "theirs"), ("carrier_reported".to_owned(), 32, "carrier".to_owned()));
    assert_eq!(row(&mut conn, "lost"), ("reaped".to_owned(), 0, "gateway".to_owned()));
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<Text>)]
    ended_code: Option<String>,
    #[diesel(sql_type = Nullable<SmallInt>)]
    ended_rank: Option<i16>,
    #[diesel(sql_type = Nullable<Text>)]
    ended_at_source: Option<String>,
}

/// The version before begins a call, and gets the media stream of one.
fn begun_by_the_old(db: &Db, sid: &str, client: i64) {
    db.execute(&format!(
        "INSERT INTO calls (call_sid, status, client_id, entry, started_at, direction) \
         VALUES ('{sid}', 'in-progress', {client}, 'voicebot', '2026-11-24 10:00:00', 'incoming') ON CONFLICT (call_sid) DO NOTHING"
    ))
    .unwrap();
}

fn taken_by_the_old(db: &Db, sid: &str) {
    db.execute(&format!(
        "UPDATE calls SET media_at = '2026-11-24 10:00:02', stream_sid = 'old' WHERE call_sid = '{sid}' \
         AND entry IS NOT NULL AND media_at IS NULL AND ended_by IS NULL"
    ))
    .unwrap();
}

#[tokio::test]
async fn a_call_whose_stream_a_gateway_of_the_version_before_got_is_its_own() {
    let db = Db::new();
    let store = db.store().await;
    let client = store.add_client(new_client("+918047112233")).await.unwrap().id;
    store.begin_call(new_call("c1", client)).await.unwrap();
    taken_by_the_old(&db, "c1");
    let call = store.call(&CallSid::new("c1")).await.unwrap().unwrap().call;
    assert_eq!((&call.ownership.owner, call.ownership.generation, call.streams()), (&None, 2, 1));
    // This one waited for that stream in vain, and says so.
    let (status, code, why) = ("failed".to_owned(), EndCode::NoMedia, String::new());
    let in_vain = Finish { at: at(20), status, code, why, transfer: None };
    let waited = CallUpdate { generation: Some(1), finish: Some(in_vain), ..update("c1") };
    assert_eq!(store.write_batch(batch(vec![waited])).await.unwrap(), [CallSid::new("c1")]);
    let Begun::Elsewhere(call) = store.begin_call(new_call("c1", client)).await.unwrap() else { panic!("not there") };
    assert!(!call.is_over());
    // A further stream of it comes to this one.
    let second = NewStream { number: Some(2), ..stream_there("c1") };
    assert!(matches!(store.take_stream(second).await.unwrap(), StreamClaim::Granted { generation: 3, stream: 2, .. }));
}

#[tokio::test]
async fn a_call_that_a_gateway_of_the_version_before_began_is_taken_with_its_stream() {
    let db = Db::new();
    let store = db.store().await;
    let client = store.add_client(new_client("+918047112233")).await.unwrap().id;
    begun_by_the_old(&db, "c1", client);
    assert!(matches!(store.begin_call(new_call("c1", client)).await.unwrap(), Begun::Elsewhere(_)));
    assert!(matches!(
        store.take_stream(stream_there("c1")).await.unwrap(),
        StreamClaim::Granted { generation: 1, stream: 1, .. }
    ));
    // The old one neither gets the stream any more, nor ends the call since it waited in vain.
    taken_by_the_old(&db, "c1");
    told_by_the_old(&db, "c1", InVain);
    let call = store.call(&CallSid::new("c1")).await.unwrap().unwrap().call;
    assert_eq!((call.ownership.owner, call.ownership.generation), (Some(neighbour()), 1));
    assert_eq!((call.stream_sid, call.ended_code), (Some(StreamSid::new("s1")), None));
    let end = Some(Finish {
        at: at(50),
        status: "completed".to_owned(),
        code: EndCode::AgentHungUp,
        why: String::new(),
        transfer: None,
    });
    let owned = CallUpdate { owner: neighbour(), generation: Some(1), finish: end, ..update("c1") };
    assert!(store.write_batch(batch(vec![owned])).await.unwrap().is_empty());
    // And the other way round: what the version before began again is one call.
    begun_by_the_old(&db, "c1", client);
    assert_eq!(stands(&store, "c1").await.ended_code, Some(EndCode::AgentHungUp));
}
