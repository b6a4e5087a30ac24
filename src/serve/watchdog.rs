//! Tells when a thread that serves stands still, and whose fault it is: that of what runs on it, or of a host that does not run us.
//!
//! Each thread leaves a mark every so often. A thread of the watchdog's own looks at the marks. Where one is old, the kernel says for how
//! long the thread waited for a processor meanwhile: if that is most of it, or if the watchdog itself woke late, the host is to blame.
//! A thread's stack cannot be had in safe Rust; what is told instead is the call that it works on, and where in the kernel it waits.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actors::{BEAT, Busy, lock, watch_thread};
use protocol::ids::CallSid;

use crate::recordings::spool::EventLoopLag;

/// How often a thread leaves its mark, and how often marks are looked at.
const EVERY: Duration = BEAT;
/// A mark so old is a thread that stands still: callers hear it by then.
const STALLED: Duration = Duration::from_millis(500);
/// Where in the kernel a thread is that has nothing to do.
const WAITS_FOR_EVENTS: &str = "epoll";

/// What is watched.
#[derive(Clone)]
pub(super) struct Marks {
    began: Instant,
    threads: Arc<Mutex<Vec<Arc<Thread>>>>,
    /// What may wait gives way by it.
    lag: EventLoopLag,
}

/// One thread that serves.
struct Thread {
    number: usize,
    /// When it left its last mark, ms.
    mark_ms: AtomicU64,
    busy: Arc<Busy>,
    /// What the kernel says of it; none where it says nothing.
    task: Option<PathBuf>,
    /// The same of its processor time, kept open: it is read ten times a second.
    schedule: Option<File>,
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
    pub(super) fn new(lag: EventLoopLag) -> Self {
        Self { began: Instant::now(), threads: Arc::default(), lag }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Leaves this thread's marks from now on. To be called on it.
    pub(super) fn join(&self) {
        let mut threads = lock(&self.threads);
        let task = fs::read_link("/proc/thread-self").ok().map(|task| PathBuf::from("/proc").join(task));
        let thread = Arc::new(Thread {
            number: threads.len(),
            mark_ms: AtomicU64::new(self.now_ms()),
            busy: Busy::here(),
            schedule: task.as_ref().and_then(|task| File::open(task.join("schedstat")).ok()),
            task,
        });
        threads.push(Arc::clone(&thread));
        drop(threads);
        let watched = self.clone();
        let lag = metrics::histogram!("callgate_event_loop_lag_seconds", "worker" => thread.number.to_string());
        watch_thread(move |late| {
            lag.record(late);
            watched.lag.note(late);
            thread.mark_ms.store(watched.now_ms(), Ordering::Relaxed);
        });
    }
}

impl Thread {
    /// How long it has waited for a processor since it began.
    fn waited(&self) -> Duration {
        let mut said = [0; 96];
        let read = self.schedule.as_ref().and_then(|file| file.read_at(&mut said, 0).ok()).unwrap_or(0);
        let said = std::str::from_utf8(&said[..read]).unwrap_or_default();
        let ns = said.split_ascii_whitespace().nth(1).and_then(|ns| ns.parse().ok());
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
                std::thread::park_timeout(EVERY);
                looks.look(looks.watched.now_ms(), &call_in_place);
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
    /// When it looked last, ms.
    looked_ms: u64,
}

/// One thread, as it was found last.
#[derive(Default)]
struct Seen {
    /// 0: never.
    mark_ms: u64,
    /// How long it had waited for a processor when that mark was seen.
    waited: Duration,
    /// For how much of the time since that mark the watchdog was not run either, ms.
    late_ms: u64,
    /// It stands still, and that was told.
    told: Option<Cause>,
}

impl Seen {
    /// `late_ms`: by how much the watchdog woke too late just now. What of it was before the mark is no excuse for what comes after.
    fn new(thread: &Thread, mark_ms: u64, now_ms: u64, late_ms: u64) -> Self {
        let late_ms = late_ms.min(now_ms.saturating_sub(mark_ms));
        Self { mark_ms, waited: thread.waited(), late_ms, told: None }
    }

    fn cause(&self, thread: &Thread, still: Duration) -> Cause {
        Cause::of(still, thread.waited().saturating_sub(self.waited), Duration::from_millis(self.late_ms))
    }
}

impl Looks {
    fn new(watched: Marks) -> Self {
        let looked_ms = watched.now_ms();
        Self { watched, seen: Vec::new(), looked_ms }
    }

    /// One time serves for how late this look is and for how old the marks are: whenever the process is stopped, both tell of it.
    fn look(&mut self, now_ms: u64, call_in_place: &impl Fn(u64) -> Option<CallSid>) {
        let late_ms = now_ms.saturating_sub(self.looked_ms).saturating_sub(millis(EVERY));
        self.looked_ms = now_ms;
        let threads = lock(&self.watched.threads).clone();
        self.seen.resize_with(threads.len(), Seen::default);
        for (thread, seen) in threads.iter().zip(&mut self.seen) {
            let mark_ms = thread.mark_ms.load(Ordering::Relaxed);
            if mark_ms == seen.mark_ms {
                seen.late_ms += late_ms;
                still(thread, seen, now_ms, call_in_place);
            } else {
                marked(thread, seen, mark_ms);
                *seen = Seen::new(thread, mark_ms, now_ms, late_ms);
            }
        }
    }
}

/// There is no new mark of this thread's.
fn still(thread: &Thread, seen: &mut Seen, now_ms: u64, call_in_place: &impl Fn(u64) -> Option<CallSid>) {
    let still = Duration::from_millis(now_ms.saturating_sub(seen.mark_ms));
    if still < STALLED || seen.told == Some(Cause::Worker) {
        return;
    }
    let cause = seen.cause(thread, still);
    let (place, call) = (thread.place(), thread.busy.call().and_then(call_in_place));
    // What waits for something to do is not blocked: its mark is on its way. That may have come while we looked for its place.
    let idle = place.contains(WAITS_FOR_EVENTS) || thread.mark_ms.load(Ordering::Relaxed) != seen.mark_ms;
    match cause {
        Cause::Worker if !idle => tell_blocked(thread, still, &place, call.as_ref()),
        Cause::Host if seen.told.is_none() => tell_not_run(thread, still),
        _ => return,
    }
    seen.told = Some(cause);
}

/// This thread goes on, with a mark of that time.
fn marked(thread: &Thread, seen: &Seen, mark_ms: u64) {
    let was = Duration::from_millis(mark_ms.saturating_sub(seen.mark_ms));
    if let Some(cause) = seen.told {
        let (worker, cause, still_ms) = (thread.number, cause.name(), millis(was));
        tracing::warn!(target: "watchdog", worker, cause, still_ms, "a thread that serves goes on");
    } else if seen.mark_ms > 0 && was >= STALLED + EVERY {
        // Of a thread that is blocked the watchdog had told meanwhile, had it been run itself.
        tell_not_run(thread, was);
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

fn counted(cause: Cause) {
    metrics::counter!("callgate_stalls_total", "cause" => cause.name()).increment(1);
}

fn tell_not_run(thread: &Thread, still: Duration) {
    counted(Cause::Host);
    let (worker, still_ms) = (thread.number, millis(still));
    tracing::warn!(target: "watchdog", worker, still_ms, "the host did not run a thread that serves: its processors are busy, or it stopped us");
}

fn tell_blocked(thread: &Thread, still: Duration, place: &str, call: Option<&CallSid>) {
    counted(Cause::Worker);
    let (worker, still_ms, call_sid) = (thread.number, millis(still), call.map(CallSid::as_str));
    tracing::error!(target: "watchdog", worker, call_sid, still_ms, place, "a thread that serves is blocked: all of its calls stand still");
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

    /// A thread that serves, which left its last mark at 1,000 ms, and was looked at then.
    fn watched() -> (Looks, Arc<Thread>) {
        let watched = Marks::new(EventLoopLag::default());
        let thread =
            Arc::new(Thread { number: 0, mark_ms: 1_000.into(), busy: Arc::default(), task: None, schedule: None });
        lock(&watched.threads).push(Arc::clone(&thread));
        let mut looks = Looks::new(watched);
        looks.looked_ms = 900;
        looks.look(1_000, &|_| None);
        (looks, thread)
    }

    fn look(looks: &mut Looks, at_ms: impl IntoIterator<Item = u64>) -> Option<Cause> {
        at_ms.into_iter().for_each(|at| looks.look(at, &|_| None));
        looks.seen[0].told
    }

    #[test]
    fn a_thread_without_a_new_mark_is_blocked_when_it_was_looked_at_in_time() {
        let (mut looks, thread) = watched();
        assert_eq!(look(&mut looks, [1_100, 1_200, 1_300, 1_400]), None);
        assert_eq!(look(&mut looks, [1_500]), Some(Cause::Worker));
        assert_eq!(look(&mut looks, [1_600, 1_700]), Some(Cause::Worker));
        thread.mark_ms.store(1_750, Ordering::Relaxed);
        assert_eq!(look(&mut looks, [1_800]), None, "it goes on");
        assert_eq!(look(&mut looks, [1_900, 2_000, 2_100, 2_250]), Some(Cause::Worker), "and is blocked again");
    }

    #[test]
    fn a_process_that_was_stopped_blames_no_thread_whatever_it_was_about() {
        // Stopped for 1.5 s. The thread is run late after it, and all are busy for a while.
        let after = [2_600, 2_720, 2_830, 2_990];
        let (mut looks, _) = watched();
        assert_eq!(look(&mut looks, after), Some(Cause::Host), "between two looks");
        let (mut looks, thread) = watched();
        thread.mark_ms.store(1_090, Ordering::Relaxed);
        assert_eq!(look(&mut looks, after), Some(Cause::Host), "after a mark that nobody had seen");
        let (mut looks, thread) = watched();
        thread.mark_ms.store(2_590, Ordering::Relaxed);
        assert_eq!(look(&mut looks, [2_600, 2_700, 2_800, 2_900]), None, "the thread was first to go on");
        assert_eq!(look(&mut looks, [3_000, 3_100]), Some(Cause::Worker), "and is blocked then");
    }

    #[test]
    fn who_is_blocked_after_the_host_had_not_run_it_is_told_of_as_well() {
        let (mut looks, _) = watched();
        assert_eq!(look(&mut looks, [1_900]), Some(Cause::Host));
        assert_eq!(look(&mut looks, (20..40).map(|n| n * 100)), Some(Cause::Worker));
    }
}
