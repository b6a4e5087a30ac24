//! What a file says of a client's agent, on record.

use futures_util::future::join_all;
use protocol::ids::{CallSid, PhoneNumber};

use super::Db;
use crate::store::tests::{new_call, new_client};
use crate::store::*;

const FIRST: &str = "+918047112233";
const SECOND: &str = "+918047112234";
const THIRD: &str = "+918047112235";

fn apply(numbers: &[&str], over: Option<&Client>) -> Apply {
    Apply {
        analysed: false,
        client: new_client(numbers[0]),
        active: true,
        numbers: numbers.iter().copied().map(PhoneNumber::new).collect(),
        document: Some("{\"tools\":[]}".to_owned()),
        events: None,
        over: over.map(|client| (client.id, client.version)),
    }
}

async fn done(store: &Store, wanted: Apply) -> Client {
    match store.apply_agent(wanted).await.unwrap() {
        AppliedAgent::Done(client) => *client,
        AppliedAgent::Stale => panic!("it was changed meanwhile"),
    }
}

async fn numbers(store: &Store, client: &Client) -> Vec<String> {
    let numbers = store.numbers_of_client(client.id).await.unwrap();
    numbers.iter().map(|number| number.reveal().to_owned()).collect()
}

async fn whose(store: &Store, line: &str) -> Option<i64> {
    let found = store.client_of(vec![PhoneNumber::new("09"), PhoneNumber::new(line)]).await.unwrap();
    found.map(|client| client.id)
}

#[tokio::test]
async fn a_client_takes_the_calls_of_all_its_numbers_and_of_none_that_it_gave_up() {
    let db = Db::new();
    let store = db.store().await;
    let client = done(&store, apply(&[FIRST, SECOND], None)).await;
    assert_eq!(numbers(&store, &client).await, [FIRST, SECOND]);
    for line in [FIRST, "08047112234"] {
        assert_eq!(whose(&store, line).await, Some(client.id), "{line}");
    }
    // In another order, and one for another.
    let client = done(&store, apply(&[THIRD, FIRST], Some(&client))).await;
    assert_eq!(numbers(&store, &client).await, [THIRD, FIRST]);
    assert_eq!(whose(&store, SECOND).await, None);
    let client = done(&store, apply(&[FIRST, THIRD], Some(&client))).await;
    assert_eq!(
        (numbers(&store, &client).await, client.exotel_number.reveal()),
        (vec![FIRST.into(), THIRD.into()], FIRST)
    );
    let (_, document) = store.document_of_client(client.id).await.unwrap().unwrap();
    assert_eq!(document.as_deref(), Some("{\"tools\":[]}"));
    assert_eq!(whose(&store, THIRD).await, Some(client.id));
}

#[tokio::test]
async fn a_number_that_another_client_has_is_not_taken_and_nothing_else_is_done() {
    let db = Db::new();
    let store = db.store().await;
    let one = done(&store, apply(&[FIRST, SECOND], None)).await;
    let other = store.add_client(new_client(THIRD)).await.unwrap();
    for wanted in [apply(&[THIRD, SECOND], Some(&other)), apply(&["+918047112240", SECOND], None)] {
        let refused = store.apply_agent(wanted).await;
        assert!(matches!(refused, Err(StoreError::Taken { id, .. }) if id == one.id), "{refused:?}");
    }
    let refused = store.add_client(new_client(SECOND)).await;
    assert!(matches!(refused, Err(StoreError::Taken { id, .. }) if id == one.id), "{refused:?}");
    assert_eq!(store.clients().await.unwrap().len(), 2);
    assert_eq!(numbers(&store, &other).await, [THIRD]);
    assert_eq!(store.client(other.id).await.unwrap().unwrap().version, other.version);
}

#[tokio::test]
async fn of_two_that_apply_at_once_one_finds_that_it_was_changed() {
    let db = Db::new();
    let store = db.store().await;
    let client = store.add_client(new_client(FIRST)).await.unwrap();
    let at_once = join_all((0..8).map(|_| store.apply_agent(apply(&[FIRST], Some(&client))))).await;
    let done = at_once.iter().filter(|done| matches!(done, Ok(AppliedAgent::Done(_)))).count();
    let stale = at_once.iter().filter(|done| matches!(done, Ok(AppliedAgent::Stale))).count();
    assert_eq!((done, stale), (1, 7), "{at_once:?}");
    // New ones with the same number: one is there then.
    let at_once = join_all((0..8).map(|_| store.apply_agent(apply(&[SECOND], None)))).await;
    assert_eq!(at_once.iter().filter(|done| matches!(done, Ok(AppliedAgent::Done(_)))).count(), 1, "{at_once:?}");
    assert_eq!(store.clients().await.unwrap().len(), 2);
    // Whoever changes a client otherwise changes the version as well.
    let seen = store.client(client.id).await.unwrap().unwrap();
    let changes = ClientChanges { greeting: Some("Hi".to_owned()), ..ClientChanges::default() };
    let changed = store.change_client(client.id, changes).await.unwrap().unwrap();
    assert!(changed.version > seen.version);
    assert_eq!(store.apply_agent(apply(&[FIRST], Some(&seen))).await.unwrap(), AppliedAgent::Stale);
}

#[tokio::test]
async fn clients_that_a_gateway_of_the_version_before_adds_and_changes_are_found_by_their_numbers() {
    let db = Db::new();
    let store = db.store().await;
    let new = |number: &str| {
        format!(
            "INSERT INTO clients (name, exotel_number, greeting, language, instructions, created_at, updated_at) \
             VALUES ('Old', '{number}', '', 'en-IN', '', '2026-11-24 10:00:00', '2026-11-24 10:00:00')"
        )
    };
    db.execute(&new(FIRST)).unwrap();
    let old = whose(&store, FIRST).await.unwrap();
    let before = store.client(old).await.unwrap().unwrap();
    db.execute(&format!("UPDATE clients SET exotel_number = '{SECOND}', name = 'Older' WHERE id = {old}")).unwrap();
    let after = store.client(old).await.unwrap().unwrap();
    assert!(after.version > before.version);
    assert_eq!((whose(&store, FIRST).await, whose(&store, SECOND).await), (None, Some(old)));
    // It cannot have a number that is one of several of another client.
    done(&store, apply(&[THIRD, FIRST], None)).await;
    assert!(db.execute(&new(FIRST)).is_err());
    assert!(db.execute(&format!("UPDATE clients SET exotel_number = '{FIRST}' WHERE id = {old}")).is_err());
    assert_eq!(whose(&store, SECOND).await, Some(old));
}

#[tokio::test]
async fn a_secret_that_is_set_or_removed_makes_its_client_another_version() {
    let db = Db::new();
    let store = db.store().await;
    let client = store.add_client(new_client(FIRST)).await.unwrap();
    let mut seen = vec![client.version];
    let mut looked = async || seen.push(store.client(client.id).await.unwrap().unwrap().version);
    for sealed in ["one", "two"] {
        assert!(store.set_secret(client.id, "CRM", sealed.to_owned(), 1).await.unwrap());
        looked().await;
    }
    assert!(store.remove_secret(client.id, "CRM").await.unwrap());
    looked().await;
    assert_eq!(seen, [client.version, client.version + 1, client.version + 2, client.version + 3]);
    assert!(!store.remove_secret(client.id, "CRM").await.unwrap());
    assert_eq!(store.client(client.id).await.unwrap().unwrap().version, client.version + 3);
}

#[tokio::test]
async fn the_calls_that_a_caller_had_before_are_this_clients_and_the_latest_come_first() {
    let db = Db::new();
    let store = db.store().await;
    let client = store.add_client(new_client(FIRST)).await.unwrap().id;
    let other = store.add_client(new_client(SECOND)).await.unwrap().id;
    let caller = PhoneNumber::new("+919876543210");
    let began = async |sid: &str, client: i64, from: &PhoneNumber, minute: i64| {
        let new = new_call(sid, client);
        let parties = Parties { from: Some(from.clone()), ..new.parties.clone() };
        let at = new.at - chrono::TimeDelta::minutes(minute);
        store.begin_call(NewCall { parties, at, ..new }).await.unwrap();
    };
    for (index, sid) in ["c1", "c2", "c3", "c4"].into_iter().enumerate() {
        began(sid, client, &caller, 10 - index as i64).await;
    }
    began("c5", other, &caller, 1).await;
    began("c6", client, &PhoneNumber::new("+919876543211"), 1).await;
    let earlier = store.earlier_calls(client, &caller, &CallSid::new("c4"), 2).await.unwrap();
    let row = async |sid: &str| store.call(&CallSid::new(sid)).await.unwrap().unwrap().call.times.started_at;
    assert_eq!(earlier.iter().map(|call| call.at).collect::<Vec<_>>(), [row("c3").await, row("c2").await]);
    assert!(store.earlier_calls(client, &PhoneNumber::new("+911"), &CallSid::new("c4"), 2).await.unwrap().is_empty());
}

#[tokio::test]
async fn two_thousand_clients_that_are_applied_at_once_are_all_there_or_refused() {
    let db = Db::new();
    let store = db.store().await;
    let number = |index: u32| format!("+9180{:08}", 10_000_000 + index);
    let at_once = join_all((0..2_000).map(|index| store.apply_agent(apply(&[&number(index)], None)))).await;
    let done = at_once.iter().filter(|done| matches!(done, Ok(AppliedAgent::Done(_)))).count();
    let refused = at_once.iter().filter(|done| matches!(done, Err(StoreError::Away(_)))).count();
    assert_eq!(done + refused, 2_000);
    assert_eq!(store.clients().await.unwrap().len(), done);
    assert!(done > 100, "{done}");
}
