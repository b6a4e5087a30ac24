//! Whatever arrives on the carrier's socket is a message or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::exotel::stream::{self, AudioIn, CarrierMessage};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(CarrierMessage::Media(media)) = stream::parse(text) {
        let mut pcm = Vec::new();
        if AudioIn::default().decode(&media.payload, &mut pcm).is_ok() {
            assert!(pcm.len().is_multiple_of(2), "whole samples");
        }
    }
});
