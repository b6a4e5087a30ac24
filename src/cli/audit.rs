//! `audit`: the audit log, straight on the database.

use std::io::Write;

use anyhow::Context;

use super::args::{Audit, AuditListArgs};
use super::calls::time;
use super::client::open_existing;
use super::{Failure, table};
use crate::store::{Store, Whole};

/// Prints; false when the log was tampered with.
pub(super) async fn run(ask: Audit, screen: &mut impl Write) -> Result<bool, Failure> {
    match ask {
        Audit::Verify(database) => verify(&open_existing(&database).await?, screen).await,
        Audit::List(args) => list(&args, screen).await,
    }
}

async fn verify(store: &Store, screen: &mut impl Write) -> Result<bool, Failure> {
    let found = store.verify_audit().await.context("reading the audit log")?;
    let (good, words) = match found {
        Err(broken) => (false, format!("The audit log was tampered with: {broken}.")),
        Ok(Whole { rows: 0, unchained, .. }) => {
            (true, format!("The audit log has no chained entries yet{}.", before(unchained)))
        }
        Ok(Whole { rows, unchained, last_id, hash }) => (
            true,
            format!(
                "The audit log is whole: {rows} entries{}.\nIts end, to be noted down elsewhere: row {last_id}, {hash}",
                before(unchained)
            ),
        ),
    };
    writeln!(screen, "{words}").map_err(anyhow::Error::from)?;
    Ok(good)
}

fn before(unchained: u64) -> String {
    if unchained == 0 { String::new() } else { format!(" ({unchained} older ones are from before the chain)") }
}

async fn list(args: &AuditListArgs, screen: &mut impl Write) -> Result<bool, Failure> {
    let store = open_existing(&args.database).await?;
    let entries = store.recent_audit(args.limit.max(1)).await.context("reading the audit log")?;
    let or = |text: Option<&str>| text.unwrap_or("–").to_owned();
    let rows: Vec<Vec<String>> = entries
        .into_iter()
        .map(|entry| {
            let call = or(entry.call_sid.as_ref().map(protocol::ids::CallSid::as_str));
            let (from, request) = (or(entry.remote_addr.as_deref()), or(entry.request_id.as_deref()));
            vec![time(entry.at), entry.kind, entry.outcome, call, from, request]
        })
        .collect();
    if rows.is_empty() {
        writeln!(screen, "Nothing was audited yet.")
    } else {
        table::print(screen, &["at", "what", "outcome", "call", "from", "request"], &rows)
    }
    .map_err(anyhow::Error::from)?;
    Ok(true)
}
