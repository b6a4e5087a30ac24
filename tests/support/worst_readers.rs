//! What the service itself reads of a stranger's request, beside what `protocol` does.

#![allow(dead_code, unreachable_pub, reason = "the test and the bench use their part of it")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::SystemTime;

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use callgate::testing::{AuditNumbers, AuthMethod, Authenticator, Credentials, TokenKey, body, client_address, here};
use protocol::ids::Secret;

use super::table::Reader;

pub const READERS: &[Reader] = &[
    ("a multipart body", |text| read_as("multipart/form-data; boundary=X", text)),
    ("parts of a multipart body", |text| {
        read_as(
            "multipart/form-data; boundary=X",
            &format!("--X\r\nContent-Disposition: form-data; name=\"{text}\"\r\n\r\n{text}\r\n--X--"),
        );
    }),
    ("a content type", |text| read_as(&format!("multipart/form-data; {text}"), "--X--")),
    ("a boundary", |text| {
        read_as(&format!("multipart/form-data; boundary=\"{text}\""), &format!("--{text}\r\n{text}"))
    }),
    ("a query with a key", |text| let_in(&HeaderMap::new(), text)),
    ("Authorization", |text| with("authorization", &format!("Basic {text}"))),
    ("X-Exotel-Signature", |text| with("x-exotel-signature", text)),
    ("X-Exotel-Timestamp", |text| {
        let mut headers = headers("x-exotel-signature", &"0".repeat(64));
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(HeaderName::from_static("x-exotel-timestamp"), value);
        }
        let_in(&headers, "");
    }),
    ("X-Forwarded-For", |text| {
        let trusted = ["127.0.0.0/8".parse().expect("a block")];
        black_box(client_address(IpAddr::V4(Ipv4Addr::LOCALHOST), &headers("x-forwarded-for", text), &trusted));
    }),
    ("Host and Origin", |text| {
        let public = "http://localhost:8080".parse().expect("a URL");
        for name in ["host", "origin", "referer", "sec-fetch-site"] {
            black_box(here::check_page(&headers(name, text), &public).is_ok());
        }
    }),
    ("a media token", |text| {
        let key = TokenKey::derived(&Secret::new("hook-key-of-tests"));
        black_box(key.verify(text, SystemTime::now()).is_ok());
    }),
    ("a text without the secrets themselves", |text| _ = black_box(gate().without_secrets(text))),
    ("phone numbers in the audit log", |text| {
        for policy in [AuditNumbers::Masked, AuditNumbers::None] {
            black_box(policy.text(text));
        }
    }),
];

fn gate() -> Authenticator {
    let secret = |text| Some(Secret::new(text));
    let ways = [AuthMethod::Signature, AuthMethod::Key, AuthMethod::Basic];
    Authenticator::new(&ways, secret("hook-key-of-tests"), secret("api-key"), secret("api-token-of-tests"))
}

fn headers(name: &'static str, text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // What is no header does not get here.
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(HeaderName::from_static(name), value);
    }
    headers
}

fn with(name: &'static str, text: &str) {
    let_in(&headers(name, text), "");
}

fn let_in(headers: &HeaderMap, query: &str) {
    let presented =
        Credentials { method: &Method::POST, path: "/exotel/call-start", headers, query, signed: query.as_bytes() };
    black_box((gate().must_read(&presented), gate().webhook(&presented).is_ok()));
}

fn read_as(content_type: &str, text: &str) {
    let mut headers = HeaderMap::new();
    let Ok(value) = HeaderValue::from_str(content_type) else { return };
    headers.insert(header::CONTENT_TYPE, value);
    if let Ok(fields) = body::fields(&headers, text.as_bytes()) {
        black_box(fields.to_json());
    }
}
