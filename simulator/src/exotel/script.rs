//! The caller's mouth: turns the script into a line that never stops. Time is an argument: samples since the media socket
//! opened.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::report::Utterance;
use super::voice::Spoken;

/// The agent may begin this long before the caller's last sound and still answer it: ends of words are quiet.
const EAGER_MS: u64 = 300;

/// A step with its audio loaded; lengths in samples.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    AgentSpeaks,
    AgentFinished(u64),
    Wait(u64),
    Until(Arc<AtomicBool>),
    Speak(Spoken),
    BargeIn(u64, Spoken),
    Aside(u64, Spoken),
    /// A sound that is nothing the caller says.
    Sound(Spoken),
    Dtmf(char),
}

/// What the caller can know of the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AgentView {
    /// When the agent last began to be heard.
    pub(crate) began: Option<u64>,
    /// Since when there has been nothing to hear; none while there is.
    pub(crate) silent_since: Option<u64>,
}

/// Something that happened while a frame was filled; sample at which it did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cue {
    Speaks(String, u64),
    Stops(String, u64),
    Dtmf(char),
    GaveUp(&'static str),
}

/// The script being carried out.
#[derive(Debug)]
pub(crate) struct Caller {
    steps: VecDeque<Step>,
    speaking: Option<(Spoken, usize)>,
    /// When the step at the head began to wait.
    waiting_since: u64,
    /// No answer to what the caller last said can begin before this.
    answerable: u64,
    /// When the caller was last audible.
    last_sound: u64,
    patience: u64,
    samples_per_ms: u64,
    pub(crate) utterances: Vec<Utterance>,
    pub(crate) gave_up: u32,
}

impl Caller {
    pub(crate) fn new(steps: Vec<Step>, patience: u64, samples_per_ms: u64) -> Self {
        Self {
            steps: steps.into(),
            speaking: None,
            waiting_since: 0,
            answerable: 0,
            last_sound: 0,
            patience,
            samples_per_ms,
            utterances: Vec::new(),
            gave_up: 0,
        }
    }

    /// Everything has been done.
    pub(crate) fn done(&self) -> bool {
        self.steps.is_empty() && self.speaking.is_none()
    }

    /// Fills the frame that begins at that sample with what the caller says during it.
    pub(crate) fn fill(&mut self, at: u64, frame: &mut [u8], agent: AgentView, cues: &mut Vec<Cue>) {
        frame.fill(0);
        let mut used = 0;
        while used < frame.len() {
            let now = at + used as u64 / 2;
            if let Some((spoken, position)) = &mut self.speaking {
                let count = (spoken.pcm.len() - *position).min(frame.len() - used);
                frame[used..used + count].copy_from_slice(&spoken.pcm[*position..*position + count]);
                *position += count;
                used += count;
                if *position < spoken.pcm.len() {
                    return;
                }
                let label = std::mem::take(&mut spoken.label);
                self.speaking = None;
                self.waiting_since = at + used as u64 / 2;
                if !label.is_empty() {
                    cues.push(Cue::Stops(label, self.last_sound));
                }
            } else if !self.step(now, agent, cues) {
                return;
            }
        }
    }

    /// Carries out the step at the head if its time has come.
    fn step(&mut self, now: u64, agent: AgentView, cues: &mut Vec<Cue>) -> bool {
        let began = agent.began.filter(|began| *began >= self.answerable);
        let waited = now - self.waiting_since;
        let (ready, waits_for) = match self.steps.front() {
            None => return false,
            Some(Step::Speak(_) | Step::Sound(_) | Step::Dtmf(_)) => (true, ""),
            Some(Step::Wait(length)) => (waited >= *length, ""),
            Some(Step::Until(set)) => (set.load(Ordering::Relaxed), ""),
            Some(Step::AgentSpeaks) => (began.is_some(), "the agent to speak"),
            Some(Step::AgentFinished(silence)) => {
                let since = began.and(agent.silent_since);
                (since.is_some_and(|since| now >= since + silence), "the agent to finish")
            }
            Some(Step::BargeIn(after, _) | Step::Aside(after, _)) => {
                (began.is_some_and(|began| now >= began + after), "the agent to interrupt")
            }
        };
        if !ready && (waits_for.is_empty() || waited < self.patience) {
            return false;
        }
        if !ready {
            self.gave_up += 1;
            cues.push(Cue::GaveUp(waits_for));
        }
        self.waiting_since = now;
        match self.steps.pop_front() {
            Some(Step::Speak(spoken) | Step::BargeIn(_, spoken)) => self.speak(spoken, now, agent, cues),
            // No answer to it is waited for.
            Some(Step::Aside(_, spoken)) => {
                let answerable = self.answerable;
                self.speak(spoken, now, agent, cues);
                self.answerable = answerable;
            }
            Some(Step::Sound(sound)) => {
                self.answerable = now + sound.last_sound;
                self.speaking = Some((sound, 0));
            }
            Some(Step::Dtmf(key)) => cues.push(Cue::Dtmf(key)),
            _ => {}
        }
        true
    }

    fn speak(&mut self, spoken: Spoken, now: u64, agent: AgentView, cues: &mut Vec<Cue>) {
        let began = now + spoken.lead_in;
        self.last_sound = now + spoken.last_sound;
        self.answerable = self.last_sound.saturating_sub(EAGER_MS * self.samples_per_ms).max(began + 1);
        self.utterances.push(Utterance {
            label: spoken.label.clone(),
            began_ms: began / self.samples_per_ms,
            ended_ms: self.last_sound / self.samples_per_ms,
            barge_in: agent.began.is_some() && agent.silent_since.is_none(),
            ..Utterance::default()
        });
        cues.push(Cue::Speaks(spoken.label.clone(), began));
        self.speaking = Some((spoken, 0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 8;

    fn spoken(label: &str, ms: usize) -> Spoken {
        Spoken { label: label.into(), pcm: vec![1; ms * 16].into(), lead_in: 0, last_sound: ms as u64 * MS }
    }

    /// Runs the script in 20 ms frames; the agent is what `agent` says it is at that ms. When each cue came, in ms.
    fn run(steps: Vec<Step>, ms: u64, agent: impl Fn(u64) -> AgentView) -> (Vec<(u64, Cue)>, Vec<u8>) {
        let mut caller = Caller::new(steps, 2_000 * MS, MS);
        let (mut all, mut sound) = (Vec::new(), Vec::new());
        for at in (0..ms).step_by(20) {
            let (mut frame, mut cues) = (vec![9; 320], Vec::new());
            caller.fill(at * MS, &mut frame, agent(at), &mut cues);
            sound.extend(frame);
            all.extend(cues.into_iter().map(|cue| (at, cue)));
        }
        (all, sound)
    }

    #[test]
    fn utterances_follow_the_script_and_silence_lies_between() {
        let steps =
            vec![Step::Speak(spoken("a", 30)), Step::Wait(50 * MS), Step::Dtmf('5'), Step::Speak(spoken("b", 10))];
        let (cues, sound) = run(steps, 200, |_| AgentView::default());
        let kinds: Vec<_> = cues.iter().map(|(at, _)| *at).collect();
        assert_eq!(kinds, [0, 20, 80, 80, 80]);
        assert_eq!(sound.iter().filter(|byte| **byte == 1).count(), 40 * 16);
        assert!(sound.iter().all(|byte| *byte <= 1));
    }

    #[test]
    fn the_caller_waits_for_an_answer_given_after_it_spoke() {
        let greeting = AgentView { began: Some(0), silent_since: Some(10 * MS) };
        let answer = AgentView { began: Some(300 * MS), silent_since: None };
        let done = AgentView { began: Some(300 * MS), silent_since: Some(500 * MS) };
        let steps = vec![Step::Speak(spoken("a", 100)), Step::AgentFinished(100 * MS), Step::Dtmf('1')];
        let (cues, _) = run(steps, 1_000, |at| match at {
            0..300 => greeting,
            300..500 => answer,
            _ => done,
        });
        assert_eq!(cues.last(), Some(&(600, Cue::Dtmf('1'))));
    }

    #[test]
    fn a_barge_in_comes_that_long_after_the_agent_began() {
        let agent = |at| AgentView { began: (at >= 100).then_some(100 * MS), silent_since: (at < 100).then_some(0) };
        let (cues, _) = run(vec![Step::AgentSpeaks, Step::BargeIn(250 * MS, spoken("no", 40))], 1_000, agent);
        assert_eq!(cues[0], (360, Cue::Speaks("no".into(), 360 * MS)));
    }

    #[test]
    fn the_answer_goes_on_through_a_sound_that_wants_none() {
        let agent = |at| AgentView { began: (at >= 100).then_some(100 * MS), silent_since: (at < 100).then_some(0) };
        let steps = vec![Step::Aside(250 * MS, spoken("hm", 40)), Step::BargeIn(500 * MS, spoken("no", 40))];
        let (cues, _) = run(steps, 1_000, agent);
        let spoke = |label: &str, at: u64| (at, Cue::Speaks(label.into(), at * MS));
        assert!(cues.contains(&spoke("hm", 360)) && cues.contains(&spoke("no", 600)), "{cues:?}");
    }

    #[test]
    fn a_key_has_its_tone_before_its_event() {
        let tone = Spoken { label: String::new(), ..spoken("", 120) };
        let (cues, sound) =
            run(vec![Step::Sound(tone), Step::Dtmf('4'), Step::Wait(80 * MS)], 400, |_| AgentView::default());
        assert_eq!((cues, sound.iter().filter(|byte| **byte == 1).count()), (vec![(120, Cue::Dtmf('4'))], 120 * 16));
    }

    #[test]
    fn patience_ends() {
        let (cues, _) = run(vec![Step::AgentSpeaks, Step::Dtmf('1')], 3_000, |_| AgentView::default());
        assert_eq!(cues, [(2_000, Cue::GaveUp("the agent to speak")), (2_000, Cue::Dtmf('1'))]);
    }
}
