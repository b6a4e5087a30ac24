use std::future::poll_fn;
use std::task::Waker;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use super::*;

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

/// A connection to a server that writes bytes by hand.
async fn raw() -> (WebSocket, TcpStream) {
    let (near, far) = pair().await;
    (WebSocket::new(Socket::Plain(near), &[]), far)
}

/// A connection to tungstenite's server, which knows the protocol by itself.
async fn served() -> (WebSocket, WebSocketStream<TcpStream>) {
    let (near, far) = raw().await;
    (near, WebSocketStream::from_raw_socket(far, Role::Server, None).await)
}

/// A server's frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = match payload.len() {
        short @ ..126 => vec![short as u8],
        long => [vec![126], (long as u16).to_be_bytes().to_vec()].concat(),
    };
    [vec![first], length, payload.to_vec()].concat()
}

const TEXT: u8 = 0x81;

fn holds(socket: &WebSocket) -> usize {
    socket.incoming.held() + socket.outgoing.held()
}

#[actix_rt::test]
async fn messages_of_every_length_arrive_as_they_were_sent_both_ways() {
    let (mut near, mut far) = served().await;
    for length in [0, 1, 7, 125, 126, 65_535, 65_536, 300_000] {
        let text = Message::Text("é".repeat(length).into());
        let (sent, heard) = tokio::join!(near.send(text.clone()), far.next());
        sent.unwrap();
        assert_eq!(heard.unwrap().unwrap(), text, "to the server, {length}");
        let (sent, heard) = tokio::join!(far.send(text.clone()), near.next());
        sent.unwrap();
        assert_eq!(heard.unwrap().unwrap(), text, "from the server, {length}");
    }
    for message in [Message::Binary(vec![7; 300].into()), Message::Ping("there?".into()), Message::Pong("yes".into())] {
        near.send(message.clone()).await.unwrap();
        assert_eq!(far.next().await.unwrap().unwrap(), message);
    }
}

#[actix_rt::test]
async fn a_message_cut_anywhere_is_whole_when_its_last_byte_has_come() {
    let bytes = [frame(TEXT, b"one"), frame(TEXT, &[b'2'; 400]), frame(0x8A, b"p")].concat();
    for cut in 1..bytes.len() {
        let (mut near, mut far) = raw().await;
        far.write_all(&bytes[..cut]).await.unwrap();
        // It is read before the rest comes, and no one frame lends the thread's buffer for good.
        poll_fn(|task| near.socket.poll_readable(task)).await.unwrap();
        let mut heard = Vec::new();
        while let Poll::Ready(Some(message)) = near.poll_next_unpin(&mut Context::from_waker(Waker::noop())) {
            heard.push(message.unwrap());
        }
        assert!(holds(&near) < 500, "{}", holds(&near));
        far.write_all(&bytes[cut..]).await.unwrap();
        while heard.len() < 3 {
            heard.push(near.next().await.unwrap().unwrap());
        }
        let whole = [Message::text("one"), Message::text("2".repeat(400)), Message::Pong("p".into())];
        assert_eq!(heard, whole, "cut at {cut}");
    }
}

#[actix_rt::test]
async fn a_message_in_several_frames_is_one_and_pings_come_between_them() {
    let (mut near, mut far) = raw().await;
    let frames = [frame(0x01, b"ab"), frame(0x89, b"!"), frame(0x00, b"cd"), frame(0x80, b"ef"), frame(0x82, b"g")];
    far.write_all(&frames.concat()).await.unwrap();
    for message in [Message::Ping("!".into()), Message::text("abcdef"), Message::Binary(vec![b'g'].into())] {
        assert_eq!(near.next().await.unwrap().unwrap(), message);
    }
    let close = CloseFrame { code: 4000.into(), reason: "bye".into() };
    far.write_all(&frame(0x88, &[&4000_u16.to_be_bytes()[..], b"bye"].concat())).await.unwrap();
    assert_eq!(near.next().await.unwrap().unwrap(), Message::Close(Some(close)));
}

#[actix_rt::test]
async fn a_ping_is_answered_when_the_connection_is_next_looked_at() {
    let (mut near, mut far) = served().await;
    far.send(Message::Ping("there?".into())).await.unwrap();
    assert!(near.next().await.unwrap().unwrap().is_ping());
    assert!(near.poll_next_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(far.next().await.unwrap().unwrap(), Message::Pong("there?".into()));
}

#[actix_rt::test]
async fn what_no_server_may_send_ends_the_connection() {
    let too_long = [&[0x81, 127][..], &(1_u64 << 40).to_be_bytes()].concat();
    let wrong = [
        (frame(0xC1, b"a"), "Reserved bits"),
        ([0x81, 0x81, 1, 2, 3, 4, 5].to_vec(), "masked frame from server"),
        (frame(0x09, b"a"), "Fragmented control frame"),
        (frame(0x89, &[0; 126]), "Control frame too big"),
        (frame(0x83, b"a"), "invalid opcode: 3"),
        (frame(0x80, b"a"), "nothing to continue"),
        ([frame(0x01, b"a"), frame(TEXT, b"b")].concat(), "more fragments"),
        (frame(TEXT, &[0xFF]), "UTF-8"),
        (frame(0x88, &[3]), "Invalid close"),
        (too_long, "Message too long"),
        (frame(TEXT, b"half")[..3].to_vec(), "without closing handshake"),
        (Vec::new(), "without closing handshake"),
    ];
    for (bytes, words) in wrong {
        let (mut near, mut far) = raw().await;
        far.write_all(&bytes).await.unwrap();
        drop(far);
        let error = near.next().await.unwrap().unwrap_err().to_string();
        assert!(error.contains(words), "{error:?}, not {words:?}");
    }
}

#[actix_rt::test]
async fn a_frame_that_only_claims_to_be_long_takes_no_more_than_came_of_it() {
    let (mut near, mut far) = raw().await;
    far.write_all(&[&[0x81, 127][..], &(15_u64 << 20).to_be_bytes(), b"that is all"].concat()).await.unwrap();
    poll_fn(|task| near.socket.poll_readable(task)).await.unwrap();
    assert!(near.poll_next_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(holds(&near) <= 64 << 10, "{}", holds(&near));
}

#[actix_rt::test]
async fn a_connection_on_which_nothing_is_under_way_holds_no_buffer() {
    let (mut near, mut far) = served().await;
    for _ in 0..3 {
        let text = Message::Text("x".repeat(40_000).into());
        let (sent, heard) = tokio::join!(near.send(text.clone()), far.next());
        sent.unwrap();
        drop(heard);
        let (sent, heard) = tokio::join!(far.send(text.clone()), near.next());
        sent.unwrap();
        drop(heard);
        assert!(near.poll_next_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(holds(&near), 0);
    }
}

#[actix_rt::test]
async fn what_a_server_does_not_read_is_bounded_and_leaves_in_order_once_it_reads() {
    let (mut near, mut far) = served().await;
    let flush = |near: &mut WebSocket| near.poll_flush(&mut Context::from_waker(Waker::noop())).map(Result::unwrap);
    let mut taken = 0;
    while near.write_text(&format!("{taken:0>30000}")) {
        taken += 1;
        let _ = flush(&mut near);
    }
    assert!(holds(&near) <= 3 << 20 && flush(&mut near).is_pending());
    let full = near.start_send_unpin(Message::text("0".repeat(60_000))).unwrap_err();
    assert!(matches!(full, Error::WriteBufferFull(_)), "{full}");
    let heard = async {
        for number in 0..taken {
            assert_eq!(far.next().await.unwrap().unwrap(), Message::text(format!("{number:0>30000}")));
        }
    };
    let ((), flushed) = tokio::join!(heard, poll_fn(|task| near.poll_flush(task)));
    flushed.unwrap();
    assert_eq!(holds(&near), 0, "what had to grow is not kept");
}

#[actix_rt::test]
async fn what_comes_right_behind_the_handshake_is_heard() {
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nX: \r\r\n\r\n";
    let bytes = [&answer[..], &frame(TEXT, b"first"), &frame(TEXT, b"second")[..4]].concat();
    for cut in 1..bytes.len() {
        let (near, mut far) = pair().await;
        let mut handshake = Handshake::new(Socket::Plain(near));
        far.write_all(&bytes[..cut]).await.unwrap();
        let mut head = vec![0; 1024];
        let mut read = handshake.read(&mut head).await.unwrap();
        far.write_all(&bytes[cut..]).await.unwrap();
        far.write_all(&frame(TEXT, b"second")[4..]).await.unwrap();
        while read < answer.len() {
            read += handshake.read(&mut head[read..]).await.unwrap();
        }
        assert_eq!(&head[..read], answer, "cut at {cut}");
        let mut near = handshake.done();
        for text in ["first", "second"] {
            assert_eq!(near.next().await.unwrap().unwrap(), Message::text(text), "cut at {cut}");
        }
    }
}
