use actix_web::http::header::{HeaderName, HeaderValue};
use hmac::Mac;

use super::*;
use crate::crypto::hex;

fn gate(ways: &[Way]) -> Gate {
    let secret = |text| Some(Secret::new(text));
    Gate::new(ways, secret("hook key"), secret("api-key"), secret("api-token"))
}

fn headers(name: &'static str, value: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
    headers
}

fn sign(secret: &str, signed: &[u8]) -> String {
    let mut mac = hmac_sha256(secret.as_bytes());
    mac.update(signed);
    hex(&mac.finalize().into_bytes())
}

fn presented<'a>(headers: &'a HeaderMap, query: &'a str, signed: &'a [u8]) -> Presented<'a> {
    Presented { method: &Method::POST, path: "/exotel/call-start", headers, query, signed }
}

fn signed(gate: &Gate, signature: &[u8], body: &[u8]) -> Result<Way, AuthError> {
    gate.webhook(&presented(&headers("x-exotel-signature", signature), "", body))
}

/// Signed with its time, method and path; presented at `path`.
fn signed_at(gate: &Gate, at: &str, signed: &str, path: &str) -> Result<Way, AuthError> {
    let mut sent = headers("x-exotel-signature", sign("api-token", signed.as_bytes()).as_bytes());
    sent.insert(HeaderName::from_static("x-exotel-timestamp"), HeaderValue::from_str(at).unwrap());
    gate.webhook(&Presented { method: &Method::POST, path, headers: &sent, query: "", signed: b"body" })
}

fn unix_secs() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn the_signature_of_the_known_vector_holds() {
    // RFC 4231, test case 2.
    let gate = Gate::new(&[Way::Signature], None, None, Some(Secret::new("Jefe")));
    let tag = b"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(signed(&gate, tag, b"what do ya want for nothing?"), Ok(Way::Signature));
}

#[test]
fn a_wrong_signature_of_any_length_is_refused() {
    let gate = gate(&[Way::Signature]);
    let right = sign("api-token", b"body");
    assert_eq!(signed(&gate, right.as_bytes(), b"body"), Ok(Way::Signature));
    for length in 0..200 {
        let wrong: Vec<u8> = right.bytes().cycle().take(length).collect();
        if wrong != right.as_bytes() {
            assert_eq!(signed(&gate, &wrong, b"body"), Err(AuthError::Signature), "length {length}");
        }
    }
    for wrong in [right.to_uppercase().as_bytes(), b"\xff\xfe", &sign("other", b"body").into_bytes()] {
        assert_eq!(signed(&gate, wrong, b"body"), Err(AuthError::Signature));
    }
    assert_eq!(signed(&gate, right.as_bytes(), b"bodY"), Err(AuthError::Signature));
}

#[test]
fn a_signature_with_a_time_is_for_one_path_and_some_minutes() {
    let gate = gate(&[Way::Signature]);
    let now = unix_secs();
    let whole = |at: u64| format!("{at}.POST./exotel/call-start.body");
    for at in [now, now - 290, now + 290] {
        assert_eq!(signed_at(&gate, &at.to_string(), &whole(at), "/exotel/call-start"), Ok(Way::Signature));
    }
    for at in [now - 310, now + 310, 0, 99_999_999_999] {
        assert_eq!(signed_at(&gate, &at.to_string(), &whole(at), "/exotel/call-start"), Err(AuthError::Stale), "{at}");
    }
    let at = now.to_string();
    assert_eq!(signed_at(&gate, &at, &whole(now), "/exotel/call-end"), Err(AuthError::Signature), "another path");
    let get = whole(now).replace("POST", "GET");
    assert_eq!(signed_at(&gate, &at, &get, "/exotel/call-start"), Err(AuthError::Signature), "another method");
    assert_eq!(signed_at(&gate, &at, "body", "/exotel/call-start"), Err(AuthError::Signature), "the body alone");
    for junk in ["", "now", "-1", "+1", "1e9", "17636000000000000000000000", "0x10"] {
        let sent = format!("{junk}.POST./exotel/call-start.body");
        assert_eq!(signed_at(&gate, junk, &sent, "/exotel/call-start"), Err(AuthError::Stale), "{junk}");
    }
}

#[test]
fn a_body_is_read_only_for_a_signature_that_may_hold() {
    let ways = [Way::Signature, Way::Key, Way::Basic];
    let right = headers("x-exotel-signature", sign("api-token", b"body").as_bytes());
    let none = HeaderMap::new();
    assert!(gate(&ways).must_read(&presented(&right, "", b"")));
    assert!(!gate(&ways).must_read(&presented(&none, "", b"")), "no signature");
    assert!(!gate(&ways).must_read(&presented(&right, "key=hook+key", b"")), "the key holds");
    assert!(gate(&ways).must_read(&presented(&right, "key=wrong", b"")));
    for shape in [&b"00"[..], &[b'0'; 63], &[b'0'; 65], &[b'g'; 64], b"\xff", b""] {
        assert!(!gate(&ways).must_read(&presented(&headers("x-exotel-signature", shape), "", b"")));
    }
    let mut old = right.clone();
    old.insert(HeaderName::from_static("x-exotel-timestamp"), HeaderValue::from_static("1700000000"));
    assert!(!gate(&ways).must_read(&presented(&old, "", b"")), "too old whatever it signs");
    assert!(!gate(&[Way::Key]).must_read(&presented(&right, "", b"")), "not listed");
    assert!(!Gate::new(&ways, None, None, None).must_read(&presented(&right, "", b"")), "no secret to sign with");
}

#[test]
fn a_key_is_read_from_the_query_string_in_any_spelling() {
    let gate = gate(&[Way::Signature, Way::Key]);
    let none = HeaderMap::new();
    let check = |query| gate.webhook(&presented(&none, query, b""));
    assert_eq!(check("a=1&key=hook%20key"), Ok(Way::Key));
    assert_eq!(check("key=hook+key&a=1"), Ok(Way::Key));
    assert_eq!(check("key=hook"), Err(AuthError::Key));
    assert_eq!(check("key="), Err(AuthError::Key));
    assert_eq!(check("monkey=hook+key"), Err(AuthError::Missing));
}

#[test]
fn basic_wants_both_halves() {
    let gate = gate(&[Way::Basic]);
    let check = |text: &str| gate.basic(&headers("authorization", text.as_bytes()));
    let encode = |text: &str| format!("Basic {}", STANDARD.encode(text));
    assert_eq!(check(&encode("api-key:api-token")), Ok(()));
    assert_eq!(check(&encode("api-key:api-token").replace("Basic", "bAsIc")), Ok(()));
    for wrong in ["api-key:", ":api-token", "api-key:api-token2", "api-keyapi-token", ""] {
        assert_eq!(check(&encode(wrong)), Err(AuthError::Basic), "{wrong}");
    }
    assert_eq!(check("Basic !!!"), Err(AuthError::Basic));
    assert_eq!(check("Bearer x"), Err(AuthError::Missing));
    assert_eq!(check(""), Err(AuthError::Missing));
}

#[test]
fn one_way_that_holds_is_enough_and_an_unlisted_one_is_not() {
    let both = gate(&[Way::Signature, Way::Key]);
    let wrong_signature = headers("x-exotel-signature", b"00");
    let presented = presented(&wrong_signature, "key=hook+key", b"");
    assert_eq!(both.webhook(&presented), Ok(Way::Key));
    assert_eq!(gate(&[Way::Basic]).webhook(&presented), Err(AuthError::Missing));
    assert_eq!(gate(&[Way::None]).webhook(&presented), Ok(Way::None));
    assert_eq!(gate(&[]).webhook(&presented), Err(AuthError::Missing));
}

#[test]
fn a_way_without_its_secret_never_opens() {
    let bare = Gate::new(&[Way::Signature, Way::Key, Way::Basic], None, None, None);
    let empty = sign("", b"body");
    assert_eq!(signed(&bare, empty.as_bytes(), b"body"), Err(AuthError::Signature));
    let none = HeaderMap::new();
    assert_eq!(bare.webhook(&presented(&none, "key=", b"")), Err(AuthError::Key));
}

#[test]
fn a_bearer_is_compared_whole() {
    let expected = Secret::new("admin");
    assert!(bearer(&headers("authorization", b"Bearer admin"), &expected));
    for wrong in [&b"Bearer admi"[..], b"Bearer admin2", b"Bearer ", b"Bearer", b"Basic admin", b""] {
        assert!(!bearer(&headers("authorization", wrong), &expected));
    }
}

#[test]
fn the_key_is_no_part_of_what_a_get_signs() {
    assert_eq!(without_key("a=1&key=x&b=2"), "a=1&b=2");
    assert_eq!(without_key("key=x"), "");
    assert_eq!(without_key("a=key&monkey=1"), "a=key&monkey=1");
    assert_eq!(without_key("a=%20&key&b=+"), "a=%20&b=+");
}
