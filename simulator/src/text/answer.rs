//! An answer of the kind that a schema asks for.

use serde_json::{Map, Value, json};

/// Levels of an answer.
const DEEPEST: usize = 16;

/// A whole response, to whatever was asked.
pub(super) fn completion(asked: &Value) -> Value {
    let schema = &asked["response_format"]["json_schema"]["schema"];
    // Without one it is told in words, as the first JSON object of them.
    let told = || {
        let words = asked["messages"][0]["content"].as_str()?;
        let words = &words[words.find('{')?..];
        serde_json::Deserializer::from_str(words).into_iter::<Value>().next()?.ok()
    };
    let schema = if schema.is_object() { schema.clone() } else { told().unwrap_or_default() };
    let words = of(&schema, DEEPEST).to_string();
    json!({
        "id": "chatcmpl-simulated",
        "object": "chat.completion",
        "model": asked["model"],
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": words, "refusal": null }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120 },
    })
}

/// A value of a schema: the first that comes to mind.
fn of(schema: &Value, levels: usize) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|all| all.first()) {
        return first.clone();
    }
    if let Some(first) = schema["anyOf"].as_array().and_then(|all| all.first()) {
        return of(first, levels.saturating_sub(1));
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or("object");
    match kind {
        "string" => json!("as simulated"),
        "boolean" => json!(true),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(1)),
        "array" if levels > 0 => json!([of(&schema["items"], levels - 1)]),
        "object" if levels > 0 => {
            let fields = schema["properties"].as_object().into_iter().flatten();
            fields.map(|(name, schema)| (name.clone(), of(schema, levels - 1))).collect::<Map<_, _>>().into()
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_as_the_schema_says_wherever_that_stands() {
        let schema = json!({ "type": "object", "properties": {
            "why": { "type": "string" }, "settled": { "type": "boolean" }, "mood": { "enum": ["glad", "cross"] },
            "stars": { "type": "integer", "minimum": 3 }, "topics": { "type": "array", "items": { "type": ["string", "null"] } },
        } });
        let expected =
            json!({ "why": "as simulated", "settled": true, "mood": "glad", "stars": 3, "topics": ["as simulated"] });
        for asked in [
            json!({ "response_format": { "json_schema": { "schema": schema } } }),
            json!({ "messages": [{ "role": "system", "content": format!("As this says:\n\n{schema}\n\nMore.") }] }),
        ] {
            let content = completion(&asked)["choices"][0]["message"]["content"].clone();
            assert_eq!(serde_json::from_str::<Value>(content.as_str().unwrap()).unwrap(), expected);
        }
    }
}
