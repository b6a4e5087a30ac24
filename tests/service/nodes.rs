//! Several gateways on one database, and webhooks in every order.

use callgate::store::{Call, ClientChanges, End, Entry};
use protocol::call::fact::Ended;
use protocol::ids::CallSid;

use super::support::{Gateway, eventually, incoming, sid};

const RECORDING: &str = "https://recordings.exotel.com/exotelrecordings/acme/a.mp3";

/// Everything that is stored of a call, but for what tells it apart from another and when it was first heard of.
async fn stored(gateway: &Gateway, sid: &str) -> Call {
    let mut call = gateway.running.store().call(&CallSid::new(sid)).await.unwrap().unwrap().call;
    (call.id, call.call_sid) = (0, CallSid::new("x"));
    call.times.started_at = Default::default();
    call
}

/// Two nodes of one database, whose caller may call as often as it takes.
async fn nodes() -> [Gateway; 2] {
    let first = Gateway::start().await;
    let changes = ClientChanges { caller_calls_per_minute: Some(Some(10_000)), ..ClientChanges::default() };
    first.running.store().change_client(first.tenant.id, changes).await.unwrap();
    [first.beside().await, first]
}

async fn tell(gateway: &Gateway, step: usize, sid: &str) {
    let start = incoming(sid);
    let (path, form): (&str, Vec<(&str, &str)>) = match step {
        0 => ("/exotel/call-start", start),
        1 => {
            let form = [("Status", "in-progress"), ("EventType", "answered"), ("DateUpdated", "2026-11-22 12:07:12")];
            ("/exotel/call-end", form.to_vec())
        }
        2 => {
            let form = [
                ("Status", "completed"),
                ("EventType", "terminal"),
                ("From", "+91 98765 00000"),
                ("EndTime", "2026-11-22 12:08:00"),
                ("ConversationDuration", "48"),
            ];
            ("/exotel/call-end", form.to_vec())
        }
        3 => ("/exotel/recording", vec![("RecordingUrl", RECORDING)]),
        _ => {
            let form = [
                ("CallStatus", "in-progress"),
                ("EndTime", "1970-01-01 05:30:00"),
                ("Stream[StreamSID]", "st1"),
                ("Stream[Status]", "cancelled"),
                ("Stream[RecordingUrl]", RECORDING),
            ];
            ("/exotel/passthru", form.to_vec())
        }
    };
    let form = if step == 0 { form } else { [vec![("CallSid", sid)], form].concat() };
    let answer = gateway.post(path, &form).await;
    assert!([200, 302].contains(&answer.status.as_u16()), "{step}: {answer:?}");
}

async fn settled(nodes: &[Gateway; 2], sid: &str) -> Call {
    let call = CallSid::new(sid);
    for node in nodes {
        // A session may still wait for its stream, on a node that was not told of the end: that comes to this.
        node.running.switchboard().end(&call, Ended::NoMedia);
        eventually("no session is left", || async { node.running.switchboard().phase(&call).is_none() }).await;
        assert!(node.running.recorder().flush().await);
    }
    stored(&nodes[1], sid).await
}

/// Every order of all five, each order with two of them told twice, each told to one node or the other.
#[actix_web::test]
async fn webhooks_in_any_order_to_any_node_come_to_the_same_stored_state() {
    let nodes = nodes().await;
    let mut orders: Vec<Vec<usize>> = vec![vec![]];
    for _ in 0..5 {
        let longer = |order: Vec<usize>| {
            (0..5).filter(|n| !order.contains(n)).map(|n| [&order[..], &[n]].concat()).collect::<Vec<_>>()
        };
        orders = orders.into_iter().flat_map(longer).collect();
    }
    assert_eq!(orders.len(), 120);
    let mut expected = None;
    for (number, order) in orders.iter().enumerate() {
        let sid = sid();
        for (at, step) in order.iter().chain([&order[number % 5], &order[0]]).enumerate() {
            tell(&nodes[(number >> (at % 5)) % 2], *step, &sid).await;
        }
        let stored = settled(&nodes, &sid).await;
        assert_eq!(expected.get_or_insert(stored.clone()), &stored, "{order:?}");
    }
    let call = expected.unwrap();
    assert_eq!((call.status.as_str(), call.ended_by), ("completed", Some(End::Carrier)));
    assert_eq!((call.entry, call.figures.duration_ms), (Some(Entry::CallStart), Some(48_000)));
    assert_eq!(call.parties.from.unwrap().reveal(), "+919876543210");
    assert!(nodes[0].running.store().verify_audit().await.unwrap().is_ok());
    let [one, other] = nodes;
    one.stop().await;
    other.stop().await;
}

#[actix_web::test]
async fn webhooks_at_the_same_time_on_two_nodes_come_to_the_same_stored_state() {
    let nodes = nodes().await;
    let alone = sid();
    for step in 0..5 {
        tell(&nodes[0], step, &alone).await;
    }
    let expected = settled(&nodes, &alone).await;
    for _ in 0..8 {
        let sid = sid();
        let all = (0..20).map(|n| tell(&nodes[n % 2], n % 5, &sid));
        futures_util::future::join_all(all).await;
        assert_eq!(settled(&nodes, &sid).await, expected);
    }
    let [one, other] = nodes;
    one.stop().await;
    other.stop().await;
}

#[actix_web::test]
async fn a_call_start_repeated_on_another_node_gets_a_url_that_opens_there_too() {
    let first = Gateway::start().await;
    let second = first.beside().await;
    let sid = sid();
    let path = |answer: crate::support::Answer| {
        url::Url::parse(answer.json()["url"].as_str().unwrap()).unwrap().path().to_owned()
    };
    let one = path(first.post("/exotel/voicebot", &incoming(&sid)).await);
    let answer = second.post("/exotel/voicebot", &incoming(&sid)).await;
    assert_eq!(answer.header("idempotent-replayed"), Some("true"));
    assert_eq!(path(answer), one);
    assert_eq!(first.running.store().recent_calls(10).await.unwrap().len(), 1);
    first.stop().await;
    second.stop().await;
}
