//! The webhooks Exotel calls, as it calls them.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use rustls::ClientConfig;
use sha2::Sha256;
use url::Url;
use url::form_urlencoded::Serializer;

use super::plan::{StatusBody, WebhookAuth};
use super::report::CallError;
use super::timestamp::IndianTime;

/// Exotel gives up on a webhook after about this long.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client of the gateway's webhooks.
#[derive(Clone, Debug)]
pub(crate) struct Webhooks {
    http: reqwest::Client,
    gateway: Url,
    auth: WebhookAuth,
}

/// A webhook and its answer.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) name: &'static str,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) sent_at: Instant,
    pub(crate) took: Duration,
}

/// What every webhook says of a call.
#[derive(Clone, Debug)]
pub(crate) struct CallFields {
    pub(crate) call_sid: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) created: IndianTime,
}

type Fields = Vec<(&'static str, String)>;

impl CallFields {
    /// The call-start POST: the parameters of a Passthru applet at the head of a flow.
    pub(crate) fn call_start(&self) -> Fields {
        let mut fields = self.common(&self.to);
        fields.insert(3, ("CallStatus", "in-progress".into()));
        fields.push(("StartTime", self.created.plain()));
        fields.push(("CallType", "call-attempt".into()));
        fields
    }

    /// The dynamic-URL GET, parameter for parameter as captured: on a trial account `To` is a number shared by all.
    pub(crate) fn voicebot(&self) -> Fields {
        self.common("09513886363")
    }

    fn common(&self, to: &str) -> Fields {
        vec![
            ("CallSid", self.call_sid.clone()),
            ("CallFrom", self.from.clone()),
            ("CallTo", self.to.clone()),
            ("Direction", "incoming".into()),
            ("Created", self.created.long()),
            ("DialWhomNumber", String::new()),
            ("HangupLatencyStartTimeExocc", String::new()),
            ("HangupLatencyStartTime", String::new()),
            ("ServerCode", String::new()),
            ("From", self.from.clone()),
            ("To", to.into()),
            ("CurrentTime", IndianTime::now().plain()),
        ]
    }

    /// The Passthru GET right after the Voicebot applet.
    pub(crate) fn passthru(&self, stream: &StreamFields) -> Fields {
        let mut fields = self.common(&self.to);
        fields.push(("CallType", "call-attempt".into()));
        fields.push(("flow_id", "228040".into()));
        fields.push(("EndTime", "1970-01-01 05:30:00".into()));
        fields.push(("Stream[StreamSID]", stream.stream_sid.clone()));
        fields.push(("Stream[Status]", stream.status.into()));
        fields.push(("Stream[Duration]", stream.seconds.to_string()));
        fields.push(("Stream[StreamUrl]", stream.url.clone()));
        fields.push(("Stream[DisconnectedBy]", stream.disconnected_by.into()));
        if let Some(error) = &stream.error {
            fields.push(("Stream[Error]", error.clone()));
        }
        fields
    }

    /// The GET of a Passthru applet further down the flow; behind a Connect applet with what became of the dialling.
    pub(crate) fn resume(&self, dialled: Option<&DialFields>) -> Fields {
        let mut fields = self.common(&self.to);
        fields.push(("CallStatus", "in-progress".into()));
        fields.push((
            "CallType",
            if dialled.is_some_and(|d| d.status != "completed") { "incomplete" } else { "call-attempt" }.into(),
        ));
        fields.push(("flow_id", "228040".into()));
        fields.push(("EndTime", "1970-01-01 05:30:00".into()));
        if let Some(dialled) = dialled {
            fields.push(("DialCallStatus", dialled.status.into()));
            fields.push(("DialCallDuration", dialled.seconds.to_string()));
        }
        fields
    }

    /// The four fields a StatusCallback promises.
    pub(crate) fn call_end(&self, status: &str) -> Fields {
        vec![
            ("CallSid", self.call_sid.clone()),
            ("Status", status.into()),
            ("RecordingUrl", String::new()),
            ("DateUpdated", IndianTime::now().plain()),
        ]
    }
}

/// What a Passthru applet says of the Connect applet before it.
#[derive(Clone, Debug)]
pub(crate) struct DialFields {
    pub(crate) status: &'static str,
    /// Ringing included.
    pub(crate) seconds: u64,
}

/// What a Passthru applet says of the stream before it.
#[derive(Clone, Debug)]
pub(crate) struct StreamFields {
    pub(crate) stream_sid: String,
    pub(crate) url: String,
    pub(crate) status: &'static str,
    pub(crate) seconds: u64,
    pub(crate) disconnected_by: &'static str,
    pub(crate) error: Option<String>,
}

impl Webhooks {
    pub(crate) fn new(gateway: Url, auth: WebhookAuth, tls: &Arc<ClientConfig>) -> Result<Self, CallError> {
        if !matches!(gateway.scheme(), "http" | "https") || !gateway.has_host() {
            return Err(CallError::Plan("the gateway's URL must be http(s)://host…".into()));
        }
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(ClientConfig::clone(tls))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .map_err(|error| CallError::Plan(error.to_string()))?;
        Ok(Self { http, gateway, auth })
    }

    /// GET with the fields as the query.
    pub(crate) async fn get(&self, name: &'static str, fields: &Fields) -> Result<Answered, CallError> {
        let query = encode(fields);
        let headers = self.headers(query.as_bytes(), None)?;
        let request = self.http.get(self.url(name, Some(&query))).headers(headers);
        answer(name, request).await
    }

    /// POST with the fields as a form.
    pub(crate) async fn post(
        &self,
        name: &'static str,
        fields: &Fields,
        body: StatusBody,
    ) -> Result<Answered, CallError> {
        let (kind, body) = match body {
            StatusBody::Urlencoded => ("application/x-www-form-urlencoded".to_owned(), encode(fields)),
            StatusBody::Json => {
                let object: serde_json::Map<_, _> =
                    fields.iter().map(|(key, value)| ((*key).to_owned(), value.as_str().into())).collect();
                ("application/json".to_owned(), serde_json::Value::Object(object).to_string())
            }
            StatusBody::Multipart => multipart(fields),
        };
        let headers = self.headers(body.as_bytes(), Some(&kind))?;
        answer(name, self.http.post(self.url(name, None)).headers(headers).body(body)).await
    }

    fn url(&self, name: &str, query: Option<&str>) -> Url {
        let mut url = self.gateway.clone();
        url.set_path(&format!("{}/exotel/{name}", self.gateway.path().trim_end_matches('/')));
        let mut whole = query.unwrap_or_default().to_owned();
        if let Some(key) = &self.auth.key {
            let joint = if whole.is_empty() { "" } else { "&" };
            let _ = write!(whole, "{joint}{}", Serializer::new(String::new()).append_pair("key", key).finish());
        }
        url.set_query((!whole.is_empty()).then_some(whole.as_str()));
        url
    }

    fn headers(&self, signed: &[u8], content_type: Option<&str>) -> Result<HeaderMap, CallError> {
        let value = |text: &str| {
            HeaderValue::from_str(text).map_err(|_| CallError::Plan("credentials do not fit into a header".into()))
        };
        let mut headers = HeaderMap::new();
        if let Some(kind) = content_type {
            headers.insert(CONTENT_TYPE, value(kind)?);
        }
        if let Some(token) = &self.auth.signature_token {
            headers.insert("x-exotel-signature", value(&signature(token, signed)?)?);
        }
        if let Some((user, password)) = &self.auth.basic {
            headers.insert(AUTHORIZATION, value(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))?);
        }
        Ok(headers)
    }
}

/// Lower-case hex HMAC-SHA256.
fn signature(token: &str, signed: &[u8]) -> Result<String, CallError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(token.as_bytes())
        .map_err(|_| CallError::Plan("the signature token cannot be a key".into()))?;
    mac.update(signed);
    Ok(mac.finalize().into_bytes().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

fn encode(fields: &Fields) -> String {
    Serializer::new(String::new()).extend_pairs(fields.iter().map(|(key, value)| (*key, value))).finish()
}

fn multipart(fields: &Fields) -> (String, String) {
    const BOUNDARY: &str = "------------------------d74496d66958873e";
    let mut body = String::new();
    for (key, value) in fields {
        let _ = write!(body, "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{key}\"\r\n\r\n{value}\r\n");
    }
    let _ = write!(body, "--{BOUNDARY}--\r\n");
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
}

async fn answer(name: &'static str, request: reqwest::RequestBuilder) -> Result<Answered, CallError> {
    // Without the URL: it carries numbers and keys.
    let unreachable =
        |error: reqwest::Error| CallError::Unreachable(format!("{name}: {}", chain(&error.without_url())));
    let sent_at = Instant::now();
    let response = request.send().await.map_err(unreachable)?;
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(key, value)| (key.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let body = response.text().await.map_err(unreachable)?;
    Ok(Answered { name, status, headers, body, sent_at, took: sent_at.elapsed() })
}

/// A refusal in short: the status, and the gateway's own code for the reason (`{"error":{"code"}}`) where it tells one.
pub(crate) fn refusal(what: &str, status: u16, body: &str) -> String {
    format!("{what} {status} {}", refusal_code(body).unwrap_or_default()).trim_end().to_owned()
}

/// The gateway's own code for a refusal, where it tells one.
pub(crate) fn refusal_code(body: &str) -> Option<String> {
    let json: serde_json::Value = serde_json::from_str(body).ok()?;
    Some(json["error"]["code"].as_str()?.to_owned())
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}

/// The URL to stream to, from an answer in XML (`<Stream url="…"/>`) or JSON (`{"url":"…"}`).
pub(crate) fn stream_url(body: &str) -> Option<Url> {
    let from_json = || {
        let json: serde_json::Value = serde_json::from_str(body).ok()?;
        Some(json.get("url")?.as_str()?.to_owned())
    };
    let from_xml = || {
        let element = &body[body.find("<Stream")?..];
        let element = &element[..element.find('>')?];
        let value = element.split_once("url=")?.1;
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let value = value[1..].split(quote).next()?;
        Some(value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    };
    let url = Url::parse(&from_json().or_else(from_xml)?).ok()?;
    matches!(url.scheme(), "ws" | "wss").then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_url_is_found_in_xml_and_json() {
        let found = |body| stream_url(body).map(String::from);
        let xml = r#"<?xml version="1.0"?><Response><Say language="hi-IN">x</Say><Stream url="ws://h/m/t?a=1&amp;b=2" track="both_tracks"/></Response>"#;
        assert_eq!(found(xml).as_deref(), Some("ws://h/m/t?a=1&b=2"));
        assert_eq!(found(r#"{"url":"wss://h/m"}"#).as_deref(), Some("wss://h/m"));
        for none in
            ["", "<Response/>", "<Stream url=>", r#"{"url":"http://h/m"}"#, r#"{"url":7}"#, "<Stream url='ws://"]
        {
            assert_eq!(found(none), None, "{none}");
        }
    }

    #[test]
    fn a_refusal_names_the_reason_that_the_gateway_tells() {
        let told = |body| refusal("voicebot answered", 503, body);
        assert_eq!(told(r#"{"error":{"code":"client_full","message":"…"}}"#), "voicebot answered 503 client_full");
        for none in ["", "<html>", "[]", "{}", r#"{"error":"full"}"#, r#"{"error":{"code":7}}"#] {
            assert_eq!(told(none), "voicebot answered 503", "{none}");
        }
    }

    #[test]
    fn signatures_are_lower_case_hex() {
        assert_eq!(
            signature("key", b"The quick brown fox jumps over the lazy dog").unwrap(),
            "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
        );
    }
}
