//! Against a real folder, and against the library's S3 client with the bucket served by this process.

use super::*;

/// A folder of a test's own, gone with it.
struct Folder(path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("callgate-objects-{}-{name}", std::process::id())))
    }

    fn objects(&self) -> Objects {
        Objects::open(&RecordingTarget::Folder(self.0.join("store"))).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Bytes that differ from place to place.
fn sound(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| u8::try_from(n.wrapping_mul(31) >> 3 & 255).unwrap()).collect()
}

fn sha(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_file_is_stored_whole_whatever_its_size() {
    let folder = Folder::new("sizes");
    let objects = folder.objects();
    objects.check().await.unwrap();
    assert!(!folder.0.join("store").join(CHECK_KEY).exists());
    for bytes in [0, 1, PART_BYTES - 1, PART_BYTES, 2 * PART_BYTES + 77] {
        let (file, data) = (folder.0.join("spool.raw"), sound(bytes));
        std::fs::write(&file, &data).unwrap();
        let key = format!("2026/11/call-{bytes}.ogg");
        let stored = objects.put_file(&file, &key, Some("audio/ogg")).await.unwrap();
        assert_eq!((stored.bytes, &stored.sha256), (bytes as u64, &sha(&data)));
        assert!(objects.get(&key).await.unwrap() == data, "{bytes}");
        let place = Url::parse(&stored.url).unwrap().to_file_path().unwrap();
        assert!(std::fs::read(place).unwrap() == data, "{}", stored.url);
    }
}

#[tokio::test]
async fn what_is_not_finished_is_not_there() {
    let folder = Folder::new("unfinished");
    let objects = folder.objects();
    for drop_it in [true, false] {
        let mut upload = objects.upload("half.mp3", None);
        upload.write(sound(PART_BYTES + 5).into()).await.unwrap();
        if drop_it {
            drop(upload)
        } else {
            upload.abort().await
        }
        let missing = objects.get("half.mp3").await.unwrap_err();
        assert!(matches!(missing, ObjectsError::Refused(_)), "{missing}");
    }
}

#[tokio::test]
async fn keys_stay_below_the_folder() {
    let folder = Folder::new("below");
    let objects = folder.objects();
    let file = folder.0.join("spool.raw");
    std::fs::write(&file, b"x").unwrap();
    for key in ["../../etc/x", "/etc/x", "a/../../x", "a\0b"] {
        let stored = objects.put_file(&file, key, None).await.unwrap();
        let place = Url::parse(&stored.url).map(|url| url.path().to_owned()).unwrap();
        assert!(place.starts_with(&folder.0.canonicalize().unwrap().display().to_string()), "{key}: {place}");
    }
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 2, "the file and the store");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_refused_by_name() {
    let refused = Objects::open(&RecordingTarget::Folder("/proc/no/such".into())).unwrap_err();
    assert!(matches!(&refused, ObjectsError::Refused(why) if why.contains("/proc/no/such")), "{refused}");
}

/// A bucket as S3 serves one, as far as an upload asks: by the API's documents, in this process.
mod bucket {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

    #[derive(Default)]
    pub(super) struct Bucket {
        pub(super) objects: Mutex<BTreeMap<String, (Vec<u8>, String)>>,
        pub(super) parts: Mutex<BTreeMap<(String, u32), Vec<u8>>>,
        pub(super) part_count: Mutex<usize>,
        pub(super) types: Mutex<BTreeMap<String, String>>,
        /// Answers 503 to so many requests first.
        pub(super) unwell: Mutex<u32>,
        pub(super) forbids: bool,
    }

    async fn serve(bucket: web::Data<Arc<Bucket>>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
        if bucket.forbids || !request.headers().contains_key("authorization") {
            return HttpResponse::Forbidden().body("<Error><Code>AccessDenied</Code></Error>");
        }
        let mut unwell = bucket.unwell.lock().unwrap();
        if *unwell > 0 {
            *unwell -= 1;
            return HttpResponse::ServiceUnavailable().finish();
        }
        let key = request.path().to_owned();
        let query: BTreeMap<String, String> =
            url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
        let kind = request.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        let part = query.get("partNumber").map(|part| part.parse::<u32>().unwrap());
        match (request.method().as_str(), part) {
            ("PUT", Some(part)) => {
                bucket.parts.lock().unwrap().insert((key, part), body.to_vec());
                *bucket.part_count.lock().unwrap() += 1;
                HttpResponse::Ok().insert_header(("etag", format!("\"{part}\""))).finish()
            }
            ("PUT", None) => {
                bucket.objects.lock().unwrap().insert(key, (body.to_vec(), kind.unwrap_or_default()));
                HttpResponse::Ok().insert_header(("etag", "\"whole\"")).finish()
            }
            ("POST", _) if query.contains_key("delete") => {
                let text = String::from_utf8(body.to_vec()).unwrap();
                let root = key.trim_end_matches('/');
                for named in text.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap()) {
                    bucket.objects.lock().unwrap().remove(&format!("{root}/{named}"));
                }
                HttpResponse::Ok().content_type("application/xml").body("<DeleteResult></DeleteResult>")
            }
            ("POST", _) if query.contains_key("uploads") => {
                bucket.types.lock().unwrap().insert(key, kind.unwrap_or_default());
                let xml = "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><UploadId>u</UploadId></InitiateMultipartUploadResult>";
                HttpResponse::Ok().content_type("application/xml").body(xml)
            }
            ("POST", _) => {
                let mut parts = bucket.parts.lock().unwrap();
                let mine: Vec<_> = parts.keys().filter(|(of, _)| *of == key).cloned().collect();
                let whole = mine.iter().flat_map(|id| parts.remove(id).unwrap()).collect();
                let kind = bucket.types.lock().unwrap().remove(&key).unwrap();
                bucket.objects.lock().unwrap().insert(key, (whole, kind));
                let xml = "<CompleteMultipartUploadResult><Location>l</Location><Bucket>b</Bucket><Key>k</Key><ETag>\"e\"</ETag></CompleteMultipartUploadResult>";
                HttpResponse::Ok().content_type("application/xml").body(xml)
            }
            _ => {
                bucket.objects.lock().unwrap().remove(&key);
                HttpResponse::NoContent().finish()
            }
        }
    }

    /// Serves a bucket; the address it is at.
    pub(super) fn start(bucket: Arc<Bucket>) -> String {
        let app = move || {
            let limit = web::PayloadConfig::new(64 << 20);
            App::new().app_data(web::Data::new(bucket.clone())).app_data(limit).default_service(web::to(serve))
        };
        let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let address = server.addrs()[0];
        tokio::spawn(server.run());
        format!("http://{address}")
    }
}

fn s3(bucket: &Arc<bucket::Bucket>) -> Objects {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = AmazonS3Builder::new()
        .with_endpoint(bucket::start(bucket.clone()))
        .with_access_key_id("AKIDEXAMPLE")
        .with_secret_access_key("secret");
    Objects::s3(&Url::parse("s3://calls/acme/recordings").unwrap(), builder).unwrap()
}

#[actix_web::test]
async fn a_bucket_takes_small_objects_whole_and_large_ones_in_parts_with_their_type() {
    let bucket = Arc::new(bucket::Bucket { unwell: 1.into(), ..Default::default() });
    let objects = s3(&bucket);
    objects.check().await.unwrap();
    assert!(bucket.objects.lock().unwrap().is_empty(), "what was written to look is gone");
    let folder = Folder::new("s3");
    std::fs::create_dir_all(&folder.0).unwrap();
    for (bytes, parts) in [(1000, 0), (2 * PART_BYTES + 77, 3)] {
        let (file, data) = (folder.0.join("spool.raw"), sound(bytes));
        std::fs::write(&file, &data).unwrap();
        let stored = objects.put_file(&file, &format!("c1/{bytes}.ogg"), Some("audio/ogg")).await.unwrap();
        assert_eq!(stored.url, format!("s3://calls/acme/recordings/c1/{bytes}.ogg"));
        assert_eq!((stored.bytes, stored.sha256), (bytes as u64, sha(&data)));
        let held = bucket.objects.lock().unwrap().get(&format!("/calls/acme/recordings/c1/{bytes}.ogg")).cloned();
        let (held, kind) = held.unwrap();
        assert!(held == data && kind == "audio/ogg", "{bytes}: {} {kind}", held.len());
        assert_eq!(*bucket.part_count.lock().unwrap(), parts);
    }
}

#[actix_web::test]
async fn a_bucket_that_forbids_is_said_to_refuse() {
    let bucket = Arc::new(bucket::Bucket { forbids: true, ..Default::default() });
    let refused = s3(&bucket).check().await.unwrap_err();
    assert!(matches!(refused, ObjectsError::Refused(_)), "{refused}");
}
