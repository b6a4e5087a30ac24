//! Client events as JSON text, into a reused buffer.

use serde::Serialize;
use serde_json::Value;

use super::{ClientEvent, Eagerness, NewItem, NoiseReduction, SessionConfig, Tool};
use crate::realtime::event::AudioFormat;
use crate::realtime::event_id::EventId;
use crate::wire;

/// Replaces the buffer's content by the event, which goes by that name.
///
/// The audio of an [`ClientEvent::Append`] is written as it is, without a name: see [`write_append`].
pub fn write(out: &mut String, event: &ClientEvent, event_id: Option<EventId>) {
    let message = match event {
        ClientEvent::Append(audio) => return write_append(out, audio),
        ClientEvent::SessionUpdate(config) => Message::SessionUpdate { session: Box::new(Session::of(config)) },
        ClientEvent::Transcribe { model } => {
            let transcription = Transcription { model, ..Transcription::default() };
            Message::Transcribe {
                session: Listening { kind: "realtime", audio: Ears { input: Ear { transcription } } },
            }
        }
        ClientEvent::CreateItem(item) => Message::CreateItem { item: Item::of(item) },
        ClientEvent::Truncate { item, content_index, audio_end_ms } => {
            Message::Truncate { item_id: item.as_str(), content_index: *content_index, audio_end_ms: *audio_end_ms }
        }
        ClientEvent::DeleteItem { item } => Message::DeleteItem { item_id: item.as_str() },
        ClientEvent::CreateResponse { instructions } => {
            Message::CreateResponse { response: instructions.as_deref().map(|instructions| Response { instructions }) }
        }
        ClientEvent::CancelResponse { response } => Message::CancelResponse { response_id: response.as_str() },
    };
    wire::write_json(out, &Named { message, event_id });
}

/// Replaces the buffer's content by an `input_audio_buffer.append` of audio that is in the session's input format already.
pub fn write_append(out: &mut String, audio: &[u8]) {
    out.clear();
    out.push_str(r#"{"type":"input_audio_buffer.append","audio":""#);
    wire::push_base64(out, audio);
    out.push_str(r#""}"#);
}

#[derive(Serialize)]
struct Named<'a> {
    #[serde(flatten)]
    message: Message<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<EventId>,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Message<'a> {
    #[serde(rename = "session.update")]
    SessionUpdate { session: Box<Session<'a>> },
    #[serde(rename = "session.update")]
    Transcribe { session: Listening<'a> },
    #[serde(rename = "conversation.item.create")]
    CreateItem { item: Item<'a> },
    #[serde(rename = "conversation.item.truncate")]
    Truncate { item_id: &'a str, content_index: u32, audio_end_ms: u64 },
    #[serde(rename = "conversation.item.delete")]
    DeleteItem { item_id: &'a str },
    #[serde(rename = "response.create")]
    CreateResponse {
        #[serde(skip_serializing_if = "Option::is_none")]
        response: Option<Response<'a>>,
    },
    #[serde(rename = "response.cancel")]
    CancelResponse { response_id: &'a str },
}

#[derive(Serialize)]
struct Response<'a> {
    instructions: &'a str,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Item<'a> {
    Message { role: &'static str, content: [Content<'a>; 1] },
    FunctionCall { call_id: &'a str, name: &'a str, arguments: &'a str },
    FunctionCallOutput { call_id: &'a str, output: &'a str },
}

#[derive(Serialize)]
struct Content<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
}

impl<'a> Item<'a> {
    fn of(item: &'a NewItem) -> Self {
        let message = |role, kind, text| Self::Message { role, content: [Content { kind, text }] };
        match item {
            NewItem::System(text) => message("system", "input_text", text),
            NewItem::User(text) => message("user", "input_text", text),
            NewItem::Assistant(text) => message("assistant", "output_text", text),
            NewItem::FunctionCall { call_id, name, arguments } => Self::FunctionCall { call_id, name, arguments },
            NewItem::FunctionOutput { call_id, output } => Self::FunctionCallOutput { call_id, output },
        }
    }
}

/// The session as the server is to have it. An update is taken or refused as a whole, so it holds nothing that is not needed.
#[derive(Serialize)]
struct Session<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    output_modalities: [&'static str; 1],
    instructions: &'a str,
    audio: Audio<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<Function<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'static str>,
}

#[derive(Serialize)]
struct Audio<'a> {
    input: Input<'a>,
    output: Output<'a>,
}

#[derive(Serialize)]
struct Input<'a> {
    format: Format,
    #[serde(skip_serializing_if = "Option::is_none")]
    noise_reduction: Option<Reduction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transcription: Option<Transcription<'a>>,
    turn_detection: TurnDetection,
}

#[derive(Serialize)]
struct Output<'a> {
    format: Format,
    #[serde(skip_serializing_if = "Option::is_none")]
    voice: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<f32>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(tag = "type")]
enum Format {
    #[serde(rename = "audio/pcm")]
    Pcm { rate: u32 },
    #[serde(rename = "audio/pcmu")]
    Pcmu,
    #[serde(rename = "audio/pcma")]
    Pcma,
}

#[derive(Serialize)]
struct Reduction {
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Default, Serialize)]
struct Transcription<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    languages: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    keywords: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<&'a str>,
}

/// A session of which one thing changes.
#[derive(Serialize)]
struct Listening<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    audio: Ears<'a>,
}

#[derive(Serialize)]
struct Ears<'a> {
    input: Ear<'a>,
}

#[derive(Serialize)]
struct Ear<'a> {
    transcription: Transcription<'a>,
}

/// Every value is said: servers' defaults differ by model.
#[derive(Serialize)]
#[serde(tag = "type")]
enum TurnDetection {
    #[serde(rename = "server_vad")]
    Server {
        threshold: f32,
        prefix_padding_ms: u32,
        silence_duration_ms: u32,
        create_response: bool,
        interrupt_response: bool,
    },
    #[serde(rename = "semantic_vad")]
    Semantic { eagerness: &'static str, create_response: bool, interrupt_response: bool },
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'a str,
    description: &'a str,
    parameters: Value,
}

impl<'a> Session<'a> {
    fn of(config: &'a SessionConfig) -> Self {
        let format = match config.format {
            AudioFormat::Pcm { rate } => Format::Pcm { rate },
            AudioFormat::Pcmu => Format::Pcmu,
            AudioFormat::Pcma => Format::Pcma,
        };
        let tools = !config.tools.is_empty();
        Self {
            kind: "realtime",
            output_modalities: ["audio"],
            instructions: &config.instructions,
            audio: Audio {
                input: Input {
                    format,
                    noise_reduction: config.noise_reduction.map(Reduction::of),
                    transcription: Transcription::of(config),
                    turn_detection: TurnDetection::of(config),
                },
                output: Output { format, voice: config.voice.as_deref(), speed: config.speed },
            },
            tools: tools.then(|| config.tools.iter().map(Function::of).collect()),
            tool_choice: tools.then_some("auto"),
        }
    }
}

impl Reduction {
    const fn of(reduction: NoiseReduction) -> Self {
        let kind = match reduction {
            NoiseReduction::Near => "near_field",
            NoiseReduction::Far => "far_field",
        };
        Self { kind }
    }
}

impl<'a> Transcription<'a> {
    fn of(config: &'a SessionConfig) -> Option<Self> {
        let (language, hints) = (config.transcription_language.as_deref(), &config.hints);
        config.transcription_model.as_deref().map(|model| Self {
            model,
            language,
            languages: &hints.languages,
            keywords: &hints.keywords,
            prompt: hints.prompt.as_deref(),
        })
    }
}

impl TurnDetection {
    fn of(config: &SessionConfig) -> Self {
        let (vad, ours) = (config.vad, !config.answers_by_itself);
        let (create_response, interrupt_response) = (!ours, !ours);
        match config.semantic {
            None => Self::Server {
                // JSON has no NaN.
                threshold: if vad.threshold.is_finite() { vad.threshold.clamp(0.0, 1.0) } else { 0.5 },
                prefix_padding_ms: vad.prefix_padding_ms,
                silence_duration_ms: vad.silence_duration_ms,
                create_response,
                interrupt_response,
            },
            Some(eagerness) => {
                let eagerness = match eagerness {
                    Eagerness::Low => "low",
                    Eagerness::Medium => "medium",
                    Eagerness::High => "high",
                    Eagerness::Auto => "auto",
                };
                Self::Semantic { eagerness, create_response, interrupt_response }
            }
        }
    }
}

impl<'a> Function<'a> {
    /// Parameters that are no JSON object become a function without parameters: one bad tool must not lose the whole update.
    fn of(tool: &'a Tool) -> Self {
        let parameters = match serde_json::from_str(&tool.parameters) {
            Ok(schema @ Value::Object(_)) => schema,
            _ => serde_json::json!({ "type": "object", "properties": {} }),
        };
        Self { kind: "function", name: &tool.name, description: &tool.description, parameters }
    }
}
