//! Every command of every page is run: each page is one shell script in a folder of its own, which has the record of a call.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use super::page::{Page, pages, root};
use super::port::free_port;

/// Commands that are not run here, by how their line begins, and why.
const NOT_HERE: [(&str, &str); 8] = [
    ("make ", "builds, or serves for ever: tools/newcomer.sh does both as the README has them"),
    ("tools/setup.sh", "installs Debian packages: what makes these tests has run it"),
    ("cargo ", "builds what the tests were built from"),
    ("docker ", "there is none where tests run"),
    ("cloudflared ", "a tunnel through somebody else's servers"),
    ("ngrok ", "the same"),
    ("ffmpeg ", "another program, and not one that callgate needs"),
    ("ffplay ", "the same, and it wants loudspeakers"),
];
/// Pages that a test of their own runs, since they need servers beside the gateway or say what comes back.
const ELSEWHERE: [(&str, &str); 5] = [
    ("docs/webhooks.md", "tests/service/page.rs"),
    ("docs/webhooks-flow.md", "tests/service/page.rs"),
    ("docs/api.md", "tests/service/page.rs"),
    ("docs/agent.md", "tests/calls/clinic.rs"),
    ("docs/transfers.md", "tests/calls/handover.rs"),
];
/// What pages call a call of the reader's.
const CALL: &str = "CALL_SID";
/// The one that there is.
const RANG: &str = "rang";
/// A page whose commands take longer is none that somebody reads.
const LONGEST_SECS: &str = "120";
/// What is less here than on the page of load tests: no machine that runs tests carries what a gateway does, nor in time.
const LESS: [(&str, &str); 6] = [
    ("callgate load --", "callgate load --void-over 600000 --ramp 0.2 --"),
    ("--calls 300 --secs 20", "--calls 3 --secs 1"),
    ("--p99 10 --first-audio 400", "--p99 600000 --first-audio 600000 --refusals 100%"),
    ("--calls 50 --max 2000 --step-secs 20", "--calls 2 --max 3 --step-secs 1"),
    ("compare monday.json tuesday.json", "compare monday.json monday.json"),
    ("MAX_CALLS=3000", "MAX_CALLS=100"),
];
/// Said before each page's own: where a line failed, how a gateway is waited for, and that a metric which is not there yet is none to look at.
const PRELUDE: &str = r#"set -Eeuo pipefail
trap 'echo "FAILED: $BASH_COMMAND"' ERR
ready() { curl -s -o ready --retry 60 --retry-delay 1 --retry-connrefused "$BASE/readyz"; }
grep() { command grep "$@" || [ $? -eq 1 ]; }
"#;

/// A folder with the ports of what runs in it; all of it is gone with it.
struct Desk {
    folder: PathBuf,
    /// Of the gateway, of a model, of a function's endpoint.
    ports: [u16; 3],
}

impl Desk {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("callgate-docs-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder, ports: [free_port(), free_port(), free_port()] }
    }

    /// With all that another one has.
    fn like(other: &Self) -> Self {
        let desk = Self::new();
        let copied = Command::new("cp").arg("-a").arg(other.folder.join(".")).arg(&desk.folder).status();
        assert!(copied.unwrap().success());
        desk
    }

    fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// What a page says, with the addresses of this desk.
    fn here(&self, text: &str) -> String {
        let [gateway, model, endpoint] = self.ports.map(|port| port.to_string());
        let text = text.replace("https://YOUR-HOST", &self.base()).replace("localhost:8080", "127.0.0.1:8080");
        let text = LESS.iter().fold(text, |text, (more, less)| text.replace(more, less));
        // One of these ports may hold the digits of another's place.
        let text = text.replace("8080", "<gateway>").replace("8090", "<model>").replace("8092", "<endpoint>");
        let text = text.replace("<gateway>", &gateway).replace("<model>", &model).replace("<endpoint>", &endpoint);
        text.replace(CALL, RANG)
    }

    /// Runs a script; what it said, if it fails.
    fn run(&self, script: &str, model: u16) -> Result<(), String> {
        std::fs::write(self.folder.join("page.sh"), script).unwrap();
        let said = std::fs::File::create(self.folder.join("said")).unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_callgate")).parent().unwrap().display();
        let path = format!("{program}:{}", std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("timeout");
        command.args([LONGEST_SECS, "bash", "page.sh"]).current_dir(&self.folder).env_clear().env("PATH", path);
        command
            .env("HOST", "127.0.0.1")
            .env("PORT", self.ports[0].to_string())
            .env("WORKERS", "1")
            .env("NO_PROXY", "*");
        command.env("REALTIME_URL", format!("ws://127.0.0.1:{model}/v1/realtime")).env("OPENAI_API_KEY", "any");
        command.env("WEBHOOK_AUTH", "key").env("PUBLIC_BASE_URL", self.base()).env("BASE", self.base());
        for (name, secret) in [("WEBHOOK_KEY", "hook-key-of-tests"), ("ADMIN_TOKEN", "admin-token-of-tests")] {
            command.env(name, secret);
        }
        command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
        let mut child = command.spawn().unwrap();
        let status = child.wait().unwrap();
        // `timeout` leads a group of its own: whatever the page left running is in it.
        let group = format!("-{}", child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let said = String::from_utf8_lossy(&std::fs::read(self.folder.join("said")).unwrap()).into_owned();
        if status.success() { Ok(()) } else { Err(format!("{status}: {said}")) }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A client, a recorded call that is over, and its record.
fn prepared(model: u16) -> Desk {
    let desk = Desk::new();
    let script = format!(
        "{PRELUDE}
callgate client add --name 'Rose Clinic' --number 08047119999 --greeting 'Welcome.' --language en-IN --recording on
callgate serve >serve.log 2>&1 &
ready
callgate simulate call --gateway \"$BASE\" --to 08047119999 --call-sid {RANG}
until callgate calls {RANG} --json | command grep -q '\"ended_code\": *\"'; do sleep 0.2; done
kill %1
wait
"
    );
    desk.run(&script, model).expect("a call to look at");
    desk
}

/// The commands of a page as one script; none if there is nothing to run.
fn script(page: &Page, desk: &Desk) -> Option<String> {
    let blocks: Vec<_> = page.blocks().into_iter().filter(|block| block.language == "sh").collect();
    let (mut script, mut skips) = (String::new(), false);
    for line in blocks.iter().flat_map(|block| block.text.lines()) {
        let skipped = skips || NOT_HERE.iter().any(|(begins, _)| line.starts_with(begins));
        // A line that goes on is one command.
        skips = skipped && line.ends_with('\\');
        match line {
            _ if skipped => {}
            // It serves until its reader ends it: the lines behind it are for another terminal.
            "callgate serve" => script += "callgate serve >serve.log 2>&1 &\nready\n",
            line => script.extend([line, "\n"]),
        }
    }
    if script.trim().is_empty() {
        return None;
    }
    let mut before = PRELUDE.to_owned();
    if !script.contains("client add") && !script.contains("client apply") {
        before +=
            "callgate client add --name 'Lotus Clinic' --number 08047112233 --greeting 'Hello.' --language en-IN\n";
    }
    let asks = ["localhost:8080", "$BASE", "$PUBLIC_BASE_URL"].iter().any(|address| script.contains(address));
    if asks && !script.contains("callgate serve") {
        before += "callgate serve >serve.log 2>&1 &\nready\n";
    }
    Some(before + &desk.here(&script))
}

/// A model that plays for all pages.
struct Model {
    child: std::process::Child,
    port: u16,
}

impl Model {
    fn start() -> Self {
        let port = free_port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
        command.args(["simulate", "model", "--port", &port.to_string()]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { child, port }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_command_of_every_page_runs() {
    let model = Model::start();
    let prepared = prepared(model.port);
    let elsewhere = |page: &Page| ELSEWHERE.iter().any(|(path, _)| *path == page.path);
    let waiting = Mutex::new(pages().into_iter().filter(|page| !elsewhere(page)).collect::<Vec<_>>());
    let (failed, ran) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let work = || {
        while let Some(page) = { waiting.lock().unwrap().pop() } {
            let desk = Desk::like(&prepared);
            let Some(script) = script(&page, &desk) else { continue };
            if let Err(said) = desk.run(&script, model.port) {
                failed.lock().unwrap().push(format!("{}: {said}", page.path));
            }
            ran.lock().unwrap().push(page.path);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    let ran = ran.into_inner().unwrap();
    assert!(ran.len() > 20, "{ran:?}");
}

#[test]
fn what_is_not_run_here_stands_in_a_page_and_what_is_run_elsewhere_is() {
    let pages = pages();
    let commands: Vec<String> = pages
        .iter()
        .flat_map(Page::blocks)
        .filter(|block| block.language == "sh")
        .flat_map(|block| block.text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    for (begins, why) in NOT_HERE {
        assert!(commands.iter().any(|line| line.starts_with(begins)), "no page has `{begins}` any more ({why})");
    }
    for (path, test) in ELSEWHERE {
        let source = std::fs::read_to_string(root().join(test)).unwrap();
        assert!(source.contains(path), "{test} does not run {path}");
    }
}

/// Which commands and flags sentences name: `callgate client set NUMBER --region SG` is `client set`, with `--region`.
fn named(span: &str) -> Option<(String, Vec<String>)> {
    let words: Vec<&str> = span.strip_prefix("callgate ")?.split_whitespace().collect();
    let lower =
        |word: &&&str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') && !word.starts_with('-');
    let command: Vec<&str> = words.iter().take_while(lower).copied().collect();
    let flags = words.iter().filter(|word| word.starts_with("--"));
    let flags = flags.map(|flag| flag.split(['=', '…']).next().unwrap().to_owned()).collect();
    Some((command.join(" "), flags))
}

#[test]
fn every_command_that_a_sentence_names_is_one_with_these_flags() {
    let mut helps: BTreeMap<String, String> = BTreeMap::new();
    let (mut wrong, mut looked) = (Vec::new(), 0);
    // The changelog also tells of what there was.
    for page in pages().iter().filter(|page| page.path != "CHANGELOG.md") {
        for (command, flags) in page.spans().into_iter().filter_map(named) {
            let help = helps.entry(command.clone()).or_insert_with(|| {
                let mut asked = Command::new(env!("CARGO_BIN_EXE_callgate"));
                let told = asked.args(command.split_whitespace()).arg("--help").env_clear().output().unwrap();
                if told.status.success() { String::from_utf8_lossy(&told.stdout).into_owned() } else { String::new() }
            });
            looked += 1;
            if help.is_empty() {
                wrong.push(format!("{}: there is no `callgate {command}`", page.path));
            }
            let unknown = flags.iter().filter(|flag| !help.contains(flag.as_str()));
            wrong.extend(unknown.map(|flag| format!("{}: `callgate {command}` has no {flag}", page.path)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(looked > 30, "{looked}");
}
