//! Tells when a thread that serves stands still, and whose fault it is: that of what runs on it, or of a host that does not run us.
//!
//! Each thread leaves a mark every so often. A thread of the watchdog's own looks at the marks. Where one is old, the kernel says for how
//! long the thread waited for a processor meanwhile: if that is most of it, or if the watchdog itself woke late, the host is to blame.
//! A thread's stack cannot be had in safe Rust; what is told instead is the call that it works on, and where in the kernel it waits.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actors::{Busy, lock};
use protocol::ids::CallSid;
use tokio::time::{MissedTickBehavior, interval};

/// How often a thread leaves its mark, and how often marks are looked at.
const EVERY: Duration = Duration::from_millis(100);
/// A mark so old is a thread that stands still: callers hear it by then.
const STALLED: Duration = Duration::from_millis(500);

/// What is watched.
#[derive(Clone)]
pub(super) struct Marks {
    began: Instant,
    threads: Arc<Mutex<Vec<Arc<Thread>>>>,
}

/// One thread that serves.
struct Thread {
    number: usize,
    /// When it left its last mark, ms.
    mark_ms: AtomicU64,
    busy: Arc<Busy>,
    /// What the kernel says of it; none where it says nothing.
    task: Option<PathBuf>,
}

/// Why a thread stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// What runs on it does not give it back.
    Worker,
    /// It was not run.
    Host,
}

impl Cause {
    const fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Host => "host",
        }
    }

    /// `still`: for how long there was no mark; `waited`: for how much of it the thread wanted a processor and had none; `late`: by how
    /// much the watchdog woke too late meanwhile.
    fn of(still: Duration, waited: Duration, late: Duration) -> Self {
        if waited.max(late) * 2 >= still { Self::Host } else { Self::Worker }
    }
}

impl Marks {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), threads: Arc::default() }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Leaves this thread's marks from now on. To be called on it.
    pub(super) fn join(&self) {
        let mut threads = lock(&self.threads);
        let thread = Arc::new(Thread {
            number: threads.len(),
            mark_ms: AtomicU64::new(self.now_ms()),
            busy: Busy::here(),
            task: fs::read_link("/proc/thread-self").ok().map(|task| PathBuf::from("/proc").join(task)),
        });
        threads.push(Arc::clone(&thread));
        drop(threads);
        let watched = self.clone();
        actix_rt::spawn(async move {
            let lag = metrics::histogram!("callgate_event_loop_lag_seconds", "worker" => thread.number.to_string());
            let mut every = interval(EVERY);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                let due = every.tick().await;
                lag.record(due.elapsed());
                thread.mark_ms.store(watched.now_ms(), Ordering::Relaxed);
            }
        });
    }
}

impl Thread {
    /// How long it has waited for a processor since it began.
    fn waited(&self) -> Duration {
        let said = self.task.as_ref().and_then(|task| fs::read_to_string(task.join("schedstat")).ok());
        let ns = said.and_then(|said| said.split_ascii_whitespace().nth(1)?.parse().ok());
        Duration::from_nanos(ns.unwrap_or(0))
    }

    /// Where it is, as far as the kernel tells: `R` for one that runs, else in what it waits.
    fn place(&self) -> String {
        let read = |file: &str| self.task.as_ref().and_then(|task| fs::read_to_string(task.join(file)).ok());
        let state = read("stat").and_then(|stat| stat.rsplit_once(") ")?.1.chars().next()).unwrap_or('?');
        match read("wchan").filter(|wchan| state != 'R' && !wchan.is_empty() && wchan != "0") {
            Some(wchan) => format!("{state} {wchan}"),
            None => state.to_string(),
        }
    }
}

/// Looks at the marks until it is dropped.
pub(super) struct Watchdog {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// `call_in_place`: a call by the number of its place.
    pub(super) fn start(
        watched: Marks,
        call_in_place: impl Fn(u64) -> Option<CallSid> + Send + 'static,
    ) -> std::io::Result<Self> {
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("callgate-watchdog".to_owned());
        let thread = thread.spawn(move || {
            let mut looks = Looks::new(watched);
            while !stopped.load(Ordering::Acquire) {
                let slept = Instant::now();
                std::thread::park_timeout(EVERY);
                looks.look(slept.elapsed().saturating_sub(EVERY), &call_in_place);
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// What the watchdog knows of the threads.
struct Looks {
    watched: Marks,
    seen: Vec<Seen>,
}

/// One thread, as it was found last.
#[derive(Default)]
struct Seen {
    mark_ms: u64,
    /// How long it had waited for a processor when its last mark was seen.
    waited: Duration,
    /// By how much the watchdog has woken too late since.
    late: Duration,
    /// It stands still, and that was told.
    told: Option<Cause>,
}

impl Looks {
    const fn new(watched: Marks) -> Self {
        Self { watched, seen: Vec::new() }
    }

    /// `late`: by how much this look comes too late.
    fn look(&mut self, late: Duration, call_in_place: &impl Fn(u64) -> Option<CallSid>) {
        let (threads, now_ms) = (lock(&self.watched.threads).clone(), self.watched.now_ms());
        self.seen.resize_with(threads.len(), Seen::default);
        for (thread, seen) in threads.iter().zip(&mut self.seen) {
            let mark_ms = thread.mark_ms.load(Ordering::Relaxed);
            seen.late += late;
            let still = Duration::from_millis(now_ms.saturating_sub(seen.mark_ms.max(1)));
            if mark_ms != seen.mark_ms {
                let was = Duration::from_millis(mark_ms.saturating_sub(seen.mark_ms));
                // Where nobody ran, the watchdog did not either: it looks when all is over.
                if seen.told.is_none() && seen.mark_ms > 0 && was >= STALLED + EVERY {
                    let cause = Cause::of(was, thread.waited().saturating_sub(seen.waited), seen.late);
                    tell(thread, cause, was, None);
                } else if let Some(cause) = seen.told.take() {
                    let (worker, cause, still_ms) = (thread.number, cause.name(), millis(was));
                    tracing::warn!(target: "watchdog", worker, cause, still_ms, "a thread that serves goes on");
                }
                *seen = Seen { mark_ms, waited: thread.waited(), ..Seen::default() };
            } else if seen.told.is_none() && seen.mark_ms > 0 && still >= STALLED {
                let cause = Cause::of(still, thread.waited().saturating_sub(seen.waited), seen.late);
                tell(thread, cause, still, thread.busy.call().and_then(call_in_place));
                seen.told = Some(cause);
            }
        }
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

fn tell(thread: &Thread, cause: Cause, still: Duration, call: Option<CallSid>) {
    metrics::counter!("callgate_stalls_total", "cause" => cause.name()).increment(1);
    let (worker, still_ms) = (thread.number, millis(still));
    match cause {
        Cause::Host => {
            tracing::warn!(target: "watchdog", worker, still_ms, "the host did not run a thread that serves: its processors are busy, or it stopped us");
        }
        Cause::Worker => {
            let (call_sid, place) = (call.as_ref().map(CallSid::as_str), thread.place());
            tracing::error!(target: "watchdog", worker, call_sid, still_ms, place, "a thread that serves is blocked: all of its calls stand still");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn who_waited_for_a_processor_or_was_looked_at_too_late_was_not_run() {
        assert_eq!(Cause::of(ms(600), ms(0), ms(10)), Cause::Worker);
        assert_eq!(Cause::of(ms(600), ms(200), ms(100)), Cause::Worker);
        assert_eq!(Cause::of(ms(600), ms(400), ms(0)), Cause::Host);
        assert_eq!(Cause::of(ms(600), ms(0), ms(500)), Cause::Host);
    }

    /// A thread that serves, its marks, and a way to look at it without a clock of the test's own.
    fn watched(mark_ms: u64) -> (Looks, Arc<Thread>) {
        let began = Instant::now().checked_sub(ms(100_000)).unwrap();
        let watched = Marks { began, threads: Arc::default() };
        let thread = Arc::new(Thread { number: 0, mark_ms: mark_ms.into(), busy: Arc::default(), task: None });
        lock(&watched.threads).push(Arc::clone(&thread));
        (Looks::new(watched), thread)
    }

    #[test]
    fn a_thread_without_a_new_mark_is_told_of_once_and_again_when_it_stands_still_again() {
        let (mut looks, thread) = watched(99_900);
        looks.look(ms(0), &|_| None);
        assert_eq!(looks.seen[0].told, None, "its mark is new");
        looks.watched.began = looks.watched.began.checked_sub(ms(1_000)).unwrap();
        looks.look(ms(5), &|_| None);
        assert_eq!(looks.seen[0].told, Some(Cause::Worker));
        looks.look(ms(5), &|_| None);
        thread.mark_ms.store(101_000, Ordering::Relaxed);
        looks.look(ms(5), &|_| None);
        assert_eq!(looks.seen[0].told, None);
        looks.watched.began = looks.watched.began.checked_sub(ms(1_000)).unwrap();
        looks.look(ms(900), &|_| None);
        assert_eq!(looks.seen[0].told, Some(Cause::Host));
    }
}
