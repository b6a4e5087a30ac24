//! All the calls of a load test, and the ticker that drives them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::{Instant, sleep_until};

use super::audio::Script;
use super::clock::Clock;
use super::line::{Habits, Line, Opening, Over};
use super::open::{Opened, Opener, Refused};
use super::plan::{LoadError, LoadPlan, Progress};
use super::scenario::{Role, Scenario};
use super::times::Times;
use crate::model::TOOL_CALLERS;

/// Every line is visited once in as many milliseconds.
const SLOTS: u64 = 20;
/// In which pause of its script a caller first presses keys: when its speech ends, and how long the script is.
const SPEECH_US: u64 = 2_000_000;
const SCRIPT_US: u64 = 6_000_000;

type SharedLine = Rc<RefCell<Line>>;

/// All the calls.
pub(super) struct Fleet {
    pub(super) clock: Clock,
    planned: usize,
    seed: u64,
    frame_ms: u32,
    scenario: Scenario,
    opener: Opener,
    /// Of callers that let the agent finish, and of those that do not.
    scripts: [Script; 2],
    lines: RefCell<Vec<SharedLine>>,
    /// Lines by the millisecond of [`SLOTS`] in which they are visited.
    wheel: RefCell<Vec<Vec<SharedLine>>>,
    opening: Cell<usize>,
    failures: RefCell<BTreeMap<String, u64>>,
    refusals: RefCell<BTreeMap<String, u64>>,
    speaking: Cell<bool>,
    /// How late frames were sent, while that is measured.
    late: RefCell<Option<Times>>,
}

impl Fleet {
    /// Begins to open the calls, one after another over the ramp.
    pub(super) fn start(plan: &LoadPlan) -> Result<Rc<Self>, LoadError> {
        let clock = Clock::start();
        let planned = plan.at_once();
        let fleet = Rc::new(Self {
            opener: Opener::new(plan, clock.unix_zero_us)?,
            clock,
            planned,
            seed: plan.seed,
            frame_ms: plan.frame_ms,
            scenario: plan.scenario.clone(),
            scripts: [Role::Talk, Role::Barge].map(|role| Script::render(plan.frame_ms, role)),
            lines: RefCell::default(),
            wheel: RefCell::new(vec![Vec::new(); SLOTS as usize]),
            opening: Cell::new(0),
            failures: RefCell::default(),
            refusals: RefCell::default(),
            speaking: Cell::new(true),
            late: RefCell::default(),
        });
        for nth in 0..planned {
            let at = fleet.clock.at_ms((plan.ramp.as_millis() * nth as u128 / planned as u128) as u64);
            let left = plan.scenario.churn.map(|churn| plan.ramp + churn.is_left(nth, plan.seed));
            fleet.clone().place(nth, at, left.map(|left| fleet.clock.now_us() + left.as_micros() as u64));
        }
        Ok(fleet)
    }

    /// Opens calls at the pace at which they come and go, until they are no longer to speak.
    pub(super) async fn churn(self: Rc<Self>) {
        let Some(churn) = self.scenario.churn else { return };
        let pace = Duration::from_secs_f64(1.0 / churn.per_sec.max(0.001));
        let mut next = Instant::now();
        for nth in self.planned.. {
            next += pace;
            sleep_until(next).await;
            if !self.speaking.get() {
                return;
            }
            let lasts = churn.lasts(nth, self.seed).as_micros() as u64;
            self.clone().place(nth, next, Some(self.clock.now_us() + lasts));
        }
    }

    /// Places one call at that time.
    fn place(self: Rc<Self>, nth: usize, at: Instant, leaves_us: Option<u64>) {
        self.opening.set(self.opening.get() + 1);
        tokio::task::spawn_local(async move {
            sleep_until(at).await;
            let opened = self.opener.open(nth).await;
            self.opening.set(self.opening.get() - 1);
            match opened {
                Ok(opened) => {
                    let (line, read, rest) = self.add(nth, opened, leaves_us);
                    self.listen(line, read, rest).await;
                }
                Err(Refused { code, why }) => {
                    *self.failures.borrow_mut().entry(why).or_default() += 1;
                    if let Some(code) = code {
                        *self.refusals.borrow_mut().entry(code).or_default() += 1;
                    }
                }
            }
        });
    }

    fn add(&self, nth: usize, opened: Opened, leaves_us: Option<u64>) -> (SharedLine, OwnedReadHalf, Vec<u8>) {
        let (read, write) = opened.tcp.into_split();
        let opened_us = self.clock.now_us();
        let slot = (nth as u64 * 7 + self.seed) % SLOTS;
        let to_slot = (slot + SLOTS - opened_us / 1_000 % SLOTS) % SLOTS;
        let first_due_us = (opened_us / 1_000 + to_slot + u64::from(self.frame_ms)) * 1_000;
        let role = self.scenario.mix.role(nth, self.seed);
        // Callers are told from one, and those that need a function from their own first number.
        let number = (nth + 1) as u16 | if role == Role::Tool { TOOL_CALLERS } else { 0 };
        let script = self.script(role);
        // A golden step spreads any number of callers evenly over the script.
        let spread = ((nth as f64 + 1.0) * 0.618_034 + self.seed as f64 * 0.1).fract();
        let phase = (spread * script.frames() as f64) as usize;
        let phase_us = phase as u64 * u64::from(self.frame_ms) * 1_000;
        let pause_us = first_due_us + (SPEECH_US + 2 * SCRIPT_US - phase_us) % SCRIPT_US;
        let opening = Opening {
            number,
            call_sid: opened.fields.call_sid,
            stream_sid: opened.stream_sid,
            from: opened.fields.from,
            to: opened.fields.to,
            phase,
            opened_us,
            first_due_us,
            frame_ms: self.frame_ms,
            habits: Habits {
                role,
                echoes: !self.scenario.rude || !nth.is_multiple_of(3),
                abrupt: self.scenario.rude,
                leaves_us,
                // On a whole second: which key it is follows from that.
                keys_us: (role == Role::Keys).then(|| pause_us.next_multiple_of(1_000_000)),
            },
        };
        let line = Rc::new(RefCell::new(Line::new(opening, write, script.preamble(number))));
        line.borrow_mut().visit(opened_us, false, script, &mut Vec::new(), &mut |_| {});
        self.lines.borrow_mut().push(line.clone());
        if let Some(lines) = self.wheel.borrow_mut().get_mut(slot as usize) {
            lines.retain(|line| line.borrow().live());
            lines.push(line.clone());
        }
        (line, read, opened.rest)
    }

    fn script(&self, role: Role) -> &Script {
        let [talk, barge] = &self.scripts;
        if role == Role::Barge { barge } else { talk }
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
                    let mut line = line.borrow_mut();
                    let script = self.script(line.role());
                    line.visit(now, self.speaking.get(), script, &mut text, &mut late);
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
        if let Some(late) = &mut *self.late.borrow_mut() {
            late.record(us);
        }
    }

    /// Begins to measure how late frames are sent.
    pub(super) fn begin_window(&self) {
        *self.late.borrow_mut() = Some(Times::default());
    }

    /// Ends that: how late they were.
    pub(super) fn end_window(&self) -> Times {
        self.late.borrow_mut().take().unwrap_or_default()
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
        // With calls that come and go there are always some that are being opened.
        if self.opening.get() > 0 && self.scenario.churn.is_none() {
            failures.insert("did not open in time".into(), self.opening.get() as u64);
        }
        failures
    }

    /// How many calls the gateway refused for which of its codes.
    pub(super) fn refusals(&self) -> BTreeMap<String, u64> {
        self.refusals.borrow().clone()
    }

    /// How long the webhook took to answer.
    pub(super) fn answers(&self) -> Times {
        self.opener.answers.borrow().clone()
    }

    pub(super) fn first_failure(&self) -> String {
        let mut ended = None;
        self.each(|line| {
            if let (None, Some((_, Over::Lost(why)))) = (&ended, &line.ended) {
                ended = Some(why.clone());
            }
        });
        self.failures().into_keys().next().or(ended).unwrap_or_default()
    }

    pub(super) fn progress(&self, phase: &'static str) -> Progress {
        let (mut frames_sent, mut messages_received, mut ended) = (0, 0, 0);
        self.each(|line| {
            frames_sent += line.sent.frames() as u64;
            messages_received += line.heard.messages;
            ended += usize::from(line.was_lost());
        });
        Progress {
            phase,
            elapsed_secs: self.clock.now_us() as f64 / 1e6,
            planned: self.planned,
            live: self.live(),
            lost: ended + self.failures.borrow().values().sum::<u64>() as usize,
            frames_sent,
            messages_received,
            cpu_percent: None,
        }
    }
}
