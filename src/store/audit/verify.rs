//! Walks the chain of the audit log and says where it breaks.

use std::fmt;

use super::chain::{GENESIS, Link};
use crate::store::{Store, StoreError, query};

/// Rows read at a time.
const PAGE: i64 = 2000;

/// A chain that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Rows of the chain.
    pub rows: u64,
    /// Rows from before there was a chain: nothing can be said of them.
    pub unchained: u64,
    /// The last row's id; 0 when there is none.
    pub last_id: i64,
    /// The last row's hash: noted down elsewhere, it proves later that nothing up to here was rewritten.
    pub hash: String,
}

/// The first place where the chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The row's contents are not those that were hashed.
    Changed {
        /// The row.
        id: i64,
    },
    /// Rows are gone from between two others, or the one before was changed and hashed anew.
    Removed {
        /// The last row that is in order; 0 when there is none.
        after: i64,
        /// The row that tells.
        before: i64,
    },
    /// A row that did not come from a gateway: it has no hash, or stands behind the end of the chain.
    Added {
        /// The row.
        id: i64,
    },
    /// Rows are gone from the end.
    Truncated {
        /// The last row that is there; 0 when there is none.
        last: i64,
        /// The row the log ended with.
        head: i64,
    },
    /// `audit_head` has no row: whether rows are gone from the end cannot be known.
    Headless {
        /// The last row that is there.
        last: i64,
    },
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { id } => write!(f, "row {id} was changed: its hash does not fit what it holds"),
            Self::Removed { after, before } if *before == after + 1 && *after > 0 => write!(
                f,
                "row {after} was changed and hashed anew, or what came behind it was removed: row {before} does not follow it"
            ),
            Self::Removed { after, before } => {
                write!(f, "row {} was removed: row {before} follows another than is there", after + 1)
            }
            Self::Added { id } => write!(f, "row {id} was added by somebody else: the chain ends before it"),
            Self::Truncated { last, head } => {
                write!(f, "row {} was removed: the log ends with row {last}, and it went on to row {head}", last + 1)
            }
            Self::Headless { last } => {
                write!(f, "the row of audit_head was removed: whether rows behind row {last} are gone cannot be known")
            }
        }
    }
}

/// Where a walk is.
struct Walk {
    last_id: i64,
    hash: String,
    rows: u64,
    unchained: u64,
}

impl Walk {
    fn step(&mut self, link: &Link) -> Result<(), Broken> {
        let (Some(prev), Some(hash)) = (&link.prev_hash, &link.hash) else {
            if self.rows > 0 || link.prev_hash.is_some() || link.hash.is_some() {
                return Err(Broken::Added { id: link.id });
            }
            (self.unchained, self.last_id) = (self.unchained + 1, link.id);
            return Ok(());
        };
        let removed = Broken::Removed { after: self.last_id, before: link.id };
        // What is missing comes before what was done to the row behind it.
        if *prev != self.hash && link.id > self.last_id + 1 {
            return Err(removed);
        }
        if link.covered().hash(prev) != *hash {
            return Err(Broken::Changed { id: link.id });
        }
        if *prev != self.hash {
            return Err(removed);
        }
        (self.last_id, self.rows) = (link.id, self.rows + 1);
        self.hash.clone_from(hash);
        Ok(())
    }

    fn whole(self) -> Whole {
        let Self { last_id, hash, rows, unchained } = self;
        Whole { rows, unchained, last_id, hash }
    }
}

impl Store {
    /// Reads the whole audit log and checks its chain. Gateways may go on appending meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn verify_audit(&self) -> Result<Result<Whole, Broken>, StoreError> {
        // What a head names was committed with it or before: the walk must meet the one from before it, and find nothing behind the
        // one from after it.
        let before = self.audit_head().await?;
        let mut met = before.as_ref().is_none_or(|(last_id, _)| *last_id == 0);
        let mut walk = Walk { last_id: 0, hash: GENESIS.to_owned(), rows: 0, unchained: 0 };
        loop {
            let after = walk.last_id;
            let links = query!(self, read, audit::links(after, PAGE))?;
            for link in &links {
                if let Err(broken) = walk.step(link) {
                    return Ok(Err(broken));
                }
                met |= before.as_ref().is_some_and(|(id, hash)| *id == link.id && link.hash.as_ref() == Some(hash));
            }
            if (links.len() as i64) < PAGE {
                break;
            }
        }
        let last = walk.last_id;
        let broken = match (before, self.audit_head().await?) {
            (None, _) | (_, None) => (walk.rows > 0).then_some(Broken::Headless { last }),
            (Some((head, _)), _) if !met && last < head => Some(Broken::Truncated { last, head }),
            (Some((head, _)), _) if !met => Some(Broken::Changed { id: head }),
            (_, Some((head, _))) if walk.rows > 0 && last > head => Some(Broken::Added { id: last }),
            _ => None,
        };
        Ok(broken.map_or_else(|| Ok(walk.whole()), Err))
    }
}
