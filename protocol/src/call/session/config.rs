//! What a session is configured with, and what is left out for a server that refuses it.

use super::super::context::Context;
use super::super::io::ConnId;
use crate::realtime::command::{ClientEvent, SessionConfig, Tool};

/// How much is asked of a server. What one refused it is not asked again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asked {
    /// Everything.
    #[default]
    All,
    /// The recogniser is not told the language.
    AnyLanguage,
    /// Nothing that a strict or older server may not know: the caller is not transcribed.
    Least,
}

/// Configures a session.
pub(super) fn configure(cx: &mut Context, conn: ConnId, asked: Asked) {
    let mut tools = cx.setup.tools.clone();
    tools.extend(built_in_tools());
    let mark = match asked {
        Asked::All => "",
        Asked::AnyLanguage => "l",
        Asked::Least => "r",
    };
    let config = SessionConfig {
        event_id: format!("cfg-{}{mark}", conn.0),
        instructions: cx.setup.instructions.clone(),
        voice: cx.setup.voice.clone(),
        format: cx.policy.format,
        transcription_language: language(cx).filter(|_| asked == Asked::All),
        transcription_model: cx.policy.transcription_model.clone(),
        vad: cx.policy.vad,
        tools,
        reduced: asked == Asked::Least,
    };
    cx.send(conn, ClientEvent::SessionUpdate(Box::new(config)));
}

/// The language that the recogniser is told: ISO 639-1 is lower case, and has no region.
pub(super) fn language(cx: &Context) -> Option<String> {
    let told = cx.setup.transcription_language.as_deref()?;
    let primary = told.split(['-', '_']).next().unwrap_or_default().trim().to_ascii_lowercase();
    Some(primary).filter(|primary| !primary.is_empty())
}

/// The name of the tool that ends a call.
pub(crate) const END_CALL: &str = "end_call";
/// The name of the tool that hands a call on to a person.
pub(crate) const TRANSFER_CALL: &str = "transfer_call";

fn built_in_tools() -> [Tool; 2] {
    let tool = |name: &str, description: &str, parameters: &str| Tool {
        name: name.to_owned(),
        description: description.to_owned(),
        parameters: parameters.to_owned(),
    };
    [
        tool(
            END_CALL,
            "End the phone call. Say goodbye first, in the same response.",
            r#"{"type":"object","properties":{},"additionalProperties":false}"#,
        ),
        tool(
            TRANSFER_CALL,
            "Hand the caller on to a person. Tell the caller first, in the same response.",
            r#"{"type":"object","properties":{"reason":{"type":"string","description":"Why, in a few words."}},"required":["reason"],"additionalProperties":false}"#,
        ),
    ]
}
