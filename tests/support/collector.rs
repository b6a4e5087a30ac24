//! A collector of traces that a test runs: what it was told, and how it answers.

#![allow(dead_code, unreachable_pub, reason = "every test binary uses its part of it")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// How one request is answered; without a word it is taken.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    Status(u16),
    After(u16, &'static str),
    Rejects(i64),
    Junk(usize),
    Slow(Duration),
    Never,
}

/// One request: its headers and its body, as they came.
#[derive(Clone)]
pub struct Told {
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Told {
    pub fn request(&self) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest::decode(self.body.as_slice()).unwrap()
    }
}

#[derive(Clone)]
pub struct Collector {
    told: Arc<Mutex<Vec<Told>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    pub url: String,
}

async fn serve(collector: web::Data<Collector>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    assert_eq!(request.path(), "/v1/traces");
    let header = |(name, value): (&actix_web::http::header::HeaderName, &actix_web::http::header::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    let headers = request.headers().iter().map(header).collect();
    let answer = collector.answers.lock().unwrap().pop_front();
    collector.told.lock().unwrap().push(Told { headers, body: body.to_vec() });
    let good = |partial_success| {
        let body = ExportTraceServiceResponse { partial_success }.encode_to_vec();
        HttpResponse::Ok().content_type("application/x-protobuf").body(body)
    };
    let status = |status: u16| HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap());
    match answer {
        None => good(None),
        Some(Answer::Status(code)) => status(code).finish(),
        Some(Answer::After(code, after)) => status(code).insert_header(("retry-after", after)).finish(),
        Some(Answer::Rejects(rejected_spans)) => {
            good(Some(ExportTracePartialSuccess { rejected_spans, error_message: "no room".to_owned() }))
        }
        Some(Answer::Junk(bytes)) => HttpResponse::Ok().body(vec![b'x'; bytes]),
        Some(Answer::Slow(pause)) => {
            actix_web::rt::time::sleep(pause).await;
            good(None)
        }
        Some(Answer::Never) => std::future::pending().await,
    }
}

impl Collector {
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let collector = Self { told: Arc::default(), answers: Arc::default(), url };
        let served = collector.clone();
        let app = move || {
            let limit = web::PayloadConfig::new(16 << 20);
            App::new().app_data(limit).app_data(web::Data::new(served.clone())).default_service(web::to(serve))
        };
        let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0).listen(listener).unwrap();
        actix_web::rt::spawn(server.run());
        collector
    }

    /// The next requests are answered so.
    pub fn answers(&self, answers: impl IntoIterator<Item = Answer>) {
        self.answers.lock().unwrap().extend(answers);
    }

    pub fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// All spans that were told, whether or not they were taken.
    pub fn spans(&self) -> Vec<Span> {
        let requests = self.told().into_iter().map(|told| told.request());
        let scopes = requests.flat_map(|request| request.resource_spans).flat_map(|spans| spans.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

/// An attribute as text.
pub fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == name)?;
    Some(match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => text.clone(),
        Value::BoolValue(flag) => flag.to_string(),
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
