//! What a node allows its calls.

use std::time::Duration;

/// Limits of the switchboard.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Live calls on this node, waiting ones included.
    pub max_calls: usize,
    /// Restarts of one actor within `restart_window` before its call is given up.
    pub restarts: u32,
    /// The window.
    pub restart_window: Duration,
    /// A call that has waited for its stream for so long gives its place to another where there is none left.
    pub gives_way_after: Duration,
}
