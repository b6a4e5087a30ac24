//! What one webhook costs besides the database: checking it, reading it, answering it.

#![allow(clippy::expect_used, missing_docs, reason = "a bench that cannot be set up must stop")]

use std::hint::black_box;
use std::time::SystemTime;

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use callgate::testing::{AuthMethod, Authenticator, Credentials, TokenKey, body};
use criterion::{Criterion, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use protocol::exotel::answer_xml;
use protocol::exotel::webhook::CallStart;
use protocol::ids::{CallSid, Secret};
use sha2::Sha256;

const TOKEN: &str = "7f3b0c5e9a1d4f6880e2c4a6b8d0f1e3";

/// A call-start as captured from a live account, its numbers changed.
const FORM: &[u8] = b"CallSid=faccc8dce91e426a398475de9fdb1a8p&CallFrom=09441230000&CallTo=08037091588&Direction=incoming\
&Created=Tue%2C+25+Aug+2026+12%3A07%3A08&DialWhomNumber=&HangupLatencyStartTimeExocc=&HangupLatencyStartTime=&ServerCode=\
&From=09441230000&To=09513886363&CurrentTime=2026-08-25+12%3A07%3A09";

const JSON: &[u8] = br#"{"CallSid":"faccc8dce91e426a398475de9fdb1a8p","CallFrom":"09441230000","CallTo":"08037091588",
"Direction":"incoming","Created":"Tue, 25 Aug 2026 12:07:08","From":"09441230000","To":"09513886363"}"#;

fn headers(content_type: &'static str, body: &[u8]) -> HeaderMap {
    let mut mac = Hmac::<Sha256>::new_from_slice(TOKEN.as_bytes()).expect("any length");
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(HeaderName::from_static("x-exotel-signature"), HeaderValue::from_str(&hex).expect("hex"));
    headers
}

fn webhook(criterion: &mut Criterion) {
    let gate = Authenticator::new(&[AuthMethod::Signature], None, None, Some(Secret::new(TOKEN)));
    let mut group = criterion.benchmark_group("webhook");
    for (name, content_type, body) in
        [("urlencoded", "application/x-www-form-urlencoded", FORM), ("json", "application/json", JSON)]
    {
        let headers = headers(content_type, body);
        group.bench_function(format!("verify and read a signed call-start, {name}"), |bench| {
            bench.iter(|| {
                let (method, path) = (&Method::POST, "/exotel/call-start");
                let presented = Credentials { method, path, headers: &headers, query: "", signed: black_box(body) };
                gate.webhook(&presented).expect("signed");
                let fields = body::fields(&headers, body).expect("readable");
                CallStart::try_from(&fields).expect("typed")
            });
        });
    }
    group.bench_function("write the answer of a call-start", |bench| {
        let url = "wss://calls.example.in/exotel/media/ZmFjY2M4ZGNlOTFlNDI2YTM5ODQ3NWRlOWZkYjFhOHA.1787657889.c2ln";
        bench.iter(|| answer_xml(black_box("नमस्ते! Thank you for calling."), "hi-IN", black_box(url)));
    });
    group.finish();
}

fn token(criterion: &mut Criterion) {
    let key = TokenKey::derived(&Secret::new(TOKEN));
    let call = CallSid::new("faccc8dce91e426a398475de9fdb1a8p");
    let now = SystemTime::now();
    let token = key.mint(&call, now);
    let mut group = criterion.benchmark_group("media token");
    group.bench_function("mint", |bench| bench.iter(|| key.mint(black_box(&call), now)));
    group.bench_function("verify", |bench| bench.iter(|| key.verify(black_box(&token), now).expect("ours")));
    group.finish();
}

criterion_group!(benches, webhook, token);
criterion_main!(benches);
