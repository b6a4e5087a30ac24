//! Logs, metrics, and what a panic looks like in them.

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

mod help;
mod process;

/// The crates of this program.
const OURS: [&str; 5] = ["callgate", "actors", "protocol", "codecs", "simulator"];

/// What a log line looks like: `LOG_FORMAT`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Pretty on a terminal, else JSON.
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Starts logging to stderr, and turns every later panic into one line of it. The first call of a process wins.
pub fn install(format: LogFormat, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal();
    let json = match format {
        LogFormat::Auto => !terminal,
        LogFormat::Pretty => false,
        LogFormat::Json => true,
    };
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = if json {
        lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
    } else {
        lines.with_ansi(has_colours(terminal, std::env::var_os("NO_COLOR").as_deref())).boxed()
    };
    if tracing_subscriber::registry().with(filter).with(filter_fn(may_be_logged)).with(lines).try_init().is_ok() {
        std::panic::set_hook(Box::new(log_panic));
    }
}

/// Below INFO, libraries write down what they send and get: keys in headers, bodies, audio. No filter has them do that.
fn may_be_logged(line: &Metadata<'_>) -> bool {
    let from = line.module_path().unwrap_or_else(|| line.target());
    from != "rmcp" && !from.starts_with("rmcp::") && *line.level() <= Level::INFO
        || OURS.contains(&from.split("::").next().unwrap_or_default())
}

/// https://no-color.org: set, and not empty.
fn has_colours(terminal: bool, no_color: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty)
}

/// One structured line instead of the default spew: who restarts what is the supervisor's to tell.
fn log_panic(info: &PanicHookInfo<'_>) {
    let message = actors::panic_message(info.payload());
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    tracing::error!(target: "panic", location, thread = thread.name().unwrap_or("unnamed"), message, "panicked");
}

/// Bounds of `*_seconds` histograms: webhooks are answered in ms, callers in tenths of a second, and some in whole ones.
const SECONDS: [f64; 15] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0];

/// Of what is done after a call.
const MINUTES: [f64; 9] = [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0];

/// The metrics of this process. There is one recorder, however many gateways a process (a test) runs.
#[must_use]
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(recorder).clone()
}

/// The page of metrics: ours, and what the kernel says of this process.
pub(crate) fn page(ours: &PrometheusHandle) -> String {
    let mut page = ours.render();
    page.push_str(&process::page());
    page
}

fn recorder() -> PrometheusHandle {
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS);
    let recordings = Matcher::Full("callgate_recordings_done_seconds".to_owned());
    let builder = builder.and_then(|builder| builder.set_buckets_for_metric(recordings, &MINUTES));
    let recorder = builder.unwrap_or_else(|_| PrometheusBuilder::new()).build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another metrics recorder was installed first: /metrics will be empty");
    }
    help::describe();
    handle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_histograms_reach_the_page() {
        let handle = metrics();
        metrics::counter!("callgate_test_total", "kind" => "a").increment(2);
        metrics::histogram!("callgate_test_seconds").record(0.002);
        let page = handle.render();
        assert!(page.contains("callgate_test_total{kind=\"a\"} 2"), "{page}");
        assert!(page.contains("callgate_test_seconds_bucket{le=\"0.0025\"} 1"), "{page}");
    }

    #[test]
    fn colours_are_for_terminals_whose_owner_wants_them() {
        assert!(has_colours(true, None) && has_colours(true, Some(OsStr::new(""))));
        assert!(!has_colours(true, Some(OsStr::new("1"))) && !has_colours(true, Some(OsStr::new("0"))));
        assert!(!has_colours(false, None));
    }

    #[test]
    fn a_panic_is_told_in_its_own_words() {
        assert_eq!(actors::panic_message(&"static"), "static");
        assert_eq!(actors::panic_message(&"owned".to_owned()), "owned");
        assert_eq!(actors::panic_message(&7_u8), "a panic without words");
    }
}
