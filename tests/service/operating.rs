//! The program as its operator meets it: files that are nobody else's, a terminal that obeys nobody, errors that name the mend.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use super::commands::{Folder, one_line};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o777
}

#[test]
fn nobody_else_on_the_machine_can_read_what_a_command_makes() {
    let folder = Folder::new();
    // The usual umask of a shell.
    let shell = |line: &str| {
        let line = format!("umask 022; {line}");
        let bin = env!("CARGO_BIN_EXE_callgate");
        let done = Command::new("sh").args(["-c", &line]).current_dir(&folder.0).env_clear().env("BIN", bin).output();
        let done = done.unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap() + &String::from_utf8(done.stderr).unwrap()
    };
    shell("$BIN client add --name Acme --number 08047112233");
    let key = "WEBHOOK_AUTH=key WEBHOOK_KEY=sixteen-letters-";
    assert!(!shell(&format!("{key} $BIN check --simulated-model")).contains("warn"));
    assert_eq!(mode(&folder.0.join("callgate.db")), 0o600);
    assert_eq!(mode(&folder.0.join("recordings")), 0o700);
    // What is older than this is told of.
    shell("chmod 644 callgate.db; chmod 755 recordings; echo DATABASE_URL=sqlite://callgate.db > .env");
    let told = shell(&format!("{key} $BIN check --simulated-model"));
    for named in ["callgate.db", "recordings", ".env"] {
        let warning = told.lines().find(|line| line.starts_with("warn") && line.contains(named));
        assert!(warning.is_some_and(|line| line.contains("every user") && line.contains("chmod")), "{named}: {told}");
    }
}

/// What a terminal would obey, hide or turn round.
const NASTY: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{7f}\u{8}\u{202e}\u{2066}\u{200b}\u{200e}\u{2028}\u{2029}\u{feff}\r\nfaked row";

#[test]
fn what_callers_models_and_carriers_say_is_printed_and_never_obeyed_by_the_terminal() {
    let folder = Folder::new();
    let name = format!("Acme {NASTY}");
    let mut seen = folder.said(&["client", "add", "--name", &name, "--number", "08047112233", "--greeting", NASTY]);
    let mut file = SqliteConnection::establish(&folder.0.join("callgate.db").display().to_string()).unwrap();
    let at = "'2026-01-01 00:00:00'";
    for row in [
        format!(
            "INSERT INTO calls (call_sid, client_id, status, ended_why, started_at) VALUES ('call1', 1, 'completed', '{NASTY}', {at})"
        ),
        format!(
            "INSERT INTO turns (call_id, \"index\", who, text, at_ms, heard_ms, generated_ms, interrupted) VALUES (1, 0, 'agent', '{NASTY}', 0, 1, 1, 0)"
        ),
        format!(
            "INSERT INTO recordings (call_id, source_url, status, error, created_at, updated_at) VALUES (1, '{NASTY}', 'failed', '{NASTY}', {at}, {at})"
        ),
        format!(
            "INSERT INTO jobs (kind, key, payload, status, attempts, run_at, last_error, created_at, updated_at) VALUES ('{NASTY}', '{NASTY}', '{{}}', 'failed', 1, {at}, '{NASTY}', {at}, {at})"
        ),
        format!(
            "INSERT INTO audit_log (at, kind, call_sid, remote_addr, request_id, outcome, payload) VALUES ({at}, '{NASTY}', 'call1', '{NASTY}', '{NASTY}', '{NASTY}', '{{}}')"
        ),
    ] {
        file.batch_execute(&row).unwrap();
    }
    let looks: [&[&str]; 7] = [
        &["calls"],
        &["calls", "call1"],
        &["audit", "list"],
        &["jobs"],
        &["jobs", "retry", "--all-failed"],
        &["client", "list"],
        &["client", "show", "1"],
    ];
    for words in looks {
        let said = folder.said(words);
        assert!(said.contains("\\u{1b}[2J") && said.contains("\\u{202e}"), "{words:?}: {said}");
        assert!(!said.lines().any(|line| line.starts_with("faked row")), "{words:?}: {said}");
        seen.push_str(&said);
    }
    seen.push_str(&folder.refused(&["calls", "--limit", NASTY], 64));
    seen.push_str(&folder.refused(&["client", "show", NASTY], 64));
    let output = folder.run(&["calls", NASTY]);
    seen.push_str(&String::from_utf8([output.stdout, output.stderr].concat()).unwrap());
    let obeyed = seen.chars().find(|character| {
        *character != '\n' && (character.is_control() || NASTY.contains(*character) && !character.is_ascii())
    });
    assert_eq!(obeyed, None, "{}", seen.escape_debug());
}

#[test]
fn reading_only_the_beginning_of_what_is_printed_is_no_failure() {
    let folder = Folder::new();
    folder.said(&["client", "list"]);
    let commands: [&[&str]; 4] = [&["client", "list"], &["calls"], &["--help"], &["--version"]];
    for words in commands {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = folder.command(words).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]), "{words:?}: {output:?}");
    }
}

#[test]
fn a_change_that_changes_nothing_is_refused() {
    let folder = Folder::new();
    folder.said(&["client", "add", "--name", "Acme", "--number", "08047112233"]);
    let error = folder.refused(&["client", "set", "08047112233"], 64);
    assert!(error.contains("say what to change") && error.contains("--greeting"), "{error}");
}

#[test]
fn a_voice_or_language_that_there_is_not_is_refused_before_a_caller_finds_out() {
    let folder = Folder::new();
    folder.said(&["client", "add", "--name", "Acme", "--number", "08047112233"]);
    for (flag, told, named) in [
        ("--voice", "doesnotexist", "marin"),
        ("--voice", "doesnotexist", "--unlisted-voice"),
        ("--unlisted-voice", "\u{1b}[2J", "64 letters"),
        ("--transcription-language", "hindi", "ISO 639-1"),
        ("--language", "hi_IN", "BCP 47"),
        ("--region", "IND", "two letters"),
        ("--max-concurrent=-1", "", "--max-concurrent -1"),
    ] {
        let words: Vec<&str> = ["client", "set", "1", flag, told].into_iter().filter(|word| !word.is_empty()).collect();
        let error = folder.refused(&words, 64);
        assert!(error.contains(named), "{error}");
    }
    let shown = folder.said(&["client", "set", "1", "--unlisted-voice", "tara", "--transcription-language", "EN-us"]);
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("voice tara") && shown.contains("callers are written down in en"), "{shown}");
    let emptied = folder.said(&["client", "set", "1", "--voice", "", "--transcription-language", ""]);
    assert!(emptied.contains("the model's default") && emptied.contains("what they speak"), "{emptied}");
}

#[test]
fn the_version_says_which_build_it_is() {
    let said = Folder::new().said(&["--version"]);
    let build = said.trim().strip_prefix(&format!("callgate {} (", env!("CARGO_PKG_VERSION")));
    assert!(build.is_some_and(|build| build.contains("commit ") && build.ends_with(')')), "{said}");
}

#[test]
fn a_slip_in_the_file_of_settings_is_told_with_what_was_meant_and_no_secret() {
    let folder = Folder::new();
    std::fs::write(
        folder.0.join(".env"),
        "WEBHOKO_KEY=hush-hush-hush\nADMIN_TOKEN=sixteen-letters-\nFOO_BAR_BAZ=hush\n",
    )
    .unwrap();
    let output = folder.command(&["client", "list"]).env("WEBHOKO_KEI", "hush").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("`WEBHOKO_KEY`") && said.contains("is WEBHOOK_KEY meant?"), "{said}");
    assert!(said.contains("`FOO_BAR_BAZ`") && !said.contains("WEBHOKO_KEI") && !said.contains("hush"), "{said}");

    std::fs::write(folder.0.join(".env"), "# keys\nWEBHOOK_KEY hush-hush-hush\n").unwrap();
    let error = folder.refused(&["client", "list"], 64);
    assert!(error.contains(".env: line 2 ") && error.contains("NAME=value") && !error.contains("hush"), "{error}");
}

#[test]
fn a_database_file_that_cannot_be_used_is_named_with_the_reason_and_the_mend() {
    let folder = Folder::new();
    let path = |name: &str| folder.0.join(name);
    std::fs::create_dir(path("folder")).unwrap();
    std::fs::write(path("text"), "this is no database, and never was one").unwrap();
    for (named, why) in [
        (path("missing/x.db"), "is not there: make it (mkdir -p"),
        (path("folder"), "it is a folder: let DATABASE_URL name a file in it"),
        (path("text"), "it is no SQLite database"),
        (path("text/x.db"), "is a file: make it one"),
    ] {
        let url = format!("sqlite://{}", named.display());
        let error = folder.refused(&["client", "list", "--database-url", &url], 1);
        assert!(error.contains(&url) && error.contains(why), "{error}");
    }
}

#[test]
fn a_database_file_of_somebody_elses_is_named_with_its_owner() {
    let folder = Folder::new();
    std::fs::create_dir(folder.0.join("theirs")).unwrap();
    std::fs::set_permissions(folder.0.join("theirs"), PermissionsExt::from_mode(0o555)).unwrap();
    std::fs::set_permissions(&folder.0, PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = folder.command(&["client", "list", "--database-url", "sqlite://theirs/x.db"]);
    if rustix::process::geteuid().is_root() {
        // Root may write everywhere: somebody else asks.
        std::os::unix::process::CommandExt::uid(&mut command, 65_534);
    }
    let error = one_line(&command.output().unwrap(), 1);
    assert!(error.contains("sqlite://theirs/x.db: its folder theirs may not be written to by user"), "{error}");
    assert!(error.contains("it belongs to user") && error.contains("chown"), "{error}");
}

#[test]
fn a_secret_for_a_clients_events_may_come_by_file_or_standard_input() {
    let folder = Folder::new();
    folder.said(&[
        "client",
        "add",
        "--name",
        "Acme",
        "--number",
        "08047112233",
        "--events-url",
        "https://crm.example/x",
    ]);
    std::fs::write(folder.0.join("secret"), "sixteen-letters-\n").unwrap();
    let said = folder.said(&["client", "set", "08047112233", "--events-secret-file", "secret"]);
    assert!(said.contains("signed with its secret") && !said.contains("sixteen"), "{said}");
    let from = std::fs::File::open(folder.0.join("secret")).unwrap();
    let by_input = folder.command(&["client", "set", "08047112233", "--events-secret-file", "-"]).stdin(from).output();
    assert!(by_input.unwrap().status.success());
    let error = folder.refused(&["client", "set", "08047112233", "--events-secret-file", "nowhere"], 64);
    assert!(error.contains("--events-secret-file: nowhere cannot be read"), "{error}");
}

#[test]
fn what_an_update_would_stumble_over_is_told_at_once() {
    let folder = Folder::new();
    let private = folder.command(&[
        "client",
        "add",
        "--name",
        "Acme",
        "--number",
        "08047112233",
        "--events-url",
        "http://10.0.0.7/x",
    ]);
    let mut private = private;
    let added = private.env("PRIVATE_HOSTS", "10.0.0.7").output().unwrap();
    assert!(added.status.success(), "{added:?}");
    let words =
        ["check", "--webhook-auth", "key", "--webhook-key", "old-key", "--admin-token", "old", "--max-calls", "0"];
    let output = folder.run(&words);
    let (said, error) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!((output.status.code(), error.lines().count()), (Some(64), 4), "{error}");
    for named in ["WEBHOOK_KEY", "ADMIN_TOKEN", "MAX_CALLS", "OPENAI_API_KEY"] {
        let line = said.lines().find(|line| line.starts_with("FAIL  settings") && line.contains(named));
        let told = error.lines().any(|line| line.starts_with(&format!("callgate: {named}: ")));
        assert!(line.is_some() && told, "{named}: {said}{error}");
    }
    let events = said.lines().find(|line| line.starts_with("FAIL  events")).expect(&said);
    assert!(
        events.contains("Acme") && events.contains("http://10.0.0.7/x") && events.contains("PRIVATE_HOSTS"),
        "{events}"
    );
}
