//! Sounds of the caller's that are judged: what was really said in them, and what it cost the agent.

use std::collections::HashMap;

use protocol::call::policy::{Confirmed, Interruptions};
use protocol::ids::{ItemId, MarkId};

use super::link::{MS, Micros};
use super::person::Kind;
use super::scenario::Scenario;
use super::tally::Tally;
use super::tape::Tape;

/// What was paused goes on within that of the end of the sound, and of the way there and back.
const GOES_ON_WITHIN: Micros = 1_200 * MS;

/// See the module.
pub(crate) struct Judging {
    interruptions: Interruptions,
    /// To the model and back.
    way: Micros,
    troubled: bool,
    /// Marks that are out, and where playback stands when they come back.
    out: HashMap<MarkId, (usize, usize)>,
    /// Of messages that were on their way to the socket when playback paused.
    recalled: Vec<MarkId>,
    /// Since when the agent is paused.
    paused_at: Option<Micros>,
    /// What was judged away since, and when each ended.
    away: Vec<(Option<Kind>, Micros)>,
    /// Coughs that cut the agent short in this step, and whether anything else did.
    coughs: Vec<ItemId>,
    others: bool,
}

impl Judging {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            interruptions: scenario.interruptions,
            way: 2 * scenario.model_way.1 + 2 * scenario.carrier_way.1 + scenario.lateness,
            troubled: scenario.troubled,
            out: HashMap::new(),
            recalled: Vec::new(),
            paused_at: None,
            away: Vec::new(),
            coughs: Vec::new(),
            others: false,
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.interruptions.are_ours()
    }

    /// Whatever the caller says is answered when the agent is done.
    pub(crate) fn waits(&self) -> bool {
        self.interruptions == Interruptions::Never
    }

    pub(crate) fn pauses_now(&self) -> bool {
        matches!(self.interruptions, Interruptions::Confirmed(_)) && self.paused_at.is_none()
    }

    /// A message was handed to the socket.
    pub(crate) fn handed(&mut self, mark: MarkId, content: usize, to: usize) {
        if self.is_on() {
            self.out.insert(mark, (content, to));
        }
    }

    /// The call knows that so much of a content was heard.
    pub(crate) fn heard(&mut self, index: usize, heard_ms: u64, bytes_per_ms: usize, tape: &mut Tape) {
        let acked = &mut tape.contents[index].acked;
        self.out.retain(|_, (content, to)| {
            let is_heard = *content == index && (*to / bytes_per_ms) as u64 <= heard_ms;
            if is_heard {
                *acked = (*acked).max(*to);
            }
            !is_heard
        });
    }

    /// The call is gone, with all that it sent.
    pub(crate) fn restarted(&mut self) {
        self.out.clear();
        self.recalled.clear();
        self.away.clear();
        self.paused_at = None;
    }

    pub(crate) fn is_recalled(&self, mark: MarkId) -> bool {
        self.recalled.contains(&mark)
    }

    /// A message that was on its way when playback paused: it goes out, and is dropped by what follows it.
    pub(crate) fn handed_late(&self, pcm: &[u8], tape: &mut Tape) -> (Option<usize>, usize, usize) {
        let index = tape.whose(pcm);
        let mut audio = pcm.len();
        while audio > 1 && pcm[audio - 1] == 0 && pcm[audio - 2] == 0 {
            audio -= 2;
        }
        let content = &mut tape.contents[index];
        let at = content.dropped_at;
        content.dropped_at += audio;
        (Some(index), at, audio)
    }

    /// Playback pauses: what was sent and is not known to have been heard goes out again.
    pub(crate) fn paused(&mut self, now: Micros, marks: &HashMap<MarkId, u32>, era: u32, tape: &mut Tape) {
        let handed: Vec<MarkId> = self.out.keys().copied().collect();
        self.recalled =
            marks.iter().filter(|(mark, of)| **of == era && !handed.contains(mark)).map(|(mark, _)| *mark).collect();
        self.out.clear();
        for content in &mut tape.contents {
            content.dropped_at = content.sent;
            content.again += content.sent - content.acked.min(content.sent);
            content.sent = content.acked.min(content.sent);
        }
        self.paused_at = Some(now);
        self.away.clear();
    }

    /// Audio goes out: what was judged away is gone on after.
    pub(crate) fn goes_on(&mut self, now: Micros, tally: &mut Tally) {
        let sounds = std::mem::take(&mut self.away);
        let Some(at) = self.paused_at.take() else { return };
        let (paused, ended) = (now - at, sounds.iter().map(|(_, ended)| *ended).max().unwrap_or(now));
        tally.greatest("longest pause ms", paused / MS);
        if paused > 300 * MS && sounds.iter().all(|(kind, _)| *kind != Some(Kind::Listening)) {
            tally.add("coughs that paused the agent for long", sounds.len() as u64);
        }
        let late = now.saturating_sub(ended);
        tally.greatest("goes on after ms", late / MS);
        let in_time = self.troubled || late <= GOES_ON_WITHIN + self.way;
        assert!(in_time, "the agent goes on {} ms after {sounds:?}", late / MS);
    }

    /// After every step: a cough has the floor only together with something that was more.
    pub(crate) fn after(&mut self, left: bool, tally: &mut Tally) {
        let coughs = std::mem::take(&mut self.coughs);
        if !std::mem::take(&mut self.others) && !coughs.is_empty() && !left {
            assert!(self.troubled, "{coughs:?}: coughs, and they cost the agent its sentence");
            tally.add("coughs that cost the agent's sentence", coughs.len() as u64);
        }
    }

    /// A sound was judged to be nothing.
    pub(crate) fn judged_away(
        &mut self,
        item: &ItemId,
        (ended, length_ms): (Micros, u64),
        tape: &Tape,
        tally: &mut Tally,
    ) {
        let kind = tape.kind_of(item);
        if kind == Some(Kind::Turn) {
            // The tail of what was said before a breath may be too short to be a word.
            let Interruptions::Confirmed(Confirmed { min, .. }) = self.interruptions else {
                panic!("nothing is judged")
            };
            assert!(u128::from(length_ms) < min.as_millis(), "{item} was a turn, and the agent went on over it");
            return tally.add("tails of turns", 1);
        }
        tally.add(if kind == Some(Kind::Listening) { "listeners' words" } else { "coughs" }, 1);
        self.away.push((kind, ended));
    }

    /// The caller has the floor; `cuts`: the agent was being heard.
    pub(crate) fn turn(&mut self, item: &ItemId, cuts: bool, tape: &Tape, tally: &mut Tally) {
        let cuts = (cuts || self.paused_at.is_some()) && !self.waits();
        match tape.kind_of(item).filter(|_| self.is_on()) {
            Some(Kind::Cough) if cuts => self.coughs.push(item.clone()),
            Some(Kind::Cough) => tally.add("coughs into silence", 1),
            Some(Kind::Listening) if cuts => tally.add("listeners taken for turns", 1),
            Some(Kind::Listening) => tally.add("answers of one word", 1),
            _ if cuts => tally.add("turns that cut in", 1),
            _ => {}
        }
        self.others |= tape.kind_of(item) != Some(Kind::Cough);
        self.paused_at = None;
        self.away.clear();
        self.out.clear();
    }
}
