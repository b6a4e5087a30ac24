//! Whose account of a call's end stands.

use super::EndCode;
use crate::exotel::status::ENDS;

/// How much an account of a call's end knows: the higher takes the place of the lower, whichever came first, and of two alike the first
/// stands. This is the whole rule. It is kept as a number beside the account, so that a database can hold to it as well:
/// `WHERE ended_rank IS NULL OR ended_rank < :told`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndRank(i16);

impl EndRank {
    /// The gateway of the call is gone, and nobody told of the end.
    pub const REAPER: Self = Self(0);
    /// A gateway waited for the stream in vain: it knows less than anybody who had the call.
    pub const NO_MEDIA: Self = Self(10);
    /// The carrier speaks of a stream. Of several statuses the more final one ranks higher, up to 24.
    const STREAM: Self = Self(20);
    /// The carrier speaks of the call: likewise, up to 34.
    const CALL: Self = Self(30);
    /// A gateway that had the call.
    pub const GATEWAY: Self = Self(40);

    /// The rank of an account: its code, and the status that it tells of.
    #[must_use]
    pub fn of(code: EndCode, status: &str) -> Self {
        let final_as = |rank: Self| {
            let more = ENDS.iter().position(|end| *end == status).and_then(|at| i16::try_from(at).ok());
            Self(rank.0 + more.unwrap_or(0))
        };
        match code {
            EndCode::Reaped => Self::REAPER,
            EndCode::NoMedia => Self::NO_MEDIA,
            EndCode::StreamReported => final_as(Self::STREAM),
            EndCode::CarrierReported => final_as(Self::CALL),
            _ => Self::GATEWAY,
        }
    }

    /// Whether an account of this rank takes the place of the one that stands, if any does.
    #[must_use]
    pub fn outranks(self, standing: Option<Self>) -> bool {
        standing < Some(self)
    }

    /// As stored.
    #[must_use]
    pub const fn number(self) -> i16 {
        self.0
    }

    /// Of a number that was stored.
    #[must_use]
    pub const fn stored(number: i16) -> Self {
        Self(number)
    }
}
