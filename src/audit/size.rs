//! How much of what was told goes into one entry of the audit log.

use protocol::exotel::webhook::KEPT_VALUE;
use protocol::wire::{boundary, clip};
use serde_json::{Map, Value};

/// Bytes of a whole payload, as JSON.
const PAYLOAD: usize = 16 * 1024;
/// The same where a request was refused, and of one value then: its row is below 1 KiB.
const PAYLOAD_OF_REFUSED: usize = 512;
const VALUE_OF_REFUSED: usize = 256;
/// Bytes of a name in it.
const NAME: usize = 128;
/// Kept free for saying how much was left out.
const RESERVE: usize = 64;
/// How deep values may stand in each other. Whatever is deeper is left out.
const DEEPEST: usize = 16;
/// Where it is said how many values were left out.
const LEFT_OUT: &str = "left_out";

/// How much is kept.
#[derive(Clone, Copy)]
struct Budget {
    /// Bytes of the whole, as JSON.
    payload: usize,
    /// Bytes of one text in it.
    value: usize,
}

/// Cuts what one entry tells to its length.
pub(super) fn bound(payload: &mut Value) {
    cut(payload, Budget { payload: PAYLOAD, value: KEPT_VALUE });
}

/// Cuts what a refused request told to its length, which is shorter.
pub(crate) fn bound_refused(payload: &mut Value) {
    cut(payload, Budget { payload: PAYLOAD_OF_REFUSED, value: VALUE_OF_REFUSED });
}

/// Cuts texts in a payload to their length, and leaves the largest values out until it has its own. It says how many those were.
fn cut(payload: &mut Value, budget: Budget) {
    let mut left_out = shorten(payload, budget.value, DEEPEST);
    if size(payload) > budget.payload {
        left_out += fit(payload, budget.payload - RESERVE, budget.value);
    }
    if left_out == 0 {
        return;
    }
    metrics::counter!("callgate_audit_cut_total").increment(1);
    match payload {
        Value::Object(map) => _ = map.insert(LEFT_OUT.to_owned(), left_out.into()),
        other => *other = Value::Object(Map::from_iter([(LEFT_OUT.to_owned(), left_out.into())])),
    }
}

/// Cuts texts and names; how many values were left out since they stand too deep.
fn shorten(value: &mut Value, longest: usize, depth: usize) -> usize {
    match value {
        Value::String(text) if text.len() > longest => *text = clip(text, longest).into_owned(),
        Value::Array(_) | Value::Object(_) if depth == 0 => {
            *value = Value::Null;
            return 1;
        }
        Value::Array(list) => return list.iter_mut().map(|value| shorten(value, longest, depth - 1)).sum(),
        Value::Object(map) => {
            if map.keys().any(|name| name.len() > NAME) {
                let named = std::mem::take(map).into_iter();
                map.extend(named.map(|(name, value)| (name[..boundary(&name, NAME)].to_owned(), value)));
            }
            return map.values_mut().map(|value| shorten(value, longest, depth - 1)).sum();
        }
        _ => {}
    }
    0
}

/// Leaves values out until the whole has room, the smallest being kept; how many were left out.
fn fit(value: &mut Value, room: usize, longest: usize) -> usize {
    match value {
        Value::Object(map) => {
            let names = map.keys().map(|name| size_of_text(name) + 2);
            let sizes: Vec<usize> = names.zip(map.values()).map(|(name, value)| name + size(value)).collect();
            let mut kept = keep(&sizes, room.saturating_sub(2), longest).into_iter();
            let mut left_out = 0;
            map.retain(|name, value| {
                fit_one(kept.next().flatten(), size_of_text(name) + 2, value, longest, &mut left_out)
            });
            left_out
        }
        Value::Array(list) => {
            let sizes: Vec<usize> = list.iter().map(|value| size(value) + 1).collect();
            let mut kept = keep(&sizes, room.saturating_sub(2), longest).into_iter();
            let mut left_out = 0;
            list.retain_mut(|value| fit_one(kept.next().flatten(), 1, value, longest, &mut left_out));
            left_out
        }
        _ => {
            *value = Value::Null;
            1
        }
    }
}

/// Whether a value stays, cut to its room if it has to be.
fn fit_one(room: Option<usize>, around: usize, value: &mut Value, longest: usize, left_out: &mut usize) -> bool {
    let fits = |room: &usize| size(value) + around <= *room;
    match room {
        Some(room) if fits(&room) => true,
        Some(room) if value.is_array() || value.is_object() => {
            *left_out += fit(value, room.saturating_sub(around), longest);
            true
        }
        _ => {
            *left_out += count(value);
            false
        }
    }
}

/// The room of each value: its own size, the smallest first, as long as there is any. The first that does not fit gets what is left if
/// that is worth it.
fn keep(sizes: &[usize], mut room: usize, longest: usize) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&at| sizes[at]);
    let mut kept = vec![None; sizes.len()];
    for at in order {
        if sizes[at] > room {
            // Texts are no longer than this: what is larger can be cut into.
            kept[at] = (sizes[at] > longest + NAME && room > longest).then_some(room);
            break;
        }
        room -= sizes[at];
        kept[at] = Some(sizes[at]);
    }
    kept
}

/// Values in a value, those of no name and no text apart.
fn count(value: &Value) -> usize {
    match value {
        Value::Array(list) => list.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum(),
        _ => 1,
    }
}

/// Bytes of a value as JSON, or a few more.
fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(number) => number.to_string().len(),
        Value::String(text) => size_of_text(text),
        Value::Array(list) => 2 + list.iter().map(|value| size(value) + 1).sum::<usize>(),
        Value::Object(map) => 2 + map.iter().map(|(name, value)| size_of_text(name) + size(value) + 2).sum::<usize>(),
    }
}

fn size_of_text(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 1,
        0..0x20 => 5,
        _ => 0,
    };
    2 + text.len() + text.bytes().map(escaped).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn refused(mut payload: Value) -> Value {
        bound_refused(&mut payload);
        payload
    }

    fn bounded(mut payload: Value) -> Value {
        bound(&mut payload);
        payload
    }

    #[test]
    fn what_fits_is_kept_as_it_came() {
        let payload = json!({ "CallSid": "c", "Legs": [{ "Status": "busy" }], "n": 3, "none": null });
        assert_eq!(bounded(payload.clone()), payload);
        assert_eq!(bounded(json!([])), json!([]));
    }

    #[test]
    fn a_long_value_is_cut_and_says_how_long_it_was() {
        let kept = bounded(json!({ "CallFrom": "x".repeat(60_000), "fields": { "CallTo": ["y".repeat(3000)] } }));
        let from = kept["CallFrom"].as_str().unwrap();
        assert!(from.len() <= 2048 && from.ends_with("x…(60,000 bytes)"));
        assert!(kept["fields"]["CallTo"][0].as_str().unwrap().ends_with("y…(3,000 bytes)"));
        assert_eq!(kept.get("left_out"), None);
    }

    #[test]
    fn of_a_request_that_is_too_large_the_short_fields_are_kept_and_the_rest_is_counted() {
        let mut fields: Map<String, Value> = (0..31).map(|n| (format!("f{n}"), json!("x".repeat(2000)))).collect();
        fields.insert("CallSid".to_owned(), json!("c1"));
        fields.insert("zone".to_owned(), json!("last"));
        let kept = bounded(json!({ "fields": fields, "refused": "in words" }));
        assert!(kept.to_string().len() <= PAYLOAD, "{}", kept.to_string().len());
        assert_eq!(kept["refused"], "in words");
        assert_eq!((&kept["fields"]["CallSid"], &kept["fields"]["zone"]), (&json!("c1"), &json!("last")));
        let stay = kept["fields"].as_object().unwrap().len();
        assert!(stay >= 9, "{stay}");
        assert_eq!(kept["left_out"], 33 - stay);
    }

    #[test]
    fn many_values_of_one_name_are_counted_one_by_one() {
        let kept = bounded(json!({ "x": vec!["1"; 30_000] }));
        assert!(kept.to_string().len() <= PAYLOAD);
        let stay = kept["x"].as_array().unwrap().len();
        assert!(stay > 1000, "{stay}");
        assert_eq!(kept["left_out"], 30_000 - stay);
    }

    #[test]
    fn what_stands_too_deep_is_left_out() {
        let deep = (0..100).fold(json!("core"), |inner, _| json!([inner]));
        let kept = bounded(json!({ "tools": deep }));
        assert_eq!(kept["left_out"], 1);
        assert!(!kept.to_string().contains("core"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn no_payload_is_larger_than_it_may_be(
            texts in prop::collection::vec((".{0,40}", 1_usize..120, any::<u8>()), 0..40), times in 1_usize..20,
        ) {
            let mut fields = Map::new();
            for (at, (text, repeat, shape)) in texts.iter().enumerate() {
                let text = json!(text.repeat(*repeat));
                let name = format!("{at}{}", "n".repeat(usize::from(*shape)));
                fields.insert(name, match shape % 4 {
                    0 => json!({ "inner": text, "n": at }),
                    1 => json!(vec![text; times]),
                    _ => text,
                });
            }
            for payload in [json!(fields), json!({ "fields": fields, "refused": "why" }), json!([fields])] {
                let kept = bounded(payload.clone());
                prop_assert!(kept.to_string().len() <= PAYLOAD, "{}", kept.to_string().len());
                prop_assert_eq!(bounded(kept.clone()), kept, "bounded once, it stays as it is");
            }
        }
    }

    #[test]
    fn a_call_that_is_refused_is_on_record_as_it_asked() {
        let told = json!({ "fields": {
            "CallSid": "c0ffee0123456789c0ffee0123456789", "CallFrom": "09876543210", "CallTo": "08047112233",
            "Direction": "incoming", "CallType": "call-attempt", "Created": "Tue, 24 Nov 2026 11:30:00",
            "DialWhomNumber": "", "From": "09876543210", "To": "08047112233", "CurrentTime": "2026-11-24 11:30:00",
        }});
        assert_eq!(refused(told.clone()), told);
    }

    #[test]
    fn whatever_a_refused_request_tells_little_is_kept_of_it() {
        let long = "é".repeat(30_000);
        let many: Map<_, _> = (0..5000).map(|n| (format!("field{n}"), "x".into())).collect();
        let deep = (0..100).fold(Value::from("x"), |inner, _| Value::Array(vec![inner]));
        let wide = Value::Array(vec![Value::from(1); 10_000]);
        for told in [
            json!({ "fields": { "CallFrom": long } }),
            json!({ "fields": { (long.clone()): "x" } }),
            json!({ "body": { "bytes": 60_000, "text": long } }),
            json!({ "fields": many }),
            json!({ "fields": { "deep": deep, "wide": wide } }),
            Value::Array(vec![Value::Array(Vec::new()); 10_000]),
        ] {
            let kept = refused(told).to_string();
            assert!(kept.len() <= PAYLOAD_OF_REFUSED + RESERVE, "{} bytes: {kept}", kept.len());
        }
    }
}
