//! `why`: five lines on one call.

use std::io::Write;

use anyhow::Context;
use protocol::ids::CallSid;

use super::args::WhyArgs;
use super::client::open_existing;
use super::{Failure, table};
use crate::why;

/// Prints; false when nothing is on record of the call.
pub(super) async fn run(args: &WhyArgs, screen: &mut impl Write) -> Result<bool, Failure> {
    let store = open_existing(&args.database).await?;
    let sid = CallSid::new(&args.call_sid);
    let Some(verdict) = why::of_call(&store, &sid).await.context("reading what there is of the call")? else {
        writeln!(screen, "There is no call {sid} on record: `callgate calls` lists the latest.")
            .map_err(anyhow::Error::from)?;
        return Ok(false);
    };
    let printed = match args.json {
        true => writeln!(screen, "{:#}", verdict.to_json()),
        false => table::pairs(screen, &verdict.lines()),
    };
    Ok(printed.map(|()| true).map_err(anyhow::Error::from)?)
}
