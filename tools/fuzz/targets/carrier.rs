//! Whatever arrives on the carrier's socket is a message or an error, and its numbers lose no more than a gap may have.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::exotel::stream::{self, AudioIn, CarrierMessage, Numbered, Numbering};

/// Messages that a jump in the numbers may stand for.
const LARGEST_GAP: u32 = 3_000;

fuzz_target!(|data: &[u8]| {
    let mut numbering = Numbering::default();
    for line in data.split(|byte| *byte == b'\n') {
        let Ok(text) = std::str::from_utf8(line) else { continue };
        match stream::parse(text) {
            Ok(CarrierMessage::Media(media)) => {
                let mut pcm = Vec::new();
                if AudioIn::default().decode(&media.payload, &mut pcm).is_ok() {
                    assert!(pcm.len().is_multiple_of(2), "whole samples");
                }
                if let Numbered::After { lost } = numbering.media(media.sequence_number) {
                    assert!((1..=LARGEST_GAP).contains(&lost), "{lost} messages lost");
                }
            }
            Ok(_) => numbering.other(),
            Err(_) => {}
        }
    }
});
