//! Newtypes for identifiers, and for what must not leak into a log.

use std::fmt;
use std::sync::Arc;

use crate::exotel::number::user_of;
use crate::wire::{boundary, without_nul};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident: $most:literal) => {
        $(#[$doc])*
        ///
        #[doc = concat!("At most ", $most, " bytes: what a peer spells longer is cut, and then is nobody's.")]
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps the identifier as its issuer spelt it.
            pub fn new(id: impl AsRef<str>) -> Self {
                let id = id.as_ref();
                Self(Arc::from(&id[..boundary(id, $most)]))
            }

            /// The identifier as its issuer spelt it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self::new(id)
            }
        }
    };
}

id! {
    /// Exotel's id of a phone call: 32 characters of `[0-9a-z]`, not always hex.
    CallSid: 64
}
id! {
    /// Exotel's id of one media stream of a call.
    StreamSid: 64
}
id! {
    /// The Realtime server's id of a conversation item.
    ItemId: 128
}
id! {
    /// The Realtime server's id of a response.
    ResponseId: 128
}

/// A mark of ours: a label behind a message of audio, which the carrier echoes when its playback gets there.
/// On the wire it is named `generation-sequence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MarkId {
    /// Grows with every `clear` and every restart, so that what is echoed of audio that was dropped never counts.
    pub generation: u32,
    /// Counts the messages of a call from 1; a restart begins anew.
    pub sequence: u64,
}

impl MarkId {
    /// Reads a mark's name; none for one that is not of our making.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (generation, sequence) = name.split_once('-')?;
        Some(Self { generation: generation.parse().ok()?, sequence: sequence.parse().ok()? })
    }
}

impl fmt::Display for MarkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.generation, self.sequence)
    }
}

/// Bytes that are kept of a phone number: the longest are 15 digits, and a SIP address is seldom longer than this.
const PHONE_NUMBER: usize = 64;

/// A phone number, of at most 64 bytes. `Debug` and `Display` show the last two digits only; [`PhoneNumber::reveal`] is for the wire and
/// the store.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber(Box<str>);

impl PhoneNumber {
    /// Wraps a number in whatever spelling it came. Of an address that is too long, what names somebody is kept; of any other text its
    /// beginning.
    pub fn new(number: impl AsRef<str>) -> Self {
        let told = number.as_ref();
        let kept = if told.len() > PHONE_NUMBER { user_of(told).unwrap_or(told) } else { told };
        let kept = &kept[..boundary(kept, PHONE_NUMBER)];
        Self(if kept.contains('\0') { without_nul(kept.to_owned()).into() } else { kept.into() })
    }

    /// The digits in clear. Never pass the result to a log.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail: String = self.0.chars().rev().take(2).collect::<Vec<_>>().into_iter().rev().collect();
        write!(f, "…{tail}")
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A key, token or password. Never shown by `Debug`; compare secrets in constant time, so there is no `PartialEq`.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl AsRef<str>) -> Self {
        Self(Arc::from(secret.as_ref()))
    }

    /// The secret in clear. Never pass the result to a log.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
