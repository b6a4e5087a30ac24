//! Names of functions as labels of metrics: clients make them up, so there is a bound.

use std::collections::HashSet;
use std::sync::{Mutex, OnceLock};

use actors::lock;
use metrics::SharedString;

/// Names that are told apart in metrics.
pub const MOST_NAMES: usize = 200;
/// All others.
const OTHERS: &str = "(others)";

/// The label of a function.
pub(super) fn of(name: &str) -> SharedString {
    static KNOWN: OnceLock<Mutex<HashSet<String>>> = OnceLock::new();
    let mut known = lock(KNOWN.get_or_init(Mutex::default));
    if known.contains(name) {
        return name.to_owned().into();
    }
    if known.len() >= MOST_NAMES {
        return OTHERS.into();
    }
    known.insert(name.to_owned());
    name.to_owned().into()
}
