//! `callgate tool test`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use super::commands::Folder;

/// An endpoint that answers each request the same; what it was told.
fn endpoint() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/find", listener.local_addr().unwrap());
    let (tell, told) = mpsc::sync_channel(8);
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let (mut socket, mut heard, mut piece) = (socket.unwrap(), Vec::new(), [0; 4096]);
            while !heard.ends_with(b"}") {
                let read = socket.read(&mut piece).unwrap();
                heard.extend_from_slice(&piece[..read]);
            }
            let body = r#"{"status":"on its way","callgate":{"hang_up":true}}"#;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}", body.len());
            write!(socket, "{head}\r\nconnection: close\r\n\r\n{body}").unwrap();
            tell.send(String::from_utf8(heard).unwrap()).unwrap();
        }
    });
    (url, told)
}

#[test]
fn tool_test_calls_a_function_as_a_call_would_and_shows_both_sides() {
    let (url, told) = endpoint();
    let folder = Folder::new();
    let file = format!(
        "name = \"Shop\"\nnumbers = \"08047112233\"\n[[tools]]\nname = \"find_order\"\ndescription = \"Finds an order.\"\n\
         url = \"{url}\"\nheaders = {{ X-Key = \"not-for-screens\" }}\n\
         parameters = {{ type = \"object\", required = [\"order\"] }}\n"
    );
    std::fs::write(folder.0.join("shop.toml"), file).unwrap();
    let run = |words: &[&str]| {
        let output = folder.command(words).env("PRIVATE_HOSTS", "127.0.0.1").output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr))
    };
    assert_eq!(run(&["client", "apply", "shop.toml"]).0, Some(0));
    let words = ["tool", "test", "08047112233", "find_order", r#"{"order":"A-17"}"#, "--caller", "+919876543210"];
    let (code, shown) = run(&words);
    assert_eq!(code, Some(0), "{shown}");
    for line in [
        format!("asked   POST {url}").as_str(),
        "idempotency-key: test-",
        r#""arguments":{"order":"A-17"}"#,
        r#""caller":{"number":"+919876543210"}"#,
        "x-key: (as the client's file says)",
        "answer  200",
        " ms, asked once",
        r#"told    {"status":"on its way"}"#,
        "call    ends once the agent has spoken",
    ] {
        assert!(shown.contains(line), "no {line} in {shown}");
    }
    assert!(!shown.contains("not-for-screens"), "{shown}");
    assert!(told.recv().unwrap().contains("x-key: not-for-screens"));
    let (code, shown) = run(&["tool", "test", "08047112233", "find_order", "{}"]);
    assert!(code == Some(1) && shown.contains("bad_arguments") && shown.contains("order is missing"), "{shown}");
    let (_, shown) = run(&["tool", "test", "08047112233", "book"]);
    assert!(shown.contains("has no function book: it has find_order"), "{shown}");
    assert!(told.try_recv().is_err(), "nobody is asked");
}
