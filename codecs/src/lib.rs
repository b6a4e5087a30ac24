//! Audio to audio. No IO, no clock; nothing allocates per frame once warm.

mod rate;

pub use rate::SampleRate;
