//! All the calls of a load test, and the ticker that drives them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::{Instant, sleep_until};

use super::audio::Script;
use super::frame;
use super::line::{Line, Opening};
use super::plan::{LoadError, LoadPlan, Progress, Target};
use crate::exotel::{
    CallFields, IndianTime, MediaTarget, Webhooks, exotel_number, refusal, sid, stream_url, tls_config,
};

/// Every line is visited once in as many milliseconds.
const SLOTS: u64 = 20;
/// Buckets of 100 µs for how late frames were sent.
const LATE_BUCKETS: usize = 2_000;

/// Microseconds since the load began, and what they are in Unix time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    zero: Instant,
    unix_zero_us: u64,
}

impl Clock {
    fn start() -> Self {
        Self { zero: Instant::now(), unix_zero_us: unix_us() }
    }

    pub(super) fn now_us(self) -> u64 {
        self.zero.elapsed().as_micros() as u64
    }

    /// Turns Unix times into times of this clock; what was before its start is at its start. The two may have drifted since
    /// then, for the one is slewed.
    pub(super) fn unix_to_local(self) -> impl Fn(u64) -> u64 {
        let (now, unix) = (self.now_us(), unix_us().saturating_sub(self.unix_zero_us));
        let pace = if unix > 0 { now as f64 / unix as f64 } else { 1.0 };
        move |unix_us| (unix_us.saturating_sub(self.unix_zero_us) as f64 * pace) as u64
    }

    fn at_ms(self, ms: u64) -> Instant {
        self.zero + Duration::from_millis(ms)
    }
}

fn unix_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64
}

type SharedLine = Rc<RefCell<Line>>;

/// All the calls.
pub(super) struct Fleet {
    pub(super) clock: Clock,
    planned: usize,
    script: Script,
    lines: RefCell<Vec<SharedLine>>,
    /// Lines by the millisecond of [`SLOTS`] in which they are visited.
    wheel: RefCell<Vec<Vec<SharedLine>>>,
    opening: Cell<usize>,
    failures: RefCell<BTreeMap<String, u64>>,
    speaking: Cell<bool>,
    in_window: Cell<bool>,
    late: RefCell<Vec<u64>>,
}

/// What it takes to open calls.
struct Opener {
    target: Target,
    webhooks: Option<Webhooks>,
    seed: u64,
    /// What ids are made from: a run's calls are new to a target that has had another run's.
    sids: u64,
    frame_ms: u32,
}

impl Fleet {
    /// Begins to open the calls, one after another over the ramp.
    pub(super) fn start(plan: &LoadPlan) -> Result<Rc<Self>, LoadError> {
        let webhooks = match &plan.target {
            Target::Gateway { url, auth, .. } => Some(Webhooks::new(url.clone(), auth.clone(), &tls_config()?)?),
            Target::Media(url) => {
                MediaTarget::new(url.clone())?;
                None
            }
        };
        let fleet = Rc::new(Self {
            clock: Clock::start(),
            planned: plan.calls,
            script: Script::render(plan.frame_ms),
            lines: RefCell::default(),
            wheel: RefCell::new(vec![Vec::new(); SLOTS as usize]),
            opening: Cell::new(plan.calls),
            failures: RefCell::default(),
            speaking: Cell::new(true),
            in_window: Cell::new(false),
            late: RefCell::new(vec![0; LATE_BUCKETS]),
        });
        let opener = Rc::new(Opener {
            target: plan.target.clone(),
            webhooks,
            seed: plan.seed,
            sids: plan.seed ^ fleet.clock.unix_zero_us,
            frame_ms: plan.frame_ms,
        });
        for number in 1..=plan.calls {
            let (fleet, opener) = (fleet.clone(), opener.clone());
            let at = fleet.clock.at_ms((plan.ramp.as_millis() * (number as u128 - 1) / plan.calls as u128) as u64);
            tokio::task::spawn_local(async move {
                sleep_until(at).await;
                let opened = fleet.open(number as u16, &opener).await;
                fleet.opening.set(fleet.opening.get() - 1);
                match opened {
                    Ok((line, read, rest)) => fleet.listen(line, read, rest).await,
                    Err(why) => *fleet.failures.borrow_mut().entry(why).or_default() += 1,
                }
            });
        }
        Ok(fleet)
    }

    async fn open(&self, number: u16, opener: &Opener) -> Result<(SharedLine, OwnedReadHalf, Vec<u8>), String> {
        let salt = u64::from(number) * 2 + 1_000;
        let mut fields = CallFields {
            call_sid: sid(opener.sids, salt),
            // A caller each: gateways limit how often one may call.
            from: format!("0{}", 9_000_000_000 + u64::from(number)),
            to: "04446970000".into(),
            created: IndianTime::now(),
        };
        let url = match (&opener.target, &opener.webhooks) {
            (Target::Gateway { to, .. }, Some(webhooks)) => {
                fields.to = exotel_number(to);
                let answered = webhooks.get("voicebot", &fields.voicebot()).await.map_err(|error| error.to_string())?;
                if answered.status != 200 {
                    return Err(refusal("voicebot answered", answered.status, &answered.body));
                }
                stream_url(&answered.body).ok_or("voicebot named no URL to stream to")?
            }
            (Target::Gateway { url, .. } | Target::Media(url), _) => url.clone(),
        };
        let target = MediaTarget::new(url).map_err(|error| error.to_string())?;
        let (tcp, rest) = match frame::connect(&target).await {
            Ok(opened) => opened,
            Err(_) => frame::connect(&target).await?,
        };
        let (read, write) = tcp.into_split();
        let opened_us = self.clock.now_us();
        let slot = (u64::from(number) * 7 + opener.seed) % SLOTS;
        let to_slot = (slot + SLOTS - opened_us / 1_000 % SLOTS) % SLOTS;
        let first_due_ms = opened_us / 1_000 + to_slot + u64::from(opener.frame_ms);
        let opening = Opening {
            number,
            call_sid: fields.call_sid,
            stream_sid: sid(opener.sids, salt + 1),
            from: fields.from,
            to: fields.to,
            // A golden step spreads any number of callers evenly over the script.
            phase: ((f64::from(number) * 0.618_034 + opener.seed as f64 * 0.1).fract() * self.script.frames() as f64)
                as usize,
            opened_us,
            first_due_us: first_due_ms * 1_000,
            frame_ms: opener.frame_ms,
        };
        let line = Rc::new(RefCell::new(Line::new(opening, write, self.script.preamble(number))));
        line.borrow_mut().visit(opened_us, false, &self.script, &mut Vec::new(), &mut |_| {});
        self.lines.borrow_mut().push(line.clone());
        if let Some(lines) = self.wheel.borrow_mut().get_mut(slot as usize) {
            lines.push(line.clone());
        }
        Ok((line, read, rest))
    }

    /// Reads a line until it ends.
    async fn listen(&self, line: SharedLine, mut read: OwnedReadHalf, mut bytes: Vec<u8>) {
        bytes.reserve(8 * 1024);
        loop {
            line.borrow_mut().read(self.clock.now_us(), &mut bytes);
            if !line.borrow().live() {
                return;
            }
            let result = read.read_buf(&mut bytes).await;
            let mut line = line.borrow_mut();
            match result {
                Ok(1..) => {}
                Ok(0) => return line.end(self.clock.now_us(), "the connection ended without a close frame"),
                Err(error) => return line.end(self.clock.now_us(), format!("read: {}", error.kind())),
            }
        }
    }

    /// Drives every line, for ever.
    pub(super) async fn tick(self: Rc<Self>) {
        let mut text = Vec::with_capacity(8 * 1024);
        let mut done_ms = self.clock.now_us() / 1_000;
        loop {
            sleep_until(self.clock.at_ms(self.next_ms(done_ms))).await;
            let now_ms = self.clock.now_us() / 1_000;
            let wheel = self.wheel.borrow();
            for ms in (done_ms + 1..=now_ms).take(SLOTS as usize) {
                for line in wheel.get((ms % SLOTS) as usize).into_iter().flatten() {
                    let now = self.clock.now_us();
                    let mut late = |us| self.note_late(us);
                    line.borrow_mut().visit(now, self.speaking.get(), &self.script, &mut text, &mut late);
                }
            }
            done_ms = now_ms.max(done_ms);
        }
    }

    /// The next millisecond in which a line is to be visited.
    fn next_ms(&self, done_ms: u64) -> u64 {
        let wheel = self.wheel.borrow();
        let busy = |ms: &u64| wheel.get((ms % SLOTS) as usize).is_some_and(|lines| !lines.is_empty());
        (done_ms + 1..done_ms + SLOTS).find(busy).unwrap_or(done_ms + SLOTS)
    }

    fn note_late(&self, us: u64) {
        if self.in_window.get() {
            let bucket = (us as usize / 100).min(LATE_BUCKETS - 1);
            if let Some(count) = self.late.borrow_mut().get_mut(bucket) {
                *count += 1;
            }
        }
    }

    pub(super) fn begin_window(&self) {
        self.in_window.set(true);
    }

    pub(super) fn end_window(&self) {
        self.in_window.set(false);
    }

    /// How late 99 of 100 frames were at most, to the next 100 µs.
    pub(super) fn late_p99_us(&self) -> u64 {
        let late = self.late.borrow();
        let all: u64 = late.iter().sum();
        let mut seen = 0;
        let bucket = late.iter().position(|count| {
            seen += count;
            seen * 100 >= all * 99
        });
        bucket.map_or(0, |bucket| (bucket as u64 + 1) * 100)
    }

    pub(super) fn stop_sending(&self) {
        self.speaking.set(false);
    }

    pub(super) fn hang_up(&self) {
        let now = self.clock.now_us();
        for line in self.lines.borrow().iter().filter(|line| line.borrow().live()) {
            line.borrow_mut().hang_up(now);
        }
    }

    /// Some calls are still being opened.
    pub(super) fn opening(&self) -> bool {
        self.opening.get() > 0
    }

    pub(super) fn live(&self) -> usize {
        self.lines.borrow().iter().filter(|line| line.borrow().live()).count()
    }

    /// Looks at every line that ever opened.
    pub(super) fn each(&self, mut look: impl FnMut(&Line)) {
        for line in self.lines.borrow().iter() {
            look(&line.borrow());
        }
    }

    /// Why calls did not open, and how many for each reason.
    pub(super) fn failures(&self) -> BTreeMap<String, u64> {
        let mut failures = self.failures.borrow().clone();
        if self.opening.get() > 0 {
            failures.insert("did not open in time".into(), self.opening.get() as u64);
        }
        failures
    }

    pub(super) fn first_failure(&self) -> String {
        let mut ended = None;
        self.each(|line| ended = ended.take().or_else(|| line.ended.as_ref().map(|(_, why)| why.clone())));
        self.failures().into_keys().next().or(ended).unwrap_or_default()
    }

    pub(super) fn progress(&self, phase: &'static str) -> Progress {
        let (mut frames_sent, mut messages_received, mut ended) = (0, 0, 0);
        self.each(|line| {
            frames_sent += line.sent.frames() as u64;
            messages_received += line.messages;
            ended += usize::from(!line.live());
        });
        Progress {
            phase,
            elapsed_secs: self.clock.now_us() as f64 / 1e6,
            planned: self.planned,
            live: self.live(),
            lost: ended + self.failures.borrow().values().sum::<u64>() as usize,
            frames_sent,
            messages_received,
        }
    }
}
