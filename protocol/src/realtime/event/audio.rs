//! Audio deltas: 13 to 16 kB each, and most of what a server sends.

use std::borrow::Cow;

use super::{ContentKey, Parsed};
use crate::ids::{ItemId, ResponseId};
use crate::wire::scan::Scan;

/// `response.output_audio.delta`, or what beta called it.
pub(super) fn is_delta(kind: &str) -> bool {
    matches!(kind, "response.output_audio.delta" | "response.audio.delta")
}

/// The audio delta that a text is, if it is one of the usual shape: a flat object. Anything else is for the full parser.
pub(super) fn scan(text: &str) -> Option<Parsed<'_>> {
    let (mut response, mut item, mut content_index) = ("", "", 0);
    let (mut known, mut delta) = (false, None);
    let mut scan = Scan::new(text);
    scan.open()?;
    loop {
        let name = scan.name()?;
        let value = scan.value()?;
        match name {
            "type" if is_delta(value.text()?) => known = true,
            "type" => return None,
            "response_id" => response = value.text()?,
            "item_id" => item = value.text()?,
            "content_index" => {
                content_index = value.count().and_then(|index| index.try_into().ok()).unwrap_or_default()
            }
            "delta" => delta = Some(value.text()?),
            _ => {}
        }
        if !scan.more()? {
            break;
        }
    }
    scan.end()?;
    if response.len().max(item.len()) > super::parse::MAX_NAME {
        // The full parser cuts them.
        return None;
    }
    let key = ContentKey { response: ResponseId::new(response), item: ItemId::new(item), content_index };
    delta.filter(|_| known).map(|delta| Parsed::Audio { key, delta: Cow::Borrowed(delta) })
}
