use std::task::Waker;

use tokio::io::{DuplexStream, duplex};

use super::*;

type Pair = (Rc<RefCell<Wire<DuplexStream>>>, DuplexStream);

fn wired() -> Pair {
    let (near, far) = duplex(1 << 20);
    let wire = Wire { socket: near, incoming: Incoming::new(&[]), noted: Rc::default(), left: Bytes::new() };
    (Rc::new(RefCell::new(wire)), far)
}

/// A client's frame; its mask is zero.
fn frame(payload: &[u8]) -> Vec<u8> {
    let length = match payload.len() {
        short @ ..126 => vec![0x80 | short as u8],
        long @ ..65_536 => [vec![0x80 | 126], (long as u16).to_be_bytes().to_vec()].concat(),
        longest => [vec![0x80 | 127], (longest as u64).to_be_bytes().to_vec()].concat(),
    };
    [vec![0x81], length, vec![0; 4], payload.to_vec()].concat()
}

fn next(wire: &Rc<RefCell<Wire<DuplexStream>>>) -> Poll<Option<Result<Bytes, PayloadError>>> {
    Pin::new(&mut Frames(Rc::clone(wire))).poll_next(&mut Context::from_waker(Waker::noop()))
}

fn held(wire: &Rc<RefCell<Wire<DuplexStream>>>) -> usize {
    let mut wire = wire.borrow_mut();
    wire.incoming.rest();
    wire.incoming.bytes.capacity()
}

#[actix_rt::test]
async fn the_actor_is_given_one_frame_at_a_time_however_many_have_come() {
    let (wire, mut far) = wired();
    let frames: Vec<Vec<u8>> =
        [0, 1, 125, 126, 4_000, 65_535, 65_536, 200_000].map(|size| frame(&vec![7; size])).into();
    far.write_all(&frames.concat()).await.unwrap();
    for frame in &frames {
        let Poll::Ready(Some(Ok(given))) = next(&wire) else { panic!("no frame of {}", frame.len()) };
        assert!(given == frame[..]);
        drop(given);
        assert!(next(&wire).is_pending(), "before it is decoded, none");
    }
    assert!(next(&wire).is_pending());
    assert_eq!(held(&wire), 0, "an idle socket holds nothing");
}

#[actix_rt::test]
async fn a_frame_cut_anywhere_is_given_once_its_last_byte_has_come() {
    let bytes = frame(&[b'2'; 400]);
    for cut in 1..bytes.len() {
        let (wire, mut far) = wired();
        far.write_all(&bytes[..cut]).await.unwrap();
        assert!(next(&wire).is_pending());
        assert!(held(&wire) < 500, "it keeps what came, and leaves the thread's buffer to others");
        far.write_all(&bytes[cut..]).await.unwrap();
        let Poll::Ready(Some(Ok(given))) = next(&wire) else { panic!("not told, cut at {cut}") };
        assert!(given == bytes[..]);
    }
}

#[actix_rt::test]
async fn a_frame_that_claims_more_than_a_message_is_refused_by_its_head() {
    for claimed in [(HEAD + LONGEST_MESSAGE) as u64, 1 << 40, u64::MAX] {
        let (wire, mut far) = wired();
        let head = [&[0x81, 0x80 | 127][..], &claimed.to_be_bytes()].concat();
        far.write_all(&head).await.unwrap();
        assert!(matches!(next(&wire), Poll::Ready(Some(Err(PayloadError::Overflow)))), "{claimed}");
        assert!(wire.borrow().noted.too_long.get());
    }
}

#[actix_rt::test]
async fn what_came_behind_the_handshake_is_read_first() {
    let (wire, mut far) = wired();
    let (one, two) = (frame(b"one"), frame(b"two"));
    wire.borrow_mut().incoming = Incoming::new(&one[..4]);
    far.write_all(&[&one[4..], &two[..]].concat()).await.unwrap();
    for frame in [one, two] {
        let Poll::Ready(Some(Ok(given))) = next(&wire) else { panic!("not told") };
        assert!(given == frame[..]);
        assert!(next(&wire).is_pending());
    }
    drop(far);
    assert!(matches!(next(&wire), Poll::Ready(None)), "and its end is told");
}
