//! Two streams of one call at once, while its model is still being dialled: one of them has the caller, and the record is one call's.

use std::net::Ipv4Addr;
use std::sync::{Arc, OnceLock};

use callgate::testing::SettingsArgs;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use protocol::call::end::EndCode;
use protocol::ids::CallSid;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::media::{Socket, is_closed, open, start};
use super::streams::{has_left, row, stop, stream_path, voicebot};
use super::support::{API_KEY, API_TOKEN, Gateway, PATIENCE, eventually, sid};

/// Stands before a model and lets nobody through until it is opened.
struct Gate {
    url: String,
    model: Arc<OnceLock<String>>,
    open: watch::Sender<bool>,
    dialled: watch::Receiver<u32>,
}

impl Gate {
    async fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("ws://{}/v1/realtime", listener.local_addr().unwrap());
        let (open, opened) = watch::channel(false);
        let (count, dialled) = watch::channel(0);
        let model = Arc::new(OnceLock::<String>::new());
        let to = Arc::clone(&model);
        actix_rt::spawn(async move {
            while let Ok((mut caller, _)) = listener.accept().await {
                count.send_modify(|count| *count += 1);
                let (mut opened, to) = (opened.clone(), Arc::clone(&to));
                actix_rt::spawn(async move {
                    opened.wait_for(|open| *open).await.unwrap();
                    let mut model = TcpStream::connect(to.get().unwrap()).await.unwrap();
                    // Either end may close it.
                    let _ = tokio::io::copy_bidirectional(&mut caller, &mut model).await;
                });
            }
        });
        Self { url, model, open, dialled }
    }

    fn before_the_model(&self, args: &mut SettingsArgs) {
        let url = std::mem::replace(&mut args.realtime_url, self.url.clone());
        let address = url.strip_prefix("ws://").and_then(|rest| rest.split('/').next());
        self.model.set(address.unwrap().to_owned()).unwrap();
    }

    async fn gateway() -> (Self, Gateway) {
        let gate = Self::new().await;
        let gateway = Gateway::start_with(|args| gate.before_the_model(args)).await;
        (gate, gateway)
    }

    async fn is_dialled(&self) {
        let mut dialled = self.dialled.clone();
        tokio::time::timeout(PATIENCE, dialled.wait_for(|count| *count > 0)).await.unwrap().unwrap();
    }
}

/// Something that is not silence comes: the agent.
async fn is_fed(socket: &mut Socket) {
    let fed = async {
        while let Some(message) = socket.next().await {
            let message: serde_json::Value = serde_json::from_str(message.unwrap().to_text().unwrap()).unwrap();
            let payload = message["media"]["payload"].as_str().unwrap_or_default();
            if payload.trim_end_matches('=').bytes().any(|byte| byte != b'A') {
                return;
            }
        }
        panic!("closed before the agent was heard");
    };
    tokio::time::timeout(PATIENCE, fed).await.expect("the agent is heard");
}

/// One of two sockets is closed: whether it is the first, and the other.
async fn that_stays(mut one: Socket, mut other: Socket) -> (bool, Socket) {
    let first_stays = {
        let (closed, other_closed) = (Box::pin(is_closed(&mut one)), Box::pin(is_closed(&mut other)));
        match select(closed, other_closed).await {
            Either::Left((closed, _)) => closed.then_some(false),
            Either::Right((closed, _)) => closed.then_some(true),
        }
    };
    let first_stays = first_stays.expect("one of them is closed");
    (first_stays, if first_stays { one } else { other })
}

fn by_account() -> String {
    format!("{API_KEY}:{API_TOKEN}")
}

/// The caller hangs up: there was one call, and it ended as it did.
async fn is_one_call(gateway: &Gateway, socket: Socket, sid: &str) {
    let live = row(gateway, sid).await;
    assert_eq!((live.status.as_str(), live.ended_code), ("in-progress", None));
    stop(socket, "callended").await;
    has_left(gateway, sid).await;
    let call = row(gateway, sid).await;
    assert_eq!((call.status.as_str(), call.ended_code), ("completed", Some(EndCode::CallerHungUp)), "{call:?}");
    assert!(call.times.media_at.is_some() && call.figures.turn_count >= Some(1), "{call:?}");
    assert_eq!(gateway.running.store().recent_calls(9).await.unwrap().len(), 1);
    assert_eq!(gateway.running.switchboard().live(), 0);
}

#[actix_web::test]
async fn a_further_stream_has_the_caller_though_the_first_ones_model_is_still_being_dialled() {
    let (gate, gateway) = Gate::gateway().await;
    let sid = sid();
    let url = stream_path(&voicebot(&gateway, &sid).await);
    gate.is_dialled().await;
    let mut first = open(&gateway, &url, None).await.expect("it is awaited");
    start(&mut first, &sid).await;
    let call = CallSid::new(&sid);
    let live = || async { gateway.running.switchboard().phase(&call) == Some(actors::Phase::Live) };
    eventually("the first has the call", live).await;
    // The carrier lost it, which we have not seen.
    let url = stream_path(&voicebot(&gateway, &sid).await);
    let mut second = open(&gateway, &url, None).await.expect("it is asked for");
    start(&mut second, &sid).await;
    assert!(is_closed(&mut first).await);
    gate.open.send_replace(true);
    is_fed(&mut second).await;
    assert_eq!(row(&gateway, &sid).await.streams(), 2);
    is_one_call(&gateway, second, &sid).await;
    gateway.stop().await;
}

#[actix_web::test]
async fn of_two_streams_that_start_at_once_one_has_the_caller_and_the_other_is_closed() {
    let (gate, gateway) = Gate::gateway().await;
    // By the URL of a webhook, both of whose sockets are welcome until one starts; and by the account, where there was none.
    for asked in [true, false] {
        let sid = sid();
        let (url, basic) = match asked {
            true => (stream_path(&voicebot(&gateway, &sid).await), None),
            false => ("/exotel/media".to_owned(), Some(by_account())),
        };
        let mut one = open(&gateway, &url, basic.as_deref()).await.unwrap();
        let mut other = open(&gateway, &url, basic.as_deref()).await.unwrap();
        futures_util::join!(start(&mut one, &sid), start(&mut other, &sid));
        let (_, mut stays) = that_stays(one, other).await;
        gate.open.send_replace(true);
        is_fed(&mut stays).await;
        stop(stays, "callended").await;
        has_left(&gateway, &sid).await;
        assert_eq!(row(&gateway, &sid).await.ended_code, Some(EndCode::CallerHungUp), "{asked}");
        gate.open.send_replace(false);
    }
    assert_eq!(gateway.running.store().recent_calls(9).await.unwrap().len(), 2);
    gateway.stop().await;
}

#[actix_web::test]
async fn of_two_streams_that_start_at_once_at_two_gateways_one_has_the_caller_and_the_record() {
    let (gate, first) = Gate::gateway().await;
    let other_gate = Gate::new().await;
    let second = Gateway::start_with(|args| {
        args.database_url.clone_from(&first.database.url);
        other_gate.before_the_model(args);
    })
    .await;
    let sid = sid();
    let here = stream_path(&voicebot(&first, &sid).await);
    let there = stream_path(&voicebot(&second, &sid).await);
    gate.is_dialled().await;
    let mut one = open(&first, &here, None).await.unwrap();
    let mut other = open(&second, &there, None).await.unwrap();
    futures_util::join!(start(&mut one, &sid), start(&mut other, &sid));
    // Whoever lost the call learns it with the next thing that it writes, at the latest when its model answers.
    gate.open.send_replace(true);
    other_gate.open.send_replace(true);
    let (first_stays, mut stays) = that_stays(one, other).await;
    is_fed(&mut stays).await;
    let (has, has_not) = if first_stays { (&first, &second) } else { (&second, &first) };
    has_left(has_not, &sid).await;
    is_one_call(has, stays, &sid).await;
    first.stop().await;
    second.stop().await;
}

#[actix_web::test]
async fn a_further_stream_that_another_gateway_was_asked_for_goes_on_where_the_call_is_with_all_that_was_said() {
    let first = Gateway::start().await;
    let second = first.beside().await;
    let sid = sid();
    let mut left = super::streams::live(&first, &stream_path(&voicebot(&first, &sid).await), &sid).await;
    let had = row(&first, &sid).await;
    // The webhook comes to one of them, and the socket to the other, which has the call.
    let url = stream_path(&voicebot(&second, &sid).await);
    let mut socket = open(&first, &url, None).await.expect("it is asked for");
    start(&mut socket, &sid).await;
    assert!(is_closed(&mut left).await);
    is_fed(&mut socket).await;
    let has = row(&first, &sid).await;
    assert_eq!((has.times.media_at, has.streams()), (had.times.media_at, 2));
    stop(socket, "callended").await;
    has_left(&first, &sid).await;
    let found = first.running.store().call(&CallSid::new(&sid)).await.unwrap().unwrap();
    assert_eq!(found.call.ended_code, Some(EndCode::CallerHungUp));
    assert!(found.turns.len() >= 2, "the greeting, and what was said after it: {found:?}");
    let after = found.turns.iter().map(|turn| turn.at_ms).max().unwrap();
    assert!(after > 0, "on one clock: {found:?}");
    assert_eq!(found.call.figures.turn_count, Some(i32::try_from(found.turns.len()).unwrap()), "{found:?}");
    first.stop().await;
    second.stop().await;
}
