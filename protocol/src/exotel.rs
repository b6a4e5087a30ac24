//! Exotel's messages: the media stream and the webhooks.

pub mod stream;
