//! What an address may cost: guesses at secrets, and refusals written to the audit log.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actors::lock;
use chrono::Utc;
use serde_json::json;

use super::address::guesser;
use crate::calls::writer::RecordWriter;
use crate::rate::{TooMany, Windows};
use crate::store::AuditEntry;

/// Failed authentications of one address in a minute, before it is told to wait.
const FAILED_A_MINUTE: u32 = 240;
/// Refusals of one stranger that are written to the audit log in a minute: it must not be a way to fill the disk.
const WRITTEN_A_MINUTE: u32 = 300;
/// The same of an address that showed who it is: all of a carrier's calls come from a few.
const WRITTEN_OF_KNOWN_A_MINUTE: u32 = 600;
/// Addresses whose refusals left out are told one by one; what more there are is told together.
const TOLD_ADDRESSES: usize = 256;
/// How long refusals are left out before it is told how many.
const TELL_AFTER: Duration = Duration::from_secs(60);

/// Requests that were refused, by address.
pub struct AbuseLimits {
    failed: Windows,
    written: Windows,
    of_known: Windows,
    left_out: Arc<LeftOut>,
}

impl Default for AbuseLimits {
    fn default() -> Self {
        Self {
            failed: Windows::new("guessers"),
            written: Windows::new("strangers"),
            of_known: Windows::new("refused"),
            left_out: Arc::default(),
        }
    }
}

impl AbuseLimits {
    /// Counts a failed authentication.
    ///
    /// # Errors
    /// There were too many of that address.
    pub(super) fn failed(&self, address: IpAddr) -> Result<(), TooMany> {
        self.failed.count(&guesser(address), FAILED_A_MINUTE, Instant::now())
    }

    /// Whether an address may still try to authenticate, where it is asked before its secret is.
    ///
    /// # Errors
    /// It failed too often.
    pub(super) fn may_try(&self, address: IpAddr) -> Result<(), TooMany> {
        self.failed.check(&guesser(address), FAILED_A_MINUTE, Instant::now())
    }

    /// Whether a refusal is written down. What is not is counted, and the audit log is told how many in one entry a minute.
    pub(super) fn is_worth_writing(&self, address: IpAddr, of_stranger: bool, recorder: &RecordWriter) -> bool {
        let (windows, limit) = match of_stranger {
            true => (&self.written, WRITTEN_A_MINUTE),
            false => (&self.of_known, WRITTEN_OF_KNOWN_A_MINUTE),
        };
        let address = guesser(address);
        if windows.count(&address, limit, Instant::now()).is_ok() {
            return true;
        }
        metrics::counter!("callgate_audit_skipped_total").increment(1);
        if let Some(whose) = self.left_out.count(address) {
            let (left_out, recorder) = (Arc::clone(&self.left_out), recorder.clone());
            // One for each address at most.
            actix_rt::spawn(async move {
                tokio::time::sleep(TELL_AFTER).await;
                let count = left_out.take(whose);
                recorder.audit(told(whose, count));
            });
        }
        false
    }
}

/// Refusals that were not written down, and not yet told: by address, or of all others (none).
#[derive(Default)]
struct LeftOut(Mutex<HashMap<Option<IpAddr>, u64>>);

impl LeftOut {
    /// Counts one; says under whom when it is the first.
    fn count(&self, address: IpAddr) -> Option<Option<IpAddr>> {
        let mut counts = lock(&self.0);
        let known = counts.contains_key(&Some(address)) || counts.len() < TOLD_ADDRESSES;
        let whose = known.then_some(address);
        let count = counts.entry(whose).or_default();
        *count += 1;
        (*count == 1).then_some(whose)
    }

    fn take(&self, whose: Option<IpAddr>) -> u64 {
        lock(&self.0).remove(&whose).unwrap_or_default()
    }
}

/// The entry that says how many refusals are not in the log.
fn told(whose: Option<IpAddr>, count: u64) -> AuditEntry {
    AuditEntry {
        at: Utc::now(),
        kind: "audit.left-out".to_owned(),
        call_sid: None,
        remote_addr: whose.map(|address| address.to_string()),
        request_id: None,
        outcome: "refused".to_owned(),
        payload: json!({ "refusals": count }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_was_left_out_is_told_once_for_each_address_and_counts_them_all() {
        let left_out = LeftOut::default();
        let (one, another) = (ip("192.0.2.1"), ip("192.0.2.2"));
        assert_eq!(left_out.count(one), Some(Some(one)));
        assert_eq!(left_out.count(one), None);
        assert_eq!(left_out.count(another), Some(Some(another)));
        assert_eq!((left_out.take(Some(one)), left_out.take(Some(another))), (2, 1));
        assert_eq!(left_out.count(one), Some(Some(one)), "the next minute is told again");
    }

    #[test]
    fn addresses_without_number_are_told_together() {
        let left_out = LeftOut::default();
        let told = (0..2000_u32).filter_map(|n| left_out.count(IpAddr::V4(n.into()))).count();
        assert_eq!(told, TOLD_ADDRESSES + 1);
        assert_eq!(left_out.take(None), 2000 - TOLD_ADDRESSES as u64);
    }

    #[test]
    fn an_ipv6_customer_has_one_budget_whichever_of_its_addresses_it_takes() {
        let strangers = AbuseLimits::default();
        let address = |n: u32| ip(&format!("2001:db8:1:2::{n:x}"));
        assert!((0..FAILED_A_MINUTE).all(|n| strangers.failed(address(n)).is_ok()));
        strangers.failed(address(1000)).unwrap_err();
        strangers.may_try(address(1001)).unwrap_err();
        strangers.may_try(ip("2001:db8:1:3::1")).unwrap();
    }
}
