//! What a text model answered, made an outcome of: checked by the schema, or said what is wrong.

use serde_json::Value;

use crate::schema::Schema;

/// Bytes of an answer.
pub(super) const LONGEST_ANSWER: usize = 8 * 1024;

/// An answer of the model's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// The words; empty if it gave none.
    pub(super) text: String,
    /// Why it would not answer, in its words.
    pub(super) refusal: Option<String>,
    /// Why it stopped: `stop`, `length`, `content_filter`, ...
    pub(super) finish: String,
}

/// The outcome that an answer holds.
///
/// # Errors
/// What is wrong with it, for the model and for people: never a value of it.
pub(super) fn outcome(reply: &Reply, schema: &Schema) -> Result<Value, String> {
    if let Some(refusal) = &reply.refusal {
        return Err(format!("it refused: {}", refusal.chars().take(200).collect::<String>()));
    }
    match reply.finish.as_str() {
        "length" => return Err("it was cut off: answer in fewer words".to_owned()),
        "stop" | "eos" | "tool_calls" => {}
        "content_filter" => return Err("it was held back by the server's content filter".to_owned()),
        other if reply.text.is_empty() => return Err(format!("it has no words: {other}")),
        _ => {}
    }
    if reply.text.len() > LONGEST_ANSWER {
        return Err(format!("it has {} bytes: {LONGEST_ANSWER} are the most", reply.text.len()));
    }
    let value = json(&reply.text).ok_or("it is no JSON object: answer with one, and nothing else")?;
    schema.check(&value).map_err(|why| format!("it is not as the schema says: {why}"))?;
    Ok(value)
}

/// The JSON object of a text: servers that are not held to one put it in a fence, or behind what they thought.
fn json(text: &str) -> Option<Value> {
    let whole = serde_json::from_str::<Value>(text.trim()).ok();
    let inner = || {
        let (from, to) = (text.find('{')?, text.rfind('}')?);
        serde_json::from_str::<Value>(text.get(from..=to)?).ok()
    };
    whole.or_else(inner).filter(Value::is_object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reply(text: &str) -> Reply {
        Reply { text: text.to_owned(), refusal: None, finish: "stop".to_owned() }
    }

    #[test]
    fn an_answer_is_an_outcome_or_says_what_is_wrong_with_it_and_never_what_it_held() {
        let schema =
            json!({ "type": "object", "properties": { "settled": { "type": "boolean" } }, "required": ["settled"] });
        let schema = Schema::of_arguments(&schema).unwrap();
        for text in [
            "{\"settled\":true}",
            " {\"settled\":true}\n",
            "```json\n{\"settled\":true}\n```",
            "I think. {\"settled\":true}",
        ] {
            assert_eq!(outcome(&reply(text), &schema), Ok(json!({ "settled": true })), "{text}");
        }
        let long = format!("{{\"settled\":true,\"x\":\"{}\"}}", "x".repeat(LONGEST_ANSWER));
        let cut = Reply { finish: "length".to_owned(), ..reply("{\"settled\":true}") };
        let filtered = Reply { finish: "content_filter".to_owned(), ..reply("") };
        let refused = Reply { refusal: Some("I cannot help with that.".to_owned()), ..reply("") };
        for (reply, words) in [
            (reply(""), "no JSON object"),
            (reply("4111111111111111"), "no JSON object"),
            (reply("[true]"), "no JSON object"),
            (reply("<html><body>4111</body></html>"), "no JSON object"),
            (reply("{\"settled\":4111111111111111}"), "/settled"),
            (reply("{}"), "settled is missing"),
            (reply(&long), "8192 are the most"),
            (cut, "fewer words"),
            (filtered, "content filter"),
            (refused, "it refused: I cannot help"),
        ] {
            let why = outcome(&reply, &schema).unwrap_err();
            assert!(why.contains(words) && !why.contains("4111") && why.len() < 400, "{why}");
        }
    }
}
