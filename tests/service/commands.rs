//! The program at the command line: settings, clients, exit codes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// A working folder of its own, gone with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("callgate-commands-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
        command.args(words).current_dir(&self.0).env_clear();
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Runs a command that must succeed, and answers with what it printed.
    pub(crate) fn said(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must fail with one line, and answers with that line.
    pub(crate) fn refused(&self, words: &[&str], code: i32) -> String {
        one_line(&self.run(words), code)
    }

    fn has(&self, file: &str) -> bool {
        Path::exists(&self.0.join(file))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn one_line(output: &Output, code: i32) -> String {
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert_eq!(error.trim_end().lines().count(), 1, "{error}");
    error
}

#[test]
fn a_flag_wins_over_the_environment_and_the_environment_over_the_file() {
    let folder = Folder::new();
    std::fs::write(folder.0.join(".env"), "DATABASE_URL=sqlite://file.db\n").unwrap();
    folder.said(&["client", "list"]);
    assert!(folder.has("file.db") && !folder.has("callgate.db"));
    let with_env = |words: &[&str]| folder.command(words).env("DATABASE_URL", "sqlite://env.db").output().unwrap();
    assert!(with_env(&["client", "list"]).status.success());
    assert!(folder.has("env.db"));
    assert!(with_env(&["client", "list", "--database-url", "sqlite://flag.db"]).status.success());
    assert!(folder.has("flag.db"));
}

#[test]
fn a_file_of_settings_that_cannot_be_read_is_named_without_its_secrets() {
    let folder = Folder::new();
    std::fs::write(folder.0.join(".env"), "ADMIN_TOKEN='hush\n").unwrap();
    let error = folder.refused(&["client", "list"], 64);
    assert!(error.contains(".env") && error.contains("ADMIN_TOKEN") && !error.contains("hush"), "{error}");
}

#[test]
fn every_setting_that_is_wrong_or_missing_has_a_line_of_its_own() {
    let folder = Folder::new();
    std::fs::write(folder.0.join("admin"), "short").unwrap();
    let words = [
        "--host",
        "a b",
        "--port",
        "http",
        "--admin-port",
        "x",
        "--realtime-url",
        "https://x",
        "--realtime-audio",
        "mp3",
    ];
    let more = ["--recordings-url", "x", "--recording-format", "mp3", "--rust-log", "a=b=c", "--log-format", "xml"];
    let files = ["--admin-token-file", "admin", "--webhook-key-file", "nowhere", "--secrets-key-old", "short"];
    let all = [&["serve"][..], &words, &more, &files].concat();
    let output = folder.run(&all);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{error}");
    let named = |line: &str| {
        line.strip_prefix("callgate: ").and_then(|rest| rest.split_once(": ")).map(|told| told.0.to_owned())
    };
    let names: Vec<String> = error.lines().map(|line| named(line).unwrap_or_else(|| panic!("{line}"))).collect();
    let wrong = [
        "WEBHOOK_KEY_FILE",
        "HOST",
        "PORT",
        "ADMIN_PORT",
        "REALTIME_URL",
        "REALTIME_AUDIO",
        "EXOTEL_API_TOKEN",
        "RECORDINGS_URL",
        "RECORDING_FORMAT",
        "ADMIN_TOKEN",
        "SECRETS_KEY_OLD",
        "LOG_FORMAT",
        "RUST_LOG",
    ];
    assert_eq!(names, wrong, "{error}");
    // What is missing has its line as well.
    let output = folder.run(&["serve"]);
    let error = String::from_utf8(output.stderr).unwrap();
    let names: Vec<Option<String>> = error.lines().map(named).collect();
    assert_eq!(
        (output.status.code(), names),
        (Some(64), vec![Some("EXOTEL_API_TOKEN".into()), Some("OPENAI_API_KEY".into())])
    );
}

#[test]
fn a_command_that_reads_some_settings_tells_all_of_them_that_are_wrong() {
    let folder = Folder::new();
    std::fs::write(folder.0.join("value"), "hush-hush").unwrap();
    std::fs::write(folder.0.join("agent.toml"), "name = \"Acme\"").unwrap();
    let commands: [(&[&str], &[&str]); 4] = [
        (&["secret", "set", "1", "CRM", "--file", "value"], &["SECRETS_KEY", "SECRETS_KEY_OLD", "DATABASE_URL"]),
        (&["secret", "reseal"], &["SECRETS_KEY", "SECRETS_KEY_OLD", "DATABASE_URL"]),
        (&["tool", "test", "1", "book"], &["PRIVATE_HOSTS", "SECRETS_KEY", "SECRETS_KEY_OLD", "DATABASE_URL"]),
        (&["client", "apply", "agent.toml"], &["PRIVATE_HOSTS", "DATABASE_URL"]),
    ];
    for (words, wrong) in commands {
        let mut command = folder.command(words);
        command.env("SECRETS_KEY", "short").env("SECRETS_KEY_OLD", "short").env("PRIVATE_HOSTS", "a b");
        let output = command.env("DATABASE_URL", "mysql://x").output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        let names = error.lines().map(|line| line.split(": ").nth(1).unwrap());
        assert_eq!((output.status.code(), names.collect::<Vec<_>>().as_slice()), (Some(64), wrong), "{error}");
    }
}

#[test]
fn each_line_of_env_that_is_not_understood_is_told() {
    let folder = Folder::new();
    std::fs::write(folder.0.join(".env"), "PORT 80\nHOST=127.0.0.1\nMAX_CALLS=1 2\n").unwrap();
    let output = folder.run(&["client", "list"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), error.lines().count()), (Some(64), 2), "{error}");
    assert!(error.contains("line 1 is not understood") && error.contains("line 3 (`MAX_CALLS`)"), "{error}");
}

#[test]
fn what_is_wrong_or_missing_is_one_line_and_exit_64() {
    let folder = Folder::new();
    let cases: [(&[&str], &str); 13] = [
        (&["check", "--port", "http", "--simulated-model", "--exotel-api-token", "sixteen-letters-"], "PORT"),
        (&["serve", "--simulated-model"], "EXOTEL_API_TOKEN"),
        (&["serve", "--webhook-auth", "key", "--webhook-key", "sixteen-letters-"], "OPENAI_API_KEY"),
        (&["serve", "--simulated-model", "--webhook-auth", "key", "--webhook-key", "guess"], "WEBHOOK_KEY"),
        (&["config", "--admin-token", "aaaaaaaaaaaaaaaaaaaaaaaa"], "ADMIN_TOKEN"),
        (&["serve", "--simulated-model", "--webhook-auth", "none"], "WEBHOOK_AUTH"),
        (&["client", "list", "--database-url", "mysql://x"], "DATABASE_URL"),
        (&["client", "add", "--name", "Acme"], "--number"),
        (&["client", "add", "--name", "Acme", "--number", "12"], "12"),
        (&["config", "--audit-numbers", "half"], "AUDIT_NUMBERS"),
        (&["config", "--prices", "prices.json"], "PRICES"),
        (&["serve", "--no-such-flag"], "--no-such-flag"),
        (&[], "--help"),
    ];
    for (words, named) in cases {
        let error = folder.refused(words, 64);
        assert!(error.contains(named), "{words:?}: {error}");
    }
}

#[test]
fn a_clients_secret_is_shown_once_and_its_events_are_where_it_wants_them() {
    let folder = Folder::new();
    let url = "https://crm.example/callgate";
    let added = folder.said(&["client", "add", "--name", "Acme", "--number", "08047112233", "--events-url", url]);
    let secret = added.split("whsec_").nth(1).expect("a secret").split_whitespace().next().unwrap().to_owned();
    assert_eq!(secret.len(), 64);
    let shown = folder.said(&["client", "show", "08047112233"]);
    assert!(shown.contains(url) && shown.contains("signed") && !shown.contains(&secret), "{shown}");
    // Another address keeps the secret; none is shown again.
    let moved = folder.said(&["client", "set", "08047112233", "--events-url", "https://b.example/x"]);
    assert!(moved.contains("https://b.example/x") && !moved.contains("whsec_"), "{moved}");
    let own = ["client", "set", "08047112233", "--events-secret", "sixteen-letters-"];
    assert!(!folder.said(&own).contains("sixteen-letters-"));
    let off = folder.said(&["client", "set", "08047112233", "--events-url", ""]);
    assert!(off.contains("not told") && !off.contains("b.example"), "{off}");
    for (words, named) in [
        (["--events-url", "http://crm.example"], "https"),
        (["--events-secret", "short"], "16"),
        (["--events-secret", "sixteen-letters-"], "--events-url"),
    ] {
        let error = folder.refused(&["client", "set", "08047112233", words[0], words[1]], 64);
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn what_is_to_be_done_can_be_listed() {
    let folder = Folder::new();
    folder.said(&["client", "list"]);
    assert!(folder.said(&["jobs"]).contains("Nothing is to be done"));
    assert!(folder.said(&["jobs", "--all", "--limit", "3", "--before", "9"]).contains("Nothing"));
}

#[test]
fn a_start_that_fails_is_exit_1() {
    let folder = Folder::new();
    let error = folder.refused(&["client", "list", "--database-url", "sqlite:///nowhere/at/all.db"], 1);
    assert_eq!(error.matches("the database is away").count(), 1, "{error}");
    assert!(error.contains("sqlite:///nowhere/at/all.db: its folder /nowhere/at is not there: make it"), "{error}");
}

#[test]
fn looking_into_a_database_that_is_not_there_says_so_and_makes_none() {
    let folder = Folder::new();
    let looks: [&[&str]; 5] = [
        &["calls"],
        &["calls", "abc"],
        &["jobs"],
        &["audit", "verify"],
        &["jobs", "--database-url", "sqlite://callgate.db"],
    ];
    for words in looks {
        let error = folder.refused(words, 1);
        assert!(error.contains("no database at sqlite://callgate.db") && error.contains("DATABASE_URL"), "{error}");
        assert!(!folder.has("callgate.db"), "{words:?}");
    }
}

#[test]
fn a_client_abroad_has_its_region_and_its_time_zone() {
    let folder = Folder::new();
    let add = [
        "client",
        "add",
        "--name",
        "Acme",
        "--number",
        "+6561234567",
        "--region",
        "sg",
        "--time-zone",
        "Asia/Singapore",
    ];
    let added = folder.said(&add);
    assert!(added.contains("SG") && added.contains("Asia/Singapore"), "{added}");
    let moved = folder.said(&["client", "set", "+6561234567", "--region", "MY", "--time-zone", "Asia/Kuala_Lumpur"]);
    assert!(moved.contains("MY") && moved.contains("Asia/Kuala_Lumpur"), "{moved}");
    for (flag, told) in [("--region", "XX"), ("--time-zone", "IST"), ("--language", "english please")] {
        let error = folder.refused(&["client", "set", "+6561234567", flag, told], 64);
        assert!(error.contains(flag) && error.contains(told), "{error}");
    }
}

#[test]
fn help_tells_every_setting_with_its_variable_and_default() {
    let help = Folder::new().said(&["serve", "--help"]);
    for (name, default) in [
        ("HOST", "0.0.0.0"),
        ("PORT", "8080"),
        ("PUBLIC_BASE_URL", "localhost"),
        ("DATABASE_URL", "sqlite://callgate.db"),
        ("OPENAI_API_KEY", ""),
        ("REALTIME_URL", "wss://api.openai.com/v1/realtime"),
        ("REALTIME_MODEL", "gpt-realtime-2.1"),
        ("REALTIME_AUDIO", "pcm24k"),
        ("PRICES", "list prices"),
        ("EXOTEL_API_KEY", ""),
        ("EXOTEL_API_TOKEN", ""),
        ("EXOTEL_ACCOUNT_SID", ""),
        ("WEBHOOK_AUTH", "signature"),
        ("WEBHOOK_KEY", ""),
        ("ALLOWED_IPS", "any"),
        ("TRUSTED_PROXIES", ""),
        ("WEBHOOK_DEADLINE_MS", "2000"),
        ("RECORDINGS_URL", "file://./recordings"),
        ("SPOOL_DIR", "./spool"),
        ("RECORDING_FORMAT", "auto"),
        ("CLIPS_DIR", "./clips"),
        ("OUTCOME_URL", "OpenAI's"),
        ("OUTCOME_API_KEY", ""),
        ("OUTCOME_MODEL", "gpt-5-mini"),
        ("RECORDING_HOSTS", "exotel.com"),
        ("RECORDING_MAX_MIB", "512"),
        ("NODE_NAME", "host's name"),
        ("MAX_CALLS", "1000"),
        ("MAX_CALL_SECS", "3300"),
        ("DRAIN_SECS", "3300"),
        ("ADMIN_TOKEN", ""),
        ("AUDIT_NUMBERS", "full"),
        ("LOG_FORMAT", "auto"),
        ("RUST_LOG", "info"),
    ] {
        let flag = format!("--{}", name.to_ascii_lowercase().replace('_', "-"));
        let told = help.contains(&flag) && help.contains(&format!("[env: {name}]")) && help.contains(default);
        assert!(told, "{name}");
    }
}

#[test]
fn a_client_is_added_shown_changed_and_disabled_under_any_spelling_of_its_number() {
    let folder = Folder::new();
    let add =
        ["client", "add", "--name", "Acme", "--number", "080 4711-2233", "--language", "hi-IN", "--recording", "on"];
    folder.said(&add);
    let shown = folder.said(&["client", "show", "+918047112233"]);
    for word in ["Acme", "+918047112233", "hi-IN"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    folder.said(&["client", "set", "918047112233", "--greeting", "Namaste", "--max-concurrent", "5"]);
    assert!(folder.said(&["client", "show", "8047112233"]).contains("Namaste"));
    folder.said(&["client", "disable", "08047112233"]);
    assert!(folder.said(&["client", "list"]).contains("Acme"));
    let taken = folder.refused(&add, 1);
    assert!(taken.contains("Acme"), "{taken}");
}

#[test]
fn what_is_not_there_is_one_line_and_exit_1() {
    let folder = Folder::new();
    folder.refused(&["client", "show", "+918047112233"], 1);
    folder.refused(&["client", "disable", "+918047112233"], 1);
    assert_eq!(folder.run(&["calls", "nosuchcall"]).status.code(), Some(1));
    folder.said(&["calls"]);
}

#[test]
fn an_audit_log_that_was_tampered_with_is_named_and_exit_1() {
    use diesel::connection::SimpleConnection;
    use diesel::{Connection, SqliteConnection};

    let folder = Folder::new();
    folder.said(&["client", "list"]);
    assert!(folder.said(&["audit", "verify"]).contains("no chained entries yet"));
    assert!(folder.said(&["audit", "list"]).contains("Nothing"));
    let mut file = SqliteConnection::establish(&folder.0.join("callgate.db").display().to_string()).unwrap();
    file.batch_execute("INSERT INTO audit_log (at, kind, outcome, payload, prev_hash, hash) VALUES ('2026-01-01 00:00:00', 'webhook.call-end', 'ok', '{}', '00', 'ff')").unwrap();
    assert!(folder.said(&["audit", "list"]).contains("webhook.call-end"));
    let output = folder.run(&["audit", "verify"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("row 1 was changed"), "{said}");
}

const CLINIC: &str = r#"
name = "City Clinic"
numbers = ["080 4711 2233", "08047112234"]

[agent]
greeting = "Welcome, {{caller}}."
instructions_file = "clinic.txt"
voice = "marin"

[[tools]]
name = "book_slot"
description = "Books a slot."
url = "https://clinic.example/book"
effect = "write"
headers = { Authorization = "secret:CRM_KEY" }
parameters = { type = "object", properties = { day = { type = "string" } } }
"#;

#[test]
fn one_file_makes_a_client_and_changes_nothing_when_it_is_applied_again() {
    let folder = Folder::new();
    let write = |name: &str, text: &str| std::fs::write(folder.0.join(name), text).unwrap();
    write("clinic.txt", "You answer the phone of a clinic.\nIt is {{now}}.");
    write("agent.toml", CLINIC);
    let dry = folder.said(&["client", "apply", "agent.toml", "--dry-run"]);
    assert!(dry.contains("+ agent.greeting = \"Welcome, {{caller}}.\"") && dry.contains("a new client"), "{dry}");
    assert!(folder.said(&["client", "list"]).contains("No clients yet"));
    let applied = folder.said(&["client", "apply", "agent.toml"]);
    assert!(applied.contains("client 1 (City Clinic): applied"), "{applied}");
    assert!(applied.contains("CRM_KEY"), "{applied}");
    assert!(folder.said(&["client", "apply", "agent.toml"]).contains("nothing to change"));
    for number in ["08047112233", "+91 80471 12234"] {
        assert!(folder.said(&["client", "show", number]).contains("City Clinic"), "{number}");
    }
    let exported = folder.said(&["client", "export", "08047112234"]);
    write("exported.toml", &exported);
    assert!(folder.said(&["client", "apply", "exported.toml"]).contains("nothing to change"), "{exported}");
    write("changed.toml", &exported.replace("marin", "cedar"));
    let dry = folder.said(&["client", "apply", "changed.toml", "--dry-run"]);
    assert!(dry.contains("~ agent.voice = \"cedar\" (was \"marin\")") && dry.contains("1 changes, none"), "{dry}");
}

#[test]
fn what_client_add_made_is_a_file_and_a_file_with_mistakes_is_refused_with_their_lines() {
    let folder = Folder::new();
    folder.said(&[
        "client",
        "add",
        "--name",
        "Acme \"A\"",
        "--number",
        "08047112233",
        "--unlisted-voice",
        "Asha v2",
        "--recording",
        "on",
    ]);
    let exported = folder.said(&["client", "export", "08047112233"]);
    std::fs::write(folder.0.join("agent.toml"), &exported).unwrap();
    assert!(folder.said(&["client", "apply", "agent.toml"]).contains("nothing to change"), "{exported}");
    let wrong = format!("{exported}\n[keypad]\nsecret = \"sometimes\"\n\n[[tools]]\nname = \"a b\"\n");
    std::fs::write(folder.0.join("wrong.toml"), &wrong).unwrap();
    let output = folder.run(&["client", "apply", "wrong.toml"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64));
    let lines: Vec<&str> = error.lines().collect();
    let line = |of: &str| wrong.lines().position(|line| line == of).unwrap() + 1;
    let expected = format!("callgate: wrong.toml, line {}: keypad.secret", line("secret = \"sometimes\""));
    assert!(lines[0].starts_with(&expected), "{error}");
    assert!(
        error.contains(&format!("wrong.toml, line {}: tools[0].name is no name", line("name = \"a b\""))),
        "{error}"
    );
    assert!(
        error.contains("tools[0].url is missing") && lines.last().unwrap().contains("nothing was applied"),
        "{error}"
    );
    folder.refused(&["client", "apply", "nowhere.toml"], 64);
}

#[test]
fn a_secret_is_sealed_and_without_the_key_nothing_is_served_while_it_is_stored() {
    let folder = Folder::new();
    folder.said(&["client", "add", "--name", "Acme", "--number", "08047112233"]);
    std::fs::write(folder.0.join("value"), "hush-hush\n").unwrap();
    let set = |name: &str, envs: &[(&str, &str)]| {
        let words = ["secret", "set", "08047112233", name, "--file", "value"];
        folder.command(&words).envs(envs.iter().copied()).output().unwrap()
    };
    let (first, second) = ("0123456789-0123456789-0123456789", "abcdefghij-abcdefghij-abcdefghij");
    assert!(one_line(&set("CRM", &[]), 64).contains("SECRETS_KEY"));
    assert!(one_line(&set("CRM", &[("SECRETS_KEY", "0123456789-0123456789")]), 64).contains("32 characters"));
    assert!(set("CRM", &[("SECRETS_KEY", first)]).status.success());
    assert_eq!(folder.said(&["secret", "list", "1"]), "CRM\n");
    let kept = std::fs::read(folder.0.join("callgate.db")).unwrap();
    assert!(!kept.windows(9).any(|bytes| bytes == b"hush-hush"));

    let serve =
        ["serve", "--port", "0", "--webhook-auth", "key", "--webhook-key", "sixteen-letters-", "--simulated-model"];
    let refused = |envs: &[(&str, &str)]| {
        let output = folder.command(&serve).env("RUST_LOG", "off").envs(envs.iter().copied()).output().unwrap();
        one_line(&output, 64)
    };
    assert!(refused(&[]).contains("SECRETS_KEY: not set"));
    assert!(refused(&[("SECRETS_KEY", second)]).contains("SECRETS_KEY_OLD"));
    let reseal =
        folder.command(&["secret", "reseal"]).env("SECRETS_KEY", second).env("SECRETS_KEY_OLD", first).output();
    assert!(String::from_utf8(reseal.unwrap().stdout).unwrap().starts_with("1 secrets are sealed"));
    assert!(refused(&[("SECRETS_KEY", first)]).contains("CRM was sealed with another key"));
    folder.said(&["secret", "remove", "1", "CRM"]);
    folder.refused(&["secret", "remove", "1", "CRM"], 1);
    let made = folder.said(&["client", "token", "create", "1"]);
    assert!(made.contains("shown this once: cgct_"), "{made}");
    assert!(folder.said(&["client", "token", "list", "1"]).contains('1'));
    folder.said(&["client", "token", "revoke", "1", "1"]);
    folder.refused(&["client", "token", "revoke", "1", "1"], 1);
}

#[test]
fn a_shell_completes_commands_and_flags() {
    let folder = Folder::new();
    let bash = folder.said(&["completions", "bash"]);
    std::fs::write(folder.0.join("callgate.bash"), bash).unwrap();
    let completed = |words: &str, word: &str, before: &str| {
        let script = format!(
            "source callgate.bash; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _callgate callgate '{word}' '{before}'; echo \"${{COMPREPLY[@]}}\""
        );
        let output = Command::new("bash").args(["-c", &script]).current_dir(&folder.0).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(completed("callgate conf", "conf", "callgate"), "config\n");
    assert_eq!(completed("callgate serve --drain", "--drain", "serve"), "--drain-secs\n");
    assert!(folder.said(&["completions", "zsh"]).starts_with("#compdef callgate"));
    assert!(folder.said(&["completions", "fish"]).contains("complete -c callgate"));
    // A shell may start in any folder.
    std::fs::write(folder.0.join(".env"), "no line of ours\nNODE_ENV=x\n").unwrap();
    for words in [&["completions", "bash"][..], &["man"], &["--version"], &["--help"]] {
        let output = folder.run(words);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
    assert!(folder.refused(&["completions", "csh"], 64).contains("csh"));
}

#[test]
fn every_command_has_a_manual_page_that_names_settings_and_no_values() {
    let folder = Folder::new();
    assert!(folder.said(&["man"]).contains(".TH callgate 1"));
    let written = folder.command(&["man", "--out", "pages/man1"]).env("ADMIN_TOKEN", "hush").output().unwrap();
    assert!(written.status.success(), "{written:?}");
    let page = |name: &str| std::fs::read_to_string(folder.0.join("pages/man1").join(name)).unwrap();
    let serve = page("callgate-serve.1");
    assert!(serve.contains("ADMIN_TOKEN") && serve.contains("DRAIN_SECS") && !serve.contains("hush"), "{serve}");
    for name in ["callgate.1", "callgate-config.1", "callgate-client-add.1", "callgate-client-token-create.1"] {
        assert!(page(name).contains(".SH SYNOPSIS"), "{name}");
    }
    let error = folder.refused(&["man", "--out", "/proc/nowhere"], 1);
    assert!(error.contains("/proc/nowhere"), "{error}");
}
