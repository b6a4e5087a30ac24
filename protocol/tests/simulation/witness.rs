//! What must hold after every step, judged from outside: by what goes into a call, what comes out, and what was played.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use codecs::SampleRate;
use protocol::call::Call;
use protocol::call::end::Ended;
use protocol::call::fact::{Fact, Turn, Who};
use protocol::call::history::History;
use protocol::call::io::{CallerCommand, CallerEvent, ConnId, EffectId, Input, ModelCommand, ModelEvent, Output};
use protocol::call::latency::{Awaited, Latency, Part};
use protocol::ids::{ItemId, MarkId, ResponseId};
use protocol::realtime::command::{ClientEvent, NewItem};
use protocol::realtime::event::{ResponseStatus, ServerEvent};

use super::carrier::Carrier;
use super::clips;
use super::functions::{DESK, tells_result};
use super::judging::Judging;
use super::latencies::Latencies;
use super::link::{MS, Micros, NEVER, SEC};
use super::record::Record;
use super::recording::Recording;
use super::scenario::Scenario;
use super::secret_keys::SecretKeys;
use super::silence::Silent;
use super::tally::Tally;
use super::tape::Tape;
use super::waiting::{Standing, Waiting};
use super::world::GREETING;

/// A carrier gives up on a bot that sends nothing for 10 s: what it gets within that, first and later.
const FIRST_QUIET: Micros = 4 * SEC;
const LONGEST_QUIET: Micros = 8 * SEC;
/// A quiet moment is none while words of the caller's may be on their way as text, or an answer is due.
const LONGEST_WAIT: Micros = 12 * SEC;
/// A function that is given up is so within this of its deadline, faults of ours included.
const RETURNS_BY: Micros = 2 * SEC;
/// What a model is asked for whose caller's gateway was lost.
const APOLOGY: &str = "Apologise in one short sentence";

/// A model connection as the call should see it.
#[derive(Default)]
struct Conn {
    opened: bool,
    updated: bool,
    /// Closed by either side.
    closed: bool,
    /// Responses that are being generated, and one that was asked for.
    open: Vec<ResponseId>,
    requested: bool,
    /// Responses that were asked for and did not begin, as far as anybody can tell.
    asked: u32,
    /// It was told what to say first: to greet, or to apologise.
    told_first: bool,
}

impl Conn {
    fn told(&mut self, event: &ServerEvent) {
        match event {
            ServerEvent::SessionUpdated { .. } => self.updated = true,
            ServerEvent::ResponseCreated { response, .. } => {
                self.requested = false;
                self.asked = self.asked.saturating_sub(1);
                if !self.open.contains(response) {
                    self.open.push(response.clone());
                }
            }
            ServerEvent::ResponseDone(done) => self.open.retain(|response| *response != done.response),
            ServerEvent::Error(_) => self.requested = false,
            _ => {}
        }
    }

    fn is_ready(&self) -> bool {
        self.updated && !self.closed
    }
}

/// Where one step stands.
#[derive(Default)]
struct Step {
    /// The caller cut in while sent audio was still to be played.
    must_clear: bool,
    cleared: bool,
    /// The event handled is a mark of audio that was cut, or none of ours.
    stale_mark: bool,
    /// The caller entered keys.
    keys: bool,
    /// A session was lost, and what was being judged in it with it.
    lost: bool,
}

/// See the module.
pub(crate) struct Witness {
    rate: SampleRate,
    bytes_per_ms: usize,
    lead: Micros,
    chunk_bytes: usize,
    /// The most that a truncation may fall short of what was played, where marks are honest.
    short_ms: Option<u64>,
    /// The fold of what was recorded: what a restart begins from.
    pub(crate) history: History,
    /// Items in the order of their turns.
    items: Vec<ItemId>,
    /// When all that was handed to the socket since the last cut will have been played, and all of it that is not silence.
    play_end: Micros,
    audible_end: Micros,
    /// Bytes on their way to the socket.
    on_their_way: usize,
    /// The carrier gives the bot up unless it is sent something by then.
    media_due: Micros,
    /// The responses that were heard, the one being heard last.
    voices: Vec<ResponseId>,
    /// The transcript as the record has it.
    rows: BTreeMap<u32, Turn>,
    /// The carrier reads all that it is sent, at once.
    reads: bool,
    /// The end of every turn of the caller's is told.
    hears_stops: bool,
    speaking: bool,
    started: Micros,
    /// When the last frame came in which the caller was loud.
    last_loud: Micros,
    /// Responses that began while the caller spoke.
    crossed: Vec<ResponseId>,
    conns: BTreeMap<u32, Conn>,
    /// Marks, and the era of each: an era ends with every cut and every restart.
    marks: HashMap<MarkId, u32>,
    era: u32,
    /// Responses that nobody asked for, and that began while a function ran.
    unasked: Vec<ResponseId>,
    /// Functions that were run, and those of all that have their result.
    ran: BTreeSet<EffectId>,
    returned: BTreeSet<EffectId>,
    /// Results that a session was told in words.
    told: BTreeSet<(u32, String)>,
    /// The agent said goodbye.
    closing: bool,
    waiting: Waiting,
    silent: Silent,
    judging: Judging,
    /// Functions that run, and by when each is to have its result.
    running: BTreeMap<EffectId, Micros>,
    /// Keys pressed since the last entry.
    keys: String,
    secret_keys: SecretKeys,
    step: Step,
    /// Since when nothing goes on and a replacement is ready.
    quiet_since: Option<Micros>,
    recording: Recording,
    /// What another gateway would find.
    record: Record,
    /// Turns that this one found there.
    found: u32,
    /// What it numbers its connections from.
    conns_from: u32,
    /// The caller is back after their gateway was lost, and was not spoken to yet.
    back: bool,
    /// How long answers took, by the item that they began with.
    answers: HashMap<ItemId, u64>,
    latencies: Latencies,
    pub(crate) tally: Tally,
}

/// What can be looked at in a step.
pub(crate) struct Scene<'a> {
    pub(crate) now: Micros,
    pub(crate) tape: &'a mut Tape,
    pub(crate) carrier: &'a Carrier,
}

impl Witness {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let bytes_per_ms = scenario.rate.bytes_per_ms();
        let policy = &scenario.policy;
        let chunk_ms = u64::from(policy.chunk_ms);
        let paused = u64::from(scenario.interruptions.are_ours());
        let reads = !scenario.reading.stalls();
        let mended = scenario.mishaps.panics > 0.0 || scenario.mishaps.deaths > 0;
        let honest = scenario.habits.honest() && reads && !mended;
        Self {
            rate: scenario.rate,
            bytes_per_ms,
            lead: u64::try_from(policy.lead.as_micros()).unwrap_or(u64::MAX),
            chunk_bytes: policy.chunk_ms as usize * bytes_per_ms,
            // What is being played when the word to pause comes there is played to its end.
            short_ms: honest.then_some((chunk_ms + scenario.carrier_way.1 / MS) * (1 + paused) + 2),
            history: History::default(),
            items: Vec::new(),
            play_end: 0,
            audible_end: 0,
            on_their_way: 0,
            media_due: NEVER,
            voices: Vec::new(),
            rows: BTreeMap::new(),
            reads,
            hears_stops: scenario.temper.loses_stops == 0.0,
            speaking: false,
            started: 0,
            last_loud: 0,
            crossed: Vec::new(),
            unasked: Vec::new(),
            ran: BTreeSet::new(),
            returned: BTreeSet::new(),
            told: BTreeSet::new(),
            closing: false,
            waiting: Waiting::new(scenario),
            silent: Silent::new(scenario),
            judging: Judging::new(scenario),
            conns: BTreeMap::new(),
            marks: HashMap::new(),
            era: 0,
            running: BTreeMap::new(),
            keys: String::new(),
            secret_keys: SecretKeys::new(scenario.secret_keys),
            step: Step::default(),
            quiet_since: None,
            recording: Recording::default(),
            record: Record::default(),
            found: 0,
            conns_from: 0,
            back: false,
            answers: HashMap::new(),
            latencies: Latencies::default(),
            tally: Tally::default(),
        }
    }

    /// The call is told this next.
    pub(crate) fn input(&mut self, input: &Input, scene: &mut Scene<'_>) {
        self.step = Step::default();
        match input {
            Input::Caller(CallerEvent::Mark(mark)) => {
                self.step.stale_mark = mark.is_none_or(|mark| self.marks.get(&mark) != Some(&self.era));
                self.tally.add("stale marks", u64::from(self.step.stale_mark));
            }
            Input::Caller(CallerEvent::Audio { level_dbfs, .. }) if *level_dbfs > -35.0 => self.last_loud = scene.now,
            Input::Caller(CallerEvent::Dtmf(key)) => self.secret_keys.pressed(scene.now, *key),
            Input::Model(ConnId(id), event) => self.model_input(*id, event, scene),
            _ => {}
        }
    }

    fn model_input(&mut self, id: u32, event: &ModelEvent, scene: &mut Scene<'_>) {
        let Some(conn) = self.conns.get_mut(&id).filter(|c| !c.closed) else {
            return self.tally.add("stale model events", 1);
        };
        if let ModelEvent::Server(event) = event {
            if let ServerEvent::ResponseCreated { response, .. } = event
                && !self.running.is_empty()
                && conn.asked == 0
                && !conn.open.contains(response)
            {
                self.unasked.push(response.clone());
                self.tally.add("responses unasked", 1);
            }
            conn.told(event);
        }
        match event {
            ModelEvent::RoundTrip { .. } => {}
            ModelEvent::Opened => conn.opened = true,
            ModelEvent::Refused(..) | ModelEvent::TurnedAway(..) | ModelEvent::Closed(_) => conn.closed = true,
            ModelEvent::Audio { key, pcm } => {
                if let Some(content) = scene.tape.find(key) {
                    content.delivered += pcm.len();
                    self.tally.add("late deltas", u64::from(content.dead));
                }
            }
            ModelEvent::Server(event) => match event {
                ServerEvent::ResponseCreated { response, .. } if self.speaking && self.hears_stops => {
                    self.crossed.push(response.clone());
                }
                ServerEvent::AudioDone(key) => {
                    if let Some(content) = scene.tape.find(key) {
                        content.finished = true;
                    }
                }
                ServerEvent::ResponseDone(done) if done.status == ResponseStatus::Completed => {
                    scene.tape.finish(&done.response);
                }
                ServerEvent::TranscriptDelta { key, delta: words }
                | ServerEvent::TranscriptDone { key, text: words } => {
                    let whole = matches!(event, ServerEvent::TranscriptDone { .. });
                    if let Some(content) = scene.tape.find(key).filter(|c| !c.dead && (!whole || c.words.is_empty())) {
                        content.words.push_str(words);
                    }
                }
                _ => {}
            },
        }
    }

    /// The call wants this done.
    pub(crate) fn output(&mut self, output: &Output, scene: &mut Scene<'_>) {
        assert!(self.tally.ended.is_none(), "nothing follows the end: {output:?}");
        self.secret_keys.judge(scene.now, output);
        match output {
            Output::Caller(CallerCommand::Play { pcm, mark }) => self.offered(pcm, *mark, scene),
            Output::Caller(CallerCommand::Clear) => self.cleared(scene),
            Output::Caller(CallerCommand::Close) => {}
            Output::Model(ConnId(id), command) => self.command(*id, command, scene),
            Output::Run { id, .. } => {
                assert!(self.running.contains_key(id), "{id:?} is on record before it is run");
                self.ran.insert(*id);
                self.tally.add("functions run", 1);
            }
            Output::Cancel { id } => {
                assert!(self.ran.contains(id) && !self.returned.contains(id), "{id:?} is given up, and did not run");
                self.tally.add("functions cancelled", 1);
            }
            Output::Record(fact) => {
                self.fact(fact, scene);
                self.record.tell(scene.now, fact);
                self.history.apply(fact);
            }
            Output::Heard(taped) => self.recording.taped(taped, scene.now - self.started, self.bytes_per_ms),
            Output::Ended(why) => self.ended(why),
        }
    }

    /// What was sent and not played is dropped: because the caller has the floor, or may have it. Which of the two shows at once.
    fn cleared(&mut self, scene: &mut Scene<'_>) {
        self.step.cleared = true;
        let pauses = !self.speaking && !self.step.keys && self.judging.pauses_now();
        if pauses {
            self.judging.paused(scene.now, &self.marks, self.era, scene.tape);
            (self.play_end, self.audible_end, self.on_their_way) = (0, 0, 0);
            self.voices.clear();
            self.era += 1;
            self.tally.add("pauses", 1);
        }
    }

    fn micros(&self, bytes: usize) -> Micros {
        (bytes * 1000 / self.bytes_per_ms) as u64
    }

    /// How far ahead of real time the call is, with what is on its way.
    fn ahead(&self, now: Micros) -> Micros {
        self.play_end.saturating_sub(now) + self.micros(self.on_their_way)
    }

    /// A message goes to the driver.
    fn offered(&mut self, pcm: &[u8], mark: Option<MarkId>, scene: &mut Scene<'_>) {
        assert!(self.history.started().is_some(), "audio before the stream began");
        assert!(!pcm.is_empty() && pcm.len().is_multiple_of(320), "a message of {} bytes", pcm.len());
        assert!(pcm.len() <= self.chunk_bytes, "a message of {} bytes", pcm.len());
        let Some(mark) = mark else {
            // A sign of life: into nothing, and nobody's.
            assert!(pcm.iter().all(|&sample| sample == 0), "audio without a mark");
            assert!(self.ahead(scene.now) == 0, "silence is sent into what plays");
            self.play_end = scene.now + self.micros(pcm.len());
            return self.tally.add("silences", 1);
        };
        assert!(!self.speaking, "audio is sent while the caller speaks");
        self.judging.goes_on(scene.now, &mut self.tally);
        let content = &scene.tape.contents[scene.tape.whose(pcm)];
        assert!(!content.dead, "audio of {:?} is sent after the caller cut in", content.key);
        assert!(!self.crossed.contains(&content.key.response), "audio of {:?}, which crossed with speech", content.key);
        assert!(!self.unasked.contains(&content.key.response), "audio of {:?}, while a function ran", content.key);
        assert!(self.marks.insert(mark, self.era).is_none(), "mark {mark} was used before");
        self.on_their_way += pcm.len();
        let ahead = self.ahead(scene.now);
        assert!(ahead <= self.lead, "{ahead} us ahead of real time");
        self.tally.add("messages", 1);
    }

    /// A message had no room on its way: it was never sent.
    pub(crate) fn refused(&mut self, mark: MarkId, bytes: usize) {
        if self.marks.get(&mark) == Some(&self.era) {
            self.on_their_way -= bytes;
        }
        self.tally.add("refused", 1);
    }

    /// A message is handed to the carrier's socket. Returns whose audio it is (none: silence), and how much of it is audio.
    pub(crate) fn handed(
        &mut self,
        pcm: &[u8],
        mark: Option<MarkId>,
        scene: &mut Scene<'_>,
    ) -> (Option<usize>, usize, usize) {
        if self.media_due != NEVER {
            self.media_due = scene.now + LONGEST_QUIET;
        }
        let Some(mark) = mark else { return (None, 0, 0) };
        if self.judging.is_recalled(mark) {
            return self.judging.handed_late(pcm, scene.tape);
        }
        let (index, audio) = scene.tape.read(pcm);
        let content = &mut scene.tape.contents[index];
        let at = content.sent;
        self.judging.handed(mark, index, at + audio);
        content.sent += audio;
        assert!(content.sent <= content.delivered, "more of {:?} is sent than came", content.key);
        self.voices.push(content.key.response.clone());
        self.voices.dedup();
        let again = self.voices.iter().filter(|voice| **voice == content.key.response).count() > 1;
        assert!(!again, "{:?} goes on after another response was heard", content.key);
        if self.marks.get(&mark) == Some(&self.era) {
            self.on_their_way -= pcm.len();
            self.play_end = self.play_end.max(scene.now) + self.micros(pcm.len());
            self.audible_end = self.play_end;
            self.recording.handed(index, audio);
        }
        (Some(index), at, audio)
    }

    fn command(&mut self, id: u32, command: &ModelCommand, scene: &mut Scene<'_>) {
        if *command == ModelCommand::Dial {
            let newest = self.conns.last_key_value().map_or(0, |(id, _)| *id);
            assert!(id > newest, "connection {id} after {newest}");
            self.conns.insert(id, Conn::default());
            let open = self.conns.values().filter(|c| !c.closed).count();
            assert!(open <= 2, "{open} connections at once");
            return self.tally.add("dials", 1);
        }
        let conn = self.conns.get_mut(&id).expect("a connection that was dialled");
        let ModelCommand::Send(event, _) = command else {
            conn.closed |= *command == ModelCommand::Close;
            return;
        };
        assert!(conn.opened && !conn.closed, "{event:?} to a connection that is not open");
        let configures = matches!(event, ClientEvent::SessionUpdate(_));
        assert!(conn.updated != configures, "{event:?} when session.updated is {}", conn.updated);
        conn.requested |= matches!(event, ClientEvent::CreateResponse { .. });
        conn.asked += u32::from(matches!(event, ClientEvent::CreateResponse { .. }));
        conn.told_first |= matches!(event, ClientEvent::CreateResponse { instructions: Some(_) });
        match event {
            ClientEvent::CreateItem(NewItem::System(told)) if told.contains(APOLOGY) => {
                conn.told_first = true;
                assert!(self.back, "an apology for what the caller was told already");
            }
            ClientEvent::Truncate { item, content_index: 0, audio_end_ms } => {
                self.truncation(id, item, *audio_end_ms, scene);
            }
            ClientEvent::Truncate { content_index, .. } => panic!("there is no content {content_index}"),
            ClientEvent::CreateItem(NewItem::System(words)) if tells_result(words) => {
                let session = self.conns_from + id;
                assert!(self.told.insert((session, words.clone())), "session {session} is told {words:?} twice");
                self.tally.add("results in words", 1);
            }
            ClientEvent::CreateItem(NewItem::Assistant(text)) => {
                assert!(!clips::is_one(text), "a model is told of a fixed sentence");
                let said = |words: &str| words.trim().starts_with(text.as_str());
                let known = text == GREETING || scene.tape.contents.iter().any(|c| said(&c.words));
                assert!(known, "a new session is told that the agent said {text:?}");
            }
            _ => {}
        }
    }

    /// The truncation point: what was generated there, of what was heard, no more, and hardly less.
    fn truncation(&mut self, conn: u32, item: &ItemId, audio_end_ms: u64, scene: &mut Scene<'_>) {
        assert!(self.step.cleared || !self.step.must_clear, "clear comes before truncate");
        let (index, content) = scene.tape.find_item(item.as_str()).expect("a known item is truncated");
        assert!(content.clip.is_none(), "no model knows of {item}");
        assert_eq!(content.conn, self.conns_from + conn, "{item} is truncated in another session");
        let asked = usize::try_from(audio_end_ms).unwrap_or(usize::MAX).saturating_mul(self.bytes_per_ms);
        assert!(content.generated > 0, "{item} has no audio");
        assert!(asked <= content.delivered, "{audio_end_ms} ms is more than came of {item}");
        assert!(content.truncated.is_none_or(|before| audio_end_ms < before), "{item} is truncated twice");
        content.truncated = Some(audio_end_ms);
        let played = scene.carrier.played(scene.now, index, scene.tape);
        assert!(asked <= played, "{item} is cut at {audio_end_ms} ms, of which {played} bytes were played");
        let short_ms = ((played - asked) / self.bytes_per_ms) as u64;
        if let Some(bound) = self.short_ms {
            assert!(short_ms <= bound, "{item} is cut {short_ms} ms before what was heard");
        }
        self.tally.add("truncations", 1);
    }

    fn fact(&mut self, fact: &Fact, scene: &mut Scene<'_>) {
        match fact {
            Fact::CallerSpoke { item, .. } => self.caller_spoke(item, scene),
            Fact::MediaStarted { .. } => {
                let first = self.started == 0;
                self.started = if first { scene.now } else { self.started };
                self.media_due = scene.now + FIRST_QUIET;
            }
            Fact::Backchannel { item, at_ms, length_ms } => self.backchannel(item, (*at_ms, *length_ms), scene),
            Fact::PlaybackBegan { item, .. } if self.back => self.spoken_to_again(item, scene),
            Fact::Left(_) => {
                self.media_due = NEVER;
                self.running.clear();
            }
            Fact::ClipBegan { item, words, .. } => {
                scene.tape.add_clip(item, words, clips::sound(words, self.rate));
                self.turn_began(item);
                self.waiting.said();
                self.tally.add("fixed sentences", 1);
            }
            Fact::ToolCalled(call) => {
                self.closing |= call.name == "end_call" || call.name == "transfer_call";
                let wait = call.wait_ms.map(|ms| scene.now + ms * MS + RETURNS_BY);
                self.running.extend(wait.map(|by| (call.id, by)));
            }
            Fact::ToolReturned { id, output, .. } => self.tool_returned(*id, output),
            Fact::Dtmf { digit } => {
                self.silent.broken(scene.now);
                self.keys.push(*digit);
            }
            Fact::Nudged { .. } => self.nudged(scene.now),
            Fact::KeysEntered { keys } => self.keys_entered(keys, scene),
            Fact::CallerStopped { at_ms, .. } => {
                self.speaking = false;
                let really = self.last_loud.saturating_sub(self.started) / MS;
                self.tally.greatest("end of speech off by ms", really.abs_diff(*at_ms));
            }
            Fact::ModelLost { .. } => {
                (self.speaking, self.step.lost) = (false, true);
                self.tally.add("sessions lost", 1);
            }
            Fact::AgentBegan { item, .. } => self.turn_began(item),
            Fact::Heard { item, generated_ms, heard_ms, .. } => self.heard(item, *generated_ms, *heard_ms, scene),
            Fact::Interrupted { item, heard_ms, unheard_ms, .. } => {
                let (_, content) = scene.tape.find_item(item.as_str()).expect("a known item");
                assert_eq!(*heard_ms, content.heard_ms, "{item} is cut where it was heard to");
                self.tally.add("interruptions", 1);
                self.tally.add("unheard ms", *unheard_ms);
            }
            Fact::Turn(turn) => self.turn(turn, scene),
            Fact::Answered { item, after_ms } => {
                self.answers.insert(item.clone(), *after_ms);
                self.tally.add("answers", 1);
            }
            Fact::Latency(latency) => {
                self.latencies.told(latency, scene.now.saturating_sub(self.started) / MS, &mut self.tally)
            }
            Fact::Resumed => {
                self.closing = false;
                self.latencies.restarted(&self.answers);
                self.waiting.restarted();
                self.tally.add("restarts", 1);
            }
            Fact::ResponseFailed { .. } => self.tally.add("failed responses", 1),
            Fact::Counted { what, count } => {
                assert_ne!(*what, "responses_overlapped", "one voice at a time");
                self.tally.add(what, *count);
            }
            Fact::Ended(why) => self.end_told(why),
            _ => {}
        }
    }

    fn tool_returned(&mut self, id: EffectId, output: &str) {
        assert!(self.returned.insert(id), "{id:?} has two results");
        if output.contains("not handed on") {
            // Nobody is there: the agent goes on.
            self.closing = false;
            self.tally.add("transfers refused", 1);
        }
        self.tally.add("functions returned", u64::from(self.running.remove(&id).is_some()));
    }

    fn end_told(&mut self, why: &Ended) {
        let to = if let Ended::Transferred(to) = why { to.to.as_deref() } else { None };
        assert!(to.is_none_or(|to| to == DESK), "nobody is there whom the caller was handed on to: {to:?}");
        assert!(!std::mem::replace(&mut self.tally.told, true), "the end is told once");
    }

    /// The caller is spoken to since nobody says anything.
    fn nudged(&mut self, now: Micros) {
        let answers = self.conns.values().any(|conn| conn.is_ready() && !conn.open.is_empty());
        let busy = self.speaking || answers || self.closing || !self.running.is_empty() || !self.keys.is_empty();
        self.silent.nudged(now, busy);
    }

    /// Whoever comes back hears why first, or the greeting if nobody had spoken yet: once.
    fn spoken_to_again(&mut self, item: &ItemId, scene: &mut Scene<'_>) {
        let (_, content) = scene.tape.find_item(item.as_str()).expect("a known item");
        if content.clip.is_some() {
            return;
        }
        let conn = content.conn.checked_sub(self.conns_from).and_then(|conn| self.conns.get(&conn));
        assert!(
            conn.is_some_and(|conn| conn.told_first),
            "{item} is heard first of one who knows nothing of the fault"
        );
        self.back = false;
        self.tally.add("spoken to again", 1);
    }

    /// An entry of keys is a turn of the caller's: nothing is lost of it, and the agent stops.
    fn keys_entered(&mut self, keys: &str, scene: &mut Scene<'_>) {
        let pressed = std::mem::take(&mut self.keys);
        let told = pressed.strip_suffix('#').filter(|keys| !keys.is_empty()).unwrap_or(&pressed);
        if self.secret_keys.are_watched() {
            SecretKeys::entered(keys);
        } else {
            assert_eq!(told, keys, "all that was pressed, in one entry");
        }
        assert!(pressed.len() <= 32, "{pressed} is longer than an entry");
        self.tally.add("entries of keys", 1);
        self.closing = false;
        if !self.speaking {
            let cut = self.audible_end > scene.now || self.on_their_way > 0;
            assert!(self.step.cleared || !cut, "what the caller cut into is cleared");
            (self.play_end, self.audible_end, self.on_their_way) = (0, 0, 0);
            self.era += 1;
            scene.tape.contents.iter_mut().filter(|c| c.delivered > 0).for_each(|c| c.dead = true);
        }
    }

    /// A sound of the caller's was no turn.
    fn backchannel(&mut self, item: &ItemId, (at_ms, length_ms): (u64, u64), scene: &Scene<'_>) {
        self.turn_began(item);
        let ended = self.started + (at_ms + length_ms) * MS;
        self.judging.judged_away(item, (ended, length_ms), scene.tape, &mut self.tally);
    }

    fn turn_began(&mut self, item: &ItemId) {
        if !self.items.contains(item) {
            self.items.push(item.clone());
        }
    }

    fn caller_spoke(&mut self, item: &ItemId, scene: &mut Scene<'_>) {
        self.closing = false;
        self.silent.broken(scene.now);
        self.turn_began(item);
        let cuts = self.audible_end > scene.now || self.on_their_way > 0;
        self.judging.turn(item, cuts, scene.tape, &mut self.tally);
        if self.judging.waits() {
            self.speaking = true;
            return;
        }
        self.step.must_clear |= cuts;
        (self.speaking, self.play_end, self.audible_end, self.on_their_way) = (!self.step.lost, 0, 0, 0);
        self.era += 1;
        scene.tape.cut(item);
    }

    /// `heard <= sent <= generated`, where sent is what was handed to the socket; never backwards, and never more than was really played.
    fn heard(&mut self, item: &ItemId, generated_ms: u64, heard_ms: u64, scene: &mut Scene<'_>) {
        let (index, content) = scene.tape.find_item(item.as_str()).expect("a known item");
        let heard = usize::try_from(heard_ms).unwrap_or(usize::MAX).saturating_mul(self.bytes_per_ms);
        assert!(heard_ms <= generated_ms, "{item}: {heard_ms} of {generated_ms} ms heard");
        assert!(generated_ms <= (content.delivered / self.bytes_per_ms) as u64, "{item}: {generated_ms} ms never came");
        assert!(heard <= content.sent.max(content.acked), "{item}: {heard_ms} ms heard, {} bytes sent", content.sent);
        assert!(heard_ms >= content.heard_ms, "{item}: {heard_ms} ms heard after {}", content.heard_ms);
        assert!(!self.step.stale_mark || heard_ms == content.heard_ms, "{item}: a stale mark counts");
        content.heard_ms = heard_ms;
        self.judging.heard(index, heard_ms, self.bytes_per_ms, scene.tape);
        let played = scene.carrier.played(scene.now, index, scene.tape);
        assert!(heard <= played, "{item}: {heard_ms} ms heard, {played} bytes played");
    }

    fn turn(&mut self, turn: &Turn, scene: &mut Scene<'_>) {
        let item = self.items.get(turn.index as usize).expect("a turn that began").clone();
        match turn.who {
            Who::Caller => {
                let words = format!("these are the words of {item}");
                let listened = self.judging.is_on() && turn.text == "Haan ji.";
                assert!(listened || turn.text.is_empty() || turn.text == words, "{item}: {:?}", turn.text);
            }
            Who::Agent => {
                let (_, content) = scene.tape.find_item(item.as_str()).expect("a known item");
                let words = content.words.trim();
                assert!(words.starts_with(&turn.text), "{item}: {:?} of {words:?}", turn.text);
                assert_eq!(turn.heard_ms, content.heard_ms, "{item}: as heard");
                if turn.interrupted && !content.finished && !words.is_empty() {
                    // Words run ahead of the audio: of what was not said to its end, not all that are there were said.
                    assert!(turn.text.len() < words.len(), "{item}: {:?} was not said to its end", turn.text);
                }
                if turn.heard_ms == 0 {
                    assert_eq!(turn.text, "", "{item}: words that nobody heard");
                }
            }
        }
        self.rows.insert(turn.index, turn.clone());
        self.tally.add("turns told", 1);
    }

    fn ended(&mut self, why: &Ended) {
        assert!(self.tally.told, "the end is recorded before it is told");
        if *why == Ended::CallerSilent {
            self.silent.ended();
        }
        self.tally.ended = Some(why.clone());
        self.media_due = NEVER;
    }

    /// After every step: when the call wants to be woken, and how far ahead of real time it thinks it is.
    pub(crate) fn after(&mut self, timeout: Micros, lead_ms: u64, now: Micros) {
        self.replaces(now);
        self.judging.after(self.history.left().is_some(), &mut self.tally);
        let over = self.tally.ended.is_some() || self.history.left().is_some();
        let waits = !self.running.is_empty() && self.media_due != NEVER && !self.closing && !over;
        let standing = Standing { waits, speaks: self.speaking, audible_end: self.audible_end };
        let silence = self.waiting.watch(now, &standing);
        self.silent.watch(now, self.speaking, self.audible_end);
        self.tally.greatest("longest silence in a wait ms", silence / MS);
        let step = &self.step;
        assert!(step.cleared || !step.must_clear, "what the caller cut into is cleared");
        assert!(!self.reads || now <= self.media_due, "the carrier was sent nothing for too long");
        let over = self.tally.ended.is_some();
        assert!(over || self.running.values().all(|by| now <= *by), "a function never returns: {:?}", self.running);
        assert_eq!(timeout == NEVER, over, "a call has something to wait for until it is over");
        assert_eq!(
            lead_ms,
            if over || self.history.left().is_some() { lead_ms } else { self.ahead(now) / MS },
            "ms ahead of real time"
        );
    }

    /// A session whose replacement is ready is replaced in the first quiet moment.
    fn replaces(&mut self, now: Micros) {
        let waits = self.conns.values().filter(|conn| conn.is_ready()).count() > 1;
        let generating = self.conns.values().any(|conn| conn.is_ready() && (conn.requested || !conn.open.is_empty()));
        let loud = now.saturating_sub(self.last_loud) < SEC;
        let pending = !self.running.is_empty() || !self.keys.is_empty();
        if !waits || generating || loud || pending || self.speaking || self.play_end > now || self.tally.ended.is_some()
        {
            self.quiet_since = None;
            return;
        }
        let since = *self.quiet_since.get_or_insert(now);
        assert!(now - since <= LONGEST_WAIT, "an old session is used though nothing goes on");
    }

    /// The call is gone, and another is built from what was recorded.
    pub(crate) fn restarted(&mut self) {
        self.era += 1;
        (self.play_end, self.audible_end, self.on_their_way) = (0, 0, 0);
        self.speaking = false;
        if self.started == 0 {
            // There is no time before the stream begins: they are waited for anew.
            self.running.clear();
        }
        self.recording.restarted();
        self.judging.restarted();
        self.step = Step::default();
        self.conns.values_mut().for_each(|c| c.closed = true);
    }

    /// The gateway is lost with all it knew, and what it had not written: another goes on from the record. `conns_from`: connections so far.
    pub(crate) fn gateway_lost(&mut self, written_until: Micros, conns_from: u32, tape: &mut Tape) {
        self.restarted();
        self.running.clear();
        self.keys.clear();
        self.marks.clear();
        self.voices.clear();
        self.crossed.clear();
        self.conns.clear();
        (self.media_due, self.quiet_since, self.conns_from) = (NEVER, None, conns_from);
        tape.contents.iter_mut().for_each(|content| content.dead = true);
        let stored = self.record.lost(written_until);
        self.rows = stored.turns.iter().map(|turn| (turn.index, turn.clone())).collect();
        self.history = History::stored(stored);
        self.returned.retain(|id| id.0 <= self.history.effects());
        for (old, new) in tape.rename_clips(self.tally.of("gateways lost")) {
            self.items.iter_mut().filter(|item| **item == old).for_each(|item| *item = new.clone());
            self.answers.remove(&old).into_iter().for_each(|after_ms| _ = self.answers.insert(new.clone(), after_ms));
        }
        let found = self.history.turns().count();
        self.items.truncate(found);
        let on_record = |item: &ItemId| {
            let index = self.items.iter().position(|known| known == item);
            index.and_then(|index| u32::try_from(index).ok()).is_some_and(|index| self.rows.contains_key(&index))
        };
        self.answers.retain(|item, _| on_record(item));
        (self.found, self.back) = (u32::try_from(found).unwrap_or(u32::MAX), true);
        self.silent.broken(0);
        self.tally.add("gateways lost", 1);
    }

    /// A turn as it was told. Of one that another gateway told it is on record what was generated, and here nobody knows.
    fn told(&self, turn: &Turn) -> Turn {
        let generated_ms = if turn.index < self.found { 0 } else { turn.generated_ms };
        // Another gateway calls its item by another name.
        let item = ItemId::new("");
        let latency = turn.latency.clone().map(|told| Box::new(Latency { item, ..*told }));
        Turn { generated_ms, latency, ..turn.clone() }
    }

    /// On the way out.
    pub(crate) fn finish(&self, call: &Call, tape: &Tape) {
        assert!(self.tally.ended.is_some(), "the call ended");
        assert!(self.conns.values().all(|c| c.closed), "no connection is left open");
        let recorded: Vec<Turn> = self.history.turns().collect();
        let known: Vec<Turn> = call.history().turns().collect();
        assert_eq!(recorded, known, "what was recorded is what the call knows");
        let rows: Vec<Turn> = self.rows.values().map(|turn| self.told(turn)).collect();
        // Of a turn that was lost before it was written there is the place only.
        let written = known.iter().filter(|turn| turn.index >= self.found || self.rows.contains_key(&turn.index));
        let known: Vec<Turn> = written.map(|turn| self.told(turn)).collect();
        assert_eq!(rows, known, "the transcript is whole, to the caller's last words");
        self.answers_are_true();
        for content in &tape.contents {
            let heard = content.heard_ms as usize * self.bytes_per_ms;
            assert!(
                heard <= content.sent,
                "{:?}: {heard} bytes heard, {} handed to the socket",
                content.key,
                content.sent
            );
        }
        if let Some(bound_ms) = self.short_ms.filter(|_| !self.judging.is_on()) {
            self.recording.is_true(tape, bound_ms as usize * self.bytes_per_ms);
        }
    }

    /// Each answer stands with the turn that it began, and no turn began one that was none: none is counted twice, and none is lost.
    fn answers_are_true(&self) {
        for (item, after_ms) in &self.answers {
            let index = self.items.iter().position(|known| known == item).and_then(|index| u32::try_from(index).ok());
            let row = index.and_then(|index| self.rows.get(&index));
            assert_eq!(row.and_then(|row| row.answer_ms), Some(*after_ms), "{item}: how long its answer took");
            let latency = row.and_then(|row| row.latency.as_deref());
            let is_told = latency.is_some() || self.latencies.was_lost(item);
            assert!(is_told, "{item}: what its answer's time went to");
            // Whoever typed after they spoke waits since their last key.
            let spoke = |it: &&Latency| it.of == Awaited::Turn && it.parts.ms(Part::Endpointing) > 0;
            let sent_ms = latency.filter(spoke).map(Latency::sent_ms);
            assert!(
                sent_ms.is_none_or(|ms| ms == *after_ms),
                "{item}: {latency:?} until it was sent, not {after_ms} ms"
            );
        }
        let rows = self.rows.values().filter(|row| row.answer_ms.is_some()).count();
        assert_eq!(rows, self.answers.len(), "answers on record");
    }
}
