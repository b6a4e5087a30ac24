//! A disk that runs full: a real one, of a megabyte.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use futures_util::future::join_all;
use protocol::ids::CallSid;

use super::{batch, finish, new_call, new_client, turn, update};
use crate::store::{CallUpdate, DatabaseUrl, NewCall, Store, StoreError};

/// A file system of its own, in memory; gone with the test.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new() -> Option<Self> {
        let path = std::env::temp_dir().join(format!("callgate-disk-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&path).unwrap();
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&path).output();
        if done.is_ok_and(|done| done.status.success()) {
            return Some(Self(path));
        }
        std::fs::remove_dir(&path).unwrap();
        // Straight to the terminal: what a test that passes prints is not shown, and this one did not run.
        writeln!(std::io::stderr(), "SKIPPED test a_full_disk: a file system can be mounted by root only").unwrap();
        None
    }

    fn resize(&self, size: &str) {
        let done = Command::new("mount").args(["-o", &format!("remount,size={size}")]).arg(&self.0).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// More than the disk holds the words of.
const CALLS: usize = 100;

fn call(number: usize) -> CallUpdate {
    let words = "a long answer ".repeat(300);
    CallUpdate {
        turns: vec![turn(0, &words), turn(1, &words)],
        finish: finish("completed", "the agent ended the call"),
        ..update(&format!("c{number}"))
    }
}

#[tokio::test]
async fn a_full_disk_is_away_until_there_is_room_and_what_was_answered_is_kept() {
    let Some(disk) = SmallDisk::new() else { return };
    let url: DatabaseUrl = format!("sqlite://{}/calls.db", disk.0.display()).parse().unwrap();
    let store = Store::open(&url).await.unwrap();
    let client = store.add_client(new_client("+918047112233")).await.unwrap().id;
    // All at once: few commits.
    let begun =
        (0..CALLS).map(|number| store.begin_call(NewCall { tells: false, ..new_call(&format!("c{number}"), client) }));
    assert!(join_all(begun).await.iter().all(Result::is_ok));
    let mut kept = 0;
    let error = loop {
        match store.write_batch(batch(vec![call(kept)])).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < CALLS, "a megabyte holds not so much");
    };
    assert!(matches!(error, StoreError::Away(_)) && kept > 0, "{error}");
    // Reading goes on, and so does refusing in words.
    for number in 0..kept {
        let found = store.call(&CallSid::new(format!("c{number}"))).await.unwrap().unwrap();
        assert_eq!(found.turns.len(), 2, "{number} of {kept}");
    }
    assert!(store.write_batch(batch(vec![call(kept)])).await.unwrap_err().is_away());
    disk.resize("8m");
    store.write_batch(batch(vec![call(kept)])).await.unwrap();
    let last = store.call(&CallSid::new(format!("c{kept}"))).await.unwrap().unwrap();
    assert_eq!(last.turns.len(), 2);
}
