//! The threads of what goes on beside the calls: the record, the audit log, jobs, the spool.

use anyhow::Context;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::priority;

/// They fold and serialise what calls leave behind, and wait for everything else. Two: whatever one of them is busy with for long, a webhook's
/// entry is written.
const THREADS: usize = 2;

/// A runtime of its own: no call's arbiter does this work, and the database's connections are driven whatever it does.
pub(super) struct Background {
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Background {
    pub(super) fn start() -> anyhow::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("callgate-background")
            .on_thread_start(priority::beside_calls)
            .enable_all()
            .build()
            .context("no threads for what goes on beside the calls")?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // A runtime must not be waited for where futures run.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
