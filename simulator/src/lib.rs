//! The other side of both wires, as rude as the real ones: a Realtime model and an Exotel, and many callers at once.

pub mod balancer;
pub mod exotel;
pub mod load;
pub mod model;
pub mod speech;
pub mod text;
