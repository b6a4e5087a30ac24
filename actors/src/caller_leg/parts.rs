//! A message that comes in several frames.

use actix_http::ws::Item;
use bytes::BytesMut;

/// Its frames so far; none when it got too long, or there is none.
#[derive(Debug, Default)]
pub(super) struct Parts(Option<BytesMut>);

/// It was longer than it may be, or did not begin.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotWhole;

impl Parts {
    /// Takes a frame; with the last one comes the message, if it is no longer than `longest` bytes.
    pub(super) fn push(&mut self, item: &Item, longest: usize) -> Option<Result<BytesMut, NotWhole>> {
        let (part, is_last) = match item {
            Item::FirstText(part) | Item::FirstBinary(part) => {
                self.0 = Some(BytesMut::new());
                (part, false)
            }
            Item::Continue(part) => (part, false),
            Item::Last(part) => (part, true),
        };
        self.0 = self.0.take().filter(|parts| parts.len() + part.len() <= longest);
        if let Some(parts) = &mut self.0 {
            parts.extend_from_slice(part);
        }
        is_last.then(|| self.0.take().ok_or(NotWhole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: usize = 6;

    fn push_all(parts: &mut Parts, items: &[Item]) -> Vec<Result<BytesMut, NotWhole>> {
        items.iter().filter_map(|item| parts.push(item, LONGEST)).collect()
    }

    #[test]
    fn frames_become_the_message_they_were() {
        let mut parts = Parts::default();
        let items = [Item::FirstText("ab".into()), Item::Continue("cd".into()), Item::Last("ef".into())];
        assert_eq!(push_all(&mut parts, &items), [Ok("abcdef".into())]);
        let items = [Item::FirstBinary("g".into()), Item::Last("".into())];
        assert_eq!(push_all(&mut parts, &items), [Ok("g".into())]);
    }

    #[test]
    fn what_is_too_long_or_has_no_beginning_is_dropped_and_the_next_message_is_whole() {
        let mut parts = Parts::default();
        let long = [Item::FirstText("abcd".into()), Item::Continue("efg".into()), Item::Last("h".into())];
        assert_eq!(push_all(&mut parts, &long), [Err(NotWhole)]);
        assert_eq!(push_all(&mut parts, &[Item::Continue("a".into()), Item::Last("b".into())]), [Err(NotWhole)]);
        // A message that another one breaks into is lost.
        let broken = [Item::FirstText("ab".into()), Item::FirstText("cd".into()), Item::Last("ef".into())];
        assert_eq!(push_all(&mut parts, &broken), [Ok("cdef".into())]);
    }
}
