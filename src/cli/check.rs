//! `check`: validates settings and reaches what they name.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;

use super::Failure;
use crate::cli::screen::shown;
use crate::notify::{RefusedTarget, refused_targets};
use crate::outcomes::{TextModel, TextModelClient};
use crate::outgoing::PrivateHosts;
use crate::recordings::objects::Objects;
use crate::redact;
use crate::settings::{Settings, SettingsArgs, private_hosts};
use crate::store::{DatabaseUrl, Store};
use crate::traces::TraceTarget;

/// How long the model may take to answer a handshake.
const MODEL_WITHIN: Duration = Duration::from_secs(10);

/// Prints a line for each thing that was checked; true when all are well. Settings that are wrong keep nothing else from being looked at
/// that can be: whoever comes from an older version learns all of it at once.
pub(super) async fn run(args: &SettingsArgs, odd: Vec<String>, screen: &mut impl Write) -> Result<bool, Failure> {
    let read = Settings::read_to_serve(args);
    let mut report = Report { screen, good: true };
    let warnings = read.as_ref().map(Settings::warnings).unwrap_or_default();
    odd.into_iter().chain(warnings).try_for_each(|words| report.warn(&words))?;
    match read {
        Ok(settings) => {
            let public = &settings.http.public;
            report.say("settings", Ok(format!("public URL {} ({})", public.base(), public.source())))?;
            database(&settings.database, Some(&settings.private_hosts), &mut report).await?;
            report.say("recordings", recordings(&settings).await)?;
            report.say("model", model(&settings).await)?;
            report.say("outcome", text_model(settings.outcome.as_ref(), &settings.private_hosts).await)?;
            report.say("traces", traces(settings.traces.target.as_ref()).await)?;
            Ok(report.good)
        }
        Err(wrong) => {
            wrong.iter().try_for_each(|error| report.say("settings", Err(anyhow::anyhow!("{error}"))))?;
            if let Ok(url) = args.database()
                && url.is_there()
            {
                database(&url, private_hosts(&args.private_hosts).ok().as_ref(), &mut report).await?;
            }
            Err(wrong.into())
        }
    }
}

/// What was found, as it is found.
struct Report<'a, W> {
    screen: &'a mut W,
    good: bool,
}

impl<W: Write> Report<'_, W> {
    fn say(&mut self, what: &str, outcome: anyhow::Result<String>) -> Result<(), Failure> {
        self.good &= outcome.is_ok();
        let (sign, words) = outcome.map_or_else(|error| ("FAIL", format!("{error:#}")), |words| ("ok", words));
        self.line(sign, what, &words)
    }

    /// What works, and is not as it should be.
    fn warn(&mut self, words: &str) -> Result<(), Failure> {
        self.line("warn", "settings", words)
    }

    fn line(&mut self, sign: &str, what: &str, words: &str) -> Result<(), Failure> {
        let words = shown(words);
        writeln!(self.screen, "{sign:<4}  {what:<13} {words}").map_err(|error| Failure::Other(error.into()))
    }
}

/// The database, and what in it the settings do not allow any more.
async fn database(
    url: &DatabaseUrl,
    private: Option<&PrivateHosts>,
    report: &mut Report<'_, impl Write>,
) -> Result<(), Failure> {
    let reached = async {
        let store = Store::open(url).await?;
        store.ping().await?;
        let clients = store.clients().await?.into_iter().filter(|client| client.active).count();
        let refused = match private {
            Some(private) => refused_targets(&store, private).await?,
            None => Vec::new(),
        };
        anyhow::Ok((clients, refused))
    };
    let (clients, refused) = match reached.await {
        Ok(reached) => reached,
        Err(error) => return report.say("database", Err(error)),
    };
    report.say("database", Ok(format!("reached; {clients} active clients")))?;
    for RefusedTarget { client, name, url, why } in refused {
        let words = format!("client {client} ({name}) is told at {}, which {why}: its events wait", redact::url(&url));
        report.say("events", Err(anyhow::anyhow!("{words}")))?;
    }
    Ok(())
}

/// Something small is stored there, and removed.
async fn recordings(settings: &Settings) -> anyhow::Result<String> {
    let objects = Objects::open(&settings.recordings.target)?;
    objects.check().await.with_context(|| objects.to_string())?;
    Ok(format!("{objects} takes what is stored"))
}

async fn traces(told: Option<&TraceTarget>) -> anyhow::Result<String> {
    let Some(target) = told else { return Ok("not told: OTEL_EXPORTER_OTLP_ENDPOINT names no collector".to_owned()) };
    let shown = target.shown();
    target.check().await.map_err(|why| anyhow::anyhow!("{shown}: {why}"))?;
    Ok(format!("{shown} takes them"))
}

async fn text_model(told: Option<&TextModel>, private: &PrivateHosts) -> anyhow::Result<String> {
    let Some(told) = told else {
        return Ok(
            "no text model finds out what came of calls: neither OUTCOME_API_KEY nor OUTCOME_URL is set".to_owned()
        );
    };
    let client = TextModelClient::open(told.clone(), private)?;
    client.check().await.map_err(|why| anyhow::anyhow!("{why}"))?;
    Ok(format!("{} answered as {}", redact::url(told.url.as_str()), told.model))
}

async fn model(settings: &Settings) -> anyhow::Result<String> {
    if settings.model.simulated {
        return Ok("simulated".to_owned());
    }
    let endpoint = settings.model.endpoint();
    let said =
        tokio::time::timeout(MODEL_WITHIN, actors::probe(&endpoint)).await.context("no answer to the handshake")?;
    said.map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(format!("{} took the handshake", redact::url(endpoint.url.as_str())))
}
