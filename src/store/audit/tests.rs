use diesel::connection::SimpleConnection;
use serde_json::json;

use super::verify::Broken;
use super::*;
use crate::store::tests::TempDb;

fn entry(kind: &str, number: usize) -> AuditEntry {
    AuditEntry {
        at: Utc::now(),
        kind: kind.to_owned(),
        call_sid: Some(CallSid::new("c1")),
        remote_addr: Some("203.0.113.7".to_owned()),
        request_id: None,
        outcome: "ok".to_owned(),
        payload: json!({ "number": number, "words": "नमस्ते \u{0} \"quoted\"" }),
    }
}

fn entries(count: usize) -> Vec<AuditEntry> {
    (0..count).map(|number| entry("webhook.call-end", number)).collect()
}

/// Somebody with the database's file, past its triggers.
fn tamper(db: &TempDb, sql: &str) {
    let mut conn = SqliteConnection::establish(&db.0.display().to_string()).unwrap();
    let all = format!("DROP TRIGGER IF EXISTS audit_log_no_update; DROP TRIGGER IF EXISTS audit_log_no_delete; {sql}");
    conn.batch_execute(&all).unwrap();
}

#[tokio::test]
async fn an_untouched_log_verifies_and_names_its_end() {
    let db = TempDb::new();
    let store = db.store().await;
    let empty = store.verify_audit().await.unwrap().unwrap();
    assert_eq!((empty.rows, empty.unchained, empty.last_id), (0, 0, 0));
    store.append_audit(entries(3)).await.unwrap();
    store.append_audit(vec![]).await.unwrap();
    store.append_audit(entries(1)).await.unwrap();
    let whole = store.verify_audit().await.unwrap().unwrap();
    assert_eq!((whole.rows, whole.unchained, whole.last_id), (4, 0, 4));
    assert_eq!(store.audit_head().await.unwrap(), Some((4, whole.hash)));
}

#[tokio::test]
async fn gateways_that_append_at_once_make_one_chain() {
    let db = TempDb::new();
    let (one, other) = (db.store().await, db.store().await);
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let store = if number % 2 == 0 { one.clone() } else { other.clone() };
            tokio::spawn(async move { store.append_audit(entries(1 + number % 3)).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(one.verify_audit().await.unwrap().unwrap().rows, 39);
}

#[tokio::test]
async fn whatever_is_done_to_a_row_the_first_such_row_is_named() {
    let cases: [(&str, &str); 13] = [
        (
            "DELETE FROM audit_log WHERE id = 3; UPDATE audit_log SET outcome = 'failed' WHERE id = 4",
            "row 3 was removed",
        ),
        ("UPDATE audit_log SET outcome = 'failed' WHERE id = 3", "row 3 was changed"),
        ("UPDATE audit_log SET at = '2020-01-01 00:00:00' WHERE id >= 4", "row 4 was changed"),
        ("UPDATE audit_log SET payload = '{}' WHERE id = 6", "row 6 was changed"),
        ("UPDATE audit_log SET call_sid = NULL WHERE id = 1", "row 1 was changed"),
        ("DELETE FROM audit_log WHERE id = 3", "row 3 was removed"),
        ("DELETE FROM audit_log WHERE id IN (1, 2)", "row 1 was removed"),
        ("DELETE FROM audit_log WHERE id >= 5", "row 5 was removed"),
        ("DELETE FROM audit_log", "row 1 was removed"),
        ("UPDATE audit_log SET id = 100 WHERE id = 2", "row 2 was removed"),
        (
            "INSERT INTO audit_log (at, kind, outcome, payload) VALUES ('2026-01-01 00:00:00', 'k', 'ok', '{}')",
            "row 7 was added",
        ),
        ("DELETE FROM audit_head", "audit_head was removed"),
        (
            "DELETE FROM audit_log WHERE id = 2; UPDATE audit_log SET id = id - 1 WHERE id > 2",
            "row 1 was changed and hashed anew",
        ),
    ];
    for (sql, said) in cases {
        let db = TempDb::new();
        let store = db.store().await;
        store.append_audit(entries(6)).await.unwrap();
        tamper(&db, sql);
        let broken = store.verify_audit().await.unwrap().unwrap_err();
        assert!(broken.to_string().contains(said), "{sql}: {broken}");
    }
}

#[tokio::test]
async fn a_row_that_was_changed_and_hashed_anew_is_told_by_the_next() {
    let db = TempDb::new();
    let store = db.store().await;
    store.append_audit(entries(4)).await.unwrap();
    let link = &links(&store).await[1];
    let forged = Covered { outcome: "failed".to_owned(), ..link.covered() };
    let hash = forged.hash(link.prev_hash.as_ref().unwrap());
    tamper(&db, &format!("UPDATE audit_log SET outcome = 'failed', hash = '{hash}' WHERE id = 2"));
    let broken = store.verify_audit().await.unwrap().unwrap_err();
    assert_eq!(broken, Broken::Removed { after: 2, before: 3 });
    assert!(broken.to_string().contains("row 2 was changed and hashed anew"), "{broken}");
}

#[tokio::test]
async fn what_was_cut_off_the_end_is_missed_after_more_was_appended_too() {
    let db = TempDb::new();
    let store = db.store().await;
    store.append_audit(entries(5)).await.unwrap();
    tamper(&db, "DELETE FROM audit_log WHERE id >= 4");
    store.append_audit(entries(2)).await.unwrap();
    let broken = store.verify_audit().await.unwrap().unwrap_err();
    assert!(broken.to_string().contains("row 4 was removed"), "{broken}");
}

#[tokio::test]
async fn rows_from_before_the_chain_are_counted_and_do_not_break_it() {
    let db = TempDb::new();
    let store = db.store().await;
    tamper(&db, "INSERT INTO audit_log (at, kind, outcome, payload) VALUES ('2026-01-01 00:00:00', 'k', 'ok', '{}')");
    let before = store.verify_audit().await.unwrap().unwrap();
    assert_eq!((before.rows, before.unchained), (0, 1));
    store.append_audit(entries(2)).await.unwrap();
    let whole = store.verify_audit().await.unwrap().unwrap();
    assert_eq!((whole.rows, whole.unchained, whole.last_id), (2, 1, 3));
}

async fn links(store: &Store) -> Vec<Link> {
    query!(store, read, audit::links(0, 100)).unwrap()
}
