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
