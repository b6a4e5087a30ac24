//! Many simulated callers at once, cheap enough to share two cores with the gateway they load, and what it did to them.
//!
//! All calls run on one thread: WebSocket frames are built by hand around base64 rendered once for all calls, one ticker
//! drives every line, and incoming messages are measured, not decoded. Each caller begins with its number in on-off keyed
//! tones, so that a simulated model can tell whose audio it is being sent; its measurement tap then gives the other end of
//! every latency.

mod audio;
mod chart;
mod clock;
mod compare;
mod find;
mod fleet;
mod frame;
mod gauges;
mod kernel;
mod latency;
mod line;
mod open;
mod out;
mod page;
mod plan;
mod play;
mod report;
mod scenario;
mod search;
mod series;
mod slo;
mod tally;
mod tap;
mod times;

use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, sleep_until};

pub use compare::{Comparison, Row, compare};
pub use find::{Found, Step, find};
pub use out::{FORMAT, Figures, FileError, Host, Made, Parameters, RunFile};
pub use page::{page, pictures};
pub use plan::{LoadError, LoadPlan, MetricsAt, Progress, Target};
pub use report::{CallCounts, FrameCounts, GatewayFigures, LoadReport, ProcessFigures, Timings};
pub use scenario::{Churn, Mix, Role, Scenario};
pub use search::Search;
pub use series::Sample;
pub use slo::{Breach, Cause, Slos};
pub use times::{Percentiles, Times};

use fleet::Fleet;
use series::Observer;
use tally::Window;
use tap::Tap;

/// From the last call's opening to the start of measuring: its number is said, and caches are warm.
const SETTLE: Duration = Duration::from_secs(2);
/// How long calls may take to open past the ramp.
const OPENING: Duration = Duration::from_secs(30);
/// From the last frame sent to asking the tap: what is under way arrives.
const DRAIN: Duration = Duration::from_millis(500);
/// How long calls may take to close.
const CLOSING: Duration = Duration::from_secs(3);
/// Progress is told, and everything looked at, this often.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// What a load test found, with all that its figures are drawn from.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct LoadRun {
    /// The figures.
    pub report: LoadReport,
    /// The distributions of times.
    pub histograms: Histograms,
    /// What happened second by second.
    pub series: Vec<Sample>,
}

/// The distributions of times that a load test measures.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Histograms {
    /// Added latency from caller to model.
    pub uplink: Times,
    /// Added latency from model to caller.
    pub downlink: Times,
    /// From a media socket's opening to its first agent audio.
    pub first_audio: Times,
    /// Answers of the webhook that took the call.
    pub webhook: Times,
}

impl Histograms {
    fn timings(&self) -> Timings {
        Timings {
            uplink: self.uplink.percentiles(),
            downlink: self.downlink.percentiles(),
            first_audio: self.first_audio.percentiles(),
            webhook: self.webhook.percentiles(),
        }
    }
}

/// Loads the target, and measures. Run it on a current-thread runtime: more threads only add hand-overs. The future is not
/// `Send`.
///
/// # Errors
/// [`LoadError`]: the plan is wrong, what measures does not answer, or not one call opened.
pub async fn run(plan: LoadPlan, progress: impl FnMut(&Progress)) -> Result<LoadRun, LoadError> {
    LocalSet::new().run_until(measure(plan, progress)).await
}

async fn measure(plan: LoadPlan, mut progress: impl FnMut(&Progress)) -> Result<LoadRun, LoadError> {
    plan.check()?;
    let mut observer = Observer::open(&plan).await?;
    let tap = plan.model.clone().map(Tap::new).transpose()?;
    if let Some(tap) = &tap {
        tap.fetch(true).await?;
    }
    let first = observer.last();
    let fleet = Fleet::start(&plan)?;
    let ticker = tokio::task::spawn_local(fleet.clone().tick());

    let give_up = Instant::now() + plan.ramp + OPENING;
    while fleet.opening() && Instant::now() < give_up {
        told(&fleet, "ramp", Instant::now() + REPORT_EVERY, &mut observer, &mut progress).await;
    }
    if fleet.live() == 0 {
        return Err(LoadError::NoCalls(fleet.first_failure()));
    }
    let churn = tokio::task::spawn_local(fleet.clone().churn());
    told(&fleet, "settle", Instant::now() + SETTLE, &mut observer, &mut progress).await;
    if let (Some(tap), false) = (&tap, plan.scenario.faults.is_empty()) {
        tap.set_faults(&plan.scenario.faults).await?;
    }

    let (before, begin_us) = (observer.last(), fleet.clock.now_us());
    fleet.begin_window();
    let end = Instant::now() + plan.secs;
    while Instant::now() < end {
        told(&fleet, "steady", end.min(Instant::now() + REPORT_EVERY), &mut observer, &mut progress).await;
    }
    let (late, after, end_us) = (fleet.end_window(), observer.last(), fleet.clock.now_us());
    let window = Window { begin_us, end_us, first, before, after, late };

    fleet.stop_sending();
    sleep(DRAIN).await;
    let measured = match &tap {
        Some(tap) => {
            if !plan.scenario.faults.is_empty() {
                tap.set_faults(&[]).await?;
            }
            Some(tap.fetch(false).await?)
        }
        None => None,
    };
    let run = tally::draw_up(&plan, &fleet, &window, observer, measured);
    hang_up(&fleet).await;
    churn.abort();
    ticker.abort();
    Ok(run)
}

/// Ends all calls, and waits until they are closed.
async fn hang_up(fleet: &Rc<Fleet>) {
    fleet.hang_up();
    let closing = Instant::now() + CLOSING;
    while fleet.live() > 0 && Instant::now() < closing {
        sleep(Duration::from_millis(20)).await;
    }
}

/// At that time, looks at everything and tells the progress.
async fn told(
    fleet: &Fleet,
    phase: &'static str,
    at: Instant,
    observer: &mut Observer,
    progress: &mut impl FnMut(&Progress),
) {
    sleep_until(at).await;
    progress(&observer.look(fleet, phase).await);
}

#[cfg(test)]
mod tests;
