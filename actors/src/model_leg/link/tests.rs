use std::task::Waker;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::super::LegState;
use super::super::dial::ModelEndpoint;
use super::*;

/// A connection, and its server's end: the test reads there, or does not.
async fn open() -> (LegState, WebSocketStream<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let target = Target::new(&ModelEndpoint { url, key: None, model: "m".to_owned() }, None, None);
    let accepted = async { accept_async(listener.accept().await.unwrap().0).await.unwrap() };
    let (connection, server) = futures_util::future::join(target.clone().dial(), accepted).await;
    let mut state = LegState::dialling(target);
    state.link.open(connection.unwrap());
    (state, server)
}

fn append_and_flush(state: &mut LegState) -> bool {
    let taken = state.append(&[1; 320]);
    state.link.flush(&mut Context::from_waker(Waker::noop())).unwrap();
    taken
}

#[actix_rt::test]
async fn a_server_that_does_not_read_costs_audio_and_then_the_connection() {
    let (mut state, _server) = open().await;
    let taken = (0..).take_while(|_| append_and_flush(&mut state)).count();
    assert!(taken > 0 && state.link.unsent > UNSENT_AUDIO && state.link.unsent < UNSENT_AUDIO + 2_000);
    assert!(!append_and_flush(&mut state), "and it stays so");
    let since = state.link.stalled.unwrap();
    assert_eq!(state.link.look(since + STALLED / 2), Ok(()));
    assert!(state.link.look(since + STALLED).unwrap_err().contains("has not read"));
}

/// Reads the next message, whatever it is.
async fn next(state: &mut LegState) -> Message {
    std::future::poll_fn(|task| state.link.read(task)).await.unwrap().unwrap()
}

#[actix_rt::test]
async fn a_model_of_which_nothing_is_heard_is_given_up_and_one_that_answers_pings_is_not() {
    let (mut state, mut server) = open().await;
    let opened = state.link.pinged;
    assert_eq!(state.link.look(opened + PING_EVERY / 2), Ok(()));
    assert_eq!(state.link.unanswered, None);
    let asked = opened + PING_EVERY;
    assert_eq!(state.link.look(asked), Ok(()));
    assert_eq!(state.link.unanswered, Some(asked));
    assert_eq!(state.link.look(asked + SILENT / 2), Ok(()));
    assert!(state.link.look(asked + SILENT).unwrap_err().contains("not even the answer to a ping"));
    state.link.flush(&mut Context::from_waker(Waker::noop())).unwrap();
    assert!(server.next().await.unwrap().unwrap().is_ping());
    SinkExt::flush(&mut server).await.unwrap();
    assert!(next(&mut state).await.is_pong());
    assert_eq!(state.link.look(asked + SILENT), Ok(()));
}

#[actix_rt::test]
async fn a_model_whose_pongs_lag_is_kept_as_long_as_anything_of_it_is_heard() {
    for heard in [
        Message::Text("{}".into()),
        Message::Binary(vec![1].into()),
        Message::Ping("there?".into()),
        Message::Pong("to a ping nobody sent".into()),
    ] {
        let (mut state, mut server) = open().await;
        let (opened, what) = (state.link.pinged, heard.clone());
        state.link.look(opened + PING_EVERY).unwrap();
        // Our ping lies unread on the other side.
        server.send(heard).await.unwrap();
        next(&mut state).await;
        assert_eq!(state.link.look(opened + PING_EVERY + SILENT), Ok(()), "{what}");
        let asked_again = state.link.unanswered.unwrap();
        assert!(state.link.look(asked_again + SILENT).is_err(), "and nothing since then is the end: {what}");
    }
}

#[actix_rt::test]
async fn a_ping_tells_how_long_the_way_is_from_the_beginning_and_a_late_pong_of_an_earlier_one_does_not() {
    let (mut state, mut server) = open().await;
    let opened = state.link.pinged;
    state.link.flush(&mut Context::from_waker(Waker::noop())).unwrap();
    assert!(server.next().await.unwrap().unwrap().is_ping());
    SinkExt::flush(&mut server).await.unwrap();
    let pong = next(&mut state).await;
    assert!(matches!(state.link.message(pong.clone()), Some(LinkEvent::Pong(_))));
    state.link.look(opened + PING_EVERY).unwrap();
    assert!(state.link.message(pong).is_none(), "it is of the ping before");
    assert!(state.link.message(Message::Pong("to a ping nobody sent".into())).is_none());
}

#[actix_rt::test]
async fn what_one_turn_has_to_say_leaves_at_once() {
    let (mut state, mut server) = open().await;
    state.link.flush(&mut Context::from_waker(Waker::noop())).unwrap();
    assert!(server.next().await.unwrap().unwrap().is_ping());
    for _ in 0..3 {
        assert!(state.append(&[1; 320]));
    }
    assert!(state.link.dirty, "nothing left before the flush");
    state.link.flush(&mut Context::from_waker(Waker::noop())).unwrap();
    assert!(!state.link.dirty && state.link.unsent == 0);
    for _ in 0..3 {
        let text = server.next().await.unwrap().unwrap();
        assert!(text.to_text().unwrap().contains("input_audio_buffer.append"));
    }
}
