//! `client`: the tenants, straight on the database.

use std::io::Write;

use anyhow::{Context, anyhow};
use protocol::exotel::normalise_number;
use protocol::ids::PhoneNumber;
use serde_json::json;

use super::args::{AddArgs, Client as Ask, ClientFields, Database, SetArgs, ShowArgs, Switch};
use super::{Failure, table};
use crate::notify::{Endpoint, EndpointChange, EndpointError};
use crate::settings::{private_hosts, read_secret};
use crate::store::{Agent, Client, ClientChanges, ClientLimits, DatabaseUrl, NewClient, Store};
use crate::tenant::{self, INSTRUCTIONS, LANGUAGE, REGION, TIME_ZONE};
use crate::views::client_json;

mod agent;
mod fields;

use fields::{Spoken, check, instructions, said};

pub(super) async fn run(ask: Ask, screen: &mut impl Write) -> Result<(), Failure> {
    match ask {
        Ask::Add(args) => add(*args, screen).await,
        Ask::List(args) => list(&open(&args.database).await?, args.json, screen).await,
        Ask::Show(ShowArgs { one, json }) => {
            let store = open(&one.database).await?;
            let client = find(&store, &one.client).await?;
            match json {
                true => writeln!(screen, "{:#}", client_json(&client)).map_err(|error| Failure::Other(error.into())),
                false => show(&store, &client, screen).await,
            }
        }
        Ask::Set(args) => set(*args, screen).await,
        Ask::Disable(args) => {
            let store = open(&args.database).await?;
            let client = find(&store, &args.client).await?;
            let changes = ClientChanges { active: Some(false), ..ClientChanges::default() };
            show(&store, &change(&store, client.id, changes).await?, screen).await
        }
        Ask::Apply(args) => agent::apply(&args, screen).await,
        Ask::Export(args) => agent::export(&args, screen).await,
        Ask::Token(ask) => super::secret::tokens(ask, screen).await,
    }
}

/// Opens the database a command names.
pub(super) async fn open(database: &Database) -> Result<Store, Failure> {
    open_at(&database.url()?).await
}

/// Opens a database.
pub(super) async fn open_at(url: &DatabaseUrl) -> Result<Store, Failure> {
    Ok(Store::open(url).await.map_err(anyhow::Error::from)?)
}

/// The same for a command that only looks: it makes none.
pub(super) async fn open_existing(database: &Database) -> Result<Store, Failure> {
    open_existing_at(&database.url()?).await
}

/// The same, of a database.
pub(super) async fn open_existing_at(url: &DatabaseUrl) -> Result<Store, Failure> {
    if !url.is_there() {
        return Err(Failure::Other(anyhow!(
            "there is no database at {url}: let DATABASE_URL name the one that the gateway writes to"
        )));
    }
    open_at(url).await
}

async fn add(args: AddArgs, screen: &mut impl Write) -> Result<(), Failure> {
    let AddArgs { name, number, mut fields, database } = args;
    let endpoint_change = endpoint_change(&mut fields)?;
    let instructions = instructions(&fields)?;
    check(&fields)?;
    said(Some(&name), &fields, instructions.as_deref(), false)?;
    let spoken = Spoken::of(&mut fields)?;
    let region = fields.region.as_deref().and_then(tenant::region).unwrap_or_else(|| REGION.to_owned());
    let new = NewClient {
        name,
        exotel_number: parse(&number, &region)?,
        region,
        time_zone: fields.time_zone.unwrap_or_else(|| TIME_ZONE.to_owned()),
        agent: Agent {
            greeting: fields.greeting.unwrap_or_default(),
            language: fields.language.unwrap_or_else(|| LANGUAGE.to_owned()),
            transcription_language: spoken.transcription.flatten(),
            voice: spoken.voice.flatten(),
            instructions: instructions.unwrap_or_else(|| INSTRUCTIONS.to_owned()),
            model: fields.model.filter(|m| !m.is_empty()),
            tools: "[]".to_owned(),
        },
        limits: ClientLimits {
            max_concurrent: fields.max_concurrent.filter(|&n| n > 0),
            calls_per_minute: fields.calls_per_minute.filter(|&n| n > 0),
            caller_calls_per_minute: fields.caller_calls_per_minute.filter(|&n| n > 0),
            max_call_secs: fields.max_call_secs.filter(|&n| n > 0),
        },
        recording: fields.recording == Some(Switch::On),
    };
    let store = open(&database).await?;
    let client = store.add_client(new).await.context("adding the client")?;
    endpoint(endpoint_change, &store, client.id, screen).await?;
    show(&store, &client, screen).await
}

async fn set(args: SetArgs, screen: &mut impl Write) -> Result<(), Failure> {
    let SetArgs { client, name, number, active, mut fields, database } = args;
    // Those are the gateway's, and may come from the environment.
    let nothing = ClientFields { private_hosts: fields.private_hosts.clone(), ..ClientFields::default() };
    if name.is_none() && number.is_none() && active.is_none() && fields == nothing {
        let mend = "say what to change, for example --greeting TEXT (`callgate client set --help` shows all of it)";
        return Err(Failure::Usage(format!("client set {client}: {mend}")));
    }
    let endpoint_change = endpoint_change(&mut fields)?;
    let instructions = instructions(&fields)?;
    check(&fields)?;
    said(name.as_deref(), &fields, instructions.as_deref(), true)?;
    let spoken = Spoken::of(&mut fields)?;
    let emptied = |text: Option<String>| text.map(|t| Some(t).filter(|t| !t.is_empty()));
    let limit = |count: Option<i32>| count.map(|n| Some(n).filter(|&n| n > 0));
    let region = fields.region.as_deref().and_then(tenant::region);
    let changes = ClientChanges {
        name,
        exotel_number: number.map(|number| parse(&number, region.as_deref().unwrap_or(REGION))).transpose()?,
        active: active.map(|s| s == Switch::On),
        region,
        time_zone: fields.time_zone,
        greeting: fields.greeting,
        language: fields.language,
        transcription_language: spoken.transcription,
        voice: spoken.voice,
        instructions,
        model: emptied(fields.model),
        recording: fields.recording.map(|s| s == Switch::On),
        max_concurrent: limit(fields.max_concurrent),
        calls_per_minute: limit(fields.calls_per_minute),
        caller_calls_per_minute: limit(fields.caller_calls_per_minute),
        max_call_secs: limit(fields.max_call_secs),
        ..ClientChanges::default()
    };
    let store = open(&database).await?;
    let id = find(&store, &client).await?.id;
    endpoint(endpoint_change, &store, id, screen).await?;
    show(&store, &change(&store, id, changes).await?, screen).await
}

/// What is wished of a client's events.
fn endpoint_change(fields: &mut ClientFields) -> Result<EndpointChange, Failure> {
    if let Some(file) = fields.events_secret_file.take() {
        let secret = read_secret(&file).map_err(|why| Failure::Usage(format!("--events-secret-file: {why}")))?;
        fields.events_secret = Some(secret);
    }
    let private = private_hosts(&fields.private_hosts)?;
    EndpointChange::new(fields.events_url.take(), fields.events_secret.take(), &private).map_err(refused)
}

fn refused(error: EndpointError) -> Failure {
    Failure::Usage(match error {
        EndpointError::Url(_) => format!("--events-url {error}"),
        EndpointError::NoUrl => "--events-secret wants an --events-url beside it".to_owned(),
        EndpointError::ShortSecret | EndpointError::NoRandomness(_) => format!("--events-secret {error}"),
    })
}

/// Sets what was wished. A secret that was made is shown here and never again.
async fn endpoint(
    endpoint_change: EndpointChange,
    store: &Store,
    client: i64,
    screen: &mut impl Write,
) -> Result<(), Failure> {
    let known = store.events_target(client).await.context("looking the client's events up")?;
    let Endpoint { target, made } = endpoint_change.endpoint(known).map_err(refused)?;
    if let Some(secret) = made {
        writeln!(screen, "The secret of its events, shown this once: {}\n", secret.reveal())
            .map_err(anyhow::Error::from)?;
    }
    if let Some(target) = target {
        store.set_events_target(client, target).await.context("setting the client's events")?;
    }
    Ok(())
}

async fn change(store: &Store, id: i64, changes: ClientChanges) -> anyhow::Result<Client> {
    store.change_client(id, changes).await.context("changing the client")?.ok_or_else(|| anyhow!("the client is gone"))
}

/// The id of the client that is named, if one is.
pub(super) async fn find_id(store: &Store, named: Option<&str>) -> Result<Option<i64>, Failure> {
    match named {
        Some(named) => Ok(Some(find(store, named).await?.id)),
        None => Ok(None),
    }
}

/// By id, or by number in any spelling.
pub(super) async fn find(store: &Store, named: &str) -> Result<Client, Failure> {
    let found = match named.parse::<i64>() {
        Ok(id) if named.len() < 7 => store.client(id).await,
        _ => store.client_by_number(&parse(named, REGION)?).await,
    };
    let found = found.context("looking the client up")?;
    Ok(found.ok_or_else(|| anyhow!("there is no client {named}: `callgate client list` shows them"))?)
}

fn parse(number: &str, region: &str) -> Result<PhoneNumber, Failure> {
    normalise_number(number, region)
        .map(PhoneNumber::new)
        .ok_or_else(|| Failure::Usage(format!("{number} is no phone number: give it as +918047112233, or 08047112233")))
}

async fn list(store: &Store, json: bool, screen: &mut impl Write) -> Result<(), Failure> {
    let clients = store.clients().await.context("listing the clients")?;
    if json {
        let clients: Vec<_> = clients.iter().map(client_json).collect();
        return writeln!(screen, "{:#}", json!({ "clients": clients })).map_err(|error| Failure::Other(error.into()));
    }
    let rows: Vec<Vec<String>> = clients
        .iter()
        .map(|c| {
            let active = if c.active { "yes" } else { "no" };
            let number = c.exotel_number.reveal().to_owned();
            vec![c.id.to_string(), number, active.to_owned(), c.agent.language.clone(), c.name.clone()]
        })
        .collect();
    if rows.is_empty() {
        writeln!(screen, "No clients yet: `callgate client add --name NAME --number NUMBER` adds one.")
    } else {
        table::print(screen, &["id", "number", "active", "language", "name"], &rows)
    }
    .map_err(|e| Failure::Other(e.into()))
}

async fn show(store: &Store, client: &Client, screen: &mut impl Write) -> Result<(), Failure> {
    let events = store.events_target(client.id).await.context("looking the client's events up")?;
    let or = |value: Option<i32>, default: &str| value.map_or_else(|| default.to_owned(), |n| n.to_string());
    let Client { agent, limits, .. } = client;
    let rows = [
        ("id", client.id.to_string()),
        ("name", client.name.clone()),
        ("number", client.exotel_number.reveal().to_owned()),
        ("active", if client.active { "yes" } else { "no" }.to_owned()),
        ("region", client.region.clone()),
        ("time zone", client.time_zone.clone()),
        ("greeting", agent.greeting.clone()),
        ("language", agent.language.clone()),
        (
            "callers are written down in",
            agent.transcription_language.clone().unwrap_or_else(|| "what they speak".to_owned()),
        ),
        ("voice", agent.voice.clone().unwrap_or_else(|| "the model's default".to_owned())),
        ("model", agent.model.clone().unwrap_or_else(|| "the gateway's".to_owned())),
        ("instructions", agent.instructions.clone()),
        ("max concurrent", or(limits.max_concurrent, "as the node")),
        ("calls a minute", or(limits.calls_per_minute, "the default")),
        ("calls a minute of one caller", or(limits.caller_calls_per_minute, "the default")),
        ("longest call, s", or(limits.max_call_secs, "as the node")),
        ("recording", if client.recording { "on" } else { "off" }.to_owned()),
        ("events", events.map_or_else(|| "not told".to_owned(), |to| format!("{} (signed with its secret)", to.url))),
    ];
    table::pairs(screen, &rows).map_err(|e| Failure::Other(e.into()))
}
