//! The conversation: its items, and what a client may do to them.

use serde_json::{Map, Value, json};

use super::config::Refusal;

const MAX_ID_CHARS: usize = 32;

/// Items in order.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    items: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    /// As the wire shows it.
    json: Value,
    /// ms of audio generated for it, or left of it by a truncation.
    audio_ms: Option<f64>,
}

impl Conversation {
    /// Copies of all items.
    pub(super) fn items(&self) -> Vec<Value> {
        self.items.iter().map(|item| item.json.clone()).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn last_id(&self) -> Value {
        self.items.last().map_or(Value::Null, |item| item.json["id"].clone())
    }

    /// How many turns the caller has had.
    pub(super) fn user_messages(&self) -> usize {
        self.items.iter().filter(|item| item.json["role"] == "user").count()
    }

    /// Whether the newest item tells the model something with that word in it.
    pub(super) fn was_last_told(&self, word: &str) -> bool {
        let told = self.items.last().filter(|item| item.json["role"] == "system");
        let mut texts = told.into_iter().flat_map(|item| item.json["content"].as_array().into_iter().flatten());
        texts.any(|part| part["text"].as_str().is_some_and(|text| text.contains(word)))
    }

    /// Characters of all text: a measure for tokens.
    pub(super) fn text_chars(&self) -> usize {
        let texts = self.items.iter().flat_map(|item| item.json["content"].as_array().into_iter().flatten());
        texts.filter_map(|part| part["text"].as_str()).map(str::len).sum()
    }

    /// Appends an item of the server's own.
    pub(super) fn push(&mut self, json: Value) {
        self.items.push(Item { json, audio_ms: None });
    }

    /// Changes an item, if it is still there.
    pub(super) fn change(&mut self, id: &str, change: impl FnOnce(&mut Value)) {
        if let Some(index) = self.find(id) {
            change(&mut self.items[index].json);
        }
    }

    /// That much more audio of an item was generated.
    pub(super) fn add_audio(&mut self, id: &str, ms: f64) {
        if let Some(index) = self.find(id) {
            *self.items[index].audio_ms.get_or_insert(0.0) += ms;
        }
    }

    /// `conversation.item.create`: the item as taken and the id before it. `id` is its id unless the client gives one.
    pub(super) fn create(&mut self, event: &Map<String, Value>, id: String) -> Result<(Value, Value), Refusal> {
        let Some(item) = event.get("item").and_then(Value::as_object) else {
            return Err(Refusal::new("missing_required_parameter", "item", "Missing required parameter: 'item'."));
        };
        let mut item = item.clone();
        self.check(&item)?;
        match item.get("id").and_then(Value::as_str) {
            None => {
                item.insert("id".into(), id.into());
            }
            Some(id) if id.len() > MAX_ID_CHARS => {
                let message = format!(
                    "Invalid 'item.id': string too long. Expected a string with maximum length {MAX_ID_CHARS}."
                );
                return Err(Refusal::new("string_above_max_length", "item.id", message));
            }
            Some(id) if self.find(id).is_some() => {
                let message = format!("Error adding item: an item with id '{id}' already exists.");
                return Err(Refusal::new("item_create_duplicate_item_id", "item.id", message));
            }
            Some(_) => {}
        }
        let at = match event.get("previous_item_id").and_then(Value::as_str) {
            None => self.items.len(),
            Some("root") => 0,
            Some(previous) => match self.find(previous) {
                Some(index) => index + 1,
                None => {
                    let message = format!("Error adding item: the previous item with id '{previous}' does not exist.");
                    return Err(Refusal::new("item_create_invalid_previous_item_id", "previous_item_id", message));
                }
            },
        };
        item.insert("status".into(), "completed".into());
        let item = Value::Object(item);
        let before = at.checked_sub(1).map_or(Value::Null, |before| self.items[before].json["id"].clone());
        self.items.insert(at, Item { json: item.clone(), audio_ms: None });
        Ok((before, item))
    }

    /// `conversation.item.truncate`: what is known of the item's length (0 if unknown), and whether it was taken.
    pub(super) fn truncate(&mut self, id: &str, audio_end_ms: u64) -> (u64, Result<(), Refusal>) {
        let Some(index) = self.find(id) else {
            let message = format!("Error truncating item: the item with id '{id}' does not exist.");
            return (0, Err(Refusal::new("item_truncate_invalid_item_id", "item_id", message)));
        };
        let item = &mut self.items[index];
        let (Some(audio_ms), Some("assistant")) = (item.audio_ms, item.json["role"].as_str()) else {
            let message = "Only model output audio messages can be truncated";
            return (0, Err(Refusal::new("unsupported_content_type", "item_id", message)));
        };
        let has_ms = audio_ms as u64;
        if audio_end_ms > has_ms {
            let message = format!("Audio content of {has_ms}ms is already shorter than {audio_end_ms}ms");
            return (has_ms, Err(Refusal { code: "invalid_value", message, param: None }));
        }
        item.audio_ms = Some(audio_end_ms as f64);
        item.json["content"] = json!([{"type": "output_audio", "transcript": null}]);
        (has_ms, Ok(()))
    }

    /// `conversation.item.delete`.
    pub(super) fn delete(&mut self, id: &str) -> Result<(), Refusal> {
        let index = self.find(id).ok_or_else(|| {
            let message = format!("Error deleting item: the item with id '{id}' does not exist.");
            Refusal::new("item_delete_invalid_item_id", "item_id", message)
        })?;
        self.items.remove(index);
        Ok(())
    }

    /// `conversation.item.retrieve`.
    pub(super) fn retrieve(&self, id: &str) -> Result<Value, Refusal> {
        self.find(id).map(|index| self.items[index].json.clone()).ok_or_else(|| {
            let message = format!("Error retrieving item: the item with id '{id}' does not exist.");
            Refusal::new("item_retrieve_invalid_item_id", "item_id", message)
        })
    }

    fn find(&self, id: &str) -> Option<usize> {
        // Clients ask for what is recent.
        self.items.iter().rposition(|item| item.json["id"] == id)
    }

    fn check(&self, item: &Map<String, Value>) -> Result<(), Refusal> {
        let text = |key: &str| {
            item.get(key).and_then(Value::as_str).ok_or_else(|| {
                let param = format!("item.{key}");
                let message = format!("Missing required parameter: '{param}'.");
                Refusal::new("missing_required_parameter", param, message)
            })
        };
        match text("type")? {
            "message" => check_message(text("role")?, item.get("content")),
            "function_call" => text("name").and(text("call_id")).and(text("arguments")).map(drop),
            "function_call_output" => {
                text("output")?;
                let call_id = text("call_id")?;
                let called = |item: &Item| item.json["type"] == "function_call" && item.json["call_id"] == call_id;
                if self.items.iter().any(called) {
                    return Ok(());
                }
                let message = format!("Tool call ID '{call_id}' not found in conversation.");
                Err(Refusal::new("invalid_tool_call_id", "item.call_id", message))
            }
            other => {
                let message = format!(
                    "Invalid value: '{other}'. Supported values are: 'message', 'function_call', 'function_call_output'."
                );
                Err(Refusal::new("invalid_value", "item.type", message))
            }
        }
    }
}

fn check_message(role: &str, content: Option<&Value>) -> Result<(), Refusal> {
    let supported: &[&str] = match role {
        "system" => &["input_text"],
        "user" => &["input_text", "input_audio", "input_image"],
        "assistant" => &["output_text"],
        other => {
            let message = format!("Invalid value: '{other}'. Supported values are: 'system', 'user', 'assistant'.");
            return Err(Refusal::new("invalid_value", "item.role", message));
        }
    };
    let Some(parts) = content.and_then(Value::as_array) else {
        let message = "Missing required parameter: 'item.content'.";
        return Err(Refusal::new("missing_required_parameter", "item.content", message));
    };
    for (index, part) in parts.iter().enumerate() {
        let kind = part["type"].as_str().unwrap_or_default();
        if !supported.contains(&kind) {
            let message = format!("Invalid value: '{kind}'. Supported values are: '{}'.", supported.join("', '"));
            return Err(Refusal::new("invalid_value", format!("item.content[{index}].type"), message));
        }
        if kind.ends_with("_text") && !part["text"].is_string() {
            let param = format!("item.content[{index}].text");
            let message = format!("Missing required parameter: '{param}'.");
            return Err(Refusal::new("missing_required_parameter", param, message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(conversation: &mut Conversation, event: Value) -> Result<(Value, Value), &'static str> {
        let id = format!("item_{}", conversation.items.len());
        conversation.create(event.as_object().unwrap(), id).map_err(|refusal| refusal.code)
    }

    fn message(role: &str, kind: &str) -> Value {
        json!({"item": {"type": "message", "role": role, "content": [{"type": kind, "text": "x"}]}})
    }

    #[test]
    fn text_can_be_created_in_every_role_and_assistant_audio_cannot() {
        let mut all = Conversation::default();
        for (role, kind) in [("system", "input_text"), ("user", "input_text"), ("assistant", "output_text")] {
            assert!(create(&mut all, message(role, kind)).is_ok());
        }
        assert_eq!(create(&mut all, message("assistant", "output_audio")), Err("invalid_value"));
        assert_eq!(create(&mut all, message("assistant", "input_text")), Err("invalid_value"));
        assert_eq!(
            create(&mut all, json!({"item": {"type": "message", "role": "user"}})),
            Err("missing_required_parameter")
        );
        assert_eq!(create(&mut all, json!({})), Err("missing_required_parameter"));
    }

    #[test]
    fn items_go_where_they_are_told_to() {
        let mut all = Conversation::default();
        let mut at = |previous: Option<&str>| {
            let mut event = message("user", "input_text");
            if let Some(previous) = previous {
                event["previous_item_id"] = previous.into();
            }
            create(&mut all, event).map(|(before, _)| before)
        };
        assert_eq!(at(None), Ok(Value::Null));
        assert_eq!(at(Some("root")), Ok(Value::Null));
        assert_eq!(at(Some("item_0")), Ok("item_0".into()));
        assert_eq!(at(Some("nowhere")), Err("item_create_invalid_previous_item_id"));
        let ids: Vec<_> = all.items().iter().map(|item| item["id"].clone()).collect();
        assert_eq!(ids, ["item_1", "item_0", "item_2"]);
    }

    #[test]
    fn an_output_needs_its_call() {
        let mut all = Conversation::default();
        let output = json!({"item": {"type": "function_call_output", "call_id": "c", "output": "x"}});
        assert_eq!(create(&mut all, output.clone()), Err("invalid_tool_call_id"));
        let call = json!({"item": {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}});
        assert!(create(&mut all, call).is_ok() && create(&mut all, output).is_ok());
    }

    #[test]
    fn an_item_is_never_truncated_to_more_than_it_has() {
        let mut all = Conversation::default();
        all.push(json!({"id": "a", "role": "assistant"}));
        all.push(json!({"id": "u", "role": "user"}));
        let mut truncate = |id: &str, ms| {
            let (has, taken) = all.truncate(id, ms);
            (has, taken.map_err(|refusal| refusal.message))
        };
        assert_eq!(truncate("a", 0).1.unwrap_err(), "Only model output audio messages can be truncated");
        assert!(truncate("gone", 0).1.unwrap_err().ends_with("'gone' does not exist."));
        all.add_audio("a", 2_650.9);
        let mut truncate = |ms| all.truncate("a", ms).1.map_err(|refusal| refusal.message);
        assert_eq!(truncate(9_100), Err("Audio content of 2650ms is already shorter than 9100ms".into()));
        assert_eq!((truncate(2_650), truncate(100)), (Ok(()), Ok(())));
        assert_eq!(truncate(101), Err("Audio content of 100ms is already shorter than 101ms".into()));
        assert_eq!(all.truncate("u", 0).1.unwrap_err().code, "unsupported_content_type");
    }
}
