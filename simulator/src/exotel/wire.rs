//! The carrier's words on the media socket.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use codecs::SampleRate;
use serde_json::Value;

/// Writes the carrier's messages, numbering them.
#[derive(Clone, Debug)]
pub(crate) struct Speaker {
    pub(crate) stream_sid: String,
    pub(crate) call_sid: String,
    pub(crate) account_sid: &'static str,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) rate: SampleRate,
    /// Query of the media URL, which Exotel delivers here instead.
    pub(crate) custom_parameters: Vec<(String, String)>,
    /// Spell keys as `streamSid`, as some of Exotel's own samples do.
    pub(crate) camel_case: bool,
    pub(crate) sequence: u64,
    pub(crate) chunk: u64,
}

const KEYS: [(&str, &str); 8] = [
    ("\"stream_sid\":", "\"streamSid\":"),
    ("\"call_sid\":", "\"callSid\":"),
    ("\"account_sid\":", "\"accountSid\":"),
    ("\"custom_parameters\":", "\"customParameters\":"),
    ("\"media_format\":", "\"mediaFormat\":"),
    ("\"sample_rate\":", "\"sampleRate\":"),
    ("\"bit_rate\":", "\"bitRate\":"),
    ("\"sequence_number\":", "\"sequenceNumber\":"),
];

impl Speaker {
    fn spell(&self, json: String) -> String {
        if !self.camel_case {
            return json;
        }
        KEYS.iter().fold(json, |json, (snake, camel)| json.replace(snake, camel))
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    pub(crate) fn connected(&self) -> String {
        r#"{"event":"connected"}"#.to_owned()
    }

    /// Key for key the `start` captured from a live call.
    pub(crate) fn start(&mut self) -> String {
        let sequence = self.next_sequence();
        let (stream, call, account) = (quote(&self.stream_sid), quote(&self.call_sid), quote(self.account_sid));
        let (from, to) = (quote(&self.from), quote(&self.to));
        let parameters: serde_json::Map<String, Value> =
            self.custom_parameters.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
        let parameters = match parameters.is_empty() {
            true => String::new(),
            false => format!(r#""custom_parameters":{},"#, Value::Object(parameters)),
        };
        let (hz, kbps) = (self.rate.hz(), self.rate.hz() / 1_000 * 16);
        self.spell(format!(
            r#"{{"event":"start","stream_sid":{stream},"sequence_number":"{sequence}","start":{{"stream_sid":{stream},"call_sid":{call},"account_sid":{account},"from":{from},"to":{to},{parameters}"media_format":{{"encoding":"base64","sample_rate":"{hz}","bit_rate":"{kbps}kbps"}}}}}}"#
        ))
    }

    /// A `media` whose audio began that many ms after the stream did.
    pub(crate) fn media(&mut self, timestamp_ms: u64, pcm: &[u8]) -> String {
        self.media_payload(timestamp_ms, &STANDARD.encode(pcm))
    }

    /// A `media` with that text for a payload, base64 or not.
    pub(crate) fn media_payload(&mut self, timestamp_ms: u64, payload: &str) -> String {
        let sequence = self.next_sequence();
        self.chunk += 1;
        let (stream, chunk, payload) = (quote(&self.stream_sid), self.chunk, quote(payload));
        self.spell(format!(
            r#"{{"event":"media","sequence_number":"{sequence}","stream_sid":{stream},"media":{{"chunk":"{chunk}","timestamp":"{timestamp_ms}","payload":{payload}}}}}"#
        ))
    }

    pub(crate) fn dtmf(&mut self, digit: char) -> String {
        let (sequence, stream, digit) = (self.next_sequence(), quote(&self.stream_sid), quote(&digit.to_string()));
        self.spell(format!(
            r#"{{"event":"dtmf","sequence_number":"{sequence}","stream_sid":{stream},"dtmf":{{"duration":"200","digit":{digit}}}}}"#
        ))
    }

    pub(crate) fn mark(&mut self, name: &str) -> String {
        let (sequence, stream, name) = (self.next_sequence(), quote(&self.stream_sid), quote(name));
        self.spell(format!(
            r#"{{"event":"mark","sequence_number":"{sequence}","stream_sid":{stream},"mark":{{"name":{name}}}}}"#
        ))
    }

    pub(crate) fn stop(&mut self, reason: &str) -> String {
        let (sequence, stream) = (self.next_sequence(), quote(&self.stream_sid));
        let (call, account, reason) = (quote(&self.call_sid), quote(self.account_sid), quote(reason));
        self.spell(format!(
            r#"{{"event":"stop","sequence_number":"{sequence}","stream_sid":{stream},"stop":{{"call_sid":{call},"account_sid":{account},"reason":{reason}}}}}"#
        ))
    }
}

fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

/// What the gateway says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FromGateway {
    Media(Vec<u8>),
    Mark(String),
    Clear,
    /// What Exotel would not understand, and why.
    Fault(String),
}

/// The most bytes of PCM Exotel takes in a message.
const MOST_BYTES: usize = 100_000;
/// Every message should be whole multiples of this many bytes.
pub(crate) const UNIT_BYTES: usize = 320;

/// Understands a message of the gateway; a second value is a fault that does not keep the message from being used.
pub(crate) fn understand(text: &str, stream_sid: &str) -> (FromGateway, Option<String>) {
    let json: Value = match serde_json::from_str(text) {
        Ok(json) => json,
        Err(error) => return (FromGateway::Fault(format!("not JSON: {error}")), None),
    };
    let sid = json.get("stream_sid").or_else(|| json.get("streamSid"));
    let mut remark = match sid {
        Some(Value::String(sid)) if sid != stream_sid => Some("stream_sid of another stream".to_owned()),
        Some(Value::String(_)) | None => None,
        Some(_) => Some("stream_sid is not a string".to_owned()),
    };
    if [json.get("sequence_number"), json.pointer("/media/chunk"), json.pointer("/media/timestamp")]
        .iter()
        .flatten()
        .any(|number| !number.is_string())
    {
        remark = Some("a number that Exotel reads as a string".to_owned());
    }
    let said = match json.get("event").and_then(Value::as_str) {
        Some("media") => match json.pointer("/media/payload").and_then(Value::as_str).map(|text| STANDARD.decode(text))
        {
            Some(Ok(pcm)) => {
                remark = remark.or_else(|| size_fault(pcm.len()));
                FromGateway::Media(pcm)
            }
            Some(Err(error)) => FromGateway::Fault(format!("media payload: {error}")),
            None => FromGateway::Fault("media without a payload".into()),
        },
        Some("mark") => match json.pointer("/mark/name").and_then(Value::as_str) {
            Some(name) => FromGateway::Mark(name.to_owned()),
            None => FromGateway::Fault("mark without a name".into()),
        },
        Some("clear") => FromGateway::Clear,
        other => FromGateway::Fault(format!("event {other:?} is not one a bot sends")),
    };
    (said, remark)
}

fn size_fault(bytes: usize) -> Option<String> {
    if bytes == 0 {
        Some("media of no bytes".into())
    } else if bytes > MOST_BYTES {
        Some(format!("media of {bytes} bytes, more than {MOST_BYTES}"))
    } else if !bytes.is_multiple_of(UNIT_BYTES) {
        Some(format!("media of {bytes} bytes, not a multiple of {UNIT_BYTES}"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaker(camel_case: bool) -> Speaker {
        Speaker {
            stream_sid: "3357459ca698d8c765bac10b0ec418bl".into(),
            call_sid: "b0c8aea60aceb0007fc5a1bb75c218bl".into(),
            account_sid: "kritibudh1",
            from: "09992700000".into(),
            to: "04446970000".into(),
            rate: SampleRate::Hz8000,
            custom_parameters: Vec::new(),
            camel_case,
            sequence: 0,
            chunk: 0,
        }
    }

    #[test]
    fn start_is_written_as_captured() {
        assert_eq!(
            speaker(false).start(),
            r#"{"event":"start","stream_sid":"3357459ca698d8c765bac10b0ec418bl","sequence_number":"1","start":{"stream_sid":"3357459ca698d8c765bac10b0ec418bl","call_sid":"b0c8aea60aceb0007fc5a1bb75c218bl","account_sid":"kritibudh1","from":"09992700000","to":"04446970000","media_format":{"encoding":"base64","sample_rate":"8000","bit_rate":"128kbps"}}}"#
        );
    }

    #[test]
    fn every_message_is_json_in_either_spelling_and_counts_on() {
        for camel in [false, true] {
            let mut speaker = speaker(camel);
            speaker.custom_parameters = vec![("queue \"name\"".into(), "premium".into())];
            let texts = [
                speaker.start(),
                speaker.media(0, &[1, 2]),
                speaker.dtmf('#'),
                speaker.mark("a\"b"),
                speaker.stop("callended"),
            ];
            let key = if camel { "sequenceNumber" } else { "sequence_number" };
            for (at, text) in texts.iter().enumerate() {
                let json: Value = serde_json::from_str(text).unwrap();
                assert_eq!(json[key], (at + 1).to_string(), "{text}");
            }
        }
    }

    #[test]
    fn what_exotel_would_not_take_is_a_fault() {
        let understood = |text: &str| understand(text, "S");
        assert_eq!(understood(r#"{"event":"clear","stream_sid":"S"}"#), (FromGateway::Clear, None));
        assert!(understood(r#"{"event":"clear","stream_sid":"T"}"#).1.is_some());
        assert!(understood(r#"{"event":"clear","sequence_number":3}"#).1.is_some());
        assert!(understood(r#"{"event":"media","media":{"payload":"AAAA"}}"#).1.unwrap().contains("multiple"));
        for text in
            ["", "{}", r#"{"event":"hangup"}"#, r#"{"event":"mark"}"#, r#"{"event":"media","media":{"payload":"*"}}"#]
        {
            assert!(matches!(understood(text).0, FromGateway::Fault(_)), "{text}");
        }
    }
}
