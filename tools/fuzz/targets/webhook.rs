//! Whatever a webhook carries is what it asks for or an error that names the field.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::exotel::normalise_number;
use protocol::exotel::webhook::{CallEnd, CallStart, Fields, RecordingReady, StreamReport};

fuzz_target!(|data: &[u8]| {
    let Some((kind, body)) = data.split_first() else { return };
    let fields = match kind % 2 {
        0 => Fields::from_urlencoded(body),
        _ => match Fields::from_json(body) {
            Ok(fields) => fields,
            Err(error) => return assert!(!error.to_string().is_empty()),
        },
    };
    if let Ok(start) = CallStart::try_from(&fields) {
        for (line, region) in start.lines.iter().flat_map(|line| [(line, "IN"), (line, "US")]) {
            if let Some(number) = normalise_number(line.reveal(), region) {
                let again = normalise_number(&number, region);
                assert_eq!(again.as_ref(), Some(&number), "E.164 is its own normal form");
            }
        }
    }
    let _ = (CallEnd::try_from(&fields), RecordingReady::try_from(&fields), StreamReport::try_from(&fields));
    let _ = fields.to_json();
});
