//! What the kernel says of this process, and which build it is: read when somebody asks for the metrics.

use std::fmt::Write as _;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

/// Unit of the times in `/proc/self/stat`: USER_HZ has been 100 on every Linux this builds for.
const TICKS: f64 = 100.0;

/// As Prometheus' own clients name and count it; what the kernel does not say is left out.
pub(super) fn page() -> String {
    let mut page = String::with_capacity(2048);
    let build = env!("CALLGATE_BUILD").replace(['\\', '"', '\n'], "");
    let labels = format!("{{version=\"{}\",build=\"{build}\"}}", env!("CARGO_PKG_VERSION"));
    tell(&mut page, "callgate_build_info", "gauge", "1; which build this is", &labels, Some(1.0));
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let open = fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as f64);
    for (name, kind, help, value) in [
        ("process_cpu_seconds_total", "counter", "CPU time of all threads", cpu_seconds(&stat)),
        ("process_resident_memory_bytes", "gauge", "Memory that is resident", kib(&status, "VmRSS:")),
        ("process_virtual_memory_bytes", "gauge", "Address space", kib(&status, "VmSize:")),
        ("process_threads", "gauge", "Threads", number(&status, "Threads:")),
        ("process_open_fds", "gauge", "Files and sockets that are open", open),
        ("process_max_fds", "gauge", "Files and sockets that may be open", max_fds()),
        ("process_start_time_seconds", "gauge", "When it started, seconds since 1970", started(&stat)),
    ] {
        tell(&mut page, name, kind, help, "", value);
    }
    page
}

fn tell(page: &mut String, name: &str, kind: &str, help: &str, labels: &str, value: Option<f64>) {
    if let Some(value) = value {
        // A `String` takes whatever is written to it.
        let _ = write!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name}{labels} {value}\n\n");
    }
}

/// The fields behind the name of the program, which may hold anything: the first is the state.
fn fields(stat: &str) -> Option<Vec<&str>> {
    Some(stat.rsplit_once(')')?.1.split_ascii_whitespace().collect())
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    let fields = fields(stat)?;
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS)
}

fn started(stat: &str) -> Option<f64> {
    let since_boot: f64 = fields(stat)?.get(19)?.parse().ok()?;
    let uptime: f64 = fs::read_to_string("/proc/uptime").ok()?.split_ascii_whitespace().next()?.parse().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
    Some((now - (uptime - since_boot / TICKS)).round())
}

fn number(status: &str, name: &str) -> Option<f64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_ascii_whitespace().next()?.parse().ok()
}

fn kib(status: &str, name: &str) -> Option<f64> {
    Some(number(status, name)? * 1024.0)
}

fn max_fds() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    number(&limits, "Max open files")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_shift_what_is_read() {
        let fields =
            (3..=52).map(|n| if n == 3 { "S".to_owned() } else { n.to_string() }).collect::<Vec<_>>().join(" ");
        assert_eq!(cpu_seconds(&format!("7 (a) b) {fields}")), Some(0.29));
        assert_eq!(cpu_seconds("7 (a"), None);
    }

    #[test]
    fn the_page_says_what_the_kernel_does_of_a_process_that_runs() {
        let page = page();
        let value = |name: &str| -> f64 {
            let line = page.lines().find(|line| line.starts_with(name) && !line.starts_with('#')).unwrap();
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        assert!(value("process_resident_memory_bytes ") > 1024.0 * 1024.0, "{page}");
        assert!(value("process_open_fds ") >= 3.0 && value("process_max_fds ") > value("process_open_fds "), "{page}");
        assert!(value("process_threads ") >= 1.0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((now - value("process_start_time_seconds ")).abs() < 6.0 * 3600.0, "{page}");
        assert!(page.contains("callgate_build_info{version=\""), "{page}");
    }
}
