//! Handing a caller on, and back, as `docs/transfers.md` has it: its file, its script and its commands.

use std::process::Stdio;

use super::clinic::{Page, Running, shell};
use crate::port::free_port;
use crate::process::TestProcess;
use crate::support::eventually;

#[actix_rt::test]
async fn the_transfer_of_the_documentation_is_made_and_the_caller_is_back() {
    let page = Page::read("docs/transfers.md");
    let folder = TestProcess::new();
    let (gateway, model) = (free_port().to_string(), free_port().to_string());
    let write = |name: &str, text: &str| std::fs::write(folder.folder().join(name), text).unwrap();
    let [file, script, commands] = ["toml", "script", "sh"].map(|kind| page.blocks(kind).concat());
    write("desk.toml", &file);
    write("bills.script", &script);
    let (mut exports, mut said, mut running) = (String::new(), String::new(), Running::default());
    for line in commands.replace("8080", &gateway).replace("8090", &model).lines() {
        if line.starts_with("export ") {
            exports = format!("{exports}{line}\n");
            continue;
        }
        let mut command = shell(folder.folder(), "127.0.0.1", &exports, line);
        if line.ends_with('&') {
            let port = if line.contains("model") { &model } else { &gateway };
            running.0.push(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
            let port = port.parse::<u16>().unwrap();
            let listens = || async move { tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() };
            eventually("it listens", listens).await;
            continue;
        }
        let done = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let told = [done.stdout, done.stderr].map(|told| String::from_utf8_lossy(&told).into_owned()).concat();
        assert!(done.status.success(), "{line}: {told}");
        said += &told;
    }
    for words in [
        "+ destinations.desk.to",
        "Connect: dials +918047112299",
        "Connect: no-answer",
        "2 streams, ended by Hangup",
        "to desk: a bill (no-answer)",
        "Asha asks about bill 12.",
        "agent_hung_up",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}
