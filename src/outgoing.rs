//! Requests to where data says: a URL that a webhook brought, one that a client is told at.
//!
//! Whoever may write such a URL must not be able to have this machine ask what he cannot ask himself. So there is one kind of client for
//! them, and no other is made outside this module (`tools/gates.sh` looks): https to public addresses, which are looked at in the URL
//! *and* when they are connected to, so that a name which changes its mind is no way in; no redirect that nobody looked at; no proxy of
//! the environment. `PRIVATE_HOSTS` lists the exceptions. The object store and the model's server are not asked through it: where those
//! are is a setting of the operator's own.

mod address;
mod client;
mod hosts;

#[cfg(test)]
mod tests;

pub use client::{ClientError, Outgoing, Times, refused_by_guard, words};
pub use hosts::{Forbidden, LONGEST_URL, PrivateHosts};
pub(crate) use hosts::{bare, host_and_port};
