//! Which build this is, for `--version`: the commit and its date.
//!
//! `CALLGATE_COMMIT` wins, for builds outside a checkout (the Dockerfile's). A source archive carries it in `.commit`, which `git archive`
//! fills in. A release build asks git, again after each commit. A debug build asks once: being built anew for every commit would cost its
//! user minutes a day.

use std::process::Command;

/// In a checkout, the words that `git archive` replaces; their signs are not plain.
const ARCHIVED: &str = ".commit";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={ARCHIVED}");
    println!("cargo::rerun-if-env-changed=CALLGATE_COMMIT");
    println!("cargo::rustc-env=CALLGATE_BUILD={}", build());
}

fn build() -> String {
    // Of an archive not git is asked: it may lie in somebody else's checkout.
    let archived = std::fs::read_to_string(ARCHIVED).ok().map(|told| told.trim().to_owned());
    let told = [std::env::var("CALLGATE_COMMIT").ok(), archived];
    if let Some(told) = told.into_iter().flatten().find(|told| is_plain(told)) {
        return format!("commit {told}");
    }
    let Some(commit) = git(&["log", "-1", "--format=%h, %cs"]) else { return "commit unknown".to_owned() };
    if std::env::var("PROFILE").as_deref() != Ok("release") {
        return format!("debug build, commit {commit} or later");
    }
    for changes in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", changes]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|changes| !changes.is_empty());
    format!("commit {commit}{}", if changed { ", with changes" } else { "" })
}

fn is_plain(told: &str) -> bool {
    !told.is_empty()
        && told.len() <= 64
        && told.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_. ,:".contains(&byte))
}

fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
