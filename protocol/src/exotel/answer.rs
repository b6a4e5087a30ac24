//! The XML that answers call-start.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

/// The answer to call-start: the greeting spoken by Exotel in that language (none when it is empty), then the stream.
///
/// Characters that XML 1.0 cannot hold are left out of the greeting.
#[must_use]
pub fn answer_xml(greeting: &str, language: &str, stream_url: &str) -> String {
    // Writing to a Vec cannot fail.
    write(greeting, language, stream_url).ok().and_then(|xml| String::from_utf8(xml).ok()).unwrap_or_default()
}

fn write(greeting: &str, language: &str, stream_url: &str) -> io::Result<Vec<u8>> {
    let greeting: String = greeting.chars().filter(|character| is_xml(*character)).collect();
    let mut xml = Writer::new(Vec::new());
    xml.write_event(Event::Start(BytesStart::new("Response")))?;
    if !greeting.trim().is_empty() {
        xml.create_element("Say")
            .with_attribute(("language", language))
            .write_text_content(BytesText::new(greeting.trim()))?;
    }
    xml.create_element("Stream").with_attributes([("url", stream_url), ("track", "both_tracks")]).write_empty()?;
    xml.write_event(Event::End(BytesEnd::new("Response")))?;
    Ok(xml.into_inner())
}

/// Whether XML 1.0 has that character.
fn is_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greets_then_streams() {
        assert_eq!(
            answer_xml("नमस्ते, how are you?", "hi-IN", "wss://example.in/exotel/media/t0k"),
            "<Response><Say language=\"hi-IN\">नमस्ते, how are you?</Say>\
             <Stream url=\"wss://example.in/exotel/media/t0k\" track=\"both_tracks\"/></Response>"
        );
    }

    #[test]
    fn without_a_greeting_nothing_is_said() {
        for greeting in ["", "  ", "\u{1}"] {
            assert_eq!(
                answer_xml(greeting, "en-IN", "ws://localhost/m"),
                "<Response><Stream url=\"ws://localhost/m\" track=\"both_tracks\"/></Response>"
            );
        }
    }

    #[test]
    fn what_xml_reserves_is_escaped_and_comes_back() {
        let greeting = "A & B <Ltd> \"says\" 'hi' ]]>\u{0} \u{1f600}";
        let xml = answer_xml(greeting, "en\"IN", "wss://h/m?a=1&b=\"<>");
        let mut reader = quick_xml::Reader::from_str(&xml);
        let mut said = String::new();
        let mut url = String::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Text(text) => said.push_str(&text),
                Event::GeneralRef(entity) => {
                    said.push_str(&quick_xml::escape::unescape(&format!("&{};", &*entity)).unwrap());
                }
                Event::Empty(stream) => {
                    let attribute = stream.try_get_attribute("url").unwrap().unwrap();
                    url = quick_xml::escape::unescape(&attribute.value).unwrap().into_owned();
                }
                Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!(said, "A & B <Ltd> \"says\" 'hi' ]]> \u{1f600}");
        assert_eq!(url, "wss://h/m?a=1&b=\"<>");
    }
}
