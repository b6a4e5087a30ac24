//! What goes wrong on purpose.

use std::sync::{Mutex, PoisonError};

use thiserror::Error;

/// Faults of a simulated Realtime server. The default is none: what is left are the real server's own habits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// `refuse-handshake[=401]`: the upgrade is answered with this HTTP status.
    pub refuse_handshake: Option<u16>,
    /// `stall`: the connection is accepted and the handshake never answered.
    pub stall: bool,
    /// `refuse-update[=N]`: the next N `session.update` of the whole server are refused (default 1).
    pub refuse_update: u32,
    /// `ignore-update`: `session.update` is never answered.
    pub ignore_update: bool,
    /// `mute`: hears and detects speech, and never makes a response, not even when asked for one.
    pub mute: bool,
    /// `fail-response[=N[:CODE]]`: the next N responses of the whole server end as `failed`, with that code.
    pub fail_response: Option<FailResponse>,
    /// `drop-after-ms=N`: the TCP connection is reset N ms after the session began.
    pub drop_after_ms: Option<u64>,
    /// `expire-after-ms=N`: `session_expired` and close 1001, N ms after the session began.
    pub expire_after_ms: Option<u64>,
    /// `json-ping`: `{"type":"ping"}` events every second, as xAI sends them.
    pub json_ping: bool,
    /// `unknown-events`: events of unknown kinds, and unknown fields, in between.
    pub unknown_events: bool,
    /// `junk`: frames that are no JSON, and binary frames, every second.
    pub junk: bool,
    /// `effective-format`: the session uses G.711 mu-law when asked for PCM, and PCM when asked for G.711.
    pub effective_format: bool,
    /// `slow-ms=N`: the first delta of every response is N ms later than usual.
    pub slow_ms: u64,
    /// `network-ms=N`: the way to the server and back takes N ms each, for connections that are opened from now on.
    pub network_ms: u64,
    /// `transcript-ms=N`, `no-transcripts`: when what the caller said is complete as text.
    pub transcripts: Transcripts,
    /// `error-flood`: 15 `server_error` events a second once the session is configured, as a dead session sends.
    pub error_flood: bool,
}

/// When what the caller said is complete as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transcripts {
    /// As the real server is.
    #[default]
    Usual,
    /// So many ms after the commit.
    After(u64),
    /// It never is.
    Never,
}

/// How many responses fail, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailResponse {
    /// How many.
    pub times: u32,
    /// `status_details.error.code`.
    pub code: String,
}

/// A fault switch that cannot be taken.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FaultError {
    /// Fix the name.
    #[error("no fault is called {name:?}; there are: {known}", known = FAULT_NAMES.join(", "))]
    Unknown {
        /// As given.
        name: String,
    },
    /// Fix the value.
    #[error("the fault {name} takes {expected}, not {value:?}")]
    Value {
        /// The fault.
        name: &'static str,
        /// What it takes.
        expected: &'static str,
        /// As given; empty when missing.
        value: String,
    },
}

/// The switches that [`Faults::from_flags`] knows, without their values.
pub const FAULT_NAMES: [&str; 17] = [
    "refuse-handshake",
    "stall",
    "refuse-update",
    "ignore-update",
    "mute",
    "fail-response",
    "drop-after-ms",
    "expire-after-ms",
    "json-ping",
    "unknown-events",
    "junk",
    "effective-format",
    "slow-ms",
    "network-ms",
    "transcript-ms",
    "no-transcripts",
    "error-flood",
];

impl Faults {
    /// Reads switches such as `mute`, `refuse-handshake=500` or `fail-response=2:rate_limit_exceeded`; `_` and `-` are
    /// the same.
    ///
    /// # Errors
    /// At the first switch that is unknown or has a value it cannot take.
    pub fn from_flags<S: AsRef<str>>(flags: &[S]) -> Result<Self, FaultError> {
        let mut faults = Self::default();
        for flag in flags {
            let (name, value) = match flag.as_ref().split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (flag.as_ref(), None),
            };
            let name = name.trim().replace('_', "-");
            let Some(known) = FAULT_NAMES.iter().find(|known| **known == name) else {
                return Err(FaultError::Unknown { name });
            };
            faults.set(known, value.map(str::trim))?;
        }
        Ok(faults)
    }

    /// Reads the switches of a request's query: `/faults?mute&slow-ms=300`.
    pub(super) fn from_query(target: &str) -> Result<Self, FaultError> {
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let flags: Vec<&str> = query.split('&').filter(|flag| !flag.is_empty()).collect();
        Self::from_flags(&flags)
    }

    fn set(&mut self, name: &'static str, value: Option<&str>) -> Result<(), FaultError> {
        let refused = |expected| FaultError::Value { name, expected, value: value.unwrap_or_default().to_owned() };
        let ms = || value.and_then(|ms| ms.parse().ok()).ok_or(refused("milliseconds"));
        let times = |count: Option<&str>| count.map_or(Ok(1), str::parse).map_err(|_| refused("a count"));
        let switch = || if value.is_none() { Ok(true) } else { Err(refused("no value")) };
        match name {
            "refuse-handshake" => {
                let status = value.map_or(Ok(401), str::parse).ok().filter(|status| (400..600).contains(status));
                self.refuse_handshake = Some(status.ok_or(refused("an HTTP status from 400 to 599"))?);
            }
            "refuse-update" => self.refuse_update = times(value)?,
            "fail-response" => {
                let (count, code) = match value.and_then(|value| value.split_once(':')) {
                    Some((count, code)) => (Some(count), code),
                    None => (value, "rate_limit_exceeded"),
                };
                self.fail_response = Some(FailResponse { times: times(count)?, code: code.to_owned() });
            }
            "drop-after-ms" => self.drop_after_ms = Some(ms()?),
            "expire-after-ms" => self.expire_after_ms = Some(ms()?),
            "slow-ms" => self.slow_ms = ms()?,
            "network-ms" => self.network_ms = ms()?,
            "transcript-ms" => self.transcripts = Transcripts::After(ms()?),
            "no-transcripts" => {
                switch()?;
                self.transcripts = Transcripts::Never;
            }
            "stall" => self.stall = switch()?,
            "ignore-update" => self.ignore_update = switch()?,
            "mute" => self.mute = switch()?,
            "json-ping" => self.json_ping = switch()?,
            "unknown-events" => self.unknown_events = switch()?,
            "junk" => self.junk = switch()?,
            "effective-format" => self.effective_format = switch()?,
            _ => self.error_flood = switch()?,
        }
        Ok(())
    }
}

/// The faults in force, with what is left of those that happen a number of times.
#[derive(Debug, Default)]
pub(super) struct FaultState(Mutex<Faults>);

impl FaultState {
    pub(super) fn new(faults: Faults) -> Self {
        Self(Mutex::new(faults))
    }

    pub(super) fn set(&self, faults: Faults) {
        *self.lock() = faults;
    }

    pub(super) fn get(&self) -> Faults {
        self.lock().clone()
    }

    /// Whether this `session.update` is to be refused.
    pub(super) fn refuses_update(&self) -> bool {
        let mut faults = self.lock();
        let refused = faults.refuse_update > 0;
        faults.refuse_update = faults.refuse_update.saturating_sub(1);
        refused
    }

    /// The code with which this response is to fail.
    pub(super) fn fails_response(&self) -> Option<String> {
        let mut faults = self.lock();
        let fail = faults.fail_response.as_mut().filter(|fail| fail.times > 0)?;
        fail.times -= 1;
        Some(fail.code.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Faults> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_read_with_and_without_values() {
        let faults =
            Faults::from_flags(&["mute", "refuse_handshake=500", "fail-response=2:server_error", "slow-ms=40"]);
        assert_eq!(
            faults,
            Ok(Faults {
                mute: true,
                refuse_handshake: Some(500),
                fail_response: Some(FailResponse { times: 2, code: "server_error".into() }),
                slow_ms: 40,
                ..Faults::default()
            })
        );
        let faults = Faults::from_flags(&["fail-response", "refuse-update=3"]).unwrap();
        assert_eq!(faults.refuse_update, 3);
        assert_eq!(faults.fail_response.unwrap().code, "rate_limit_exceeded");
    }

    #[test]
    fn a_switch_that_cannot_be_taken_is_named() {
        let message = |flag: &str| Faults::from_flags(&[flag]).unwrap_err().to_string();
        assert!(message("explode").starts_with("no fault is called \"explode\"; there are: refuse-handshake, stall"));
        assert_eq!(message("slow-ms"), "the fault slow-ms takes milliseconds, not \"\"");
        assert_eq!(
            message("refuse-handshake=9"),
            "the fault refuse-handshake takes an HTTP status from 400 to 599, not \"9\""
        );
        assert_eq!(message("mute=yes"), "the fault mute takes no value, not \"yes\"");
    }

    #[test]
    fn switches_come_as_a_query_too_and_none_of_them_ends_all() {
        let faults = Faults::from_query("/faults?mute&slow-ms=40").unwrap();
        assert_eq!((faults.mute, faults.slow_ms), (true, 40));
        assert_eq!(Faults::from_query("/faults?"), Ok(Faults::default()));
        assert_eq!(Faults::from_query("/faults"), Ok(Faults::default()));
        assert!(Faults::from_query("/faults?explode").is_err());
    }

    #[test]
    fn counted_faults_run_out() {
        let state = FaultState::new(Faults::from_flags(&["refuse-update", "fail-response=1:x"]).unwrap());
        assert_eq!((state.refuses_update(), state.refuses_update()), (true, false));
        assert_eq!((state.fails_response(), state.fails_response()), (Some("x".into()), None));
    }
}
