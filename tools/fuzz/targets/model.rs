//! Whatever a Realtime server sends is an event or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::realtime::event::{self, Parsed};
use protocol::wire;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(Parsed::Audio { delta, .. }) = event::parse(text) {
        let _ = wire::decode_base64(&delta, &mut Vec::new());
    }
});
