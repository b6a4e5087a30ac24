//! Against a real folder, and a real server that speaks S3.

use std::time::Duration;

use super::*;

#[path = "../../../tests/support/s3.rs"]
mod s3;
use s3::{ACCESS_KEY, BUCKET, S3, SECRET};

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

/// The store of a bucket, opened with a secret.
fn opened(s3: &S3, bucket: &str, secret: &str) -> Objects {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = AmazonS3Builder::new()
        .with_endpoint(s3.endpoint())
        .with_access_key_id(ACCESS_KEY)
        .with_secret_access_key(secret);
    Objects::s3(&Url::parse(&format!("s3://{bucket}/acme/recordings")).unwrap(), builder).unwrap()
}

#[tokio::test]
async fn a_bucket_takes_small_objects_whole_and_large_ones_in_parts_with_their_type() {
    let s3 = S3::start();
    let objects = opened(&s3, BUCKET, SECRET);
    s3.sicken(1);
    objects.check().await.unwrap();
    assert_eq!(s3.objects(), 0, "what was written to look is gone");
    let folder = Folder::new("s3");
    std::fs::create_dir_all(&folder.0).unwrap();
    for (bytes, parts) in [(0, None), (1000, None), (2 * PART_BYTES, Some("2")), (2 * PART_BYTES + 77, Some("3"))] {
        let (file, data) = (folder.0.join("spool.raw"), sound(bytes));
        std::fs::write(&file, &data).unwrap();
        let key = format!("c1/{bytes}.ogg");
        let stored = objects.put_file(&file, &key, Some("audio/ogg")).await.unwrap();
        assert_eq!(stored.url, format!("s3://calls/acme/recordings/c1/{bytes}.ogg"));
        assert_eq!((stored.bytes, stored.sha256), (bytes as u64, sha(&data)));
        let held = objects.store.get(&objects.path(&key)).await.unwrap();
        assert_eq!(held.attributes.get(&Attribute::ContentType).map(|kind| kind.as_ref()), Some("audio/ogg"));
        // S3 tells by the ETag of how many parts an object was made.
        let tag = held.meta.e_tag.clone().unwrap();
        assert_eq!(tag.trim_matches('"').split_once('-').map(|(_, parts)| parts), parts, "{tag}");
        assert!(held.bytes().await.unwrap() == data, "{bytes}");
    }
    assert_eq!((s3.objects(), s3.loose_parts()), (4, 0));
}

#[tokio::test]
async fn an_upload_that_is_given_up_leaves_nothing_in_the_bucket() {
    let s3 = S3::start();
    let mut upload = opened(&s3, BUCKET, SECRET).upload("half.mp3", None);
    upload.write(sound(2 * PART_BYTES).into()).await.unwrap();
    upload.write(sound(PART_BYTES).into()).await.unwrap();
    // A part that is under way when an upload is given up may come after it: that one is for the bucket's lifecycle rule.
    let all_there = async {
        while s3.loose_parts() < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all_there).await.unwrap();
    upload.abort().await;
    assert_eq!((s3.objects(), s3.loose_parts()), (0, 0));
}

#[tokio::test]
async fn a_wrong_secret_and_a_missing_bucket_are_refused_in_the_words_of_the_store() {
    let s3 = S3::start();
    for (bucket, secret, code) in [
        (BUCKET, "another", "SignatureDoesNotMatch"),
        ("nosuchbucket", SECRET, "NoSuchBucket: The specified bucket does not exist"),
    ] {
        let objects = opened(&s3, bucket, secret);
        let mut upload = objects.upload("large.mp3", None);
        let in_parts = async {
            upload.write(sound(2 * PART_BYTES).into()).await?;
            upload.finish().await
        };
        for refused in [objects.check().await.unwrap_err(), in_parts.await.unwrap_err()] {
            let ObjectsError::Refused(why) = &refused else { panic!("not refused: {refused}") };
            assert!(why.starts_with(code), "{why}");
            assert!(!why.contains(SECRET) && !why.contains('<') && why.len() < 300, "{why}");
        }
    }
    assert_eq!((s3.objects(), s3.loose_parts()), (0, 0));
}
