//! The media socket: who may start a stream, and what junk costs.

use futures_util::SinkExt;
use protocol::call::fact::Fact;
use serde_json::json;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::carrier::{Carrier, frame};
use crate::gateway::{Gateway, admission, limits};
use crate::model::Model;

#[actix_web::test]
async fn a_start_that_names_another_call_is_refused_in_words() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    gateway.admit_here("c1").await;
    let mut carrier = Carrier::try_connect(gateway.address, "/media/c1", "c2").await.unwrap();
    carrier.send_start("8000").await;
    let (code, words) = carrier.closed().await;
    assert_eq!((code, words.as_str()), (1008, "the start event names another call than the token"));
    assert_eq!(gateway.refusals(), [words]);
    Carrier::start(gateway.address, "c1").await.agent_audio().await;
    gateway.stop().await;
}

#[actix_web::test]
async fn a_used_token_opens_no_second_socket() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    gateway.admit_here("c1").await;
    let mut carrier = Carrier::start(gateway.address, "c1").await;
    carrier.agent_audio().await;
    for (call, why) in
        [("c1", "this call's media stream has started already"), ("c9", "there is no such call (any more)")]
    {
        let Err(Error::Http(answer)) = Carrier::try_connect(gateway.address, &format!("/media/{call}"), call).await
        else {
            panic!("{call} was let in");
        };
        assert_eq!(answer.status().as_u16(), 403);
        assert_eq!(gateway.refusals().last().map(String::as_str), Some(why));
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn of_two_sockets_before_the_start_the_newest_wins() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    gateway.admit_here("c1").await;
    let mut older = Carrier::connect(gateway.address, "c1").await;
    let mut newer = Carrier::connect(gateway.address, "c1").await;
    assert_eq!(older.closed().await.0, 1000);
    newer.send_start("8000").await;
    newer.agent_audio().await;
    gateway.stop().await;
}

#[actix_web::test]
async fn a_rate_that_cannot_be_carried_is_refused_in_words() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    gateway.admit_here("c1").await;
    let mut carrier = Carrier::connect(gateway.address, "c1").await;
    carrier.send_start("44100").await;
    let (code, words) = carrier.closed().await;
    assert_eq!(code, 1008);
    assert!(words.contains("44100"), "{words}");
    gateway.stop().await;
}

#[actix_web::test]
async fn the_front_desk_admits_and_refuses_the_calls_of_a_static_url() {
    let model = Model::start(101).await;
    let gateway = Gateway::start_with(&model, limits(), Some(admission("c1"))).await;
    let mut carrier = Carrier::try_connect(gateway.address, "/media", "c1").await.unwrap();
    carrier.send_start("8000").await;
    // What comes while the desk thinks is not lost.
    carrier.talk(90).await;
    carrier.agent_audio().await;
    model.until("the first frames", |all| all[0].audio.len() > 89 * 960).await;
    gateway.stop().await;

    let gateway = Gateway::start(&model).await;
    let mut carrier = Carrier::try_connect(gateway.address, "/media", "c2").await.unwrap();
    carrier.send_start("8000").await;
    assert_eq!(carrier.closed().await, (1008, "no active client has that number".to_owned()));
    assert_eq!(gateway.refusals(), ["no active client has that number"]);
    gateway.stop().await;
}

#[actix_web::test]
async fn junk_costs_itself_and_never_the_call() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    gateway.admit_here("c1").await;
    let mut carrier = Carrier::start(gateway.address, "c1").await;
    carrier.agent_audio().await;
    carrier.send_start("8000").await;
    for junk in [
        json!([1, 2]),
        json!({"event":7}),
        json!({"event":"silence"}),
        json!({"event":"media","media":{"payload":"***"}}),
        json!({"event":"media","media":{"payload":5}}),
        json!({"event":"media","media":{"payload":"AAAA".repeat(25_000)}}),
        json!({"event":"mark","mark":{"name":"never sent"}}),
        json!({"event":"clear"}),
    ] {
        carrier.send(junk).await;
    }
    carrier.socket.send(Message::Text("not json".into())).await.unwrap();
    carrier.socket.send(Message::Binary(vec![0xff; 100].into())).await.unwrap();
    carrier.socket.send(Message::Ping("still there?".into())).await.unwrap();
    let odd = carrier.media(&frame()[..319]);
    carrier.send(odd).await;
    carrier.talk(50).await;
    model.until("frames after the junk", |all| all[0].audio.len() > 50 * 960).await;
    gateway.stop().await;
}

#[actix_web::test]
async fn messages_in_binary_frames_and_in_pieces_are_read() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    gateway.admit_here("c1").await;
    let mut carrier = Carrier::start(gateway.address, "c1").await;
    carrier.agent_audio().await;
    let before = model.heard()[0].audio.len();
    for n in 0..50 {
        let text = carrier.media(&frame()).to_string().into_bytes();
        if n % 2 == 0 {
            carrier.socket.send(Message::Binary(text.into())).await.unwrap();
            continue;
        }
        let (head, tail) = text.split_at(100);
        let (mid, tail) = tail.split_at(100);
        for (part, code, last) in
            [(head, Data::Text, false), (mid, Data::Continue, false), (tail, Data::Continue, true)]
        {
            let part = Frame::message(part.to_vec(), OpCode::Data(code), last);
            carrier.socket.send(Message::Frame(part)).await.unwrap();
        }
    }
    model.until("all of them", |all| all[0].audio.len() - before >= 50 * 960 - 960).await;
    gateway.stop().await;
}

#[actix_web::test]
async fn a_message_too_long_to_hold_closes_the_socket_and_ends_the_call() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    gateway.admit_here("c1").await;
    let mut carrier = Carrier::start(gateway.address, "c1").await;
    carrier.agent_audio().await;
    let _ = carrier.socket.send(Message::Text("x".repeat(300 << 10).into())).await;
    let _ = carrier.closed().await;
    gateway.ended("c1").await;
    gateway.stop().await;
}

#[actix_web::test]
async fn lost_messages_are_counted_by_their_numbers() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    gateway.admit_here("c1").await;
    let mut carrier = Carrier::start(gateway.address, "c1").await;
    carrier.talk(5).await;
    let _never_sent = [carrier.media(&frame()), carrier.media(&frame())];
    carrier.talk(5).await;
    carrier.send(json!({"event":"stop","stream_sid":"s1","stop":{"reason":"callended"}})).await;
    gateway.ended("c1").await;
    let lost = gateway.facts("c1").into_iter().find_map(|fact| match fact {
        Fact::Counted { what: "caller_lost", count } => Some(count),
        _ => None,
    });
    assert_eq!(lost, Some(2));
    gateway.stop().await;
}
