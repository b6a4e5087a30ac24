//! Audio to audio. No IO, no clock; nothing allocates per frame once warm.
//!
//! Speech travels as s16le mono bytes, the form both wires carry it in; samples are made of them only inside a stage.

pub mod g711;
pub mod level;
pub mod ogg;
pub mod opus;
pub mod pcm;
pub mod wav;

mod framer;
mod rate;
mod resampler;

pub use framer::{FRAME_UNIT_BYTES, Framer};
pub use rate::SampleRate;
pub use resampler::{ResampleError, Resampler};
