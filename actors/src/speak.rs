//! A fixed sentence, said by a model outside of any call: its audio is kept, and played without one.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use protocol::call::clips::{CLIP_RATE, LONGEST_CLIP_MS};
use protocol::call::policy::Policy;
use protocol::realtime::command::{self, ClientEvent, SessionConfig, TranscriptionHints};
use protocol::realtime::event::{self, AudioFormat, Parsed, ResponseStatus, ServerEvent};
use protocol::wire;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::model_leg::{Connection, ModelEndpoint, Target, client_tls};

/// From the dial to the last byte.
const PATIENCE: Duration = Duration::from_secs(30);
/// Audio that is taken: beyond it, the model says something else.
const MOST_BYTES: usize = LONGEST_CLIP_MS * CLIP_RATE as usize / 1000 * 2;

/// What is to be said, and how.
#[derive(Clone, Debug)]
pub struct Sentence<'s> {
    /// The words.
    pub text: &'s str,
    /// BCP 47, e.g. `hi-IN`.
    pub language: &'s str,
    /// Voice name; none: the model's own.
    pub voice: Option<&'s str>,
    /// Model; none: the endpoint's.
    pub model: Option<&'s str>,
}

/// Has a model say it: s16le mono at [`CLIP_RATE`].
///
/// # Errors
/// Why there is no such audio, in words.
pub async fn speak(endpoint: &ModelEndpoint, sentence: &Sentence<'_>) -> Result<Vec<u8>, String> {
    let said = async {
        let tls = if endpoint.url.scheme() == "wss" { client_tls() } else { None };
        let dialled = Target::new(endpoint, sentence.model, tls).dial().await;
        let mut connection = dialled.map_err(|error| error.to_string())?;
        let said = converse(&mut connection, sentence).await;
        // Whoever waits for it has it by now.
        let _ = connection.send(Message::Close(None)).await;
        said
    };
    timeout(PATIENCE, said).await.unwrap_or_else(|_| Err(format!("not said within {} s", PATIENCE.as_secs())))
}

async fn converse(connection: &mut Connection, sentence: &Sentence<'_>) -> Result<Vec<u8>, String> {
    send(connection, &ClientEvent::SessionUpdate(Box::new(config(sentence)))).await?;
    let mut pcm = Vec::new();
    loop {
        let message = match connection.next().await {
            Some(message) => message.map_err(|error| error.to_string())?,
            None => return Err("the model closed".to_owned()),
        };
        let Message::Text(text) = message else { continue };
        match event::parse(&text) {
            Ok(Parsed::Audio { delta, .. }) => {
                wire::decode_base64(&delta, &mut pcm).map_err(|_| "the model's audio cannot be read".to_owned())?;
                if pcm.len() > MOST_BYTES {
                    return Err(format!("the model speaks for more than {} s", LONGEST_CLIP_MS / 1000));
                }
            }
            Ok(Parsed::Event { event, .. }) => match event {
                ServerEvent::SessionUpdated { output, .. } => {
                    if output.is_some_and(|format| format != AudioFormat::Pcm { rate: CLIP_RATE }) {
                        return Err(format!("the model does not speak PCM at {CLIP_RATE} Hz"));
                    }
                    let instructions = Some(instructions(sentence));
                    send(connection, &ClientEvent::CreateResponse { instructions }).await?;
                }
                ServerEvent::ResponseDone(done) => {
                    return match done.status {
                        ResponseStatus::Completed if !pcm.is_empty() => Ok(pcm),
                        ResponseStatus::Completed => Err("the model said nothing".to_owned()),
                        _ => Err("the model did not say it to its end".to_owned()),
                    };
                }
                ServerEvent::Error(error) => return Err(format!("the model refused: {}", error.message)),
                _ => {}
            },
            Err(_) => {}
        }
    }
}

fn instructions(sentence: &Sentence<'_>) -> String {
    format!(
        "Say exactly these words, in {}, in a calm and friendly voice, and nothing else before or after them: {}",
        sentence.language, sentence.text
    )
}

fn config(sentence: &Sentence<'_>) -> SessionConfig {
    SessionConfig {
        instructions: instructions(sentence),
        voice: sentence.voice.map(str::to_owned),
        format: AudioFormat::Pcm { rate: CLIP_RATE },
        transcription_language: None,
        transcription_model: None,
        vad: Policy::default().vad,
        semantic: None,
        answers_by_itself: true,
        hints: TranscriptionHints::default(),
        noise_reduction: None,
        speed: None,
        tools: Vec::new(),
    }
}

async fn send(connection: &mut Connection, event: &ClientEvent) -> Result<(), String> {
    let mut text = String::new();
    command::write(&mut text, event, None);
    connection.send(Message::text(text)).await.map_err(|error| error.to_string())
}
