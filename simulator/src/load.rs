//! Many simulated callers at once, cheap enough to share two cores with the gateway they load, and what it did to them.
//!
//! All calls run on one thread: WebSocket frames are built by hand around base64 rendered once for all calls, one ticker
//! drives every line, and incoming messages are measured, not decoded. Each caller begins with its number in on-off keyed
//! tones, so that a simulated model can tell whose audio it is being sent; its measurement tap then gives the other end of
//! every latency.

mod audio;
mod fleet;
mod frame;
mod kernel;
mod latency;
mod line;
mod plan;
mod report;
mod tap;

use std::time::Duration;

use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, sleep_until};

pub use plan::{LoadError, LoadPlan, Progress, Target};
pub use report::{CallCounts, LoadReport, Percentiles, ProcessFigures};

use fleet::Fleet;
use kernel::{Machine, Process};
use report::Window;
use tap::Tap;

/// From the last call's opening to the start of measuring: its number is said, and caches are warm.
const SETTLE: Duration = Duration::from_secs(2);
/// How long calls may take to open past the ramp.
const OPENING: Duration = Duration::from_secs(30);
/// From the last frame sent to asking the tap: what is under way arrives.
const DRAIN: Duration = Duration::from_millis(500);
/// How long calls may take to close.
const CLOSING: Duration = Duration::from_secs(3);
/// Progress is told this often.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Loads the target, and measures. Run it on a current-thread runtime: more threads only add hand-overs. The future is not
/// `Send`.
///
/// # Errors
/// [`LoadError`]: the plan is wrong, the model's tap does not answer, or not one call opened.
pub async fn run(plan: LoadPlan, progress: impl FnMut(&Progress)) -> Result<LoadReport, LoadError> {
    LocalSet::new().run_until(measure(plan, progress)).await
}

async fn measure(plan: LoadPlan, mut progress: impl FnMut(&Progress)) -> Result<LoadReport, LoadError> {
    plan.check()?;
    let mut process = plan.pid.map(Process::open).transpose()?;
    let own = Process::own()?;
    let tap = plan.model.clone().map(Tap::new).transpose()?;
    if let Some(tap) = &tap {
        tap.fetch(true).await?;
    }
    let fleet = Fleet::start(&plan)?;
    let ticker = tokio::task::spawn_local(fleet.clone().tick());

    let give_up = Instant::now() + plan.ramp + OPENING;
    while fleet.opening() && Instant::now() < give_up {
        told(&fleet, "ramp", Instant::now() + REPORT_EVERY, &mut progress).await;
    }
    if fleet.live() == 0 {
        return Err(LoadError::NoCalls(fleet.first_failure()));
    }
    told(&fleet, "settle", Instant::now() + SETTLE, &mut progress).await;

    let mut window = Window::open(fleet.clock.now_us(), process.as_mut(), &own, Machine::now());
    fleet.begin_window();
    let end = Instant::now() + plan.secs;
    while Instant::now() < end {
        told(&fleet, "steady", end.min(Instant::now() + REPORT_EVERY), &mut progress).await;
    }
    fleet.end_window();
    window.close(fleet.clock.now_us(), process.as_mut(), &own, Machine::now());

    fleet.stop_sending();
    sleep(DRAIN).await;
    let sessions = match &tap {
        Some(tap) => Some(tap.fetch(false).await?),
        None => None,
    };
    let report = report::draw_up(&plan, &fleet, &window, sessions);
    fleet.hang_up();
    let closing = Instant::now() + CLOSING;
    while fleet.live() > 0 && Instant::now() < closing {
        sleep(Duration::from_millis(20)).await;
    }
    ticker.abort();
    Ok(report)
}

/// Tells the progress, at that time.
async fn told(fleet: &Fleet, phase: &'static str, at: Instant, progress: &mut impl FnMut(&Progress)) {
    sleep_until(at).await;
    progress(&fleet.progress(phase));
}

#[cfg(test)]
mod tests;
