//! The chain of the audit log: every row's hash covers the row and the hash before it.
//!
//! `hash` is the lower-case hex SHA-256 of the bytes `callgate.audit.1;` followed by eight values in this order: `prev_hash`, `at`,
//! `kind`, `call_sid`, `remote_addr`, `request_id`, `outcome`, `payload`. A value is written as its length in bytes, `:`, its UTF-8
//! bytes and `;`; one that is null as `-;`. `at` is the decimal number of microseconds since 1970 UTC, `payload` the text as stored.
//! The first row's `prev_hash` is 64 zeros. `id` is not covered: the order it gives is what the chain proves.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use sha2::{Digest, Sha256};

use crate::store::columns::Time;
use crate::store::schema::audit_log;

/// The hash before the first row.
pub(in crate::store) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The columns a hash covers, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Insertable)]
#[diesel(table_name = audit_log, treat_none_as_default_value = false)]
pub(in crate::store) struct Covered {
    pub(in crate::store) at: NaiveDateTime,
    pub(in crate::store) kind: String,
    pub(in crate::store) call_sid: Option<String>,
    pub(in crate::store) remote_addr: Option<String>,
    pub(in crate::store) request_id: Option<String>,
    pub(in crate::store) outcome: String,
    pub(in crate::store) payload: String,
}

impl Covered {
    /// The hash of a row behind another.
    pub(in crate::store) fn hash(&self, prev: &str) -> String {
        let mut sha = Sha256::new_with_prefix(b"callgate.audit.1;");
        let at = self.at.and_utc().timestamp_micros().to_string();
        let values = [
            Some(prev),
            Some(&at),
            Some(&self.kind),
            self.call_sid.as_deref(),
            self.remote_addr.as_deref(),
            self.request_id.as_deref(),
            Some(&self.outcome),
            Some(&self.payload),
        ];
        for value in values {
            match value {
                Some(text) => {
                    sha.update(text.len().to_string());
                    sha.update(b":");
                    sha.update(text);
                    sha.update(b";");
                }
                None => sha.update(b"-;"),
            }
        }
        hex(&sha.finalize())
    }
}

/// A row as it is read back to be verified.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = audit_log)]
pub(in crate::store) struct Link {
    pub(super) id: i64,
    #[diesel(deserialize_as = Time)]
    pub(super) at: chrono::DateTime<chrono::Utc>,
    pub(super) kind: String,
    pub(super) call_sid: Option<String>,
    pub(super) remote_addr: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) outcome: String,
    pub(super) payload: String,
    pub(super) prev_hash: Option<String>,
    pub(super) hash: Option<String>,
}

impl Link {
    /// The columns the hash covers.
    pub(in crate::store) fn covered(&self) -> Covered {
        Covered {
            at: self.at.naive_utc(),
            kind: self.kind.clone(),
            call_sid: self.call_sid.clone(),
            remote_addr: self.remote_addr.clone(),
            request_id: self.request_id.clone(),
            outcome: self.outcome.clone(),
            payload: self.payload.clone(),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn row() -> Covered {
        Covered {
            at: DateTime::from_timestamp_micros(1_790_000_000_000_001).unwrap().naive_utc(),
            kind: "webhook.call-end".to_owned(),
            call_sid: Some("c1".to_owned()),
            remote_addr: None,
            request_id: Some(String::new()),
            outcome: "ok".to_owned(),
            payload: "{\"CallSid\":\"c1\"}".to_owned(),
        }
    }

    #[test]
    fn the_hash_is_what_the_documentation_says() {
        let spelt = format!(
            "callgate.audit.1;64:{GENESIS};16:1790000000000001;16:webhook.call-end;2:c1;-;0:;2:ok;16:{{\"CallSid\":\"c1\"}};"
        );
        assert_eq!(row().hash(GENESIS), hex(&Sha256::digest(spelt)));
    }

    #[test]
    fn a_change_anywhere_is_another_hash() {
        let hash = row().hash(GENESIS);
        assert_eq!(hash.len(), 64);
        let changes: [fn(&mut Covered); 8] = [
            |row| row.at += chrono::TimeDelta::microseconds(1),
            |row| row.kind.push('x'),
            |row| row.call_sid = None,
            |row| row.remote_addr = Some(String::new()),
            |row| row.request_id = None,
            |row| row.outcome.push(' '),
            |row| row.payload.clear(),
            // What leaves one column for the next.
            |row| (row.outcome, row.payload) = ("o".to_owned(), format!("k{}", row.payload)),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut row = row();
            change(&mut row);
            assert_ne!(row.hash(GENESIS), hash, "change {number}");
        }
        assert_ne!(row().hash(&hash), hash);
    }
}
