//! Exotel's messages: the media stream and the webhooks.

mod answer;
pub mod connect;
pub(crate) mod number;
pub mod status;
pub mod stream;
mod time;
pub mod webhook;

pub use answer::answer_xml;
pub use number::{is_region, is_withheld, normalise_number, warm_numbers};

/// Whether a text can be one of Exotel's ids: 1 to 64 of `[0-9A-Za-z_-]` (theirs are 32 of `[0-9a-z]`, not hex).
#[must_use]
pub fn is_sid(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}
