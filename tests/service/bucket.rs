//! Recordings in a bucket: the program with the settings of a deployment, and a real server that speaks S3.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use callgate::testing::{Recording, Store};
use futures_util::stream;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{Attribute, ObjectStoreExt};
use protocol::ids::CallSid;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use url::Url;

use super::s3::{ACCESS_KEY, BUCKET, S3, SECRET};
use super::support::{WEBHOOK_KEY, eventually};
use crate::process::TestProcess;

/// Far beyond what anything here takes: a test that needs it has failed.
const PATIENCE: Duration = Duration::from_secs(60);
const PIECE: usize = 1 << 20;
/// More than two parts.
const PIECES: usize = 12;

/// The program with the settings of a deployment.
struct Program(TestProcess);

impl Program {
    fn new() -> Self {
        Self(TestProcess::new())
    }

    fn command(&self, word: &str, s3: &S3) -> Command {
        let mut command = self.0.command(&[word]);
        command.env("RECORDINGS_URL", format!("s3://{BUCKET}/acme/recordings"));
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET);
        command.env("AWS_REGION", "ap-south-1").env("AWS_ENDPOINT", s3.endpoint());
        command
    }

    /// What `check` says of the recordings, and whether all is well.
    fn checked(&self, s3: &S3, changed: Option<(&str, &str)>) -> (bool, String) {
        let output = self.command("check", s3).stdout(Stdio::piped()).envs(changed).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let line = said.lines().find(|line| line.contains("recordings")).unwrap_or_else(|| panic!("{said}"));
        (output.status.success(), line.to_owned())
    }

    async fn serve(&mut self, s3: &S3, hosts: &str) {
        let mut serve = self.command("serve", s3);
        self.0.serve(serve.env("RECORDING_HOSTS", hosts)).await;
    }

    /// Tells it of a recording as Exotel does.
    async fn announce(&self, sid: &str, url: &str) {
        let hook = self.0.url(&format!("/exotel/recording?key={WEBHOOK_KEY}"));
        let form = [("CallSid", sid), ("RecordingUrl", url)];
        let answer = reqwest::Client::new().post(hook).form(&form).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    async fn stored(&self, store: &Store, sid: &str) -> Recording {
        let call = CallSid::new(sid);
        let row = || async { store.recordings_of_call(&call).await.unwrap().remove(0) };
        eventually("the recording is stored", || async { row().await.status.name() == "stored" }).await;
        row().await
    }
}

fn sound(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| u8::try_from(at / 7 % 251).unwrap()).collect()
}

/// What S3 answers to a GET is what was recorded.
async fn is_in_the_bucket(s3: &S3, row: &Recording, sound: &[u8]) {
    let url = Url::parse(row.stored_url.as_deref().unwrap()).unwrap();
    assert!(url.as_str().starts_with("s3://calls/acme/recordings/20"), "{url}");
    let bucket = AmazonS3Builder::new()
        .with_endpoint(s3.endpoint())
        .with_allow_http(true)
        .with_bucket_name(BUCKET)
        .with_access_key_id(ACCESS_KEY)
        .with_secret_access_key(SECRET);
    let held = bucket.build().unwrap().get(&Path::from(url.path())).await.unwrap();
    let kind = held.attributes.get(&Attribute::ContentType).map(|kind| kind.to_string());
    assert_eq!(kind.as_deref(), Some("audio/mpeg"));
    assert!(held.bytes().await.unwrap() == sound, "{url}");
    assert_eq!(row.bytes, Some(sound.len() as i64));
}

/// A recording host: a small recording, and one whose second half is sent when the test says so.
async fn serve(gate: web::Data<Semaphore>, request: HttpRequest) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.content_type("audio/mpeg");
    if request.path() == "/small.mp3" {
        return answer.body(sound(100_000));
    }
    let pieces = stream::unfold(0, move |piece| {
        let gate = gate.clone();
        async move {
            if piece == PIECES / 2 {
                gate.acquire().await.unwrap().forget();
            }
            let bytes = sound(PIECES * PIECE).chunks(PIECE).nth(piece).map(web::Bytes::copy_from_slice);
            bytes.map(|bytes| (Ok::<_, std::io::Error>(bytes), piece + 1))
        }
    });
    answer.streaming(pieces)
}

/// Its host:port, and what lets the second half go.
fn recording_host() -> (String, Arc<Semaphore>) {
    let gate = web::Data::new(Semaphore::new(0));
    let served = gate.clone();
    let app = move || App::new().app_data(served.clone()).default_service(web::to(serve));
    let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0).bind("127.0.0.1:0").unwrap();
    let host = server.addrs()[0].to_string();
    actix_rt::spawn(server.run());
    (host, gate.into_inner())
}

#[actix_web::test]
async fn recordings_are_in_the_bucket_although_it_dies_in_the_middle_of_one() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (mut s3, mut program) = (S3::start(), Program::new());
    let (host, gate) = recording_host();
    program.serve(&s3, &host).await;
    let store = Store::open(&program.0.database_url().parse().unwrap()).await.unwrap();

    program.announce("small", &format!("http://{host}/small.mp3")).await;
    let row = program.stored(&store, "small").await;
    is_in_the_bucket(&s3, &row, &sound(100_000)).await;

    program.announce("large", &format!("http://{host}/large.mp3")).await;
    eventually("the first part is in the bucket", || async { s3.loose_parts() == 1 }).await;
    s3.crash();
    let nobody = TcpListener::bind(s3.address).await.unwrap();
    gate.add_permits(PIECES);
    // Connected to and left: the store is away, and the gateway has noticed.
    let asked = tokio::time::timeout(PATIENCE, nobody.accept()).await.expect("the next part is tried");
    drop((asked, nobody));
    s3.resume();
    let row = program.stored(&store, "large").await;
    is_in_the_bucket(&s3, &row, &sound(PIECES * PIECE)).await;
    assert_eq!(s3.loose_parts(), 0);
}

#[actix_web::test]
async fn check_tells_what_is_wrong_with_the_bucket() {
    let (mut s3, program) = (S3::start(), Program::new());
    let (well, said) = program.checked(&s3, None);
    assert!(well && said.starts_with("ok"), "{said}");
    for (name, value, why) in [
        (
            "AWS_SECRET_ACCESS_KEY",
            "another",
            "s3://calls/acme/recordings/: the object store refuses: SignatureDoesNotMatch",
        ),
        ("AWS_ACCESS_KEY_ID", "nobody", "the object store refuses: NotSignedUp"),
        (
            "RECORDINGS_URL",
            "s3://nosuchbucket",
            "s3://nosuchbucket/: the object store refuses: NoSuchBucket: The specified",
        ),
    ] {
        let (well, said) = program.checked(&s3, Some((name, value)));
        assert!(!well && said.starts_with("FAIL") && said.contains(why), "{said}");
        assert!(!said.contains(SECRET) && !said.contains('<'), "{said}");
    }
    assert_eq!(s3.objects(), 0);
    s3.crash();
    let (well, said) = program.checked(&s3, None);
    assert!(!well && said.contains("the object store is away"), "{said}");
}
