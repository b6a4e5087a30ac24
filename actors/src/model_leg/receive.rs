//! What the model's server says, as the call hears it: its audio converted to the carrier's rate.

use protocol::realtime::event::{self, ContentKey, Parsed, ServerEvent};
use protocol::wire;

use super::convert::Converter;
use super::scratch::{self, Scratch};

/// Some of the server's audio, s16le at the carrier's rate.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Audio {
    pub(super) key: ContentKey,
    pub(super) pcm: Vec<u8>,
}

/// What a message comes to.
#[derive(Debug)]
pub(super) enum Said {
    /// Audio of a content.
    Audio(Audio),
    /// Any other event.
    Event(ServerEvent),
    /// Nothing that a call has to hear of.
    Nothing,
    /// Nothing that anybody understands.
    Junk,
}

/// Reads a message. What the converter still held of a content that ends with it comes before it.
pub(super) fn text(convert: &mut Converter, text: &str) -> (Option<Audio>, Said) {
    match event::parse(text) {
        Ok(Parsed::Audio { key, delta }) => audio(convert, key, &delta),
        Ok(Parsed::Event { event, cut }) => {
            if cut {
                metrics::counter!("callgate_model_texts_cut_total").increment(1);
            }
            server_event(convert, event)
        }
        Err(_) => (None, Said::Junk),
    }
}

fn audio(convert: &mut Converter, key: ContentKey, delta: &str) -> (Option<Audio>, Said) {
    let tail = if convert.continues(&key) { None } else { tail(convert) };
    let pcm = scratch::with(|Scratch { audio, pcm: other, .. }| {
        audio.clear();
        wire::decode_base64(delta, audio).ok()?;
        let mut pcm = Vec::with_capacity(convert.decoded_len(audio.len()));
        convert.decode(&key, audio, other, &mut pcm);
        Some(pcm)
    });
    let said = match pcm {
        Some(pcm) if pcm.is_empty() => Said::Nothing,
        Some(pcm) => Said::Audio(Audio { key, pcm }),
        None => Said::Junk,
    };
    (tail, said)
}

/// What the converter still holds of the content that ended.
fn tail(convert: &mut Converter) -> Option<Audio> {
    let mut pcm = Vec::new();
    let key = convert.finish(&mut pcm)?;
    (!pcm.is_empty()).then_some(Audio { key, pcm })
}

fn server_event(convert: &mut Converter, event: ServerEvent) -> (Option<Audio>, Said) {
    let mut ended = None;
    match &event {
        ServerEvent::Ignored => return (None, Said::Nothing),
        // Some compatible servers ping in JSON.
        ServerEvent::Unknown { kind } if kind == "ping" => return (None, Said::Nothing),
        ServerEvent::AudioDone(_) | ServerEvent::ResponseDone(_) => ended = tail(convert),
        ServerEvent::SessionUpdated { input, output, .. } => {
            input.iter().for_each(|format| convert.set_input(*format));
            output.iter().for_each(|format| convert.set_output(*format));
        }
        ServerEvent::ResponseCreated { output: Some(format), .. } => convert.set_output(*format),
        _ => {}
    }
    (ended, Said::Event(event))
}

#[cfg(test)]
mod tests {
    use codecs::SampleRate;

    use super::*;

    fn message(kind: &str, item: &str, delta: &str) -> String {
        format!(
            r#"{{"type":"response.output_audio.{kind}","response_id":"r","item_id":"{item}","output_index":0,"content_index":0,"delta":"{delta}"}}"#
        )
    }

    /// Some 94 ms of the server's audio: no whole number of the blocks of a converter that has any.
    fn some() -> String {
        "AQEB".repeat(1_500)
    }

    #[test]
    fn the_rest_of_a_content_comes_before_whatever_ends_it() {
        let done = message("done", "a", "");
        for next in [message("delta", "b", &some()), message("delta", "b", "not base64!"), done] {
            let mut convert = Converter::new(SampleRate::Hz16000);
            let (before, said) = text(&mut convert, &message("delta", "a", &some()));
            assert!(before.is_none() && matches!(said, Said::Audio(audio) if audio.key.item.as_str() == "a"));
            let (rest, _) = text(&mut convert, &next);
            assert_eq!(rest.map(|audio| audio.key.item.as_str().to_owned()).as_deref(), Some("a"), "{next:.80}");
        }
    }

    #[test]
    fn what_nobody_understands_is_junk_and_a_ping_in_json_is_nothing() {
        let mut convert = Converter::new(SampleRate::default());
        let mut said = |message: &str| text(&mut convert, message).1;
        assert!(matches!(said("{"), Said::Junk));
        assert!(matches!(said(&message("delta", "a", "not base64!")), Said::Junk));
        assert!(matches!(said(&message("delta", "a", "")), Said::Nothing));
        assert!(matches!(said(r#"{"type":"ping"}"#), Said::Nothing));
        assert!(matches!(said(r#"{"type":"sparkle"}"#), Said::Event(ServerEvent::Unknown { .. })));
    }
}
