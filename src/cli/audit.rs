//! `audit`: the audit log, straight on the database.

use std::io::Write;

use anyhow::Context;
use protocol::ids::CallSid;
use serde_json::json;

use super::args::{Audit, AuditListArgs};
use super::calls::payload;
use super::client::{find_id, open_existing};
use super::{Failure, table};
use crate::store::{AuditPage, Store, Whole};
use crate::time::told;
use crate::views::entry_json;

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
    let client = find_id(&store, args.which.client.as_deref()).await?;
    let page = AuditPage {
        call: args.call.as_ref().map(CallSid::new),
        client,
        kind: args.kind.clone(),
        outcome: args.outcome.clone(),
        since: args.span.since,
        until: args.span.until,
        limit: args.which.limit,
    };
    let is_all = page == AuditPage { limit: page.limit, ..AuditPage::default() };
    let entries = store.audit_page(page).await.context("reading the audit log")?;
    if args.json {
        let entries: Vec<_> = entries.iter().map(entry_json).collect();
        writeln!(screen, "{:#}", json!({ "entries": entries })).map_err(anyhow::Error::from)?;
        return Ok(true);
    }
    let or = |text: Option<&str>| text.unwrap_or("–").to_owned();
    let rows: Vec<Vec<String>> = entries
        .into_iter()
        .map(|entry| {
            let call = or(entry.call_sid.as_ref().map(CallSid::as_str));
            let (from, request) = (or(entry.remote_addr.as_deref()), or(entry.request_id.as_deref()));
            vec![told(entry.at), entry.kind, entry.outcome, call, from, request, payload(&entry.payload)]
        })
        .collect();
    if rows.is_empty() {
        writeln!(screen, "{}", if is_all { "Nothing was audited yet." } else { "No such entries." })
    } else {
        table::print(screen, &["at", "what", "outcome", "call", "from", "request", "told"], &rows)
    }
    .map_err(anyhow::Error::from)?;
    Ok(true)
}
