use actix_web::http::header::{HeaderName, HeaderValue};
use hmac::Mac;

use super::*;
use crate::crypto::hex;

fn authenticator(methods: &[AuthMethod]) -> Authenticator {
    let secret = |text| Some(Secret::new(text));
    Authenticator::new(methods, secret("hook key"), secret("api-key"), secret("api-token"))
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

fn credentials<'a>(headers: &'a HeaderMap, query: &'a str, signed: &'a [u8]) -> Credentials<'a> {
    Credentials { method: &Method::POST, path: "/exotel/call-start", headers, query, signed }
}

fn signed(authenticator: &Authenticator, signature: &[u8], body: &[u8]) -> Result<AuthMethod, AuthError> {
    authenticator.webhook(&credentials(&headers("x-exotel-signature", signature), "", body))
}

/// Signed with its time, method and path; credentials at `path`.
fn signed_at(authenticator: &Authenticator, at: &str, signed: &str, path: &str) -> Result<AuthMethod, AuthError> {
    let mut sent = headers("x-exotel-signature", sign("api-token", signed.as_bytes()).as_bytes());
    sent.insert(HeaderName::from_static("x-exotel-timestamp"), HeaderValue::from_str(at).unwrap());
    authenticator.webhook(&Credentials { method: &Method::POST, path, headers: &sent, query: "", signed: b"body" })
}

fn unix_secs() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn the_signature_of_the_known_vector_holds() {
    // RFC 4231, test case 2.
    let authenticator = Authenticator::new(&[AuthMethod::Signature], None, None, Some(Secret::new("Jefe")));
    let tag = b"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(signed(&authenticator, tag, b"what do ya want for nothing?"), Ok(AuthMethod::Signature));
}

#[test]
fn a_wrong_signature_of_any_length_is_refused() {
    let authenticator = authenticator(&[AuthMethod::Signature]);
    let right = sign("api-token", b"body");
    assert_eq!(signed(&authenticator, right.as_bytes(), b"body"), Ok(AuthMethod::Signature));
    for length in 0..200 {
        let wrong: Vec<u8> = right.bytes().cycle().take(length).collect();
        if wrong != right.as_bytes() {
            assert_eq!(signed(&authenticator, &wrong, b"body"), Err(AuthError::Signature), "length {length}");
        }
    }
    for wrong in [right.to_uppercase().as_bytes(), b"\xff\xfe", &sign("other", b"body").into_bytes()] {
        assert_eq!(signed(&authenticator, wrong, b"body"), Err(AuthError::Signature));
    }
    assert_eq!(signed(&authenticator, right.as_bytes(), b"bodY"), Err(AuthError::Signature));
}

#[test]
fn a_signature_with_a_time_is_for_one_path_and_some_minutes() {
    let authenticator = authenticator(&[AuthMethod::Signature]);
    let now = unix_secs();
    let whole = |at: u64| format!("{at}.POST./exotel/call-start.body");
    for at in [now, now - 290, now + 290] {
        assert_eq!(
            signed_at(&authenticator, &at.to_string(), &whole(at), "/exotel/call-start"),
            Ok(AuthMethod::Signature)
        );
    }
    for at in [now - 310, now + 310, 0, 99_999_999_999] {
        assert_eq!(
            signed_at(&authenticator, &at.to_string(), &whole(at), "/exotel/call-start"),
            Err(AuthError::Stale),
            "{at}"
        );
    }
    let at = now.to_string();
    assert_eq!(
        signed_at(&authenticator, &at, &whole(now), "/exotel/call-end"),
        Err(AuthError::Signature),
        "another path"
    );
    let get = whole(now).replace("POST", "GET");
    assert_eq!(signed_at(&authenticator, &at, &get, "/exotel/call-start"), Err(AuthError::Signature), "another method");
    assert_eq!(
        signed_at(&authenticator, &at, "body", "/exotel/call-start"),
        Err(AuthError::Signature),
        "the body alone"
    );
    for junk in ["", "now", "-1", "+1", "1e9", "17636000000000000000000000", "0x10"] {
        let sent = format!("{junk}.POST./exotel/call-start.body");
        assert_eq!(signed_at(&authenticator, junk, &sent, "/exotel/call-start"), Err(AuthError::Stale), "{junk}");
    }
}

#[test]
fn a_body_is_read_only_for_a_signature_that_may_hold() {
    let methods = [AuthMethod::Signature, AuthMethod::Key, AuthMethod::Basic];
    let right = headers("x-exotel-signature", sign("api-token", b"body").as_bytes());
    let none = HeaderMap::new();
    assert!(authenticator(&methods).must_read(&credentials(&right, "", b"")));
    assert!(!authenticator(&methods).must_read(&credentials(&none, "", b"")), "no signature");
    assert!(!authenticator(&methods).must_read(&credentials(&right, "key=hook+key", b"")), "the key holds");
    assert!(authenticator(&methods).must_read(&credentials(&right, "key=wrong", b"")));
    for shape in [&b"00"[..], &[b'0'; 63], &[b'0'; 65], &[b'g'; 64], b"\xff", b""] {
        assert!(!authenticator(&methods).must_read(&credentials(&headers("x-exotel-signature", shape), "", b"")));
    }
    let mut old = right.clone();
    old.insert(HeaderName::from_static("x-exotel-timestamp"), HeaderValue::from_static("1700000000"));
    assert!(!authenticator(&methods).must_read(&credentials(&old, "", b"")), "too old whatever it signs");
    assert!(!authenticator(&[AuthMethod::Key]).must_read(&credentials(&right, "", b"")), "not listed");
    assert!(
        !Authenticator::new(&methods, None, None, None).must_read(&credentials(&right, "", b"")),
        "no secret to sign with"
    );
}

#[test]
fn a_key_is_read_from_the_query_string_in_any_spelling() {
    let authenticator = authenticator(&[AuthMethod::Signature, AuthMethod::Key]);
    let none = HeaderMap::new();
    let check = |query| authenticator.webhook(&credentials(&none, query, b""));
    assert_eq!(check("a=1&key=hook%20key"), Ok(AuthMethod::Key));
    assert_eq!(check("key=hook+key&a=1"), Ok(AuthMethod::Key));
    assert_eq!(check("key=hook"), Err(AuthError::Key));
    assert_eq!(check("key="), Err(AuthError::Key));
    assert_eq!(check("monkey=hook+key"), Err(AuthError::Missing));
}

#[test]
fn basic_wants_both_halves() {
    let authenticator = authenticator(&[AuthMethod::Basic]);
    let check = |text: &str| authenticator.basic(&headers("authorization", text.as_bytes()));
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
    let both = authenticator(&[AuthMethod::Signature, AuthMethod::Key]);
    let wrong_signature = headers("x-exotel-signature", b"00");
    let credentials = credentials(&wrong_signature, "key=hook+key", b"");
    assert_eq!(both.webhook(&credentials), Ok(AuthMethod::Key));
    assert_eq!(authenticator(&[AuthMethod::Basic]).webhook(&credentials), Err(AuthError::Missing));
    assert_eq!(authenticator(&[AuthMethod::None]).webhook(&credentials), Ok(AuthMethod::None));
    assert_eq!(authenticator(&[]).webhook(&credentials), Err(AuthError::Missing));
}

#[test]
fn a_way_without_its_secret_never_opens() {
    let bare = Authenticator::new(&[AuthMethod::Signature, AuthMethod::Key, AuthMethod::Basic], None, None, None);
    let empty = sign("", b"body");
    assert_eq!(signed(&bare, empty.as_bytes(), b"body"), Err(AuthError::Signature));
    let none = HeaderMap::new();
    assert_eq!(bare.webhook(&credentials(&none, "key=", b"")), Err(AuthError::Key));
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
