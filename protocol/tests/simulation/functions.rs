//! What calls want done beside their sockets: a double that is quick, slow, fails, answers twice, late or never. It outlives every fault of
//! the call.

use std::time::Duration;

use protocol::call::destinations::{Destination, Open};
use protocol::call::functions::{Function, FunctionEffect};
use protocol::call::io::{Effect, EffectId, Input};
use protocol::realtime::command::Tool;

use super::link::{Dice, MS, Micros, NEVER};

/// Functions that the agent may call: one that only looks, and one that changes something.
pub(crate) const NAMES: [&str; 2] = ["look_up", "book"];

/// As they are offered.
pub(crate) fn offered() -> Vec<Function> {
    let offered = NAMES.map(|name| {
        let (name, description, parameters) = (name.to_owned(), String::new(), r#"{"type":"object"}"#.to_owned());
        let effect = if name == NAMES[0] { FunctionEffect::Read } else { FunctionEffect::Write };
        Function { effect, ..Function::new(Tool { name, description, parameters }) }
    });
    offered.into()
}

/// Where callers may be handed on to: somebody who is there, and somebody who never is.
pub(crate) fn destinations() -> Vec<Destination> {
    let destination = |name: &str, open| Destination { name: name.to_owned(), when: None, open };
    vec![destination(DESK, Open::Always), destination(NOBODY, Open::Between(Vec::new()))]
}

/// Who is there.
pub(crate) const DESK: &str = "desk";
/// Who is not.
pub(crate) const NOBODY: &str = "night_desk";

/// See the module.
#[derive(Default)]
pub(crate) struct Functions {
    /// What was run, in order.
    ran: Vec<(EffectId, Effect)>,
    results: Vec<(Micros, EffectId, Result<String, String>)>,
}

impl Functions {
    /// Runs one, which is given up after `wait`.
    pub(crate) fn run(&mut self, now: Micros, id: EffectId, effect: Effect, wait: Duration, dice: &mut Dice) {
        assert!(self.ran.iter().all(|(ran, _)| *ran < id), "{id:?} is run a second time: {effect:?}");
        // Every call of a model's has a name of its own here.
        assert!(self.ran.iter().all(|(_, ran)| *ran != effect), "{effect:?} is run a second time");
        self.ran.push((id, effect));
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let mut at = |from_ms, to_ms| now + dice.within((from_ms, to_ms)) * MS;
        let result = || Ok(result(id));
        let (quick, slow, late) = (at(0, 800), at(800, wait_ms), at(wait_ms + 10, 2 * wait_ms));
        match dice.within((0, 6)) {
            0 | 1 => self.results.push((quick, id, result())),
            2 => self.results.push((slow, id, result())),
            3 => self.results.push((quick, id, Err("HTTP 500".to_owned()))),
            4 => self.results.extend([(quick, id, result()), (slow, id, result())]),
            5 => self.results.extend([(late, id, result()), (late + MS, id, result())]),
            _ => {}
        }
    }

    /// The gateway is lost, and with it what ran there. Of what is not on record nobody knows that it ran.
    pub(crate) fn gateway_lost(&mut self, on_record: u32) {
        self.results.clear();
        self.ran.retain(|(id, _)| id.0 <= on_record);
    }

    /// When the next result is there.
    pub(crate) fn next_at(&self) -> Micros {
        self.results.iter().map(|(at, ..)| *at).min().unwrap_or(NEVER)
    }

    /// The next result that is there.
    pub(crate) fn pop(&mut self, now: Micros) -> Option<Input> {
        let due = self.results.iter().position(|(at, ..)| *at <= now)?;
        let (_, id, result) = self.results.remove(due);
        Some(Input::Ran { id, result: result.map(Into::into) })
    }
}

/// What it comes to.
fn result(id: EffectId) -> String {
    format!(r#"{{"result":{}}}"#, id.0)
}

/// Whether those words tell such a result.
pub(crate) fn tells_result(words: &str) -> bool {
    words.contains(r#"{"result":"#)
}
