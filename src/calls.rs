//! Calls: how one is written down while it runs, and what becomes of those whose gateway died.

mod sweep;
pub mod token;
pub mod writer;

pub use sweep::Sweep;
