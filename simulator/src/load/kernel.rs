//! What the kernel says a process uses.

use std::collections::HashMap;
use std::fs;

use super::plan::LoadError;

/// Unit of the times in `/proc/PID/stat`: USER_HZ has been 100 on every Linux this builds for.
const TICK_MS: f64 = 10.0;

/// A process being taken to account.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    /// Resident memory when it was first looked at, in KiB.
    pub(super) first_rss_kib: u64,
    /// Cores that it may run on.
    pub(super) cores: usize,
}

/// What it had used at some moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Usage {
    /// CPU time of all threads by `/proc/PID/stat`, in milliseconds.
    ticks_ms: f64,
    /// CPU time by thread from `schedstat`, in nanoseconds; empty where the kernel keeps none.
    threads_ns: HashMap<u32, u64>,
    pub(super) rss_kib: u64,
    voluntary: u64,
    involuntary: u64,
}

/// What it used between two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Used {
    pub(super) cpu_ms: f64,
    pub(super) voluntary: u64,
    pub(super) involuntary: u64,
    pub(super) threads: usize,
    /// CPU time of the thread that used most, in milliseconds; 0 where the kernel counts none by thread.
    pub(super) busiest_ms: f64,
}

impl Process {
    pub(super) fn open(pid: u32) -> Result<Self, LoadError> {
        let mut process = Self { pid, first_rss_kib: 0, cores: cores(pid) };
        let usage = process.usage().ok_or_else(|| LoadError::Plan(format!("there is no process {pid} to read of")))?;
        process.first_rss_kib = usage.rss_kib;
        Ok(process)
    }

    pub(super) fn own() -> Result<Self, LoadError> {
        Self::open(std::process::id())
    }

    /// Its usage now; none when it is gone.
    pub(super) fn usage(&self) -> Option<Usage> {
        let folder = format!("/proc/{}", self.pid);
        let stat = fs::read_to_string(format!("{folder}/stat")).ok()?;
        let status = fs::read_to_string(format!("{folder}/status")).ok()?;
        let mut usage = Usage {
            ticks_ms: ticks(&stat)? * TICK_MS,
            rss_kib: field(&status, "VmRSS:").unwrap_or(0),
            ..Usage::default()
        };
        for task in fs::read_dir(format!("{folder}/task")).ok()?.flatten() {
            let Some(tid) = task.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            if let Ok(schedstat) = fs::read_to_string(task.path().join("schedstat")) {
                let ran = schedstat.split_whitespace().next().and_then(|ns| ns.parse().ok());
                usage.threads_ns.extend(ran.map(|ns: u64| (tid, ns)));
            }
            if let Ok(status) = fs::read_to_string(task.path().join("status")) {
                usage.voluntary += field(&status, "voluntary_ctxt_switches:").unwrap_or(0);
                usage.involuntary += field(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0);
            }
        }
        Some(usage)
    }
}

impl Usage {
    /// What was used since then. By the nanosecond where the kernel counts it and no thread has ended meanwhile, for an ended
    /// thread takes its count with it.
    pub(super) fn since(&self, then: &Self) -> Used {
        let ticks_ms = self.ticks_ms - then.ticks_ms;
        let before = |tid| then.threads_ns.get(tid).copied().unwrap_or(0);
        let each = self.threads_ns.iter().map(|(tid, ns)| ns.saturating_sub(before(tid)) as f64 / 1e6);
        let (fine_ms, busiest_ms) = each.fold((0.0, 0.0), |(all, most): (f64, f64), ms| (all + ms, most.max(ms)));
        let none_ended = then.threads_ns.keys().all(|tid| self.threads_ns.contains_key(tid));
        Used {
            cpu_ms: if none_ended && fine_ms > 0.0 { fine_ms } else { ticks_ms },
            voluntary: self.voluntary.saturating_sub(then.voluntary),
            involuntary: self.involuntary.saturating_sub(then.involuntary),
            threads: self.threads_ns.len(),
            busiest_ms,
        }
    }
}

/// utime + stime of `/proc/PID/stat`: fields 14 and 15, counted behind the name, which may hold anything.
fn ticks(stat: &str) -> Option<f64> {
    let behind = stat.rsplit_once(')')?.1;
    let mut fields = behind.split_whitespace().skip(11);
    Some(fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?)
}

fn field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

/// Cores that a process may run on: `Cpus_allowed_list` is like `0-3,8`.
fn cores(pid: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
    let here = std::thread::available_parallelism().map_or(1, usize::from);
    match allowed(list) {
        // Of a process of another machine's shape, or none: what this one may use.
        0 => here,
        cores => cores,
    }
}

fn allowed(list: &str) -> usize {
    let of = |range: &str| {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        Some(to.trim().parse::<usize>().ok()?.checked_sub(from.trim().parse().ok()?)? + 1)
    };
    list.split(',').filter_map(of).sum()
}

/// How busy the whole machine has been since it started, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Machine {
    busy: u64,
    all: u64,
}

impl Machine {
    pub(super) fn now() -> Self {
        fs::read_to_string("/proc/stat").ok().and_then(|stat| Self::parse(&stat)).unwrap_or_default()
    }

    fn parse(stat: &str) -> Option<Self> {
        let ticks: Vec<u64> =
            stat.lines().next()?.split_whitespace().skip(1).map_while(|ticks| ticks.parse().ok()).take(8).collect();
        let all = ticks.iter().sum();
        // Idle and waiting for a disc are the fourth and fifth.
        let idle: u64 = ticks.iter().skip(3).take(2).sum();
        Some(Self { busy: all - idle, all })
    }

    /// Share of all cores' time that was used since then, in per cent.
    pub(super) fn busy_percent_since(self, then: Self) -> f64 {
        let all = self.all.saturating_sub(then.all);
        if all == 0 { 0.0 } else { self.busy.saturating_sub(then.busy) as f64 * 100.0 / all as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_whose_name_holds_brackets_is_read_aright() {
        let stat = "7 (a) b) (c) S 1 7 7 0 -1 4194304 103 0 0 0 29 2 0 0 20 0 1 0 148503 3133440 380";
        assert_eq!(ticks(stat), Some(31.0));
    }

    #[test]
    fn the_cores_that_a_process_may_run_on_are_counted() {
        assert_eq!((allowed("\t1"), allowed("0-3,8"), allowed("nonsense"), allowed("7-2")), (1, 5, 0, 0));
        assert!(Process::own().unwrap().cores >= 1);
    }

    #[test]
    fn own_usage_grows_with_work_and_is_read_finely() {
        let process = Process::own().unwrap();
        assert!(process.first_rss_kib > 100);
        let before = process.usage().unwrap();
        let mut sum = 0_u64;
        while process.usage().unwrap().since(&before).cpu_ms < 3.0 {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(Process::open(u32::MAX).is_err());
    }

    #[test]
    fn the_machine_is_as_busy_as_its_ticks_say() {
        let then = Machine::parse("cpu  100 0 100 700 100 0 0 0 0 0\n").unwrap();
        let now = Machine::parse("cpu  200 0 150 720 130 0 0 0 0 0\n").unwrap();
        assert_eq!(now.busy_percent_since(then), 75.0);
    }
}
