use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;

use super::*;

/// A certificate for `localhost` that signs itself, and its key: nobody trusts it but these tests.
const CERTIFICATE: &str = "MIIBmjCCAUCgAwIBAgIUYdtciaHlG98R/r36GNciizq+fCUwCgYIKoZIzj0EAwIwGDEWMBQGA1UEAwwNY2FsbGdhdGUgdGVzdDAgFw0yNjEx\
    MjIxNjI1NTNaGA8yMTI2MTAyOTE2MjU1M1owGDEWMBQGA1UEAwwNY2FsbGdhdGUgdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHoE\
    S55amHqOgtWiTTdquoCm+8gNUpEBIRJBAaCSNKi60asuup0CJou0oJchIGIPIPC/xLhnlS/I6m37/naMxwOjZjBkMB0GA1UdDgQWBBQQ40q6\
    ot9vTKhcw2kQwPLTpYVg1jAfBgNVHSMEGDAWgBQQ40q6ot9vTKhcw2kQwPLTpYVg1jAUBgNVHREEDTALgglsb2NhbGhvc3QwDAYDVR0TAQH/\
    BAIwADAKBggqhkjOPQQDAgNIADBFAiBNUtKtQeCuAXL+OVq9Nbrs5iaLkyZosiFOJB6WFNJQqAIhAMHOruh3Dx7o5qk1MKZdM2FJbee9CLO0\
    E8id+nXPLtVQ";
const KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgja0N+EbAmUscZ7EVSyw47i+GRiR5oge1w/vBKoqiIXyhRANCAAR6BEueWph6\
    joLVok03arqApvvIDVKRASESQQGgkjSoutGrLrqdAiaLtKCXISBiDyDwv8S4Z5UvyOpt+/52jMcD";

fn target(url: &str, model: Option<&str>) -> Target {
    let endpoint = ModelEndpoint {
        url: Url::parse(url).unwrap(),
        key: Some(Secret::new("k")),
        model: "gpt-realtime-2.1".to_owned(),
    };
    Target::new(&endpoint, model, None)
}

#[test]
fn the_model_joins_whatever_query_the_url_has() {
    assert_eq!(target("ws://h/v1?a=b", None).url.as_str(), "ws://h/v1?a=b&model=gpt-realtime-2.1");
    assert_eq!(target("ws://h/v1", Some("other")).url.as_str(), "ws://h/v1?model=other");
    assert_eq!(target("ws://h/v1?model=pinned", Some("other")).url.as_str(), "ws://h/v1?model=pinned");
}

#[test]
fn the_handshake_says_who_we_are_and_asks_for_no_beta() {
    let request = target("ws://h/v1", None).request().unwrap();
    assert_eq!(request.headers()[header::AUTHORIZATION], "Bearer k");
    assert!(request.headers()[header::AUTHORIZATION].is_sensitive());
    assert!(!request.headers().contains_key("OpenAI-Beta"));
    assert!(!request.headers().contains_key(header::SEC_WEBSOCKET_PROTOCOL));
}

#[test]
fn only_answers_that_will_not_change_are_refusals() {
    for (status, refused) in [(401, true), (403, true), (404, true), (429, false), (500, false), (503, false)] {
        let error = turned_away(StatusCode::from_u16(status).unwrap());
        assert_eq!(matches!(error, DialError::Refused(..)), refused, "{status}");
    }
}

#[test]
fn tls_is_available() {
    assert!(client_tls().is_some());
}

fn der(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).unwrap()
}

fn trusting() -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(der(CERTIFICATE))).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// A server on a thread of its own that says everything back, with or without TLS; where it listens.
fn echo(tls: bool) -> SocketAddr {
    let (told, address) = std::sync::mpsc::sync_channel(1);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(der(KEY)).unwrap();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![der(CERTIFICATE).into()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let served = async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        told.send(listener.local_addr().unwrap()).unwrap();
        let (tcp, _) = listener.accept().await.unwrap();
        async fn repeat(stream: impl AsyncRead + AsyncWrite + Unpin) {
            let (mut say, mut heard) = tokio_tungstenite::accept_async(stream).await.unwrap().split();
            while let Some(Ok(message @ Message::Text(_))) = heard.next().await {
                say.send(message).await.unwrap();
            }
        }
        if tls { repeat(acceptor.accept(tcp).await.unwrap()).await } else { repeat(tcp).await }
    };
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(served);
    });
    address.recv().unwrap()
}

async fn says_back(connection: &mut Connection, text: &str) {
    connection.send(Message::Text(text.into())).await.unwrap();
    assert_eq!(connection.next().await.unwrap().unwrap(), Message::Text(text.into()));
}

/// Opens a connection here, uses it, and goes on with it on another thread while an answer is on its way.
async fn lives_on_two_threads(tls: bool) {
    let address = echo(tls);
    let url = format!("{}://localhost:{}/v1", if tls { "wss" } else { "ws" }, address.port());
    let target = Target { tls: Some(trusting()), ..target(&url, None) };
    let mut connection = target.dial().await.unwrap();
    says_back(&mut connection, "here").await;
    connection.send(Message::Text("on the way".into())).await.unwrap();
    let elsewhere = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            connection.get_mut().rehome().unwrap();
            assert_eq!(connection.next().await.unwrap().unwrap(), Message::Text("on the way".into()));
            says_back(&mut connection, &"there ".repeat(10_000)).await;
        });
    };
    tokio::task::spawn_blocking(elsewhere).await.unwrap();
}

#[actix_rt::test]
async fn a_connection_goes_on_after_it_moved_to_another_thread() {
    lives_on_two_threads(false).await;
}

#[actix_rt::test]
async fn a_tls_connection_goes_on_after_it_moved_to_another_thread() {
    lives_on_two_threads(true).await;
}

#[actix_rt::test]
async fn a_server_whose_certificate_nobody_vouches_for_is_not_talked_to() {
    let address = echo(true);
    let target = Target { tls: client_tls(), ..target(&format!("wss://localhost:{}/", address.port()), None) };
    let error = target.dial().await.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("TLS with the model failed"), "{error}");
}

#[actix_rt::test]
async fn a_server_that_is_not_there_may_be_asked_again() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = target(&format!("ws://{nobody}/"), None).dial().await;
    assert!(matches!(error, Err(DialError::Failed(_))));
}
