//! What callers do, and when they come and go.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a caller does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Two seconds of speech, then four of silence, in which the agent answers.
    Talk,
    /// Two of speech and two of silence: it speaks again while the agent does.
    Barge,
    /// Talks, and presses four keys in each pause.
    Keys,
    /// Asks for what the model needs a function for: the client's, called `lookup`.
    Tool,
}

impl Role {
    const ALL: [Self; 4] = [Self::Talk, Self::Barge, Self::Keys, Self::Tool];

    /// As `--mix` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Talk => "talk",
            Self::Barge => "barge",
            Self::Keys => "keys",
            Self::Tool => "tool",
        }
    }
}

/// How many callers of all do what: `talk=70,barge=20,keys=5,tool=5`, in any numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix(Vec<(Role, u32)>);

impl Default for Mix {
    /// All talk.
    fn default() -> Self {
        Self(vec![(Role::Talk, 1)])
    }
}

impl Mix {
    /// What a run's so-manieth caller does: shares are as even in any stretch of callers as they can be.
    pub(super) fn role(&self, nth: usize, seed: u64) -> Role {
        let all: u32 = self.0.iter().map(|(_, share)| share).sum();
        // Another step than that which spreads callers over their script: who does what is not to hang on when.
        let at = (nth as f64).mul_add(std::f64::consts::SQRT_2, seed as f64 * 0.3).fract() * f64::from(all);
        let mut up_to = 0;
        let role = self.0.iter().find(|(_, share)| {
            up_to += share;
            at < f64::from(up_to)
        });
        role.map_or(Role::Talk, |(role, _)| *role)
    }

    pub(super) fn has(&self, role: Role) -> bool {
        self.0.iter().any(|(has, share)| *has == role && *share > 0)
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (role, share)) in self.0.iter().enumerate() {
            write!(f, "{}{}={share}", if at == 0 { "" } else { "," }, role.name())?;
        }
        Ok(())
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut shares: Vec<(Role, u32)> = Vec::new();
        for part in text.split(',') {
            let (name, share) = part.split_once('=').unwrap_or((part, ""));
            let Some(role) = Role::ALL.into_iter().find(|role| role.name() == name.trim()) else {
                return Err(format!("{name:?} is none of talk, barge, keys, tool: write talk=70,barge=30"));
            };
            let share = share.trim().parse::<u32>().ok().filter(|share| *share <= 1_000_000);
            let share = share.ok_or_else(|| format!("{name} takes a share, a whole number: {name}=10"))?;
            if shares.iter().any(|(has, _)| *has == role) {
                return Err(format!("{name} is there twice"));
            }
            shares.push((role, share));
        }
        if shares.iter().all(|(_, share)| *share == 0) {
            return Err("somebody has to call: one share at least is above 0".into());
        }
        shares.sort_unstable();
        Ok(Self(shares))
    }
}

/// Calls that begin and end: so many a second, each for so long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Churn {
    /// Calls that begin a second.
    pub per_sec: f64,
    /// How long a call lasts, on average: half as long to half as long again.
    pub hold: Duration,
}

impl Churn {
    /// Calls that are open at any time.
    #[must_use]
    pub fn at_once(&self) -> usize {
        (self.per_sec * self.hold.as_secs_f64()).round().max(1.0) as usize
    }

    /// How long a run's so-manieth call lasts.
    pub(super) fn lasts(&self, nth: usize, seed: u64) -> Duration {
        self.hold.mul_f64(0.5 + spread(nth, seed))
    }

    /// How much longer a call lasts that is there when the measuring begins: it might have begun at any time before.
    pub(super) fn is_left(&self, nth: usize, seed: u64) -> Duration {
        self.lasts(nth, seed).mul_f64(spread(nth.wrapping_mul(31), seed))
    }
}

/// From 0 to 1, evenly spread over the calls.
fn spread(nth: usize, seed: u64) -> f64 {
    (nth as f64).mul_add(0.754_877_666, seed as f64 * 0.7).fract()
}

/// What callers do, and what is done to them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scenario {
    /// Who does what.
    pub mix: Mix,
    /// Calls come and go; none: all are there from the start to the end.
    pub churn: Option<Churn>,
    /// The carrier echoes no mark for a third of the calls, and all hang up without a word.
    pub rude: bool,
    /// Faults that the simulated model has while it is measured, as `simulate model` takes them.
    pub faults: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_kept_to_in_any_hundred_callers() {
        let mix: Mix = "talk=70,barge=20,keys=5,tool=5".parse().unwrap();
        assert_eq!(mix.to_string(), "talk=70,barge=20,keys=5,tool=5");
        for seed in [1, 2, 99] {
            for from in [0, 250, 4_000] {
                let roles: Vec<Role> = (from..from + 100).map(|nth| mix.role(nth, seed)).collect();
                for (role, share) in [(Role::Talk, 70), (Role::Barge, 20), (Role::Keys, 5), (Role::Tool, 5)] {
                    let are = roles.iter().filter(|is| **is == role).count() as i32;
                    assert!((are - share).abs() <= 3, "{are} of {role:?} with seed {seed} from {from}");
                }
            }
        }
        assert!((0..100).all(|nth| Mix::default().role(nth, 1) == Role::Talk));
    }

    #[test]
    fn a_mix_that_cannot_be_is_told_with_its_mend() {
        let wrong = |text: &str| text.parse::<Mix>().unwrap_err();
        assert_eq!(wrong("shout=3"), "\"shout\" is none of talk, barge, keys, tool: write talk=70,barge=30");
        assert_eq!(wrong("talk=many"), "talk takes a share, a whole number: talk=10");
        assert_eq!(wrong("talk"), "talk takes a share, a whole number: talk=10");
        assert_eq!(wrong("talk=1,talk=2"), "talk is there twice");
        assert_eq!(wrong("talk=0,keys=0"), "somebody has to call: one share at least is above 0");
    }

    #[test]
    fn calls_that_come_and_go_last_as_long_as_was_asked_for_on_average() {
        let churn = Churn { per_sec: 5.0, hold: Duration::from_secs(120) };
        assert_eq!(churn.at_once(), 600);
        let mean = (0..1_000).map(|nth| churn.lasts(nth, 3).as_secs_f64()).sum::<f64>() / 1_000.0;
        assert!((mean / 120.0 - 1.0).abs() < 0.02, "{mean}");
        assert!((0..1_000).all(|nth| churn.is_left(nth, 3) <= churn.lasts(nth, 3)));
    }
}
