//! `check`: validates settings and reaches what they name.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;

use super::Failure;
use crate::objects::Objects;
use crate::settings::{Settings, SettingsArgs};
use crate::store::Store;

/// How long the model may take to answer a handshake.
const MODEL_WITHIN: Duration = Duration::from_secs(10);

/// Prints a line for each thing that was checked; true when all are well.
pub(super) async fn run(args: &SettingsArgs, screen: &mut impl Write) -> Result<bool, Failure> {
    let settings = Settings::read(args)?;
    settings.check_serving()?;
    let mut good = true;
    let mut say = |what: &str, outcome: anyhow::Result<String>| {
        good &= outcome.is_ok();
        let (sign, words) = outcome.map_or_else(|e| ("FAIL", format!("{e:#}")), |words| ("ok", words));
        writeln!(screen, "{sign:<4}  {what:<13} {words}").map_err(|e| Failure::Other(e.into()))
    };
    let public = &settings.http.public;
    say("settings", Ok(format!("public URL {} ({})", public.base(), public.source())))?;
    say("database", database(&settings).await)?;
    say("recordings", recordings(&settings).await)?;
    say("model", model(&settings).await)?;
    Ok(good)
}

async fn database(settings: &Settings) -> anyhow::Result<String> {
    let store = Store::open(&settings.database).await?;
    store.ping().await?;
    let clients = store.clients().await?.into_iter().filter(|c| c.active).count();
    Ok(format!("reached; {clients} active clients"))
}

/// Something small is stored there, and removed.
async fn recordings(settings: &Settings) -> anyhow::Result<String> {
    let objects = Objects::open(&settings.recordings.target)?;
    objects.check().await.with_context(|| objects.to_string())?;
    Ok(format!("{objects} takes what is stored"))
}

async fn model(settings: &Settings) -> anyhow::Result<String> {
    if settings.model.simulated {
        return Ok("simulated".to_owned());
    }
    let endpoint = settings.model.endpoint();
    let said =
        tokio::time::timeout(MODEL_WITHIN, actors::probe(&endpoint)).await.context("no answer to the handshake")?;
    said.map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(format!("{} took the handshake", endpoint.url))
}
