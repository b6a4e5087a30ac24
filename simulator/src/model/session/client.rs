//! What a client may say.

use std::time::Instant;

use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::Session;
use super::answer::Request;
use crate::model::config::{Refusal, check_response, check_update};
use crate::model::handle::{Truncation, lock};

const KINDS: [&str; 11] = [
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.retrieve",
    "conversation.item.truncate",
    "conversation.item.delete",
    "response.create",
    "response.cancel",
    "output_audio_buffer.clear",
];

type Event = Map<String, Value>;

impl Session {
    /// Takes one frame from the client.
    pub(in crate::model) fn on_message(&mut self, now: Instant, message: &Message) {
        match message {
            Message::Text(text) => self.on_text(now, text),
            Message::Binary(_) => self.error("invalid_event", "Binary messages are not supported.", None, None),
            _ => return,
        }
        self.shared.changed();
    }

    fn on_text(&mut self, now: Instant, text: &Utf8Bytes) {
        if self.append(now, text) {
            return;
        }
        let Ok(Value::Object(event)) = serde_json::from_str::<Value>(text) else {
            self.error("invalid_event", "The event is not valid JSON.", None, None);
            return;
        };
        let event_id = event.get("event_id").and_then(Value::as_str);
        let Some(kind) = event.get("type").and_then(Value::as_str) else {
            let message = "The event has no type.";
            return self.error("invalid_event", message, Some("type".into()), event_id);
        };
        self.tracked.received(kind, Value::Object(event.clone()));
        if let Err(refusal) = self.handle(now, kind, &event) {
            self.refuse(refusal, event_id);
        }
    }

    fn handle(&mut self, now: Instant, kind: &str, event: &Event) -> Result<(), Refusal> {
        match kind {
            "session.update" => self.update(now, event),
            "input_audio_buffer.append" => Err(missing("audio")),
            "input_audio_buffer.commit" => self.commit_by_client(now),
            "input_audio_buffer.clear" => {
                self.clear_input();
                Ok(())
            }
            "conversation.item.create" => self.create_item(event),
            "conversation.item.retrieve" => {
                let item = lock(&self.tracked.conversation).retrieve(item_id(event)?)?;
                self.emit("conversation.item.retrieved", json!({"item": item}));
                Ok(())
            }
            "conversation.item.truncate" => self.truncate_item(event),
            "conversation.item.delete" => {
                let id = item_id(event)?;
                lock(&self.tracked.conversation).delete(id)?;
                self.emit("conversation.item.deleted", json!({"item_id": id}));
                Ok(())
            }
            "response.create" => self.create_response(now, event),
            "response.cancel" => {
                let id = event.get("response_id").and_then(Value::as_str);
                if self.active_response().is_some_and(|active| id.is_none_or(|id| id == active)) {
                    self.cancel_response(now, "client_cancelled");
                    return Ok(());
                }
                let message = "Cancellation failed: no active response found".into();
                Err(Refusal { code: "response_cancel_not_active", message, param: None })
            }
            "output_audio_buffer.clear" => {
                let message = "output_audio_buffer.clear is only supported for WebRTC and SIP connections.";
                Err(Refusal::new("invalid_value", "type", message))
            }
            other => {
                let known = KINDS.map(|kind| format!("'{kind}'")).join(", ");
                let message = format!("Invalid value: '{other}'. Supported values are: {known}.");
                Err(Refusal::new("invalid_value", "type", message))
            }
        }
    }

    fn update(&mut self, now: Instant, event: &Event) -> Result<(), Refusal> {
        let update = event.get("session").and_then(Value::as_object).ok_or_else(|| missing("session"))?;
        let faults = self.shared.faults.get();
        if self.shared.faults.refuses_update() {
            let message = "Unknown parameter: 'session.audio.input.noise_reduction'.";
            return Err(Refusal::new("unknown_parameter", "session.audio.input.noise_reduction", message));
        }
        if faults.ignore_update {
            return Ok(());
        }
        check_update(update, &self.config, self.history.assistant_ms > 0.0)?;
        self.config = self.config.updated(update, faults.effective_format);
        let session = self.config.session.clone();
        self.tracked.update(|log| (log.config, log.configured) = (session.clone(), true));
        self.emit("session.updated", json!({"session": session}));
        self.arm_flood(now);
        Ok(())
    }

    fn create_item(&mut self, event: &Event) -> Result<(), Refusal> {
        let id = self.id("item_");
        let (previous, item) = lock(&self.tracked.conversation).create(event, id)?;
        self.emit("conversation.item.added", json!({"previous_item_id": previous, "item": item}));
        self.emit("conversation.item.done", json!({"previous_item_id": previous, "item": item}));
        Ok(())
    }

    fn truncate_item(&mut self, event: &Event) -> Result<(), Refusal> {
        let id = item_id(event)?;
        let integer = |key: &str| match event.get(key) {
            None => Err(missing(key)),
            Some(value) => value.as_u64().ok_or_else(|| {
                let message = format!("Invalid type for '{key}': expected an integer, but got {value} instead.");
                Refusal::new("invalid_type", key, message)
            }),
        };
        let (content_index, audio_end_ms) = (integer("content_index")?, integer("audio_end_ms")?);
        if content_index != 0 {
            let message = format!("Content index {content_index} does not exist.");
            return Err(Refusal::new("invalid_value", "content_index", message));
        }
        let (generated_ms, taken) = lock(&self.tracked.conversation).truncate(id, audio_end_ms);
        let truncation = Truncation { item_id: id.to_owned(), audio_end_ms, generated_ms, accepted: taken.is_ok() };
        self.tracked.truncation(truncation);
        taken?;
        let fields = json!({"item_id": id, "content_index": 0, "audio_end_ms": audio_end_ms});
        self.emit("conversation.item.truncated", fields);
        Ok(())
    }

    fn create_response(&mut self, now: Instant, event: &Event) -> Result<(), Refusal> {
        let none = Map::new();
        let fields = match event.get("response") {
            None | Some(Value::Null) => &none,
            Some(Value::Object(fields)) => fields,
            Some(_) => {
                return Err(Refusal::new(
                    "invalid_type",
                    "response",
                    "Invalid type for 'response': expected an object.",
                ));
            }
        };
        check_response(fields, &self.config)?;
        if let Some(active) = self.active_response() {
            let message = format!(
                "Conversation already has an active response in progress: {active}. Wait until the response is finished before creating a new one."
            );
            return Err(Refusal { code: "conversation_already_has_active_response", message, param: None });
        }
        self.respond_to(now, Request::new(fields));
        Ok(())
    }
}

fn item_id(event: &Event) -> Result<&str, Refusal> {
    event.get("item_id").and_then(Value::as_str).ok_or_else(|| missing("item_id"))
}

fn missing(key: &str) -> Refusal {
    Refusal::new("missing_required_parameter", key, format!("Missing required parameter: '{key}'."))
}
