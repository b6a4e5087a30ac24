//! What a seed stands for: a policy, a carrier, a person, a model, and what goes wrong.

use std::time::Duration;

use codecs::SampleRate;
use protocol::call::policy::{GreetedBy, Interruptions, Policy};

use super::carrier::Habits;
use super::leg::Reading;
use super::link::{Dice, MS, Micros, NEVER, SEC};
use super::person::Manners;

/// One world.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) policy: Policy,
    pub(crate) greeted_by: GreetedBy,
    pub(crate) rate: SampleRate,
    pub(crate) habits: Habits,
    pub(crate) reading: Reading,
    pub(crate) manners: Manners,
    pub(crate) temper: Temper,
    pub(crate) mishaps: Mishaps,
    /// What a sound of the caller's does to an agent that speaks.
    pub(crate) interruptions: Interruptions,
    /// The agent has a function to call.
    pub(crate) functions: bool,
    /// How long a message is on its way, carrier and model, from and to.
    pub(crate) carrier_way: (Micros, Micros),
    pub(crate) model_way: (Micros, Micros),
    /// When the media stream opens.
    pub(crate) media_at: Micros,
    /// How late the driver wakes for a timer.
    pub(crate) lateness: Micros,
    /// The line or the model may keep the caller waiting.
    pub(crate) troubled: bool,
    /// No key is told anybody.
    pub(crate) secret_keys: bool,
}

/// How a model server behaves. Chances are by response unless said otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Temper {
    /// What becomes of a dial, by chance, in this order of [`Fate`]s; else it succeeds.
    pub(crate) fates: [(f64, Fate); 7],
    /// ms from dial to open, and from `session.update` to `session.updated`.
    pub(crate) open_ms: (u64, u64),
    pub(crate) update_ms: (u64, u64),
    /// Chance, by session, that it is dropped, and after how many ms.
    pub(crate) drops: f64,
    pub(crate) drop_ms: (u64, u64),
    /// The session's age when it expires, and what is said of it.
    pub(crate) expires_after: Micros,
    pub(crate) expiry: Expiry,
    /// How errors speak of what they answer.
    pub(crate) names: Names,
    /// Chance that it refuses what it is asked, by event.
    pub(crate) refuses: f64,
    /// Chance, by session, that it never notices speech.
    pub(crate) deaf: f64,
    /// ms from commit to the first delta.
    pub(crate) think_ms: (u64, u64),
    /// ms of audio in an item.
    pub(crate) item_ms: (u64, u64),
    /// Generation, times real time.
    pub(crate) speed: u64,
    pub(crate) two_items: f64,
    /// The second item begins before the first one's `done` events.
    pub(crate) interleaves: bool,
    pub(crate) mute: f64,
    pub(crate) fails: f64,
    pub(crate) incomplete: f64,
    /// Completes without a word.
    pub(crate) empty: f64,
    pub(crate) says_goodbye: f64,
    pub(crate) calls_tool: f64,
    /// Two at once, if any.
    pub(crate) two_calls: f64,
    /// By delta.
    pub(crate) unknown_events: f64,
    /// By event.
    pub(crate) repeats: f64,
    /// Chance, by turn of the caller's, that its end is never told.
    pub(crate) loses_stops: f64,
    /// Most deltas that follow a cancellation.
    pub(crate) late_deltas: u64,
    /// `response.done` of a cancelled response comes before `speech_started`.
    pub(crate) done_before_speech: bool,
}

/// What a server says of the end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    Absent,
    Right,
    Past,
    YearsAhead,
}

/// What an error calls the event that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    Right,
    /// By a name that nobody gave it.
    Foreign,
    Missing,
}

/// What becomes of a dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Ready,
    Refused,
    ClosedAtOnce,
    NeverOpens,
    NeverUpdates,
    RefusesExtras,
    RefusesAll,
    FloodsErrors,
}

/// What else happens.
#[derive(Clone, Debug)]
pub(crate) struct Mishaps {
    /// Chance, by event handled, of a fault of our own.
    pub(crate) panics: f64,
    /// So many gateways that have the call die in the middle of it, one after the other.
    pub(crate) deaths: u32,
    /// The carrier says `start` twice.
    pub(crate) starts_twice: bool,
    /// Chance, by frame, of a key pressed.
    pub(crate) dtmf: f64,
    /// Chance, by frame, that the caller's socket goes.
    pub(crate) hangs_up: f64,
    /// An operator ends the call then.
    pub(crate) operator_at: Micros,
    /// The caller leaves then, whatever they still have to say.
    pub(crate) leaves_at: Micros,
    /// The caller stays when they have nothing more to say.
    pub(crate) stays: bool,
}

impl Mishaps {
    const fn none() -> Self {
        let (operator_at, leaves_at, stays) = (NEVER, NEVER, false);
        Self { panics: 0.0, deaths: 0, starts_twice: false, dtmf: 0.0, hangs_up: 0.0, operator_at, leaves_at, stays }
    }
}

impl Scenario {
    /// A world in which nothing goes wrong.
    pub(crate) fn calm(seed: u64) -> Self {
        Self {
            seed,
            policy: Policy { record: true, ..Policy::default() },
            greeted_by: GreetedBy::Model,
            rate: SampleRate::Hz8000,
            habits: Habits {
                mute_marks: false,
                loses_marks: 0.0,
                doubles_marks: 0.0,
                late_marks: (0.0, 0),
                echoes_cleared: true,
                frame_bytes: (320, 320),
                loses_frames: 0.0,
                gaps: 0.0,
                dies_at: NEVER,
            },
            reading: Reading::all(),
            manners: Manners::calm(),
            temper: Temper {
                fates: [(0.0, Fate::Ready); 7],
                open_ms: (80, 400),
                update_ms: (30, 300),
                drops: 0.0,
                drop_ms: (0, 60_000),
                expires_after: 60 * 60 * SEC,
                expiry: Expiry::Right,
                names: Names::Right,
                refuses: 0.0,
                deaf: 0.0,
                think_ms: (200, 1200),
                item_ms: (400, 7000),
                speed: 5,
                two_items: 0.2,
                interleaves: false,
                mute: 0.0,
                fails: 0.0,
                incomplete: 0.0,
                empty: 0.0,
                says_goodbye: 0.0,
                calls_tool: 0.0,
                two_calls: 0.3,
                unknown_events: 0.0,
                repeats: 0.0,
                loses_stops: 0.0,
                late_deltas: 3,
                done_before_speech: false,
            },
            mishaps: Mishaps::none(),
            interruptions: Interruptions::AtOnce,
            functions: false,
            carrier_way: (10 * MS, 60 * MS),
            model_way: (20 * MS, 90 * MS),
            media_at: 1500 * MS,
            lateness: MS,
            troubled: false,
            secret_keys: false,
        }
    }

    /// Any world. About a third of them are calm but for their figures.
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x5eed);
        let mut it = Self::calm(seed);
        it.figures(&mut dice);
        it.sayings(&mut Dice::new(seed ^ 0x5a75));
        if dice.chance(0.35) {
            it.slow_carrier(&mut Dice::new(seed ^ 0x510));
            it.lost_gateways(&mut Dice::new(seed ^ 0xdead));
            return it;
        }
        // Each kind of trouble on its own in some seeds, and with the others in the rest.
        let mut trouble = |p: f64| dice.chance(p);
        let (marks, line, server, words, faults) =
            (trouble(0.45), trouble(0.3), trouble(0.4), trouble(0.4), trouble(0.2));
        it.troubled = line || server || words || faults;
        if it.troubled {
            // Somebody who speaks up while an answer is due gives the model more time.
            it.manners.patience_ms = (9_000, 14_000);
        }
        it.slow_carrier(&mut Dice::new(seed ^ 0x510));
        if marks {
            it.rude_marks(&mut dice);
        }
        if line {
            it.rude_line(&mut dice);
        }
        if server {
            it.rude_server(&mut dice);
        }
        if words {
            it.rude_responses(&mut dice);
        }
        // Dice of its own: what else is in a seed stays as it is.
        it.functions = Dice::new(seed ^ 0xf0c5).chance(0.7);
        it.policy.tool_wait = Duration::from_secs(4);
        if faults {
            it.mishaps.panics = 0.0005;
            // A call that is built anew is as patient as the first: such sessions would never be given up.
            (it.temper.deaf, it.temper.mute) = (0.0, 0.0);
        }
        it.lost_gateways(&mut Dice::new(seed ^ 0xdead));
        it
    }

    /// The longest that a caller who waits for an answer may sit in silence before there is one, or the call ends.
    pub(crate) fn longest_silence(&self) -> Micros {
        let micros = |d: Duration| u64::try_from(d.as_micros()).unwrap_or(NEVER);
        if !self.troubled {
            // Closing silence, thought, a tail of speech too short to be noticed, and the way there and back.
            return 6 * SEC;
        }
        // A silent session, its replacement, and that one silent too; or responses that fail and are asked for again.
        let policy = &self.policy;
        let retry = 8 * SEC + micros(policy.answer_wait);
        let silent = 2 * micros(policy.answer_wait) + micros(policy.model_wait);
        let one_trouble = silent + u64::from(policy.response_retries) * retry;
        // A stalled socket keeps back what the caller says, and what is said to them; one that moves no more ends the call.
        let stall = 2 * self.reading.stalls_ms.1 * MS;
        let stuck = if self.reading.stops_at == NEVER { 0 } else { micros(policy.media_silence) };
        5 * SEC + stall + stuck + one_trouble.max(micros(policy.patience))
    }

    fn figures(&mut self, dice: &mut Dice) {
        self.greeted_by = dice.pick(&[GreetedBy::Model, GreetedBy::Model, GreetedBy::Carrier]);
        self.policy.chunk_ms = dice.pick(&[20, 100, 200, 200]);
        self.policy.lead = Duration::from_millis(dice.within((u64::from(self.policy.chunk_ms).max(200), 600)));
        self.policy.max_call = Duration::from_secs(dice.within((40, 100)));
        self.policy.media_wait = Duration::from_secs(10);
        if dice.chance(0.25) {
            self.policy.roll_after = Duration::from_secs(dice.within((10, 30)));
        }
        self.habits.frame_bytes = dice.pick(&[(320, 320), (320, 320), (1600, 1600), (1600, 1600), (200, 2600)]);
        self.habits.echoes_cleared = dice.chance(0.5);
        self.manners.cuts_in = dice.pick(&[0.0, 0.3, 0.6, 0.9]);
        self.manners.turns = u32::try_from(dice.within((1, 7))).unwrap_or(1);
        self.manners.utterance_ms = dice.pick(&[(900, 4000), (100, 1500), (1000, 8000)]);
        self.temper.speed = dice.within((3, 10));
        self.temper.two_items = dice.pick(&[0.0, 0.3, 0.8]);
        self.temper.interleaves = dice.chance(0.5);
        self.temper.late_deltas = dice.within((0, 4));
        self.temper.item_ms = dice.pick(&[(100, 1500), (400, 7000), (3000, 15_000)]);
        self.temper.says_goodbye = dice.pick(&[0.0, 0.0, 0.15, 0.4]);
        let way = |dice: &mut Dice| {
            let least = dice.within((0, 90 * MS));
            (least, least + dice.within((0, 60 * MS)))
        };
        self.carrier_way = way(dice);
        self.model_way = way(dice);
        self.lateness = dice.within((0, 5 * MS));
        self.media_at = dice.within((0, 3000)) * MS;
        if dice.chance(0.15) {
            // A rate of its own is told before the model speaks: what was prepared at another is not told apart here.
            self.rate = dice.pick(&[SampleRate::Hz16000, SampleRate::Hz24000]);
            self.media_at = 0;
            self.temper.open_ms = (300, 600);
        }
        self.mishaps.stays = dice.chance(0.2);
        if dice.chance(0.05) {
            self.mishaps.operator_at = dice.within((0, 60)) * SEC;
        }
        if dice.chance(0.2) {
            self.mishaps.hangs_up = 0.0008;
        }
    }

    /// Some carriers do not read all at once. They have dice of their own: what else a seed stands for stays.
    fn slow_carrier(&mut self, dice: &mut Dice) {
        if !dice.chance(0.2) {
            return;
        }
        self.troubled = true;
        self.manners.patience_ms = (9_000, 14_000);
        self.reading.room = dice.pick(&[1, 2, 8, 64]);
        match dice.within((0, 3)) {
            0 => {}
            1 => (self.reading.reads_ms, self.reading.stalls_ms) = ((2_000, 20_000), (300, 4_000)),
            2 => (self.reading.reads_ms, self.reading.stalls_ms) = ((20, 400), (50, 600)),
            _ => self.reading.stops_at = dice.within((3, 40)) * SEC,
        }
    }

    /// Gateways that die: another has the call's next stream. They have dice of their own, too.
    fn lost_gateways(&mut self, dice: &mut Dice) {
        // What is prepared at another rate than the stream's is not told apart here.
        if !dice.chance(0.15) || self.rate != SampleRate::Hz8000 {
            return;
        }
        self.mishaps.deaths = u32::try_from(dice.within((1, 3))).unwrap_or(1);
        self.troubled = true;
        self.manners.patience_ms = (9_000, 14_000);
        // As after a fault: each of them is as patient as the first.
        (self.temper.deaf, self.temper.mute) = (0.0, 0.0);
    }

    /// What the server says of sessions and events.
    fn sayings(&mut self, dice: &mut Dice) {
        self.temper.names = dice.pick(&[Names::Right, Names::Right, Names::Foreign, Names::Missing]);
        if self.policy.roll_after < Policy::default().roll_after {
            // That is what says when a session is replaced.
            self.temper.expiry = dice.pick(&[Expiry::Absent, Expiry::Past, Expiry::YearsAhead]);
        } else if dice.chance(0.3) {
            self.temper.expires_after = dice.within((65, 85)) * SEC;
        }
    }

    fn rude_marks(&mut self, dice: &mut Dice) {
        match dice.within((0, 4)) {
            0 => self.habits.mute_marks = true,
            1 => self.habits.loses_marks = dice.pick(&[0.05, 0.3, 0.8]),
            2 => self.habits.late_marks = (dice.pick(&[0.1, 0.6]), dice.pick(&[300, 1500, 6000])),
            3 => self.habits.doubles_marks = 0.4,
            _ => {
                self.habits.loses_marks = 0.1;
                self.habits.doubles_marks = 0.2;
                self.habits.late_marks = (0.2, 3000);
            }
        }
    }

    fn rude_line(&mut self, dice: &mut Dice) {
        self.habits.loses_frames = dice.pick(&[0.0, 0.01, 0.1]);
        self.habits.gaps = dice.pick(&[0.0, 0.002, 0.01]);
        self.mishaps.dtmf = dice.pick(&[0.0, 0.001, 0.005]);
        self.mishaps.starts_twice = dice.chance(0.2);
        if dice.chance(0.2) {
            self.habits.dies_at = dice.within((3, 30)) * SEC;
        }
        if dice.chance(0.1) {
            (self.media_at, self.rate) = (NEVER, SampleRate::Hz8000);
        }
    }

    fn rude_server(&mut self, dice: &mut Dice) {
        use Fate::{ClosedAtOnce, FloodsErrors, NeverOpens, NeverUpdates, Refused, RefusesAll, RefusesExtras};
        let p = dice.pick(&[0.03, 0.15, 0.4]);
        self.temper.fates = [
            (p, ClosedAtOnce),
            (p, RefusesExtras),
            (p / 3.0, NeverOpens),
            (p / 3.0, NeverUpdates),
            (p / 3.0, FloodsErrors),
            (p / 10.0, Refused),
            (p / 10.0, RefusesAll),
        ];
        if dice.chance(0.3) {
            self.temper.deaf = dice.pick(&[0.3, 1.0]);
            // A word that only the server's ear would have noticed is lost with it.
            self.manners.utterance_ms = (1000, 4000);
        }
        if dice.chance(0.4) {
            self.temper.expires_after = dice.within((8, 40)) * SEC;
        }
        if dice.chance(0.5) {
            self.temper.drops = dice.pick(&[0.3, 0.8]);
        }
    }

    fn rude_responses(&mut self, dice: &mut Dice) {
        if dice.chance(0.4) {
            self.temper.mute = dice.pick(&[0.1, 0.5]);
        }
        if dice.chance(0.4) {
            self.temper.fails = dice.pick(&[0.1, 0.6]);
        }
        if dice.chance(0.2) {
            self.temper.empty = 0.1;
        }
        self.temper.incomplete = dice.pick(&[0.0, 0.2]);
        self.temper.calls_tool = dice.pick(&[0.0, 0.2]);
        self.temper.refuses = dice.pick(&[0.0, 0.1]);
        self.temper.unknown_events = 0.05;
        self.temper.repeats = dice.pick(&[0.0, 0.05]);
        self.temper.done_before_speech = dice.chance(0.3);
        self.temper.loses_stops = dice.pick(&[0.0, 0.0, 0.3]);
    }
}
