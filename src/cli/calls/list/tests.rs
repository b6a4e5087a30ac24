//! Many who look at once.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use futures_util::future::{join_all, select};
use protocol::ids::CallSid;

use super::*;
use crate::cli::args::{Cli, Command};
use crate::store::CallUpdate;
use crate::store::tests::{TempDb, batch, finish, new_call, new_client, update};

/// What one of them has seen.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<u8>>>);

impl Write for Seen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seen {
    fn has(&self, words: &str) -> bool {
        String::from_utf8_lossy(&self.0.lock().unwrap()).lines().any(|line| line.contains(words))
    }
}

async fn until(what: &str, seen: &[Seen], words: &str) {
    let all = async {
        let mut look = interval(Duration::from_millis(20));
        while !seen.iter().all(|seen| seen.has(words)) {
            look.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.unwrap_or_else(|_| panic!("not all saw {what}"));
}

#[tokio::test]
async fn two_hundred_who_follow_all_see_a_call_start_and_end_and_the_database_takes_what_is_written_meanwhile() {
    let db = TempDb::new();
    let store = db.store().await;
    let client = store.add_client(new_client("+918047112233")).await.unwrap().id;
    let Command::Calls(args) = Cli::parse_from(["callgate", "calls", "--follow", "--json"]).command else { panic!() };
    let seen: Vec<Seen> = (0..200).map(|_| Seen::default()).collect();
    let follow = join_all(seen.iter().map(|seen| {
        let (args, store, mut seen) = (args.clone(), store.clone(), seen.clone());
        async move { run(&args, &store, &mut seen).await }
    }));
    let written = async {
        store.begin_call(new_call("c1", client)).await.unwrap();
        until("it start", &seen, "\"call_sid\":\"c1\"").await;
        let end = CallUpdate { finish: finish("completed", "the agent ended the call"), ..update("c1") };
        store.write_batch(batch(vec![end])).await.unwrap();
        until("it end", &seen, "\"status\":\"completed\"").await;
    };
    select(Box::pin(follow), Box::pin(written)).await;
    assert!(store.call(&CallSid::new("c1")).await.unwrap().unwrap().call.is_over());
}
