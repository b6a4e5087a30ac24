//! Sentences, made by the simulated model.

use std::net::Ipv4Addr;
use std::time::Duration;

use simulator::model::{ModelHandle, ModelOptions, ModelServer};
use url::Url;

use super::*;

const WAIT: &str = "One moment, please, while I look that up for you.";

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("callgate-clips-{}", uuid::Uuid::now_v7())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Rig {
    folder: Folder,
    model: ModelHandle,
    endpoint: ModelEndpoint,
}

impl Rig {
    async fn new() -> Self {
        Self::that_says("commentary_en").await
    }

    /// Whatever it is asked to say.
    async fn that_says(clip: &str) -> Self {
        let script = format!("greeting goodbye_en\nsentence {clip}\nanswer goodbye_en").parse().unwrap();
        let options = ModelOptions { script, ..ModelOptions::default() };
        let server = ModelServer::bind((Ipv4Addr::LOCALHOST, 0).into(), options).await.unwrap();
        let model = server.handle();
        let url: Url = format!("ws://{}/v1/realtime", server.addr()).parse().unwrap();
        actix_rt::spawn(server.run());
        let endpoint = ModelEndpoint { url, key: None, model: "gpt-realtime-2.1".to_owned() };
        Self { folder: Folder::new(), model, endpoint }
    }

    fn library(&self) -> ClipLibrary {
        ClipLibrary::new(self.folder.0.join("clips"), self.endpoint.clone(), &Handle::current())
    }
}

fn voice() -> Voice {
    Voice { language: "en-IN".to_owned(), name: None, model: None }
}

/// Asks until it is there, as call after call would.
async fn until_there(library: &ClipLibrary) -> Arc<Clips> {
    let there = async {
        loop {
            let clips = library.of(&voice(), [WAIT]);
            if clips.find(WAIT).is_some() {
                return clips;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), there).await.expect("it is made")
}

#[actix_web::test]
async fn a_sentence_is_made_once_and_found_on_disk_by_the_next_start() {
    let rig = Rig::new().await;
    let library = rig.library();
    assert!(library.of(&voice(), [WAIT]).find(WAIT).is_none(), "nobody waits for it");
    until_there(&library).await;
    assert_eq!(rig.model.sessions().len(), 1);
    until_there(&rig.library()).await;
    assert_eq!(rig.model.sessions().len(), 1, "no model is asked again");
}

#[actix_web::test]
async fn where_there_is_no_model_a_call_has_no_sentence_and_is_not_kept_waiting() {
    let rig = Rig::new().await;
    rig.model.stop();
    let endpoint = ModelEndpoint { url: "ws://127.0.0.1:9/".parse().unwrap(), ..rig.endpoint.clone() };
    let library = ClipLibrary::new(rig.folder.0.clone(), endpoint, &Handle::current());
    for _ in 0..1_000 {
        assert!(library.of(&voice(), [WAIT]).find(WAIT).is_none());
    }
}

#[actix_web::test]
async fn a_model_that_says_something_else_has_made_no_sentence_and_is_not_asked_again_at_once() {
    let rig = Rig::that_says("answer_en_hours").await;
    let library = rig.library();
    let (short, voice) = ("Ok.", voice());
    let asked = || async {
        rig.model.sessions().iter().any(|session| session.responses.iter().any(|it| it.status == "completed"))
    };
    assert!(library.of(&voice, [short]).find(short).is_none());
    let said = async {
        while !asked().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), said).await.expect("it says something");
    for _ in 0..1_000 {
        assert!(library.of(&voice, [short]).find(short).is_none());
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.model.sessions().len(), 1);
    assert!(std::fs::read_dir(rig.folder.0.join("clips")).is_err(), "nothing of it is kept");
}

#[test]
fn what_is_kept_in_memory_and_on_disk_is_bounded_and_the_oldest_give_way() {
    let clip = |text: &str| Clip::new(text, vec![1; 1_000]).unwrap();
    let mut cache = ClipCache::new(2_500);
    for n in 0..4 {
        cache.put([n; 32], clip("x"), 1_000);
    }
    assert!(cache.get(&[1; 32]).is_none() && cache.get(&[2; 32]).is_some() && cache.get(&[3; 32]).is_some());
    let folder = Folder::new();
    let disk = ClipFiles::new(folder.0.join("clips"), 2_500);
    for n in 0..4 {
        disk.write(&[n; 32], &[n; 1_000]).unwrap();
    }
    let there = (0..4).filter(|n| disk.read(&[*n; 32]).is_some()).count();
    assert_eq!((there, disk.read(&[3; 32])), (2, Some(vec![3; 1_000])));
}

#[test]
fn the_same_words_in_another_voice_are_another_sentence() {
    let (requests, _waiting) = mpsc::channel(1);
    let cache = Arc::new(Mutex::new(ClipCache::new(1)));
    let library = ClipLibrary { cache, requests, model: Arc::from("m") };
    let other = Voice { name: Some("marin".to_owned()), ..voice() };
    let named = Voice { model: Some("m".to_owned()), ..voice() };
    assert_ne!(library.key(&voice(), WAIT), library.key(&other, WAIT));
    assert_eq!(library.key(&voice(), WAIT), library.key(&named, WAIT), "the gateway's own model, by name");
}
