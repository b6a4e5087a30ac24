//! What the Connect applet's dynamic URL is answered with: whom it dials.

use serde_json::{Value, json};

/// Whom the applet dials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// A number in E.164, or a SIP address.
    pub to: String,
    /// The number that is shown, E.164; none: the carrier's choice.
    pub caller_id: Option<String>,
    /// How long it rings, s.
    pub ring_secs: u64,
    /// What whoever picks up hears first: words, or the https URL of a sound.
    pub whisper: Option<String>,
}

impl Dial {
    /// As the carrier takes it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut answer = json!({
            // Whoever does not answer is not asked for again: the flow goes on to what follows.
            "fetch_after_attempt": false,
            "destination": { "numbers": [self.to] },
            "max_ringing_duration": self.ring_secs,
        });
        if let Some(shown) = &self.caller_id {
            answer["outgoing_phone_number"] = json!(shown);
        }
        if let Some(whisper) = &self.whisper {
            let kind = if whisper.starts_with("https://") { "audio_url" } else { "text" };
            answer["start_call_playback"] = json!({ "playback_to": "callee", "type": kind, "value": whisper });
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_applet_is_told_whom_to_dial_for_how_long_and_what_they_hear_first() {
        let plain = Dial { to: "+918047112299".to_owned(), caller_id: None, ring_secs: 45, whisper: None };
        assert_eq!(
            plain.to_json(),
            json!({ "fetch_after_attempt": false, "destination": { "numbers": ["+918047112299"] }, "max_ringing_duration": 45 })
        );
        let whispers = |words: &str| Dial { whisper: Some(words.to_owned()), ..plain.clone() }.to_json();
        let playback = |kind: &str, value: &str| json!({ "playback_to": "callee", "type": kind, "value": value });
        assert_eq!(whispers("A bill.")["start_call_playback"], playback("text", "A bill."));
        let sound = "https://clinic.example/desk.wav";
        assert_eq!(whispers(sound)["start_call_playback"], playback("audio_url", sound));
        let shown = Dial { caller_id: Some("+918047112233".to_owned()), ..plain }.to_json();
        assert_eq!(shown["outgoing_phone_number"], "+918047112233");
    }
}
