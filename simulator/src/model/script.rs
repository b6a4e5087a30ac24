//! What the simulated model says.
//!
//! A script is text, one thing a line; answers are given in order, one a response, and then from the first again:
//!
//! ```text
//! # a comment
//! greeting greeting_en greeting_hi         said when asked to greet; the clip in the language of the request, else the first
//! apology apology_en                       said before the answer when asked to apologise
//! back commentary_en                       said instead of an answer when told that a transfer came to nothing
//! sentence commentary_en                   said when asked for exactly some words
//! asked call lookup {}                     done instead of the answer for a load test's caller who asks for a function
//! answer answer_en_hours                   one spoken item
//! answer commentary_en + answer_en_booking two items: a commentary, then the final answer
//! answer goodbye_en + call end_call {}     speech and a function call; the call is left out when no such tool is configured
//! fail rate_limit_exceeded                 response.done with status failed and this code
//! silence                                  no response to this turn at all
//! empty                                    a response that completes without output
//! ```

use std::{fs, io, str::FromStr};

use serde_json::Value;
use thiserror::Error;

use crate::speech::{self, Clip};

/// What the model says, and in which order.
#[derive(Clone, Debug)]
pub struct Script {
    /// Said when asked to greet: the first, or the one in the language of the request.
    pub greeting: Vec<&'static Clip>,
    /// Said before the answer when asked to apologise.
    pub apology: Option<&'static Clip>,
    /// Said instead of an answer to a caller who is back from a transfer.
    pub back: Option<&'static Clip>,
    /// Said when asked for exactly some words.
    pub sentence: Option<&'static Clip>,
    /// Done instead of an answer, once each time they speak, for callers of a load test who ask for a function. Left out for a session
    /// that has none of its functions.
    pub asked: Vec<Part>,
    /// One a response, cycling. Never empty.
    pub answers: Vec<Answer>,
}

/// What one response holds.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Output items, in order.
    Parts(Vec<Part>),
    /// The response fails.
    Fail {
        /// `status_details.error.code`.
        code: String,
    },
    /// The turn gets no response.
    Silence,
    /// A response without output.
    Empty,
}

/// One output item.
#[derive(Clone, Debug)]
pub enum Part {
    /// A spoken message.
    Say(&'static Clip),
    /// A function call, made only if the session has a tool of that name.
    Call {
        /// The function.
        name: String,
        /// JSON.
        arguments: String,
    },
}

/// A script that cannot be used.
#[derive(Debug, Error)]
pub enum ScriptError {
    /// Fix the line.
    #[error("script line {line}: {problem}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// Add an answer.
    #[error("the script has no answer")]
    NoAnswer,
    /// Give a file that can be read, or a built-in name.
    #[error("{name:?} is no built-in script ({builtin}) and cannot be read as a file: {source}", builtin = BUILTIN_NAMES.join(", "))]
    Unreadable {
        /// As given.
        name: String,
        /// Why.
        source: io::Error,
    },
}

/// The names [`Script::builtin`] knows.
pub const BUILTIN_NAMES: [&str; 5] = ["demo", "clinic", "hindi", "load", "tone"];

const DEMO: &str = "
greeting greeting_en greeting_hi
apology apology_en
sentence commentary_en
answer answer_en_hours
answer commentary_en + answer_en_booking
answer answer_hi_hours
answer goodbye_en + call end_call {\"reason\":\"the caller said goodbye\"}
";
/// The same, but for the question that a function answers, and a fee that the caller pays by keys.
const CLINIC: &str = "
greeting greeting_en greeting_hi
apology apology_en
answer answer_en_hours
answer commentary_en + call opening_hours {\"day\":\"Saturday\"}
answer answer_en_booking
answer answer_hi_hours + call collect_digits {\"count\":16,\"purpose\":\"the card for the fee\",\"secret\":true}
answer call pay_fee {\"card\":\"{{digits:1}}\"}
answer commentary_en
answer goodbye_en + call end_call {\"reason\":\"the caller said goodbye\"}
";
const HINDI: &str = "
greeting greeting_hi
answer answer_hi_hours
answer goodbye_en + call end_call {\"reason\":\"the caller said goodbye\"}
";
const LOAD: &str = "greeting babble\nanswer babble\nasked call lookup {\"number\":7}";
const TONE: &str = "greeting tone\nanswer tone";

impl Default for Script {
    /// `demo`.
    fn default() -> Self {
        Self::builtin("demo").unwrap_or(Self {
            greeting: Vec::new(),
            apology: None,
            back: None,
            sentence: None,
            asked: Vec::new(),
            answers: vec![Answer::Empty],
        })
    }
}

impl Script {
    /// One of the scripts that come with the program: `demo`, `clinic` (the same with a function), `hindi`, `load` (every answer the same 3,000 ms of
    /// synthetic babble) and `tone` (every answer 4,000 ms of a 1 kHz sine).
    #[must_use]
    pub fn builtin(name: &str) -> Option<Self> {
        let text = match name {
            "demo" => DEMO,
            "clinic" => CLINIC,
            "hindi" => HINDI,
            "load" => LOAD,
            "tone" => TONE,
            _ => return None,
        };
        text.parse().ok()
    }

    /// A built-in script by name, or one from a file.
    ///
    /// # Errors
    /// The file cannot be read, or a line of it is wrong.
    pub fn load(name_or_path: &str) -> Result<Self, ScriptError> {
        if let Some(script) = Self::builtin(name_or_path) {
            return Ok(script);
        }
        fs::read_to_string(name_or_path)
            .map_err(|source| ScriptError::Unreadable { name: name_or_path.to_owned(), source })?
            .parse()
    }

    /// The greeting in this language (ISO 639-1), else the first.
    pub(super) fn greeting_in(&self, language: &str) -> Option<&'static Clip> {
        self.greeting.iter().find(|clip| clip.language == language).or(self.greeting.first()).copied()
    }

    pub(super) fn answer(&self, turn: usize) -> &Answer {
        self.answers.get(turn % self.answers.len().max(1)).unwrap_or(&Answer::Empty)
    }
}

impl FromStr for Script {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        let mut script = Self {
            greeting: Vec::new(),
            apology: None,
            back: None,
            sentence: None,
            asked: Vec::new(),
            answers: Vec::new(),
        };
        for (index, line) in text.lines().enumerate() {
            script.read(line.trim()).map_err(|problem| ScriptError::Line { line: index + 1, problem })?;
        }
        if script.answers.is_empty() { Err(ScriptError::NoAnswer) } else { Ok(script) }
    }
}

impl Script {
    fn read(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (keyword, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let answer = match keyword {
            "greeting" => {
                self.greeting = rest.split_whitespace().map(find).collect::<Result<_, _>>()?;
                return Ok(());
            }
            "apology" => {
                self.apology = Some(find(rest)?);
                return Ok(());
            }
            "back" => {
                self.back = Some(find(rest)?);
                return Ok(());
            }
            "sentence" => {
                self.sentence = Some(find(rest)?);
                return Ok(());
            }
            "asked" => {
                self.asked = parts(rest)?;
                return Ok(());
            }
            "answer" => Answer::Parts(parts(rest)?),
            "fail" if rest.is_empty() => return Err("fail needs an error code".into()),
            "fail" => Answer::Fail { code: rest.to_owned() },
            "silence" => Answer::Silence,
            "empty" => Answer::Empty,
            other => {
                return Err(format!(
                    "{other:?} is none of greeting, apology, back, sentence, asked, answer, fail, silence, empty"
                ));
            }
        };
        self.answers.push(answer);
        Ok(())
    }
}

fn parts(mut rest: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    loop {
        let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let mut after = after.trim_start();
        if word == "call" {
            let (name, arguments) =
                after.split_once(char::is_whitespace).ok_or("call needs a name and JSON arguments")?;
            let mut values = serde_json::Deserializer::from_str(arguments).into_iter::<Value>();
            let value = values.next().and_then(Result::ok).ok_or("the arguments of call are not JSON")?;
            parts.push(Part::Call { name: name.to_owned(), arguments: value.to_string() });
            after = arguments.get(values.byte_offset()..).unwrap_or_default().trim_start();
        } else {
            parts.push(Part::Say(find(word)?));
        }
        if after.is_empty() {
            return Ok(parts);
        }
        rest = after.strip_prefix('+').ok_or_else(|| format!("expected + before {after:?}"))?.trim_start();
    }
}

fn find(id: &str) -> Result<&'static Clip, String> {
    speech::clip(id).ok_or_else(|| {
        let known: Vec<_> = speech::clips().iter().map(|clip| clip.id).collect();
        format!("no clip is called {id:?}; there are: {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_builtin_script_parses() {
        for name in BUILTIN_NAMES {
            let script = Script::builtin(name).unwrap();
            assert!(!script.greeting.is_empty() && !script.answers.is_empty(), "{name}");
        }
    }

    #[test]
    fn the_first_answer_of_the_demo_is_long_enough_to_be_interrupted() {
        let script = Script::default();
        let Answer::Parts(parts) = script.answer(0) else { panic!("not speech") };
        let Part::Say(clip) = &parts[0] else { panic!("not speech") };
        assert!(clip.duration_ms() >= 8_000);
    }

    #[test]
    fn speech_and_calls_share_a_line() {
        let script: Script = "# x\nanswer goodbye_en + call end_call {\"a\": \" + \"} + call other {}".parse().unwrap();
        let Answer::Parts(parts) = script.answer(7) else { panic!("not parts") };
        assert_eq!(parts.len(), 3);
        assert!(
            matches!(&parts[1], Part::Call { name, arguments } if name == "end_call" && arguments == r#"{"a":" + "}"#)
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let problem = |text: &str| text.parse::<Script>().unwrap_err().to_string();
        assert!(
            problem("\nanswer nobody")
                .starts_with("script line 2: no clip is called \"nobody\"; there are: greeting_en")
        );
        assert_eq!(problem("answer goodbye_en greeting_en"), "script line 1: expected + before \"greeting_en\"");
        assert_eq!(problem("answer call x {"), "script line 1: the arguments of call are not JSON");
        assert_eq!(problem("fail"), "script line 1: fail needs an error code");
        assert_eq!(problem("greeting greeting_en"), "the script has no answer");
        assert!(
            Script::load("/nowhere").unwrap_err().to_string().starts_with("\"/nowhere\" is no built-in script (demo,")
        );
    }
}
