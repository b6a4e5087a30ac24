//! A call between its virtual peers, in virtual time.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use protocol::call::end::Ended;
use protocol::call::io::{CallerCommand, CallerEvent, ConnId, Control, Input, ModelCommand, Output};
use protocol::call::policy::{Listening, Setup};
use protocol::call::{Call, Clock};
use protocol::ids::StreamSid;

use super::carrier::{Carrier, Command};
use super::clips;
use super::functions::{self, Functions};
use super::leg::Leg;
use super::link::{BEGAN, Dice, MS, Micros, NEVER, SEC};
use super::log::Log;
use super::person::Person;
use super::scenario::Scenario;
use super::server::{Air, Server};
use super::tally::Tally;
use super::tape::Tape;
use super::witness::{Scene, Witness};

/// The wall clock at that time.
pub(crate) fn wall(time: Micros) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(BEGAN) + Duration::from_micros(time)
}

/// What the caller is greeted with.
pub(crate) const GREETING: &str = "Welcome to the clinic.";
/// More than any step has to say: 3 s of held audio in the shortest frames, a conversation, five minutes of counts.
const MOST_OUTPUTS: usize = 1_000;

/// A call whose gateway is lost has its next stream within this.
const LONGEST_AWAY: Micros = 4 * SEC;

/// Keys that are pressed, and what stands in the place of one.
const KEYS: [char; 9] = ['1', '2', '3', '5', '8', '0', '#', '*', '?'];

/// See the module.
pub(crate) struct World {
    scenario: Scenario,
    /// What virtual time counts from, by the monotonic clock of the process that has the call.
    base: Instant,
    now: Micros,
    dice: Dice,
    policy: Arc<protocol::call::policy::Policy>,
    setup: Arc<Setup>,
    /// None while a fault of ours is being mended.
    call: Option<Call>,
    back_at: Micros,
    /// What the carrier said meanwhile and that must not be lost.
    missed: Vec<CallerEvent>,
    tape: Tape,
    carrier: Carrier,
    leg: Leg,
    person: Person,
    servers: Vec<Server>,
    functions: Functions,
    witness: Witness,
    agenda: Agenda,
    /// Connections of gateways that are lost: each counts its own from there.
    conns_from: u32,
    newest_conn: u32,
    log: Option<Log>,
}

/// What the world does by itself.
struct Agenda {
    /// When the call wants to be woken.
    timeout: Micros,
    media_at: Micros,
    leaves_at: Micros,
    operator_at: Micros,
    /// The gateway that has the call dies then, and so many more do.
    dies_at: Micros,
    deaths: u32,
    started: Option<Micros>,
    /// The carrier said its last word.
    gone: bool,
    /// Timers that were served at this very instant.
    spins: u32,
}

impl World {
    pub(crate) fn new(base: Instant, scenario: Scenario, logged: bool) -> Self {
        scenario.policy.validate().expect("a policy that can hold");
        let dice = Dice::new(scenario.seed);
        let policy = Arc::new(scenario.policy.clone());
        let setup = Arc::new(Setup {
            instructions: "Be helpful.".to_owned(),
            greeting: GREETING.to_owned(),
            greeted_by: scenario.greeted_by,
            language: "en-IN".to_owned(),
            listening: Listening {
                languages: vec!["hi".to_owned(), "en".to_owned()],
                interruptions: scenario.interruptions,
                ..Listening::default()
            },
            speed: None,
            voice: None,
            tools: if scenario.functions { functions::offered() } else { Vec::new() },
            known: std::collections::BTreeMap::new(),
            context: None,
            destinations: if scenario.seed.is_multiple_of(2) { functions::destinations() } else { Vec::new() },
            hold_words: if scenario.functions { clips::hold_words() } else { Vec::new() },
            clips: clips::made(),
            secret_keys: scenario.secret_keys,
            closed: false,
        });
        let call = Call::new(base, Clock { now: base, wall: wall(0) }, Arc::clone(&policy), Arc::clone(&setup));
        let mut world = Self {
            base,
            now: 0,
            policy,
            setup,
            call: Some(call),
            back_at: NEVER,
            missed: Vec::new(),
            tape: Tape::default(),
            carrier: Carrier::new(scenario.habits.clone(), scenario.rate, scenario.carrier_way),
            leg: Leg::new(scenario.seed, scenario.reading.clone()),
            person: Person::new(scenario.manners.clone()),
            servers: Vec::new(),
            functions: Functions::default(),
            witness: Witness::new(&scenario),
            agenda: Agenda {
                timeout: NEVER,
                media_at: scenario.media_at,
                leaves_at: scenario.mishaps.leaves_at,
                operator_at: scenario.mishaps.operator_at,
                dies_at: NEVER,
                deaths: scenario.mishaps.deaths,
                started: None,
                gone: false,
                spins: 0,
            },
            conns_from: 0,
            newest_conn: 0,
            log: logged.then(Log::default),
            dice,
            scenario,
        };
        world.drain(usize::MAX);
        world.arm();
        world
    }

    /// Runs to the end of the call, and a little beyond.
    pub(crate) fn run(mut self) -> Tally {
        while self.witness.tally.ended.is_none() {
            self.step();
        }
        for _ in 0..50 {
            if self.next_at() != NEVER {
                self.step();
            }
        }
        self.summary()
    }

    fn summary(&self) -> Tally {
        let mut tally = self.witness.tally.clone();
        tally.add("refusals", self.servers.iter().map(|s| u64::from(s.refusals)).sum());
        tally.add("collisions", self.servers.iter().map(|s| u64::from(s.collisions)).sum());
        let ms = |bytes: usize| (bytes / self.scenario.rate.bytes_per_ms()) as u64;
        tally.add("played ms", ms(self.tape.contents.iter().map(|c| c.played).sum()));
        tally.add("heard ms", self.tape.contents.iter().map(|c| c.heard_ms).sum());
        tally.add("virtual s", self.now / SEC);
        tally
    }

    fn at(&self, time: Micros) -> Instant {
        self.base + Duration::from_micros(time)
    }

    /// Asks the call when it wants to be woken.
    fn arm(&mut self) {
        let timeout = self.call.as_ref().and_then(Call::poll_timeout);
        self.agenda.timeout = timeout
            .map_or(NEVER, |at| u64::try_from(at.saturating_duration_since(self.base).as_micros()).unwrap_or(NEVER));
    }

    /// When the driver wakes for it: it is a little late.
    fn tick_at(&self) -> Micros {
        self.agenda.timeout.saturating_add(self.scenario.lateness).max(self.now)
    }

    fn next_at(&mut self) -> Micros {
        let moves_at = self.leg.moves_at(self.now);
        let leg = self.leg.next_at(self.now);
        let agenda = &self.agenda;
        let own = agenda.media_at.min(agenda.leaves_at).min(agenda.operator_at).min(agenda.dies_at).min(self.back_at);
        let carrier = self.carrier.next_at().min(self.carrier.to_call.next_at().max(moves_at)).min(leg);
        let servers = self.servers.iter().map(Server::next_at).min().unwrap_or(NEVER);
        // What is there while a fault is being mended waits.
        let functions = if self.call.is_some() { self.functions.next_at().max(self.now) } else { NEVER };
        own.min(carrier).min(servers).min(functions).min(self.tick_at())
    }

    /// The next moment at which anything happens.
    fn step(&mut self) {
        let now = self.next_at();
        assert!(now != NEVER, "nobody has anything to wait for");
        assert!(now >= self.now, "time goes on");
        if now > self.now {
            self.agenda.spins = 0;
        }
        self.now = now;
        if self.back_at <= now {
            self.restart();
        }
        self.own_events();
        if self.carrier.next_at() <= now {
            self.carrier_moves();
        }
        self.leg_moves();
        while self.leg.moves_at(now) <= now
            && let Some(event) = self.carrier.to_call.pop(now)
        {
            self.carrier_says(event);
        }
        for index in 0..self.servers.len() {
            self.server_moves(index);
        }
        while self.call.is_some()
            && let Some(result) = self.functions.pop(now)
        {
            self.handle(result);
        }
        self.servers.retain(|s| !(s.closed && s.next_at() == NEVER && s.collisions + s.refusals == 0));
        if self.tick_at() <= now {
            self.agenda.spins += 1;
            assert!(self.agenda.spins < 50, "the call wants to be woken without end");
            self.handle(Input::Tick);
        }
        self.limits();
    }

    /// No call lives for ever.
    fn limits(&self) {
        if self.witness.tally.ended.is_some() {
            return;
        }
        let start = self.agenda.started.unwrap_or(0);
        // A call that is nowhere is ended by whoever gets its stream.
        let away = if self.scenario.mishaps.deaths > 0 { LONGEST_AWAY } else { 0 };
        let limit = self.policy.max_call.max(self.policy.media_wait) + Duration::from_secs(2);
        let limit = limit + Duration::from_micros(away);
        let age = Duration::from_micros(self.now - start);
        assert!(age <= limit, "the call is {age:?} old");
    }

    fn own_events(&mut self) {
        let now = self.now;
        if self.agenda.media_at <= now {
            self.agenda.media_at = NEVER;
            let again = self.agenda.started.is_some();
            self.agenda.started.get_or_insert(now);
            self.carrier.start(now);
            for _ in 0..1 + u32::from(self.scenario.mishaps.starts_twice) {
                let started = self.started();
                self.carrier.to_call.push(now, &mut self.dice, started);
            }
            if again {
                self.person.reconnected(now, &mut self.dice);
            } else {
                self.person.connected(now, self.scenario.greeted_by, &mut self.dice);
            }
            if self.agenda.deaths > 0 {
                self.agenda.deaths -= 1;
                self.agenda.dies_at = now + self.dice.within((2_000, 20_000)) * MS;
            }
        }
        if self.agenda.dies_at <= now {
            self.agenda.dies_at = NEVER;
            // Of a call that is over for its caller nobody goes on with.
            let goes_on = self.witness.tally.ended.is_none() && self.witness.history.left().is_none();
            if self.call.is_some() && !self.agenda.gone && !self.carrier.closed && goes_on {
                self.gateway_dies();
            }
        }
        if self.agenda.leaves_at <= now {
            let goodbye = match self.dice.within((0, 2)) {
                0 => CallerEvent::Gone,
                1 => CallerEvent::Stopped(None),
                _ => CallerEvent::Stopped(Some("callended".to_owned())),
            };
            self.leave(goodbye);
        }
        if self.agenda.operator_at <= now {
            self.agenda.operator_at = NEVER;
            if self.call.is_some() {
                self.handle(Input::Control(Control::HangUp(Ended::Operator)));
            }
        }
    }

    fn started(&self) -> CallerEvent {
        CallerEvent::Started { stream: StreamSid::new("s"), rate: self.scenario.rate }
    }

    fn leave(&mut self, goodbye: CallerEvent) {
        self.agenda.leaves_at = NEVER;
        self.agenda.gone = true;
        self.carrier.hang_up(self.now, &mut self.dice, goodbye);
    }

    fn carrier_moves(&mut self) {
        let now = self.now;
        let frame = self.carrier.advance(now, &mut self.tape, &mut self.person, &mut self.dice);
        if self.carrier.closed {
            self.agenda.leaves_at = NEVER;
        }
        if !frame || self.agenda.gone {
            return;
        }
        if let Some(since) = self.person.owed_since {
            let silence = now - since;
            self.witness.tally.greatest("longest silence ms", silence / MS);
            assert!(silence <= self.scenario.longest_silence(), "the caller sits in silence for {} ms", silence / MS);
        }
        if self.dice.chance(self.scenario.mishaps.dtmf) {
            let key = KEYS[usize::try_from(now / MS).unwrap_or(0) % KEYS.len()];
            self.carrier.to_call.push(now, &mut self.dice, CallerEvent::Dtmf(key));
        }
        if self.dice.chance(self.scenario.mishaps.hangs_up) {
            self.leave(CallerEvent::Gone);
        } else if self.person.has_said_all() && self.agenda.leaves_at == NEVER && !self.scenario.mishaps.stays {
            self.agenda.leaves_at = now + self.dice.within((0, 6000)) * MS;
        }
    }

    /// What waits for the carrier's socket is handed to it.
    fn leg_moves(&mut self) {
        while let Some(command) = self.leg.pop(self.now) {
            let mut sent = None;
            match command {
                CallerCommand::Play { pcm, mark } => {
                    let mut scene = Scene { now: self.now, tape: &mut self.tape, carrier: &self.carrier };
                    let (content, at, audio) = self.witness.handed(&pcm, mark, &mut scene);
                    let media = Command::Media { content, at, audio, bytes: pcm.len() };
                    self.carrier.from_call.push(self.now, &mut self.dice, media);
                    if let Some(mark) = mark {
                        self.carrier.from_call.push(self.now, &mut self.dice, Command::Mark(mark));
                        sent = Some(CallerEvent::Sent { mark, pcm });
                    }
                }
                CallerCommand::Clear => self.carrier.from_call.push(self.now, &mut self.dice, Command::Clear),
                CallerCommand::Close => self.carrier.from_call.push(self.now, &mut self.dice, Command::Close),
            }
            if let Some(sent) = sent {
                self.handle(Input::Caller(sent));
            }
        }
    }

    fn carrier_says(&mut self, event: CallerEvent) {
        if self.call.is_some() {
            self.handle(Input::Caller(event));
        } else if !matches!(event, CallerEvent::Audio { .. } | CallerEvent::Mark(_) | CallerEvent::Lost { .. }) {
            self.missed.push(event);
        }
    }

    fn server_moves(&mut self, index: usize) {
        let now = self.now;
        let server = &mut self.servers[index];
        if server.next_at() > now {
            return;
        }
        let (dice, tape, temper) = (&mut self.dice, &mut self.tape, &self.scenario.temper);
        server.advance(&mut Air { now, dice, tape, temper, rate: self.scenario.rate });
        let conn = ConnId(server.id - self.conns_from);
        while let Some(event) = self.servers[index].to_call.pop(now) {
            if self.call.is_some() {
                self.handle(Input::Model(conn, event));
            }
        }
    }

    fn handle(&mut self, input: Input) {
        let Some(call) = self.call.as_mut() else { return };
        if let Some(log) = &mut self.log {
            log.input(self.now, &input);
        }
        let mut scene = Scene { now: self.now, tape: &mut self.tape, carrier: &self.carrier };
        self.witness.input(&input, &mut scene);
        call.handle(self.base + Duration::from_micros(self.now), input);
        let fault = self.witness.tally.ended.is_none() && self.dice.chance(self.scenario.mishaps.panics);
        let most = if fault { self.dice.within((0, 6)) as usize } else { usize::MAX };
        self.drain(most);
        if fault && self.witness.tally.ended.is_none() {
            return self.fault();
        }
        self.arm();
        if let Some(call) = &self.call {
            self.witness.after(self.agenda.timeout, call.lead_ms(self.at(self.now)), self.now);
        }
    }

    /// Does what the call wants, up to `most`.
    fn drain(&mut self, most: usize) {
        let mut refused = Vec::new();
        for count in 0..most {
            assert!(count < MOST_OUTPUTS, "outputs without end");
            let Some(output) = self.call.as_mut().and_then(Call::poll_output) else { break };
            if let Some(log) = &mut self.log {
                log.output(self.now, &output);
            }
            let mut scene = Scene { now: self.now, tape: &mut self.tape, carrier: &self.carrier };
            self.witness.output(&output, &mut scene);
            match output {
                Output::Caller(command @ CallerCommand::Play { .. }) if !refused.is_empty() => refused.push(command),
                Output::Caller(command) => refused.extend(self.leg.take(command)),
                Output::Model(ConnId(id), command) => self.tell_server(id, command),
                Output::Run { id, effect } => {
                    self.functions.run(self.now, id, effect, self.policy.tool_wait, &mut self.dice);
                }
                Output::Cancel { .. } | Output::Record(_) | Output::Heard(_) | Output::Ended(_) => {}
            }
        }
        if !refused.is_empty() && most == usize::MAX {
            self.refuse(refused);
        }
    }

    /// The socket's way had no room for these: the call is told at once, of silence nothing.
    fn refuse(&mut self, refused: Vec<CallerCommand>) {
        let Some(call) = self.call.as_mut() else { return };
        for command in refused {
            let CallerCommand::Play { pcm, mark: Some(mark) } = command else { continue };
            self.witness.refused(mark, pcm.len());
            let input = Input::Caller(CallerEvent::Refused { mark, pcm });
            if let Some(log) = &mut self.log {
                log.input(self.now, &input);
            }
            call.handle(self.base + Duration::from_micros(self.now), input);
        }
        self.drain(usize::MAX);
    }

    fn tell_server(&mut self, id: u32, command: ModelCommand) {
        let id = self.conns_from + id;
        let (now, dice) = (self.now, &mut self.dice);
        let server = self.servers.iter_mut().find(|s| s.id == id);
        match (command, server) {
            (ModelCommand::Dial, _) => {
                let (tape, temper) = (&mut self.tape, &self.scenario.temper);
                let mut air = Air { now, dice, tape, temper, rate: self.scenario.rate };
                self.newest_conn = id;
                self.servers.push(Server::dial(id, self.scenario.model_way, &mut air));
            }
            (ModelCommand::Send(event, id), Some(server)) if !server.closed => {
                server.from_call.push(now, dice, (event, id));
            }
            (ModelCommand::Close, Some(server)) => server.stop(),
            (ModelCommand::Send(..) | ModelCommand::Close | ModelCommand::CarrierRate(_), _) => {}
        }
    }

    /// A fault of ours: the call is gone with all it knew, its model connections with it.
    fn fault(&mut self) {
        if let Some(log) = &mut self.log {
            log.note(self.now, "!!", &"the call panics");
        }
        self.call = None;
        self.agenda.timeout = NEVER;
        self.back_at = self.now + self.dice.within((0, 300)) * MS;
        self.servers.iter_mut().for_each(Server::stop);
        self.witness.restarted();
    }

    /// The gateway that has the call dies. What it did not write in the last second is lost, and the caller's socket with it; the carrier
    /// comes to another gateway, with a further stream or with a webhook first.
    fn gateway_dies(&mut self) {
        if let Some(log) = &mut self.log {
            log.note(self.now, "!!", &"the gateway dies");
        }
        (self.call, self.agenda.timeout) = (None, NEVER);
        self.missed.clear();
        self.carrier.cut_off(self.now, &mut self.tape);
        self.leg = Leg::new(self.scenario.seed, self.scenario.reading.clone());
        self.conns_from = self.newest_conn;
        for server in self.servers.drain(..) {
            self.witness.tally.add("refusals", u64::from(server.refusals));
            self.witness.tally.add("collisions", u64::from(server.collisions));
        }
        let written_until = self.now - self.dice.within((0, 1_000)) * MS;
        self.witness.gateway_lost(written_until, self.conns_from, &mut self.tape);
        self.functions.gateway_lost(self.witness.history.effects());
        self.back_at = self.now + self.dice.within((200, 2_500)) * MS;
        let asked_before = if self.dice.chance(0.5) { self.dice.within((0, 1_000)) * MS } else { 0 };
        self.agenda.media_at = self.back_at + asked_before;
        if self.agenda.leaves_at != NEVER {
            self.agenda.leaves_at = self.agenda.leaves_at.max(self.agenda.media_at + SEC);
        }
    }

    /// The supervisor builds another from what was recorded; the carrier's leg tells it what it may have missed. It may as well be
    /// another process, whose monotonic clock counts from elsewhere.
    fn restart(&mut self) {
        self.back_at = NEVER;
        self.base += Duration::from_secs(self.dice.within((0, 1)) * 86_400);
        let history = self.witness.history.clone();
        let streaming = history.stream().is_some();
        let now = self.at(self.now);
        let clock = Clock { now, wall: wall(self.now) };
        self.call = Some(Call::resume(now, clock, Arc::clone(&self.policy), Arc::clone(&self.setup), history));
        self.drain(usize::MAX);
        self.arm();
        let missed = std::mem::take(&mut self.missed);
        let told = missed.iter().any(|e| matches!(e, CallerEvent::Started { .. }));
        if self.agenda.started.is_some() && self.agenda.media_at == NEVER && !streaming && !told {
            let started = self.started();
            self.handle(Input::Caller(started));
        }
        for event in missed {
            self.carrier_says(event);
        }
        if self.agenda.gone {
            self.carrier_says(CallerEvent::Gone);
        }
    }
}

impl Drop for World {
    /// However a world ends: what failed in it can be read, and a call that is over left nothing open.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let call = self.call.as_ref().expect("a call that ended");
            self.witness.finish(call, &self.tape);
            let collisions: u32 = self.servers.iter().map(|s| s.collisions).sum();
            assert!(self.scenario.troubled || collisions == 0, "a response was asked for while one was active");
        } else if let Some(log) = &self.log {
            eprintln!("SIM_SEED={}: {:?}", self.scenario.seed, self.scenario);
            eprintln!("{log}");
        }
    }
}
