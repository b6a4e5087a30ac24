//! The page on the API from Python: its blocks are run as they stand.

use std::io::{BufRead, BufReader, ErrorKind};
use std::process::{Child, Command, Stdio};

use callgate::testing::EventsTarget;
use protocol::ids::Secret;
use reqwest::Method;
use tokio::net::TcpStream;

use super::support::{ADMIN_TOKEN, Gateway, eventually, incoming, operations, sid};
use crate::port::free_port;

const PAGE: &str = include_str!("../../docs/api-python.md");
/// Stands before the block that is a program of its own.
const RECEIVER: &str = "<!-- receiver -->\n";
const SECRET: &str = "whsec_0123456789";
/// Tells what the page asks, and what comes back.
const WATCH: &str = "
import sys, urllib.request
class Watch(urllib.request.BaseHandler):
    def http_response(self, request, response):
        print('asked', request.get_method(), request.selector.split('?')[0], response.status, file=sys.stderr)
        return response
urllib.request.install_opener(urllib.request.build_opener(Watch))
";

/// The blocks of the page, or of a part of it, as one program.
fn program(text: &str) -> String {
    text.split("```python\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// A Python that runs a program; none where there is no Python.
fn python(program: &str) -> Option<Command> {
    match Command::new("python3").arg("--version").output() {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("skipped: there is no python3 here to run docs/api-python.md");
            return None;
        }
        Err(error) => panic!("python3: {error}"),
    }
    let mut python = Command::new("python3");
    python.args(["-c", program]).env("NO_PROXY", "*").stdin(Stdio::null());
    Some(python)
}

/// A process that is gone with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[actix_web::test]
async fn what_the_page_for_python_asks_is_answered_and_no_route_is_left_out() {
    let gateway = Gateway::start().await;
    gateway.post("/exotel/voicebot", &incoming(&sid())).await;
    gateway.running.recorder().flush().await;
    let page = PAGE.split(RECEIVER).next().unwrap();
    // So that there is a second page.
    let program = WATCH.to_owned() + &program(page).replace("limit=100", "limit=1");
    let Some(mut python) = python(&program) else { return };
    python.env("BASE", gateway.url("")).env("ADMIN", ADMIN_TOKEN);
    let output = actix_web::web::block(move || python.output()).await.unwrap().unwrap();
    let asked = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{asked}");
    for operation in operations() {
        let told = format!("{}`:", operation.path.trim_start_matches("/api/v1"));
        assert!(page.contains(&told), "the page says nothing of {told}");
        let done =
            asked.lines().filter_map(|line| line.strip_prefix("asked ")?.split_once(' ')).any(|(method, rest)| {
                let (path, status) = rest.split_once(' ').unwrap();
                method.eq_ignore_ascii_case(operation.method) && operation.is_at(path) && status.starts_with('2')
            });
        assert!(done, "the page does not do {} {}: {asked}", operation.method, operation.path);
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn the_receiver_of_the_page_for_python_hears_what_is_signed_and_nothing_else() {
    let gateway = Gateway::start().await;
    let Some(mut python) = python(&program(PAGE.split(RECEIVER).nth(1).unwrap())) else { return };
    let (port, said) = (free_port(), (Stdio::piped(), Stdio::null()));
    python.env("PORT", port.to_string()).env("EVENTS_SECRET", SECRET).stdout(said.0).stderr(said.1);
    let mut receiver = Running(python.spawn().unwrap());
    let mut lines = BufReader::new(receiver.0.stdout.take().unwrap()).lines();
    eventually("it listens", || async { TcpStream::connect(("127.0.0.1", port)).await.is_ok() }).await;
    let url = format!("http://127.0.0.1:{port}/events");
    let forged = reqwest::Client::builder().no_proxy().build().unwrap().request(Method::POST, &url);
    let forged = forged.header("callgate-timestamp", chrono::Utc::now().timestamp()).body("{}");
    assert_eq!(forged.header("callgate-signature", "v1=00").send().await.unwrap().status(), 401);

    let target = EventsTarget { url, secret: Secret::new(SECRET) };
    assert!(gateway.running.store().set_events_target(gateway.tenant.id, Some(target)).await.unwrap());
    let sid = sid();
    gateway.post("/exotel/voicebot", &incoming(&sid)).await;
    let line = actix_web::web::block(move || lines.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(line, format!("call.started {sid}"));
    drop(receiver);
    gateway.stop().await;
}
